//! The pid file: there while the agent runs, gone afterwards.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The process id can't be written.
#[derive(Debug, thiserror::Error)]
#[error("could not write pid file {}", path.display())]
pub struct PidFileError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// A written pid file; removed when dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes the decimal id of this process, without a newline, mode 0600. A file from an earlier run is overwritten.
    ///
    /// # Errors
    /// The file can't be opened or written; the folder must exist.
    pub fn create(path: &Path) -> Result<Self, PidFileError> {
        let fail = |source| PidFileError { path: path.to_owned(), source };
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)
            .map_err(fail)?;
        // Made before the write, so that a half-written file doesn't stay either.
        let pid_file = Self { path: path.to_owned() };
        write!(file, "{}", std::process::id()).map_err(fail)?;
        Ok(pid_file)
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "could not remove pid file");
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests lay out the files they look at")]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt};

    use super::*;

    #[test]
    fn holds_the_bare_number_while_it_lives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.pid");
        let pid_file = PidFile::create(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), std::process::id().to_string());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        drop(pid_file);
        assert!(!path.exists());
    }

    #[test]
    fn an_old_longer_file_leaves_no_rest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.pid");
        fs::write(&path, "99999999999999\n").unwrap();
        let _pid_file = PidFile::create(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), std::process::id().to_string());
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = PidFile::create(Path::new("/nonexistent/agent.pid")).unwrap_err();
        assert_eq!(error.to_string(), "could not write pid file /nonexistent/agent.pid");
    }
}
