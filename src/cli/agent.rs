//! `agent`: load, build, run; console texts and exit codes as the original's.

use std::path::PathBuf;

use super::{AgentOptions, Program, pod::tell_kubelet, start::say};
use crate::{
    agent::{build::Parts, outcome::Outcome, tasks},
    clock::Clock,
    config::{Config, env::Environment, load, raw::Raw, resolve},
    problem,
    telemetry::{
        self, Console,
        level::{LevelHandle, LogLevel},
    },
};

/// Runs the agent. The original prints its console texts, errors included, on standard output, and logs on standard
/// error; scripts rely on that.
pub(super) fn run(program: Program, options: AgentOptions, environment: &Environment) -> u8 {
    let config =
        load::load(&options.configs).and_then(|raw| resolve::resolve(raw, *options.flags, environment));
    let config = match config {
        Ok(config) => config,
        Err(problems) => {
            return fail(&problem::list("the configuration can't be used", &problems));
        }
    };
    let console = if options.combine_logs { Console::Stdout } else { Console::Stderr };
    let clock = Clock::system();
    let level = match telemetry::start(&config.log, console, clock) {
        Ok(level) => level,
        Err(trouble) => {
            return fail(&problem::chain(&trouble));
        }
    };
    if options.verify_only {
        return 0;
    }
    for warning in &config.warnings {
        tracing::warn!(target: "agent", "{warning}");
    }
    if config.auto_auth.is_none() {
        say("No auto_auth block found in config, the automatic authentication feature will not be started");
    }
    let banner = banner(program, &config);
    let parts = match Parts::build(config, environment, clock) {
        Ok(parts) => parts,
        Err(trouble) => {
            return fail(&problem::chain(&trouble));
        }
    };
    if !options.combine_logs {
        say(&banner);
    }
    let reload = {
        let (configs, environment) = (options.configs, environment.clone());
        move || reload(&configs, &environment, &level)
    };
    end(&super::runtime::block_on(tasks::run(parts, reload)))
}

/// SIGHUP: the files are read and checked anew; the log level follows them (and forgets flag and variable, as the
/// original does). Certificates are read anew by themselves whenever they change. The rest stays as it is.
fn reload(configs: &[PathBuf], environment: &Environment, level: &LevelHandle) {
    let config = load::load(configs).and_then(|raw| {
        let said = raw.log.level.as_ref().map(|said| said.value.clone());
        resolve::resolve(raw, Raw::default(), environment).map(|_| said)
    });
    match config {
        Ok(said) => {
            level.set(said.and_then(|said| LogLevel::parse(&said)).unwrap_or(LogLevel::Info));
            tracing::info!(target: "agent", "configuration reloaded: the log level follows it, all else stays");
        }
        Err(problems) => {
            tracing::error!(target: "agent", "{}", problem::list("nothing is reloaded, the configuration can't be used", &problems));
        }
    }
}

/// Why it doesn't start.
fn fail(reason: &str) -> u8 {
    say(reason);
    tell_kubelet(reason);
    1
}

fn end(outcome: &Outcome) -> u8 {
    let code = outcome.agent_code();
    match outcome.message() {
        Some(message) if code != 0 => {
            let short = message.lines().next().unwrap_or_default();
            tracing::error!(target: "agent", error = %short, code, "runtime error encountered");
            tell_kubelet(&message);
            say("Error encountered during run, refer to logs for more details.");
        }
        Some(message) => tracing::warn!(target: "agent", "{message}"),
        None => {}
    }
    code
}

/// Keys are right-aligned so that they end in column 24, as the original's.
fn banner(program: Program, config: &Config) -> String {
    let product = match program {
        Program::Vault => "Vault",
        Program::Bao => "OpenBao",
        Program::Decant => "decant",
    };
    let lines = [("Cgo", "disabled"), ("Log Level", &config.log.level_text), ("Version", &program.version())];
    let mut text = format!(
        "==> {product} Agent started! Log data will stream in below:\n\n==> {product} Agent configuration:\n\n"
    );
    for (key, value) in lines {
        text.push_str(&format!("{key:>24}: {}\n", value.trim_end()));
    }
    text
}
