//! The server as auto-auth sees it: the real one is the gate.

use crate::{
    config::CertIdentity,
    http::{SetupError, tls::TlsConfig},
    vault::{
        client::{Call, VaultClient},
        error::VaultError,
        gate::{Class, Gate, Pass},
        secret::Secret,
    },
};

/// The server as auto-auth sees it.
pub trait Server: Send + Sync {
    /// The right to send one request.
    type Pass: Send;
    /// A client with a trust and identity of its own.
    type Client: Send + Sync;

    /// A client to the same server that shows another certificate, or trusts other CAs.
    ///
    /// # Errors
    /// Certificate files that can't be used.
    fn own_client(&self, identity: &CertIdentity) -> Result<Self::Client, SetupError>;

    /// Waits until a request may be sent; an outage may pass meanwhile.
    fn pass(&self, class: Class, path: &str) -> impl Future<Output = Self::Pass> + Send;

    /// Sends it, with the method's own client if it has one.
    fn send(
        &self,
        pass: Self::Pass,
        path: &str,
        call: &Call<'_>,
        own: Option<&Self::Client>,
    ) -> impl Future<Output = Result<Option<Secret>, VaultError>> + Send;

    /// Its address, for messages.
    fn address(&self) -> String;
}

impl Server for Gate<VaultClient> {
    type Pass = Pass;
    type Client = VaultClient;

    fn own_client(&self, identity: &CertIdentity) -> Result<VaultClient, SetupError> {
        self.upstream().with_tls(|tls| apply(identity, tls))
    }

    async fn pass(&self, class: Class, path: &str) -> Pass {
        Self::pass(self, class, path).await
    }

    async fn send(
        &self,
        pass: Pass,
        path: &str,
        call: &Call<'_>,
        own: Option<&VaultClient>,
    ) -> Result<Option<Secret>, VaultError> {
        let result = own.unwrap_or_else(|| self.upstream()).send(call).await;
        self.report(path, &result);
        drop(pass);
        result
    }

    fn address(&self) -> String {
        self.upstream().address()
    }
}

/// What the method says counts before what stanza `vault` says.
fn apply(identity: &CertIdentity, tls: &mut TlsConfig) {
    if let Some(ca_cert) = &identity.ca_cert {
        tls.ca_cert = Some(ca_cert.clone());
    }
    if let Some((cert, key)) = &identity.client {
        tls.client_cert = Some(cert.clone());
        tls.client_key = Some(key.clone());
        (tls.client_cert_bytes, tls.client_key_bytes) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_method_replaces_only_what_it_says() {
        let mut tls = TlsConfig {
            ca_cert: Some("/ca".into()),
            client_cert: Some("/cert".into()),
            client_key: Some("/key".into()),
            server_name: Some("vault".into()),
            ..TlsConfig::default()
        };
        let before = tls.clone();
        apply(&CertIdentity::default(), &mut tls);
        assert_eq!(tls, before);
        apply(&CertIdentity { ca_cert: Some("/other".into()), client: None }, &mut tls);
        assert_eq!((&tls.ca_cert, &tls.client_cert), (&Some("/other".into()), &before.client_cert));
        let client = Some(("/c".into(), "/k".into()));
        apply(&CertIdentity { ca_cert: None, client }, &mut tls);
        assert_eq!((tls.client_cert, tls.client_key), (Some("/c".into()), Some("/k".into())));
        assert_eq!(tls.server_name, before.server_name);
    }
}
