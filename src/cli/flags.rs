//! The one table of command-line flags: parsing, help and where each value goes.

use crate::{
    config::{
        own,
        raw::Raw,
        units::{self, UnitError},
    },
    origin::{Origin, Sourced},
};

/// One flag.
#[derive(Clone, Copy)]
pub struct Flag {
    /// Name without dashes.
    pub name: &'static str,
    /// What follows it.
    pub takes: Takes,
    /// Where the value goes.
    pub(super) set: Set,
    /// Kept out of the help text.
    pub hidden: bool,
    /// What it does, in one or two sentences, with default and variable.
    doc: &'static str,
}

/// What follows a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing, or `=true`, `=false`.
    Bool,
    /// A value; the word stands for it in help texts. The last one counts.
    Value(&'static str),
    /// A value, each time it is given.
    Repeated(&'static str),
}

/// Where a value goes.
#[derive(Clone, Copy)]
pub(super) enum Set {
    /// Into the configuration.
    Raw(fn(&mut Raw, &str, Origin) -> Result<(), UnitError>),
    /// Into the setting of ours with this key.
    Own(&'static str),
    /// Nowhere: a generic flag of the original that has no meaning for an agent.
    Ignored,
    /// The command asks for it.
    Command,
}

impl Flag {
    /// What it does.
    pub fn doc(&self) -> String {
        match self.set {
            Set::Own(key) => own::by_key(key).map_or_else(String::new, |setting| {
                let mut doc = setting.doc.to_owned();
                if let Some(first) = doc.get_mut(..1) {
                    first.make_ascii_uppercase();
                }
                format!("{doc} [default: {}] [env: {}]", setting.default, setting.variable())
            }),
            _ => self.doc.to_owned(),
        }
    }

    pub(super) const fn new(name: &'static str, takes: Takes, set: Set, doc: &'static str) -> Self {
        Self { name, takes, set, hidden: false, doc }
    }

    const fn hidden(name: &'static str, takes: Takes, set: Set) -> Self {
        Self { name, takes, set, hidden: true, doc: "" }
    }
}

/// Makes the function that stores a value that was read by another.
macro_rules! store {
    ($($field:ident).+, $read:expr) => {
        Set::Raw(|raw, text, origin| {
            raw.$($field).+ = Some(Sourced::new($read(text)?, origin));
            Ok(())
        })
    };
}

#[expect(clippy::unnecessary_wraps, reason = "has the shape of the other readers")]
fn text(text: &str) -> Result<String, UnitError> {
    Ok(text.to_owned())
}

const PATH: Takes = Takes::Value("PATH");
const TEXT: Takes = Takes::Value("TEXT");

/// How to reach the server.
pub static CLIENT: &[Flag] = &[
    Flag::new(
        "address",
        Takes::Value("URL"),
        store!(vault.address, text),
        "Address of the server [default: https://127.0.0.1:8200] [env: VAULT_ADDR]",
    ),
    Flag::hidden("agent-address", Takes::Value("URL"), Set::Ignored),
    Flag::new(
        "ca-cert",
        PATH,
        store!(vault.ca_cert, text),
        "PEM file with the CAs to trust [env: VAULT_CACERT]",
    ),
    Flag::new(
        "ca-path",
        PATH,
        store!(vault.ca_path, text),
        "Folder with PEM files of CAs to trust [env: VAULT_CAPATH]",
    ),
    Flag::new(
        "client-cert",
        PATH,
        store!(vault.client_cert, text),
        "PEM file with the client certificate [env: VAULT_CLIENT_CERT]",
    ),
    Flag::new(
        "client-key",
        PATH,
        store!(vault.client_key, text),
        "PEM file with the key of the client certificate [env: VAULT_CLIENT_KEY]",
    ),
    Flag::new(
        "tls-server-name",
        Takes::Value("NAME"),
        store!(vault.tls_server_name, text),
        "Name to verify instead of the address's host [env: VAULT_TLS_SERVER_NAME]",
    ),
    Flag::new(
        "tls-skip-verify",
        Takes::Bool,
        store!(vault.tls_skip_verify, units::go_bool),
        "Trust any certificate; not for production [env: VAULT_SKIP_VERIFY]",
    ),
    Flag::new(
        "namespace",
        Takes::Value("NAME"),
        store!(vault.namespace, text),
        "Namespace of all requests [env: VAULT_NAMESPACE]",
    ),
    // The short form counts for more, so it has to come later.
    Flag::hidden("ns", Takes::Value("NAME"), store!(vault.namespace, text)),
];

/// Generic flags of the original's client that mean nothing to an agent; accepted, because scripts have them.
pub static GENERIC: &[Flag] = &[
    Flag::hidden("header", Takes::Repeated("NAME=VALUE"), Set::Command),
    Flag::hidden("disable-redirects", Takes::Bool, Set::Ignored),
    Flag::hidden("policy-override", Takes::Bool, Set::Ignored),
    Flag::hidden("wrap-ttl", Takes::Value("DURATION"), Set::Ignored),
    Flag::hidden("mfa", Takes::Repeated("TEXT"), Set::Ignored),
    Flag::hidden("unlock-key", TEXT, Set::Ignored),
    Flag::hidden("output-curl-string", Takes::Bool, Set::Ignored),
    Flag::hidden("output-policy", Takes::Bool, Set::Ignored),
    Flag::hidden("non-interactive", Takes::Bool, Set::Ignored),
];

/// How to log.
pub static LOG: &[Flag] = &[
    Flag::new(
        "log-level",
        Takes::Value("LEVEL"),
        store!(log.level, text),
        "Lowest level to log: trace, debug, info, warn, error [default: info] [env: VAULT_LOG_LEVEL]",
    ),
    Flag::new(
        "log-format",
        Takes::Value("FORMAT"),
        store!(log.format, text),
        "standard or json [default: standard] [env: VAULT_LOG_FORMAT]",
    ),
];

/// What only `agent` has.
pub static AGENT: &[Flag] = &[
    Flag::new(
        "config",
        Takes::Repeated("PATH"),
        Set::Command,
        "Configuration file, or folder with files *.hcl and *.json; may be given several times",
    ),
    Flag::new(
        "exit-after-auth",
        Takes::Bool,
        store!(exit_after_auth, units::go_bool),
        "Render everything once and exit; counts for more than the configuration",
    ),
    Flag::new("log-file", PATH, store!(log.file, text), "Also log to this file"),
    Flag::new(
        "log-rotate-bytes",
        Takes::Value("BYTES"),
        store!(log.rotate_bytes, units::int_with_base),
        "Start a new log file at this size; 0 never does [default: 0]",
    ),
    Flag::new(
        "log-rotate-duration",
        Takes::Value("DURATION"),
        store!(log.rotate_duration, units::duration),
        "Start a new log file at this age [default: 24h]",
    ),
    Flag::new(
        "log-rotate-max-files",
        Takes::Value("COUNT"),
        store!(log.rotate_max_files, units::int_with_base),
        "Older log files to keep; 0 keeps all, -1 none [default: 0]",
    ),
    Flag::hidden("combine-logs", Takes::Bool, Set::Command),
    Flag::hidden("test-verify-only", Takes::Bool, Set::Command),
    Flag::hidden("disable-gated-logs", Takes::Bool, Set::Ignored),
];

/// Settings that only decant has.
pub static OWN: &[Flag] = &[
    Flag::new("init-deadline", Takes::Value("DURATION"), Set::Own("init_deadline"), ""),
    Flag::new("revoke-on-exit", Takes::Bool, Set::Own("revoke_on_exit"), ""),
    Flag::new("partials-path", PATH, Set::Own("partials_path"), ""),
    Flag::new("handover", Takes::Value("FOLDER"), Set::Own("handover"), ""),
    Flag::new("status-listen", Takes::Value("ADDRESS"), Set::Own("status_listen"), ""),
    Flag::new("status-socket", PATH, Set::Own("status_socket"), ""),
    Flag::new("ready-file", PATH, Set::Own("ready_file"), ""),
];

/// What `init` and `sidecar` have.
pub static STANDALONE: &[Flag] = &[
    Flag::new(
        "annotations",
        Takes::Value("FILE"),
        Set::Command,
        "The pod's annotations, from a downward-API volume [default: /etc/podinfo/annotations]",
    ),
    Flag::new(
        "config",
        Takes::Repeated("PATH"),
        Set::Command,
        "Configuration file or folder that adds to the annotations; may be given several times",
    ),
    Flag::new("pid-file", PATH, store!(pid_file, text), "Keep the process id in this file while running"),
];

/// What is looked at, where the name and contents of a file don't say it.
pub static INPUTS: &[Flag] = &[
    Flag::new("template", Takes::Repeated("FILE"), Set::Command, "A template, whatever its name"),
    Flag::new(
        "config",
        Takes::Repeated("PATH"),
        Set::Command,
        "A configuration file or folder; several are merged",
    ),
    Flag::new("manifest", Takes::Repeated("FILE"), Set::Command, "Kubernetes objects in YAML or JSON"),
    Flag::new(
        "annotations",
        Takes::Repeated("FILE"),
        Set::Command,
        "A downward-API file with a pod's annotations",
    ),
    Flag::new(
        "dialect",
        Takes::Value("DIALECT"),
        Set::Command,
        "go or handlebars, of template files given by themselves [default: handlebars for *.hbs, else go]",
    ),
    Flag::new("partials-path", PATH, Set::Own("partials_path"), ""),
    Flag::new("left-delimiter", TEXT, Set::Command, "Of template files given by themselves [default: {{]"),
    Flag::new("right-delimiter", TEXT, Set::Command, "Of template files given by themselves [default: }}]"),
    Flag::new(
        "error-on-missing-key",
        Takes::Bool,
        Set::Command,
        "In template files given by themselves, a key that a secret doesn't have is an error",
    ),
    Flag::new(
        "kv2",
        Takes::Repeated("MOUNT"),
        Set::Command,
        "A mount of KV version 2, where no path gives it away; several with commas",
    ),
];

/// What only `render` has.
pub static RENDER: &[Flag] = &[
    Flag::new(
        "fixture",
        Takes::Value("FILE"),
        Set::Command,
        "Secrets from this YAML or JSON file (path: {key: value}) instead of a server",
    ),
    Flag::new(
        "secret",
        Takes::Repeated("PATH"),
        Set::Command,
        "A secret to write as --format says, without a template",
    ),
    Flag::new(
        "format",
        Takes::Value("FORMAT"),
        Set::Command,
        "Of --secret: dotenv, json, yaml, properties, toml, shell or pem [default: json]",
    ),
    Flag::new("out", Takes::Value("DIR"), Set::Command, "Write below this folder, and nowhere else"),
    Flag::new(
        "diff",
        Takes::Bool,
        Set::Command,
        "Write nothing; show what changes at the destination, or in the folder of -out",
    ),
    Flag::new("watch", Takes::Bool, Set::Command, "Render again whenever a file is saved"),
    Flag::new(
        "reveal",
        Takes::Bool,
        Set::Command,
        "Show values on a terminal; elsewhere they are shown anyway",
    ),
];

/// What only `check` has.
pub static CHECK: &[Flag] = &[
    Flag::new(
        "kv1",
        Takes::Repeated("MOUNT"),
        Set::Command,
        "A mount of KV version 1 or another engine: its paths are what they are",
    ),
    Flag::new(
        "format",
        Takes::Value("FORMAT"),
        Set::Command,
        "text, json, or hcl for the policy alone [default: text]",
    ),
    Flag::new("strict", Takes::Bool, Set::Command, "Warnings count as errors"),
];

/// What `dev` has.
pub static DEV: &[Flag] = &[
    Flag::new(
        "listen",
        Takes::Value("ADDRESS"),
        Set::Command,
        "Loopback address and port; port 0 takes a free one [default: 127.0.0.1:8200]",
    ),
    Flag::new(
        "root-token",
        Takes::Value("TOKEN"),
        Set::Command,
        "Token that may do everything; printed at start",
    ),
    Flag::new(
        "tls",
        Takes::Bool,
        Set::Command,
        "Serve HTTPS; the file with the CA certificate is printed at start",
    ),
];

/// What `token revoke` has.
pub static REVOKE: &[Flag] = &[
    Flag::new("self", Takes::Bool, Set::Command, "Revoke the token that the request is made with"),
    Flag::hidden("accessor", Takes::Bool, Set::Command),
    Flag::hidden("mode", Takes::Value("MODE"), Set::Command),
];

/// What `token lookup` has.
pub static LOOKUP: &[Flag] = &[
    Flag::new(
        "format",
        Takes::Value("FORMAT"),
        Set::Command,
        "table or json [default: table] [env: VAULT_FORMAT]",
    ),
    Flag::hidden("accessor", Takes::Bool, Set::Command),
];

#[cfg(test)]
mod tests {
    use super::{
        super::{generate::GENERATE, healthcheck::HEALTHCHECK},
        *,
    };

    #[test]
    fn every_setting_of_our_own_has_its_flag() {
        let flags: Vec<&str> = OWN.iter().map(|flag| flag.name).collect();
        let settings: Vec<String> = own::SETTINGS.iter().map(own::Setting::flag).collect();
        assert_eq!(flags, settings);
        for (flag, setting) in OWN.iter().zip(own::SETTINGS) {
            assert!(matches!(flag.set, Set::Own(key) if key == setting.key), "{}", flag.name);
            assert_eq!(flag.takes == Takes::Bool, setting.takes == own::Takes::Bool, "{}", flag.name);
        }
    }

    #[test]
    fn every_flag_that_is_shown_is_explained() {
        for flag in [
            CLIENT,
            GENERIC,
            LOG,
            AGENT,
            OWN,
            STANDALONE,
            INPUTS,
            RENDER,
            CHECK,
            DEV,
            GENERATE,
            HEALTHCHECK,
            REVOKE,
            LOOKUP,
        ]
        .concat()
        {
            assert_eq!(flag.hidden, flag.doc().is_empty(), "{}", flag.name);
        }
    }
}
