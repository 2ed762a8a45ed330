//! The world as a template may see it. Both dialects ask through this trait, so that a secret has one meaning.

use std::{path::PathBuf, sync::Arc, time::SystemTime};

use zeroize::Zeroizing;

use crate::{
    clock::zone::Zone,
    process::interfaces::Address,
    secrets::request::SecretRequest,
    vault::{secret::Secret, value::Text},
};

/// What a template can ask for. An implementation records what was asked; it never waits and never fetches. `Send`,
/// because the library of the Handlebars dialect wants its functions to be shareable.
pub trait Host: Send {
    /// The last good answer; `None` when there is none yet. The request counts as used, and as missing when `None`.
    fn secret(&mut self, request: &SecretRequest) -> Option<Arc<Secret>>;

    /// Contents of a file. The path counts as watched. A missing file is `Err` with words for the user.
    fn file(&mut self, path: &str) -> Result<Text, String>;

    /// A variable of the environment that templates see.
    fn env(&self, name: &str) -> Option<String>;

    /// Wall time.
    fn now(&self) -> SystemTime;

    /// The zone that times without one are in.
    fn zone(&self) -> Arc<Zone> {
        Zone::utc()
    }

    /// Fills `buffer` with random bytes; `Err` has words for the user, and the buffer must not be used then.
    fn random(&mut self, buffer: &mut [u8]) -> Result<(), String>;

    /// Addresses of the network interfaces, for `sockaddr`.
    fn interfaces(&self) -> Vec<Address>;

    /// What a program printed (`plugin`), which is run between passes; `None` when it hasn't ended yet.
    fn plugin(&mut self, program: &Program) -> Option<Result<Text, ProgramFault>>;
}

/// Why a program has no output, without anything that it printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramFault {
    /// What happened.
    pub what: String,
    /// What to do about it.
    pub hint: &'static str,
}

/// A program with its arguments, which may hold secrets: `Debug` shows no text of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its name, or its path.
    pub name: Text,
    /// What it is called with.
    pub args: Vec<Text>,
}

/// A file that a template wants written beside its own (`writeToFile`), applied after the final pass.
#[derive(Clone, PartialEq, Eq)]
pub struct FileEffect {
    /// Path of the file.
    pub path: PathBuf,
    /// Owner by name or number; empty: leave.
    pub user: String,
    /// Group by name or number; empty: leave.
    pub group: String,
    /// Mode.
    pub mode: u32,
    /// Add to the file instead of replacing it.
    pub append: bool,
    /// The bytes.
    pub contents: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for FileEffect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FileEffect({}, {} bytes)", self.path.display(), self.contents.len())
    }
}
