//! First half of the story: server, pod, the first files, and the sidecar that stays.

use serde_json::json;

use super::{
    child::Child,
    pod::annotation,
    screen::masked,
    server::Lease,
    stage::{Failure, Stage, equal},
};
use crate::{config::downward, dev::Claims, problem::chain};

/// Longest life of a database credential between two renewals, in seconds.
pub(super) const LEASE_SECONDS: i64 = 4;
/// No renewal gives it more than this, in seconds.
pub(super) const MAX_SECONDS: i64 = 6;
/// The rendered files, sorted.
pub(super) const FILES: [&str; 3] = ["api.env", "db", "web.conf"];
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
         path \"{CREDENTIALS}\" {{ capabilities = [\"read\"] }}"
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
    let lines: Vec<String> = wishes
        .iter()
        .map(|(name, value)| annotation(&format!("vault.hashicorp.com/{name}"), value))
        .collect();
    pod.project("podinfo", "annotations", &lines.join("\n"))?;
    let read = downward::read(&pod.root().join("podinfo/annotations"))
        .map_err(|trouble| Failure::new("the annotations", "that decant can read them", chain(&trouble)))?;
    let (expected, got): (Vec<String>, Vec<String>) = (
        wishes.iter().map(|(_, value)| value.clone()).collect(),
        wishes
            .iter()
            .filter_map(|(name, _)| read.get(&format!("vault.hashicorp.com/{name}")).map(str::to_owned))
            .collect(),
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
    screen.line("podinfo/annotations -> ..data/annotations  what the pod asks for: three files");
    for line in &lines {
        screen.line(&format!("    {line}"));
    }
    screen.verified("the annotations read back as they were meant; nothing else configures decant here");
    Ok(())
}

fn wishes(stage: &Stage) -> Vec<(&'static str, String)> {
    let pod = &stage.pod;
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
    for name in FILES {
        show_file(stage, name);
    }
    equal("the mode of db", &Some(0o400), &stage.pod.facts("db").map(|facts| facts.mode))?;
    stage.screen.verified("exit code 0, three files, the right contents, the mode that was asked for");
    Ok(())
}

/// A database credential of the sidecar's.
pub(super) struct Credential {
    /// Its lease's id.
    pub(super) id: String,
    /// Its lease when it was new.
    pub(super) lease: Lease,
    /// Its user.
    pub(super) user: String,
    /// Leases that were there before it.
    before: Vec<String>,
}

impl Credential {
    /// Whether the lease with this id came later.
    pub(super) fn is_older_than(&self, id: &String) -> bool {
        *id != self.id && !self.before.contains(id)
    }
}

/// Step 4; answers the credential that the sidecar now has.
pub(super) async fn sidecar_takes_over(stage: &mut Stage) -> Result<Credential, Failure> {
    stage.screen.step("`decant sidecar` takes over, beside the application, and stays");
    let before = stage.server.leases(CREDENTIALS).await?;
    let since = stage.server.last_request().await?;
    let user = username(stage)?;
    let annotations = format!("--annotations={}", stage.pod.text("podinfo/annotations"));
    let child = stage.child.insert(Child::start(&["sidecar", &annotations], stage.pod.root())?);
    child.says(0, ALL_RENDERED).await?;
    stage.screen.story(&child.lines(0));
    stage.server.answered(since, ("PUT", "/v1/auth/kubernetes/login", 200)).await?;
    let credential = new_credential(stage, before).await?;
    if credential.user == user {
        return Err(Failure::new("the file db", "a user of the sidecar's own", "that of init"));
    }
    show_file(stage, "db");
    let pid = stage.still_runs()?;
    stage.screen.verified(&format!(
        "process {pid} runs, with a login of its own and therefore a database user of its own"
    ));
    Ok(credential)
}

async fn new_credential(stage: &Stage, before: Vec<String>) -> Result<Credential, Failure> {
    let missing =
        || Failure::new("the sidecar's credential", format!("a second lease of {CREDENTIALS}"), "none");
    let leases = stage.server.leases(CREDENTIALS).await?;
    let id = leases.into_iter().find(|id| !before.contains(id)).ok_or_else(missing)?;
    let lease = stage.server.lease(&id).await?.ok_or_else(missing)?;
    Ok(Credential { id, lease, user: username(stage)?, before })
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
