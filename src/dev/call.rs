//! One request as the engines see it.

use std::time::Duration;

use super::{fields::Fields, moment::Moment, peer::Peer, policy::Capabilities};

/// What a request wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Read,
    List,
    /// PUT or POST.
    Write,
    Delete,
    Patch,
    Head,
}

impl Operation {
    /// The right that the request needs; `exists` tells a creation from an update.
    pub(super) const fn needs(self, exists: bool) -> Capabilities {
        match self {
            Self::Read | Self::Head => Capabilities::READ,
            Self::List => Capabilities::LIST,
            Self::Write if exists => Capabilities::UPDATE,
            Self::Write => Capabilities::CREATE,
            Self::Delete => Capabilities::DELETE,
            Self::Patch => Capabilities::PATCH,
        }
    }
}

/// A request below `/v1/`.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) operation: Operation,
    /// Without `/v1/`; lists end in a slash.
    pub(super) path: String,
    pub(super) fields: Fields,
    pub(super) token: Option<Secret>,
    /// How long the answer shall wait in a wrapping; `None`: it is sent as it is.
    pub(super) wrap: Option<Duration>,
    pub(super) peer: Peer,
}

/// A token as the client sent it; never printed.
#[derive(Clone)]
pub(super) struct Secret(pub(super) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[token]")
    }
}

/// A request as one engine sees it.
pub(super) struct Visit<'a> {
    pub(super) operation: Operation,
    /// Below the mount.
    pub(super) path: &'a str,
    pub(super) fields: &'a Fields,
    pub(super) now: Moment,
    /// How long a secret of this mount is good for when it doesn't say.
    pub(super) default_ttl: Duration,
}
