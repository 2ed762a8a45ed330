//! Templates that are given by themselves, without a configuration around them, and secrets to write in a format.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use super::input::{How, TEMPLATE_ENDINGS, Unit, unit, whole};
use crate::{
    config::{
        raw::{Raw, RawTemplate},
        resolve,
        template::{Dialect, Format},
    },
    origin::{Origin, Sourced},
    problem::Problem,
};

/// Folder of partials beside a template, when nobody names another one.
const PARTIALS: &str = "partials";

/// A template file; it makes a file of its name without the ending.
pub(super) fn template(path: &Path, how: How<'_>) -> Unit {
    if path.as_os_str() == "-" {
        // Standard input can be read once only, and was read to see what it is.
        return unit(path, Err(vec![stdin_template()]));
    }
    let name = match path.extension().and_then(OsStr::to_str) {
        Some(ending) if TEMPLATE_ENDINGS.contains(&ending) => path.file_stem(),
        _ => path.file_name(),
    };
    let mut raw = Raw::default();
    let partials = path.parent().unwrap_or(Path::new("")).join(PARTIALS);
    raw.own.partials_path = partials.is_dir().then(|| text(&partials));
    let mut one = RawTemplate::new(whole(path));
    one.source = Some(text(path));
    one.destination = Some(text(Path::new(name.unwrap_or(OsStr::new("template")))));
    one.dialect = how.bare.dialect.map(Dialect::name).map(said);
    one.left_delimiter = how.bare.left.as_deref().map(said);
    one.right_delimiter = how.bare.right.as_deref().map(said);
    one.error_on_missing_key =
        how.bare.error_on_missing_key.map(|value| Sourced::new(value, Origin::Default));
    one_template(path, raw, one, how)
}

/// A secret in a format; it makes a file of the secret's name.
pub(super) fn secret(path: &Path, format: Format, how: How<'_>) -> Unit {
    let mut one = RawTemplate::new(Origin::Flag("--secret".into()));
    let written = path.to_string_lossy();
    let name = written.split('?').next().unwrap_or_default().rsplit('/').find(|part| !part.is_empty());
    let ending = match format {
        Format::Dotenv => "env",
        Format::Shell => "sh",
        other => other.name(),
    };
    one.secret = Some(Sourced::new(written.clone().into_owned(), Origin::Flag("--secret".into())));
    one.format = Some(said(format.name()));
    one.destination = Some(text(&PathBuf::from(format!("{}.{ending}", name.unwrap_or("secret")))));
    one_template(path, Raw::default(), one, how)
}

fn one_template(path: &Path, raw: Raw, one: RawTemplate, how: How<'_>) -> Unit {
    let raw = Raw { templates: vec![one], ..raw };
    unit(path, resolve::for_templates(raw, how.flags.clone(), how.environment).usable())
}

fn said(text: &str) -> Sourced<String> {
    Sourced::new(text.to_owned(), Origin::Default)
}

fn text(path: &Path) -> Sourced<String> {
    said(&path.to_string_lossy())
}

fn stdin_template() -> Problem {
    Problem::error("standard input holds no manifest").expected("Kubernetes objects, in YAML or JSON").hint(
        "write the template into a file and name that; `--manifest -` reads objects that aren't recognised",
    )
}
