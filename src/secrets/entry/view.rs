//! What status wants to know of an entry.

use tokio::time::Instant;

use super::{Entry, Phase};

impl Entry {
    /// Generation of the token that the last good answer was read with.
    pub fn read_with(&self) -> u64 {
        self.good.as_ref().map_or(0, |(_, token)| *token)
    }

    /// When the lease of the last good answer ends, if need be with an older token; `None`: it has none.
    pub fn lease_ends(&self) -> Option<Instant> {
        let own = self.lease.as_ref().filter(|_| self.is_leased()).map(|lease| lease.ends)?;
        Some(self.old.ends.filter(|_| self.hangs_off_old()).map_or(own, |token| token.min(own)))
    }

    /// When something happens next, if that is known.
    pub const fn next_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Sleeping(at, _) => Some(at),
            _ => None,
        }
    }
}
