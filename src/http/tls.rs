//! Trust and identity of TLS clients: which CAs, which client certificate, which name is expected.

use std::{
    fmt, fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use thiserror::Error;
use zeroize::Zeroizing;

/// A client certificate: where it comes from, its chain, its key.
type Identity = (String, Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// TLS settings of one client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// PEM file with trusted CAs; replaces the system's.
    pub ca_cert: Option<PathBuf>,
    /// PEM text with trusted CAs (`VAULT_CACERT_BYTES`); used when no file is named.
    pub ca_cert_bytes: Option<String>,
    /// Folder with PEM files of trusted CAs; used when neither file nor bytes are named.
    pub ca_path: Option<PathBuf>,
    /// Client certificate, PEM.
    pub client_cert: Option<PathBuf>,
    /// Key of the client certificate, PEM.
    pub client_key: Option<PathBuf>,
    /// PEM text with the client certificate (`VAULT_CLIENT_CERT_BYTES`); used when no file is named.
    pub client_cert_bytes: Option<String>,
    /// PEM text with its key (`VAULT_CLIENT_KEY_BYTES`).
    pub client_key_bytes: Option<KeyText>,
    /// Name for SNI and verification instead of the address's host.
    pub server_name: Option<String>,
    /// Trust any certificate.
    pub skip_verify: bool,
}

/// The text of a private key. Wiped when dropped, never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(Zeroizing<String>);

impl From<&str> for KeyText {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[a private key]")
    }
}

/// What is noticed of a changed file: time, number and size. A new number is a file put in place of the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    modified: (i64, i64),
    inode: u64,
    size: u64,
}

impl Stamp {
    /// Of the file that a path leads to; `None`: there is none.
    fn of(path: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok()?;
        Some(Self { modified: (meta.mtime(), meta.mtime_nsec()), inode: meta.ino(), size: meta.size() })
    }
}

/// Why TLS can't be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("can't read {what} {}", path.display())]
    Read {
        /// What the file is for.
        what: &'static str,
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file or text without what it should hold.
    #[error("{what} {place} holds no usable PEM block; expected -----BEGIN {expected}-----")]
    Pem {
        /// What it is for.
        what: &'static str,
        /// File, or where the text comes from.
        place: String,
        /// The label looked for.
        expected: &'static str,
    },
    /// Only one of client certificate and key.
    #[error("client_cert and client_key belong together, as do their _BYTES; set both or neither")]
    Half,
    /// The client certificate doesn't fit its key, or is of an unknown kind.
    #[error("client certificate {cert} and its key can't be used together")]
    Identity {
        /// The certificate's path, or where its text comes from.
        cert: String,
        /// What the TLS library says.
        source: rustls::Error,
    },
    /// A server name that is none.
    #[error("tls_server_name `{name}` is neither a host name nor an IP address")]
    Name {
        /// The name.
        name: String,
    },
    /// The TLS library refuses its own settings.
    #[error("TLS can't be set up")]
    Setup {
        /// What the TLS library says.
        source: rustls::Error,
    },
}

impl TlsConfig {
    /// Builds the configuration for the TLS library, reading all files now.
    ///
    /// # Errors
    /// Files that can't be read or hold no certificate or key; a certificate without its key.
    pub fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let verifier = self.verifier(&provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|source| TlsError::Setup { source })?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        match self.identity()? {
            None => Ok(builder.with_no_client_auth()),
            Some((cert, chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|source| TlsError::Identity { cert, source }),
        }
    }

    /// The client certificate with its key, and where it comes from; files count before texts.
    fn identity(&self) -> Result<Option<Identity>, TlsError> {
        const CERT: &str = "client certificate";
        match (&self.client_cert, &self.client_key) {
            (Some(cert), Some(key)) => {
                let key = private_key(key)?;
                return Ok(Some((cert.display().to_string(), certificates(CERT, cert)?, key)));
            }
            (None, None) => {}
            _ => return Err(TlsError::Half),
        }
        match (&self.client_cert_bytes, &self.client_key_bytes) {
            (Some(cert), Some(key)) => {
                let key = pem_key("in VAULT_CLIENT_KEY_BYTES", key.0.as_bytes())?;
                let place = "in VAULT_CLIENT_CERT_BYTES";
                Ok(Some((place.to_owned(), pem_certificates(CERT, place, cert.as_bytes())?, key)))
            }
            (None, None) => Ok(None),
            _ => Err(TlsError::Half),
        }
    }

    /// A configuration that trusts the built-in list of public CAs and reads nothing.
    pub(super) fn public_roots() -> Result<ClientConfig, TlsError> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|source| TlsError::Setup { source })?
            .with_root_certificates(roots)
            .with_no_client_auth())
    }

    /// The name that certificates must be for, when it isn't the address's host.
    pub(super) fn name(&self) -> Result<Option<ServerName<'static>>, TlsError> {
        let name = self.server_name.as_deref().map(str::trim).filter(|name| !name.is_empty());
        name.map(|name| {
            ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name { name: name.to_owned() })
        })
        .transpose()
    }

    /// The files that this reads as they are now, to notice a rotation. Of a folder, only what comes, goes or gets
    /// another name is noticed; mounted volumes are updated that way.
    pub fn stamp(&self) -> [Option<Stamp>; 4] {
        [&self.ca_cert, &self.ca_path, &self.client_cert, &self.client_key]
            .map(|path| path.as_deref().and_then(Stamp::of))
    }

    fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
        if self.skip_verify {
            return Ok(Arc::new(TrustAny(Arc::clone(provider))));
        }
        let roots = Arc::new(self.roots()?);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider))
            .build()
            .map_err(|error| TlsError::Setup { source: rustls::Error::General(error.to_string()) })?;
        Ok(match self.name()? {
            Some(name) => Arc::new(ExpectName { name, verifier }),
            None => verifier,
        })
    }

    /// The trusted CAs: a configured source replaces the system's, the first of file, text and folder counts.
    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let what = "CA certificate";
        let certificates = if let Some(path) = &self.ca_cert {
            certificates(what, path)?
        } else if let Some(text) = self.ca_cert_bytes.as_deref().filter(|text| !text.trim().is_empty()) {
            pem_certificates(what, "in VAULT_CACERT_BYTES", text.as_bytes())?
        } else if let Some(folder) = &self.ca_path {
            folder_certificates(folder)?
        } else {
            return Ok(system_roots());
        };
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            let place = self.ca_cert.as_deref().or(self.ca_path.as_deref());
            let place =
                place.map_or_else(|| "VAULT_CACERT_BYTES".to_owned(), |path| path.display().to_string());
            return Err(TlsError::Pem { what, place, expected: "CERTIFICATE" });
        }
        Ok(roots)
    }
}

/// The system's CAs; in an image without any, the built-in list of public ones.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn folder_certificates(folder: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let what = "CA folder";
    fs::read_dir(folder).map_err(|source| TlsError::Read { what, path: folder.to_owned(), source })?;
    let found = rustls_native_certs::load_certs_from_paths(None, Some(folder)).certs;
    if found.is_empty() {
        return Err(TlsError::Pem { what, place: folder.display().to_string(), expected: "CERTIFICATE" });
    }
    Ok(found)
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = fs::read(path).map_err(|source| TlsError::Read { what, path: path.to_owned(), source })?;
    pem_certificates(what, &path.display().to_string(), &text)
}

fn pem_certificates(
    what: &'static str,
    place: &str,
    text: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(text).filter_map(Result::ok).collect();
    if found.is_empty() {
        return Err(TlsError::Pem { what, place: place.to_owned(), expected: "CERTIFICATE" });
    }
    Ok(found)
}

const KEY: &str = "client key";

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let read = fs::read(path);
    let text = read.map_err(|source| TlsError::Read { what: KEY, path: path.to_owned(), source })?;
    pem_key(&path.display().to_string(), &Zeroizing::new(text))
}

fn pem_key(place: &str, text: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(text).map_err(|_| TlsError::Pem {
        what: KEY,
        place: place.to_owned(),
        expected: "PRIVATE KEY",
    })
}

/// Verifies as usual, but against one given name instead of the URL's host.
#[derive(Debug)]
struct ExpectName {
    name: ServerName<'static>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for ExpectName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verifier.verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// `tls_skip_verify`: any certificate will do, but the handshake must still be signed with it.
#[derive(Debug)]
struct TrustAny(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
