//! What one run hands to the next about a request.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Effect, Entry, Lease, Next, Phase, Read};
use crate::{
    backoff::RenewalBackoff,
    vault::{
        lifetime::{Kind, Renewal},
        secret::Secret,
    },
};

/// A good answer with what comes next for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Carried {
    /// What the server said.
    pub secret: Arc<Secret>,
    /// From when to when its lease lasts.
    pub lease: Option<(Instant, Instant)>,
    /// When something is due.
    pub due: Instant,
    /// Whether that is a renewal.
    pub renew: bool,
}

impl Entry {
    /// Takes over what another run knew, instead of asking. `token`: the generation of the token that it hangs off,
    /// which was handed over, too; `unit` in [0, 1).
    pub fn adopt(&mut self, carried: Carried, token: u64, now: Instant, unit: f64) -> Effect {
        self.token = token;
        self.sent = token;
        self.good = Some((carried.secret, token));
        // When something without a lease was read, nobody remembers.
        let at = carried.lease.map_or(now, |(since, _)| since);
        self.read = Some(Read { at, kind: Kind::Other });
        self.lease = carried.lease.map(|(since, ends)| Lease {
            renewal: Renewal::new(ends.saturating_duration_since(since), unit),
            since,
            ends,
            backoff: RenewalBackoff::default(),
        });
        self.sleep(carried.due, if carried.renew { Next::Renew } else { Next::Fetch })
    }

    /// What another run would have to know. `None` without a good answer, and for one that ends with a token before
    /// this one.
    pub fn carried(&self, now: Instant) -> Option<Carried> {
        let (secret, token) = self.good.as_ref()?;
        if self.is_leased() && *token != self.token {
            return None;
        }
        let (due, renew) = match self.phase {
            Phase::Sleeping(at, next) => (at, next == Next::Renew),
            Phase::InFlight(next) => (now, next == Next::Renew),
            // The token is no good, or there is none.
            Phase::Parked => return None,
        };
        let lease = self.lease.as_ref().map(|lease| (lease.since, lease.ends));
        Some(Carried { secret: secret.clone(), lease, due, renew })
    }
}
