//! `init` and `sidecar`: the pod's annotations are the configuration.

use std::path::Path;

use super::{PodOptions, start::complain};
use crate::{
    agent::{build::Parts, outcome::Outcome, tasks},
    clock::Clock,
    config::{Config, StatusSocket, env::Environment, pod},
    problem,
    process::termination_log::{self, TERMINATION_LOG},
    telemetry::{self, Console},
};

/// Exit code for a configuration that can't be used.
const CONFIGURATION: u8 = 2;
/// Exit code for something that can't be written.
const WRITE: u8 = 6;

/// Whether the agent stays after the first render.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    /// `sidecar`.
    Yes,
    /// `init`.
    No,
}

/// Runs `init` or `sidecar`.
pub(super) fn run(options: PodOptions, environment: &Environment, stay: Stay) -> u8 {
    let config = match pod::load(&options.annotations, &options.configs, *options.flags, environment) {
        Ok(Some(config)) => ours(config, stay),
        Ok(None) => {
            complain("the annotation agent-inject is false: nothing to do");
            return 0;
        }
        Err(problems) => {
            return fail(CONFIGURATION, &problem::list("the configuration can't be used", &problems));
        }
    };
    let clock = Clock::system();
    if let Err(trouble) = telemetry::start(&config.log, Console::Stderr, clock) {
        return fail(CONFIGURATION, &problem::chain(&trouble));
    }
    for warning in &config.warnings {
        tracing::warn!(target: "agent", "{warning}");
    }
    let parts = match Parts::build(config, environment, clock) {
        Ok(parts) => parts,
        Err(trouble) => {
            let code = if trouble.is_write() { WRITE } else { CONFIGURATION };
            let reason = problem::chain(&trouble);
            tracing::error!(target: "agent", code, "can't start: {reason}");
            tell_kubelet(&reason);
            return code;
        }
    };
    end(&super::runtime::block_on(tasks::run(parts, no_reload)))
}

/// What these commands do otherwise than `agent`.
fn ours(mut config: Config, stay: Stay) -> Config {
    config.exit_after_auth = stay == Stay::No;
    config.status.socket.get_or_insert(StatusSocket::Usual);
    config.status.announce_ready = true;
    config
}

/// Annotations that change in a running pod never bring new commands or paths into force.
fn no_reload() {
    tracing::warn!(target: "agent", "SIGHUP changes nothing here: annotations count from the start of the pod");
}

fn end(outcome: &Outcome) -> u8 {
    let code = outcome.init_code();
    if let Some(message) = outcome.message() {
        // The log has the whole of it; this is the line that a reader finds last.
        let short = message.lines().next().unwrap_or_default();
        tracing::error!(target: "agent", code, "ending: {short}");
        tell_kubelet(&message);
    }
    code
}

/// Says the reason to whoever looks before there is a log, and to the kubelet.
fn fail(code: u8, reason: &str) -> u8 {
    complain(reason);
    tell_kubelet(reason);
    code
}

/// Leaves the reason of a failure where the kubelet reads it.
pub(super) fn tell_kubelet(reason: &str) {
    if let Err(trouble) = termination_log::write(Path::new(TERMINATION_LOG), reason) {
        tracing::debug!(target: "agent", error = %trouble, "can't write {TERMINATION_LOG}");
    }
}
