use serde_json::{Value, json};

use crate::dev::testing::Bench;

async fn bench(role: Value) -> (Bench, String) {
    let bench = Bench::new();
    bench.put("sys/auth/approle", json!({"type": "approle"})).await;
    bench.put("auth/approle/role/Web", role).await;
    let (_, id) = bench.root("GET", "auth/approle/role/web/role-id", Value::Null).await;
    let id = id["data"]["role_id"].as_str().unwrap().to_owned();
    (bench, id)
}

async fn secret_id(bench: &Bench, body: Value) -> (String, String) {
    let (status, made) = bench.root("POST", "auth/approle/role/web/secret-id", body).await;
    assert_eq!(status, 200, "{made}");
    let text = |key: &str| made["data"][key].as_str().unwrap().to_owned();
    (text("secret_id"), text("secret_id_accessor"))
}

#[tokio::test(start_paused = true)]
async fn both_ids_log_in_and_the_metadata_is_the_secret_ids() {
    let (bench, role_id) = bench(json!({"token_policies": "app", "token_ttl": "10m"})).await;
    let (secret, _) = secret_id(&bench, json!({"metadata": "{\"a\":\"b\"}"})).await;
    let body = json!({"role_id": format!(" {role_id}\n"), "secret_id": secret});
    let (status, token) = bench.login("approle", body).await;
    assert_eq!(status, 200, "{token}");
    let (_, own) = bench.ask(&token, "GET", "auth/token/lookup-self", Value::Null).await;
    assert_eq!(own["data"]["meta"], json!({"a": "b", "role_name": "web"}));
    assert_eq!(
        (&own["data"]["display_name"], &own["data"]["creation_ttl"]),
        (&json!("approle"), &json!(600))
    );
}

#[tokio::test(start_paused = true)]
async fn a_secret_id_is_used_up_expires_and_is_destroyed() {
    let (bench, role_id) = bench(json!({"secret_id_num_uses": 2, "secret_id_ttl": "1h"})).await;
    let login = async |secret: &str| {
        let (status, found) = bench.login("approle", json!({"role_id": role_id, "secret_id": secret})).await;
        if status == 200 { "in".to_owned() } else { format!("{status} {found}") }
    };
    let refused = "400 invalid role or secret ID";
    let (used, _) = secret_id(&bench, json!({})).await;
    assert_eq!([login(&used).await, login(&used).await, login(&used).await], ["in", "in", refused]);
    let (short, _) = secret_id(&bench, json!({"ttl": 5})).await;
    bench.control("POST", "clock", json!({"seconds": 6})).await;
    assert_eq!(login(&short).await, refused);
    let (gone, accessor) = secret_id(&bench, json!({})).await;
    let path = "auth/approle/role/web/secret-id-accessor/destroy";
    assert_eq!(bench.root("POST", path, json!({"secret_id_accessor": accessor})).await.0, 204);
    assert_eq!(login(&gone).await, refused);
    let path = "auth/approle/role/web/secret-id";
    let (status, over) = bench.root("POST", path, json!({"num_uses": 3})).await;
    assert_eq!(status, 400, "{over}");
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_named() {
    let (bench, role_id) = bench(json!({})).await;
    assert_eq!(bench.login("approle", json!({})).await, (500, "missing role_id".into()));
    assert_eq!(bench.login("approle", json!({"role_id": role_id})).await, (400, "missing secret_id".into()));
    let unknown = bench.login("approle", json!({"role_id": "zz", "secret_id": "zz"})).await;
    assert_eq!(unknown, (400, "invalid role or secret ID".into()));
    let (status, _) = bench.root("POST", "auth/approle/role/open", json!({"bind_secret_id": false})).await;
    assert_eq!(status, 500, "a role needs one constraint");
}

#[tokio::test(start_paused = true)]
async fn a_role_without_secret_ids_admits_its_addresses_only() {
    let (bench, role_id) =
        bench(json!({"bind_secret_id": false, "secret_id_bound_cidrs": "10.0.0.0/8"})).await;
    let (status, error) = bench.login("approle", json!({"role_id": role_id})).await;
    assert_eq!(status, 400);
    assert!(error.contains("unauthorized by CIDR restrictions on the role"), "{error}");
    bench
        .put("auth/approle/role/web", json!({"secret_id_bound_cidrs": [], "token_bound_cidrs": "10.0.0.0/8"}))
        .await;
    assert_eq!(bench.login("approle", json!({"role_id": role_id})).await.0, 200);
}
