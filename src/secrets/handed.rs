//! Answers of an earlier run, by the requests that they belong to, and ours for the run after this one.

use std::{collections::HashMap, time::SystemTime};

use tokio::time::Instant;

use super::{
    entry::Carried,
    request::{AuthId, SecretRequest, Verb},
};
use crate::{
    cache::{KeptAnswer, KeptVerb},
    clock::Clock,
};

/// What an earlier run left, until somebody asks for it.
#[derive(Debug, Default)]
pub struct Handed(HashMap<SecretRequest, KeptAnswer>);

impl Handed {
    /// The answers of an earlier run.
    pub fn new(answers: Vec<KeptAnswer>) -> Self {
        Self(answers.into_iter().map(|answer| (request(&answer), answer)).collect())
    }

    /// What nobody has asked for yet, as long as it is good: a template may come to it in a later pass only.
    pub(super) fn untaken(&self, clock: Clock) -> impl Iterator<Item = KeptAnswer> {
        let now = clock.wall();
        let is_good = move |answer: &&KeptAnswer| answer.lease.map_or(answer.due, |(_, ends)| ends) > now;
        self.0.values().filter(is_good).cloned()
    }

    /// The answer to a request, unless its lease is over, and when the server last confirmed it. It is given once.
    pub(super) fn take(
        &mut self,
        request: &SecretRequest,
        clock: Clock,
    ) -> Option<(Carried, Option<SystemTime>)> {
        let kept = self.0.remove(request)?;
        let times = Times::now(clock);
        if kept.lease.is_some_and(|(_, ends)| ends <= times.wall) {
            return None;
        }
        let carried = Carried {
            secret: kept.secret,
            lease: kept.lease.map(|(since, ends)| (times.instant(since), times.instant(ends))),
            due: times.instant(kept.due),
            renew: kept.renew,
        };
        Some((carried, kept.confirmed))
    }
}

/// The answer as the next run can read it; `confirmed`: when the server last answered well.
pub(super) fn keep(
    request: &SecretRequest,
    held: Carried,
    confirmed: Option<SystemTime>,
    clock: Clock,
) -> KeptAnswer {
    let times = Times::now(clock);
    KeptAnswer {
        verb: match &request.verb {
            Verb::Read => KeptVerb::Read,
            Verb::List => KeptVerb::List,
            Verb::Write(fields) => KeptVerb::Write(fields.clone()),
            Verb::Issue(fields) => KeptVerb::Issue(fields.clone()),
        },
        namespace: request.namespace.clone(),
        path: request.path.clone(),
        params: request.params.clone(),
        secret: held.secret,
        confirmed,
        lease: held.lease.map(|(since, ends)| (times.wall(since), times.wall(ends))),
        due: times.wall(held.due),
        renew: held.renew,
    }
}

fn request(answer: &KeptAnswer) -> SecretRequest {
    SecretRequest {
        auth: AuthId::default(),
        namespace: answer.namespace.clone(),
        verb: match &answer.verb {
            KeptVerb::Read => Verb::Read,
            KeptVerb::List => Verb::List,
            KeptVerb::Write(fields) => Verb::Write(fields.clone()),
            KeptVerb::Issue(fields) => Verb::Issue(fields.clone()),
        },
        path: answer.path.clone(),
        params: answer.params.clone(),
    }
}

/// Both clocks at one moment.
struct Times {
    now: Instant,
    wall: SystemTime,
}

impl Times {
    fn now(clock: Clock) -> Self {
        Self { now: clock.now(), wall: clock.wall() }
    }

    /// A wall time as an instant. One before the machine was started counts as now.
    fn instant(&self, wall: SystemTime) -> Instant {
        match wall.duration_since(self.wall) {
            Ok(ahead) => self.now + ahead.min(super::schedule::LONGEST_SLEEP),
            Err(error) => self.now.checked_sub(error.duration()).unwrap_or(self.now),
        }
    }

    fn wall(&self, instant: Instant) -> SystemTime {
        match instant.checked_duration_since(self.now) {
            Some(ahead) => self.wall + ahead,
            None => self.wall.checked_sub(self.now - instant).unwrap_or(SystemTime::UNIX_EPOCH),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::vault::path::VaultPath;

    fn asked(path: &str) -> SecretRequest {
        let (path, params) = VaultPath::parse(path).unwrap();
        SecretRequest { auth: AuthId::default(), namespace: None, verb: Verb::Read, path, params }
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[tokio::test(start_paused = true)]
    async fn times_survive_the_way_over_the_wall_clock() {
        let clock = Clock::starting_at(SystemTime::UNIX_EPOCH + seconds(1_000_000));
        tokio::time::advance(seconds(100)).await;
        let now = clock.now();
        let held = Carried {
            secret: Arc::default(),
            lease: Some((now - seconds(10), now + seconds(50))),
            due: now + seconds(20),
            renew: true,
        };
        let kept = keep(&asked("kv/a?version=2"), held.clone(), Some(clock.wall()), clock);
        let confirmed = Some(clock.wall());
        tokio::time::advance(seconds(5)).await;
        let mut handed = Handed::new(vec![kept]);
        assert_eq!(handed.take(&asked("kv/a"), clock), None, "the version is part of the request");
        assert_eq!(handed.take(&asked("kv/a?version=2"), clock), Some((held, confirmed)));
        assert_eq!(handed.take(&asked("kv/a?version=2"), clock), None, "given once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_over_is_not_handed_over_and_an_old_due_time_is_now() {
        let clock = Clock::starting_at(SystemTime::UNIX_EPOCH + seconds(1_000_000));
        tokio::time::advance(seconds(10)).await;
        let now = clock.now();
        let held = |lease, due| Carried { secret: Arc::default(), lease, due, renew: false };
        let kept = vec![
            keep(&asked("kv/over"), held(Some((now, now + seconds(5))), now + seconds(4)), None, clock),
            keep(&asked("kv/static"), held(None, now + seconds(5)), None, clock),
        ];
        tokio::time::advance(seconds(5)).await;
        let mut handed = Handed::new(kept);
        assert_eq!(handed.take(&asked("kv/over"), clock), None);
        let (found, _) = handed.take(&asked("kv/static"), clock).unwrap();
        assert!(found.due <= clock.now() && found.lease.is_none());
    }
}
