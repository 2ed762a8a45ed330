//! Where a redirect may lead: a standby sends clients to the same page of the API on the active node, and to nothing
//! else do we take a token or credentials.

use reqwest::{Response, Url, header::LOCATION};

use crate::http::address::Address;

/// Whether an answer is a redirect.
pub(super) fn is_one(response: &Response) -> bool {
    matches!(response.status().as_u16(), 301 | 302 | 307 | 308) && response.headers().contains_key(LOCATION)
}

/// Where a redirect of the upstream leads, or why it must not be followed; `None`: the answer is none.
pub(super) fn target(response: &Response, asked: &Url, upstream: &Address) -> Option<Result<Url, String>> {
    if !is_one(response) {
        return None;
    }
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    Some(match location.and_then(|location| asked.join(location).ok()) {
        None => Err("its Location is no URL".to_owned()),
        Some(target) => allowed(&target, asked, upstream).map(|()| target),
    })
}

/// The host of a URL, for messages.
pub(super) fn host_of(url: &Url) -> &str {
    url.host_str().unwrap_or("another place")
}

fn allowed(target: &Url, asked: &Url, upstream: &Address) -> Result<(), String> {
    let host = host_of(target);
    if upstream.socket().is_some() {
        return Err(format!("it leads from a Unix socket to {host}"));
    }
    if asked.scheme() == "https" && target.scheme() != "https" {
        return Err(format!("it leads from TLS to plain HTTP at {host}"));
    }
    // The address may have a prefix that a proxy before the server takes away; the active node doesn't know of it.
    let prefix = upstream.base().path().trim_end_matches('/');
    let page = asked.path().strip_prefix(prefix);
    let is_same_page = target.path() == asked.path() || page == Some(target.path());
    if !matches!(target.scheme(), "http" | "https") || !is_same_page {
        return Err(format!("it leads to another page, at {host}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(address: &str, location: &str) -> Option<Result<String, String>> {
        let upstream = Address::parse(address).unwrap();
        let asked = upstream.url("v1/secret/my key", [("version", "1")]);
        let response = ::http::Response::builder().status(307).header("location", location);
        let response = Response::from(response.body("").unwrap());
        target(&response, &asked, &upstream).map(|target| target.map(|url| url.to_string()))
    }

    #[test]
    fn the_same_page_on_any_node_is_followed() {
        for (address, location) in [
            ("https://vault:8200", "https://node-2.internal:8200/v1/secret/my%20key?version=1"),
            ("http://vault:8200", "http://10.0.0.2:8200/v1/secret/my%20key?version=1"),
            ("http://vault:8200", "https://vault/v1/secret/my%20key?version=1"),
            ("https://lb/vault", "https://lb/vault/v1/secret/my%20key"),
            ("https://lb/vault/", "https://node/v1/secret/my%20key"),
            ("https://vault", "/v1/secret/my%20key?again=1"),
        ] {
            assert!(follow(address, location).unwrap().is_ok(), "{address} {location}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        for (address, location, why) in [
            ("https://vault", "http://vault/v1/secret/my%20key", "from TLS to plain HTTP at vault"),
            ("https://vault", "https://sso.example/login", "another page, at sso.example"),
            ("https://lb/vault", "https://lb/other/v1/secret/my%20key", "another page, at lb"),
            ("http://vault", "ftp://vault/v1/secret/my%20key", "another page, at vault"),
            ("http://vault", "https://[", "no URL"),
            ("unix:///run/vault.sock", "https://node/v1/secret/my%20key", "from a Unix socket to node"),
        ] {
            let refused = follow(address, location).unwrap().unwrap_err();
            assert!(refused.contains(why), "{address} {location}: {refused}");
        }
    }

    #[test]
    fn other_answers_are_no_redirects() {
        for (status, header) in [(200, "location"), (304, "location"), (307, "x-location")] {
            let response = ::http::Response::builder().status(status).header(header, "https://v/");
            assert!(!is_one(&Response::from(response.body("").unwrap())), "{status} {header}");
        }
    }
}
