//! The renewal of an entry's lease.

use super::{Effect, Entry, Failure, FailureClass, Next, Phase};
use crate::{
    secrets::schedule::Policy,
    vault::{
        lifetime::{self, FLOOR},
        secret::Secret,
    },
};

impl Entry {
    pub(super) fn renew(&mut self) -> Effect {
        match self.good() {
            Some(secret) => {
                let secret = secret.clone();
                self.phase = Phase::InFlight(Next::Renew);
                self.sent = self.token;
                Effect::Renew(secret)
            }
            None => self.fetch(),
        }
    }

    pub(super) fn on_renewed(&mut self, answer: &Secret, policy: &mut Policy<'_>) -> Effect {
        let unit = policy.unit();
        let Some(lease) = self.lease.as_mut().filter(|_| !std::mem::take(&mut self.again)) else {
            return self.fetch();
        };
        let left = lifetime::lease_duration(answer);
        let renewable = answer.renewable || answer.auth.as_ref().is_some_and(|auth| auth.renewable);
        let elapsed = policy.now.saturating_duration_since(lease.since);
        lease.since = policy.now;
        lease.ends = policy.now + left;
        lease.backoff.reset();
        self.lease_unknown = false;
        match lease.renewal.renewed(left, elapsed, unit) {
            lifetime::Next::Renew(after) if renewable => self.rest(policy.now + after, Next::Renew, policy),
            lifetime::Next::Renew(_) => self.fetch(),
            lifetime::Next::Replace(after) if after.is_zero() => self.fetch(),
            lifetime::Next::Replace(after) => self.rest(policy.now + after, Next::Fetch, policy),
        }
    }

    /// A renewal that failed says nothing about the secret: it lives until its lease ends.
    pub(super) fn on_refused_renewal(&mut self, failure: &Failure, policy: &mut Policy<'_>) -> Effect {
        let Some(lease) = self.lease.as_mut() else { return self.fetch() };
        let left = lease.ends.saturating_duration_since(policy.now);
        match failure.class {
            // The server may mend itself; the lease lives on meanwhile.
            FailureClass::Busy | FailureClass::Unreachable => {
                let wait = lease.backoff.next_wait().max(failure.retry_after.unwrap_or_default());
                if wait < left {
                    self.rest(policy.now + wait, Next::Renew, policy)
                } else {
                    self.rest(policy.now + left.max(FLOOR), Next::Fetch, policy)
                }
            }
            // Not allowed to renew: the lease is as good as a non-renewable one.
            FailureClass::Denied => {
                self.renewal_refused = true;
                let share = policy.share_of(left);
                self.rest(policy.now + share, Next::Fetch, policy)
            }
            // The server doesn't know the lease (somebody revoked it): read once anew. If it doesn't know that one
            // either, renewing is no use here.
            FailureClass::Missing | FailureClass::Refused | FailureClass::InvalidToken => {
                self.renewal_refused |= std::mem::replace(&mut self.lease_unknown, true);
                self.fetch()
            }
        }
    }
}
