use std::time::UNIX_EPOCH;

use reqwest::{Method as Verb, Url};

use super::*;
use crate::{
    http::error::HttpError,
    vault::{error::Answer, token::Token},
};

const NOW: u64 = 1_000_000;

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

fn kept(renewable: bool) -> KeptToken {
    KeptToken {
        token: Token::new("hvs.kept"),
        accessor: "acc".into(),
        issued: at(NOW - 100),
        ttl: Duration::from_secs(600),
        expires: Some(at(NOW + 500)),
        renewable,
        policies: vec!["p".into()],
    }
}

fn said(json: &str) -> Result<Option<Secret>, VaultError> {
    Ok(Some(serde_json::from_str(json).unwrap()))
}

fn refused(status: u16, said: &str) -> Result<Option<Secret>, VaultError> {
    let url = "https://vault.test/v1/x".to_owned();
    let answer = Answer { method: Verb::PUT, url, status, errors: vec![said.to_owned()], retry_after: None };
    Err(VaultError::from_answer(answer, true))
}

fn grant(verdict: Verdict) -> Option<(u64, bool)> {
    match verdict {
        Verdict::Alive(granted) => {
            assert_eq!((granted.token.expose(), granted.adopted), ("hvs.kept", Some(at(NOW - 100))));
            Some((granted.ttl.as_secs(), granted.renewable))
        }
        _ => None,
    }
}

#[test]
fn what_the_server_says_of_it_counts_and_not_what_was_written_down() {
    let renewed = r#"{"auth":{"client_token":"hvs.kept","lease_duration":900,"renewable":true}}"#;
    assert_eq!(grant(judge(said(renewed), &kept(true), at(NOW))), Some((900, true)));
    let looked_up = r#"{"data":{"ttl":77,"renewable":false,"expire_time":"2026-01-01T00:00:00Z"}}"#;
    assert_eq!(grant(judge(said(looked_up), &kept(false), at(NOW))), Some((77, false)));
    assert!(matches!(judge(said("{}"), &kept(true), at(NOW)), Verdict::Dead(_)), "no auth block");
}

#[test]
fn one_that_may_not_ask_about_itself_lives_until_its_known_end() {
    let denied = refused(403, "1 error occurred:\n\t* permission denied\n\n");
    assert_eq!(grant(judge(denied, &kept(true), at(NOW))), Some((500, false)));
}

#[test]
fn a_dead_one_is_told_from_a_server_that_can_not_say() {
    for (status, words) in [(403, "permission denied"), (403, "invalid token"), (404, ""), (400, "bad token")]
    {
        let verdict = judge(refused(status, words), &kept(true), at(NOW));
        assert!(matches!(verdict, Verdict::Dead(_)), "{status} {words}");
    }
    for status in [429, 500, 503] {
        assert!(
            matches!(judge(refused(status, "later"), &kept(true), at(NOW)), Verdict::Unknown(_)),
            "{status}"
        );
    }
    let url = Url::parse("https://vault.test/v1/x").unwrap();
    let cut = VaultError::from_http(Verb::PUT, HttpError::Refused { url, cause: "refused".into() });
    assert!(matches!(judge(Err(cut), &kept(true), at(NOW)), Verdict::Unknown(_)));
    let over = refused(500, "past the max TTL, cannot renew");
    assert!(matches!(judge(over, &kept(true), at(NOW)), Verdict::Dead(_)));
}
