//! What a run that was killed left half done: removed at the next start, never while somebody still works on it.
//!
//! Temporary files, and folders of sets, are locked (flock(2)) by the run that makes them for as long as it works on
//! them. The kernel takes the lock back with the process, in whatever container it was. So what can be locked belongs
//! to nobody.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::Path,
};

use nix::{
    dir::Dir,
    fcntl::{OFlag, openat, readlinkat},
    sys::stat::Mode,
    unistd::{UnlinkatFlags, geteuid, unlinkat},
};

use super::atomic::{Folder, TEMP_PREFIX};
use crate::config::template::GroupSpec;

/// Removes what earlier runs left in these folders. Nothing here is an error: what can't be removed does no harm.
pub fn remove<'a>(folders: impl IntoIterator<Item = &'a Path>) {
    for path in folders {
        let Ok(folder) = Folder::open(path) else { continue };
        let names = names(&folder);
        for name in names.iter().filter(|name| starts_with(name, TEMP_PREFIX)) {
            remove_file(&folder, path, name);
        }
        let counts = readlinkat(folder.file(), GroupSpec::DATA).ok();
        remove_those(&folder, names, |name| counts.as_deref() != Some(name));
    }
}

fn remove_file(folder: &Folder, path: &Path, name: &OsStr) {
    let unlink = || unlinkat(folder.file(), name, UnlinkatFlags::NoRemoveDir);
    // A link can't be locked. One that somebody is about to rename would be missed, and made again at the next try.
    let is_ours = readlinkat(folder.file(), name).is_ok() || open(folder, name, OFlag::O_NONBLOCK).is_some();
    if is_ours && unlink().is_ok() {
        tracing::info!(target: "agent", file = %path.join(name).display(), "removed what an earlier run left half done");
    }
}

/// Opens and locks something of ours that nobody works on.
fn open(folder: &Folder, name: &OsStr, flags: OFlag) -> Option<File> {
    let flags = flags | OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = File::from(openat(folder.file(), name, flags, Mode::empty()).ok()?);
    let is_own = file.metadata().is_ok_and(|meta| meta.uid() == geteuid().as_raw());
    (is_own && file.try_lock().is_ok()).then_some(file)
}

/// Removes the folders of sets that are to go and that nobody works on.
pub(super) fn remove_sets(folder: &Folder, goes: impl Fn(&OsStr) -> bool) {
    remove_those(folder, names(folder), goes);
}

fn remove_those(folder: &Folder, names: Vec<OsString>, goes: impl Fn(&OsStr) -> bool) {
    for name in names {
        if starts_with(&name, GroupSpec::SET_PREFIX)
            && goes(&name)
            && let Some(set) = open(folder, &name, OFlag::O_DIRECTORY)
        {
            remove_set(folder, &name, &Folder::from_fd(set, Path::new(&name)));
        }
    }
}

/// Removes a folder with the files in it: those of the open folder `set`, whatever has its name by now.
pub(super) fn remove_set(folder: &Folder, name: &OsStr, set: &Folder) {
    for file in names(set) {
        unlinkat(set.file(), file.as_os_str(), UnlinkatFlags::NoRemoveDir).ok();
    }
    unlinkat(folder.file(), name, UnlinkatFlags::RemoveDir).ok();
}

fn starts_with(name: &OsStr, prefix: &str) -> bool {
    name.as_bytes().starts_with(prefix.as_bytes())
}

/// All names in a folder, `.` and `..` among them.
pub(super) fn names(folder: &Folder) -> Vec<OsString> {
    // Through the open folder, whatever has its path by now; with a place to read from of its own.
    let dir = Dir::openat(
        folder.file(),
        ".",
        OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC,
        Mode::empty(),
    );
    let Ok(mut dir) = dir else { return Vec::new() };
    dir.iter()
        .filter_map(|entry| Some(OsStr::from_bytes(entry.ok()?.file_name().to_bytes()).to_owned()))
        .collect()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests lay out the files they look at")]
mod tests {
    use std::fs;

    use super::*;

    fn listed(path: &Path) -> Vec<OsString> {
        let mut names: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_that_took_the_name_of_a_set_meanwhile_keeps_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("..decant-old")).unwrap();
        fs::write(at("..decant-old").join("cert"), "x").unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let set = open(&folder, OsStr::new("..decant-old"), OFlag::O_DIRECTORY).unwrap();
        fs::rename(at("..decant-old"), at("moved")).unwrap();
        fs::create_dir(at("..decant-old")).unwrap();
        fs::write(at("..decant-old").join("cert"), "of somebody else").unwrap();
        remove_set(&folder, OsStr::new("..decant-old"), &Folder::from_fd(set, Path::new("..decant-old")));
        assert_eq!(fs::read(at("..decant-old").join("cert")).unwrap(), b"of somebody else");
        assert_eq!(listed(&at("moved")), [""; 0]);
    }

    #[test]
    fn only_what_nobody_works_on_goes() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for file in [".decant-dead", ".decant-busy", "db", ".decantation"] {
            fs::write(at(file), "x").unwrap();
        }
        for set in ["..decant-old", "..decant-counts", "..decant-busy", "..2026_01_02"] {
            fs::create_dir(at(set)).unwrap();
            fs::write(at(set).join("cert"), "x").unwrap();
        }
        std::os::unix::fs::symlink("..decant-counts", at("..data")).unwrap();
        std::os::unix::fs::symlink("..data/x", at(".decant-link")).unwrap();
        let busy = [File::open(at(".decant-busy")).unwrap(), File::open(at("..decant-busy")).unwrap()];
        busy.iter().for_each(|file| file.try_lock().unwrap());
        remove([dir.path(), Path::new("/nonexistent")]);
        let left = [
            "..2026_01_02",
            "..data",
            "..decant-busy",
            "..decant-counts",
            ".decant-busy",
            ".decantation",
            "db",
        ];
        assert_eq!(listed(dir.path()), left);
        drop(busy);
        remove([dir.path()]);
        assert_eq!(listed(dir.path()), ["..2026_01_02", "..data", "..decant-counts", ".decantation", "db"]);
        assert_eq!(fs::read(at("..data").join("cert")).unwrap(), b"x");
    }
}
