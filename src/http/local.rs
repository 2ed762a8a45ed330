//! One request to a neighbour on this machine: over loopback or a Unix socket, never further, whatever it answers.

use std::{fmt, str::FromStr, time::Duration};

use reqwest::{
    Method as Verb, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use thiserror::Error;

use super::{
    HttpClient, Settings, SetupError,
    address::{Address, AddressError},
    dns::Dns,
    error::HttpError,
    proxy::Proxy,
    tls::TlsConfig,
};

/// The address of a neighbour: `http://127.0.0.1:9090/-/reload`, or `unix:///run/app.sock:/reload` with the path
/// behind the socket's.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LocalUrl {
    /// What the user wrote, without its query: a query may hold what is not for the log.
    shown: String,
    /// Address without path, for the client.
    base: String,
    url: Url,
}

/// Why a text is no address of a neighbour.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LocalUrlError {
    /// Not an address at all.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// An address elsewhere.
    #[error("`{host}` is not this machine")]
    Elsewhere {
        /// The host.
        host: String,
    },
    /// TLS.
    #[error("https is not spoken here")]
    Tls,
}

impl LocalUrl {
    /// Parses an address of a neighbour.
    ///
    /// # Errors
    /// Anything that is not plain HTTP to this machine.
    pub fn parse(text: &str) -> Result<Self, LocalUrlError> {
        let text = text.trim();
        let syntax = || AddressError::Syntax { text: text.to_owned() };
        let shown = text.split_once('?').map_or(text, |(before, _)| before).to_owned();
        if let Some(rest) = text.strip_prefix("unix://") {
            let (socket, path) = rest.split_once(":/").unwrap_or((rest, ""));
            let base = format!("unix://{socket}");
            Address::parse(&base)?;
            let url = Url::parse(&format!("http://localhost/{path}")).map_err(|_| syntax())?;
            return Ok(Self { shown, base, url });
        }
        let address = Address::parse(text)?;
        if address.is_tls() {
            return Err(LocalUrlError::Tls);
        }
        if !address.is_loopback() {
            let host = address.base().host_str().unwrap_or_default().to_owned();
            return Err(LocalUrlError::Elsewhere { host });
        }
        let mut url = Url::parse(text).map_err(|_| syntax())?;
        url.set_fragment(None);
        let mut base = url.clone();
        base.set_path("");
        base.set_query(None);
        Ok(Self { shown, base: base.to_string(), url })
    }
}

impl fmt::Display for LocalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for LocalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalUrl({})", self.shown)
    }
}

/// What is asked of a neighbour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// `POST`.
    #[default]
    Post,
    /// `PUT`.
    Put,
    /// `GET`.
    Get,
}

impl Method {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Get => "GET",
        }
    }
}

impl FromStr for Method {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Post, Self::Put, Self::Get]
            .into_iter()
            .find(|method| method.name().eq_ignore_ascii_case(text))
            .ok_or(())
    }
}

/// Whether a text can be the name of a header, and another its value.
pub fn is_header(name: &str, value: &str) -> bool {
    HeaderName::from_str(name).is_ok() && HeaderValue::from_str(value).is_ok()
}

/// Why a neighbour did not say yes.
#[derive(Debug, Error)]
pub enum LocalError {
    /// No client.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// No answer in time.
    #[error("no answer within {limit:?}")]
    Timeout {
        /// The limit.
        limit: Duration,
    },
    /// An answer that isn't a success. A redirect is one of them: it is never followed.
    #[error("answered {status}{}", redirect(*status))]
    Status {
        /// The status code.
        status: u16,
    },
}

fn redirect(status: u16) -> &'static str {
    if status / 100 == 3 { ", a redirect, which is not followed" } else { "" }
}

/// Sends one request on a connection of its own and takes any status from 200 to 299 for a yes.
///
/// # Errors
/// Anything else within `limit`, or nothing.
pub async fn ask(
    method: Method,
    url: &LocalUrl,
    headers: &[(String, String)],
    body: &str,
    limit: Duration,
) -> Result<(), LocalError> {
    let address = Address::parse(&url.base)
        .map_err(|error| HttpError::Request { url: url.url.clone(), cause: error.to_string() })?;
    let settings =
        Settings { address, tls: TlsConfig::default(), proxy: Proxy::default(), idle_connections: 0 };
    let client = HttpClient::new(settings, Dns::default())?;
    let verb = match method {
        Method::Post => Verb::POST,
        Method::Put => Verb::PUT,
        Method::Get => Verb::GET,
    };
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_str(name), HeaderValue::from_str(value)) {
            map.append(name, value);
        }
    }
    let mut request = client.request_at(verb, url.url.clone()).headers(map);
    if method != Method::Get {
        // Also without a body: the length 0 is then said, which some servers insist on.
        request = request.body(body.to_owned());
    }
    // The query may hold what is not for messages.
    let mut shown = url.url.clone();
    shown.set_query(None);
    let answer = tokio::time::timeout(limit, client.send(request, &shown));
    let answer = answer.await.map_err(|_| LocalError::Timeout { limit })??;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(LocalError::Status { status: status.as_u16() }) }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, UnixListener},
    };

    use super::*;

    #[test]
    fn only_this_machine_is_a_neighbour() {
        for text in [
            "http://127.0.0.1:9090/-/reload",
            "http://localhost:80/a?b=c",
            "http://[::1]:1/",
            "unix:///run/app.sock:/reload",
            "unix:///run/app.sock",
        ] {
            assert!(LocalUrl::parse(text).is_ok(), "{text}");
        }
        for text in ["http://10.0.0.1/", "http://vault/", "http://127.0.0.1.example/", "http://localhost.x/"]
        {
            assert!(matches!(LocalUrl::parse(text), Err(LocalUrlError::Elsewhere { .. })), "{text}");
        }
        assert_eq!(LocalUrl::parse("https://127.0.0.1/"), Err(LocalUrlError::Tls));
        for text in ["127.0.0.1:9090", "unix://app.sock:/x", "http://u:hunter2@127.0.0.1/", ""] {
            let error = LocalUrl::parse(text).unwrap_err();
            assert!(matches!(error, LocalUrlError::Address(_)), "{text}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn a_query_is_never_shown() {
        let url = LocalUrl::parse("http://127.0.0.1/reload?token=canary").unwrap();
        assert_eq!(
            (url.to_string(), format!("{url:?}")),
            ("http://127.0.0.1/reload".to_owned(), "LocalUrl(http://127.0.0.1/reload)".to_owned())
        );
        assert_eq!(url.url.query(), Some("token=canary"));
    }

    type Heard = Arc<Mutex<String>>;

    async fn answer(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, heard: Heard, with: &str) {
        let mut buffer = vec![0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        *heard.lock().unwrap() = String::from_utf8_lossy(&buffer[..read]).into_owned();
        stream.write_all(with.as_bytes()).await.unwrap();
    }

    async fn asked(with: &str) -> (Result<(), LocalError>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/-/reload?a=b%20c", listener.local_addr().unwrap());
        let heard = Heard::default();
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            answer(stream, heard.clone(), with).await;
        };
        let url = LocalUrl::parse(&url).unwrap();
        let headers = [("X-Reason".to_owned(), "rotation".to_owned())];
        let (result, ()) =
            tokio::join!(ask(Method::Post, &url, &headers, "now", Duration::from_secs(20)), server);
        let heard = heard.lock().unwrap().clone();
        (result, heard)
    }

    #[tokio::test]
    async fn a_request_arrives_as_it_was_said_and_only_success_is_a_yes() {
        let (result, heard) = asked("HTTP/1.1 204 No Content\r\n\r\n").await;
        result.unwrap();
        assert!(heard.starts_with("POST /-/reload?a=b%20c HTTP/1.1\r\n"), "{heard}");
        assert!(
            heard.contains("x-reason: rotation\r\n") && heard.contains("content-length: 3\r\n"),
            "{heard}"
        );
        assert!(heard.ends_with("\r\n\r\nnow"), "{heard}");
        let (result, _) = asked("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n").await;
        assert!(matches!(result, Err(LocalError::Status { status: 500 })), "{result:?}");
        let moved = "HTTP/1.1 307 Moved\r\nlocation: http://192.0.2.1/\r\ncontent-length: 0\r\n\r\n";
        let error = asked(moved).await.0.unwrap_err();
        assert_eq!(error.to_string(), "answered 307, a redirect, which is not followed");
    }

    #[tokio::test]
    async fn a_socket_is_asked_with_its_own_path() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("app.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let heard = Heard::default();
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            answer(stream, heard.clone(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        };
        let url = LocalUrl::parse(&format!("unix://{}:/v1/reload?x=1", socket.display())).unwrap();
        let (result, ()) = tokio::join!(ask(Method::Put, &url, &[], "", Duration::from_secs(20)), server);
        result.unwrap();
        assert!(heard.lock().unwrap().starts_with("PUT /v1/reload?x=1 HTTP/1.1\r\n"));
    }

    #[tokio::test]
    async fn silence_ends_with_the_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = LocalUrl::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let limit = Duration::from_millis(30);
        let error = ask(Method::Get, &url, &[], "", limit).await.unwrap_err();
        assert!(matches!(error, LocalError::Timeout { .. }), "{error:?}");
    }
}
