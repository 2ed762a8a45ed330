use proptest::prelude::*;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const NOW: u64 = 1_700_000_000;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const RULES: Rules = Rules { static_interval: secs(300), static_interval_is_set: false, threshold: 0.90 };

fn answer(json: &str) -> Secret {
    serde_json::from_str(json).unwrap()
}

fn reread(json: &str, unit: f64) -> Refresh {
    refresh(&answer(json), Kind::Other, &RULES, NOW, unit)
}

#[test]
fn the_refresh_table_row_by_row() {
    let lease = r#"{"lease_id":"l","lease_duration":100,"renewable":true,"data":{"a":"b"}}"#;
    assert_eq!(reread(lease, 0.5), Refresh::Renew(secs(100)));

    let fixed = r#"{"lease_id":"l","lease_duration":100,"data":{"a":"b"}}"#;
    assert_eq!(reread(fixed, 0.0), Refresh::Reread(secs(85)));
    assert_eq!(reread(fixed, 0.5), Refresh::Reread(secs(90)));
    assert_eq!(reread(fixed, 1.0), Refresh::Reread(secs(95)));

    assert_eq!(reread(r#"{"data":{"data":{}}}"#, 0.0), Refresh::Reread(secs(255)), "KV v2 polls");
    assert_eq!(reread(r#"{"data":{"data":{}}}"#, 1.0), Refresh::Reread(secs(285)));

    let cert = format!(r#"{{"data":{{"certificate":"c","expiration":{}}}}}"#, NOW + 1000);
    assert_eq!(reread(&cert, 0.5), Refresh::Reread(secs(900)));
    let leased_cert =
        format!(r#"{{"lease_id":"l","data":{{"certificate":"c","expiration":{}}}}}"#, NOW + 1000);
    assert_eq!(reread(&leased_cert, 0.5), Refresh::Reread(secs(270)), "a lease id switches the rule off");

    let secret_id = r#"{"data":{"secret_id":"s","secret_id_ttl":99}}"#;
    assert_eq!(reread(secret_id, 0.5), Refresh::Reread(secs(90)));
    assert_eq!(reread(r#"{"data":{"secret_id":"s","secret_id_ttl":0}}"#, 0.5), Refresh::Reread(secs(270)));

    let role = r#"{"data":{"rotation_period":60,"ttl":20}}"#;
    assert_eq!(reread(role, 0.0), Refresh::Reread(secs(21)), "static roles: exact, no jitter");
    assert_eq!(reread(role, 1.0), Refresh::Reread(secs(21)));
    assert_eq!(reread(r#"{"data":{"rotation_period":60,"ttl":0}}"#, 0.5), Refresh::Retry);
    let schedule =
        r#"{"data":{"rotation_schedule":"0 0 * * *","last_vault_rotation":"2026-01-01T00:00:00Z","ttl":20}}"#;
    assert_eq!(reread(schedule, 0.5), Refresh::Reread(secs(21)), "with a schedule as with a period");
    let other = r#"{"data":{"rotation_schedule":"0 0 * * *","ttl":20}}"#;
    assert_eq!(reread(other, 0.5), Refresh::Reread(secs(270)), "somebody's own data");

    let login = r#"{"lease_duration":5,"auth":{"client_token":"t","lease_duration":50,"renewable":true}}"#;
    assert_eq!(reread(login, 0.5), Refresh::Renew(secs(50)), "the token's TTL beats the lease's");
    let batch = r#"{"auth":{"client_token":"t","lease_duration":100,"renewable":false}}"#;
    assert_eq!(reread(batch, 0.5), Refresh::Reread(secs(90)));
}

#[test]
fn lists_poll_at_the_whole_interval_and_kv_v1_only_when_somebody_set_it() {
    let list = answer(r#"{"data":{"keys":["a"]}}"#);
    assert_eq!(refresh(&list, Kind::List, &RULES, NOW, 0.0), Refresh::Reread(secs(300)));
    let kv1 = answer(r#"{"lease_duration":2764800,"data":{"a":"b"}}"#);
    assert_eq!(refresh(&kv1, Kind::Kv1, &RULES, NOW, 0.5), Refresh::Reread(secs(2_488_320)));
    let set = Rules { static_interval_is_set: true, ..RULES };
    assert_eq!(refresh(&kv1, Kind::Kv1, &set, NOW, 0.5), Refresh::Reread(secs(270)));
}

#[test]
fn odd_lifetimes_neither_loop_nor_overflow() {
    assert_eq!(reread(r#"{"lease_id":"l","lease_duration":1}"#, 0.5), Refresh::Reread(FLOOR));
    assert_eq!(reread(r#"{"lease_id":"l","lease_duration":-5}"#, 0.5), Refresh::Reread(secs(270)));
    assert_eq!(reread(r#"{"lease_id":"l","lease_duration":9223372036854775807}"#, 0.5), {
        Refresh::Reread(CEILING.mul_f64(0.9))
    });
    assert_eq!(
        reread(r#"{"lease_id":"l","renewable":true,"lease_duration":0}"#, 0.5),
        Refresh::Reread(secs(270)),
        "renewable for no time at all polls"
    );
    let over = format!(r#"{{"data":{{"certificate":"c","expiration":{}}}}}"#, NOW - 1);
    assert_eq!(reread(&over, 0.5), Refresh::Reread(secs(270)), "no storm of new certificates");
    let absurd = r#"{"data":{"rotation_period":1,"ttl":9223372036854775807}}"#;
    assert!(matches!(reread(absurd, 0.5), Refresh::Reread(time) if time <= CEILING + secs(1)));
}

#[test]
fn a_threshold_that_leaves_the_share_range_falls_back() {
    let fixed = answer(r#"{"lease_id":"l","lease_duration":100}"#);
    let with = |threshold, unit| refresh(&fixed, Kind::Other, &Rules { threshold, ..RULES }, NOW, unit);
    assert_eq!(with(0.98, 1.0), Refresh::Reread(secs(98)), "0.98 + 0.05 is no share: the threshold itself");
    assert_eq!(with(0.02, 0.0), Refresh::Reread(secs(2)));
    assert_eq!(with(7.0, 0.5), Refresh::Reread(secs(90)));
    assert_eq!(with(f64::NAN, 0.5), Refresh::Reread(secs(90)));
}

#[test]
fn renewals_come_at_70_to_73_percent() {
    for (unit, expected) in [(0.0, 2520), (1.0, 2640)] {
        let mut renewal = Renewal::new(HOUR, unit);
        assert_eq!(renewal.replace_at(), secs(expected));
        assert_eq!(renewal.renewed(HOUR, secs(60), unit), Next::Renew(secs(expected)));
    }
}

#[test]
fn the_first_renewal_lies_before_73_percent() {
    let renewal = Renewal::new(HOUR, 0.5);
    assert_eq!(renewal.first(0.0), secs(2628));
    assert_eq!(renewal.first(0.999_999_999), FLOOR);
}

#[test]
fn a_capped_token_is_replaced_when_four_graces_or_less_are_left() {
    let mut renewal = Renewal::new(HOUR, 0.5); // grace 540 s
    assert_eq!(renewal.renewed(HOUR, secs(100), 0.5), Next::Renew(secs(2580)));
    assert_eq!(renewal.renewed(secs(2163), secs(2580), 0.5), Next::Renew(secs(1442 + 180)));
    assert_eq!(renewal.renewed(secs(2160), secs(2580), 0.5), Next::Replace(Duration::ZERO));
    assert_eq!(renewal.renewed(Duration::ZERO, secs(1), 0.5), Next::Replace(Duration::ZERO));
}

#[test]
fn a_first_renewal_that_is_granted_nothing_changes_nothing() {
    // Lifetime and maximum are both an hour: the original replaces at 43 minutes, so do we, wherever the first
    // renewal fell.
    for elapsed in [60, 600, 1800, 2500] {
        let mut renewal = Renewal::new(HOUR, 0.5);
        let mut at = secs(elapsed);
        let mut step = renewal.renewed(HOUR - at, at, 0.5);
        if let Next::Renew(wait) = step {
            at += wait;
            step = renewal.renewed(HOUR - at, wait, 0.5);
        }
        let Next::Replace(wait) = step else { panic!("renews for ever: {step:?}") };
        assert_eq!(at + wait, secs(2580), "first renewal after {elapsed} s");
    }
}

#[test]
fn a_longer_lifetime_makes_a_new_grace() {
    let mut renewal = Renewal::new(secs(60), 0.0);
    renewal.renewed(HOUR, secs(1), 0.0);
    assert_eq!(renewal.grace(), secs(360));
    renewal.renewed(secs(1500), secs(2520), 0.0);
    assert_eq!(renewal.grace(), secs(360), "a shorter one doesn't");
}

#[test]
fn certificates_are_due_at_their_share_of_the_lifetime() {
    assert_eq!(certificate_due(NOW, NOW + 1000, 0.9, NOW), secs(900));
    assert_eq!(certificate_due(NOW - 900, NOW + 100, 0.9, NOW), Duration::ZERO);
    assert_eq!(certificate_due(NOW, NOW - 5, 0.9, NOW), Duration::ZERO, "ends before it begins");
    assert_eq!(certificate_due(0, u64::MAX, 0.9, NOW), CEILING);
    assert_eq!(certificate_due(NOW, NOW + 1000, -1.0, NOW), secs(900));
    assert_eq!(certificate_due(NOW, NOW + 1000, 0.9, NOW - 50_000), secs(900), "the clock here is slow");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_renewal_returns_the_next_step_is_sane(
        lifetime in 0_u64..=u64::MAX, returned in 0_u64..=u64::MAX, elapsed in 0_u64..=u64::MAX,
        unit in 0.0..1.0_f64,
    ) {
        let mut renewal = Renewal::new(secs(lifetime), unit);
        prop_assert!(renewal.first(unit) >= FLOOR);
        prop_assert!(renewal.first(unit) <= CEILING);
        match renewal.renewed(secs(returned), secs(elapsed), unit) {
            Next::Renew(wait) => {
                prop_assert!(wait >= FLOOR && wait <= CEILING);
                // Never in the last grace of what is left, the floor aside.
                prop_assert!(wait == FLOOR || wait + renewal.grace() <= secs(returned).min(CEILING));
            }
            Next::Replace(wait) => prop_assert!(wait <= secs(returned)),
        }
    }

    /// A server that extends up to a maximum, renewed as the rules say and each time a little late: there is always
    /// a token, and few requests.
    #[test]
    fn renewals_never_let_a_lifetime_lapse_and_are_few(
        ttl in 10_u64..100_000, most in 10_u64..1_000_000, dice in prop::collection::vec(0.0..1.0_f64, 64),
        first in 0.0..1.0_f64,
    ) {
        let most = most.max(ttl).min(ttl * 40);
        let mut renewal = Renewal::new(secs(ttl), dice[0]);
        let (mut now, mut ends, mut waited, mut requests) = (Duration::ZERO, secs(ttl), renewal.first(first), 0_u32);
        let mut units = dice.iter().cycle();
        loop {
            now += waited;
            prop_assert!(now < ends, "lapsed: renewed at {now:?}, ended at {ends:?}");
            requests += 1;
            // The server counts whole seconds and never beyond the maximum.
            let returned = secs(ttl).min(secs(most).saturating_sub(now));
            let returned = secs(returned.as_secs());
            let unit = units.next().copied().unwrap_or(0.5);
            match renewal.renewed(returned, waited, unit) {
                Next::Renew(wait) => (waited, ends) = (wait, now + returned),
                Next::Replace(wait) => {
                    prop_assert!(wait <= returned, "replaced after the end");
                    break;
                }
            }
            prop_assert!(u64::from(requests) <= 4 + 3 * most / (2 * ttl) + 4, "{requests} renewals of {ttl} s in {most} s");
        }
    }

    #[test]
    fn a_reread_is_never_late_never_hot(lease in i64::MIN..=i64::MAX, unit in 0.0..1.0_f64, threshold in 0.1..0.9_f64) {
        let secret = Secret { lease_duration: lease, lease_id: "l".into(), ..Secret::default() };
        let rules = Rules { threshold, ..RULES };
        let Refresh::Reread(wait) = refresh(&secret, Kind::Other, &rules, NOW, unit) else {
            return Err(TestCaseError::fail("not a re-read"));
        };
        prop_assert!(wait >= FLOOR && wait <= CEILING);
        if lease > 1 {
            prop_assert!(wait < secs(lease.unsigned_abs()), "{wait:?} of {lease}");
        }
    }
}

#[test]
fn certificates_are_replaced_around_the_threshold_of_their_whole_lifetime() {
    let at = |unit| certificate_refresh(1_000, 2_000, 0.9, 1_100, unit).map(|span| span.as_secs());
    assert_eq!((at(0.0), at(0.5), at(1.0)), (Some(770), Some(800), Some(830)));
    // Between the jittered point and the threshold: soon, but never at once.
    assert_eq!(certificate_refresh(1_000, 2_000, 0.9, 1_890, 0.0), Some(FLOOR));
    assert_eq!(certificate_refresh(1_000, 2_000, 0.9, 1_900, 1.0), None);
    assert_eq!(certificate_refresh(2_000, 1_000, 0.9, 1_500, 0.5), None, "ends before it begins");
    // Jitter never leads past the end.
    assert_eq!(certificate_refresh(1_000, 2_000, 0.99, 1_000, 1.0), Some(Duration::from_secs(990)));
}
