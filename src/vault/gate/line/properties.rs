//! Whatever happens, in any order and at any time, the line before the server keeps its promises.

use proptest::prelude::*;

use super::*;
use crate::clock::Clock;

#[derive(Clone, Copy, Debug)]
enum Act {
    /// Somebody wants to send a request; it may wait.
    Ask,
    /// A request that was sent finds nobody, is cut, or gets an answer.
    Lost,
    Cut,
    Answered,
    /// The probe that is out ends: it finds nobody, somebody, or is dropped.
    ProbeLost,
    ProbeFound,
    ProbeDropped,
    /// Time passes, in milliseconds.
    Pass(u32),
    /// Time passes until the next probe is due.
    UntilDue,
    Waiting(u32),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Ask),
        2 => Just(Act::Lost),
        1 => Just(Act::Cut),
        2 => Just(Act::Answered),
        3 => Just(Act::ProbeLost),
        1 => Just(Act::ProbeFound),
        1 => Just(Act::ProbeDropped),
        1 => (0..100_000_u32).prop_map(Act::Pass),
        4 => Just(Act::UntilDue),
        1 => (0..500_u32).prop_map(Act::Waiting),
    ]
}

/// A line and what must be true of it.
struct Watched {
    line: Line,
    now: Instant,
    /// A probe is out.
    probing: bool,
    /// No probe before this.
    not_before: Option<Instant>,
}

type Judgement = Result<(), TestCaseError>;

/// The shortest and the longest pause between probes.
const LEAST: Duration = Duration::from_millis(75);
const MOST: Duration = Duration::from_secs(30);

impl Watched {
    fn ask(&mut self) -> Judgement {
        let was_up = self.line.is_up();
        match self.line.verdict(self.now) {
            Verdict::Go { window } => prop_assert!(was_up && window <= SPREAD_MOST),
            Verdict::Probe => {
                prop_assert!(!was_up);
                prop_assert!(!self.probing, "a second probe while one is out");
                prop_assert!(self.not_before.is_none_or(|at| self.now >= at), "probed before its time");
                self.probing = true;
            }
            Verdict::Until(at) => {
                prop_assert!(!was_up && at > self.now, "a timer in the past");
                prop_assert!(at <= self.now + MOST, "nobody asks for {:?}", at - self.now);
            }
            Verdict::Wait => prop_assert!(!was_up && self.probing, "waits, and nobody asks"),
        }
        Ok(())
    }

    fn pause(&mut self, wait: Duration) -> Judgement {
        prop_assert!((LEAST..=MOST).contains(&wait), "{wait:?}");
        self.not_before = Some(self.now + wait);
        Ok(())
    }

    /// The task with the probe has its answer, or is gone: it says so first in any case.
    fn probed(&mut self) -> bool {
        self.line.probed();
        std::mem::take(&mut self.probing)
    }

    fn play(&mut self, act: Act) -> Judgement {
        match act {
            Act::Ask => self.ask()?,
            Act::Lost => {
                let was_up = self.line.is_up();
                let begins = self.line.lost(self.now);
                prop_assert!(!self.line.is_up(), "somebody found nobody, and all go on");
                // A suspicion that turns out to be an outage keeps the time of its probe.
                if let Some(wait) = begins.filter(|_| was_up) {
                    self.pause(wait)?;
                }
            }
            Act::Cut => {
                if self.line.suspect(self.now) {
                    self.not_before = Some(self.now + LEAST);
                }
                prop_assert!(!self.line.is_up());
            }
            Act::Answered => {
                self.line.found(self.now);
                self.not_before = None;
                prop_assert!(self.line.is_up());
            }
            Act::ProbeLost if self.probing => {
                self.probed();
                let (tries, wait, _) = self.line.lost_again(self.now);
                prop_assert!(tries > 0);
                if !wait.is_zero() {
                    self.pause(wait)?;
                }
                prop_assert!(!self.line.is_up());
            }
            Act::ProbeFound if self.probing => {
                self.probed();
                self.line.found(self.now);
                self.not_before = None;
                prop_assert!(self.line.is_up());
            }
            Act::ProbeDropped => {
                if self.probed() && !self.line.is_up() {
                    // The next one takes over at once if it is time.
                    self.ask()?;
                }
            }
            Act::ProbeLost | Act::ProbeFound => {}
            Act::Pass(millis) => self.now += Duration::from_millis(millis.into()),
            Act::UntilDue => {
                if let Some(at) = self.not_before {
                    self.now = self.now.max(at);
                }
            }
            Act::Waiting(count) => self.line.waiting = count,
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn any_order_of_events_at_any_time_keeps_the_lines_promises(acts in prop::collection::vec(act(), 1..120)) {
        let (line, now) = (Line::default(), Clock::system().now());
        let mut watched = Watched { line, now, probing: false, not_before: None };
        for act in acts {
            watched.play(act)?;
        }
    }

    /// In any stretch of time, at most the burst and what the rate adds.
    #[test]
    fn a_bucket_never_gives_more_than_its_rate(
        rate in 0.1..50.0_f64, burst in 1..20_u32, pauses in prop::collection::vec(0..3_000_u64, 1..80)
    ) {
        let start = Clock::system().now();
        let (mut bucket, mut now, mut given) = (Bucket::new(rate, burst, start), start, Vec::new());
        for pause in pauses {
            now += Duration::from_millis(pause);
            given.push((now + bucket.take(now) - start).as_secs_f64());
        }
        for (index, from) in given.iter().enumerate() {
            for (more, to) in given[index..].iter().enumerate() {
                let most = f64::from(burst) + (to - from) * rate + 1e-3;
                prop_assert!((more + 1) as f64 <= most.max(1.0) + 1e-6, "{} in {} s", more + 1, to - from);
            }
        }
        prop_assert!(given.windows(2).all(|pair| pair[0] <= pair[1] + 1e-6), "nobody overtakes");
    }
}
