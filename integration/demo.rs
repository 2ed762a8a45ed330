//! `decant demo`, as a user runs it: the whole story holds, its headlines come in order, nothing is left behind.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::harness::process::full_binary;

/// A word of each headline.
const HEADLINES: [&str; 11] = [
    "1/11 A Vault starts",
    "2/11 A pod's folders",
    "3/11 `decant init`",
    "4/11 `decant sidecar`",
    "5/11 How is it?",
    "6/11 Somebody rotates",
    "7/11 The database user",
    "8/11 No renewal",
    "9/11 The certificate",
    "10/11 Somebody breaks",
    "11/11 The pod ends",
];

/// Temporary files go there, where the demo doesn't find a folder in memory; settings of the user's must not matter.
#[expect(clippy::disallowed_methods, reason = "whole-program tests start programs")]
fn demo(temp: &Path) -> Command {
    let mut command = Command::new(full_binary());
    command.arg("demo").env_clear().env("TMPDIR", temp).env("TERM", "xterm");
    command.env("VAULT_ADDR", "http://127.0.0.1:1").env("VAULT_LOG_LEVEL", "nonsense");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// The pod's folder, as the story names it.
fn folder(out: &str) -> Option<&Path> {
    let (_, path) = out.split_once("auth-config-token-path=\"")?;
    path.split_once("/serviceaccount").map(|(folder, _)| Path::new(folder))
}

#[test]
fn the_demo_holds_from_the_first_step_to_the_last() {
    let temp = tempfile::tempdir().unwrap();
    let output = demo(temp.path()).output().unwrap();
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    assert_eq!(err, "");
    let mut rest = out.as_str();
    for headline in HEADLINES {
        let at = rest.find(headline).unwrap_or_else(|| panic!("no {headline:?}, or not in order:\n{out}"));
        rest = &rest[at..];
    }
    assert!(rest.contains("All 11 steps held"), "{out}");
    assert_eq!(out.matches("✓").count(), 13, "{out}");
    assert!(!out.contains('\x1b'), "colours without a terminal:\n{out}");
    assert!(out.contains("map has no entry for key \"port\"") && out.contains("^\n"), "{out}");
    assert!(!folder(&out).unwrap().exists(), "the pod's folder is still there:\n{out}");
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0, "temporary files are left");
}

#[test]
fn a_demo_that_is_interrupted_says_so_and_leaves_nothing() {
    use std::io::{BufRead as _, BufReader, Read as _};
    let temp = tempfile::tempdir().unwrap();
    let mut child = demo(temp.path()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut out = String::new();
    // The sidecar runs from here on.
    while !out.contains("6/11") {
        assert!(stdout.read_line(&mut out).unwrap() > 0, "{out}");
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    stdout.read_to_string(&mut out).unwrap();
    let output = child.wait_with_output().unwrap();
    let (_, err) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{out}\n{err}");
    assert!(err.contains("expected: to reach its end\n  got: SIGINT before that"), "{err}");
    assert!(!folder(&out).unwrap().exists(), "the pod's folder is still there:\n{out}");
    let pid = out.split_once("process ").unwrap().1.split_once(' ').unwrap().0.parse().unwrap();
    assert!(kill(Pid::from_raw(pid), None).is_err(), "the sidecar still runs:\n{out}");
}
