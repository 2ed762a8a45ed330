//! The file of a sink: tried out at start, then replaced in one visible step.

use std::{ffi::OsString, fs, path::Path};

use crate::{
    config::SinkConfig,
    output::{
        WriteError,
        atomic::{Attributes, Folder},
        owner::Ids,
    },
};

/// Puts the contents in place of the file, whatever was there.
pub(super) fn write(sink: &SinkConfig, contents: &[u8], umask: u32) -> Result<(), WriteError> {
    let (folder, name) = place(&sink.path)?;
    folder.replace(&name, contents, &attributes(sink, umask))
}

/// Writes a file beside the token, with its mode and owner, and removes it again.
pub(super) fn try_out(sink: &SinkConfig, umask: u32) -> Result<(), WriteError> {
    let (folder, mut name) = place(&sink.path)?;
    if sink.path.is_dir() {
        return Err(WriteError::NotAFile { path: sink.path.clone(), what: "a directory" });
    }
    name.push(".tmp.test");
    let path = sink.path.with_file_name(&name);
    folder.replace(&name, b"write test", &attributes(sink, umask))?;
    fs::remove_file(&path).map_err(|source| WriteError::Io { step: "remove", path, source })
}

/// The folder, opened, and the name in it.
fn place(path: &Path) -> Result<(Folder, OsString), WriteError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path
        .file_name()
        .ok_or_else(|| WriteError::NotAFile { path: path.to_owned(), what: "a directory" })?;
    let missing = || WriteError::FolderMissing { path: path.to_owned(), folder: folder.to_owned() };
    let opened = Folder::open(folder).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => missing(),
        _ => WriteError::Io { step: "open the folder of", path: path.to_owned(), source },
    })?;
    Ok((opened, name.to_owned()))
}

/// Mode as `open` would give it; the owner only where configured, whatever the file before had.
fn attributes(sink: &SinkConfig, umask: u32) -> Attributes {
    let owner = Ids { uid: sink.uid, gid: sink.gid };
    Attributes { mode: sink.mode & !umask, owner, keep: Ids::default() }
}
