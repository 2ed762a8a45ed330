//! A generation file: its number grows by one, in one visible step, whenever something changed.

use std::{
    fs, io,
    io::Read as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use nix::fcntl::OFlag;

use crate::{
    config::template::Destination,
    output::{self, WriteError},
};

/// Longer than any number of 64 bits.
const LARGEST: u64 = 32;

/// Why the number did not grow.
#[derive(Debug, thiserror::Error)]
pub enum TouchError {
    /// There is something else in the file, which is not ours to replace.
    #[error("{} holds something else than a number", path.display())]
    NotANumber {
        /// The file.
        path: PathBuf,
    },
    /// The file can't be read.
    #[error("can't read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file can't be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl TouchError {
    /// What to do next.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotANumber { .. } => Some("name a file of its own, which nobody else writes"),
            Self::Unreadable { .. } => None,
            Self::Write(error) => error.hint(),
        }
    }
}

/// Makes the number in the file one larger and returns it; without a file, or with an empty one, it is 1.
///
/// # Errors
/// The file is as before.
pub fn touch(path: &Path) -> Result<u64, TouchError> {
    let next = present(path)?.wrapping_add(1);
    let destination = Destination {
        path: path.to_owned(),
        perms: None,
        user: None,
        group: None,
        create_dest_dirs: true,
        backup: false,
    };
    output::write(&destination, format!("{next}\n").as_bytes())?;
    Ok(next)
}

fn present(path: &Path) -> Result<u64, TouchError> {
    let failed = |source| TouchError::Unreadable { path: path.to_owned(), source };
    let opened = fs::File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        other => other.map_err(failed)?,
    };
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text).map_err(failed)?;
    match std::str::from_utf8(&text).map(str::trim) {
        Ok("") => Ok(0),
        Ok(text) => text.parse().map_err(|_| TouchError::NotANumber { path: path.to_owned() }),
        Err(_) => Err(TouchError::NotANumber { path: path.to_owned() }),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests lay out the files they look at")]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn the_number_grows_and_each_is_a_new_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/generation");
        assert_eq!(touch(&path).unwrap(), 1);
        let inode = fs::metadata(&path).unwrap().ino();
        // Held open, so that its inode can't be given away again.
        let _old = fs::File::open(&path).unwrap();
        assert_eq!(touch(&path).unwrap(), 2);
        assert_eq!(fs::read_to_string(&path).unwrap(), "2\n");
        assert_ne!(fs::metadata(&path).unwrap().ino(), inode);
        fs::write(&path, "").unwrap();
        assert_eq!(touch(&path).unwrap(), 1);
    }

    #[test]
    fn what_is_no_number_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("generation");
        for text in ["listen 80;", "-1", "1 2", "99999999999999999999999999999999999"] {
            fs::write(&path, text).unwrap();
            let error = touch(&path).unwrap_err();
            assert!(matches!(error, TouchError::NotANumber { .. }), "{text}: {error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert!(touch(dir.path()).is_err());
    }
}
