//! Carries out what the command line asked for and says what exit code that is.

use std::{ffi::OsString, io::Write as _};

use super::{Command, Program, agent, generate, healthcheck, parse, pod, token};
use crate::{config::env::Environment, jwt, process::harden};

/// Runs the program: arguments and environment in, exit code out.
pub fn start(argv: &[OsString], environment: impl IntoIterator<Item = (OsString, OsString)>) -> u8 {
    let program = Program::called(argv);
    let environment = Environment::new(environment);
    let environment = if program == Program::Bao { environment.bao_first() } else { environment };
    let command = match parse(argv, &environment) {
        Ok(command) => command,
        Err(usage) => {
            complain(&usage.message);
            return usage.exit_code;
        }
    };
    // A dump of memory would hold every secret. Some sandboxes refuse the call; the work goes on all the same.
    let _ = harden::deny_dumps();
    jwt::install();
    match command {
        Command::Agent(options) => agent::run(program, options, &environment),
        Command::Init(options) => pod::run(options, &environment, pod::Stay::No),
        Command::Sidecar(options) => pod::run(options, &environment, pod::Stay::Yes),
        #[cfg(feature = "laptop")]
        Command::Render(options) => super::render::run(&options, &environment),
        #[cfg(feature = "laptop")]
        Command::Check(options) => super::check::run(&options),
        #[cfg(feature = "dev")]
        Command::Dev(options) => super::dev::run(&options),
        #[cfg(feature = "dev")]
        Command::Demo => super::demo::run(&environment),
        Command::Generate(options) => generate::run(options, &environment),
        Command::Healthcheck(options) => healthcheck::run(&options, &environment),
        Command::TokenRevokeSelf { flags } => token::revoke_self(*flags, &environment),
        Command::TokenLookup { flags, token, format } => token::lookup(*flags, token, format, &environment),
        Command::Print(text) => {
            say(text.trim_end());
            0
        }
    }
}

/// A line on standard output. A reader that went away is no failure of ours.
pub(super) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// A line on standard error.
pub(super) fn complain(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "{text}").and_then(|()| err.flush());
}
