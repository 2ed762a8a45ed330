//! Which forward proxy a request goes through: one for everything, or what the usual variables say.
//!
//! Exceptions are read as Go reads them (`golang.org/x/net/http/httpproxy`), because that is what clusters' settings
//! are written for: ports and `*.domain` included, which the HTTP library's own reader doesn't know.

use std::{collections::BTreeMap, fmt, net::IpAddr, sync::Arc};

use reqwest::{Proxy as Rule, Url};
use thiserror::Error;

use super::address::Address;

/// Proxy settings of one client.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxy {
    /// A proxy for all requests (`VAULT_PROXY_ADDR`, `VAULT_HTTP_PROXY`).
    pub all: Option<String>,
    /// The usual variables (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, either case), captured at start; they don't
    /// count when `all` is set, and never for this machine.
    pub env: BTreeMap<String, String>,
}

/// A proxy that can't be used. The text is not shown: it may hold a password.
#[derive(Debug, Error)]
#[error("{name} is not the URL of an HTTP proxy; expected for instance http://proxy.example:3128")]
pub struct ProxyError {
    /// Variable or setting that says it.
    pub name: &'static str,
}

/// One proxy, and who named it.
#[derive(Clone)]
pub(super) struct Via {
    url: Url,
    name: &'static str,
}

/// The proxies of one client, and what goes past them.
#[derive(Clone, Debug)]
pub(super) enum Routes {
    /// Everything goes through this one.
    All(Via),
    /// By scheme, with exceptions.
    ByScheme {
        /// For `http` URLs.
        http: Option<Via>,
        /// For `https` URLs.
        https: Option<Via>,
        /// What is asked directly.
        exceptions: Vec<Exception>,
    },
}

/// One entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Exception {
    Everything,
    Network { base: IpAddr, bits: u8 },
    Address { ip: IpAddr, port: Option<u16> },
    Domain { suffix: String, itself: bool, port: Option<u16> },
}

impl Proxy {
    /// The proxies for requests to `address`; `None`: always connect directly.
    ///
    /// # Errors
    /// A proxy that is no URL.
    pub(super) fn routes(&self, address: &Address) -> Result<Option<Arc<Routes>>, ProxyError> {
        if address.socket().is_some() {
            return Ok(None);
        }
        if let Some(all) = self.all.as_ref().filter(|text| !text.trim().is_empty()) {
            let via = Via::parse(all, "VAULT_PROXY_ADDR or VAULT_HTTP_PROXY")?;
            return Ok(Some(Arc::new(Routes::All(via))));
        }
        let via = |name| self.variable(name).map(|text| Via::parse(text, name)).transpose();
        let (http, https) = (via("HTTP_PROXY")?, via("HTTPS_PROXY")?);
        if http.is_none() && https.is_none() {
            return Ok(None);
        }
        let exceptions = self.variable("NO_PROXY").unwrap_or_default();
        let exceptions = exceptions.split(',').filter_map(Exception::parse).collect();
        Ok(Some(Arc::new(Routes::ByScheme { http, https, exceptions })))
    }

    /// Upper case counts before lower case; an empty variable doesn't count.
    fn variable(&self, name: &str) -> Option<&str> {
        let get = |name: &str| self.env.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
        get(name).or_else(|| get(&name.to_lowercase()))
    }
}

impl fmt::Debug for Proxy {
    /// Values may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env.keys().collect();
        f.debug_struct("Proxy").field("all", &self.all.is_some()).field("env", &names).finish()
    }
}

impl Routes {
    /// The proxy for this URL; `None`: connect directly.
    pub(super) fn via(&self, url: &Url) -> Option<&Via> {
        match self {
            Self::All(via) => Some(via),
            Self::ByScheme { http, https, exceptions } => {
                let via = if url.scheme() == "https" { https } else { http };
                let host = url.host_str()?.trim_matches(['[', ']']).to_ascii_lowercase();
                let ip: Option<IpAddr> = host.parse().ok();
                let is_here = host == "localhost" || ip.is_some_and(|ip| ip.is_loopback());
                let port = url.port_or_known_default();
                let is_except = is_here || exceptions.iter().any(|one| one.covers(&host, ip, port));
                via.as_ref().filter(|_| !is_except)
            }
        }
    }

    /// The rule for the HTTP library.
    pub(super) fn rule(self: &Arc<Self>) -> Rule {
        let routes = Arc::clone(self);
        Rule::custom(move |url| routes.via(url).map(|via| via.url.clone()))
    }
}

impl Via {
    fn parse(text: &str, name: &'static str) -> Result<Self, ProxyError> {
        let text = text.trim();
        // `host:port` alone means an `http` proxy.
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = Url::parse(&text).map_err(|_| ProxyError { name })?;
        let usable = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
        if usable { Ok(Self { url, name }) } else { Err(ProxyError { name }) }
    }
}

impl fmt::Display for Via {
    /// Host and port without user and password, and who named it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host) = (self.url.scheme(), self.url.host_str().unwrap_or_default());
        let port = self.url.port_or_known_default().unwrap_or_default();
        write!(f, "{scheme}://{host}:{port} ({})", self.name)
    }
}

impl fmt::Debug for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Exception {
    /// An entry that means nothing is no exception, as in Go.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if text == "*" {
            return Some(Self::Everything);
        }
        if let Some((base, bits)) = text.split_once('/') {
            let base: IpAddr = base.parse().ok()?;
            let most = if base.is_ipv4() { 32 } else { 128 };
            return bits.parse().ok().filter(|bits| *bits <= most).map(|bits| Self::Network { base, bits });
        }
        if let Ok(ip) = text.trim_matches(['[', ']']).parse() {
            return Some(Self::Address { ip, port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host.trim_matches(['[', ']']), Some(port.parse().ok()?)),
            None => (text.as_str(), None),
        };
        if let Ok(ip) = host.parse() {
            return Some(Self::Address { ip, port });
        }
        // `.domain` and `*.domain` are what lies below, `domain` is the domain as well.
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        let itself = !host.starts_with('.');
        let suffix = if itself { format!(".{host}") } else { host.to_owned() };
        (suffix.len() > 1).then_some(Self::Domain { suffix, itself, port })
    }

    fn covers(&self, host: &str, ip: Option<IpAddr>, port: Option<u16>) -> bool {
        match self {
            Self::Everything => true,
            Self::Network { base, bits } => ip.is_some_and(|ip| shares(*base, ip, *bits)),
            Self::Address { ip: own, port: only } => ip == Some(*own) && (only.is_none() || *only == port),
            Self::Domain { suffix, itself, port: only } => {
                let fits = host.ends_with(suffix.as_str()) || (*itself && host == &suffix[1..]);
                ip.is_none() && fits && (only.is_none() || *only == port)
            }
        }
    }
}

/// Whether two addresses of one kind have the first bits in common.
fn shares(a: IpAddr, b: IpAddr, bits: u8) -> bool {
    let differ = match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(a.to_bits() ^ b.to_bits()) << 96,
        (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits() ^ b.to_bits(),
        _ => return false,
    };
    differ.leading_zeros() >= u32::from(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(env: &[(&str, &str)]) -> Proxy {
        Proxy { all: None, env: env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect() }
    }

    fn via(proxy: &Proxy, url: &str) -> Option<String> {
        let routes = proxy.routes(&Address::parse("https://vault:8200").unwrap()).unwrap()?;
        routes.via(&Url::parse(url).unwrap()).map(ToString::to_string)
    }

    #[test]
    fn the_usual_variables_count_but_not_for_this_machine() {
        let env =
            proxy(&[("https_proxy", "proxy:3128"), ("HTTP_PROXY", "http://other:3128"), ("NO_PROXY", "")]);
        assert_eq!(via(&env, "https://vault:8200").unwrap(), "http://proxy:3128 (HTTPS_PROXY)");
        assert_eq!(via(&env, "http://vault:8200").unwrap(), "http://other:3128 (HTTP_PROXY)");
        for here in ["https://127.0.0.1:8200", "http://localhost", "https://[::1]:8200"] {
            assert_eq!(via(&env, here), None, "{here}");
        }
        assert!(env.routes(&Address::parse("unix:///run/v.sock").unwrap()).unwrap().is_none());
        assert!(proxy(&[]).routes(&Address::parse("https://v").unwrap()).unwrap().is_none());
    }

    #[test]
    fn the_own_setting_replaces_them() {
        let both = Proxy { all: Some("http://one:1".into()), ..proxy(&[("HTTPS_PROXY", "http://two:2")]) };
        assert!(via(&both, "https://127.0.0.1:8200").unwrap().starts_with("http://one:1 "));
    }

    /// Entry, host and port of the URL, whether it is asked directly; Go 1.22 says the same.
    const EXCEPTIONS: &[(&str, &str, bool)] = &[
        ("*", "vault:8200", true),
        ("vault", "vault:8200", true),
        ("vault", "a.vault:8200", true),
        ("vault", "myvault:8200", false),
        ("VAULT.svc", "vault.SVC:8200", true),
        (".svc", "vault.svc:8200", true),
        (".svc", "svc:8200", false),
        ("*.svc", "a.vault.svc:8200", true),
        ("*.svc", "svc:8200", false),
        ("vault:8200", "vault:8200", true),
        ("vault:8200", "vault:8201", false),
        ("vault:443", "vault", true),
        ("10.0.0.0/8", "10.1.2.3:8200", true),
        ("10.0.0.0/8", "11.1.2.3:8200", false),
        ("10.0.0.0/0", "11.1.2.3:8200", true),
        ("10.0.0.0/8", "[a00::1]:8200", false),
        ("10.0.0.7", "10.0.0.7:8200", true),
        ("10.0.0.7:1", "10.0.0.7:8200", false),
        ("fd00::/8", "[fd12::1]:8200", true),
        ("[fd12::1]:8200", "[fd12::1]:8200", true),
        ("fd12::1", "[fd12::2]:8200", false),
        ("a, .svc ,b", "vault.svc:8200", true),
        (",,:80,10.0.0.0/99,vault:x", "vault:8200", false),
    ];

    #[test]
    fn exceptions_are_read_as_go_reads_them() {
        for (entry, authority, direct) in EXCEPTIONS {
            let env = proxy(&[("HTTPS_PROXY", "http://proxy:3128"), ("no_proxy", entry)]);
            assert_eq!(via(&env, &format!("https://{authority}")).is_none(), *direct, "{entry}: {authority}");
        }
    }

    #[test]
    fn a_bad_proxy_is_named_but_not_quoted() {
        for bad in ["http://u:hunter2@:::", "socks5://u:hunter2@proxy:1080", "http://u:hunter2@"] {
            let proxy = Proxy { all: Some(bad.into()), ..Proxy::default() };
            let error = proxy.routes(&Address::parse("https://v").unwrap()).unwrap_err();
            assert!(error.to_string().contains("VAULT_PROXY_ADDR"), "{error}");
            assert!(!format!("{error}{proxy:?}").contains("hunter2"), "{error} {proxy:?}");
        }
        let good = Proxy { all: Some("u:hunter2@proxy:8080".into()), ..Proxy::default() };
        assert_eq!(
            via(&good, "https://v").unwrap(),
            "http://proxy:8080 (VAULT_PROXY_ADDR or VAULT_HTTP_PROXY)"
        );
    }
}
