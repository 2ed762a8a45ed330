//! What follows changed files: each distinct action once per batch, in template order, failures collected.
//!
//! A failing action never renders or fetches anything again; the next change runs it again.

mod child;
pub mod command;
pub mod program;
pub mod signal;
pub mod touch;

use std::{ffi::OsString, fmt, time::Duration};

use self::{
    command::{CommandError, Environment},
    signal::SignalError,
    touch::TouchError,
};
use crate::{
    config::template::{ActionSpec, CommandForm, HttpAction, Receiver, TemplateSpec},
    http::local::{self, LocalError},
    origin::Origin,
    problem::{Problem, chain},
};

/// The kind of an action, as log and metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A command.
    Command,
    /// A signal.
    Signal,
    /// A request.
    Http,
    /// A generation file.
    Touch,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Command, Self::Signal, Self::Http, Self::Touch];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Signal => "signal",
            Self::Http => "http",
            Self::Touch => "touch",
        }
    }

    /// The kind of this action.
    pub const fn of(action: &ActionSpec) -> Self {
        match action {
            ActionSpec::Command { .. } => Self::Command,
            ActionSpec::Signal { .. } => Self::Signal,
            ActionSpec::Http(_) => Self::Http,
            ActionSpec::Touch { .. } => Self::Touch,
        }
    }
}

/// Why an action failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A signal.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// A request.
    #[error(transparent)]
    Http(#[from] LocalError),
    /// A generation file.
    #[error(transparent)]
    Touch(#[from] TouchError),
}

impl Failure {
    /// What to do next.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Command(error) => error.hint(),
            Self::Signal(error) => error.hint(),
            Self::Http(LocalError::Http(_)) => Some(
                "the containers of a pod share 127.0.0.1: check the port, and that the application listens there",
            ),
            Self::Http(LocalError::Timeout { .. }) => {
                Some("raise the timeout (on_change { http { timeout = \"30s\" … } })")
            }
            Self::Http(_) => None,
            Self::Touch(error) => error.hint(),
        }
    }

    /// Whether there was nobody who could have been told. Before the first render is done that is how it should be:
    /// the application starts later, and with the new files.
    const fn is_absence(&self) -> bool {
        match self {
            Self::Signal(error) => error.is_absence(),
            Self::Http(LocalError::Http(error)) => error.is_connection(),
            _ => false,
        }
    }
}

/// An action that failed.
#[derive(Debug, thiserror::Error)]
#[error("{} of {} failed: {action}", Words(*kind), destination.display())]
pub struct ActionError {
    /// The first template of the batch that asked for the action.
    pub destination: std::path::PathBuf,
    /// Where that template was said.
    pub origin: Origin,
    /// What kind of action it is.
    pub kind: Kind,
    /// The action in short, for the log: of a command the program, without its arguments.
    pub action: String,
    /// Why.
    #[source]
    pub source: Failure,
}

struct Words(Kind);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // People search for the original's words.
        f.write_str(if self.0 == Kind::Command { "template command" } else { "the action after a change" })
    }
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

/// What became of one action.
#[derive(Debug)]
pub enum Done {
    /// It was a success.
    Succeeded(Kind),
    /// Nobody is there yet to be told.
    Needless(Kind),
    /// It failed.
    Failed(Box<ActionError>),
}

/// One batch: what was written in one go, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Not everything had been rendered before: whoever reads the files may not have started yet.
    First,
    /// All files were there before.
    Later,
}

/// Runs the actions of all templates that were written in one batch, one after the other, equal ones once.
///
/// `environment` is all that commands get; an action's own variables are added to it. Every action runs, whatever
/// became of those before. Dropping the future kills the command that runs.
pub async fn run_batch<'a>(
    written: impl IntoIterator<Item = &'a TemplateSpec>,
    moment: Moment,
    environment: &Environment,
) -> Vec<Done> {
    let mut asked: Vec<&ActionSpec> = Vec::new();
    let mut done = Vec::new();
    for template in written {
        for action in &template.actions {
            if asked.contains(&action) {
                continue;
            }
            asked.push(action);
            let kind = Kind::of(action);
            done.push(match run(action, environment).await {
                Ok(()) => {
                    tracing::info!(target: "agent", action = %in_short(action), "ran");
                    Done::Succeeded(kind)
                }
                Err(failure) if moment == Moment::First && failure.is_absence() => {
                    let (action, nobody) = (in_short(action), chain(&failure));
                    tracing::info!(target: "agent", %action, nobody, "not needed yet: whoever starts later reads the new files");
                    Done::Needless(kind)
                }
                Err(source) => Done::Failed(Box::new(ActionError {
                    destination: template.destination.path.clone(),
                    origin: template.origin.clone(),
                    kind,
                    action: in_short(action),
                    source,
                })),
            });
        }
    }
    done
}

async fn run(action: &ActionSpec, environment: &Environment) -> Result<(), Failure> {
    tracing::debug!(target: "agent", action = %in_short(action), "running");
    match action {
        ActionSpec::Command { form, timeout, env } => {
            let mut environment = environment.clone();
            environment.extend(env.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))));
            let limit = timeout.filter(|limit| *limit > Duration::ZERO);
            command::run(form, limit, &environment).await?;
        }
        ActionSpec::Signal { signal, to } => {
            let told = signal::send(*signal, to)?;
            tracing::debug!(target: "agent", processes = ?told, %signal, "sent");
        }
        ActionSpec::Http(HttpAction { method, url, headers, body, timeout }) => {
            local::ask(*method, url, headers, body, *timeout).await?;
        }
        ActionSpec::Touch { path } => {
            let generation = touch::touch(path)?;
            tracing::debug!(target: "agent", path = %path.display(), generation, "counted");
        }
    }
    Ok(())
}

/// Of a command the program only: arguments and variables may hold what was meant for the command alone.
fn in_short(action: &ActionSpec) -> String {
    match action {
        ActionSpec::Command { form: CommandForm::Argv(argv), .. } => {
            argv.first().cloned().unwrap_or_default()
        }
        ActionSpec::Command { form: CommandForm::Shell(line), .. } => {
            let program = line.split_whitespace().find(|word| !word.contains('=')).unwrap_or_default();
            format!("sh -c {program}…")
        }
        ActionSpec::Signal { signal, to: Receiver::Name(name) } => format!("{signal} to {name}"),
        ActionSpec::Signal { signal, to: Receiver::PidFile(path) } => {
            format!("{signal} to the process of {}", path.display())
        }
        ActionSpec::Http(request) => format!("{} {}", request.method.name(), request.url),
        ActionSpec::Touch { path } => format!("touch {}", path.display()),
    }
}

#[cfg(test)]
mod tests;
