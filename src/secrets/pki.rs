//! Certificates with their keys (`pkiCert`): out of the server's answer, or out of the files that hold them already.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/secret/pki#generate-certificate-and-key>. Pure: bytes in, a
//! secret with `Cert`, `Key`, `CA` and `CAChain` out.

use std::{collections::BTreeSet, net::IpAddr, path::PathBuf, sync::Arc};

use rustls::{
    crypto::ring::sign::any_supported_type,
    pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer},
};
use thiserror::Error;
use x509_parser::{
    certification_request::X509CertificationRequest,
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
};

use super::pem::{self, Block};
use crate::vault::{
    lifetime::certificate_due,
    path::Params,
    secret::Secret,
    value::{Map, Text, Value},
};

/// Where a certificate may be on disk, and what must be there for it to be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The templates' destinations and the files that they are known to write besides.
    pub files: BTreeSet<PathBuf>,
    /// A template that uses it, or may, needs the key: a certificate without its key is none.
    pub key: bool,
    /// A template that uses it, or may, needs the issuer's certificate: one without it is none.
    pub authority: bool,
}

/// Why an answer is no certificate. Never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PkiError {
    /// No PEM block that is a leaf certificate.
    #[error(
        "the answer holds no certificate in PEM form (pkiCert needs an issue or sign path of a PKI engine, and \
         no format=der)"
    )]
    NoCertificate,
    /// A certificate, but nothing to use it with.
    #[error("the answer holds a certificate without its private key (pkiCert needs an issue path, or a csr)")]
    NoKey,
}

/// Everything of use in one or several texts.
#[derive(Default)]
struct Found {
    leaves: Vec<Leaf>,
    keys: Vec<Key>,
    authorities: Vec<Authority>,
}

struct Leaf {
    pem: Text,
    public_key: Vec<u8>,
    issuer: Vec<u8>,
    not_before: u64,
    not_after: u64,
    common_names: Vec<String>,
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

struct Key {
    pem: Text,
    /// SubjectPublicKeyInfo; `None` when it is of a kind that can't be read here.
    public_key: Option<Vec<u8>>,
}

struct Authority {
    pem: Text,
    subject: Vec<u8>,
}

/// The certificate in an answer to a write to an issue path: its leaf, its key, its chain with the issuer first.
///
/// # Errors
/// An answer without a leaf, or without the key when no CSR was sent.
pub fn from_answer(answer: &Secret, fields: &Params) -> Result<Secret, PkiError> {
    let mut found = Found::default();
    for text in texts(answer) {
        found.read(text.as_bytes());
    }
    let leaf = found.leaves.last().ok_or(PkiError::NoCertificate)?;
    let key = found.keys.iter().rev().find(|key| key.fits(leaf)).or_else(|| {
        // A key of a kind that can't be read here is the server's word.
        found.keys.iter().rev().find(|key| key.public_key.is_none())
    });
    if key.is_none() && !fields.contains_key("csr") {
        return Err(PkiError::NoKey);
    }
    let mut secret = found.secret(leaf, key);
    secret.request_id.clone_from(&answer.request_id);
    secret.warnings.clone_from(&answer.warnings);
    Ok(secret)
}

/// The certificate that files hold already: still good for a while, of the names that are asked for, and complete.
///
/// The key may stand in another file than its certificate; it must belong to it. `now` is the wall clock in seconds
/// since 1970; a certificate past `threshold` of its lifetime is not good any more.
pub fn from_files<'t>(
    files: impl IntoIterator<Item = &'t [u8]>,
    fields: &Params,
    places: &Places,
    threshold: f64,
    now: u64,
) -> Option<Secret> {
    let mut found = Found::default();
    for text in files {
        found.read(text);
    }
    let own_key = places.key && !fields.contains_key("csr");
    let key_of = |leaf: &Leaf| found.keys.iter().rev().find(|key| key.fits(leaf));
    let leaf = found
        .leaves
        .iter()
        .filter(|leaf| !certificate_due(leaf.not_before, leaf.not_after, threshold, now).is_zero())
        .filter(|leaf| leaf.is_for(fields))
        .filter(|leaf| !own_key || key_of(leaf).is_some())
        .filter(|leaf| !places.authority || found.authorities.iter().any(|ca| ca.subject == leaf.issuer))
        .max_by_key(|leaf| leaf.not_before)?;
    Some(found.secret(leaf, key_of(leaf)))
}

/// From when to when the certificate of such a secret is valid, in seconds since 1970; `None` when it is none.
pub fn validity(secret: &Secret) -> Option<(u64, u64)> {
    let Value::String(pem) = secret.data.as_ref()?.get("Cert")? else { return None };
    let mut found = Found::default();
    found.read(pem.as_bytes());
    found.leaves.last().map(|leaf| (leaf.not_before, leaf.not_after))
}

/// The texts of an answer that may hold PEM blocks, the issuer before the rest of its chain.
fn texts(answer: &Secret) -> Vec<&Text> {
    const FIRST: [&str; 2] = ["issuing_ca", "ca_chain"];
    let Some(data) = answer.data.as_ref().and_then(Value::as_map) else { return Vec::new() };
    let first = FIRST.into_iter().filter_map(|key| data.get(key));
    let rest = data.iter().filter(|(key, _)| !FIRST.contains(&key.as_ref())).map(|(_, value)| value);
    let mut texts = Vec::new();
    for value in first.chain(rest) {
        match value {
            Value::String(text) => texts.push(text),
            Value::List(items) => texts.extend(items.iter().filter_map(|item| match item {
                Value::String(text) => Some(text),
                _ => None,
            })),
            _ => {}
        }
    }
    texts
}

impl Found {
    fn read(&mut self, bytes: &[u8]) {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        for block in pem::blocks(text) {
            if block.label.ends_with("PRIVATE KEY") {
                self.keys.push(Key { public_key: public_key(&block), pem: block.text().into() });
            } else if let Ok((_, certificate)) = X509Certificate::from_der(&block.der) {
                self.add(&certificate, block.text().into());
            }
        }
    }

    fn add(&mut self, certificate: &X509Certificate<'_>, pem: Text) {
        if !certificate.is_ca() {
            self.leaves.push(Leaf::new(certificate, pem));
        } else if !self.authorities.iter().any(|known| known.pem == pem) {
            self.authorities.push(Authority { pem, subject: certificate.subject().as_raw().to_vec() });
        }
    }

    fn secret(&self, leaf: &Leaf, key: Option<&Key>) -> Secret {
        // Files may hold others' chains too; the leaf's own issuer comes first.
        let issuer = self.authorities.iter().find(|ca| ca.subject == leaf.issuer);
        let others = self.authorities.iter().filter(|ca| issuer.is_none_or(|own| own.pem != ca.pem));
        let chain: Vec<Value> =
            issuer.into_iter().chain(others).map(|ca| Value::String(ca.pem.clone())).collect();
        let mut data = Map::from([("Cert".into(), Value::String(leaf.pem.clone()))]);
        if let Some(key) = key {
            data.insert("Key".into(), Value::String(key.pem.clone()));
        }
        if let Some(first) = chain.first() {
            data.insert("CA".into(), first.clone());
        }
        data.insert("CAChain".into(), Value::List(Arc::new(chain)));
        Secret { data: Some(Value::Map(Arc::new(data))), ..Secret::default() }
    }
}

impl Leaf {
    fn new(certificate: &X509Certificate<'_>, pem: Text) -> Self {
        let (mut names, mut addresses) = (Vec::new(), Vec::new());
        let alternatives = certificate.subject_alternative_name().ok().flatten();
        for name in alternatives.iter().flat_map(|extension| &extension.value.general_names) {
            match name {
                GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
                    names.push((*name).to_owned());
                }
                GeneralName::IPAddress(bytes) => addresses.extend(address(bytes)),
                _ => {}
            }
        }
        let common_names = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        let seconds = |time: i64| u64::try_from(time).unwrap_or(0);
        Self {
            pem,
            public_key: certificate.public_key().raw.to_vec(),
            issuer: certificate.issuer().as_raw().to_vec(),
            not_before: seconds(certificate.validity().not_before.timestamp()),
            not_after: seconds(certificate.validity().not_after.timestamp()),
            common_names: common_names.map(str::to_owned).collect(),
            names,
            addresses,
        }
    }

    /// Whether it bears the names that the request asks for. A file may hold another's certificate, or one from
    /// before the template was changed.
    fn is_for(&self, fields: &Params) -> bool {
        let list = |key: &str| {
            let names = fields.get(key).map_or("", AsRef::as_ref).split(',').map(str::trim);
            names.filter(|name| !name.is_empty()).collect::<Vec<_>>()
        };
        let bears = |name: &str, more: &[String]| {
            // The server writes other alphabets in Punycode.
            !name.is_ascii() || self.names.iter().chain(more).any(|known| known.eq_ignore_ascii_case(name))
        };
        let csr_fits = fields.get("csr").is_none_or(|csr| {
            pem::blocks(csr).iter().any(|block| {
                X509CertificationRequest::from_der(&block.der).is_ok_and(|(_, csr)| {
                    csr.certification_request_info.subject_pki.raw == self.public_key.as_slice()
                })
            })
        });
        csr_fits
            && list("common_name").iter().all(|name| bears(name, &self.common_names))
            && list("alt_names").iter().chain(&list("uri_sans")).all(|name| bears(name, &[]))
            && list("ip_sans")
                .iter()
                .all(|text| text.parse().is_ok_and(|address: IpAddr| self.addresses.contains(&address)))
    }
}

impl Key {
    fn fits(&self, leaf: &Leaf) -> bool {
        self.public_key.as_deref() == Some(&leaf.public_key)
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// The public half of a private key.
fn public_key(block: &Block<'_>) -> Option<Vec<u8>> {
    let der = block.der.as_slice();
    let key = match block.label {
        "RSA PRIVATE KEY" => PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(der)),
        "EC PRIVATE KEY" => PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der)),
        _ => PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der)),
    };
    Some(any_supported_type(&key).ok()?.public_key()?.to_vec())
}

#[cfg(test)]
mod tests;
