//! The agent as process 1 of its container: it gets the signals, and collects what its commands leave behind.

use serde_json::json;

use super::injected::{VAULT, template};
use crate::harness::{Pod, canary, container::NEEDS, eventually, needing, server::Server};

#[test]
fn the_shell_makes_room_for_the_agent_which_stops_at_once_and_cleanly() {
    needing(NEEDS, || {
        let server = Server::dev();
        let pod = Pod::at(&server);
        let password = canary("password");
        server.put("db", &json!({"password": password}));
        let contents = "{{ with secret \"secret/data/db\" }}{{ .Data.data.password }}{{ end }}";
        let config = VAULT.config(&server.url(), false, &[template("db", contents, &json!({}))]);
        let container = VAULT.configured(&pod, &config);
        let running = container.start(&["/bin/sh", "-ec", &VAULT.start_line()]);
        pod.becomes("db", &password);
        // A shell that stayed would be process 1, and a process 1 without a handler never sees SIGTERM.
        running.becomes("bin/decant");
        assert!(container.outside("/home/vault").join(".pid").exists());
        let ended = running.stop().expect(0);
        assert!(!container.outside("/home/vault").join(".pid").exists(), "{}", ended.all());
    });
}

#[test]
fn orphans_of_commands_are_collected() {
    needing(NEEDS, || {
        let server = Server::dev();
        let pod = Pod::at(&server);
        server.put("db", &json!({"password": canary("password")}));
        let contents = "{{ with secret \"secret/data/db\" }}{{ .Data.data.password }}{{ end }}";
        // The inner shell is nobody's child once the outer one has ended.
        let command = "sh -c '(echo x >> /vault/secrets/ended) & :'";
        let template = template("db", contents, &json!({"command": command}));
        let config = VAULT.config(&server.url(), false, &[template]);
        let container = VAULT.configured(&pod, &config);
        let running = container.start(&["/bin/sh", "-ec", &VAULT.start_line()]);
        for round in 1..=3_usize {
            pod.shows("ended", |text| text.lines().count() >= round);
            server.put("db", &json!({"password": canary("password")}));
        }
        eventually("all orphans to be collected", || running.children().is_empty().then_some(()));
        running.stop().expect(0);
    });
}
