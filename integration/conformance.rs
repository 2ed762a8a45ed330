//! The raw calls that the agent and these tests make, with the answers that a real server gives to them.

use serde_json::{Value, json};

use crate::harness::{
    each_server,
    server::{ROOT, Server},
};

/// One call and what must come back.
struct Case<'a> {
    token: Option<&'a str>,
    method: &'a str,
    path: &'a str,
    body: Value,
    status: u16,
    /// JSON pointers into the body with the value there; `null` stands for anything but nothing.
    parts: Vec<(&'a str, Value)>,
}

fn case<'a>(token: &'a str, call: &'a str, body: Value, status: u16, parts: &[(&'a str, Value)]) -> Case<'a> {
    let (method, path) = call.split_once(' ').expect("a method and a path");
    let token = Some(token).filter(|token| !token.is_empty());
    Case { token, method, path, body, status, parts: parts.to_vec() }
}

/// Makes the calls in order; all that differs, at once.
#[track_caller]
fn check(server: &Server, cases: &[Case<'_>]) {
    let mut wrong = Vec::new();
    for case in cases {
        let body = Some(&case.body).filter(|body| !body.is_null());
        let answer = server.call(case.method, &format!("/v1/{}", case.path), case.token, body);
        let json = answer.json();
        let differs = |(pointer, expected): &(&str, Value)| match json.pointer(pointer) {
            Some(found) if expected.is_null() => found.is_null(),
            found => found != Some(expected),
        };
        if answer.status != case.status || case.parts.iter().any(differs) {
            wrong.push(format!("{} {}: {} {}", case.method, case.path, answer.status, answer.body.trim()));
        }
    }
    let kind = if server.is_dev() { "the dev server" } else { "the real server" };
    assert!(wrong.is_empty(), "{kind} answers otherwise:\n{}", wrong.join("\n"));
}

fn errors(text: &str) -> Vec<(&'static str, Value)> {
    vec![("/errors", if text.is_empty() { json!([]) } else { json!([text]) })]
}

const DENIED: &str = "1 error occurred:\n\t* permission denied\n\n";

/// A token of the role `app`.
fn log_in(server: &Server) -> String {
    let body = json!({"role": "app", "jwt": server.jwt(&json!({}))});
    let answer = server.call("PUT", "/v1/auth/kubernetes/login", None, Some(&body));
    answer.json()["auth"]["client_token"].as_str().unwrap_or_else(|| panic!("{}", answer.body)).to_owned()
}

#[test]
fn health_and_mounts_look_alike() {
    each_server(|server| {
        let app = log_in(server);
        check(
            server,
            &[
                case(
                    "",
                    "GET sys/health",
                    Value::Null,
                    200,
                    &[("/initialized", json!(true)), ("/sealed", json!(false)), ("/standby", json!(false))],
                ),
                case("", "GET sys/health?activecode=299", Value::Null, 299, &[("/sealed", json!(false))]),
                case(
                    &app,
                    "GET sys/internal/ui/mounts/secret/app",
                    Value::Null,
                    200,
                    &[
                        ("/data/path", json!("secret/")),
                        ("/data/type", json!("kv")),
                        ("/data/options/version", json!("2")),
                    ],
                ),
                case(
                    &app,
                    "GET sys/internal/ui/mounts/kv/app",
                    Value::Null,
                    200,
                    &[
                        ("/data/path", json!("kv/")),
                        ("/data/type", json!("kv")),
                        ("/data/options/version", json!("1")),
                    ],
                ),
                case(
                    &app,
                    "GET sys/internal/ui/mounts/none/x",
                    Value::Null,
                    403,
                    &errors(
                        "preflight capability check returned 403, please ensure client's policies grant access to path \
                     \"none/x/\"",
                    ),
                ),
                case(
                    "",
                    "GET sys/internal/ui/mounts/secret/app",
                    Value::Null,
                    403,
                    &errors("permission denied"),
                ),
                case(
                    ROOT,
                    "GET none/x",
                    Value::Null,
                    404,
                    &errors("no handler for route \"none/x\". route entry not found."),
                ),
                case(&app, "GET none/x", Value::Null, 403, &errors(DENIED)),
            ],
        );
    });
}

#[test]
fn logins_look_alike() {
    each_server(|server| {
        let jwt = server.jwt(&json!({}));
        let login = |role: &str, jwt: &str| json!({"role": role, "jwt": jwt});
        let call = "PUT auth/kubernetes/login";
        let expired = server.jwt(&json!({"lifetime": -600}));
        let other = server.jwt(&json!({"service_account": "other"}));
        let abroad = server.jwt(&json!({"namespace": "abroad"}));
        server.role("aud", &json!({"audience": "somebody"}));
        check(
            server,
            &[
                case(
                    "",
                    call,
                    login("app", &jwt),
                    200,
                    &[
                        ("/auth/lease_duration", json!(3600)),
                        ("/auth/renewable", json!(true)),
                        ("/auth/policies", json!(["app", "default"])),
                        ("/auth/token_type", json!("service")),
                        ("/auth/metadata/role", json!("app")),
                        ("/auth/metadata/service_account_name", json!("app")),
                        ("/auth/metadata/service_account_namespace", json!("default")),
                        ("/auth/orphan", json!(true)),
                        ("/auth/num_uses", json!(0)),
                        ("/lease_duration", json!(0)),
                    ],
                ),
                case("", call, login("nobody", &jwt), 400, &errors("invalid role name \"nobody\"")),
                case(
                    "",
                    call,
                    login("app", &expired),
                    403,
                    &errors("invalid expiration time (exp) claim: token is expired"),
                ),
                case("", call, login("app", &other), 403, &errors("service account name not authorized")),
                case("", call, login("app", &abroad), 403, &errors("namespace not authorized")),
                case(
                    "",
                    call,
                    login("aud", &jwt),
                    403,
                    &errors(
                        "invalid audience (aud) claim: audience claim does not match any expected audience",
                    ),
                ),
                case("", call, login("app", "junk"), 403, &errors("permission denied")),
                case("", call, json!({"jwt": jwt}), 400, &errors("missing role")),
                case("", call, json!({"role": "app"}), 400, &errors("missing jwt")),
                case("", "PUT auth/nowhere/login", login("app", &jwt), 403, &errors("permission denied")),
            ],
        );
    });
}

#[test]
fn kv_version_2_looks_alike() {
    each_server(|server| {
        let app = log_in(server);
        let write = |value: &str| json!({"data": {"v": value, "n": 1.50}});
        check(
            server,
            &[
                case(&app, "GET secret/data/x", Value::Null, 404, &errors("")),
                case(ROOT, "POST secret/data/x", write("1"), 200, &[("/data/version", json!(1))]),
                case(ROOT, "PUT secret/data/x", write("2"), 200, &[("/data/version", json!(2))]),
                case(
                    &app,
                    "GET secret/data/x",
                    Value::Null,
                    200,
                    &[
                        ("/data/data/v", json!("2")),
                        ("/data/metadata/version", json!(2)),
                        ("/data/metadata/destroyed", json!(false)),
                        ("/data/metadata/deletion_time", json!("")),
                        ("/lease_id", json!("")),
                        ("/lease_duration", json!(0)),
                        ("/renewable", json!(false)),
                    ],
                ),
                case(&app, "GET secret/data/x?version=1", Value::Null, 200, &[("/data/data/v", json!("1"))]),
                case(&app, "GET secret/data/x?version=9", Value::Null, 404, &errors("")),
                case(&app, "LIST secret/metadata/", Value::Null, 200, &[("/data/keys", json!(["x"]))]),
                case(
                    &app,
                    "GET secret/metadata/?list=true",
                    Value::Null,
                    200,
                    &[("/data/keys", json!(["x"]))],
                ),
                case(&app, "POST secret/data/x", write("3"), 403, &errors(DENIED)),
                case(&app, "GET secret/data/denied/x", Value::Null, 403, &errors(DENIED)),
                case(ROOT, "DELETE secret/data/x", Value::Null, 204, &[]),
                case(
                    &app,
                    "GET secret/data/x",
                    Value::Null,
                    404,
                    &[("/data/metadata/version", json!(2)), ("/data/metadata/destroyed", json!(false))],
                ),
            ],
        );
    });
}

#[test]
fn kv_version_1_looks_alike() {
    each_server(|server| {
        let app = log_in(server);
        check(
            server,
            &[
                case(&app, "GET kv/x", Value::Null, 404, &errors("")),
                case(ROOT, "PUT kv/x", json!({"v": "1"}), 204, &[]),
                case(
                    &app,
                    "GET kv/x",
                    Value::Null,
                    200,
                    &[
                        ("/data", json!({"v": "1"})),
                        ("/lease_duration", json!(2_764_800)),
                        ("/renewable", json!(false)),
                        ("/lease_id", json!("")),
                    ],
                ),
                case(ROOT, "PUT kv/y", json!({"v": "1", "ttl": "30s"}), 204, &[]),
                case(&app, "GET kv/y", Value::Null, 200, &[("/lease_duration", json!(30))]),
                case(&app, "LIST kv/", Value::Null, 200, &[("/data/keys", json!(["x", "y"]))]),
                case(ROOT, "DELETE kv/x", Value::Null, 204, &[]),
                case(&app, "GET kv/x", Value::Null, 404, &errors("")),
            ],
        );
    });
}

#[test]
fn tokens_look_alike() {
    each_server(|server| {
        let (app, other) = (log_in(server), log_in(server));
        check(
            server,
            &[
                case(
                    &app,
                    "GET auth/token/lookup-self",
                    Value::Null,
                    200,
                    &[
                        ("/data/policies", json!(["app", "default"])),
                        ("/data/creation_ttl", json!(3600)),
                        ("/data/renewable", json!(true)),
                        ("/data/type", json!("service")),
                        ("/data/path", json!("auth/kubernetes/login")),
                    ],
                ),
                case(
                    &app,
                    "PUT auth/token/renew-self",
                    json!({"increment": 0}),
                    200,
                    &[("/auth/lease_duration", json!(3600)), ("/auth/renewable", json!(true))],
                ),
                case(
                    &app,
                    "PUT auth/token/renew-self",
                    json!({"increment": 120}),
                    200,
                    &[("/auth/lease_duration", json!(120))],
                ),
                case(ROOT, "PUT auth/token/renew-self", json!({}), 400, &errors("lease is not renewable")),
                case(ROOT, "POST auth/token/revoke", json!({"token": other}), 204, &[]),
                case(&other, "GET auth/token/lookup-self", Value::Null, 403, &errors("permission denied")),
                case(&other, "PUT auth/token/renew-self", json!({}), 403, &errors("permission denied")),
                case(&other, "GET secret/data/x", Value::Null, 403, &errors("permission denied")),
                case("", "GET secret/data/x", Value::Null, 403, &errors("permission denied")),
                case(&app, "PUT auth/token/revoke-self", json!({}), 204, &[]),
                case(&app, "GET auth/token/lookup-self", Value::Null, 403, &errors("permission denied")),
            ],
        );
    });
}

#[test]
fn tokens_that_are_made_look_alike() {
    each_server(|server| {
        let create = |more: Value| {
            let mut body = json!({"policies": ["app"], "ttl": "1h"});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        let call = "POST auth/token/create";
        check(
            server,
            &[
                case(
                    ROOT,
                    call,
                    create(json!({})),
                    200,
                    &[
                        ("/auth/lease_duration", json!(3600)),
                        ("/auth/renewable", json!(true)),
                        ("/auth/policies", json!(["app", "default"])),
                        ("/auth/orphan", json!(false)),
                    ],
                ),
                case(
                    ROOT,
                    call,
                    create(json!({"renewable": false})),
                    200,
                    &[("/auth/renewable", json!(false))],
                ),
                case(
                    ROOT,
                    call,
                    create(json!({"no_default_policy": true})),
                    200,
                    &[("/auth/policies", json!(["app"]))],
                ),
                case(
                    ROOT,
                    call,
                    create(json!({"explicit_max_ttl": "10m"})),
                    200,
                    &[("/auth/lease_duration", json!(600))],
                ),
            ],
        );
    });
}

#[test]
fn leases_and_wrong_calls_look_alike() {
    each_server(|server| {
        let app = log_in(server);
        check(
            server,
            &[
                case(
                    &app,
                    "PUT sys/leases/renew",
                    json!({"lease_id": "none/x"}),
                    400,
                    &errors("lease not found"),
                ),
                case(&app, "PUT sys/leases/renew", json!({}), 400, &errors("lease_id must be specified")),
                case(
                    ROOT,
                    "PUT sys/leases/lookup",
                    json!({"lease_id": "none/x"}),
                    400,
                    &errors("invalid lease"),
                ),
                case(ROOT, "PUT sys/leases/revoke", json!({"lease_id": "none/x"}), 204, &[]),
                case(&app, "PUT sys/leases/revoke", json!({"lease_id": "none/x"}), 403, &errors(DENIED)),
                case(
                    ROOT,
                    "GET auth/token/renew-self",
                    Value::Null,
                    405,
                    &errors("1 error occurred:\n\t* unsupported operation\n\n"),
                ),
                case(
                    ROOT,
                    "GET sys/no/such/path",
                    Value::Null,
                    404,
                    &errors("1 error occurred:\n\t* unsupported path\n\n"),
                ),
            ],
        );
    });
}
