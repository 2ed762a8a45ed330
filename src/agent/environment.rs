//! The environment of template commands and of the function `env`: our own, and how to reach the server.

use std::{collections::BTreeMap, ffi::OsString};

use crate::{
    action::command,
    config::{VaultConfig, env::Environment},
};

/// Variables that commands must not inherit: they hold what is the agent's alone.
const OWN: [&str; 4] = ["VAULT_TOKEN", "BAO_TOKEN", "VAULT_CONFIG", "BAO_CONFIG"];

/// What templates see as environment: ours, with the server's address and TLS settings in the names that the
/// original's commands use. Never the token.
pub fn of_templates(environment: &Environment, vault: &VaultConfig) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = environment
        .iter()
        .filter(|(name, _)| !OWN.contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let tls = &vault.tls;
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let skip = tls.skip_verify || !vault.address.starts_with("https:");
    let settings = [
        ("ADDR", Some(vault.address.clone())),
        ("SKIP_VERIFY", skip.then(|| "true".to_owned())),
        ("CACERT", path(&tls.ca_cert)),
        ("CACERT_BYTES", tls.ca_cert_bytes.clone()),
        ("CAPATH", path(&tls.ca_path)),
        ("CLIENT_CERT", path(&tls.client_cert)),
        ("CLIENT_KEY", path(&tls.client_key)),
        ("CLIENT_CERT_BYTES", tls.client_cert_bytes.clone()),
        ("TLS_SERVER_NAME", tls.server_name.clone()),
    ];
    for (name, value) in settings {
        if let Some(value) = value {
            all.insert(format!("VAULT_{name}"), value.clone());
            all.insert(format!("BAO_{name}"), value);
        }
    }
    all
}

/// The same for commands, in the form that starting them takes.
pub fn of_commands(templates: &BTreeMap<String, String>) -> command::Environment {
    templates.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{raw::Raw, resolve};

    #[test]
    fn the_address_is_passed_on_and_the_agents_own_variables_are_not() {
        let environment = Environment::from([
            ("VAULT_ADDR", "http://127.0.0.1:8200"),
            ("VAULT_TOKEN", "hvs.canary"),
            ("BAO_CONFIG", "canary"),
            ("POD_IP", "10.0.0.1"),
        ]);
        let config = resolve::connection(Raw::default(), &environment).unwrap();
        let seen = of_templates(&environment, &config.vault);
        assert!(!seen.values().any(|value| value.contains("canary")), "{:?}", seen.keys());
        assert_eq!(seen["POD_IP"], "10.0.0.1");
        assert_eq!((&seen["VAULT_ADDR"], &seen["BAO_ADDR"]), (&seen["BAO_ADDR"], &seen["VAULT_ADDR"]));
        assert_eq!(seen["VAULT_SKIP_VERIFY"], "true", "plain HTTP has nothing to verify");
        assert_eq!(of_commands(&seen).len(), seen.len());
    }
}
