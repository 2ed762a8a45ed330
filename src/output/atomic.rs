//! Replaces a file in one visible step: a temporary file beside it gets contents, owner and mode, then its name.
//!
//! The building block of destinations, sinks and hand-over files. A reader sees the old file or the new one,
//! whole, and never with wider rights than the final ones.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, open, openat, renameat},
    sys::{
        stat::{Mode, fchmod},
        statfs::{FsType, TMPFS_MAGIC, fstatfs},
    },
    unistd::{Gid, Uid, UnlinkatFlags, fchown, linkat, unlinkat},
};
use ring::rand::{SecureRandom, SystemRandom};

use super::{
    error::{Access, WriteError},
    owner::Ids,
};

/// Kernel's number for ramfs (`linux/magic.h`), which has nothing to sync either.
const RAMFS_MAGIC: FsType = FsType(0x8584_58f6);

/// Names of temporary files start like this, so that a reader of the folder can pass over them.
pub const TEMP_PREFIX: &str = ".decant-";

/// What the new file is to have besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Mode, exact: the umask doesn't count.
    pub mode: u32,
    /// Owner that must be given; refusal is an error.
    pub owner: Ids,
    /// Owner to keep where that is allowed (that of the file before); refusal is logged.
    pub keep: Ids,
}

/// An open folder. What happens in it happens in this very folder, even if its path is moved meanwhile.
#[derive(Debug)]
pub struct Folder {
    file: File,
    path: PathBuf,
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Folder {
    /// Opens a folder by path; links in the path are followed.
    ///
    /// # Errors
    /// As the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
        Ok(Self::from_fd(open(path, flags, Mode::empty())?.into(), path))
    }

    /// A folder that is open already; `path` is for messages.
    pub(super) fn from_fd(file: File, path: &Path) -> Self {
        Self { file, path: path.to_owned() }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts a new file in place of `name`, whatever was there (a link is replaced, not followed).
    ///
    /// # Errors
    /// Everything that goes wrong before the new file has its name; the old one is then untouched and the
    /// temporary file is gone.
    pub fn replace(&self, name: &OsStr, bytes: &[u8], attributes: &Attributes) -> Result<(), WriteError> {
        let staged = self.stage(name, bytes, attributes)?;
        let outlives_power = staged.outlives_power;
        staged.place()?;
        if outlives_power {
            self.sync();
        }
        Ok(())
    }

    /// Makes the new file under a temporary name, complete with owner and mode; it goes away unless it is placed.
    ///
    /// # Errors
    /// As the system says; nothing is left then.
    pub(super) fn stage(
        &self,
        name: &OsStr,
        bytes: &[u8],
        attributes: &Attributes,
    ) -> Result<Staged<'_>, WriteError> {
        let path = self.path.join(name);
        let fail = |step| {
            let path = &path;
            move |source: io::Error| WriteError::new(step, path, bytes.len(), source)
        };
        let mut temp = Temp::create(&self.file).map_err(fail("create a file beside"))?;
        temp.file.write_all(bytes).map_err(fail("write"))?;
        give(&temp.file, attributes, &path)?;
        let outlives_power = !is_in_memory(&temp.file);
        if outlives_power {
            temp.file.sync_all().map_err(fail("write"))?;
        }
        Ok(Staged { folder: self, temp, name: name.to_owned(), length: bytes.len(), outlives_power })
    }

    /// Makes sure that what happened in the folder outlives a power cut, where anything does.
    pub(super) fn sync(&self) {
        if is_in_memory(&self.file) {
            return;
        }
        // What is in place is whole; a folder that can't be synced only weakens what a power cut leaves.
        if let Err(error) = self.file.sync_all() {
            tracing::debug!(folder = %self.path.display(), %error, "can't sync the folder");
        }
    }

    /// Removes a file, as far as that is allowed.
    pub(super) fn remove(&self, name: &OsStr) {
        unlinkat(&self.file, name, UnlinkatFlags::NoRemoveDir).ok();
    }

    /// Keeps the present file `name` as `name.bak`; the `.bak` before it goes only when that succeeded.
    ///
    /// # Errors
    /// As the system says; the earlier `.bak` is then in place again.
    pub fn back_up(&self, name: &OsStr) -> io::Result<()> {
        let with = |end: &str| {
            let mut name = name.to_owned();
            name.push(end);
            name
        };
        let (backup, older) = (with(".bak"), with(".old.bak"));
        let dir = &self.file;
        let moved = renameat(dir, backup.as_os_str(), dir, older.as_os_str()).is_ok();
        match linkat(dir, name, dir, backup.as_os_str(), AtFlags::empty()) {
            Ok(()) => match unlinkat(dir, older.as_os_str(), UnlinkatFlags::NoRemoveDir) {
                Ok(()) | Err(Errno::ENOENT) => Ok(()),
                Err(errno) => Err(errno.into()),
            },
            Err(errno) => {
                if moved {
                    renameat(dir, older.as_os_str(), dir, backup.as_os_str())?;
                }
                Err(errno.into())
            }
        }
    }
}

/// A complete file under a temporary name.
pub(super) struct Staged<'a> {
    folder: &'a Folder,
    temp: Temp<'a>,
    name: OsString,
    length: usize,
    outlives_power: bool,
}

impl<'a> Staged<'a> {
    /// Gives the file its name; the folder is to be synced where files outlive a power cut.
    ///
    /// # Errors
    /// As the system says; the old file is then untouched, and the temporary one gone.
    pub(super) fn place(mut self) -> Result<(), WriteError> {
        let dir = &self.folder.file;
        renameat(dir, self.temp.name.as_os_str(), dir, self.name.as_os_str())
            .map_err(|errno| WriteError::new("replace", &self.path(), self.length, errno.into()))?;
        self.temp.placed = true;
        Ok(())
    }

    /// The path that it is for.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path.join(&self.name)
    }

    /// Gives the present file a second, temporary name, so that it can be put back.
    pub(super) fn keep_before(&self) -> Before<'a> {
        let dir = &self.folder.file;
        let Ok(kept) = temporary_name() else { return Before::Unkept };
        match linkat(dir, self.name.as_os_str(), dir, kept.as_os_str(), AtFlags::empty()) {
            Ok(()) => Before::Kept(Kept { folder: self.folder, kept, name: self.name.clone() }),
            Err(Errno::ENOENT) => Before::Nothing,
            Err(errno) => {
                tracing::debug!(file = %self.path().display(), %errno, "the file before can't be kept aside");
                Before::Unkept
            }
        }
    }
}

/// What was there before a new file got its name.
pub(super) enum Before<'a> {
    /// No file.
    Nothing,
    /// A file that can be put back.
    Kept(Kept<'a>),
    /// A file of which the system allows no second name.
    Unkept,
}

/// A file before, under a second name that goes away by itself.
pub(super) struct Kept<'a> {
    folder: &'a Folder,
    kept: OsString,
    name: OsString,
}

impl Kept<'_> {
    /// Puts it back in place of the new one.
    pub(super) fn put_back(&self) {
        let dir = &self.folder.file;
        if let Err(errno) = renameat(dir, self.kept.as_os_str(), dir, self.name.as_os_str()) {
            tracing::warn!(file = %self.folder.path.join(&self.name).display(), %errno, "can't put the file before back");
        }
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        unlinkat(&self.folder.file, self.kept.as_os_str(), UnlinkatFlags::NoRemoveDir).ok();
    }
}

/// Owner first, because changing it may drop bits of the mode.
pub(super) fn give(file: &File, attributes: &Attributes, path: &Path) -> Result<(), WriteError> {
    let Attributes { mode, owner, keep } = *attributes;
    let now = file.metadata().map_err(|source| WriteError::new("look at", path, 0, source))?;
    let other = |wanted: Option<u32>, now: u32| wanted.filter(|id| *id != now);
    let must = Ids { uid: other(owner.uid, now.uid()), gid: other(owner.gid, now.gid()) };
    chown(file, must).map_err(|errno| match errno {
        // EINVAL: an id that this user namespace doesn't have.
        Errno::EPERM | Errno::EINVAL => {
            let access = Access::of(super::error::parent(path));
            WriteError::Owner { path: path.to_owned(), uid: owner.uid, gid: owner.gid, access }
        }
        _ => WriteError::new("set the owner of", path, 0, errno.into()),
    })?;
    let may = Ids {
        uid: if owner.uid.is_some() { None } else { other(keep.uid, now.uid()) },
        gid: if owner.gid.is_some() { None } else { other(keep.gid, now.gid()) },
    };
    // A group we are a member of can be kept where the user can't.
    if let Err(error) = chown(file, may) {
        // A group we are a member of can be kept where the user can't.
        chown(file, Ids { uid: None, gid: may.gid }).ok();
        tracing::warn!(
            destination = %path.display(), uid = keep.uid, gid = keep.gid, own_uid = %nix::unistd::geteuid(), %error,
            "the owner of the file can't be kept"
        );
    }
    fchmod(file, Mode::from_bits_truncate(mode))
        .map_err(|e| WriteError::new("set the mode of", path, 0, e.into()))
}

fn chown(file: &File, ids: Ids) -> nix::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    fchown(file, ids.uid.map(Uid::from_raw), ids.gid.map(Gid::from_raw))
}

/// Whether a sync would be work for nothing, because the file system lives in memory.
pub(super) fn is_in_memory(file: &File) -> bool {
    fstatfs(file).is_ok_and(|stat| matches!(stat.filesystem_type(), TMPFS_MAGIC | RAMFS_MAGIC))
}

/// A temporary file that goes away unless it got its final name.
struct Temp<'a> {
    folder: &'a File,
    name: OsString,
    file: File,
    placed: bool,
}

impl<'a> Temp<'a> {
    fn create(folder: &'a File) -> io::Result<Self> {
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        for _ in 0..TRIES {
            let name = temporary_name()?;
            match openat(folder.as_fd(), name.as_os_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR) {
                Ok(fd) => {
                    let file = File::from(fd);
                    in_work(&file);
                    return Ok(Self { folder, name, file, placed: false });
                }
                Err(Errno::EEXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(Errno::EEXIST.into())
    }
}

/// Random names that may already exist before something else must be wrong.
const TRIES: usize = 8;

/// A name that nobody else has.
pub(super) fn temporary_name() -> io::Result<OsString> {
    Ok(format!("{TEMP_PREFIX}{:016x}", random()?).into())
}

/// Tells other runs that somebody works on this file or folder: see [`super::leftovers`]. Where the file system has
/// no locks, theirs fail, too, and they remove nothing.
pub(super) fn in_work(file: &File) {
    file.try_lock().ok();
}

pub(super) fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random bytes"))?;
    Ok(u64::from_ne_bytes(bytes))
}

impl Drop for Temp<'_> {
    fn drop(&mut self) {
        if !self.placed {
            unlinkat(self.folder, self.name.as_os_str(), UnlinkatFlags::NoRemoveDir).ok();
        }
    }
}
