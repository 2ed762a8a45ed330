//! What a function may use while a template runs: the host, what was asked and written, and the limits.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    rc::Rc,
    sync::Arc,
};

use super::{
    funcs::{FuncError, Patterns},
    meter::Meter,
    object::Object,
    parser::Trees,
    stack::Stack,
    value::Value,
};
use crate::{
    secrets::request::{AuthId, SecretRequest},
    template::{
        host::{FileEffect, Host, Program},
        oddity::Oddity,
    },
    vault::{path::Namespace, value::Text},
};

/// Bytes that the functions of one render may produce together. A Vault answer holds 1 MB at most.
const MAX_PRODUCED: usize = 32 << 20;

/// Bytes that one render may write.
const MAX_OUTPUT: usize = 16 << 20;

/// Commands, actions and turns that one render may take. A large real template takes some ten thousand.
const MAX_STEPS: u64 = 2_000_000;

/// Different requests that one render may make.
const MAX_REQUESTS: usize = 5_000;

/// Bytes that a digest reads in the time of one step.
const DIGESTED_PER_STEP: usize = 128;

/// Items that are compared in the time of one step.
const COMPARED_PER_STEP: usize = 32;

/// What a small value takes with all that is around it.
const BYTES_PER_VALUE: usize = 96;

/// What one template runs with.
#[derive(Clone, Default)]
pub struct Settings {
    /// The login that requests are made with.
    pub auth: AuthId,
    /// The namespace that requests are made in.
    pub namespace: Option<Namespace>,
    /// A missing key is an error.
    pub error_on_missing_key: bool,
    /// Folder that `file` must not leave.
    pub sandbox: Option<PathBuf>,
}

/// The state of one render, as functions see it.
pub struct Ctx<'a> {
    /// The world.
    pub host: &'a mut dyn Host,
    /// What the template runs with.
    pub settings: Settings,
    /// Requests that were made.
    pub used: BTreeSet<SecretRequest>,
    /// Requests without an answer yet.
    pub missing: BTreeSet<SecretRequest>,
    /// A program whose output is still missing (`plugin`).
    pub program: Option<Program>,
    /// What programs have printed.
    pub printed: Vec<Text>,
    /// Files to write.
    pub effects: Vec<FileEffect>,
    /// Places that printed what no application expects, the first of each kind.
    pub oddities: Vec<Oddity>,
    /// The text of the templates, for places in messages.
    pub(super) text: Arc<str>,
    /// The templates that `executeTemplate` can run.
    pub(super) trees: Arc<Trees>,
    pub(super) stack: Stack,
    /// One value per answer, so that a changed map stays changed for the rest of the render.
    pub(super) answers: BTreeMap<SecretRequest, Value>,
    pub(super) scratch: Option<Rc<Object>>,
    pub(super) patterns: Patterns,
    produced: usize,
    written: usize,
    steps: u64,
    _meter: Meter,
}

impl<'a> Ctx<'a> {
    /// A fresh state over a host, with nothing but the host set.
    pub fn new(host: &'a mut dyn Host) -> Self {
        Self::for_template(host, Settings::default(), Arc::default(), "".into())
    }

    /// The state that a template runs with.
    pub(crate) fn for_template(
        host: &'a mut dyn Host,
        settings: Settings,
        trees: Arc<Trees>,
        text: Arc<str>,
    ) -> Self {
        Self {
            host,
            settings,
            used: BTreeSet::new(),
            missing: BTreeSet::new(),
            program: None,
            printed: Vec::new(),
            effects: Vec::new(),
            oddities: Vec::new(),
            text,
            trees,
            stack: Stack::here(),
            answers: BTreeMap::new(),
            scratch: None,
            patterns: Patterns::default(),
            produced: 0,
            written: 0,
            steps: 0,
            _meter: Meter::start(),
        }
    }

    /// Takes `bytes` from what this render may still produce. The evaluator charges every result; a function calls
    /// this itself, before it allocates, when its result can be much larger than its arguments (`repeat`, `until`).
    ///
    /// # Errors
    /// The limit is reached.
    pub fn charge(&mut self, bytes: usize) -> Result<(), FuncError> {
        self.produced = self.produced.saturating_add(bytes);
        if self.produced > MAX_PRODUCED {
            return Err(FuncError::limit("the template's values need more than 32 MiB"));
        }
        Ok(())
    }

    /// Takes what `count` times `length` bytes need from what this render may still produce.
    ///
    /// # Errors
    /// What Go can't count or allocate, in its words, and the limit.
    pub fn charge_repeated(&mut self, length: usize, count: usize) -> Result<(), FuncError> {
        /// The largest slice that Go allocates has fewer bytes.
        const LARGEST: usize = 1 << 47;
        match length.checked_mul(count).filter(|bytes| i64::try_from(*bytes).is_ok()) {
            None => Err(FuncError::new("strings: Repeat output length overflow")),
            Some(bytes) if bytes >= LARGEST => {
                Err(FuncError::new("runtime error: makeslice: len out of range"))
            }
            Some(bytes) => self.charge(bytes),
        }
    }

    /// Counts output.
    ///
    /// # Errors
    /// The limit is reached.
    pub(super) fn write(&mut self, bytes: usize) -> Result<(), FuncError> {
        self.written = self.written.saturating_add(bytes);
        if self.written > MAX_OUTPUT {
            return Err(FuncError::limit("the output is larger than 16 MiB"));
        }
        Ok(())
    }

    /// Counts a step.
    ///
    /// # Errors
    /// The limit is reached.
    pub(super) fn step(&mut self) -> Result<(), FuncError> {
        self.labour(1)
    }

    /// Counts work of a function that takes as long as many steps.
    ///
    /// # Errors
    /// The limit is reached.
    pub fn labour(&mut self, steps: u64) -> Result<(), FuncError> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MAX_STEPS {
            return Err(FuncError::limit("the template takes more than 2,000,000 steps"));
        }
        Ok(())
    }

    /// Counts the reading of a text by a digest.
    ///
    /// # Errors
    /// The limit is reached.
    pub fn digest(&mut self, text: &[u8]) -> Result<(), FuncError> {
        self.labour((text.len() / DIGESTED_PER_STEP) as u64)
    }

    /// Counts a search through the items of a list.
    ///
    /// # Errors
    /// The limit is reached.
    pub fn search(&mut self, items: usize) -> Result<(), FuncError> {
        self.labour((items / COMPARED_PER_STEP) as u64)
    }

    /// Takes what a parsed text will need: each of its marks may stand for a value.
    ///
    /// # Errors
    /// The limit is reached.
    pub fn charge_parsed(&mut self, text: &[u8], marks: &[u8]) -> Result<(), FuncError> {
        let values = text.iter().filter(|byte| marks.contains(byte)).count();
        self.charge(text.len().saturating_add(values.saturating_mul(BYTES_PER_VALUE)))
    }

    /// Notes a request.
    ///
    /// # Errors
    /// The limit is reached.
    pub(super) fn note(&mut self, request: &SecretRequest) -> Result<(), FuncError> {
        if !self.used.contains(request) {
            // It stands in the lists of what was used and what is missing, and in the notes of the host.
            self.charge(request.path.as_str().len().saturating_mul(8))?;
            if self.used.len() >= MAX_REQUESTS {
                return Err(FuncError::limit("the template asks for more than 5,000 different secrets"));
            }
            self.used.insert(request.clone());
        }
        Ok(())
    }
}
