//! Where a local server listens: an address and port, or a unix socket.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use thiserror::Error;

/// Where a local server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// A unix socket at this path.
    Unix(PathBuf),
}

/// The text is no endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an IP address and a port, for instance 127.0.0.1:9102, or unix:///path/to/socket")]
pub struct EndpointError;

impl Endpoint {
    /// Whether it is a unix socket.
    pub const fn is_socket(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    /// Whether only this machine (or pod) can reach it.
    pub const fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Reads `127.0.0.1:9102`, `[::1]:9102`, `localhost:9102`, `unix:///path` or an absolute path. Names other than
    /// `localhost` are not looked up.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let text = text.trim();
        let path = text.strip_prefix("unix://").unwrap_or(text);
        if path.starts_with('/') && !path.ends_with('/') {
            return Ok(Self::Unix(path.into()));
        }
        if let Some(port) = text.strip_prefix("localhost:") {
            let port = port.parse().map_err(|_| EndpointError)?;
            return Ok(Self::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)));
        }
        text.parse().map(Self::Tcp).map_err(|_| EndpointError)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths_are_read() {
        for (text, shown, local) in [
            ("127.0.0.1:9102", "http://127.0.0.1:9102", true),
            (" localhost:80 ", "http://127.0.0.1:80", true),
            ("[::1]:0", "http://[::1]:0", true),
            ("0.0.0.0:9102", "http://0.0.0.0:9102", false),
            ("10.0.0.1:9102", "http://10.0.0.1:9102", false),
            ("unix:///run/x.sock", "unix:///run/x.sock", true),
            ("/run/x.sock", "unix:///run/x.sock", true),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!((endpoint.to_string().as_str(), endpoint.is_local()), (shown, local), "{text}");
        }
        for text in
            ["", "9102", ":9102", "vault:9102", "127.0.0.1", "unix://x", "localhost:x", "/run/", "http://x"]
        {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
