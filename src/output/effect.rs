//! Files that a template writes beside its own (`writeToFile`), after its final pass and never through a link.
//!
//! Template text may come from people with fewer rights than this process, and folders may be writable for others,
//! so each part of the path is opened by itself. A link inside the path is followed only where nobody but root
//! could have put it (`/var/run` of most images); a link as the file or its direct folder never.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Write},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Component, Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, open, openat, readlinkat},
    sys::stat::{Mode, SFlag, fstatat, mkdirat},
    unistd::{getegid, geteuid},
};
use zeroize::Zeroizing;

use super::{
    Existing, Replacement, Written,
    atomic::{self, Attributes, Folder},
    error::{READ, WriteError},
    owner::{Accounts, Ids},
};

/// One call of `writeToFile`.
#[derive(Clone, Copy)]
pub struct Effect<'a> {
    /// Path of the file.
    pub path: &'a Path,
    /// Owner by name or number; empty: leave.
    pub user: &'a str,
    /// Group by name or number; empty: leave.
    pub group: &'a str,
    /// Mode, exact; only the permission bits (0777) count.
    pub mode: u32,
    /// Add to the file instead of replacing it.
    pub append: bool,
    /// The bytes; a newline that was asked for is part of them.
    pub contents: &'a [u8],
}

/// What appending calls have added already, while other files of the same template failed: the next try, which is the
/// whole of it once more, leaves that out.
#[derive(Default)]
pub struct Appended(Vec<(PathBuf, Zeroizing<Vec<u8>>)>);

impl Appended {
    fn has(&self, file: &Sequence<'_>) -> bool {
        self.0.iter().any(|(path, bytes)| path == file.last.path && **bytes == *file.bytes)
    }
}

/// Performs the calls in their order and says per file what became of it.
///
/// Calls for one file count as one: a replacing call starts the contents anew, appending ones add to them, and the
/// file changes once (atomically, unless the first call appends). A file that has the bytes, mode and owner already
/// is left alone. One failing file doesn't keep the others from being written. Missing folders are made (0755).
/// `appended` belongs to the template and outlives a failed try.
pub fn apply(effects: &[Effect<'_>], appended: &mut Appended) -> Vec<(PathBuf, Result<Written, WriteError>)> {
    let accounts = Accounts::system();
    let mut results = Vec::new();
    let mut added = Appended::default();
    for file in sequences(effects) {
        let result =
            if file.append && appended.has(&file) { Ok(Written::Same) } else { file.write(&accounts) };
        if file.append && result.is_ok() {
            added.0.push((file.last.path.to_owned(), file.bytes));
        }
        results.push((file.last.path.to_owned(), result));
    }
    *appended = if results.iter().any(|(_, result)| result.is_err()) { added } else { Appended::default() };
    results
}

/// The calls for files whose old contents stay, in their order.
pub fn appending<'a>(effects: &[Effect<'a>]) -> Vec<Effect<'a>> {
    let files = sequences(effects);
    let appends = |path| files.iter().any(|file| file.append && file.last.path == path);
    effects.iter().filter(|effect| appends(effect.path)).copied().collect()
}

/// All calls for one file.
pub(super) struct Sequence<'a> {
    /// Settings are those of the last call.
    pub(super) last: Effect<'a>,
    /// Whether old contents stay.
    pub(super) append: bool,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

pub(super) fn sequences<'a>(effects: &[Effect<'a>]) -> Vec<Sequence<'a>> {
    let mut files: Vec<Sequence<'a>> = Vec::new();
    for effect in effects {
        // As Go's `os.FileMode`, which has the set-user-ID bit and its kin elsewhere.
        let effect = Effect { mode: effect.mode & 0o777, ..*effect };
        let bytes = Zeroizing::new(effect.contents.to_vec());
        match files.iter_mut().find(|file| file.last.path == effect.path) {
            None => files.push(Sequence { last: effect, append: effect.append, bytes }),
            Some(file) => {
                file.last = effect;
                if effect.append {
                    // A new buffer instead of growing the old one, which would leave its bytes behind unwiped.
                    file.bytes = Zeroizing::new([file.bytes.as_slice(), &bytes].concat());
                } else {
                    (file.append, file.bytes) = (false, bytes);
                }
            }
        }
    }
    files
}

impl Sequence<'_> {
    fn write(&self, accounts: &Accounts) -> Result<Written, WriteError> {
        if self.append {
            let (folder, name, attributes) = self.place(accounts)?;
            return self.append_to(&folder, name, &attributes);
        }
        let Some(replacement) = self.replacement(accounts)? else { return Ok(Written::Same) };
        replacement.folder.replace(replacement.name, replacement.bytes, &replacement.attributes)?;
        Ok(Written::Changed)
    }

    /// What makes the file hold these bytes; `None`: it does already.
    pub(super) fn replacement(&self, accounts: &Accounts) -> Result<Option<Replacement<'_>>, WriteError> {
        let path = self.last.path;
        let (folder, name, mut attributes) = self.place(accounts)?;
        if let Some(old) = open_old(&folder, name, path)? {
            old.must_be_a_file(path)?;
            let same =
                old.holds(&self.bytes).map_err(|e| WriteError::new(READ, path, self.bytes.len(), e))?;
            if same && old.mode() == attributes.mode && old.belongs_to(attributes.owner) {
                return Ok(None);
            }
            attributes.keep = old.ids();
        }
        let bytes = self.bytes.as_slice();
        Ok(Some(Replacement { folder, name, bytes, attributes, written: Written::Changed, backup: None }))
    }

    /// The owner that is asked for.
    pub(super) fn owner(&self, accounts: &Accounts) -> Result<Ids, WriteError> {
        let path = self.last.path;
        let mut owner = accounts
            .ids(self.last.user, self.last.group)
            .map_err(|source| WriteError::UnknownOwner { path: path.to_owned(), source })?;
        if !owner.is_empty() {
            // As the original: the one that isn't named becomes our own.
            owner.uid = owner.uid.or(Some(geteuid().as_raw()));
            owner.gid = owner.gid.or(Some(getegid().as_raw()));
        }
        Ok(owner)
    }

    fn place(&self, accounts: &Accounts) -> Result<(Folder, &OsStr, Attributes), WriteError> {
        let name = super::file_name(self.last.path)?;
        let owner = self.owner(accounts)?;
        let folder = Walk::to_folder_of(self.last.path)?;
        Ok((folder, name, Attributes { mode: self.last.mode, owner, keep: Ids::default() }))
    }

    fn append_to(
        &self,
        folder: &Folder,
        name: &OsStr,
        attributes: &Attributes,
    ) -> Result<Written, WriteError> {
        let path = self.last.path;
        let fail = |step| move |source: io::Error| WriteError::new(step, path, self.bytes.len(), source);
        let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OPEN_SAFELY;
        let opened = openat(folder.file(), name, flags, Mode::S_IRUSR | Mode::S_IWUSR);
        let mut file: File = opened.map_err(|errno| refused("open", path, errno))?.into();
        Existing::of(file.try_clone().map_err(fail("open"))?)
            .map_err(fail("look at"))?
            .must_be_a_file(path)?;
        // Before the bytes, so that what is added is never readable for longer than the template allows.
        atomic::give(&file, attributes, path)?;
        let length = file.metadata().map_err(fail("look at"))?.len();
        if let Err(error) = file.write_all(&self.bytes) {
            // A disk that is full took a part of it: the next try adds the whole.
            let _ = file.set_len(length);
            return Err(fail("append to")(error));
        }
        if !atomic::is_in_memory(&file) {
            file.sync_all().map_err(fail("append to"))?;
        }
        Ok(Written::Changed)
    }
}

/// Never through a link, never waiting for the other end of a pipe.
const OPEN_SAFELY: OFlag = OFlag::O_NOFOLLOW.union(OFlag::O_NONBLOCK).union(OFlag::O_CLOEXEC);

fn open_old(folder: &Folder, name: &OsStr, path: &Path) -> Result<Option<Existing>, WriteError> {
    match openat(folder.file(), name, OFlag::O_RDONLY | OPEN_SAFELY, Mode::empty()) {
        Ok(fd) => Existing::of(fd.into()).map(Some).map_err(|source| WriteError::new(READ, path, 0, source)),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(refused(READ, path, errno)),
    }
}

/// `ELOOP` is how the system names a link that was not to be followed.
fn refused(step: &'static str, path: &Path, errno: Errno) -> WriteError {
    match errno {
        Errno::ELOOP => WriteError::Link { path: path.to_owned(), link: path.to_owned() },
        Errno::ENXIO => WriteError::NotAFile { path: path.to_owned(), what: "a pipe" },
        _ => WriteError::new(step, path, 0, errno.into()),
    }
}

/// Most trusted links on one path, as the kernel counts them.
const MOST_LINKS: usize = 40;

/// A way down to a folder, one part at a time.
struct Walk<'a> {
    /// The file that is to be written, for messages.
    target: &'a Path,
    here: File,
    /// Path of `here`, for messages.
    path: PathBuf,
    ahead: VecDeque<OsString>,
    links: usize,
}

const FOLDER: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_RDONLY).union(OFlag::O_CLOEXEC);

impl<'a> Walk<'a> {
    /// Opens the folder of `target`, making what is missing.
    fn to_folder_of(target: &'a Path) -> Result<Folder, WriteError> {
        let start = if target.is_absolute() { "/" } else { "." };
        let here = open(start, FOLDER, Mode::empty())
            .map_err(|errno| WriteError::new("open the folder of", target, 0, errno.into()))?;
        let ahead = parts(super::error::parent(target));
        let mut walk = Self { target, here: here.into(), path: start.into(), ahead, links: 0 };
        while let Some(part) = walk.ahead.pop_front() {
            walk.step(&part)?;
        }
        Ok(Folder::from_fd(walk.here, &walk.path))
    }

    fn step(&mut self, part: &OsStr) -> Result<(), WriteError> {
        let next = || openat(&self.here, part, FOLDER | OFlag::O_NOFOLLOW, Mode::empty());
        let opened = match next() {
            Err(Errno::ENOENT) => match mkdirat(&self.here, part, Mode::from_bits_truncate(0o755)) {
                Ok(()) | Err(Errno::EEXIST) => next(),
                Err(errno) => Err(errno),
            },
            other => other,
        };
        match opened {
            Ok(fd) => {
                self.here = fd.into();
                self.path.push(part);
                Ok(())
            }
            // With O_DIRECTORY a link answers ENOTDIR, not ELOOP.
            Err(Errno::ELOOP | Errno::ENOTDIR) if self.is_link(part) => self.follow(part),
            Err(errno) => Err(WriteError::new("open the folder of", self.target, 0, errno.into())),
        }
    }

    fn is_link(&self, part: &OsStr) -> bool {
        fstatat(&self.here, part, nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFLNK)
    }

    fn follow(&mut self, part: &OsStr) -> Result<(), WriteError> {
        let refusal = WriteError::Link { path: self.target.to_owned(), link: self.path.join(part) };
        self.links += 1;
        let is_direct_folder = self.ahead.is_empty();
        if is_direct_folder || self.links > MOST_LINKS || !self.only_root_writes_here() {
            return Err(refusal);
        }
        let link = readlinkat(&self.here, part)
            .map_err(|errno| WriteError::new("open the folder of", self.target, 0, errno.into()))?;
        if link.as_bytes().starts_with(b"/") {
            self.here = open("/", FOLDER, Mode::empty())
                .map_err(|errno| WriteError::new("open the folder of", self.target, 0, errno.into()))?
                .into();
            self.path = "/".into();
        }
        for part in parts(Path::new(&link)).into_iter().rev() {
            self.ahead.push_front(part);
        }
        Ok(())
    }

    fn only_root_writes_here(&self) -> bool {
        self.here.metadata().is_ok_and(|meta| meta.uid() == 0 && meta.mode() & 0o022 == 0)
    }
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}
