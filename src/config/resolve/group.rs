//! Groups: which templates change together, and what follows when they do.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Findings, short};
use crate::{
    config::{
        raw::{RawGroup, Said},
        template::{ActionSpec, GroupSpec, TemplateSpec},
    },
    origin::{Origin, Sourced},
    problem::Problem,
};

/// What is said about one group, in all places.
struct Group {
    origin: Origin,
    atomic: Said<bool>,
    on_change: Vec<ActionSpec>,
    members: usize,
}

/// Puts the templates into their groups. Each comes with the group that it names itself.
pub(super) fn form(specs: &mut [(TemplateSpec, Said<String>)], raw: &[RawGroup], findings: &mut Findings) {
    let mut groups = said(raw);
    named_by_destination(specs, raw, findings);
    for (_, named) in &*specs {
        let Some(named) = named else { continue };
        let group = groups.entry(named.value.clone()).or_insert_with(|| Group {
            origin: named.origin.clone(),
            atomic: None,
            on_change: Vec::new(),
            members: 0,
        });
        group.members += 1;
    }
    for (name, group) in groups {
        if group.members == 0 {
            let what = format!("no template belongs to the group `{}`, so this does nothing", short(&name));
            let expected = "the name of a group (`change_group` of a template, annotation decant/group-NAME) or, in \
                            an annotation, of a secret";
            findings.warn(&group.origin, Problem::warning(what).expected(expected));
            continue;
        }
        let atomic = group.atomic.as_ref().is_some_and(|said| said.value);
        let spec = Arc::new(GroupSpec { name: name.clone(), atomic });
        for (template, _) in specs.iter_mut().filter(|(_, of)| of.as_ref().is_some_and(|of| of.value == name))
        {
            template.group = Some(spec.clone());
            // Equal actions run once per batch, so every member may name them.
            for action in &group.on_change {
                if !template.actions.contains(action) {
                    template.actions.push(action.clone());
                }
            }
        }
    }
    swapped_folders(specs, findings);
}

fn said(raw: &[RawGroup]) -> BTreeMap<String, Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for one in raw {
        let group = groups.entry(one.name.value.clone()).or_insert_with(|| Group {
            origin: one.name.origin.clone(),
            atomic: None,
            on_change: Vec::new(),
            members: 0,
        });
        group.atomic = one.atomic.clone().or(group.atomic.take());
        group.on_change.extend(one.on_change.iter().cloned());
    }
    groups
}

/// `members` names files, so that the `template` stanzas stay as the original knows them.
fn named_by_destination(
    specs: &mut [(TemplateSpec, Said<String>)],
    raw: &[RawGroup],
    findings: &mut Findings,
) {
    for group in raw {
        let name = &group.name;
        for member in &group.members {
            let mut templates =
                specs.iter_mut().filter(|(spec, _)| spec.destination.path == Path::new(member)).peekable();
            if templates.peek().is_none() {
                let what = format!(
                    "no template writes {}, a member of the group `{}`",
                    short(member),
                    short(&name.value)
                );
                findings
                    .warn(&name.origin, Problem::warning(what).expected("the `destination` of a template"));
            }
            for (spec, named) in templates {
                match named {
                    Some(other) if other.value != name.value => {
                        let what = format!(
                            "{} belongs to two groups, `{}` and `{}`",
                            spec.destination.path.display(),
                            short(&other.value),
                            short(&name.value)
                        );
                        findings
                            .error(&name.origin, Problem::error(what).expected("one group for each file"));
                    }
                    _ => *named = Some(Sourced::new(name.value.clone(), name.origin.clone())),
                }
            }
        }
    }
}

/// An atomic group has its folder's link `..data` for itself, and all its files in that folder.
fn swapped_folders(specs: &[(TemplateSpec, Said<String>)], findings: &mut Findings) {
    let mut folders: BTreeMap<PathBuf, &str> = BTreeMap::new();
    let mut judged: BTreeSet<&str> = BTreeSet::new();
    for (spec, _) in specs {
        let Some(group) = spec.group.as_deref().filter(|group| group.atomic) else { continue };
        let name = group.name.as_str();
        let path = &spec.destination.path;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        if spec.destination.backup {
            let problem = Problem::warning("`backup` has no effect in an atomic group");
            findings
                .warn(&spec.origin, problem.expected("nothing: the set before stays until the next change"));
        }
        if path.file_name().is_some_and(|file| file.as_encoded_bytes().starts_with(b"..")) {
            let what = format!("{} can't be in an atomic group", path.display());
            findings.error(
                &spec.origin,
                Problem::error(what).expected("a file name that doesn't begin with `..`"),
            );
        }
        match folders.get(&folder) {
            Some(other) if *other != name => {
                let what = format!(
                    "two atomic groups have files in {}: `{}` and `{}`",
                    folder.display(),
                    short(other),
                    short(name)
                );
                findings.error(&spec.origin, Problem::error(what).expected("a folder for each of them"));
            }
            Some(_) => {}
            None if judged.contains(name) => {
                let what = format!("the atomic group `{}` has files in several folders", short(name));
                let expected = "all of them in one folder, which changes in one step";
                findings.error(&spec.origin, Problem::error(what).expected(expected));
            }
            None => {
                folders.insert(folder, name);
            }
        }
        judged.insert(name);
    }
}

#[cfg(test)]
mod tests;
