//! One request to Vault's API: URL, headers, body; and what the answer means.
//!
//! Source: <https://developer.hashicorp.com/vault/api-docs>. The client never retries and never waits; the gate and
//! its callers do.

mod body;

use std::time::Duration;

use reqwest::{
    Method, RequestBuilder, Response, Url,
    header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT},
};
use zeroize::Zeroizing;

pub use self::body::Body;
use super::{
    error::{Answer, VaultError},
    path::{Namespace, Params},
    redirect,
    secret::Secret,
    token::Token,
    value::Value,
};
use crate::http::{self, HttpClient, SetupError, tls::TlsConfig};

/// Largest answer taken. Vault's storage limits keep secrets far below; lists of a huge mount come nearest.
const MAX_BODY: usize = 16 << 20;
/// Limit for the question whether the server can be reached.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest `Retry-After` believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);
/// Time for one call when nobody said one (`VAULT_CLIENT_TIMEOUT`).
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Which part of the agent asks; the server's audit log sees it in the user agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// The agent itself.
    Agent,
    /// Logins and token renewals.
    AutoAuth,
    /// Templates.
    Templating,
}

impl Product {
    /// The header's text, in the original's form.
    fn user_agent(self) -> &'static str {
        macro_rules! form {
            ($name:literal) => {
                concat!($name, "/", env!("CARGO_PKG_VERSION"), " (+https://www.vaultproject.io/; decant)")
            };
        }
        match self {
            Self::Agent => form!("Vault Agent"),
            Self::AutoAuth => form!("Vault Agent Auto-Auth"),
            Self::Templating => form!("Vault Agent Templating"),
        }
    }
}

/// One request. The token is an argument, never a state of the client.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    method: Method,
    path: &'a str,
    /// What messages say instead of the path.
    shown: Option<&'a str>,
    query: Vec<(&'a str, &'a str)>,
    namespace: Option<&'a Namespace>,
    token: Option<&'a Token>,
    body: Option<Body>,
    wrap_ttl: Duration,
    product: Product,
}

impl<'a> Call<'a> {
    fn new(method: Method, path: &'a str, product: Product) -> Self {
        let (query, wrap_ttl) = (Vec::new(), Duration::ZERO);
        Self { method, path, shown: None, query, namespace: None, token: None, body: None, wrap_ttl, product }
    }

    /// Messages say this path instead, because a part of the real one is secret.
    #[must_use]
    pub const fn shown_as(mut self, path: Option<&'a str>) -> Self {
        self.shown = path;
        self
    }

    /// GET; `path` is below `/v1/`.
    pub fn read(path: &'a str, product: Product) -> Self {
        Self::new(Method::GET, path, product)
    }

    /// GET with `list=true`.
    pub fn list(path: &'a str, product: Product) -> Self {
        Self { query: vec![("list", "true")], ..Self::new(Method::GET, path, product) }
    }

    /// PUT with a body; Vault takes it for POST as well, and the original always sends PUT.
    pub fn write(path: &'a str, body: Body, product: Product) -> Self {
        Self { body: Some(body), ..Self::new(Method::PUT, path, product) }
    }

    /// With this token.
    #[must_use]
    pub fn token(self, token: &'a Token) -> Self {
        Self { token: Some(token), ..self }
    }

    /// In this namespace.
    #[must_use]
    pub fn namespace(self, namespace: Option<&'a Namespace>) -> Self {
        Self { namespace, ..self }
    }

    /// With these query parameters as well.
    #[must_use]
    pub fn params(mut self, params: &'a Params) -> Self {
        self.query.extend(params.iter().map(|(key, value)| (key.as_ref(), value.as_ref())));
        self
    }

    /// With the answer wrapped for this long; zero: not wrapped.
    #[must_use]
    pub fn wrap_ttl(self, wrap_ttl: Duration) -> Self {
        Self { wrap_ttl, ..self }
    }

    /// Segments of the path that messages don't show.
    fn hidden_segments(&self) -> impl Iterator<Item = &'a str> {
        let shown: Vec<&str> = self.shown.unwrap_or(self.path).split('/').collect();
        self.path.split('/').filter(move |segment| !shown.contains(segment))
    }

    /// The method it is sent with.
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The path below `/v1/`.
    pub const fn path(&self) -> &str {
        self.path
    }

    /// The token it is sent with.
    pub const fn sent_token(&self) -> Option<&Token> {
        self.token
    }

    /// The body it is sent with.
    pub const fn body(&self) -> Option<&Body> {
        self.body.as_ref()
    }

    /// Whether this is a login, which a template may send as well: its refusal says nothing about the token.
    fn is_login(&self) -> bool {
        self.path.trim_start_matches('/').starts_with("auth/")
            && self.path.split('/').any(|part| part == "login")
    }

    /// The headers of Vault's API; an unprintable token is the only thing that can't be sent.
    fn headers(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("x-vault-request"), HeaderValue::from_static("true"));
        headers.insert(USER_AGENT, HeaderValue::from_static(self.product.user_agent()));
        let mut add = |name: &'static str, text: &str, what: &str| {
            let mut value = HeaderValue::from_str(text)
                .map_err(|_| format!("the {what} has characters that no header may have"))?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
            Ok::<(), String>(())
        };
        if let Some(token) = self.token {
            add("x-vault-token", token.expose(), "token")?;
        }
        if let Some(namespace) = self.namespace {
            add("x-vault-namespace", namespace.as_str(), "namespace")?;
        }
        if !self.wrap_ttl.is_zero() {
            add("x-vault-wrap-ttl", &format!("{}s", self.wrap_ttl.as_secs().max(1)), "wrap TTL")?;
        }
        Ok(headers)
    }
}

/// The client. Clones share their connections.
#[derive(Clone, Debug)]
pub struct VaultClient {
    http: HttpClient,
    timeout: Duration,
}

impl VaultClient {
    /// A client over one upstream; `timeout` is for a whole call, zero means [`DEFAULT_TIMEOUT`].
    pub const fn new(http: HttpClient, timeout: Duration) -> Self {
        Self { http, timeout: if timeout.is_zero() { DEFAULT_TIMEOUT } else { timeout } }
    }

    /// A client to the same upstream with other trust or another identity; certificate files are read now.
    ///
    /// # Errors
    /// Files that can't be used.
    pub fn with_tls(&self, change: impl FnOnce(&mut TlsConfig)) -> Result<Self, SetupError> {
        Ok(Self { http: self.http.with_tls(change)?, timeout: self.timeout })
    }

    /// The upstream's address, for messages.
    pub fn address(&self) -> String {
        self.http.address().to_string()
    }

    /// Sends a request. `None`: the server succeeded and has nothing to say (for instance 204).
    ///
    /// # Errors
    /// See [`VaultError`]. A 404 that carries data or warnings is an answer, as in the original.
    pub async fn send(&self, call: &Call<'_>) -> Result<Option<Secret>, VaultError> {
        let exchange = tokio::time::timeout(self.timeout, self.exchange(call)).await;
        let Ok(reply) = exchange else {
            self.http.gave_up();
            let (method, url) = (call.method.clone(), self.url(call));
            return Err(VaultError::Timeout { method, url, limit: self.timeout });
        };
        let Reply { status, body, retry_after } = reply?;
        if status < 400 {
            return secret(&body).map_err(|cause| VaultError::Malformed {
                method: call.method.clone(),
                url: self.url(call),
                status,
                cause,
            });
        }
        if status == 404
            && let Ok(Some(secret)) = secret(&body)
            && (!secret.warnings.is_empty() || has_data(&secret))
        {
            return Ok(Some(secret));
        }
        let mut secrets: Vec<&str> = call.token.map(Token::expose).into_iter().collect();
        secrets.extend(call.hidden_segments());
        let errors = Answer::words(&body, &secrets);
        let (method, url) = (call.method.clone(), self.url(call));
        let answer = Answer { method, url, status, errors, retry_after };
        Err(VaultError::from_answer(answer, call.token.is_some() && !call.is_login()))
    }

    /// Asks whether the server can be reached; any answer will do, no token is sent.
    ///
    /// # Errors
    /// No connection, or no answer within 5 s.
    pub async fn probe(&self) -> Result<(), VaultError> {
        let call = Call::read("sys/health", Product::Agent);
        let limit = PROBE_TIMEOUT;
        match tokio::time::timeout(limit, self.once(&call, None)).await {
            Ok(answer) => answer.map(drop),
            Err(_) => {
                self.http.gave_up();
                Err(VaultError::Timeout { method: Method::GET, url: self.url(&call), limit })
            }
        }
    }

    /// The URL of a call, for messages.
    fn url(&self, call: &Call<'_>) -> String {
        self.shown_url(call).to_string()
    }

    /// The URL of a call without its query, and without what must not be shown of its path.
    fn shown_url(&self, call: &Call<'_>) -> Url {
        self.http.address().url(&format!("v1/{}", call.shown.unwrap_or(call.path)), [])
    }

    fn full_url(&self, call: &Call<'_>) -> Url {
        self.http.address().url(&format!("v1/{}", call.path), call.query.iter().copied())
    }

    /// The request, and one redirect by hand: the HTTP library would take the token anywhere.
    async fn exchange(&self, call: &Call<'_>) -> Result<Reply, VaultError> {
        let response = self.once(call, None).await?;
        let response =
            if redirect::is_one(&response) { self.follow(call, response).await? } else { response };
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let body = http::read(response, || self.shown_url(call), MAX_BODY)
            .await
            .map_err(|source| VaultError::from_http(call.method.clone(), source))?;
        Ok(Reply { status, body, retry_after })
    }

    /// The answer of the place that this one points at.
    async fn follow(&self, call: &Call<'_>, response: Response) -> Result<Response, VaultError> {
        let refused = |response: &Response, cause| {
            let (method, url, status) = (call.method.clone(), self.url(call), response.status().as_u16());
            VaultError::Redirect { method, url, status, cause }
        };
        match redirect::target(&response, &self.full_url(call), self.http.address()) {
            None => Ok(response),
            Some(Ok(target)) => {
                let second = self.once(call, Some(target.clone())).await?;
                if redirect::is_one(&second) {
                    let cause = format!("{}, where it leads, redirects again", redirect::host_of(&target));
                    return Err(refused(&second, cause));
                }
                Ok(second)
            }
            Some(Err(cause)) => Err(refused(&response, cause)),
        }
    }

    /// One request to the upstream, or to the server it pointed at.
    async fn once(&self, call: &Call<'_>, target: Option<Url>) -> Result<Response, VaultError> {
        // Another server is named only where nothing of the path is to be hidden.
        let url = match &target {
            Some(target) if call.shown.is_none() => target.clone(),
            _ => self.shown_url(call),
        };
        let fail = |source| VaultError::from_http(call.method.clone(), source);
        let headers = call
            .headers()
            .map_err(|cause| fail(http::error::HttpError::Request { url: url.clone(), cause }))?;
        let request = match target {
            Some(target) => self.http.request_at(call.method.clone(), target),
            None => {
                let path = format!("v1/{}", call.path);
                self.http.request(call.method.clone(), &path, call.query.iter().copied())
            }
        };
        let request = with_body(request.headers(headers), call.body.as_ref());
        self.http.send(request, &url).await.map_err(fail)
    }
}

struct Reply {
    status: u16,
    body: Zeroizing<Vec<u8>>,
    retry_after: Option<Duration>,
}

fn with_body(request: RequestBuilder, body: Option<&Body>) -> RequestBuilder {
    match body {
        Some(body) => request.header(reqwest::header::CONTENT_TYPE, "application/json").body(body.shared()),
        None => request,
    }
}

/// Seconds, as Vault's quotas send it. (An HTTP date is possible too, but no Vault sends one.)
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

fn has_data(secret: &Secret) -> bool {
    match &secret.data {
        None | Some(Value::Null) => false,
        Some(data) => data.as_map().is_none_or(|map| !map.is_empty()),
    }
}

/// Parses a body: nothing, a secret, or another JSON object, which then is the data. The message quotes nothing.
fn secret(body: &[u8]) -> Result<Option<Secret>, String> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let scrubbed = |error: serde_json::Error| {
        format!("its body is not Vault's JSON (line {}, column {})", error.line(), error.column())
    };
    let parsed: Secret = serde_json::from_slice(body).map_err(scrubbed)?;
    if parsed != Secret::default() {
        return Ok(Some(parsed));
    }
    let text = std::str::from_utf8(body).map_err(|_| "its body is not UTF-8".to_owned())?;
    let data = Value::from_json(text).map_err(scrubbed)?;
    let known =
        ["errors", "request_id", "lease_id", "lease_duration", "renewable", "data", "warnings", "auth"];
    let own = data.as_map().is_some_and(|map| map.keys().any(|key| !known.contains(&key.as_ref())));
    Ok(own.then(|| Secret { data: Some(data), ..Secret::default() }))
}

#[cfg(test)]
mod tests;
