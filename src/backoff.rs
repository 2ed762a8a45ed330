//! How long to wait before the next try: after a refused login, a failed fetch or renewal, a lost connection.
//!
//! The crate `backoff` supplies the policy arithmetic only; it stays behind this module, with
//! `max_elapsed_time: None`, because by default it gives up after 15 minutes.

use std::time::Duration;

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff as _};

/// Longest wait between two probes in the first minute of an outage.
const PROBE_CAP_EARLY: Duration = Duration::from_secs(2);
/// Longest wait between two probes after that.
const PROBE_CAP_LATE: Duration = Duration::from_secs(30);
/// How long an outage counts as young: a network that is merely late at start costs at most 2 s.
const PROBE_EARLY: Duration = Duration::from_secs(60);
/// Jitter of probes, either way. The caps above include it.
const PROBE_JITTER: f64 = 0.25;

/// Waits after failed logins: the first is exactly `min`, each further one twice the last, at most `max`, less up
/// to a quarter. A success resets it.
#[derive(Clone, Debug)]
pub struct LoginBackoff {
    min: Duration,
    max: Duration,
    current: Duration,
}

impl LoginBackoff {
    /// Starts at `min` and never exceeds `max`.
    pub const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, current: min }
    }

    /// The next wait; `unit` in [0, 1) places the one after it.
    pub fn next_wait(&mut self, unit: f64) -> Duration {
        let wait = self.current;
        let doubled = self.current.saturating_mul(2).min(self.max);
        self.current = doubled.mul_f64(0.25f64.mul_add(-unit.clamp(0.0, 1.0), 1.0));
        wait
    }

    /// Back to `min`.
    pub const fn reset(&mut self) {
        self.current = self.min;
    }
}

/// Wait before retry `attempt` (from 0) of a fetch: `base`·2ⁿ, at most `cap`, no jitter. The defaults of the
/// original are 250 ms and 60 s, or the method's `min_backoff` and `max_backoff` where set.
pub fn fetch_delay(attempt: u32, base: Duration, cap: Duration) -> Duration {
    2_u32.checked_pow(attempt).and_then(|factor| base.checked_mul(factor)).unwrap_or(cap).min(cap)
}

/// Waits between tries to renew a token or lease while the server fails: 10 s, doubled, ±50 %, at most 5 min.
#[derive(Debug)]
pub struct RenewalBackoff(ExponentialBackoff);

impl Default for RenewalBackoff {
    fn default() -> Self {
        Self(policy(Duration::from_secs(10), Duration::from_secs(300), 0.5))
    }
}

impl RenewalBackoff {
    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        let cap = self.0.max_interval;
        self.0.next_backoff().unwrap_or(cap).min(cap)
    }

    /// Back to the start, after a success.
    pub fn reset(&mut self) {
        self.0.reset();
    }
}

/// Waits between two tries to reach an upstream that can't be reached: about 100 ms, doubled to at most 2 s in the
/// first minute of the outage, then to at most 30 s, with jitter.
#[derive(Debug)]
pub struct ProbeBackoff(ExponentialBackoff);

impl Default for ProbeBackoff {
    fn default() -> Self {
        let cap = without_jitter(PROBE_CAP_EARLY);
        Self(policy(Duration::from_millis(100), cap, PROBE_JITTER))
    }
}

impl ProbeBackoff {
    /// The next wait; `outage` is how long the upstream has been unreachable.
    pub fn next_wait(&mut self, outage: Duration) -> Duration {
        let cap = if outage < PROBE_EARLY { PROBE_CAP_EARLY } else { PROBE_CAP_LATE };
        self.0.max_interval = without_jitter(cap);
        self.0.next_backoff().unwrap_or(cap).min(cap)
    }
}

fn without_jitter(cap: Duration) -> Duration {
    cap.div_f64(1.0 + PROBE_JITTER)
}

fn policy(first: Duration, cap: Duration, jitter: f64) -> ExponentialBackoff {
    ExponentialBackoffBuilder::new()
        .with_initial_interval(first)
        .with_multiplier(2.0)
        .with_randomization_factor(jitter)
        .with_max_interval(cap)
        .with_max_elapsed_time(None)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_login_waits_min_first_then_the_range_of_the_original() {
        let (min, max) = (ms(1_000), ms(300_000));
        for (unit, second, third) in [(0.0, 2_000, 4_000), (1.0, 1_500, 2_250)] {
            let mut backoff = LoginBackoff::new(min, max);
            assert_eq!(backoff.next_wait(unit), min);
            assert_eq!(backoff.next_wait(unit), ms(second));
            assert_eq!(backoff.next_wait(unit), ms(third));
            for _ in 0..200 {
                backoff.next_wait(unit);
            }
            let late = backoff.next_wait(unit);
            assert!(late <= max && late >= max.mul_f64(0.75), "{late:?}");
            backoff.reset();
            assert_eq!(backoff.next_wait(unit), min);
        }
    }

    #[test]
    fn fetch_delays_are_the_sequence_of_the_original() {
        let delays: Vec<u128> = (0..12).map(|n| fetch_delay(n, ms(250), ms(60_000)).as_millis()).collect();
        assert_eq!(
            delays,
            [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000]
        );
        assert_eq!(fetch_delay(u32::MAX, ms(250), ms(60_000)), ms(60_000), "no overflow");
        assert_eq!(fetch_delay(3, ms(250), ms(100)), ms(100), "a cap below the base wins");
    }

    #[test]
    fn renewals_wait_ten_seconds_then_grow_to_five_minutes() {
        let mut backoff = RenewalBackoff::default();
        let first = backoff.next_wait();
        assert!((ms(5_000)..=ms(15_001)).contains(&first), "{first:?}");
        for _ in 0..50 {
            assert!(backoff.next_wait() <= ms(300_000));
        }
        backoff.reset();
        assert!(backoff.next_wait() <= ms(15_001));
    }

    #[test]
    fn probes_cost_two_seconds_at_most_in_the_first_minute_and_thirty_later() {
        let mut backoff = ProbeBackoff::default();
        let first = backoff.next_wait(Duration::ZERO);
        assert!((ms(75)..=ms(126)).contains(&first), "{first:?}");
        let early: Vec<Duration> = (0..40).map(|_| backoff.next_wait(ms(59_000))).collect();
        assert!(early.iter().all(|wait| *wait <= ms(2_000)), "{early:?}");
        assert!(early[10] >= ms(1_199), "it does grow: {early:?}");
        let late: Vec<Duration> = (0..20).map(|_| backoff.next_wait(ms(61_000))).collect();
        assert!(late.iter().all(|wait| *wait <= ms(30_000)), "{late:?}");
        assert!(late[10] >= ms(17_900), "{late:?}");
    }
}
