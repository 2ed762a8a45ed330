//! Whatever happens, in any order and at any time, logins and renewals keep their promises.

use proptest::prelude::*;

use super::*;
use crate::clock::Clock;

#[derive(Clone, Copy, Debug)]
enum Act {
    /// What was due is done, this late, and ends like this.
    Due {
        late: u32,
        outcome: Outcome,
    },
    /// Time passes, at most until the next step.
    Pass(f64),
    /// Somebody was told that a token is invalid; whether it was the one in use.
    Refused {
        current: bool,
        /// It lives, and is only to be replaced.
        outgrown: bool,
    },
    NewCredentials,
}

/// How a login or a renewal ends; what fits the step that is due counts.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    login: Result<Grant, LoginFailure>,
    renewal: Result<(u64, bool), RenewalFailure>,
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let seconds = || prop_oneof![1 => Just(0), 1 => 1..10_u64, 5 => 10..100_000_u64];
    let later = || prop::option::of(seconds()).prop_map(|wait| wait.map(Duration::from_secs));
    let grant = prop_oneof![
        6 => (seconds(), any::<bool>())
            .prop_map(|(ttl, renewable)| Grant::Token { ttl: Duration::from_secs(ttl), renewable }),
        1 => Just(Grant::Ending),
    ];
    let refused = prop_oneof![
        Just(LoginFailure::NoCredential),
        Just(LoginFailure::Unreachable),
        Just(LoginFailure::Cut),
        later().prop_map(LoginFailure::Later),
        Just(LoginFailure::Refused),
    ];
    let login = prop_oneof![2 => grant.prop_map(Ok), 1 => refused.prop_map(Err)];
    let failed = prop_oneof![
        3 => Just(RenewalFailure::Denied),
        1 => Just(RenewalFailure::InvalidToken),
        1 => Just(RenewalFailure::Over),
        3 => later().prop_map(RenewalFailure::Later),
    ];
    let renewal = prop_oneof![(seconds(), any::<bool>()).prop_map(Ok), failed.prop_map(Err)];
    (login, renewal).prop_map(|(login, renewal)| Outcome { login, renewal })
}

fn act() -> impl Strategy<Value = Act> {
    let late = prop_oneof![4 => Just(0), 1 => 0..10_000_u32];
    prop_oneof![
        8 => (late, outcome()).prop_map(|(late, outcome)| Act::Due { late, outcome }),
        2 => (0.0..1.0_f64).prop_map(Act::Pass),
        2 => any::<(bool, bool)>().prop_map(|(current, outgrown)| Act::Refused { current, outgrown }),
        1 => Just(Act::NewCredentials),
    ]
}

fn rules() -> impl Strategy<Value = Rules> {
    (1..5_u64, 5..400_u64, any::<bool>(), any::<bool>()).prop_map(|(min, max, exit, reauth)| Rules {
        min_backoff: Duration::from_secs(min),
        max_backoff: Duration::from_secs(max),
        exit_on_err: exit,
        reauth_on_new_credentials: reauth,
    })
}

/// A machine and what must be true of it.
struct Watched {
    machine: Machine,
    rules: Rules,
    now: Instant,
    generation: u64,
    /// When the token in use ends, if there is one that does.
    ends: Option<Instant>,
    /// No request before this, unless something else happens meanwhile; a living token may be renewed while a login
    /// waits.
    not_before: Instant,
    ended: bool,
}

type Judgement = Result<(), TestCaseError>;

impl Watched {
    fn new(rules: Rules) -> Self {
        let now = Clock::system().now();
        let machine = Machine::new(rules, now);
        Self { machine, rules, now, generation: 0, ends: None, not_before: now, ended: false }
    }

    fn at(&self) -> Option<Instant> {
        match self.machine.step() {
            Step::Login(at) | Step::Renew(at) => Some(at),
            Step::Rest => None,
        }
    }

    fn play(&mut self, act: Act, unit: f64) -> Judgement {
        match act {
            Act::Due { late, outcome } => {
                let Some(at) = self.at() else { return Ok(()) };
                self.now = self.now.max(at) + Duration::from_secs(late.into());
                let step = self.machine.step();
                let waits = self.machine.urgent && matches!(step, Step::Renew(_));
                prop_assert!(waits || self.now >= self.not_before, "asked before its backoff is over");
                match step {
                    Step::Login(_) => self.login(outcome.login, unit)?,
                    _ => self.renew(outcome.renewal, unit),
                }
                self.lies_ahead()
            }
            Act::Pass(share) => {
                if let Some(at) = self.at() {
                    self.now += at.saturating_duration_since(self.now).mul_f64(share);
                }
                Ok(())
            }
            Act::Refused { current, outgrown } => {
                let generation = if current { self.generation } else { self.generation + 1 };
                let before = self.machine.step();
                let heals = if outgrown {
                    self.machine.token_outgrown(generation, self.now, unit)
                } else {
                    self.machine.token_refused(generation, self.now, unit)
                };
                if heals {
                    prop_assert!(
                        current && self.generation > 0,
                        "a token that isn't in use leads to a login"
                    );
                    prop_assert!(outgrown || matches!(self.machine.step(), Step::Login(_)));
                    self.not_before = self.now;
                    self.ends = self.ends.filter(|_| outgrown);
                    prop_assert!(
                        !self.machine.token_refused(generation, self.now, unit),
                        "one dead token, one login"
                    );
                } else {
                    prop_assert_eq!(self.machine.step(), before);
                }
                self.lies_ahead()
            }
            Act::NewCredentials => {
                let before = self.at();
                if self.machine.new_credentials(self.now) {
                    let at = self.at();
                    prop_assert!(before.is_none() || at <= before, "new credentials put a login off");
                    self.not_before = self.now;
                }
                self.lies_ahead()
            }
        }
    }

    fn login(&mut self, outcome: Result<Grant, LoginFailure>, unit: f64) -> Judgement {
        match outcome {
            Ok(grant) => {
                self.generation += 1;
                self.machine.logged_in(grant, self.generation, self.now, unit);
                self.ends = match grant {
                    Grant::Token { ttl, .. } if !ttl.is_zero() => Some(self.now + ttl),
                    _ => None,
                };
                self.not_before = self.now + FLOOR;
            }
            Err(failure) => match self.machine.login_failed(failure, self.now, unit) {
                None => {
                    prop_assert!(self.rules.exit_on_err, "given up without being asked to");
                    let after_success = self.generation > 0;
                    prop_assert!(
                        !after_success || failure == LoginFailure::Refused,
                        "an outage ends the agent"
                    );
                    self.ended = true;
                }
                Some(wait) => {
                    let least = least_wait(failure, &self.rules);
                    prop_assert!(wait >= least, "{failure:?}: {wait:?} is less than {least:?}");
                    let step = self.machine.step();
                    let renews = matches!(step, Step::Renew(at) if at < self.now + wait);
                    prop_assert!(renews || step == Step::Login(self.now + wait));
                    self.not_before = self.now + least;
                }
            },
        }
        Ok(())
    }

    fn renew(&mut self, outcome: Result<(u64, bool), RenewalFailure>, unit: f64) {
        let before = self.machine.urgent.then_some(self.not_before);
        self.not_before = self.now;
        match outcome {
            Ok((ttl, renewable)) => {
                let ttl = Duration::from_secs(ttl);
                self.machine.renewed(ttl, renewable, self.now, unit);
                self.ends = (!ttl.is_zero()).then(|| self.now + ttl);
            }
            Err(failure) => {
                self.machine.renewal_failed(failure, self.now, unit);
                if matches!(failure, RenewalFailure::InvalidToken | RenewalFailure::Over) {
                    self.ends = None;
                }
                if let RenewalFailure::Later(_) | RenewalFailure::Denied = failure {
                    self.not_before = self.now + FLOOR;
                }
            }
        }
        // A renewal meanwhile doesn't bring a login forward.
        self.not_before = before.unwrap_or(self.not_before);
    }

    /// The next step lies ahead, and not beyond the token's end (but for the shortest wait there is).
    fn lies_ahead(&self) -> Judgement {
        if self.ended {
            return Ok(());
        }
        match (self.machine.step(), self.ends) {
            (Step::Login(at) | Step::Renew(at), ends) => {
                // A renewal that came late may have passed a login that waits.
                let overdue = self.machine.urgent && matches!(self.machine.step(), Step::Login(_));
                prop_assert!(overdue || at >= self.now, "a timer in the past");
                // A login that waits after a failure can't be sooner than its backoff.
                if let Some(ends) = ends.filter(|_| !self.machine.urgent) {
                    prop_assert!(at <= ends.max(self.now + FLOOR), "the token ends before anything happens");
                }
            }
            (Step::Rest, ends) => prop_assert!(ends.is_none(), "rests although the token ends"),
        }
        Ok(())
    }
}

/// The least that has to lie between a failed login and the next.
fn least_wait(failure: LoginFailure, rules: &Rules) -> Duration {
    let refused = rules.min_backoff.min(rules.max_backoff.mul_f64(0.75));
    match failure {
        LoginFailure::NoCredential => CREDENTIAL_POLL,
        LoginFailure::Unreachable => UNREACHABLE_PAUSE,
        LoginFailure::Cut => Duration::from_millis(75),
        LoginFailure::Later(wanted) => refused.max(wanted.unwrap_or_default()),
        LoginFailure::Refused => refused,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn any_order_of_events_at_any_time_keeps_the_promises_of_auto_auth(
        rules in rules(), acts in prop::collection::vec((act(), 0.0..1.0_f64), 1..80)
    ) {
        let mut watched = Watched::new(rules);
        for (act, unit) in acts {
            watched.play(act, unit)?;
            if watched.ended {
                break;
            }
        }
    }

    /// However often tokens are said to be dead right after their login, the server is not stormed.
    #[test]
    fn tokens_that_die_at_once_lead_to_ever_rarer_logins(
        acts in prop::collection::vec((any::<bool>(), 0.0..1.0_f64), 20..60)
    ) {
        let rules = Rules {
            min_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(300),
            exit_on_err: false,
            reauth_on_new_credentials: false,
        };
        let mut watched = Watched::new(rules);
        let start = watched.now;
        let mut logins = 0_u32;
        for (renewable, unit) in acts {
            let Step::Login(at) = watched.machine.step() else { break };
            watched.now = at;
            logins += 1;
            watched.generation += 1;
            let grant = Grant::Token { ttl: Duration::from_secs(3600), renewable };
            watched.machine.logged_in(grant, watched.generation, at, unit);
            prop_assert!(watched.machine.token_refused(watched.generation, at, unit));
        }
        // 1 s, then doubling less a quarter at most, up to 225 s or more.
        let most = 8 + u32::try_from((watched.now - start).as_secs() / 100).unwrap_or(u32::MAX);
        prop_assert!(logins <= most, "{logins} logins in {:?}", watched.now - start);
    }
}
