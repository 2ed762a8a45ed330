//! Client certificates as the cert method looks at them: their names, and whether an authority has signed them.

use std::{sync::Arc, time::Duration};

use rustls::{
    CertificateError, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, UnixTime, pem::PemObject},
    server::WebPkiClientVerifier,
};
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};

use super::moment::Moment;

/// What a certificate says about its owner.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) common_name: String,
    pub(super) serial: String,
    pub(super) subject_key_id: String,
    pub(super) authority_key_id: String,
    pub(super) dns: Vec<String>,
    pub(super) emails: Vec<String>,
    pub(super) uris: Vec<String>,
    pub(super) units: Vec<String>,
    pub(super) is_ca: bool,
    /// Has a list of uses, and that of a client is not among them.
    pub(super) not_for_clients: bool,
}

/// All certificates of a PEM text; empty when one of them is broken.
pub(super) fn parse(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().unwrap_or_default()
}

impl Facts {
    /// `None` for what is no X.509 certificate.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let mut facts = Self {
            serial: parsed.serial.to_string(),
            is_ca: parsed.is_ca(),
            common_name: texts(parsed.subject().iter_common_name()).into_iter().next().unwrap_or_default(),
            units: texts(parsed.subject().iter_organizational_unit()),
            ..Self::default()
        };
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(id) => facts.subject_key_id = hex(id.0),
                ParsedExtension::AuthorityKeyIdentifier(id) => {
                    facts.authority_key_id =
                        id.key_identifier.as_ref().map(|id| hex(id.0)).unwrap_or_default();
                }
                ParsedExtension::ExtendedKeyUsage(usage) => {
                    facts.not_for_clients = !usage.client_auth && !usage.any;
                }
                ParsedExtension::SubjectAlternativeName(names) => facts.read_names(&names.general_names),
                _ => {}
            }
        }
        Some(facts)
    }

    fn read_names(&mut self, names: &[GeneralName<'_>]) {
        for name in names {
            match name {
                GeneralName::DNSName(name) => self.dns.push((*name).to_owned()),
                GeneralName::RFC822Name(name) => self.emails.push((*name).to_owned()),
                GeneralName::URI(name) => self.uris.push((*name).to_owned()),
                _ => {}
            }
        }
    }
}

fn texts<'a>(
    attributes: impl Iterator<Item = &'a x509_parser::prelude::AttributeTypeAndValue<'a>>,
) -> Vec<String> {
    attributes.filter_map(|attribute| attribute.as_str().ok().map(str::to_owned)).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// Where a chain of certificates leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chain {
    /// To the authority.
    Trusted,
    /// Nowhere.
    Unknown,
    /// The certificate is not for clients.
    WrongUse,
    /// It has expired, or is not valid yet.
    WrongTime,
}

/// Whether the chain (the client's own first) leads to `authority` and is valid at `now`.
pub(super) fn chain(
    certificates: &[CertificateDer<'static>],
    authority: &CertificateDer<'static>,
    now: Moment,
) -> Chain {
    let Some((own, others)) = certificates.split_first() else { return Chain::Unknown };
    let mut roots = RootCertStore::empty();
    if roots.add(authority.clone()).is_err() {
        return Chain::Unknown;
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now.seconds()));
    match verifier.map(|verifier| verifier.verify_client_cert(own, others, now)) {
        Ok(Ok(_)) => Chain::Trusted,
        Ok(Err(rustls::Error::InvalidCertificate(why))) => match why {
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Chain::WrongUse
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Chain::WrongTime,
            _ => Chain::Unknown,
        },
        Ok(Err(_)) | Err(_) => Chain::Unknown,
    }
}
