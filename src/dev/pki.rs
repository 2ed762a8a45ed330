//! The PKI engine: a root, roles, and certificates issued with their keys.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/secret/pki>. A second root does not replace the first as the
//! issuer, keys are ECDSA on P-256 whatever a role asks for, and there are no CSRs, leases and CRLs.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use super::{
    answer::{Answer, Body, Outcome, Refusal, uuid},
    call::{Operation, Visit},
    folder,
    moment::Moment,
    pki_ca::{Issued, Root, Window},
    pki_role::{Names, Role},
};

/// How long before "now" a root's validity begins.
const BACKDATED: Duration = Duration::from_secs(30);
const NO_URLS: &str = "This mount hasn't configured any authority information access (AIA) fields; this may make it \
                       harder for systems to find missing certificates in the chain or to validate revocation \
                       status of certificates. Consider updating /config/urls or the newly generated issuer with \
                       this information.";
const NO_SUBJECT: &str = "This issuer certificate was generated without a Subject; this makes it likely that issuing \
                          leaf certs with this certificate will cause TLS validation libraries to reject this \
                          certificate.";
const ROOT_GONE: &str = "DELETE /root deletes all keys and issuers; prefer the new DELETE /key/:key_ref and DELETE \
                         /issuer/:issuer_ref for finer granularity, unless removal of all keys and issuers is \
                         desired.";

/// One PKI mount.
#[derive(Debug, Default)]
pub(super) struct Pki {
    root: Option<Box<Root>>,
    roles: BTreeMap<String, Role>,
    /// Everything that was issued, by serial number.
    certificates: BTreeMap<String, Certificate>,
}

#[derive(Clone, Debug)]
struct Certificate {
    pem: String,
    revoked: Option<Moment>,
}

impl Pki {
    pub(super) fn exists(&self, path: &str) -> bool {
        match path.split_once('/') {
            Some(("roles", name)) => self.roles.contains_key(name),
            _ => true,
        }
    }

    /// What needs no token: certificates are public.
    pub(super) fn open(&self, operation: Operation, path: &str) -> Option<Outcome> {
        if operation != Operation::Read {
            return None;
        }
        match path {
            "ca/pem" => Some(Ok(self.text("application/pem-certificate-chain"))),
            "ca_chain" => Some(Ok(self.text("application/pkix-cert"))),
            _ => path.strip_prefix("cert/").map(|name| self.certificate(name)),
        }
    }

    pub(super) fn handle(&mut self, visit: &Visit<'_>) -> Outcome {
        let (section, name) = visit.path.split_once('/').unwrap_or((visit.path, ""));
        match (section, name, visit.operation) {
            ("roles", _, Operation::List) => Answer::keys(&folder::children(self.roles.keys(), "")),
            ("certs", _, Operation::List) => Answer::keys(&folder::children(self.certificates.keys(), "")),
            ("roles", "", _) | ("certs", _, _) => Err(Refusal::unsupported_operation()),
            ("roles", _, _) => self.role(name, visit),
            ("issue", name, Operation::Write) if !name.is_empty() => self.issue(name, visit),
            ("root", "", Operation::Delete) => {
                *self = Self { roles: std::mem::take(&mut self.roles), ..Self::default() };
                Ok(Answer::secret(super::answer::SecretBody::default()).warn(ROOT_GONE))
            }
            ("root", name, Operation::Write) if name.starts_with("generate/") => self.generate(name, visit),
            ("revoke", "", Operation::Write) => self.revoke(visit),
            ("issue", name, _) if !name.is_empty() => Err(Refusal::unsupported_operation()),
            ("root" | "revoke", _, _) => Err(Refusal::unsupported_operation()),
            _ => Err(Refusal::unsupported_path()),
        }
    }

    fn role(&mut self, name: &str, visit: &Visit<'_>) -> Outcome {
        match visit.operation {
            Operation::Read => Answer::data(self.roles.get(name).ok_or_else(Refusal::nothing)?.fields()),
            Operation::Write => {
                let role = Role::new(visit.fields)?;
                let answer = Answer::data(role.fields());
                self.roles.insert(name.to_owned(), role);
                answer
            }
            Operation::Delete => {
                self.roles.remove(name);
                Ok(Answer::empty())
            }
            _ => Err(Refusal::unsupported_operation()),
        }
    }

    fn root(&self) -> Result<&Root, Refusal> {
        self.root.as_deref().ok_or_else(|| Refusal::bad("no default issuer currently configured"))
    }

    fn generate(&mut self, path: &str, visit: &Visit<'_>) -> Outcome {
        let exported = match path.trim_start_matches("generate/") {
            "internal" => false,
            "exported" => true,
            _ => {
                return Err(Refusal::bad(
                    "the \"exported\" path parameter must be \"internal\", \"existing\", exported\" or \"kms\"",
                ));
            }
        };
        let common_name = visit.fields.text("common_name");
        let alternatives = Some(common_name.clone()).filter(|name| !name.is_empty()).into_iter().collect();
        let names = Names { common_name, alternatives, ..Names::default() };
        let lifetime = visit.fields.span("ttl")?.filter(|ttl| !ttl.is_zero()).unwrap_or(visit.default_ttl);
        let (root, key) = Root::generate(&names, Window::new(visit.now, BACKDATED, lifetime))?;
        let pem = root.pem();
        let mut data = json!({
            "certificate": pem,
            "expiration": root.not_after,
            "issuer_id": uuid(),
            "issuer_name": visit.fields.text("issuer_name"),
            "issuing_ca": pem,
            "key_id": uuid(),
            "key_name": visit.fields.text("key_name"),
            "serial_number": root.serial,
        });
        if exported {
            data["private_key"] = key.into();
            data["private_key_type"] = "ec".into();
        }
        self.certificates.insert(root.serial.clone(), Certificate { pem, revoked: None });
        self.root.get_or_insert_with(|| Box::new(root));
        let answer = Answer::data(&data)?;
        let answer = if names.common_name.is_empty() { answer.warn(NO_SUBJECT) } else { answer };
        Ok(answer.warn(NO_URLS))
    }

    fn issue(&mut self, name: &str, visit: &Visit<'_>) -> Outcome {
        let role = self.roles.get(name).ok_or_else(|| Refusal::bad(format!("unknown role: {name}")))?;
        let format = visit.fields.text("format");
        if !["", "pem", "pem_bundle"].contains(&format.as_str()) {
            return Err(Refusal::bad(
                "the \"format\" path parameter must be \"pem\", \"der\", or \"pem_bundle\"",
            ));
        }
        let (lifetime, wish) = role.lifetime(visit.fields, visit.default_ttl)?;
        let names = role.names(visit.fields)?;
        let root = self.root()?;
        let window = Window::new(visit.now, role.span("not_before_duration"), lifetime);
        if window.not_after > root.not_after {
            let end = Moment::at(root.not_after).rfc3339();
            return Err(Refusal::bad(format!(
                "cannot satisfy request, as TTL would result in notAfter of {} that is beyond the expiration of the \
                 CA certificate at {end}",
                visit.now.plus(lifetime).rfc3339(),
            )));
        }
        let issued = root.issue(&names, role, window)?;
        let pkcs8 = visit.fields.text("private_key_format") == "pkcs8";
        let key = if pkcs8 { &issued.pkcs8 } else { &issued.key };
        let answer = answer(&issued, key, &root.pem(), &format)?;
        let warning = wish.map(|wish| {
            format!(
                "TTL {:?} is longer than permitted maxTTL {:?}, so maxTTL is being used",
                go_span(wish),
                go_span(lifetime)
            )
        });
        self.certificates.insert(issued.serial, Certificate { pem: issued.certificate, revoked: None });
        Ok(warning.into_iter().fold(answer, Answer::warn))
    }

    fn certificate(&self, name: &str) -> Outcome {
        let (pem, revoked, chain) = match name {
            "ca" => (self.root()?.pem(), None, None),
            "ca_chain" => {
                let pem = self.root()?.pem();
                (pem.clone(), None, Some(pem))
            }
            serial => {
                let found = self.certificates.get(&serial.replace('-', ":")).ok_or_else(Refusal::nothing)?;
                (found.pem.clone(), found.revoked, None)
            }
        };
        let mut data = json!({"certificate": pem});
        data["revocation_time"] = revoked.map_or(0, Moment::seconds).into();
        data["revocation_time_rfc3339"] = revoked.map(Moment::rfc3339).unwrap_or_default().into();
        if let Some(chain) = chain {
            data["ca_chain"] = chain.into();
        }
        Answer::data(&data)
    }

    fn revoke(&mut self, visit: &Visit<'_>) -> Outcome {
        let serial = visit.fields.text("serial_number");
        if serial.is_empty() {
            return Err(Refusal::bad("The serial number or certificate to revoke must be provided."));
        }
        let missing = || Refusal::bad(format!("certificate with serial {serial} not found."));
        let found = self.certificates.get_mut(&serial.replace('-', ":")).ok_or_else(missing)?;
        let at = *found.revoked.get_or_insert(visit.now);
        Answer::data(&json!({
            "revocation_time": at.seconds(),
            "revocation_time_rfc3339": at.rfc3339(),
            "state": "revoked",
        }))
    }

    fn text(&self, content_type: &'static str) -> Answer {
        let text = self.root.as_deref().map(Root::pem).unwrap_or_default();
        let status = if text.is_empty() { 204 } else { 200 };
        Answer { status, body: Body::Raw { content_type, text } }
    }
}

fn answer(issued: &Issued, key: &str, ca: &str, format: &str) -> Outcome {
    let certificate = if format == "pem_bundle" {
        [key, &issued.certificate, ca].join("\n")
    } else {
        issued.certificate.clone()
    };
    Answer::data(&json!({
        "ca_chain": [ca],
        "certificate": certificate,
        "expiration": issued.not_after,
        "issuing_ca": ca,
        "not_before": issued.not_before,
        "private_key": key,
        "private_key_type": "ec",
        "serial_number": issued.serial,
    }))
}

/// A span as Go prints it: `768h0m0s`, `1m40s`.
fn go_span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests;
