//! The state behind the gate: whether the server can be reached, and buckets for what is metered. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::ProbeBackoff;

/// Each of those who waited adds this to the time over which they all go on.
const SPREAD_EACH: Duration = Duration::from_millis(20);
/// Longest such time.
const SPREAD_MOST: Duration = Duration::from_secs(2);

/// An outage that begins so soon after the last one is the last one: somebody answers the probe, and yet nobody gets
/// through (a redirect to a dead node, a client certificate that is refused).
const RELAPSE: Duration = Duration::from_secs(60);

/// Whether the server can be reached.
#[derive(Debug, Default)]
pub(super) struct Line {
    outage: Option<Outage>,
    /// A probe is out. It may outlive its outage, when somebody else gets through meanwhile.
    probing: bool,
    /// When the last outage ended, and that outage; forgotten when a request gets through.
    ended: Option<(Instant, Outage)>,
    /// How many wait for the outage to end.
    pub(super) waiting: u32,
    /// Over which time those who waited go on.
    window: Duration,
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    next_probe: Instant,
    /// A request was cut; no probe has said yet whether that is an outage.
    suspected: bool,
    tries: u32,
    backoff: ProbeBackoff,
}

impl Outage {
    fn new(now: Instant) -> Self {
        let backoff = ProbeBackoff::default();
        Self { since: now, next_probe: now, suspected: false, tries: 1, backoff }
    }
}

/// What a request may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Be sent; who waited waits for a random part of `window` more.
    Go {
        /// Over which time those who waited go on.
        window: Duration,
    },
    /// Ask for all whether the server is back, then look again.
    Probe,
    /// Look again then, or when something changes.
    Until(Instant),
    /// Look again when something changes: somebody else asks right now.
    Wait,
}

impl Line {
    pub(super) const fn is_up(&self) -> bool {
        self.outage.is_none()
    }

    pub(super) fn verdict(&mut self, now: Instant) -> Verdict {
        match &self.outage {
            None => Verdict::Go { window: self.window },
            Some(_) if self.probing => Verdict::Wait,
            Some(outage) if now < outage.next_probe => Verdict::Until(outage.next_probe),
            Some(_) => {
                self.probing = true;
                Verdict::Probe
            }
        }
    }

    /// A request found nobody. `Some(wait)`: this begins an outage, the first probe is due after `wait`.
    pub(super) fn lost(&mut self, now: Instant) -> Option<Duration> {
        if let Some(outage) = &mut self.outage {
            let confirmed = std::mem::take(&mut outage.suspected);
            return confirmed.then(|| outage.next_probe.saturating_duration_since(now));
        }
        let relapse = self.ended.take().filter(|(ended, _)| now.duration_since(*ended) < RELAPSE);
        let mut outage = relapse.map_or_else(|| Outage::new(now), |(_, outage)| outage);
        let wait = outage.backoff.next_wait(now.duration_since(outage.since));
        outage.next_probe = now + wait;
        self.outage = Some(outage);
        Some(wait)
    }

    /// A request was sent and its answer never came whole. Whether this begins a suspicion: the first probe, soon,
    /// says whether it is an outage. The request's owner waits by itself before the next try, so a request that is
    /// cut each time, while all others get through, never makes these wait longer.
    pub(super) fn suspect(&mut self, now: Instant) -> bool {
        if self.outage.is_some() {
            return false;
        }
        let mut outage = Outage::new(now);
        outage.next_probe = now + outage.backoff.next_wait(Duration::ZERO);
        outage.suspected = true;
        self.outage = Some(outage);
        true
    }

    /// A probe found nobody: how many tries there were, the wait until the next, and how long it has lasted.
    pub(super) fn lost_again(&mut self, now: Instant) -> (u32, Duration, Duration) {
        let Some(outage) = &mut self.outage else {
            // Another request got through meanwhile; believe the newer news.
            let wait = self.lost(now).unwrap_or_default();
            return (1, wait, Duration::ZERO);
        };
        let lasted = now.duration_since(outage.since);
        let wait = outage.backoff.next_wait(lasted);
        outage.suspected = false;
        outage.tries = outage.tries.saturating_add(1);
        outage.next_probe = now + wait;
        (outage.tries, wait, lasted)
    }

    /// Somebody got an answer. `Some(time)`: this ends an outage that lasted so long.
    pub(super) fn found(&mut self, now: Instant) -> Option<Duration> {
        let Some(outage) = self.outage.take() else {
            self.ended = None;
            return None;
        };
        let lasted = now.duration_since(outage.since);
        if outage.suspected {
            self.window = Duration::ZERO;
            return None;
        }
        self.window = SPREAD_EACH.saturating_mul(self.waiting.saturating_sub(1)).min(SPREAD_MOST);
        self.ended = Some((now, outage));
        Some(lasted)
    }

    /// The probe has its answer, or who was to probe is gone; the next one is somebody's again.
    pub(super) const fn probed(&mut self) {
        self.probing = false;
    }
}

/// A token bucket that lets people reserve: the level may go below zero, and who takes then waits.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: f64,
    burst: f64,
    level: f64,
    at: Instant,
}

impl Bucket {
    /// `rate` per second, `burst` at once; nonsense counts as one.
    pub(super) fn new(rate: f64, burst: u32, now: Instant) -> Self {
        let rate = if rate.is_finite() && rate > 0.0 { rate } else { 1.0 };
        let burst = f64::from(burst.max(1));
        Self { rate, burst, level: burst, at: now }
    }

    /// Takes one; how long to wait until it is there.
    pub(super) fn take(&mut self, now: Instant) -> Duration {
        let passed = now.duration_since(self.at).as_secs_f64();
        self.level = passed.mul_add(self.rate, self.level).min(self.burst) - 1.0;
        self.at = now;
        if self.level >= 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(-self.level / self.rate)
            .unwrap_or(Duration::MAX)
            .min(Duration::from_secs(3600))
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    #[expect(clippy::disallowed_methods, reason = "a test's own start")]
    async fn one_probes_while_the_others_wait() {
        let start = Instant::now();
        let mut line = Line::default();
        assert_eq!(line.verdict(start), Verdict::Go { window: Duration::ZERO });
        let wait = line.lost(start).unwrap();
        assert!(line.lost(start).is_none(), "a second loss adds nothing");
        assert_eq!(line.verdict(start), Verdict::Until(start + wait));
        let due = start + wait;
        assert_eq!(line.verdict(due), Verdict::Probe);
        assert_eq!(line.verdict(due), Verdict::Wait);
        line.probed();
        assert_eq!(line.verdict(due), Verdict::Probe, "the next one takes over");
        line.probed();
        let (tries, wait, lasted) = line.lost_again(due);
        assert_eq!((tries, lasted), (2, due - start));
        assert_eq!(line.verdict(due), Verdict::Until(due + wait));
        line.probed();
        line.waiting = 1000;
        assert_eq!(line.found(due), Some(due - start));
        assert_eq!(line.verdict(due), Verdict::Go { window: SPREAD_MOST });
        assert_eq!(line.found(due), None);
    }

    #[tokio::test(start_paused = true)]
    #[expect(clippy::disallowed_methods, reason = "a test's own start")]
    async fn an_outage_that_only_the_probe_calls_over_grows_its_waits() {
        let mut now = Instant::now();
        let mut line = Line::default();
        let mut waits = Vec::new();
        for _ in 0..12 {
            let wait = line.lost(now).unwrap();
            waits.push(wait);
            now += wait;
            assert_eq!(line.verdict(now), Verdict::Probe);
            line.probed();
            line.found(now);
        }
        assert!(waits[11] > Duration::from_secs(1), "{waits:?}");
        line.found(now);
        assert!(
            line.lost(now).unwrap() < Duration::from_millis(200),
            "a request got through: all is forgotten"
        );
    }

    #[tokio::test(start_paused = true)]
    #[expect(clippy::disallowed_methods, reason = "a test's own start")]
    async fn a_request_that_is_cut_each_time_never_makes_others_wait_longer() {
        let mut now = Instant::now();
        let mut line = Line::default();
        for _ in 0..20 {
            assert!(line.suspect(now));
            assert!(!line.suspect(now), "one suspicion at a time");
            let Verdict::Until(due) = line.verdict(now) else { panic!("others wait for the probe") };
            assert!(due - now < Duration::from_millis(200), "{:?}", due - now);
            now = due;
            assert_eq!(line.verdict(now), Verdict::Probe);
            line.probed();
            assert_eq!(line.found(now), None, "it was no outage");
            assert_eq!(line.verdict(now), Verdict::Go { window: Duration::ZERO });
        }
        line.suspect(now);
        assert!(line.lost(now).is_some(), "somebody finds nobody: an outage it is");
        assert!(line.lost(now).is_none());
        assert!(line.found(now).is_some());
    }

    #[tokio::test(start_paused = true)]
    #[expect(clippy::disallowed_methods, reason = "a test's own start")]
    async fn a_bucket_gives_its_burst_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2.0, 3, start);
        let waits: Vec<u128> = (0..5).map(|_| bucket.take(start).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 500, 1000]);
        let later = start + Duration::from_secs(60);
        assert_eq!(bucket.take(later), Duration::ZERO);
        for nonsense in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let mut bucket = Bucket::new(nonsense, 0, start);
            bucket.take(start);
            assert_eq!(bucket.take(start), Duration::from_secs(1), "{nonsense}");
        }
    }
}
