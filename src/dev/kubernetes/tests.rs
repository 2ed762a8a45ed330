use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::{
    clock::Clock,
    dev::{issuer::Claims, moment::ServerClock},
};

const NOW: u64 = 1_700_000_000;

struct Bench {
    /// Signs, and its key is configured.
    issuer: Issuer,
    /// Reviews.
    cluster: Issuer,
    method: Kubernetes,
    now: Moment,
}

fn fields(value: &Value) -> Fields {
    Fields::from_body(value.to_string().as_bytes()).unwrap()
}

impl Bench {
    /// Must run inside a tokio test with paused time.
    fn new(config: &Value) -> Self {
        let issuer = Issuer::generate().unwrap();
        let mut all = json!({"kubernetes_host": "http://127.0.0.1", "pem_keys": [issuer.public_pem()]});
        all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        let mut method = Kubernetes::default();
        method.write_config(&fields(&all)).unwrap();
        let role = json!({"bound_service_account_names": ["web*"], "bound_service_account_namespaces": ["shop"],
            "audience": "vault", "token_policies": ["app"], "token_ttl": "10m"});
        method.write_role("web", &fields(&role)).unwrap();
        let now = ServerClock::new(Clock::starting_at(UNIX_EPOCH + Duration::from_secs(NOW))).now();
        let cluster = Issuer::generate().unwrap();
        Self { issuer, cluster, method, now }
    }

    fn login(&self, claims: &Claims) -> Result<TokenSpec, Refusal> {
        self.login_with(&self.issuer.mint(claims).unwrap())
    }

    fn login_with(&self, jwt: &str) -> Result<TokenSpec, Refusal> {
        let fields = fields(&json!({"role": "web", "jwt": jwt}));
        self.method.login("auth/kubernetes/", &fields, &self.cluster, self.now)
    }

    fn refused(&self, claims: &Claims) -> String {
        let refusal = self.login(claims).err().unwrap();
        assert_eq!(refusal.status, 403);
        refusal.errors.join("")
    }
}

fn claims() -> Claims {
    Claims::new("shop", "web-1", NOW - 10)
}

#[tokio::test(start_paused = true)]
async fn a_good_login_earns_the_roles_token() {
    let spec = Bench::new(&json!({})).login(&claims()).unwrap();
    assert_eq!(spec.policies, ["app", "default"]);
    assert_eq!(spec.limits.ttl, Duration::from_secs(600));
    assert_eq!(spec.display_name, "kubernetes-shop-web-1");
    assert_eq!(spec.meta.unwrap()["service_account_namespace"], "shop");
}

#[tokio::test(start_paused = true)]
async fn every_claim_is_checked_with_a_minute_of_leeway() {
    let bench = Bench::new(&json!({"issuer": "me", "disable_iss_validation": false}));
    let good = Claims { issuer: "me".into(), ..claims() };
    assert!(bench.login(&good).is_ok());
    assert_eq!(bench.refused(&claims()), "invalid issuer (iss) claim");
    let other = Claims { audience: vec!["x".into()], ..good.clone() };
    assert!(bench.refused(&other).starts_with("invalid audience (aud) claim"));
    assert!(bench.login(&Claims { lifetime: -49, ..good.clone() }).is_ok());
    let expired = Claims { lifetime: -51, ..good.clone() };
    assert_eq!(bench.refused(&expired), "invalid expiration time (exp) claim: token is expired");
    assert!(bench.login(&Claims { not_before: 70, ..good.clone() }).is_ok());
    let early = Claims { not_before: 71, ..good.clone() };
    assert_eq!(bench.refused(&early), "invalid not before (nbf) claim: token not yet valid");
    let future = Claims { issued: NOW + 61, not_before: -100, ..good };
    assert_eq!(bench.refused(&future), "invalid issued at (iat) claim: token issued in the future");
}

#[tokio::test(start_paused = true)]
async fn names_are_bound_by_globs() {
    let bench = Bench::new(&json!({}));
    let wrong_name = Claims { service_account: "db".into(), ..claims() };
    assert_eq!(bench.refused(&wrong_name), "service account name not authorized");
    let wrong_namespace = Claims { namespace: "other".into(), ..claims() };
    assert_eq!(bench.refused(&wrong_namespace), "namespace not authorized");
}

#[tokio::test(start_paused = true)]
async fn a_foreign_or_changed_signature_is_denied() {
    let bench = Bench::new(&json!({}));
    let foreign = Issuer::generate().unwrap().mint(&claims()).unwrap();
    for jwt in ["junk", "a.b.c", foreign.as_str()] {
        assert_eq!(bench.login_with(jwt).err(), Some(Refusal::denied()), "{jwt}");
    }
    // {"alg":"none"}
    let unsigned = foreign.split_once('.').map(|(_, rest)| format!("eyJhbGciOiJub25lIn0.{rest}")).unwrap();
    assert_eq!(bench.login_with(&unsigned).err(), Some(Refusal::denied()));
}

#[tokio::test(start_paused = true)]
async fn without_keys_the_cluster_decides() {
    let bench = Bench::new(&json!({"pem_keys": []}));
    let mint = |claims: &Claims| bench.cluster.mint(claims).unwrap();
    assert!(bench.login_with(&mint(&claims())).is_ok());
    assert_eq!(bench.login(&claims()).err(), Some(Refusal::denied()), "signed elsewhere");
    let expired = mint(&Claims { lifetime: 5, ..claims() });
    assert_eq!(bench.login_with(&expired).err(), Some(Refusal::denied()));
}

#[tokio::test(start_paused = true)]
async fn missing_fields_and_roles_are_bad_requests() {
    let bench = Bench::new(&json!({}));
    for (body, message) in [
        (json!({}), "missing role"),
        (json!({"role": "web"}), "missing jwt"),
        (json!({"role": "zzz", "jwt": "x"}), "invalid role name \"zzz\""),
    ] {
        let refused = bench.method.login("auth/kubernetes/", &fields(&body), &bench.issuer, bench.now);
        assert_eq!(refused.err(), Some(Refusal::bad(message)));
    }
}

#[tokio::test(start_paused = true)]
async fn the_cluster_gives_its_own_tokens_no_leeway() {
    let mut bench = Bench::new(&json!({}));
    std::mem::swap(&mut bench.issuer, &mut bench.cluster);
    let keys = json!({"kubernetes_host": "http://127.0.0.1", "pem_keys": [bench.cluster.public_pem()]});
    bench.method.write_config(&fields(&keys)).unwrap();
    let mint = |lifetime| bench.cluster.mint(&Claims { lifetime, ..claims() }).unwrap();
    assert!(bench.login_with(&mint(11)).is_ok());
    assert_eq!(bench.login_with(&mint(5)).err(), Some(Refusal::denied()));
}

#[test]
fn globs_match_anywhere() {
    for (pattern, text, fits) in [
        ("*", "x", true),
        ("web", "web", true),
        ("web", "web2", false),
        ("web*", "web2", true),
        ("*-db", "app-db", true),
        ("a*b*c", "a-b-c", true),
        ("a*b*c", "a-c", false),
        ("ab*ba", "aba", false),
    ] {
        assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
    }
}
