//! What status wants to know of an entry.

use tokio::time::Instant;

use super::{Entry, Phase};

impl Entry {
    /// Generation of the token that the last good answer was read with.
    pub fn read_with(&self) -> u64 {
        self.good.as_ref().map_or(0, |(_, token)| *token)
    }

    /// When the lease of the last good answer ends; `None`: it has none.
    pub fn lease_ends(&self) -> Option<Instant> {
        self.lease.as_ref().filter(|_| self.is_leased()).map(|lease| lease.ends)
    }

    /// When something happens next, if that is known.
    pub const fn next_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Sleeping(at, _) => Some(at),
            _ => None,
        }
    }
}
