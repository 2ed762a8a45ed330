//! Roles of the PKI engine: what certificates they allow.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/secret/pki#create-update-role>.

use std::{net::IpAddr, time::Duration};

use serde_json::{Map, Value};

use super::{answer::Refusal, fields::Fields, kubernetes::glob};

/// All fields with the defaults of an `ec` role; the default's type says how a field is read.
const DEFAULTS: &str = include_str!("pki_role.json");
/// Fields that are spans of time.
const SPANS: [&str; 3] = ["ttl", "max_ttl", "not_before_duration"];

/// One role.
#[derive(Clone, Debug)]
pub(super) struct Role(Map<String, Value>);

/// The names that a certificate is asked for.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) common_name: String,
    /// DNS names and mail addresses, the common name among them when it is one.
    pub(super) alternatives: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) uris: Vec<String>,
}

impl Role {
    /// A role from a request. Keys are ECDSA on P-256 whatever the role asks for; the answer says so.
    pub(super) fn new(fields: &Fields) -> Result<Self, Refusal> {
        let mut all: Map<String, Value> = serde_json::from_str(DEFAULTS).map_err(|_| Refusal::internal())?;
        for (key, value) in &mut all {
            if fields.get(key).is_none() {
                continue;
            }
            *value = match value {
                Value::Bool(_) => fields.flag(key).unwrap_or_default().into(),
                Value::Array(_) => fields.list(key).into(),
                Value::Number(_) if SPANS.contains(&key.as_str()) => {
                    fields.span(key)?.unwrap_or_default().as_secs().into()
                }
                Value::Number(_) => fields.count(key)?.unwrap_or_default().into(),
                _ => fields.text(key).into(),
            };
        }
        let role = Self(all);
        let kind = role.text("key_type");
        if !["rsa", "ec", "ed25519", "any"].contains(&kind) {
            return Err(Refusal::bad(format!("unknown key type {kind}")));
        }
        let most = role.span("max_ttl");
        if !most.is_zero() && role.span("ttl") > most {
            return Err(Refusal::bad("\"ttl\" value must be less than \"max_ttl\" value"));
        }
        Ok(role)
    }

    pub(super) const fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or_default()
    }

    pub(super) fn span(&self, key: &str) -> Duration {
        Duration::from_secs(self.0.get(key).and_then(Value::as_u64).unwrap_or_default())
    }

    fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn list(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// How long a certificate shall live: what was asked for, the role's, the mount's; and a larger wish that the
    /// role's maximum has cut.
    pub(super) fn lifetime(
        &self,
        fields: &Fields,
        default: Duration,
    ) -> Result<(Duration, Option<Duration>), Refusal> {
        let own = Some(self.span("ttl")).filter(|ttl| !ttl.is_zero());
        let asked = fields.span("ttl")?.filter(|ttl| !ttl.is_zero()).or(own).unwrap_or(default);
        let most = Some(self.span("max_ttl")).filter(|most| !most.is_zero()).unwrap_or(asked);
        Ok(if asked > most { (most, Some(asked)) } else { (asked, None) })
    }

    /// The names in a request, when the role allows all of them.
    pub(super) fn names(&self, fields: &Fields) -> Result<Names, Refusal> {
        let common_name = fields.text("common_name");
        if common_name.is_empty() && self.flag("require_cn") {
            return Err(Refusal::bad(
                "the common_name field is required, or must be provided in a CSR with \"use_csr_common_name\" set to \
                 true, unless \"require_cn\" is set to false",
            ));
        }
        let mut alternatives: Vec<String> = Vec::new();
        if !common_name.is_empty() && !fields.flag("exclude_cn_from_sans").unwrap_or_default() {
            alternatives.push(common_name.clone());
        }
        for name in fields.list("alt_names") {
            if !alternatives.contains(&name) {
                alternatives.push(name);
            }
        }
        let refused =
            |what: &str, name: &str| Refusal::bad(format!("{what} {name} not allowed by this role"));
        if !common_name.is_empty() && !self.allows(&common_name) {
            return Err(refused("common name", &common_name));
        }
        if let Some(name) = alternatives.iter().find(|name| !self.allows(name)) {
            return Err(refused("subject alternate name", name));
        }
        let names = Names { common_name, alternatives, addresses: Vec::new(), uris: self.uris(fields)? };
        Ok(Names { addresses: self.addresses(fields)?, ..names })
    }

    fn uris(&self, fields: &Fields) -> Result<Vec<String>, Refusal> {
        let uris = fields.list("uri_sans");
        if !uris.is_empty() && self.list("allowed_uri_sans").next().is_none() {
            return Err(Refusal::bad(
                "URI Subject Alternative Names are not allowed in this role, but were provided via the API",
            ));
        }
        if uris.iter().any(|uri| !self.list("allowed_uri_sans").any(|allowed| glob(allowed, uri))) {
            return Err(Refusal::bad(
                "URI Subject Alternative Names were provided via the API which are not valid for this role",
            ));
        }
        Ok(uris)
    }

    fn addresses(&self, fields: &Fields) -> Result<Vec<IpAddr>, Refusal> {
        let addresses = fields.list("ip_sans");
        if !addresses.is_empty() && !self.flag("allow_ip_sans") {
            return Err(Refusal::bad(
                "IP Subject Alternative Names are not allowed in this role, but was provided via the API",
            ));
        }
        let wrong = |text: &str| Refusal::bad(format!("the value {text:?} is not a valid IP address"));
        addresses.iter().map(|text| text.parse().map_err(|_| wrong(text))).collect()
    }

    /// Whether the role allows a DNS name or mail address.
    fn allows(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let host = name.split_once('@').map_or(name.as_str(), |(_, host)| host);
        let host =
            host.strip_prefix("*.").filter(|_| self.flag("allow_wildcard_certificates")).unwrap_or(host);
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if host.is_empty() || (self.flag("enforce_hostnames") && !host.chars().all(letters)) {
            return false;
        }
        self.flag("allow_any_name")
            || (self.flag("allow_localhost") && matches!(host, "localhost" | "localdomain"))
            || self.list("allowed_domains").any(|domain| {
                let domain = domain.to_ascii_lowercase();
                let below = host.strip_suffix(&domain).is_some_and(|left| left.ends_with('.'));
                (self.flag("allow_bare_domains") && host == domain)
                    || (self.flag("allow_subdomains") && (below || name.strip_prefix("*.") == Some(&domain)))
                    || (self.flag("allow_glob_domains") && glob(&domain, host))
            })
    }
}

#[cfg(test)]
mod tests;
