//! The server's own certificate authority: for its TLS listener, and for the clients of tests.

use std::{io, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use time::OffsetDateTime;

use super::DevError;

/// The names that the server's certificate is good for; with loopback's addresses.
const SERVER_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A fresh certificate authority; gone with the server.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

/// A certificate with its key, both in PEM.
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key (PKCS #8).
    pub key: String,
}

/// What a certificate is for.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The common name.
    pub common_name: String,
    /// DNS names and IP addresses.
    pub names: Vec<String>,
    /// When it begins, in seconds since 1970.
    pub from: i64,
    /// Seconds from then until it ends.
    pub lifetime: i64,
}

impl Authority {
    /// Makes a key pair and a certificate for it, valid for ten years from `now` (seconds since 1970) less one day.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn generate(now: i64) -> Result<Self, DevError> {
        let day = 24 * 3600;
        let subject = Subject {
            common_name: "decant development CA".into(),
            names: Vec::new(),
            from: now.saturating_sub(day),
            lifetime: 3650 * day,
        };
        let mut params = params(&subject)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(|_| DevError::Keys)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(|_| DevError::Keys)?;
        Ok(Self { issuer })
    }

    /// The authority's certificate in PEM, to be trusted by clients and put into roles.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Issues a certificate for a client.
    ///
    /// # Errors
    /// A name that is no DNS name, a time out of range, or no randomness.
    pub fn issue(&self, subject: &Subject) -> Result<Identity, DevError> {
        let mut params = params(subject)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().map_err(|_| DevError::Keys)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(|_| DevError::Keys)?;
        Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// A configuration for the listener: asks clients for a certificate, and takes any or none.
    pub(super) fn server_config(&self, now: i64) -> Result<ServerConfig, DevError> {
        let day = 24 * 3600;
        let subject = Subject {
            common_name: "localhost".into(),
            names: SERVER_NAMES.map(str::to_owned).to_vec(),
            from: now.saturating_sub(day),
            lifetime: 365 * day,
        };
        let mut params = params(&subject)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(|_| DevError::Keys)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(|_| DevError::Keys)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(ring::default_provider());
        ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(tls)?
            .with_client_cert_verifier(Arc::new(AnyClient(provider)))
            .with_single_cert(vec![certificate.der().clone()], key)
            .map_err(tls)
    }
}

fn tls(error: rustls::Error) -> DevError {
    DevError::Serve(io::Error::other(error))
}

fn params(subject: &Subject) -> Result<CertificateParams, DevError> {
    let mut params = CertificateParams::new(subject.names.clone()).map_err(|_| {
        DevError::Certificate(format!("{:?} hold something that is no DNS name", subject.names))
    })?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject.common_name.as_str());
    let time = |seconds: i64| {
        OffsetDateTime::from_unix_timestamp(seconds)
            .map_err(|_| DevError::Certificate("its times are out of range".into()))
    };
    params.not_before = time(subject.from)?;
    params.not_after = time(subject.from.saturating_add(subject.lifetime))?;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    Ok(params)
}

/// Takes every certificate whose key the client has: whether it is trusted is for the auth method to say.
#[derive(Debug)]
struct AnyClient(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
