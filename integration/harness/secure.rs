//! A dev server over TLS, asked by a client that trusts its authority alone.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    PATIENCE,
    http::{self, Answer},
    process::{Run, Running},
    server::ROOT,
};

/// A running `decant dev --tls`, stopped when dropped.
pub struct Secure {
    authority: String,
    ca: PathBuf,
    _process: Running,
    _folder: TempDir,
}

impl Secure {
    /// On a free port, with KV v2 at `secret/` and nothing else.
    pub fn start() -> Self {
        // The server is killed at the end and can't take its file away itself.
        let folder = TempDir::new().expect("a temporary folder");
        let run = Run::full(["dev", "--listen", "127.0.0.1:0", "--tls", "--root-token", ROOT]);
        let mut process = run.env("TMPDIR", folder.path().display().to_string()).start();
        let line = process.prints("Address:");
        let authority = line.split("https://").nth(1).expect("an address").trim().to_owned();
        let line = process.prints("VAULT_CACERT=");
        let ca = line.split("VAULT_CACERT=").nth(1).expect("a path").trim().into();
        Self { authority, ca, _process: process, _folder: folder }
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("https://{}", self.authority)
    }

    /// The file with the certificate that clients must trust.
    pub fn ca(&self) -> String {
        self.ca.display().to_string()
    }

    /// A request of root that must succeed, path from `/` on.
    #[track_caller]
    pub fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.call(method, path, body);
        assert!(answer.status / 100 == 2, "{method} {path}: {} {}", answer.status, answer.body);
        answer.json()
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let pem = fs::read(&self.ca).expect("the authority's certificate");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&pem).expect("a certificate")).expect("an authority");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        let session = ClientConnection::new(Arc::new(config), name).expect("a session");
        let socket = TcpStream::connect(self.authority.parse::<SocketAddr>().expect("host:port"));
        let socket = socket.expect("a connection");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut stream = StreamOwned::new(session, socket);
        let request = http::request(&self.authority, (method, path), &[("X-Vault-Token", ROOT)], Some(body));
        stream.write_all(request.as_bytes()).expect("a request sent");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        http::parse(&bytes).expect("an HTTP answer")
    }
}
