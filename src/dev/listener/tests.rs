use std::{net::SocketAddr, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::dev::{Authority, DevConfig, Identity, Server, Subject};

fn connector(authority: &Authority, identity: Option<&Identity>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    TlsConnector::from(Arc::new(config))
}

fn request(method: &str, path: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nx-vault-token: root\r\nconnection: close\r\ncontent-length: {}\r\n\r\n\
         {body}",
        body.len()
    )
}

async fn ask(address: SocketAddr, connector: &TlsConnector, request: &str) -> String {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // A cut connection is an error here, and an answer of no bytes.
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

#[tokio::test]
async fn over_tls_a_certificate_is_optional_seen_and_cut_off_by_faults() {
    let config = DevConfig { tls: true, ..DevConfig::default() };
    let now = time::OffsetDateTime::from(config.clock.wall()).unix_timestamp();
    let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), config).await.unwrap();
    assert_eq!(server.scheme(), "https");
    let (address, authority) = (server.address(), server.authority());
    let subject = Subject { common_name: "web".into(), names: vec![], from: now - 60, lifetime: 3600 };
    let identity = authority.issue(&subject).unwrap();
    let (plain, known) = (connector(&authority, None), connector(&authority, Some(&identity)));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let asking = async {
        let health = request("GET", "/v1/sys/health", "");
        assert!(ask(address, &plain, &health).await.starts_with("HTTP/1.1 200"));
        let enable = request("POST", "/v1/sys/auth/cert", r#"{"type": "cert"}"#);
        assert!(ask(address, &plain, &enable).await.starts_with("HTTP/1.1 204"));
        let role = serde_json::json!({"certificate": authority.pem()}).to_string();
        let role = request("POST", "/v1/auth/cert/certs/web", &role);
        assert!(ask(address, &plain, &role).await.starts_with("HTTP/1.1 204"));
        let login = request("POST", "/v1/auth/cert/login", "{}");
        assert!(ask(address, &known, &login).await.contains(r#""common_name":"web""#));
        assert!(ask(address, &plain, &login).await.contains("no client certificate found"));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(health.as_bytes()).await.unwrap();
        let mut answer = [0; 24];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.0 400 Bad Request");
        let fault = request("POST", "/dev/v1/faults", r#"{"drop": true}"#);
        assert!(ask(address, &plain, &fault).await.starts_with("HTTP/1.1 201"));
        assert_eq!(ask(address, &plain, &health).await, "");
        stop.send(()).unwrap();
    };
    let (ended, ()) = tokio::join!(server.run(async { drop(stopped.await) }), asking);
    ended.unwrap();
}
