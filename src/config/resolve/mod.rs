//! What was said becomes what is meant: precedence, defaults, checks across stanzas; all problems at once.

mod auto_auth;
mod cross;
mod group;
mod handover;
mod listener;
mod log;
mod method;
mod server;
mod sink;
mod template;

use std::path::PathBuf;

use super::{
    Config, StatusConfig, StatusSocket,
    env::{self, Environment},
    merge,
    raw::{Raw, RawOwn, Said},
};
use crate::{
    origin::Origin,
    problem::{Problem, Severity},
};

/// A configuration as far as it could be made: what can't be used has its default, or is left out.
#[derive(Debug)]
pub struct Draft {
    /// What could be made of it, without warnings of its own.
    pub config: Config,
    /// Everything that was found.
    pub problems: Vec<Problem>,
}

impl Draft {
    /// The configuration, unless something in it can't be used.
    ///
    /// # Errors
    /// Everything that was found, warnings too, since a warning often explains an error.
    pub fn usable(self) -> Result<Config, Vec<Problem>> {
        if self.problems.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(self.problems);
        }
        Ok(Config { warnings: self.problems, ..self.config })
    }
}

/// Makes the configuration: flags count before the environment, that before `said` (files, annotations), and all
/// before the defaults.
///
/// # Errors
/// As [`Draft::usable`].
pub fn resolve(said: Raw, flags: Raw, environment: &Environment) -> Result<Config, Vec<Problem>> {
    draft(said, flags, environment).usable()
}

/// As [`resolve`], as far as it goes.
pub fn draft(said: Raw, flags: Raw, environment: &Environment) -> Draft {
    let mut findings = Findings::default();
    let variables = variables(environment, &mut findings);
    let raw = merge::overlay(merge::overlay(said, variables), flags);
    // A stanza that can't be read at all is missed in all of these.
    if !raw.unreadable.lacks_stanza() {
        cross::check(&raw, &mut findings);
    }
    settle(raw, environment, findings)
}

/// The server alone, for commands that make one request: from flags and environment.
///
/// # Errors
/// Everything that can't be used.
pub fn connection(flags: Raw, environment: &Environment) -> Result<Config, Vec<Problem>> {
    let variables = env::read(environment)?;
    settle(merge::overlay(variables, flags), environment, Findings::default()).usable()
}

/// What templates need, for commands that render them without a login of their own: neither a login nor anything
/// else that only a running agent needs has to be there, or right.
pub fn for_templates(said: Raw, flags: Raw, environment: &Environment) -> Draft {
    let mut findings = Findings::default();
    let variables = variables(environment, &mut findings);
    let mut raw = merge::overlay(merge::overlay(said, variables), flags);
    let login = raw.auto_auth.take().and_then(|login| login.method);
    // Requests go to the login's namespace where no other is said.
    raw.vault.namespace = raw.vault.namespace.or_else(|| login.and_then(|method| method.namespace));
    raw.log = Default::default();
    settle(raw, environment, findings)
}

fn variables(environment: &Environment, findings: &mut Findings) -> Raw {
    env::read(environment).unwrap_or_else(|problems| {
        findings.errors.extend(problems);
        Raw::default()
    })
}

fn settle(raw: Raw, environment: &Environment, mut findings: Findings) -> Draft {
    let method = raw.auto_auth.as_ref().and_then(|said| said.method.as_ref());
    let config = Config {
        vault: server::resolve(&raw, method.map(|method| &method.namespace), environment, &mut findings),
        auto_auth: raw
            .auto_auth
            .as_ref()
            .and_then(|said| auto_auth::resolve(said, &raw.vault, environment, &mut findings)),
        templates: template::resolve_all(&raw.templates, &raw.groups, &raw.own.partials_path, &mut findings),
        template_config: template::resolve_config(&raw.template_config, &mut findings),
        exit_after_auth: value_or(&raw.exit_after_auth, false),
        pid_file: path(&raw.pid_file),
        log: log::resolve(&raw.log, &mut findings),
        init_deadline: raw.own.init_deadline.as_ref().map(|said| said.value).filter(|time| !time.is_zero()),
        revoke_on_exit: value_or(&raw.own.revoke_on_exit, false),
        handover: handover::resolve(&raw, &mut findings),
        status: status(&raw.own),
        quit: listener::resolve(&raw.idle.listeners, &mut findings),
        warnings: Vec::new(),
    };
    let is_sure = |problem: &Problem| !problem.origin.as_ref().is_some_and(|at| raw.unreadable.tore(at));
    let errors: Vec<Problem> = findings.errors.into_iter().filter(is_sure).collect();
    let mut problems = raw.warnings;
    problems.extend(findings.warnings.into_iter().filter(is_sure));
    problems.extend(raw.unreadable.problems);
    problems.extend(errors);
    Draft { config, problems }
}

fn status(own: &RawOwn) -> StatusConfig {
    StatusConfig {
        listen: own.status_listen.as_ref().map(|said| said.value.clone()),
        socket: own.status_socket.as_ref().map(|said| match said.value.as_str() {
            "" | "off" => StatusSocket::Off,
            path => StatusSocket::At(path.into()),
        }),
        ready_file: path(&own.ready_file),
        announce_ready: false,
    }
}

/// What is found on the way.
#[derive(Default)]
struct Findings {
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Findings {
    fn error(&mut self, origin: &Origin, problem: Problem) {
        self.errors.push(problem.at(origin.clone()));
    }

    fn warn(&mut self, origin: &Origin, problem: Problem) {
        self.warnings.push(problem.at(origin.clone()));
    }
}

/// The first 40 characters of a name, for messages.
fn short(name: &str) -> String {
    name.chars().take(40).collect()
}

fn value_or<T: Copy>(said: &Said<T>, default: T) -> T {
    said.as_ref().map_or(default, |said| said.value)
}

/// The text, if there is any.
fn filled(said: &Said<String>) -> Option<&str> {
    said.as_ref().map(|said| said.value.as_str()).filter(|text| !text.is_empty())
}

fn path(said: &Said<String>) -> Option<PathBuf> {
    filled(said).map(PathBuf::from)
}

#[cfg(test)]
mod tests;
