//! One command after a change: started with or without a shell, given its time, ended with all it started.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt, io,
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    time::Duration,
};

use nix::sys::signal::Signal;
use tokio::process::Command;

use super::child::{Reach, Running};
use crate::config::template::CommandForm;

/// The whole environment of a child; nothing else is passed on. Never holds the agent's token.
pub type Environment = BTreeMap<OsString, OsString>;

/// Exit code of shells for a command that they can't find.
const SHELL_NOT_FOUND: i32 = 127;

/// How a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no command to run.
    #[error("the command is empty")]
    Empty,
    /// The program doesn't exist in this image.
    #[error("{program} was not found{}", searched(path.as_deref()))]
    NotFound {
        /// The program.
        program: String,
        /// Where it was looked for.
        path: Option<String>,
    },
    /// The program exists but can't be started.
    #[error("{program} can't be started")]
    Start {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended by itself, not with 0.
    #[error("exit code {code}")]
    Exit {
        /// The code.
        code: i32,
        /// Whether a shell ran it.
        by_shell: bool,
    },
    /// A signal ended it.
    #[error("ended by {}", SignalName(*signal))]
    Signal {
        /// The signal's number.
        signal: i32,
    },
    /// Its time was up; it was killed.
    #[error("not done after {after:?} and killed")]
    Timeout {
        /// The time it had.
        after: Duration,
    },
    /// Its end can't be waited for.
    #[error("its end can't be waited for")]
    Wait(#[source] io::Error),
}

impl CommandError {
    /// What to do next.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Empty => Some("write the command as a list, or remove it"),
            Self::NotFound { program, .. } if program == SHELL => Some(
                "this image has no shell: write the command as a list (program, arguments), or use an image with \
                 a shell",
            ),
            Self::NotFound { .. } => {
                Some("commands run in the agent's container: its image must hold the program; check PATH too")
            }
            Self::Exit { code: SHELL_NOT_FOUND, by_shell: true } => Some(
                "the shell found no such program: commands run in the agent's container, not the application's",
            ),
            Self::Timeout { .. } => Some("raise exec.timeout, or 0 to start it without waiting"),
            _ => None,
        }
    }
}

fn searched(path: Option<&str>) -> String {
    path.map(|path| format!(" in PATH ({path})")).unwrap_or_default()
}

struct SignalName(i32);

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Signal::try_from(self.0) {
            Ok(signal) => f.write_str(signal.as_str()),
            Err(_) => write!(f, "signal {}", self.0),
        }
    }
}

/// The shell of the original.
const SHELL: &str = "sh";

/// Runs the command to its end, with the standard streams of this process.
///
/// With a shell it gets a process group of its own, which is killed whole when its time is up; without, it stays in
/// ours, so that a Ctrl-C at a terminal reaches both. `timeout` `None`: it is started and not waited for. Dropping
/// the future kills the command.
///
/// # Errors
/// It can't be started, or doesn't end with exit code 0 in its time.
pub async fn run(
    form: &CommandForm,
    timeout: Option<Duration>,
    environment: &Environment,
) -> Result<(), CommandError> {
    let (mut running, by_shell) = start(form, environment, timeout.is_some())?;
    let Some(limit) = timeout else { return Ok(()) };
    match tokio::time::timeout(limit, running.wait()).await {
        Ok(Ok(status)) => judge(status, by_shell),
        Ok(Err(error)) => Err(CommandError::Wait(error)),
        Err(_) => {
            running.end().await.map_err(CommandError::Wait)?;
            Err(CommandError::Timeout { after: limit })
        }
    }
}

/// The started command, and whether a shell runs it.
#[expect(clippy::disallowed_methods, reason = "this is the module that starts commands")]
fn start(
    form: &CommandForm,
    environment: &Environment,
    is_awaited: bool,
) -> Result<(Running, bool), CommandError> {
    let (program, by_shell) = match form {
        CommandForm::Argv(argv) => (argv.first().ok_or(CommandError::Empty)?.as_str(), false),
        CommandForm::Shell(_) => (SHELL, true),
    };
    if program.is_empty() {
        return Err(CommandError::Empty);
    }
    let mut command = Command::new(program);
    match form {
        CommandForm::Argv(argv) => command.args(&argv[1..]),
        CommandForm::Shell(line) => command.arg("-c").arg(line).process_group(0),
    };
    let child = command.env_clear().envs(environment).spawn().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => not_found(program, environment),
        _ => CommandError::Start { program: program.to_owned(), source },
    })?;
    let reach = if by_shell { Reach::Group } else { Reach::Process };
    Ok((Running::new(child, reach, is_awaited), by_shell))
}

fn judge(status: ExitStatus, by_shell: bool) -> Result<(), CommandError> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(CommandError::Exit { code, by_shell }),
        (None, signal) => Err(CommandError::Signal { signal: signal.unwrap_or_default() }),
    }
}

fn not_found(program: &str, environment: &Environment) -> CommandError {
    let path = if program.contains('/') { None } else { environment.get(OsStr::new("PATH")) };
    CommandError::NotFound {
        program: program.to_owned(),
        path: path.map(|path| path.to_string_lossy().into_owned()),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests wait for other processes in real time")]
mod tests;
