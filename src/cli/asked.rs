//! A command line that clap has accepted, turned into a command with its options.

use std::path::PathBuf;

use clap::ArgMatches;
use secrecy::SecretString;

use super::{
    ANNOTATIONS, AgentOptions, Command, GenerateOptions, HealthcheckOptions, OutputFormat, PodOptions,
    Program, Usage,
    commands::Spec,
    flags::{Flag, Set, Takes},
    foreign,
};
use crate::{
    config::{env::Environment, own, raw::Raw, units},
    origin::Origin,
    problem::Problem,
};

/// A command line that clap has accepted.
pub(super) struct Asked {
    pub(super) program: Program,
    pub(super) spec: &'static Spec,
    pub(super) matches: ArgMatches,
    /// The first word that is no flag and all behind it.
    pub(super) rest: Vec<String>,
}

impl Asked {
    /// The command with its options.
    pub(super) fn command(self, environment: &Environment) -> Result<Command, Usage> {
        match self.spec.name {
            "agent" => self.agent(environment).map(Command::Agent),
            "init" => self.pod().map(Command::Init),
            "sidecar" => self.pod().map(Command::Sidecar),
            #[cfg(feature = "laptop")]
            "render" => self.render().map(Command::Render),
            #[cfg(feature = "laptop")]
            "check" => self.check().map(Command::Check),
            #[cfg(feature = "dev")]
            "dev" => self.dev().map(Command::Dev),
            #[cfg(feature = "dev")]
            "demo" => self.no_words().map(|()| Command::Demo),
            "agent generate-config" => self.generate().map(Command::Generate),
            "healthcheck" => self.healthcheck().map(Command::Healthcheck),
            "token revoke" => self.revoke(),
            "token lookup" => self.lookup(environment),
            _ => self.no_words().map(|()| Command::Print(self.program.version())),
        }
    }

    fn agent(&self, environment: &Environment) -> Result<AgentOptions, Usage> {
        let mut configs = self.paths("config");
        if configs.is_empty() {
            let list = environment.get("BAO_AGENT_CONFIG_PATH").unwrap_or_default();
            configs = list.split(',').filter(|path| !path.is_empty()).map(PathBuf::from).collect();
        }
        if configs.is_empty() {
            return Err(self.wrong("Must specify at least one config path using -config"));
        }
        let mut flags = self.settings()?;
        if let Some(word) = self.rest.first() {
            // The original stops reading flags here, too, so what follows can't be meant to count.
            flags.warnings.push(
                Problem::warning(format!("`{word}` is no flag: it and all behind it is ignored"))
                    .hint("a boolean flag takes its value with `=`, for instance -exit-after-auth=true"),
            );
        }
        Ok(AgentOptions {
            configs,
            flags: Box::new(flags),
            combine_logs: self.is_set("combine-logs")?,
            verify_only: self.is_set("test-verify-only")?,
        })
    }

    fn pod(&self) -> Result<PodOptions, Usage> {
        self.no_words()?;
        Ok(PodOptions {
            annotations: self.text("annotations").unwrap_or(ANNOTATIONS).into(),
            configs: self.paths("config"),
            flags: Box::new(self.settings()?),
        })
    }

    fn generate(&self) -> Result<GenerateOptions, Usage> {
        if self.text("type") != Some("env-template") {
            return Err(self
                .wrong("Please specify a -type flag; currently only -type=\"env-template\" is supported."));
        }
        let out = match self.rest.as_slice() {
            [] => "agent.hcl",
            [out] => out,
            _ => return Err(self.wrong("too many arguments: expected at most one file, behind all flags")),
        };
        Ok(GenerateOptions {
            paths: self.values("path").cloned().collect(),
            command: self.text("exec").unwrap_or("env").to_owned(),
            out: out.into(),
            flags: Box::new(self.settings()?),
        })
    }

    fn healthcheck(&self) -> Result<HealthcheckOptions, Usage> {
        self.no_words()?;
        Ok(HealthcheckOptions {
            socket: self.text("socket").map(PathBuf::from),
            pid_file: self.text("pid-file").map(PathBuf::from),
            annotations: self.text("annotations").unwrap_or(ANNOTATIONS).into(),
        })
    }

    fn revoke(&self) -> Result<Command, Usage> {
        let own = self.is_set("self")?;
        let other = self.text("accessor").is_some() || self.text("mode").is_some() || !self.rest.is_empty();
        match (own, other) {
            (true, false) => Ok(Command::TokenRevokeSelf { flags: Box::new(self.settings()?) }),
            (false, false) => Err(self.wrong("token revoke needs -self")),
            (_, true) => {
                let message = foreign::refusal("token revoke", "only the form `token revoke -self` is here");
                Err(Usage::new(foreign::EXIT_CODE, message))
            }
        }
    }

    fn lookup(&self, environment: &Environment) -> Result<Command, Usage> {
        if self.is_set("accessor")? {
            let message =
                foreign::refusal("token lookup -accessor", "only tokens themselves can be looked up");
            return Err(Usage::new(foreign::EXIT_CODE, message));
        }
        let said = self.text("format").or_else(|| environment.vault("FORMAT").map(|said| said.value));
        let format = match said {
            None | Some("" | "table") => OutputFormat::Table,
            Some("json") => OutputFormat::Json,
            Some(other) => {
                return Err(self.wrong(&format!("{other:?} is no -format: expected table or json")));
            }
        };
        let token = match self.rest.as_slice() {
            [] => None,
            [token] => Some(SecretString::from(token.as_str())),
            _ => return Err(self.wrong("too many arguments: expected at most one token, behind all flags")),
        };
        Ok(Command::TokenLookup { flags: Box::new(self.settings()?), token, format })
    }

    /// All flags that are settings.
    pub(super) fn settings(&self) -> Result<Raw, Usage> {
        let mut raw = Raw::default();
        for flag in self.spec.flags() {
            for value in self.values(flag.name) {
                self.set(&mut raw, flag, value)?;
            }
        }
        Ok(raw)
    }

    fn set(&self, raw: &mut Raw, flag: &Flag, value: &str) -> Result<(), Usage> {
        let origin = Origin::Flag(format!("-{}", flag.name).into());
        match flag.set {
            Set::Raw(set) => {
                set(raw, value, origin).map_err(|error| self.bad_value(flag, value, &error.to_string()))
            }
            Set::Own(key) => own::by_key(key)
                .map_or(Ok(()), |setting| setting.read(raw, value, origin))
                .map_err(|problem| self.wrong(&problem.to_string())),
            Set::Command if flag.name == "header" => self.header(raw, value, origin),
            Set::Ignored | Set::Command => Ok(()),
        }
    }

    /// Wrong values of flags are shown: none of those that have a syntax is a secret.
    fn bad_value(&self, flag: &Flag, value: &str, expected: &str) -> Usage {
        let kind = if flag.takes == Takes::Bool { "boolean " } else { "" };
        self.wrong(&format!("invalid {kind}value {value:?} for flag -{}: expected {expected}", flag.name))
    }

    fn header(&self, raw: &mut Raw, value: &str, origin: Origin) -> Result<(), Usage> {
        let Some((name, _)) = value.split_once('=') else {
            return Err(
                self.wrong("-header needs a name and a value, for instance -header=X-Request-Source=pod")
            );
        };
        if name.to_ascii_lowercase().starts_with("x-vault-") {
            return Err(self.wrong(&format!(
                "-header can't set {name}: names that begin with X-Vault- are Vault's own"
            )));
        }
        raw.warnings.push(Problem::warning("this flag has no effect in this version").at(origin));
        Ok(())
    }

    /// The values of a flag, in their order. Clap knows only the flags that were given.
    pub(super) fn values(&self, name: &str) -> impl DoubleEndedIterator<Item = &String> + use<'_> {
        debug_assert!(self.spec.flags().any(|flag| flag.name == name), "{name}");
        self.matches.try_get_many::<String>(name).ok().flatten().into_iter().flatten()
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.values(name).next_back().map(String::as_str)
    }

    pub(super) fn paths(&self, name: &str) -> Vec<PathBuf> {
        self.values(name).map(PathBuf::from).collect()
    }

    pub(super) fn is_set(&self, name: &str) -> Result<bool, Usage> {
        let Some(value) = self.text(name) else { return Ok(false) };
        units::go_bool(value).map_err(|error| {
            self.wrong(&format!("invalid boolean value {value:?} for flag -{name}: expected {error}"))
        })
    }

    pub(super) fn no_words(&self) -> Result<(), Usage> {
        match self.rest.first() {
            Some(word) => Err(self.wrong(&format!("unexpected argument `{word}`"))),
            None => Ok(()),
        }
    }

    pub(super) fn wrong(&self, message: &str) -> Usage {
        wrong(self.program, self.spec, message)
    }
}

/// A wrong use of a command, with the way to its help.
pub(super) fn wrong(program: Program, spec: &Spec, message: &str) -> Usage {
    let hint = format!("`{} {} --help` explains the flags", program.name(), spec.name);
    Usage::new(spec.usage_exit, format!("{message}\n  hint: {hint}"))
}
