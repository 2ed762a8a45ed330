//! One line per template at start: what will happen when a key or a secret is missing, and during an outage.

use std::collections::BTreeSet;

use crate::{
    config::{
        Config,
        template::{DefaultForm, Dialect, OnMissingKey, TemplateSource, TemplateSpec},
    },
    template::oddity::Oddity,
};

/// Says it for every template; of those whose text can't be read, why.
pub fn announce(config: &Config, broken: &[String]) {
    for spec in &config.templates {
        tracing::info!(
            target: "agent",
            from = %source(spec),
            missing_key = missing_key(config, spec),
            missing_secret = %missing_secret(config),
            outage = outage(config),
            "template {}",
            spec.destination.path.display()
        );
    }
    for trouble in broken {
        tracing::error!(target: "agent", "{trouble}");
    }
}

/// Warns of what a template printed that no application expects, unless `said` holds it already.
pub(super) fn oddities(
    said: &mut BTreeSet<(usize, Oddity)>,
    index: usize,
    spec: &TemplateSpec,
    oddities: &[Oddity],
) {
    for oddity in oddities {
        if said.insert((index, oddity.clone())) {
            tracing::warn!(target: "agent", "{}: {oddity}; {}", spec.origin, oddity.hint());
        }
    }
}

fn source(spec: &TemplateSpec) -> String {
    match &spec.source {
        TemplateSource::File(path) => path.display().to_string(),
        TemplateSource::Inline(_) => spec.origin.to_string(),
        TemplateSource::Default { form: DefaultForm::Map, path, .. } => format!("default form map of {path}"),
        TemplateSource::Default { form: DefaultForm::Json, path, .. } => {
            format!("default form json of {path}")
        }
        TemplateSource::Formatted { format, path, .. } => format!("{path} as {}", format.name()),
    }
}

fn missing_key(config: &Config, spec: &TemplateSpec) -> &'static str {
    match spec.on_missing_key {
        OnMissingKey::Zero if spec.dialect == Dialect::Handlebars => "rendered as nothing",
        OnMissingKey::Zero => "rendered as <no value>",
        OnMissingKey::Error if config.template_config.exit_on_retry_failure && spec.error_fatal => {
            "ends the run until everything was rendered once, later the file stays as it is"
        }
        OnMissingKey::Error => "the file stays as it is",
    }
}

fn missing_secret(config: &Config) -> String {
    let tries = config.vault.num_retries.unwrap_or(0) + 1;
    if config.template_config.exit_on_retry_failure {
        format!("tried {tries} times, then the run ends")
    } else {
        "tried again for ever, ever more slowly".into()
    }
}

const fn outage(config: &Config) -> &'static str {
    match (config.init_deadline, config.exit_after_auth) {
        (Some(_), _) => "waits until init_deadline for the first render, later files stay as they are",
        (None, true) => "waits until the server is back",
        (None, false) => "files stay as they are until the server is back",
    }
}
