//! The world that a template sees on a laptop: answers so far, files, environment, time.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use ring::rand::{SecureRandom, SystemRandom};

use super::answers::Answers;
use crate::{
    clock::Clock,
    problem::system_words,
    process::interfaces::{self, Address},
    secrets::request::SecretRequest,
    template::{
        fixture::Programs,
        host::{Host, Program, ProgramFault},
    },
    vault::{secret::Secret, value::Text},
};

/// A file that a template reads may be this large.
const LARGEST_FILE: u64 = 16 << 20;

/// What is the same for all templates.
#[derive(Clone, Debug)]
pub struct World {
    /// The environment that the function `env` sees.
    pub env: BTreeMap<String, String>,
    /// Files that are read instead of those on disk.
    pub files: BTreeMap<String, Text>,
    /// What programs print (`plugin`): none is run.
    pub programs: Programs,
    /// Time.
    pub clock: Clock,
}

/// The view of one render.
pub struct LaptopHost<'a> {
    /// What is known.
    pub answers: &'a Answers,
    /// What is the same for all.
    pub world: &'a World,
    /// Folder that files must not lie outside of.
    pub sandbox: Option<&'a Path>,
    /// Files that were asked for.
    pub files: BTreeSet<PathBuf>,
}

impl LaptopHost<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let reason = |error: std::io::Error| system_words(&error);
        if let Some(sandbox) = self.sandbox {
            let sandbox =
                sandbox.canonicalize().map_err(|error| format!("sandbox_path: {}", system_words(&error)))?;
            if !path.canonicalize().map_err(reason)?.starts_with(&sandbox) {
                return Err("is outside of the template's sandbox_path".into());
            }
        }
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(reason)?;
        file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(reason)?;
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(format!("is larger than {} MiB", LARGEST_FILE >> 20));
        }
        Ok(bytes)
    }
}

impl Host for LaptopHost<'_> {
    fn secret(&mut self, request: &SecretRequest) -> Option<Arc<Secret>> {
        self.answers.get(request).cloned()
    }

    fn file(&mut self, path: &str) -> Result<Text, String> {
        if let Some(text) = self.world.files.get(path) {
            return Ok(text.clone());
        }
        self.files.insert(path.into());
        self.read(Path::new(path)).map(Text::from).map_err(|why| format!("file {path:?}: {why}"))
    }

    fn env(&self, name: &str) -> Option<String> {
        self.world.env.get(name).cloned()
    }

    fn now(&self) -> SystemTime {
        self.world.clock.wall()
    }

    fn random(&mut self, buffer: &mut [u8]) -> Result<(), String> {
        SystemRandom::new().fill(buffer).map_err(|_| "the system gives no random bytes".into())
    }

    fn interfaces(&self) -> Vec<Address> {
        interfaces::addresses()
    }

    fn plugin(&mut self, program: &Program) -> Option<Result<Text, ProgramFault>> {
        Some(self.world.programs.answer(program))
    }
}
