//! Why a request got no answer: by what the user can do about it, with the URL, never a header.

use std::{error::Error as StdError, io};

use reqwest::Url;
use rustls::{AlertDescription, CertificateError, InvalidMessage};
use thiserror::Error;

use super::dns::DnsError;
use crate::problem::system_words;

/// A request without an answer.
#[derive(Debug, Error)]
pub enum HttpError {
    /// Nobody listens there, or the network has no way to it.
    #[error("{url}: {cause}")]
    Refused {
        /// What was asked.
        url: Url,
        /// What the system says.
        cause: String,
    },
    /// The host name has no address.
    #[error("{url}: {source}")]
    Dns {
        /// What was asked.
        url: Url,
        /// Which name, and why not.
        source: DnsError,
    },
    /// The server's certificate comes from a CA that isn't trusted.
    #[error("{url}: the server's certificate comes from a CA that is not trusted here")]
    UnknownCa {
        /// What was asked.
        url: Url,
    },
    /// The server's certificate is for other names.
    #[error("{url}: the server's certificate is for other names: {names}")]
    WrongName {
        /// What was asked.
        url: Url,
        /// The names in the certificate.
        names: String,
    },
    /// Our `https` met a server that speaks plain HTTP.
    #[error("{url}: the server does not speak TLS on this port")]
    PlainHttp {
        /// What was asked.
        url: Url,
    },
    /// Another trouble with TLS: an expired certificate, a client certificate that is missing or refused.
    #[error("{url}: TLS failed: {cause}")]
    Tls {
        /// What was asked.
        url: Url,
        /// What the TLS library says.
        cause: String,
    },
    /// The way leads through a proxy, and ended there.
    #[error("{url}: no way through the proxy {proxy}: {cause}")]
    Proxy {
        /// What was asked.
        url: Url,
        /// The proxy, without user and password, and the variable that names it.
        proxy: String,
        /// What was seen.
        cause: String,
    },
    /// No connection in time.
    #[error("{url}: no connection within {seconds} s")]
    ConnectTimeout {
        /// What was asked.
        url: Url,
        /// The limit.
        seconds: u64,
    },
    /// Connected, but no complete answer in time.
    #[error("{url}: no complete answer in time")]
    Timeout {
        /// What was asked.
        url: Url,
    },
    /// The connection ended before the answer did.
    #[error("{url}: the connection ended before the answer was complete: {cause}")]
    Closed {
        /// What was asked.
        url: Url,
        /// What was seen.
        cause: String,
    },
    /// The answer is larger than we take.
    #[error("{url}: the answer is larger than {limit} bytes")]
    TooLarge {
        /// What was asked.
        url: Url,
        /// The limit.
        limit: usize,
    },
    /// The request can't be sent at all.
    #[error("{url}: {cause}")]
    Request {
        /// What was asked.
        url: Url,
        /// Why not.
        cause: String,
    },
}

impl HttpError {
    /// Whether no connection came about, so that other requests to the same upstream would fail alike.
    pub const fn is_connection(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::Dns { .. }
                | Self::UnknownCa { .. }
                | Self::WrongName { .. }
                | Self::PlainHttp { .. }
                | Self::Tls { .. }
                | Self::Proxy { .. }
                | Self::ConnectTimeout { .. }
        )
    }

    /// Whether there was a connection, and no complete answer over it.
    pub const fn is_cut(&self) -> bool {
        matches!(self, Self::Closed { .. } | Self::Timeout { .. })
    }

    /// Whether the same request may go through later.
    pub const fn retry_helps(&self) -> bool {
        !matches!(self, Self::TooLarge { .. } | Self::Request { .. })
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Refused { .. } => {
                "check the address and that the server is up; in a service mesh the network may not be ready yet \
                 when init containers run"
            }
            Self::Dns { .. } => "check the host name in the address and the pod's /etc/resolv.conf",
            Self::UnknownCa { .. } => {
                "set ca_cert (VAULT_CACERT, or the annotation vault.hashicorp.com/ca-cert) to the CA that issued it"
            }
            Self::WrongName { .. } => {
                "use one of these names in the address, or set tls_server_name (VAULT_TLS_SERVER_NAME) to one of them"
            }
            Self::PlainHttp { .. } => {
                "write http:// in the address if that is meant, or use the server's TLS port"
            }
            Self::Tls { .. } => {
                "check the certificates' dates and, if the server wants one, the client certificate"
            }
            Self::Proxy { .. } => {
                "check the proxy, or name the server's host in NO_PROXY if it can be reached directly"
            }
            Self::ConnectTimeout { .. } => {
                "check network policies and firewalls between the pod and the server"
            }
            Self::Timeout { .. } => "the server is slow; VAULT_CLIENT_TIMEOUT raises the limit",
            Self::Closed { url, .. } if url.scheme() == "http" => {
                "write https:// in the address if the server speaks TLS on this port; else look at the server's log, \
                 and at any proxy or mesh before it"
            }
            Self::Closed { .. } => "look at the server's log, and at any proxy or mesh before it",
            Self::TooLarge { .. } | Self::Request { .. } => return None,
        })
    }

    /// The same, if the way led through a proxy: without a connection it is the proxy that has to be looked at.
    pub(super) fn through(self, proxy: Option<String>) -> Self {
        let Some(proxy) = proxy else { return self };
        match self {
            Self::Refused { url, cause } => Self::Proxy { url, proxy, cause },
            Self::Dns { url, source } => Self::Proxy { url, proxy, cause: source.to_string() },
            Self::ConnectTimeout { url, seconds } => {
                Self::Proxy { url, proxy, cause: format!("no connection within {seconds} s") }
            }
            other => other,
        }
    }

    /// Sorts an error of the HTTP library. `connect_seconds` is the limit for a connection.
    pub(super) fn classify(error: &reqwest::Error, url: &Url, connect_seconds: u64) -> Self {
        let url = url.clone();
        let (tls, dns, io) = causes(error);
        if let Some(dns) = dns {
            return Self::Dns { url, source: dns.clone() };
        }
        if let Some(tls) = tls {
            return Self::from_tls(tls, url);
        }
        if error.is_timeout() {
            let seconds = connect_seconds;
            return if error.is_connect() {
                Self::ConnectTimeout { url, seconds }
            } else {
                Self::Timeout { url }
            };
        }
        let cause = innermost(error);
        if error.is_connect() {
            return Self::Refused { url, cause: io.map_or(cause, words) };
        }
        if error.is_builder() {
            return Self::Request { url, cause };
        }
        Self::Closed { url, cause: io.map_or(cause, words) }
    }

    fn from_tls(error: &rustls::Error, url: Url) -> Self {
        match error {
            // A wrong signature means a CA of the same name with another key: one that was made anew.
            rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            ) => Self::UnknownCa { url },
            rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
                presented, ..
            }) => Self::WrongName { url, names: presented.join(", ") },
            rustls::Error::InvalidCertificate(CertificateError::NotValidForName) => {
                Self::WrongName { url, names: "unknown".to_owned() }
            }
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::PlainHttp { url },
            rustls::Error::AlertReceived(
                AlertDescription::CertificateRequired | AlertDescription::BadCertificate,
            ) => Self::Tls { url, cause: format!("{error} (the server wants a client certificate)") },
            other => Self::Tls { url, cause: other.to_string() },
        }
    }
}

/// The errors of TLS, DNS and the system in a chain; an `io::Error` hides what it wraps from `source`.
fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> (Option<&'a rustls::Error>, Option<&'a DnsError>, Option<&'a io::Error>) {
    let (mut tls, mut dns, mut io) = (None, None, None);
    let mut next = Some(error);
    while let Some(error) = next {
        tls = tls.or(error.downcast_ref::<rustls::Error>());
        dns = dns.or(error.downcast_ref::<DnsError>());
        let wrapped = error.downcast_ref::<io::Error>().and_then(|error| {
            io = Some(error);
            error.get_ref()
        });
        next = match wrapped {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    (tls, dns, io)
}

fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused: nobody listens there".to_owned(),
        io::ErrorKind::NotFound => "no such socket".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => system_words(error),
    }
}
