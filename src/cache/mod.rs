//! What outlives a process: token, leases and answers, from init to the sidecar and from one start to the next.
//!
//! One versioned format, one file, encrypted with a key that only a reader of the pod's service-account JWT can
//! derive. Whatever is odd about the file makes it count for nothing: a clean start is never wrong.

mod format;
pub mod handover;
mod seal;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::vault::{
    path::{Namespace, Params, VaultPath},
    secret::Secret,
    token::Token,
};

/// All that is handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Which server, mount and role it belongs to; another run with another one has no use for it.
    pub identity: String,
    /// The login.
    pub token: KeptToken,
    /// The last good answers.
    pub answers: Vec<KeptAnswer>,
}

/// A token and what is known about it. Never prints the token.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptToken {
    /// The token itself.
    pub token: Token,
    /// Its accessor.
    pub accessor: String,
    /// When its login was.
    pub issued: SystemTime,
    /// Lifetime at the last login or renewal; zero: it never expires.
    pub ttl: Duration,
    /// When it ends; `None`: never.
    pub expires: Option<SystemTime>,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// Its policies, for messages.
    pub policies: Vec<String>,
}

impl KeptToken {
    /// Whether it is past its end.
    pub fn is_over(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }
}

impl fmt::Debug for KeptToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptToken").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

/// What was asked.
#[derive(Clone, PartialEq, Eq)]
pub enum KeptVerb {
    /// A read.
    Read,
    /// A list.
    List,
    /// A write with these fields.
    Write(Params),
    /// A certificate issued for these fields.
    Issue(Params),
}

impl fmt::Debug for KeptVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "Read",
            Self::List => "List",
            Self::Write(_) => "Write",
            Self::Issue(_) => "Issue",
        })
    }
}

/// An answer, the request that it belongs to, and what comes next for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// What was asked.
    pub verb: KeptVerb,
    /// In which namespace.
    pub namespace: Option<Namespace>,
    /// Where.
    pub path: VaultPath,
    /// With which query parameters.
    pub params: Params,
    /// What the server said.
    pub secret: Arc<Secret>,
    /// When the server last answered well, renewals included; `None`: an older version left it.
    pub confirmed: Option<SystemTime>,
    /// From when to when its lease lasts, if it has one.
    pub lease: Option<(SystemTime, SystemTime)>,
    /// When something is due for it.
    pub due: SystemTime,
    /// Whether that is a renewal of the lease; else the request is made anew.
    pub renew: bool,
}
