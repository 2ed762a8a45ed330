//! Servers that fail: each failure is told in one line that helps, costs nothing but time, and ends with the server's
//! return.

use std::net::SocketAddrV4;

use serde_json::{Value, json};

use crate::harness::{
    Pod, Run, canary, each_server, eventually,
    names::DeadEnd,
    on_dev,
    process::{Finished, Running},
    server::{Server, unused_address},
    way::Way,
};

const FAULTS: &str = "a real server fails only when it wants to";
const EVERY_SECOND: &str = "template_config { static_secret_render_interval = \"1s\" }\n";
const SHOW: &str = "{{ with secret \"secret/data/app\" }}{{ .Data.data.v }}{{ end }}";
const CREDS: &str = "{{ with secret \"database/creds/app\" }}{{ .Data.password }}{{ end }}";
const RENEW_LEASE: &str = "/v1/sys/leases/renew";

/// A secret with the key `v`; its value comes back.
fn put(server: &Server, name: &str) -> String {
    let value = canary(name);
    server.put(name, &json!({"v": value}));
    value
}

/// An agent that keeps `v` fresh over this way.
fn agent_over(way: &Way, pod: &Pod, server: &Server) -> Run {
    let config = format!("{EVERY_SECOND}{}{}", pod.login(server, "app"), pod.template("v", SHOW, ""));
    pod.agent(&config.replace(&server.url(), &way.url()))
}

fn token(pod: &Pod) -> String {
    eventually("a token", || std::fs::read_to_string(pod.path("token")).ok())
}

#[test]
fn nobody_listening_costs_neither_login_nor_file() {
    each_server(|server| {
        let mut way = Way::to(server.authority());
        let pod = Pod::at(server);
        let first = put(server, "app");
        let mut agent = agent_over(&way, &pod, server).start();
        pod.becomes("v", &first);
        let held = token(&pod);
        way.refuse();
        agent.prints("can't reach the server, requests wait until it is back");
        let second = put(server, "app");
        agent.prints("still can't reach the server");
        assert_eq!(pod.rendered("v"), Some(first.clone()));
        way.open();
        agent.prints("the server can be reached again");
        pod.becomes("v", &second);
        assert_eq!(token(&pod), held, "the token lives on");
        agent.stop().expect(0);
    });
}

#[test]
fn connections_that_are_taken_and_cut_are_an_outage_and_no_refusal() {
    each_server(|server| {
        let mut way = Way::to(server.authority());
        let pod = Pod::at(server);
        let value = put(server, "app");
        way.cut();
        let mut agent = agent_over(&way, &pod, server).start();
        let line = agent.prints("error authenticating");
        assert!(line.contains("the connection ended before the answer was complete"), "{line}");
        // One probe asks for all, and finds the same.
        let line = agent.prints("can't reach the server");
        assert!(line.contains("sys/health"), "{line}");
        way.open();
        pod.becomes("v", &value);
        way.cut();
        let second = put(server, "app");
        let again = |agent: &Running| agent.printed().matches("the server can be reached again").count();
        let before = again(&agent);
        eventually("another outage", || {
            (agent.printed().matches("still can't reach the server").count() > before).then_some(())
        });
        way.open();
        pod.becomes("v", &second);
        agent.stop().expect(0);
    });
}

#[test]
fn a_half_open_connection_is_given_up_and_the_next_one_used() {
    each_server(|server| {
        let mut way = Way::to(server.authority());
        let pod = Pod::at(server);
        let first = put(server, "app");
        let mut agent = agent_over(&way, &pod, server).env("VAULT_CLIENT_TIMEOUT", "1s").start();
        pod.becomes("v", &first);
        way.swallow();
        let second = put(server, "app");
        let line = agent.prints("no complete answer within 1 s");
        assert!(line.contains("secret/data/app"), "{line}");
        assert_eq!(pod.rendered("v"), Some(first.clone()));
        way.open();
        pod.becomes("v", &second);
        agent.stop().expect(0);
    });
}

/// Addresses that take no connection, each in its own way; `init` waits at them until its deadline.
fn waits_until_the_deadline(pod: &mut Pod, url: &str) -> Finished {
    pod.write("secrets/v", "old");
    pod.annotate("service", url)
        .annotate("agent-inject-template-v", SHOW)
        .annotate("decant/init-deadline", "1s");
    let ended = pod.init().finish().expect(5);
    assert_eq!(pod.rendered("v").as_deref(), Some("old"));
    ended
}

#[test]
fn a_server_that_takes_connections_and_never_answers_ends_with_the_deadline() {
    each_server(|server| {
        let (mut way, mut pod) = (Way::to(server.authority()), Pod::at(server));
        way.swallow();
        waits_until_the_deadline(&mut pod, &way.url());
    });
}

#[test]
fn a_black_hole_is_told_and_the_deadline_holds() {
    let server = Server::dev();
    let address: SocketAddrV4 = unused_address().parse().expect("host:port");
    let _hole = DeadEnd::at(address);
    let url = format!("http://{address}");
    let mut pod = Pod::at(&server);
    waits_until_the_deadline(&mut pod, &url);
    pod.annotate("decant/init-deadline", "0");
    let mut sidecar = pod.sidecar().start();
    let line = sidecar.prints("no connection within 10 s");
    assert!(line.contains("network policies and firewalls"), "{line}");
    sidecar.stop().expect(0);
}

#[test]
fn a_lease_that_must_not_be_renewed_is_replaced_in_time_without_asking_again() {
    on_dev(FAULTS, |server| {
        server.database("3s", "1h");
        server.fault(&json!({"path": RENEW_LEASE, "status": 403, "count": 1}));
        let pod = Pod::at(server);
        let agent = pod.agent(&(pod.login(server, "app") + &pod.template("db", CREDS, ""))).start();
        let first = pod.password("db", "");
        let second = pod.password("db", &first);
        pod.password("db", &second);
        agent.stop().expect(0);
        assert_eq!(server.asked("PUT", RENEW_LEASE).count(), 1, "a refusal is final");
        assert_eq!(server.logins().count(), 1);
    });
}

#[test]
fn absurd_lifetimes_neither_spin_nor_end_it() {
    on_dev(FAULTS, |server| {
        server.database("1h", "2h");
        let pod = Pod::at(server);
        let mut config = format!("{EVERY_SECOND}{}{}", pod.login(server, "app"), pod.template("v", SHOW, ""));
        put(server, "app");
        let absurd: Vec<Value> =
            vec![json!(0), json!(1), json!(-1), json!(i64::MAX), json!(u64::MAX), json!(1e300)];
        for (number, duration) in absurd.iter().enumerate() {
            for renewable in [true, false] {
                let name = format!("odd{number}{renewable}");
                let body = json!({"lease_id": format!("database/creds/{name}/1"), "lease_duration": duration,
                    "renewable": renewable, "data": {"x": "y"}});
                server.fault(&json!({"path": format!("/v1/database/creds/{name}"), "status": 200,
                    "body": body.to_string()}));
                let contents = format!("{{{{ with secret \"database/creds/{name}\" }}}}{{{{ end }}}}");
                config += &pod.template(&name, &contents, "");
            }
        }
        let mut agent = pod.agent(&config).start();
        // The secret that is read every second is the clock.
        server.reads("app").wait(5);
        assert!(agent.is_running());
        agent.stop().expect(0);
        for number in 0..absurd.len() {
            for renewable in [true, false] {
                let count =
                    server.asked("GET", &format!("/v1/database/creds/odd{number}{renewable}")).count();
                assert!((1..=8).contains(&count), "odd{number}{renewable} was read {count} times");
            }
        }
        let renewals = server.asked("PUT", RENEW_LEASE).count();
        assert!(renewals <= 12, "{renewals} renewals");
    });
}

#[test]
fn a_login_with_an_absurd_lifetime_neither_spins_nor_ends_it() {
    on_dev(FAULTS, |server| {
        let value = put(server, "app");
        let auth = server.ok("POST", "auth/token/create", &json!({"policies": ["app"], "ttl": "1h"}));
        let given = auth["auth"]["client_token"].as_str().expect("a token");
        for duration in [json!(0), json!(1), json!(-1), json!(i64::MAX)] {
            let body = json!({"auth": {"client_token": given, "accessor": "a", "policies": ["app"],
                "lease_duration": duration, "renewable": true}});
            let fault = server.fault(&json!({"path": "/v1/auth/kubernetes/login", "status": 200,
                "body": body.to_string()}));
            let pod = Pod::at(server);
            let config = format!("{EVERY_SECOND}{}{}", pod.login(server, "app"), pod.template("v", SHOW, ""));
            let moment = server.moment();
            let mut agent = pod.agent(&config).start();
            pod.becomes("v", &value);
            server.reads("app").since(moment).wait(3);
            assert!(agent.is_running(), "{duration}");
            agent.stop().expect(0);
            let asked = server.logins().since(moment).count()
                + server.asked("PUT", "/v1/auth/token/renew-self").since(moment).count();
            assert!((1..=8).contains(&asked), "{duration}: {asked} logins and renewals");
            server.mend(fault);
        }
    });
}

/// Starts `init` for a secret of its own, with a fault on its path; every failure is final.
fn init_with(server: &Server, name: &str, fault: &Value) -> (Pod, Running) {
    put(server, name);
    let mut fault = fault.clone();
    fault["path"] = json!(format!("/v1/secret/data/{name}"));
    server.fault(&fault);
    let mut pod = Pod::at(server);
    pod.write("secrets/v", "old");
    pod.annotate("agent-inject-template-v", &SHOW.replace("data/app", &format!("data/{name}")))
        .annotate("client-max-retries", "0");
    let config = pod.write("impatient.hcl", "vault { retry { num_retries = -1 } }");
    let run = pod.init().arg(&format!("-config={config}")).start();
    (pod, run)
}

#[test]
fn each_answer_that_is_no_secret_ends_init_with_4_its_words_and_the_old_file() {
    on_dev(FAULTS, |server| {
        let oops = json!({"errors": ["1 error occurred:\n\t* oops\n\n"]}).to_string();
        let cases: Vec<(&str, Value, &[&str])> = vec![
            ("bad", json!({"status": 400, "body": oops}), &["400", "oops"]),
            ("denied", json!({"status": 403, "body": oops}), &["403", "check the path and the policies"]),
            ("missing", json!({"status": 404, "body": "{\"errors\":[]}"}), &["404 nothing there"]),
            ("busy", json!({"status": 429, "body": oops}), &["429"]),
            ("broken", json!({"status": 500, "body": "<html>x</html>"}), &["500", "(a web page)"]),
            (
                "sealed",
                json!({"status": 503, "body": "{\"errors\":[\"Vault is sealed\"]}"}),
                &["503", "unsealed"],
            ),
            ("garbage", json!({"garbage": true}), &["not Vault's JSON", "not a web page before it"]),
            ("cut", json!({"drop": true}), &["the connection ended before the answer was complete"]),
            ("half", json!({"truncate": true}), &["the connection ended before the answer was complete"]),
        ];
        let runs: Vec<_> = cases.iter().map(|(name, fault, _)| init_with(server, name, fault)).collect();
        for ((pod, run), (name, _, words)) in runs.into_iter().zip(&cases) {
            let ended = run.wait().expect(4);
            let last = ended.err.lines().filter(|line| line.contains("ending: ")).collect::<String>();
            assert!(last.contains(&format!("secret/data/{name}")), "{name}: {}", ended.err);
            for words in *words {
                assert!(ended.err.contains(words), "{name}: {words} is missing in {}", ended.err);
            }
            assert_eq!(pod.rendered("v").as_deref(), Some("old"), "{name}");
            assert_eq!(pod.listing(), ["v"], "{name}");
        }
    });
}

#[test]
fn a_server_that_says_when_to_come_back_is_asked_then() {
    on_dev(FAULTS, |server| {
        let value = put(server, "app");
        server.fault(&json!({"path": "/v1/secret/data/app", "status": 429, "count": 1,
            "headers": {"Retry-After": "2"}}));
        let mut pod = Pod::at(server);
        pod.annotate("agent-inject-template-v", SHOW);
        pod.init().finish().expect(0);
        assert_eq!(pod.rendered("v").unwrap(), value);
        let reads = server.reads("app").wait(2);
        let time = |entry: &Value| entry["time"].as_u64().unwrap();
        assert_eq!(reads.len(), 2);
        assert!(time(&reads[1]) - time(&reads[0]) >= 1, "{reads:?}");
    });
}

#[test]
fn a_large_secret_is_rendered_and_a_large_mistake_is_told_in_a_few_words() {
    on_dev("a real server takes no secret of this size", |server| {
        let large = "x".repeat(10 << 20);
        let body = json!({"data": {"data": {"v": large}, "metadata": {}}}).to_string();
        let (pod, run) = init_with(server, "large", &json!({"status": 200, "body": body}));
        run.wait().expect(0);
        assert_eq!(pod.rendered("v").unwrap().len(), 10 << 20);
        let (pod, run) = init_with(server, "wrong", &json!({"status": 500, "body": large}));
        let ended = run.wait().expect(4);
        assert!(ended.err.lines().all(|line| line.len() < 2000), "{} bytes", ended.err.len());
        assert_eq!(pod.rendered("v").as_deref(), Some("old"));
    });
}

#[test]
fn a_standby_without_an_active_node_is_waited_for() {
    on_dev(FAULTS, |server| {
        let value = put(server, "app");
        let standby = json!({"errors": ["local node not active but active cluster node not found"]});
        let fault = server.fault(&json!({"path": "/v1/auth/*", "status": 500, "body": standby.to_string()}));
        let mut pod = Pod::at(server);
        pod.annotate("agent-inject-template-v", SHOW);
        let mut init = pod.init().start();
        let line = init.prints("error authenticating");
        assert!(line.contains("local node not active") && line.contains("by itself"), "{line}");
        server.mend(fault);
        init.wait().expect(0);
        assert_eq!(pod.rendered("v").unwrap(), value);
    });
}

#[test]
fn the_first_definite_answer_after_an_outage_does_not_end_a_sidecar() {
    on_dev(FAULTS, |server| {
        let value = put(server, "app");
        let mut pod = Pod::at(server);
        let lines =
            "vault { retry { num_retries = 3 } }\ntemplate_config { static_secret_render_interval = \"1s\" }";
        let config = format!("-config={}", pod.write("three.hcl", lines));
        put(server, "clock");
        pod.annotate("agent-inject-template-v", SHOW)
            .annotate("agent-inject-template-clock", &SHOW.replace("data/app", "data/clock"))
            .annotate("client-max-retries", "0")
            .annotate("auth-min-backoff", "10ms");
        let mut sidecar = pod.sidecar().arg(&config).start();
        pod.becomes("v", &value);
        let (path, moment) = ("/v1/secret/data/app", server.moment());
        server.fault(&json!({"path": path, "status": 503, "count": 3}));
        server.fault(&json!({"path": path, "status": 404, "count": 1}));
        server.reads("app").status(404).since(moment).wait(1);
        sidecar.prints("secret/data/app: 404");
        // What is read every second goes on.
        let moment = server.moment();
        server.reads("clock").since(moment).wait(2);
        assert!(sidecar.is_running());
        sidecar.stop().expect(0);
    });
}
