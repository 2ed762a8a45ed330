use tower::ServiceExt;

use super::*;
use crate::dev::testing::{Bench, START};

fn wrapped_denial() -> Value {
    json!({"errors": ["1 error occurred:\n\t* permission denied\n\n"]})
}

#[tokio::test(start_paused = true)]
async fn a_versioned_secret_lives_through_all_its_states() {
    let bench = Bench::new();
    let path = "secret/data/app/db";
    let (status, written) = bench.root("POST", path, json!({"data": {"n": 1}})).await;
    assert_eq!((status, &written["data"]["version"]), (200, &json!(1)));
    bench.root("PUT", path, json!({"data": {"n": 2}, "options": {"cas": 1}})).await;
    let (status, body) = bench.root("PUT", path, json!({"data": {}, "options": {"cas": 1}})).await;
    assert_eq!(status, 400);
    assert_eq!(body["errors"][0], "check-and-set parameter did not match the current version");
    assert_eq!(bench.root("GET", path, Value::Null).await.1["data"]["data"]["n"], 2);
    let old = bench.root("GET", "secret/data/app/db?version=1", Value::Null).await.1;
    assert_eq!(old["data"]["data"]["n"], 1);
    assert_eq!(bench.root("DELETE", path, Value::Null).await.0, 204);
    let (status, gone) = bench.root("GET", path, Value::Null).await;
    assert_eq!(status, 404);
    assert_eq!(gone["data"]["data"], Value::Null);
    assert_eq!(gone["data"]["metadata"]["deletion_time"], "2023-11-14T22:13:20Z");
    bench.root("POST", "secret/undelete/app/db", json!({"versions": [2]})).await;
    assert_eq!(bench.root("GET", path, Value::Null).await.0, 200);
    bench.root("POST", "secret/destroy/app/db", json!({"versions": [2]})).await;
    let (status, destroyed) = bench.root("GET", path, Value::Null).await;
    assert_eq!((status, &destroyed["data"]["metadata"]["destroyed"]), (404, &json!(true)));
    let keys = bench.root("LIST", "secret/metadata/app", Value::Null).await.1;
    assert_eq!(keys["data"]["keys"], json!(["db"]));
    let missing = bench.root("GET", "secret/data/none", Value::Null).await;
    assert_eq!(missing, (404, json!({"errors": []})));
    let unversioned = bench.root("GET", "secret/app/db", Value::Null).await;
    assert_eq!(unversioned.0, 404);
    assert!(unversioned.1["warnings"][0].as_str().unwrap().starts_with("Invalid path for a versioned"));
}

#[tokio::test(start_paused = true)]
async fn versions_beyond_the_maximum_and_past_their_time_go() {
    let bench = Bench::new();
    let settings = json!({"max_versions": 2, "delete_version_after": "60s"});
    bench.root("POST", "secret/metadata/x", settings).await;
    for n in 1..=3 {
        bench.root("POST", "secret/data/x", json!({"data": {"n": n}})).await;
    }
    assert_eq!(bench.root("GET", "secret/data/x?version=1", Value::Null).await.0, 404);
    assert_eq!(bench.root("GET", "secret/data/x?version=2", Value::Null).await.0, 200);
    let subkeys = bench.root("GET", "secret/subkeys/x", Value::Null).await.1;
    assert_eq!(subkeys["data"]["subkeys"], json!({"n": null}));
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(bench.root("GET", "secret/data/x", Value::Null).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn numbers_and_markup_keep_their_text() {
    let bench = Bench::new();
    bench.root("POST", "sys/mounts/kv1", json!({"type": "kv"})).await;
    let body = r#"{"big":123456789012345678901234,"html":"<&>","n":1.50,"ttl":"30s"}"#;
    let request = Request::post("/v1/kv1/a").header("x-vault-token", "root").body(Body::from(body)).unwrap();
    assert_eq!(bench.router.clone().oneshot(request).await.unwrap().status(), 204);
    let response = bench.raw("GET", "/v1/kv1/a", "root", Value::Null).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let text = to_bytes(response.into_body(), MAX_BODY).await.unwrap();
    let text = std::str::from_utf8(&text).unwrap();
    let data = r#""data":{"big":123456789012345678901234,"html":"\u003c\u0026\u003e","n":1.50,"ttl":"30s"}"#;
    assert!(text.contains(data), "{text}");
    assert!(text.contains(r#""lease_duration":30,"#) && text.ends_with("}\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn policies_and_dead_tokens_are_denied_in_different_words() {
    let bench = Bench::new();
    let policy = "path \"secret/data/app/*\" { capabilities = [\"read\"] }";
    assert_eq!(bench.root("PUT", "sys/policies/acl/app", json!({"policy": policy})).await.0, 204);
    let token = bench.token(json!({"policies": ["app"], "ttl": "1h"})).await;
    assert_eq!(bench.ask(&token, "GET", "secret/data/app/x", Value::Null).await.0, 404);
    let denied = (403, wrapped_denial());
    assert_eq!(bench.ask(&token, "GET", "secret/data/other", Value::Null).await, denied);
    assert_eq!(bench.ask(&token, "POST", "secret/data/app/x", json!({"data": {}})).await, denied);
    assert_eq!(bench.ask(&token, "GET", "nowhere/x", Value::Null).await, denied);
    let dead = (403, json!({"errors": ["permission denied"]}));
    assert_eq!(bench.ask("unknown", "GET", "secret/data/app/x", Value::Null).await, dead);
    let (status, body) = bench.root("GET", "nowhere/x", Value::Null).await;
    assert_eq!(status, 404);
    assert_eq!(body["errors"][0], "no handler for route \"nowhere/x\". route entry not found.");
    assert_eq!(bench.ask(&token, "GET", "sys/internal/ui/mounts/secret/app", Value::Null).await.0, 200);
    let paths = json!({"paths": ["secret/data/app/x"]});
    let may = bench.ask(&token, "POST", "sys/capabilities-self", paths).await.1;
    assert_eq!(may["secret/data/app/x"], json!(["read"]));
    assert_eq!(may["data"]["capabilities"], json!(["read"]));
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_up_to_its_maximum_and_takes_its_family_along() {
    let bench = Bench::new();
    let spec = json!({"policies": ["root"], "ttl": "60s", "explicit_max_ttl": "100s"});
    let parent = bench.token(spec).await;
    let (_, child) = bench.ask(&parent, "POST", "auth/token/create", json!({})).await;
    let child = child["auth"]["client_token"].as_str().unwrap().to_owned();
    tokio::time::advance(Duration::from_secs(50)).await;
    let looked = bench.ask(&parent, "GET", "auth/token/lookup-self", Value::Null).await.1;
    assert_eq!(looked["data"]["ttl"], 10);
    let renewed = bench.ask(&parent, "PUT", "auth/token/renew-self", json!({"increment": "1h"})).await.1;
    assert_eq!(renewed["auth"]["lease_duration"], 50);
    assert_eq!(
        renewed["warnings"][0],
        "TTL of \"1h\" exceeded the effective max_ttl of \"50s\"; TTL value is capped accordingly"
    );
    tokio::time::advance(Duration::from_secs(50)).await;
    for token in [parent, child] {
        assert_eq!(bench.ask(&token, "GET", "auth/token/lookup-self", Value::Null).await.0, 403);
    }
}

#[tokio::test(start_paused = true)]
async fn special_tokens_keep_their_rules() {
    let bench = Bench::new();
    let once = bench.token(json!({"policies": ["default"], "num_uses": 1, "ttl": "1h"})).await;
    assert_eq!(bench.ask(&once, "GET", "auth/token/lookup-self", Value::Null).await.0, 200);
    assert_eq!(bench.ask(&once, "GET", "auth/token/lookup-self", Value::Null).await.0, 403);
    let batch = bench.token(json!({"policies": ["default"], "type": "batch", "ttl": "1h"})).await;
    let refused = bench.ask(&batch, "PUT", "auth/token/renew-self", json!({})).await;
    assert_eq!(refused, (400, json!({"errors": ["batch tokens cannot be renewed"]})));
    let refused = bench.root("PUT", "auth/token/renew-self", json!({})).await;
    assert_eq!(refused, (400, json!({"errors": ["lease is not renewable"]})));
    let periodic = bench.token(json!({"policies": ["default"], "period": "10m"})).await;
    tokio::time::advance(Duration::from_secs(599)).await;
    let renewed = bench.ask(&periodic, "PUT", "auth/token/renew-self", json!({"increment": 5})).await.1;
    assert_eq!(renewed["auth"]["lease_duration"], 600);
    assert_eq!(bench.ask(&periodic, "PUT", "auth/token/revoke-self", json!({})).await.0, 204);
    assert_eq!(bench.ask(&periodic, "PUT", "auth/token/revoke-self", json!({})).await.0, 403);
}

#[tokio::test(start_paused = true)]
async fn credentials_are_leased_renewed_capped_and_die_with_their_token() {
    let bench = Bench::new();
    bench.database().await;
    let token = bench.token(json!({"policies": ["root"], "ttl": "1h"})).await;
    let (_, first) = bench.ask(&token, "GET", "database/creds/app", Value::Null).await;
    let (_, second) = bench.ask(&token, "GET", "database/creds/app", Value::Null).await;
    assert_eq!((&first["lease_duration"], &first["renewable"]), (&json!(60), &json!(true)));
    assert_ne!(first["data"]["password"], second["data"]["password"]);
    let id = json!({"lease_id": first["lease_id"]});
    tokio::time::advance(Duration::from_secs(59)).await;
    let renewed = bench.ask(&token, "PUT", "sys/leases/renew", id.clone()).await.1;
    assert_eq!((&renewed["lease_duration"], &renewed["data"]), (&json!(41), &Value::Null));
    tokio::time::advance(Duration::from_secs(1)).await;
    let expired = bench.root("PUT", "sys/leases/lookup", json!({"lease_id": second["lease_id"]})).await;
    assert_eq!(expired, (400, json!({"errors": ["invalid lease"]})));
    assert_eq!(bench.root("PUT", "sys/leases/lookup", id.clone()).await.1["data"]["ttl"], 40);
    bench.ask(&token, "PUT", "auth/token/revoke-self", json!({})).await;
    let gone = bench.root("PUT", "sys/leases/renew", id).await;
    assert_eq!(gone, (400, json!({"errors": ["lease not found"]})));
}

#[tokio::test(start_paused = true)]
async fn a_pod_logs_in_with_its_jwt() {
    let bench = Bench::new();
    bench.root("POST", "sys/auth/kubernetes", json!({"type": "kubernetes"})).await;
    let config = json!({"kubernetes_host": "http://127.0.0.1"});
    assert_eq!(bench.root("POST", "auth/kubernetes/config", config).await.0, 204);
    let role = json!({"bound_service_account_names": "web", "bound_service_account_namespaces": "shop",
        "audience": "vault", "token_ttl": "10m", "token_policies": ["app"]});
    assert_eq!(bench.root("POST", "auth/kubernetes/role/web", role).await.0, 204);
    let pod = json!({"namespace": "shop", "service_account": "web"});
    let (_, jwt) = bench.control("POST", "jwt", pod).await;
    let login = json!({"role": "web", "jwt": jwt["jwt"]});
    let (status, answer) = bench.ask("", "POST", "auth/kubernetes/login", login).await;
    assert_eq!((status, &answer["auth"]["lease_duration"]), (200, &json!(600)));
    let token = answer["auth"]["client_token"].as_str().unwrap();
    assert_eq!(bench.ask(token, "PUT", "auth/token/renew-self", json!({})).await.0, 200);
    bench.root("DELETE", "auth/kubernetes/role/web", Value::Null).await;
    assert_eq!(bench.ask(token, "PUT", "auth/token/renew-self", json!({})).await.0, 500);
    bench.root("DELETE", "sys/auth/kubernetes", Value::Null).await;
    assert_eq!(bench.ask(token, "GET", "auth/token/lookup-self", Value::Null).await.0, 403);
}

#[tokio::test(start_paused = true)]
async fn health_answers_the_status_that_is_asked_for() {
    let bench = Bench::new();
    assert_eq!(bench.ask("", "GET", "sys/health", Value::Null).await.0, 200);
    assert_eq!(bench.ask("", "GET", "sys/health?activecode=218", Value::Null).await.0, 218);
    assert_eq!(bench.ask("", "GET", "sys/health?activecode=abc", Value::Null).await.0, 400);
    bench.control("POST", "seal", json!({"sealed": true})).await;
    assert_eq!(bench.ask("", "GET", "sys/health", Value::Null).await.0, 503);
    assert_eq!(bench.ask("", "GET", "sys/health?sealedcode=299", Value::Null).await.0, 299);
    let sealed = bench.root("GET", "secret/data/x", Value::Null).await;
    assert_eq!(sealed, (503, json!({"errors": ["Vault is sealed"]})));
}

#[tokio::test(start_paused = true)]
async fn faults_change_answers_as_often_as_they_say() {
    let bench = Bench::new();
    let fault = json!({"path": "/v1/secret/*", "status": 429, "count": 1, "headers": {"Retry-After": "7"}});
    assert_eq!(bench.control("POST", "faults", fault).await, (201, json!({"id": 1})));
    let response = bench.raw("GET", "/v1/secret/data/x", "root", Value::Null).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "7");
    assert_eq!(bench.root("GET", "secret/data/x", Value::Null).await.0, 404);
    bench.control("POST", "faults", json!({"path": "/v1/secret/*", "garbage": true})).await;
    let response = bench.raw("GET", "/v1/secret/data/x", "root", Value::Null).await;
    let text = to_bytes(response.into_body(), MAX_BODY).await.unwrap();
    assert!(text.starts_with(b"<html>"));
    let (status, body) = bench.control("POST", "faults", json!({"stauts": 1})).await;
    assert_eq!(status, 400);
    assert!(body["errors"][0].as_str().unwrap().contains("unknown field `stauts`"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn a_cut_body_breaks_in_the_middle() {
    let bench = Bench::new();
    bench.control("POST", "faults", json!({"truncate": true})).await;
    let response = bench.raw("GET", "/v1/sys/health", "", Value::Null).await;
    let promised: usize = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
    assert!(promised > 100);
    assert!(to_bytes(response.into_body(), MAX_BODY).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_held_request_goes_on_when_released_and_the_work_may_come_first() {
    let bench = Bench::new();
    let fault = json!({"method": "POST", "path": "/v1/secret/data/x", "hold": true, "after": true});
    bench.control("POST", "faults", fault).await;
    let writing = bench.root("POST", "secret/data/x", json!({"data": {"a": 1}}));
    let watching = async {
        let (status, fault) = bench.control("GET", "faults/1?held=1", Value::Null).await;
        assert_eq!((status, &fault["held"]), (200, &json!(1)));
        assert_eq!(bench.root("GET", "secret/data/x", Value::Null).await.0, 200, "the work is done already");
        bench.control("POST", "faults/1/release", Value::Null).await;
    };
    let ((status, _), ()) = tokio::join!(writing, watching);
    assert_eq!(status, 200);
    assert_eq!(bench.control("GET", "faults/1", Value::Null).await.1["held"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_gives_its_place_back() {
    let bench = Bench::new();
    bench.control("POST", "faults", json!({"hold": true})).await;
    let asking = bench.root("GET", "secret/data/x", Value::Null);
    assert!(tokio::time::timeout(Duration::from_secs(1), asking).await.is_err());
    assert_eq!(bench.control("GET", "faults/1", Value::Null).await.1["held"], 0);
}

#[tokio::test(start_paused = true)]
async fn the_journal_waits_for_requests_and_keeps_no_token() {
    let bench = Bench::new();
    let path = "journal?path=/v1/secret/*&at_least=2&timeout=60";
    let watching = bench.control("GET", path, Value::Null);
    let asking = async {
        bench.root("GET", "secret/data/a", Value::Null).await;
        bench.root("GET", "sys/health", Value::Null).await;
        bench.ask("hvs.canary", "GET", "secret/data/b?version=2", Value::Null).await;
    };
    let ((status, journal), ()) = tokio::join!(watching, asking);
    assert_eq!(status, 200);
    let entries = journal["entries"].as_array().unwrap();
    let seen: Vec<(&str, u64)> =
        entries.iter().map(|e| (e["path"].as_str().unwrap(), e["status"].as_u64().unwrap())).collect();
    assert_eq!(seen, [("/v1/secret/data/a", 404), ("/v1/secret/data/b", 403)]);
    assert_eq!(entries[1]["query"], "version=2");
    assert_ne!(entries[0]["token"], entries[1]["token"]);
    assert!(!journal.to_string().contains("canary"));
    let (status, _) = bench.control("GET", "journal?at_least=99&timeout=5", Value::Null).await;
    assert_eq!(status, 408);
}

#[tokio::test(start_paused = true)]
async fn the_clock_can_be_moved() {
    let bench = Bench::new();
    let token = bench.token(json!({"policies": ["default"], "ttl": "60s"})).await;
    let (_, now) = bench.control("POST", "clock", json!({"seconds": 60})).await;
    assert_eq!(now["seconds"], START + 60);
    assert!(bench.shared.lock().core.tokens.get(&token).is_none());
}

#[tokio::test(start_paused = true)]
async fn odd_requests_are_answered_as_the_original_does() {
    let bench = Bench::new();
    let response = bench.raw("GET", "/v1//secret/../sys/health", "root", Value::Null).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["location"]),
        (307, &"/v1/sys/health".parse().unwrap())
    );
    assert_eq!(bench.root("FOO", "secret/data/x", Value::Null).await, (405, json!({"errors": []})));
    let wrong = bench.root("POST", "sys/mounts/x", json!([1])).await;
    assert_eq!(wrong.0, 400);
    assert!(wrong.1["errors"][0].as_str().unwrap().starts_with("failed to decode JSON input: json: cannot"));
    let mut request = Request::get("/v1/secret/metadata?list=true").body(Body::empty()).unwrap();
    request.headers_mut().insert("authorization", "Bearer root".parse().unwrap());
    assert_eq!(bench.router.clone().oneshot(request).await.unwrap().status(), 404);
    assert_eq!(bench.root("GET", "sys/renew", Value::Null).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn leases_can_be_listed_and_revoked_by_prefix() {
    let bench = Bench::new();
    bench.database().await;
    for _ in 0..2 {
        bench.root("GET", "database/creds/app", Value::Null).await;
    }
    let list = "sys/leases/lookup/database/creds/app";
    let keys = bench.root("LIST", list, Value::Null).await.1;
    assert_eq!(keys["data"]["keys"].as_array().unwrap().len(), 2);
    assert_eq!(bench.root("PUT", "sys/leases/revoke-prefix/database/creds/app", json!({})).await.0, 204);
    assert_eq!(bench.root("LIST", list, Value::Null).await.0, 404);
    let policy = "path \"sys/leases/*\" { capabilities = [\"update\", \"list\"] }";
    bench.root("PUT", "sys/policies/acl/ops", json!({"policy": policy})).await;
    let token = bench.token(json!({"policies": ["ops"], "ttl": "1h"})).await;
    let (status, body) = bench.ask(&token, "PUT", "sys/leases/revoke-prefix/database", json!({})).await;
    assert_eq!((status, body), (403, wrapped_denial()), "sudo is needed");
}

#[tokio::test(start_paused = true)]
async fn mounts_are_listed_and_taken_away() {
    let bench = Bench::new();
    let kv1 = json!({"type": "kv", "config": {"default_lease_ttl": "90s"}});
    assert_eq!(bench.root("POST", "sys/mounts/team/kv", kv1.clone()).await.0, 204);
    let again = bench.root("POST", "sys/mounts/team/kv", kv1).await;
    assert_eq!(again, (400, json!({"errors": ["path is already in use at team/kv/"]})));
    bench.root("POST", "team/kv/a", json!({"k": "v"})).await;
    assert_eq!(bench.root("GET", "team/kv/a", Value::Null).await.1["lease_duration"], 90);
    let mounts = bench.root("GET", "sys/mounts", Value::Null).await.1;
    assert_eq!(mounts["data"]["team/kv/"]["type"], "kv");
    assert_eq!(mounts["secret/"]["options"]["version"], "2");
    let found = bench.root("GET", "sys/internal/ui/mounts/team/kv/deep/path", Value::Null).await.1;
    assert_eq!((&found["data"]["path"], &found["data"]["options"]), (&json!("team/kv/"), &json!({})));
    assert_eq!(bench.root("DELETE", "sys/mounts/team/kv", Value::Null).await.0, 204);
    assert_eq!(bench.root("GET", "team/kv/a", Value::Null).await.0, 404);
    assert_eq!(bench.root("GET", "sys/internal/ui/mounts/team/kv", Value::Null).await.0, 403);
    assert_eq!(
        bench.ask("", "GET", "sys/internal/ui/mounts", Value::Null).await.1["data"]["secret"],
        json!({})
    );
}
