//! The only place that creates what users read: bytes become files, in one visible step or not at all.

pub mod atomic;
pub mod effect;
mod error;
pub mod group;
pub mod leftovers;
pub mod owner;
mod swap;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests lay out the files they look at")]
mod tests;

use std::{
    ffi::OsStr,
    fs::{DirBuilder, File, Metadata},
    io::{self, Read},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt},
    },
    path::Path,
};

use zeroize::Zeroizing;

pub use self::error::{Access, WriteError};
use self::{
    atomic::{Attributes, Folder},
    error::{READ, parent},
    owner::{Accounts, Ids},
};
use crate::config::template::Destination;

/// Mode of a new file when nobody configured one.
const DEFAULT_MODE: u32 = 0o644;

/// What became of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It has other bytes than before, or is new.
    Changed,
    /// Nothing was touched.
    Same,
    /// The bytes were right, the configured owner was not: the file was made anew. Actions follow, as the
    /// original's do.
    Repaired,
}

impl Written {
    /// Whether actions follow.
    pub const fn is_new(self) -> bool {
        !matches!(self, Self::Same)
    }

    /// The one that says more, of two files that count as one.
    const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Changed, _) | (_, Self::Changed) => Self::Changed,
            (Self::Repaired, _) | (_, Self::Repaired) => Self::Repaired,
            (Self::Same, Self::Same) => Self::Same,
        }
    }
}

/// Makes the destination hold these bytes.
///
/// Equal bytes (and owner, when one is configured) leave the file alone; the mode by itself never causes a write.
/// Otherwise the file is replaced: with `perms`, or the mode it had, or 0644; with the configured owner, or the
/// one it had where that may be kept. A link at the destination is replaced by a file; `..` is followed.
///
/// # Errors
/// The old file is untouched after every error.
pub fn write(destination: &Destination, bytes: &[u8]) -> Result<Written, WriteError> {
    write_with(destination, bytes, &Accounts::system())
}

fn write_with(destination: &Destination, bytes: &[u8], accounts: &Accounts) -> Result<Written, WriteError> {
    let Some(replacement) = Replacement::of(destination, bytes, accounts)? else { return Ok(Written::Same) };
    replacement.keep_backup();
    replacement.folder.replace(replacement.name, bytes, &replacement.attributes)?;
    Ok(replacement.written)
}

/// A file that is to be made anew.
pub(crate) struct Replacement<'a> {
    folder: Folder,
    name: &'a OsStr,
    bytes: &'a [u8],
    attributes: Attributes,
    /// What the write will have been.
    written: Written,
    /// The whole path of a file that is to be kept.
    backup: Option<&'a Path>,
}

impl<'a> Replacement<'a> {
    /// What makes the destination hold these bytes; `None`: it does already.
    fn of(
        destination: &'a Destination,
        bytes: &'a [u8],
        accounts: &Accounts,
    ) -> Result<Option<Self>, WriteError> {
        let path = destination.path.as_path();
        let name = file_name(path)?;
        let owner = owner_of(destination, accounts)?;
        let old = Existing::open(path).map_err(|source| WriteError::new(READ, path, bytes.len(), source))?;
        let mut written = Written::Changed;
        if let Some(old) = &old {
            old.must_be_a_file(path)?;
            if old.holds(bytes).map_err(|source| WriteError::new(READ, path, bytes.len(), source))? {
                if old.belongs_to(owner) {
                    return Ok(None);
                }
                written = Written::Repaired;
            }
        }
        let attributes = attributes(destination, owner, old.as_ref());
        let folder = open_folder(destination)?;
        let backup = (destination.backup && old.is_some()).then_some(path);
        Ok(Some(Self { folder, name, bytes, attributes, written, backup }))
    }

    /// A missing backup doesn't keep the new secret from the application.
    fn keep_backup(&self) {
        let Some(path) = self.backup else { return };
        if let Err(error) = self.folder.back_up(self.name) {
            tracing::warn!(destination = %path.display(), %error, "could not keep a backup of the file");
        }
    }
}

fn owner_of(destination: &Destination, accounts: &Accounts) -> Result<Ids, WriteError> {
    let text = |name: &'_ Option<String>| name.clone().unwrap_or_default();
    accounts
        .ids(&text(&destination.user), &text(&destination.group))
        .map_err(|source| WriteError::UnknownOwner { path: destination.path.clone(), source })
}

fn attributes(destination: &Destination, owner: Ids, old: Option<&Existing>) -> Attributes {
    Attributes {
        mode: destination.perms.or_else(|| old.map(Existing::mode)).unwrap_or(DEFAULT_MODE),
        owner,
        keep: old.map_or_else(Ids::default, Existing::ids),
    }
}

/// The last part of the path; a path that can only name a folder is refused.
fn file_name(path: &Path) -> Result<&OsStr, WriteError> {
    let ends_in_slash = path.as_os_str().as_bytes().ends_with(b"/");
    match path.file_name() {
        Some(name) if !ends_in_slash => Ok(name),
        _ => Err(WriteError::NotAFile { path: path.to_owned(), what: "the name of a directory" }),
    }
}

fn open_folder(destination: &Destination) -> Result<Folder, WriteError> {
    let path = destination.path.as_path();
    let folder = parent(path);
    match Folder::open(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && destination.create_dest_dirs => {
            DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(folder)
                .map_err(|source| WriteError::new("make the folder of", path, 0, source))?;
            Folder::open(folder)
        }
        other => other,
    }
    .map_err(|source| WriteError::new("open the folder of", path, 0, source))
}

/// The file that is there before a write.
pub(crate) struct Existing {
    file: File,
    meta: Metadata,
}

impl Existing {
    /// Follows links, as the original does; `None` when there is nothing.
    fn open(path: &Path) -> io::Result<Option<Self>> {
        // Without waiting, because a pipe would hold the program until somebody writes into it.
        let opened = File::options().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path);
        match opened {
            Ok(file) => Self::of(file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn of(file: File) -> io::Result<Self> {
        let meta = file.metadata()?;
        Ok(Self { file, meta })
    }

    fn must_be_a_file(&self, path: &Path) -> Result<(), WriteError> {
        let kind = self.meta.file_type();
        let what = match () {
            () if kind.is_file() => return Ok(()),
            () if kind.is_dir() => "a directory",
            () if kind.is_fifo() => "a pipe",
            () => "a device",
        };
        Err(WriteError::NotAFile { path: path.to_owned(), what })
    }

    /// Reads only when the lengths agree; what was read is wiped.
    fn holds(&self, bytes: &[u8]) -> io::Result<bool> {
        if self.meta.len() != bytes.len() as u64 {
            return Ok(false);
        }
        // One more than expected, so that a file that grew meanwhile is seen and the buffer never moves.
        let mut old = Zeroizing::new(Vec::with_capacity(bytes.len() + 1));
        (&self.file).take(bytes.len() as u64 + 1).read_to_end(&mut old)?;
        Ok(old.as_slice() == bytes)
    }

    fn belongs_to(&self, owner: Ids) -> bool {
        owner.uid.is_none_or(|uid| uid == self.meta.uid())
            && owner.gid.is_none_or(|gid| gid == self.meta.gid())
    }

    fn ids(&self) -> Ids {
        Ids { uid: Some(self.meta.uid()), gid: Some(self.meta.gid()) }
    }

    fn mode(&self) -> u32 {
        self.meta.mode() & 0o7777
    }
}
