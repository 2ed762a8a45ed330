//! Templates and the settings that all of them share.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use super::{Findings, filled, group, path, value_or};
use crate::{
    config::{
        TemplateConfig,
        raw::{RawGroup, RawTemplate, RawTemplateConfig, Said},
        template::{
            ActionSpec, Destination, Dialect, Format, OnMissingKey, TemplateSource, TemplateSpec, Wait,
        },
    },
    origin::{Origin, Sourced},
    problem::{Problem, nearest},
    vault::path::VaultPath,
};

const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
const STATIC_INTERVAL: Duration = Duration::from_secs(5 * 60);
const CONNECTIONS: usize = 10;
const RENEWAL_THRESHOLD: f64 = 0.90;

/// All templates; `partials` is the folder of those that name none.
pub(super) fn resolve_all(
    raw: &[RawTemplate],
    groups: &[RawGroup],
    partials: &Said<String>,
    findings: &mut Findings,
) -> Vec<Arc<TemplateSpec>> {
    let specs =
        raw.iter().filter_map(|one| Some((resolve(one, partials, findings)?, one.change_group.clone())));
    let mut specs: Vec<_> = specs.collect();
    group::form(&mut specs, groups, findings);
    let mut specs: Vec<_> = specs.into_iter().map(|(spec, _)| Arc::new(spec)).collect();
    // Collected in place, they keep the room of what they were.
    specs.shrink_to_fit();
    let mut firsts: HashMap<&Path, &Origin> = HashMap::with_capacity(specs.len());
    for spec in &specs {
        let first = *firsts.entry(&spec.destination.path).or_insert(&spec.origin);
        if !std::ptr::eq(first, &spec.origin) {
            let what = format!("two templates write {}", spec.destination.path.display());
            let hint = format!("the other one is at {first}; the file will hold now one, now the other");
            findings.warn(&spec.origin, Problem::warning(what).hint(hint));
        }
    }
    specs
}

fn resolve(raw: &RawTemplate, partials: &Said<String>, findings: &mut Findings) -> Option<TemplateSpec> {
    let source = source(raw, findings);
    let dialect = dialect(raw, findings);
    let destination = destination(raw, findings);
    // Handlebars is strict unless somebody says otherwise; nobody has old templates in it.
    let strict = value_or(&raw.error_on_missing_key, dialect == Dialect::Handlebars);
    let on_missing_key = if strict { OnMissingKey::Error } else { OnMissingKey::Zero };
    let delimiter = |said, default: &str| filled(said).unwrap_or(default).to_owned();
    Some(TemplateSpec {
        origin: raw.origin.clone(),
        source: source?,
        dialect,
        partials_path: path(&raw.partials_path).or_else(|| path(partials)),
        delimiters: (delimiter(&raw.left_delimiter, "{{"), delimiter(&raw.right_delimiter, "}}")),
        destination: destination?,
        on_missing_key,
        error_fatal: value_or(&raw.error_fatal, true),
        actions: actions(raw),
        group: None,
        wait: raw.wait.as_ref().map(|said| {
            let (min, max) = said.value;
            Wait { min, max: max.unwrap_or_else(|| min.saturating_mul(4)) }
        }),
        function_denylist: raw.function_denylist.clone(),
        sandbox_path: path(&raw.sandbox_path),
        static_secret_render_interval: raw
            .static_secret_render_interval
            .as_ref()
            .map(|said| said.value)
            .filter(|interval| !interval.is_zero()),
        lease_renewal_threshold: raw
            .lease_renewal_threshold
            .as_ref()
            .and_then(|said| share("template.lease_renewal_threshold", said, findings)),
    })
}

/// The dialect that is said, else that of the file's name.
fn dialect(raw: &RawTemplate, findings: &mut Findings) -> Dialect {
    let mut dialect = filled(&raw.source).map_or(Dialect::Go, |file| Dialect::of_file(Path::new(file)));
    if let Some(said) = raw.dialect.as_ref().filter(|said| !said.value.is_empty()) {
        match Dialect::parse(&said.value) {
            Some(meant) => dialect = meant,
            None => findings.errors.push(unknown(said, "dialect", &Dialect::ALL.map(Dialect::name))),
        }
    }
    warn_of_dialect(raw, dialect, findings);
    for delimiter in [&raw.left_delimiter, &raw.right_delimiter].into_iter().flatten() {
        if dialect == Dialect::Handlebars && !delimiter.value.is_empty() {
            let what = "delimiters can't be changed in Handlebars, this one is ignored";
            findings.warn(&delimiter.origin, Problem::warning(what).hint("write \\{{ for a literal {{"));
        }
    }
    dialect
}

/// A dialect that is said for nothing, or against the name of the file.
fn warn_of_dialect(raw: &RawTemplate, dialect: Dialect, findings: &mut Findings) {
    let Some(said) = raw.dialect.as_ref().filter(|said| !said.value.is_empty()) else { return };
    let file = filled(&raw.source);
    if filled(&raw.format).is_some() {
        let what = "`dialect` has no effect where a `format` writes the secret";
        findings.warn(&said.origin, Problem::warning(what));
    } else if file.is_none() && filled(&raw.contents).is_none() && raw.default.is_some() {
        let what =
            "`dialect` has no effect where there is no template: the secret is written in its default form";
        let hint = "write a template, or choose a `format`";
        findings.warn(&said.origin, Problem::warning(what).hint(hint));
    } else if let (Some(file), Dialect::Go) = (file, dialect)
        && Dialect::of_file(Path::new(file)) == Dialect::Handlebars
    {
        let what = format!("{file} is read as a Go template, though its name says Handlebars");
        let hint = "leave the dialect away, or name the file without .hbs";
        findings.warn(&said.origin, Problem::warning(what).hint(hint));
    }
}

fn unknown(said: &Sourced<String>, what: &str, names: &[&str]) -> Problem {
    let word: String = said.value.chars().take(40).collect();
    let problem = Problem::error(format!("`{what}` can't be {word:?}")).at(said.origin.clone());
    let problem = problem.expected(format!("one of {}", names.join(", ")));
    match nearest(&word, names.iter().copied()) {
        Some(meant) => problem.hint(format!("did you mean {meant}?")),
        None => problem,
    }
}

/// A whole secret in an output format.
fn formatted(raw: &RawTemplate, said: &Sourced<String>, findings: &mut Findings) -> Option<TemplateSource> {
    let Some(format) = Format::parse(&said.value) else {
        findings.errors.push(unknown(said, "format", &Format::ALL.map(Format::name)));
        return None;
    };
    if let Some(text) = [&raw.source, &raw.contents].into_iter().flatten().find(|text| !text.value.is_empty())
    {
        let problem = Problem::error("a template has both a text and a `format`");
        let hint = format!(
            "in Handlebars the text can hold the format: {{{{{} (secret \"PATH\")}}}}",
            format.name()
        );
        findings.error(
            &said.origin,
            problem.expected(format!("only one of them; the text is at {}", text.origin)).hint(hint),
        );
        return None;
    }
    let by_annotation = raw.default.as_ref().map(|default| (default.value.path.as_str(), &default.origin));
    let by_key = raw.secret.as_ref().map(|secret| (secret.value.as_str(), &secret.origin));
    let Some((path, origin)) = by_key.or(by_annotation) else {
        let problem = Problem::error("a `format` needs to know which secret it writes");
        findings.error(&said.origin, problem.expected("secret = \"PATH\", for instance \"secret/data/app\""));
        return None;
    };
    match VaultPath::parse(path) {
        Ok((path, params)) => Some(TemplateSource::Formatted { format, path, params }),
        Err(error) => {
            let problem = Problem::error(format!("the path of the secret can't be used: {error}"));
            findings.error(origin, problem.expected("a path like secret/data/app"));
            None
        }
    }
}

/// Exactly one of file, text, default form and output format.
fn source(raw: &RawTemplate, findings: &mut Findings) -> Option<TemplateSource> {
    if let Some(format) = raw.format.as_ref().filter(|said| !said.value.is_empty()) {
        return formatted(raw, format, findings);
    }
    if let Some(secret) = &raw.secret {
        let problem = Problem::error("`secret` names what a `format` writes, and there is no `format`");
        let names = Format::ALL.map(Format::name).join(", ");
        findings.error(&secret.origin, problem.expected(format!("format = one of {names}")));
        return None;
    }
    let file = filled(&raw.source).map(|path| TemplateSource::File(path.into()));
    let inline = filled(&raw.contents).map(|text| TemplateSource::Inline(text.into()));
    match (file, inline, &raw.default) {
        (Some(_), Some(_), _) => {
            let problem = Problem::error("a `template` has both `source` and `contents`");
            findings.error(&raw.origin, problem.expected("only one of them"));
            None
        }
        (Some(source), None, _) | (None, Some(source), _) => Some(source),
        (None, None, Some(default)) => match VaultPath::parse(&default.value.path) {
            Ok((path, params)) => Some(TemplateSource::Default { form: default.value.form, path, params }),
            Err(error) => {
                let problem = Problem::error(format!("the path of the secret can't be used: {error}"));
                findings.error(&default.origin, problem.expected("a path like secret/data/app"));
                None
            }
        },
        (None, None, None) => {
            let problem = Problem::error("a `template` has neither `source` nor `contents`");
            findings.error(
                &raw.origin,
                problem.expected("source = \"FILE\", or contents with the text itself, or secret and format"),
            );
            None
        }
    }
}

fn destination(raw: &RawTemplate, findings: &mut Findings) -> Option<Destination> {
    let Some(file) = filled(&raw.destination) else {
        let problem = Problem::error("a `template` has no `destination`");
        findings.error(&raw.origin, problem.expected("destination = \"FILE\": the file to write"));
        return None;
    };
    // Go takes setuid, setgid and sticky from other bits than these, so the original never sets them.
    let perms = raw.perms.as_ref().map(|said| said.value & 0o777).filter(|mode| *mode != 0);
    Some(Destination {
        path: file.into(),
        perms,
        user: filled(&raw.user).map(str::to_owned),
        group: filled(&raw.group).map(str::to_owned),
        create_dest_dirs: value_or(&raw.create_dest_dirs, true),
        backup: value_or(&raw.backup, false),
    })
}

fn actions(raw: &RawTemplate) -> Vec<ActionSpec> {
    let timeout = value_or(&raw.command_timeout, COMMAND_TIMEOUT);
    let command = raw.command.as_ref().map(|command| ActionSpec::Command {
        form: command.value.clone(),
        timeout: (!timeout.is_zero()).then_some(timeout),
        env: raw.command_env.clone(),
    });
    command.into_iter().chain(raw.on_change.iter().cloned()).collect()
}

pub(super) fn resolve_config(raw: &RawTemplateConfig, findings: &mut Findings) -> TemplateConfig {
    let interval =
        raw.static_secret_render_interval.as_ref().map(|said| said.value).filter(|time| !time.is_zero());
    TemplateConfig {
        exit_on_retry_failure: value_or(&raw.exit_on_retry_failure, false),
        static_secret_render_interval: interval.unwrap_or(STATIC_INTERVAL),
        static_interval_is_set: interval.is_some(),
        max_connections_per_host: match usize::try_from(value_or(&raw.max_connections_per_host, 0)) {
            Ok(count) if count > 0 => count,
            _ => CONNECTIONS,
        },
        lease_renewal_threshold: threshold(raw, findings),
    }
}

fn threshold(raw: &RawTemplateConfig, findings: &mut Findings) -> f64 {
    let Some(said) = &raw.lease_renewal_threshold else { return RENEWAL_THRESHOLD };
    share("template_config.lease_renewal_threshold", said, findings).unwrap_or(RENEWAL_THRESHOLD)
}

/// A share of a lifetime; one that is none is warned about.
fn share(key: &str, said: &Sourced<f64>, findings: &mut Findings) -> Option<f64> {
    if said.value > 0.0 && said.value <= 1.0 {
        return Some(said.value);
    }
    let default = if key.starts_with("template_config") { "0.9" } else { "the global one" };
    let what = format!("`{key}` is {}, so {default} counts", said.value);
    findings.warn(&said.origin, Problem::warning(what).expected("more than 0, at most 1"));
    None
}
