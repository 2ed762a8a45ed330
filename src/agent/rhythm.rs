//! How often a secret is read anew, when the templates that use it say so themselves: it is one request for all of
//! them, so the most eager one counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::plan::Plan;
use crate::{
    config::template::TemplateSpec, secrets::request::SecretRequest, template::Template,
    vault::lifetime::Rules,
};

/// The rules of requests for which those of the run don't count.
pub(super) fn own(
    requests: &BTreeSet<SecretRequest>,
    plan: &Plan,
    templates: &[(Arc<TemplateSpec>, Template)],
    run: &Rules,
) -> BTreeMap<SecretRequest, Rules> {
    if !templates.iter().any(|(spec, _)| says_something(spec)) {
        return BTreeMap::new();
    }
    let rules = |request: &SecretRequest| {
        let users = plan.users(request).filter_map(|index| templates.get(index));
        most_eager(users.map(|(spec, _)| spec.as_ref()), run)
    };
    requests.iter().filter_map(|request| Some((request.clone(), rules(request)?))).collect()
}

const fn says_something(spec: &TemplateSpec) -> bool {
    spec.static_secret_render_interval.is_some() || spec.lease_renewal_threshold.is_some()
}

/// `None`: nobody says anything.
fn most_eager<'a>(users: impl Iterator<Item = &'a TemplateSpec>, run: &Rules) -> Option<Rules> {
    let of = |spec: &TemplateSpec| Rules {
        static_interval: spec.static_secret_render_interval.unwrap_or(run.static_interval),
        static_interval_is_set: spec.static_secret_render_interval.is_some() || run.static_interval_is_set,
        threshold: spec.lease_renewal_threshold.unwrap_or(run.threshold),
    };
    let mut found = None;
    for spec in users {
        let (rules, is_own) = (of(spec), says_something(spec));
        found = Some(match found {
            None => (rules, is_own),
            Some((other, others_own)) => {
                let both: Rules = other;
                let eager = Rules {
                    static_interval: both.static_interval.min(rules.static_interval),
                    static_interval_is_set: both.static_interval_is_set || rules.static_interval_is_set,
                    threshold: both.threshold.min(rules.threshold),
                };
                (eager, others_own || is_own)
            }
        });
    }
    found.filter(|(_, is_own)| *is_own).map(|(rules, _)| rules)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{hcl, raw::Raw, resolve, stanza};

    const RUN: Rules =
        Rules { static_interval: Duration::from_secs(300), static_interval_is_set: false, threshold: 0.9 };

    fn spec(more: &str) -> TemplateSpec {
        let text = format!("template {{ contents = \"x\" destination = \"/x\" {more} }}");
        let raw = stanza::read(&hcl::parse(text.as_bytes()).unwrap(), &std::path::Path::new("/c").into());
        let config = resolve::for_templates(raw, Raw::default(), &crate::config::env::Environment::default());
        config.usable().unwrap().templates[0].as_ref().clone()
    }

    #[test]
    fn the_shortest_interval_and_the_lowest_threshold_of_all_users_count() {
        let (silent, often) = (spec(""), spec("static_secret_render_interval = \"10s\""));
        let (rarely, early) =
            (spec("static_secret_render_interval = \"1h\""), spec("lease_renewal_threshold = 0.5"));
        let of = |users: &[&TemplateSpec]| most_eager(users.iter().copied(), &RUN);
        let seconds = |users: &[&TemplateSpec]| of(users).map(|rules| rules.static_interval.as_secs());
        assert_eq!(of(&[&silent]), None);
        assert_eq!(of(&[]), None);
        assert_eq!(seconds(&[&silent, &often]), Some(10));
        assert_eq!(seconds(&[&rarely]), Some(3600));
        assert_eq!(seconds(&[&rarely, &silent]), Some(300), "the silent one wants the interval of the run");
        let both = of(&[&often, &early]).unwrap();
        assert_eq!(
            (both.static_interval.as_secs(), both.threshold, both.static_interval_is_set),
            (10, 0.5, true)
        );
    }
}
