//! Whatever happens, in any order and at any time, an entry keeps its promises.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    chance::Chance,
    clock::Clock,
    secrets::schedule::{RETRY_BASE, RETRY_CAP, Settings},
    vault::lifetime::{FLOOR, Rules},
};

/// Retries before the slow ones begin.
const RETRIES: u32 = 3;

#[derive(Clone, Debug)]
enum Act {
    /// A token comes; whether the one before is dead, and in how many seconds its leases end.
    Token {
        dead: bool,
        old_ends: Option<u16>,
    },
    /// An answer: its lease, whether that can be renewed, whether it is one at all.
    Good {
        lease: i64,
        renewable: bool,
        leased: bool,
    },
    /// A static role in the middle of its rotation.
    Rotating,
    /// A failure, with the seconds that the server asked to wait.
    Bad(FailureClass, Option<u16>),
    /// Time passes up to the wish to be woken, or a share of it, or beyond; then the entry is woken.
    Wake(f64),
    /// Time passes and nobody wakes it.
    Pass(u32),
    Refresh,
    /// Other refresh rules: an interval in seconds, a threshold.
    Rules(u64, f64),
    /// Seconds that the monotonic clock doesn't know of.
    Missed(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let class = prop::sample::select(vec![
        FailureClass::Denied,
        FailureClass::InvalidToken,
        FailureClass::Missing,
        FailureClass::Refused,
        FailureClass::Busy,
        FailureClass::Unreachable,
    ]);
    let lease = prop_oneof![0_i64..20, 20_i64..100_000, Just(i64::MAX), Just(-5)];
    let token = (any::<bool>(), prop::option::of(any::<u16>()));
    prop_oneof![
        1 => token.prop_map(|(dead, old_ends)| Act::Token { dead, old_ends }),
        3 => (lease, any::<bool>(), any::<bool>())
            .prop_map(|(lease, renewable, leased)| Act::Good { lease, renewable, leased }),
        1 => Just(Act::Rotating),
        4 => (class, prop::option::weighted(0.2, any::<u16>())).prop_map(|(class, wait)| Act::Bad(class, wait)),
        5 => prop_oneof![Just(1.0), 0.0..2.0_f64].prop_map(Act::Wake),
        1 => (0..200_000_u32).prop_map(Act::Pass),
        1 => Just(Act::Refresh),
        1 => (0..1000_u64, 0.0..1.1_f64).prop_map(|(interval, threshold)| Act::Rules(interval, threshold)),
        1 => (0..200_000_u64).prop_map(Act::Missed),
    ]
}

fn secret(data: &str, lease: i64, renewable: bool, leased: bool) -> Secret {
    let lease_id = if leased { "database/creds/app/1" } else { "" };
    Secret {
        lease_id: lease_id.into(),
        lease_duration: lease,
        renewable,
        data: crate::vault::value::Value::from_json(data).ok(),
        ..Secret::default()
    }
}

/// An entry and what must be true of it.
struct Watched {
    entry: Entry,
    settings: Settings,
    now: Instant,
    generation: u64,
    /// The request that is out.
    out: Option<Next>,
    /// The last usable answer.
    good: Option<Arc<Secret>>,
    /// Nobody but a token, a refresh or a request that was promised may ask before this.
    not_before: Instant,
}

type Outcome = Result<(), TestCaseError>;

impl Watched {
    fn new() -> Self {
        let now = Clock::system().now();
        let rules = Rules {
            static_interval: Duration::from_secs(300),
            static_interval_is_set: false,
            threshold: 0.9,
        };
        let settings =
            Settings { rules, retry_base: RETRY_BASE, retry_cap: RETRY_CAP, retries: Some(RETRIES) };
        let entry = Entry::new();
        Self { entry, settings, now, generation: 0, out: None, good: None, not_before: now }
    }

    fn feed(&mut self, event: EntryEvent, dice: &Chance) -> Effect {
        let mut policy = Policy::new(&self.settings, Clock::system(), dice);
        policy.now = self.now;
        self.entry.on(event, &Verb::Read, &mut policy)
    }

    fn play(&mut self, act: &Act, dice: &Chance) -> Outcome {
        match act {
            Act::Token { dead, old_ends } => {
                self.generation += 1;
                let old_expires = old_ends.map(|seconds| self.now + Duration::from_secs(seconds.into()));
                let was_parked = self.out.is_none() && self.entry.next_at().is_none();
                let event = EntryEvent::Token { generation: self.generation, dead: *dead, old_expires };
                let effect = self.feed(event, dice);
                prop_assert!(
                    !was_parked || matches!(effect, Effect::Fetch { .. }),
                    "a token starts it: {effect:?}"
                );
                self.took(&effect)
            }
            Act::Good { lease, renewable, leased } => {
                self.answered(secret("{\"a\":\"b\"}", *lease, *renewable, *leased), dice)
            }
            Act::Rotating => {
                self.answered(secret("{\"rotation_period\":60,\"ttl\":0}", 0, false, false), dice)
            }
            Act::Bad(class, wait) => self.failed(*class, *wait, dice),
            Act::Wake(share) => self.wake(*share, dice),
            Act::Pass(millis) => {
                self.now += Duration::from_millis((*millis).into());
                Ok(())
            }
            Act::Refresh => {
                let effect = self.feed(EntryEvent::Refresh, dice);
                self.took(&effect)
            }
            Act::Rules(interval, threshold) => {
                self.settings.rules.static_interval = Duration::from_secs(*interval);
                self.settings.rules.threshold = *threshold;
                let before = self.entry.next_at();
                let effect = self.feed(EntryEvent::Rules, dice);
                prop_assert!(self.entry.next_at() <= before, "rules put nothing off");
                self.took(&effect)
            }
            Act::Missed(seconds) => self.miss(Duration::from_secs(*seconds), dice),
        }
    }

    fn answered(&mut self, secret: Secret, dice: &Chance) -> Outcome {
        let Some(out) = self.out.take() else { return Ok(()) };
        let rotates = secret.data.as_ref().is_some_and(|data| data.get("rotation_period").is_some());
        let secret = Arc::new(secret);
        if out == Next::Fetch && !rotates {
            self.good = Some(secret.clone());
        }
        let tries = self.entry.tries() + 1;
        self.not_before = match (out, rotates) {
            (Next::Fetch, true) => self.now + least_wait(tries, FailureClass::Busy),
            (Next::Fetch, false) => self.now + FLOOR,
            (Next::Renew, _) => self.now,
        };
        let answer = Answer { secret, kind: Kind::Other, token: self.generation };
        let effect = self.feed(EntryEvent::Answered(Ok(answer)), dice);
        self.took(&effect)
    }

    fn failed(&mut self, class: FailureClass, wait: Option<u16>, dice: &Chance) -> Outcome {
        let Some(out) = self.out.take() else { return Ok(()) };
        let retry_after = wait.map(|seconds| Duration::from_secs(seconds.into()));
        let tries = self.entry.tries() + 1;
        self.not_before = match out {
            Next::Renew => self.now,
            Next::Fetch if class == FailureClass::InvalidToken => self.now,
            Next::Fetch => self.now + least_wait(tries, class).max(retry_after.unwrap_or_default()),
        };
        let failure = Failure { class, message: "no".into(), retry_after };
        let effect = self.feed(EntryEvent::Answered(Err(failure)), dice);
        self.took(&effect)
    }

    /// Too early, it asks to be woken at the same time again; in time, exactly one request follows.
    fn wake(&mut self, share: f64, dice: &Chance) -> Outcome {
        let Some(at) = self.entry.next_at() else {
            let effect = self.feed(EntryEvent::Due, dice);
            prop_assert_eq!(effect, Effect::Nothing, "nobody asked to be woken");
            return Ok(());
        };
        self.now += at.saturating_duration_since(self.now).mul_f64(share);
        if (share - 1.0).abs() < f64::EPSILON {
            self.now = self.now.max(at);
        }
        let effect = self.feed(EntryEvent::Due, dice);
        if self.now < at {
            prop_assert_eq!(effect, Effect::Sleep(at));
            return Ok(());
        }
        prop_assert!(
            matches!(effect, Effect::Fetch { .. } | Effect::Renew(_)),
            "one due time, one request: {effect:?}"
        );
        let early = self.not_before.saturating_duration_since(self.now);
        prop_assert!(early.is_zero(), "asked {early:?} before its backoff is over");
        self.took(&effect)?;
        let again = self.feed(EntryEvent::Due, dice);
        prop_assert_eq!(again, Effect::Nothing, "one due time, one wake-up");
        Ok(())
    }

    /// All times come as much sooner, never later, and what is over is asked for.
    fn miss(&mut self, missed: Duration, dice: &Chance) -> Outcome {
        let before = (self.entry.next_at(), self.entry.lease_ends());
        self.not_before -= missed;
        let effect = self.feed(EntryEvent::Missed(missed), dice);
        if let (Some(at), Some(then)) = (before.0, self.entry.next_at()) {
            prop_assert_eq!(then, at - missed);
        }
        if let (Some(end), Some(then)) = (before.1, self.entry.lease_ends()) {
            prop_assert_eq!(then, end - missed);
            prop_assert!(then > self.now || self.entry.next_at().is_none(), "sleeps beyond the end");
        }
        self.took(&effect)
    }

    fn took(&mut self, effect: &Effect) -> Outcome {
        match effect {
            Effect::Fetch { .. } | Effect::Renew(_) => {
                prop_assert!(self.out.is_none(), "a second request while one is out");
                prop_assert!(self.generation > 0, "a request without a token");
                self.out =
                    Some(if matches!(effect, Effect::Fetch { .. }) { Next::Fetch } else { Next::Renew });
            }
            Effect::Sleep(until) => {
                prop_assert!(self.out.is_none(), "sleeps while a request is out");
                prop_assert!(*until > self.now, "a timer in the past");
                prop_assert_eq!(self.entry.next_at(), Some(*until));
            }
            Effect::Park { .. } => prop_assert!(self.out.is_none()),
            Effect::Nothing => {}
        }
        let same = match (self.entry.good(), &self.good) {
            (Some(kept), Some(last)) => Arc::ptr_eq(kept, last),
            (None, None) => true,
            _ => false,
        };
        prop_assert!(same, "the last good answer is lost, or another is kept");
        Ok(())
    }
}

/// The least that has to lie between a failed fetch, the `tries`th in a row, and the next.
fn least_wait(tries: u32, class: FailureClass) -> Duration {
    let wait = if tries <= RETRIES { RETRY_BASE * 2_u32.pow(tries - 1) } else { Duration::from_secs(45) };
    // A server that can't be reached is asked every 30 s, with a quarter of jitter.
    if class == FailureClass::Unreachable { wait.min(Duration::from_millis(22_500)) } else { wait }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn any_order_of_events_at_any_time_keeps_an_entrys_promises(
        acts in prop::collection::vec((act(), 0.0..1.0_f64), 1..80)
    ) {
        let mut watched = Watched::new();
        for (act, unit) in acts {
            watched.play(&act, &Chance::fixed(unit))?;
        }
    }
}
