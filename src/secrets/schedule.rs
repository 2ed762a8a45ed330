//! The rules of `vault::lifetime` and `backoff` with this agent's settings, its chance and the time of one event.

use std::time::Duration;

use tokio::time::Instant;

use super::{entry::FailureClass, pki, request::Verb};
use crate::{
    backoff::fetch_delay,
    chance::Chance,
    clock::Clock,
    vault::{
        lifetime::{self, FLOOR, Kind, Refresh, Rules},
        secret::Secret,
    },
};

/// First delay after a failed fetch, when the method's `min_backoff` says no other.
pub const RETRY_BASE: Duration = Duration::from_millis(250);
/// Longest delay while retries last, when the method's `max_backoff` says no other.
pub const RETRY_CAP: Duration = Duration::from_secs(60);
/// Once the configured retries are used up, a request is tried this often at the most …
const SLOW_RETRY: Duration = Duration::from_secs(60);
/// … and this rarely at the least.
const SLOWEST_RETRY: Duration = Duration::from_secs(300);
/// Longest delay while no answer comes at all: the server may be back any moment.
const SLOWEST_WITHOUT_ANSWER: Duration = Duration::from_secs(30);
/// tokio's timers end about two years ahead; a longer sleep is simply asked for again.
pub const LONGEST_SLEEP: Duration = Duration::from_secs(30 * 24 * 3600);

/// Settings of all requests.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Refresh rules.
    pub rules: Rules,
    /// First delay after a failed fetch. Default 250 ms.
    pub retry_base: Duration,
    /// Longest delay while retries last. Default 60 s.
    pub retry_cap: Duration,
    /// Retries before a request counts as failed; `None`: none.
    pub retries: Option<u32>,
}

/// The settings at the moment of one event.
#[derive(Debug)]
pub struct Policy<'a> {
    /// Monotonic time of the event.
    pub now: Instant,
    settings: &'a Settings,
    rules: Rules,
    wall: u64,
    chance: &'a Chance,
}

impl<'a> Policy<'a> {
    /// The policy for an event that happens now.
    pub fn new(settings: &'a Settings, clock: Clock, chance: &'a Chance) -> Self {
        Self { now: clock.now(), settings, rules: settings.rules, wall: clock.unix_seconds(), chance }
    }

    /// With other refresh rules than those of the run.
    pub fn by(self, own: Option<Rules>) -> Self {
        Self { rules: own.unwrap_or(self.rules), ..self }
    }

    /// The policy as it was so long ago, with the rules of now.
    #[must_use]
    pub fn ago(&self, passed: Duration) -> Self {
        Self {
            now: self.now.checked_sub(passed).unwrap_or(self.now),
            wall: self.wall.saturating_sub(passed.as_secs()),
            ..*self
        }
    }

    /// The refresh rule for an answer.
    pub fn refresh(&mut self, secret: &Secret, verb: &Verb, kind: Kind) -> Refresh {
        if matches!(verb, Verb::Issue(_)) {
            return self.reissue(secret).map_or(Refresh::Retry, Refresh::Reread);
        }
        let kind = if matches!(verb, Verb::List) { Kind::List } else { kind };
        lifetime::refresh(secret, kind, &self.rules, self.wall, self.chance.unit())
    }

    /// When a certificate is replaced; `None` when it should have been already.
    fn reissue(&self, secret: &Secret) -> Option<Duration> {
        let (from, to) = pki::validity(secret)?;
        lifetime::certificate_refresh(from, to, self.rules.threshold, self.wall, self.chance.unit())
    }

    /// Why an answer that [`Policy::refresh`] wants retried can't be used, for the user.
    pub fn refusal(&self, secret: &Secret, verb: &Verb) -> String {
        if !matches!(verb, Verb::Issue(_)) {
            return "the server is rotating this secret just now".to_owned();
        }
        let Some((from, to)) = pki::validity(secret) else {
            return "the answer holds no certificate".to_owned();
        };
        format!(
            "the server issued a certificate that needs replacing already: {} of its {} s are over (a longer ttl, \
             or the clocks here and at the server, may be what is wrong)",
            share(self.wall.saturating_sub(from), to.saturating_sub(from)),
            to.saturating_sub(from)
        )
    }

    /// Delay before the next try after `tries` failures in a row. The original's sequence while retries last,
    /// slow and spread afterwards; never slower than every 30 s while there is no answer at all.
    pub fn retry_delay(&mut self, tries: u32, class: FailureClass) -> Duration {
        let delay = self.answered_delay(tries);
        if class != FailureClass::Unreachable {
            return delay;
        }
        delay.min(SLOWEST_WITHOUT_ANSWER.mul_f64(0.25f64.mul_add(-self.chance.unit(), 1.0)))
    }

    fn answered_delay(&mut self, tries: u32) -> Duration {
        let retries = self.settings.retries.unwrap_or(0);
        if tries <= retries {
            return fetch_delay(tries.saturating_sub(1), self.settings.retry_base, self.settings.retry_cap);
        }
        let doublings = (tries - retries - 1).min(8);
        let delay = SLOW_RETRY.saturating_mul(1 << doublings).min(SLOWEST_RETRY);
        delay.mul_f64(0.5f64.mul_add(self.chance.unit(), 0.75))
    }

    /// A moment before `end`, spread over the last half of the time until then.
    pub fn spread_before(&mut self, end: Instant) -> Instant {
        let left = end.saturating_duration_since(self.now);
        self.now + left.mul_f64(0.4f64.mul_add(self.chance.unit(), 0.5)).max(FLOOR)
    }

    /// When to read something anew that lives for `lifetime` and can't be renewed.
    pub fn share_of(&mut self, lifetime: Duration) -> Duration {
        lifetime::share(lifetime, self.rules.threshold, self.chance.unit())
    }

    /// A number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        self.chance.unit()
    }
}

fn share(part: u64, whole: u64) -> String {
    if part >= whole { "all".to_owned() } else { format!("{} %", part.saturating_mul(100) / whole) }
}
