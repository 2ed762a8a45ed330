//! The state of one render: the host, what was asked for, and the limits. And what goes wrong in it.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use handlebars::{RenderError, RenderErrorReason};
use serde_json::Value as Json;

use super::border::weight;
use crate::{
    secrets::request::SecretRequest,
    template::{
        Identity,
        go::{fault::Cause, funcs::FuncError, stack::Stack},
        host::Host,
    },
    vault::secret::Secret,
};

/// Bytes that the values of one render may take together, as in the Go dialect.
const MAX_PRODUCED: usize = 48 << 20;
/// Calls, turns of loops, and elements of their bodies that one render may take.
const MAX_STEPS: u64 = 500_000;
/// Different requests that one render may make.
const MAX_REQUESTS: usize = 5_000;

/// Why a call fails. Quotes names of the template and of keys, never a value.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// What kind of mistake.
    pub(super) cause: Cause,
    /// What is wrong.
    pub(super) shown: String,
    /// What to do.
    pub(super) hint: Option<String>,
    /// The word in the tag that the caret goes to.
    pub(super) word: Option<String>,
    /// The function in whose call that word stands.
    pub(super) within: Option<&'static str>,
}

impl Refusal {
    pub(super) fn new(cause: Cause, shown: impl Into<String>) -> Self {
        Self { cause, shown: shown.into(), hint: None, word: None, within: None }
    }

    /// A function refuses its arguments.
    pub(super) fn function(shown: impl Into<String>) -> Self {
        Self::new(Cause::Function, shown)
    }

    fn limit(shown: &str) -> Self {
        Self::new(Cause::Limit, shown)
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same for a refusal that names no word yet.
    pub(super) fn or_at(self, word: &str) -> Self {
        if self.word.is_some() { self } else { self.at(word) }
    }

    /// The same for a word that stands in a call of this function.
    pub(super) fn within(self, function: &'static str) -> Self {
        Self { within: Some(function), ..self }
    }

    pub(super) fn at(self, word: &str) -> Self {
        Self { word: Some(word.to_owned()), ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for RenderError {
    fn from(refusal: Refusal) -> Self {
        RenderErrorReason::NestedError(Box::new(refusal)).into()
    }
}

impl From<FuncError> for Refusal {
    fn from(error: FuncError) -> Self {
        let hint = error.advice().map(str::to_owned);
        Self { hint, ..Self::function(error.shown()) }
    }
}

/// One render. The library wants its functions to be shareable, so the state is behind a lock that nobody else takes.
pub(super) struct Pass<'h> {
    inner: Mutex<Inner<'h>>,
    identity: Identity,
    sandbox: Option<std::path::PathBuf>,
    strict: bool,
    stack: Stack,
}

struct Inner<'h> {
    host: &'h mut dyn Host,
    used: BTreeSet<SecretRequest>,
    missing: BTreeSet<SecretRequest>,
    produced: usize,
    steps: u64,
}

/// What a render asked for, and what of it was not there.
pub(super) struct Asked {
    pub(super) used: BTreeSet<SecretRequest>,
    pub(super) missing: BTreeSet<SecretRequest>,
}

impl<'h> Pass<'h> {
    pub(super) fn new(
        host: &'h mut dyn Host,
        identity: &Identity,
        sandbox: Option<std::path::PathBuf>,
        strict: bool,
    ) -> Self {
        let inner = Inner { host, used: BTreeSet::new(), missing: BTreeSet::new(), produced: 0, steps: 0 };
        Self { inner: Mutex::new(inner), identity: identity.clone(), sandbox, strict, stack: Stack::here() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner<'h>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose requests the render makes.
    pub(super) const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Folder that `file` must not leave.
    pub(super) fn sandbox(&self) -> Option<&std::path::Path> {
        self.sandbox.as_deref()
    }

    /// Whether a name that isn't there is an error.
    pub(super) const fn is_strict(&self) -> bool {
        self.strict
    }

    /// Whether answers are missing, which may be why data is.
    pub(super) fn is_waiting(&self) -> bool {
        !self.inner().missing.is_empty()
    }

    /// Uses the host.
    pub(super) fn with_host<T>(&self, work: impl FnOnce(&mut dyn Host) -> T) -> T {
        work(self.inner().host)
    }

    /// Asks for an answer and notes the request, as missing too when there is none.
    pub(super) fn ask(&self, request: SecretRequest) -> Result<Option<Arc<Secret>>, Refusal> {
        let mut inner = self.inner();
        if !inner.used.contains(&request) {
            if inner.used.len() >= MAX_REQUESTS {
                return Err(Refusal::limit("the template asks for more than 5,000 different secrets"));
            }
            inner.used.insert(request.clone());
        }
        let answer = inner.host.secret(&request);
        if answer.is_none() {
            inner.missing.insert(request);
        }
        Ok(answer)
    }

    /// Takes steps.
    pub(super) fn step(&self, steps: usize) -> Result<(), Refusal> {
        if !self.stack.has_room() {
            return Err(Refusal::limit("blocks, calls and partials nest too deep"));
        }
        let mut inner = self.inner();
        inner.steps = inner.steps.saturating_add(u64::try_from(steps).unwrap_or(u64::MAX));
        if inner.steps > MAX_STEPS {
            return Err(Refusal::limit("the template takes more than 500,000 steps"));
        }
        Ok(())
    }

    /// Takes bytes from what this render may still produce.
    pub(super) fn charge(&self, bytes: usize) -> Result<(), Refusal> {
        let mut inner = self.inner();
        inner.produced = inner.produced.saturating_add(bytes);
        if inner.produced > MAX_PRODUCED {
            return Err(Refusal::limit("the template's values need more than 48 MiB"));
        }
        Ok(())
    }

    /// The same for a value.
    pub(super) fn charge_for(&self, json: &Json) -> Result<(), Refusal> {
        self.charge(weight(json))
    }

    pub(super) fn into_asked(self) -> (Asked, &'h mut dyn Host) {
        let Inner { used, missing, host, .. } =
            self.inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        (Asked { used, missing }, host)
    }
}
