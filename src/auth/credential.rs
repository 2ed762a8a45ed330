//! Credential files: read whole, trimmed, and removed only while they are what was read.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use nix::fcntl::OFlag;
use zeroize::Zeroizing;

use super::method::MethodError;

/// A credential is smaller than this; a larger file is a mistake.
const LARGEST: u64 = 1 << 20;

/// Device and inode of a file.
type Identity = (u64, u64);

/// What a credential file held.
#[derive(Debug)]
pub(super) struct Credential {
    /// Its text without white space around it, never empty.
    pub(super) text: Zeroizing<String>,
    identity: Identity,
}

impl Credential {
    /// Reads the file behind `path`; links are followed. `what` names it in messages.
    pub(super) fn read(what: &'static str, path: &Path) -> Result<Self, MethodError> {
        let (bytes, identity) =
            read(path).map_err(|source| MethodError::Read { what, path: path.to_owned(), source })?;
        let text = std::str::from_utf8(&bytes).map_err(|_| {
            let source = io::Error::new(io::ErrorKind::InvalidData, "it is not text");
            MethodError::Read { what, path: path.to_owned(), source }
        })?;
        match text.trim() {
            "" => Err(MethodError::Empty { what, path: path.to_owned() }),
            trimmed => Ok(Self { text: Zeroizing::new(trimmed.to_owned()), identity }),
        }
    }

    /// Removes the file that was read: the link at `path`, if it is one, or with `follow_links` what it leads to. A
    /// newer file that has taken its place stays, to be read in turn.
    pub(super) fn remove(&self, path: &Path, follow_links: bool) -> io::Result<()> {
        let there = fs::metadata(path)?;
        if (there.dev(), there.ino()) != self.identity {
            return Ok(());
        }
        if follow_links { fs::remove_file(fs::canonicalize(path)?) } else { fs::remove_file(path) }
    }
}

/// The bytes of a regular file; anything else (a pipe would never end) is refused.
fn read(path: &Path) -> io::Result<(Zeroizing<Vec<u8>>, Identity)> {
    let mut options = File::options();
    let file = options.read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if metadata.len() > LARGEST {
        return Err(io::Error::other(format!("it is larger than {LARGEST} bytes")));
    }
    // Room enough that no copy stays behind when the buffer grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1));
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok((bytes, (metadata.dev(), metadata.ino())))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests lay out the files they look at")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_text_in_a_regular_file_is_a_credential() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        let read = || Credential::read("the JWT", &path).map(|found| found.text.to_string());
        let message = || read().unwrap_err().to_string();
        assert!(message().starts_with(&format!("can't read the JWT {}: No such file", path.display())));
        fs::write(&path, b" \n").unwrap();
        assert!(message().ends_with("is empty"));
        fs::write(&path, b"\xff\xfe").unwrap();
        assert!(message().ends_with("it is not text"));
        fs::write(&path, vec![b'x'; 1 + LARGEST as usize]).unwrap();
        assert!(message().contains("larger than"));
        fs::write(&path, b" abc\r\n").unwrap();
        assert_eq!(read().unwrap(), "abc");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(message().contains("directory") || message().contains("regular"), "{}", message());
        fs::remove_dir(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(message().contains("it is not a regular file"), "and it doesn't wait for a writer");
    }

    #[test]
    fn a_link_goes_and_its_target_only_on_demand() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("link"), folder.path().join("target"));
        for follow in [false, true] {
            fs::write(&target, "abc").unwrap();
            symlink(&target, &link).unwrap();
            Credential::read("c", &link).unwrap().remove(&link, follow).unwrap();
            assert_eq!(link.is_symlink(), follow);
            assert_eq!(target.exists(), !follow);
            fs::remove_file(&link).ok();
        }
    }

    #[test]
    fn a_newer_file_in_its_place_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        fs::write(&path, "old").unwrap();
        let old = Credential::read("c", &path).unwrap();
        // The old file lives on under another name, so that its inode isn't given out again.
        fs::rename(&path, folder.path().join("kept")).unwrap();
        fs::write(&path, "new").unwrap();
        old.remove(&path, false).unwrap();
        assert_eq!(Credential::read("c", &path).unwrap().text.as_str(), "new");
    }
}
