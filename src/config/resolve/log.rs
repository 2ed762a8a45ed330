//! How to log.

use std::time::Duration;

use super::{Findings, filled, path, short, value_or};
use crate::{
    config::{
        LogConfig, LogFormat, LogLevel,
        raw::{RawLog, Said},
    },
    problem::{Problem, nearest},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn resolve(raw: &RawLog, findings: &mut Findings) -> LogConfig {
    LogConfig {
        level: one_of(&raw.level, &LEVELS, "log level", findings).unwrap_or(LogLevel::Info),
        level_text: filled(&raw.level).unwrap_or_default().to_owned(),
        format: one_of(&raw.format, &FORMATS, "log format", findings).unwrap_or(LogFormat::Standard),
        file: path(&raw.file),
        rotate_bytes: u64::try_from(value_or(&raw.rotate_bytes, 0)).unwrap_or(0),
        rotate_duration: match value_or(&raw.rotate_duration, DAY) {
            Duration::ZERO => DAY,
            other => other,
        },
        rotate_max_files: value_or(&raw.rotate_max_files, 0),
    }
}

const LEVELS: [(&str, LogLevel); 8] = [
    ("trace", LogLevel::Trace),
    ("debug", LogLevel::Debug),
    ("info", LogLevel::Info),
    ("warn", LogLevel::Warn),
    ("error", LogLevel::Error),
    ("notice", LogLevel::Info),
    ("warning", LogLevel::Warn),
    ("err", LogLevel::Error),
];

const FORMATS: [(&str, LogFormat); 2] = [("standard", LogFormat::Standard), ("json", LogFormat::Json)];

/// The value with this name, in any case.
fn one_of<T: Copy>(
    said: &Said<String>,
    table: &[(&str, T)],
    what: &str,
    findings: &mut Findings,
) -> Option<T> {
    let said = said.as_ref().filter(|said| !said.value.trim().is_empty())?;
    let name = said.value.trim();
    let found = table.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    if found.is_none() {
        let shown = short(name);
        let names: Vec<&str> = table.iter().map(|(known, _)| *known).collect();
        let mut problem = Problem::error(format!("there is no {what} {shown:?}"))
            .expected(format!("one of {}", names.get(..5).unwrap_or(&names).join(", ")));
        if let Some(likely) = nearest(name, names) {
            problem = problem.hint(format!("did you mean {likely:?}?"));
        }
        findings.error(&said.origin, problem);
    }
    found.map(|(_, value)| *value)
}
