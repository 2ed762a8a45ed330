//! The Kubernetes auth method: configuration, roles, and a login that really verifies the JWT.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/auth/kubernetes>. The order of the checks is the plugin's.

use std::collections::BTreeMap;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, dangerous::insecure_decode, decode, decode_header};
use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, Outcome, Refusal},
    call::{Operation, Visit},
    fields::Fields,
    folder,
    issuer::{Issuer, uid_of},
    lifetime::Limits,
    moment::Moment,
    token::TokenSpec,
};

/// How far the clocks of server and cluster may differ, in seconds.
const CLOCK_SKEW: i64 = 60;
/// What a token without expiry, start or issue time is given to be valid, in seconds.
const DEFAULT_VALIDITY: i64 = 150;
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

#[derive(Clone)]
struct Role {
    names: Vec<String>,
    namespaces: Vec<String>,
    audience: String,
    policies: Vec<String>,
    no_default_policy: bool,
    limits: Limits,
    num_uses: i64,
    kind: String,
}

/// Who logged in.
struct Account {
    name: String,
    namespace: String,
    uid: String,
}

impl Kubernetes {
    pub(super) fn exists(&self, path: &str) -> bool {
        path.strip_prefix("role/").is_none_or(|name| self.roles.contains_key(name))
    }

    pub(super) fn handle(&mut self, visit: &Visit<'_>) -> Outcome {
        let (section, name) = visit.path.split_once('/').unwrap_or((visit.path, ""));
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
            .get(&role_name)
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
    pub(super) fn renewal(&self, role: &str) -> Result<Limits, Refusal> {
        self.roles.get(role).map(|role| role.limits).ok_or_else(|| {
            let why = format!("failed to renew entry: role {role} does not exist during renewal");
            Refusal::new(500, super::answer::list_of_errors(&why))
        })
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
        let keys = fields.list("pem_keys").iter().map(|pem| public_key(pem)).collect::<Result<_, _>>()?;
        self.config = Some(Config {
            keys,
            issuer: fields.text("issuer"),
            check_issuer: !fields.flag("disable_iss_validation").unwrap_or(true),
            fields: fields.clone(),
        });
        Ok(Answer::empty())
    }

    fn write_role(&mut self, name: &str, fields: &Fields) -> Outcome {
        let mut role = self.roles.get(name).cloned().unwrap_or_default();
        role.read(fields)?;
        role.check()?;
        self.roles.insert(name.to_lowercase(), role);
        Ok(Answer::empty())
    }
}

impl Config {
    /// The claims of a JWT whose signature is right; of any JWT when there are no keys to check it with.
    fn verified(&self, token: &str) -> Result<Map<String, Value>, Refusal> {
        let algorithm = decode_header(token).map_err(|_| Refusal::denied())?.alg;
        if !ALGORITHMS.contains(&algorithm) {
            return Err(Refusal::denied());
        }
        if self.keys.is_empty() {
            return insecure_decode(token).map(|data| data.claims).map_err(|_| Refusal::denied());
        }
        let mut validation = Validation::new(algorithm);
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_aud) = (false, false);
        let fitting = self.keys.iter().filter(|key| key.family() == algorithm.family());
        fitting
            .filter_map(|key| decode(token, key, &validation).ok())
            .map(|data| data.claims)
            .next()
            .ok_or_else(Refusal::denied)
    }

    fn validate(&self, claims: &Map<String, Value>, audience: &str, now: Moment) -> Result<(), Refusal> {
        let denied = |what: &str| Err(Refusal::new(403, what));
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        if self.check_issuer && !self.issuer.is_empty() && self.issuer != text("iss") {
            return denied("invalid issuer (iss) claim");
        }
        if !audience.is_empty() && !audiences(claims).contains(&audience) {
            return denied(
                "invalid audience (aud) claim: audience claim does not match any expected audience",
            );
        }
        let time = |name: &str| claims.get(name).and_then(Value::as_f64).map_or(0, |number| number as i64);
        let (mut expires, mut begins, issued) = (time("exp"), time("nbf"), time("iat"));
        if (expires, begins, issued) == (0, 0, 0) {
            return Ok(());
        }
        if expires == 0 {
            expires = begins.max(issued) + DEFAULT_VALIDITY;
        }
        if begins == 0 {
            begins = if issued == 0 { expires - DEFAULT_VALIDITY } else { issued };
        }
        let now = i64::try_from(now.seconds()).unwrap_or(i64::MAX);
        if now + CLOCK_SKEW < begins {
            return denied("invalid not before (nbf) claim: token not yet valid");
        }
        if now - CLOCK_SKEW > expires {
            return denied("invalid expiration time (exp) claim: token is expired");
        }
        if now + CLOCK_SKEW < issued {
            return denied("invalid issued at (iat) claim: token issued in the future");
        }
        Ok(())
    }
}

impl Default for Role {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            namespaces: Vec::new(),
            audience: String::new(),
            policies: Vec::new(),
            no_default_policy: false,
            limits: Limits::default(),
            num_uses: 0,
            kind: "default".into(),
        }
    }
}

impl Role {
    fn read(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let lists: [(&[&str], _); 3] = [
            (&["bound_service_account_names"], &mut self.names),
            (&["bound_service_account_namespaces"], &mut self.namespaces),
            (&["policies", "token_policies"], &mut self.policies),
        ];
        for (keys, list) in lists {
            for key in keys.iter().filter(|key| fields.get(key).is_some()) {
                *list = fields.list(key);
            }
        }
        let spans: [(&[&str], _); 4] = [
            (&["ttl", "token_ttl"], &mut self.limits.ttl),
            (&["max_ttl", "token_max_ttl"], &mut self.limits.max_ttl),
            (&["period", "token_period"], &mut self.limits.period),
            (&["token_explicit_max_ttl"], &mut self.limits.explicit_max_ttl),
        ];
        for (keys, span) in spans {
            for key in keys {
                *span = fields.span(key)?.unwrap_or(*span);
            }
        }
        for (key, text) in [("audience", &mut self.audience), ("token_type", &mut self.kind)] {
            if fields.get(key).is_some() {
                *text = fields.text(key);
            }
        }
        self.num_uses = fields.count("token_num_uses")?.unwrap_or(self.num_uses);
        self.no_default_policy = fields.flag("token_no_default_policy").unwrap_or(self.no_default_policy);
        Ok(())
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
        if !self.limits.max_ttl.is_zero() && self.limits.ttl > self.limits.max_ttl {
            return Err(Refusal::bad("'token_ttl' cannot be greater than 'token_max_ttl'"));
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
        let method = mount.trim_start_matches("auth/").trim_end_matches('/').replace('/', "-");
        let mut policies = self.policies.clone();
        if !self.no_default_policy {
            policies.push("default".into());
        }
        policies.sort_unstable();
        policies.dedup();
        let batch = self.kind == "batch";
        TokenSpec {
            policies,
            limits: self.limits,
            renewable: !batch,
            batch,
            num_uses: self.num_uses,
            entity_id: uid_of(&["entity", mount, &account.uid]),
            display_name: format!("{method}-{}-{}", account.namespace, account.name),
            meta: Some(BTreeMap::from([
                ("role".to_owned(), role_name.clone()),
                ("service_account_name".to_owned(), account.name),
                ("service_account_namespace".to_owned(), account.namespace),
                ("service_account_secret_name".to_owned(), String::new()),
                ("service_account_uid".to_owned(), account.uid),
            ])),
            path: format!("{mount}login"),
            role: Some(role_name),
        }
    }

    fn describe(&self) -> Outcome {
        Answer::data(&json!({
            "alias_name_source": "serviceaccount_uid",
            "audience": self.audience,
            "bound_service_account_names": self.names,
            "bound_service_account_namespace_selector": "",
            "bound_service_account_namespaces": self.namespaces,
            "token_bound_cidrs": [],
            "token_explicit_max_ttl": self.limits.explicit_max_ttl.as_secs(),
            "token_max_ttl": self.limits.max_ttl.as_secs(),
            "token_no_default_policy": self.no_default_policy,
            "token_num_uses": self.num_uses,
            "token_period": self.limits.period.as_secs(),
            "token_policies": self.policies,
            "token_strictly_bind_ip": false,
            "token_ttl": self.limits.ttl.as_secs(),
            "token_type": self.kind,
        }))
    }
}

impl Account {
    /// A bound token says it in `kubernetes.io`, an old one in flat claims.
    fn of(claims: &Map<String, Value>) -> Self {
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

fn audiences(claims: &Map<String, Value>) -> Vec<&str> {
    match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn public_key(pem: &str) -> Result<DecodingKey, Refusal> {
    DecodingKey::from_ec_pem(pem.as_bytes())
        .or_else(|_| DecodingKey::from_rsa_pem(pem.as_bytes()))
        .map_err(|_| Refusal::bad("data does not contain any valid public keys"))
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
