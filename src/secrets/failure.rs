//! Why a request did not succeed, sorted by what can be done about it.

use std::time::Duration;

/// Why a request did not succeed, by what the entry can do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub class: FailureClass,
    /// Words for the user: method, path, status, the server's own words; never a secret.
    pub message: String,
    /// How long the server asked to wait.
    pub retry_after: Option<Duration>,
}

/// Kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// 403: the policy doesn't allow it.
    Denied,
    /// 403 that says the token itself is no good.
    InvalidToken,
    /// 404, or a deleted version.
    Missing,
    /// Another definite answer (4xx).
    Refused,
    /// 5xx, 429, sealed: the server may answer later.
    Busy,
    /// No answer at all.
    Unreachable,
}

impl FailureClass {
    /// Whether the server has definitely said no, so that waiting alone mends nothing.
    pub const fn is_definite(self) -> bool {
        matches!(self, Self::Denied | Self::Missing | Self::Refused)
    }
}
