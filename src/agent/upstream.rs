//! The way to the server, built from the configuration: client and gate.

use thiserror::Error;

use crate::{
    chance::Chance,
    clock::Clock,
    config::{TemplateConfig, VaultConfig},
    http::{
        HttpClient, Settings, SetupError,
        address::{Address, AddressError},
        dns::Dns,
    },
    origin::Origin,
    vault::{
        client::VaultClient,
        gate::{Gate, Limits},
    },
};

/// Why the server can't even be asked.
#[derive(Debug, Error)]
pub enum UpstreamError {
    /// The address.
    #[error("{origin}: the server's address can't be used")]
    Address {
        /// Who said it.
        origin: Origin,
        /// What is wrong with it.
        source: AddressError,
    },
    /// Certificates, proxy.
    #[error("{origin}: the connection to {address} can't be set up")]
    Setup {
        /// Who said the address.
        origin: Origin,
        /// The address.
        address: String,
        /// What is wrong.
        source: Box<SetupError>,
    },
}

/// The gate before the configured server; certificate files are read now, nothing is sent.
///
/// # Errors
/// An address that is none, certificates or a proxy that can't be used.
pub fn gate(
    vault: &VaultConfig,
    templates: &TemplateConfig,
    clock: Clock,
    chance: Chance,
) -> Result<Gate, UpstreamError> {
    let origin = || vault.address_origin.clone();
    let address = Address::parse(&vault.address)
        .map_err(|source| UpstreamError::Address { origin: origin(), source })?;
    let settings = Settings {
        address,
        tls: vault.tls.clone(),
        proxy: vault.proxy.clone(),
        idle_connections: if vault.keeps_connections { templates.max_connections_per_host } else { 0 },
    };
    let http = HttpClient::new(settings, Dns::default()).map_err(|source| UpstreamError::Setup {
        origin: origin(),
        address: vault.address.clone(),
        source: Box::new(source),
    })?;
    let client = VaultClient::new(http, vault.client_timeout);
    let limits = Limits { connections: templates.max_connections_per_host, rate_limit: vault.rate_limit };
    Ok(Gate::new(client, limits, clock, chance))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        config::{Proxy, TlsConfig},
        problem::chain,
    };

    fn vault(address: &str) -> VaultConfig {
        VaultConfig {
            address: address.into(),
            address_origin: Origin::Env("VAULT_ADDR".into()),
            namespace: None,
            tls: TlsConfig::default(),
            keeps_connections: true,
            num_retries: Some(12),
            client_timeout: Duration::from_secs(60),
            max_retries: None,
            proxy: Proxy::default(),
            rate_limit: None,
        }
    }

    fn build(vault: &VaultConfig) -> Result<Gate, UpstreamError> {
        let templates = TemplateConfig {
            exit_on_retry_failure: false,
            static_secret_render_interval: Duration::from_secs(300),
            static_interval_is_set: false,
            max_connections_per_host: 10,
            lease_renewal_threshold: 0.9,
        };
        gate(vault, &templates, Clock::system(), Chance::fixed(0.5))
    }

    #[test]
    fn a_bad_address_names_who_said_it() {
        assert_eq!(
            build(&vault("http://vault:8200")).ok().unwrap().upstream().address(),
            "http://vault:8200"
        );
        let error = chain(&build(&vault("vault:8200")).err().unwrap());
        assert!(
            error.starts_with("environment variable VAULT_ADDR: ") && error.contains("https://"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_ca_file_is_named() {
        let mut vault = vault("https://vault:8200");
        vault.tls.ca_cert = Some("/nowhere/ca.pem".into());
        let error = chain(&build(&vault).err().unwrap());
        assert!(error.contains("/nowhere/ca.pem") && error.contains("https://vault:8200"), "{error}");
    }
}
