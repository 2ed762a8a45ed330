//! What a pod's annotations ask for, without an injector: annotations in, [`Raw`] out.
//!
//! The names are those of HashiCorp's injector
//! (<https://developer.hashicorp.com/vault/docs/platform/k8s/injector/annotations>) and of OpenBao's, which wins
//! where both say the same thing; `decant/` holds the settings that only decant has.

pub mod document;
mod families;
mod ours;
mod settings;
pub mod table;
pub mod value;

use std::collections::BTreeMap;

use super::{
    downward::Annotations,
    merge,
    raw::{Raw, RawAutoAuth, RawMethod, Said},
};
use crate::{
    origin::{Origin, Sourced},
    problem::{Problem, Severity, nearest_within},
};
use table::{Standalone, TABLE};

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;

/// HashiCorp's prefix.
const VAULT: &str = "vault.hashicorp.com/";
/// OpenBao's prefix; wins over the other one.
const OPENBAO: &str = "openbao.org/";
/// Prefix of the settings that only decant has.
const OWN: &str = "decant/";
/// Role that the `kubernetes` method can't do without.
const KUBERNETES: &str = "kubernetes";

/// What the annotations of a pod ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Only what is said; [`complete`] adds the defaults of annotation mode.
    pub raw: Raw,
    /// `agent-inject` is `false`: the pod wants nothing done.
    pub switched_off: bool,
}

/// One annotation under the two shared prefixes.
#[derive(Clone, Copy)]
struct Note<'a> {
    /// Full name.
    name: &'a str,
    value: &'a str,
}

impl Note<'_> {
    fn origin(&self) -> Origin {
        Origin::Annotation(self.name.into())
    }

    fn text(&self) -> Sourced<String> {
        Sourced::new(self.value.to_owned(), self.origin())
    }

    /// A value that is not of its kind. Shows the value: what has a syntax holds no secrets.
    fn wrong(&self, expected: &str) -> Problem {
        Problem::error(format!("the value {:?} is not right", self.value))
            .at(self.origin())
            .expected(expected)
    }
}

/// The annotations by suffix, and what was found about them.
struct Notes<'a> {
    by_suffix: BTreeMap<&'a str, Note<'a>>,
    problems: Vec<Problem>,
}

impl<'a> Notes<'a> {
    fn new(annotations: &'a Annotations) -> Self {
        let mut by_suffix = BTreeMap::new();
        for prefix in [VAULT, OPENBAO] {
            for (name, value) in annotations.iter() {
                if let Some(suffix) = name.strip_prefix(prefix) {
                    by_suffix.insert(suffix, Note { name, value });
                }
            }
        }
        Self { by_suffix, problems: Vec::new() }
    }

    fn get(&self, suffix: &str) -> Option<Note<'a>> {
        self.by_suffix.get(suffix).copied()
    }

    /// The member `name` of a family.
    fn member(&self, family: &str, name: &str) -> Option<Note<'a>> {
        self.get(&format!("{family}{name}"))
    }

    /// A bool of Go's spelling; a wrong one is noted as a problem.
    fn boolean(&mut self, suffix: &str) -> Said<bool> {
        let note = self.get(suffix)?;
        match value::boolean(note.value) {
            Some(value) => Some(Sourced::new(value, note.origin())),
            None => {
                self.problems.push(note.wrong(value::Kind::Bool.expected()));
                None
            }
        }
    }

    fn add(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}

/// Reads annotations: what can be used of them, and all problems, in no particular order.
pub fn read(annotations: &Annotations) -> (Asked, Vec<Problem>) {
    let mut notes = Notes::new(annotations);
    let switched_off = notes.boolean(table::INJECT).is_some_and(|said| !said.value);
    let mut raw = Raw::default();
    settings::read(&mut notes, &mut raw);
    let names = families::read(&mut notes, &mut raw);
    ours::read(annotations, &names, &mut notes, &mut raw);
    unknown(&mut notes);
    without_meaning(&mut notes);
    (Asked { raw, switched_off }, notes.problems)
}

/// Puts annotations over what configuration files say: single settings of the annotations win, templates and sinks
/// are appended. A login method of the files is dropped when the annotations name another type or mount.
#[must_use]
pub fn over(mut files: Raw, mut said: Raw) -> Raw {
    said.auto_auth = match (files.auto_auth.take(), said.auto_auth) {
        (Some(theirs), Some(ours)) => Some(login_over(theirs, ours)),
        (theirs, ours) => ours.or(theirs),
    };
    merge::overlay(files, said)
}

fn login_over(mut files: RawAutoAuth, said: RawAutoAuth) -> RawAutoAuth {
    files.sinks.extend(said.sinks);
    files.method = match (files.method, said.method) {
        (Some(theirs), Some(ours)) => Some(method_over(theirs, ours)),
        (theirs, ours) => ours.or(theirs),
    };
    files
}

fn method_over(mut files: RawMethod, said: RawMethod) -> RawMethod {
    let named = |said: &Said<String>| said.as_ref().map(|said| said.value.clone());
    let other = said.kind.is_some() && named(&said.kind) != named(&files.kind);
    if other {
        return said;
    }
    files.config.extend(said.config);
    RawMethod {
        origin: files.origin,
        kind: said.kind.or(files.kind),
        mount_path: said.mount_path.or(files.mount_path),
        namespace: said.namespace.or(files.namespace),
        min_backoff: said.min_backoff.or(files.min_backoff),
        max_backoff: said.max_backoff.or(files.max_backoff),
        exit_on_err: said.exit_on_err.or(files.exit_on_err),
        wrap_ttl: said.wrap_ttl.or(files.wrap_ttl),
        config: files.config,
    }
}

/// Adds what the injector takes for granted and the agent does not: the `kubernetes` method, its mount
/// `auth/kubernetes` (whatever the type), and `exit_on_retry_failure`. Call it when all sources are together.
///
/// # Errors
/// No role for the `kubernetes` method.
pub fn complete(raw: &mut Raw) -> Result<(), Problem> {
    let default = |text: &str| Sourced::new(text.to_owned(), Origin::Default);
    raw.template_config.exit_on_retry_failure.get_or_insert(Sourced::new(true, Origin::Default));
    let from_files = raw.auto_auth.as_ref().and_then(|login| login.method.as_ref()).is_some_and(|method| {
        method.kind.as_ref().is_some_and(|kind| matches!(kind.origin, Origin::File { .. }))
    });
    let method = method(raw, Origin::Default);
    let kind = method.kind.get_or_insert_with(|| default(KUBERNETES)).value.clone();
    if !from_files {
        method.mount_path.get_or_insert_with(|| default("auth/kubernetes"));
    }
    let role = method.config.get("role").is_some_and(|role| !role.value.is_empty());
    if kind == KUBERNETES && !role {
        return Err(Problem::error("no Vault role found")
            .expected(format!("the annotation {VAULT}role with the role to log in with"))
            .hint(format!("the role of the mount {}, bound to the pod's service account", mount(method))));
    }
    Ok(())
}

fn mount(method: &RawMethod) -> &str {
    method.mount_path.as_ref().map_or("auth/kubernetes", |mount| mount.value.as_str())
}

/// The login method, made when nothing has been said about it yet.
fn method(raw: &mut Raw, origin: Origin) -> &mut RawMethod {
    login(raw, origin.clone()).method.get_or_insert_with(|| RawMethod::new(origin))
}

/// The login, made when nothing has been said about it yet.
fn login(raw: &mut Raw, origin: Origin) -> &mut RawAutoAuth {
    raw.auto_auth.get_or_insert_with(|| RawAutoAuth {
        origin,
        method: None,
        sinks: Vec::new(),
        reauth_on_new_credentials: None,
    })
}

/// Letters that may differ between a name and the one that was meant.
const MISSPELT: usize = 4;

/// Names under the shared prefixes that nobody reads; the injector says nothing about them.
fn unknown(notes: &mut Notes<'_>) {
    let strange: Vec<(&str, Note<'_>)> = notes
        .by_suffix
        .iter()
        .filter(|(suffix, _)| table::find(suffix).is_none())
        .map(|(suffix, note)| (*suffix, *note))
        .collect();
    for (suffix, note) in strange {
        let prefix = note.name.strip_suffix(suffix).unwrap_or(VAULT);
        let meant = meant(suffix).map(|meant| format!("{prefix}{meant}"));
        notes.add(unknown_name(note.origin(), meant));
    }
}

fn unknown_name(origin: Origin, meant: Option<String>) -> Problem {
    let problem = Problem::warning("unknown annotation, it does nothing").at(origin);
    match meant {
        Some(meant) => problem.hint(format!("did you mean {meant}?")),
        None => problem.hint("see docs/annotations.md for all names"),
    }
}

/// Names that old articles mention, or that follow from others by analogy, and the right ones.
const FOLKLORE: [(&str, &str); 6] = [
    ("agent-inject-error-on-missing-key-", "error-on-missing-key-"),
    ("agent-inject-left-delim-", "agent-template-left-delim-"),
    ("agent-inject-right-delim-", "agent-template-right-delim-"),
    ("agent-inject-preserve-secret-case", "preserve-secret-case"),
    ("agent-log-level", "log-level"),
    ("agent-log-format", "log-format"),
];

/// The suffix that was most likely meant.
fn meant(suffix: &str) -> Option<String> {
    for (wrong, right) in FOLKLORE {
        if let Some(rest) = suffix.strip_prefix(wrong) {
            return Some(format!("{right}{rest}"));
        }
    }
    let exact = TABLE.iter().filter(|entry| !entry.family).map(|entry| entry.suffix.to_owned());
    let members = TABLE.iter().filter(|entry| entry.family).flat_map(|family| {
        let dashes = family.suffix.matches('-').count();
        let by_dash = suffix.match_indices('-').nth(dashes - 1).map(|(at, _)| at + 1);
        let same_length = suffix.is_char_boundary(family.suffix.len()).then_some(family.suffix.len());
        by_dash
            .into_iter()
            .chain(same_length)
            .filter(|cut| *cut < suffix.len())
            .map(|cut| format!("{}{}", family.suffix, &suffix[cut..]))
    });
    let candidates: Vec<String> = exact.chain(members).collect();
    nearest_within(suffix, candidates.iter().map(String::as_str), MISSPELT).map(str::to_owned)
}

/// One message each for what the pod's author has to do and for what is not built yet. Their wrong values, which an
/// injector would refuse, do no harm here.
fn without_meaning(notes: &mut Notes<'_>) {
    let doubtful: Vec<Problem> = notes
        .by_suffix
        .iter()
        .filter_map(|(suffix, note)| table::find(suffix).map(|entry| (entry, note)))
        .filter(|(entry, note)| entry.standalone != Standalone::Acts && !value::fits(entry.kind, note.value))
        .map(|(entry, note)| Problem { severity: Severity::Warning, ..note.wrong(entry.kind.expected()) })
        .collect();
    notes.problems.extend(doubtful);
    let named = |kind: Standalone| -> Vec<String> {
        let is = |suffix: &&str| table::find(suffix).is_some_and(|entry| entry.standalone == kind);
        notes
            .by_suffix
            .iter()
            .filter(|(suffix, _)| is(suffix))
            .map(|(_, note)| note.name.to_owned())
            .collect()
    };
    let shape = named(Standalone::PodShape);
    let later = named(Standalone::NotYet);
    if !shape.is_empty() {
        notes.add(
            Problem::warning(format!(
                "ignored, because only the pod's own specification can do it: {}",
                shape.join(", ")
            ))
            .hint("without an injector write containers, volumes and limits into the pod"),
        );
    }
    if !later.is_empty() {
        notes.add(Problem::warning(format!(
            "accepted, but without effect in this version: {}",
            later.join(", ")
        )));
    }
}
