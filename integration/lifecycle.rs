//! Staying fresh: rotations, leases, tokens and JWTs over time.

use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use crate::harness::{
    Pod, canary, each_server, eventually, on_dev,
    server::{Server, unused_address},
};

const JOURNAL: &str = "a real server doesn't tell what it was asked";
const FAULTS: &str = "a real server fails only when it wants to";
const DATABASE: &str = "a real server needs a real database for leases";

/// Reads what has no lifetime every second.
const EVERY_SECOND: &str = "template_config { static_secret_render_interval = \"1s\" }\n";
const CREDS: &str = "{{ with secret \"database/creds/app\" }}{{ .Data.password }}{{ end }}";
const CREDS_PATH: &str = "/v1/database/creds/app";
const RENEW_LEASE: &str = "/v1/sys/leases/renew";
const RENEW_TOKEN: &str = "/v1/auth/token/renew-self";

fn show(secret: &str, key: &str) -> String {
    format!("{{{{ with secret \"secret/data/{secret}\" }}}}{{{{ .Data.data.{key} }}}}{{{{ end }}}}")
}

/// What changes whenever a file is written anew: inode and time of modification.
fn identity(pod: &Pod, name: &str) -> (u64, i64, i64) {
    let meta = pod.secrets().join(name).metadata().expect("the file");
    (meta.ino(), meta.mtime(), meta.mtime_nsec())
}

/// A secret with the key `v`; its value comes back.
fn put(server: &Server, name: &str) -> String {
    let value = canary(name);
    server.put(name, &json!({"v": value}));
    value
}

#[test]
fn a_rotated_secret_is_followed_and_files_that_stay_the_same_are_left_alone() {
    each_server(|server| {
        let pod = Pod::at(server);
        let (kept, first) = (canary("kept"), canary("first"));
        server.put("app", &json!({"kept": kept, "v": first}));
        let config = format!(
            "{EVERY_SECOND}{}{}{}",
            pod.login(server, "app"),
            pod.template("kept", &show("app", "kept"), ""),
            pod.template("rotated", &show("app", "v"), ""),
        );
        let agent = pod.agent(&config).start();
        pod.becomes("rotated", &first);
        pod.becomes("kept", &kept);
        let before = identity(&pod, "kept");
        let second = canary("second");
        server.put("app", &json!({"kept": kept, "v": second}));
        pod.becomes("rotated", &second);
        agent.stop().expect(0);
        assert_eq!(pod.rendered("kept").unwrap(), kept);
        assert_eq!(identity(&pod, "kept"), before);
    });
}

#[test]
fn kv_version_1_is_read_anew_by_the_lifetime_it_names() {
    each_server(|server| {
        let pod = Pod::at(server);
        let (first, second) = (canary("first"), canary("second"));
        server.put_v1("app", &json!({"v": first, "ttl": "2s"}));
        let contents = "{{ with secret \"kv/app\" }}{{ .Data.v }}{{ end }}";
        let agent = pod.agent(&(pod.login(server, "app") + &pod.template("v", contents, ""))).start();
        pod.becomes("v", &first);
        server.put_v1("app", &json!({"v": second, "ttl": "2s"}));
        pod.becomes("v", &second);
        agent.stop().expect(0);
    });
}

#[test]
fn nothing_is_read_more_often_than_once_a_second() {
    on_dev(JOURNAL, |server| {
        let pod = Pod::at(server);
        server.put_v1("app", &json!({"v": "x", "ttl": "1s"}));
        let contents = "{{ with secret \"kv/app\" }}{{ .Data.v }}{{ end }}";
        let agent = pod.agent(&(pod.login(server, "app") + &pod.template("v", contents, ""))).start();
        let reads = server.asked("GET", "/v1/kv/app").wait(4);
        let time = |entry: &Value| entry["time"].as_u64().unwrap();
        assert!(time(&reads[3]) - time(&reads[0]) >= 2, "{reads:?}");
        agent.stop().expect(0);
    });
}

#[test]
fn a_lease_is_renewed_and_its_credentials_stay() {
    on_dev(DATABASE, |server| {
        server.database("2s", "1h");
        let pod = Pod::at(server);
        let agent = pod.agent(&(pod.login(server, "app") + &pod.template("db", CREDS, ""))).start();
        let password = pod.password("db", "");
        let before = identity(&pod, "db");
        server.asked("PUT", RENEW_LEASE).status(200).wait(3);
        agent.stop().expect(0);
        assert_eq!(pod.rendered("db").unwrap(), password);
        assert_eq!(identity(&pod, "db"), before);
        assert_eq!(server.asked("GET", CREDS_PATH).count(), 1);
    });
}

#[test]
fn credentials_that_reach_their_maximum_are_replaced() {
    on_dev(DATABASE, |server| {
        server.database("2s", "4s");
        let pod = Pod::at(server);
        let agent = pod.agent(&(pod.login(server, "app") + &pod.template("db", CREDS, ""))).start();
        let first = pod.password("db", "");
        let second = pod.password("db", &first);
        assert_ne!(pod.password("db", &second), first);
        agent.stop().expect(0);
    });
}

#[test]
fn a_lease_that_the_server_forgot_is_replaced_once() {
    on_dev(DATABASE, |server| {
        server.database("3s", "1h");
        let pod = Pod::at(server);
        let contents = "{{ with secret \"database/creds/app\" }}{{ .LeaseID }} {{ .Data.password }}{{ end }}";
        let agent = pod.agent(&(pod.login(server, "app") + &pod.template("db", contents, ""))).start();
        let first = pod.password("db", "");
        let lease = first.split(' ').next().unwrap();
        server.ok("PUT", "sys/leases/revoke", &json!({"lease_id": lease}));
        pod.password("db", &first);
        agent.stop().expect(0);
        assert_eq!(server.asked("GET", CREDS_PATH).count(), 2);
        assert_eq!(server.asked("PUT", RENEW_LEASE).status(400).count(), 1);
    });
}

#[test]
fn what_lives_long_is_not_read_with_what_lives_short() {
    on_dev(JOURNAL, |server| {
        server.database("1h", "2h");
        put(server, "app");
        let pod = Pod::at(server);
        let both = format!("{CREDS}{}", show("app", "v"));
        let config = format!("{EVERY_SECOND}{}{}", pod.login(server, "app"), pod.template("both", &both, ""));
        let agent = pod.agent(&config).start();
        server.reads("app").wait(4);
        agent.stop().expect(0);
        assert_eq!(server.asked("GET", CREDS_PATH).count(), 1);
    });
}

#[test]
fn a_token_is_renewed_as_long_as_the_server_does_so() {
    on_dev(JOURNAL, |server| {
        server.role("short", &json!({"token_ttl": "2s"}));
        let pod = Pod::at(server);
        let agent = pod.agent(&pod.login(server, "short")).start();
        server.asked("PUT", RENEW_TOKEN).status(200).wait(3);
        agent.stop().expect(0);
        assert_eq!(server.logins().count(), 1);
    });
}

#[test]
fn a_new_login_reads_no_static_secret_anew() {
    on_dev(JOURNAL, |server| {
        server.role("short", &json!({"token_ttl": "2s", "token_max_ttl": "3s"}));
        let value = put(server, "app");
        let pod = Pod::at(server);
        let config = pod.login(server, "short") + &pod.template("v", &show("app", "v"), "");
        let agent = pod.agent(&config).start();
        server.logins().status(200).wait(4);
        agent.stop().expect(0);
        assert_eq!(pod.rendered("v").unwrap(), value);
        assert_eq!(server.reads("app").count(), 1);
    });
}

#[test]
fn a_token_that_may_not_renew_itself_is_replaced_in_time() {
    on_dev(JOURNAL, |server| {
        server.role("bare", &json!({"token_ttl": "4s", "token_no_default_policy": true}));
        let pod = Pod::at(server);
        let agent = pod.agent(&pod.login(server, "bare")).start();
        server.logins().status(200).wait(2);
        let refused = server.asked("PUT", RENEW_TOKEN).status(403).count();
        assert!((1..=2).contains(&refused), "asked {refused} times for renewals");
        let ended = agent.stop().expect(0);
        assert_eq!(ended.err.matches("error renewing token").count(), refused, "{}", ended.err);
        assert_eq!(server.asked("GET", "/v1/auth/token/lookup-self").count(), 0, "the refusal left no doubt");
    });
}

#[test]
fn a_rotated_jwt_is_used_at_the_next_login() {
    on_dev(JOURNAL, |server| {
        let role = |name: &str| json!({"token_ttl": "2s", "token_max_ttl": "3s", "bound_service_account_names": [name]});
        server.role("short", &role("app"));
        let mut pod = Pod::at(server);
        let agent = pod.agent(&pod.login(server, "short")).start();
        server.logins().status(200).wait(1);
        // From now on only the new JWT is good for a login.
        pod.set_jwt(&server.jwt(&json!({"service_account": "other"})));
        server.role("short", &role("other"));
        let moment = server.moment();
        server.logins().status(200).since(moment).wait(1);
        agent.stop().expect(0);
    });
}

#[test]
fn an_expired_jwt_is_never_sent_and_a_fresh_one_is_noticed() {
    on_dev(JOURNAL, |server| {
        let mut pod = Pod::at(server);
        pod.set_jwt(&server.jwt(&json!({"lifetime": -10})));
        let mut agent = pod.agent(&pod.login(server, "app")).start();
        let line = agent.prints("expired");
        assert!(line.contains(&pod.jwt_path()), "{line}");
        assert_eq!(server.logins().arrived().count(), 0);
        pod.set_jwt(&server.jwt(&json!({})));
        server.logins().status(200).wait(1);
        agent.stop().expect(0);
    });
}

#[test]
fn a_jwt_that_is_missing_at_first_is_waited_for() {
    each_server(|server| {
        let mut pod = Pod::new();
        let jwt = server.jwt(&json!({}));
        let mut agent = pod.agent(&pod.login(server, "app")).start();
        agent.prints("serviceaccount/token");
        pod.set_jwt(&jwt);
        eventually("a token", || pod.path("token").exists().then_some(()));
        agent.stop().expect(0);
    });
}

#[test]
fn a_token_that_was_revoked_is_healed_once_and_only_leased_secrets_are_read_anew() {
    on_dev(DATABASE, |server| {
        server.database("2s", "1h");
        let value = put(server, "app");
        let pod = Pod::at(server);
        let config = format!(
            "{}{}{}",
            pod.login(server, "app"),
            pod.template("db", CREDS, ""),
            pod.template("v", &show("app", "v"), "")
        );
        let agent = pod.agent(&config).start();
        let password = pod.password("db", "");
        pod.becomes("v", &value);
        let before = identity(&pod, "v");
        let token = eventually("a token", || std::fs::read_to_string(pod.path("token")).ok());
        server.ok("POST", "auth/token/revoke", &json!({"token": token}));
        pod.password("db", &password);
        let moment = server.moment();
        server.asked("PUT", RENEW_LEASE).status(200).since(moment).wait(2);
        agent.stop().expect(0);
        assert_eq!(server.logins().count(), 2);
        assert_eq!(server.asked("GET", CREDS_PATH).status(200).count(), 2);
        assert_eq!(server.reads("app").count(), 1);
        assert_eq!(identity(&pod, "v"), before);
    });
}

#[test]
fn a_revoked_token_is_replaced_on_every_server() {
    each_server(|server| {
        let pod = Pod::at(server);
        let first = put(server, "app");
        let config =
            format!("{EVERY_SECOND}{}{}", pod.login(server, "app"), pod.template("v", &show("app", "v"), ""));
        let mut agent = pod.agent(&config).start();
        pod.becomes("v", &first);
        let token = eventually("a token", || std::fs::read_to_string(pod.path("token")).ok());
        server.ok("POST", "auth/token/revoke", &json!({"token": token}));
        let second = put(server, "app");
        pod.becomes("v", &second);
        assert!(agent.is_running());
        agent.stop().expect(0);
        assert_ne!(std::fs::read_to_string(pod.path("token")).unwrap(), token);
    });
}

#[test]
fn an_outage_costs_no_login_and_no_file() {
    on_dev(FAULTS, |server| {
        server.database("20s", "1h");
        let first = put(server, "app");
        let pod = Pod::at(server);
        let config = format!(
            "{EVERY_SECOND}{}{}{}",
            pod.login(server, "app"),
            pod.template("db", CREDS, ""),
            pod.template("v", &show("app", "v"), "")
        );
        let mut agent = pod.agent(&config).start();
        let password = pod.password("db", "");
        pod.becomes("v", &first);
        let outage = server.fault(&json!({"path": "/v1/*", "drop": true}));
        let moment = server.moment();
        server.asked("GET", "/v1/*").status(0).since(moment).wait(3);
        assert_eq!((pod.rendered("v"), pod.rendered("db")), (Some(first), Some(password.clone())));
        server.mend(outage);
        let second = put(server, "app");
        pod.becomes("v", &second);
        assert!(agent.is_running());
        agent.stop().expect(0);
        assert_eq!(pod.rendered("db").unwrap(), password);
        assert_eq!((server.logins().count(), server.asked("GET", CREDS_PATH).count()), (1, 1));
    });
}

#[test]
fn a_server_that_comes_late_is_waited_for() {
    let address = unused_address();
    let issuer = Server::dev();
    let pod = Pod::at(&issuer);
    let config = (pod.login(&issuer, "app") + &pod.template("v", &show("app", "v"), ""))
        .replace(&issuer.url(), &format!("http://{address}"));
    let mut agent = pod.agent(&config).start();
    agent.prints("still can't reach the server");
    assert_eq!(pod.listing(), [""; 0]);
    let server = Server::dev_at(&address);
    let value = put(&server, "app");
    // Each server has keys of its own; the kubelet brings the pod a token of the right cluster.
    let mut pod = pod;
    pod.set_jwt(&server.jwt(&json!({})));
    pod.becomes("v", &value);
    agent.stop().expect(0);
}

#[test]
fn a_sealed_server_is_waited_for() {
    on_dev("sealing a real dev server ends it", |server| {
        let value = put(server, "app");
        let pod = Pod::at(server);
        server.control("POST", "seal", Some(&json!({"sealed": true})));
        let config = pod.login(server, "app") + &pod.template("v", &show("app", "v"), "");
        let mut agent = pod.agent(&config).start();
        agent.prints("sealed");
        server.control("POST", "seal", Some(&json!({"sealed": false})));
        pod.becomes("v", &value);
        agent.stop().expect(0);
    });
}

#[test]
fn an_answer_under_way_is_dropped_at_the_end() {
    on_dev(FAULTS, |server| {
        put(server, "app");
        let pod = Pod::at(server);
        let held = server.fault(&json!({"path": "/v1/secret/data/app", "hold": true}));
        let config = pod.login(server, "app") + &pod.template("v", &show("app", "v"), "");
        let agent = pod.agent(&config).start();
        server.holds(held, 1);
        agent.stop().expect(0);
        assert_eq!(pod.listing(), [""; 0]);
    });
}

#[test]
fn the_own_token_is_revoked_at_the_end_when_asked_for() {
    each_server(|server| {
        let pod = Pod::at(server);
        let value = put(server, "app");
        let config = format!(
            "decant {{ revoke_on_exit = true }}\n{}{}",
            pod.login(server, "app"),
            pod.template("v", &show("app", "v"), "")
        );
        let mut agent = pod.agent(&config).start();
        agent.prints("all templates are rendered");
        assert_eq!(pod.rendered("v").unwrap(), value);
        let token = eventually("a token", || std::fs::read_to_string(pod.path("token")).ok());
        assert_eq!(server.call("GET", "/v1/auth/token/lookup-self", Some(&token), None).status, 200);
        agent.stop().expect(0);
        assert_eq!(server.call("GET", "/v1/auth/token/lookup-self", Some(&token), None).status, 403);
    });
}

#[test]
fn templates_that_name_the_same_credentials_share_one_lease() {
    on_dev(DATABASE, |server| {
        server.database("2s", "1h");
        let pod = Pod::at(server);
        let user = "{{ with secret \"database/creds/app\" }}{{ .LeaseID }}{{ end }}";
        let config = pod.login(server, "app") + &pod.template("a", CREDS, "") + &pod.template("b", user, "");
        let mut agent = pod.agent(&config).start();
        agent.prints("all templates are rendered");
        pod.password("a", "");
        server.asked("PUT", RENEW_LEASE).status(200).wait(2);
        agent.stop().expect(0);
        assert_eq!(server.asked("GET", CREDS_PATH).count(), 1);
    });
}

#[test]
fn two_spellings_of_one_secret_are_read_at_once() {
    on_dev(JOURNAL, |server| {
        let pod = Pod::at(server);
        let value = put(server, "app");
        let other = show("app", "v").replace("secret/data/app", "secret/app");
        let config = format!(
            "exit_after_auth = true\n{}{}{}",
            pod.login(server, "app"),
            pod.template("a", &show("app", "v"), ""),
            pod.template("b", &other, "")
        );
        pod.agent(&config).finish().expect(0);
        assert_eq!((pod.rendered("a").unwrap(), pod.rendered("b").unwrap()), (value.clone(), value));
        assert_eq!(server.reads("app").count(), 1);
    });
}
