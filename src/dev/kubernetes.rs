//! The Kubernetes auth method: configuration, roles, and a login that really verifies the JWT.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/auth/kubernetes>. The order of the checks is the plugin's.

use std::collections::BTreeMap;

use jsonwebtoken::{Algorithm, DecodingKey, dangerous::insecure_decode, decode_header};
use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, Outcome, Refusal},
    call::{Operation, Visit},
    fields::Fields,
    folder,
    issuer::Issuer,
    jws::{self, Claims, Leeway},
    lifetime::Limits,
    moment::Moment,
    role::{TokenParams, Who, rewritten},
    token::TokenSpec,
};

/// The algorithms that the plugin accepts and ring knows (it lacks ES512).
const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::ES256, Algorithm::ES384];

/// One Kubernetes auth mount.
#[derive(Default)]
pub(super) struct Kubernetes {
    config: Option<Config>,
    roles: BTreeMap<String, Role>,
}

struct Config {
    fields: Fields,
    keys: Vec<DecodingKey>,
    issuer: String,
    check_issuer: bool,
}

struct Role {
    fields: Fields,
    names: Vec<String>,
    namespaces: Vec<String>,
    audience: String,
    token: TokenParams,
}

/// Who logged in.
struct Account {
    name: String,
    namespace: String,
    uid: String,
}

impl Kubernetes {
    pub(super) fn exists(&self, path: &str) -> bool {
        path.strip_prefix("role/").is_none_or(|name| self.roles.contains_key(&name.to_lowercase()))
    }

    pub(super) fn handle(&mut self, visit: &Visit<'_>) -> Outcome {
        let (section, name) = visit.path.split_once('/').unwrap_or((visit.path, ""));
        let name = &name.to_lowercase();
        match (section, visit.operation) {
            ("config", Operation::Read) => self.read_config(),
            ("config", Operation::Write) => self.write_config(visit.fields),
            ("role", Operation::List) => Answer::keys(&folder::children(self.roles.keys(), "")),
            ("role", Operation::Read) => {
                self.roles.get(name).map(Role::describe).ok_or_else(Refusal::nothing)?
            }
            ("role", Operation::Write) => self.write_role(name, visit.fields),
            ("role", Operation::Delete) => {
                self.roles.remove(name);
                Ok(Answer::empty())
            }
            ("config" | "role" | "login", _) => Err(Refusal::unsupported_operation()),
            _ => Err(Refusal::unsupported_path()),
        }
    }

    /// Verifies a login and says which token it earns. `mount` is `auth/<path>/`.
    pub(super) fn login(
        &self,
        mount: &str,
        fields: &Fields,
        issuer: &Issuer,
        now: Moment,
    ) -> Result<TokenSpec, Refusal> {
        let (role_name, jwt) = (fields.text("role"), fields.text("jwt"));
        for (name, value) in [("role", &role_name), ("jwt", &jwt)] {
            if value.is_empty() {
                return Err(Refusal::bad(format!("missing {name}")));
            }
        }
        let role = self
            .roles
            .get(&role_name.to_lowercase())
            .ok_or_else(|| Refusal::bad(format!("invalid role name {role_name:?}")))?;
        let config =
            self.config.as_ref().ok_or_else(|| Refusal::new(500, "could not load backend configuration"))?;
        let claims = config.verified(&jwt)?;
        config.validate(&claims, &role.audience, now)?;
        let account = Account::of(&claims);
        role.admit(&account)?;
        // The plugin asks the cluster's API about every token. Here the server's own issuer is the cluster; for tokens
        // of another one the configured keys say enough.
        let reviewed = config.keys.is_empty() || issuer.signed(&jwt);
        if reviewed && issuer.review(&jwt, now.seconds()).is_none() {
            return Err(Refusal::denied());
        }
        if account.uid.is_empty() {
            return Err(Refusal::new(500, "could not parse UID from claims"));
        }
        Ok(role.token(mount, role_name, account))
    }

    /// The lifetime that a renewal of a login's token gets; the role is asked again.
    pub(super) fn renewal(&self, role: &str) -> Result<Limits, String> {
        let gone = || format!("role {role} does not exist during renewal");
        self.roles.get(&role.to_lowercase()).map(|role| role.token.limits).ok_or_else(gone)
    }

    fn read_config(&self) -> Outcome {
        let config = self.config.as_ref().ok_or_else(Refusal::nothing)?;
        Answer::data(&json!({
            "disable_iss_validation": !config.check_issuer,
            "disable_local_ca_jwt": config.fields.flag("disable_local_ca_jwt").unwrap_or(false),
            "issuer": config.issuer,
            "kubernetes_ca_cert": config.fields.text("kubernetes_ca_cert"),
            "kubernetes_host": config.fields.text("kubernetes_host"),
            "pem_keys": config.fields.list("pem_keys"),
            "token_reviewer_jwt_set": !config.fields.text("token_reviewer_jwt").is_empty(),
        }))
    }

    fn write_config(&mut self, fields: &Fields) -> Outcome {
        if fields.text("kubernetes_host").is_empty() {
            return Err(Refusal::bad("no host provided"));
        }
        let key = |pem: &String| {
            jws::public_key(pem).ok_or_else(|| Refusal::bad("data does not contain any valid public keys"))
        };
        let keys = fields.list("pem_keys").iter().map(key).collect::<Result<_, _>>()?;
        self.config = Some(Config {
            keys,
            issuer: fields.text("issuer"),
            check_issuer: !fields.flag("disable_iss_validation").unwrap_or(true),
            fields: fields.clone(),
        });
        Ok(Answer::empty())
    }

    fn write_role(&mut self, name: &str, fields: &Fields) -> Outcome {
        let fields = match self.roles.get(name) {
            Some(role) => rewritten(&role.fields, fields),
            None => fields.clone(),
        };
        let role = Role::read(fields)?;
        role.check()?;
        self.roles.insert(name.to_owned(), role);
        Ok(Answer::empty())
    }
}

impl Config {
    /// The claims of a JWT whose signature is right; of any JWT when there are no keys to check it with.
    fn verified(&self, token: &str) -> Result<Claims, Refusal> {
        let algorithm = decode_header(token).map_err(|_| Refusal::denied())?.alg;
        if !ALGORITHMS.contains(&algorithm) {
            return Err(Refusal::denied());
        }
        if self.keys.is_empty() {
            return insecure_decode(token).map(|data| data.claims).map_err(|_| Refusal::denied());
        }
        jws::verified(&self.keys, token).ok_or_else(Refusal::denied)
    }

    fn validate(&self, claims: &Claims, audience: &str, now: Moment) -> Result<(), Refusal> {
        let denied = |what: &str| Err(Refusal::new(403, what));
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        if self.check_issuer && !self.issuer.is_empty() && self.issuer != text("iss") {
            return denied("invalid issuer (iss) claim");
        }
        if !audience.is_empty() && !jws::audiences(claims).contains(&audience) {
            return denied(
                "invalid audience (aud) claim: audience claim does not match any expected audience",
            );
        }
        jws::check_time(claims, Leeway::default(), now).or_else(denied)
    }
}

impl Role {
    fn read(fields: Fields) -> Result<Self, Refusal> {
        Ok(Self {
            names: fields.list("bound_service_account_names"),
            namespaces: fields.list("bound_service_account_namespaces"),
            audience: fields.text("audience"),
            token: TokenParams::read(
                &fields,
                &["bound_cidrs", "max_ttl", "num_uses", "period", "policies", "ttl"],
            )?,
            fields,
        })
    }

    fn check(&self) -> Result<(), Refusal> {
        if self.names.is_empty() {
            return Err(Refusal::bad("\"bound_service_account_names\" can not be empty"));
        }
        if self.namespaces.is_empty() {
            return Err(Refusal::bad(
                "\"bound_service_account_namespaces\" can not be empty if \
                 \"bound_service_account_namespace_selector\" is not set",
            ));
        }
        for list in [&self.names, &self.namespaces] {
            if list.len() > 1 && list.iter().any(|name| name == "*") {
                return Err(Refusal::bad("can not mix \"*\" with values"));
            }
        }
        Ok(())
    }

    fn admit(&self, account: &Account) -> Result<(), Refusal> {
        if !self.names.iter().any(|pattern| glob(pattern, &account.name)) {
            return Err(Refusal::new(403, "service account name not authorized"));
        }
        if !self.namespaces.iter().any(|pattern| glob(pattern, &account.namespace)) {
            return Err(Refusal::new(403, "namespace not authorized"));
        }
        Ok(())
    }

    fn token(&self, mount: &str, role_name: String, account: Account) -> TokenSpec {
        let meta = BTreeMap::from([
            ("role".to_owned(), role_name.clone()),
            ("service_account_name".to_owned(), account.name.clone()),
            ("service_account_namespace".to_owned(), account.namespace.clone()),
            ("service_account_secret_name".to_owned(), String::new()),
            ("service_account_uid".to_owned(), account.uid.clone()),
        ]);
        self.token.token(Who {
            mount: mount.to_owned(),
            role: role_name,
            alias: account.uid,
            name: format!("{}-{}", account.namespace, account.name),
            meta,
        })
    }

    fn describe(&self) -> Outcome {
        let mut body = Map::new();
        body.insert("alias_name_source".into(), "serviceaccount_uid".into());
        body.insert("audience".into(), self.audience.as_str().into());
        body.insert("bound_service_account_names".into(), json!(self.names));
        body.insert("bound_service_account_namespace_selector".into(), "".into());
        body.insert("bound_service_account_namespaces".into(), json!(self.namespaces));
        self.token.describe(&mut body);
        Answer::data(&body)
    }
}

impl Account {
    /// A bound token says it in `kubernetes.io`, an old one in flat claims.
    fn of(claims: &Claims) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        match claims.get("kubernetes.io") {
            Some(bound) => Self {
                name: text(bound.pointer("/serviceaccount/name")),
                namespace: text(bound.get("namespace")),
                uid: text(bound.pointer("/serviceaccount/uid")),
            },
            None => Self {
                name: text(claims.get("kubernetes.io/serviceaccount/service-account.name")),
                namespace: text(claims.get("kubernetes.io/serviceaccount/namespace")),
                uid: text(claims.get("kubernetes.io/serviceaccount/service-account.uid")),
            },
        }
    }
}

/// Whether `text` fits `pattern`, where `*` stands for anything.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part).and_then(|at| rest.get(at + part.len()..)) {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests;
