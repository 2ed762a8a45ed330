//! The login method and the sinks.

use std::{path::PathBuf, time::Duration};

use super::{Findings, filled, server, short, value_or};
use crate::{
    config::{
        AutoAuthConfig, MethodConfig, MethodKind, SinkConfig,
        raw::{RawAutoAuth, RawMethod, RawSink, RawVault, Said},
    },
    origin::Origin,
    problem::{Problem, nearest},
};

/// Methods that are built in.
const BUILT_IN: [&str; 2] = ["kubernetes", "token_file"];
/// Methods of the original that are not.
const NOT_YET: [&str; 11] =
    ["alicloud", "approle", "aws", "azure", "cert", "cf", "gcp", "jwt", "kerberos", "ldap", "oci"];

const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const DEFAULT_MIN_BACKOFF: Duration = Duration::from_secs(1);
const DEFAULT_MAX_BACKOFF: Duration = Duration::from_secs(5 * 60);
const DEFAULT_SINK_MODE: u32 = 0o640;

pub(super) fn resolve(
    raw: &RawAutoAuth,
    vault: &RawVault,
    findings: &mut Findings,
) -> Option<AutoAuthConfig> {
    let sinks = raw.sinks.iter().filter_map(|sink| resolve_sink(sink, findings)).collect();
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
        "kubernetes" => kubernetes(raw, findings),
        "token_file" => token_file(raw, findings),
        other => {
            findings.error(&name.origin, no_such_method(other));
            None
        }
    };
    let mount = filled(&raw.mount_path).map(|path| path.trim_matches('/')).filter(|path| !path.is_empty());
    Some(MethodConfig {
        kind: kind?,
        mount_path: mount.map_or_else(|| format!("auth/{}", name.value), str::to_owned),
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

fn kubernetes(raw: &RawMethod, findings: &mut Findings) -> Option<MethodKind> {
    unknown_settings(raw, &["role", "token_path"], findings);
    let role =
        required(raw, "role", "role = \"…\" in its config: the role of the mount to log in with", findings)?;
    let token_path = setting(raw, "token_path").map_or_else(|| SERVICE_ACCOUNT_TOKEN.into(), PathBuf::from);
    Some(MethodKind::Kubernetes { role, token_path })
}

fn token_file(raw: &RawMethod, findings: &mut Findings) -> Option<MethodKind> {
    unknown_settings(raw, &["token_file_path"], findings);
    let path = required(
        raw,
        "token_file_path",
        "token_file_path = \"…\" in its config: the file with the token",
        findings,
    )?;
    Some(MethodKind::TokenFile { path: path.into() })
}

fn setting<'a>(raw: &'a RawMethod, key: &str) -> Option<&'a str> {
    raw.config.get(key).map(|said| said.value.as_str()).filter(|value| !value.is_empty())
}

fn required(raw: &RawMethod, key: &str, expected: &str, findings: &mut Findings) -> Option<String> {
    let found = setting(raw, key).map(str::to_owned);
    if found.is_none() {
        let name = filled(&raw.kind).unwrap_or_default();
        let origin = raw.config.get(key).map_or(&raw.origin, |said| &said.origin);
        findings
            .error(origin, Problem::error(format!("the method `{name}` has no `{key}`")).expected(expected));
    }
    found
}

/// Injectors give `token_path` to every method, so it is never worth a warning.
fn unknown_settings(raw: &RawMethod, known: &[&str], findings: &mut Findings) {
    for (key, said) in
        raw.config.iter().filter(|(key, _)| !known.contains(&key.as_str()) && *key != "token_path")
    {
        let name = filled(&raw.kind).unwrap_or_default();
        let mut problem =
            Problem::warning(format!("the method `{name}` has no setting `{}`, ignored", short(key)));
        if let Some(likely) = nearest(key, known.iter().copied()) {
            problem = problem.hint(format!("did you mean `{likely}`?"));
        }
        findings.warn(&said.origin, problem);
    }
}

/// A wrapped login can feed one sink only, which must not wrap again.
fn check_wrapping(method: &RawMethod, sinks: &[RawSink], findings: &mut Findings) {
    let Some(wrap) = method.wrap_ttl.as_ref().filter(|said| !said.value.is_zero()) else { return };
    if sinks.len() != 1 {
        let problem =
            Problem::error(format!("`auto_auth.method.wrap_ttl` is set with {} sinks", sinks.len()));
        findings.error(&wrap.origin, problem.expected("exactly one `sink`, which gets the wrapped token"));
    }
}

fn resolve_sink(raw: &RawSink, findings: &mut Findings) -> Option<SinkConfig> {
    let kind = raw.kind.as_ref();
    match kind.map(|kind| kind.value.as_str()) {
        Some("file") => {}
        None | Some("") => {
            let problem = Problem::error("`auto_auth.sink` has no type");
            findings.error(&raw.origin, problem.expected("sink \"file\" { … }, or type = \"file\" in it"));
        }
        Some(other) => {
            let origin = kind.map_or(&raw.origin, |kind| &kind.origin);
            findings.error(
                origin,
                Problem::error(format!("there is no sink `{}`", short(other)))
                    .expected("file, the only type"),
            );
        }
    }
    refuse_plain_token(raw, findings);
    let Some(path) = filled(&raw.path) else {
        let problem = Problem::error("a `sink` has no path");
        findings.error(&raw.origin, problem.expected("config = { path = \"/run/secrets/token\" } in it"));
        return None;
    };
    Some(SinkConfig {
        path: path.into(),
        // Go takes setuid and the like from other bits, so the original never sets them.
        mode: value_or(&raw.mode, DEFAULT_SINK_MODE) & 0o777,
        uid: owner("uid", &raw.uid, findings),
        gid: owner("gid", &raw.gid, findings),
        origin: raw.origin.clone(),
    })
}

/// To write the plain token where a wrapped or encrypted one was asked for would be a leak.
fn refuse_plain_token(raw: &RawSink, findings: &mut Findings) {
    const HINT: &str = "leave it out only if a plain token in that file is acceptable";
    if let Some(wrap) = raw.wrap_ttl.as_ref().filter(|said| !said.value.is_zero()) {
        let problem = Problem::error(
            "a sink with `wrap_ttl` is not built in yet, and the plain token is not written instead",
        );
        findings.error(&wrap.origin, problem.hint(HINT));
    }
    if let Some((key, said)) = raw.encryption.iter().next() {
        let what = format!(
            "a sink with `{key}` is not built in yet, and the token is not written unencrypted instead"
        );
        findings.error(&said.origin, Problem::error(what).hint(HINT));
    }
}

/// A user or group number; -1 leaves it.
fn owner(key: &str, said: &Said<i64>, findings: &mut Findings) -> Option<u32> {
    let said = said.as_ref().filter(|said| said.value != -1)?;
    let id = u32::try_from(said.value).ok();
    if id.is_none() {
        let problem = Problem::error(format!("`auto_auth.sink.config.{key}` can't be {}", said.value));
        findings.error(&said.origin, problem.expected("a user or group number, or -1 to leave it"));
    }
    id
}

/// Where the method's type is said, for checks elsewhere.
pub(super) fn is_wrapped(method: Option<&RawMethod>) -> Option<&Origin> {
    let wrap = method?.wrap_ttl.as_ref()?;
    (!wrap.value.is_zero()).then_some(&wrap.origin)
}
