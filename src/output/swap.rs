//! An atomic group: its files lie in a folder of their own, and the link `..data` beside them says which folder counts.
//!
//! As the kubelet lays out projected volumes
//! (<https://pkg.go.dev/k8s.io/kubernetes/pkg/volume/util#AtomicWriter>): `cert` is a link to `..data/cert`, `..data`
//! a link to the folder of this set. Swapping that one link changes all files in one step. The set before stays until
//! the next swap, so that who has followed the link already finds all of it.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    path::Path,
};

use nix::{
    fcntl::{OFlag, openat, readlinkat, renameat},
    sys::stat::{Mode, fchmod, mkdirat},
    unistd::{UnlinkatFlags, symlinkat, unlinkat},
};

use super::{
    Existing, WriteError, Written,
    atomic::{self, Attributes, Folder},
    effect::Sequence,
    error::{READ, parent},
    file_name,
    group::{GroupError, Member},
    leftovers,
    owner::{Accounts, Ids},
};
use crate::config::template::{Destination, GroupSpec};

const DATA: &str = GroupSpec::DATA;
const SET_PREFIX: &str = GroupSpec::SET_PREFIX;

/// Whether a file beside a template's own lies in the same folder, and so belongs to the set.
pub(super) fn belongs(destination: &Destination, sequence: &Sequence<'_>) -> bool {
    !sequence.append && parent(sequence.last.path) == parent(&destination.path)
}

/// All files of a set, complete in a new folder that does not count yet. Goes away unless swapped.
pub(super) struct Set {
    folder: Folder,
    /// Name of the new folder; `None`: every file is right already.
    fresh: Option<Fresh>,
    files: Vec<Planned>,
    path: std::path::PathBuf,
}

struct Fresh {
    name: OsString,
    /// Held open, so that other runs see that somebody works on it.
    folder: Folder,
}

/// A file of the set.
struct Planned {
    member: usize,
    name: OsString,
    written: Written,
}

/// What a file of the set is made from.
struct Wanted<'a> {
    member: usize,
    path: &'a Path,
    bytes: &'a [u8],
    attributes: Attributes,
    written: Written,
    /// Its name is a link into `..data`.
    is_linked: bool,
}

impl Set {
    /// Makes a set when anything in it is new; `None`: there are no members.
    pub(super) fn of(
        members: &[Member<'_>],
        beside: &[Vec<Sequence<'_>>],
        accounts: &Accounts,
    ) -> Result<Option<Self>, GroupError> {
        let Some(first) = members.first() else { return Ok(None) };
        let at = |member: usize| move |source| GroupError { member, source, changed: false };
        let folder = super::open_folder(first.destination).map_err(at(0))?;
        let mut wanted = Vec::new();
        for (member, of) in members.iter().enumerate() {
            let own = own_file(member, of, &folder, accounts);
            wanted.push(own.map_err(at(member))?);
            for sequence in beside[member].iter().filter(|sequence| belongs(of.destination, sequence)) {
                let more = file_beside(member, sequence, &folder, accounts);
                wanted.push(more.map_err(at(member))?);
            }
        }
        let is_right = wanted.iter().all(|file| file.is_linked && file.written == Written::Same);
        let path = parent(&first.destination.path).to_owned();
        let mut set = Self { folder, fresh: None, files: Vec::new(), path };
        if !is_right {
            set.make(&wanted)?;
        }
        Ok(Some(set))
    }

    fn make(&mut self, wanted: &[Wanted<'_>]) -> Result<(), GroupError> {
        let failed = |source: io::Error| GroupError {
            member: 0,
            source: WriteError::new("make a folder beside", &self.path.join(DATA), 0, source),
            changed: false,
        };
        let name = OsString::from(format!("{SET_PREFIX}{:016x}", atomic::random().map_err(failed)?));
        let dir = self.folder.file();
        mkdirat(dir, name.as_os_str(), Mode::S_IRWXU).map_err(|errno| failed(errno.into()))?;
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let opened = openat(dir, name.as_os_str(), flags, Mode::empty());
        let file = File::from(opened.map_err(|errno| failed(errno.into()))?);
        atomic::in_work(&file);
        // Who may read the files is said by their modes, as everywhere; the umask doesn't count.
        fchmod(&file, Mode::from_bits_truncate(0o755)).map_err(|errno| failed(errno.into()))?;
        let folder = Folder::from_fd(file, &self.path.join(&name));
        // From here on dropping the set removes the folder.
        let fresh = self.fresh.insert(Fresh { name, folder });
        for file in wanted {
            let made = file_name(file.path).and_then(|name| {
                fresh.folder.replace(name, file.bytes, &file.attributes)?;
                Ok(name)
            });
            let name = made.map_err(|source| GroupError { member: file.member, source, changed: false })?;
            self.files.push(Planned { member: file.member, name: name.to_owned(), written: file.written });
        }
        Ok(())
    }

    /// Makes the set count, puts links where they are missing, and removes what no longer counts.
    pub(super) fn swap(&self, written: &mut [Written]) -> Result<(), GroupError> {
        let Some(fresh) = &self.fresh else { return Ok(()) };
        let before = self.read_link(DATA.as_ref());
        let failed = |source| GroupError { member: 0, source, changed: false };
        self.link(&fresh.name, DATA.as_ref()).map_err(failed)?;
        for file in &self.files {
            written[file.member] = written[file.member].and(file.written);
            if !self.is_linked(&file.name) {
                let target = Path::new(DATA).join(&file.name);
                self.link(target.as_os_str(), &file.name).map_err(|source| GroupError {
                    member: file.member,
                    source,
                    changed: true,
                })?;
            }
        }
        self.remove_dangling();
        let counts = [Some(fresh.name.as_os_str()), before.as_deref()];
        leftovers::remove_sets(&self.folder, |name| !counts.contains(&Some(name)));
        self.folder.sync();
        Ok(())
    }

    fn read_link(&self, name: &OsStr) -> Option<OsString> {
        readlinkat(self.folder.file(), name).ok()
    }

    fn is_linked(&self, name: &OsStr) -> bool {
        is_linked(&self.folder, name)
    }

    /// Makes a link in one visible step, whatever had the name.
    fn link(&self, target: &OsStr, name: &OsStr) -> Result<(), WriteError> {
        let failed = |source: io::Error| WriteError::new("make a link at", &self.path.join(name), 0, source);
        let dir = self.folder.file();
        let temporary = atomic::temporary_name().map_err(failed)?;
        symlinkat(target, dir, temporary.as_os_str()).map_err(|errno| failed(errno.into()))?;
        renameat(dir, temporary.as_os_str(), dir, name).map_err(|errno| {
            unlinkat(dir, temporary.as_os_str(), UnlinkatFlags::NoRemoveDir).ok();
            failed(errno.into())
        })
    }

    /// Links to files that the set no longer has.
    fn remove_dangling(&self) {
        for name in leftovers::names(&self.folder) {
            let stays = self.files.iter().any(|file| file.name == name);
            if !stays && self.is_linked(&name) {
                unlinkat(self.folder.file(), name.as_os_str(), UnlinkatFlags::NoRemoveDir).ok();
            }
        }
    }
}

/// Whether the name is a link to the file of the same name in the folder that counts.
fn is_linked(folder: &Folder, name: &OsStr) -> bool {
    readlinkat(folder.file(), name).is_ok_and(|target| Path::new(&target) == Path::new(DATA).join(name))
}

impl Drop for Set {
    fn drop(&mut self) {
        let Some(fresh) = &self.fresh else { return };
        if self.read_link(DATA.as_ref()).as_deref() != Some(fresh.name.as_os_str()) {
            leftovers::remove_set(&self.folder, &fresh.name, &fresh.folder);
        }
    }
}

fn own_file<'a>(
    member: usize,
    of: &Member<'a>,
    folder: &Folder,
    accounts: &Accounts,
) -> Result<Wanted<'a>, WriteError> {
    let path = of.destination.path.as_path();
    let owner = super::owner_of(of.destination, accounts)?;
    let old = Existing::open(path).map_err(|source| WriteError::new(READ, path, of.bytes.len(), source))?;
    let written = judge(path, of.bytes, old.as_ref(), owner, None)?;
    let attributes = super::attributes(of.destination, owner, old.as_ref());
    let is_linked = is_linked(folder, file_name(path)?);
    Ok(Wanted { member, path, bytes: of.bytes, attributes, written, is_linked })
}

fn file_beside<'a>(
    member: usize,
    sequence: &'a Sequence<'_>,
    folder: &Folder,
    accounts: &Accounts,
) -> Result<Wanted<'a>, WriteError> {
    let path = sequence.last.path;
    let owner = sequence.owner(accounts)?;
    let old =
        Existing::open(path).map_err(|source| WriteError::new(READ, path, sequence.bytes.len(), source))?;
    let written = judge(path, &sequence.bytes, old.as_ref(), owner, Some(sequence.last.mode))?;
    let keep = old.as_ref().map_or_else(Ids::default, Existing::ids);
    let attributes = Attributes { mode: sequence.last.mode, owner, keep };
    let is_linked = is_linked(folder, file_name(path)?);
    Ok(Wanted { member, path, bytes: &sequence.bytes, attributes, written, is_linked })
}

/// What a write will have been.
fn judge(
    path: &Path,
    bytes: &[u8],
    old: Option<&Existing>,
    owner: Ids,
    mode: Option<u32>,
) -> Result<Written, WriteError> {
    let Some(old) = old else { return Ok(Written::Changed) };
    old.must_be_a_file(path)?;
    let holds = old.holds(bytes).map_err(|source| WriteError::new(READ, path, bytes.len(), source))?;
    Ok(match holds {
        false => Written::Changed,
        true if old.belongs_to(owner) && mode.is_none_or(|mode| mode == old.mode()) => Written::Same,
        true => Written::Repaired,
    })
}
