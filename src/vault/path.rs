//! API paths and namespaces, parsed once.

use std::{collections::BTreeMap, fmt, sync::Arc};

use thiserror::Error;

/// A path below `/v1/`, without surrounding slashes or blanks and without a query.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VaultPath(Arc<str>);

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
        Ok((Self(path.into()), params))
    }

    /// The path's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VaultPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for VaultPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
    fn namespaces_are_canonical() {
        assert_eq!(Namespace::parse("/team-a//b").unwrap().as_str(), "team-a/b/");
        assert_eq!(Namespace::parse("root"), None);
        assert_eq!(Namespace::parse(""), None);
    }
}
