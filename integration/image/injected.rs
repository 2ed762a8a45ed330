//! What injectors start in the image, word for word: both modes of both injectors, init, sidecar, and the hook before
//! the end.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::harness::{
    Container, Pod, Secure, canary,
    container::{NEEDS, image},
    eventually, needing,
    server::Server,
};

/// Where the kubelet puts the service account's token.
pub(super) const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What differs between the injectors.
pub(super) struct Injector {
    /// Prefix of its variables.
    variables: &'static str,
    /// Home of the agent.
    home: &'static str,
    /// Name of the program.
    program: &'static str,
    /// Name of the file with the token.
    token: &'static str,
}

/// vault-k8s.
pub(super) const VAULT: Injector =
    Injector { variables: "VAULT", home: "/home/vault", program: "vault", token: ".vault-token" };

/// openbao-k8s.
const OPENBAO: Injector =
    Injector { variables: "BAO", home: "/home/openbao", program: "bao", token: ".openbao-token" };

impl Injector {
    /// The configuration that it generates, with keys in its order.
    pub(super) fn config(&self, address: &str, is_init: bool, templates: &[Value]) -> String {
        let home = self.home;
        let templates: Vec<String> = templates.iter().map(Value::to_string).collect();
        format!(
            r#"{{"auto_auth":{{"method":{{"type":"kubernetes","mount_path":"auth/kubernetes","config":{{"role":"app","token_path":"{SERVICE_ACCOUNT}/token"}}}},"sink":[{{"type":"file","config":{{"path":"{home}/{}"}}}},{{"type":"file","config":{{"path":"/vault/secrets/token"}}}}]}},"exit_after_auth":{is_init},"pid_file":"{home}/.pid","vault":{{"address":"{address}"}},"template":[{}],"template_config":{{"exit_on_retry_failure":true,"static_secret_render_interval":"1s"}}}}"#,
            self.token,
            templates.join(",")
        )
    }

    /// The start-up line of annotation mode.
    pub(super) fn start_line(&self) -> String {
        let Self { variables, home, program, .. } = self;
        format!(
            "echo ${{{variables}_CONFIG?}} | base64 -d > {home}/config.json && {program} agent -config={home}/config.json"
        )
    }

    /// The start-up line of configmap mode.
    fn configmap_line(&self, is_init: bool) -> String {
        let Self { home, program, token, .. } = self;
        let name = if is_init { "config-init.hcl" } else { "config.hcl" };
        format!("touch {home}/{token} && {program} agent -config=/vault/configs/{name}")
    }

    /// The line of the hook before the end. An injector writes 5 seconds unless told otherwise.
    fn stop_line(&self, address: &str) -> String {
        format!("/bin/sleep 1 && /bin/{} token revoke -address={address} -self", self.program)
    }

    /// A container with the mounts and variables that it makes, and a home of its own.
    pub(super) fn container(&self, pod: &Pod) -> Container {
        let log_level = format!("{}_LOG_LEVEL", self.variables);
        Container::new()
            .empty_dir(self.home)
            .read_only(&pod.path("serviceaccount"), SERVICE_ACCOUNT)
            .shared(&pod.secrets(), "/vault/secrets")
            .env("NAMESPACE", "default")
            .env("HOST_IP", "127.0.0.1")
            .env("POD_IP", "127.0.0.1")
            // An injector writes info; here it must be seen that not even the most talkative log shows a secret.
            .env(&log_level, "trace")
            .env(&format!("{}_LOG_FORMAT", self.variables), "standard")
    }

    /// With a configuration, as annotation mode passes it.
    pub(super) fn configured(&self, pod: &Pod, config: &str) -> Container {
        self.container(pod).env(&format!("{}_CONFIG", self.variables), STANDARD.encode(config))
    }
}

/// A template as an injector writes it.
pub(super) fn template(name: &str, contents: &str, more: &Value) -> Value {
    let mut template = json!({"destination": format!("/vault/secrets/{name}"), "contents": contents,
        "left_delimiter": "{{", "right_delimiter": "}}"});
    let fields = template.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    template
}

const SHOW: &str = "{{ with secret \"secret/data/db\" }}{{ .Data.data.password }}{{ end }}";

/// The user and group that an injector sets, one that many clusters set, and one that nobody knows: OpenShift's.
const USERS: [(u32, u32, Option<&str>); 4] = [
    (100, 1000, Some("/home/vault")),
    (100, 1000, None),
    (65534, 65534, Some("/")),
    (1_000_650_000, 0, Some("/")),
];

fn put(server: &Server) -> String {
    let password = canary("password");
    server.put("db", &json!({"password": password}));
    password
}

/// Owner, group and mode of a rendered file.
fn rights(pod: &Pod, name: &str) -> (u32, u32, u32) {
    let meta = fs::metadata(pod.secrets().join(name)).expect("the file");
    (meta.uid(), meta.gid(), pod.mode(name))
}

fn remembered(path: &Path) -> String {
    let token = eventually("a token", || fs::read_to_string(path).ok().filter(|token| !token.is_empty()));
    crate::harness::canary::remember(&token);
    token
}

/// Whether the server takes the token.
fn is_alive(server: &Server, token: &str) -> bool {
    server.call("GET", "/v1/auth/token/lookup-self", Some(token), None).status == 200
}

#[test]
fn the_lines_of_annotation_mode_and_the_hook_work_as_any_user() {
    needing(NEEDS, || {
        for (uid, gid, home) in USERS {
            let server = Server::dev();
            let (pod, password) = (Pod::at(&server), put(&server));
            let templates = [
                template("db", SHOW, &json!({"perms": "0440"})),
                template(
                    "told",
                    SHOW,
                    &json!({"command": "id -u > /vault/secrets/user && chmod 0400 /vault/secrets/told"}),
                ),
            ];
            let container = |is_init| {
                let config = VAULT.config(&server.url(), is_init, &templates);
                let container = VAULT.configured(&pod, &config).user(uid, gid);
                match home {
                    Some(home) => container.env("HOME", home),
                    None => container,
                }
            };
            let line = VAULT.start_line();
            container(true).finish(&["/bin/sh", "-ec", &line]).expect(0);
            assert_eq!(pod.rendered("db").as_ref(), Some(&password));
            assert_eq!(rights(&pod, "db"), (uid, gid, 0o440));
            assert_eq!(rights(&pod, "token"), (uid, gid, 0o640));
            assert_eq!(pod.rendered("user").unwrap().trim(), uid.to_string());
            assert_eq!(pod.mode("told"), 0o400);
            remembered(&pod.secrets().join("token"));

            let sidecar = container(false);
            let running = sidecar.start(&["/bin/sh", "-ec", &line]);
            let token = remembered(&sidecar.outside("/home/vault").join(".vault-token"));
            let fresh = put(&server);
            pod.becomes("db", &fresh);
            assert_eq!(rights(&pod, "db"), (uid, gid, 0o440));
            assert!(is_alive(&server, &token));
            let revoked = running.exec(&["/bin/sh", "-c", &VAULT.stop_line(&server.url())]).expect(0);
            assert!(revoked.out.contains("Success! Revoked token (if it existed)"), "{}", revoked.all());
            assert!(!is_alive(&server, &token), "the token of {uid}:{gid} is still alive");
            running.stop().expect(0);
        }
    });
}

#[test]
fn the_lines_of_configmap_mode_work() {
    needing(NEEDS, || {
        let server = Server::dev();
        let (pod, password) = (Pod::at(&server), put(&server));
        fs::create_dir(pod.path("configs")).expect("a folder");
        let hcl = |exit: bool| {
            format!(
                "exit_after_auth = {exit}\npid_file = \"/home/vault/.pid\"\n\
                 auto_auth {{\n  method \"kubernetes\" {{\n    config = {{ role = \"app\" }}\n  }}\n  \
                 sink \"file\" {{ config = {{ path = \"/home/vault/.vault-token\" }} }}\n}}\n\
                 template_config {{ static_secret_render_interval = \"1s\" }}\n\
                 template {{\n  source = \"/vault/configs/db.tpl\"\n  destination = \"/vault/secrets/db\"\n}}\n"
            )
        };
        pod.write("configs/config-init.hcl", &hcl(true));
        pod.write("configs/config.hcl", &hcl(false));
        pod.write("configs/db.tpl", SHOW);
        let container = || {
            VAULT
                .container(&pod)
                .read_only(&pod.path("configs"), "/vault/configs")
                .env("VAULT_ADDR", server.url())
                .env("VAULT_SKIP_VERIFY", "false")
                .env("HOME", "/home/vault")
        };
        container().finish(&["/bin/sh", "-ec", &VAULT.configmap_line(true)]).expect(0);
        assert_eq!(pod.rendered("db").as_ref(), Some(&password));
        let sidecar = container();
        let running = sidecar.start(&["/bin/sh", "-ec", &VAULT.configmap_line(false)]);
        let token = remembered(&sidecar.outside("/home/vault").join(".vault-token"));
        let fresh = put(&server);
        pod.becomes("db", &fresh);
        running.exec(&["/bin/sh", "-c", &VAULT.stop_line(&server.url())]).expect(0);
        assert!(!is_alive(&server, &token));
        running.stop().expect(0);
    });
}

#[test]
fn the_lines_of_openbaos_injector_work() {
    needing(NEEDS, || {
        let server = Server::dev();
        let (pod, password) = (Pod::at(&server), put(&server));
        let container = |is_init| {
            let config = OPENBAO.config(&server.url(), is_init, &[template("db", SHOW, &json!({}))]);
            OPENBAO.configured(&pod, &config).env("HOME", "/home/openbao")
        };
        container(true).finish(&["/bin/sh", "-ec", &OPENBAO.start_line()]).expect(0);
        assert_eq!(pod.rendered("db").as_ref(), Some(&password));
        let sidecar = container(false);
        let running = sidecar.start(&["/bin/sh", "-ec", &OPENBAO.start_line()]);
        let token = remembered(&sidecar.outside("/home/openbao").join(".openbao-token"));
        running.exec(&["/bin/sh", "-c", &OPENBAO.stop_line(&server.url())]).expect(0);
        assert!(!is_alive(&server, &token));
        running.stop().expect(0);
    });
}

#[test]
fn a_start_line_without_its_configuration_fails_and_names_the_variable() {
    needing(NEEDS, || {
        let pod = Pod::new();
        let ended = VAULT.container(&pod).finish(&["/bin/sh", "-ec", &VAULT.start_line()]);
        assert!(ended.code.is_some_and(|code| code != 0), "{}", ended.all());
        assert!(ended.err.contains("VAULT_CONFIG"), "{}", ended.all());
    });
}

#[test]
fn trust_comes_from_a_variable_and_without_it_the_built_in_roots_refuse_a_private_authority() {
    needing(NEEDS, || {
        let server = Secure::start();
        let password = canary("password");
        server.ok("POST", "/v1/secret/data/db", &json!({"data": {"password": password}}));
        let pod = Pod::new();
        pod.write("home/token", crate::harness::server::ROOT);
        let config = json!({
            "auto_auth": {"method": {"type": "token_file", "config": {"token_file_path": "/vault/custom/token"}}},
            "exit_after_auth": true,
            "vault": {"address": server.url()},
            "template": [template("db", SHOW, &json!({}))],
            "template_config": {"exit_on_retry_failure": true},
        });
        let container =
            || VAULT.configured(&pod, &config.to_string()).read_only(&pod.path("home"), "/vault/custom");
        let ca = fs::read_to_string(server.ca()).expect("the certificate");
        container().env("VAULT_CACERT_BYTES", ca).finish(&["/bin/sh", "-ec", &VAULT.start_line()]).expect(0);
        assert_eq!(pod.rendered("db").as_ref(), Some(&password));

        fs::remove_file(pod.secrets().join("db")).expect("the file");
        let mut running = container().start(&["/bin/sh", "-ec", &VAULT.start_line()]);
        running.prints("comes from a CA that is not trusted here");
        assert_eq!(pod.rendered("db"), None);
    });
}

#[test]
fn the_bare_image_renders_from_annotations_and_says_that_it_has_no_shell() {
    needing(NEEDS, || {
        let server = Server::dev();
        let (mut pod, password) = (Pod::at(&server), put(&server));
        pod.annotate("auth-config-token-path", &format!("{SERVICE_ACCOUNT}/token"))
            .annotate("secret-volume-path", "/vault/secrets")
            .annotate("agent-inject-secret-db", "secret/data/db")
            .annotate("agent-inject-template-db", SHOW);
        let bare = |pod: &Pod| {
            Container::at(&image("decant-bare"))
                .read_only(&pod.path("podinfo"), "/etc/podinfo")
                .read_only(&pod.path("serviceaccount"), SERVICE_ACCOUNT)
                .shared(&pod.secrets(), "/vault/secrets")
                .env("VAULT_LOG_LEVEL", "trace")
        };
        let init = |pod: &Pod| bare(pod).finish(&["/bin/decant", "init"]);
        init(&pod).expect(0);
        assert_eq!(pod.rendered("db").as_ref(), Some(&password));

        // A probe needs no shell either.
        let sidecar = bare(&pod).empty_dir("/home/vault").env("HOME", "/home/vault");
        let running = sidecar.start(&["/bin/decant", "sidecar"]);
        eventually("a probe that says yes", || {
            (running.exec(&["/bin/decant", "healthcheck"]).code == Some(0)).then_some(())
        });
        running.stop().expect(0);

        pod.annotate("agent-inject-command-db", "echo done");
        fs::remove_file(pod.secrets().join("db")).expect("the file");
        let ended = init(&pod).expect(6);
        assert!(ended.err.contains("/bin/sh") || ended.err.contains("sh"), "{}", ended.all());
    });
}
