//! The program's own log: starts it, holds its level, and keeps panics from printing what they hold.

mod format;
pub mod level;
mod lines;
pub mod log_file;

#[cfg(test)]
mod tests;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    time::Duration,
};

use self::{
    level::{LevelHandle, LogFormat, LogLevel},
    lines::{LineLog, Outputs},
    log_file::{LogFile, LogFileError, Rotation},
};
use crate::clock::Clock;

/// How to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Lowest level shown.
    pub level: LogLevel,
    /// The text of the level as configured, for the banner; empty when nobody said one.
    pub level_text: String,
    /// Line format.
    pub format: LogFormat,
    /// Also write to this file.
    pub file: Option<PathBuf>,
    /// Rotate at this size; 0: no limit.
    pub rotate_bytes: u64,
    /// Rotate at this age. Default 24 h.
    pub rotate_duration: Duration,
    /// Archives kept; 0: all, negative: none.
    pub rotate_max_files: i64,
}

/// The stream that gets the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Console {
    /// Standard error, as usual.
    Stderr,
    /// Standard output (`-combine-logs`).
    Stdout,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log file.
    #[error(transparent)]
    File(#[from] LogFileError),
    /// There is a log already; it is started once per process.
    #[error("the log was started twice")]
    Twice,
}

/// Starts the log of this process and takes over panics. The handle changes the level later.
///
/// # Errors
/// A log file that can't be used; a second start.
pub fn start(config: &LogConfig, console: Console, clock: Clock) -> Result<LevelHandle, StartError> {
    let mut outputs: Outputs = vec![match console {
        Console::Stderr => Box::new(io::stderr()),
        Console::Stdout => Box::new(io::stdout()),
    }];
    if let Some(path) = &config.file {
        let rotation = Rotation {
            bytes: config.rotate_bytes,
            age: config.rotate_duration,
            max_files: config.rotate_max_files,
        };
        outputs.push(Box::new(LogFile::open(path, rotation, clock)?));
    }
    let level = LevelHandle::new(config.level);
    let log = LineLog::new(config.format, level.clone(), clock, outputs);
    tracing::subscriber::set_global_default(log).map_err(|_| StartError::Twice)?;
    guard_panics();
    Ok(level)
}

/// Makes panics say where they were, never what they hold. [`start`] does it too; to be called first in `main`, so
/// that it holds before there is a log.
pub fn guard_panics() {
    std::panic::set_hook(Box::new(report_panic));
}

const PANIC: &str = "internal error: this is a bug in decant, please report the place";

/// The payload of a panic may hold anything, a secret for instance.
fn report_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    if tracing::dispatcher::has_been_set() {
        tracing::error!(target: "agent", %place, "{PANIC}");
    } else {
        writeln!(io::stderr(), "{PANIC}: {place}").ok();
    }
}
