//! `init` and `sidecar`: a pod's annotations become files.

use serde_json::json;

use crate::harness::{
    Pod, canary, each_server, http, on_dev,
    server::{Server, unused_address},
};

const PASSWORD: &str = "{{ with secret \"secret/data/app\" }}{{ .Data.data.password }}{{ end }}";

/// A server with `secret/app` and a pod that is allowed to read it; the password comes, too.
fn ready(server: &Server) -> (Pod, String) {
    let password = canary("password");
    server.put("app", &json!({"password": password, "user": "app"}));
    (Pod::at(server), password)
}

/// Settings of the cluster that make every failure of a fetch final.
fn impatient(pod: &Pod) -> String {
    format!("-config={}", pod.write("impatient.hcl", "vault { retry { num_retries = -1 } }"))
}

#[test]
fn a_template_annotation_becomes_a_file() {
    each_server(|server| {
        let (mut pod, password) = ready(server);
        pod.annotate("agent-inject-secret-env", "secret/data/app")
            .annotate("agent-inject-template-env", &format!("P={PASSWORD}\n"));
        pod.init().finish().expect(0);
        assert_eq!(pod.rendered("env").unwrap(), format!("P={password}\n"));
        assert_eq!((pod.mode("env"), pod.listing()), (0o644, vec!["env".to_owned()]));
    });
}

#[test]
fn a_sidecar_renders_the_same_stays_and_stops_cleanly() {
    each_server(|server| {
        let (mut pod, password) = ready(server);
        pod.annotate("agent-inject-template-env", PASSWORD);
        let mut sidecar = pod.sidecar().start();
        pod.becomes("env", &password);
        assert!(sidecar.is_running());
        sidecar.stop().expect(0);
        assert_eq!(pod.rendered("env").unwrap(), password, "files outlive the sidecar");
    });
}

#[test]
fn a_template_file_is_read_from_the_container() {
    each_server(|server| {
        let (mut pod, password) = ready(server);
        let file = pod.write("env.tpl", PASSWORD);
        pod.annotate("agent-inject-template-file-env", &file);
        pod.init().finish().expect(0);
        assert_eq!(pod.rendered("env").unwrap(), password);
    });
}

#[test]
fn the_default_template_prints_a_map_and_on_demand_json() {
    each_server(|server| {
        let mut pod = Pod::at(server);
        let (a, b) = (canary("a"), canary("b"));
        server.put_v1("app", &json!({"b": b, "a": a}));
        pod.annotate("agent-inject-secret-app", "kv/app");
        pod.init().finish().expect(0);
        assert_eq!(pod.rendered("app").unwrap(), format!("a: {a}\nb: {b}\n"));
        pod.annotate("agent-inject-default-template", "json");
        pod.init().finish().expect(0);
        assert_eq!(pod.rendered("app").unwrap(), format!("{{\"a\":\"{a}\",\"b\":\"{b}\"}}\n"));
    });
}

#[test]
fn the_default_template_on_kv_version_2_shows_data_and_metadata() {
    each_server(|server| {
        let (mut pod, password) = ready(server);
        pod.annotate("agent-inject-secret-app", "secret/app");
        pod.init().finish().expect(0);
        let text = pod.rendered("app").unwrap();
        assert!(
            text.starts_with(&format!("data: map[password:{password} user:app]\nmetadata: map[")),
            "{text}"
        );
    });
}

#[test]
fn perms_and_file_name_come_from_annotations() {
    each_server(|server| {
        let (mut pod, password) = ready(server);
        pod.annotate("agent-inject-template-DB", PASSWORD)
            .annotate("agent-inject-file-DB", "deep/db.txt")
            .annotate("agent-inject-perms-DB", "0400");
        pod.init().finish().expect(0);
        assert_eq!(pod.rendered("deep/db.txt").unwrap(), password);
        assert_eq!(pod.mode("deep/db.txt"), 0o400);
    });
}

#[test]
fn names_are_lower_case_unless_they_are_to_be_preserved() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        pod.annotate("agent-inject-template-One", PASSWORD)
            .annotate("agent-inject-template-Two", PASSWORD)
            .annotate("preserve-secret-case-Two", "true");
        pod.init().finish().expect(0);
        assert_eq!(pod.listing(), ["Two", "one"]);
    });
}

#[test]
fn a_command_runs_after_its_file_is_in_place() {
    each_server(|server| {
        let (mut pod, password) = ready(server);
        let (file, copy) = (pod.secrets().join("env"), pod.text("copy"));
        pod.annotate("agent-inject-template-env", PASSWORD)
            .annotate("agent-inject-command-env", &format!("cp {} {copy}", file.display()));
        pod.init().finish().expect(0);
        assert_eq!(std::fs::read_to_string(copy).unwrap(), password);
    });
}

#[test]
fn other_delimiters_leave_the_usual_ones_alone() {
    each_server(|server| {
        let (mut pod, password) = ready(server);
        pod.annotate(
            "agent-inject-template-env",
            "{{x}} <<with secret `secret/app`>><<.Data.data.password>><<end>>",
        )
        .annotate("agent-template-left-delim-env", "<<")
        .annotate("agent-template-right-delim-env", ">>");
        pod.init().finish().expect(0);
        assert_eq!(pod.rendered("env").unwrap(), format!("{{{{x}}}} {password}"));
    });
}

#[test]
fn a_secret_may_have_a_folder_of_its_own() {
    each_server(|server| {
        let (mut pod, password) = ready(server);
        let other = pod.text("other");
        pod.annotate("agent-inject-template-a", PASSWORD)
            .annotate("agent-inject-template-b", PASSWORD)
            .annotate("secret-volume-path-b", &other);
        pod.init().finish().expect(0);
        assert_eq!(pod.listing(), ["a"]);
        assert_eq!(std::fs::read_to_string(format!("{other}/b")).unwrap(), password);
    });
}

#[test]
fn both_prefixes_are_read() {
    each_server(|server| {
        let (mut pod, password) = ready(server);
        pod.annotate("openbao.org/agent-inject-template-env", PASSWORD);
        pod.init().finish().expect(0);
        assert_eq!(pod.rendered("env").unwrap(), password);
    });
}

#[test]
fn the_token_is_written_only_when_asked_for() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        pod.annotate("agent-inject-template-env", PASSWORD);
        pod.init().finish().expect(0);
        assert_eq!(pod.listing(), ["env"]);
        pod.annotate("agent-inject-token", "true");
        pod.init().finish().expect(0);
        assert_eq!(pod.listing(), ["env", "token"]);
        let token = pod.rendered("token").unwrap();
        let answer = server.call("GET", "/v1/auth/token/lookup-self", Some(&token), None);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["data"]["policies"], json!(["app", "default"]));
    });
}

#[test]
fn a_pod_that_switches_injection_off_gets_nothing() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        pod.annotate("agent-inject", "false").annotate("agent-inject-template-env", PASSWORD);
        let ended = pod.init().finish().expect(0);
        assert!(ended.all().contains("agent-inject is false"), "{}", ended.all());
        assert_eq!(pod.listing(), [""; 0]);
    });
}

#[test]
fn wrong_annotations_are_told_all_at_once_with_exit_code_2() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        pod.annotate("agent-inject-template-env", PASSWORD)
            .annotate("agent-inject-perms-env", "rw-r--r--")
            .annotate("error-on-missing-key-env", "maybe")
            .annotate("role", "");
        let ended = pod.init().finish().expect(2);
        for words in ["agent-inject-perms-env", "error-on-missing-key-env", "role"] {
            assert!(ended.all().contains(words), "{words} is missing in {}", ended.all());
        }
        assert_eq!(pod.listing(), [""; 0]);
    });
}

#[test]
fn a_template_that_does_not_parse_ends_init_with_2_and_shows_the_place() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        pod.annotate("agent-inject-template-env", "one\n{{ with secret }\n{{ end }}");
        let ended = pod.init().finish().expect(2);
        assert!(ended.all().contains("agent-inject-template-env"), "{}", ended.all());
        assert!(ended.all().contains("line 2, column 16"), "{}", ended.all());
    });
}

#[test]
fn a_missing_annotations_file_ends_with_2_and_says_what_to_mount() {
    each_server(|server| {
        let (pod, _) = ready(server);
        let missing = pod.text("nothing/annotations");
        let ended = crate::harness::Run::decant(["init", "--annotations", &missing]).finish().expect(2);
        assert!(ended.all().contains(&missing), "{}", ended.all());
    });
}

#[test]
fn a_refused_login_ends_init_with_3_when_errors_are_final() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        pod.annotate("agent-inject-template-env", PASSWORD)
            .annotate("role", "nobody")
            .annotate("agent-auto-auth-exit-on-err", "true");
        let ended = pod.init().finish().expect(3);
        assert!(ended.all().contains("nobody"), "{}", ended.all());
    });
}

#[test]
fn a_denied_secret_ends_init_with_4() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        pod.annotate("agent-inject-secret-env", "secret/denied/x");
        let ended = pod.init().arg(&impatient(&pod)).finish().expect(4);
        assert!(ended.all().contains("secret/data/denied/x"), "{}", ended.all());
        assert!(ended.all().contains("permission denied"), "{}", ended.all());
    });
}

#[test]
fn a_missing_secret_ends_init_with_4_and_keeps_the_old_file() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        pod.write("secrets/env", "old");
        pod.annotate(
            "agent-inject-template-env",
            "{{ with secret `secret/none` }}{{ .Data.data.x }}{{ end }}",
        );
        let ended = pod.init().arg(&impatient(&pod)).finish().expect(4);
        assert!(ended.all().contains("secret/data/none"), "{}", ended.all());
        assert_eq!(pod.rendered("env").unwrap(), "old");
    });
}

#[test]
fn a_deadline_that_passes_ends_init_with_5() {
    on_dev("a real server can't be told to hold an answer", |server| {
        let (mut pod, _) = ready(server);
        server.fault(&json!({"path": "/v1/secret/data/app", "hold": true}));
        pod.annotate("agent-inject-template-env", PASSWORD).annotate("decant/init-deadline", "1s");
        let ended = pod.init().finish().expect(5);
        assert!(ended.all().contains("deadline"), "{}", ended.all());
        assert!(ended.all().contains("secret/data/app"), "names what is awaited: {}", ended.all());
    });
}

#[test]
fn an_annotation_lets_a_request_end_the_sidecar_as_behind_an_injector() {
    each_server(|server| {
        let (mut pod, password) = ready(server);
        let address = unused_address();
        let port = address.rsplit(':').next().expect("a port");
        let quit = || http::call(&address, "POST", "/agent/v1/quit", None, None);
        pod.annotate("agent-inject-template-env", PASSWORD).annotate("agent-cache-listener-port", port);
        let sidecar = pod.sidecar().start();
        pod.becomes("env", &password);
        assert!(quit().is_err(), "a port alone opens nothing");
        sidecar.stop().expect(0);
        pod.annotate("agent-enable-quit", "true");
        let mut sidecar = pod.sidecar().start();
        sidecar.prints("the listener takes requests to quit");
        assert_eq!(quit().expect("an answer").status, 200);
        let ended = sidecar.wait().expect(0);
        assert!(!ended.all().contains("without effect in this version"), "{}", ended.all());
    });
}

#[test]
fn a_folder_that_cannot_be_written_ends_init_with_6() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        pod.write("blocked", "a file where a folder should be");
        let folder = pod.text("blocked");
        pod.annotate("agent-inject-template-env", PASSWORD).annotate("secret-volume-path", &folder);
        let ended = pod.init().finish().expect(6);
        assert!(ended.all().contains(&folder), "{}", ended.all());
    });
}

#[test]
fn a_failing_command_ends_init_with_6_and_leaves_the_file() {
    each_server(|server| {
        let (mut pod, password) = ready(server);
        pod.annotate("agent-inject-template-env", PASSWORD).annotate("agent-inject-command-env", "exit 7");
        let ended = pod.init().finish().expect(6);
        assert!(ended.all().contains("exit code 7"), "{}", ended.all());
        assert_eq!(pod.rendered("env").unwrap(), password);
    });
}

#[test]
fn the_environment_beats_the_service_annotation() {
    each_server(|server| {
        let (mut pod, password) = ready(server);
        pod.annotate("agent-inject-template-env", PASSWORD).annotate("service", "http://127.0.0.1:1");
        pod.init().env("VAULT_ADDR", server.url()).finish().expect(0);
        assert_eq!(pod.rendered("env").unwrap(), password);
    });
}
