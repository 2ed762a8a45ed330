//! The resolved configuration: immutable, complete, the only thing that later stages see.

pub mod annotation;
pub mod downward;
pub mod env;
pub mod hcl;
pub mod load;
pub mod merge;
mod on_change;
pub mod own;
pub mod partials;
pub mod pod;
pub mod raw;
pub mod resolve;
pub mod stanza;
pub mod template;
pub mod units;

use std::{path::PathBuf, sync::Arc, time::Duration};

pub use crate::http::{proxy::Proxy, tls::TlsConfig};
pub use crate::telemetry::{
    LogConfig,
    level::{LogFormat, LogLevel},
};
use crate::{
    config::template::TemplateSpec,
    listener::Endpoint,
    origin::{Origin, Sourced},
    problem::Problem,
    vault::path::Namespace,
};

/// Everything the agent does, with all defaults filled in.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server and how to reach it.
    pub vault: VaultConfig,
    /// How to log in and where the token goes; `None`: nothing is logged in.
    pub auto_auth: Option<AutoAuthConfig>,
    /// What to render, in the order of their origin.
    pub templates: Vec<Arc<TemplateSpec>>,
    /// Settings of all templates.
    pub template_config: TemplateConfig,
    /// Render once and exit, or stay.
    pub exit_after_auth: bool,
    /// File that holds the process id while the agent runs.
    pub pid_file: Option<PathBuf>,
    /// How to log.
    pub log: LogConfig,
    /// After this time in `init` (or the first render of `sidecar`) give up; `None`: never.
    pub init_deadline: Option<Duration>,
    /// Revoke the own token on stop and on a failed start.
    pub revoke_on_exit: bool,
    /// Where token, leases and answers are left for the next run; `None`: nowhere.
    pub handover: Option<HandoverConfig>,
    /// Who may see how the agent is.
    pub status: StatusConfig,
    /// Where `POST /agent/v1/quit` ends the agent (`listener.agent_api.enable_quit`).
    pub quit: Vec<Sourced<Endpoint>>,
    /// What was odd but usable; said once at start.
    pub warnings: Vec<Problem>,
}

/// Where a run leaves token, leases and answers, encrypted, for the one after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandoverConfig {
    /// The folder; others may write to it too. Default `/vault/agent-cache`, where that is there.
    pub folder: PathBuf,
    /// The service-account JWT that the key is derived from.
    pub jwt: PathBuf,
    /// Who named the folder; with [`Origin::Default`] nobody misses it when it isn't there.
    pub origin: Origin,
}

/// Who may see how the agent is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusConfig {
    /// Where the endpoints are served besides the socket; a loopback address or a unix socket.
    pub listen: Option<Endpoint>,
    /// The socket that `healthcheck` asks; `None`: nobody said anything, and then it depends on the command.
    pub socket: Option<StatusSocket>,
    /// A file that is there while everything is ready.
    pub ready_file: Option<PathBuf>,
    /// The service manager hears that the start is over with the first readiness, not with the start itself.
    pub announce_ready: bool,
}

/// The socket that `healthcheck` asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusSocket {
    /// None.
    Off,
    /// At this path, or the start fails.
    At(PathBuf),
    /// At the first usual place that can be had.
    Usual,
}

/// The server and how to reach it (stanza `vault`).
#[derive(Clone, Debug)]
pub struct VaultConfig {
    /// Address, for instance `https://vault:8200` or `unix:///run/vault.sock`. Default `https://127.0.0.1:8200`.
    pub address: String,
    /// Who said the address, for messages about a server that can't be reached.
    pub address_origin: Origin,
    /// Namespace of all requests but logins.
    pub namespace: Option<Namespace>,
    /// Trust and identity.
    pub tls: TlsConfig,
    /// Retries of a failing template fetch; `None` means no retry (`num_retries = -1`). Default 12.
    pub num_retries: Option<u32>,
    /// Time for one API call. Default 60 s.
    pub client_timeout: Duration,
    /// Retries inside one API call; default 2 for templates, from `VAULT_MAX_RETRIES` when set.
    pub max_retries: Option<u32>,
    /// Whether connections are kept for later requests (`disable_idle_connections`, `disable_keep_alives`). All
    /// parts share them, so what one part asks for holds for all.
    pub keeps_connections: bool,
    /// Forward proxies, as the environment said them at start.
    pub proxy: Proxy,
    /// Requests per second and burst (`VAULT_RATE_LIMIT`).
    pub rate_limit: Option<(f64, u32)>,
}

/// Stanza `auto_auth`.
#[derive(Clone, Debug)]
pub struct AutoAuthConfig {
    /// The login method.
    pub method: MethodConfig,
    /// Where the token goes.
    pub sinks: Vec<SinkConfig>,
    /// Log in again when the method's credentials change.
    pub reauth_on_new_credentials: bool,
}

/// Stanza `auto_auth.method`.
#[derive(Clone, Debug)]
pub struct MethodConfig {
    /// Which method, with its own settings.
    pub kind: MethodKind,
    /// Mount, for instance `auth/kubernetes`, without slashes around it.
    pub mount_path: String,
    /// Namespace of the login.
    pub namespace: Option<Namespace>,
    /// First wait after a failed login. Default 1 s.
    pub min_backoff: Duration,
    /// Longest wait after a failed login. Default 5 min.
    pub max_backoff: Duration,
    /// First wait before a failed secret is fetched again, when `min_backoff` was said; else 250 ms.
    pub retry_base: Option<Duration>,
    /// Longest wait before a failed secret is fetched again, when `max_backoff` was said; else 60 s.
    pub retry_cap: Option<Duration>,
    /// End with exit code 1 at the first failed login.
    pub exit_on_err: bool,
    /// Ask for a response-wrapped token; zero: don't.
    pub wrap_ttl: Duration,
    /// Where the method was configured.
    pub origin: Origin,
}

/// The methods that are built in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MethodKind {
    /// Service-account JWT to a `kubernetes` mount.
    Kubernetes {
        /// Role name.
        role: String,
        /// JWT file. Default `/var/run/secrets/kubernetes.io/serviceaccount/token`.
        token_path: PathBuf,
    },
    /// A JWT from a file to a `jwt` mount.
    Jwt {
        /// Role name.
        role: String,
        /// JWT file.
        path: PathBuf,
        /// Remove the file once it is read. Default true.
        remove: bool,
        /// Where the file is a link, remove what it leads to instead of the link. Default false.
        remove_follows_links: bool,
        /// How often the file is looked at for a new JWT; `None`: it is watched.
        read_period: Option<Duration>,
    },
    /// Role ID and secret ID to an `approle` mount.
    AppRole {
        /// File with the role ID.
        role_id_path: PathBuf,
        /// File with the secret ID; `None`: the role needs none.
        secret_id_path: Option<PathBuf>,
        /// Remove the secret ID's file once it is read. Default true.
        remove_secret_id: bool,
        /// The file holds a wrapping token instead; this is the path that must have made it.
        wrapping_path: Option<String>,
    },
    /// A client certificate to a `cert` mount.
    Cert {
        /// Name of the role; `None` lets the server find one that fits.
        name: Option<String>,
        /// Trust and identity for logins and renewals, where they differ from those of stanza `vault`.
        identity: Option<CertIdentity>,
    },
    /// A token that somebody else puts into a file.
    TokenFile {
        /// The file.
        path: PathBuf,
    },
}

/// What method `cert` says about TLS. The rest is that of stanza `vault`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertIdentity {
    /// PEM file with trusted CAs.
    pub ca_cert: Option<PathBuf>,
    /// Client certificate and its key, PEM.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// Stanza `auto_auth.sink` of type `file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkConfig {
    /// The token file.
    pub path: PathBuf,
    /// Mode, subject to the umask. Default 0640.
    pub mode: u32,
    /// Owner; `None` leaves it.
    pub uid: Option<u32>,
    /// Group; `None` leaves it.
    pub gid: Option<u32>,
    /// Write a wrapping token that lives this long instead of the token; zero: don't.
    pub wrap_ttl: Duration,
    /// Encrypt what is written.
    pub encryption: Option<SinkEncryption>,
    /// Where it was configured.
    pub origin: Origin,
}

/// Encryption of a sink for one reader (`dh_type = "curve25519"`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkEncryption {
    /// File into which the reader puts its public key.
    pub dh_path: PathBuf,
    /// Derive the key with HKDF instead of taking the shared secret itself.
    pub derive_key: bool,
    /// Additional data that is authenticated with the contents; empty: none.
    pub aad: String,
}

/// Stanza `template_config`.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateConfig {
    /// End with exit code 1 when the retries of a fetch are used up.
    pub exit_on_retry_failure: bool,
    /// Interval for secrets without a lease. Default 5 min.
    pub static_secret_render_interval: Duration,
    /// Whether somebody set that interval (then KV v1 obeys it too).
    pub static_interval_is_set: bool,
    /// Connections per host. Default 10.
    pub max_connections_per_host: usize,
    /// Share of a lease after which non-renewable secrets are read anew. Default 0.90.
    pub lease_renewal_threshold: f64,
}
