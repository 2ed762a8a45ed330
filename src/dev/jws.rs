//! Signed JWTs as the auth methods check them: keys, signature, time.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::moment::Moment;

/// The algorithms that the methods accept and ring knows (it lacks ES512).
pub(super) const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::EdDSA,
];
/// What a token without expiry, start or issue time is given to be valid, in seconds.
const DEFAULT_VALIDITY: i64 = 150;
/// How far the clocks may differ, in seconds.
const DEFAULT_SKEW: i64 = 60;

/// Who talks about what.
pub(super) type Claims = Map<String, Value>;

/// Leeways in seconds; 0 means the usual, a negative number none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leeway {
    /// Of a token without `exp`.
    pub(super) expiration: i64,
    /// Of a token without `nbf` and `iat`.
    pub(super) not_before: i64,
    pub(super) clock_skew: i64,
}

/// A public key in PEM.
pub(super) fn public_key(pem: &str) -> Option<DecodingKey> {
    let pem = pem.as_bytes();
    DecodingKey::from_ec_pem(pem)
        .or_else(|_| DecodingKey::from_rsa_pem(pem))
        .or_else(|_| DecodingKey::from_ed_pem(pem))
        .ok()
}

/// The claims of a token that one of the keys has signed, whatever they say.
pub(super) fn verified(keys: &[DecodingKey], token: &str) -> Option<Claims> {
    let algorithm = decode_header(token).ok()?.alg;
    if !ALGORITHMS.contains(&algorithm) {
        return None;
    }
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    keys.iter()
        .filter(|key| key.family() == algorithm.family())
        .find_map(|key| decode(token, key, &validation).ok())
        .map(|data| data.claims)
}

/// The audiences, one or many.
pub(super) fn audiences(claims: &Claims) -> Vec<&str> {
    match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether the token has any of the claims that say when it is valid.
pub(super) fn has_time(claims: &Claims) -> bool {
    ["exp", "nbf", "iat"].into_iter().any(|name| time(claims, name) != 0)
}

fn time(claims: &Claims, name: &str) -> i64 {
    claims.get(name).and_then(Value::as_f64).map_or(0, |number| number as i64)
}

/// Whether the token is valid at `now`; the refusal in the original's words.
pub(super) fn check_time(claims: &Claims, leeway: Leeway, now: Moment) -> Result<(), &'static str> {
    if !has_time(claims) {
        return Ok(());
    }
    let or_usual = |leeway: i64, usual| if leeway == 0 { usual } else { leeway.max(0) };
    let skew = or_usual(leeway.clock_skew, DEFAULT_SKEW);
    let (mut expires, mut begins, issued) = (time(claims, "exp"), time(claims, "nbf"), time(claims, "iat"));
    if expires == 0 {
        expires = begins.max(issued).saturating_add(or_usual(leeway.expiration, DEFAULT_VALIDITY));
    }
    if begins == 0 {
        begins = if issued == 0 {
            expires.saturating_sub(or_usual(leeway.not_before, DEFAULT_VALIDITY))
        } else {
            issued
        };
    }
    let now = i64::try_from(now.seconds()).unwrap_or(i64::MAX);
    if now.saturating_add(skew) < begins {
        return Err("invalid not before (nbf) claim: token not yet valid");
    }
    if now.saturating_sub(skew) > expires {
        return Err("invalid expiration time (exp) claim: token is expired");
    }
    if now.saturating_add(skew) < issued {
        return Err("invalid issued at (iat) claim: token issued in the future");
    }
    Ok(())
}
