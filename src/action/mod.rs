//! What follows changed files: each distinct action once per batch, in template order, failures collected.
//!
//! A failing action never renders or fetches anything again; the next change runs it again.

pub mod command;

use std::{ffi::OsString, time::Duration};

use self::command::{CommandError, Environment};
use crate::{
    config::template::{ActionSpec, CommandForm, TemplateSpec},
    origin::Origin,
    problem::{Problem, chain},
};

/// An action that failed.
#[derive(Debug, thiserror::Error)]
#[error("template command of {} failed: {command}", destination.display())]
pub struct ActionError {
    /// The first template of the batch that asked for the action.
    pub destination: std::path::PathBuf,
    /// Where that template was said.
    pub origin: Origin,
    /// The action in short, for the log: the program, without its arguments.
    pub command: String,
    /// Why.
    #[source]
    pub source: CommandError,
}

impl ActionError {
    /// The message with its place and hint, for the user.
    pub fn problem(&self) -> Problem {
        let problem = Problem::error(chain(self)).at(self.origin.clone());
        match self.source.hint() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

/// Runs the actions of all templates that were written in one batch, one after the other, equal ones once.
///
/// `environment` is all that commands get; an action's own variables are added to it. Every action runs, whatever
/// became of those before. Dropping the future kills the command that runs.
pub async fn run_batch<'a>(
    written: impl IntoIterator<Item = &'a TemplateSpec>,
    environment: &Environment,
) -> Vec<ActionError> {
    let mut done: Vec<&ActionSpec> = Vec::new();
    let mut failures = Vec::new();
    for template in written {
        for action in &template.actions {
            if done.contains(&action) {
                continue;
            }
            done.push(action);
            if let Err(source) = run(action, environment).await {
                failures.push(ActionError {
                    destination: template.destination.path.clone(),
                    origin: template.origin.clone(),
                    command: in_short(action),
                    source,
                });
            }
        }
    }
    failures
}

async fn run(action: &ActionSpec, environment: &Environment) -> Result<(), CommandError> {
    let ActionSpec::Command { form, timeout, env } = action;
    let mut environment = environment.clone();
    environment.extend(env.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))));
    tracing::debug!(target: "agent", command = %in_short(action), "running template command");
    command::run(form, timeout.filter(|limit| *limit > Duration::ZERO), &environment).await
}

/// The program only: arguments and variables may hold what was meant for the command alone.
fn in_short(action: &ActionSpec) -> String {
    let ActionSpec::Command { form, .. } = action;
    match form {
        CommandForm::Argv(argv) => argv.first().cloned().unwrap_or_default(),
        CommandForm::Shell(line) => {
            let program = line.split_whitespace().find(|word| !word.contains('=')).unwrap_or_default();
            format!("sh -c {program}…")
        }
    }
}

#[cfg(test)]
mod tests;
