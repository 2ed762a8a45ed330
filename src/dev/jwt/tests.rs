use serde_json::{Value, json};

use crate::dev::{
    issuer::{Claims, Issuer},
    testing::{Bench, START},
};

struct Jwts {
    bench: Bench,
    issuer: Issuer,
}

impl Jwts {
    async fn new() -> Self {
        let (bench, issuer) = (Bench::new(), Issuer::generate().unwrap());
        bench.put("sys/auth/jwt", json!({"type": "jwt"})).await;
        bench.put("auth/jwt/config", json!({"jwt_validation_pubkeys": [issuer.public_pem()]})).await;
        Self { bench, issuer }
    }

    async fn role(&self, name: &str, more: Value) {
        let mut role = json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault"});
        role.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.bench.put(&format!("auth/jwt/role/{name}"), role).await;
    }

    async fn login(&self, role: &str, claims: &Claims) -> (u16, String) {
        let jwt = self.issuer.mint(claims).unwrap();
        self.bench.login("jwt", json!({"role": role, "jwt": jwt})).await
    }
}

fn claims() -> Claims {
    Claims::new("shop", "web", START - 10)
}

#[tokio::test(start_paused = true)]
async fn a_login_earns_what_the_role_says_and_renews_as_long_as_the_role_is_there() {
    let jwts = Jwts::new().await;
    jwts.role("Web", json!({"token_ttl": "10m", "token_policies": "app", "claim_mappings": {"iss": "from"}}))
        .await;
    let (status, token) = jwts.login("wEb", &claims()).await;
    assert_eq!(status, 200, "{token}");
    let (_, own) = jwts.bench.ask(&token, "GET", "auth/token/lookup-self", Value::Null).await;
    assert_eq!(own["data"]["display_name"], "jwt-system:serviceaccount:shop:web");
    assert_eq!(own["data"]["meta"]["role"], "web");
    assert_eq!(own["data"]["meta"]["from"], "https://kubernetes.default.svc.cluster.local");
    let (_, renewed) = jwts.bench.ask(&token, "POST", "auth/token/renew-self", json!({})).await;
    assert_eq!(renewed["auth"]["lease_duration"], 600);
    jwts.bench
        .put("auth/jwt/role/other", json!({"role_type": "jwt", "user_claim": "sub", "bound_subject": "x"}))
        .await;
    jwts.bench.root("DELETE", "auth/jwt/role/web", Value::Null).await;
    let (status, refused) = jwts.bench.ask(&token, "POST", "auth/token/renew-self", json!({})).await;
    assert_eq!(status, 500);
    assert!(refused["errors"][0].as_str().unwrap().contains("role web does not exist during renewal"));
}

#[tokio::test(start_paused = true)]
async fn every_wrong_credential_has_its_own_words() {
    let jwts = Jwts::new().await;
    jwts.role("web", json!({"bound_subject": "system:serviceaccount:shop:web"})).await;
    jwts.role("far", json!({"bound_claims": {"/kubernetes.io/namespace": "far"}})).await;
    jwts.role("named", json!({"user_claim": "nobody"})).await;
    let expect = async |role: &str, claims: Claims, error: &str| {
        let (status, found) = jwts.login(role, &claims).await;
        assert_eq!((status, found.as_str()), (400, error));
    };
    let invalid = |why: &str| format!("error validating token: {why}");
    let expired = Claims { lifetime: -100, ..claims() };
    expect("web", expired, &invalid("invalid expiration time (exp) claim: token is expired")).await;
    let elsewhere = Claims { audience: vec!["other".into()], ..claims() };
    let audience = "invalid audience (aud) claim: audience claim does not match any expected audience";
    expect("web", elsewhere, &invalid(audience)).await;
    let stranger = Claims { service_account: "b".into(), ..claims() };
    expect("web", stranger, &invalid("invalid subject (sub) claim")).await;
    let unbound = "error validating claims: claim \"/kubernetes.io/namespace\" does not match any associated bound \
                   claim values";
    expect("far", claims(), unbound).await;
    expect("named", claims(), "claim \"nobody\" not found in token").await;
    expect("nope", claims(), "role \"nope\" could not be found").await;
    let foreign = Issuer::generate().unwrap().mint(&claims()).unwrap();
    let (_, error) = jwts.bench.login("jwt", json!({"role": "web", "jwt": foreign})).await;
    let unsigned = "error verifying token signature: no known key successfully validated the token signature";
    assert_eq!(error, invalid(unsigned));
    assert_eq!(jwts.bench.login("jwt", json!({"role": "web"})).await.1, "missing token");
}

#[tokio::test(start_paused = true)]
async fn the_skew_that_a_role_allows_moves_the_end() {
    let jwts = Jwts::new().await;
    jwts.role("usual", json!({})).await;
    jwts.role("none", json!({"clock_skew_leeway": -1})).await;
    jwts.role("wide", json!({"clock_skew_leeway": "200s"})).await;
    let ended = |ago: i64| Claims { lifetime: 10 - ago, ..claims() };
    let mut statuses = Vec::new();
    for (role, ago) in [("usual", 55), ("usual", 65), ("none", 5), ("wide", 190), ("wide", 210)] {
        statuses.push(jwts.login(role, &ended(ago)).await.0);
    }
    assert_eq!(statuses, [200, 400, 400, 200, 400]);
}

#[tokio::test(start_paused = true)]
async fn a_configuration_and_a_role_are_judged_when_written() {
    let bench = Bench::new();
    bench.put("sys/auth/jwt", json!({"type": "jwt"})).await;
    let error = async |path: &str, body: Value| {
        bench.root("POST", path, body).await.1["errors"][0].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(bench.login("jwt", json!({"role": "a", "jwt": "x"})).await.1, "could not load configuration");
    assert!(error("auth/jwt/config", json!({})).await.starts_with("exactly one of"));
    let junk = error("auth/jwt/config", json!({"jwt_validation_pubkeys": ["junk"]})).await;
    assert_eq!(junk, "error parsing public key: data does not contain any valid public keys");
    let role = async |body: Value| error("auth/jwt/role/a", body).await;
    assert_eq!(role(json!({"role_type": "jwt"})).await, "a user claim must be defined on the role");
    assert!(role(json!({"role_type": "jwt", "user_claim": "sub"})).await.contains("at least one bound"));
    assert!(role(json!({"user_claim": "sub"})).await.contains("'allowed_redirect_uris' must be set"));
}
