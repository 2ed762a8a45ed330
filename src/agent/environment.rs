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
