//! One failure stays one failure: what goes wrong with one secret, template or command leaves all others alone.

use serde_json::json;

use crate::harness::{Pod, canary, each_server, eventually, on_dev, server::Server};

const JOURNAL: &str = "a real server doesn't tell what it was asked";
const FAULTS: &str = "a real server fails only when it wants to";
const EVERY_SECOND: &str = "template_config { static_secret_render_interval = \"1s\" }\n";

fn show(secret: &str, key: &str) -> String {
    format!("{{{{ with secret \"secret/data/{secret}\" }}}}{{{{ .Data.data.{key} }}}}{{{{ end }}}}")
}

/// A secret with the key `v`; its value comes back.
fn put(server: &Server, name: &str) -> String {
    let value = canary(name);
    server.put(name, &json!({"v": value}));
    value
}

fn lines(pod: &Pod, name: &str) -> usize {
    std::fs::read_to_string(pod.path(name)).map_or(0, |text| text.lines().count())
}

#[test]
fn a_path_that_is_denied_for_ever_leaves_the_others_quiet() {
    on_dev(JOURNAL, |server| {
        let pod = Pod::at(server);
        let mut config = pod.login(server, "app") + &pod.template("bad", &show("denied/x", "v"), "");
        for name in ["a", "b", "c", "d"] {
            put(server, name);
            config += &pod.template(name, &show(name, "v"), "");
        }
        let agent = pod.agent(&config).start();
        server.reads("denied/x").status(403).wait(4);
        agent.stop().expect(0);
        assert_eq!(pod.listing(), ["a", "b", "c", "d"]);
        for name in ["a", "b", "c", "d"] {
            assert_eq!(server.reads(name).count(), 1, "{name}");
        }
        assert_eq!(server.asked("GET", "/v1/sys/internal/ui/mounts/*").count(), 1, "one mount, one question");
        assert_eq!(server.logins().count(), 1, "a policy's refusal is no reason to log in anew");
    });
}

#[test]
fn a_denied_path_does_not_keep_the_others_from_being_rendered() {
    each_server(|server| {
        let pod = Pod::at(server);
        let value = put(server, "a");
        let config = pod.login(server, "app")
            + &pod.template("bad", &show("denied/x", "v"), "")
            + &pod.template("a", &show("a", "v"), "");
        let mut agent = pod.agent(&config).start();
        pod.becomes("a", &value);
        let line = agent.prints("403");
        assert!(line.contains("secret/data/denied/x"), "{line}");
        agent.stop().expect(0);
        assert_eq!(pod.listing(), ["a"]);
    });
}

#[test]
fn a_path_that_is_slow_holds_nobody_up() {
    on_dev(FAULTS, |server| {
        let pod = Pod::at(server);
        let (slow, quick) = (put(server, "slow"), put(server, "quick"));
        let held = server.fault(&json!({"path": "/v1/secret/data/slow", "hold": true}));
        let config = pod.login(server, "app")
            + &pod.template("slow", &show("slow", "v"), "")
            + &pod.template("quick", &show("quick", "v"), "");
        let agent = pod.agent(&config).start();
        server.holds(held, 1);
        pod.becomes("quick", &quick);
        assert_eq!(pod.listing(), ["quick"]);
        server.mend(held);
        pod.becomes("slow", &slow);
        agent.stop().expect(0);
    });
}

#[test]
fn a_failing_command_changes_nothing_and_runs_again_only_after_a_change() {
    on_dev(JOURNAL, |server| {
        server.database("1h", "2h");
        let pod = Pod::at(server);
        let value = put(server, "app");
        let contents =
            format!("{}{{{{ with secret \"database/creds/app\" }}}}{{{{ end }}}}", show("app", "v"));
        let command = format!("command = \"echo x >> {}; exit 3\"", pod.text("ran"));
        let other = format!("command = \"echo x >> {}\"", pod.text("other"));
        let config = format!("{EVERY_SECOND}{}", pod.login(server, "app"))
            + &pod.template("bad", &contents, &command)
            + &pod.template("good", &show("app", "v"), &other);
        let mut agent = pod.agent(&config).start();
        let line = agent.prints("exit code 3");
        assert!(line.contains("agent.hcl"), "names the template: {line}");
        let moment = server.moment();
        server.reads("app").since(moment).wait(3);
        assert_eq!((lines(&pod, "ran"), lines(&pod, "other")), (1, 1), "nothing changed, nothing runs");
        assert_eq!(pod.rendered("bad").unwrap(), value);

        let value = put(server, "app");
        pod.becomes("bad", &value);
        eventually("both commands to run again", || {
            ((lines(&pod, "ran"), lines(&pod, "other")) == (2, 2)).then_some(())
        });
        assert_eq!(server.asked("GET", "/v1/database/creds/app").count(), 1);
        agent.stop().expect(0);
    });
}

#[test]
fn a_failing_command_does_not_spoil_the_exit_code_of_an_agent_that_renders_once() {
    each_server(|server| {
        let pod = Pod::at(server);
        let value = put(server, "app");
        let config = format!("exit_after_auth = true\n{}", pod.login(server, "app"))
            + &pod.template("a", &show("app", "v"), "command = \"exit 9\"")
            + &pod.template("b", &show("app", "v"), &format!("command = \"echo x >> {}\"", pod.text("ran")));
        let ended = pod.agent(&config).finish().expect(0);
        assert!(ended.err.contains("exit code 9"), "{}", ended.err);
        assert_eq!((pod.rendered("a").unwrap(), lines(&pod, "ran")), (value, 1));
    });
}

#[test]
fn a_command_that_does_not_end_is_killed_with_all_it_started() {
    each_server(|server| {
        let pod = Pod::at(server);
        put(server, "app");
        let command = format!(
            "exec {{ command = [\"sh -c 'sleep 1000 & echo $! > {}; wait'\"]\n timeout = \"1s\" }}",
            pod.text("pid")
        );
        let config = format!("exit_after_auth = true\n{}", pod.login(server, "app"))
            + &pod.template("a", &show("app", "v"), &command);
        let ended = pod.agent(&config).finish().expect(0);
        assert!(ended.err.contains("killed"), "{}", ended.err);
        let pid = std::fs::read_to_string(pod.path("pid")).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        eventually("the grandchild's end", || {
            let state = std::fs::read_to_string(&stat).unwrap_or_default();
            (state.is_empty() || state.contains(") Z ")).then_some(())
        });
    });
}

#[test]
fn a_template_that_cannot_be_rendered_stays_as_it_was_while_others_follow() {
    each_server(|server| {
        let pod = Pod::at(server);
        let (a, b) = (canary("a"), canary("b"));
        server.put("app", &json!({"a": a, "b": b}));
        let config = format!("{EVERY_SECOND}{}", pod.login(server, "app"))
            + &pod.template("a", &show("app", "a"), "error_on_missing_key = true")
            + &pod.template("b", &show("app", "b"), "error_on_missing_key = true");
        let mut agent = pod.agent(&config).start();
        pod.becomes("a", &a);
        pod.becomes("b", &b);
        let fresh = canary("b");
        server.put("app", &json!({"b": fresh}));
        pod.becomes("b", &fresh);
        let line = agent.prints("no entry for key");
        assert!(line.contains("agent.hcl"), "{line}");
        assert_eq!(pod.rendered("a").unwrap(), a);
        let back = canary("a");
        server.put("app", &json!({"a": back, "b": fresh}));
        pod.becomes("a", &back);
        agent.stop().expect(0);
    });
}

#[test]
fn a_file_that_cannot_be_written_is_tried_again_without_asking_the_server() {
    on_dev(JOURNAL, |server| {
        server.database("1h", "2h");
        let pod = Pod::at(server);
        let first = put(server, "app");
        let contents =
            format!("{}{{{{ with secret \"database/creds/app\" }}}}{{{{ end }}}}", show("app", "v"));
        let config =
            format!("{EVERY_SECOND}{}", pod.login(server, "app")) + &pod.template("deep/v", &contents, "");
        let mut agent = pod.agent(&config).start();
        pod.becomes("deep/v", &first);
        std::fs::remove_dir_all(pod.secrets().join("deep")).unwrap();
        pod.write("secrets/deep", "a file in the way");
        let second = put(server, "app");
        let line = agent.prints("[ERROR]");
        assert!(line.contains(&pod.text("secrets/deep")), "{line}");
        std::fs::remove_file(pod.secrets().join("deep")).unwrap();
        pod.becomes("deep/v", &second);
        agent.stop().expect(0);
        assert_eq!(server.asked("GET", "/v1/database/creds/app").count(), 1);
    });
}

#[test]
fn answers_that_make_no_sense_are_survived() {
    on_dev(FAULTS, |server| {
        let pod = Pod::at(server);
        let first = put(server, "app");
        let config =
            format!("{EVERY_SECOND}{}", pod.login(server, "app")) + &pod.template("v", &show("app", "v"), "");
        let mut agent = pod.agent(&config).start();
        pod.becomes("v", &first);
        let long = "x".repeat(100_000);
        for fault in [
            json!({"garbage": true}),
            json!({"truncate": true}),
            json!({"drop": true}),
            json!({"status": 500, "body": "<html>oops</html>"}),
            json!({"status": 502, "body": long}),
            json!({"status": 429, "headers": {"Retry-After": "1"}}),
            json!({"status": 404}),
        ] {
            let mut fault = fault;
            fault["path"] = json!("/v1/secret/data/app");
            let moment = server.moment();
            let number = server.fault(&fault);
            server.reads("app").since(moment).wait(1);
            server.mend(number);
            assert!(agent.is_running(), "{fault}");
            assert_eq!(pod.rendered("v").unwrap(), first, "{fault}");
            let moment = server.moment();
            server.reads("app").status(200).since(moment).wait(1);
        }
        let second = put(server, "app");
        pod.becomes("v", &second);
        agent.stop().expect(0);
        assert_eq!(server.logins().count(), 1);
    });
}

#[test]
fn a_server_that_never_answers_is_given_up_on_and_asked_again() {
    on_dev(FAULTS, |server| {
        let pod = Pod::at(server);
        let value = put(server, "app");
        let held = server.fault(&json!({"path": "/v1/auth/kubernetes/login", "hold": true}));
        let config = pod.login(server, "app") + &pod.template("v", &show("app", "v"), "");
        let mut agent = pod.agent(&config).env("VAULT_CLIENT_TIMEOUT", "1s").start();
        let line = agent.prints("no complete answer");
        assert!(line.contains("auth/kubernetes/login"), "{line}");
        server.logins().arrived().wait(2);
        server.mend(held);
        pod.becomes("v", &value);
        agent.stop().expect(0);
    });
}
