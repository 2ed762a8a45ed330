//! `healthcheck`: an exec probe without a shell, which asks the running agent whether it is ready.

use std::{
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
    time::Duration,
};

use nix::unistd::Uid;

use super::{
    HealthcheckOptions,
    flags::{Flag, Set, Takes},
    runtime::wait_for,
    start::{complain, say},
};
use crate::{
    config::{downward, env::Environment, own},
    listener::client,
    problem::chain,
    status::{place, serve::READY},
};

/// The agent answers within this time, or it counts as not ready.
const PATIENCE: Duration = Duration::from_secs(5);

/// What `healthcheck` has.
pub(super) static HEALTHCHECK: &[Flag] = &[
    Flag::new(
        "socket",
        Takes::Value("FILE"),
        Set::Command,
        "The agent's status socket [default: the usual places] [env: DECANT_STATUS_SOCKET]",
    ),
    Flag::new(
        "pid-file",
        Takes::Value("PATH"),
        Set::Command,
        "The agent's pid file, beside which the socket is",
    ),
    Flag::new(
        "annotations",
        Takes::Value("FILE"),
        Set::Command,
        "The pod's annotations, which may name the socket [default: /etc/podinfo/annotations]",
    ),
];

/// Exit code for an agent that is not ready, or is not there.
const NOT_READY: u8 = 1;

/// Runs `healthcheck`.
pub(super) fn run(options: &HealthcheckOptions, environment: &Environment) -> u8 {
    let socket = match find(options, environment) {
        Ok(socket) => socket,
        Err(message) => {
            complain(&message);
            return NOT_READY;
        }
    };
    match wait_for(client::get(&socket, READY, PATIENCE)) {
        Ok(Ok((200, text))) => {
            say(text.trim_end());
            0
        }
        Ok(Ok((_, text))) => {
            complain(text.trim_end());
            NOT_READY
        }
        Ok(Err(trouble)) => {
            complain(&chain(&trouble));
            NOT_READY
        }
        Err(message) => {
            complain(&message);
            NOT_READY
        }
    }
}

/// The socket that flag, variable or annotation names, or else the first of the usual places that has one of ours.
fn find(options: &HealthcheckOptions, environment: &Environment) -> Result<PathBuf, String> {
    if let Some(socket) = said(options, environment) {
        return Ok(socket);
    }
    let pid_file = options.pid_file.as_deref();
    let places = place::usual(pid_file, environment.get("HOME"));
    places.iter().find(|place| is_ours(place)).cloned().ok_or_else(|| {
        let looked: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        format!(
            "no agent serves its status here: there is no socket of this user at {}\n  hint: is it running? \
             `agent` serves one only with the setting `status_socket` (DECANT_STATUS_SOCKET); if it has a pid file, give \
             --pid-file=PATH, if its socket is elsewhere, --socket=FILE",
            looked.join(" or ")
        )
    })
}

fn said(options: &HealthcheckOptions, environment: &Environment) -> Option<PathBuf> {
    let setting = own::by_key("status_socket")?;
    let variable = || environment.get(&setting.variable()).filter(|text| !text.is_empty()).map(PathBuf::from);
    let annotation = || {
        let annotations = downward::read(&options.annotations).ok()?;
        annotations.get(&setting.annotation()).filter(|text| !text.is_empty()).map(PathBuf::from)
    };
    options.socket.clone().or_else(variable).or_else(annotation)
}

/// In a folder that all may write to, another user's socket could say anything.
fn is_ours(path: &Path) -> bool {
    std::fs::symlink_metadata(path)
        .is_ok_and(|found| found.file_type().is_socket() && found.uid() == Uid::effective().as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> HealthcheckOptions {
        HealthcheckOptions { socket: None, pid_file: None, annotations: "/nonexistent".into() }
    }

    #[test]
    fn flag_then_variable_then_annotation_then_the_usual_places() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().display().to_string();
        let annotations = dir.path().join("annotations");
        let mut options = options();
        let find = |options: &HealthcheckOptions, variable: &str| {
            let environment = Environment::from([("HOME", &*home), ("DECANT_STATUS_SOCKET", variable)]);
            find(options, &environment).map(|path| path.display().to_string())
        };
        let missing = find(&options, "").unwrap_err();
        assert!(
            missing.contains(&format!("{home}/.decant.sock")) && missing.contains("--socket=FILE"),
            "{missing}"
        );
        assert!(missing.contains("--pid-file=PATH") && missing.contains("DECANT_STATUS_SOCKET"), "{missing}");
        let usual = dir.path().join(".decant.sock");
        std::fs::File::create(&usual).unwrap();
        assert!(find(&options, "").is_err(), "no socket");
        std::fs::remove_file(&usual).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(&usual).unwrap();
        assert_eq!(find(&options, "").unwrap(), usual.display().to_string());
        std::io::Write::write_all(
            &mut std::fs::File::create(&annotations).unwrap(),
            b"decant/status-socket=\"/annotation.sock\"\n",
        )
        .unwrap();
        options.annotations = annotations;
        assert_eq!(find(&options, "").unwrap(), "/annotation.sock");
        assert_eq!(find(&options, "/variable.sock").unwrap(), "/variable.sock");
        options.socket = Some("/flag.sock".into());
        assert_eq!(find(&options, "/variable.sock").unwrap(), "/flag.sock");
    }

    #[test]
    fn nobody_there_is_not_ready() {
        let options = HealthcheckOptions { socket: Some("/nonexistent/s.sock".into()), ..options() };
        assert_eq!(run(&options, &Environment::default()), NOT_READY);
    }
}
