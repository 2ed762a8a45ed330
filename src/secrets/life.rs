//! The times of an answer, for status: when it was confirmed, when it ends, what comes next.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::{
    entry::Entry,
    pki,
    request::{SecretRequest, Verb},
};
use crate::{
    clock::Clock,
    vault::{lifetime::seconds, secret::Secret, value::Value},
};

/// The times of an answer. They change with renewals, which are no news for templates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// When the server last answered well, renewals included.
    pub confirmed: Option<SystemTime>,
    /// When its lease ends; `None`: it has none.
    pub lease_ends: Option<SystemTime>,
    /// Last moment of the certificate in it.
    pub not_after: Option<SystemTime>,
    /// Generation of the token that it was read with: a lease ends with its token.
    pub token: u64,
    /// When it is read or renewed next; `None`: that is under way, or waits for a login.
    pub next: Option<Instant>,
}

impl Life {
    /// The times of the entry's answer. `known`: those of before; `confirmed`: the server has just answered well.
    pub fn of(
        request: &SecretRequest,
        entry: &Entry,
        known: Option<&Self>,
        confirmed: bool,
        clock: Clock,
    ) -> Self {
        let known = known.copied().unwrap_or_default();
        let (now, wall) = (clock.now(), clock.wall());
        let lease_ends = entry.lease_ends().map(|end| match end.checked_duration_since(now) {
            Some(left) => wall + left,
            None => wall - now.duration_since(end),
        });
        let not_after = entry.good().filter(|_| confirmed).map(|secret| not_after(request, secret));
        Self {
            confirmed: if confirmed { Some(wall) } else { known.confirmed },
            lease_ends,
            not_after: not_after.unwrap_or(known.not_after),
            token: entry.read_with(),
            next: entry.next_at(),
        }
    }

    /// When the answer stops being good for its readers, unless it is renewed or replaced: with its lease, with the
    /// token that it was read with (whose generation and end are `token`), or with its certificate.
    pub fn ends(&self, token: Option<(u64, SystemTime)>) -> Option<SystemTime> {
        let own_token = token.filter(|(generation, _)| *generation == self.token).map(|(_, end)| end);
        let lease = self.lease_ends.map(|end| own_token.map_or(end, |token| token.min(end)));
        [lease, self.not_after].into_iter().flatten().min()
    }
}

/// When the server changes a secret that it rotates (`rotation_period`, `ttl`); `None`: it doesn't rotate it.
pub fn rotates(secret: &Secret, life: &Life) -> Option<SystemTime> {
    let data = secret.data.as_ref()?;
    data.get("rotation_period")?;
    let ttl = data.get("ttl").and_then(Value::as_i64)?;
    life.confirmed.map(|confirmed| confirmed + seconds(ttl))
}

fn not_after(request: &SecretRequest, secret: &Secret) -> Option<SystemTime> {
    let end = if matches!(request.verb, Verb::Issue(_)) {
        pki::validity(secret)?.1
    } else {
        let data = secret.data.as_ref()?;
        data.get("certificate")?;
        data.get("expiration").and_then(Value::as_i64)?.try_into().ok()?
    };
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{secrets::request::AuthId, vault::path::VaultPath};

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn secret(data: &str) -> Secret {
        Secret { data: Some(Value::from_json(data).unwrap()), ..Secret::default() }
    }

    #[test]
    fn an_answer_ends_with_what_ends_first() {
        let life = Life { lease_ends: Some(at(100)), not_after: Some(at(300)), token: 2, ..Life::default() };
        assert_eq!(life.ends(None), Some(at(100)));
        assert_eq!(life.ends(Some((2, at(50)))), Some(at(50)), "a lease ends with its token");
        assert_eq!(life.ends(Some((3, at(50)))), Some(at(100)), "another token has no part in it");
        let life = Life { lease_ends: None, ..life };
        assert_eq!(life.ends(Some((2, at(50)))), Some(at(300)), "a certificate does not hang off a token");
        assert_eq!(Life::default().ends(Some((0, at(50)))), None);
    }

    #[test]
    fn rotation_and_certificates_are_found_in_the_data() {
        let life = Life { confirmed: Some(at(1000)), ..Life::default() };
        assert_eq!(rotates(&secret(r#"{"rotation_period":60,"ttl":20}"#), &life), Some(at(1020)));
        assert_eq!(rotates(&secret(r#"{"ttl":20}"#), &life), None);
        let request = SecretRequest {
            auth: AuthId::default(),
            namespace: None,
            verb: Verb::Read,
            path: VaultPath::parse("pki/issue/app").unwrap().0,
            params: [].into(),
        };
        let answer = secret(r#"{"certificate":"x","expiration":77}"#);
        assert_eq!(not_after(&request, &answer), Some(at(77)));
        assert_eq!(not_after(&request, &secret(r#"{"expiration":77}"#)), None);
    }
}
