//! Which paths of key-value mounts are asked for, and how often.

use serde_json::json;

use crate::harness::{
    Pod, canary, each_server, eventually, on_dev,
    server::{ROOT, Server},
};

const JOURNAL: &str = "a real server doesn't tell what it was asked";
const QUESTION: &str = "/v1/sys/internal/ui/mounts/*";

/// Lets the role read everything.
fn open(server: &Server) {
    let policy = r#"path "*" { capabilities = ["read"] }"#;
    server.ok("PUT", "sys/policies/acl/app", &json!({"policy": policy}));
}

fn config(pod: &Pod, server: &Server, templates: &[(&str, &str)]) -> String {
    let templates = templates.iter().map(|(name, contents)| pod.template(name, contents, ""));
    format!("exit_after_auth = true\n{}{}", pod.login(server, "app"), templates.collect::<String>())
}

#[test]
fn a_path_as_the_api_has_it_is_read_without_a_question() {
    on_dev(JOURNAL, |server| {
        let (pod, value) = (Pod::at(server), canary("a"));
        server.put("a", &json!({"v": value}));
        let text = "{{ with secret \"secret/data/a\" }}{{ .Data.data.v }}{{ end }}";
        pod.agent(&config(&pod, server, &[("a", text)])).finish().expect(0);
        assert_eq!(pod.rendered("a"), Some(value));
        assert_eq!((server.reads("a").count(), server.asked("GET", QUESTION).count()), (1, 0));
    });
}

#[test]
fn a_path_as_people_write_it_takes_one_question_for_all_of_its_mount() {
    on_dev(JOURNAL, |server| {
        let pod = Pod::at(server);
        let values = ["a", "b", "c"].map(|name| {
            let value = canary(name);
            server.put(name, &json!({"v": value}));
            value
        });
        let [a, b, c] = ["a", "b", "c"].map(|name| {
            format!("{{{{ with secret \"secret/{name}\" }}}}{{{{ .Data.data.v }}}}{{{{ end }}}}")
        });
        let templates = [("a", a.as_str()), ("b", b.as_str()), ("c", c.as_str())];
        pod.agent(&config(&pod, server, &templates)).finish().expect(0);
        assert_eq!(["a", "b", "c"].map(|name| pod.rendered(name)), values.map(Some));
        assert_eq!(server.asked("GET", QUESTION).count(), 1);
    });
}

#[test]
fn a_version_1_secret_below_a_folder_named_data_is_read_once() {
    on_dev(JOURNAL, |server| {
        open(server);
        let (pod, value) = (Pod::at(server), canary("v1"));
        server.put_v1("data/a", &json!({"v": value}));
        let text = "{{ with secret \"kv/data/a\" }}{{ .Data.v }}{{ end }}";
        pod.agent(&config(&pod, server, &[("a", text)])).finish().expect(0);
        assert_eq!(pod.rendered("a"), Some(value));
        assert_eq!(server.asked("GET", "/v1/kv/data/a").count(), 1);
    });
}

#[test]
fn a_mount_in_a_folder_named_data_gets_its_own_part() {
    each_server(|server| {
        open(server);
        let (pod, value) = (Pod::at(server), canary("deep"));
        server.ok("POST", "sys/mounts/team/data", &json!({"type": "kv", "options": {"version": "2"}}));
        // A real server makes such a mount ready in the background.
        eventually("a mount that takes secrets", || {
            let body = json!({"data": {"v": value}});
            let answer = server.call("POST", "/v1/team/data/data/a", Some(ROOT), Some(&body));
            (answer.status == 200).then_some(())
        });
        let text = "{{ with secret \"team/data/a\" }}{{ .Data.data.v }}{{ end }}";
        pod.agent(&config(&pod, server, &[("a", text)])).finish().expect(0);
        assert_eq!(pod.rendered("a"), Some(value));
    });
}

#[test]
fn a_deleted_version_is_said_to_be_deleted() {
    each_server(|server| {
        let pod = Pod::at(server);
        server.put("gone", &json!({"v": "x"}));
        server.ok("DELETE", "secret/data/gone", &json!(null));
        let text = "{{ with secret \"secret/data/gone\" }}{{ .Data.data.v }}{{ end }}";
        let address = format!("address = \"{}\"", server.url());
        let config = config(&pod, server, &[("gone", text)])
            .replace(&address, &format!("{address}\n retry {{ num_retries = -1 }}"))
            + "template_config { exit_on_retry_failure = true }\n";
        let ended = pod.agent(&config).finish().expect(1);
        assert!(ended.err.contains("no secret exists at secret/data/gone: it is deleted"), "{}", ended.err);
    });
}
