//! A blocking HTTP/1.1 client for loopback servers, independent of the one under test.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::Value;

use super::PATIENCE;

/// Status and body of an answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    /// The body as JSON; `null` when there is none.
    pub fn json(&self) -> Value {
        if self.body.trim().is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }
}

/// Sends one request to `host:port`.
pub fn call(
    authority: &str,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> std::io::Result<Answer> {
    let token: Vec<_> = token.map(|token| ("X-Vault-Token", token)).into_iter().collect();
    call_with(authority, (method, path), &token, body)
}

/// Sends one request with these headers to `host:port`.
pub fn call_with(
    authority: &str,
    line: (&str, &str),
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(authority.parse::<std::net::SocketAddr>().expect("host:port"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request(authority, line, headers, body).as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    parse(&bytes).ok_or_else(|| std::io::Error::other("not an HTTP answer"))
}

/// The bytes of one request, after which the connection ends.
pub fn request(
    authority: &str,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> String {
    let body = body.map(ToString::to_string).unwrap_or_default();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
    }
    format!("{head}\r\n{body}")
}

/// Status and body of a whole answer.
pub fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let rest = &bytes[end + 4..];
    let is_chunked = |(key, value): (&str, &str)| {
        key.eq_ignore_ascii_case("transfer-encoding") && value.contains("chunked")
    };
    let chunked = lines.filter_map(|line| line.split_once(':')).any(is_chunked);
    let body = if chunked { unchunk(rest)? } else { rest.to_vec() };
    Some(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?.trim(), 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}
