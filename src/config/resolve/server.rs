//! The server, how to reach it, and in which namespace.

use std::time::Duration;

use super::{Findings, filled, path, short, value_or};
use crate::{
    config::{
        TlsConfig, VaultConfig,
        env::{self, Environment},
        raw::{Raw, RawVault, Said},
    },
    http::{proxy::Proxy, tls::KeyText},
    origin::Origin,
    problem::{Problem, nearest_within},
    vault::path::Namespace,
};

const DEFAULT_ADDRESS: &str = "https://127.0.0.1:8200";
const DEFAULT_RETRIES: u32 = 12;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// What a timeout of 0, which means none, becomes.
const NO_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn resolve(
    said: &Raw,
    method_namespace: Option<&Said<String>>,
    environment: &Environment,
    findings: &mut Findings,
) -> VaultConfig {
    let raw = &said.vault;
    let address = filled(&raw.address).unwrap_or(DEFAULT_ADDRESS).trim();
    let address_origin = raw.address.as_ref().map_or(Origin::Default, |said| said.origin.clone());
    check_address(address, &address_origin, findings);
    let timeout = value_or(&raw.client_timeout, DEFAULT_TIMEOUT);
    let mut proxy_env = env::proxy_variables(environment);
    let https_proxy_is_set =
        proxy_env.iter().any(|(name, value)| name.eq_ignore_ascii_case("HTTPS_PROXY") && !value.is_empty());
    if let Some(proxy) = filled(&raw.https_proxy).filter(|_| !https_proxy_is_set) {
        proxy_env.insert("HTTPS_PROXY".to_owned(), proxy.to_owned());
    }
    VaultConfig {
        address: address.to_owned(),
        address_origin,
        namespace: namespace(raw, method_namespace),
        tls: tls(raw),
        keeps_connections: keeps_connections(said, findings),
        num_retries: match value_or(&raw.num_retries, 0) {
            0 => Some(DEFAULT_RETRIES),
            count if count < 0 => None,
            count => Some(u32::try_from(count).unwrap_or(u32::MAX)),
        },
        client_timeout: if timeout.is_zero() { NO_TIMEOUT } else { timeout },
        max_retries: raw.max_retries.as_ref().map(|said| said.value),
        proxy: Proxy { all: filled(&raw.proxy).map(str::to_owned), env: proxy_env },
        rate_limit: raw.rate_limit.as_ref().map(|said| said.value),
    }
}

/// What parts of the original may be named; those that don't exist here change nothing.
const PARTS: [&str; 4] = ["auto-auth", "caching", "proxying", "templating"];

fn keeps_connections(raw: &Raw, findings: &mut Findings) -> bool {
    let mut keeps = true;
    let lists = [
        ("disable_idle_connections", &raw.disable_idle_connections),
        ("disable_keep_alives", &raw.disable_keep_alives),
    ];
    for (name, said) in lists {
        let Some(said) = said else { continue };
        for part in &said.value {
            // The original refuses blanks and capitals, which the injector hands on as it finds them.
            let part = part.trim().to_lowercase();
            if !part.is_empty() && !PARTS.contains(&part.as_str()) {
                let what = format!("`{name}` names `{}`, which is no part of the agent", short(&part));
                let mut problem = Problem::error(what).expected(format!("some of {}", PARTS.join(", ")));
                if let Some(likely) = nearest_within(&part, PARTS, 4) {
                    problem = problem.hint(format!("did you mean {likely}?"));
                }
                findings.error(&said.origin, problem);
            }
            keeps &= !matches!(part.as_str(), "auto-auth" | "templating");
        }
    }
    keeps
}

fn tls(raw: &RawVault) -> TlsConfig {
    TlsConfig {
        ca_cert: path(&raw.ca_cert),
        ca_cert_bytes: filled(&raw.ca_cert_bytes).map(str::to_owned),
        ca_path: path(&raw.ca_path),
        client_cert: path(&raw.client_cert),
        client_key: path(&raw.client_key),
        client_cert_bytes: filled(&raw.client_cert_bytes).map(str::to_owned),
        client_key_bytes: filled(&raw.client_key_bytes).map(KeyText::from),
        server_name: filled(&raw.tls_server_name).map(str::to_owned),
        skip_verify: value_or(&raw.tls_skip_verify, false),
    }
}

/// Only the scheme: the rest may hold what is still to be replaced, or a password that no message may show.
fn check_address(address: &str, origin: &Origin, findings: &mut Findings) {
    const EXPECTED: &str =
        "an address like https://vault.example:8200, http://127.0.0.1:8200 or unix:///run/vault.sock";
    let scheme = address.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    let problem = match scheme.as_deref() {
        Some("http" | "https") if address.trim_end_matches('/').ends_with("/v1") => {
            let what = "the server's address ends in /v1, which every request adds by itself";
            findings.warn(origin, Problem::warning(what).hint("leave /v1 out"));
            return;
        }
        Some("http" | "https" | "unix") => return,
        Some(_) => Problem::error("the server's address has a scheme that is not supported"),
        None => {
            Problem::error("the server's address has no scheme").hint("put https:// or http:// before it")
        }
    };
    findings.error(origin, problem.expected(EXPECTED));
}

/// The namespace of all requests but logins. Without one of its own it is that of the login method.
fn namespace(raw: &RawVault, method: Option<&Said<String>>) -> Option<Namespace> {
    filled(&raw.namespace).or_else(|| method.and_then(filled)).and_then(Namespace::parse)
}

/// The namespace of logins: what a flag or the environment says holds for them too; else the method's own counts
/// before that of the stanza `vault`.
pub(super) fn login_namespace(raw: &RawVault, method: &Said<String>) -> Option<Namespace> {
    let outranks =
        matches!(raw.namespace.as_ref().map(|said| &said.origin), Some(Origin::Env(_) | Origin::Flag(_)));
    let own =
        if outranks { filled(&raw.namespace) } else { filled(method).or_else(|| filled(&raw.namespace)) };
    own.and_then(Namespace::parse)
}
