//! Templates and the settings that all of them share.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use super::{Findings, filled, group, path, value_or};
use crate::{
    config::{
        TemplateConfig,
        raw::{RawGroup, RawTemplate, RawTemplateConfig},
        template::{ActionSpec, Destination, OnMissingKey, TemplateSource, TemplateSpec, Wait},
    },
    origin::Origin,
    problem::Problem,
    vault::path::VaultPath,
};

const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
const STATIC_INTERVAL: Duration = Duration::from_secs(5 * 60);
const CONNECTIONS: usize = 10;
const RENEWAL_THRESHOLD: f64 = 0.90;

pub(super) fn resolve_all(
    raw: &[RawTemplate],
    groups: &[RawGroup],
    findings: &mut Findings,
) -> Vec<Arc<TemplateSpec>> {
    let specs = raw.iter().filter_map(|one| Some((resolve(one, findings)?, one.change_group.clone())));
    let mut specs: Vec<_> = specs.collect();
    group::form(&mut specs, groups, findings);
    let specs: Vec<_> = specs.into_iter().map(|(spec, _)| Arc::new(spec)).collect();
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

fn resolve(raw: &RawTemplate, findings: &mut Findings) -> Option<TemplateSpec> {
    let source = source(raw, findings);
    let destination = destination(raw, findings);
    let on_missing_key =
        if value_or(&raw.error_on_missing_key, false) { OnMissingKey::Error } else { OnMissingKey::Zero };
    let delimiter = |said, default: &str| filled(said).unwrap_or(default).to_owned();
    Some(TemplateSpec {
        origin: raw.origin.clone(),
        source: source?,
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
    })
}

/// Exactly one of file, text and default form.
fn source(raw: &RawTemplate, findings: &mut Findings) -> Option<TemplateSource> {
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
            findings
                .error(&raw.origin, problem.expected("source = \"FILE\", or contents with the text itself"));
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
    if said.value > 0.0 && said.value <= 1.0 {
        return said.value;
    }
    let what =
        format!("`template_config.lease_renewal_threshold` is {}, so {RENEWAL_THRESHOLD} counts", said.value);
    findings.warn(&said.origin, Problem::warning(what).expected("more than 0, at most 1"));
    RENEWAL_THRESHOLD
}
