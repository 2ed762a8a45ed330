//! Annotations that end in the name of a secret: which secrets there are, and the template of each.

use std::{collections::BTreeMap, path::PathBuf};

use super::{Note, Notes, login, table, value};
use crate::{
    config::{
        raw::{Raw, RawDefault, RawSink, RawTemplate},
        template::{CommandForm, DefaultForm},
        units,
    },
    origin::{Origin, Sourced},
    problem::{Problem, nearest},
};

/// Folder of the files when no annotation names one.
const SECRETS_FOLDER: &str = "/vault/secrets";

/// Families that declare a secret, in the order in which the injector asks for them.
const DECLARING: [&str; 3] = [table::SECRET, table::TEMPLATE_FILE, table::TEMPLATE];

/// Families that only say more about a declared secret.
const COMPANIONS: [&str; 8] = [
    table::FILE,
    table::PERMS,
    table::COMMAND,
    table::MISSING_KEY,
    table::LEFT_DELIM,
    table::RIGHT_DELIM,
    table::VOLUME_PATH_OF,
    table::KEEP_CASE_OF,
];

/// Reads the secrets into templates sorted by name, and the token file; returns the names, as the templates come.
pub(super) fn read(notes: &mut Notes<'_>, raw: &mut Raw) -> Vec<String> {
    let form = default_form(notes);
    let folder = folder(notes);
    let names = declared(notes);
    for (name, origin) in &names {
        let template = template(notes, name, origin.clone(), (form, &folder));
        raw.templates.push(template);
    }
    if notes.boolean(table::TOKEN).is_some_and(|said| said.value) {
        token_file(notes, &folder, raw);
    }
    strange_names(notes, &names);
    orphans(notes, &names);
    names.into_keys().collect()
}

/// Raw names in order, each with the annotation that declares it first. Blank values declare nothing.
fn declared(notes: &Notes<'_>) -> BTreeMap<String, Origin> {
    let mut names = BTreeMap::new();
    for family in DECLARING {
        for (suffix, note) in &notes.by_suffix {
            let first = DECLARING.iter().find(|family| suffix.starts_with(**family));
            let Some(name) = suffix.strip_prefix(family).filter(|name| !name.is_empty()) else { continue };
            if first == Some(&family) && !note.value.trim().is_empty() {
                names.entry(name.to_owned()).or_insert_with(|| note.origin());
            }
        }
    }
    names
}

fn default_form(notes: &mut Notes<'_>) -> DefaultForm {
    let Some(note) = notes.get(table::DEFAULT_TEMPLATE) else { return DefaultForm::Map };
    match note.value.to_lowercase().as_str() {
        "map" => DefaultForm::Map,
        "json" => DefaultForm::Json,
        _ => {
            let problem = Problem::error(format!("invalid default template type: {}", note.value));
            notes.add(problem.at(note.origin()).expected(value::Kind::DefaultForm.expected()));
            DefaultForm::Map
        }
    }
}

fn folder(notes: &mut Notes<'_>) -> String {
    let Some(note) = notes.get(table::VOLUME_PATH) else { return SECRETS_FOLDER.to_owned() };
    absolute(notes, note);
    note.value.to_owned()
}

fn absolute(notes: &mut Notes<'_>, note: Note<'_>) {
    if !note.value.starts_with('/') {
        let problem = Problem::warning(format!("{:?} is no absolute path", note.value)).at(note.origin());
        notes
            .add(problem.expected("the folder where the pod mounts the volume, for instance /vault/secrets"));
    }
}

fn template(
    notes: &mut Notes<'_>,
    name: &str,
    origin: Origin,
    (form, folder): (DefaultForm, &str),
) -> RawTemplate {
    let mut template = RawTemplate::new(origin);
    text(notes, name, form, &mut template);
    if let Some(origin) = text_origin(&template) {
        // Where there is something to mend when the template fails; another annotation may have declared the secret.
        template.origin = origin;
    }
    template.destination = Some(destination(notes, name, folder));
    template.left_delimiter = filled(notes.member(table::LEFT_DELIM, name));
    template.right_delimiter = filled(notes.member(table::RIGHT_DELIM, name));
    template.perms = perms(notes, name);
    template.command = filled(notes.member(table::COMMAND, name))
        .map(|said| Sourced::new(CommandForm::Shell(said.value), said.origin));
    template.error_on_missing_key = notes.boolean(&format!("{}{name}", table::MISSING_KEY));
    plain_default(notes, &mut template);
    template
}

fn text_origin(template: &RawTemplate) -> Option<Origin> {
    let own = template.contents.as_ref().or(template.source.as_ref());
    own.map(|said| &said.origin).or(template.default.as_ref().map(|said| &said.origin)).cloned()
}

fn filled(note: Option<Note<'_>>) -> Option<Sourced<String>> {
    note.filter(|note| !note.value.is_empty()).map(|note| note.text())
}

/// The template's text: its own, else a file, else the default form over the path.
fn text(notes: &mut Notes<'_>, name: &str, form: DefaultForm, template: &mut RawTemplate) {
    if let Some(text) = filled(notes.member(table::TEMPLATE, name)) {
        template.contents = Some(text);
    } else if let Some(file) = filled(notes.member(table::TEMPLATE_FILE, name)) {
        template.source = Some(file);
    } else if let Some(note) = notes.member(table::SECRET, name) {
        let path = note.value.to_owned();
        template.default = Some(Sourced::new(RawDefault { form, path }, note.origin()));
    }
    let family_clash = name.strip_prefix("file-").is_some_and(|_| template.contents.is_some());
    if let Some(contents) = template.contents.as_ref().filter(|_| family_clash) {
        notes.add(
            Problem::warning(format!(
                "read twice: as the text of `{name}`, and as the template file of `{}`",
                &name["file-".len()..]
            ))
            .at(contents.origin.clone())
            .hint("give the secret a name that doesn't begin with `file-`"),
        );
    }
}

/// The default forms are written with `{{` and `}}`; with other delimiters the injector's files hold template text.
fn plain_default(notes: &mut Notes<'_>, template: &mut RawTemplate) {
    if template.default.is_none() {
        return;
    }
    for said in [template.left_delimiter.take(), template.right_delimiter.take()].into_iter().flatten() {
        notes.add(
            Problem::warning(
                "delimiters without a template: the default form has its own, this one is ignored",
            )
            .at(said.origin),
        );
    }
}

fn destination(notes: &mut Notes<'_>, name: &str, folder: &str) -> Sourced<String> {
    let own = notes.member(table::VOLUME_PATH_OF, name);
    if let Some(note) = own {
        absolute(notes, note);
    }
    let folder = own.map_or(folder, |note| note.value);
    if let Some(file) = filled(notes.member(table::FILE, name)) {
        return Sourced::new(joined(folder, &file.value), file.origin);
    }
    let file = if keeps_case(notes, name) { name.to_owned() } else { name.to_lowercase() };
    let origin = own.map_or(Origin::Default, |note| note.origin());
    Sourced::new(format!("{folder}/{file}"), origin)
}

/// A wrong bool counts as false here, as it does for the injector, but not in silence.
fn keeps_case(notes: &mut Notes<'_>, name: &str) -> bool {
    let note = notes.member(table::KEEP_CASE_OF, name).or_else(|| notes.get(table::KEEP_CASE));
    let Some(note) = note else { return false };
    value::boolean(note.value).unwrap_or_else(|| {
        let problem =
            Problem::warning(format!("the value {:?} is not right and counts as false", note.value))
                .at(note.origin())
                .expected(value::Kind::LaxBool.expected());
        if !notes.problems.contains(&problem) {
            notes.add(problem);
        }
        false
    })
}

fn perms(notes: &mut Notes<'_>, name: &str) -> Option<Sourced<u32>> {
    let note = notes.member(table::PERMS, name).filter(|note| !note.value.is_empty())?;
    match units::mode(note.value) {
        Ok(mode) => Some(Sourced::new(mode, note.origin())),
        Err(error) => {
            notes.add(note.wrong(&error.to_string()));
            None
        }
    }
}

fn token_file(notes: &Notes<'_>, folder: &str, raw: &mut Raw) {
    let Some(note) = notes.get(table::TOKEN) else { return };
    let mut sink = RawSink::new(note.origin());
    sink.kind = Some(Sourced::new("file".to_owned(), note.origin()));
    sink.path = Some(Sourced::new(joined(folder, "token"), note.origin()));
    login(raw, note.origin()).sinks.push(sink);
}

/// Go's `filepath.Join` of two parts: cleaned, `..` followed as far as there is a folder.
fn joined(folder: &str, file: &str) -> String {
    let whole = if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") };
    let rooted = whole.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let path: PathBuf = rooted.then_some("/").into_iter().chain(parts).collect();
    path.to_string_lossy().into_owned()
}

/// Names that are accepted as secrets and were meant as something else.
fn strange_names(notes: &mut Notes<'_>, names: &BTreeMap<String, Origin>) {
    for (name, origin) in names {
        let suffix = |family: &str| notes.member(family, name).is_some();
        let meant = match name.as_str() {
            "volume-path" if suffix(table::SECRET) => table::VOLUME_PATH.to_owned(),
            name if suffix(table::SECRET) && name.starts_with("volume-path-") => format!("secret-{name}"),
            name if suffix(table::TEMPLATE) && name.starts_with("left-delim-") => {
                format!("agent-template-{name}")
            }
            name if suffix(table::TEMPLATE) && name.starts_with("right-delim-") => {
                format!("agent-template-{name}")
            }
            _ => continue,
        };
        let what = format!("this declares a secret named `{name}`");
        notes.add(Problem::warning(what).at(origin.clone()).hint(format!("did you mean {meant}?")));
    }
}

/// Companions of secrets that nobody declares do nothing.
fn orphans(notes: &mut Notes<'_>, names: &BTreeMap<String, Origin>) {
    let mut lost = Vec::new();
    for (suffix, note) in &notes.by_suffix {
        let Some(family) =
            table::find(suffix).map(|entry| entry.suffix).filter(|family| COMPANIONS.contains(family))
        else {
            continue;
        };
        let name = &suffix[family.len()..];
        if !names.contains_key(name) {
            let problem =
                Problem::warning(format!("does nothing: there is no secret `{name}`")).at(note.origin());
            lost.push(match nearest(name, names.keys().map(String::as_str)) {
                Some(meant) => problem.hint(format!("did you mean {family}{meant}?")),
                None => problem.hint(format!("declare it with {}{name}", table::SECRET)),
            });
        }
    }
    notes.problems.extend(lost);
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn paths_are_cleaned_as_go_does() {
        for (folder, file, path) in [
            ("/vault/secrets", "a/b.txt", "/vault/secrets/a/b.txt"),
            ("/vault/secrets", "../run/x", "/vault/run/x"),
            ("/data//", "./x/", "/data/x"),
            ("/s", "../../../x", "/x"),
            ("rel", "../../x", "../x"),
            ("", "token", "token"),
            ("/s", "/abs", "/s/abs"),
        ] {
            assert_eq!(joined(folder, file), path);
        }
    }
}
