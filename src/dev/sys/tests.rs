use serde_json::{Value, json};

use crate::dev::testing::Bench;

async fn error(bench: &Bench, method: &str, path: &str, body: Value) -> String {
    let (status, answer) = bench.root(method, path, body).await;
    assert_eq!(status, 400, "{answer}");
    answer["errors"][0].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_tuned_mount_gives_its_own_times() {
    let bench = Bench::new();
    bench.put("sys/mounts/k1", json!({"type": "kv"})).await;
    bench.put("sys/mounts/k1/tune", json!({"default_lease_ttl": 90, "max_lease_ttl": "2h"})).await;
    bench.put("k1/a", json!({"x": 1})).await;
    assert_eq!(bench.root("GET", "k1/a", Value::Null).await.1["lease_duration"], 90);
    let (_, tuning) = bench.root("GET", "sys/mounts/k1/tune", Value::Null).await;
    assert_eq!(tuning["data"]["max_lease_ttl"], 7200);
    let over = error(&bench, "POST", "sys/mounts/k1/tune", json!({"default_lease_ttl": "3h"})).await;
    assert_eq!(over, "backend max lease TTL of 7200 would be less than backend default lease TTL of 10800");
    let missing = error(&bench, "POST", "sys/mounts/none/tune", json!({})).await;
    assert_eq!(missing, "tune of path \"none/\" failed: no mount entry found");
}

#[tokio::test(start_paused = true)]
async fn a_refused_unmount_takes_nothing_away() {
    let bench = Bench::new();
    let refused = error(&bench, "DELETE", "sys/auth/token", Value::Null).await;
    assert_eq!(refused, "token credential backend cannot be disabled");
    assert_eq!(bench.root("GET", "auth/token/lookup-self", Value::Null).await.0, 200);
    let kv = || json!({"type": "kv"});
    assert_eq!(error(&bench, "POST", "sys/mounts/auth/x", kv()).await, "cannot mount \"auth/x/\"");
    assert_eq!(error(&bench, "POST", "sys/mounts/secret/x", kv()).await, "path is already in use at secret/");
}

#[tokio::test(start_paused = true)]
async fn a_patch_changes_what_it_names_and_nothing_that_is_gone() {
    let bench = Bench::new();
    let patch = async |path: &str, body: Value| {
        let kind = ("content-type", "application/merge-patch+json");
        bench.with(kind, "root", ("PATCH", path), body).await
    };
    bench.root("POST", "secret/data/p", json!({"data": {"a": 1, "b": {"c": 1, "d": 2}}})).await;
    let (status, written) = patch("secret/data/p", json!({"data": {"a": 2, "b": {"c": null}}})).await;
    assert_eq!((status, &written["data"]["version"]), (200, &json!(2)));
    let (_, read) = bench.root("GET", "secret/data/p", Value::Null).await;
    assert_eq!(read["data"]["data"], json!({"a": 2, "b": {"d": 2}}));
    let stale = json!({"data": {"a": 3}, "options": {"cas": 1}});
    assert_eq!(patch("secret/data/p", stale).await.0, 400);
    assert_eq!(patch("secret/data/none", json!({"data": {"a": 3}})).await.0, 404);
    assert_eq!(patch("secret/metadata/p", json!({"custom_metadata": {"x": "y"}})).await.0, 204);
    assert_eq!(patch("secret/metadata/p", json!({"custom_metadata": {"x": null, "z": "1"}})).await.0, 204);
    let (_, read) = bench.root("GET", "secret/metadata/p", Value::Null).await;
    assert_eq!(read["data"]["custom_metadata"], json!({"z": "1"}));
    bench.root("DELETE", "secret/data/p", Value::Null).await;
    assert_eq!(patch("secret/data/p", json!({"data": {"a": 3}})).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_maximum_refuses_renewals_for_a_moment_before_the_token_dies() {
    let bench = Bench::new();
    let token = bench.token(json!({"ttl": "60s", "explicit_max_ttl": "100s"})).await;
    let renew = async || {
        let (status, answer) = bench.ask(&token, "POST", "auth/token/renew-self", json!({})).await;
        (status, answer["auth"]["lease_duration"].as_u64().unwrap_or(0))
    };
    bench.control("POST", "clock", json!({"seconds": 50})).await;
    assert_eq!(renew().await, (200, 50));
    bench.control("POST", "clock", json!({"seconds": 49})).await;
    assert_eq!(renew().await, (200, 1));
    bench.control("POST", "clock", json!({"seconds": 1})).await;
    assert_eq!(renew().await.0, 403);
}
