//! The file: where it is, what makes it trustworthy, and how it is replaced.
//!
//! It lies in a folder that others may write to. So it counts only when it is a regular file of our own user with
//! mode 0600 and no second name, reached without following a link, and when it opens with the pod's JWT.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, openat},
    sys::stat::Mode,
    unistd::{Uid, UnlinkatFlags, unlinkat},
};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{
    Contents, format,
    seal::{self, OpenError},
};
use crate::{
    config::HandoverConfig,
    output::{
        WriteError,
        atomic::{Attributes, Folder},
        owner::Ids,
    },
};

/// The name of the file; the format's version stands inside.
pub const FILE_NAME: &str = "decant-handover";
const MODE: u32 = 0o600;
/// A file with more than this is not ours.
const LARGEST: u64 = 64 << 20;
/// A JWT is smaller than this.
const LARGEST_JWT: u64 = 1 << 20;
/// A signature of fewer characters than this could be guessed. Real ones have 86 at least.
const SHORTEST_SIGNATURE: usize = 32;

/// Why there is nothing to take over. Never a reason to fail: the run starts as if there had been none before.
#[derive(Debug, Error)]
pub enum Unusable {
    /// There is no file.
    #[error("there is none")]
    Absent,
    /// No key can be derived.
    #[error("the service-account JWT that opens it can't be read: {0}")]
    NoJwt(String),
    /// The system refuses.
    #[error("it can't be opened: {0}")]
    Io(io::Error),
    /// Somebody else may have made it.
    #[error("it is not trusted: {0}")]
    Untrusted(&'static str),
    /// Another format or version.
    #[error("it has another format or version")]
    Format,
    /// The key doesn't fit, or bytes are damaged.
    #[error("it is damaged, or the service-account JWT has changed since")]
    Key,
}

/// Why it can't be written.
#[derive(Debug, Error)]
pub enum SaveError {
    /// No key can be derived.
    #[error("the service-account JWT can't be read: {0}")]
    NoJwt(String),
    /// The folder.
    #[error("the folder {folder} can't be opened: {source}")]
    Folder {
        /// The folder.
        folder: String,
        /// What the system says.
        source: io::Error,
    },
    /// The file.
    #[error("{0}")]
    Write(#[from] WriteError),
    /// Too much to hand over.
    #[error("there are {0} bytes to hand over, more than {LARGEST}")]
    TooLarge(u64),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

/// Reads and decrypts what an earlier run left.
///
/// # Errors
/// Whatever is missing or odd about it.
pub fn read(config: &HandoverConfig) -> Result<Contents, Unusable> {
    let file = open(&config.folder)?;
    let meta = file.metadata().map_err(Unusable::Io)?;
    trust(&meta, Uid::effective().as_raw()).map_err(Unusable::Untrusted)?;
    let jwt = jwt(&config.jwt).map_err(Unusable::NoJwt)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0) + 1));
    file.take(meta.len()).read_to_end(&mut bytes).map_err(Unusable::Io)?;
    let plain = seal::open(&jwt, &mut bytes).map_err(|error| match error {
        OpenError::Format => Unusable::Format,
        OpenError::Key => Unusable::Key,
    })?;
    format::decode(plain).ok_or(Unusable::Format)
}

/// Encrypts and puts it in place of what was there. The JWT that it opens with comes back.
///
/// # Errors
/// What keeps it from being written; what was there before is untouched.
pub fn write(config: &HandoverConfig, contents: &Contents) -> Result<Zeroizing<String>, SaveError> {
    let jwt = jwt(&config.jwt).map_err(SaveError::NoJwt)?;
    let mut plain = format::encode(contents);
    let length = (plain.len() + seal::OVERHEAD) as u64;
    if length > LARGEST {
        return Err(SaveError::TooLarge(length));
    }
    let sealed = seal::seal(&jwt, &mut plain).ok_or(SaveError::Random)?;
    let folder = Folder::open(&config.folder)
        .map_err(|source| SaveError::Folder { folder: config.folder.display().to_string(), source })?;
    let attributes = Attributes { mode: MODE, owner: Ids::default(), keep: Ids::default() };
    folder.replace(FILE_NAME.as_ref(), &sealed, &attributes)?;
    Ok(jwt)
}

/// Removes the file, because what it holds is of no use any more.
///
/// # Errors
/// As the system says; that there is none is no error.
pub fn remove(config: &HandoverConfig) -> io::Result<()> {
    let folder = match Folder::open(&config.folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    match unlinkat(&folder, FILE_NAME, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn open(folder: &Path) -> Result<File, Unusable> {
    let folder = match Folder::open(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unusable::Absent),
        opened => opened.map_err(Unusable::Io)?,
    };
    // A pipe must not stop us, and a link may lead anywhere.
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    match openat(&folder, FILE_NAME, flags, Mode::empty()) {
        Ok(file) => Ok(file.into()),
        Err(Errno::ENOENT) => Err(Unusable::Absent),
        Err(Errno::ELOOP) => Err(Unusable::Untrusted("it is a link")),
        Err(errno) => Err(Unusable::Io(errno.into())),
    }
}

fn trust(meta: &std::fs::Metadata, us: u32) -> Result<(), &'static str> {
    match () {
        () if !meta.is_file() => Err("it is not a regular file"),
        () if meta.uid() != us => Err("it belongs to another user"),
        () if meta.mode() & 0o7777 != MODE => Err("its mode is not 0600"),
        () if meta.nlink() != 1 => Err("it has a second name"),
        () if meta.len() > LARGEST => Err("it is too large"),
        () => Ok(()),
    }
}

/// The JWT as it is now. What is no JWT could be guessed, so no key is made of it.
pub fn jwt(path: &Path) -> Result<Zeroizing<String>, String> {
    // A pipe without a writer must not stop us.
    let file = File::options()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(16 << 10));
    match file.metadata() {
        Ok(meta) if meta.is_file() && meta.len() <= LARGEST_JWT => {}
        _ => return Err(format!("{}: it is not a file with a JWT", path.display())),
    }
    file.take(LARGEST_JWT).read_to_end(&mut bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default().trim();
    let mut parts = text.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(_), Some(signature), None) if signature.len() >= SHORTEST_SIGNATURE => {
            Ok(Zeroizing::new(text.to_owned()))
        }
        _ => Err(format!("{}: it holds no JWT", path.display())),
    }
}

#[cfg(test)]
mod tests;
