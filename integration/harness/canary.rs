//! Secret values that no output may ever show: each one that a test makes is remembered and looked for everywhere.

use std::{
    collections::{BTreeSet, hash_map::RandomState},
    hash::{BuildHasher, Hasher},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use base64::{Engine, engine::general_purpose::STANDARD};

static SERVED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A fresh secret value that no other test has, and that no output may show from now on.
pub fn canary(name: &str) -> String {
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(number);
    let value = format!("{name}-{number}-{:016x}", hasher.finish());
    remember(&value);
    value
}

/// Takes a secret value that somebody else made.
pub fn remember(value: &str) {
    assert!(value.len() >= 8, "too short to be told from other text");
    SERVED.lock().expect("no panic holds it").insert(value.to_owned());
}

/// The first secret in a text: a value that was served, plain or in base64, or anything shaped like a token or a JWT.
pub fn leak_in(text: &str) -> Option<String> {
    let served = SERVED.lock().expect("no panic holds it");
    let found = served.iter().find(|value| text.contains(*value) || text.contains(&STANDARD.encode(value)));
    found.cloned().or_else(|| {
        text.split(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)))
            .find(|word| is_token(word))
            .map(str::to_owned)
    })
}

fn is_token(word: &str) -> bool {
    let long = |prefix: &str, least: usize| word.starts_with(prefix) && word.len() >= least;
    let bao = word.len() == 26 && (word.starts_with("s.") || word.starts_with("b."));
    long("hvs.", 20) || long("hvb.", 20) || long("eyJ", 30) || bao
}

#[test]
fn secrets_are_found_in_every_shape() {
    let value = canary("found");
    for leak in [
        format!("a={value},"),
        STANDARD.encode(&value),
        "token=hvs.AbCdEfGhIjKlMnOpQrStUvWx".into(),
        "(s.AbCdEfGhIjKlMnOpQrStUvWx)".into(),
        format!("jwt: eyJhbGciOiJ{}", "x".repeat(30)),
    ] {
        assert!(leak_in(&leak).is_some(), "{leak}");
    }
    assert_eq!(leak_in("GET /v1/secret/data/app 200 in 3 ms, secrets.store"), None);
}
