//! What brings a sleeping entry forward: stricter rules, and time that passed unnoticed.

use std::time::Duration;

use tokio::time::Instant;

use super::{Effect, Entry, Next, Phase, Read};
use crate::{
    secrets::{request::Verb, schedule::Policy},
    vault::lifetime::Refresh,
};

impl Entry {
    /// The refresh rules changed. What lives goes on living; it is only read anew as soon as the new rules say, counted
    /// from when it was read.
    pub(super) fn on_rules(&mut self, verb: &Verb, policy: &mut Policy<'_>) -> Effect {
        let (Phase::Sleeping(at, Next::Fetch), Some(Read { at: read, kind }), None) =
            (self.phase, self.read, &self.failed)
        else {
            return Effect::Nothing;
        };
        let Some(secret) = self.good() else { return Effect::Nothing };
        let mut then = policy.ago(policy.now.saturating_duration_since(read));
        let after = match then.refresh(secret, verb, kind) {
            Refresh::Reread(after) => after,
            Refresh::Renew(length) if self.renewal_refused => then.share_of(length),
            // How often a lease is renewed is for the server to say.
            Refresh::Renew(_) => return Effect::Nothing,
            Refresh::Retry => Duration::ZERO,
        };
        match read + after {
            due if due >= at => Effect::Nothing,
            due if due <= policy.now => self.fetch(),
            due => self.rest(due, Next::Fetch, policy),
        }
    }

    /// More time has passed than the monotonic clock knows of: everything was that much longer ago.
    pub(super) fn on_missed(&mut self, missed: Duration, policy: &Policy<'_>) -> Effect {
        let earlier = |at: Instant| at.checked_sub(missed).unwrap_or(policy.now);
        if let Some(lease) = &mut self.lease {
            (lease.since, lease.ends) = (earlier(lease.since), earlier(lease.ends));
        }
        if let Some(read) = &mut self.read {
            read.at = earlier(read.at);
        }
        self.old.ends = self.old.ends.map(earlier);
        let Phase::Sleeping(at, next) = self.phase else { return Effect::Nothing };
        let is_over = self.lease_ends().is_some_and(|end| end <= policy.now);
        match earlier(at) {
            // Nobody can renew it any more.
            _ if is_over => self.fetch(),
            at if at > policy.now => self.sleep(at, next),
            _ if next == Next::Renew => self.renew(),
            _ => self.fetch(),
        }
    }
}
