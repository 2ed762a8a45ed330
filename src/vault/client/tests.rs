use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    sync::mpsc,
    thread,
};

use super::*;
use crate::http::{Settings, address::Address, dns::Dns, proxy::Proxy, tls::TlsConfig};

/// A server that answers its connections with the given texts, one each, and reports what was asked.
struct Server {
    port: u16,
    requests: mpsc::Receiver<String>,
}

fn serve(answers: Vec<String>) -> Server {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, requests) = mpsc::channel();
    thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = String::new();
            let mut buffer = [0; 4096];
            loop {
                let count = stream.read(&mut buffer).unwrap();
                text.push_str(&String::from_utf8_lossy(&buffer[..count]));
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length =
                    head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
                if body.len() >= length.parse().unwrap() {
                    break;
                }
            }
            stream.write_all(answer.as_bytes()).unwrap();
            sender.send(text).unwrap();
        }
    });
    Server { port, requests }
}

fn answer(status: &str, extra: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{extra}content-length: {}\r\n\r\n{body}", body.len())
}

fn client(address: &str) -> VaultClient {
    let address = Address::parse(address).unwrap();
    let (tls, proxy) = (TlsConfig::default(), Proxy::default());
    let settings = Settings { address, tls, proxy, idle_connections: 1 };
    let http = HttpClient::new(settings, Dns::from_files("/nowhere", "/nowhere")).unwrap();
    VaultClient::new(http, Duration::ZERO)
}

async fn ask(answers: Vec<String>, call: &Call<'_>) -> (Result<Option<Secret>, VaultError>, Server) {
    let server = serve(answers);
    let result = client(&format!("http://127.0.0.1:{}", server.port)).send(call).await;
    (result, server)
}

#[tokio::test]
async fn a_login_carries_the_headers_of_the_original_and_no_token() {
    let body = Body::json(&serde_json::json!({"role": "app", "jwt": "j"}));
    let namespace = Namespace::parse("team").unwrap();
    let call = Call::write("auth/kubernetes/login", body, Product::AutoAuth)
        .namespace(Some(&namespace))
        .wrap_ttl(Duration::from_secs(90));
    let reply = answer("200 OK", "", r#"{"auth":{"client_token":"hvs.canary","lease_duration":60}}"#);
    let (result, server) = ask(vec![reply], &call).await;
    assert_eq!(result.unwrap().unwrap().auth.unwrap().client_token, Token::new("hvs.canary"));
    let request = server.requests.recv().unwrap();
    assert!(request.starts_with("PUT /v1/auth/kubernetes/login HTTP/1.1\r\n"), "{request}");
    for header in [
        "x-vault-request: true",
        "x-vault-namespace: team/",
        "x-vault-wrap-ttl: 90s",
        "content-type: application/json",
    ] {
        assert!(request.contains(&format!("{header}\r\n")), "{header} in {request}");
    }
    assert!(request.contains("user-agent: Vault Agent Auto-Auth/"), "{request}");
    assert!(!request.contains("x-vault-token"));
    assert!(request.ends_with(r#"{"jwt":"j","role":"app"}"#), "{request}");
}

#[tokio::test]
async fn a_read_carries_token_and_parameters() {
    let (token, params) = (Token::new("hvs.canary"), Params::from([("version".into(), "3".into())]));
    let call = Call::list("secret/metadata/a b", Product::Templating).token(&token).params(&params);
    assert!(!format!("{call:?}").contains("canary"));
    let (result, server) = ask(vec![answer("204 No Content", "", "")], &call).await;
    assert_eq!(result.unwrap(), None);
    let request = server.requests.recv().unwrap();
    assert!(request.starts_with("GET /v1/secret/metadata/a%20b?list=true&version=3 "), "{request}");
    assert!(request.contains("x-vault-token: hvs.canary\r\n"));
}

#[tokio::test]
async fn errors_name_the_place_and_never_the_token() {
    let token = Token::new("hvs.canary");
    let call = Call::read("secret/a", Product::Templating).token(&token);
    let reply =
        answer("429 Too Many Requests", "retry-after: 7\r\n", r#"{"errors":["slow down, hvs.canary"]}"#);
    let (result, server) = ask(vec![reply], &call).await;
    let error = result.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(
        error.to_string(),
        format!("GET http://127.0.0.1:{}/v1/secret/a: 429 slow down, [hidden]", server.port)
    );

    let control = Token::new("a\u{7}b");
    let (result, _server) = ask(Vec::new(), &Call::read("a", Product::Agent).token(&control)).await;
    let error = result.unwrap_err();
    assert!(error.to_string().contains("token has characters") && !error.retry_helps(), "{error}");
}

#[tokio::test]
async fn a_404_with_data_or_warnings_is_an_answer() {
    let call = Call::read("secret/data/a", Product::Templating);
    let deleted = r#"{"request_id":"r","data":{"data":null,"metadata":{"version":2}}}"#;
    assert!(ask(vec![answer("404 Not Found", "", deleted)], &call).await.0.unwrap().is_some());
    let warned = r#"{"request_id":"r","warnings":["wrong path"]}"#;
    assert!(ask(vec![answer("404 Not Found", "", warned)], &call).await.0.unwrap().is_some());
    for empty in [r#"{"errors":[]}"#, r#"{"request_id":"r","data":{}}"#, ""] {
        let error = ask(vec![answer("404 Not Found", "", empty)], &call).await.0.unwrap_err();
        assert!(matches!(error, VaultError::Missing(_)), "{empty}: {error:?}");
    }
}

#[tokio::test]
async fn one_redirect_to_the_same_path_is_followed() {
    let active = serve(vec![answer("200 OK", "", r#"{"data":{"a":"b"}}"#)]);
    let location = format!("location: http://127.0.0.1:{}/v1/secret/a?version=1\r\n", active.port);
    let (token, params) = (Token::new("t0ken"), Params::from([("version".into(), "1".into())]));
    let call = Call::read("secret/a", Product::Templating).token(&token).params(&params);
    let (result, _standby) = ask(vec![answer("307 Temporary Redirect", &location, "")], &call).await;
    assert!(result.unwrap().unwrap().data.is_some());
    assert!(active.requests.recv().unwrap().contains("x-vault-token: t0ken"));
}

#[tokio::test]
async fn a_second_redirect_is_an_error_and_never_an_empty_answer() {
    let location = "location: http://127.0.0.1:1/v1/secret/a\r\n";
    let active = serve(vec![answer("307 Temporary Redirect", location, "")]);
    let location = format!("location: http://127.0.0.1:{}/v1/secret/a\r\n", active.port);
    let call = Call::read("secret/a", Product::Templating);
    let error = ask(vec![answer("307 Temporary Redirect", &location, "")], &call).await.0.unwrap_err();
    assert!(error.to_string().contains("redirects again"), "{error}");
}

#[tokio::test]
async fn the_token_goes_to_no_other_page() {
    let token = Token::new("t0ken");
    let call = Call::read("secret/a", Product::Templating).token(&token);
    for location in ["https://sso.example/login", "ftp://127.0.0.1/v1/secret/a"] {
        let reply = answer("302 Found", &format!("location: {location}\r\n"), "");
        let error = ask(vec![reply], &call).await.0.unwrap_err();
        assert!(matches!(error, VaultError::Redirect { status: 302, .. }), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_a_timeout() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let error = client(&address).send(&Call::read("a", Product::Agent)).await.unwrap_err();
    // With paused time the connect limit may strike first; either way nothing waits for ever.
    assert!(
        matches!(error, VaultError::Timeout { .. } | VaultError::Unreachable { .. }) && error.retry_helps(),
        "{error:?}"
    );
}

#[test]
fn bodies_are_read_as_the_original_reads_them() {
    assert_eq!(secret(b" \n").unwrap(), None);
    assert_eq!(secret(b"{}").unwrap(), None);
    assert_eq!(secret(br#"{"errors":["x"]}"#).unwrap(), None);
    let health = secret(br#"{"initialized":true,"version":"1.2"}"#).unwrap().unwrap();
    assert_eq!(health.data.unwrap().get("version").and_then(Value::as_str), Some("1.2"));
    assert_eq!(secret(br#"{"lease_id":"l","data":null}"#).unwrap().unwrap().data, None);
    for broken in [&b"<html>"[..], b"[1]", br#"{"lease_duration":"hunter2"}"#] {
        let message = secret(broken).unwrap_err();
        assert!(message.contains("not Vault's JSON") && !message.contains("hunter2"), "{message}");
    }
}

#[test]
fn a_lying_retry_after_is_bounded() {
    let headers = |text| HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
    assert_eq!(retry_after(&headers("99999999")), Some(MAX_RETRY_AFTER));
    assert_eq!(retry_after(&headers("soon")), None);
}

#[tokio::test]
async fn a_bare_refusal_means_the_token_unless_it_answers_a_login() {
    let token = Token::new("hvs.canary");
    let refused = || vec![answer("403 Forbidden", "", r#"{"errors":["permission denied"]}"#)];
    let read = Call::read("secret/data/a", Product::Templating).token(&token);
    assert!(matches!(ask(refused(), &read).await.0, Err(VaultError::InvalidToken(_))));
    for path in ["auth/team/jwt/login", "auth/ldap/login/web"] {
        let body = Body::json(&serde_json::json!({}));
        let login = Call::write(path, body, Product::Templating).token(&token);
        assert!(matches!(ask(refused(), &login).await.0, Err(VaultError::Denied(_))), "{path}");
    }
    let anonymous = Call::read("secret/data/a", Product::Templating);
    assert!(matches!(ask(refused(), &anonymous).await.0, Err(VaultError::Denied(_))));
}
