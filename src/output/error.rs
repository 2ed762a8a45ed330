//! What is said when a file can't be written: what failed, who we are, whose folder it is, what to change.

use std::{
    fmt, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use nix::errno::Errno;

use super::owner::OwnerError;
use crate::problem::{Problem, chain};

/// Why a file wasn't written. The old file, if any, is untouched.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Something else than a file is at the path.
    #[error("{} is {what}, not a file", path.display())]
    NotAFile {
        /// The destination.
        path: PathBuf,
        /// What is there, with an article.
        what: &'static str,
    },
    /// The folder isn't there and wasn't to be made.
    #[error("can't write {}: the folder {} does not exist", path.display(), folder.display())]
    FolderMissing {
        /// The destination.
        path: PathBuf,
        /// The missing folder.
        folder: PathBuf,
    },
    /// Something else than a folder is on the way.
    #[error("can't write {}: {} is a file, not a folder", path.display(), place.display())]
    NotAFolder {
        /// The destination.
        path: PathBuf,
        /// What is on the way.
        place: PathBuf,
    },
    /// The system refused for lack of rights.
    #[error("can't {step} {}: permission denied: {access}", path.display())]
    Denied {
        /// What was tried.
        step: &'static str,
        /// The destination.
        path: PathBuf,
        /// Who we are and whose the place is.
        access: Access,
    },
    /// The configured owner can't be given.
    #[error(
        "can't give {} to {}: this process runs as {} and may not change owners to that", path.display(), Pair(*uid, *gid), access.own
    )]
    Owner {
        /// The destination.
        path: PathBuf,
        /// Wanted user id.
        uid: Option<u32>,
        /// Wanted group id.
        gid: Option<u32>,
        /// Who we are and whose the place is.
        access: Access,
    },
    /// The configured owner isn't known.
    #[error("can't write {}", path.display())]
    UnknownOwner {
        /// The destination.
        path: PathBuf,
        /// Which name.
        #[source]
        source: OwnerError,
    },
    /// The file system is read-only.
    #[error("can't write {}: the file system of {} is read-only", path.display(), folder.display())]
    ReadOnly {
        /// The destination.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },
    /// The file system is full.
    #[error(
        "can't write {} ({bytes} bytes): no space left in the file system of {}", path.display(), folder.display()
    )]
    NoSpace {
        /// The destination.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
        /// Length of what was to be written.
        bytes: usize,
    },
    /// The destination is itself a mount.
    #[error("can't replace {}: it is a mount point", path.display())]
    Mount {
        /// The destination.
        path: PathBuf,
    },
    /// A link is in the way where links aren't followed.
    #[error("refusing to write {}: {} is a symbolic link", path.display(), link.display())]
    Link {
        /// The destination.
        path: PathBuf,
        /// The link.
        link: PathBuf,
    },
    /// Anything else.
    #[error("can't {step} {}", path.display())]
    Io {
        /// What was tried.
        step: &'static str,
        /// The destination.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Who we are and whose the place is, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// This process, as `uid:gid`.
    own: String,
    /// The nearest existing folder, or the file itself, with owner and mode; empty when it can't be looked at.
    place: String,
}

impl Access {
    /// Looks at the path, or at its nearest ancestor that can be looked at.
    pub fn of(path: &Path) -> Self {
        let own = format!("{}:{}", nix::unistd::geteuid(), nix::unistd::getegid());
        let place = path.ancestors().find_map(|place| {
            let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
            let meta = std::fs::metadata(place).ok()?;
            let kind = if meta.is_dir() { "the folder " } else { "" };
            let mode = meta.mode() & 0o7777;
            Some(format!(
                "{kind}{} belongs to {}:{} with mode {mode:04o}",
                place.display(),
                meta.uid(),
                meta.gid()
            ))
        });
        Self { own, place: place.unwrap_or_default() }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this process runs as {}", self.own)?;
        if self.place.is_empty() { Ok(()) } else { write!(f, ", {}", self.place) }
    }
}

struct Pair(Option<u32>, Option<u32>);

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(uid), Some(gid)) => write!(f, "{uid}:{gid}"),
            (Some(uid), None) => write!(f, "user {uid}"),
            (None, Some(gid)) => write!(f, "group {gid}"),
            (None, None) => f.write_str("nobody"),
        }
    }
}

impl WriteError {
    /// Sorts a system error by what the reader can do about it.
    pub(super) fn new(step: &'static str, path: &Path, bytes: usize, source: io::Error) -> Self {
        let folder = || parent(path).to_owned();
        let path = path.to_owned();
        match source.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EACCES | Errno::EPERM) => {
                let looked_at = if step == READ { path.clone() } else { folder() };
                Self::Denied { step, access: Access::of(&looked_at), path }
            }
            Some(Errno::EROFS) => Self::ReadOnly { folder: folder(), path },
            Some(Errno::ENOSPC | Errno::EDQUOT) => Self::NoSpace { folder: folder(), path, bytes },
            Some(Errno::ENOENT) => Self::FolderMissing { folder: folder(), path },
            Some(Errno::ENOTDIR) => {
                let there = |place: &&Path| std::fs::metadata(place).is_ok();
                let place = path.ancestors().skip(1).find(there).unwrap_or(&path).to_owned();
                Self::NotAFolder { path, place }
            }
            Some(Errno::EBUSY) => Self::Mount { path },
            Some(Errno::EISDIR) => Self::NotAFile { path, what: "a directory" },
            _ => Self::Io { step, path, source },
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotAFile { .. } => "name a file inside it as the destination, or remove what is there",
            Self::NotAFolder { .. } => "remove the file that is in the way, or choose another folder",
            Self::FolderMissing { .. } => "make the folder, or leave create_dest_dirs at its default (true)",
            Self::Denied { step: READ, .. } => {
                "the file must be readable for this process to see whether it changed: remove it, or run as its \
                 owner (annotation vault.hashicorp.com/agent-run-as-user or agent-run-as-same-user)"
            }
            Self::Denied { .. } => {
                "run as the folder's owner (annotation vault.hashicorp.com/agent-run-as-user, -group or \
                 agent-run-as-same-user), or set fsGroup in the pod's securityContext, or choose another folder \
                 (annotation vault.hashicorp.com/secret-volume-path)"
            }
            Self::Owner { .. } => {
                "changing owners needs root or CAP_CHOWN: run as that user instead (annotation \
                 vault.hashicorp.com/agent-run-as-user), or leave user and group out and let others read the file \
                 (annotation vault.hashicorp.com/agent-inject-perms-NAME or perms)"
            }
            Self::UnknownOwner { .. } => "use the number: an image often has no account file, or another one",
            Self::ReadOnly { .. } => {
                "mount a writable volume there, best an emptyDir with medium Memory, or choose another folder \
                 (annotation vault.hashicorp.com/secret-volume-path)"
            }
            Self::NoSpace { .. } => {
                "an emptyDir in memory counts against its sizeLimit and the pod's memory limit: raise them, or \
                 remove files"
            }
            Self::Mount { .. } => {
                "a single file was mounted there (subPath), and such a file never changes: mount the folder instead"
            }
            Self::Link { .. } => "write to the real path: links are not followed here",
            Self::Io { .. } => return None,
        })
    }

    /// The message with its hint, for the user.
    pub fn problem(&self) -> Problem {
        let problem = Problem::error(chain(self));
        match self.hint() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

/// Step of reading the old file; its refusals have another cure than those of the folder.
pub(super) const READ: &str = "read";

/// The folder of a path; `.` for a bare name.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
