//! KV version 2: data and its versions. <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2>.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    answer::{Answer, Outcome, Refusal, raw},
    call::{Operation, Visit},
    fields::{Fields, Json, JsonMap},
    folder,
    kv2_words::{bad_version, bare_root, invalid_path, not_a_map},
    lifetime::shown,
    moment::Moment,
};
use crate::vault::value::{Map, Value};

/// Versions kept when nobody says otherwise.
const DEFAULT_MAX_VERSIONS: u64 = 10;

/// One KV v2 mount.
#[derive(Debug, Default)]
pub(super) struct Kv2 {
    secrets: BTreeMap<String, Secret>,
    config: Settings,
}

/// What can be set for a mount, and again for a secret.
#[derive(Clone, Debug, Default)]
struct Settings {
    cas_required: bool,
    max_versions: u64,
    delete_version_after: Duration,
}

#[derive(Debug)]
struct Secret {
    versions: BTreeMap<u64, Version>,
    current: u64,
    oldest: u64,
    settings: Settings,
    custom: Option<Fields>,
    created: Moment,
    updated: Moment,
    metadata_version: u64,
}

#[derive(Debug)]
struct Version {
    /// `Null` when the writer sent null, and after a destruction.
    data: Value,
    created: Moment,
    deleted: Option<Moment>,
    destroyed: bool,
}

/// The latest version, for a patch.
pub(super) struct Current {
    /// `None` when it is deleted.
    pub(super) data: Option<Arc<Map>>,
    /// What its writer was answered.
    pub(super) described: Answer,
}

#[derive(Serialize)]
struct VersionBody<'a> {
    created_time: String,
    custom_metadata: Option<JsonMap<'a>>,
    deletion_time: String,
    destroyed: bool,
    version: u64,
}

impl Kv2 {
    pub(super) fn exists(&self, path: &str) -> bool {
        match path.split_once('/') {
            Some(("data" | "metadata", rest)) => self.secrets.contains_key(rest),
            _ => true,
        }
    }

    pub(super) fn handle(&mut self, visit: &Visit<'_>) -> Outcome {
        let (section, path) = visit.path.split_once('/').unwrap_or((visit.path, ""));
        let operation = visit.operation;
        match (section, operation) {
            ("config", Operation::Read) => self.read_config(),
            ("config", Operation::Write) => self.write_config(visit.fields),
            ("data", Operation::Read) if visit.path == "data" => bare_root(),
            ("data", Operation::Read) => self.read(path, visit, "data", plain),
            ("data", Operation::Write) => self.write(path, visit),
            ("data", Operation::Patch) => self.patch(path, visit),
            ("metadata", Operation::Patch) => self.patch_metadata(path, visit),
            ("data", Operation::Delete) => self.delete_latest(path, visit.now),
            ("subkeys", Operation::Read) => self.read(path, visit, "subkeys", keys_only),
            ("delete", Operation::Write) => {
                self.mark(path, visit, "No version number provided", |version, now| {
                    if !version.destroyed && !version.gone(now) {
                        version.deleted = Some(now);
                    }
                })
            }
            ("undelete", Operation::Write) => {
                self.mark(path, visit, "No version number provided", |version, _| version.deleted = None)
            }
            ("destroy", Operation::Write) => {
                self.mark(path, visit, "no version number provided", |version, _| {
                    version.data = Value::Null;
                    version.destroyed = true;
                })
            }
            ("metadata", Operation::List) => Answer::keys(&folder::children(self.secrets.keys(), path)),
            ("metadata", Operation::Read) => self.metadata(path),
            ("metadata", Operation::Write) => self.write_metadata(path, visit),
            ("metadata", Operation::Delete) => {
                self.secrets.remove(path);
                Ok(Answer::empty())
            }
            ("config" | "data" | "subkeys" | "delete" | "undelete" | "destroy" | "metadata", _) => {
                Err(Refusal::unsupported_operation())
            }
            (_, operation) => invalid_path(operation),
        }
    }

    fn read(
        &self,
        path: &str,
        visit: &Visit<'_>,
        name: &'static str,
        shape: fn(&Value) -> Result<Box<RawValue>, Refusal>,
    ) -> Outcome {
        let asked = match visit.fields.text("version").as_str() {
            "" => None,
            text => Some(text.parse::<i64>().map_err(|_| bad_version())?),
        };
        let secret = self.secrets.get(path).ok_or_else(Refusal::nothing)?;
        let number = asked.and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0);
        let number = number.unwrap_or(secret.current);
        let version = secret.versions.get(&number).ok_or_else(Refusal::nothing)?;
        let gone = version.destroyed || version.gone(visit.now);
        let data = if gone || version.data == Value::Null { None } else { Some(shape(&version.data)?) };
        let body =
            BTreeMap::from([(name, data), ("metadata", Some(raw(&secret.describe(number, version))?))]);
        let answer = Answer::data(&body)?;
        Ok(if gone { answer.with_status(404) } else { answer })
    }

    pub(super) fn write(&mut self, path: &str, visit: &Visit<'_>) -> Outcome {
        if path.is_empty() {
            return Err(Refusal::bad("missing path"));
        }
        let data = match visit.fields.all().get("data") {
            None => return Err(Refusal::bad("no data provided")),
            Some(data @ (Value::Map(_) | Value::Null)) => data.clone(),
            Some(other) => return Err(not_a_map(other)),
        };
        let known = self.secrets.get(path);
        let required = self.config.cas_required || known.is_some_and(|secret| secret.settings.cas_required);
        check_cas(&visit.fields.map("options"), required, known.map_or(0, |secret| secret.current))?;
        let defaults = self.config.clone();
        let secret = self.secrets.entry(path.to_owned()).or_insert_with(|| Secret::new(visit.now));
        let number = secret.add(data, &defaults, visit.now);
        let version = secret.versions.get(&number).ok_or_else(Refusal::internal)?;
        Answer::data(&secret.describe(number, version))
    }

    /// What a patch starts from; `None` when there is no version.
    pub(super) fn current(&self, path: &str, now: Moment) -> Result<Option<Current>, Refusal> {
        let Some(secret) = self.secrets.get(path) else { return Ok(None) };
        let Some(version) = secret.versions.get(&secret.current) else { return Ok(None) };
        let data = match &version.data {
            Value::Map(map) if !version.destroyed && !version.gone(now) => Some(Arc::clone(map)),
            _ => None,
        };
        let described = Answer::data(&secret.describe(secret.current, version))?;
        Ok(Some(Current { data, described }))
    }

    /// The custom metadata of a secret that is there.
    pub(super) fn custom_metadata(&self, path: &str) -> Option<Fields> {
        self.secrets.get(path).map(|secret| secret.custom.clone().unwrap_or_default())
    }

    fn delete_latest(&mut self, path: &str, now: Moment) -> Outcome {
        if let Some(secret) = self.secrets.get_mut(path)
            && let Some(version) = secret.versions.get_mut(&secret.current)
            && !version.destroyed
            && !version.gone(now)
        {
            version.deleted = Some(now);
        }
        Ok(Answer::empty())
    }

    fn mark(
        &mut self,
        path: &str,
        visit: &Visit<'_>,
        missing: &str,
        change: fn(&mut Version, Moment),
    ) -> Outcome {
        let numbers: BTreeSet<u64> =
            visit.fields.list("versions").iter().filter_map(|text| text.parse().ok()).collect();
        if numbers.is_empty() {
            return Err(Refusal::bad(missing));
        }
        let Some(secret) = self.secrets.get_mut(path) else { return Ok(Answer::empty()) };
        for number in numbers {
            if let Some(version) = secret.versions.get_mut(&number) {
                change(version, visit.now);
            }
        }
        Ok(Answer::empty())
    }

    fn metadata(&self, path: &str) -> Outcome {
        let secret = self.secrets.get(path).ok_or_else(Refusal::nothing)?;
        let versions: BTreeMap<String, serde_json::Value> = secret
            .versions
            .iter()
            .map(|(number, version)| {
                let body = serde_json::json!({
                    "created_time": version.created.rfc3339(),
                    "deletion_time": version.deletion_time(),
                    "destroyed": version.destroyed,
                });
                (number.to_string(), body)
            })
            .collect();
        Answer::data(&serde_json::json!({
            "cas_required": secret.settings.cas_required,
            "created_time": secret.created.rfc3339(),
            "current_metadata_version": secret.metadata_version,
            "current_version": secret.current,
            "custom_metadata": secret.custom.as_ref().map(custom_text),
            "delete_version_after": shown(secret.settings.delete_version_after),
            "max_versions": secret.settings.max_versions,
            "metadata_cas_required": false,
            "oldest_version": secret.oldest,
            "updated_time": secret.updated.rfc3339(),
            "versions": versions,
        }))
    }

    pub(super) fn write_metadata(&mut self, path: &str, visit: &Visit<'_>) -> Outcome {
        if path.is_empty() {
            return Err(Refusal::bad("missing path"));
        }
        let secret = self.secrets.entry(path.to_owned()).or_insert_with(|| Secret::new(visit.now));
        secret.settings.read(visit.fields)?;
        if visit.fields.get("custom_metadata").is_some() {
            secret.custom = Some(visit.fields.map("custom_metadata"));
        }
        secret.metadata_version += 1;
        secret.updated = visit.now;
        Ok(Answer::empty())
    }

    fn read_config(&self) -> Outcome {
        Answer::data(&serde_json::json!({
            "cas_required": self.config.cas_required,
            "delete_version_after": shown(self.config.delete_version_after),
            "max_versions": self.config.max_versions,
            "metadata_cas_required": false,
        }))
    }

    fn write_config(&mut self, fields: &Fields) -> Outcome {
        self.config.read(fields)?;
        Ok(Answer::empty())
    }
}

impl Settings {
    fn read(&mut self, fields: &Fields) -> Result<(), Refusal> {
        if let Some(required) = fields.flag("cas_required") {
            self.cas_required = required;
        }
        if let Some(max) = fields.count("max_versions")? {
            self.max_versions = u64::try_from(max).unwrap_or(0);
        }
        if let Some(after) = fields.span("delete_version_after")? {
            self.delete_version_after = after;
        }
        Ok(())
    }
}

impl Secret {
    const fn new(now: Moment) -> Self {
        Self {
            versions: BTreeMap::new(),
            current: 0,
            oldest: 0,
            settings: Settings { cas_required: false, max_versions: 0, delete_version_after: Duration::ZERO },
            custom: None,
            created: now,
            updated: now,
            metadata_version: 0,
        }
    }

    fn add(&mut self, data: Value, defaults: &Settings, now: Moment) -> u64 {
        let after = [self.settings.delete_version_after, defaults.delete_version_after]
            .into_iter()
            .find(|span| !span.is_zero());
        self.current += 1;
        self.updated = now;
        let deleted = after.map(|span| now.plus(span));
        self.versions.insert(self.current, Version { data, created: now, deleted, destroyed: false });
        let max = [self.settings.max_versions, defaults.max_versions, DEFAULT_MAX_VERSIONS];
        let max = max.into_iter().find(|count| *count > 0).unwrap_or(DEFAULT_MAX_VERSIONS);
        if self.current > max {
            self.oldest = self.current - max + 1;
            self.versions.retain(|number, _| *number >= self.oldest);
        }
        self.current
    }

    fn describe(&self, number: u64, version: &Version) -> VersionBody<'_> {
        VersionBody {
            created_time: version.created.rfc3339(),
            custom_metadata: self.custom.as_ref().map(|fields| JsonMap(fields.all())),
            deletion_time: version.deletion_time(),
            destroyed: version.destroyed,
            version: number,
        }
    }
}

impl Version {
    fn gone(&self, now: Moment) -> bool {
        self.deleted.is_some_and(|at| at <= now)
    }

    fn deletion_time(&self) -> String {
        self.deleted.map(Moment::rfc3339).unwrap_or_default()
    }
}

fn plain(data: &Value) -> Result<Box<RawValue>, Refusal> {
    raw(&Json(data))
}

fn keys_only(data: &Value) -> Result<Box<RawValue>, Refusal> {
    raw(&Json(&without_values(data)))
}

fn without_values(data: &Value) -> Value {
    match data.as_map() {
        Some(map) if !map.is_empty() => {
            let map: Map = map.iter().map(|(key, value)| (key.clone(), without_values(value))).collect();
            Value::Map(map.into())
        }
        _ => Value::Null,
    }
}

fn custom_text(fields: &Fields) -> BTreeMap<String, String> {
    fields.all().keys().map(|key| (key.to_string(), fields.text(key))).collect()
}

fn check_cas(options: &Fields, required: bool, current: u64) -> Result<(), Refusal> {
    match options.get("cas") {
        None if required => Err(Refusal::bad("check-and-set parameter required for this call")),
        None => Ok(()),
        Some(value) => match value.as_i64().map(u64::try_from) {
            None => Err(Refusal::bad("error parsing check-and-set parameter")),
            Some(Ok(number)) if number == current => Ok(()),
            Some(_) => Err(Refusal::bad("check-and-set parameter did not match the current version")),
        },
    }
}
