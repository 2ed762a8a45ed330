//! Annotations with our own prefix: settings of the whole run, of one secret, and of one group.

use super::{MISSPELT, Notes, OWN, unknown_name};
use crate::{
    config::{
        downward::Annotations,
        own::{self, Family, Place},
        raw::{Raw, RawGroup},
    },
    origin::{Origin, Sourced},
    problem::{Problem, nearest, nearest_within},
};

/// Reads them into `raw`, whose templates are those of the secrets `names`, in this order. They count for more than
/// what a shared annotation says about the same setting.
pub(super) fn read(annotations: &Annotations, names: &[String], notes: &mut Notes<'_>, raw: &mut Raw) {
    for (annotation, value) in annotations.iter().filter(|(name, _)| name.starts_with(OWN)) {
        let origin = Origin::Annotation(annotation.into());
        if let Some(setting) = own::SETTINGS.iter().find(|setting| setting.annotation() == annotation) {
            if let Err(problem) = setting.read(raw, value, origin) {
                notes.add(problem);
            }
        } else if let Some((family, name)) = own::family_of(annotation) {
            if let Err(problem) = put(family, name, (value, &origin), names, raw) {
                notes.add(problem);
            }
        } else {
            let known: Vec<String> = own::SETTINGS.iter().map(own::Setting::annotation).collect();
            let meant = nearest_within(annotation, known.iter().map(String::as_str), MISSPELT);
            let meant = meant.map(str::to_owned).or_else(|| family_meant(annotation));
            notes.add(unknown_name(origin, meant));
        }
    }
}

/// The likeliest member of a family, by what comes before the name.
fn family_meant(annotation: &str) -> Option<String> {
    let candidates: Vec<String> = own::FAMILIES
        .iter()
        .filter_map(|family| {
            let dashes = family.annotation.matches('-').count();
            let (cut, _) = annotation.match_indices('-').nth(dashes.checked_sub(1)?)?;
            let name = &annotation[cut + 1..];
            (!name.is_empty()).then(|| format!("{}{name}", family.annotation))
        })
        .collect();
    nearest_within(annotation, candidates.iter().map(String::as_str), MISSPELT).map(str::to_owned)
}

fn put(
    family: &Family,
    name: &str,
    (value, origin): (&str, &Origin),
    names: &[String],
    raw: &mut Raw,
) -> Result<(), Problem> {
    let wrong = |expected: String| {
        // An address may hold what is not for messages.
        let what = match value.contains("://") {
            true => "the value is not right".to_owned(),
            false => format!("the value {value:?} is not right"),
        };
        Problem::error(what).at(origin.clone()).expected(expected)
    };
    let template = names.iter().position(|other| other == name);
    match family.place {
        Place::Template(set) => match template.and_then(|at| raw.templates.get_mut(at)) {
            Some(template) => set(template, value, origin.clone()).map_err(wrong),
            None => {
                let what = format!("does nothing: there is no secret `{name}`");
                let problem = Problem::warning(what).at(origin.clone());
                Err(match nearest(name, names.iter().map(String::as_str)) {
                    Some(meant) => problem.hint(format!("did you mean {}{meant}?", family.annotation)),
                    None => problem,
                })
            }
        },
        Place::Group(set) => set(group(raw, name, origin), value, origin.clone()).map_err(wrong),
        Place::Change(parse) => {
            let action = parse(value).map_err(wrong)?;
            // A name may be a secret's, a group's, or both; what it is not is found out when groups are formed.
            if let Some(template) = template.and_then(|at| raw.templates.get_mut(at)) {
                template.on_change.push(action.clone());
            }
            let is_group = raw
                .templates
                .iter()
                .any(|template| template.change_group.as_ref().is_some_and(|group| group.value == name));
            if template.is_none() || is_group {
                group(raw, name, origin).on_change.push(action);
            }
            Ok(())
        }
    }
}

/// What annotations say about this group; made when nothing has been said yet.
fn group<'a>(raw: &'a mut Raw, name: &str, origin: &Origin) -> &'a mut RawGroup {
    let at = raw.groups.iter().position(|group| group.name.value == name).unwrap_or_else(|| {
        let name = Sourced::new(name.to_owned(), origin.clone());
        raw.groups.push(RawGroup { name, members: Vec::new(), atomic: None, on_change: Vec::new() });
        raw.groups.len() - 1
    });
    &mut raw.groups[at]
}
