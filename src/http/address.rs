//! The address of an upstream: an `http`, `https` or `unix` URL, parsed once.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use reqwest::Url;
use thiserror::Error;

/// Where an upstream listens.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// What the user wrote, for messages.
    text: String,
    base: Url,
    socket: Option<PathBuf>,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// Not a URL, or no host in it.
    #[error("`{text}` is not an address; expected for instance https://vault.example:8200")]
    Syntax {
        /// What the user wrote.
        text: String,
    },
    /// A URL with another scheme, most often none at all.
    #[error("`{text}` has no scheme that is known here; write https://… , http://… or unix:///path")]
    Scheme {
        /// What the user wrote.
        text: String,
    },
    /// A user name or password before the host would end up in messages.
    #[error(
        "the address has a user name or password in it; leave them out, the login method says who you are"
    )]
    Credentials,
}

impl Address {
    /// Parses `https://host[:port][/prefix]`, the same with `http`, or `unix:///path/to/socket`.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let syntax = || AddressError::Syntax { text: text.to_owned() };
        if let Some(path) = text.strip_prefix("unix://") {
            if !path.starts_with('/') {
                return Err(syntax());
            }
            let base = Url::parse("http://localhost/").map_err(|_| syntax())?;
            return Ok(Self { text: text.to_owned(), base, socket: Some(path.into()) });
        }
        if !text.starts_with("https://") && !text.starts_with("http://") {
            return Err(AddressError::Scheme { text: text.to_owned() });
        }
        let mut base = Url::parse(text).map_err(|_| syntax())?;
        let text = text.trim_end_matches('/');
        if !base.username().is_empty() || base.password().is_some() {
            return Err(AddressError::Credentials);
        }
        if base.host_str().is_none_or(str::is_empty) {
            return Err(syntax());
        }
        base.set_query(None);
        base.set_fragment(None);
        Ok(Self { text: text.to_owned(), base, socket: None })
    }

    /// The URL that paths are added to; `http://localhost/` for a socket.
    pub const fn base(&self) -> &Url {
        &self.base
    }

    /// The Unix socket, when it is one.
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// Whether TLS is spoken.
    pub fn is_tls(&self) -> bool {
        self.base.scheme() == "https"
    }

    /// Whether the host is this machine, by name or by address.
    pub fn is_loopback(&self) -> bool {
        let host = self.base.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
    }

    /// The same address with another host in its URL; messages keep the old one.
    pub(super) fn with_host(&self, host: &str) -> Option<Self> {
        let mut other = self.clone();
        other.base.set_host(Some(host)).ok()?;
        Some(other)
    }

    /// The URL of a path below the address; every segment is percent-encoded, a query is added.
    pub fn url<'a>(&self, path: &str, query: impl IntoIterator<Item = (&'a str, &'a str)>) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.trim_matches('/').split('/'));
        }
        let mut query = query.into_iter().peekable();
        if query.peek().is_some() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(address: &str, path: &str) -> String {
        Address::parse(address).unwrap().url(path, []).to_string()
    }

    #[test]
    fn paths_are_added_and_encoded() {
        assert_eq!(url("https://vault:8200", "v1/secret/data/app"), "https://vault:8200/v1/secret/data/app");
        assert_eq!(url("https://vault:8200/", "/v1/a"), "https://vault:8200/v1/a");
        assert_eq!(url("http://vault/prefix", "v1/a"), "http://vault/prefix/v1/a");
        assert_eq!(url("http://v", "v1/secret/my key?x#%2e"), "http://v/v1/secret/my%20key%3Fx%23%252e");
        let address = Address::parse("http://v").unwrap();
        assert_eq!(
            address.url("v1/a", [("version", "3"), ("b", "x&y")]).as_str(),
            "http://v/v1/a?version=3&b=x%26y"
        );
    }

    #[test]
    fn sockets_speak_plain_http_to_localhost() {
        let address = Address::parse("unix:///run/vault.sock").unwrap();
        assert_eq!(address.socket(), Some(Path::new("/run/vault.sock")));
        assert_eq!(address.url("v1/a", []).as_str(), "http://localhost/v1/a");
        assert!(!address.is_tls());
    }

    #[test]
    fn what_is_no_address_says_what_to_write() {
        let error = |text| Address::parse(text).unwrap_err();
        assert!(matches!(error("vault:8200"), AddressError::Scheme { .. }));
        assert!(error("vault:8200").to_string().contains("https://"));
        assert!(matches!(error("https://"), AddressError::Syntax { .. }));
        assert!(matches!(error("unix://vault.sock"), AddressError::Syntax { .. }));
        let with_password = error("https://u:hunter2@vault");
        assert!(!with_password.to_string().contains("hunter2"));
    }

    #[test]
    fn loopback_is_known_by_name_and_by_number() {
        for (text, loopback) in [
            ("http://localhost:1", true),
            ("http://127.0.0.9", true),
            ("http://[::1]:8200", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example", false),
        ] {
            assert_eq!(Address::parse(text).unwrap().is_loopback(), loopback, "{text}");
        }
    }
}
