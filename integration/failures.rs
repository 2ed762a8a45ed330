//! What fails in the field, as whole runs: each failure has the size of its cause.

use std::{fs, thread};

use serde_json::{Value, json};

use crate::{
    harness::{
        Pod, canary, each_server, on_dev,
        process::Running,
        server::{Server, unused_address},
    },
    pki,
};

const JOURNAL: &str = "a real server doesn't tell what it was asked";
const ISSUE: &str = "/v1/pki/issue/web";
const EVERY_SECOND: &str = "template_config { static_secret_render_interval = \"1s\" }\n";

fn show(secret: &str, key: &str) -> String {
    format!("{{{{ with secret \"secret/data/{secret}\" }}}}{{{{ .Data.data.{key} }}}}{{{{ end }}}}")
}

fn certificate(name: &str) -> String {
    format!(
        "{{{{ with pkiCert \"pki/issue/web\" \"common_name={name}.example.com\" }}}}{{{{ .Cert }}}}{{{{ .Key }}}}{{{{ end }}}}"
    )
}

#[test]
fn a_certificate_that_can_not_be_written_is_kept_and_only_the_write_is_repeated() {
    on_dev(JOURNAL, |server| {
        pki::engine(server, &json!({}));
        server.role("both", &json!({"token_policies": ["app", "pki"]}));
        server.put("app", &json!({"v": canary("v")}));
        let pod = Pod::at(server);
        pod.write("secrets/deep", "a file in the way");
        let config = format!(
            "{EVERY_SECOND}{}{}{}",
            pod.login(server, "both"),
            pod.template("deep/cert", &certificate("app"), ""),
            pod.template("v", &show("app", "v"), "")
        );
        let mut agent = pod.agent(&config).start();
        let line = agent.prints("[ERROR]");
        assert!(line.contains(&pod.text("secrets/deep")), "{line}");
        // Time for more tries, counted in reads of another secret.
        server.reads("app").wait(4);
        fs::remove_file(pod.path("secrets/deep")).expect("the obstacle");
        let text = pod.shows("deep/cert", |text| !text.is_empty());
        assert!(pki::pair(&text, &text).is_some());
        agent.stop().expect(0);
        assert_eq!(server.asked("PUT", ISSUE).count(), 1);
    });
}

#[test]
fn short_tokens_cost_no_secret_no_certificate_and_no_thread() {
    on_dev(JOURNAL, |server| {
        pki::engine(server, &json!({}));
        let role = json!({"token_policies": ["app", "pki"], "token_ttl": "2s", "token_max_ttl": "3s"});
        server.role("short", &role);
        let pod = Pod::at(server);
        let mut config = pod.login(server, "short");
        for n in 0..50 {
            server.put(&format!("s{n}"), &json!({"v": canary("v")}));
            config += &pod.template(&format!("s{n}"), &show(&format!("s{n}"), "v"), "");
        }
        for n in 0..3 {
            config += &pod.template(&format!("c{n}"), &certificate(&format!("c{n}")), "");
        }
        let mut agent = pod.agent(&config).start();
        agent.prints("all templates are rendered");
        for n in 0..3 {
            let text = pod.rendered(&format!("c{n}")).expect("a certificate");
            assert!(pki::pair(&text, &text).is_some());
        }
        let (logins, threads) = (server.logins().status(200).count(), threads(&agent));
        server.logins().status(200).wait(logins + 4);
        assert_eq!(self::threads(&agent), threads);
        agent.stop().expect(0);
        assert_eq!(server.asked("PUT", ISSUE).count(), 3);
        assert_eq!(server.asked("GET", "/v1/secret/data/*").count(), 50);
    });
}

fn threads(run: &Running) -> usize {
    fs::read_dir(format!("/proc/{}/task", run.pid())).expect("a process").count()
}

#[test]
fn versions_deletions_and_odd_names_of_kv_version_2_give_the_right_data_or_none() {
    each_server(|server| {
        let (old, new, inner, later) = (canary("old"), canary("new"), canary("inner"), canary("later"));
        server.put("app", &json!({"v": old}));
        server.put("app", &json!({"v": new}));
        server.put("data/inner", &json!({"v": inner}));
        server.ok("POST", "secret/metadata/later", &json!({"delete_version_after": "1h"}));
        server.put("later", &json!({"v": later}));
        for name in ["deleted", "destroyed"] {
            server.put(name, &json!({"v": canary(name)}));
        }
        server.ok("DELETE", "secret/data/deleted", &Value::Null);
        server.ok("PUT", "secret/destroy/destroyed", &json!({"versions": [1]}));
        let pod = Pod::at(server);
        let metadata = "{{ with secret \"secret/metadata/app\" }}{{ .Data.current_version }}{{ end }}";
        let version = show("app?version=1", "v");
        let config = pod.login(server, "app")
            + &pod.template("new", &show("app", "v"), "")
            + &pod.template("short", &show("app", "v").replace("secret/data/", "secret/"), "")
            + &pod.template("old", &version, "")
            + &pod.template("inner", &show("data/inner", "v"), "")
            + &pod.template("later", &show("later", "v"), "")
            + &pod.template("metadata", metadata, "")
            + &pod.template("deleted", &show("deleted", "v"), "")
            + &pod.template("destroyed", &show("destroyed", "v"), "");
        let mut agent = pod.agent(&config).start();
        for (name, value) in
            [("new", &new), ("short", &new), ("old", &old), ("inner", &inner), ("later", &later)]
        {
            pod.becomes(name, value);
        }
        pod.becomes("metadata", "2");
        agent.prints("secret/data/deleted");
        agent.prints("secret/data/destroyed");
        agent.stop().expect(0);
        assert!(pod.rendered("deleted").is_none() && pod.rendered("destroyed").is_none());
    });
}

/// Where the fault lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lacks {
    Secret,
    Rights,
    Key,
    Server,
}

/// How a run with this fault goes on: an exit code, or `None` when it stays and tries again; and what the file holds.
fn expected(lacks: Lacks, exit: bool, key_is_error: bool, init: bool) -> (Option<i32>, Option<&'static str>) {
    match lacks {
        Lacks::Secret | Lacks::Rights => (exit.then_some(1), None),
        Lacks::Key if key_is_error => (exit.then_some(1), None),
        Lacks::Key => (init.then_some(0), Some("<no value>")),
        Lacks::Server => (None, None),
    }
}

fn cell(server: &Server, lacks: Lacks, exit: bool, key_is_error: bool, init: bool) {
    let what =
        format!("{lacks:?} exit_on_retry_failure={exit} error_on_missing_key={key_is_error} init={init}");
    let pod = Pod::at(server);
    let contents = match lacks {
        Lacks::Secret => show("none", "v"),
        Lacks::Rights => show("denied/x", "v"),
        Lacks::Key => show("app", "nope"),
        Lacks::Server => show("app", "v"),
    };
    let address = if lacks == Lacks::Server { format!("http://{}", unused_address()) } else { server.url() };
    let vault = format!("vault {{ address = \"{address}\"\n retry {{ num_retries = -1 }}\n }}");
    let login =
        pod.login(server, "app").replace(&format!("vault {{ address = \"{}\" }}", server.url()), &vault);
    let config = format!(
        "exit_after_auth = {init}\ntemplate_config {{ exit_on_retry_failure = {exit} }}\n{login}{}",
        pod.template("v", &contents, &format!("error_on_missing_key = {key_is_error}"))
    );
    let (code, file) = expected(lacks, exit, key_is_error, init);
    let mut run = pod.agent(&config).start();
    if code.is_none() {
        // It has met its fault and goes on.
        run.prints(match lacks {
            Lacks::Secret | Lacks::Rights => "request failed",
            Lacks::Key if key_is_error => "map has no entry",
            Lacks::Key => "all templates are rendered",
            Lacks::Server => "authenticating",
        });
        assert!(run.is_running(), "{what}");
        run.signal(nix::sys::signal::Signal::SIGTERM);
    }
    let ended = run.wait();
    assert_eq!(ended.code, Some(code.unwrap_or(0)), "{what}: {}", ended.err);
    assert_eq!(pod.rendered("v").as_deref(), file, "{what}");
}

#[test]
fn what_a_missing_secret_key_right_or_server_does_is_as_the_table_says() {
    each_server(|server| {
        server.put("app", &json!({"v": canary("v")}));
        thread::scope(|scope| {
            for lacks in [Lacks::Secret, Lacks::Rights, Lacks::Key, Lacks::Server] {
                scope.spawn(move || {
                    for bits in 0..8 {
                        cell(server, lacks, bits & 1 > 0, bits & 2 > 0, bits & 4 > 0);
                    }
                });
            }
        });
    });
}

#[test]
fn equal_templates_with_two_destinations_are_two_and_one_destination_for_two_is_warned_about() {
    each_server(|server| {
        let value = canary("v");
        server.put("app", &json!({"v": value}));
        let pod = Pod::at(server);
        let once = format!("exit_after_auth = true\n{}", pod.login(server, "app"));
        let same = |name: &str| pod.template(name, &show("app", "v"), "");
        pod.agent(&format!("{once}{}{}", same("a"), same("b"))).finish().expect(0);
        assert_eq!((pod.rendered("a"), pod.rendered("b")), (Some(value.clone()), Some(value)));
        // The original takes it, too, so it is no error; whoever wrote it should hear of it.
        let ended = pod.agent(&format!("{once}{}{}", same("c"), same("c"))).finish().expect(0);
        assert!(ended.err.contains("two templates write"), "{}", ended.all());
    });
}

#[test]
fn a_file_that_feeds_another_template_is_followed_without_a_loop() {
    on_dev(JOURNAL, |server| {
        let (first, second) = (canary("first"), canary("second"));
        server.put("app", &json!({"v": first}));
        let pod = Pod::at(server);
        let a = pod.text("secrets/a");
        let count = format!("command = \"echo run >> {}\"", pod.text("runs"));
        let config = format!(
            "{EVERY_SECOND}{}{}{}",
            pod.login(server, "app"),
            pod.template("a", &show("app", "v"), ""),
            pod.template("b", &format!("{{{{ file \"{a}\" }}}}"), &count)
        );
        pod.write("secrets/a", "before");
        let agent = pod.agent(&config).start();
        pod.becomes("b", &first);
        server.put("app", &json!({"v": second}));
        pod.becomes("b", &second);
        let since = server.moment();
        server.reads("app").since(since).wait(3);
        agent.stop().expect(0);
        // At the start b may have been rendered from what lay there before.
        let runs = fs::read_to_string(pod.path("runs")).expect("runs").lines().count();
        assert!((2..=3).contains(&runs), "{runs} runs");
    });
}
