//! A server under a test: the embedded dev server, or a real one that the tester named.

use std::{
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::{
        Once,
        atomic::{AtomicU16, Ordering},
    },
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    canary, eventually,
    http::{self, Answer},
    process::{Run, Running, named},
};

/// The token that may do everything, on every server here.
pub const ROOT: &str = "root";

/// Rights of the role `app`.
const POLICY: &str = r#"
path "secret/data/*" { capabilities = ["read"] }
path "secret/metadata/*" { capabilities = ["read", "list"] }
path "secret/data/denied/*" { capabilities = ["deny"] }
path "kv/*" { capabilities = ["read", "list"] }
path "database/creds/*" { capabilities = ["read"] }
"#;

/// A running server with KV v2 at `secret/`, KV v1 at `kv/`, kubernetes auth, the policy and the role `app`
/// for the service account `app` in `default`. Stopped when dropped.
pub struct Server {
    authority: String,
    /// The program itself, ended when dropped.
    _process: Running,
    /// Issues and reviews service-account tokens; `None`: this server does so itself.
    cluster: Option<Box<Server>>,
    _home: TempDir,
}

impl Server {
    /// `decant dev` on a free port.
    pub fn dev() -> Self {
        let server = Self::bare_dev();
        server.set_up();
        server
    }

    /// `decant dev` at an address of [`unused_address`].
    pub fn dev_at(authority: &str) -> Self {
        let server = Self::bare_dev_at(authority);
        server.set_up();
        server
    }

    fn bare_dev() -> Self {
        Self::bare_dev_at("127.0.0.1:0")
    }

    fn bare_dev_at(authority: &str) -> Self {
        let run = Run::full(["dev", "--listen", authority, "--root-token", ROOT]);
        let mut process = run.start();
        let line = process.prints("Address:");
        let authority = line.split("http://").nth(1).expect("an address").trim().to_owned();
        Self {
            authority,
            _process: process,
            cluster: None,
            _home: TempDir::new().expect("a temporary folder"),
        }
    }

    /// A real server of this binary, on a free port, with a dev server as its cluster.
    fn real(binary: &Path) -> Self {
        // Somebody else may take the port between our look and the server's bind; then it ends, and we look again.
        for _ in 0..5 {
            let port =
                TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
            let authority = format!("127.0.0.1:{port}");
            let home = TempDir::new().expect("a temporary folder");
            let listen = format!("-dev-listen-address={authority}");
            let args = ["server", "-dev", "-dev-root-token-id=root", &listen, "-dev-no-store-token"];
            let run = Run::program(binary.to_owned(), args).env("HOME", home.path().display().to_string());
            let mut process = run.start();
            let is_up = eventually("a real server", || {
                let health = http::call(&authority, "GET", "/v1/sys/health", None, None);
                match health {
                    Ok(answer) if answer.status == 200 => Some(process.is_running()),
                    _ => (!process.is_running()).then_some(false),
                }
            });
            if is_up {
                let cluster = Some(Box::new(Self::bare_dev()));
                let server = Self { authority, _process: process, cluster, _home: home };
                server.set_up();
                return server;
            }
        }
        panic!("{} doesn't start as a dev server", binary.display());
    }

    fn set_up(&self) {
        self.ok("POST", "sys/mounts/kv", &json!({"type": "kv", "options": {"version": "1"}}));
        self.ok("PUT", "sys/policies/acl/app", &json!({"policy": POLICY}));
        self.ok("POST", "sys/auth/kubernetes", &json!({"type": "kubernetes"}));
        let cluster = self.cluster();
        let key = cluster.control("GET", "jwt", None)["public_key"].clone();
        let certificate = rcgen::generate_simple_self_signed(["cluster".to_owned()]).expect("a certificate");
        let config = json!({
            "kubernetes_host": cluster.url(),
            "kubernetes_ca_cert": certificate.cert.pem(),
            "pem_keys": [key],
        });
        self.ok("POST", "auth/kubernetes/config", &config);
        self.role("app", &json!({"token_ttl": "1h"}));
    }

    fn cluster(&self) -> &Self {
        self.cluster.as_deref().unwrap_or(self)
    }

    /// Whether this is the dev server, with faults and journal.
    pub fn is_dev(&self) -> bool {
        self.cluster.is_none()
    }

    /// Its address as `host:port`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// Any request, path from `/` on.
    pub fn call(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        http::call(&self.authority, method, path, token, body).expect("an answer")
    }

    /// A request of root that must succeed, path below `/v1/`; `null` for no body.
    #[track_caller]
    pub fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer =
            self.call(method, &format!("/v1/{path}"), Some(ROOT), Some(body).filter(|body| !body.is_null()));
        assert!(answer.status / 100 == 2, "{method} {path}: {} {}", answer.status, answer.body);
        answer.json()
    }

    /// A request to the server's own paths, which only the dev server has.
    #[track_caller]
    pub fn control(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let answer = self.call(method, &format!("/dev/v1/{path}"), None, body);
        assert!(answer.status / 100 == 2 || answer.status == 408, "{method} {path}: {}", answer.body);
        answer.json()
    }

    /// The public key, in PEM, that the JWTs of [`Server::jwt`] are signed for.
    pub fn signing_key(&self) -> String {
        let answer = self.cluster().control("GET", "jwt", None);
        answer["public_key"].as_str().expect("a key").to_owned()
    }

    /// Sets up the method `jwt` for the JWTs of [`Server::jwt`], with the role `app`.
    pub fn jwt_method(&self) {
        self.ok("POST", "sys/auth/jwt", &json!({"type": "jwt"}));
        self.ok("POST", "auth/jwt/config", &json!({"jwt_validation_pubkeys": [self.signing_key()]}));
        let role = json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault",
            "bound_claims": {"/kubernetes.io/namespace": "default"}, "token_policies": "app"});
        self.ok("POST", "auth/jwt/role/app", &role);
    }

    /// A write of root, path below `/v1/`, whose answer is wrapped for a minute: the wrapping token.
    pub fn wrapped(&self, path: &str, body: &Value) -> String {
        let line = ("POST", format!("/v1/{path}"));
        let headers = [("X-Vault-Token", ROOT), ("X-Vault-Wrap-TTL", "60")];
        let answer = http::call_with(&self.authority, (line.0, &line.1), &headers, Some(body));
        let answer = answer.expect("an answer").json();
        let token = answer["wrap_info"]["token"].as_str().expect("a wrapping token").to_owned();
        canary::remember(&token);
        token
    }

    /// Writes a KV v2 secret at `secret/`.
    pub fn put(&self, name: &str, data: &Value) {
        self.ok("POST", &format!("secret/data/{name}"), &json!({"data": data}));
    }

    /// Writes a KV v1 secret at `kv/`.
    pub fn put_v1(&self, name: &str, data: &Value) {
        self.ok("POST", &format!("kv/{name}"), data);
    }

    /// Writes a role for the service account `app` in `default` with the policy `app`; `more` adds or replaces.
    pub fn role(&self, name: &str, more: &Value) {
        let mut role = json!({
            "bound_service_account_names": ["app"],
            "bound_service_account_namespaces": ["default"],
            "token_policies": ["app"],
        });
        let fields = role.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        self.ok("POST", &format!("auth/kubernetes/role/{name}"), &role);
    }

    /// A JWT of the service account `app` in `default`; `more` adds or replaces what is asked for.
    pub fn jwt(&self, more: &Value) -> String {
        let mut claims = json!({"namespace": "default", "service_account": "app"});
        claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let answer = self.cluster().control("POST", "jwt", Some(&claims));
        let jwt = answer["jwt"].as_str().expect("a JWT").to_owned();
        canary::remember(&jwt);
        jwt
    }

    /// Database credentials `database/creds/app` that live so long; the dev server invents them.
    pub fn database(&self, default_ttl: &str, max_ttl: &str) {
        assert!(self.is_dev(), "a real server needs a real database");
        self.ok("POST", "sys/mounts/database", &json!({"type": "database"}));
        self.ok("POST", "database/config/db", &json!({"plugin_name": "mock", "allowed_roles": "*"}));
        let role = json!({"db_name": "db", "default_ttl": default_ttl, "max_ttl": max_ttl,
            "creation_statements": ["-"]});
        self.ok("POST", "database/roles/app", &role);
    }

    /// Scripts a fault; returns its number.
    pub fn fault(&self, fault: &Value) -> u64 {
        self.control("POST", "faults", Some(fault))["id"].as_u64().expect("a number")
    }

    /// Ends a fault; what it holds goes on.
    pub fn mend(&self, fault: u64) {
        self.control("DELETE", &format!("faults/{fault}"), None);
    }

    /// Waits until a fault holds so many requests.
    pub fn holds(&self, fault: u64, count: u64) {
        let state = self.control("GET", &format!("faults/{fault}?held={count}&timeout=25"), None);
        assert!(state["held"].as_u64() >= Some(count), "waited in vain for {count} held requests: {state}");
    }
}

/// An address at which nobody listens, below the ports that the system gives away by itself.
pub fn unused_address() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = (std::process::id() % 10_000) as u16;
    loop {
        let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return format!("127.0.0.1:{port}");
        }
    }
}

/// Runs a case on the dev server and, when one is named, on a real server.
pub fn each_server(case: impl Fn(&Server)) {
    case(&Server::dev());
    for binary in real_binaries() {
        case(&Server::real(&binary));
    }
}

/// Runs a case that only the dev server can play; says why it is skipped on a real one.
pub fn on_dev(why: &str, case: impl FnOnce(&Server)) {
    case(&Server::dev());
    if !real_binaries().is_empty() {
        say(&format!("skipped on a real server: {}: {why}", case_name()));
    }
}

pub fn real_binaries() -> Vec<PathBuf> {
    static SAID: Once = Once::new();
    let binaries: Vec<PathBuf> = ["BAO_BIN", "VAULT_BIN"].into_iter().filter_map(named).collect();
    if binaries.is_empty() {
        SAID.call_once(|| {
            say("skipped on a real server: all cases: no binary is named by BAO_BIN or VAULT_BIN");
        });
    }
    binaries
}

pub(super) fn case_name() -> String {
    std::thread::current().name().unwrap_or("a case").to_owned()
}

/// Past the capturing of the test runner: what was skipped must be seen.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
