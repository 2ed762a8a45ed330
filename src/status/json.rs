//! The report as JSON (`/status`). Times are RFC 3339 in UTC, to the second; what isn't known is `null`.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Awaited, LoginReport, Report, SecretReport, ServerReport, TemplateReport};

/// Version of the form: grows when a field changes its meaning or goes.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Status<'a> {
    format: u32,
    version: &'static str,
    ready: bool,
    now: Option<String>,
    started: Option<String>,
    awaited: Vec<AwaitedView<'a>>,
    server: ServerView<'a>,
    login: Option<LoginView<'a>>,
    templates: Vec<TemplateView<'a>>,
    secrets: Vec<SecretView<'a>>,
}

#[derive(Serialize)]
struct AwaitedView<'a> {
    kind: &'static str,
    name: &'a str,
    why: &'a str,
    next_try: Option<String>,
}

#[derive(Serialize)]
struct ServerView<'a> {
    reachable: bool,
    trouble: Option<&'a str>,
    since: Option<String>,
}

#[derive(Serialize)]
struct LoginView<'a> {
    authenticated: bool,
    expires: Option<String>,
    trouble: Option<&'a str>,
    next_try: Option<String>,
}

#[derive(Serialize)]
struct TemplateView<'a> {
    destination: &'a str,
    rendered: bool,
    trouble: Option<&'a str>,
    last_success: Option<String>,
    changes: u64,
    secrets: &'a [String],
}

#[derive(Serialize)]
struct SecretView<'a> {
    request: &'a str,
    available: bool,
    trouble: Option<&'a str>,
    failed_tries: u32,
    last_success: Option<String>,
    expires: Option<String>,
    next_action: Option<String>,
    certificate_not_after: Option<String>,
}

/// One line of JSON.
pub(super) fn text(report: &Report) -> String {
    let status = Status {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION"),
        ready: report.is_ready(),
        now: time(Some(report.now)),
        started: time(Some(report.started)),
        awaited: report.awaited.iter().map(awaited).collect(),
        server: server(&report.server),
        login: report.login.as_ref().map(login),
        templates: report.templates.iter().map(template).collect(),
        secrets: report.secrets.iter().map(secret).collect(),
    };
    // Numbers, booleans and texts alone: there is nothing in it that could fail.
    serde_json::to_string(&status).unwrap_or_default() + "\n"
}

fn awaited(awaited: &Awaited) -> AwaitedView<'_> {
    AwaitedView {
        kind: awaited.kind.name(),
        name: &awaited.name,
        why: &awaited.why,
        next_try: time(awaited.next_try),
    }
}

fn server(server: &ServerReport) -> ServerView<'_> {
    ServerView {
        reachable: server.outage.is_none(),
        trouble: server.outage.as_ref().map(|(why, _)| why.as_str()),
        since: time(server.outage.as_ref().map(|(_, since)| *since)),
    }
}

fn login(login: &LoginReport) -> LoginView<'_> {
    LoginView {
        authenticated: login.authenticated,
        expires: time(login.expires),
        trouble: login.trouble.as_deref(),
        next_try: time(login.next_try),
    }
}

fn template(template: &TemplateReport) -> TemplateView<'_> {
    TemplateView {
        destination: &template.destination,
        rendered: template.rendered,
        trouble: template.trouble.as_deref(),
        last_success: time(template.last_success),
        changes: template.changes,
        secrets: &template.secrets,
    }
}

fn secret(secret: &SecretReport) -> SecretView<'_> {
    SecretView {
        request: &secret.request,
        available: secret.available,
        trouble: secret.trouble.as_deref(),
        failed_tries: secret.tries,
        last_success: time(secret.last_success),
        expires: time(secret.expires),
        next_action: time(secret.next_action),
        certificate_not_after: time(secret.not_after),
    }
}

fn time(time: Option<SystemTime>) -> Option<String> {
    let since = time?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    // Years beyond 9999 have no such form.
    OffsetDateTime::from_unix_timestamp(since.try_into().ok()?).ok()?.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    #[test]
    fn the_form_is_what_the_page_says() {
        let mut json: serde_json::Value = serde_json::from_str(&text(&testing::report())).unwrap();
        json["version"] = "VERSION".into();
        insta::assert_json_snapshot!(json);
        let page = include_str!("../../docs/status.md");
        let mut fields = Vec::new();
        names(&json, &mut fields);
        for field in fields {
            assert!(page.contains(&format!("`{field}`")), "docs/status.md does not explain {field}");
        }
    }

    fn names(json: &serde_json::Value, into: &mut Vec<String>) {
        match json {
            serde_json::Value::Object(map) => {
                for (key, value) in map {
                    into.push(key.clone());
                    names(value, into);
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| names(item, into)),
            _ => {}
        }
    }
}
