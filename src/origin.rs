//! Where a setting was said, so that every message can name the place to mend.

use std::{fmt, path::Path, sync::Arc};

/// The place a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A position in a file; line and column count from 1, 0 means unknown.
    File {
        /// Path as the user gave it.
        path: Arc<Path>,
        /// Line, from 1.
        line: u32,
        /// Column in characters, from 1.
        column: u32,
    },
    /// An annotation, by its full name.
    Annotation(Arc<str>),
    /// An environment variable.
    Env(Arc<str>),
    /// A command-line flag, written as the user types it.
    Flag(Arc<str>),
    /// Nobody said it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: 0, .. } => write!(f, "{}", path.display()),
            Self::File { path, line, column: 0 } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Annotation(name) => write!(f, "annotation {name}"),
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value with the place that said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    /// What was said.
    pub value: T,
    /// Where it was said.
    pub origin: Origin,
}

impl<T> Sourced<T> {
    /// Pairs a value with its place.
    pub const fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }
}
