//! Stanza `auto_auth`: what holds for every login method, and how method and sinks go together.

use std::time::Duration;

use super::{Findings, method, server, short, sink, value_or};
use crate::{
    config::{
        AutoAuthConfig, MethodConfig,
        env::Environment,
        raw::{RawAutoAuth, RawMethod, RawSink, RawVault, Said},
    },
    origin::Origin,
    problem::{Problem, nearest},
};

/// Methods that are built in.
const BUILT_IN: [&str; 5] = ["approle", "cert", "jwt", "kubernetes", "token_file"];
/// Methods of the original that are not.
const NOT_YET: [&str; 8] = ["alicloud", "aws", "azure", "cf", "gcp", "kerberos", "ldap", "oci"];

const DEFAULT_MIN_BACKOFF: Duration = Duration::from_secs(1);
const DEFAULT_MAX_BACKOFF: Duration = Duration::from_secs(5 * 60);

pub(super) fn resolve(
    raw: &RawAutoAuth,
    vault: &RawVault,
    environment: &Environment,
    findings: &mut Findings,
) -> Option<AutoAuthConfig> {
    let sinks = raw.sinks.iter().filter_map(|sink| sink::resolve(sink, environment, findings)).collect();
    let Some(method) = &raw.method else {
        let problem = Problem::error("`auto_auth` has no `method`");
        findings.error(&raw.origin, problem.expected("method \"kubernetes\" { … } in it"));
        return None;
    };
    check_wrapping(method, &raw.sinks, findings);
    Some(AutoAuthConfig {
        method: resolve_method(method, vault, findings)?,
        sinks,
        reauth_on_new_credentials: value_or(&raw.reauth_on_new_credentials, false),
    })
}

fn resolve_method(raw: &RawMethod, vault: &RawVault, findings: &mut Findings) -> Option<MethodConfig> {
    let Some(name) = raw.kind.as_ref().filter(|kind| !kind.value.is_empty()) else {
        let problem = Problem::error("`auto_auth.method` has no type");
        findings.error(
            &raw.origin,
            problem.expected("method \"kubernetes\" { … }, or type = \"kubernetes\" in it"),
        );
        return None;
    };
    let (min_backoff, max_backoff) = backoff(raw, findings);
    let kind = match name.value.as_str() {
        "approle" => method::approle(raw, findings),
        "cert" => method::cert(raw, findings),
        "jwt" => method::jwt(raw, findings),
        "kubernetes" => method::kubernetes(raw, findings),
        "token_file" => method::token_file(raw, findings),
        other => {
            findings.error(&name.origin, no_such_method(other));
            None
        }
    };
    Some(MethodConfig {
        kind: kind?,
        mount_path: mount_path(raw, &name.value, findings),
        namespace: server::login_namespace(vault, &raw.namespace),
        retry_base: said_backoff(&raw.min_backoff),
        retry_cap: said_backoff(&raw.max_backoff),
        min_backoff,
        max_backoff,
        exit_on_err: value_or(&raw.exit_on_err, false),
        wrap_ttl: value_or(&raw.wrap_ttl, Duration::ZERO),
        origin: raw.origin.clone(),
    })
}

/// The mount, without slashes around it; `auth/` belongs to it, maybe with a namespace before.
fn mount_path(raw: &RawMethod, name: &str, findings: &mut Findings) -> String {
    let said = raw.mount_path.as_ref().map(|said| (said.value.trim_matches('/'), &said.origin));
    let Some((path, origin)) = said.filter(|(path, _)| !path.is_empty()) else {
        return format!("auth/{name}");
    };
    if !path.split('/').any(|segment| segment == "auth") && name != "token_file" {
        let problem = Problem::warning(format!("the mount path `{}` has no auth/ in it", short(path)));
        findings.warn(origin, problem.hint(format!("did you mean auth/{}?", short(path))));
    }
    path.to_owned()
}

fn no_such_method(name: &str) -> Problem {
    let expected = format!("one of those that are: {}", BUILT_IN.join(", "));
    if NOT_YET.contains(&name) {
        return Problem::error(format!("the method `{name}` is not built in yet")).expected(expected);
    }
    let problem = Problem::error(format!("there is no method `{}`", short(name)))
        .expected(format!("one of {}", BUILT_IN.join(", ")));
    match nearest(name, BUILT_IN.into_iter().chain(NOT_YET)) {
        Some(likely) => problem.hint(format!("did you mean `{likely}`?")),
        None => problem,
    }
}

/// What was said about a wait, for fetches: they have defaults of their own.
fn said_backoff(said: &Said<Duration>) -> Option<Duration> {
    said.as_ref().map(|said| said.value).filter(|wait| !wait.is_zero())
}

/// Zero means the default, for both.
fn backoff(raw: &RawMethod, findings: &mut Findings) -> (Duration, Duration) {
    let or = |said: &Said<Duration>, default| match value_or(said, default) {
        Duration::ZERO => default,
        other => other,
    };
    let (min, max) = (or(&raw.min_backoff, DEFAULT_MIN_BACKOFF), or(&raw.max_backoff, DEFAULT_MAX_BACKOFF));
    if min >= max {
        let origin =
            raw.min_backoff.as_ref().or(raw.max_backoff.as_ref()).map_or(&raw.origin, |said| &said.origin);
        let problem =
            Problem::error(format!("`min_backoff` ({min:?}) is not less than `max_backoff` ({max:?})"));
        findings.error(origin, problem.hint("the defaults are 1s and 5m"));
    }
    (min, max)
}

/// A wrapped login can feed one sink only, which must not wrap again.
fn check_wrapping(method: &RawMethod, sinks: &[RawSink], findings: &mut Findings) {
    let Some(wrap) = method.wrap_ttl.as_ref().filter(|said| !said.value.is_zero()) else { return };
    if sinks.len() != 1 {
        let problem =
            Problem::error(format!("`auto_auth.method.wrap_ttl` is set with {} sinks", sinks.len()));
        findings.error(&wrap.origin, problem.expected("exactly one `sink`, which gets the wrapped token"));
    }
    for twice in sinks.iter().filter_map(|sink| sink.wrap_ttl.as_ref()).filter(|said| !said.value.is_zero()) {
        let problem = Problem::error("`wrap_ttl` is set for the method and for a sink as well");
        findings.error(&twice.origin, problem.expected("only one of them: the token is wrapped once"));
    }
}

/// Where the method's type is said, for checks elsewhere.
pub(super) fn is_wrapped(method: Option<&RawMethod>) -> Option<&Origin> {
    let wrap = method?.wrap_ttl.as_ref()?;
    (!wrap.value.is_zero()).then_some(&wrap.origin)
}
