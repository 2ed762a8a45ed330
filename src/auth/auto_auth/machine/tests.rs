use proptest::prelude::*;

use super::*;
use crate::clock::Clock;

const RULES: Rules = Rules {
    min_backoff: Duration::from_secs(1),
    max_backoff: Duration::from_secs(300),
    exit_on_err: false,
    reauth_on_new_credentials: false,
};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn token(ttl: u64, renewable: bool) -> Grant {
    Grant::Token { ttl: secs(ttl), renewable }
}

/// A machine and the moment it started. The dice always show one half.
fn machine(rules: Rules) -> (Machine, Instant) {
    let start = Clock::system().now();
    (Machine::new(rules, start), start)
}

#[test]
fn refused_logins_wait_as_the_original_does() {
    let (mut machine, start) = machine(RULES);
    assert_eq!(machine.step(), Step::Login(start));
    let waits: Vec<_> =
        (0..3).map(|_| machine.login_failed(LoginFailure::Refused, start, 0.0).unwrap()).collect();
    assert_eq!(waits, [secs(1), secs(2), secs(4)]);
    assert_eq!(machine.login_failed(LoginFailure::Later(Some(secs(60))), start, 0.0), Some(secs(60)));
    machine.logged_in(token(3600, true), 1, start, 0.5);
    assert_eq!(machine.login_failed(LoginFailure::Refused, start, 0.0), Some(secs(1)), "success resets");
}

#[test]
fn exit_on_err_gives_up_at_once_but_not_for_an_outage_after_a_success() {
    let (mut machine, start) = machine(Rules { exit_on_err: true, ..RULES });
    for failure in [LoginFailure::Refused, LoginFailure::Unreachable, LoginFailure::NoCredential] {
        assert_eq!(machine.login_failed(failure, start, 0.5), None, "{failure:?}");
    }
    machine.logged_in(token(60, true), 1, start, 0.5);
    for outage in [LoginFailure::Unreachable, LoginFailure::Cut, LoginFailure::Later(None)] {
        assert!(machine.login_failed(outage, start, 0.5).is_some(), "{outage:?}");
    }
    assert_eq!(machine.login_failed(LoginFailure::Refused, start, 0.5), None);
}

#[test]
fn a_login_that_is_cut_is_tried_as_an_outage_and_not_as_a_refusal() {
    let (mut machine, mut now) = machine(RULES);
    let mut waits = Vec::new();
    for _ in 0..80 {
        let wait = machine.login_failed(LoginFailure::Cut, now, 0.5).unwrap();
        now += wait;
        waits.push(wait);
    }
    assert!(waits[0] <= Duration::from_millis(126), "{waits:?}");
    assert!(waits[..20].iter().all(|wait| *wait <= secs(2)), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= secs(30)) && waits[79] > secs(10), "{waits:?}");
    assert_eq!(
        machine.login_failed(LoginFailure::Refused, now, 0.0),
        Some(secs(1)),
        "a refusal counts alone"
    );
    assert!(machine.login_failed(LoginFailure::Cut, now, 0.5).unwrap() <= Duration::from_millis(126));
}

#[test]
fn a_missing_credential_is_polled_and_costs_no_backoff() {
    let (mut machine, start) = machine(RULES);
    for _ in 0..10 {
        assert_eq!(machine.login_failed(LoginFailure::NoCredential, start, 0.0), Some(CREDENTIAL_POLL));
    }
    assert_eq!(machine.login_failed(LoginFailure::Refused, start, 0.0), Some(secs(1)));
}

#[test]
fn a_renewable_token_is_renewed_and_replaced_near_its_maximum() {
    let (mut machine, start) = machine(RULES);
    machine.logged_in(token(3600, true), 1, start, 0.5);
    assert_eq!(machine.step(), Step::Renew(start + secs(1314)), "half of 73 %");
    let now = start + secs(1314);
    machine.renewed(secs(3600), true, now, 0.5);
    assert_eq!(machine.step(), Step::Renew(now + secs(2580)));
    let now = now + secs(2580);
    machine.renewed(secs(600), true, now, 0.5);
    assert_eq!(machine.step(), Step::Login(now), "600 s are less than four graces");
}

#[test]
fn a_token_that_cant_be_renewed_is_replaced_at_its_share() {
    let (mut machine, start) = machine(RULES);
    machine.logged_in(token(3600, false), 1, start, 0.5);
    assert_eq!(machine.step(), Step::Login(start + secs(2580)));
    machine.logged_in(token(3600, true), 2, start, 0.5);
    machine.renewal_failed(RenewalFailure::Denied, start + secs(1314), 0.5);
    assert_eq!(machine.step(), Step::Login(start + secs(2580)), "denied: as if it never could");
    machine.logged_in(token(3600, true), 3, start, 0.5);
    machine.renewed(secs(3600), false, start + secs(10), 0.5);
    assert_eq!(machine.step(), Step::Login(start + secs(10 + 2580)));
}

#[test]
fn an_outage_never_replaces_a_token_before_its_last_grace() {
    let (mut machine, start) = machine(RULES);
    machine.logged_in(token(3600, true), 1, start, 0.5); // grace 540 s
    let mut now = start + secs(1314);
    let mut renewals = 0;
    let login = loop {
        machine.renewal_failed(RenewalFailure::Later(None), now, 0.5);
        match machine.step() {
            Step::Renew(at) => {
                assert!(at > now, "no hot loop");
                now = at;
                renewals += 1;
            }
            Step::Login(at) => break at,
            Step::Rest => panic!("forgets the token"),
        }
    };
    assert_eq!(login, start + secs(3060));
    assert!((4..40).contains(&renewals), "{renewals}");

    machine.logged_in(token(3600, true), 2, start, 0.5);
    machine.renewal_failed(RenewalFailure::Later(Some(secs(900))), start, 0.5);
    assert_eq!(machine.step(), Step::Renew(start + secs(900)), "the server said when");
}

#[test]
fn odd_lifetimes_never_loop() {
    let (mut machine, start) = machine(RULES);
    machine.logged_in(token(0, false), 1, start, 0.5);
    assert_eq!(machine.step(), Step::Rest);
    machine.logged_in(token(0, true), 1, start, 0.5);
    assert_eq!(machine.step(), Step::Renew(start + FLOOR), "a renewal may repair it");
    machine.renewed(Duration::ZERO, true, start + FLOOR, 0.5);
    assert_eq!(machine.step(), Step::Rest);
    machine.logged_in(token(0, true), 1, start, 0.5);
    machine.renewed(secs(3600), true, start + FLOOR, 0.5);
    assert!(matches!(machine.step(), Step::Renew(at) if at > start + secs(2000)), "{:?}", machine.step());
    machine.logged_in(token(0, true), 1, start, 0.5);
    machine.renewal_failed(RenewalFailure::Denied, start + FLOOR, 0.5);
    assert_eq!(machine.step(), Step::Rest);
    machine.logged_in(Grant::Ending, 1, start, 0.5);
    assert_eq!(machine.step(), Step::Login(start + FLOOR));
    machine.logged_in(Grant::Wrapped, 1, start, 0.5);
    assert_eq!(machine.step(), Step::Rest);
}

#[test]
fn a_refused_token_leads_to_one_login() {
    let (mut machine, start) = machine(RULES);
    machine.logged_in(token(3600, true), 1, start, 0.5);
    let later = start + secs(600);
    assert!(!machine.token_refused(7, later, 0.5), "not the token in use");
    assert!(machine.token_refused(1, later, 0.5));
    assert_eq!(machine.step(), Step::Login(later));
    assert!(!machine.token_refused(1, later, 0.5), "a login is under way");
    machine.logged_in(token(3600, true), 2, later, 0.5);
    assert!(!machine.token_refused(1, later, 0.5), "late news about the old token");
    machine.logged_in(token(60, false), 3, later, 0.5);
    assert!(machine.token_refused(3, later + YOUNG, 0.5), "however soon it would be replaced anyway");
}

#[test]
fn tokens_that_die_young_are_replaced_ever_more_slowly() {
    let (mut machine, mut now) = machine(RULES);
    let mut waits = Vec::new();
    for generation in 1..6 {
        machine.logged_in(token(3600, true), generation, now, 0.0);
        assert!(machine.token_refused(generation, now, 0.0));
        let Step::Login(at) = machine.step() else { panic!() };
        waits.push(at.duration_since(now).as_secs());
        now = at;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16]);
    machine.logged_in(token(3600, false), 9, now, 0.0);
    machine.renewal_failed(RenewalFailure::InvalidToken, now + YOUNG, 0.0);
    assert_eq!(machine.step(), Step::Login(now + YOUNG), "an old one at once again");
}

#[test]
fn new_credentials_count_only_when_configured() {
    let (mut machine, start) = machine(RULES);
    machine.logged_in(Grant::Wrapped, 1, start, 0.5);
    assert!(!machine.new_credentials(start));
    assert_eq!(machine.step(), Step::Rest);
    let (mut machine, start) = self::machine(Rules { reauth_on_new_credentials: true, ..RULES });
    machine.logged_in(Grant::Wrapped, 1, start, 0.5);
    assert!(machine.new_credentials(start));
    assert_eq!(machine.step(), Step::Login(start));
}

#[test]
fn new_credentials_shorten_the_wait_after_a_refusal_but_not_to_nothing() {
    let (mut machine, start) = machine(RULES);
    assert!(!machine.new_credentials(start), "the first login is due anyway");
    for _ in 0..8 {
        machine.login_failed(LoginFailure::Refused, start, 0.0);
    }
    assert_eq!(machine.step(), Step::Login(start + secs(128)));
    let later = start + secs(10);
    assert!(machine.new_credentials(later));
    assert_eq!(machine.step(), Step::Login(later + secs(1)));
    assert!(!machine.new_credentials(later), "a file that changes all the time doesn't put it off");
    assert_eq!(machine.login_failed(LoginFailure::Refused, later, 0.0), Some(secs(256)));
}

#[test]
fn a_token_that_lives_is_renewed_while_logins_that_would_replace_it_fail() {
    let reauth = Rules { reauth_on_new_credentials: true, ..RULES };
    for by_news in [true, false] {
        let (mut machine, start) = machine(reauth);
        machine.logged_in(token(3600, true), 1, start, 0.5);
        let Step::Renew(due) = machine.step() else { panic!() };
        let mut now = start + YOUNG;
        let again = if by_news { machine.new_credentials(now) } else { machine.token_outgrown(1, now, 0.5) };
        assert!(again);
        assert_eq!(machine.step(), Step::Login(now), "the login comes first");
        let mut renewals = Vec::new();
        while renewals.len() < 3 {
            match machine.step() {
                Step::Renew(at) => {
                    now = at;
                    renewals.push(at - start);
                    machine.renewed(secs(3600), true, now, 0.5);
                }
                Step::Login(at) => {
                    now = at;
                    machine.login_failed(LoginFailure::Refused, now, 0.5);
                }
                Step::Rest => panic!(),
            }
        }
        assert_eq!(renewals[0], due - start, "{by_news}");
        assert!(renewals.windows(2).all(|two| two[1] - two[0] < secs(3600)), "{renewals:?}");
        let Step::Login(login) = machine.step() else { panic!() };
        machine.logged_in(token(3600, true), 2, login, 0.5);
        assert!(matches!(machine.step(), Step::Renew(at) if at > login));
    }
}

#[test]
fn a_token_that_turns_out_dead_is_renewed_no_more_and_its_login_keeps_its_backoff() {
    for failure in [RenewalFailure::InvalidToken, RenewalFailure::Over, RenewalFailure::Denied] {
        let (mut machine, start) = machine(RULES);
        machine.logged_in(token(60, true), 1, start, 0.9);
        assert!(machine.token_outgrown(1, start, 0.5));
        machine.login_failed(LoginFailure::Later(Some(secs(300))), start, 0.5);
        let Step::Renew(at) = machine.step() else { panic!("{:?}", machine.step()) };
        machine.renewal_failed(failure, at, 0.5);
        assert_eq!(machine.step(), Step::Login(start + secs(300)), "{failure:?}");
    }
    let (mut machine, start) = machine(RULES);
    machine.logged_in(token(3600, true), 1, start, 0.5);
    assert!(machine.token_refused(1, start + YOUNG, 0.5));
    machine.login_failed(LoginFailure::Later(Some(secs(3000))), start + YOUNG, 0.5);
    assert_eq!(machine.step(), Step::Login(start + YOUNG + secs(3000)), "a dead token is not renewed");
}

#[test]
fn a_renewal_that_is_denied_after_a_shorter_one_still_logs_in_before_the_end() {
    let (mut machine, start) = machine(RULES);
    machine.logged_in(token(3600, true), 1, start, 0.5);
    machine.renewed(secs(1800), true, start + secs(600), 0.5);
    machine.renewal_failed(RenewalFailure::Denied, start + secs(1000), 0.5);
    let Step::Login(at) = machine.step() else { panic!("{:?}", machine.step()) };
    assert!(at < start + secs(600 + 1800), "{:?}", at - start);
}

#[derive(Clone, Copy, Debug)]
enum Happening {
    Granted(u64, bool),
    Refused,
    Renewed(u64, bool),
    RenewalFailed(RenewalFailure),
    TokenRefused,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        (0..100_000_u64, any::<bool>()).prop_map(|(ttl, renewable)| Happening::Granted(ttl, renewable)),
        Just(Happening::Refused),
        (0..100_000_u64, any::<bool>()).prop_map(|(ttl, renewable)| Happening::Renewed(ttl, renewable)),
        Just(Happening::RenewalFailed(RenewalFailure::Denied)),
        Just(Happening::RenewalFailed(RenewalFailure::InvalidToken)),
        Just(Happening::RenewalFailed(RenewalFailure::Over)),
        Just(Happening::RenewalFailed(RenewalFailure::Later(None))),
        Just(Happening::TokenRefused),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_server_is_asked_twice_a_second_at_most(
        happenings in prop::collection::vec((happening(), 0.0..1.0_f64), 1..60)
    ) {
        let (mut machine, start) = machine(RULES);
        let (mut now, mut asked, mut generation) = (start, 0_u32, 0);
        for (happening, unit) in happenings {
            match machine.step() {
                Step::Login(at) | Step::Renew(at) => {
                    now = now.max(at);
                    asked += 1;
                }
                Step::Rest => break,
            }
            match (machine.step(), happening) {
                (Step::Renew(_), Happening::Renewed(ttl, renewable)) => {
                    machine.renewed(secs(ttl), renewable, now, unit);
                }
                (Step::Renew(_), Happening::RenewalFailed(failure)) => machine.renewal_failed(failure, now, unit),
                (Step::Renew(_), _) => machine.renewal_failed(RenewalFailure::Later(None), now, unit),
                (_, Happening::Granted(ttl, renewable)) => {
                    generation += 1;
                    machine.logged_in(token(ttl, renewable), generation, now, unit);
                }
                _ => {
                    machine.login_failed(LoginFailure::Refused, now, unit);
                }
            }
            if matches!(happening, Happening::TokenRefused) {
                machine.token_refused(generation, now, unit);
            }
        }
        // A renewal may be followed by a login at once, so two requests a second is the bound, and one to begin with.
        let seconds = u32::try_from(now.duration_since(start).as_secs()).unwrap_or(u32::MAX);
        prop_assert!(asked <= seconds.saturating_mul(2).saturating_add(3), "{asked} in {seconds} s");
    }
}
