//! Every kind of secret and of token by the lifetime that it has.

use serde_json::{Value, json};

use crate::harness::{Pod, canary, each_server, eventually, on_dev, server::Server};

const JOURNAL: &str = "a real server doesn't tell what it was asked";
const DATABASE: &str = "a real server needs a real database for leases";
const CREDS: &str = "{{ with secret \"database/creds/app\" }}{{ .Data.password }}{{ end }}";
const RENEW_TOKEN: &str = "/v1/auth/token/renew-self";

fn show(secret: &str) -> String {
    format!("{{{{ with secret \"secret/data/{secret}\" }}}}{{{{ .Data.data.v }}}}{{{{ end }}}}")
}

fn put(server: &Server, name: &str) -> String {
    let value = canary(name);
    server.put(name, &json!({"v": value}));
    value
}

#[test]
fn a_static_role_is_read_when_its_password_has_changed_and_not_before() {
    on_dev(DATABASE, |server| {
        server.database("1h", "2h");
        let role = json!({"db_name": "db", "username": "app", "rotation_period": "5s"});
        server.ok("POST", "database/static-roles/fixed", &role);
        let policy = "path \"database/static-creds/*\" { capabilities = [\"read\"] }";
        server.ok("PUT", "sys/policies/acl/static", &json!({"policy": policy}));
        server.role("static", &json!({"token_policies": ["static"]}));
        let pod = Pod::at(server);
        let contents = "{{ with secret \"database/static-creds/fixed\" }}{{ .Data.password }}{{ end }}";
        let agent = pod.agent(&(pod.login(server, "static") + &pod.template("db", contents, ""))).start();
        let first = pod.password("db", "");
        let second = pod.password("db", &first);
        agent.stop().expect(0);
        assert_ne!(first, second);
        // Once at the start, once after the change; by then another change may be due on a slow machine.
        let reads = server.asked("GET", "/v1/database/static-creds/fixed").status(200).count();
        assert!((2..=3).contains(&reads), "{reads} reads");
    });
}

#[test]
fn what_hangs_off_a_batch_token_is_read_anew_before_the_token_ends() {
    on_dev(DATABASE, |server| {
        server.database("1h", "24h");
        server.role("batch", &json!({"token_type": "batch", "token_ttl": "5s"}));
        let value = put(server, "app");
        let pod = Pod::at(server);
        let config = pod.login(server, "batch")
            + &pod.template("db", CREDS, "")
            + &pod.template("v", &show("app"), "");
        let agent = pod.agent(&config).start();
        let first = pod.password("db", "");
        let second = pod.password("db", &first);
        let third = pod.password("db", &second);
        agent.stop().expect(0);
        assert!(first != second && second != third);
        assert_eq!(pod.rendered("v").unwrap(), value);
        assert_eq!(server.asked("PUT", RENEW_TOKEN).count(), 0, "a batch token can't be renewed");
        assert!(server.logins().status(200).count() >= 3);
        assert_eq!(server.reads("app").count(), 1, "what has no lease stays");
    });
}

#[test]
fn a_periodic_token_is_renewed_for_ever() {
    on_dev(JOURNAL, |server| {
        server.role("periodic", &json!({"token_period": "2s"}));
        let value = put(server, "app");
        let pod = Pod::at(server);
        let config = pod.login(server, "periodic") + &pod.template("v", &show("app"), "");
        let agent = pod.agent(&config).start();
        server.asked("PUT", RENEW_TOKEN).status(200).wait(4);
        agent.stop().expect(0);
        assert_eq!((server.logins().count(), server.reads("app").count()), (1, 1));
        assert_eq!(pod.rendered("v").unwrap(), value);
    });
}

#[test]
fn a_token_with_a_longest_life_is_replaced_before_it_ends() {
    each_server(|server| {
        server.role("bounded", &json!({"token_ttl": "2s", "token_explicit_max_ttl": "4s"}));
        let pod = Pod::at(server);
        let agent = pod.agent(&pod.login(server, "bounded")).start();
        let token = || std::fs::read_to_string(pod.path("token")).ok().filter(|token| !token.is_empty());
        let first = eventually("a token", token);
        canary::remember(&first);
        let second = eventually("another token", || token().filter(|token| *token != first));
        canary::remember(&second);
        assert_eq!(server.call("GET", "/v1/auth/token/lookup-self", Some(&second), None).status, 200);
        agent.stop().expect(0);
    });
}

#[test]
fn templates_have_intervals_of_their_own_and_the_shortest_counts() {
    on_dev(JOURNAL, |server| {
        for name in ["often", "rarely"] {
            put(server, name);
        }
        let pod = Pod::at(server);
        let config = pod.login(server, "app")
            + &pod.template("a", &show("often"), "static_secret_render_interval = \"1s\"")
            + &pod.template("b", &show("often"), "static_secret_render_interval = \"1h\"")
            + &pod.template("c", &show("rarely"), "");
        let agent = pod.agent(&config).start();
        server.reads("often").wait(4);
        agent.stop().expect(0);
        assert_eq!(server.reads("rarely").count(), 1);
    });
}

#[test]
fn a_template_that_finds_out_late_what_it_reads_has_its_interval_all_the_same() {
    on_dev(JOURNAL, |server| {
        put(server, "often");
        server.database("1h", "2h");
        let late = "{{ with secret (printf \"%s/app\" \"database/creds\") }}{{ .Data.password }}{{ end }}";
        let pod = Pod::at(server);
        let config = pod.login(server, "app")
            + &pod.template("a", &show("often"), "")
            + &pod.template(
                "b",
                &show("often").replace("\"secret/data/often\"", "(printf \"secret/data/%s\" \"often\")"),
                "static_secret_render_interval = \"1s\"",
            )
            + &pod.template("c", CREDS, "")
            + &pod.template("d", late, "lease_renewal_threshold = 0.0001");
        let agent = pod.agent(&config).start();
        server.reads("often").wait(4);
        agent.stop().expect(0);
        assert_eq!(
            server.asked("GET", "/v1/database/creds/app").count(),
            1,
            "no credentials for the news alone"
        );
    });
}

#[test]
fn the_threshold_says_how_much_of_a_lifetime_is_used() {
    on_dev(JOURNAL, |server| {
        for name in ["early", "late"] {
            server.put_v1(name, &json!({"v": canary(name), "ttl": "600s"}));
        }
        let of = |name: &str| format!("{{{{ with secret \"kv/{name}\" }}}}{{{{ .Data.v }}}}{{{{ end }}}}");
        let pod = Pod::at(server);
        let config = pod.login(server, "app")
            + &pod.template("a", &of("early"), "lease_renewal_threshold = 0.0001")
            + &pod.template("b", &of("late"), "");
        let agent = pod.agent(&config).start();
        let reads = |name: &str| server.asked("GET", &format!("/v1/kv/{name}"));
        reads("early").wait(2);
        agent.stop().expect(0);
        assert_eq!(reads("late").count(), 1);
    });
}

#[test]
fn equal_writes_are_one_and_other_fields_are_another() {
    on_dev(JOURNAL, |server| {
        let policy = "path \"kv/*\" { capabilities = [\"create\", \"update\", \"read\"] }";
        server.ok("PUT", "sys/policies/acl/writer", &json!({"policy": policy}));
        server.role("writer", &json!({"token_policies": ["writer"]}));
        let write = |fields: &str| format!("{{{{ with secret \"kv/put\" {fields} }}}}{{{{ end }}}}done");
        let pod = Pod::at(server);
        let config = pod.login(server, "writer")
            + &pod.template("a", &write("\"a=1\" \"b=2\""), "")
            + &pod.template("b", &write("\"b=2\" \"a=1\""), "")
            + &pod.template("c", &write("\"a=1\" \"b=3\""), "");
        let mut agent = pod.agent(&config).start();
        agent.prints("all templates are rendered");
        agent.stop().expect(0);
        assert_eq!(server.asked("PUT", "/v1/kv/put").status(204).count(), 2);
        let stored = server.ok("GET", "kv/put", &Value::Null);
        assert_eq!(stored["data"]["a"], "1", "{stored}");
    });
}
