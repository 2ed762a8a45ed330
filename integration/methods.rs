//! The auth methods besides kubernetes, and sinks that protect the token.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral},
    rand::SystemRandom,
};
use serde_json::{Value, json};

use crate::harness::{
    Pod, Secure, Server,
    canary::{self, canary},
    each_server, eventually,
};

const PASSWORD: &str = "{{ with secret \"secret/data/app\" }}{{ .Data.data.password }}{{ end }}";

/// A configuration that renders `env` once with this method, whose `config` has these lines.
fn once(pod: &Pod, url: &str, method: &str, lines: &str) -> String {
    format!(
        "exit_after_auth = true\nvault {{ address = \"{url}\" }}\nauto_auth {{\n  method \"{method}\" {{ config {{\n\
         {lines}\n  }} }}\n}}\n{}",
        pod.template("env", PASSWORD, "")
    )
}

/// A server with `secret/app`, a pod beside it, and the password.
fn ready(server: &Server) -> (Pod, String) {
    let password = canary("password");
    server.put("app", &json!({"password": password}));
    (Pod::at(server), password)
}

#[test]
fn a_jwt_from_a_file_logs_in_and_the_file_goes() {
    each_server(|server| {
        let (pod, password) = ready(server);
        server.jwt_method();
        let jwt = pod.write("jwt", &server.jwt(&json!({})));
        let lines = format!("path = \"{jwt}\"\nrole = \"app\"");
        pod.agent(&once(&pod, &server.url(), "jwt", &lines)).finish().expect(0);
        assert_eq!(pod.rendered("env").unwrap(), password);
        assert!(!pod.path("jwt").exists(), "what was read is removed");
    });
}

#[test]
fn a_jwt_that_the_role_refuses_says_why() {
    each_server(|server| {
        let (pod, _) = ready(server);
        server.jwt_method();
        let jwt = pod.write("jwt", &server.jwt(&json!({"namespace": "elsewhere"})));
        let lines = format!("path = \"{jwt}\"\nrole = \"app\"\nremove_jwt_after_reading = false");
        let config = once(&pod, &server.url(), "jwt", &lines);
        let mut agent = pod.agent(&config).start();
        agent.prints("does not match any associated bound claim values");
        assert!(pod.listing().is_empty());
        agent.stop();
    });
}

struct Role {
    id: String,
    secret_path: &'static str,
}

fn approle_method(server: &Server) -> Role {
    server.ok("POST", "sys/auth/approle", &json!({"type": "approle"}));
    server.ok("POST", "auth/approle/role/app", &json!({"token_policies": "app"}));
    let answer = server.ok("GET", "auth/approle/role/app/role-id", &Value::Null);
    let id = answer["data"]["role_id"].as_str().expect("a role id").to_owned();
    Role { id, secret_path: "auth/approle/role/app/secret-id" }
}

fn secret_id(server: &Server, role: &Role) -> String {
    let answer = server.ok("POST", role.secret_path, &json!({}));
    let id = answer["data"]["secret_id"].as_str().expect("a secret id").to_owned();
    canary::remember(&id);
    id
}

fn approle_lines(pod: &Pod, role: &Role, secret: &str, more: &str) -> String {
    let id = pod.write("role-id", &role.id);
    let secret = pod.write("secret-id", secret);
    format!("role_id_file_path = \"{id}\"\nsecret_id_file_path = \"{secret}\"\n{more}")
}

#[test]
fn role_id_and_secret_id_log_in_and_the_secret_ids_file_goes() {
    each_server(|server| {
        let (pod, password) = ready(server);
        let role = approle_method(server);
        let lines = approle_lines(&pod, &role, &format!("{}\n", secret_id(server, &role)), "");
        pod.agent(&once(&pod, &server.url(), "approle", &lines)).finish().expect(0);
        assert_eq!(pod.rendered("env").unwrap(), password);
        assert!(pod.path("role-id").exists() && !pod.path("secret-id").exists());
    });
}

#[test]
fn a_wrapped_secret_id_is_opened_only_when_it_comes_from_where_it_should() {
    each_server(|server| {
        let (pod, password) = ready(server);
        let role = approle_method(server);
        let path = format!("secret_id_response_wrapping_path = \"{}\"", role.secret_path);
        let lines = approle_lines(&pod, &role, &server.wrapped(role.secret_path, &json!({})), &path);
        pod.agent(&once(&pod, &server.url(), "approle", &lines)).finish().expect(0);
        assert_eq!(pod.rendered("env").unwrap(), password);

        let other = Pod::at(server);
        let forged = server.wrapped("sys/wrapping/wrap", &json!({"secret_id": secret_id(server, &role)}));
        let lines = approle_lines(&other, &role, &forged, &path);
        let mut agent = other.agent(&once(&other, &server.url(), "approle", &lines)).start();
        agent.prints("sys/wrapping/wrap");
        assert!(other.listing().is_empty());
        agent.stop();
    });
}

#[test]
fn a_wrong_secret_id_is_refused_and_the_next_one_taken() {
    each_server(|server| {
        let (pod, password) = ready(server);
        let role = approle_method(server);
        let lines = approle_lines(&pod, &role, "00000000-wrong-secret-id", "");
        let mut agent = pod.agent(&once(&pod, &server.url(), "approle", &lines)).start();
        agent.prints("invalid role or secret ID");
        pod.write("secret-id", &secret_id(server, &role));
        agent.wait().expect(0);
        assert_eq!(pod.rendered("env").unwrap(), password);
    });
}

/// A TLS server with the method cert, `secret/app`, the role `app` for clients named `web`, and the password.
fn secure() -> (Secure, String) {
    let server = Secure::start();
    let password = canary("password");
    server.ok("POST", "/v1/secret/data/app", &json!({"data": {"password": password}}));
    let policy = "path \"secret/data/*\" { capabilities = [\"read\"] }";
    server.ok("PUT", "/v1/sys/policies/acl/app", &json!({"policy": policy}));
    server.ok("POST", "/v1/sys/auth/cert", &json!({"type": "cert"}));
    let ca = fs::read_to_string(server.ca()).expect("the authority's certificate");
    let role = json!({"certificate": ca, "allowed_common_names": "web", "token_policies": "app"});
    server.ok("POST", "/v1/auth/cert/certs/app", &role);
    (server, password)
}

/// A configuration with the method cert and a fresh certificate of this name.
fn cert_config(server: &Secure, pod: &Pod, name: &str) -> String {
    let made = server.ok("POST", "/dev/v1/certificate", &json!({"common_name": name}));
    let text = |key: &str| made[key].as_str().expect("PEM");
    let (certificate, key) =
        (pod.write("client.pem", text("certificate")), pod.write("client.key", text("key")));
    let lines = format!(
        "name = \"app\"\nca_cert = \"{}\"\nclient_cert = \"{certificate}\"\nclient_key = \"{key}\"",
        server.ca()
    );
    let config = once(pod, &server.url(), "cert", &lines);
    config.replace("vault {", &format!("vault {{ ca_cert = \"{}\"\n", server.ca()))
}

#[test]
fn a_client_certificate_logs_in_over_tls() {
    let (server, password) = secure();
    let pod = Pod::new();
    pod.agent(&cert_config(&server, &pod, "web")).finish().expect(0);
    assert_eq!(pod.rendered("env").unwrap(), password);
}

#[test]
fn a_certificate_of_another_name_is_refused() {
    let (server, _) = secure();
    let pod = Pod::new();
    let mut agent = pod.agent(&cert_config(&server, &pod, "db")).start();
    agent.prints("no chain matching all constraints could be found for this login certificate");
    assert!(pod.listing().is_empty());
    agent.stop();
}

#[test]
fn a_token_file_needs_no_login_and_stays() {
    each_server(|server| {
        let (pod, password) = ready(server);
        let made = server.ok("POST", "auth/token/create", &json!({"policies": ["app"], "ttl": "1h"}));
        let token = made["auth"]["client_token"].as_str().expect("a token").to_owned();
        canary::remember(&token);
        let file = pod.write("my-token", &format!("{token}\n"));
        let lines = format!("token_file_path = \"{file}\"");
        pod.agent(&once(&pod, &server.url(), "token_file", &lines)).finish().expect(0);
        assert_eq!(pod.rendered("env").unwrap(), password);
        assert!(pod.path("my-token").exists());
    });
}

#[test]
fn a_role_without_secret_id_logs_in_by_its_id_alone() {
    each_server(|server| {
        let (pod, password) = ready(server);
        let role = approle_method(server);
        let open = json!({"token_policies": "app", "bind_secret_id": false,
            "token_bound_cidrs": ["127.0.0.0/8"]});
        server.ok("POST", "auth/approle/role/app", &open);
        let lines = format!("role_id_file_path = \"{}\"", pod.write("role-id", &role.id));
        pod.agent(&once(&pod, &server.url(), "approle", &lines)).finish().expect(0);
        assert_eq!(pod.rendered("env").unwrap(), password);
        assert!(pod.path("role-id").exists());
    });
}

#[test]
fn a_wrapped_login_goes_to_its_one_sink_as_it_is_and_opens_once() {
    each_server(|server| {
        let pod = Pod::at(server);
        let wrapped =
            pod.login(server, "app").replace("config {\n    role", "wrap_ttl = \"5m\"\n  config {\n    role");
        assert!(wrapped.contains("wrap_ttl"), "{wrapped}");
        let mut agent = pod.agent(&wrapped).start();
        let text = sink(&pod);
        assert!(text.ends_with("}\n"), "as the original: {text:?}");
        let info: Value = serde_json::from_str(&text).expect("a wrap info");
        assert_eq!((&info["ttl"], &info["creation_path"]), (&json!(300), &json!("auth/kubernetes/login")));
        let wrapping = info["token"].as_str().expect("a token");
        canary::remember(wrapping);
        let opened = server.call("PUT", "/v1/sys/wrapping/unwrap", Some(wrapping), None).json();
        let token = opened["auth"]["client_token"].as_str().expect("the token").to_owned();
        canary::remember(&token);
        assert_eq!(server.call("GET", "/v1/auth/token/lookup-self", Some(&token), None).status, 200);
        assert!(agent.is_running(), "it waits for new credentials");
        agent.stop().expect(0);
    });
}

/// A configuration with the kubernetes method and a sink `token` that has these lines.
fn with_sink(pod: &Pod, server: &Server, lines: &str) -> String {
    let sink = format!("sink \"file\" {{\n{lines}\n");
    pod.login(server, "app").replace("sink \"file\" {", &sink)
}

fn sink(pod: &Pod) -> String {
    eventually("the sink", || fs::read_to_string(pod.path("token")).ok().filter(|text| !text.is_empty()))
}

/// Takes the token from a wrap info, and shows that it works.
fn unwrapped(server: &Server, info: &str) {
    let info: Value = serde_json::from_str(info).expect("a wrap info");
    assert_eq!((&info["ttl"], &info["creation_path"]), (&json!(300), &json!("sys/wrapping/wrap")));
    let wrapping = info["token"].as_str().expect("a token");
    canary::remember(wrapping);
    let answer = server.call("PUT", "/v1/sys/wrapping/unwrap", Some(wrapping), None);
    let token = answer.json()["data"]["token"].as_str().expect("the token").to_owned();
    canary::remember(&token);
    assert_eq!(server.call("GET", "/v1/auth/token/lookup-self", Some(&token), None).status, 200);
    let again = server.call("PUT", "/v1/sys/wrapping/unwrap", Some(wrapping), None);
    assert_eq!(again.status, 400, "a wrapping opens once");
}

#[test]
fn a_wrapped_sink_holds_what_opens_once() {
    each_server(|server| {
        let pod = Pod::at(server);
        let config = with_sink(&pod, server, "wrap_ttl = \"5m\"");
        let agent = pod.agent(&config).start();
        unwrapped(server, &sink(&pod));
        agent.stop().expect(0);
    });
}

/// The reader of an encrypted sink.
struct Reader(EphemeralPrivateKey);

impl Reader {
    /// Makes a key and puts its public half where the sink looks for it.
    fn new(pod: &Pod) -> Self {
        let private = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).expect("a key");
        let public = STANDARD.encode(private.compute_public_key().expect("a public key"));
        pod.write("reader.json", &json!({"curve25519_public_key": public}).to_string());
        Self(private)
    }

    fn lines(pod: &Pod) -> String {
        format!("dh_type = \"curve25519\"\ndh_path = \"{}\"\naad = \"for app\"", pod.text("reader.json"))
    }

    fn open(self, sealed: &str) -> String {
        let sealed: Value = serde_json::from_str(sealed).expect("an envelope");
        let field = |name: &str| STANDARD.decode(sealed[name].as_str().expect("base64")).expect("base64");
        let theirs = UnparsedPublicKey::new(&X25519, field("curve25519_public_key"));
        let key = agree_ephemeral(self.0, &theirs, <[u8]>::to_vec).expect("a shared secret");
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).expect("a key"));
        let nonce = Nonce::try_assume_unique_for_key(&field("nonce")).expect("a nonce");
        let mut payload = field("encrypted_payload");
        let plain = key.open_in_place(nonce, Aad::from("for app"), &mut payload).expect("our text");
        String::from_utf8(plain.to_vec()).expect("text")
    }
}

#[test]
fn an_encrypted_sink_is_for_its_reader() {
    each_server(|server| {
        let pod = Pod::at(server);
        let reader = Reader::new(&pod);
        let agent = pod.agent(&with_sink(&pod, server, &Reader::lines(&pod))).start();
        let token = reader.open(&sink(&pod));
        canary::remember(&token);
        assert_eq!(server.call("GET", "/v1/auth/token/lookup-self", Some(&token), None).status, 200);
        agent.stop().expect(0);
    });
}

#[test]
fn a_sink_can_be_wrapped_and_encrypted() {
    each_server(|server| {
        let pod = Pod::at(server);
        let reader = Reader::new(&pod);
        let lines = format!("wrap_ttl = \"5m\"\n{}", Reader::lines(&pod));
        let agent = pod.agent(&with_sink(&pod, server, &lines)).start();
        unwrapped(server, &reader.open(&sink(&pod)));
        agent.stop().expect(0);
    });
}
