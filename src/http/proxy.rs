//! Which forward proxy a client uses: one for everything, or what the usual variables say.

use std::collections::BTreeMap;

use reqwest::{NoProxy, Proxy as Rule};
use thiserror::Error;

use super::address::Address;

/// Proxy settings of one client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxy {
    /// A proxy for all requests (`VAULT_PROXY_ADDR`, `VAULT_HTTP_PROXY`).
    pub all: Option<String>,
    /// The usual variables (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, either case), captured at start; they don't
    /// count when `all` is set, and never for this machine.
    pub env: BTreeMap<String, String>,
}

/// A proxy that can't be used. The text is not shown: it may hold a password.
#[derive(Debug, Error)]
#[error("{name} is not the URL of a proxy; expected for instance http://proxy.example:3128")]
pub struct ProxyError {
    /// Variable or setting that says it.
    pub name: &'static str,
}

impl Proxy {
    /// The rules for requests to `address`; empty: connect directly.
    ///
    /// # Errors
    /// A proxy that is no URL.
    pub(super) fn rules(&self, address: &Address) -> Result<Vec<Rule>, ProxyError> {
        if address.socket().is_some() {
            return Ok(Vec::new());
        }
        if let Some(all) = self.all.as_ref().filter(|text| !text.trim().is_empty()) {
            let name = "VAULT_PROXY_ADDR or VAULT_HTTP_PROXY";
            return Ok(vec![Rule::all(with_scheme(all)).map_err(|_| ProxyError { name })?]);
        }
        if address.is_loopback() {
            return Ok(Vec::new());
        }
        let mut rules = Vec::new();
        if let Some(text) = self.variable("HTTPS_PROXY") {
            rules.push(Rule::https(with_scheme(text)).map_err(|_| ProxyError { name: "HTTPS_PROXY" })?);
        }
        if let Some(text) = self.variable("HTTP_PROXY") {
            rules.push(Rule::http(with_scheme(text)).map_err(|_| ProxyError { name: "HTTP_PROXY" })?);
        }
        let exceptions = self.variable("NO_PROXY").and_then(NoProxy::from_string);
        Ok(rules.into_iter().map(|rule| rule.no_proxy(exceptions.clone())).collect())
    }

    /// Upper case counts before lower case; an empty variable doesn't count.
    fn variable(&self, name: &str) -> Option<&str> {
        let get = |name: &str| self.env.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
        get(name).or_else(|| get(&name.to_lowercase()))
    }
}

/// `host:port` alone means an `http` proxy.
fn with_scheme(text: &str) -> String {
    let text = text.trim();
    if text.contains("://") { text.to_owned() } else { format!("http://{text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(env: &[(&str, &str)]) -> Proxy {
        Proxy { all: None, env: env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect() }
    }

    fn rules(proxy: &Proxy, address: &str) -> usize {
        proxy.rules(&Address::parse(address).unwrap()).unwrap().len()
    }

    #[test]
    fn the_usual_variables_count_but_not_for_this_machine() {
        let env =
            proxy(&[("https_proxy", "proxy:3128"), ("HTTP_PROXY", "http://proxy:3128"), ("NO_PROXY", "")]);
        assert_eq!(rules(&env, "https://vault:8200"), 2);
        assert_eq!(rules(&env, "https://127.0.0.1:8200"), 0);
        assert_eq!(rules(&env, "unix:///run/v.sock"), 0);
        assert_eq!(env.variable("HTTPS_PROXY"), Some("proxy:3128"));
    }

    #[test]
    fn the_own_setting_replaces_them() {
        let both = Proxy { all: Some("http://one:1".into()), ..proxy(&[("HTTPS_PROXY", "http://two:2")]) };
        assert_eq!(rules(&both, "https://127.0.0.1:8200"), 1);
    }

    #[test]
    fn a_bad_proxy_is_named_but_not_quoted() {
        let bad = Proxy { all: Some("http://u:hunter2@:::".into()), ..Proxy::default() };
        let error = bad.rules(&Address::parse("https://v").unwrap()).unwrap_err();
        assert!(error.to_string().contains("VAULT_PROXY_ADDR") && !error.to_string().contains("hunter2"));
    }
}
