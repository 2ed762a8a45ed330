//! From init to the sidecar, and from one start to the next: no second login, no second credential, no rewrite.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::PathBuf,
};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::harness::{Pod, canary, each_server, eventually, on_dev, server::Server};

const JOURNAL: &str = "a real server doesn't tell what it was asked";
const FAULTS: &str = "a real server fails only when it wants to";
const CREDS: &str = "{{ with secret \"database/creds/app\" }}{{ .Data.password }}{{ end }}";
const CREDS_PATH: &str = "/v1/database/creds/app";
const RENEW_SELF: &str = "/v1/auth/token/renew-self";

/// How somebody spoils the file.
type Spoil<'a> = &'a dyn Fn(&mut Pod);

/// A pod whose init container and sidecar share a folder that everybody may write to.
#[expect(clippy::disallowed_methods, reason = "the test plays the kubelet")]
fn pod(server: &Server) -> Pod {
    let mut pod = Pod::at(server);
    let folder = pod.path("cache");
    fs::create_dir(&folder).expect("a folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o1777)).expect("its mode");
    let folder = folder.display().to_string();
    pod.annotate("decant/handover", &folder);
    pod
}

/// A pod with database credentials and a KV secret, and a command that counts its runs.
fn pod_with_credentials(server: &Server) -> Pod {
    server.database("1h", "24h");
    let mut pod = pod(server);
    let value = canary("kv");
    server.put("app", &json!({"v": value}));
    let count = format!("echo run >> {}", pod.text("runs"));
    pod.annotate("agent-inject-secret-db", "database/creds/app")
        .annotate("agent-inject-template-db", CREDS)
        .annotate("agent-inject-command-db", &count)
        .annotate("agent-inject-secret-kv", "secret/data/app")
        .annotate(
            "agent-inject-template-kv",
            "{{ with secret \"secret/data/app\" }}{{ .Data.data.v }}{{ end }}",
        );
    pod
}

fn file(pod: &Pod) -> PathBuf {
    pod.path("cache/decant-handover")
}

fn identity(pod: &Pod, name: &str) -> (u64, i64, i64) {
    let meta = pod.secrets().join(name).metadata().expect("the file");
    (meta.ino(), meta.mtime(), meta.mtime_nsec())
}

fn runs(pod: &Pod) -> usize {
    fs::read_to_string(pod.path("runs")).unwrap_or_default().lines().count()
}

#[test]
fn the_sidecar_goes_on_where_init_ended_with_one_request() {
    on_dev(JOURNAL, |server| {
        let pod = pod_with_credentials(server);
        pod.init().finish().expect(0);
        let password = pod.password("db", "");
        let meta = file(&pod).metadata().expect("the hand-over");
        assert_eq!(meta.permissions().mode() & 0o7777, 0o600);
        let (before, since) = ((identity(&pod, "db"), identity(&pod, "kv")), server.moment());
        let mut sidecar = pod.sidecar().start();
        sidecar.prints("all templates are rendered");
        sidecar.stop().expect(0);
        assert_eq!(server.all_since(since), [format!("PUT {RENEW_SELF}")]);
        assert_eq!((identity(&pod, "db"), identity(&pod, "kv")), before);
        assert_eq!((pod.rendered("db").unwrap(), runs(&pod)), (password, 1));
        assert_eq!((server.logins().count(), server.asked("GET", CREDS_PATH).count()), (1, 1));
    });
}

#[test]
fn an_injectors_configuration_hands_over_through_its_cache_folder() {
    each_server(|server| {
        let mut pod = Pod::new();
        pod.set_jwt(&server.jwt(&json!({})));
        fs::create_dir(pod.path("cache")).expect("a folder");
        let value = canary("v");
        server.put("app", &json!({"v": value}));
        let contents = "{{ with secret \"secret/data/app\" }}{{ .Data.data.v }}{{ end }}";
        // The very keys that the injector writes with agent-cache-enable.
        let config = |init: bool| {
            format!(
                "exit_after_auth = {init}\nlistener \"tcp\" {{ address = \"127.0.0.1:0\" tls_disable = true }}\n\
                 cache {{ use_auto_auth_token = \"true\" persist \"kubernetes\" {{ path = \"{}\" }} }}\n{}{}",
                pod.text("cache"),
                pod.login(server, "app"),
                pod.template("v", contents, "")
            )
        };
        pod.agent(&config(true)).finish().expect(0);
        let (first, before) = (fs::read_to_string(pod.path("token")).expect("the sink"), identity(&pod, "v"));
        fs::remove_file(pod.path("token")).expect("it is another container's volume");
        let mut agent = pod.agent(&config(false)).start();
        agent.prints("all templates are rendered");
        eventually("the sink", || pod.path("token").exists().then_some(()));
        let ended = agent.stop().expect(0);
        assert!(!ended.err.contains("[ERROR]") && !ended.err.contains("agent.auth.handler: authentication"));
        assert_eq!(fs::read_to_string(pod.path("token")).unwrap(), first, "the same token");
        assert_eq!(identity(&pod, "v"), before);
    });
}

#[test]
fn a_dead_token_is_dropped_in_silence_and_everything_starts_anew() {
    each_server(|server| {
        let mut pod = pod(server);
        let value = canary("v");
        server.put("app", &json!({"v": value}));
        let shown = "{{ with secret \"secret/data/app\" }}{{ .Data.data.v }}{{ end }}";
        pod.annotate("agent-inject-template-v", shown).annotate("agent-inject-token", "true");
        pod.init().finish().expect(0);
        let token = pod.rendered("token").expect("the token file");
        canary::remember(&token);
        server.ok("POST", "auth/token/revoke", &json!({"token": token}));
        let mut sidecar = pod.sidecar().env("VAULT_LOG_LEVEL", "info").start();
        sidecar.prints("all templates are rendered");
        eventually("a new token", || (pod.rendered("token")? != token).then_some(()));
        canary::remember(&pod.rendered("token").unwrap());
        let ended = sidecar.stop().expect(0);
        assert!(!ended.err.contains("[WARN]") && !ended.err.contains("[ERROR]"), "{}", ended.err);
        assert!(pod.rendered("v").unwrap().contains(&value));
    });
}

#[test]
fn damaged_foreign_and_planted_files_lead_to_a_clean_start() {
    on_dev(JOURNAL, |server| {
        let mut pod = pod_with_credentials(server);
        pod.init().finish().expect(0);
        let whole = fs::read(file(&pod)).unwrap();
        let spoil: [(&str, Spoil<'_>); 5] = [
            ("cut", &|pod| put(&file(pod), &whole[..whole.len() / 2], 0o600)),
            ("flipped", &|pod| {
                let mut bytes = whole.clone();
                *bytes.last_mut().unwrap() ^= 1;
                put(&file(pod), &bytes, 0o600);
            }),
            ("another version", &|pod| {
                let mut bytes = whole.clone();
                bytes[7] = 99;
                put(&file(pod), &bytes, 0o600);
            }),
            ("readable for others", &|pod| put(&file(pod), &whole, 0o644)),
            ("made with another JWT", &|pod| pod.set_jwt(&server.jwt(&json!({"audience": ["other"]})))),
        ];
        for (at, (what, spoil)) in spoil.iter().enumerate() {
            put(&file(&pod), &whole, 0o600);
            spoil(&mut pod);
            let logins = server.logins().status(200).count();
            pod.init().env("VAULT_LOG_LEVEL", "info").finish().expect(0);
            pod.password("db", "");
            assert_eq!(server.logins().status(200).count(), logins + 1, "{what}");
            assert_eq!(server.asked("GET", CREDS_PATH).count(), at + 2, "{what}");
        }
    });
}

fn put(path: &std::path::Path, bytes: &[u8], mode: u32) {
    let _ = fs::remove_file(path);
    #[expect(clippy::disallowed_methods, reason = "the test plays whoever spoils the file")]
    {
        fs::write(path, bytes).expect("the file");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
    }
}

#[test]
fn a_sidecar_that_is_killed_goes_on_as_if_nothing_had_happened() {
    on_dev(JOURNAL, |server| {
        server.database("4s", "24h");
        let mut pod = pod(server);
        pod.annotate("agent-inject-secret-db", "database/creds/app")
            .annotate("agent-inject-template-db", CREDS);
        let mut sidecar = pod.sidecar().start();
        let password = pod.password("db", "");
        // Renewals move the end of the lease; the file has to follow, or the next start takes the lease for dead.
        for _ in 0..2 {
            let before = eventually("the hand-over", || fs::read(file(&pod)).ok());
            server.asked("PUT", "/v1/sys/leases/renew").since(server.moment()).status(200).wait(1);
            eventually("the renewal in the file", || (fs::read(file(&pod)).ok()? != before).then_some(()));
        }
        for round in 0..2 {
            sidecar.signal(Signal::SIGKILL);
            drop(sidecar.wait());
            sidecar = pod.sidecar().start();
            sidecar.prints("all templates are rendered");
            assert_eq!(pod.rendered("db").unwrap(), password, "round {round}");
        }
        server.asked("PUT", "/v1/sys/leases/renew").since(server.moment()).status(200).wait(1);
        sidecar.stop().expect(0);
        assert_eq!((server.logins().count(), server.asked("GET", CREDS_PATH).count()), (1, 1));
    });
}

#[test]
fn a_rotated_jwt_seals_the_file_anew() {
    on_dev(JOURNAL, |server| {
        let mut pod = pod_with_credentials(server);
        let mut sidecar = pod.sidecar().start();
        sidecar.prints("all templates are rendered");
        pod.password("db", "");
        let before = eventually("the hand-over", || fs::read(file(&pod)).ok());
        pod.set_jwt(&server.jwt(&json!({"audience": ["rotated"]})));
        eventually("a file made with the new JWT", || (fs::read(file(&pod)).ok()? != before).then_some(()));
        sidecar.signal(Signal::SIGKILL);
        drop(sidecar.wait());
        let mut sidecar = pod.sidecar().start();
        sidecar.prints("all templates are rendered");
        sidecar.stop().expect(0);
        assert_eq!((server.logins().count(), server.asked("GET", CREDS_PATH).count()), (1, 1));
    });
}

#[test]
fn a_crash_loop_costs_one_login() {
    on_dev(JOURNAL, |server| {
        let mut pod = pod(server);
        pod.annotate("agent-inject-secret-gone", "secret/data/gone")
            .annotate("decant/revoke-on-exit", "true");
        for _ in 0..3 {
            pod.init().env("VAULT_MAX_RETRIES", "0").arg("--init-deadline=1s").finish().expect(5);
        }
        assert_eq!(server.logins().count(), 1, "the token of the first try was used by the others");
        let value = canary("v");
        server.put("gone", &json!({"v": value}));
        pod.init().finish().expect(0);
        assert_eq!(
            (server.logins().count(), server.asked("PUT", "/v1/auth/token/revoke-self").count()),
            (1, 0)
        );
        let mut sidecar = pod.sidecar().start();
        sidecar.prints("all templates are rendered");
        assert!(pod.rendered("gone").unwrap().contains(&value));
        sidecar.stop().expect(0);
        assert_eq!(server.asked("PUT", "/v1/auth/token/revoke-self").status(204).count(), 1);
        assert!(!file(&pod).exists(), "what is revoked is not handed over");
    });
}

#[test]
fn while_the_server_can_not_say_whether_the_token_lives_it_is_asked_again() {
    on_dev(FAULTS, |server| {
        let pod = pod_with_credentials(server);
        pod.init().finish().expect(0);
        pod.password("db", "");
        let fault = server.fault(&json!({"path": RENEW_SELF, "status": 503}));
        let mut sidecar = pod.sidecar().start();
        server.asked("PUT", RENEW_SELF).status(503).wait(2);
        server.mend(fault);
        sidecar.prints("all templates are rendered");
        sidecar.stop().expect(0);
        assert_eq!((server.logins().count(), server.asked("GET", CREDS_PATH).count()), (1, 1));
    });
}

#[test]
fn without_a_jwt_or_with_off_nothing_is_handed_over() {
    each_server(|server| {
        let mut pod = pod(server);
        let value = canary("v");
        server.put("app", &json!({"v": value}));
        pod.annotate("agent-inject-secret-v", "secret/data/app");
        pod.init().env("DECANT_HANDOVER", "off").finish().expect(0);
        assert!(!file(&pod).exists());
        let config = pod.login(server, "app").replace("kubernetes", "token_file").replace(
            &format!("token_path = \"{}\"", pod.jwt_path()),
            &format!("token_file_path = \"{}\"", pod.write("a-token", "root")),
        );
        let config = format!(
            "exit_after_auth = true\ndecant {{ handover = \"{}\" }}\n{}",
            pod.text("cache"),
            config.replace("role = \"app\"", "")
        );
        let ended = pod.agent(&config).finish().expect(0);
        assert!(!file(&pod).exists());
        assert!(ended.err.contains("the service-account JWT can't be read"), "{}", ended.err);
    });
}
