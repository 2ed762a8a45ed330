//! One request's life as a pure state machine: fetch, keep, renew, fetch anew; each with its own backoff.
//!
//! No clock, no task, no network: the store feeds events in and carries effects out. Invariants that the tests
//! hold it to: never two requests in flight, the last good answer is never lost, no retry sooner than its backoff.

mod carry;
mod earlier;
mod lease;
mod renewal;
mod view;

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

pub use self::carry::Carried;
use self::lease::{Lease, OldToken, Read};
pub use super::failure::{Failure, FailureClass};
use super::{request::Verb, schedule::Policy};
use crate::{
    backoff::RenewalBackoff,
    vault::{
        lifetime::{self, Kind, Refresh, Renewal},
        secret::Secret,
    },
};

/// What a request brought.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The secret, or what a renewal says of its lease.
    pub secret: Arc<Secret>,
    /// What kind of mount it came from.
    pub kind: Kind,
    /// Generation of the token that it was asked for with; a lease ends with that token.
    pub token: u64,
}

/// What happens to an entry.
#[derive(Clone, Debug)]
pub enum EntryEvent {
    /// A usable token is there. `dead` says that the one before it no longer works; `old_expires` when it ends.
    Token {
        /// Generation of the new token.
        generation: u64,
        /// The token before it is revoked or expired, and its leases with it.
        dead: bool,
        /// When the leases of the token before it end at the latest.
        old_expires: Option<Instant>,
    },
    /// The request in flight came back.
    Answered(Result<Answer, Failure>),
    /// The time that the entry asked to be woken at has come.
    Due,
    /// Ask again now (a changed setting, a command of the user).
    Refresh,
    /// The refresh rules are others than before.
    Rules,
    /// So much time has passed that the monotonic clock doesn't know of.
    Missed(Duration),
}

/// What the store does for an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send the request. `repeat`: it is metered.
    Fetch {
        /// Not the first fetch of this request.
        repeat: bool,
    },
    /// Renew the lease (or the token) of this answer.
    Renew(Arc<Secret>),
    /// Wake the entry at this time; replaces an earlier wish.
    Sleep(Instant),
    /// Nothing until a token comes. `heal`: the token is no good, a new login is needed.
    Park {
        /// Ask auto-auth for a new login.
        heal: bool,
    },
    /// Nothing to do.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Fetch,
    Renew,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No token; the fetch happens when one comes.
    Parked,
    /// A request is out.
    InFlight(Next),
    /// Asleep until the time, then `Next`.
    Sleeping(Instant, Next),
}

/// The state of one request.
#[derive(Debug)]
pub struct Entry {
    phase: Phase,
    /// Generation of the token in use; 0: none yet.
    token: u64,
    /// The last good answer and the generation of the token that it was read with.
    good: Option<(Arc<Secret>, u64)>,
    /// When and from where that was read.
    read: Option<Read>,
    lease: Option<Lease>,
    /// Failed tries in a row, with the last failure.
    failed: Option<(u32, Failure)>,
    /// How many of these, the last ones, were definite answers.
    definite: u32,
    /// What became of the token before the one in use.
    old: OldToken,
    /// Leases of this request are not renewed: the server doesn't allow it, or did not know two leases in a row.
    renewal_refused: bool,
    /// The server did not know the last lease that was to be renewed.
    lease_unknown: bool,
    /// Generation of the token that the request in flight was sent with at the earliest.
    sent: u64,
    /// The token that was refused first in a row of such answers; a refusal of a newer one means the request.
    refused: Option<u64>,
    /// Something asked for a fetch while a request was out: fetch right after it.
    again: bool,
}

impl Default for Entry {
    fn default() -> Self {
        Self::new()
    }
}

impl Entry {
    /// A request that nobody has sent yet. The first event should be a token.
    pub const fn new() -> Self {
        Self {
            phase: Phase::Parked,
            token: 0,
            good: None,
            read: None,
            lease: None,
            failed: None,
            definite: 0,
            old: OldToken { dead: false, ends: None },
            renewal_refused: false,
            lease_unknown: false,
            sent: 0,
            refused: None,
            again: false,
        }
    }

    /// The last good answer.
    pub fn good(&self) -> Option<&Arc<Secret>> {
        self.good.as_ref().map(|(secret, _)| secret)
    }

    /// Failed tries in a row and the last failure; `None` after a success.
    pub const fn failed(&self) -> Option<&(u32, Failure)> {
        self.failed.as_ref()
    }

    /// How many of the last tries in a row failed with a definite answer.
    pub const fn definite_failures(&self) -> u32 {
        self.definite
    }

    /// Whether the request that is out is a renewal.
    pub const fn is_renewing(&self) -> bool {
        matches!(self.phase, Phase::InFlight(Next::Renew))
    }

    /// Takes an event and says what to do.
    pub fn on(&mut self, event: EntryEvent, verb: &Verb, policy: &mut Policy<'_>) -> Effect {
        match event {
            EntryEvent::Token { generation, dead, old_expires } => {
                self.on_token(generation, dead, old_expires, policy)
            }
            EntryEvent::Answered(Ok(answer)) => match self.phase {
                Phase::InFlight(Next::Fetch) => self.on_fetched(answer, verb, policy),
                Phase::InFlight(Next::Renew) => self.on_renewed(&answer.secret, policy),
                Phase::Parked | Phase::Sleeping(..) => Effect::Nothing,
            },
            EntryEvent::Answered(Err(failure)) => self.on_failure(failure, policy),
            EntryEvent::Due => match self.phase {
                Phase::Sleeping(at, _) if policy.now < at => Effect::Sleep(at),
                Phase::Sleeping(_, Next::Renew) => self.renew(),
                Phase::Sleeping(_, Next::Fetch) => self.fetch(),
                Phase::Parked | Phase::InFlight(_) => Effect::Nothing,
            },
            EntryEvent::Refresh => match self.phase {
                Phase::Sleeping(..) => self.fetch(),
                Phase::InFlight(_) => {
                    self.again = true;
                    Effect::Nothing
                }
                Phase::Parked => Effect::Nothing,
            },
            EntryEvent::Rules => self.on_rules(verb, policy),
            EntryEvent::Missed(missed) => self.on_missed(missed, policy),
        }
    }

    fn on_token(
        &mut self,
        generation: u64,
        dead: bool,
        old_expires: Option<Instant>,
        policy: &mut Policy<'_>,
    ) -> Effect {
        // A lease of a token before the last one still ends with that.
        let old_expires = match self.old.ends.filter(|_| self.hangs_off_old()) {
            Some(end) => Some(old_expires.map_or(end, |last| last.min(end))),
            None => old_expires,
        };
        let dead = dead || old_expires.is_some_and(|end| end <= policy.now);
        self.token = generation;
        self.old = OldToken { dead, ends: old_expires };
        let hangs_off_old = self.hangs_off_old();
        match self.phase {
            Phase::Parked => self.fetch(),
            // The answer to a fetch says which token it came with.
            Phase::InFlight(Next::Fetch) => Effect::Nothing,
            Phase::InFlight(Next::Renew) => {
                self.again |= hangs_off_old && dead;
                Effect::Nothing
            }
            Phase::Sleeping(..) if hangs_off_old && dead => self.fetch(),
            // A failing fetch keeps its backoff: it is tried again anyway.
            Phase::Sleeping(at, next) if hangs_off_old && old_expires.is_some() && self.failed.is_none() => {
                match self.rest(at, next, policy) {
                    // Nothing new, and the time may be just now.
                    Effect::Sleep(until) if until == at => Effect::Nothing,
                    sooner => sooner,
                }
            }
            Phase::Sleeping(..) => Effect::Nothing,
        }
    }

    /// Whether the lease was made with an older token and ends with that.
    fn hangs_off_old(&self) -> bool {
        self.is_leased() && self.good.as_ref().is_some_and(|(_, token)| *token < self.token)
    }

    /// Sleeps, but not past the end of the token that the lease hangs off: then it is read anew in time, at a moment
    /// of its own.
    fn rest(&mut self, until: Instant, next: Next, policy: &mut Policy<'_>) -> Effect {
        if let Some(end) = self.old.ends.filter(|_| self.hangs_off_old()) {
            let spread = policy.spread_before(end);
            if spread <= until {
                return self.sleep(spread, Next::Fetch);
            }
        }
        self.sleep(until, next)
    }

    fn on_fetched(&mut self, answer: Answer, verb: &Verb, policy: &mut Policy<'_>) -> Effect {
        let refresh = policy.refresh(&answer.secret, verb, answer.kind);
        let token = answer.token;
        if refresh == Refresh::Retry {
            let message = policy.refusal(&answer.secret, verb);
            return self
                .on_failure(Failure { class: FailureClass::Busy, message, retry_after: None }, policy);
        }
        let length = lifetime::lease_duration(&answer.secret);
        self.failed = None;
        self.definite = 0;
        self.refused = None;
        self.good = Some((answer.secret, token));
        self.read = Some(Read { at: policy.now, kind: answer.kind });
        self.lease = (!length.is_zero()).then(|| Lease {
            renewal: Renewal::new(length, policy.unit()),
            since: policy.now,
            ends: policy.now + length,
            backoff: RenewalBackoff::default(),
        });
        if std::mem::take(&mut self.again) || (self.old.dead && self.hangs_off_old()) {
            return self.fetch();
        }
        match (refresh, &self.lease) {
            (Refresh::Renew(_), Some(lease)) if !self.renewal_refused => {
                let first = lease.renewal.first(policy.unit());
                self.rest(policy.now + first, Next::Renew, policy)
            }
            (Refresh::Renew(length), _) => {
                let share = policy.share_of(length);
                self.rest(policy.now + share, Next::Fetch, policy)
            }
            (Refresh::Reread(after), _) => self.rest(policy.now + after, Next::Fetch, policy),
            (Refresh::Retry, _) => Effect::Nothing,
        }
    }

    fn on_failure(&mut self, mut failure: Failure, policy: &mut Policy<'_>) -> Effect {
        let Phase::InFlight(what) = self.phase else { return Effect::Nothing };
        if failure.class == FailureClass::InvalidToken {
            let first = *self.refused.get_or_insert(self.sent);
            if first == self.sent {
                return self.on_refused_token(failure);
            }
            // A new login changed nothing: another would not either.
            failure.class = FailureClass::Denied;
        } else if failure.class.is_definite() {
            self.refused = None;
        }
        if what == Next::Renew {
            return self.on_refused_renewal(&failure, policy);
        }
        let tries = self.tries() + 1;
        let wait = policy.retry_delay(tries, failure.class).max(failure.retry_after.unwrap_or_default());
        self.definite = if failure.class.is_definite() { self.definite + 1 } else { 0 };
        self.failed = Some((tries, failure));
        self.again = false;
        self.sleep(policy.now + wait, Next::Fetch)
    }

    /// The token is no good: a new one is needed, or is there already.
    fn on_refused_token(&mut self, failure: Failure) -> Effect {
        self.failed = Some((self.tries() + 1, failure));
        self.definite = 0;
        if self.sent < self.token {
            return self.fetch();
        }
        self.phase = Phase::Parked;
        Effect::Park { heal: true }
    }

    fn is_leased(&self) -> bool {
        self.good.as_ref().is_some_and(|(secret, _)| !secret.lease_id.is_empty() || secret.auth.is_some())
    }

    fn tries(&self) -> u32 {
        self.failed.as_ref().map_or(0, |(tries, _)| *tries)
    }

    fn fetch(&mut self) -> Effect {
        self.phase = Phase::InFlight(Next::Fetch);
        self.sent = self.token;
        Effect::Fetch { repeat: self.good.is_some() || self.failed.is_some() }
    }

    fn sleep(&mut self, until: Instant, next: Next) -> Effect {
        self.phase = Phase::Sleeping(until, next);
        Effect::Sleep(until)
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
