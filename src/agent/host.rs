//! The world that templates see: answers of the store, files, environment, time.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use nix::fcntl::OFlag;
use ring::rand::{SecureRandom, SystemRandom};

use super::{hidden, programs::Answer};
use crate::{
    clock::{Clock, zone::Zone},
    config::template::TemplateSpec,
    problem::system_words,
    process::interfaces::{self, Address},
    secrets::{
        request::{SecretRequest, Verb},
        snapshot::Snapshot,
    },
    template::{
        Template,
        host::{Host, Program, ProgramFault},
    },
    vault::{
        secret::Secret,
        value::{Text, Value},
    },
};

/// A file that a template reads may be this large.
const LARGEST_FILE: u64 = 16 << 20;

/// Opens a regular file. A pipe without a writer would stop the one thread, SIGTERM included.
pub(super) fn open_regular(path: &Path) -> Result<std::fs::File, String> {
    let mut options = std::fs::File::options();
    let file = options.read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    let file = file.map_err(|error| system_words(&error))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(file),
        Ok(_) => Err("is not a regular file".into()),
        Err(error) => Err(system_words(&error)),
    }
}

/// What doesn't change while the agent runs.
#[derive(Clone, Debug)]
pub struct World {
    /// The environment that the function `env` sees.
    pub env: Arc<BTreeMap<String, String>>,
    /// The local time zone.
    pub zone: Arc<Zone>,
}

/// What one evaluation asked for.
#[derive(Debug, Default)]
pub struct Seen {
    /// All requests.
    pub used: BTreeSet<SecretRequest>,
    /// All files.
    pub files: BTreeSet<PathBuf>,
    /// A program failed.
    pub program_failed: bool,
}

/// One evaluation's view.
pub struct SnapshotHost<'a> {
    snapshot: &'a Snapshot,
    world: &'a World,
    clock: Clock,
    sandbox: Option<&'a Path>,
    /// The template's own text: nothing that it says is a secret.
    text: &'a str,
    programs: &'a [(Program, Answer)],
    /// What programs have printed, as if it were an answer of the server.
    printed: Vec<Secret>,
    seen: Seen,
}

impl<'a> SnapshotHost<'a> {
    /// A view for this template, with the programs that have been run for it.
    pub fn new(
        snapshot: &'a Snapshot,
        world: &'a World,
        clock: Clock,
        (spec, template): &'a (Arc<TemplateSpec>, Template),
        programs: &'a [(Program, Answer)],
    ) -> Self {
        let (sandbox, text) = (spec.sandbox_path.as_deref(), template.text());
        Self { snapshot, world, clock, sandbox, text, programs, printed: Vec::new(), seen: Seen::default() }
    }

    /// What was asked for.
    pub fn into_seen(self) -> Seen {
        self.seen
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        if let Some(sandbox) = self.sandbox {
            let real = path.canonicalize().map_err(|error| system_words(&error))?;
            let sandbox =
                sandbox.canonicalize().map_err(|error| format!("sandbox_path: {}", system_words(&error)))?;
            if !real.starts_with(&sandbox) {
                return Err("is outside of the template's sandbox_path".into());
            }
        }
        let file = open_regular(path)?;
        let mut bytes = Vec::new();
        file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(|error| system_words(&error))?;
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(format!("is larger than {} MiB", LARGEST_FILE >> 20));
        }
        Ok(bytes)
    }
}

impl Host for SnapshotHost<'_> {
    fn secret(&mut self, request: &SecretRequest) -> Option<Arc<Secret>> {
        if !self.seen.used.contains(request) {
            let mut request = request.clone();
            // A listing gives names, which are no secrets.
            let sources = self.seen.used.iter().filter(|seen| seen.verb != Verb::List);
            let answers = sources.filter_map(|seen| self.snapshot.get(seen)).map(AsRef::as_ref);
            request.path = hidden::in_path(request.path, self.text, answers.chain(&self.printed));
            self.seen.used.insert(request);
        }
        self.snapshot.get(request).cloned()
    }

    fn file(&mut self, path: &str) -> Result<Text, String> {
        self.seen.files.insert(path.into());
        self.read(Path::new(path)).map(Text::from).map_err(|why| format!("file {path:?}: {why}"))
    }

    fn env(&self, name: &str) -> Option<String> {
        self.world.env.get(name).cloned()
    }

    fn now(&self) -> SystemTime {
        self.clock.wall()
    }

    fn zone(&self) -> Arc<Zone> {
        self.world.zone.clone()
    }

    fn random(&mut self, buffer: &mut [u8]) -> Result<(), String> {
        SystemRandom::new().fill(buffer).map_err(|_| "the system gives no random bytes".into())
    }

    fn interfaces(&self) -> Vec<Address> {
        interfaces::addresses()
    }

    fn plugin(&mut self, program: &Program) -> Option<Result<Text, ProgramFault>> {
        let (_, answer) = self.programs.iter().find(|(known, _)| known == program)?;
        match answer {
            Ok(text) => {
                self.printed.push(Secret { data: Some(Value::String(text.clone())), ..Secret::default() });
            }
            Err(_) => self.seen.program_failed = true,
        }
        Some(answer.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn read(sandbox: Option<&Path>, path: &Path) -> Result<Text, String> {
        let (snapshot, world) = (Snapshot::default(), World { env: Arc::default(), zone: Arc::default() });
        let mut host = SnapshotHost {
            snapshot: &snapshot,
            world: &world,
            clock: Clock::system(),
            sandbox,
            text: "",
            programs: &[],
            printed: Vec::new(),
            seen: Seen::default(),
        };
        let text = host.file(&path.display().to_string());
        assert!(host.into_seen().files.contains(path), "what was read is watched, found or not");
        text
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test lays out the files it reads")]
    fn files_are_read_inside_the_sandbox_only_whatever_links_say() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("in"), dir.path().join("secret"));
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(&outside, "canary").unwrap();
        std::fs::write(inside.join("ok"), "fine").unwrap();
        symlink(&outside, inside.join("link")).unwrap();
        assert_eq!(read(Some(&inside), &inside.join("ok")).unwrap(), Text::from("fine"));
        for path in [inside.join("link"), inside.join("../secret"), outside.clone()] {
            let refused = read(Some(&inside), &path).unwrap_err();
            assert!(refused.contains("sandbox_path") && !refused.contains("canary"), "{refused}");
        }
        assert_eq!(read(None, &outside).unwrap(), Text::from("canary"));
        assert!(read(None, &dir.path().join("none")).unwrap_err().contains("No such file"));
    }
}
