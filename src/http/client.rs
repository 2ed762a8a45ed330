//! The client of one upstream: built from settings, rebuilt when its certificate files change.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Client, Method, RequestBuilder, Response, Url, header, header::HeaderValue, redirect};
use rustls::{ClientConfig, pki_types::ServerName};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{
    address::Address,
    dns::Dns,
    error::HttpError,
    proxy::{Proxy, ProxyError, Routes},
    tls::{Stamp, TlsConfig, TlsError},
};

/// Limit for name resolution, TCP and TLS together. The original allows 30 s for TCP and 10 s for TLS; a shorter
/// limit lets an upstream that comes back be found sooner.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that nobody used for this long is closed.
const IDLE: Duration = Duration::from_secs(30);
/// Interval of TCP keep-alives, as the original.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// What a client needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The upstream.
    pub address: Address,
    /// Trust and identity.
    pub tls: TlsConfig,
    /// Forward proxies.
    pub proxy: Proxy,
    /// Idle connections kept.
    pub idle_connections: usize,
}

/// Why a client can't be built.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The TLS settings.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The proxy settings.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The HTTP library refuses.
    #[error("the HTTP client for {address} can't be built")]
    Library {
        /// The upstream.
        address: String,
        /// What the library says.
        source: reqwest::Error,
    },
}

/// A client for one upstream. Clones share their connections.
#[derive(Clone)]
pub struct HttpClient(Arc<Inner>);

struct Inner {
    settings: Settings,
    /// The upstream as the URL says it: with the TLS server name as its host, if there is one.
    target: Address,
    /// The name that the server knows itself by, when the URL says another.
    host: Option<HeaderValue>,
    dns: Dns,
    /// The resolver for the upstream, when its URL has another name than the user wrote.
    alias: Option<Dns>,
    routes: Option<Arc<Routes>>,
    built: Mutex<Built>,
}

struct Built {
    stamp: [Option<Stamp>; 4],
    clients: Clients,
}

/// One with the upstream's alias, and one without it: a redirect may lead to a server that really has that name.
struct Clients {
    upstream: Client,
    elsewhere: Client,
}

impl HttpClient {
    /// Builds a client; certificate files are read now.
    ///
    /// # Errors
    /// Settings that can't work: see [`SetupError`].
    pub fn new(settings: Settings, dns: Dns) -> Result<Self, SetupError> {
        let routes = settings.proxy.routes(&settings.address)?;
        let (target, alias, host) = rename(&settings, &dns, routes.as_deref())?;
        let stamp = settings.tls.stamp();
        let clients = build(&settings, &dns, alias.as_ref(), routes.as_ref())?;
        let built = Mutex::new(Built { stamp, clients });
        Ok(Self(Arc::new(Inner { settings, target, host, dns, alias, routes, built })))
    }

    /// A client of the same upstream with other trust or another identity.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_tls(&self, change: impl FnOnce(&mut TlsConfig)) -> Result<Self, SetupError> {
        let mut settings = self.0.settings.clone();
        change(&mut settings.tls);
        Self::new(settings, self.0.dns.clone())
    }

    /// The upstream, as the user wrote it.
    pub fn address(&self) -> &Address {
        &self.0.settings.address
    }

    /// A request to a path below the address.
    pub fn request<'a>(
        &self,
        method: Method,
        path: &str,
        query: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> RequestBuilder {
        let request =
            self.current(|clients| &clients.upstream).request(method, self.0.target.url(path, query));
        match &self.0.host {
            Some(host) => request.header(header::HOST, host.clone()),
            None => request,
        }
    }

    /// A request to another server that the upstream pointed at, with the same trust and identity.
    pub fn request_at(&self, method: Method, url: Url) -> RequestBuilder {
        self.current(|clients| &clients.elsewhere).request(method, url)
    }

    /// Sends a request; any status is an answer. `url` is what messages say was asked.
    ///
    /// # Errors
    /// No answer at all.
    pub async fn send(&self, request: RequestBuilder, url: &Url) -> Result<Response, HttpError> {
        let is_upstream = url.host() == self.address().base().host();
        match request.send().await {
            Ok(response) => {
                if let Some(peer) = response.remote_addr().filter(|_| is_upstream) {
                    self.0.dns.answered(peer.ip());
                }
                Ok(response)
            }
            Err(error) => {
                let error = self.classify(&error, url);
                if is_upstream && error.is_connection() {
                    self.gave_up();
                }
                Err(error)
            }
        }
    }

    /// Nobody answered in time: the next connection goes to another address of the upstream, if it has several.
    pub fn gave_up(&self) {
        self.0.dns.in_vain();
    }

    fn classify(&self, error: &reqwest::Error, url: &Url) -> HttpError {
        let via = self.0.routes.as_ref().and_then(|routes| routes.via(url)).map(ToString::to_string);
        HttpError::classify(error, url, CONNECT_TIMEOUT.as_secs()).through(via)
    }

    /// A client for the certificate files as they are now. A rotation half done keeps the old one.
    fn current(&self, which: impl FnOnce(&Clients) -> &Client) -> Client {
        let mut built = self.0.built.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.0.settings.tls.stamp();
        if stamp != built.stamp {
            let address = &self.0.settings.address;
            built.stamp = stamp;
            let Inner { settings, dns, alias, routes, .. } = &*self.0;
            match build(settings, dns, alias.as_ref(), routes.as_ref()) {
                Ok(clients) => {
                    built.clients = clients;
                    tracing::info!(target: "agent", %address, "read changed TLS files");
                }
                Err(error) => {
                    let error = crate::problem::chain(&error);
                    tracing::warn!(target: "agent", %address, error, "changed TLS files are not usable, keeping the old ones");
                }
            }
        }
        which(&built.clients).clone()
    }
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HttpClient({})", self.0.settings.address)
    }
}

/// Reads an answer's body, at most `limit` bytes; `url` gives what messages say was asked.
///
/// A refusal that only the end of its connection bounds counts although the connection is reset: so a server answers
/// plain HTTP on its TLS port, because it leaves most of the request unread.
///
/// # Errors
/// A body that is larger, ends early or comes too late.
pub async fn read(
    mut response: Response,
    url: impl Fn() -> Url,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, HttpError> {
    let announced = response.content_length().unwrap_or(0);
    let too_large = || HttpError::TooLarge { url: url(), limit };
    let announced = usize::try_from(announced).map_err(|_| too_large())?;
    if announced > limit {
        return Err(too_large());
    }
    let bounded = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
    let may_be_reset =
        !response.status().is_success() && !bounded.iter().any(|name| response.headers().contains_key(name));
    let mut body = Zeroizing::new(Vec::with_capacity(announced));
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Ok(body),
            Err(_) if may_be_reset && !body.is_empty() => return Ok(body),
            Err(error) => return Err(classify(&error, &url())),
        };
        let needed = body.len() + chunk.len();
        if needed > limit {
            return Err(too_large());
        }
        if needed > body.capacity() {
            // Growing in place would leave the bytes so far behind, unwiped.
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * body.capacity())));
            larger.extend_from_slice(&body);
            body = larger;
        }
        body.extend_from_slice(&chunk);
    }
}

fn classify(error: &reqwest::Error, url: &Url) -> HttpError {
    HttpError::classify(error, url, CONNECT_TIMEOUT.as_secs())
}

/// Puts a TLS server name into the URL, because the HTTP library takes SNI from there; the resolver maps it back to
/// the host, and the Host header keeps saying it. A proxy resolves names itself, so there the URL stays.
fn rename(
    settings: &Settings,
    dns: &Dns,
    routes: Option<&Routes>,
) -> Result<(Address, Option<Dns>, Option<HeaderValue>), SetupError> {
    let address = &settings.address;
    let unchanged = || Ok((address.clone(), None, None));
    let name = match settings.tls.name()? {
        Some(ServerName::DnsName(name)) if address.is_tls() => name.as_ref().to_owned(),
        _ => return unchanged(),
    };
    if routes.is_some_and(|routes| routes.via(address.base()).is_some()) {
        return unchanged();
    }
    let host = address.base().host_str().unwrap_or_default();
    let authority = match address.base().port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    match (address.with_host(&name), HeaderValue::from_str(&authority)) {
        (Some(target), Ok(header)) => Ok((target, Some(dns.clone().with_alias(&name, host)), Some(header))),
        _ => Err(TlsError::Name { name }.into()),
    }
}

fn build(
    settings: &Settings,
    dns: &Dns,
    alias: Option<&Dns>,
    routes: Option<&Arc<Routes>>,
) -> Result<Clients, SetupError> {
    // The library wants a TLS configuration in any case, and a redirect may lead to TLS; but reading the system's
    // CAs takes longer than a whole request, so an upstream without TLS gets by with the built-in list.
    let plain = !settings.address.is_tls() && settings.tls == TlsConfig::default();
    let tls = if plain { TlsConfig::public_roots() } else { settings.tls.client_config() }?;
    let elsewhere = client(settings, tls.clone(), dns.clone(), routes)?;
    let upstream = match alias {
        Some(alias) => client(settings, tls, alias.clone(), routes)?,
        None => elsewhere.clone(),
    };
    Ok(Clients { upstream, elsewhere })
}

fn client(
    settings: &Settings,
    tls: ClientConfig,
    dns: Dns,
    routes: Option<&Arc<Routes>>,
) -> Result<Client, SetupError> {
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(dns)
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(KEEP_ALIVE)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(settings.idle_connections)
        .no_proxy();
    if let Some(routes) = routes {
        builder = builder.proxy(routes.rule());
    }
    if let Some(socket) = settings.address.socket() {
        builder = builder.unix_socket(socket);
    }
    builder.build().map_err(|source| SetupError::Library { address: settings.address.to_string(), source })
}

#[cfg(test)]
mod tests;
