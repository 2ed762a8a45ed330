//! Stanzas that are checked, and of which little or nothing is acted on yet.

use super::Said;
use crate::origin::{Origin, Sourced};

/// What checks across stanzas need to know of those that are not acted on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawIdle {
    /// Stanza `cache`.
    pub cache: Option<RawTokenUse>,
    /// Stanza `cache.persist`.
    pub persist: Option<RawPersist>,
    /// Stanza `api_proxy`.
    pub api_proxy: Option<RawTokenUse>,
    /// Stanzas `listener`.
    pub listeners: Vec<RawListener>,
    /// Stanzas `env_template`: the variables' names.
    pub env_templates: Vec<Sourced<String>>,
    /// Stanza `exec`.
    pub exec: Option<RawExec>,
}

/// Stanza `listener`.
#[derive(Clone, Debug, PartialEq)]
pub struct RawListener {
    /// Place of the stanza.
    pub origin: Origin,
    /// `tcp` or `unix`.
    pub kind: Said<String>,
    /// Where it listens.
    pub address: Said<String>,
    /// `metrics_only`, or nothing.
    pub role: Said<String>,
    /// No TLS.
    pub tls_disable: Said<bool>,
    /// `agent_api.enable_quit`.
    pub enable_quit: Said<bool>,
}

/// A stanza that may hand out the auto-auth token.
#[derive(Clone, Debug, PartialEq)]
pub struct RawTokenUse {
    /// Place of the stanza.
    pub origin: Origin,
    /// `use_auto_auth_token`, where `"force"` counts as true.
    pub use_auto_auth_token: Said<bool>,
}

/// Stanza `cache.persist`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawPersist {
    /// Folder.
    pub path: Said<String>,
    /// Service-account JWT that protects what lies there.
    pub service_account_token_file: Said<String>,
}

/// Stanza `exec`.
#[derive(Clone, Debug, PartialEq)]
pub struct RawExec {
    /// Place of the stanza.
    pub origin: Origin,
    /// Program and arguments.
    pub command: Vec<String>,
    /// `always` or `never`.
    pub restart_on_secret_changes: Said<String>,
}
