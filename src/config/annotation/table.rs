//! The one table of annotations: parsing, the reference page and the webhook read it.

use super::value::Kind;

/// One annotation, or one family of annotations that a `<name>` follows.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What stands behind the prefix; a family ends in `-` and continues with the name.
    pub suffix: &'static str,
    /// Whether a `<name>` follows.
    pub family: bool,
    /// How the value is read.
    pub kind: Kind,
    /// What holds when the annotation is absent, as shown in the reference page.
    pub default: &'static str,
    /// Where the value goes: a configuration key, or what it changes.
    pub goes: &'static str,
    /// What it means in a pod that no injector has touched.
    pub standalone: Standalone,
    /// Section of the reference page.
    pub group: Group,
    /// What it does, in one or two sentences.
    pub doc: &'static str,
}

/// What an annotation means in `init` and `sidecar`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standalone {
    /// The same as with an injector.
    Acts,
    /// Says what the pod looks like, which only who writes the pod can do; ignored with one message.
    PodShape,
    /// Accepted and not acted on by this version; one warning names it.
    NotYet,
    /// Has no meaning for this program; ignored without a word.
    Moot,
}

/// Sections of the reference page, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the titles say it")]
pub enum Group {
    Switch,
    Secrets,
    Rendering,
    Server,
    Login,
    Stop,
    Pod,
    Listener,
}

impl Group {
    /// All sections, in order.
    pub const ALL: [Self; 8] = [
        Self::Switch,
        Self::Secrets,
        Self::Rendering,
        Self::Server,
        Self::Login,
        Self::Stop,
        Self::Pod,
        Self::Listener,
    ];

    /// Heading of the section.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Switch => "Switches",
            Self::Secrets => "Secrets and their files",
            Self::Rendering => "All templates",
            Self::Server => "Server and connection",
            Self::Login => "Login",
            Self::Stop => "Stop",
            Self::Pod => "Shape of the pod",
            Self::Listener => "Listener, cache, telemetry",
        }
    }
}

pub(super) const INJECT: &str = "agent-inject";
pub(super) const SECRET: &str = "agent-inject-secret-";
pub(super) const TEMPLATE: &str = "agent-inject-template-";
pub(super) const TEMPLATE_FILE: &str = "agent-inject-template-file-";
pub(super) const FILE: &str = "agent-inject-file-";
pub(super) const PERMS: &str = "agent-inject-perms-";
pub(super) const COMMAND: &str = "agent-inject-command-";
pub(super) const MISSING_KEY: &str = "error-on-missing-key-";
pub(super) const LEFT_DELIM: &str = "agent-template-left-delim-";
pub(super) const RIGHT_DELIM: &str = "agent-template-right-delim-";
pub(super) const VOLUME_PATH: &str = "secret-volume-path";
pub(super) const VOLUME_PATH_OF: &str = "secret-volume-path-";
pub(super) const KEEP_CASE: &str = "preserve-secret-case";
pub(super) const KEEP_CASE_OF: &str = "preserve-secret-case-";
pub(super) const DEFAULT_TEMPLATE: &str = "agent-inject-default-template";
pub(super) const TOKEN: &str = "agent-inject-token";
pub(super) const AUTH_CONFIG: &str = "auth-config-";
pub(super) const ROLE: &str = "role";
pub(super) const AUTH_TYPE: &str = "auth-type";
pub(super) const AUTH_PATH: &str = "auth-path";
pub(super) const CONFIG_MAP: &str = "agent-configmap";

/// Shortens the rows below; `family` follows from the suffix.
const fn row(
    suffix: &'static str,
    kind: Kind,
    (default, goes): (&'static str, &'static str),
    (group, standalone): (Group, Standalone),
    doc: &'static str,
) -> Entry {
    let family = suffix.as_bytes()[suffix.len() - 1] == b'-';
    Entry { suffix, family, kind, default, goes, standalone, group, doc }
}

const SWITCH: (Group, Standalone) = (Group::Switch, Standalone::Acts);
const SECRETS: (Group, Standalone) = (Group::Secrets, Standalone::Acts);
const RENDERING: (Group, Standalone) = (Group::Rendering, Standalone::Acts);
const SERVER: (Group, Standalone) = (Group::Server, Standalone::Acts);
const LOGIN: (Group, Standalone) = (Group::Login, Standalone::Acts);
const POD: (Group, Standalone) = (Group::Pod, Standalone::PodShape);
const LISTENER: (Group, Standalone) = (Group::Listener, Standalone::NotYet);

/// Every annotation that injectors and this program know under the two shared prefixes.
#[rustfmt::skip]
pub const TABLE: &[Entry] = &[
    row(INJECT, Kind::Bool, ("", "whether anything is done"), SWITCH,
        "With an injector: `true` asks for the agent. Without one: `false` makes `init` and `sidecar` end with exit code 0 and touch nothing; absent means `true`. Leave it out in namespaces that also have an injector."),
    row("agent-inject-status", Kind::Text, ("", "with an injector: `injected` skips the pod"), (Group::Switch, Standalone::Moot),
        "Written by the injector into pods that it has changed. `init` and `sidecar` ignore it, so a copied status does no harm."),

    row(SECRET, Kind::Text, ("", "`template`"), SECRETS,
        "Declares the secret `<name>` and says its API path, for instance `kv/data/shop/db`; a `?version=3` may follow. Without a template of its own the file gets the default form."),
    row(TEMPLATE, Kind::Text, ("the default form", "`template.contents`"), SECRETS,
        "Template text of `<name>`. Declares the secret by itself, too."),
    row(TEMPLATE_FILE, Kind::Text, ("", "`template.source`"), SECRETS,
        "File with the template of `<name>`; counts only where there is no template text. Declares the secret by itself, too."),
    row(FILE, Kind::Text, ("`<name>` in lower case", "`template.destination`"), SECRETS,
        "File name below the secret folder; may have folders in it, and keeps its case."),
    row(VOLUME_PATH, Kind::Text, ("`/vault/secrets`", "`template.destination`"), SECRETS,
        "Folder that the files go to. Without an injector the pod mounts that volume itself."),
    row(VOLUME_PATH_OF, Kind::Text, ("`secret-volume-path`", "`template.destination`"), SECRETS,
        "Folder of the one file `<name>`."),
    row(PERMS, Kind::Text, ("`0644`", "`template.perms`"), SECRETS,
        "Mode of the file `<name>`, in octal."),
    row(COMMAND, Kind::Text, ("", "`template.command`"), SECRETS,
        "Command that runs after the file `<name>` has changed, in the agent's container."),
    row(MISSING_KEY, Kind::Bool, ("`false`", "`template.error_on_missing_key`"), SECRETS,
        "Whether a key that the secret lacks is an error of the template `<name>`; otherwise it renders as `<no value>`."),
    row(LEFT_DELIM, Kind::Text, ("`{{`", "`template.left_delimiter`"), SECRETS,
        "Left delimiter of the template `<name>`. The default form has its own: with an injector it comes out unrendered, without one this is ignored with a warning."),
    row(RIGHT_DELIM, Kind::Text, ("`}}`", "`template.right_delimiter`"), SECRETS,
        "Right delimiter of the template `<name>`."),
    row(KEEP_CASE, Kind::LaxBool, ("`false`", "`template.destination`"), SECRETS,
        "Keep upper case letters of the names in file names."),
    row(KEEP_CASE_OF, Kind::LaxBool, ("`preserve-secret-case`", "`template.destination`"), SECRETS,
        "Keep upper case letters of the one name `<name>`."),
    row(DEFAULT_TEMPLATE, Kind::DefaultForm, ("`map`", "`template.contents`"), SECRETS,
        "Form of files without a template: `map` writes a line `key: value` for each key, `json` one line of JSON."),
    row(TOKEN, Kind::Bool, ("`false`", "`auto_auth.sink`"), SECRETS,
        "Also write the token to the file `token` in the secret folder."),

    row("template-config-exit-on-retry-failure", Kind::Bool, ("`true`", "`template_config.exit_on_retry_failure`"), RENDERING,
        "Whether used-up retries of a secret end the program."),
    row("template-static-secret-render-interval", Kind::Text, ("`5m`", "`template_config.static_secret_render_interval`"), RENDERING,
        "How often secrets without a lease are read anew; a number of seconds or a duration."),
    row("template-max-connections-per-host", Kind::Int, ("`10`", "`template_config.max_connections_per_host`"), RENDERING,
        "Connections to the server at the same time; 0 is the default."),
    row("template-lease-renewal-threshold", Kind::Float, ("`0.90`", "`template_config.lease_renewal_threshold`"), RENDERING,
        "Share of a lease after which a secret that can't be renewed is read anew; 0 is the default."),

    row("service", Kind::Text, ("`https://127.0.0.1:8200`", "`vault.address`"), SERVER,
        "Address of the server. `VAULT_ADDR` and `-address` count for more."),
    row("namespace", Kind::Text, ("", "`auto_auth.method.namespace`"), SERVER,
        "Namespace of the login, and of all requests while nothing else says one."),
    row("tls-skip-verify", Kind::Bool, ("`false`", "`vault.tls_skip_verify`"), SERVER,
        "Trust any certificate. Not for production."),
    row("tls-server-name", Kind::Text, ("", "`vault.tls_server_name`"), SERVER,
        "Name to verify instead of the address's host."),
    row("ca-cert", Kind::Text, ("", "`vault.ca_cert`"), SERVER,
        "PEM file with the CAs to trust, as the agent's container sees it."),
    row("ca-key", Kind::Text, ("", "`vault.ca_path`"), SERVER,
        "Folder with PEM files of CAs to trust. The name misleads: no key is meant."),
    row("client-cert", Kind::Text, ("", "`vault.client_cert`"), SERVER,
        "PEM file with the client certificate."),
    row("client-key", Kind::Text, ("", "`vault.client_key`"), SERVER,
        "PEM file with the key of the client certificate."),
    row("client-timeout", Kind::Text, ("`60s`", "`VAULT_CLIENT_TIMEOUT`"), SERVER,
        "Time for one request; a number of seconds or a duration."),
    row("client-max-retries", Kind::Text, ("`2`", "`VAULT_MAX_RETRIES`"), SERVER,
        "Retries inside one request."),
    row("proxy-address", Kind::Text, ("", "`HTTPS_PROXY`"), SERVER,
        "Proxy for requests to `https` addresses."),
    row("log-level", Kind::Text, ("`info`", "`VAULT_LOG_LEVEL`"), SERVER,
        "Lowest level to log: `trace`, `debug`, `info`, `warn`, `error`."),
    row("log-format", Kind::Text, ("`standard`", "`VAULT_LOG_FORMAT`"), SERVER,
        "`standard` or `json`."),
    row("go-max-procs", Kind::Text, ("", "`GOMAXPROCS`"), (Group::Server, Standalone::Moot),
        "Threads of a Go program; this one has no use for it."),
    row("agent-disable-idle-connections", Kind::List, ("", "`disable_idle_connections`"), (Group::Server, Standalone::Acts),
        "Parts that keep no idle connection: `auto-auth`, `caching`, `proxying`, `templating`."),
    row("agent-disable-keep-alives", Kind::List, ("", "`disable_keep_alives`"), (Group::Server, Standalone::Acts),
        "Parts that use each connection once: `auto-auth`, `caching`, `proxying`, `templating`."),

    row(ROLE, Kind::Text, ("", "`auto_auth.method.config.role`"), LOGIN,
        "Role to log in with; counts for more than `auth-config-role`. The `kubernetes` method needs one."),
    row(AUTH_TYPE, Kind::Text, ("`kubernetes`", "`auto_auth.method.type`"), LOGIN,
        "Login method."),
    row(AUTH_PATH, Kind::Text, ("`auth/kubernetes`", "`auto_auth.method.mount_path`"), LOGIN,
        "Mount of the method, with `auth/` before it. The default stays when only `auth-type` changes."),
    row(AUTH_CONFIG, Kind::Text, ("", "`auto_auth.method.config.<name>`"), LOGIN,
        "A setting of the method; each `-` of the name becomes `_`, so `auth-config-token-path` sets `token_path`."),
    row("auth-min-backoff", Kind::Duration, ("`1s`", "`auto_auth.method.min_backoff`"), LOGIN,
        "First wait after a failed login."),
    row("auth-max-backoff", Kind::Duration, ("`5m`", "`auto_auth.method.max_backoff`"), LOGIN,
        "Longest wait after a failed login."),
    row("agent-auto-auth-exit-on-err", Kind::Bool, ("`false`", "`auto_auth.method.exit_on_err`"), LOGIN,
        "End with an error at the first failed login."),

    row("agent-revoke-on-shutdown", Kind::Bool, ("`false`", "`revoke_on_exit`"), (Group::Stop, Standalone::Acts),
        "Revoke the token at the end. With an injector by a preStop hook; without one by the program itself."),
    row("agent-revoke-grace", Kind::Uint, ("`5`", "preStop hook"), (Group::Stop, Standalone::Moot),
        "Seconds that the preStop hook waits first; nothing to wait for when the program revokes by itself."),
    row("agent-enable-quit", Kind::Bool, ("`false`", "`listener.agent_api.enable_quit`"), (Group::Stop, Standalone::Acts),
        "Let `POST /agent/v1/quit` at 127.0.0.1:8200 stop the program; whoever shares the pod's network may send it."),
    row("agent-cache-listener-port", Kind::Text, ("`8200`", "`listener.address`"), (Group::Stop, Standalone::Acts),
        "Another port for that. With an injector also that of the caching proxy."),

    row("agent-request-namespace", Kind::Text, ("the pod's", "admission request"), POD, "Namespace of the admission request."),
    row("agent-inject-containers", Kind::List, ("all", "containers"), POD, "App containers that get the secret volumes."),
    row("agent-pre-populate", Kind::Bool, ("`true`", "containers"), POD, "Whether there is an init container. Without an injector: put `decant init` into the pod."),
    row("agent-pre-populate-only", Kind::Bool, ("`false`", "containers"), POD, "No sidecar. Without an injector: leave `decant sidecar` out of the pod."),
    row("agent-init-first", Kind::Bool, ("`false`", "containers"), POD, "Place of the init container."),
    row("agent-share-process-namespace", Kind::Bool, ("as the pod says", "`shareProcessNamespace`"), POD, "Whether all containers see each other's processes."),
    row("agent-image", Kind::Text, ("the injector's", "`image`"), POD, "Image of the agent."),
    row("agent-json-patch", Kind::JsonPatch, ("", "sidecar container"), POD, "JSON patch on the finished sidecar."),
    row("agent-init-json-patch", Kind::JsonPatch, ("", "init container"), POD, "JSON patch on the finished init container."),
    row("tls-secret", Kind::Text, ("", "volume at `/vault/tls`"), POD, "Kubernetes Secret with CA and client certificate."),
    row("agent-extra-secret", Kind::Text, ("", "volume at `/vault/custom`"), POD, "Kubernetes Secret for the agent's container."),
    row(CONFIG_MAP, Kind::Text, ("", "volume at `/vault/configs`"), POD, "ConfigMap with whole configurations. Without an injector: mount it and name its file with `-config`."),
    row("agent-copy-volume-mounts", Kind::Text, ("", "`volumeMounts`"), POD, "Container whose mounts the agent gets, too."),
    row("agent-service-account-token-volume-name", Kind::Text, ("", "volume of the token"), POD, "Projected volume with the service-account token. Without an injector: `auth-config-token-path`."),
    row("agent-limits-cpu", Kind::Quantity, ("`500m`", "`resources`"), POD, "Limit of CPU."),
    row("agent-limits-mem", Kind::Quantity, ("`128Mi`", "`resources`"), POD, "Limit of memory."),
    row("agent-limits-ephemeral", Kind::Quantity, ("", "`resources`"), POD, "Limit of ephemeral storage."),
    row("agent-requests-cpu", Kind::Quantity, ("`250m`", "`resources`"), POD, "Request of CPU."),
    row("agent-requests-mem", Kind::Quantity, ("`64Mi`", "`resources`"), POD, "Request of memory."),
    row("agent-requests-ephemeral", Kind::Quantity, ("", "`resources`"), POD, "Request of ephemeral storage."),
    row("agent-set-security-context", Kind::Bool, ("`true`", "`securityContext`"), POD, "Whether the agent's containers get a security context."),
    row("agent-run-as-user", Kind::Int, ("`100`", "`securityContext`"), POD, "User id of the agent."),
    row("agent-run-as-group", Kind::Int, ("`1000`", "`securityContext`"), POD, "Group id of the agent."),
    row("agent-run-as-same-user", Kind::Bool, ("`false`", "`securityContext`"), POD, "Run as the app's user."),

    row("agent-cache-enable", Kind::Bool, ("`false`", "`cache`, `listener`"), LISTENER, "Serve a caching proxy to the app."),
    row("agent-cache-use-auto-auth-token", Kind::Text, ("`true`", "`cache.use_auto_auth_token`"), LISTENER, "Whether proxied requests get the agent's token: `true`, `false`, `force`."),
    row("agent-cache-exit-on-err", Kind::Bool, ("`false`", "`cache.persist.exit_on_err`"), LISTENER, "End when the persisted cache can't be read."),
    row("agent-telemetry-", Kind::Json, ("", "`telemetry.<name>`"), LISTENER, "A telemetry setting; each `-` of the name becomes `_`."),
];

/// The entry that a suffix (what stands behind the prefix) belongs to: an exact name, else the longest family.
pub fn find(suffix: &str) -> Option<&'static Entry> {
    let exact = TABLE.iter().find(|entry| !entry.family && entry.suffix == suffix);
    exact.or_else(|| {
        TABLE
            .iter()
            .filter(|entry| {
                entry.family && suffix.len() > entry.suffix.len() && suffix.starts_with(entry.suffix)
            })
            .max_by_key(|entry| entry.suffix.len())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_fit_kubernetes() {
        let names: BTreeSet<_> = TABLE.iter().map(|entry| entry.suffix).collect();
        assert_eq!(names.len(), TABLE.len());
        assert!(TABLE.iter().all(|entry| entry.suffix.len() < 63 && entry.doc.ends_with('.')));
    }

    #[test]
    fn the_longest_family_wins_and_exact_names_come_first() {
        assert_eq!(find("agent-inject-template-file-x").unwrap().suffix, TEMPLATE_FILE);
        assert_eq!(find("agent-inject-template-x").unwrap().suffix, TEMPLATE);
        assert_eq!(find("secret-volume-path").unwrap().suffix, VOLUME_PATH);
        assert_eq!(find("secret-volume-path-a").unwrap().suffix, VOLUME_PATH_OF);
        assert!(find("agent-inject-secret-").is_none(), "a family needs a name");
        assert!(find("agent-native-sidecar").is_none());
    }
}
