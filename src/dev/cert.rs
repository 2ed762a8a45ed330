//! The TLS certificate auth method: roles that trust an authority or one certificate.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/auth/cert>.

use std::collections::BTreeMap;

use rustls::pki_types::CertificateDer;
use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, Outcome, Refusal, list_of_errors},
    call::{Operation, Visit},
    certificate::{self, Chain, Facts},
    fields::Fields,
    folder,
    issuer::uid_of,
    kubernetes::glob,
    lifetime::Limits,
    moment::Moment,
    peer::Peer,
    role::{TokenParams, Who, rewritten},
    token::{Token, TokenSpec},
};

/// The older names of fields that this method reads.
const OLD: [&str; 5] = ["bound_cidrs", "max_ttl", "period", "policies", "ttl"];
/// Lists of a role, in the order of the original's answer.
const LISTS: [&str; 8] = [
    "allowed_common_names",
    "allowed_dns_sans",
    "allowed_email_sans",
    "allowed_metadata_extensions",
    "allowed_names",
    "allowed_organizational_units",
    "allowed_uri_sans",
    "required_extensions",
];

/// One mount of the method.
#[derive(Default)]
pub(super) struct Cert {
    roles: BTreeMap<String, Role>,
    disable_binding: bool,
}

struct Role {
    fields: Fields,
    token: TokenParams,
    trusted: CertificateDer<'static>,
    is_ca: bool,
}

impl Cert {
    pub(super) fn exists(&self, path: &str) -> bool {
        path.strip_prefix("certs/").is_none_or(|name| self.roles.contains_key(&name.to_lowercase()))
    }

    pub(super) fn handle(&mut self, visit: &Visit<'_>) -> Outcome {
        let (section, name) = visit.path.split_once('/').unwrap_or((visit.path, ""));
        let name = name.to_lowercase();
        match (section, visit.operation) {
            ("certs", Operation::List) => Answer::keys(&folder::children(self.roles.keys(), "")),
            ("certs", Operation::Read) => {
                let role = self.roles.get(&name).ok_or_else(Refusal::nothing)?;
                role.describe(&name)
            }
            ("certs", Operation::Write) => {
                let fields = match self.roles.get(&name) {
                    Some(role) => rewritten(&role.fields, visit.fields),
                    None => visit.fields.clone(),
                };
                self.roles.insert(name, Role::read(fields)?);
                Ok(Answer::empty())
            }
            ("certs", Operation::Delete) => {
                self.roles.remove(&name);
                Ok(Answer::empty())
            }
            ("config", Operation::Write) => {
                self.disable_binding = visit.fields.flag("disable_binding").unwrap_or(self.disable_binding);
                Ok(Answer::empty())
            }
            ("config", Operation::Read) => Answer::data(&json!({
                "disable_binding": self.disable_binding,
                "enable_identity_alias_metadata": false,
                "ocsp_cache_size": 0,
            })),
            ("certs" | "config" | "login", _) => Err(Refusal::unsupported_operation()),
            _ => Err(Refusal::unsupported_path()),
        }
    }

    /// Verifies a login and says which token it earns. `mount` is `auth/<path>/`.
    pub(super) fn login(
        &self,
        mount: &str,
        fields: &Fields,
        peer: &Peer,
        now: Moment,
    ) -> Result<TokenSpec, Refusal> {
        let own = shown_by(peer)?;
        let facts = Facts::of(own).ok_or_else(Refusal::internal)?;
        let asked = fields.text("name").to_lowercase();
        let (name, role) = self.matching(&asked, peer, &facts, now)?;
        let meta = BTreeMap::from([
            ("authority_key_id", facts.authority_key_id),
            ("cert_name", name.clone()),
            ("common_name", facts.common_name.clone()),
            ("serial_number", facts.serial),
            ("subject_key_id", facts.subject_key_id),
        ]);
        let spec = role.token.token(Who {
            mount: mount.to_owned(),
            alias: facts.common_name,
            name: role.display_name(name),
            meta: meta.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            role: name.clone(),
        });
        Ok(TokenSpec { bound_to: Some(fingerprint(own)), ..spec })
    }

    /// The lifetime that a renewal of a login's token gets: only with the certificate that logged in. `None` when the
    /// role is gone, which the original answers with nothing at all.
    pub(super) fn renewal(&self, token: &Token, peer: &Peer, now: Moment) -> Result<Option<Limits>, Refusal> {
        let failed = |why: &str| Refusal::new(500, list_of_errors(&format!("failed to renew entry: {why}")));
        let name = token.spec.role.clone().unwrap_or_default();
        let Some(role) = self.roles.get(&name) else { return Ok(None) };
        if !role.token.earns(&token.spec.policies) {
            return Err(failed("policies have changed, not renewing"));
        }
        if self.disable_binding {
            return Ok(Some(role.token.limits));
        }
        let own = shown_by(peer)?;
        let facts = Facts::of(own).ok_or_else(Refusal::internal)?;
        self.matching(&name, peer, &facts, now)?;
        if token.spec.bound_to.as_ref() != Some(&fingerprint(own)) {
            return Err(failed(
                "client identity during renewal not matching client identity used during login",
            ));
        }
        Ok(Some(role.token.limits))
    }

    /// The role that the certificate fits: one that names it alone, else one whose authority signed it.
    fn matching(
        &self,
        asked: &str,
        peer: &Peer,
        facts: &Facts,
        now: Moment,
    ) -> Result<(&String, &Role), Refusal> {
        let mut roles = self.roles.iter().filter(|(name, _)| asked.is_empty() || asked == name.as_str());
        let same = |role: &Role| !role.is_ca && peer.certificates.first() == Some(&role.trusted);
        if let Some(found) = roles.clone().find(|(_, role)| same(role) && role.fits(facts)) {
            return Ok(found);
        }
        let chain = |role: &Role| match role.is_ca {
            true => certificate::chain(&peer.certificates, &role.trusted, now),
            false => Chain::Unknown,
        };
        let chains: Vec<Chain> = roles.clone().map(|(_, role)| chain(role)).collect();
        let unusable = |why: &str| {
            Err(Refusal::new(500, format!("failed to verify client's certificate: x509: certificate {why}")))
        };
        if !chains.contains(&Chain::Trusted) {
            return match chains.into_iter().find(|chain| *chain != Chain::Unknown) {
                Some(Chain::WrongUse) => unusable("specifies an incompatible key usage"),
                Some(Chain::WrongTime) => unusable("has expired or is not yet valid"),
                _ => Err(Refusal::bad("invalid certificate or no client certificate supplied")),
            };
        }
        roles.find(|(_, role)| chain(role) == Chain::Trusted && role.fits(facts)).ok_or_else(|| {
            Refusal::bad("no chain matching all constraints could be found for this login certificate")
        })
    }
}

/// The client's own certificate.
fn shown_by(peer: &Peer) -> Result<&CertificateDer<'static>, Refusal> {
    peer.certificates.first().ok_or_else(|| Refusal::bad("no client certificate found"))
}

impl Role {
    fn read(fields: Fields) -> Result<Self, Refusal> {
        let token = TokenParams::read(&fields, &OLD)?;
        let broken = || Refusal::bad("failed to parse certificate");
        let trusted =
            certificate::parse(&fields.text("certificate")).into_iter().next().ok_or_else(broken)?;
        let facts = Facts::of(&trusted).ok_or_else(broken)?;
        if !facts.is_ca && facts.not_for_clients {
            return Err(Refusal::bad(
                "nonCA certificates should have TLS client authentication set as an extended key usage",
            ));
        }
        Ok(Self { token, trusted, is_ca: facts.is_ca, fields })
    }

    /// Whether the names fit all lists that the role has.
    fn fits(&self, facts: &Facts) -> bool {
        let common = std::slice::from_ref(&facts.common_name);
        let all = [common, &facts.dns, &facts.emails].concat();
        let lists: [(&str, &[String]); 6] = [
            ("allowed_names", &all),
            ("allowed_common_names", common),
            ("allowed_dns_sans", &facts.dns),
            ("allowed_email_sans", &facts.emails),
            ("allowed_uri_sans", &facts.uris),
            ("allowed_organizational_units", &facts.units),
        ];
        lists.iter().all(|(list, names)| {
            let patterns = self.fields.list(list);
            let fits = |pattern: &String| names.iter().any(|name| glob(pattern, name));
            patterns.is_empty() || patterns.iter().any(fits)
        })
    }

    fn display_name(&self, name: &str) -> String {
        match self.fields.text("display_name") {
            text if text.is_empty() => name.to_owned(),
            text => text,
        }
    }

    fn describe(&self, name: &str) -> Outcome {
        let mut body = Map::new();
        for list in LISTS {
            let value = self.fields.get(list).map(|_| self.fields.list(list));
            body.insert(list.into(), json!(value));
        }
        for flag in ["ocsp_enabled", "ocsp_fail_open", "ocsp_query_all_servers"] {
            body.insert(flag.into(), false.into());
        }
        body.insert("ocsp_ca_certificates".into(), "".into());
        body.insert("ocsp_servers_override".into(), Value::Null);
        body.insert("certificate".into(), self.fields.text("certificate").into());
        body.insert("display_name".into(), self.display_name(name).into());
        self.token.describe(&mut body);
        Answer::data(&body)
    }
}

/// Tells certificates apart.
fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let bytes: String = certificate.iter().map(|byte| format!("{byte:02x}")).collect();
    uid_of(&["certificate", &bytes])
}

#[cfg(test)]
mod tests;
