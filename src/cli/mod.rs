//! The command line: what was asked for, as a value. Nothing here touches files, network or clock.

mod agent;
mod asked;
#[cfg(feature = "laptop")]
mod check;
mod commands;
#[cfg(feature = "dev")]
mod demo;
#[cfg(feature = "dev")]
mod dev;
pub mod flags;
mod foreign;
mod generate;
pub mod goflags;
mod healthcheck;
#[cfg(feature = "laptop")]
mod inputs;
mod parts;
mod pod;
#[cfg(feature = "laptop")]
mod render;
mod runtime;
mod start;
mod token;

use std::{ffi::OsString, fmt, path::PathBuf};

use clap::error::ErrorKind;
use secrecy::SecretString;
use thiserror::Error;

use crate::{
    config::{env::Environment, raw::Raw},
    problem::nearest,
};
#[cfg(feature = "dev")]
pub use dev::DevOptions;
#[cfg(feature = "laptop")]
pub use inputs::{CheckFormat, CheckOptions, RenderOptions};
pub use start::start;

use asked::{Asked, wrong};
use commands::{COMMANDS, Spec};

#[cfg(test)]
mod tests;

/// File with the pod's annotations when no flag names one.
pub const ANNOTATIONS: &str = "/etc/podinfo/annotations";

/// The name the program was called by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Program {
    /// Its own, or one that means nothing.
    #[default]
    Decant,
    /// HashiCorp's.
    Vault,
    /// OpenBao's; `BAO_X` counts before `VAULT_X`.
    Bao,
}

impl Program {
    /// Judges the first word of the command line, folders aside.
    pub fn called(argv: &[OsString]) -> Self {
        let file = argv.first().map(PathBuf::from).and_then(|path| path.file_name().map(OsString::from));
        match file.as_deref().and_then(std::ffi::OsStr::to_str) {
            Some("vault") => Self::Vault,
            Some("bao") => Self::Bao,
            _ => Self::Decant,
        }
    }

    /// The name to show in help texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decant => "decant",
            Self::Vault => "vault",
            Self::Bao => "bao",
        }
    }

    /// What `version` prints. The first line has the form that scripts look for, `Name vX.Y.Z`, with the name the
    /// program was called by; the number is always decant's own.
    pub fn version(self) -> String {
        let number = env!("CARGO_PKG_VERSION");
        match self {
            Self::Decant => format!("decant v{number}\n"),
            Self::Vault => format!("Vault v{number} (decant)\n"),
            Self::Bao => format!("OpenBao v{number} (decant)\n"),
        }
    }
}

/// What was asked for. Settings from flags are in each `flags`, with their flag as origin.
#[derive(Clone, Debug)]
pub enum Command {
    /// `agent`.
    Agent(AgentOptions),
    /// `init`.
    Init(PodOptions),
    /// `sidecar`.
    Sidecar(PodOptions),
    /// `render`.
    #[cfg(feature = "laptop")]
    Render(RenderOptions),
    /// `check`.
    #[cfg(feature = "laptop")]
    Check(CheckOptions),
    /// `dev`.
    #[cfg(feature = "dev")]
    Dev(DevOptions),
    /// `demo`.
    #[cfg(feature = "dev")]
    Demo,
    /// `agent generate-config`.
    Generate(GenerateOptions),
    /// `healthcheck`.
    Healthcheck(HealthcheckOptions),
    /// `token revoke -self`.
    TokenRevokeSelf {
        /// Settings from flags.
        flags: Box<Raw>,
    },
    /// `token lookup`.
    TokenLookup {
        /// Settings from flags.
        flags: Box<Raw>,
        /// The token to look up; `None`: the one the request is made with.
        token: Option<SecretString>,
        /// How to print.
        format: OutputFormat,
    },
    /// Print this on standard output and exit with 0: help and version.
    Print(String),
}

/// Options of `agent`.
#[derive(Clone, Debug)]
pub struct AgentOptions {
    /// Configuration files and folders, at least one.
    pub configs: Vec<PathBuf>,
    /// Settings from flags.
    pub flags: Box<Raw>,
    /// The log goes to standard output.
    pub combine_logs: bool,
    /// Stop with exit code 0 once the configuration is loaded and the log is open.
    pub verify_only: bool,
}

/// Options of `init` and `sidecar`.
#[derive(Clone, Debug)]
pub struct PodOptions {
    /// File with the pod's annotations. Default [`ANNOTATIONS`].
    pub annotations: PathBuf,
    /// Configuration files and folders that add to the annotations.
    pub configs: Vec<PathBuf>,
    /// Settings from flags.
    pub flags: Box<Raw>,
}

/// Options of `agent generate-config`.
#[derive(Clone, Debug)]
pub struct GenerateOptions {
    /// Paths of secrets; with `/*` at the end a whole folder.
    pub paths: Vec<String>,
    /// The command that gets the variables.
    pub command: String,
    /// The file to write.
    pub out: PathBuf,
    /// Settings from flags.
    pub flags: Box<Raw>,
}

/// Options of `healthcheck`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthcheckOptions {
    /// The agent's status socket; `None`: it is looked for.
    pub socket: Option<PathBuf>,
    /// The agent's pid file, beside which the socket is.
    pub pid_file: Option<PathBuf>,
    /// File with the pod's annotations, which may name the socket.
    pub annotations: PathBuf,
}

/// How `token lookup` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// Key and value in two columns.
    Table,
    /// The server's answer.
    Json,
}

/// A command line that can't be followed.
#[derive(Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Usage {
    /// What to print on standard error.
    pub message: String,
    /// What to exit with.
    pub exit_code: u8,
}

impl fmt::Debug for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}: {}", self.exit_code, self.message)
    }
}

impl Usage {
    fn new(exit_code: u8, message: impl Into<String>) -> Self {
        Self { message: message.into(), exit_code }
    }
}

/// Exit code for a wrong command line, where no command says another.
const WRONG_USAGE: u8 = 2;

/// Reads the command line, program name first. Only `BAO_AGENT_CONFIG_PATH` and `VAULT_FORMAT` are asked for in the
/// environment: they stand for flags.
///
/// # Errors
/// What to tell the user, and the exit code.
pub fn parse(argv: &[OsString], environment: &Environment) -> Result<Command, Usage> {
    let program = Program::called(argv);
    let args = argv
        .iter()
        .skip(1)
        .enumerate()
        .map(|(at, arg)| {
            let wrong = || Usage::new(WRONG_USAGE, format!("argument {} is not valid UTF-8", at + 1));
            arg.to_str().map(str::to_owned).ok_or_else(wrong)
        })
        .collect::<Result<Vec<String>, Usage>>()?;
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => Err(Usage::new(WRONG_USAGE, commands::overview(program))),
        ["-h" | "-help" | "--help" | "help", topic @ ..] => help(program, topic),
        ["-v" | "-version" | "--version" | "version"] => Ok(Command::Print(program.version())),
        words => dispatch(program, words, &args, environment),
    }
}

fn help(program: Program, topic: &[&str]) -> Result<Command, Usage> {
    if matches!(topic, [] | ["help"]) {
        return Ok(Command::Print(commands::overview(program)));
    }
    let name = topic.join(" ");
    match Spec::find(&name) {
        Some(spec) => Ok(Command::Print(spec.help(program))),
        None => match foreign::instead(topic).or_else(|| parts::lacking(topic)) {
            Some(message) => Err(Usage::new(foreign::EXIT_CODE, message)),
            None => Err(unknown(topic)),
        },
    }
}

fn dispatch(
    program: Program,
    words: &[&str],
    args: &[String],
    environment: &Environment,
) -> Result<Command, Usage> {
    if let Some(message) = foreign::instead(words).or_else(|| parts::lacking(words)) {
        return Err(Usage::new(foreign::EXIT_CODE, message));
    }
    let named = |count: usize| words.get(..count).and_then(|words| Spec::find(&words.join(" ")));
    let Some((spec, count)) = named(2).map(|spec| (spec, 2)).or_else(|| named(1).map(|spec| (spec, 1)))
    else {
        return Err(unknown(words));
    };
    let normalize = if spec.takes_words() { goflags::normalize_mixed } else { goflags::normalize };
    let sorted = normalize(&args[count..], spec.flags()).map_err(|error| wrong(program, spec, &error))?;
    let matches = match spec.matches(program, sorted.flags) {
        Ok(matches) => matches,
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            return Ok(Command::Print(spec.help(program)));
        }
        Err(error) => return Err(Usage::new(spec.usage_exit, error.render().to_string())),
    };
    let asked = Asked { program, spec, matches, rest: sorted.rest };
    asked.command(environment)
}

fn unknown(words: &[&str]) -> Usage {
    let name = words.first().copied().unwrap_or_default();
    if words == ["token"] {
        return Usage::new(1, "`token` needs a word more: `token revoke -self` or `token lookup`");
    }
    if name == "token" {
        let name = words.iter().take(2).copied().collect::<Vec<_>>().join(" ");
        let hint =
            "`token revoke -self` and `token lookup` are here; use the original program for the others";
        return Usage::new(foreign::EXIT_CODE, foreign::refusal(&name, hint));
    }
    let hint = match nearest(name, COMMANDS.iter().map(|spec| spec.name)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "`decant help` lists the commands".to_owned(),
    };
    Usage::new(WRONG_USAGE, format!("unknown command `{name}`\n  hint: {hint}"))
}
