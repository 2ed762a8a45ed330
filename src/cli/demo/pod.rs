//! A folder that looks to the agent like a pod: projected volumes as the kubelet lays them out, a folder for secrets.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, symlink},
    path::{Path, PathBuf},
};

use nix::{
    sys::statfs::{TMPFS_MAGIC, statfs},
    unistd::mkdtemp,
};
use time::OffsetDateTime;

use super::stage::Failure;

/// Memory that every Linux has as a folder.
const MEMORY: &str = "/dev/shm";
/// Name of the folder that a projected volume's `..data` points to, as the kubelet forms it.
const VERSION: &str = "..2026_01_02_03_04_05.678901234";

/// What a file is besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) mode: u32,
    pub(super) inode: u64,
    pub(super) written: OffsetDateTime,
}

/// The pod's folder, removed when dropped.
pub(super) struct Pod {
    root: PathBuf,
    in_memory: bool,
}

impl Pod {
    /// Makes the folder in memory where that is possible, else in `temp`.
    pub(super) fn new(temp: &Path) -> Result<Self, Failure> {
        let memory = Path::new(MEMORY);
        let memory = is_tmpfs(memory).then(|| make(memory).ok()).flatten();
        let root = match memory {
            Some(root) => root,
            None => make(temp).map_err(|trouble| {
                Failure::new(
                    "the pod's folder",
                    format!("a new folder in {}", temp.display()),
                    trouble.to_string(),
                )
            })?,
        };
        let pod = Self { in_memory: is_tmpfs(&root), root };
        fs::create_dir(pod.secrets()).map_err(|trouble| pod.failed("secrets", &trouble))?;
        Ok(pod)
    }

    /// Whether secrets never reach a disk here.
    pub(super) const fn in_memory(&self) -> bool {
        self.in_memory
    }

    /// The folder.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A path in the folder, as text.
    pub(super) fn text(&self, name: &str) -> String {
        self.root.join(name).display().to_string()
    }

    /// Where rendered files go.
    pub(super) fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// A volume with one file, laid out as the kubelet does: the file is a link through `..data`, which a change
    /// swaps in one step.
    pub(super) fn project(&self, volume: &str, file: &str, contents: &str) -> Result<(), Failure> {
        let folder = self.root.join(volume);
        let lay_out = || -> io::Result<()> {
            let data = folder.join(VERSION);
            fs::create_dir_all(&data)?;
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).open(data.join(file))?.write_all(contents.as_bytes())?;
            symlink(VERSION, folder.join("..data"))?;
            symlink(Path::new("..data").join(file), folder.join(file))
        };
        lay_out().map_err(|trouble| self.failed(volume, &trouble))
    }

    /// An empty volume that containers share.
    pub(super) fn share(&self, volume: &str) -> Result<(), Failure> {
        fs::create_dir(self.root.join(volume)).map_err(|trouble| self.failed(volume, &trouble))
    }

    /// Contents of a rendered file, when it is there.
    pub(super) fn rendered(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.secrets().join(name)).ok()
    }

    /// What a rendered file is, when it is there.
    pub(super) fn facts(&self, name: &str) -> Option<Facts> {
        let meta = fs::metadata(self.secrets().join(name)).ok()?;
        let written = OffsetDateTime::from(meta.modified().ok()?);
        Some(Facts { mode: meta.mode() & 0o7777, inode: meta.ino(), written })
    }

    /// All names in the secrets folder, sorted.
    pub(super) fn listing(&self) -> Vec<String> {
        let entries = fs::read_dir(self.secrets()).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Removes the folder with all that is in it.
    pub(super) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.root) {
            Err(trouble) if trouble.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn failed(&self, name: &str, trouble: &io::Error) -> Failure {
        Failure::new("the pod's folder", format!("{} in it", self.text(name)), trouble.to_string())
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

fn make(parent: &Path) -> nix::Result<PathBuf> {
    mkdtemp(&parent.join("decant-demo-XXXXXX"))
}

fn is_tmpfs(folder: &Path) -> bool {
    statfs(folder).is_ok_and(|system| system.filesystem_type() == TMPFS_MAGIC)
}

/// One line of a downward-API file: the value quoted as Go's `%q` does.
pub(super) fn annotation(name: &str, value: &str) -> String {
    let mut line = format!("{name}=\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            '\n' => line.push_str("\\n"),
            c => line.push(c),
        }
    }
    line + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::downward;

    #[test]
    fn a_projected_file_is_a_link_through_data_and_all_goes_with_the_pod() {
        let temp = tempfile::tempdir().unwrap();
        let pod = Pod::new(temp.path()).unwrap();
        pod.project("podinfo", "annotations", "x").unwrap();
        let link = fs::read_link(pod.root().join("podinfo/annotations")).unwrap();
        assert_eq!(link, Path::new("..data/annotations"));
        assert_eq!(fs::read_to_string(pod.root().join("podinfo/annotations")).unwrap(), "x");
        assert_eq!(pod.listing(), [""; 0]);
        let root = pod.root().to_owned();
        drop(pod);
        assert!(!root.exists());
    }

    #[test]
    fn annotations_are_written_as_they_are_read() {
        let pod = Pod::new(Path::new("/tmp")).unwrap();
        let (name, value) = ("decant/x", "a \"b\"\\\nc");
        pod.project("podinfo", "annotations", &annotation(name, value)).unwrap();
        let read = downward::read(&pod.root().join("podinfo/annotations")).unwrap();
        assert_eq!(read.get(name), Some(value));
    }
}
