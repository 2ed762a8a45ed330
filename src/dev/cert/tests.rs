use serde_json::{Value, json};

use crate::dev::{
    Authority, Identity, Subject,
    answer::{Body, Outcome},
    call::{Call, Operation, Secret},
    certificate,
    fields::Fields,
    peer::Peer,
    testing::{Bench, START},
};

const FROM: i64 = START as i64 - 60;

fn identity(authority: &Authority, name: &str, lifetime: i64) -> Identity {
    let names = vec![format!("{name}.svc")];
    authority.issue(&Subject { common_name: name.into(), names, from: FROM, lifetime }).unwrap()
}

fn peer(identity: &Identity) -> Peer {
    Peer { address: None, certificates: certificate::parse(&identity.certificate) }
}

async fn bench(role: Value) -> (Bench, Authority) {
    let (bench, authority) = (Bench::new(), Authority::generate(FROM).unwrap());
    bench.put("sys/auth/cert", json!({"type": "cert"})).await;
    let mut all = json!({"certificate": authority.pem(), "token_policies": "app"});
    all.as_object_mut().unwrap().extend(role.as_object().unwrap().clone());
    bench.put("auth/cert/certs/Web", all).await;
    (bench, authority)
}

/// Asks as a client with this certificate: the token, or status and first error.
fn ask(bench: &Bench, peer: &Peer, path: &str, token: &str, body: &Value) -> Result<String, String> {
    let call = Call {
        operation: Operation::Write,
        path: path.into(),
        fields: Fields::from_body(body.to_string().as_bytes()).unwrap(),
        token: Some(Secret(token.into())).filter(|token| !token.0.is_empty()),
        wrap: None,
        peer: peer.clone(),
    };
    let outcome: Outcome = bench.shared.change(|state| state.core.handle(&call));
    match outcome {
        Ok(answer) => match answer.body {
            Body::Secret(body) => Ok(body.auth.map(|auth| auth.client_token).unwrap_or_default()),
            _ => Ok(answer.status.to_string()),
        },
        Err(refusal) => Err(format!("{} {}", refusal.status, refusal.errors.join(""))),
    }
}

fn login(bench: &Bench, peer: &Peer, body: &Value) -> Result<String, String> {
    ask(bench, peer, "auth/cert/login", "", body)
}

const UNKNOWN: &str = "400 invalid certificate or no client certificate supplied";

#[tokio::test(start_paused = true)]
async fn who_the_authority_signed_logs_in_and_renews_with_the_same_certificate_only() {
    let (bench, authority) = bench(json!({"display_name": "dn"})).await;
    let own = peer(&identity(&authority, "web", 3600));
    let token = login(&bench, &own, &json!({"name": "wEb"})).unwrap();
    let (_, seen) = bench.ask(&token, "GET", "auth/token/lookup-self", Value::Null).await;
    assert_eq!(seen["data"]["display_name"], "cert-dn");
    assert_eq!(seen["data"]["meta"]["common_name"], "web");
    assert_eq!(seen["data"]["meta"]["cert_name"], "web");
    let renew = |peer: &Peer| ask(&bench, peer, "auth/token/renew-self", &token, &json!({}));
    assert_eq!(renew(&own).unwrap(), token);
    assert_eq!(renew(&Peer::default()).unwrap_err(), "400 no client certificate found");
    let other = renew(&peer(&identity(&authority, "web", 3600))).unwrap_err();
    assert!(other.contains("not matching client identity used during login"), "{other}");
    bench.put("auth/cert/certs/web", json!({"token_policies": "else"})).await;
    assert!(renew(&own).unwrap_err().contains("policies have changed"));
    bench.root("DELETE", "auth/cert/certs/web", Value::Null).await;
    assert_eq!(renew(&own).unwrap(), "204");
}

#[tokio::test(start_paused = true)]
async fn strangers_and_the_unnamed_are_refused() {
    let (bench, authority) = bench(json!({"allowed_common_names": "web*"})).await;
    let stranger = Authority::generate(FROM).unwrap();
    let refused = |peer: &Peer, body: Value| login(&bench, peer, &body).unwrap_err();
    assert_eq!(refused(&Peer::default(), json!({})), "400 no client certificate found");
    assert_eq!(refused(&peer(&identity(&stranger, "web", 3600)), json!({})), UNKNOWN);
    let own = peer(&identity(&authority, "web", 3600));
    assert_eq!(refused(&own, json!({"name": "none"})), UNKNOWN);
    let unnamed = refused(&peer(&identity(&authority, "db", 3600)), json!({}));
    assert!(unnamed.contains("no chain matching all constraints"), "{unnamed}");
    let expired = refused(&peer(&identity(&authority, "web", 30)), json!({}));
    assert!(expired.starts_with("500") && expired.contains("has expired"), "{expired}");
}

#[tokio::test(start_paused = true)]
async fn each_list_of_names_looks_at_its_own_names() {
    let (bench, authority) = bench(json!({})).await;
    let own = peer(&identity(&authority, "web", 3600));
    for (list, pattern, fits) in [
        ("allowed_names", "web.svc", true),
        ("allowed_names", "db", false),
        ("allowed_dns_sans", "*.svc", true),
        ("allowed_dns_sans", "web", false),
        ("allowed_uri_sans", "*", false),
    ] {
        bench.put("auth/cert/certs/one", json!({"certificate": authority.pem(), list: pattern})).await;
        assert_eq!(login(&bench, &own, &json!({"name": "one"})).is_ok(), fits, "{list} {pattern}");
        bench.root("DELETE", "auth/cert/certs/one", Value::Null).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_may_name_one_certificate_and_needs_a_readable_one() {
    let (bench, authority) = bench(json!({"allowed_common_names": "nobody"})).await;
    let own = identity(&authority, "web", 3600);
    bench.put("auth/cert/certs/leaf", json!({"certificate": own.certificate})).await;
    assert!(login(&bench, &peer(&own), &json!({"name": "leaf"})).is_ok());
    let other = peer(&identity(&authority, "web", 3600));
    assert_eq!(login(&bench, &other, &json!({"name": "leaf"})).unwrap_err(), UNKNOWN);
    let (status, error) = bench.root("POST", "auth/cert/certs/x", json!({"certificate": "junk"})).await;
    assert_eq!((status, &error["errors"][0]), (400, &json!("failed to parse certificate")));
}
