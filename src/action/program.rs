//! A program that a template calls (`plugin`): what it prints, in its time, ended with all it started.

use std::{ffi::OsStr, fmt, io, os::unix::process::ExitStatusExt, process::Stdio, time::Duration};

use nix::{errno::Errno, sys::signal::Signal};
use tokio::{io::AsyncReadExt, process::Command};
use zeroize::Zeroizing;

use super::{
    child::{Reach, Running},
    command::Environment,
};

/// How long a program may run, as in the original.
pub const LIMIT: Duration = Duration::from_secs(30);

/// More is no part of a text file.
const LARGEST: usize = 4 << 20;

/// Why there is no output, in the words of the original. What the program printed is in none of them: it was called
/// with secrets.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It isn't in `PATH`.
    #[error("exec: {0:?}: executable file not found in $PATH")]
    NotFound(String),
    /// It can't be started.
    #[error("fork/exec: {}", Reason(.0))]
    Start(#[source] io::Error),
    /// It ended by itself, not with 0.
    #[error("exit status {0}")]
    Exit(i32),
    /// A signal ended it.
    #[error("signal: {}", Signal::try_from(*.0).map_or("unknown", Signal::as_str))]
    Signal(i32),
    /// Its time was up; it was killed.
    #[error("did not finish in {0:?}")]
    Timeout(Duration),
    /// It printed too much; it was killed.
    #[error("printed more than {} MiB", LARGEST >> 20)]
    TooLong,
    /// Its output or its end can't be waited for.
    #[error("can't be waited for: {}", Reason(.0))]
    Wait(#[source] io::Error),
}

impl ProgramError {
    /// What to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NotFound(_) | Self::Start(_) => {
                "programs run in the agent's container: its image must hold them, with all that they need"
            }
            Self::Timeout(_) => "a program of a template must end by itself, and so must all that it starts",
            Self::TooLong => "let it print the piece of text alone that the template needs",
            Self::Exit(_) | Self::Signal(_) | Self::Wait(_) => {
                "what it printed is not shown, as it may hold secrets: run it by hand in the agent's container"
            }
        }
    }
}

/// The system's reason without its number.
struct Reason<'a>(&'a io::Error);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.raw_os_error() {
            Some(code) => f.write_str(&Errno::from_raw(code).desc().to_lowercase()),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Runs a program to its end and gives what it has printed. It has nothing to read, and a process group of its own, which
/// is killed whole when its time is up or the future is dropped.
///
/// # Errors
/// It can't be started, doesn't end with exit code 0 in its time, or prints too much.
pub async fn output<'a>(
    name: &'a OsStr,
    args: impl IntoIterator<Item = &'a OsStr>,
    limit: Duration,
    environment: &Environment,
) -> Result<Zeroizing<Vec<u8>>, ProgramError> {
    let mut running = start(name, args, environment)?;
    let printed = tokio::time::timeout(limit, read_to_end(&mut running)).await;
    running.end().await.map_err(ProgramError::Wait)?;
    printed.unwrap_or(Err(ProgramError::Timeout(limit)))
}

#[expect(clippy::disallowed_methods, reason = "this is the module that starts commands")]
fn start<'a>(
    name: &OsStr,
    args: impl IntoIterator<Item = &'a OsStr>,
    environment: &Environment,
) -> Result<Running, ProgramError> {
    let mut command = Command::new(name);
    command.args(args).env_clear().envs(environment).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if !name.as_encoded_bytes().contains(&b'/') => {
            ProgramError::NotFound(name.to_string_lossy().into_owned())
        }
        _ => ProgramError::Start(error),
    })?;
    Ok(Running::new(child, Reach::Group, true))
}

/// As the original, until everybody who holds its output has closed it.
async fn read_to_end(running: &mut Running) -> Result<Zeroizing<Vec<u8>>, ProgramError> {
    // Room from the start for what is usual: a buffer that grows leaves copies behind.
    let mut printed = Zeroizing::new(Vec::with_capacity(64 << 10));
    if let Some(output) = running.child.stdout.take() {
        let mut output = output.take(LARGEST as u64 + 1);
        output.read_to_end(&mut printed).await.map_err(ProgramError::Wait)?;
    }
    if printed.len() > LARGEST {
        return Err(ProgramError::TooLong);
    }
    let status = running.wait().await.map_err(ProgramError::Wait)?;
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(printed),
        (Some(code), _) => Err(ProgramError::Exit(code)),
        (None, signal) => Err(ProgramError::Signal(signal.unwrap_or_default())),
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "tests lay out programs, and wait for other processes in real time"
)]
mod tests;
