//! What any front end may say: all of it optional, each value with the place that said it.
//!
//! Config files, annotations, environment and flags each make a [`Raw`]; `merge` puts them together and `resolve`
//! turns the result into a [`Config`](super::Config).

mod idle;

use std::{collections::BTreeMap, time::Duration};

pub use self::idle::{RawExec, RawIdle, RawListener, RawPersist, RawTokenUse};
use super::template::{ActionSpec, CommandForm, DefaultForm};
use crate::{
    listener::Endpoint,
    origin::{Origin, Sourced},
    problem::Problem,
};

/// A value that may have been said.
pub type Said<T> = Option<Sourced<T>>;

/// All that one front end says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Raw {
    /// The server.
    pub vault: RawVault,
    /// The login; `None`: no such stanza.
    pub auto_auth: Option<RawAutoAuth>,
    /// Templates in their order.
    pub templates: Vec<RawTemplate>,
    /// Settings of all templates.
    pub template_config: RawTemplateConfig,
    /// Render once and exit.
    pub exit_after_auth: Said<bool>,
    /// File for the process id.
    pub pid_file: Said<String>,
    /// How to log.
    pub log: RawLog,
    /// Settings of ours.
    pub own: RawOwn,
    /// Groups of files that change together.
    pub groups: Vec<RawGroup>,
    /// Stanzas that are checked, but not acted on.
    pub idle: RawIdle,
    /// Parts that keep no idle connections.
    pub disable_idle_connections: Said<Vec<String>>,
    /// Parts that use each connection once.
    pub disable_keep_alives: Said<Vec<String>>,
    /// What was odd but usable.
    pub warnings: Vec<Problem>,
    /// What can't be used, to be told together with what is wrong besides.
    pub unreadable: Unreadable,
}

/// Values that can't be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unreadable {
    /// What is wrong with each.
    pub problems: Vec<Problem>,
    /// The stanzas they stand in: what one of these seems to lack may have been meant by such a value.
    pub stanzas: Vec<Origin>,
}

impl Unreadable {
    /// Whether the stanza at this place holds such a value.
    pub fn tore(&self, stanza: &Origin) -> bool {
        self.stanzas.contains(stanza)
    }

    /// Whether a stanza itself can't be read, so that any may be missed. A file as a whole has line 0.
    pub fn lacks_stanza(&self) -> bool {
        self.stanzas.iter().any(|stanza| matches!(stanza, Origin::File { line: 0, .. }))
    }
}

/// The server, and the client that speaks to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawVault {
    /// Place of the stanza, in files.
    pub stanza: Option<Origin>,
    /// Address; an empty text means the default.
    pub address: Said<String>,
    /// Namespace; the one of the environment or a flag also holds for logins.
    pub namespace: Said<String>,
    /// File with CAs.
    pub ca_cert: Said<String>,
    /// PEM text with CAs.
    pub ca_cert_bytes: Said<String>,
    /// Folder with CAs.
    pub ca_path: Said<String>,
    /// Client certificate.
    pub client_cert: Said<String>,
    /// Key of the client certificate.
    pub client_key: Said<String>,
    /// PEM text with the client certificate.
    pub client_cert_bytes: Said<String>,
    /// PEM text with its key.
    pub client_key_bytes: Said<String>,
    /// Name for SNI and verification.
    pub tls_server_name: Said<String>,
    /// Trust any certificate.
    pub tls_skip_verify: Said<bool>,
    /// `retry.num_retries`: 0 is the default, negative is none.
    pub num_retries: Said<i64>,
    /// Time for one API call; never in files.
    pub client_timeout: Said<Duration>,
    /// Retries inside one API call; never in files.
    pub max_retries: Said<u32>,
    /// Requests per second and burst; never in files.
    pub rate_limit: Said<(f64, u32)>,
    /// Proxy for all requests; never in files.
    pub proxy: Said<String>,
    /// Stands for a missing `HTTPS_PROXY`; annotations only.
    pub https_proxy: Said<String>,
}

/// Stanza `auto_auth`.
#[derive(Clone, Debug, PartialEq)]
pub struct RawAutoAuth {
    /// Place of the stanza.
    pub origin: Origin,
    /// The login method.
    pub method: Option<RawMethod>,
    /// Where the token goes.
    pub sinks: Vec<RawSink>,
    /// Log in again when the credentials change.
    pub reauth_on_new_credentials: Said<bool>,
}

/// Stanza `auto_auth.method`.
#[derive(Clone, Debug, PartialEq)]
pub struct RawMethod {
    /// Place of the stanza.
    pub origin: Origin,
    /// Name of the method.
    pub kind: Said<String>,
    /// Mount; default `auth/` and the name.
    pub mount_path: Said<String>,
    /// Namespace of the login.
    pub namespace: Said<String>,
    /// First wait after a failed login.
    pub min_backoff: Said<Duration>,
    /// Longest wait after a failed login.
    pub max_backoff: Said<Duration>,
    /// End at the first failed login.
    pub exit_on_err: Said<bool>,
    /// Ask for a wrapped token.
    pub wrap_ttl: Said<Duration>,
    /// The method's own settings by key in lower case, numbers and booleans as their text.
    pub config: BTreeMap<String, Sourced<String>>,
}

impl RawMethod {
    /// A method about which nothing is said.
    pub const fn new(origin: Origin) -> Self {
        Self {
            origin,
            kind: None,
            mount_path: None,
            namespace: None,
            min_backoff: None,
            max_backoff: None,
            exit_on_err: None,
            wrap_ttl: None,
            config: BTreeMap::new(),
        }
    }
}

/// Stanza `auto_auth.sink`.
#[derive(Clone, Debug, PartialEq)]
pub struct RawSink {
    /// Place of the stanza.
    pub origin: Origin,
    /// Type; only `file` exists.
    pub kind: Said<String>,
    /// The token file.
    pub path: Said<String>,
    /// Its mode.
    pub mode: Said<u32>,
    /// Its owner; -1 leaves it.
    pub uid: Said<i64>,
    /// Its group; -1 leaves it.
    pub gid: Said<i64>,
    /// Wrap the token for this time.
    pub wrap_ttl: Said<Duration>,
    /// Keys that ask for encryption (`dh_type`, `aad` …), by name.
    pub encryption: BTreeMap<String, Sourced<String>>,
}

impl RawSink {
    /// A sink about which nothing is said.
    pub const fn new(origin: Origin) -> Self {
        Self {
            origin,
            kind: None,
            path: None,
            mode: None,
            uid: None,
            gid: None,
            wrap_ttl: None,
            encryption: BTreeMap::new(),
        }
    }
}

/// Stanza `template`, or the annotations of one secret.
#[derive(Clone, Debug, PartialEq)]
pub struct RawTemplate {
    /// Where the template is said.
    pub origin: Origin,
    /// File with the text.
    pub source: Said<String>,
    /// The text.
    pub contents: Said<String>,
    /// One of the injector's default forms over one secret; annotations only.
    pub default: Said<RawDefault>,
    /// Path of the secret that `format` writes.
    pub secret: Said<String>,
    /// Output format of a whole secret.
    pub format: Said<String>,
    /// Language of the text.
    pub dialect: Said<String>,
    /// Folder of Handlebars partials.
    pub partials_path: Said<String>,
    /// File to write.
    pub destination: Said<String>,
    /// Left delimiter.
    pub left_delimiter: Said<String>,
    /// Right delimiter.
    pub right_delimiter: Said<String>,
    /// Make missing folders.
    pub create_dest_dirs: Said<bool>,
    /// Mode; 0 means nothing said.
    pub perms: Said<u32>,
    /// Owner by name or number.
    pub user: Said<String>,
    /// Group by name or number.
    pub group: Said<String>,
    /// Keep the previous file.
    pub backup: Said<bool>,
    /// A missing key is an error.
    pub error_on_missing_key: Said<bool>,
    /// A failing render is an error of the run.
    pub error_fatal: Said<bool>,
    /// What runs after a change.
    pub command: Said<CommandForm>,
    /// Time for that command; zero: not waited for.
    pub command_timeout: Said<Duration>,
    /// Variables for that command.
    pub command_env: BTreeMap<String, String>,
    /// What follows a change besides a command.
    pub on_change: Vec<ActionSpec>,
    /// The group whose files change together with this one.
    pub change_group: Said<String>,
    /// Quiet time: least and most; no most means four times the least.
    pub wait: Said<(Duration, Option<Duration>)>,
    /// Functions the template must not use.
    pub function_denylist: Vec<String>,
    /// Folder that the function `file` must not leave.
    pub sandbox_path: Said<String>,
    /// Refresh interval for secrets without a lease.
    pub static_secret_render_interval: Said<Duration>,
    /// Share of a lease after which secrets that can't be renewed are read anew.
    pub lease_renewal_threshold: Said<f64>,
}

/// A default form and the secret as the annotation names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawDefault {
    /// The form.
    pub form: DefaultForm,
    /// The secret's path; may have a `?query`.
    pub path: String,
}

impl RawTemplate {
    /// A template about which nothing is said.
    pub const fn new(origin: Origin) -> Self {
        Self {
            origin,
            source: None,
            contents: None,
            default: None,
            secret: None,
            format: None,
            dialect: None,
            partials_path: None,
            destination: None,
            left_delimiter: None,
            right_delimiter: None,
            create_dest_dirs: None,
            perms: None,
            user: None,
            group: None,
            backup: None,
            error_on_missing_key: None,
            error_fatal: None,
            command: None,
            command_timeout: None,
            command_env: BTreeMap::new(),
            on_change: Vec::new(),
            change_group: None,
            wait: None,
            function_denylist: Vec::new(),
            sandbox_path: None,
            static_secret_render_interval: None,
            lease_renewal_threshold: None,
        }
    }
}

/// Stanza `template_config`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawTemplateConfig {
    /// Place of the stanza, in files.
    pub stanza: Option<Origin>,
    /// End when the retries of a fetch are used up.
    pub exit_on_retry_failure: Said<bool>,
    /// Interval for secrets without a lease.
    pub static_secret_render_interval: Said<Duration>,
    /// Connections per host.
    pub max_connections_per_host: Said<i64>,
    /// Share of a lease after which non-renewable secrets are read anew.
    pub lease_renewal_threshold: Said<f64>,
}

/// How to log. Values are texts or numbers as they were said; `resolve` judges them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawLog {
    /// Level.
    pub level: Said<String>,
    /// Format.
    pub format: Said<String>,
    /// File.
    pub file: Said<String>,
    /// Rotate at this size.
    pub rotate_bytes: Said<i64>,
    /// Rotate at this age.
    pub rotate_duration: Said<Duration>,
    /// Archives to keep.
    pub rotate_max_files: Said<i64>,
}

/// Settings of ours, from stanza `decant`, annotations, `DECANT_*` and flags; the table is in `own`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawOwn {
    /// Give up when the first render takes longer; zero: never.
    pub init_deadline: Said<Duration>,
    /// Revoke the own token on stop.
    pub revoke_on_exit: Said<bool>,
    /// Folder of the partials of all Handlebars templates.
    pub partials_path: Said<String>,
    /// Folder of the hand-over, or `off`.
    pub handover: Said<String>,
    /// Where the status is served.
    pub status_listen: Said<Endpoint>,
    /// The socket of `healthcheck`; `off`: none.
    pub status_socket: Said<String>,
    /// The file that is there while everything is ready.
    pub ready_file: Said<String>,
}

/// What is said about a group of files; nothing has to be.
#[derive(Clone, Debug, PartialEq)]
pub struct RawGroup {
    /// Its name, and where it was said.
    pub name: Sourced<String>,
    /// Destinations of members, besides the templates that name the group themselves.
    pub members: Vec<String>,
    /// The whole set changes in one step.
    pub atomic: Said<bool>,
    /// What follows when any of its files changed.
    pub on_change: Vec<ActionSpec>,
}
