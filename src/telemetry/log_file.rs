//! The log file: opened for appending, rotated by size and age, old ones pruned, as the original does.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use tokio::time::Instant;

use crate::clock::Clock;

/// Name of the file when only a folder is configured.
const DEFAULT_NAME: &str = "agent.log";

/// When to start a new file and how many old ones to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// After this many bytes, counted from the last rotation; 0: no limit.
    pub bytes: u64,
    /// At this age, counted from the last rotation.
    pub age: Duration,
    /// Archives kept; 0: all, negative: none.
    pub max_files: i64,
}

/// Why there is no log file.
#[derive(Debug, thiserror::Error)]
pub enum LogFileError {
    /// The path has characters that the original can't search its archives by.
    #[error("log file {}: the characters * ? [ can't be used here", path.display())]
    Glob {
        /// The path as configured.
        path: PathBuf,
    },
    /// The file can't be opened.
    #[error("can't open log file {} (its folder must exist)", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// An open log file.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    rotation: Rotation,
    clock: Clock,
    file: File,
    written: u64,
    since: Instant,
}

impl LogFile {
    /// Opens (or makes, mode 0640) the file and prunes archives.
    pub(super) fn open(configured: &Path, rotation: Rotation, clock: Clock) -> Result<Self, LogFileError> {
        if configured.as_os_str().as_bytes().iter().any(|byte| b"*?[".contains(byte)) {
            return Err(LogFileError::Glob { path: configured.to_owned() });
        }
        let is_folder = configured.as_os_str().as_bytes().ends_with(b"/");
        let path = if is_folder { configured.join(DEFAULT_NAME) } else { configured.to_owned() };
        let file = append_to(&path).map_err(|source| LogFileError::Open { path: path.clone(), source })?;
        let log = Self { path, rotation, clock, file, written: 0, since: clock.now() };
        log.prune();
        Ok(log)
    }

    fn is_due(&self) -> bool {
        let is_full = self.rotation.bytes > 0 && self.written >= self.rotation.bytes;
        is_full || self.clock.now().duration_since(self.since) >= self.rotation.age
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "archives of the log are nothing that templates' users read"
    )]
    fn rotate(&mut self) -> io::Result<()> {
        // Counted anew even when it fails, so that a folder that became read-only isn't tried for each line.
        self.written = 0;
        self.since = self.clock.now();
        let nanoseconds = self.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let (base, extension) = self.name_parts();
        let archive = self.path.with_file_name(format!("{base}-{nanoseconds}{extension}"));
        std::fs::rename(&self.path, archive)?;
        self.file = append_to(&self.path)?;
        self.prune();
        Ok(())
    }

    /// Name without extension, and extension with its dot; archives of a file without one get `.log`.
    fn name_parts(&self) -> (String, String) {
        let part = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
        let extension = part(self.path.extension()).unwrap_or_else(|| "log".into());
        (part(self.path.file_stem()).unwrap_or_default(), format!(".{extension}"))
    }

    /// Removes the oldest archives; a failure is tried again at the next rotation.
    fn prune(&self) {
        let Ok(keep) = usize::try_from(self.rotation.max_files.max(0)) else { return };
        if self.rotation.max_files == 0 {
            return;
        }
        let mut archives = self.archives().unwrap_or_default();
        archives.sort();
        let surplus = archives.len().saturating_sub(keep);
        for archive in archives.into_iter().take(surplus) {
            std::fs::remove_file(archive).ok();
        }
    }

    fn archives(&self) -> io::Result<Vec<PathBuf>> {
        let (base, extension) = self.name_parts();
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder.unwrap_or_else(|| Path::new(".")))? {
            let entry = entry?;
            let name = entry.file_name();
            let stamp = name
                .to_str()
                .and_then(|name| name.strip_prefix(&base)?.strip_prefix('-')?.strip_suffix(&extension))
                .filter(|stamp| !stamp.is_empty() && stamp.bytes().all(|byte| byte.is_ascii_digit()));
            if stamp.is_some() {
                found.push(entry.path());
            }
        }
        Ok(found)
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_due() {
            // A file that can't be rotated is still a log.
            self.rotate().ok();
        }
        self.file.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests lay out the files they look at")]
mod tests {
    use std::fs;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const BY_SIZE: Rotation = Rotation { bytes: 10, age: DAY, max_files: 0 };

    fn clock() -> Clock {
        Clock::starting_at(UNIX_EPOCH + Duration::from_secs(1_700_000_000))
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_file_becomes_an_archive_before_the_next_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.txt");
        fs::write(&path, "from an earlier run, not counted\n").unwrap();
        let mut log = LogFile::open(&path, BY_SIZE, clock()).unwrap();
        log.write_all(b"123456789\n").unwrap();
        assert_eq!(names(dir.path()), ["agent.txt"]);
        log.write_all(b"next\n").unwrap();
        assert_eq!(names(dir.path()), ["agent-1700000000000000000.txt", "agent.txt"]);
        assert_eq!(fs::read(&path).unwrap(), b"next\n");
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_file_becomes_an_archive() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plain");
        let rotation = Rotation { bytes: 0, age: Duration::from_secs(60), max_files: 0 };
        let mut log = LogFile::open(&path, rotation, clock()).unwrap();
        tokio::time::advance(Duration::from_secs(59)).await;
        log.write_all(b"one\n").unwrap();
        assert_eq!(names(dir.path()), ["plain"]);
        tokio::time::advance(Duration::from_secs(1)).await;
        log.write_all(b"two\n").unwrap();
        assert_eq!(names(dir.path()), ["plain", "plain-1700000060000000000.log"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_archives_are_kept_and_nothing_else_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a-1.log", "a-2.log", "a-3.log", "a-x.log", "ab-1.log", "a-1.txt"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let path = dir.path().join("a.log");
        LogFile::open(&path, Rotation { max_files: 2, ..BY_SIZE }, clock()).unwrap();
        assert_eq!(names(dir.path()), ["a-1.txt", "a-2.log", "a-3.log", "a-x.log", "a.log", "ab-1.log"]);
        LogFile::open(&path, Rotation { max_files: -1, ..BY_SIZE }, clock()).unwrap();
        assert_eq!(names(dir.path()), ["a-1.txt", "a-x.log", "a.log", "ab-1.log"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_folder_gets_the_default_name_and_must_exist() {
        let dir = tempfile::tempdir().unwrap();
        let folder = PathBuf::from(format!("{}/", dir.path().display()));
        LogFile::open(&folder, BY_SIZE, clock()).unwrap();
        assert_eq!(names(dir.path()), ["agent.log"]);
        let error = LogFile::open(&dir.path().join("no/agent.log"), BY_SIZE, clock()).unwrap_err();
        assert!(matches!(error, LogFileError::Open { .. }), "{error:?}");
        let error = LogFile::open(&dir.path().join("a*.log"), BY_SIZE, clock()).unwrap_err();
        assert!(matches!(error, LogFileError::Glob { .. }), "{error:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_vanished_folder_costs_the_archive_but_not_the_line() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("logs");
        fs::create_dir(&folder).unwrap();
        let mut log = LogFile::open(&folder.join("a.log"), BY_SIZE, clock()).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        log.write_all(b"0123456789").unwrap();
        log.write_all(b"goes to the open file").unwrap();
        assert_eq!(log.written, 21, "the next try is one rotation later");
    }
}
