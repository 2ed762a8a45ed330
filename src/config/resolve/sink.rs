//! A sink: its file, and how the token is wrapped and encrypted in it.

use std::time::Duration;

use super::{Findings, filled, short, value_or};
use crate::{
    config::{
        SinkConfig, SinkEncryption,
        env::Environment,
        raw::{RawSink, Said},
    },
    problem::Problem,
};

const DEFAULT_MODE: u32 = 0o640;

pub(super) fn resolve(
    raw: &RawSink,
    environment: &Environment,
    findings: &mut Findings,
) -> Option<SinkConfig> {
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
    let encryption = encryption(raw, environment, findings);
    let Some(path) = filled(&raw.path) else {
        let problem = Problem::error("a `sink` has no path");
        findings.error(&raw.origin, problem.expected("config = { path = \"/run/secrets/token\" } in it"));
        return None;
    };
    Some(SinkConfig {
        path: path.into(),
        // Go takes setuid and the like from other bits, so the original never sets them.
        mode: value_or(&raw.mode, DEFAULT_MODE) & 0o777,
        uid: owner("uid", &raw.uid, findings),
        gid: owner("gid", &raw.gid, findings),
        wrap_ttl: value_or(&raw.wrap_ttl, Duration::ZERO),
        encryption,
        origin: raw.origin.clone(),
    })
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

/// What must not be written in clear never is: where the settings don't fit together, that is an error.
fn encryption(raw: &RawSink, environment: &Environment, findings: &mut Findings) -> Option<SinkEncryption> {
    let said = |key: &str| raw.encryption.get(key);
    let (dh_type, dh_path) = (said("dh_type"), said("dh_path"));
    match (dh_type, dh_path) {
        (None, None) => {
            if let Some((key, alone)) = raw.encryption.iter().next() {
                let problem = Problem::error(format!("a sink has `{key}` without `dh_type`"));
                findings.error(&alone.origin, problem.expected(BOTH));
            }
            None
        }
        (Some(one), None) | (None, Some(one)) => {
            let (has, lacks) =
                if dh_type.is_some() { ("dh_type", "dh_path") } else { ("dh_path", "dh_type") };
            let problem = Problem::error(format!("a sink has `{has}` without `{lacks}`"));
            findings.error(&one.origin, problem.expected(BOTH));
            None
        }
        (Some(kind), Some(path)) => {
            if kind.value != "curve25519" {
                let problem = Problem::error(format!("a sink's `dh_type` can't be `{}`", short(&kind.value)));
                findings.error(&kind.origin, problem.expected("curve25519, the only type"));
            }
            Some(SinkEncryption {
                dh_path: path.value.as_str().into(),
                derive_key: said("derive_key").is_some(),
                aad: aad(raw, environment, findings),
            })
        }
    }
}

const BOTH: &str =
    "dh_type = \"curve25519\" and dh_path = \"…\", the file into which the reader puts its key";

/// The variable counts before the text, as in the original, even when it is empty.
fn aad(raw: &RawSink, environment: &Environment, findings: &mut Findings) -> String {
    let Some(name) = raw.encryption.get("aad_env_var") else {
        return raw.encryption.get("aad").map(|said| said.value.clone()).unwrap_or_default();
    };
    let value = environment.get(&name.value).unwrap_or_default();
    if value.is_empty() {
        let what = format!(
            "the variable {} that a sink's `aad_env_var` names is not set, so there is no additional data",
            short(&name.value)
        );
        findings.warn(&name.origin, Problem::warning(what).hint("set it, or leave `aad_env_var` out"));
    }
    value.to_owned()
}
