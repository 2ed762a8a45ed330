//! Secrets from a file instead of a server.
//!
//! The file is YAML or JSON. A key with a slash in it is a path, its value the secret's keys; or an answer as
//! `vault read -format=json` prints it; or one in Go's field names (`Data`, `LeaseID`, …). Beside paths there may be
//! sections: `secret` (paths once more), `secrets` (path → names, for listings), `pkiCert`, `env`, `files`, `plugin`
//! (program → what it prints), and `kv2` (the mounts of KV version 2 whose paths are written without `data/`).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use super::{
    answers::{Refusal, RefusalKind},
    yaml::{self, Kind, Node},
};
use crate::{
    origin::Origin,
    problem::{Problem, nearest_within},
    secrets::request::{SecretRequest, Verb},
    template::{
        fixture::{Programs, listing, numbers, secret},
        go::format::yaml_scalar::{self, Scalar},
    },
    vault::{
        secret::Secret,
        value::{Map, Text, Value},
    },
};

/// Keys of the file that are no paths.
const SECTIONS: [&str; 7] = ["secret", "secrets", "pkiCert", "env", "files", "plugin", "kv2"];
/// Fields of an answer in Go's names.
const GO_FIELDS: [&str; 8] =
    ["RequestID", "LeaseID", "LeaseDuration", "Renewable", "Data", "Warnings", "Auth", "WrapInfo"];

/// The secrets of a file.
#[derive(Clone, Default)]
pub struct Fixture {
    /// Name of the file, for messages.
    file: String,
    reads: BTreeMap<String, Arc<Secret>>,
    listings: BTreeMap<String, Arc<Secret>>,
    certificates: BTreeMap<String, Arc<Secret>>,
    /// The environment that templates see besides the real one.
    pub env: BTreeMap<String, String>,
    /// Files that the function `file` reads instead of those on disk.
    pub files: BTreeMap<String, Text>,
    /// What programs print.
    pub programs: Programs,
}

impl Fixture {
    /// Reads a fixture; `kv2` are mounts of KV version 2 that the file itself doesn't name.
    ///
    /// # Errors
    /// Text that is neither YAML nor JSON, or holds something else than paths with their keys. Never quotes a value.
    pub fn parse(text: &str, file: &Path, kv2: &[String]) -> Result<Self, Problem> {
        let path: Arc<Path> = file.into();
        let documents = yaml::read(text).map_err(|error| {
            let at = |line, column| Origin::File { path: path.clone(), line, column };
            // Of JSON that never ends the YAML reader names the beginning.
            match serde_json::from_str::<serde::de::IgnoredAny>(text) {
                Err(json) if text.trim_start().starts_with('{') && json.is_eof() => {
                    let place =
                        [json.line(), json.column()].map(|number| u32::try_from(number).unwrap_or(u32::MAX));
                    Problem::error("the text ends too early")
                        .at(at(place[0], place[1]))
                        .expected("`}`, `]` or `\"`")
                }
                _ => Problem::error(error.what).at(at(error.line, error.column)),
            }
        })?;
        let mut fixture = Self { file: file.display().to_string(), ..Self::default() };
        let mut simple = Vec::new();
        let mut mounts: BTreeSet<String> =
            kv2.iter().map(|mount| mount.trim_matches('/').to_owned()).collect();
        for root in &documents {
            let at = |node: &Node| Origin::File { path: path.clone(), line: node.line, column: node.column };
            if !matches!(root.kind, Kind::Map(_)) {
                return Err(Problem::error("the fixture is no mapping").at(at(root)).expected(EXPECTED));
            }
            let sections = SECTIONS.iter().any(|section| root.get(section).is_some());
            for (key, node) in root.entries() {
                let name = key.text().unwrap_or_default();
                if SECTIONS.contains(&name) {
                    mounts.extend(fixture.section(name, node, &mut simple));
                } else if name.contains('/') || (!sections && !name.starts_with('_')) {
                    if !matches!(node.kind, Kind::Map(_)) {
                        let what = format!("the path {name} has no keys");
                        return Err(Problem::error(what).at(at(node)).expected("a mapping, key: value"));
                    }
                    simple.push((name.trim_matches('/').to_owned(), value(node)));
                }
            }
        }
        mounts.extend(simple.iter().filter_map(|(path, _)| mount_of_data(path)));
        for (path, data) in simple {
            let (path, answer) = keys_of(path, data, &mounts);
            fixture.reads.insert(path, Arc::new(answer));
        }
        Ok(fixture)
    }

    /// Reads a section; gives the mounts that `kv2` names.
    fn section(&mut self, name: &str, node: &Node, simple: &mut Vec<(String, Value)>) -> Vec<String> {
        if name == "kv2" {
            return node
                .items()
                .iter()
                .filter_map(Node::text)
                .map(|text| text.trim_matches('/').into())
                .collect();
        }
        for (key, node) in node.entries() {
            let key = key.text().unwrap_or_default().to_owned();
            match name {
                "secret" => match numbers(value(node)) {
                    data if is_simple(&data) => simple.push((key.trim_matches('/').to_owned(), data)),
                    data => {
                        let answer = Arc::new(answer(data));
                        // Several paths may share an answer.
                        for path in key.split(" and ") {
                            self.reads.insert(path.trim_matches('/').to_owned(), answer.clone());
                        }
                    }
                },
                "secrets" => {
                    self.listings.insert(key.trim_matches('/').to_owned(), Arc::new(listing(&value(node))));
                }
                "pkiCert" if matches!(node.kind, Kind::Map(_)) => {
                    let data = Some(numbers(value(node)));
                    self.certificates.insert(key, Arc::new(Secret { data, ..Secret::default() }));
                }
                "env" => drop(self.env.insert(key, node.text().unwrap_or_default().to_owned())),
                "plugin" => self.programs.insert(key, node.text().unwrap_or_default().into()),
                "files" => drop(self.files.insert(key, node.text().unwrap_or_default().into())),
                _ => {}
            }
        }
        Vec::new()
    }

    /// The answer to a request.
    ///
    /// # Errors
    /// A path that the file doesn't have, with the nearest one that it has.
    pub fn answer(&self, request: &SecretRequest) -> Result<Arc<Secret>, Refusal> {
        let path = request.path.as_str();
        let found = match &request.verb {
            Verb::Read | Verb::Write(_) => self.read(path),
            Verb::List => self.list(path),
            Verb::Issue(_) if path == "none" => None,
            Verb::Issue(_) => {
                let known = self.certificates.get(path).or_else(|| self.certificates.get("_other")).cloned();
                known.or_else(|| self.read(path))
            }
        };
        found.ok_or_else(|| self.missing(path, matches!(request.verb, Verb::List)))
    }

    fn read(&self, path: &str) -> Option<Arc<Secret>> {
        if let Some(answer) = self.reads.get(path) {
            return Some(answer.clone());
        }
        let parts: Vec<&str> = path.split('/').collect();
        for at in 1..parts.len() {
            let (mount, rest) = parts.split_at(at);
            if rest.first() == Some(&"data") && rest.len() > 1 {
                let plain = [mount, &rest[1..]].concat().join("/");
                if let Some(answer) = self.reads.get(&plain) {
                    let data = answer.data.clone().unwrap_or(Value::Null);
                    let data = if is_wrapped(&data) { data } else { wrapped(data) };
                    return Some(Arc::new(Secret { data: Some(data), ..Secret::clone(answer) }));
                }
            } else if let Some(answer) = self.reads.get(&[mount, &["data"], rest].concat().join("/")) {
                return Some(answer.clone());
            }
        }
        None
    }

    /// The names below a path: those that are listed, or those of the paths that lie there.
    fn list(&self, path: &str) -> Option<Arc<Secret>> {
        if let Some(names) = self.listings.get(path) {
            return Some(names.clone());
        }
        let folder = without(path, "metadata");
        let names: BTreeSet<String> = self
            .reads
            .keys()
            .filter_map(|known| {
                let known = without(known, "data");
                let rest = known.strip_prefix(folder.as_str())?.strip_prefix('/')?;
                Some(rest.split_inclusive('/').next()?.to_owned())
            })
            .collect();
        if names.is_empty() {
            return self.listings.get("_other").cloned();
        }
        let names = names.into_iter().map(|name| Value::String(name.into())).collect();
        Some(Arc::new(listing(&Value::List(Arc::new(names)))))
    }

    fn missing(&self, path: &str, list: bool) -> Refusal {
        let known = self.reads.keys().chain(self.listings.keys()).chain(self.certificates.keys());
        let known: Vec<&str> = known.map(String::as_str).filter(|path| *path != "_other").collect();
        let what = if list { "no names below" } else { "no secret" };
        let near = nearest_within(path, known.iter().copied(), (path.chars().count() / 3).max(3));
        let hint = match near {
            Some(near) => format!("the nearest path it has is {near}"),
            None if known.is_empty() => "it has no path at all".to_owned(),
            None => format!("add it: `{path}:` with the keys that the template asks for below it"),
        };
        Refusal {
            kind: RefusalKind::Secret,
            message: format!("the fixture {} has {what} {path}", self.file),
            hint: Some(hint),
        }
    }
}

const EXPECTED: &str = "paths with their keys, for instance\n      secret/data/db:\n        username: app";

/// The mount in front of `/data/`.
fn mount_of_data(path: &str) -> Option<String> {
    path.split_once("/data/").map(|(mount, _)| mount.to_owned())
}

/// The path without the part that KV version 2 puts behind the mount.
fn without(path: &str, part: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    if let Some(at) = parts.iter().skip(1).position(|known| *known == part) {
        parts.remove(at + 1);
    }
    parts.join("/")
}

fn is_api_answer(data: &Value) -> bool {
    ["request_id", "lease_id", "lease_duration"].iter().any(|field| data.get(field).is_some())
        && matches!(data.get("data"), Some(Value::Map(_) | Value::Null))
}

fn is_go_answer(data: &Value) -> bool {
    data.as_map().is_none_or(|map| GO_FIELDS.iter().any(|field| map.contains_key(*field)))
}

fn is_simple(data: &Value) -> bool {
    !is_go_answer(data) && !is_api_answer(data)
}

/// An answer that is there in full.
fn answer(data: Value) -> Secret {
    if !is_api_answer(&data) {
        return secret(&data);
    }
    Secret {
        lease_id: data.get("lease_id").and_then(Value::as_str).unwrap_or_default().to_owned(),
        lease_duration: data.get("lease_duration").and_then(Value::as_i64).unwrap_or(0),
        renewable: data.get("renewable") == Some(&Value::Bool(true)),
        data: data.get("data").cloned(),
        ..Secret::default()
    }
}

/// The path and the answer for a secret of which only the keys are there.
fn keys_of(path: String, data: Value, mounts: &BTreeSet<String>) -> (String, Secret) {
    let data = numbers(data);
    if !is_simple(&data) {
        return (path, answer(data));
    }
    let below = |mount: &&String| path.strip_prefix(mount.as_str()).is_some_and(|rest| rest.starts_with('/'));
    let path = match mounts.iter().filter(below).max_by_key(|mount| mount.len()) {
        Some(mount) if !path[mount.len()..].starts_with("/data/") => {
            format!("{mount}/data{}", &path[mount.len()..])
        }
        Some(_) => path,
        None => return (path, Secret { data: Some(data), ..Secret::default() }),
    };
    let data = if is_wrapped(&data) { data } else { wrapped(data) };
    (path, Secret { data: Some(data), ..Secret::default() })
}

/// Whether the data has the form of KV version 2 already.
fn is_wrapped(data: &Value) -> bool {
    let Some(map) = data.as_map() else { return false };
    matches!(map.get("data"), Some(Value::Map(_) | Value::Null))
        && map.keys().all(|key| matches!(key.as_ref(), "data" | "metadata"))
}

fn wrapped(data: Value) -> Value {
    let text = |text: &str| Value::String(text.into());
    let metadata: Map = [
        ("created_time".into(), text("2026-01-02T03:04:05.678Z")),
        ("custom_metadata".into(), Value::Null),
        ("deletion_time".into(), text("")),
        ("destroyed".into(), Value::Bool(false)),
        ("version".into(), Value::Number("1".into())),
    ]
    .into();
    let map: Map = [("data".into(), data), ("metadata".into(), Value::Map(Arc::new(metadata)))].into();
    Value::Map(Arc::new(map))
}

/// A value as a server would send it; numbers keep their text where JSON allows it.
pub fn value(node: &Node) -> Value {
    match &node.kind {
        Kind::List(items) => Value::List(Arc::new(items.iter().map(value).collect())),
        Kind::Map(entries) => {
            let entry = |(key, node): &(Node, Node)| (key.text().unwrap_or_default().into(), value(node));
            Value::Map(Arc::new(entries.iter().map(entry).collect()))
        }
        Kind::Scalar { text, plain: false } => Value::String(text.as_str().into()),
        Kind::Scalar { text, plain: true } => match yaml_scalar::resolve(text) {
            Scalar::Null => Value::Null,
            Scalar::Bool(flag) => Value::Bool(flag),
            Scalar::Int(_) | Scalar::Uint(_) | Scalar::Float(_) if is_json_number(text) => {
                Value::Number(text.as_str().into())
            }
            Scalar::Int(number) => Value::Number(number.to_string().into()),
            Scalar::Uint(number) => Value::Number(number.to_string().into()),
            Scalar::Float(number) if number.is_finite() => Value::Number(number.to_string().into()),
            Scalar::Float(_) | Scalar::Timestamp | Scalar::Text => Value::String(text.as_str().into()),
        },
    }
}

fn is_json_number(text: &str) -> bool {
    serde_json::from_str::<serde_json::Number>(text).is_ok()
}

#[cfg(test)]
mod tests;
