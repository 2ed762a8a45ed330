//! What an answer hangs off: its lease, and the token that it was read with.

use tokio::time::Instant;

use crate::{
    backoff::RenewalBackoff,
    vault::lifetime::{Kind, Renewal},
};

/// When an answer came, and from where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub(super) at: Instant,
    pub(super) kind: Kind,
}

/// The token before the one in use.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OldToken {
    /// It no longer works, and its leases are gone.
    pub(super) dead: bool,
    /// When it and its leases end at the latest.
    pub(super) ends: Option<Instant>,
}

/// A lease that is kept alive.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) renewal: Renewal,
    /// Start, or the last renewal.
    pub(super) since: Instant,
    pub(super) ends: Instant,
    /// Between tries of a failing renewal.
    pub(super) backoff: RenewalBackoff,
}
