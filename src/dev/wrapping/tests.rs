use serde_json::{Value, json};

use crate::dev::testing::Bench;

const INVALID: &str = "wrapping token is not valid or does not exist";

async fn wrapped(bench: &Bench, method: &str, path: &str, body: Value) -> Value {
    let (status, answer) = bench.with(("x-vault-wrap-ttl", "60s"), "root", (method, path), body).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        (&answer["data"], &answer["auth"], &answer["request_id"]),
        (&Value::Null, &Value::Null, &json!(""))
    );
    answer["wrap_info"].clone()
}

fn token(info: &Value) -> &str {
    info["token"].as_str().unwrap()
}

async fn secret() -> Bench {
    let bench = Bench::new();
    bench.root("POST", "secret/data/a", json!({"data": {"k": "<v>"}})).await;
    bench
}

#[tokio::test(start_paused = true)]
async fn a_wrapped_answer_comes_out_once() {
    let bench = secret().await;
    let info = wrapped(&bench, "GET", "secret/data/a", Value::Null).await;
    assert_eq!((&info["ttl"], &info["creation_path"]), (&json!(60), &json!("secret/data/a")));
    let (_, seen) = bench.ask("", "POST", "sys/wrapping/lookup", json!({"token": token(&info)})).await;
    assert_eq!(seen["data"]["creation_ttl"], 60);
    let (status, out) = bench.ask(token(&info), "POST", "sys/wrapping/unwrap", Value::Null).await;
    assert_eq!((status, &out["data"]["data"]["k"]), (200, &json!("<v>")));
    let (status, again) = bench.ask(token(&info), "POST", "sys/wrapping/unwrap", Value::Null).await;
    assert_eq!((status, &again["errors"][0]), (400, &json!(INVALID)));
}

#[tokio::test(start_paused = true)]
async fn somebody_else_may_unwrap_or_wrap_again() {
    let bench = secret().await;
    let info = wrapped(&bench, "GET", "secret/data/a", Value::Null).await;
    let (_, again) = bench.root("POST", "sys/wrapping/rewrap", json!({"token": token(&info)})).await;
    let again = &again["wrap_info"];
    assert_eq!(again["creation_path"], "secret/data/a");
    let unwrap =
        async |info: &Value| bench.root("POST", "sys/wrapping/unwrap", json!({"token": token(info)})).await;
    assert_eq!(unwrap(&info).await.0, 400);
    assert_eq!(unwrap(again).await.1["data"]["data"]["k"], "<v>");
}

#[tokio::test(start_paused = true)]
async fn a_wrapping_token_ends_with_its_time_and_with_any_other_use() {
    let bench = secret().await;
    let late = wrapped(&bench, "GET", "secret/data/a", Value::Null).await;
    bench.control("POST", "clock", json!({"seconds": 61})).await;
    assert_eq!(bench.ask(token(&late), "POST", "sys/wrapping/unwrap", Value::Null).await.0, 400);
    let misused = wrapped(&bench, "GET", "secret/data/a", Value::Null).await;
    assert_eq!(bench.ask(token(&misused), "GET", "auth/token/lookup-self", Value::Null).await.0, 403);
    assert_eq!(bench.ask(token(&misused), "POST", "sys/wrapping/unwrap", Value::Null).await.0, 400);
    let old = wrapped(&bench, "GET", "secret/data/a", Value::Null).await;
    let (_, read) = bench.ask(token(&old), "GET", "cubbyhole/response", Value::Null).await;
    assert!(read["data"]["response"].as_str().unwrap().contains("\\u003cv\\u003e"));
    assert_eq!(bench.ask(token(&old), "GET", "cubbyhole/response", Value::Null).await.0, 403);
}

#[tokio::test(start_paused = true)]
async fn refusals_and_empty_answers_stay_as_they_are() {
    let bench = secret().await;
    let ask = async |method: &str, path: &str, ttl: &str, body: Value| {
        bench.with(("x-vault-wrap-ttl", ttl), "root", (method, path), body).await
    };
    assert_eq!(ask("GET", "secret/data/none", "60", Value::Null).await, (404, json!({"errors": []})));
    assert_eq!(ask("POST", "secret/metadata/a", "60", json!({"max_versions": 2})).await.0, 204);
    assert!(ask("GET", "secret/data/a", "0", Value::Null).await.1["wrap_info"].is_null());
    let (status, error) = ask("GET", "secret/data/a", "soon", Value::Null).await;
    let words = "error parsing X-Vault-Wrap-TTL header: time: invalid duration \"soon\"";
    assert_eq!((status, &error["errors"][0]), (400, &json!(words)));
}

#[tokio::test(start_paused = true)]
async fn anything_can_be_wrapped_and_a_wrapped_token_works() {
    let bench = secret().await;
    let info = wrapped(&bench, "POST", "sys/wrapping/wrap", json!({"foo": 1})).await;
    let (_, out) = bench.ask(token(&info), "POST", "sys/wrapping/unwrap", Value::Null).await;
    assert_eq!(out["data"], json!({"foo": 1}));
    let info = wrapped(&bench, "POST", "auth/token/create", json!({"policies": "default"})).await;
    let (_, out) = bench.ask(token(&info), "POST", "sys/wrapping/unwrap", Value::Null).await;
    assert_eq!(info["wrapped_accessor"], out["auth"]["accessor"]);
    let inner = out["auth"]["client_token"].as_str().unwrap();
    assert_eq!(bench.ask(inner, "GET", "auth/token/lookup-self", Value::Null).await.0, 200);
    let (status, error) = bench.ask("", "POST", "sys/wrapping/unwrap", json!({})).await;
    assert_eq!(status, 403);
    assert_eq!(error["errors"][0], "error validating wrapping token: token is empty");
}
