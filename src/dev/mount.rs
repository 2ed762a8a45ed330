//! Where the engines hang: mounts of secrets and of auth methods.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/system/mounts>.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{
    answer::{Refusal, random_text, uuid},
    approle::AppRole,
    cert::Cert,
    database::Database,
    fields::{Fields, parse_span},
    jwt::Jwt,
    kubernetes::Kubernetes,
    kv1::Kv1,
    kv2::Kv2,
    lifetime::SYSTEM_TTL,
    pki::Pki,
};

/// What answers below a mount.
pub(super) enum Engine {
    Kv1(Kv1),
    Kv2(Kv2),
    Database(Database),
    Pki(Pki),
    Kubernetes(Kubernetes),
    Jwt(Jwt),
    AppRole(AppRole),
    Cert(Cert),
    /// Per token, KV v1: the token's id comes before the path.
    Cubbyhole(Kv1),
    /// `sys/` and `auth/token/`, which the core answers itself.
    Core,
}

impl Engine {
    /// Whether it is an auth method with logins.
    pub(super) const fn is_method(&self) -> bool {
        matches!(self, Self::Kubernetes(_) | Self::Jwt(_) | Self::AppRole(_) | Self::Cert(_))
    }
}

/// One mount.
pub(super) struct Mount {
    pub(super) kind: &'static str,
    accessor: String,
    uuid: String,
    description: String,
    options: Option<BTreeMap<String, String>>,
    default_ttl: Duration,
    max_ttl: Duration,
    pub(super) engine: Engine,
}

/// All mounts by their path, which ends in a slash; auth methods stand below `auth/`.
pub(super) struct Mounts {
    table: BTreeMap<String, Mount>,
}

impl Mount {
    fn new(kind: &'static str, engine: Engine, fields: &Fields) -> Result<Self, Refusal> {
        let config = fields.map("config");
        let options = fields.map("options");
        let mut chosen: BTreeMap<String, String> =
            options.all().keys().map(|key| (key.to_string(), options.text(key))).collect();
        if matches!(engine, Engine::Kv2(_)) {
            chosen.insert("version".into(), "2".into());
        }
        let prefix = if engine.is_method() { "auth_" } else { "" };
        Ok(Self {
            kind,
            accessor: format!("{prefix}{kind}_{}", random_text::<8>().to_lowercase()),
            uuid: uuid(),
            description: fields.text("description"),
            options: Some(chosen),
            default_ttl: config.span("default_lease_ttl")?.unwrap_or_default(),
            max_ttl: config.span("max_lease_ttl")?.unwrap_or_default(),
            engine,
        })
    }

    fn built_in(kind: &'static str, engine: Engine, description: &str) -> Self {
        Self {
            kind,
            accessor: format!("{kind}_{}", random_text::<8>().to_lowercase()),
            uuid: uuid(),
            description: description.into(),
            options: None,
            default_ttl: Duration::ZERO,
            max_ttl: Duration::ZERO,
            engine,
        }
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        match &self.engine {
            Engine::Kv1(kv) => kv.exists(path),
            Engine::Kv2(kv) => kv.exists(path),
            Engine::Database(database) => database.exists(path),
            Engine::Pki(pki) => pki.exists(path),
            Engine::Kubernetes(kubernetes) => kubernetes.exists(path),
            Engine::Jwt(method) => method.exists(path),
            Engine::AppRole(method) => method.exists(path),
            Engine::Cert(method) => method.exists(path),
            Engine::Cubbyhole(_) | Engine::Core => true,
        }
    }

    /// What `sys/mounts` and `sys/auth` say about it.
    pub(super) fn describe(&self) -> Value {
        let mut config = json!({
            "default_lease_ttl": self.default_ttl.as_secs(),
            "force_no_cache": false,
            "max_lease_ttl": self.max_ttl.as_secs(),
        });
        if self.kind == "token" || self.engine.is_method() {
            config["token_type"] = "default-service".into();
        }
        let mut body = json!({
            "accessor": self.accessor,
            "config": config,
            "description": self.description,
            "external_entropy_access": false,
            "local": self.kind == "cubbyhole",
            "options": self.options,
            "plugin_version": "",
            "running_plugin_version": concat!("v", env!("CARGO_PKG_VERSION"), "+builtin.dev"),
            "running_sha256": "",
            "seal_wrap": self.kind == "system",
            "type": self.kind,
            "uuid": self.uuid,
        });
        if matches!(self.kind, "kv" | "pki") || self.engine.is_method() {
            body["deprecation_status"] = "supported".into();
        }
        body
    }

    /// How long a secret is good for when nothing else is said.
    pub(super) const fn default_ttl(&self) -> Duration {
        or_system(self.default_ttl)
    }

    /// What `sys/mounts/<path>/tune` says about it.
    pub(super) fn tuning(&self) -> Value {
        let mut body = json!({
            "default_lease_ttl": self.default_ttl().as_secs(),
            "description": self.description,
            "force_no_cache": false,
            "max_lease_ttl": or_system(self.max_ttl).as_secs(),
        });
        if self.kind == "token" || self.engine.is_method() {
            body["token_type"] = "default-service".into();
        }
        if let Some(options) = self.options.as_ref().filter(|options| !options.is_empty()) {
            body["options"] = json!(options);
        }
        body
    }

    fn tune(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let span = |key: &str, known| match fields.text(key).as_str() {
            "" => Ok(known),
            "system" => Ok(Duration::ZERO),
            text => parse_span(text).ok_or_else(|| Refusal::bad(format!("time: invalid duration {text:?}"))),
        };
        let default_ttl = span("default_lease_ttl", self.default_ttl)?;
        let max_ttl = span("max_lease_ttl", self.max_ttl)?;
        if !max_ttl.is_zero() && default_ttl > max_ttl {
            return Err(Refusal::bad(format!(
                "backend max lease TTL of {} would be less than backend default lease TTL of {}",
                max_ttl.as_secs(),
                default_ttl.as_secs()
            )));
        }
        match (&self.engine, fields.map("options").text("version").as_str()) {
            (Engine::Kv2(_), "1") => return Err(Refusal::bad("cannot downgrade mount from version 2")),
            (Engine::Kv1(_), "2") => {
                return Err(Refusal::bad("the development server can't upgrade a mount to version 2"));
            }
            _ => {}
        }
        if !matches!(fields.text("token_type").as_str(), "" | "default-service") {
            return Err(Refusal::bad(
                "the development server takes the type of a token from the role, not from the mount",
            ));
        }
        (self.default_ttl, self.max_ttl) = (default_ttl, max_ttl);
        if fields.get("description").is_some() {
            self.description = fields.text("description");
        }
        Ok(())
    }
}

const fn or_system(span: Duration) -> Duration {
    if span.is_zero() { SYSTEM_TTL } else { span }
}

impl Mounts {
    /// What a fresh server has.
    pub(super) fn new() -> Self {
        let table = BTreeMap::from([
            ("identity/".to_owned(), Mount::built_in("identity", Engine::Core, "identity store")),
            (
                "sys/".to_owned(),
                Mount::built_in(
                    "system",
                    Engine::Core,
                    "system endpoints used for control, policy and debugging",
                ),
            ),
            ("auth/token/".to_owned(), Mount::built_in("token", Engine::Core, "token based credentials")),
            (
                "cubbyhole/".to_owned(),
                Mount::built_in(
                    "cubbyhole",
                    Engine::Cubbyhole(Kv1::default()),
                    "per-token private secret storage",
                ),
            ),
        ]);
        Self { table }
    }

    /// The mount that `path` lies in, with its path.
    pub(super) fn find(&self, path: &str) -> Option<(&str, &Mount)> {
        let with_slash = format!("{}/", path.trim_end_matches('/'));
        self.table
            .iter()
            .rfind(|(mount, _)| with_slash.starts_with(mount.as_str()))
            .map(|(path, mount)| (path.as_str(), mount))
    }

    pub(super) fn get_mut(&mut self, mount: &str) -> Option<&mut Mount> {
        self.table.get_mut(mount)
    }

    pub(super) fn get(&self, mount: &str) -> Option<&Mount> {
        self.table.get(mount)
    }

    /// Secret engines (`auth` false) or auth methods, these without `auth/`.
    pub(super) fn listed(&self, auth: bool) -> BTreeMap<&str, &Mount> {
        self.table
            .iter()
            .filter_map(|(path, mount)| match path.strip_prefix("auth/") {
                Some(rest) if auth => Some((rest, mount)),
                None if !auth => Some((path.as_str(), mount)),
                _ => None,
            })
            .collect()
    }

    /// Enables an engine at `path` (for auth methods `auth/<path>`).
    pub(super) fn enable(&mut self, path: &str, auth: bool, fields: &Fields) -> Result<(), Refusal> {
        let shown = format!("{}/", path.trim_matches('/'));
        let path = if auth { format!("auth/{shown}") } else { shown.clone() };
        let kind = fields.text("type");
        if kind.is_empty() {
            return Err(Refusal::bad("backend type must be specified as a string"));
        }
        let version = fields.map("options").text("version");
        let (kind, engine) = match (auth, kind.as_str()) {
            (false, "kv-v2") => ("kv", Engine::Kv2(Kv2::default())),
            (false, "kv") if version == "2" => ("kv", Engine::Kv2(Kv2::default())),
            (false, "kv" | "generic" | "kv-v1") => ("kv", Engine::Kv1(Kv1::default())),
            (false, "pki") => ("pki", Engine::Pki(Pki::default())),
            (false, "database") => ("database", Engine::Database(Database::default())),
            (true, "kubernetes") => ("kubernetes", Engine::Kubernetes(Kubernetes::default())),
            (true, "jwt" | "oidc") => ("jwt", Engine::Jwt(Jwt::default())),
            (true, "approle") => ("approle", Engine::AppRole(AppRole::default())),
            (true, "cert") => ("cert", Engine::Cert(Cert::default())),
            (_, other) => {
                return Err(Refusal::bad(format!("plugin not found in the catalog: {other}")));
            }
        };
        let mount = Mount::new(kind, engine, fields)?;
        if ["auth/", "sys/"].iter().any(|own| shown.starts_with(own)) && !auth {
            return Err(Refusal::bad(format!("cannot mount {shown:?}")));
        }
        let in_the_way =
            self.table.keys().find(|known| known.starts_with(&path) || path.starts_with(known.as_str()));
        if let Some(known) = in_the_way {
            let known = known.strip_prefix("auth/").unwrap_or(known);
            return Err(Refusal::bad(format!("path is already in use at {known}")));
        }
        self.table.insert(path, mount);
        Ok(())
    }

    /// Sets what `sys/mounts/<path>/tune` sets; `shown` is the path as the request has it.
    pub(super) fn tune(&mut self, path: &str, shown: &str, fields: &Fields) -> Result<(), Refusal> {
        let missing = || Refusal::bad(format!("tune of path {shown:?} failed: no mount entry found"));
        self.table.get_mut(path).ok_or_else(missing)?.tune(fields)
    }

    /// Whether the engine can be taken away; the server's own ones can't.
    pub(super) fn may_go(&self, path: &str) -> Result<(), Refusal> {
        let own = |mount: &Mount| matches!(mount.engine, Engine::Core | Engine::Cubbyhole(_));
        match self.table.get(path).is_some_and(own) {
            true if path == "auth/token/" => Err(Refusal::bad("token credential backend cannot be disabled")),
            true => Err(Refusal::bad(format!("cannot unmount {path:?}"))),
            false => Ok(()),
        }
    }

    /// Takes an engine away; an unknown one is no error.
    pub(super) fn disable(&mut self, path: &str) {
        self.table.remove(path);
    }
}
