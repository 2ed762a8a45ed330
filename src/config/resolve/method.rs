//! What each login method reads from its `config`.

use std::{path::PathBuf, time::Duration};

use super::{Findings, filled, short};
use crate::{
    config::{
        CertIdentity, MethodKind,
        raw::RawMethod,
        units::{self, UnitError},
    },
    problem::{Problem, nearest},
};

pub(super) const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

pub(super) fn kubernetes(raw: &RawMethod, findings: &mut Findings) -> Option<MethodKind> {
    unknown_settings(raw, &["role", "token_path"], findings);
    let role =
        required(raw, "role", "role = \"…\" in its config: the role of the mount to log in with", findings)?;
    let token_path = setting(raw, "token_path").map_or_else(|| SERVICE_ACCOUNT_TOKEN.into(), PathBuf::from);
    Some(MethodKind::Kubernetes { role, token_path })
}

pub(super) fn token_file(raw: &RawMethod, findings: &mut Findings) -> Option<MethodKind> {
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

pub(super) fn jwt(raw: &RawMethod, findings: &mut Findings) -> Option<MethodKind> {
    const KNOWN: [&str; 5] =
        ["path", "role", "remove_jwt_after_reading", "remove_jwt_follows_symlinks", "jwt_read_period"];
    unknown_settings(raw, &KNOWN, findings);
    let path = required(raw, "path", "path = \"…\" in its config: the file with the JWT", findings);
    let role =
        required(raw, "role", "role = \"…\" in its config: the role of the mount to log in with", findings);
    let remove = flag(raw, "remove_jwt_after_reading", true, findings);
    let remove_follows_links = flag(raw, "remove_jwt_follows_symlinks", false, findings);
    let read_period = parsed(raw, "jwt_read_period", units::duration, findings);
    Some(MethodKind::Jwt {
        role: role?,
        path: path?.into(),
        remove,
        remove_follows_links,
        read_period: read_period.filter(|period: &Duration| !period.is_zero()),
    })
}

pub(super) fn approle(raw: &RawMethod, findings: &mut Findings) -> Option<MethodKind> {
    const KNOWN: [&str; 4] = [
        "role_id_file_path",
        "secret_id_file_path",
        "remove_secret_id_file_after_reading",
        "secret_id_response_wrapping_path",
    ];
    unknown_settings(raw, &KNOWN, findings);
    let role_id_path = required(
        raw,
        "role_id_file_path",
        "role_id_file_path = \"…\" in its config: the file with the role ID",
        findings,
    );
    let secret_id_path = setting(raw, "secret_id_file_path").map(PathBuf::from);
    // Without a secret ID the original doesn't even read the settings about it.
    let (mut remove_secret_id, mut wrapping_path) = (true, None);
    if secret_id_path.is_some() {
        remove_secret_id = flag(raw, "remove_secret_id_file_after_reading", true, findings);
        wrapping_path = setting(raw, "secret_id_response_wrapping_path").map(str::to_owned);
    }
    Some(MethodKind::AppRole {
        role_id_path: role_id_path?.into(),
        secret_id_path,
        remove_secret_id,
        wrapping_path,
    })
}

pub(super) fn cert(raw: &RawMethod, findings: &mut Findings) -> Option<MethodKind> {
    unknown_settings(raw, &["name", "ca_cert", "client_cert", "client_key", "reload"], findings);
    // Changed files are read anew whatever it says; only its form is looked at.
    flag(raw, "reload", false, findings);
    let path = |key| setting(raw, key).map(PathBuf::from);
    let (cert, key) = (path("client_cert"), path("client_key"));
    if cert.is_some() != key.is_some() {
        let (said, other) =
            if cert.is_some() { ("client_cert", "client_key") } else { ("client_key", "client_cert") };
        let origin = raw.config.get(said).map_or(&raw.origin, |said| &said.origin);
        let problem =
            Problem::warning(format!("the method `cert` has `{said}` without `{other}`, so it is not used"));
        findings.warn(origin, problem.hint("set both, or neither to log in with that of stanza `vault`"));
    }
    let identity = CertIdentity { ca_cert: path("ca_cert"), client: cert.zip(key) };
    Some(MethodKind::Cert {
        name: setting(raw, "name").map(str::to_owned),
        identity: (identity != CertIdentity::default()).then_some(identity),
    })
}

/// A setting in a form of its own; a wrong one is an error.
fn parsed<T>(
    raw: &RawMethod,
    key: &str,
    parse: fn(&str) -> Result<T, UnitError>,
    findings: &mut Findings,
) -> Option<T> {
    let text = setting(raw, key)?;
    match parse(text) {
        Ok(value) => Some(value),
        Err(error) => {
            let origin = raw.config.get(key).map_or(&raw.origin, |said| &said.origin);
            let problem = Problem::error(format!("`auto_auth.method.config.{key}` can't be read"));
            findings.error(origin, problem.expected(error.to_string()));
            None
        }
    }
}

fn flag(raw: &RawMethod, key: &str, default: bool, findings: &mut Findings) -> bool {
    parsed(raw, key, units::flexible_bool, findings).unwrap_or(default)
}
