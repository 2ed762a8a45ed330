//! The kubelet's downward-API file with a pod's annotations: reading and decoding it.
//!
//! Format: one `key="value"` per line, the value quoted as Go's `%q` does, no newline at the end
//! (<https://kubernetes.io/docs/concepts/workloads/pods/downward-api/>).

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::{
    origin::Origin,
    problem::{Problem, chain},
};

#[cfg(test)]
mod tests;

/// Annotation prefixes that are ours to read: HashiCorp's, OpenBao's, and that of our own settings.
pub const PREFIXES: [&str; 3] = ["vault.hashicorp.com/", "openbao.org/", "decant/"];

/// Largest file that is read, in bytes: the 256 KiB that Kubernetes allows for all annotations of a pod, four
/// bytes of escape for each, and room for the keys.
pub const MAX_BYTES: u64 = 2 * 1024 * 1024;

/// The annotations of a pod that begin with one of [`PREFIXES`], by their full names.
///
/// `Debug` shows names only: templates may hold literals.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Annotations {
    /// Full name to value.
    entries: BTreeMap<String, String>,
    /// Byte offsets of lines under foreign names that could not be read; harmless, for a debug message.
    skipped: Vec<usize>,
    /// Whether the file held text, but nothing of the form `key="value"`.
    looks_raw: bool,
}

impl Annotations {
    /// Full names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value under a full name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entries.get(name).map(String::as_str)
    }

    /// Whether the pod has no annotation of ours.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Byte offsets of unreadable lines under names that are not ours.
    pub fn skipped(&self) -> &[usize] {
        &self.skipped
    }

    /// What is odd about a file without any annotation of ours; `None` when there is one.
    pub fn oddity(&self, path: &Path) -> Option<Problem> {
        if !self.is_empty() {
            return None;
        }
        let file = path.display();
        Some(if self.looks_raw {
            Problem::warning(format!("{file} holds no line of the form key=\"value\""))
                .expected("the file of a downwardAPI volume item with fieldPath `metadata.annotations`")
                .hint("a fieldPath like metadata.annotations['name'] gives one raw value; leave the ['name'] out")
        } else {
            Problem::warning(format!("{file} has no annotation that decant reads"))
                .expected(format!("names that begin with {}", PREFIXES.join(", ")))
                .hint("annotate the pod (spec.template.metadata of a Deployment, not its own metadata)")
        })
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Annotations {
    /// Annotations that come from elsewhere, such as a pod manifest; foreign names are left out.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let entries = entries
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .filter(|(name, _): &(String, String)| is_ours(name))
            .collect();
        Self { entries, ..Self::default() }
    }
}

impl fmt::Debug for Annotations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}

/// Why the annotations can't be had. Never shows a value.
#[derive(Debug, Error)]
pub enum DownwardError {
    /// Neither the file nor its folder is there.
    #[error(
        "nothing is mounted at {}: there is no file {}\n  expected: a downwardAPI volume mounted at {0} with the \
         item `{2}` (fieldRef: metadata.annotations)\n  hint: add the volume to the pod, or name another file with \
         --annotations", .folder.display(), .path.display(), .item
    )]
    NoMount {
        /// The file.
        path: PathBuf,
        /// Its folder, where the volume belongs.
        folder: PathBuf,
        /// The file's name.
        item: String,
    },
    /// The folder is there, the file is not.
    #[error(
        "the volume at {} has no file `{item}`\n  expected: an item `{item}` with fieldRef metadata.annotations in \
         that downwardAPI volume\n  hint: name the item so, or name the right file with --annotations", .folder.display()
    )]
    NoItem {
        /// The folder.
        folder: PathBuf,
        /// The file's name.
        item: String,
    },
    /// The file is there and can't be read.
    #[error("can't read the annotations file {}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// More than [`MAX_BYTES`].
    #[error(
        "the annotations file {} is larger than {MAX_BYTES} bytes, more than Kubernetes lets a pod have", .path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Lines under our names are broken.
    #[error("the annotations file {} is damaged", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which lines, and what could be read all the same.
        damage: Damage,
    },
}

impl DownwardError {
    /// What the user reads: one problem for each broken line, with its place.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Damaged { path, damage } => damage.lines.iter().map(|line| line.problem(path)).collect(),
            other => vec![Problem::error(chain(other))],
        }
    }
}

/// A file with broken lines under names of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// All broken lines.
    pub lines: Vec<BadLine>,
    /// What the other lines say.
    pub rest: Annotations,
}

/// A line under one of our names that can't be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// The name, as far as it can be told.
    pub key: String,
    /// Line in the file, from 1.
    pub line: u32,
    /// Column of what is wrong, in characters, from 1.
    pub column: u32,
    /// What is wrong with it.
    pub fault: Fault,
}

impl BadLine {
    fn problem(&self, path: &Path) -> Problem {
        Problem::error(format!("annotation {}: {}", self.key, self.fault))
            .at(Origin::File { path: path.into(), line: self.line, column: self.column })
            .expected(
                "one line for each annotation: its name, `=`, and the value in quotes as Go's %q writes it",
            )
            .hint("the kubelet writes this file from the pod's annotations; a copy of it has to be whole")
    }
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Fault {
    #[error("there is no `=` behind the name")]
    NoEquals,
    #[error("the value is not in double quotes")]
    NotQuoted,
    #[error("the closing quote is missing")]
    NoEnd,
    #[error("a quote inside the value has no backslash before it")]
    BareQuote,
    #[error("unknown or incomplete escape")]
    Escape,
    #[error("the escape is no Unicode character")]
    NotACharacter,
    #[error("the value is not valid UTF-8")]
    NotUtf8,
}

/// Reads and decodes the file in one go. When it is missing it is tried once more: the kubelet replaces the folder
/// behind `..data`, and the old one may vanish between two steps of following the link.
///
/// # Errors
/// No file, an unreadable or too large one, or broken lines under names of ours.
pub fn read(path: &Path) -> Result<Annotations, DownwardError> {
    read_with(path, |path| File::open(path))
}

fn read_with<R: Read>(
    path: &Path,
    mut open: impl FnMut(&Path) -> io::Result<R>,
) -> Result<Annotations, DownwardError> {
    let opened = match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => open(path),
        other => other,
    };
    let mut bytes = Vec::new();
    opened
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|source| unreadable(path, source))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(DownwardError::TooLarge { path: path.into() });
    }
    decode(&bytes).map_err(|damage| DownwardError::Damaged { path: path.into(), damage })
}

fn unreadable(path: &Path, source: io::Error) -> DownwardError {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let item = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match source.kind() {
        io::ErrorKind::NotFound if folder.is_dir() => DownwardError::NoItem { folder: folder.into(), item },
        io::ErrorKind::NotFound => DownwardError::NoMount { path: path.into(), folder: folder.into(), item },
        _ => DownwardError::Unreadable { path: path.into(), source },
    }
}

/// Decodes the file's bytes. An empty file is a pod without annotations. Of equal names the last wins.
///
/// # Errors
/// All broken lines under names of ours; broken lines under other names are skipped.
pub fn decode(bytes: &[u8]) -> Result<Annotations, Damage> {
    let mut found = Annotations::default();
    let mut bad = Vec::new();
    let mut offset = 0;
    let mut readable = 0;
    for (number, line) in (1_u32..).zip(bytes.split(|byte| *byte == b'\n')) {
        match entry(line) {
            Ok((key, value)) => {
                readable += 1;
                if is_ours(&key) {
                    found.entries.insert(key, value);
                }
            }
            Err(_) if line.is_empty() => {}
            Err((fault, at)) => {
                let key = name(line);
                if is_ours(&key) {
                    bad.push(BadLine { key, line: number, column: column(line, at), fault });
                } else {
                    found.skipped.push(offset);
                }
            }
        }
        offset += line.len() + 1;
    }
    found.looks_raw = readable == 0 && !found.skipped.is_empty();
    if bad.is_empty() { Ok(found) } else { Err(Damage { lines: bad, rest: found }) }
}

/// Column in characters, from 1, of a byte offset in a line.
fn column(line: &[u8], at: usize) -> u32 {
    let before = String::from_utf8_lossy(&line[..at.min(line.len())]);
    u32::try_from(before.chars().count()).unwrap_or(u32::MAX).saturating_add(1)
}

fn is_ours(key: &str) -> bool {
    PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

/// The annotation's name at the start of a line that may be broken anywhere: only what a name can consist of.
fn name(line: &[u8]) -> String {
    line.iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(byte))
        .map(|byte| char::from(*byte))
        .collect()
}

/// One line; an error comes with the offset in the line.
fn entry(line: &[u8]) -> Result<(String, String), (Fault, usize)> {
    let equals = line.iter().position(|byte| *byte == b'=').ok_or((Fault::NoEquals, name(line).len()))?;
    let start = equals + 1;
    let key = std::str::from_utf8(&line[..equals]).map_err(|_| (Fault::NotUtf8, 0))?;
    let quoted = &line[start..];
    let inner = quoted.strip_prefix(b"\"").ok_or((Fault::NotQuoted, start))?;
    let inner = inner.strip_suffix(b"\"").ok_or((Fault::NoEnd, line.len()))?;
    let value = unquote(inner).map_err(|(fault, at)| (fault, start + 1 + at))?;
    Ok((key.to_owned(), value))
}

/// Undoes Go's `%q`, the quotes already taken off.
fn unquote(inner: &[u8]) -> Result<String, (Fault, usize)> {
    let mut out = Vec::with_capacity(inner.len());
    let mut at = 0;
    while let Some(byte) = inner.get(at) {
        match byte {
            b'"' => return Err((Fault::BareQuote, at)),
            b'\\' => at += escape(&inner[at..], &mut out).map_err(|fault| (fault, at))?,
            other => {
                out.push(*other);
                at += 1;
            }
        }
    }
    String::from_utf8(out).map_err(|_| (Fault::NotUtf8, 0))
}

/// One escape at the start of `rest`; returns its length.
fn escape(rest: &[u8], out: &mut Vec<u8>) -> Result<usize, Fault> {
    let kind = *rest.get(1).ok_or(Fault::NoEnd)?;
    let plain = match kind {
        b'a' => Some(0x07),
        b'b' => Some(0x08),
        b'f' => Some(0x0c),
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b'v' => Some(0x0b),
        b'"' | b'\\' => Some(kind),
        _ => None,
    };
    if let Some(byte) = plain {
        out.push(byte);
        return Ok(2);
    }
    match kind {
        b'x' => byte(number(rest, 2, 2, 16)?, out).map(|()| 4),
        b'0'..=b'7' => byte(number(rest, 1, 3, 8)?, out).map(|()| 4),
        b'u' => character(number(rest, 2, 4, 16)?, out).map(|()| 6),
        b'U' => character(number(rest, 2, 8, 16)?, out).map(|()| 10),
        _ => Err(Fault::Escape),
    }
}

fn number(rest: &[u8], from: usize, digits: usize, radix: u32) -> Result<u32, Fault> {
    let digits = rest.get(from..from + digits).ok_or(Fault::Escape)?;
    digits.iter().try_fold(0_u32, |sum, digit| {
        let digit = char::from(*digit).to_digit(radix).ok_or(Fault::Escape)?;
        sum.checked_mul(radix).and_then(|sum| sum.checked_add(digit)).ok_or(Fault::NotACharacter)
    })
}

fn byte(value: u32, out: &mut Vec<u8>) -> Result<(), Fault> {
    out.push(u8::try_from(value).map_err(|_| Fault::Escape)?);
    Ok(())
}

fn character(value: u32, out: &mut Vec<u8>) -> Result<(), Fault> {
    let character = char::from_u32(value).ok_or(Fault::NotACharacter)?;
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(())
}
