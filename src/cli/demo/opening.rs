//! First half of the story: server, pod, the first files, and the sidecar that stays.

use serde_json::json;

use super::{
    child::Child,
    pod::{Facts, annotation},
    screen::masked,
    server::Lease,
    stage::{Failure, Stage, equal},
};
use crate::{config::downward, dev::Claims, problem::chain};

/// Longest life of a database credential between two renewals, in seconds.
pub(super) const LEASE_SECONDS: i64 = 4;
/// No renewal gives it more than this, in seconds.
pub(super) const MAX_SECONDS: i64 = 6;
/// The rendered files, sorted; `tls` is the folder of a pair.
pub(super) const FILES: [&str; 4] = ["api.env", "db", "tls", "web.conf"];
/// Lifetime of a certificate, in seconds. Nine tenths of it are over when the next one is due.
const CERTIFICATE_SECONDS: i64 = 8;
/// The host that the certificate is for.
pub(super) const HOST: &str = "shop.default.svc";
/// API path of the database credentials.
pub(super) const CREDENTIALS: &str = "database/creds/shop";
/// What the sidecar says once its files are there.
const ALL_RENDERED: &str = "all templates are rendered";

/// Contents of `api.env` for a key.
pub(super) fn api_env(key: &str) -> String {
    format!("API_KEY={key}")
}

/// Contents of `web.conf`.
pub(super) const WEB_CONF: &str = "listen 8443;";
/// The API key before anybody has rotated it.
const FIRST_KEY: &str = "one-58c1e9d7";

/// Step 1.
pub(super) async fn server_is_up(stage: &mut Stage) -> Result<(), Failure> {
    stage.screen.step("A Vault starts: decant's development server, in memory, on loopback only");
    let server = &stage.server;
    let pem = server.issuer().public_pem();
    let host = format!("http://{}", server.address());
    let policy = format!(
        "path \"secret/data/shop/*\" {{ capabilities = [\"read\"] }}\n\
         path \"{CREDENTIALS}\" {{ capabilities = [\"read\"] }}\n\
         path \"pki/issue/shop\" {{ capabilities = [\"update\"] }}"
    );
    let role = json!({
        "bound_service_account_names": ["shop"],
        "bound_service_account_namespaces": ["default"],
        "token_policies": ["shop"],
        "token_ttl": "1h",
    });
    let database = json!({
        "db_name": "shop",
        "default_ttl": LEASE_SECONDS,
        "max_ttl": MAX_SECONDS,
        "creation_statements": ["CREATE ROLE \"{{name}}\""],
    });
    let issuer = json!({
        "allow_any_name": true,
        "key_type": "ec",
        "ttl": CERTIFICATE_SECONDS,
        "not_before_duration": "0s",
    });
    for (path, body) in [
        ("sys/auth/kubernetes", json!({"type": "kubernetes"})),
        (
            "auth/kubernetes/config",
            json!({"kubernetes_host": host, "kubernetes_ca_cert": pem, "pem_keys": [pem]}),
        ),
        ("sys/policies/acl/shop", json!({ "policy": policy })),
        ("auth/kubernetes/role/shop", role),
        ("secret/data/shop/api", json!({"data": {"key": FIRST_KEY}})),
        ("secret/data/shop/web", json!({"data": {"port": "8443"}})),
        ("sys/mounts/database", json!({"type": "database"})),
        ("database/config/shop", json!({"plugin_name": "postgresql-database-plugin", "allowed_roles": "*"})),
        ("database/roles/shop", database),
        ("sys/mounts/pki", json!({"type": "pki"})),
        ("pki/root/generate/internal", json!({"common_name": "Demo CA", "ttl": "1h", "key_type": "ec"})),
        ("pki/roles/shop", issuer),
    ] {
        server.write(path, &body).await?;
    }
    let limits = server.read("database/roles/shop").await?;
    let seconds = |key: &str| limits.get(key).and_then(|value| value.as_i64());
    equal(
        "the database role",
        &(Some(LEASE_SECONDS), Some(MAX_SECONDS)),
        &(seconds("default_ttl"), seconds("max_ttl")),
    )?;
    let screen = &stage.screen;
    screen.line(&format!("VAULT_ADDR={host}"));
    screen
        .line("login     auth/kubernetes, role shop: for the service account shop in the namespace default");
    screen.line(&format!("static    secret/shop/api  {}", masked(&format!("key={FIRST_KEY}"))));
    screen.line("static    secret/shop/web  port=8443");
    screen.line(&format!(
        "on demand {CREDENTIALS}: a database user that ends after {LEASE_SECONDS} s unless renewed, and after \
         {MAX_SECONDS} s in any case"
    ));
    screen.line(&format!(
        "on demand pki/issue/shop: a certificate with its key that ends after {CERTIFICATE_SECONDS} s"
    ));
    screen.verified("it answers Vault's API and has taken all of these settings");
    Ok(())
}

/// Step 2.
pub(super) async fn pod_is_laid_out(stage: &mut Stage) -> Result<(), Failure> {
    stage.screen.step("A pod's folders: its identity, what it asks for, and room for the files");
    let (pod, server) = (&stage.pod, &stage.server);
    let claims = Claims::new("default", "shop", stage.clock.unix_seconds());
    let jwt = server
        .issuer()
        .mint(&claims)
        .map_err(|trouble| Failure::new("the pod's token", "a signed JWT", chain(&trouble)))?;
    pod.project("serviceaccount", "token", &jwt)?;
    let wishes = wishes(stage);
    let lines: Vec<String> = wishes.iter().map(|(name, value)| annotation(&full(name), value)).collect();
    pod.share("agent-cache")?;
    pod.project("podinfo", "annotations", &lines.join("\n"))?;
    let read = downward::read(&pod.root().join("podinfo/annotations"))
        .map_err(|trouble| Failure::new("the annotations", "that decant can read them", chain(&trouble)))?;
    let (expected, got): (Vec<String>, Vec<String>) = (
        wishes.iter().map(|(_, value)| value.clone()).collect(),
        wishes.iter().filter_map(|(name, _)| read.get(&full(name)).map(str::to_owned)).collect(),
    );
    equal("the annotations", &expected, &got)?;
    let screen = &stage.screen;
    screen.line(&format!(
        "serviceaccount/token -> ..data/token  JWT of {} bytes, signed by the cluster",
        jwt.len()
    ));
    screen.line(&format!(
        "secrets/                              empty, {}",
        if pod.in_memory() { "in memory (tmpfs)" } else { "on disk: no folder in memory to write to here" }
    ));
    screen.line("podinfo/annotations -> ..data/annotations  what the pod asks for: five files");
    for line in &lines {
        screen.line(&format!("    {line}"));
    }
    screen.verified("the annotations read back as they were meant; nothing else configures decant here");
    Ok(())
}

/// The whole name of an annotation; our own ones have it already.
fn full(name: &str) -> String {
    if name.contains('/') { name.to_owned() } else { format!("vault.hashicorp.com/{name}") }
}

fn wishes(stage: &Stage) -> Vec<(&'static str, String)> {
    let pod = &stage.pod;
    let of_pair = |field: &str| {
        format!(
            "{{{{ with pkiCert \"pki/issue/shop\" \"common_name={HOST}\" }}}}{{{{ .{field} }}}}{{{{ end }}}}"
        )
    };
    vec![
        ("service", format!("http://{}", stage.server.address())),
        ("role", "shop".to_owned()),
        ("auth-config-token-path", pod.text("serviceaccount/token")),
        ("secret-volume-path", pod.text("secrets")),
        (
            "agent-inject-template-api.env",
            "{{ with secret \"secret/shop/api\" }}API_KEY={{ .Data.data.key }}{{ end }}".to_owned(),
        ),
        ("agent-inject-secret-db", CREDENTIALS.to_owned()),
        ("agent-inject-perms-db", "0400".to_owned()),
        (
            "agent-inject-template-web.conf",
            "{{ with secret \"secret/shop/web\" }}listen {{ .Data.data.port }};{{ end }}".to_owned(),
        ),
        ("error-on-missing-key-web.conf", "true".to_owned()),
        ("agent-inject-template-tls.crt", of_pair("Cert")),
        ("agent-inject-file-tls.crt", "tls/tls.crt".to_owned()),
        ("agent-inject-template-tls.key", of_pair("Key")),
        ("agent-inject-file-tls.key", "tls/tls.key".to_owned()),
        ("agent-inject-perms-tls.key", "0400".to_owned()),
        ("decant/group-tls.crt", "tls".to_owned()),
        ("decant/group-tls.key", "tls".to_owned()),
        ("decant/atomic-tls", "true".to_owned()),
        ("decant/on-change-touch-tls", pod.text("secrets/tls/.generation")),
        ("decant/handover", pod.text("agent-cache")),
        ("template-static-secret-render-interval", "1s".to_owned()),
        ("agent-revoke-on-shutdown", "true".to_owned()),
    ]
}

/// Step 3.
pub(super) async fn init_renders(stage: &mut Stage) -> Result<(), Failure> {
    stage.screen.step("`decant init` writes the files, before the application starts");
    let annotations = format!("--annotations={}", stage.pod.text("podinfo/annotations"));
    let child = stage.child.insert(Child::start(&["init", &annotations], stage.pod.root())?);
    let status = child.ended().await?;
    stage.screen.story(&child.lines(0));
    equal("the exit code of `decant init`", &Some(0), &status.code())?;
    equal("the secrets folder", &FILES.map(str::to_owned).to_vec(), &stage.pod.listing())?;
    stage.file_becomes("api.env", &api_env(FIRST_KEY)).await?;
    stage.file_becomes("web.conf", WEB_CONF).await?;
    equal("the users in the database", &1, &stage.server.leases(CREDENTIALS).await?.len())?;
    username(stage)?;
    for name in ["api.env", "db", "web.conf"] {
        show_file(stage, name);
    }
    super::pair::is_there(stage)?;
    equal("the mode of db", &Some(0o400), &stage.pod.facts("db").map(|facts| facts.mode))?;
    stage.screen.verified("exit code 0, five files, the right contents, the modes that were asked for, and a key that is the certificate's");
    Ok(())
}

/// A database credential of the pod's.
pub(super) struct Credential {
    /// Its lease's id.
    pub(super) id: String,
    /// Its lease when it was new.
    pub(super) lease: Lease,
    /// Its user.
    pub(super) user: String,
}

impl Credential {
    /// Whether the lease with this id came later.
    pub(super) fn is_older_than(&self, id: &String) -> bool {
        *id != self.id
    }
}

/// Step 4; answers the credential that the sidecar goes on with.
pub(super) async fn sidecar_takes_over(stage: &mut Stage) -> Result<Credential, Failure> {
    stage.screen.step("`decant sidecar` takes over what init has left, beside the application, and stays");
    let credential = credential(stage).await?;
    let since = stage.server.last_request().await?;
    let before = files(stage);
    let annotations = format!("--annotations={}", stage.pod.text("podinfo/annotations"));
    let child = stage.child.insert(Child::start(&["sidecar", &annotations], stage.pod.root())?);
    child.says(0, ALL_RENDERED).await?;
    stage.screen.story(&child.lines(0));
    let logins = stage.server.count(since, ("PUT", "/v1/auth/kubernetes/login")).await?;
    equal("the sidecar's logins", &0, &logins)?;
    equal("the users in the database", &1, &stage.server.leases(CREDENTIALS).await?.len())?;
    equal("the user in the file db", &credential.user, &username(stage)?)?;
    equal("the files", &before, &files(stage))?;
    let pid = stage.still_runs()?;
    stage.screen.line("agent-cache/decant-handover            encrypted; only this pod's token opens it");
    stage.screen.verified(&format!(
        "process {pid} runs with init's login and init's database user; no file was written again"
    ));
    Ok(credential)
}

/// What the files are, whatever is in them.
fn files(stage: &Stage) -> Vec<Option<Facts>> {
    let names = ["api.env", "db", "web.conf", "tls/tls.crt", "tls/tls.key"];
    names.iter().map(|name| stage.pod.facts(name)).collect()
}

async fn credential(stage: &Stage) -> Result<Credential, Failure> {
    let missing = || Failure::new("init's credential", format!("a lease of {CREDENTIALS}"), "none");
    let id = stage.server.leases(CREDENTIALS).await?.into_iter().next().ok_or_else(missing)?;
    let lease = stage.server.lease(&id).await?.ok_or_else(missing)?;
    Ok(Credential { id, lease, user: username(stage)? })
}

/// The database user that the file names.
pub(super) fn username(stage: &Stage) -> Result<String, Failure> {
    let text = stage.pod.rendered("db").unwrap_or_default();
    let user = text.lines().find_map(|line| line.strip_prefix("username: ")).map(str::to_owned);
    user.ok_or_else(|| Failure::new("the file db", "a line `username: …`", "none"))
}

/// Shows a rendered file as it is now.
pub(super) fn show_file(stage: &Stage, name: &str) {
    let mode = stage.pod.facts(name).map(|facts| facts.mode).unwrap_or_default();
    let contents = stage.pod.rendered(name).unwrap_or_default();
    stage.screen.file(&format!("secrets/{name}"), &format!("(mode {mode:04o})"), &contents);
}
