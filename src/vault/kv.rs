//! Which mounts are KV version 2, and what their paths look like below the API.
//!
//! Source: <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2>; detection as the Vault CLI does it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    client::{Call, Product},
    error::VaultError,
    gate::Class,
    path::{Namespace, VaultPath},
    secret::Secret,
    token::Token,
    value::Value,
};
use crate::vault::gate::Gate;

/// A mount, as far as paths depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mount {
    /// KV version 1.
    Kv1,
    /// KV version 2, mounted here (no slashes around it, without the namespace).
    Kv2(Arc<str>),
    /// Any other engine, or unknown because the server doesn't tell: the path is used as it is.
    Other,
}

/// What is done with a path; version 2 has other paths for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Read a secret.
    Read,
    /// List keys.
    List,
    /// Write a secret; on version 2 the body is wrapped as `{"data": …}`.
    Write,
}

impl Mount {
    /// The path below `/v1/` for what the user wrote.
    pub fn api_path(&self, path: &str, verb: Verb) -> String {
        let Self::Kv2(mount) = self else { return path.to_owned() };
        let Some(rest) = below(path, mount) else { return path.to_owned() };
        let (part, known): (_, &[&str]) = match verb {
            Verb::List => ("metadata", &["metadata"]),
            Verb::Read | Verb::Write => ("data", &["data", "metadata", "subkeys"]),
        };
        let first = rest.split('/').next().unwrap_or_default();
        if rest.is_empty() {
            format!("{mount}/{part}")
        } else if known.contains(&first) && (rest.contains('/') || verb == Verb::List) {
            path.to_owned()
        } else {
            format!("{mount}/{part}/{rest}")
        }
    }

    /// Whether a body has to be wrapped as `{"data": …}`.
    pub const fn wraps_body(&self) -> bool {
        matches!(self, Self::Kv2(_))
    }

    /// Reads the answer of `sys/internal/ui/mounts/<path>`: the mount's path and what it is.
    fn from_answer(answer: &Secret, namespace: Option<&Namespace>) -> Option<(Arc<str>, Self)> {
        let data = answer.data.as_ref()?;
        let path = data.get("path")?.as_str()?.trim_matches('/');
        let outer = namespace.map_or("", |namespace| namespace.as_str().trim_end_matches('/'));
        let path: Arc<str> = match below(path, outer) {
            Some(rest) if !outer.is_empty() && !rest.is_empty() => rest.into(),
            _ => path.into(),
        };
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let version = text(data.get("options").and_then(|options| options.get("version")));
        let mount = match (text(data.get("type")).as_deref(), version.as_deref()) {
            (Some("kv"), Some("2")) => Self::Kv2(Arc::clone(&path)),
            (Some("kv" | "generic"), _) => Self::Kv1,
            _ => Self::Other,
        };
        Some((path, mount))
    }
}

/// Whether a path has the form that the API of version 2 has for reads: `<mount>/data/<name>`.
pub fn is_api_path(path: &str) -> bool {
    path.split('/').skip(1).position(|segment| segment == "data").is_some_and(|at| {
        // Something has to follow.
        path.split('/').nth(at + 2).is_some_and(|name| !name.is_empty())
    })
}

/// Whether an answer has the form that version 2 gives to reads of secrets, deleted ones included.
pub fn is_versioned(answer: &Secret) -> bool {
    let Some(data) = &answer.data else { return false };
    let metadata = |key: &str| data.get("metadata").is_some_and(|metadata| metadata.get(key).is_some());
    answer.lease_id.is_empty()
        && answer.lease_duration == 0
        && data.get("data").is_some()
        && metadata("version")
        && metadata("created_time")
}

/// The rest of `path` below `mount`, which may be the path itself.
fn below<'a>(path: &'a str, mount: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(mount)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

/// What paths that most likely share a mount have in common.
fn beginning(path: &str, namespace: Option<&Namespace>) -> Key {
    (namespace.cloned(), path.split('/').next().unwrap_or_default().to_owned())
}

/// Who asks the server about mounts.
pub trait AskMount: Sync {
    /// The answer of `sys/internal/ui/mounts/<path>`.
    fn ask(
        &self,
        path: &VaultPath,
        namespace: Option<&Namespace>,
    ) -> impl Future<Output = Result<Option<Secret>, VaultError>> + Send;
}

/// The server behind the gate, asked with a token.
#[derive(Clone, Copy)]
pub struct AskServer<'a> {
    /// The gate.
    pub gate: &'a Gate,
    /// The token of the templates.
    pub token: &'a Token,
}

impl AskMount for AskServer<'_> {
    async fn ask(
        &self,
        path: &VaultPath,
        namespace: Option<&Namespace>,
    ) -> Result<Option<Secret>, VaultError> {
        let below = |path: &str| format!("sys/internal/ui/mounts/{path}");
        let (shown, path) = (path.shown().map(below), below(path.as_str()));
        let call = Call::read(&path, Product::Templating).shown_as(shown.as_deref());
        let call = call.token(self.token).namespace(namespace);
        self.gate.send(Class::First, &path, &call).await
    }
}

type Key = (Option<Namespace>, String);

/// What is known about the mounts of one upstream. Each mount is asked about once, however many paths it has.
#[derive(Debug, Default)]
pub struct Mounts {
    known: Mutex<BTreeMap<Key, Mount>>,
    /// Paths whose mount the server doesn't tell; they are used as they are.
    guessed: Mutex<BTreeSet<Key>>,
    /// One question at a time for paths that begin alike, because they most likely share a mount.
    asking: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>,
}

impl Mounts {
    /// The mount of `path`, from memory or from the server.
    ///
    /// A server that refuses to tell (403), or doesn't know the path (404), leaves the path as it is, like the
    /// original; that guess is kept for this path alone, until [`Self::forget`].
    ///
    /// # Errors
    /// A server that is away, busy or broken: guessing then would read a wrong path.
    pub async fn find(
        &self,
        path: &VaultPath,
        namespace: Option<&Namespace>,
        server: &impl AskMount,
    ) -> Result<Mount, VaultError> {
        let (asked, path) = (path, path.as_str());
        if let Some(mount) = self.known(path, namespace) {
            return Ok(mount);
        }
        let turn = {
            let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(asking.entry(beginning(path, namespace)).or_default())
        };
        let _turn = turn.lock().await;
        if let Some(mount) = self.known(path, namespace) {
            return Ok(mount);
        }
        let found = match server.ask(asked, namespace).await {
            Ok(answer) => answer.and_then(|answer| Mount::from_answer(&answer, namespace)),
            Err(VaultError::Missing(_)) => None,
            Err(error @ (VaultError::Denied(_) | VaultError::Invalid(_))) => {
                tracing::warn!(
                    target: "agent",
                    path = %asked,
                    error = crate::problem::chain(&error),
                    hint = "allow read on sys/internal/ui/mounts/*, or write <mount>/data/<name> for KV version 2",
                    "can't tell the version of the KV mount, using the path as it is"
                );
                None
            }
            Err(error) => return Err(error),
        };
        Ok(self.keep(path, namespace, found))
    }

    /// Whether the mount of this path is known, or will be in a moment.
    pub fn knows_soon(&self, path: &str, namespace: Option<&Namespace>) -> bool {
        let asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = asking.get(&beginning(path, namespace));
        turn.is_some_and(|turn| turn.try_lock().is_err()) || self.known(path, namespace).is_some()
    }

    fn keep(&self, path: &str, namespace: Option<&Namespace>, found: Option<(Arc<str>, Mount)>) -> Mount {
        let Some((at, mount)) = found else {
            let mut guessed = self.guessed.lock().unwrap_or_else(PoisonError::into_inner);
            guessed.insert((namespace.cloned(), path.to_owned()));
            return Mount::Other;
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((namespace.cloned(), at.to_string()), mount.clone());
        mount
    }

    /// Forgets what was guessed for this very path, so that the server is asked again: for a read that failed.
    pub fn forget(&self, path: &str, namespace: Option<&Namespace>) {
        let mut guessed = self.guessed.lock().unwrap_or_else(PoisonError::into_inner);
        guessed.remove(&(namespace.cloned(), path.to_owned()));
    }

    /// The longest known mount that the path lies below.
    fn known(&self, path: &str, namespace: Option<&Namespace>) -> Option<Mount> {
        let guessed = self.guessed.lock().unwrap_or_else(PoisonError::into_inner);
        if guessed.contains(&(namespace.cloned(), path.to_owned())) {
            return Some(Mount::Other);
        }
        drop(guessed);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut prefix = path;
        loop {
            if let Some(mount) = known.get(&(namespace.cloned(), prefix.to_owned())) {
                return Some(mount.clone());
            }
            prefix = &prefix[..prefix.rfind('/')?];
        }
    }
}

#[cfg(test)]
mod tests;
