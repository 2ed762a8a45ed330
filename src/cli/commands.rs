//! The commands' help texts, and what clap makes of them and of the table of flags.

use clap::{Arg, ArgAction, ArgMatches, Command as Parser};

#[cfg(feature = "dev")]
use super::flags::DEV;
#[cfg(feature = "laptop")]
use super::flags::{CHECK, INPUTS, RENDER};
use super::{
    Program,
    flags::{AGENT, CLIENT, Flag, GENERIC, LOG, LOOKUP, OWN, REVOKE, STANDALONE, Takes},
    generate::GENERATE,
    healthcheck::HEALTHCHECK,
};

/// One command.
pub(super) struct Spec {
    /// Its name, of one or two words.
    pub(super) name: &'static str,
    /// What it does, on one line.
    about: &'static str,
    /// What one should know about it.
    long: &'static str,
    /// How it is called, behind its name.
    usage: &'static str,
    /// Its flags.
    flags: &'static [&'static [Flag]],
    /// Command lines to copy.
    examples: &'static str,
    /// Exit code for a command line that is wrong.
    pub(super) usage_exit: u8,
}

/// All commands of this build, in the order of the help text.
pub(super) static COMMANDS: &[Spec] = &[
    Spec {
        name: "agent",
        about: "Take the place of `vault agent`: same configuration, same files",
        long: "Logs in, fetches what the templates of the configuration name, writes the files, runs their\n\
               commands, and keeps all of it fresh until it is stopped. With exit_after_auth it does so once.\n\
               \n\
               Exit codes: 0 stopped or done, 1 anything else.",
        usage: "-config=PATH [FLAGS]",
        flags: &[AGENT, CLIENT, LOG, OWN, GENERIC],
        examples: "  Stay and keep files fresh:\n    decant agent -config=/etc/agent.hcl\n\n  \
                   Render once, as an init container does:\n    decant agent -config=/etc/agent.d -exit-after-auth",
        usage_exit: 1,
    },
    Spec {
        name: "agent generate-config",
        about: "Write a configuration with a variable for each key of some secrets",
        long: "Reads the secrets with the token from VAULT_TOKEN, or else from the file ~/.vault-token, and writes\n\
               env_template and exec stanzas into FILE (agent.hcl when none is named). Only the names of the keys\n\
               are written. The process supervisor that such a configuration needs is still to come here; the\n\
               original runs it.\n\
               \n\
               Exit codes: 0 written, 1 wrong usage, 2 the server refused or is away, 3 the file can't be written.",
        usage: "-type=env-template [-path=PATH …] [FLAGS] [FILE]",
        flags: &[GENERATE, CLIENT, GENERIC],
        examples: "  For all secrets of a folder:\n    decant agent generate-config -type=env-template -path='secret/app/*' \\\n      \
                   -exec='./app serve' agent.hcl",
        usage_exit: 1,
    },
    Spec {
        name: "init",
        about: "Render what the pod's annotations ask for, then exit (init container)",
        long: "Reads the annotations that an injector would read from a downward-API file, logs in, writes all\n\
               files, and exits. Needs no injector; docs/annotations.md lists the annotations.\n\
               \n\
               Exit codes: 0 done, 2 wrong configuration, 3 login failed, 4 denied or missing secret, 5\n\
               deadline passed, 6 a file or command failed.",
        usage: "[FLAGS]",
        flags: &[STANDALONE, OWN, CLIENT, LOG],
        examples: "  In a pod with the downward-API volume mounted at /etc/podinfo:\n    decant init\n\n  \
                   Give up after a minute, with settings of the cluster in a file:\n    \
                   decant init -config=/etc/decant.hcl --init-deadline 60s",
        usage_exit: 2,
    },
    Spec {
        name: "sidecar",
        about: "Render what the pod's annotations ask for and keep it fresh (sidecar)",
        long: "As `init`, then stays and keeps files, leases and token fresh until it is stopped. As a native\n\
               sidecar (an init container with restartPolicy Always) it needs no `init` before it.\n\
               \n\
               Exit codes: as `init` until the first render is complete, then 0 on a clean stop.",
        usage: "[FLAGS]",
        flags: &[STANDALONE, OWN, CLIENT, LOG],
        examples: "  In a pod with the downward-API volume mounted at /etc/podinfo:\n    decant sidecar\n\n  \
                   With annotations from elsewhere, and the token revoked at the end:\n    \
                   decant sidecar --annotations ./annotations --revoke-on-exit",
        usage_exit: 2,
    },
    #[cfg(feature = "laptop")]
    Spec {
        name: "render",
        about: "Show what templates render to, with secrets from a server or from a file",
        long: "FILE is a template, a configuration (all its templates), or a Kubernetes manifest with annotations\n\
               (Pod, Deployment and their kin); its name and contents tell which, `-` is standard input. Files\n\
               *.hbs are Handlebars, others Go templates; the folder `partials` beside them has partials. Secrets\n\
               come from the server (VAULT_ADDR, VAULT_TOKEN or ~/.vault-token; leased ones are made for real)\n\
               or from the file that --fixture names. On a terminal their values are hidden.\n\
               It never runs commands and writes only below the folder that --out names.\n\
               \n\
               Exit codes: 0 rendered, 2 wrong configuration or template, 3 no access to the server, 4 a secret\n\
               is denied or missing.",
        usage: "FILE… [FLAGS]",
        flags: &[RENDER, INPUTS, CLIENT],
        examples: "  A template with secrets from a file, again on every save:\n    \
                   decant render app.conf.tmpl --fixture secrets.yaml --watch\n\n  \
                   What a deployment's pods would get, into a folder:\n    \
                   decant render deployment.yaml --fixture secrets.yaml --out rendered\n\n  \
                   A secret as it would be with a format, without a template:\n    \
                   decant render --secret secret/data/app --format dotenv\n\n  \
                   What would change in the rendered files here:\n    \
                   decant render --config agent.hcl --diff",
        usage_exit: 2,
    },
    #[cfg(feature = "laptop")]
    Spec {
        name: "check",
        about: "Find mistakes in templates, configurations and manifests; list requests and their policy",
        long: "Asks no server. Looks at syntax, keys that are unknown or deprecated, functions that don't exist,\n\
               destinations that two templates share; lists every request that each template makes, and the least\n\
               policy that allows them. FILE is what it is for `render`, or a folder of configurations, or a\n\
               downward-API file.\n\
               \n\
               Exit codes: 0 usable, 2 mistakes (with --strict: or warnings).",
        usage: "FILE… [FLAGS]",
        flags: &[CHECK, INPUTS],
        examples: "  Before a commit:\n    decant check --strict deployment.yaml\n\n  \
                   The policy for the role:\n    \
                   decant check --format hcl --kv2 secret agent.hcl > policy.hcl",
        usage_exit: 2,
    },
    #[cfg(feature = "dev")]
    Spec {
        name: "dev",
        about: "Run a Vault-compatible server in memory, for laptops and tests",
        long: "Serves the parts of Vault's HTTP API that agents and applications use, on the loopback interface\n\
               only. Everything is in memory and gone when it ends. Never for real secrets.",
        usage: "[FLAGS]",
        flags: &[DEV],
        examples: "  On the usual port:\n    decant dev --root-token root\n\n  \
                   On a free port:\n    decant dev --listen 127.0.0.1:0\n\n  \
                   With HTTPS:\n    decant dev --tls",
        usage_exit: 2,
    },
    #[cfg(feature = "dev")]
    Spec {
        name: "demo",
        about: "Show the whole story on this machine in about ten seconds",
        long: "Starts the dev server, makes a folder like a pod's, runs init and sidecar in it, rotates a\n\
               secret, lets credentials expire, breaks a template, and stops cleanly. Each step shows its real\n\
               output.\n\
               \n\
               Exit codes: 0 all of it held, 1 something did not.",
        usage: "",
        flags: &[],
        examples: "  decant demo",
        usage_exit: 2,
    },
    Spec {
        name: "healthcheck",
        about: "Ask the running agent whether it is ready (exec probe, no shell needed)",
        long: "Ready means that every file is written and nothing in it has ended; an outage of the server alone\n\
               does not change it. What is awaited is printed. Needs a running `init` or `sidecar`, or an `agent`\n\
               with the setting status_socket. docs/status.md has more.\n\
               \n\
               Exit codes: 0 ready, 1 not ready, or no agent is there.",
        usage: "[FLAGS]",
        flags: &[HEALTHCHECK],
        examples: "  As a startup or readiness probe:\n    decant healthcheck\n\n  \
                   Of an agent with a pid file:\n    decant healthcheck --socket /run/agent.sock",
        usage_exit: 2,
    },
    Spec {
        name: "token revoke",
        about: "Revoke the token it is called with (-self)",
        long: "What a preStop hook calls. The token comes from VAULT_TOKEN, or else from the file ~/.vault-\n\
               token that the agent's sink writes.\n\
               \n\
               Exit codes: 0 revoked, 1 wrong usage, 2 the server refused or is away.",
        usage: "-self [FLAGS]",
        flags: &[REVOKE, CLIENT, GENERIC],
        examples: "  decant token revoke -address=https://vault:8200 -ca-cert=/vault/tls/ca.crt -self",
        usage_exit: 1,
    },
    Spec {
        name: "token lookup",
        about: "Show policies, times and metadata of a token",
        long: "Without TOKEN it shows the one from VAULT_TOKEN, or else from the file ~/.vault-token.\n\
               \n\
               Exit codes: 0 shown, 1 wrong usage, 2 the server refused or is away.",
        usage: "[FLAGS] [TOKEN]",
        flags: &[LOOKUP, CLIENT, GENERIC],
        examples: "  decant token lookup -format=json",
        usage_exit: 1,
    },
    Spec {
        name: "version",
        about: "Print the version",
        long: "The first line is the name the program was called by and `v` with the version.",
        usage: "",
        flags: &[],
        examples: "  decant version",
        usage_exit: 2,
    },
];

impl Spec {
    /// The command of this name.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        COMMANDS.iter().find(|spec| spec.name == name)
    }

    /// Whether flags may stand behind words, unlike in Go: for commands of ours that people type.
    pub(super) fn takes_words(&self) -> bool {
        matches!(self.name, "render" | "check")
    }

    /// What it does, on one line.
    #[cfg(test)]
    pub(super) const fn about_line(&self) -> &'static str {
        self.about
    }

    /// Its flags, in the order of the help text.
    pub(super) fn flags(&self) -> impl Iterator<Item = &'static Flag> + Clone + use<> {
        self.flags.iter().flat_map(|flags| flags.iter())
    }

    /// Judges flags that are already in the form `--name=value`. Clap hears only of those that are given, because its
    /// work for the fifty that are not would be a tenth of all that a short run does; where it has something to say,
    /// it hears of all.
    ///
    /// # Errors
    /// Clap's own, help included.
    pub(super) fn matches(&self, program: Program, flags: Vec<String>) -> Result<ArgMatches, clap::Error> {
        let is_given = |flag: &&Flag| {
            let is_it = |given: &String| {
                given.strip_prefix("--").and_then(|given| given.split('=').next()) == Some(flag.name)
            };
            flags.iter().any(is_it)
        };
        let given =
            Parser::new("decant").no_binary_name(true).disable_help_flag(true).args_override_self(true);
        let given = given.args(self.flags().filter(is_given).map(arg));
        given.try_get_matches_from(&flags).or_else(|_| self.parser(program).try_get_matches_from(flags))
    }

    /// The text for `--help`.
    pub(super) fn help(&self, program: Program) -> String {
        self.parser(program).render_long_help().to_string()
    }

    fn parser(&self, program: Program) -> Parser {
        let call = format!("{} {}", program.name(), self.name);
        let examples = self.examples.replace("decant ", &format!("{} ", program.name()));
        Parser::new("decant")
            .no_binary_name(true)
            .disable_help_flag(true)
            .args_override_self(true)
            .about(self.about)
            .long_about(format!("{}\n\n{}", self.about, self.long))
            .override_usage(format!("{call} {}", self.usage).trim_end().to_owned())
            .after_help(format!("Examples:\n{examples}"))
            .args(self.flags().map(arg))
            .arg(Arg::new("help").long("help").short('h').action(ArgAction::Help).help("Print this text"))
    }
}

fn arg(flag: &'static Flag) -> Arg {
    let arg = Arg::new(flag.name).long(flag.name).require_equals(true).hide(flag.hidden).help(flag.doc());
    match flag.takes {
        Takes::Bool => {
            arg.action(ArgAction::Set).num_args(0..=1).default_missing_value("true").value_name("BOOL")
        }
        Takes::Value(name) => arg.action(ArgAction::Set).value_name(name),
        Takes::Repeated(name) => arg.action(ArgAction::Append).value_name(name),
    }
}

/// The text for a call without a command, and for `help`.
pub(super) fn overview(program: Program) -> String {
    let name = program.name();
    let width = COMMANDS.iter().map(|spec| spec.name.len()).max().unwrap_or(0);
    let mut text = format!(
        "decant logs in to Vault or OpenBao, writes secrets into files, and keeps them fresh.\n\nUsage: {name} COMMAND \
         [FLAGS]\n\nCommands:\n"
    );
    for spec in COMMANDS {
        text.push_str(&format!("  {:width$}  {}\n", spec.name, spec.about));
    }
    text.push_str(&format!("  {:width$}  {}\n", "help", "Explain a command"));
    text.push_str(&format!(
        "\nFlags take one dash or two, and their values behind `=` or a blank. `{name} COMMAND --help` explains each.\n"
    ));
    text
}
