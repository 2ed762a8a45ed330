//! Status: probes, metrics, JSON, ready file, `healthcheck`, systemd.

use std::{
    collections::BTreeMap,
    os::unix::{fs::PermissionsExt as _, net::UnixDatagram},
};

use serde_json::{Value, json};

use crate::harness::{
    Pod, Run, Server, canary, each_server, eventually,
    http::{self, Answer},
    on_dev,
    process::Running,
};

const PASSWORD: &str = "{{ with secret \"secret/data/app\" }}{{ .Data.data.password }}{{ end }}";
const CREDS: &str = "{{ with secret \"database/creds/app\" }}{{ .Data.username }}{{ end }}";

/// A PKI engine with the role `app`, which the login role `status` may use.
fn certificates(server: &Server) {
    server.ok("POST", "sys/mounts/pki", &json!({"type": "pki"}));
    server.ok("POST", "pki/root/generate/internal", &json!({"common_name": "root", "ttl": "48h"}));
    let role = json!({"allow_any_name": true, "key_type": "ec", "ttl": "1h"});
    server.ok("POST", "pki/roles/app", &role);
    let policy = "path \"pki/issue/*\" { capabilities = [\"update\"] }";
    server.ok("PUT", "sys/policies/acl/pki", &json!({"policy": policy}));
    server.role("status", &json!({"token_policies": ["app", "pki"]}));
}

/// A pod with one template over `secret/app`, which may not be there yet.
fn pod(server: &Server) -> Pod {
    let mut pod = Pod::at(server);
    pod.annotate("agent-inject-template-env", PASSWORD);
    pod
}

fn put(server: &Server) -> String {
    let password = canary("password");
    server.put("app", &json!({"password": password}));
    password
}

/// A sidecar whose endpoints are on a port, and that port's address.
fn on_a_port(pod: &Pod) -> (Running, String) {
    let mut sidecar = pod.sidecar().arg("--status-listen=127.0.0.1:0").start();
    let line = sidecar.prints("status is served");
    let authority = line.split("http://").nth(1).expect("an address").trim().to_owned();
    (sidecar, authority)
}

fn get(authority: &str, path: &str) -> Answer {
    http::call(authority, "GET", path, None, None).expect("an answer")
}

fn healthcheck(pod: &Pod) -> Run {
    Run::decant(["healthcheck"]).env("HOME", pod.text("home"))
}

/// Name of each metric with its type, and all samples.
fn metrics(text: &str) -> (BTreeMap<String, String>, BTreeMap<String, f64>) {
    let (mut types, mut samples) = (BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("name and type");
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').expect("series and value");
            let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(samples.insert(series.to_owned(), value).is_none(), "{series} twice");
        }
    }
    (types, samples)
}

#[test]
fn readiness_comes_with_the_last_file_and_says_until_then_what_is_awaited() {
    each_server(|server| {
        let pod = pod(server);
        let (mut sidecar, status) = on_a_port(&pod);
        let waiting = eventually("a reason", || {
            let answer = get(&status, "/readyz");
            answer.body.contains("404").then_some(answer)
        });
        assert_eq!(waiting.status, 503);
        assert!(waiting.body.contains("- read secret/data/app: "), "{}", waiting.body);
        assert_eq!(get(&status, "/healthz").status, 200, "a missing secret is no reason to be restarted");
        let asked = healthcheck(&pod).finish().expect(1);
        assert!(
            asked.err.contains("not ready") && asked.err.contains("read secret/data/app"),
            "{}",
            asked.err
        );
        let password = put(server);
        pod.becomes("env", &password);
        assert_eq!(get(&status, "/readyz").body, "ready\n");
        assert_eq!(healthcheck(&pod).finish().expect(0).out, "ready\n");
        assert!(sidecar.is_running());
        sidecar.stop().expect(0);
        let gone = healthcheck(&pod).finish().expect(1);
        assert!(gone.err.contains("no agent serves its status here"), "{}", gone.err);
    });
}

#[test]
fn the_socket_is_for_its_user_alone_and_goes_with_the_agent() {
    each_server(|server| {
        let pod = pod(server);
        put(server);
        let pid_file = pod.text("agent.pid");
        let sidecar = pod.sidecar().arg(&format!("--pid-file={pid_file}")).start();
        pod.shows("env", |text| !text.is_empty());
        let socket = pod.path("agent.sock");
        let mode = std::fs::metadata(&socket).expect("a socket beside the pid file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        Run::decant(["healthcheck", "--pid-file", &pid_file]).finish().expect(0);
        sidecar.stop().expect(0);
        assert!(!socket.exists());
    });
}

#[test]
fn readiness_outlives_the_server_and_ends_with_what_the_files_hold() {
    on_dev("the server is cut off", |server| {
        server.database("2s", "2s");
        let mut pod = pod(server);
        pod.annotate("agent-inject-template-creds", CREDS);
        let password = put(server);
        let (sidecar, status) = on_a_port(&pod);
        pod.becomes("env", &password);
        eventually("readiness", || (get(&status, "/readyz").status == 200).then_some(()));
        let fault = server.fault(&json!({"path": "*", "drop": true}));
        eventually("a failed request", || {
            get(&status, "/metrics").body.lines().find(|line| {
                line.starts_with("decant_requests_total{result=\"unreachable\"}") && !line.ends_with(" 0")
            })?;
            Some(())
        });
        assert_eq!(get(&status, "/readyz").status, 200, "the file is still valid");
        eventually("the end of the lease", || {
            let answer = get(&status, "/readyz");
            (answer.status == 503 && answer.body.contains("- read database/creds/app: ended ")).then_some(())
        });
        let awaited = get(&status, "/status").json()["awaited"].clone();
        assert_eq!(awaited.as_array().map(Vec::len), Some(1), "{awaited}");
        server.mend(fault);
        eventually("readiness", || (get(&status, "/readyz").status == 200).then_some(()));
        sidecar.stop().expect(0);
    });
}

#[test]
fn an_outage_and_the_end_of_the_token_are_seen_while_the_files_stay_ready() {
    on_dev("the server is cut off", |server| {
        server.role("short", &json!({"token_ttl": "2s"}));
        let mut pod = pod(server);
        pod.annotate("role", "short");
        let password = put(server);
        let (sidecar, status) = on_a_port(&pod);
        pod.becomes("env", &password);
        let seen = || get(&status, "/status").json();
        let before = seen();
        assert_eq!(before["server"], json!({"reachable": true, "trouble": null, "since": null}));
        assert_eq!(before["login"]["authenticated"], true);
        let fault = server.fault(&json!({"path": "*", "drop": true}));
        let after = eventually("the end of the token", || {
            let after = seen();
            (after["server"]["reachable"] == false && after["login"]["authenticated"] == false)
                .then_some(after)
        });
        assert!(after["server"]["trouble"].is_string() && after["server"]["since"].is_string(), "{after}");
        assert_eq!(after["ready"], true, "{after}");
        let (_, samples) = metrics(&get(&status, "/metrics").body);
        for series in ["decant_server_reachable", "decant_authenticated"] {
            assert_eq!(samples.get(series), Some(&0.0), "{series}");
        }
        server.mend(fault);
        eventually("the end of the outage", || {
            let after = seen();
            (after["server"]["reachable"] == true && after["login"]["authenticated"] == true).then_some(())
        });
        sidecar.stop().expect(0);
    });
}

#[test]
fn templates_with_one_destination_are_told_apart() {
    each_server(|server| {
        let mut pod = pod(server);
        pod.annotate("agent-inject-template-same", PASSWORD).annotate("agent-inject-file-same", "env");
        let password = put(server);
        let (sidecar, status) = on_a_port(&pod);
        pod.becomes("env", &password);
        let (_, samples) = metrics(&get(&status, "/metrics").body);
        let rendered = samples.keys().filter(|series| series.starts_with("decant_template_changes_total"));
        let rendered: Vec<&String> = rendered.collect();
        assert!(rendered.len() == 2 && rendered.iter().any(|one| one.contains("env (2)")), "{rendered:?}");
        sidecar.stop().expect(0);
    });
}

#[test]
fn what_is_under_way_has_no_next_time() {
    on_dev("a request is held", |server| {
        let mut pod = pod(server);
        pod.annotate("template-static-secret-render-interval", "1s");
        let password = put(server);
        let (sidecar, status) = on_a_port(&pod);
        pod.becomes("env", &password);
        server.fault(&json!({"path": "/v1/secret/data/app", "hold": true}));
        eventually("a request under way", || {
            let secret = get(&status, "/status").json()["secrets"][0].clone();
            assert_eq!(secret["available"], true);
            secret["next_action"].is_null().then_some(())
        });
        sidecar.stop().expect(0);
    });
}

#[test]
fn what_is_served_is_what_the_table_says() {
    on_dev("a real server needs a real database", |server| {
        server.database("1h", "2h");
        certificates(server);
        let mut pod = pod(server);
        let password = put(server);
        pod.annotate("role", "status")
            .annotate("agent-inject-command-env", "true")
            .annotate(
                "agent-inject-template-creds",
                "{{ with secret \"database/creds/app\" }}{{ .Data.username }}{{ end }}",
            )
            .annotate(
                "agent-inject-template-cert",
                "{{ with pkiCert \"pki/issue/app\" \"common_name=app.example.com\" }}{{ .Cert }}{{ end }}",
            );
        let (sidecar, status) = on_a_port(&pod);
        pod.becomes("env", &password);
        eventually("readiness", || (get(&status, "/readyz").status == 200).then_some(()));
        eventually("the command", || {
            get(&status, "/metrics")
                .body
                .contains("decant_actions_total{action=\"command\",result=\"ok\"} 1")
                .then_some(())
        });
        let answer = get(&status, "/metrics");
        let (types, samples) = metrics(&answer.body);
        let page = include_str!("../docs/status.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `decant_"));
        let table: BTreeMap<String, String> = rows
            .map(|row| {
                let mut cells = row.split(" | ");
                let name = format!("decant_{}", cells.next().expect("a name").trim_end_matches('`'));
                (name, cells.next().expect("a type").to_owned())
            })
            .collect();
        assert_eq!(types, table, "the page and the endpoint differ");
        let env = pod.secrets().join("env").display().to_string();
        for (series, value) in [
            ("decant_ready".to_owned(), 1.0),
            ("decant_authenticated".to_owned(), 1.0),
            ("decant_auth_success_total".to_owned(), 1.0),
            (format!("decant_template_rendered{{destination=\"{env}\"}}"), 1.0),
            (format!("decant_template_changes_total{{destination=\"{env}\"}}"), 1.0),
            ("decant_secret_failed_tries{request=\"read secret/data/app\"}".to_owned(), 0.0),
        ] {
            assert_eq!(samples.get(&series), Some(&value), "{series} in\n{}", answer.body);
        }
        let of = |name: &str, request: &str| samples[&format!("{name}{{request=\"{request}\"}}")];
        let now = samples["decant_start_time_seconds"];
        let lease = of("decant_secret_expiry_timestamp_seconds", "read database/creds/app");
        assert!(lease > now, "{lease}");
        let next = of("decant_secret_next_action_timestamp_seconds", "read database/creds/app");
        assert!(next < lease, "renewed at {next}, before {lease}");
        assert!(of("decant_certificate_not_after_timestamp_seconds", "issue pki/issue/app") > now);
        assert!(crate::harness::canary::leak_in(&answer.body).is_none());
        let json = get(&status, "/status");
        assert!(crate::harness::canary::leak_in(&json.body).is_none());
        let json = json.json();
        assert_eq!(json["awaited"], json!([]));
        let template =
            json["templates"].as_array().expect("a list").iter().find(|one| one["destination"] == env);
        assert_eq!(template.expect("the template")["secrets"], json!(["read secret/data/app"]));
        assert_eq!(template.expect("the template")["trouble"], Value::Null);
        sidecar.stop().expect(0);
    });
}

#[test]
fn the_ready_file_follows_readiness() {
    each_server(|server| {
        let pod = pod(server);
        let file = pod.write("ready", "of an earlier run");
        let mut sidecar = pod.sidecar().env("DECANT_READY_FILE", &file).start();
        sidecar.prints("authentication successful");
        assert!(!pod.path("ready").exists());
        let password = put(server);
        pod.becomes("env", &password);
        eventually("the ready file", || pod.path("ready").exists().then_some(()));
        sidecar.stop().expect(0);
        assert!(!pod.path("ready").exists());
    });
}

#[test]
fn systemd_hears_what_is_awaited_and_when_it_is_over() {
    each_server(|server| {
        let pod = pod(server);
        let socket = UnixDatagram::bind(pod.path("notify")).expect("a socket");
        socket.set_read_timeout(Some(crate::harness::PATIENCE)).expect("a timeout");
        let heard = || {
            let mut buffer = [0; 512];
            let length = socket.recv(&mut buffer).expect("a message in time");
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        put(server);
        let sidecar = pod.sidecar().env("NOTIFY_SOCKET", pod.text("notify")).start();
        assert_eq!(heard(), "READY=1");
        assert_eq!(heard(), "STATUS=ready, 1 template(s)");
        assert!(pod.rendered("env").is_some(), "ready means that the file is there");
        sidecar.stop().expect(0);
        assert_eq!(heard(), "STOPPING=1");
    });
}

#[test]
fn only_this_machine_may_see_the_status() {
    each_server(|server| {
        let pod = pod(server);
        let refused = pod.sidecar().arg("--status-listen=0.0.0.0:9102").finish().expect(2);
        assert!(refused.err.contains("loopback"), "{}", refused.err);
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("an address");
        let refused = pod.sidecar().arg(&format!("--status-listen={address}")).finish().expect(6);
        assert!(refused.err.contains(&format!("can't listen on http://{address}")), "{}", refused.err);
    });
}
