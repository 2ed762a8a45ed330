//! API paths and namespaces, parsed once.

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use thiserror::Error;

/// A path below `/v1/`, without surrounding slashes or blanks and without a query.
///
/// Paths with the same text are equal, whatever messages show of them.
#[derive(Clone)]
pub struct VaultPath {
    text: Arc<str>,
    /// What messages show, when a part of the text comes from a secret.
    shown: Option<Arc<str>>,
}

/// What messages show instead of what comes from a secret.
pub const HIDDEN: &str = "[hidden]";

/// String parameters of a request, sorted by name.
pub type Params = BTreeMap<Arc<str>, Arc<str>>;

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// Nothing but blanks and slashes.
    #[error("the path is empty")]
    Empty,
    /// A segment `..` could leave the mount.
    #[error("the path has a segment `..`")]
    Parent,
    /// A line break or another control character.
    #[error("the path has a control character")]
    Control,
}

impl VaultPath {
    /// Parses a path as templates write it: blanks and slashes around it go, a `?a=b&c=d` behind it becomes
    /// parameters (not percent-decoded, as the original).
    ///
    /// # Errors
    /// An empty path, a segment `..`, a control character.
    pub fn parse(text: &str) -> Result<(Self, Params), PathError> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let path = path.trim().trim_matches('/');
        if path.is_empty() {
            return Err(PathError::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(PathError::Control);
        }
        if path.split('/').any(|segment| segment == "..") {
            return Err(PathError::Parent);
        }
        let params = query
            .trim()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (key.into(), value.into())
            })
            .collect();
        Ok((Self { text: path.into(), shown: None }, params))
    }

    /// The same path, of which messages show only the segments that are not to be hidden.
    #[must_use]
    pub fn hiding(self, is_secret: impl Fn(&str) -> bool) -> Self {
        let segments: Vec<&str> =
            self.text.split('/').map(|segment| if is_secret(segment) { HIDDEN } else { segment }).collect();
        let shown = segments.contains(&HIDDEN).then(|| segments.join("/").into());
        Self { text: self.text, shown }
    }

    /// What messages show of a path that comes from a secret; `None`: all of it.
    pub fn shown(&self) -> Option<&str> {
        self.shown.as_deref()
    }

    /// The path's text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for VaultPath {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for VaultPath {}

impl Hash for VaultPath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl PartialOrd for VaultPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for VaultPath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl fmt::Display for VaultPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown.as_ref().unwrap_or(&self.text))
    }
}

impl fmt::Debug for VaultPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A namespace in its canonical form: no leading slash, one at the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Namespace(Arc<str>);

impl Namespace {
    /// Canonicalises; `None` for the root namespace (an empty text, `/`, `root`).
    pub fn parse(text: &str) -> Option<Self> {
        let mut segments: Vec<&str> = Vec::new();
        for segment in text.trim().split('/') {
            match segment {
                "" | "." => {}
                ".." => {
                    segments.pop();
                }
                other => segments.push(other),
            }
        }
        if segments.is_empty() || segments == ["root"] {
            return None;
        }
        Some(Self(format!("{}/", segments.join("/")).into()))
    }

    /// The text for the header `X-Vault-Namespace`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_becomes_parameters_and_slashes_go() {
        let (path, params) = VaultPath::parse(" /secret/data/app/?version=3&x ").unwrap();
        assert_eq!(path.as_str(), "secret/data/app");
        assert_eq!(params.get("version").map(AsRef::as_ref), Some("3"));
        assert_eq!(params.get("x").map(AsRef::as_ref), Some(""));
    }

    #[test]
    fn paths_that_could_escape_are_refused() {
        assert_eq!(VaultPath::parse("secret/../sys").unwrap_err(), PathError::Parent);
        assert_eq!(VaultPath::parse(" / ").unwrap_err(), PathError::Empty);
        assert_eq!(VaultPath::parse("a\nb").unwrap_err(), PathError::Control);
        assert!(VaultPath::parse("secret/a..b").is_ok());
    }

    #[test]
    fn what_comes_from_a_secret_is_sent_and_not_shown() {
        let (plain, _) = VaultPath::parse("kv/data/hunter2/x").unwrap();
        let hidden = plain.clone().hiding(|segment| segment == "hunter2");
        assert_eq!(format!("{hidden} {hidden:?}"), "kv/data/[hidden]/x kv/data/[hidden]/x");
        assert_eq!((hidden.as_str(), &hidden), (plain.as_str(), &plain));
        assert_eq!(plain.hiding(|_| false).shown(), None);
    }

    #[test]
    fn namespaces_are_canonical() {
        assert_eq!(Namespace::parse("/team-a//b").unwrap().as_str(), "team-a/b/");
        assert_eq!(Namespace::parse("root"), None);
        assert_eq!(Namespace::parse(""), None);
    }
}
