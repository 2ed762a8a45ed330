//! Reads the files that may hold a certificate from an earlier run.

use std::{
    fs::{self, OpenOptions},
    io::Read,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::OFlag,
    unistd::{Uid, geteuid},
};
use zeroize::Zeroizing;

use super::pki::{self, Places};
use crate::{
    config::template::GroupSpec,
    vault::{path::Params, secret::Secret},
};

/// A file with more than this holds something else.
const LARGEST: u64 = 1 << 20;

/// The certificate that the files at these places hold, when it is complete and still good; see [`pki::from_files`].
pub fn certificate(places: &Places, fields: &Params, threshold: f64, now: u64) -> Option<Secret> {
    let files: Vec<Zeroizing<Vec<u8>>> = places.files.iter().filter_map(|path| read(path)).collect();
    pki::from_files(files.iter().map(|file| file.as_slice()), fields, places, threshold, now)
}

/// The file of an atomic group that the path is a link to; links that lead anywhere else don't count.
fn in_set(path: &Path) -> Option<PathBuf> {
    let (folder, name) = (path.parent()?, path.file_name()?);
    if fs::read_link(path).ok()? != Path::new(GroupSpec::DATA).join(name) {
        return None;
    }
    let set = fs::read_link(folder.join(GroupSpec::DATA)).ok()?;
    let is_one_of_ours = set.components().count() == 1 && set.to_str()?.starts_with(GroupSpec::SET_PREFIX);
    let set = folder.join(set);
    (is_one_of_ours && fs::symlink_metadata(&set).ok()?.is_dir()).then(|| set.join(name))
}

/// The contents of a regular file that an agent may have left. Links are not followed: what is written here never goes
/// through one either, but for those of an atomic group.
fn read(path: &Path) -> Option<Zeroizing<Vec<u8>>> {
    let set = in_set(path);
    let path = set.as_deref().unwrap_or(path);
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).ok()?;
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > LARGEST || !is_left_by_an_agent(metadata.uid(), geteuid()) {
        return None;
    }
    // Room for all of it at once, so that no copy of a key stays behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).ok()? + 1));
    file.take(metadata.len()).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Whether a file of this owner may come from an earlier run. Another user's pair, complete as it may be, would keep the
/// agent from asking for one whose key only it has seen. An agent that is root gives its files to whom it is told.
fn is_left_by_an_agent(owner: u32, own: Uid) -> bool {
    own.is_root() || owner == 0 || owner == own.as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_third_user_do_not_count() {
        let (root, own) = (Uid::from_raw(0), Uid::from_raw(100));
        assert!(is_left_by_an_agent(100, own) && is_left_by_an_agent(0, own));
        assert!(!is_left_by_an_agent(101, own));
        assert!(is_left_by_an_agent(101, root));
    }

    #[test]
    fn only_regular_files_of_a_sensible_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let file = std::fs::File::create(place("file")).unwrap();
        file.set_len(3).unwrap();
        std::fs::File::create(place("huge")).unwrap().set_len(LARGEST + 1).unwrap();
        std::os::unix::fs::symlink(place("file"), place("link")).unwrap();
        nix::unistd::mkfifo(&place("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(read(&place("file")).map(|bytes| bytes.len()), Some(3));
        for name in ["huge", "link", "pipe", "nothing", "."] {
            assert!(read(&place(name)).is_none(), "{name}");
        }
    }

    #[test]
    fn the_links_of_an_atomic_group_are_followed_and_no_others() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        for set in ["..decant-1", "other"] {
            fs::create_dir(place(set)).unwrap();
            fs::File::create(place(set).join("key")).unwrap().set_len(3).unwrap();
        }
        symlink("..data/key", place("key")).unwrap();
        symlink("..decant-1", place("..data")).unwrap();
        assert_eq!(read(&place("key")).map(|bytes| bytes.len()), Some(3));
        symlink("../other", place("..decant-1/up")).unwrap();
        symlink("other", place("..decant-2")).unwrap();
        for target in ["other", "..decant-2", "..decant-1/up", "..decant-none"] {
            fs::remove_file(place("..data")).unwrap();
            symlink(target, place("..data")).unwrap();
            assert!(read(&place("key")).is_none(), "{target}");
        }
    }
}
