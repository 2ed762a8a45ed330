//! Plays the Kubernetes API server: issues service-account tokens and reviews them.
//!
//! Claims: <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens>.

use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};

use super::{DevError, answer::uuid};
use crate::jwt;

/// The DER header of a P-256 public key (RFC 5480), before its 65 bytes.
const P256_HEADER: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// What a token shall say.
#[derive(Clone, Debug)]
pub struct Claims {
    /// Namespace of the pod.
    pub namespace: String,
    /// The pod's service account.
    pub service_account: String,
    /// The audiences; empty for none.
    pub audience: Vec<String>,
    /// The issuer; the cluster's usual name by default.
    pub issuer: String,
    /// When it was issued, in seconds since 1970.
    pub issued: u64,
    /// Seconds from then until it expires; negative for a token that has expired.
    pub lifetime: i64,
    /// Seconds from then until it becomes valid.
    pub not_before: i64,
    /// Claims that replace or add to the others.
    pub extra: serde_json::Map<String, Value>,
}

impl Claims {
    /// A token for one hour from `issued`, for the audience `vault`.
    pub fn new(namespace: &str, service_account: &str, issued: u64) -> Self {
        Self {
            namespace: namespace.to_owned(),
            service_account: service_account.to_owned(),
            audience: vec!["vault".to_owned()],
            issuer: "https://kubernetes.default.svc.cluster.local".to_owned(),
            issued,
            lifetime: 3600,
            not_before: 0,
            extra: serde_json::Map::new(),
        }
    }
}

/// A key pair that signs service-account tokens (ES256).
pub struct Issuer {
    signing: EncodingKey,
    verifying: DecodingKey,
    public_pem: String,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issuer")
    }
}

/// What a review finds out about a token.
pub(super) struct Reviewed {
    pub(super) username: String,
    pub(super) uid: String,
    pub(super) audiences: Vec<String>,
}

impl Issuer {
    /// Makes a fresh key pair.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn generate() -> Result<Self, DevError> {
        jwt::install();
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map_err(|_| DevError::Keys)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)
            .map_err(|_| DevError::Keys)?;
        let point = pair.public_key().as_ref();
        let encoded = STANDARD.encode([&P256_HEADER, point].concat());
        let mut public_pem = String::from("-----BEGIN PUBLIC KEY-----\n");
        for line in encoded.as_bytes().chunks(64) {
            public_pem.push_str(&String::from_utf8_lossy(line));
            public_pem.push('\n');
        }
        public_pem.push_str("-----END PUBLIC KEY-----\n");
        Ok(Self {
            signing: EncodingKey::from_ec_der(pkcs8.as_ref()),
            verifying: DecodingKey::from_ec_der(point),
            public_pem,
        })
    }

    /// The public key, for `pem_keys` of a Kubernetes auth mount.
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// A signed token with these claims.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn mint(&self, claims: &Claims) -> Result<String, DevError> {
        let at = |offset: i64| claims.issued.saturating_add_signed(offset);
        let name = &claims.service_account;
        let mut body = json!({
            "aud": claims.audience,
            "exp": at(claims.lifetime),
            "iat": claims.issued,
            "iss": claims.issuer,
            "jti": uuid(),
            "kubernetes.io": {
                "namespace": claims.namespace,
                "node": {"name": "node", "uid": uid_of(&["node"])},
                "pod": {"name": format!("{name}-0"), "uid": uid_of(&[&claims.namespace, name, "pod"])},
                "serviceaccount": {"name": name, "uid": uid_of(&[&claims.namespace, name])},
            },
            "nbf": at(claims.not_before),
            "sub": format!("system:serviceaccount:{}:{name}", claims.namespace),
        });
        if let Value::Object(body) = &mut body {
            if claims.audience.is_empty() {
                body.remove("aud");
            }
            body.extend(claims.extra.clone());
        }
        encode(&Header::new(Algorithm::ES256), &body, &self.signing).map_err(|_| DevError::Keys)
    }

    /// Whether this issuer signed the token, whatever it says.
    pub(super) fn signed(&self, token: &str) -> bool {
        self.claims(token).is_some()
    }

    fn claims(&self, token: &str) -> Option<Value> {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        decode::<Value>(token, &self.verifying, &validation).ok().map(|data| data.claims)
    }

    /// What the API server's token review says: signature and time, nothing about roles.
    pub(super) fn review(&self, token: &str, now: u64) -> Option<Reviewed> {
        let claims = self.claims(token)?;
        let expires = claims["exp"].as_u64().unwrap_or(u64::MAX);
        let begins = claims["nbf"].as_u64().unwrap_or(0);
        if now > expires || now < begins {
            return None;
        }
        let audiences = claims["aud"].as_array().map(Vec::as_slice).unwrap_or_default();
        Some(Reviewed {
            username: claims["sub"].as_str()?.to_owned(),
            uid: claims["kubernetes.io"]["serviceaccount"]["uid"].as_str()?.to_owned(),
            audiences: audiences.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
        })
    }

    /// Answers `POST /apis/authentication.k8s.io/v1/tokenreviews`.
    pub(super) fn token_review(&self, request: &Value, now: u64) -> Value {
        let token = request["spec"]["token"].as_str().unwrap_or_default();
        let asked: Vec<String> = request["spec"]["audiences"]
            .as_array()
            .map(|list| list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect())
            .unwrap_or_default();
        let status = match self.review(token, now) {
            None => json!({"authenticated": false, "error": "token is invalid or has expired"}),
            Some(found) => {
                let shared: Vec<&String> =
                    found.audiences.iter().filter(|one| asked.is_empty() || asked.contains(one)).collect();
                json!({
                    "authenticated": asked.is_empty() || !shared.is_empty(),
                    "audiences": shared,
                    "user": {"username": found.username, "uid": found.uid},
                })
            }
        };
        json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "status": status})
    }
}

/// The same names give the same id, so that a service account keeps its own.
pub(super) fn uid_of(names: &[&str]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, names.join("/").as_bytes());
    let hex: String = digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_key_verifies_what_was_signed() {
        let issuer = Issuer::generate().unwrap();
        let token = issuer.mint(&Claims::new("shop", "web", 1000)).unwrap();
        let key = DecodingKey::from_ec_pem(issuer.public_pem().as_bytes()).unwrap();
        let mut validation = Validation::new(Algorithm::ES256);
        validation.validate_exp = false;
        validation.set_audience(&["vault"]);
        let claims = decode::<Value>(&token, &key, &validation).unwrap().claims;
        assert_eq!(claims["sub"], "system:serviceaccount:shop:web");
        assert_eq!(claims["exp"], 4600);
        assert_eq!(claims["kubernetes.io"]["serviceaccount"]["name"], "web");
    }

    #[test]
    fn a_review_knows_its_own_living_tokens_only() {
        let issuer = Issuer::generate().unwrap();
        let token = issuer.mint(&Claims::new("shop", "web", 1000)).unwrap();
        let ask = |token: &str, now| {
            issuer.token_review(&json!({"spec": {"token": token, "audiences": ["vault"]}}), now)["status"]["authenticated"]
                == true
        };
        assert!(ask(&token, 1500));
        assert!(!ask(&token, 4601));
        assert!(!ask(&token, 999));
        let stranger = Issuer::generate().unwrap();
        assert!(!ask(&stranger.mint(&Claims::new("shop", "web", 1000)).unwrap(), 1500));
        let wrong = issuer.token_review(&json!({"spec": {"token": token, "audiences": ["other"]}}), 1500);
        assert_eq!(wrong["status"]["authenticated"], false);
    }
}
