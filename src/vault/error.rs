//! What the server, or the way to it, had against a request: by what the caller can do next.

use std::{fmt, time::Duration};

use reqwest::Method;
use thiserror::Error;

use super::secret::ErrorBody;
use crate::http::error::HttpError;

/// A request that did not succeed.
#[derive(Debug, Error)]
pub enum VaultError {
    /// The policy doesn't allow it (403).
    #[error("{0}")]
    Denied(Box<Answer>),
    /// The token is unknown to the server: revoked, expired or used up (403 with that text). A new login helps.
    #[error("{0}")]
    InvalidToken(Box<Answer>),
    /// Nothing there (404).
    #[error("{0}")]
    Missing(Box<Answer>),
    /// The server can't make sense of the request (400 and other statuses below 500).
    #[error("{0}")]
    Invalid(Box<Answer>),
    /// The server is sealed (503 with that text).
    #[error("{0}")]
    Sealed(Box<Answer>),
    /// The node is a standby and knows no active one.
    #[error("{0}")]
    Standby(Box<Answer>),
    /// The server has too much to do (429, 503).
    #[error("{0}")]
    Busy(Box<Answer>),
    /// The server, or something before it, failed (other statuses from 500, and 412: not replicated yet).
    #[error("{0}")]
    Server(Box<Answer>),
    /// No connection came about.
    #[error("{method} {source}")]
    Unreachable {
        /// The request's method.
        method: Method,
        /// Why not.
        source: Box<HttpError>,
    },
    /// The connection ended before the answer did, or the request can't be sent.
    #[error("{method} {source}")]
    Broken {
        /// The request's method.
        method: Method,
        /// What happened.
        source: Box<HttpError>,
    },
    /// No complete answer within the client timeout.
    #[error("{method} {url}: no complete answer within {} s", limit.as_secs_f32())]
    Timeout {
        /// The request's method.
        method: Method,
        /// What was asked.
        url: String,
        /// The limit.
        limit: Duration,
    },
    /// A successful answer that isn't Vault's.
    #[error("{method} {url}: {status}, but {cause}")]
    Malformed {
        /// The request's method.
        method: Method,
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
        /// What is wrong with it; never its contents.
        cause: String,
    },
    /// A redirect that isn't followed, because the token must not go there.
    #[error("{method} {url}: {status} redirect that is not followed: {cause}")]
    Redirect {
        /// The request's method.
        method: Method,
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
        /// Why it isn't followed.
        cause: String,
    },
}

/// An answer that says no.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The request's method.
    pub method: Method,
    /// What was asked, without the query.
    pub url: String,
    /// The status.
    pub status: u16,
    /// The server's `errors`, cleaned; or the text of a body that isn't JSON, shortened.
    pub errors: Vec<String>,
    /// When the server wants to be asked again (`Retry-After`).
    pub retry_after: Option<Duration>,
}

impl VaultError {
    /// Sorts an answer with a status from 400; `by_token`: a token was to open the door, so this was no login.
    ///
    /// Vault since 1.17 says "invalid token" to a token that it doesn't know. Older ones and OpenBao say a bare
    /// "permission denied" then, whereas a policy's refusal comes as a list of errors. A refused login is bare, too.
    pub fn from_answer(answer: Answer, by_token: bool) -> Self {
        let says = |text: &str| answer.errors.iter().any(|error| error.to_lowercase().contains(text));
        let kind = match answer.status {
            403 if says("invalid token") || says("bad token") => Self::InvalidToken,
            403 if by_token && answer.errors == ["permission denied"] => Self::InvalidToken,
            403 => Self::Denied,
            404 => Self::Missing,
            412 => Self::Server,
            429 => Self::Busy,
            503 if says("sealed") => Self::Sealed,
            500..=599 if says("node not active") || says("standby") => Self::Standby,
            503 => Self::Busy,
            500.. => Self::Server,
            _ => Self::Invalid,
        };
        kind(Box::new(answer))
    }

    /// Sorts a request without an answer.
    pub fn from_http(method: Method, source: HttpError) -> Self {
        let (connection, source) = (source.is_connection(), Box::new(source));
        if connection { Self::Unreachable { method, source } } else { Self::Broken { method, source } }
    }

    /// Whether the same request may succeed later without anybody changing anything.
    pub fn retry_helps(&self) -> bool {
        match self {
            Self::Sealed(_) | Self::Standby(_) | Self::Busy(_) | Self::Server(_) => true,
            Self::Unreachable { source, .. } | Self::Broken { source, .. } => source.retry_helps(),
            Self::Timeout { .. } => true,
            Self::Denied(_) | Self::InvalidToken(_) | Self::Missing(_) | Self::Invalid(_) => false,
            Self::Malformed { .. } | Self::Redirect { .. } => false,
        }
    }

    /// Whether no connection came about: the gate then holds everybody back until one does.
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Whether a connection came about and no whole answer came over it: the server, or something before it, may be
    /// gone for everybody, or this one request may be what breaks it.
    pub const fn is_cut(&self) -> bool {
        match self {
            Self::Broken { source, .. } => source.is_cut(),
            Self::Timeout { .. } => true,
            _ => false,
        }
    }

    /// Whether something on the other side gave a whole answer.
    pub fn is_reached(&self) -> bool {
        self.answer().is_some() || matches!(self, Self::Malformed { .. } | Self::Redirect { .. })
    }

    /// Whether the server itself said no (4xx), as opposed to being away, busy or broken.
    pub const fn is_definite(&self) -> bool {
        matches!(self, Self::Denied(_) | Self::InvalidToken(_) | Self::Missing(_) | Self::Invalid(_))
    }

    /// Whether a renewal was refused because there is nothing left to prolong. OpenBao answers 500 for a token in
    /// its last second and 400 for a lease; neither means an outage.
    pub fn is_past_max_ttl(&self) -> bool {
        const WORDS: &str = "past the max TTL";
        self.answer().is_some_and(|answer| {
            matches!(answer.status, 400 | 500) && answer.errors.iter().any(|error| error.contains(WORDS))
        })
    }

    /// When the server wants to be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.answer()?.retry_after
    }

    /// The server's answer, when there was one.
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Denied(answer)
            | Self::InvalidToken(answer)
            | Self::Missing(answer)
            | Self::Invalid(answer)
            | Self::Sealed(answer)
            | Self::Standby(answer)
            | Self::Busy(answer)
            | Self::Server(answer) => Some(answer),
            _ => None,
        }
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable { source, .. } | Self::Broken { source, .. } => source.hint(),
            Self::Denied(_) => Some("check the path and the policies of the role"),
            Self::Missing(_) => Some(
                "nothing is written at this path yet, or its name is misspelt; check the path and its mount",
            ),
            Self::Sealed(_) => {
                Some("the server has to be unsealed by its operators; this goes on by itself then")
            }
            Self::Standby(_) => {
                Some("the cluster has no active node just now; this goes on by itself when it has")
            }
            Self::Invalid(answer) if answer.errors.iter().any(|text| text.contains("HTTPS server")) => {
                Some("write https:// in the address")
            }
            Self::Malformed { .. } => {
                Some("check that the address is Vault's API and not a web page before it")
            }
            Self::Redirect { .. } => Some("set the address to the server's own API address"),
            Self::Timeout { .. } => Some("the server is slow; VAULT_CLIENT_TIMEOUT raises the limit"),
            _ => None,
        }
    }
}

impl Answer {
    /// The server's words from an error body; `secrets` are replaced, should the server repeat them.
    pub fn words(body: &[u8], secrets: &[&str]) -> Vec<String> {
        let said = match serde_json::from_slice::<ErrorBody>(body) {
            Ok(parsed) => parsed.errors,
            Err(_) => vec![String::from_utf8_lossy(body).into_owned()],
        };
        said.iter().map(|text| clean(text, secrets)).filter(|text| !text.is_empty()).take(8).collect()
    }
}

/// One line, bounded, without control characters and without our own secrets.
fn clean(text: &str, secrets: &[&str]) -> String {
    const LONGEST: usize = 500;
    if text.trim_start().starts_with('<') {
        return "(a web page)".to_owned();
    }
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for secret in secrets.iter().filter(|secret| secret.len() > 3) {
        text = text.replace(secret, "[hidden]");
    }
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.method, self.url, self.status)?;
        if !self.errors.is_empty() {
            write!(f, " {}", self.errors.join("; "))?;
        } else if self.status == 404 {
            f.write_str(" nothing there")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            method: Method::GET,
            url: "https://v/v1/secret/a".into(),
            status,
            errors: Answer::words(body.as_bytes(), &["hvs.canary"]),
            retry_after: None,
        }
    }

    fn error(status: u16, body: &str) -> VaultError {
        VaultError::from_answer(answer(status, body), true)
    }

    #[test]
    fn answers_are_sorted_by_what_can_be_done() {
        let invalid = r#"{"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}"#;
        assert!(matches!(error(403, invalid), VaultError::InvalidToken(_)));
        assert!(matches!(error(404, r#"{"errors":[]}"#), VaultError::Missing(_)));
        assert!(matches!(error(400, "{}"), VaultError::Invalid(_)));
        assert!(matches!(error(405, "{}"), VaultError::Invalid(_)));
        assert!(matches!(error(503, r#"{"errors":["Vault is sealed"]}"#), VaultError::Sealed(_)));
        let standby = r#"{"errors":["local node not active but active cluster node not found"]}"#;
        assert!(matches!(error(500, standby), VaultError::Standby(_)));
        assert!(matches!(error(429, ""), VaultError::Busy(_)));
        assert!(matches!(error(502, "<html>bad gateway</html>"), VaultError::Server(_)));
        assert!(matches!(error(412, ""), VaultError::Server(_)));
        for (status, helps) in
            [(400, false), (403, false), (404, false), (412, true), (429, true), (500, true)]
        {
            assert_eq!(error(status, "").retry_helps(), helps, "{status}");
            assert_eq!(error(status, "").is_definite(), status < 412, "{status}");
        }
    }

    #[test]
    fn a_bare_refusal_means_the_token_and_a_list_the_policy() {
        let bare = r#"{"errors":["permission denied"]}"#;
        assert!(matches!(error(403, bare), VaultError::InvalidToken(_)));
        assert!(
            matches!(VaultError::from_answer(answer(403, bare), false), VaultError::Denied(_)),
            "a login"
        );
        let policy = r#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#;
        assert!(matches!(error(403, policy), VaultError::Denied(_)));
        let more = r#"{"errors":["permission denied","and more"]}"#;
        assert!(matches!(error(403, more), VaultError::Denied(_)));
        assert!(matches!(error(400, bare), VaultError::Invalid(_)));
    }

    #[test]
    fn the_end_of_a_lifetime_is_no_outage() {
        let token = r#"{"errors":["1 error occurred:\n\t* past the max TTL, cannot renew\n\n"]}"#;
        let lease = r#"{"errors":["failed to renew entry: resp: (*logical.Response)(nil) err: past the max TTL, cannot renew"]}"#;
        assert!(error(500, token).is_past_max_ttl() && error(400, lease).is_past_max_ttl());
        assert!(!error(500, r#"{"errors":["internal error"]}"#).is_past_max_ttl());
        assert!(!error(403, token).is_past_max_ttl());
    }

    #[test]
    fn messages_name_method_url_status_and_the_servers_words_on_one_line() {
        let invalid = r#"{"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}"#;
        assert_eq!(
            error(403, invalid).to_string(),
            "GET https://v/v1/secret/a: 403 2 errors occurred: * permission denied * invalid token"
        );
        assert_eq!(
            error(404, r#"{"errors":[]}"#).to_string(),
            "GET https://v/v1/secret/a: 404 nothing there"
        );
        assert!(error(404, "").hint().unwrap().contains("misspelt; check the path"));
        assert!(error(502, "<html>x</html>").to_string().ends_with("502 (a web page)"));
        let plain = error(400, "Client sent an HTTP request to an HTTPS server.\n");
        assert_eq!(plain.hint(), Some("write https:// in the address"));
    }

    #[test]
    fn a_server_that_repeats_our_token_or_floods_is_cut() {
        let said = error(400, r#"{"errors":["bad hvs.canary here"]}"#).to_string();
        assert!(said.contains("bad [hidden] here"), "{said}");
        assert!(error(400, &"x".repeat(10_000)).to_string().len() < 600);
        assert!(!error(400, "a\u{1b}[31mb").to_string().contains('\u{1b}'));
    }
}
