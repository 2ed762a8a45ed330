//! A host without a server: secrets, files and environment from one JSON text.
//!
//! Format: `secret` (path → answer, Go's field names, `{"$number": "x"}` for a number kept as text; several paths may
//! share an answer as `a and b`), `secrets` (path → names), `pkiCert` (path → certificate), `env`, `files`, `plugin`
//! (program → what it prints). A key `_other` answers for all paths that are not listed.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use thiserror::Error;
use zeroize::Zeroizing;

use super::{
    Identity, Render, Template,
    error::TemplateError,
    host::{Host, Program, ProgramFault},
};
use crate::{
    clock::zone::Zone,
    process::interfaces::Address,
    secrets::request::{SecretRequest, Verb},
    vault::{
        secret::{Auth, Secret},
        token::Token,
        value::{Map, Text, Value},
    },
};

/// The moment that a fixture's clock shows: 2026-01-02T03:04:05Z.
const NOW: u64 = 1_767_323_045;

/// Why a text is no fixture.
#[derive(Debug, Error)]
pub enum FixtureError {
    /// Not JSON.
    #[error("the fixture is not valid JSON")]
    Json(#[source] serde_json::Error),
}

/// Data for templates.
#[derive(Clone, Default)]
pub struct Fixture {
    secret: BTreeMap<String, Arc<Secret>>,
    secrets: BTreeMap<String, Arc<Secret>>,
    certificates: BTreeMap<String, Arc<Secret>>,
    env: BTreeMap<String, String>,
    files: BTreeMap<String, Text>,
    programs: Programs,
    zone: Arc<Zone>,
}

/// What programs print, for hosts that run none: by their name, or by their name and arguments with blanks in between.
#[derive(Clone, Debug, Default)]
pub struct Programs(BTreeMap<String, Text>);

impl Programs {
    /// Says what a program prints.
    pub fn insert(&mut self, program: String, output: Text) {
        self.0.insert(program, output);
    }

    /// What a host answers that runs none.
    ///
    /// # Errors
    /// Nobody has said what the program prints.
    pub fn answer(&self, program: &Program) -> Result<Text, ProgramFault> {
        const HINT: &str = "the fixture can say what it prints: plugin: { NAME: OUTPUT }";
        let unknown = || ProgramFault { what: "`render` runs no programs".to_owned(), hint: HINT };
        self.output(program).cloned().ok_or_else(unknown)
    }

    /// What it prints when it is called like this.
    fn output(&self, program: &Program) -> Option<&Text> {
        let name = program.name.as_str()?;
        let args: Option<Vec<&str>> = program.args.iter().map(Text::as_str).collect();
        let line = args.map(|args| Zeroizing::new([&[name], args.as_slice()].concat().join(" ")));
        line.and_then(|line| self.0.get(line.as_str())).or_else(|| self.0.get(name))
    }
}

impl Fixture {
    /// Reads a fixture.
    ///
    /// # Errors
    /// Text that is not JSON.
    pub fn parse(json: &str) -> Result<Self, FixtureError> {
        Ok(Self::from_data(Value::from_json(json).map_err(FixtureError::Json)?))
    }

    /// The same from data that was read already (from YAML, say).
    pub fn from_data(root: Value) -> Self {
        let root = numbers(root);
        let section = |name: &str| root.get(name).and_then(Value::as_map).cloned().unwrap_or_default();
        let mut fixture = Self::default();
        for (paths, answer) in &section("secret") {
            let answer = Arc::new(secret(answer));
            for path in paths.split(" and ") {
                fixture.secret.insert(path.to_owned(), answer.clone());
            }
        }
        for (path, names) in &section("secrets") {
            fixture.secrets.insert(path.to_string(), Arc::new(listing(names)));
        }
        for (path, certificate) in &section("pkiCert") {
            if matches!(certificate, Value::Map(_)) {
                let answer = Secret { data: Some(certificate.clone()), ..Secret::default() };
                fixture.certificates.insert(path.to_string(), Arc::new(answer));
            }
        }
        for (name, value) in &section("env") {
            fixture.env.insert(name.to_string(), value.as_str().unwrap_or_default().to_owned());
        }
        for (path, contents) in &section("files") {
            if let Value::String(text) = contents {
                fixture.files.insert(path.to_string(), text.clone());
            }
        }
        for (program, output) in &section("plugin") {
            if let Value::String(output) = output {
                fixture.programs.insert(program.to_string(), output.clone());
            }
        }
        fixture
    }

    /// Sets a variable of the environment.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
    }

    /// Sets the local time zone, which is UTC otherwise.
    pub fn set_zone(&mut self, zone: Arc<Zone>) {
        self.zone = zone;
    }

    fn find(&self, request: &SecretRequest) -> Option<&Arc<Secret>> {
        let path = request.path.as_str();
        match request.verb {
            Verb::Read | Verb::Write(_) => self.secret.get(path),
            Verb::List => self.secrets.get(path).or_else(|| self.secrets.get("_other")),
            Verb::Issue(_) if path == "none" => None,
            Verb::Issue(_) => self.certificates.get(path).or_else(|| self.certificates.get("_other")),
        }
    }
}

/// A fixture that answers as a server does: a request is unknown until it was asked for.
pub struct FixtureHost<'f> {
    fixture: &'f Fixture,
    asked: BTreeSet<SecretRequest>,
    ended: Vec<Program>,
}

impl<'f> FixtureHost<'f> {
    /// A host that knows nothing yet.
    pub fn new(fixture: &'f Fixture) -> Self {
        Self { fixture, asked: BTreeSet::new(), ended: Vec::new() }
    }

    /// Renders until nothing new is missing. The last pass counts, even when answers that nobody has are missing.
    ///
    /// # Errors
    /// The mistake that the last pass ended with.
    pub fn settle(&mut self, template: &Template, identity: &Identity) -> Result<Render, TemplateError> {
        loop {
            let mut render = template.render(self, identity)?;
            let known = self.asked.len();
            self.asked.extend(render.missing.iter().cloned());
            if self.asked.len() > known {
                continue;
            }
            if let Some(program) = render.program.take() {
                self.ended.push(program);
                continue;
            }
            return match render.blocked.take() {
                Some(error) => Err(error),
                None => Ok(render),
            };
        }
    }
}

impl Host for FixtureHost<'_> {
    fn secret(&mut self, request: &SecretRequest) -> Option<Arc<Secret>> {
        if !self.asked.contains(request) {
            return None;
        }
        self.fixture.find(request).cloned()
    }

    fn file(&mut self, path: &str) -> Result<Text, String> {
        Ok(self.fixture.files.get(path).cloned().unwrap_or_else(|| "".into()))
    }

    fn env(&self, name: &str) -> Option<String> {
        self.fixture.env.get(name).cloned()
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
    }

    fn zone(&self) -> Arc<Zone> {
        self.fixture.zone.clone()
    }

    fn random(&mut self, buffer: &mut [u8]) -> Result<(), String> {
        for (at, byte) in buffer.iter_mut().enumerate() {
            *byte = at.to_le_bytes()[0].wrapping_mul(151).wrapping_add(13);
        }
        Ok(())
    }

    fn interfaces(&self) -> Vec<Address> {
        let (name, flags) = ("lo".to_owned(), "up|loopback|running".to_owned());
        vec![Address { name, ip: IpAddr::from([127, 0, 0, 1]), prefix: 8, flags, is_default: false }]
    }

    fn plugin(&mut self, program: &Program) -> Option<Result<Text, ProgramFault>> {
        self.ended.contains(program).then(|| self.fixture.programs.answer(program))
    }
}

/// Turns `{"$number": "x"}` into numbers.
pub fn numbers(value: Value) -> Value {
    match &value {
        Value::Map(map) => {
            if map.len() == 1
                && let Some(Value::String(text)) = map.get("$number")
            {
                return Value::Number(text.clone());
            }
            let map: Map = map.iter().map(|(key, value)| (key.clone(), numbers(value.clone()))).collect();
            Value::Map(Arc::new(map))
        }
        Value::List(items) => Value::List(Arc::new(items.iter().cloned().map(numbers).collect())),
        _ => value,
    }
}

fn text(of: &Value, key: &str) -> String {
    of.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn texts(of: &Value, key: &str) -> Vec<String> {
    match of.get(key) {
        Some(Value::List(items)) => {
            items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

/// An answer in Go's field names. Anything but an object is the empty answer.
pub fn secret(of: &Value) -> Secret {
    let auth = of.get("Auth").filter(|auth| auth.as_map().is_some());
    Secret {
        request_id: text(of, "RequestID"),
        lease_id: text(of, "LeaseID"),
        lease_duration: of.get("LeaseDuration").and_then(Value::as_i64).unwrap_or(0),
        renewable: of.get("Renewable") == Some(&Value::Bool(true)),
        data: of.get("Data").cloned(),
        warnings: texts(of, "Warnings"),
        auth: auth.map(|auth| Auth {
            client_token: Token::new(&text(auth, "ClientToken")),
            accessor: text(auth, "Accessor"),
            policies: texts(auth, "Policies"),
            token_policies: Vec::new(),
            metadata: auth
                .get("Metadata")
                .and_then(Value::as_map)
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.to_string(), value.as_str().unwrap_or_default().to_owned()))
                .collect(),
            lease_duration: auth.get("LeaseDuration").and_then(Value::as_i64).unwrap_or(0),
            renewable: auth.get("Renewable") == Some(&Value::Bool(true)),
            token_type: String::new(),
        }),
        wrap_info: None,
    }
}

/// A listing; anything but a list is an answer without names.
pub fn listing(names: &Value) -> Secret {
    match names {
        Value::List(_) => {
            let data: Map = [("keys".into(), names.clone())].into();
            Secret { data: Some(Value::Map(Arc::new(data))), ..Secret::default() }
        }
        _ => Secret::default(),
    }
}
