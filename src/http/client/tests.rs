use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    sync::mpsc,
    thread,
};

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use super::*;

/// Answers every connection's first request with `body` and reports the request's text.
struct Server {
    port: u16,
    requests: mpsc::Receiver<String>,
}

fn serve(tls: Option<Arc<ServerConfig>>, answer: &'static str) -> Server {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, requests) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let request = match &tls {
                Some(config) => {
                    let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                    exchange(StreamOwned::new(connection, stream), answer)
                }
                None => exchange(stream, answer),
            };
            // A handshake that the client breaks off has no request.
            if let Ok(request) = request
                && sender.send(request).is_err()
            {
                return;
            }
        }
    });
    Server { port, requests }
}

fn exchange(mut stream: impl Read + Write, answer: &str) -> std::io::Result<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
        text.push(byte[0]);
        // A TLS handshake at a plain server: it answers at once.
        if text == [0x16] {
            break;
        }
    }
    stream.write_all(answer.as_bytes())?;
    stream.flush()?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

const OK: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

/// A CA on disk and a server configuration with a certificate for `name`.
struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    #[expect(clippy::disallowed_methods, reason = "a test's own input file")]
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn server(&self, name: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let cert =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Arc::new(
            ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![cert.der().clone()], key)
                .unwrap(),
        )
    }
}

fn client(address: &str, tls: TlsConfig) -> HttpClient {
    let address = Address::parse(address).unwrap();
    let settings = Settings { address, tls, proxy: Proxy::default(), idle_connections: 2 };
    HttpClient::new(settings, Dns::from_files("/etc/hosts", "/nowhere")).unwrap()
}

async fn get(client: &HttpClient) -> Result<String, HttpError> {
    let url = client.address().url("v1/x", []);
    let response = client.send(client.request(Method::GET, "v1/x", []), &url).await?;
    let body = read(response, || url.clone(), 1024).await?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn a_ca_file_is_trusted_and_a_missing_one_says_what_to_set() {
    let ca = Authority::new();
    let server = serve(Some(ca.server("localhost")), OK);
    let address = format!("https://localhost:{}", server.port);
    let trusting = client(&address, TlsConfig { ca_cert: Some(ca.ca()), ..TlsConfig::default() });
    assert_eq!(get(&trusting).await.unwrap(), "ok");
    assert!(server.requests.recv().unwrap().contains(&format!("host: localhost:{}\r\n", server.port)));

    let bytes =
        TlsConfig { ca_cert_bytes: Some(fs::read_to_string(ca.ca()).unwrap()), ..TlsConfig::default() };
    assert_eq!(get(&client(&address, bytes)).await.unwrap(), "ok");
    let folder = TlsConfig { ca_path: Some(ca.folder.path().to_owned()), ..TlsConfig::default() };
    assert_eq!(get(&client(&address, folder)).await.unwrap(), "ok");

    let error = get(&client(&address, TlsConfig::default())).await.unwrap_err();
    assert!(matches!(error, HttpError::UnknownCa { .. }), "{error:?}");
    assert!(error.is_connection() && error.hint().unwrap().contains("VAULT_CACERT"));
    let blind = TlsConfig { skip_verify: true, ..TlsConfig::default() };
    assert_eq!(get(&client(&address, blind)).await.unwrap(), "ok");
}

#[tokio::test]
async fn a_server_name_goes_into_sni_and_verification_while_the_host_header_stays() {
    let ca = Authority::new();
    let server = serve(Some(ca.server("vault.example")), OK);
    let address = format!("https://127.0.0.1:{}", server.port);
    let trust = TlsConfig { ca_cert: Some(ca.ca()), ..TlsConfig::default() };
    let error = get(&client(&address, trust.clone())).await.unwrap_err();
    assert!(
        matches!(&error, HttpError::WrongName { names, .. } if names.contains("vault.example")),
        "{error:?}"
    );

    let named = TlsConfig { server_name: Some("vault.example".into()), ..trust };
    assert_eq!(get(&client(&address, named)).await.unwrap(), "ok");
    let request = server.requests.recv().unwrap();
    assert!(request.contains(&format!("host: 127.0.0.1:{}\r\n", server.port)), "{request}");
}

#[tokio::test]
async fn tls_towards_a_plain_port_and_nobody_listening_are_told_apart() {
    let server = serve(None, OK);
    let error =
        get(&client(&format!("https://127.0.0.1:{}", server.port), TlsConfig::default())).await.unwrap_err();
    assert!(matches!(error, HttpError::PlainHttp { .. }), "{error:?}");
    assert!(error.to_string().starts_with(&format!("https://127.0.0.1:{}/v1/x: ", server.port)), "{error}");

    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let error = get(&client(&format!("http://127.0.0.1:{free}"), TlsConfig::default())).await.unwrap_err();
    assert!(matches!(error, HttpError::Refused { .. }), "{error:?}");
    let gone = client("unix:///nowhere/vault.sock", TlsConfig::default());
    assert!(matches!(get(&gone).await.unwrap_err(), HttpError::Refused { .. }));
    let nameless = get(&client("http://nosuch.invalid", TlsConfig::default())).await.unwrap_err();
    assert!(
        matches!(&nameless, HttpError::Dns { source, .. } if source.name == "nosuch.invalid"),
        "{nameless:?}"
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_is_too_large_is_no_connection_trouble() {
    let short = serve(None, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok");
    let error =
        get(&client(&format!("http://127.0.0.1:{}", short.port), TlsConfig::default())).await.unwrap_err();
    assert!(matches!(error, HttpError::Closed { .. }) && !error.is_connection(), "{error:?}");

    let long = serve(None, "HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\nok");
    let error =
        get(&client(&format!("http://127.0.0.1:{}", long.port), TlsConfig::default())).await.unwrap_err();
    assert!(matches!(error, HttpError::TooLarge { limit: 1024, .. }) && !error.retry_helps(), "{error:?}");
}

/// Reads a little of each request, answers, and leaves the rest unread: the system then resets the connection.
fn leaves_requests_unread(answer: &'static str) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut start = [0; 5];
            stream.read_exact(&mut start).unwrap();
            stream.peek(&mut start).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    port
}

#[tokio::test]
async fn a_refusal_counts_although_its_connection_is_reset_and_half_an_answer_does_not() {
    let at = |answer| {
        client(&format!("http://127.0.0.1:{}", leaves_requests_unread(answer)), TlsConfig::default())
    };
    let said = get(&at("HTTP/1.0 400 Bad Request\r\n\r\nto an HTTPS server.\n")).await.unwrap();
    assert_eq!(said, "to an HTTPS server.\n");
    for half in [
        "HTTP/1.0 200 OK\r\n\r\nok",
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 9\r\n\r\nno",
        "HTTP/1.0 400 Bad Request\r\n\r\n",
        "HTTP/1.0 400 Bad",
    ] {
        let error = get(&at(half)).await.unwrap_err();
        assert!(matches!(error, HttpError::Closed { .. }), "{half:?}: {error:?}");
        assert!(!error.to_string().contains("os error"), "{error}");
        assert!(error.hint().unwrap().starts_with("write https:// in the address if"));
    }
}

#[tokio::test]
async fn an_answer_without_a_length_is_read_whole_and_bounded_too() {
    let chunked = |text: &str| {
        let text = format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{0:x}\r\n{text}\r\n{0:x}\r\n{text}\r\n0\r\n\r\n",
            text.len()
        );
        let server = serve(None, text.leak());
        client(&format!("http://127.0.0.1:{}", server.port), TlsConfig::default())
    };
    let half = "x".repeat(512);
    assert_eq!(get(&chunked(&half)).await.unwrap(), half.repeat(2));
    let error = get(&chunked(&"x".repeat(513))).await.unwrap_err();
    assert!(matches!(error, HttpError::TooLarge { limit: 1024, .. }), "{error:?}");
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test's own input file")]
async fn a_ca_file_with_an_old_date_put_in_place_of_another_is_noticed() {
    let (old, new) = (Authority::new(), Authority::new());
    let server = serve(Some(new.server("localhost")), OK);
    let trust = TlsConfig { ca_cert: Some(old.ca()), ..TlsConfig::default() };
    let before = trust.stamp();
    let client = client(&format!("https://localhost:{}", server.port), trust.clone());
    let date = fs::metadata(old.ca()).unwrap().modified().unwrap();
    fs::File::options().write(true).open(new.ca()).unwrap().set_modified(date).unwrap();
    fs::rename(new.ca(), old.ca()).unwrap();
    assert_ne!(trust.stamp(), before);
    assert_eq!(get(&client).await.unwrap(), "ok");
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test's own input file")]
async fn a_rotated_ca_file_is_read_anew() {
    let (old, new) = (Authority::new(), Authority::new());
    let server = serve(Some(new.server("localhost")), OK);
    let trust = TlsConfig { ca_cert: Some(old.ca()), ..TlsConfig::default() };
    let client = client(&format!("https://localhost:{}", server.port), trust);
    assert!(matches!(get(&client).await.unwrap_err(), HttpError::UnknownCa { .. }));
    fs::write(old.ca(), new.issuer.pem()).unwrap();
    let later = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    fs::File::options().write(true).open(old.ca()).unwrap().set_modified(later).unwrap();
    assert_eq!(get(&client).await.unwrap(), "ok");
}

#[test]
fn settings_that_cant_work_name_file_and_remedy() {
    let setup = |tls: TlsConfig| {
        let address = Address::parse("https://v").unwrap();
        let settings = Settings { address, tls, proxy: Proxy::default(), idle_connections: 2 };
        HttpClient::new(settings, Dns::default()).unwrap_err().to_string()
    };
    let missing = TlsConfig { ca_cert: Some("/nowhere/ca.pem".into()), ..TlsConfig::default() };
    assert_eq!(setup(missing), "can't read CA certificate /nowhere/ca.pem");
    let text = TlsConfig { ca_cert_bytes: Some("rubbish".into()), ..TlsConfig::default() };
    assert!(setup(text).contains("VAULT_CACERT_BYTES"));
    let bytes = TlsConfig { client_key_bytes: Some("hunter2".into()), ..TlsConfig::default() };
    assert!(!format!("{bytes:?}").contains("hunter2") && setup(bytes).contains("_BYTES"));
    let half = TlsConfig { client_cert: Some("c.pem".into()), skip_verify: true, ..TlsConfig::default() };
    assert!(setup(half).contains("client_key"));
    let name = TlsConfig { server_name: Some("not a name".into()), ..TlsConfig::default() };
    assert!(setup(name).contains("tls_server_name"));
}
