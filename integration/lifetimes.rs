//! Every kind of secret and of token by the lifetime that it has.

use serde_json::{Value, json};

use crate::harness::{
    Pod, canary, each_server, eventually, on_dev,
    server::{ROOT, Server},
};

const JOURNAL: &str = "a real server doesn't tell what it was asked";
const DATABASE: &str = "a real server needs a real database for leases";
const CREDS: &str = "{{ with secret \"database/creds/app\" }}{{ .Data.password }}{{ end }}";
const RENEW_TOKEN: &str = "/v1/auth/token/renew-self";
const LOOKUP_TOKEN: &str = "/v1/auth/token/lookup-self";
const EVERY_SECOND: &str = "template_config { static_secret_render_interval = \"1s\" }\n";

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
        // A threshold is spread by 0.05 of the lifetime either way: within 3 s for the one, after 51 s for the other.
        for name in ["early", "late"] {
            server.put_v1(name, &json!({"v": canary(name), "ttl": "60s"}));
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

/// A configuration that takes its token from this file, which is never removed.
fn by_file(server: &Server, file: &str) -> String {
    let method = format!("method \"token_file\" {{ config {{ token_file_path = \"{file}\" }} }}");
    format!("{EVERY_SECOND}vault {{ address = \"{}\" }}\nauto_auth {{ {method} }}\n", server.url())
}

#[test]
fn a_token_that_never_ends_is_asked_about_once_and_left_alone() {
    on_dev(JOURNAL, |server| {
        let value = put(server, "app");
        let pod = Pod::at(server);
        let config = by_file(server, &pod.write("a-token", ROOT)) + &pod.template("v", &show("app"), "");
        let moment = server.moment();
        let mut agent = pod.agent(&config).start();
        pod.becomes("v", &value);
        server.reads("app").wait(3);
        assert!(agent.is_running());
        agent.stop().expect(0);
        let about = |method: &str, path: &str| server.asked(method, path).since(moment).count();
        assert_eq!((about("GET", LOOKUP_TOKEN), about("PUT", RENEW_TOKEN)), (1, 0));
    });
}

#[test]
fn a_token_that_can_not_be_renewed_is_replaced_by_the_next_one_in_its_file_and_nothing_is_read_anew() {
    each_server(|server| {
        let value = put(server, "app");
        let token = |ttl: &str| {
            let made = json!({"policies": ["app"], "ttl": ttl, "renewable": false});
            let made = server.ok("POST", "auth/token/create", &made);
            let token = made["auth"]["client_token"].as_str().expect("a token").to_owned();
            canary::remember(&token);
            token
        };
        let pod = Pod::at(server);
        let file = pod.write("a-token", &token("10s"));
        let more = format!("sink \"file\" {{ config {{ path = \"{}\" }} }}", pod.text("token"));
        let config = by_file(server, &file).replace("auto_auth {", &format!("auto_auth {{ {more}\n"))
            + &pod.template("v", &show("app"), "");
        let mut agent = pod.agent(&config).start();
        pod.becomes("v", &value);
        let next = token("1h");
        pod.write("a-token", &next);
        eventually("the next token", || {
            std::fs::read_to_string(pod.path("token")).ok().filter(|token| *token == next)
        });
        // With the first token's end nothing ends.
        let other = put(server, "app");
        pod.becomes("v", &other);
        assert!(agent.is_running());
        agent.stop().expect(0);
        if server.is_dev() {
            assert_eq!(server.asked("PUT", RENEW_TOKEN).count(), 0, "nobody asks for what can't be");
        }
    });
}

#[test]
fn changes_that_come_close_together_are_rendered_once_but_never_put_off_for_ever() {
    on_dev(JOURNAL, |server| {
        let pod = Pod::at(server);
        let first = put(server, "app");
        let count = |name: &str| {
            format!("command = \"cat {} >> {}\"", pod.text(&format!("secrets/{name}")), pod.text(name))
        };
        // A quiet time that changes never let pass, and one that they do.
        let busy = format!("{}\nwait {{ min = \"10s\" max = \"12s\" }}", count("busy"));
        let quiet = format!("{}\nwait {{ min = \"5s\" max = \"60s\" }}", count("quiet"));
        let line = show("app") + "\n";
        let config = EVERY_SECOND.to_owned()
            + &pod.login(server, "app")
            + &pod.template("quiet", &line, &quiet)
            + &pod.template("busy", &line, &busy)
            + &pod.template("now", &line, "");
        let agent = pod.agent(&config).start();
        for name in ["quiet", "busy", "now"] {
            // The first render waits for nothing.
            pod.becomes(name, &format!("{first}\n"));
        }
        let mut last = String::new();
        for _ in 0..3 {
            last = put(server, "app");
            pod.becomes("now", &format!("{last}\n"));
        }
        let printed = |name: &str| std::fs::read_to_string(pod.path(name)).unwrap_or_default();
        pod.becomes("quiet", &format!("{last}\n"));
        eventually("the command after the second render", || printed("quiet").contains(&last).then_some(()));
        assert_eq!(printed("quiet"), format!("{first}\n{last}\n"), "what came between was never written");
        // Changes without end: the longest time counts.
        eventually("a render in spite of all changes", || {
            let value = put(server, "app");
            pod.becomes("now", &format!("{value}\n"));
            (pod.rendered("busy").unwrap() != format!("{first}\n")).then_some(())
        });
        agent.stop().expect(0);
    });
}
