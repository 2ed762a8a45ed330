//! The metrics: one table, from which the exposition text and the page in `docs/` come.
//!
//! Format: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>, version 0.0.4.

use std::{fmt::Write as _, time::SystemTime};

use super::{Report, SecretReport, TemplateReport};

/// Content type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name, with the unit in it.
    pub name: &'static str,
    /// Whether it only grows.
    pub kind: Kind,
    /// Names of its labels, comma-separated; empty: none.
    pub labels: &'static str,
    /// What it says, in one sentence.
    pub help: &'static str,
    /// Its samples.
    samples: Samples,
}

/// What a metric does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Grows, and starts anew with the process.
    Counter,
    /// Goes up and down.
    Gauge,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// Where a metric's samples come from. A sample that isn't known is left out.
#[derive(Clone, Copy)]
enum Samples {
    /// One, without a label.
    One(fn(&Report) -> Option<f64>),
    /// One for each template, with its destination.
    Template(fn(&TemplateReport) -> Option<f64>),
    /// One for each secret, with its request.
    Secret(fn(&SecretReport) -> Option<f64>),
    /// Any, with the one label's value.
    Many(fn(&Report) -> Vec<(&'static str, f64)>),
    /// Any, with the values of two labels.
    Pairs(fn(&Report) -> &[(&'static str, &'static str, u64)]),
}

impl std::fmt::Debug for Samples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Samples")
    }
}

const fn metric(
    name: &'static str,
    kind: Kind,
    labels: &'static str,
    help: &'static str,
    samples: Samples,
) -> Metric {
    Metric { name, kind, labels, help, samples }
}

/// All of them.
pub static METRICS: &[Metric] = &[
    metric(
        "decant_build_info",
        Kind::Gauge,
        "version",
        "Always 1; the label says which version runs.",
        Samples::Many(|_| vec![(env!("CARGO_PKG_VERSION"), 1.0)]),
    ),
    metric(
        "decant_start_time_seconds",
        Kind::Gauge,
        "",
        "When the program started, in seconds since 1970.",
        Samples::One(|report| seconds(Some(report.started))),
    ),
    metric(
        "decant_ready",
        Kind::Gauge,
        "",
        "1 while every file is there and valid, as /readyz says.",
        Samples::One(|report| Some(flag(report.is_ready()))),
    ),
    metric(
        "decant_server_reachable",
        Kind::Gauge,
        "",
        "1 while the server can be reached, 0 from the first request without an answer to the next with one.",
        Samples::One(|report| Some(flag(report.server.outage.is_none()))),
    ),
    metric(
        "decant_authenticated",
        Kind::Gauge,
        "",
        "1 while there is a token that has not ended.",
        Samples::One(|report| report.login.as_ref().map(|login| flag(login.authenticated))),
    ),
    metric(
        "decant_token_expiry_timestamp_seconds",
        Kind::Gauge,
        "",
        "When the own token ends if nobody renews it, in seconds since 1970; absent when it never does.",
        Samples::One(|report| seconds(report.login.as_ref()?.expires)),
    ),
    metric(
        "decant_auth_success_total",
        Kind::Counter,
        "",
        "Successful logins.",
        Samples::One(|report| report.login.as_ref().map(|login| count(login.logins))),
    ),
    metric(
        "decant_auth_failure_total",
        Kind::Counter,
        "",
        "Failed logins, also those for which there was no credential yet.",
        Samples::One(|report| report.login.as_ref().map(|login| count(login.failures))),
    ),
    metric(
        "decant_token_renewals_total",
        Kind::Counter,
        "",
        "Successful renewals of the own token.",
        Samples::One(|report| report.login.as_ref().map(|login| count(login.renewals))),
    ),
    metric(
        "decant_template_rendered",
        Kind::Gauge,
        "destination",
        "1 while the file is as the template and the newest answers want it, 0 while it is missing or older.",
        Samples::Template(|template| Some(flag(template.rendered && template.trouble.is_none()))),
    ),
    metric(
        "decant_template_last_success_timestamp_seconds",
        Kind::Gauge,
        "destination",
        "When the file was last written or found right, in seconds since 1970.",
        Samples::Template(|template| seconds(template.last_success)),
    ),
    metric(
        "decant_template_changes_total",
        Kind::Counter,
        "destination",
        "How often the contents of the file changed.",
        Samples::Template(|template| Some(count(template.changes))),
    ),
    metric(
        "decant_secret_last_success_timestamp_seconds",
        Kind::Gauge,
        "request",
        "When the server last answered the request well, renewals included, in seconds since 1970.",
        Samples::Secret(|secret| seconds(secret.last_success)),
    ),
    metric(
        "decant_secret_failed_tries",
        Kind::Gauge,
        "request",
        "Failed tries since the last good answer.",
        Samples::Secret(|secret| Some(f64::from(secret.tries))),
    ),
    metric(
        "decant_secret_expiry_timestamp_seconds",
        Kind::Gauge,
        "request",
        "When the lease, token, rotation period or certificate in the answer ends, in seconds since 1970; absent \
         when it doesn't.",
        Samples::Secret(|secret| seconds(secret.expires)),
    ),
    metric(
        "decant_secret_next_action_timestamp_seconds",
        Kind::Gauge,
        "request",
        "When the secret is read or renewed next, in seconds since 1970; absent while a request is under way.",
        Samples::Secret(|secret| seconds(secret.next_action)),
    ),
    metric(
        "decant_certificate_not_after_timestamp_seconds",
        Kind::Gauge,
        "request",
        "Last moment of the certificate in the answer, in seconds since 1970.",
        Samples::Secret(|secret| seconds(secret.not_after)),
    ),
    metric(
        "decant_requests_total",
        Kind::Counter,
        "result",
        "Requests to the server by result: ok, denied, invalid_token, missing, refused, busy, malformed, unreachable.",
        Samples::Many(|report| {
            report.counts.requests.iter().map(|(result, number)| (*result, count(*number))).collect()
        }),
    ),
    metric(
        "decant_retries_total",
        Kind::Counter,
        "",
        "Requests for secrets that were sent again after a failure.",
        Samples::One(|report| Some(count(report.counts.retries))),
    ),
    metric(
        "decant_actions_total",
        Kind::Counter,
        "action,result",
        "Actions after changed files, by kind (command, signal, http, touch) and result: ok, failed, or needless when \
         nobody was there yet to be told.",
        Samples::Pairs(|report| &report.counts.actions),
    ),
];

const fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "a count beyond 2^53 is not reached")]
const fn count(number: u64) -> f64 {
    number as f64
}

fn seconds(time: Option<SystemTime>) -> Option<f64> {
    time?.duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| count(since.as_secs()))
}

/// The exposition text of a report.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    for metric in METRICS {
        let mut samples = String::new();
        let mut put = |labels: &[&str], value: Option<f64>| {
            let Some(value) = value else { return };
            let pairs = metric.labels.split(',').zip(labels);
            let pairs: Vec<String> =
                pairs.map(|(name, label)| format!("{name}=\"{}\"", escaped(label))).collect();
            let braced = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
            let _ = writeln!(samples, "{}{braced} {value}", metric.name);
        };
        match metric.samples {
            Samples::One(value) => put(&[], value(report)),
            Samples::Template(value) => {
                report.templates.iter().for_each(|template| put(&[&template.destination], value(template)));
            }
            Samples::Secret(value) => {
                report.secrets.iter().for_each(|secret| put(&[&secret.request], value(secret)));
            }
            Samples::Pairs(values) => {
                for (first, second, number) in values(report) {
                    put(&[first, second], Some(count(*number)));
                }
            }
            Samples::Many(values) => {
                values(report).into_iter().for_each(|(label, value)| put(&[label], Some(value)));
            }
        }
        if !samples.is_empty() {
            let (name, kind) = (metric.name, metric.kind.name());
            let _ = write!(text, "# HELP {name} {}\n# TYPE {name} {kind}\n{samples}", metric.help);
        }
    }
    text
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The table for `docs/status.md`.
pub fn document() -> String {
    let mut table = String::from("| Metric | Type | Label | What it says |\n| --- | --- | --- | --- |\n");
    for metric in METRICS {
        let labels: Vec<String> = metric
            .labels
            .split(',')
            .filter(|label| !label.is_empty())
            .map(|label| format!("`{label}`"))
            .collect();
        let label = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
        let _ = writeln!(table, "| `{}` | {} | {label} | {} |", metric.name, metric.kind.name(), metric.help);
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::testing, *};

    #[test]
    fn everything_in_the_table_is_served_and_nothing_else() {
        let text = text(&testing::report());
        let served: BTreeSet<&str> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split(['{', ' ']).next())
            .collect();
        let table: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(served, table);
        assert_eq!(table.len(), METRICS.len(), "a name stands there twice");
        insta::assert_snapshot!(text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }

    #[test]
    fn the_page_in_docs_has_the_table() {
        let page = include_str!("../../docs/status.md");
        assert!(page.contains(&document()), "docs/status.md is stale; its table should be:\n{}", document());
    }

    #[test]
    fn names_follow_the_rules_of_the_field() {
        for metric in METRICS {
            assert!(metric.name.starts_with("decant_"), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            assert!(metric.help.ends_with('.') && !metric.help.contains('\n'), "{}", metric.name);
        }
    }
}
