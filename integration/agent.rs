//! `agent`: the original's command line, configurations, console and exit codes.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::harness::{Pod, Run, Server, canary, each_server, eventually};

const PASSWORD: &str = "{{ with secret \"secret/data/app\" }}{{ .Data.data.password }}{{ end }}";

/// A server with `secret/app` and a pod that is allowed to read it; the password comes, too.
fn ready(server: &Server) -> (Pod, String) {
    let password = canary("password");
    server.put("app", &json!({"password": password}));
    (Pod::at(server), password)
}

/// A configuration that renders `env` once.
fn once(pod: &Pod, server: &Server) -> String {
    format!("exit_after_auth = true\n{}{}", pod.login(server, "app"), pod.template("env", PASSWORD, ""))
}

#[test]
fn an_hcl_configuration_is_rendered_and_left() {
    each_server(|server| {
        let (pod, password) = ready(server);
        let ended = pod.agent(&once(&pod, server)).finish().expect(0);
        assert_eq!(pod.rendered("env").unwrap(), password);
        assert!(ended.out.contains("decant Agent started!"), "{}", ended.out);
        assert!(ended.out.contains("decant Agent configuration:"), "{}", ended.out);
    });
}

#[test]
fn a_json_configuration_does_the_same_whatever_its_name() {
    each_server(|server| {
        let (pod, password) = ready(server);
        let config = json!({
            "exit_after_auth": true,
            "vault": {"address": server.url()},
            "auto_auth": {
                "method": {"type": "kubernetes", "config": {"role": "app", "token_path": pod.jwt_path()}},
            },
            "template": [{"contents": PASSWORD, "destination": pod.text("secrets/env")}],
        });
        pod.agent(&config.to_string()).finish().expect(0);
        assert_eq!(pod.rendered("env").unwrap(), password);
    });
}

#[test]
fn files_and_folders_add_up() {
    each_server(|server| {
        let (pod, password) = ready(server);
        for folder in ["one", "two"] {
            std::fs::create_dir(pod.path(folder)).unwrap();
        }
        let first = pod.write("first.hcl", &format!("exit_after_auth = true\n{}", pod.login(server, "app")));
        pod.write("one/a.hcl", &pod.template("a", PASSWORD, ""));
        let second = json!({"template": {"contents": PASSWORD, "destination": pod.text("secrets/b")}});
        pod.write("one/b.json", &second.to_string());
        pod.write("one/c.txt", "this is no configuration {");
        pod.write("two/d.hcl", &pod.template("d", PASSWORD, ""));
        let configs = [first, pod.text("one"), pod.text("two")].map(|path| format!("-config={path}"));
        Run::decant([vec!["agent".to_owned()], configs.to_vec()].concat()).finish().expect(0);
        assert_eq!(pod.listing(), ["a", "b", "d"]);
        assert_eq!(pod.rendered("b").unwrap(), password);
    });
}

#[test]
fn called_as_the_original_it_answers_by_that_name() {
    each_server(|server| {
        let (pod, _) = ready(server);
        for (name, product) in [("/usr/bin/vault", "Vault"), ("bao", "OpenBao")] {
            let ended = pod.agent(&once(&pod, server)).called(name).finish().expect(0);
            assert!(ended.out.contains(&format!("==> {product} Agent started!")), "{}", ended.out);
        }
    });
}

#[test]
fn the_flag_beats_the_environment_and_that_the_file() {
    each_server(|server| {
        let (pod, password) = ready(server);
        let nowhere = "http://127.0.0.1:1";
        let config = once(&pod, server).replace(&server.url(), nowhere);
        pod.agent(&config).env("VAULT_ADDR", server.url()).finish().expect(0);
        assert_eq!(pod.rendered("env").unwrap(), password);
        let flag = format!("-address={}", server.url());
        pod.agent(&config).env("VAULT_ADDR", nowhere).arg(&flag).finish().expect(0);
        let run = pod.agent(&config).called("bao").env("VAULT_ADDR", nowhere);
        run.env("BAO_ADDR", server.url()).finish().expect(0);
    });
}

#[test]
fn the_flag_exit_after_auth_beats_the_key_both_ways() {
    each_server(|server| {
        let (pod, password) = ready(server);
        let stays = once(&pod, server).replace("exit_after_auth = true", "exit_after_auth = false");
        pod.agent(&stays).arg("-exit-after-auth").finish().expect(0);
        let mut agent = pod.agent(&once(&pod, server)).arg("-exit-after-auth=false").start();
        agent.prints("all templates are rendered");
        assert_eq!(pod.rendered("env").unwrap(), password);
        agent.stop().expect(0);
    });
}

#[test]
fn a_signal_ends_it_with_0_and_takes_the_pid_file_away() {
    each_server(|server| {
        let (pod, password) = ready(server);
        let pid_file = pod.path("agent.pid");
        let config = format!(
            "pid_file = \"{}\"\n{}{}",
            pid_file.display(),
            pod.login(server, "app"),
            pod.template("env", PASSWORD, "")
        );
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            let mut agent = pod.agent(&config).start();
            agent.prints("all templates are rendered");
            assert_eq!(pod.rendered("env").unwrap(), password);
            assert_eq!(std::fs::read_to_string(&pid_file).unwrap(), agent.pid().to_string());
            agent.signal(signal);
            agent.wait().expect(0);
            assert!(!pid_file.exists());
        }
    });
}

#[test]
fn it_ends_by_a_signal_before_it_has_logged_in_too() {
    let pod = Pod::new();
    let config = "vault { address = \"http://127.0.0.1:1\" }\nauto_auth { method \"kubernetes\" { config { role = \
                  \"app\"\n token_path = \"/nowhere/token\" } } \n sink \"file\" { config { path = \"/tmp/never\" } } }";
    let mut agent = pod.agent(config).start();
    agent.prints("error authenticating");
    agent.stop().expect(0);
}

#[test]
fn sinks_hold_the_same_token_each_with_its_mode() {
    each_server(|server| {
        let (pod, _) = ready(server);
        let config = format!(
            "exit_after_auth = true\n{}",
            pod.login(server, "app").replace(
                "  sink \"file\"",
                &format!(
                    "  sink \"file\" {{ config {{ path = \"{}\"\n mode = 0604 }} }}\n  sink \"file\"",
                    pod.text("secrets/other")
                )
            )
        );
        pod.agent(&config).finish().expect(0);
        let token = std::fs::read_to_string(pod.path("token")).unwrap();
        assert_eq!(pod.rendered("other").unwrap(), token);
        assert_eq!(pod.mode("other"), 0o604);
        assert_eq!(pod.mode("../token"), 0o640);
        assert_eq!(server.call("GET", "/v1/auth/token/lookup-self", Some(&token), None).status, 200);
    });
}

#[test]
fn a_sink_gets_each_new_token_in_one_step() {
    use std::os::unix::fs::MetadataExt;
    each_server(|server| {
        let (pod, _) = ready(server);
        server.role("short", &json!({"token_ttl": "2s", "token_max_ttl": "3s"}));
        let agent = pod.agent(&pod.login(server, "short")).start();
        let read = || {
            Some((std::fs::read_to_string(pod.path("token")).ok()?, pod.path("token").metadata().ok()?.ino()))
        };
        let (first, inode) = eventually("a token", read);
        eventually("another token", || {
            let (token, other) = read()?;
            assert!(token.len() > 20, "half a token: {} bytes", token.len());
            (token != first).then(|| assert_ne!(inode, other, "written in place"))
        });
        agent.stop().expect(0);
    });
}

#[test]
fn everything_is_rendered_and_every_command_is_over_before_it_exits() {
    each_server(|server| {
        let (pod, _) = ready(server);
        server.put("second", &json!({"x": "y"}));
        let mut config = format!("exit_after_auth = true\n{}", pod.login(server, "app"));
        for number in 0..20 {
            let path = if number % 2 == 0 { "app" } else { "second" };
            let command =
                format!("command = [\"sh\", \"-c\", \"sleep 0.05; echo {number} >> {}\"]", pod.text("ran"));
            let contents = format!("{number}{{{{ with secret \"secret/{path}\" }}}}{{{{ end }}}}");
            config += &pod.template(&format!("f{number}"), &contents, &command);
        }
        pod.agent(&config).finish().expect(0);
        assert_eq!(pod.listing().len(), 20);
        let ran = std::fs::read_to_string(pod.path("ran")).unwrap();
        let mut ran: Vec<u32> = ran.lines().map(|line| line.parse().unwrap()).collect();
        ran.sort_unstable();
        assert_eq!(ran, (0..20).collect::<Vec<_>>(), "each command once");
    });
}

#[test]
fn a_token_file_is_enough_to_log_in() {
    each_server(|server| {
        let (pod, password) = ready(server);
        let auth = server.ok("POST", "auth/token/create", &json!({"policies": ["app"], "ttl": "1h"}));
        let token = auth["auth"]["client_token"].as_str().unwrap();
        let file = pod.write("given-token", &format!("{token}\n"));
        let config = format!(
            "exit_after_auth = true\nvault {{ address = \"{}\" }}\nauto_auth {{ method \"token_file\" {{ config {{ \
             token_file_path = \"{file}\" }} }} }}\n{}",
            server.url(),
            pod.template("env", PASSWORD, "")
        );
        pod.agent(&config).finish().expect(0);
        assert_eq!(pod.rendered("env").unwrap(), password);
    });
}

#[test]
fn a_wrong_configuration_ends_with_1_and_the_place_on_standard_output() {
    let pod = Pod::new();
    for (config, place, words) in [
        ("vault {\n  address = \n}\n", ":3:1", "expected"),
        ("pid_file = \"a\"\nvault { address = \"x\" }}\n", ":2:24", "}"),
        ("auto_auth {\n  method \"kubernetes\" {}\n}\n", ":2:", "role"),
        ("vault {}\nvault {}\n", ":2:1", "only one"),
        ("{\"vault\": {\"address\": \"x\"},}", ":1:", ""),
    ] {
        let ended = pod.agent(config).finish().expect(1);
        let file = pod.text("agent.hcl");
        assert!(ended.out.contains(&format!("{file}{place}")), "{place} in {config:?}: {}", ended.out);
        assert!(ended.out.contains(words), "{words}: {}", ended.out);
        assert_eq!(ended.err, "", "errors of the configuration belong on standard output");
    }
}

#[test]
fn no_configuration_at_all_ends_with_1() {
    let pod = Pod::new();
    let ended = Run::decant(["agent"]).finish().expect(1);
    assert!(ended.all().contains("-config"), "{}", ended.all());
    let missing = pod.text("missing.hcl");
    let ended = Run::decant(["agent".to_owned(), format!("-config={missing}")]).finish().expect(1);
    assert!(ended.all().contains(&missing), "{}", ended.all());
    let ended = Run::decant(["agent", "-config=x", "-no-such-flag"]).finish().expect(1);
    assert!(ended.all().contains("no-such-flag"), "{}", ended.all());
}

#[test]
fn what_has_no_effect_is_named_in_a_warning_and_the_rest_works() {
    each_server(|server| {
        let (pod, password) = ready(server);
        let more =
            "cache {}\nlistener \"tcp\" { address = \"127.0.0.1:0\" tls_disable = true }\nno_such_key = 1\n";
        let ended = pod.agent(&format!("{more}{}", once(&pod, server))).finish().expect(0);
        assert_eq!(pod.rendered("env").unwrap(), password);
        for name in ["cache", "listener", "no_such_key"] {
            let warned = ended.err.lines().any(|line| line.contains("[WARN]") && line.contains(name));
            assert!(warned, "{name}: {}", ended.err);
        }
    });
}

#[test]
fn a_failed_login_with_exit_on_err_ends_with_1() {
    each_server(|server| {
        let (pod, _) = ready(server);
        let config = once(&pod, server)
            .replace("method \"kubernetes\" {", "method \"kubernetes\" { exit_on_err = true");
        let config = config.replace("role = \"app\"", "role = \"nobody\"");
        let ended = pod.agent(&config).finish().expect(1);
        assert!(ended.out.contains("Error encountered during run"), "{}", ended.out);
        assert!(ended.err.contains("invalid role name"), "{}", ended.err);
    });
}

#[test]
fn a_missing_secret_ends_it_only_when_that_is_configured() {
    each_server(|server| {
        let (pod, _) = ready(server);
        let retry = format!("address = \"{}\"\n retry {{ num_retries = -1 }}", server.url());
        let config = once(&pod, server).replace(&format!("address = \"{}\"", server.url()), &retry);
        let config = config + &pod.template("none", "{{ with secret \"secret/none\" }}x{{ end }}", "");
        let fatal = format!("template_config {{ exit_on_retry_failure = true }}\n{config}");
        let ended = pod.agent(&fatal).finish().expect(1);
        assert!(ended.err.contains("secret/data/none"), "{}", ended.err);

        let mut agent = pod.agent(&config).start();
        agent.prints("secret/data/none");
        pod.shows("env", |text| !text.is_empty());
        server.put("none", &json!({"now": "there"}));
        assert!(agent.is_running());
        agent.stop().expect(0);
    });
}
