//! The certificate authority behind the PKI engine: real certificates, ECDSA on P-256.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use time::OffsetDateTime;

use super::{
    answer::{Refusal, random_bytes},
    moment::Moment,
    pki_role::{Names, Role},
};

/// A root that the engine made.
pub(super) struct Root {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub(super) serial: String,
    pub(super) not_after: u64,
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Root({})", self.serial)
    }
}

/// A certificate with its key.
pub(super) struct Issued {
    pub(super) certificate: String,
    /// `EC PRIVATE KEY`.
    pub(super) key: String,
    /// The same as `PRIVATE KEY`.
    pub(super) pkcs8: String,
    pub(super) serial: String,
    pub(super) not_before: u64,
    pub(super) not_after: u64,
}

/// From when to when a certificate is valid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) not_before: u64,
    pub(super) not_after: u64,
}

impl Window {
    /// From a little before now, so that slow clocks believe it, to `lifetime` from now.
    pub(super) const fn new(now: Moment, before: Duration, lifetime: Duration) -> Self {
        Self {
            not_before: now.seconds().saturating_sub(before.as_secs()),
            not_after: now.seconds().saturating_add(lifetime.as_secs()),
        }
    }
}

impl Root {
    /// A new root of this name, with its key's PEM text.
    pub(super) fn generate(names: &Names, window: Window) -> Result<(Self, String), Refusal> {
        let (mut params, serial) = params(names, window)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = key()?;
        let text = sec1(&key)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(|_| Refusal::internal())?;
        Ok((Self { issuer, serial, not_after: window.not_after }, text))
    }

    /// Its certificate in PEM, without a newline at the end.
    pub(super) fn pem(&self) -> String {
        self.issuer.pem().trim_end().to_owned()
    }

    /// A new certificate with a new key.
    pub(super) fn issue(&self, names: &Names, role: &Role, window: Window) -> Result<Issued, Refusal> {
        let (mut params, serial) = params(names, window)?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
            KeyUsagePurpose::KeyAgreement,
        ];
        for (flag, purpose) in [
            ("server_flag", ExtendedKeyUsagePurpose::ServerAuth),
            ("client_flag", ExtendedKeyUsagePurpose::ClientAuth),
        ] {
            if role.flag(flag) {
                params.extended_key_usages.push(purpose);
            }
        }
        let key = key()?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(|_| Refusal::internal())?;
        Ok(Issued {
            certificate: certificate.pem().trim_end().to_owned(),
            key: sec1(&key)?,
            pkcs8: key.serialize_pem().trim_end().to_owned(),
            serial,
            not_before: window.not_before,
            not_after: window.not_after,
        })
    }
}

fn key() -> Result<KeyPair, Refusal> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| Refusal::internal())
}

fn params(names: &Names, window: Window) -> Result<(CertificateParams, String), Refusal> {
    let mut serial: [u8; 20] = random_bytes();
    // Positive, and no byte is left out in its text.
    serial[0] = serial[0] & 0x3f | 0x40;
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = DistinguishedName::new();
    if !names.common_name.is_empty() {
        params.distinguished_name.push(DnType::CommonName, names.common_name.as_str());
    }
    params.not_before = time(window.not_before)?;
    params.not_after = time(window.not_after)?;
    params.subject_alt_names = alternatives(names)?;
    let text: Vec<String> = serial.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((params, text.join(":")))
}

fn alternatives(names: &Names) -> Result<Vec<SanType>, Refusal> {
    let text = |name: &str| name.try_into().map_err(|_| Refusal::bad(format!("{name:?} is not ASCII text")));
    let mut all = Vec::new();
    for name in &names.alternatives {
        all.push(if name.contains('@') {
            SanType::Rfc822Name(text(name)?)
        } else {
            SanType::DnsName(text(name)?)
        });
    }
    all.extend(names.addresses.iter().copied().map(SanType::IpAddress));
    for uri in &names.uris {
        all.push(SanType::URI(text(uri)?));
    }
    Ok(all)
}

fn time(seconds: u64) -> Result<OffsetDateTime, Refusal> {
    let time = i64::try_from(seconds).ok().and_then(|time| OffsetDateTime::from_unix_timestamp(time).ok());
    time.ok_or_else(|| Refusal::bad("the certificate would be valid for too long"))
}

/// The key in the form that the engine answers by default, `EC PRIVATE KEY` (RFC 5915) with its curve.
fn sec1(key: &KeyPair) -> Result<String, Refusal> {
    /// Version 1 and the head of the private number, as they stand in PKCS #8, too.
    const HEAD: [u8; 5] = [0x02, 0x01, 0x01, 0x04, 0x20];
    const CURVE: [u8; 12] = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    const PUBLIC: [u8; 5] = [0xa1, 0x44, 0x03, 0x42, 0x00];
    let pkcs8 = key.serialized_der();
    let at = pkcs8.windows(HEAD.len()).position(|window| window == HEAD).ok_or_else(Refusal::internal)?;
    let number = pkcs8.get(at + HEAD.len()..at + HEAD.len() + 32).ok_or_else(Refusal::internal)?;
    let body = [&HEAD[..], number, &CURVE, &PUBLIC, key.public_key_raw()].concat();
    let length = u8::try_from(body.len()).map_err(|_| Refusal::internal())?;
    let text = BASE64_STANDARD.encode([&[0x30, length][..], &body].concat());
    let mut lines = vec!["-----BEGIN EC PRIVATE KEY-----"];
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        lines.push(line);
        rest = more;
    }
    lines.push("-----END EC PRIVATE KEY-----");
    Ok(lines.join("\n"))
}
