//! Log levels and line formats by name, and the level that a running program can change.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use tracing::level_filters::LevelFilter;

/// Log levels, most talkative first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Names that configurations and flags may use for levels.
pub const LEVEL_NAMES: &str = "trace, debug, info (notice), warn (warning), error (err)";

/// Names that configurations and flags may use for line formats.
pub const FORMAT_NAMES: &str = "standard, json";

impl LogLevel {
    /// Reads a name in any case with blanks around it; empty is `info`. `None` for other texts.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().to_ascii_lowercase().as_str() {
            "trace" => Self::Trace,
            "debug" => Self::Debug,
            "info" | "notice" | "" => Self::Info,
            "warn" | "warning" => Self::Warn,
            "error" | "err" => Self::Error,
            _ => return None,
        })
    }

    const fn filter(self) -> LevelFilter {
        match self {
            Self::Trace => LevelFilter::TRACE,
            Self::Debug => LevelFilter::DEBUG,
            Self::Info => LevelFilter::INFO,
            Self::Warn => LevelFilter::WARN,
            Self::Error => LevelFilter::ERROR,
        }
    }

    const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Trace,
            1 => Self::Debug,
            2 => Self::Info,
            3 => Self::Warn,
            _ => Self::Error,
        }
    }
}

/// Line formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `2024-04-19T08:13:33.115Z [INFO]  agent: message: key=value`
    Standard,
    /// One JSON object per line.
    Json,
}

impl LogFormat {
    /// Reads a name in any case with blanks around it; empty is `standard`. `None` for other texts.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().to_ascii_lowercase().as_str() {
            "standard" | "" => Self::Standard,
            "json" => Self::Json,
            _ => return None,
        })
    }
}

/// The lowest level shown, shared with the running logger.
#[derive(Clone, Debug)]
pub struct LevelHandle(Arc<AtomicU8>);

impl LevelHandle {
    pub(super) fn new(level: LogLevel) -> Self {
        Self(Arc::new(AtomicU8::new(level as u8)))
    }

    /// The level in force.
    pub fn get(&self) -> LogLevel {
        LogLevel::from_number(self.0.load(Ordering::Relaxed))
    }

    /// Puts another level into force at once, for all loggers (a reload does this).
    pub fn set(&self, level: LogLevel) {
        self.0.store(level as u8, Ordering::Relaxed);
        tracing::callsite::rebuild_interest_cache();
    }

    pub(super) fn filter(&self) -> LevelFilter {
        self.get().filter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_original_is_known() {
        for (text, level) in [
            ("trace", LogLevel::Trace),
            ("DEBUG", LogLevel::Debug),
            ("", LogLevel::Info),
            (" Info ", LogLevel::Info),
            ("notice", LogLevel::Info),
            ("warn", LogLevel::Warn),
            ("Warning", LogLevel::Warn),
            ("err", LogLevel::Error),
            ("error\n", LogLevel::Error),
        ] {
            assert_eq!(LogLevel::parse(text), Some(level), "{text:?}");
        }
        for text in ["off", "fatal", "inf", "info,debug"] {
            assert_eq!(LogLevel::parse(text), None, "{text:?}");
        }
        assert_eq!(LogFormat::parse(""), Some(LogFormat::Standard));
        assert_eq!(LogFormat::parse("Standard"), Some(LogFormat::Standard));
        assert_eq!(LogFormat::parse(" JSON"), Some(LogFormat::Json));
        assert_eq!(LogFormat::parse("text"), None);
    }

    #[test]
    fn a_handle_remembers_each_level() {
        let handle = LevelHandle::new(LogLevel::Trace);
        for level in [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace] {
            handle.set(level);
            assert_eq!(handle.clone().get(), level);
        }
    }
}
