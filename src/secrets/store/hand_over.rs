//! What the store takes over from an earlier run, and what it tells the next.

use std::time::{Duration, SystemTime};

use tracing::{debug, info};

use super::{Current, Failure, FailureClass, Held, Life, Slot, Store};
use crate::{
    auth::TokenState,
    cache::KeptAnswer,
    secrets::{
        entry::EntryEvent,
        fetch::Fetch,
        handed::{self, Handed},
        request::SecretRequest,
    },
};

/// A login older than this may have had other rights than one of now. So a request that is refused with a token that
/// was handed over is worth a new login before the refusal counts; sooner than that, a run that ends and starts
/// again and again would log in each time.
const OUTDATED: Duration = Duration::from_secs(10 * 60);

impl<F: Fetch> Store<F> {
    /// Gives the store answers to begin with. They count if the token comes with them.
    #[must_use]
    pub fn begin_with(mut self, handed: Handed) -> Self {
        self.handed = handed;
        self
    }

    /// Starts requests: with what was handed over, else by asking.
    pub(super) fn begin(&mut self, requests: Vec<SecretRequest>, event: &EntryEvent) {
        let mut adopted = Vec::new();
        for request in requests {
            if let Some(confirmed) = self.adopt(&request) {
                adopted.push((request, confirmed));
            } else {
                self.feed(&request, event.clone());
            }
        }
        if adopted.is_empty() {
            return;
        }
        info!(target: "agent.store", secrets = adopted.len(), "went on with secrets that were handed over");
        let adopted: Vec<_> = adopted
            .into_iter()
            .filter_map(|(request, confirmed)| {
                let entry = &self.slots.get(&request)?.entry;
                // The answer is taken as new, but for the time at which the server gave it.
                let life = Life { confirmed, ..self.life(&request, entry, true) };
                let secret = entry.good()?.clone();
                Some((request, secret, life))
            })
            .collect();
        self.publish(|generation, answers, _| {
            for (request, secret, life) in adopted {
                answers.insert(request, Held { secret, since: generation, life });
            }
        });
        self.stir();
    }

    /// Goes on with what was handed over for the request, and says when the server last confirmed that, if it is known.
    /// `None`: nothing was.
    fn adopt(&mut self, request: &SecretRequest) -> Option<Option<SystemTime>> {
        let token = self.current.map(|current| current.generation)?;
        if self.slots.get(request).is_none_or(|slot| slot.entry.good().is_some()) {
            return None;
        }
        let (carried, confirmed) = self.handed.take(request, self.clock)?;
        debug!(target: "agent.store", %request, "secret was handed over");
        let (now, unit) = (self.clock.now(), self.chance.unit());
        let slot = self.slots.get_mut(request)?;
        let effect = slot.entry.adopt(carried, token, now, unit);
        self.carry_out(request, effect);
        Some(confirmed)
    }

    /// All that the next run would have to know. It may be written down before anybody says what is wanted.
    pub(super) fn kept(&self) -> Vec<KeptAnswer> {
        let (now, snapshot) = (self.clock.now(), self.snapshot.borrow());
        let confirmed =
            |request: &SecretRequest| snapshot.answers.get(request).and_then(|held| held.life.confirmed);
        let kept = |(request, slot): (&SecretRequest, &Slot)| {
            Some(handed::keep(request, slot.entry.carried(now)?, confirmed(request), self.clock))
        };
        self.slots.iter().filter_map(kept).chain(self.handed.untaken(self.clock)).collect()
    }

    /// There is more to tell the next run than before.
    pub(super) fn stir(&self) {
        self.stirred.send_modify(|count| *count += 1);
    }

    /// A refusal of a token that may have the rights of long ago counts against the token first.
    pub(super) fn judged(&mut self, mut failure: Failure, is_renewal: bool) -> Failure {
        let now = self.clock.wall();
        let login = self.current.and_then(|current| current.handed_over);
        let is_outdated = login.is_some_and(|at| now.duration_since(at).is_ok_and(|age| age > OUTDATED));
        if is_outdated && !is_renewal && failure.class == FailureClass::Denied {
            failure.class = FailureClass::InvalidToken;
            self.outgrown = true;
        }
        failure
    }
}

impl Current {
    pub(super) fn of(state: &TokenState, clock: crate::clock::Clock) -> Self {
        let (now, wall) = (clock.now(), clock.wall());
        let login = state.login.as_ref();
        let expires = login.and_then(|login| login.expires);
        let expires =
            expires.map(|end| now + end.duration_since(wall).unwrap_or_default().min(super::LONGEST_SLEEP));
        Self {
            generation: state.generation(),
            expires,
            since: clock.moment(),
            handed_over: login.filter(|login| login.handed_over).map(|login| login.issued),
        }
    }
}

#[cfg(test)]
mod tests;
