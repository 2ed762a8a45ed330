//! How runs end: at once whatever is under way, and without leaving a token behind when that is asked for.

use serde_json::json;

use crate::harness::{
    Pod, canary, each_server, eventually, http, on_dev,
    server::{Server, unused_address},
};

const JOURNAL: &str = "a real server doesn't tell what it was asked";
const FAULTS: &str = "a real server fails only when it wants to";
const LOGIN: &str = "/v1/auth/kubernetes/login";
const REVOKE: &str = "/v1/auth/token/revoke-self";
const READ: &str = "/v1/secret/data/app";

/// A pod with one secret, whose token is to be revoked at the end.
fn pod(server: &Server) -> Pod {
    let value = canary("v");
    server.put("app", &json!({"v": value}));
    let mut pod = Pod::at(server);
    pod.annotate("agent-inject-secret-app", "secret/data/app").annotate("decant/revoke-on-exit", "true");
    pod
}

fn revoked(server: &Server) -> usize {
    server.asked("PUT", REVOKE).status(204).count()
}

#[test]
fn a_failed_init_revokes_its_token_once() {
    each_server(|server| {
        let mut pod = pod(server);
        pod.annotate("agent-inject-secret-gone", "secret/data/gone").annotate("agent-inject-token", "true");
        pod.init().arg("--init-deadline=1s").finish().expect(5);
        let token = eventually("the token file", || pod.rendered("token"));
        canary::remember(&token);
        assert_eq!(server.call("GET", "/v1/auth/token/lookup-self", Some(&token), None).status, 403);
        if server.is_dev() {
            assert_eq!((server.logins().count(), revoked(server)), (1, 1));
        }
    });
}

#[test]
fn an_init_that_is_done_leaves_its_token_alone() {
    on_dev(JOURNAL, |server| {
        pod(server).init().finish().expect(0);
        assert_eq!(server.asked("PUT", REVOKE).count(), 0);
    });
}

#[test]
fn a_stop_during_the_first_render_revokes_the_token_once() {
    on_dev(FAULTS, |server| {
        let pod = pod(server);
        let held = server.fault(&json!({"path": READ, "hold": true}));
        for command in [pod.init(), pod.sidecar()] {
            let before = revoked(server);
            let run = command.start();
            server.holds(held, 1);
            run.stop().expect(0);
            assert_eq!(revoked(server), before + 1);
            assert_eq!(pod.listing(), [""; 0]);
        }
    });
}

#[test]
fn a_stop_while_a_login_is_on_its_way_leaves_no_token_that_nobody_knows() {
    on_dev(FAULTS, |server| {
        let pod = pod(server);
        let held = server.fault(&json!({"path": LOGIN, "hold": true}));
        let mut run = pod.sidecar().start();
        server.holds(held, 1);
        run.signal(nix::sys::signal::Signal::SIGTERM);
        run.prints("shutdown triggered");
        server.mend(held);
        run.wait().expect(0);
        assert_eq!((server.logins().status(200).count(), revoked(server)), (1, 1));
    });
}

#[test]
fn a_server_that_does_not_answer_holds_up_no_stop() {
    on_dev(FAULTS, |server| {
        let pod = pod(server);
        let mut run = pod.sidecar().start();
        run.prints("all templates are rendered");
        let held = server.fault(&json!({"path": REVOKE, "hold": true}));
        // Nobody ever lets it go: the end comes all the same.
        let ended = run.stop().expect(0);
        assert!(ended.err.contains("no time left to revoke"), "{}", ended.err);
        assert_eq!(server.asked("PUT", REVOKE).arrived().count(), 1);
        server.mend(held);
    });
}

#[test]
fn who_asks_to_stop_for_the_second_time_waits_for_no_revocation() {
    on_dev(FAULTS, |server| {
        let pod = pod(server);
        let mut run = pod.sidecar().start();
        run.prints("all templates are rendered");
        let held = server.fault(&json!({"path": REVOKE, "hold": true}));
        run.signal(nix::sys::signal::Signal::SIGTERM);
        server.holds(held, 1);
        run.signal(nix::sys::signal::Signal::SIGINT);
        let ended = run.wait().expect(1);
        assert!(ended.err.contains("asked to stop for the second time"), "{}", ended.err);
        assert!(!ended.err.contains("no time left"), "it waited all the same: {}", ended.err);
        server.mend(held);
    });
}

#[test]
fn all_living_tokens_of_a_run_are_revoked_at_its_end() {
    each_server(|server| {
        let pod = pod(server);
        server.jwt_method();
        let jwt = |number: usize| pod.write("jwt", &server.jwt(&json!({"lifetime": 600 + number})));
        let config = format!(
            "vault {{ address = \"{}\" }}\nauto_auth {{\n  enable_reauth_on_new_credentials = true\n  method \"jwt\" \
             {{ config {{\n    path = \"{}\"\n    role = \"app\"\n    jwt_read_period = \"100ms\"\n  }} }}\n  \
             sink \"file\" {{ config {{ path = \"{}\" }} }}\n}}\ndecant {{ revoke_on_exit = true }}\n{}",
            server.url(),
            jwt(0),
            pod.text("token"),
            pod.template("v", "{{ with secret \"secret/data/app\" }}{{ .Data.data.v }}{{ end }}", "")
        );
        let agent = pod.agent(&config).start();
        let mut tokens: Vec<String> = Vec::new();
        for _ in 0..3 {
            let token = eventually("another token", || {
                let token = std::fs::read_to_string(pod.path("token")).ok()?;
                (!token.is_empty() && !tokens.contains(&token)).then_some(token)
            });
            canary::remember(&token);
            tokens.push(token);
            // What was read is removed; a file that is there again is another login.
            jwt(tokens.len());
        }
        let lives = |token: &String| {
            server.call("GET", "/v1/auth/token/lookup-self", Some(token), None).status == 200
        };
        assert!(tokens.iter().all(lives), "none of them has ended yet");
        agent.stop().expect(0);
        assert!(!tokens.iter().any(lives), "one lives on");
    });
}

#[test]
fn a_quit_revokes_the_token_as_a_signal_does() {
    each_server(|server| {
        let pod = pod(server);
        let port = unused_address();
        let config = format!(
            "decant {{ revoke_on_exit = true }}\nlistener \"tcp\" {{\n  address = \"{port}\"\n  tls_disable = true\n  \
             agent_api {{ enable_quit = true }}\n}}\n{}{}",
            pod.login(server, "app"),
            pod.template("v", "{{ with secret \"secret/data/app\" }}{{ .Data.data.v }}{{ end }}", "")
        );
        let mut agent = pod.agent(&config).start();
        agent.prints("all templates are rendered");
        let token = eventually("a token", || std::fs::read_to_string(pod.path("token")).ok());
        canary::remember(&token);
        let quit = http::call(&port, "POST", "/agent/v1/quit", None, None).expect("an answer");
        assert_eq!(quit.status, 200);
        agent.wait().expect(0);
        assert_eq!(server.call("GET", "/v1/auth/token/lookup-self", Some(&token), None).status, 403);
    });
}

#[test]
fn a_token_from_a_file_is_not_ours_to_revoke() {
    each_server(|server| {
        let pod = pod(server);
        let made = server.ok("POST", "auth/token/create", &json!({"policies": ["app"], "ttl": "1h"}));
        let token = made["auth"]["client_token"].as_str().expect("a token").to_owned();
        canary::remember(&token);
        let config = format!(
            "vault {{ address = \"{}\" }}\nauto_auth {{ method \"token_file\" {{ config {{ token_file_path = \"{}\" }} }} }}\n\
             decant {{ revoke_on_exit = true }}\n{}",
            server.url(),
            pod.write("a-token", &token),
            pod.template("v", "{{ with secret \"secret/data/app\" }}{{ .Data.data.v }}{{ end }}", "")
        );
        let mut agent = pod.agent(&config).start();
        agent.prints("all templates are rendered");
        let ended = agent.stop().expect(0);
        assert!(ended.err.contains("the token is not from a login of ours"));
        assert_eq!(server.call("GET", "/v1/auth/token/lookup-self", Some(&token), None).status, 200);
    });
}

#[test]
fn whatever_is_under_way_a_stop_ends_it() {
    // The server answers none of it before the end: a run that waited for an answer would never end.
    on_dev(FAULTS, |server| {
        server.database("2s", "1h");
        let mut pod = pod(server);
        pod.annotate("decant/revoke-on-exit", "false")
            .annotate("agent-inject-secret-db", "database/creds/app")
            .annotate("template-static-secret-render-interval", "720h");
        let under_way = [LOGIN, "/v1/sys/internal/ui/mounts/*", READ, "/v1/sys/leases/renew"];
        for path in under_way {
            let held = server.fault(&json!({"path": path, "hold": true}));
            let run = pod.sidecar().start();
            server.holds(held, 1);
            run.stop().expect(0);
            server.mend(held);
        }
        let mut run = pod.sidecar().start();
        run.prints("all templates are rendered");
        run.stop().expect(0);
    });
}
