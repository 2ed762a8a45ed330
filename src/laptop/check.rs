//! Looks at inputs without asking anybody: what is wrong, what is requested, and which policy allows it.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    input::{Inputs, Unit},
    policy::{self, Mounts, Need},
    text::{self, Loaded},
};
use crate::{
    config::template::{DefaultForm, TemplateSource, TemplateSpec},
    origin::Origin,
    problem::{Problem, Severity},
    template::{
        error::TemplateError,
        go::calls::{Asks, CalledPath, ProgramCall, SecretCall},
        oddity::{Oddity, Sign},
    },
    vault::path::Namespace,
};

/// What a check found.
#[derive(Debug, Default)]
pub struct Report {
    /// Each unit with its templates.
    pub units: Vec<CheckedUnit>,
    /// The least policy, in HCL; empty when nothing is requested.
    pub policy: String,
}

/// A configuration, a pod or a template by itself.
#[derive(Debug)]
pub struct CheckedUnit {
    /// What it is called.
    pub name: String,
    /// What is wrong or odd, errors first.
    pub findings: Vec<Finding>,
    /// Its templates.
    pub templates: Vec<CheckedTemplate>,
}

/// One template.
#[derive(Debug)]
pub struct CheckedTemplate {
    /// The file that it makes.
    pub destination: String,
    /// Where its text is.
    pub source: String,
    /// What it asks the server for, in the order of the text.
    pub requests: Vec<Request>,
    /// The programs that it runs in the agent's container, in the order of the text.
    pub programs: Vec<ProgramCall>,
    /// Its text is fine and asks for nothing.
    pub is_silent: bool,
}

/// One place of a template that asks the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// GET, LIST or PUT.
    pub method: &'static str,
    /// Paths below `/v1/`, each with what has to be the case; none: computed at run time.
    pub paths: Vec<(String, Option<&'static str>)>,
    /// The call as the template has it, when its path is computed.
    pub expression: Option<String>,
    /// What a computed path surely begins with.
    pub start: String,
    /// Line in the template's text, from 1.
    pub line: usize,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it stops the work.
    pub severity: Severity,
    /// The place in words; empty: the whole input.
    pub place: Option<Origin>,
    /// What is wrong, without the place.
    pub what: String,
    /// What would have been right.
    pub expected: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// All of it as the user reads it.
    pub shown: String,
}

impl From<Problem> for Finding {
    fn from(problem: Problem) -> Self {
        let shown = problem.to_string();
        let Problem { severity, what, origin, expected, hint } = problem;
        Self { severity, place: origin, what, expected, hint, shown }
    }
}

impl Report {
    /// How many findings are of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        let all = self.units.iter().flat_map(|unit| &unit.findings);
        all.filter(|finding| finding.severity == severity).count()
    }
}

/// Checks everything; `mounts` is what the user knows of the server.
pub fn check(inputs: Inputs, mut mounts: Mounts) -> Report {
    let looked: Vec<(Unit, Vec<Looked>)> = inputs
        .units
        .into_iter()
        .map(|mut unit| {
            let looked = look(&mut unit);
            (unit, looked)
        })
        .collect();
    let calls = looked.iter().flat_map(|(_, looked)| looked).flat_map(|one| &one.calls);
    mounts.learn(calls.filter_map(|call| match &call.path {
        CalledPath::Known(path) => Some(path.as_str()),
        _ => None,
    }));
    let units = looked.iter().filter_map(|(unit, _)| unit.config.as_ref());
    let namespaces: BTreeSet<String> = units
        .map(|config| config.vault.namespace.as_ref().map_or("", Namespace::as_str).to_owned())
        .collect();
    let mut needs = BTreeSet::new();
    let mut computed = Vec::new();
    let units = looked
        .into_iter()
        .map(|(unit, looked)| {
            let mut findings: Vec<Finding> = unit.problems.into_iter().map(Finding::from).collect();
            let mut templates = Vec::new();
            for one in looked {
                let is_silent = one.calls.is_empty() && one.programs.is_empty() && one.is_read;
                findings.extend(one.findings);
                findings.extend(whole_mapping(&one.spec, &mounts).map(Finding::from));
                templates.push(CheckedTemplate {
                    destination: one.spec.destination.path.display().to_string(),
                    source: source(&one.spec),
                    requests: requests(&one.spec, &one.calls, &mounts, &mut needs, &mut computed),
                    programs: one.programs,
                    is_silent,
                });
            }
            findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
            findings.dedup();
            CheckedUnit { name: unit.name, findings, templates }
        })
        .collect();
    Report { units, policy: policy::hcl(&needs, &computed, &mounts, &namespaces) }
}

/// One template, looked at.
struct Looked {
    spec: Arc<TemplateSpec>,
    calls: Vec<SecretCall>,
    programs: Vec<ProgramCall>,
    findings: Vec<Finding>,
    /// Its text was found and means something.
    is_read: bool,
}

fn look(unit: &mut Unit) -> Vec<Looked> {
    let mut all = Vec::new();
    for spec in unit.templates() {
        let mut one = Looked {
            spec: spec.clone(),
            calls: Vec::new(),
            programs: Vec::new(),
            findings: Vec::new(),
            is_read: false,
        };
        match text::load(spec, &unit.beside) {
            Ok(Loaded { spec, template, oddity, .. }) => {
                one.findings.extend(oddity.map(Finding::from));
                match template {
                    Ok(template) => {
                        (one.calls, one.programs, one.is_read) =
                            (template.calls(), template.programs(), true);
                    }
                    Err(error) => one.findings.push(broken(&error)),
                }
                one.spec = spec;
            }
            Err(problem) => one.findings.push(problem.into()),
        }
        let refused = one.calls.iter().filter_map(|call| match &call.path {
            CalledPath::Refused(why) => Some((call, why)),
            _ => None,
        });
        let refused: Vec<Finding> =
            refused.map(|(call, why)| cannot_succeed(&one.spec, call, why).into()).collect();
        one.findings.extend(refused);
        all.push(one);
    }
    all
}

fn broken(error: &TemplateError) -> Finding {
    let place = match error.origin() {
        Origin::File { path, line: 0, .. } => Origin::File {
            path: path.clone(),
            line: u32::try_from(error.line()).unwrap_or(u32::MAX),
            column: u32::try_from(error.column()).unwrap_or(u32::MAX),
        },
        other => other.clone(),
    };
    Finding {
        severity: Severity::Error,
        place: Some(place),
        what: error.message().to_owned(),
        expected: None,
        hint: error.hint().map(str::to_owned),
        shown: error.to_string(),
    }
}

/// The default form prints keys of KV version 2 as `map[…]`; `render` and the agent say so once it has happened.
fn whole_mapping(spec: &TemplateSpec, mounts: &Mounts) -> Option<Problem> {
    let TemplateSource::Default { form: DefaultForm::Map, path, .. } = &spec.source else { return None };
    let odd = Oddity { sign: Sign::Mapping, line: 0, source: "data".to_owned() };
    mounts
        .is_kv2_secret(path.as_str())
        .then(|| Problem::warning(odd.to_string()).at(spec.origin.clone()).hint(odd.hint()))
}

fn cannot_succeed(spec: &TemplateSpec, call: &SecretCall, why: &str) -> Problem {
    let place = place(spec, call.line);
    Problem::error(format!("{place}the call of `{}` can't succeed: {why}", call.function))
        .at(origin(spec, call))
}

/// The place of a call, where the template is a file.
fn origin(spec: &TemplateSpec, call: &SecretCall) -> Origin {
    match &spec.source {
        TemplateSource::File(path) => Origin::File {
            path: path.as_path().into(),
            line: u32::try_from(call.line).unwrap_or(u32::MAX),
            column: u32::try_from(call.column).unwrap_or(u32::MAX),
        },
        _ => spec.origin.clone(),
    }
}

/// Words for a line of a template that isn't a file.
fn place(spec: &TemplateSpec, line: usize) -> String {
    if matches!(spec.source, TemplateSource::File(_)) {
        String::new()
    } else {
        format!("template line {line}: ")
    }
}

fn source(spec: &TemplateSpec) -> String {
    match &spec.source {
        TemplateSource::File(path) => path.display().to_string(),
        TemplateSource::Inline(_) => spec.origin.to_string(),
        TemplateSource::Default { .. } => format!("default form, {}", spec.origin),
        TemplateSource::Formatted { format, .. } => format!("format {}, {}", format.name(), spec.origin),
    }
}

fn requests(
    spec: &TemplateSpec,
    calls: &[SecretCall],
    mounts: &Mounts,
    needs: &mut BTreeSet<Need>,
    computed: &mut Vec<String>,
) -> Vec<Request> {
    let mut requests = Vec::new();
    for call in calls {
        let method = match call.asks {
            Asks::Read => "GET",
            Asks::List => "LIST",
            Asks::Write | Asks::Issue => "PUT",
        };
        let request =
            Request { method, paths: Vec::new(), expression: None, start: String::new(), line: call.line };
        match &call.path {
            CalledPath::Known(path) => {
                needs.insert(Need { path: path.to_string(), asks: call.asks });
                requests.push(Request { paths: mounts.paths(path.as_str(), call.asks), ..request });
            }
            CalledPath::Computed { source, start } => {
                let expression = format!("{} {source}", call.function);
                let begins = if start.is_empty() { String::new() } else { format!(", begins with {start}") };
                let file = match &spec.source {
                    TemplateSource::File(path) => path.display().to_string(),
                    _ => spec.destination.path.display().to_string(),
                };
                let place = format!("{file} line {}: {method} {expression}{begins}", call.line);
                if !computed.contains(&place) {
                    computed.push(place);
                }
                requests.push(Request { expression: Some(expression), start: start.clone(), ..request });
            }
            CalledPath::Refused(_) => {}
        }
    }
    requests
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests lay out the files they check")]
mod tests;
