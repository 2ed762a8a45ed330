//! The one folder that a render may write to: every destination is mapped below it, and no link leads out of it.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use thiserror::Error;

use crate::output::{
    WriteError, Written,
    effect::{self, Effect},
};

/// Mode of all files: they hold secrets, and this is somebody's laptop.
const MODE: u32 = 0o600;

/// Why a file isn't written.
#[derive(Debug, Error)]
pub enum FolderError {
    /// The folder can't be made or used.
    #[error("{} can't be used as the folder to write to", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A link on the way.
    #[error("{} is a link: nothing is written through it, it could lead out of the folder", .0.display())]
    Link(PathBuf),
    /// The file can't be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// The folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// As the user named it.
    shown: PathBuf,
}

impl Folder {
    /// A folder that needn't exist yet.
    pub fn new(path: &Path) -> Self {
        Self { shown: path.to_owned() }
    }

    /// Where a destination lies in the folder: `/a/b` at `a/b`, and `..` never leads above the folder.
    pub fn place(&self, destination: &Path) -> PathBuf {
        self.shown.join(inner(destination))
    }

    /// Writes a file, mode 0600, missing folders made; `append` adds to it.
    ///
    /// # Errors
    /// A folder or file that can't be written, or that a link leads to.
    pub fn write(&self, destination: &Path, bytes: &[u8], append: bool) -> Result<Written, FolderError> {
        let unusable = |source| FolderError::Unusable { path: self.shown.clone(), source };
        fs::create_dir_all(&self.shown).map_err(unusable)?;
        let root = self.shown.canonicalize().map_err(unusable)?;
        let inner = inner(destination);
        let mut here = root.clone();
        for part in inner.components() {
            here.push(part);
            if fs::symlink_metadata(&here).is_ok_and(|meta| meta.file_type().is_symlink()) {
                return Err(FolderError::Link(self.shown.join(here.strip_prefix(&root).unwrap_or(&here))));
            }
        }
        let effect =
            Effect { path: &root.join(inner), user: "", group: "", mode: MODE, append, contents: bytes };
        match effect::apply(&[effect], &mut effect::Appended::default()).pop() {
            Some((_, written)) => Ok(written?),
            None => Ok(Written::Same),
        }
    }
}

/// The path without its root and without any way up.
fn inner(destination: &Path) -> PathBuf {
    let mut inner = PathBuf::new();
    for part in destination.components() {
        match part {
            Component::Normal(name) => inner.push(name),
            Component::ParentDir => {
                inner.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    inner
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests lay out the files they look at")]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn destinations_are_mapped_below_the_folder() {
        let folder = Folder::new(Path::new("out"));
        for (destination, place) in [
            ("/vault/secrets/db", "out/vault/secrets/db"),
            ("app.conf", "out/app.conf"),
            ("./a/./b", "out/a/b"),
            ("/a/../../../etc/passwd", "out/etc/passwd"),
            ("../../x", "out/x"),
        ] {
            assert_eq!(folder.place(Path::new(destination)), Path::new(place));
        }
    }

    #[test]
    fn files_are_private_and_appended_to_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(&dir.path().join("new"));
        let write = |text: &str, append| folder.write(Path::new("/a/b"), text.as_bytes(), append).unwrap();
        assert_eq!((write("x", false), write("x", false)), (Written::Changed, Written::Same));
        write("y", true);
        let file = dir.path().join("new/a/b");
        assert_eq!(fs::read_to_string(&file).unwrap(), "xy");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn no_link_leads_out() {
        let dir = tempfile::tempdir().unwrap();
        let (out, outside) = (dir.path().join("out"), dir.path().join("outside"));
        fs::create_dir_all(&out).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("f"), "old").unwrap();
        symlink(&outside, out.join("etc")).unwrap();
        symlink(outside.join("f"), out.join("f")).unwrap();
        let folder = Folder::new(&out);
        for destination in ["/etc/new", "/etc/f", "f"] {
            let error = folder.write(Path::new(destination), b"x", false).unwrap_err();
            assert!(matches!(error, FolderError::Link(_)), "{error}");
        }
        assert_eq!(fs::read_to_string(outside.join("f")).unwrap(), "old");
        assert!(!outside.join("new").exists());
    }
}
