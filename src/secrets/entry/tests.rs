use std::time::Duration;

use super::*;
use crate::{
    chance::Chance,
    clock::Clock,
    secrets::schedule::Settings,
    vault::lifetime::{FLOOR, Rules},
};

fn settings() -> Settings {
    Settings {
        rules: Rules {
            static_interval: Duration::from_secs(300),
            static_interval_is_set: false,
            threshold: 0.9,
        },
        retry_base: Duration::from_millis(250),
        retry_cap: Duration::from_secs(60),
        retries: Some(12),
    }
}

/// An entry with a hand on its clock.
struct Bench {
    entry: Entry,
    settings: Settings,
    chance: Chance,
    start: Instant,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let now = Clock::system().now();
        Self { entry: Entry::new(), settings: settings(), chance: Chance::fixed(0.5), start: now, now }
    }

    fn on(&mut self, event: EntryEvent) -> Effect {
        self.on_verb(event, &Verb::Read)
    }

    fn on_verb(&mut self, event: EntryEvent, verb: &Verb) -> Effect {
        let mut policy = Policy::new(&self.settings, Clock::system(), &self.chance);
        policy.now = self.now;
        self.entry.on(event, verb, &mut policy)
    }

    fn token(&mut self, generation: u64) -> Effect {
        self.on(EntryEvent::Token { generation, dead: false, old_expires: None })
    }

    fn ok(&mut self, secret: Secret) -> Effect {
        let token = self.entry.token;
        self.ok_with(secret, token)
    }

    /// An answer to a request that was sent with the token of this generation.
    fn ok_with(&mut self, secret: Secret, token: u64) -> Effect {
        self.on(EntryEvent::Answered(Ok(Answer { secret: Arc::new(secret), kind: Kind::Other, token })))
    }

    fn err(&mut self, class: FailureClass) -> Effect {
        let failure = Failure { class, message: "no".into(), retry_after: None };
        self.on(EntryEvent::Answered(Err(failure)))
    }

    /// Sleeps as the effect says and wakes; returns how long that was and what follows.
    fn wake(&mut self, effect: &Effect) -> (f64, Effect) {
        let Effect::Sleep(until) = effect else { panic!("{effect:?} is no sleep") };
        let slept = until.saturating_duration_since(self.now).as_secs_f64();
        self.now = (*until).max(self.now);
        (slept, self.on(EntryEvent::Due))
    }
}

fn leased(seconds: i64, renewable: bool) -> Secret {
    Secret {
        lease_id: "database/creds/app/1".into(),
        lease_duration: seconds,
        renewable,
        ..Secret::default()
    }
}

fn fetch(repeat: bool) -> Effect {
    Effect::Fetch { repeat }
}

#[test]
fn nothing_is_sent_without_a_token() {
    let mut bench = Bench::new();
    assert_eq!(bench.on(EntryEvent::Due), Effect::Nothing);
    assert_eq!(bench.on(EntryEvent::Refresh), Effect::Nothing);
    assert_eq!(bench.token(1), fetch(false));
}

#[test]
fn a_secret_without_lease_is_polled_at_nine_tenths_of_the_interval() {
    let mut bench = Bench::new();
    bench.token(1);
    let effect = bench.ok(Secret::default());
    let (slept, next) = bench.wake(&effect);
    assert!((slept - 270.0).abs() < 1.0, "{slept}");
    assert_eq!(next, fetch(true));
}

#[test]
fn answered_failures_follow_the_original_sequence_and_then_go_slow() {
    let mut bench = Bench::new();
    bench.token(1);
    let mut gaps = Vec::new();
    for _ in 0..16 {
        let effect = bench.err(FailureClass::Denied);
        let (slept, next) = bench.wake(&effect);
        assert_eq!(next, fetch(true));
        gaps.push(slept);
    }
    assert_eq!(gaps[..12], [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0]);
    assert_eq!(gaps[12..], [60.0, 120.0, 240.0, 300.0]);
    assert!((bench.now - bench.start).as_secs() > 600);
}

#[test]
fn without_any_answer_it_is_never_tried_more_rarely_than_every_thirty_seconds() {
    let mut bench = Bench::new();
    bench.token(1);
    let mut gaps = Vec::new();
    for _ in 0..30 {
        let effect = bench.err(FailureClass::Unreachable);
        gaps.push(bench.wake(&effect).0);
    }
    assert_eq!(gaps[..7], [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]);
    assert!(gaps[7..].iter().all(|gap| (22.0..=30.0).contains(gap)), "{gaps:?}");
}

#[test]
fn definite_answers_are_counted_by_themselves() {
    let mut bench = Bench::new();
    bench.token(1);
    let mut fail = |class| {
        let effect = bench.err(class);
        bench.wake(&effect);
        (bench.entry.failed().unwrap().0, bench.entry.definite_failures())
    };
    assert_eq!(fail(FailureClass::Busy), (1, 0));
    assert_eq!(fail(FailureClass::Busy), (2, 0));
    assert_eq!(fail(FailureClass::Missing), (3, 1));
    assert_eq!(fail(FailureClass::Denied), (4, 2));
    assert_eq!(fail(FailureClass::Unreachable), (5, 0));
    bench.ok(Secret::default());
    assert_eq!(bench.entry.definite_failures(), 0);
}

#[test]
fn the_server_may_ask_for_a_longer_wait_but_not_for_a_shorter_one() {
    let mut bench = Bench::new();
    bench.token(1);
    let failure = Failure {
        class: FailureClass::Busy,
        message: "429".into(),
        retry_after: Some(Duration::from_secs(7)),
    };
    let effect = bench.on(EntryEvent::Answered(Err(failure)));
    assert_eq!(bench.wake(&effect).0, 7.0);
}

#[test]
fn the_last_good_answer_survives_every_failure() {
    let mut bench = Bench::new();
    bench.token(1);
    let effect = bench.ok(Secret { request_id: "good".into(), ..Secret::default() });
    bench.wake(&effect);
    for class in [FailureClass::Missing, FailureClass::Denied, FailureClass::Busy, FailureClass::Unreachable]
    {
        let effect = bench.err(class);
        bench.wake(&effect);
        assert_eq!(bench.entry.good().unwrap().request_id, "good");
    }
    assert_eq!(bench.entry.failed().unwrap().0, 4);
    bench.ok(Secret::default());
    assert!(bench.entry.failed().is_none());
}

#[test]
fn a_renewable_lease_is_renewed_and_replaced_when_the_server_caps_it() {
    let mut bench = Bench::new();
    bench.token(1);
    let effect = bench.ok(leased(60, true));
    let (slept, renew) = bench.wake(&effect);
    assert!(slept <= 60.0 * 0.73, "{slept}");
    assert!(matches!(renew, Effect::Renew(_)));
    let effect = bench.ok(leased(60, true));
    let (slept, renew) = bench.wake(&effect);
    assert!((42.0..=44.0).contains(&slept), "{slept}");
    assert!(matches!(renew, Effect::Renew(_)));
    assert_eq!(bench.ok(leased(10, true)), fetch(true), "what is left is not worth renewing");
    assert_eq!(bench.entry.good().unwrap().lease_duration, 60);
}

#[test]
fn a_lease_that_must_not_be_renewed_costs_one_question_and_lives_on() {
    let mut bench = Bench::new();
    bench.token(1);
    let effect = bench.ok(leased(100, true));
    let (before, _) = bench.wake(&effect);
    let effect = bench.err(FailureClass::Denied);
    let (slept, next) = bench.wake(&effect);
    assert!((before + slept) > 85.0 && (before + slept) < 100.0, "{before} + {slept}");
    assert_eq!(next, fetch(true));
    let effect = bench.ok(leased(100, true));
    assert_eq!(bench.wake(&effect).1, fetch(true), "not renewed again");
}

#[test]
fn a_lease_that_the_server_does_not_know_is_read_once_anew_without_a_loop() {
    let mut bench = Bench::new();
    bench.token(1);
    for _ in 0..2 {
        let effect = bench.ok(leased(100, true));
        let (_, renew) = bench.wake(&effect);
        assert!(matches!(renew, Effect::Renew(_)), "one lost lease says nothing about the next");
        assert_eq!(bench.err(FailureClass::Refused), fetch(true));
    }
    let effect = bench.ok(leased(100, true));
    let (slept, next) = bench.wake(&effect);
    assert!(slept > 80.0, "{slept}");
    assert_eq!(next, fetch(true), "two in a row: renewing is no use here");
}

#[test]
fn a_renewal_that_succeeds_forgives_a_lost_lease() {
    let mut bench = Bench::new();
    bench.token(1);
    for _ in 0..3 {
        let effect = bench.ok(leased(100, true));
        bench.wake(&effect);
        assert_eq!(bench.err(FailureClass::Missing), fetch(true));
        let effect = bench.ok(leased(100, true));
        let (_, renew) = bench.wake(&effect);
        assert!(matches!(renew, Effect::Renew(_)));
        let effect = bench.ok(leased(100, true));
        let (_, renew) = bench.wake(&effect);
        assert!(matches!(renew, Effect::Renew(_)));
        assert_eq!(bench.err(FailureClass::Missing), fetch(true));
        let effect = bench.ok(leased(100, true));
        bench.wake(&effect);
        bench.ok(leased(100, true));
        bench.on(EntryEvent::Due);
        bench.now += Duration::from_secs(80);
        assert!(matches!(bench.on(EntryEvent::Due), Effect::Renew(_)));
        assert_eq!(bench.ok(leased(1, true)), fetch(true));
    }
}

#[test]
fn an_outage_during_renewal_keeps_the_lease_until_it_ends() {
    let mut bench = Bench::new();
    bench.token(1);
    let effect = bench.ok(leased(3600, true));
    let (mut slept, mut next) = bench.wake(&effect);
    let mut tries = 0;
    while matches!(next, Effect::Renew(_)) {
        tries += 1;
        assert!(tries < 200, "a busy loop");
        let effect = bench.err(FailureClass::Unreachable);
        let (more, then) = bench.wake(&effect);
        assert!(more >= 1.0, "{more}");
        slept += more;
        next = then;
    }
    assert_eq!(next, fetch(true));
    assert!((3599.0..=3601.0).contains(&slept), "{slept}");
    assert!(tries > 3, "{tries}");
}

#[test]
fn an_invalid_token_parks_the_entry_until_a_new_one_comes() {
    let mut bench = Bench::new();
    bench.token(1);
    assert_eq!(bench.err(FailureClass::InvalidToken), Effect::Park { heal: true });
    assert_eq!(bench.on(EntryEvent::Due), Effect::Nothing);
    assert_eq!(bench.token(2), fetch(true));
}

#[test]
fn a_second_invalid_token_in_a_row_is_a_denial_with_the_ordinary_backoff() {
    let mut bench = Bench::new();
    bench.token(1);
    assert_eq!(bench.err(FailureClass::InvalidToken), Effect::Park { heal: true });
    assert_eq!(bench.token(2), fetch(true));
    let mut gaps = Vec::new();
    for generation in 3..9 {
        let effect = bench.err(FailureClass::InvalidToken);
        assert_eq!(bench.entry.failed().unwrap().1.class, FailureClass::Denied);
        let (slept, next) = bench.wake(&effect);
        assert_eq!(next, fetch(true));
        gaps.push(slept);
        bench.token(generation);
    }
    assert_eq!(gaps, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]);
    // Once it has worked, a dead token is one again; and so after a refusal by policy.
    for answer in [true, false] {
        let effect = if answer { bench.ok(Secret::default()) } else { bench.err(FailureClass::Denied) };
        bench.wake(&effect);
        assert_eq!(bench.err(FailureClass::InvalidToken), Effect::Park { heal: true });
        assert_eq!(bench.token(20 + u64::from(answer)), fetch(true));
    }
}

#[test]
fn an_outage_between_two_refusals_does_not_start_another_login() {
    let mut bench = Bench::new();
    bench.token(1);
    assert_eq!(bench.err(FailureClass::InvalidToken), Effect::Park { heal: true });
    bench.token(2);
    let effect = bench.err(FailureClass::Busy);
    bench.wake(&effect);
    assert!(matches!(bench.err(FailureClass::InvalidToken), Effect::Sleep(_)));
}

#[test]
fn a_refusal_of_a_token_that_is_replaced_already_costs_no_login() {
    let mut bench = Bench::new();
    bench.token(1);
    bench.token(2);
    assert_eq!(bench.err(FailureClass::InvalidToken), fetch(true));
    bench.ok(Secret::default());
    assert!(bench.entry.failed().is_none());
}

#[test]
fn a_renewal_of_a_lease_without_rest_reads_anew_and_renews_what_comes() {
    let mut bench = Bench::new();
    bench.token(1);
    let effect = bench.ok(leased(100, true));
    bench.wake(&effect);
    let lease_is_over = Secret::default();
    let effect = bench.ok(lease_is_over);
    assert_eq!(effect, fetch(true));
    let effect = bench.ok(leased(100, true));
    assert!(matches!(bench.wake(&effect).1, Effect::Renew(_)));
}

#[test]
fn a_new_token_moves_only_what_hung_off_a_dead_one() {
    let dead = EntryEvent::Token { generation: 2, dead: true, old_expires: None };
    let mut kv = Bench::new();
    kv.token(1);
    kv.ok(Secret::default());
    assert_eq!(kv.on(dead.clone()), Effect::Nothing, "static secrets stay quiet");

    let mut lease = Bench::new();
    lease.token(1);
    lease.ok(leased(3600, true));
    assert_eq!(lease.token(2), Effect::Nothing, "the old token lives on, and so does the lease");
    assert_eq!(lease.on(EntryEvent::Token { generation: 3, dead: true, old_expires: None }), fetch(true));
}

#[test]
fn a_lease_is_replaced_before_the_token_it_hangs_off_ends() {
    let mut bench = Bench::new();
    bench.token(1);
    bench.ok(leased(3600, true));
    let end = bench.now + Duration::from_secs(100);
    let effect = bench.on(EntryEvent::Token { generation: 2, dead: false, old_expires: Some(end) });
    let (slept, next) = bench.wake(&effect);
    assert!((50.0..=90.0).contains(&slept), "{slept}");
    assert_eq!(next, fetch(true));
}

#[test]
fn a_lease_ends_with_its_own_token_however_many_came_since() {
    let mut bench = Bench::new();
    bench.token(1);
    bench.ok(leased(36_000, true));
    let after = |seconds| bench.start + Duration::from_secs(seconds);
    let (first, second, third) = (after(100), after(3600), after(7200));
    let living = |generation, end| EntryEvent::Token { generation, dead: false, old_expires: Some(end) };
    bench.on(living(2, first));
    bench.on(living(3, second));
    assert_eq!(bench.entry.lease_ends(), Some(first), "status says so, too");
    let at = bench.entry.next_at().unwrap();
    assert!(at < first, "read anew before it is dead: {:?}", at - bench.start);
    bench.now = first + FLOOR;
    assert_eq!(bench.on(living(4, third)), fetch(true), "it is dead by now");
    bench.ok(leased(36_000, true));
    assert!(bench.entry.lease_ends() > Some(third), "the next one hangs off its own token");
}

#[test]
fn absurd_lifetimes_neither_spin_nor_panic() {
    for seconds in [i64::MIN, -1, 0, 1, 9_300_000_000, i64::MAX] {
        for renewable in [false, true] {
            let mut bench = Bench::new();
            bench.token(1);
            let effect = bench.ok(leased(seconds, renewable));
            let Effect::Sleep(until) = effect else { panic!("{seconds}: {effect:?}") };
            assert!(until >= bench.now + FLOOR.mul_f64(0.5), "{seconds} {renewable}");
        }
    }
}

/// A certificate as `pkiCert` keeps it, valid from and to these seconds from now.
fn certificate(from: i64, to: i64) -> Secret {
    let now = i64::try_from(Clock::system().unix_seconds()).unwrap();
    let time = |offset| time::OffsetDateTime::from_unix_timestamp(now + offset).unwrap();
    let mut params = rcgen::CertificateParams::new(["a".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (time(from), time(to));
    let pem = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
    let data = serde_json::json!({ "Cert": pem }).to_string();
    Secret { data: Some(crate::vault::value::Value::from_json(&data).unwrap()), ..Secret::default() }
}

#[test]
fn a_certificate_is_replaced_at_the_threshold_of_its_whole_lifetime() {
    let (mut bench, verb) = (Bench::new(), Verb::Issue([].into()));
    bench.token(1);
    let answer = Answer { secret: Arc::new(certificate(-100, 900)), kind: Kind::Other, token: 1 };
    let Effect::Sleep(until) = bench.on_verb(EntryEvent::Answered(Ok(answer)), &verb) else { panic!() };
    let wait = until.saturating_duration_since(bench.now).as_secs();
    assert!((798..=800).contains(&wait), "{wait}");
    bench.now = until;
    assert_eq!(bench.on_verb(EntryEvent::Due, &verb), fetch(true), "the one on disk is not looked at again");
}

#[test]
fn a_certificate_that_is_over_already_backs_off_and_the_last_good_one_stays() {
    let (mut bench, verb) = (Bench::new(), Verb::Issue([].into()));
    bench.token(1);
    let good = Arc::new(certificate(-100, 900));
    let issued = |secret: &Arc<Secret>| {
        EntryEvent::Answered(Ok(Answer { secret: secret.clone(), kind: Kind::Other, token: 1 }))
    };
    let Effect::Sleep(until) = bench.on_verb(issued(&good), &verb) else { panic!() };
    bench.now = until;
    bench.on_verb(EntryEvent::Due, &verb);
    let mut waits = Vec::new();
    for (from, to) in [(-100, -50), (-100, 5), (10, -10), (-100, -50)] {
        let bad = Arc::new(certificate(from, to));
        let Effect::Sleep(until) = bench.on_verb(issued(&bad), &verb) else { panic!("one request per try") };
        waits.push(until.saturating_duration_since(bench.now).as_millis());
        bench.now = until;
        assert_eq!(bench.on_verb(EntryEvent::Due, &verb), fetch(true));
    }
    assert_eq!(waits, [250, 500, 1000, 2000]);
    assert_eq!(bench.entry.good(), Some(&good));
    let (_, failure) = bench.entry.failed().unwrap();
    assert!(failure.message.contains("all of its 50 s are over"), "{}", failure.message);
}

#[test]
fn a_lease_whose_renewal_is_out_while_a_new_token_comes_is_read_anew_before_the_old_one_ends() {
    let mut bench = Bench::new();
    bench.token(1);
    let effect = bench.ok(leased(3600, true));
    let (_, renew) = bench.wake(&effect);
    assert!(matches!(renew, Effect::Renew(_)), "{renew:?}");
    let ends = bench.now + Duration::from_secs(600);
    let event = EntryEvent::Token { generation: 2, dead: false, old_expires: Some(ends) };
    assert_eq!(bench.on(event), Effect::Nothing);
    let effect = bench.ok(leased(3600, true));
    let (slept, next) = bench.wake(&effect);
    assert_eq!(next, fetch(true));
    assert!((300.0..600.0).contains(&slept), "{slept}");
    // What was read with the new token lives on with it.
    let effect = bench.ok(leased(3600, true));
    let (slept, next) = bench.wake(&effect);
    assert!(matches!(next, Effect::Renew(_)) && slept > 600.0, "{slept}: {next:?}");
}

#[test]
fn an_answer_that_was_still_asked_for_with_the_old_token_goes_with_it() {
    let mut bench = Bench::new();
    bench.token(1);
    let ends = bench.now + Duration::from_secs(600);
    bench.on(EntryEvent::Token { generation: 2, dead: false, old_expires: Some(ends) });
    let effect = bench.ok_with(leased(3600, true), 1);
    let (slept, next) = bench.wake(&effect);
    assert_eq!((next, slept < 600.0), (fetch(true), true), "{slept}");

    bench.on(EntryEvent::Token { generation: 3, dead: true, old_expires: None });
    assert_eq!(bench.ok_with(leased(3600, true), 2), fetch(true), "that lease is gone already");
    let effect = bench.ok_with(leased(3600, true), 3);
    assert!(matches!(bench.wake(&effect).1, Effect::Renew(_)), "and this one is not");
}

#[test]
fn stricter_rules_bring_the_next_read_forward_counted_from_the_last() {
    let mut bench = Bench::new();
    bench.token(1);
    let effect = bench.ok(Secret::default());
    bench.now += Duration::from_secs(60);
    bench.settings.rules.static_interval = Duration::from_secs(600);
    assert_eq!(bench.on(EntryEvent::Rules), Effect::Nothing, "looser rules count from the next read on");
    bench.settings.rules.static_interval = Duration::from_secs(100);
    let sooner = bench.on(EntryEvent::Rules);
    assert_eq!(sooner, Effect::Sleep(bench.start + Duration::from_secs(90)), "{effect:?}");
    assert_eq!(bench.on(EntryEvent::Rules), Effect::Nothing);
    bench.settings.rules.static_interval = Duration::from_secs(50);
    assert_eq!(bench.on(EntryEvent::Rules), fetch(true), "that time is over already");
}

#[test]
fn a_lower_threshold_reads_a_lease_sooner_and_asks_for_none_anew() {
    let mut bench = Bench::new();
    bench.token(1);
    bench.ok(leased(1000, false));
    bench.now += Duration::from_secs(60);
    bench.settings.rules.threshold = 0.5;
    assert_eq!(bench.on(EntryEvent::Rules), Effect::Sleep(bench.start + Duration::from_secs(500)));
    // How often a lease is renewed does not hang off the threshold.
    let mut bench = Bench::new();
    bench.token(1);
    bench.ok(leased(1000, true));
    bench.settings.rules.threshold = 0.01;
    assert_eq!(bench.on(EntryEvent::Rules), Effect::Nothing);
    bench.now += Duration::from_secs(400);
    assert!(matches!(bench.on(EntryEvent::Due), Effect::Renew(_)));
    assert_eq!(bench.on(EntryEvent::Rules), Effect::Nothing, "what is under way goes on");
}

#[test]
fn other_rules_shorten_no_backoff() {
    let mut bench = Bench::new();
    bench.token(1);
    let effect = bench.ok(Secret::default());
    bench.wake(&effect);
    bench.err(FailureClass::Busy);
    bench.settings.rules.static_interval = Duration::from_secs(1);
    bench.now += Duration::from_millis(1);
    assert_eq!(bench.on(EntryEvent::Rules), Effect::Nothing);
    assert_eq!(Bench::new().on(EntryEvent::Rules), Effect::Nothing, "nothing was read yet");
}

#[test]
fn time_that_passed_unnoticed_counts_for_sleeps_leases_and_tokens() {
    let missed = |seconds| EntryEvent::Missed(Duration::from_secs(seconds));
    let mut bench = Bench::new();
    bench.token(1);
    bench.ok(Secret::default());
    let sooner = bench.on(missed(100));
    assert_eq!(sooner, Effect::Sleep(bench.start + Duration::from_secs(170)));
    assert_eq!(bench.on(missed(200)), fetch(true));
    // A lease that must have been renewed by now is renewed, one that is over is read anew.
    for (seconds, renews) in [(900, true), (1001, false)] {
        let mut bench = Bench::new();
        bench.token(1);
        bench.ok(leased(1000, true));
        let effect = bench.on(missed(seconds));
        assert_eq!(matches!(effect, Effect::Renew(_)), renews, "{effect:?}");
        assert_eq!(effect == fetch(true), !renews, "{effect:?}");
    }
    // A lease ends with its token.
    let mut bench = Bench::new();
    bench.token(1);
    bench.ok(leased(1000, true));
    let old_expires = Some(bench.start + Duration::from_secs(500));
    bench.on(EntryEvent::Token { generation: 2, dead: false, old_expires });
    assert_eq!(bench.on(missed(600)), fetch(true));
}
