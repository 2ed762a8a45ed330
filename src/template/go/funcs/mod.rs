//! The one table of functions: name, Go signature, what it does, and the code.
//!
//! # Adding a function
//! A family file holds `pub(super) const FUNCS: &[Func]`, a plain list; the family is named once in `FAMILIES`.
//! The evaluator checks the number and the types of arguments against `params` before `run` is called, with Go's
//! messages, so `run` reads its arguments with [`Args`] and never checks a type that the signature already says.
//! An error is a [`FuncError`] with the words of the original, without the prefix `error calling NAME: `; words that
//! quote an argument go through [`FuncError::quoting`], because arguments hold secrets. Go panics become errors too.

mod builtin;
mod cast;
mod collection;
mod encoding;
mod foreign;
mod host;
mod matching;
mod math;
mod merge;
pub mod pairs;
mod parse;
mod program;
mod registry;
mod scratch;
mod sockaddr;
mod spew;
mod sprig_certs;
mod sprig_crypto;
mod sprig_date;
mod sprig_dict;
mod sprig_encoding;
mod sprig_list;
mod sprig_logic;
mod sprig_math;
mod sprig_regex;
mod sprig_semver;
mod sprig_text;
mod sprig_url;
#[cfg(test)]
mod testing;
mod text;

use std::collections::BTreeSet;

pub(super) use builtin::CALLEE;
pub(in crate::template) use host::{is_inside, issue_request, secret_request};
pub(super) use matching::Patterns;
pub use registry::{Registry, is_denied};
pub use scratch::scratch;

use super::{
    ctx::Ctx,
    format::bytes,
    kind::Type,
    value::{List, Map, Value},
};
use crate::vault::value::Text;

/// One function or method.
#[derive(Clone, Copy)]
pub struct Func {
    /// Name as templates write it.
    pub name: &'static str,
    /// Parameters. With `variadic` the last one is the type of each of the remaining arguments.
    pub params: &'static [Type],
    /// Whether the last parameter takes any number of arguments.
    pub variadic: bool,
    /// Static type of the result; `Any` when the original returns `interface {}`.
    pub ret: Type,
    /// One line for the user: what it does.
    pub doc: &'static str,
    /// The code.
    pub run: fn(&mut Ctx<'_>, Args) -> Result<Value, FuncError>,
}

impl Func {
    /// A function with a fixed number of parameters.
    pub const fn new(
        name: &'static str,
        params: &'static [Type],
        ret: Type,
        doc: &'static str,
        run: fn(&mut Ctx<'_>, Args) -> Result<Value, FuncError>,
    ) -> Self {
        Self { name, params, variadic: false, ret, doc, run }
    }

    /// The same function with its last parameter taking any number of arguments.
    pub const fn variadic(self) -> Self {
        Self { variadic: true, ..self }
    }

    /// How many arguments it needs at least.
    pub const fn least(&self) -> usize {
        if self.variadic { self.params.len() - 1 } else { self.params.len() }
    }

    /// The type that argument number `at` must have.
    pub fn param(&self, at: usize) -> &'static Type {
        self.params.get(at).or_else(|| self.params.last()).unwrap_or(&Type::Any)
    }
}

/// Every family. A later one wins over an earlier one with the same name, as the original registers them.
static FAMILIES: &[&[Func]] = &[
    builtin::FUNCS,
    collection::FUNCS,
    encoding::FUNCS,
    foreign::FUNCS,
    host::FUNCS,
    math::FUNCS,
    pairs::FUNCS,
    parse::FUNCS,
    program::FUNCS,
    scratch::FUNCS,
    sockaddr::FUNCS,
    spew::FUNCS,
    sprig_certs::FUNCS,
    sprig_crypto::FUNCS,
    sprig_date::FUNCS,
    sprig_dict::FUNCS,
    sprig_encoding::FUNCS,
    sprig_list::FUNCS,
    sprig_logic::FUNCS,
    sprig_math::FUNCS,
    sprig_regex::FUNCS,
    sprig_semver::FUNCS,
    sprig_text::FUNCS,
    sprig_url::FUNCS,
    text::FUNCS,
];

/// A function by name. No index: names are looked up once, when a template is parsed, most runs need few of them, and
/// hashing all would be a seventh of a short run's work.
pub fn find(name: &str) -> Option<&'static Func> {
    let mut winners_first = FAMILIES.iter().rev().flat_map(|family| family.iter().rev());
    winners_first.find(|func| func.name == name)
}

/// All names, for suggestions and documentation.
pub fn names() -> impl Iterator<Item = &'static str> {
    let names: BTreeSet<&str> =
        FAMILIES.iter().flat_map(|family| family.iter()).map(|func| func.name).collect();
    names.into_iter()
}

/// A method of `json.Number`.
pub(super) fn number_method(name: &str) -> Option<&'static Func> {
    scratch::NUMBER_METHODS.iter().find(|method| method.name == name)
}

/// The arguments of a call. Numbers and types were checked against the signature: an accessor that still meets
/// something else (a mistake in a table, never a user's) answers with the zero value.
pub struct Args(Vec<Value>, u64);

impl Args {
    /// Arguments in order; for a method the receiver comes first.
    pub const fn new(values: Vec<Value>) -> Self {
        Self(values, 0)
    }

    /// The same, told which of the first 64 Go holds as interfaces (elements of containers, say): some built-in functions
    /// treat these differently.
    #[must_use]
    pub fn with_interfaces(self, places: u64) -> Self {
        Self(self.0, places)
    }

    /// Whether Go holds argument `at` as an interface. A nil is an element of a container then, not the absence of a value.
    pub fn is_interface(&self, at: usize) -> bool {
        at < 64 && self.1 >> at & 1 == 1
    }

    /// Number of arguments.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Argument `at`; `Nil` when there is none.
    pub fn get(&self, at: usize) -> &Value {
        self.0.get(at).unwrap_or(&Value::Nil)
    }

    /// Takes argument `at` out, without a clone.
    pub fn take(&mut self, at: usize) -> Value {
        self.0.get_mut(at).map(std::mem::take).unwrap_or_default()
    }

    /// All arguments from `at` on.
    pub fn rest(&self, at: usize) -> &[Value] {
        self.0.get(at..).unwrap_or_default()
    }

    /// A string argument.
    pub fn text(&self, at: usize) -> Text {
        self.get(at).as_text().cloned().unwrap_or_else(|| "".into())
    }

    /// The bytes of a string argument.
    pub fn bytes(&self, at: usize) -> &[u8] {
        self.get(at).as_text().map_or(&[], Text::as_bytes)
    }

    /// A string argument as characters; invalid bytes become U+FFFD.
    pub fn lossy(&self, at: usize) -> std::borrow::Cow<'_, str> {
        bytes::lossy(self.bytes(at))
    }

    /// An integer argument of any integer type.
    pub fn int(&self, at: usize) -> i64 {
        match self.get(at) {
            Value::Int(number) | Value::Int64(number) => *number,
            Value::Uint64(number) => *number as i64,
            Value::Uint8(number) => i64::from(*number),
            _ => 0,
        }
    }

    /// A `bool` argument.
    pub fn bool(&self, at: usize) -> bool {
        matches!(self.get(at), Value::Bool(true))
    }

    /// A slice argument.
    pub fn list(&self, at: usize) -> List {
        match self.get(at) {
            Value::List(list) => list.clone(),
            _ => List::nil(&Type::Any),
        }
    }

    /// A map argument.
    pub fn map(&self, at: usize) -> Map {
        match self.get(at) {
            Value::Map(map) => map.clone(),
            _ => Map::nil(&Type::String, &Type::Any),
        }
    }
}

/// Why a function refuses. Two texts, because what the original says often quotes an argument.
#[derive(Clone, PartialEq, Eq)]
pub struct FuncError {
    /// The original's words; may quote values, so they are compared in tests and never logged.
    go: String,
    /// The words for the user, without any value.
    shown: String,
    hint: Option<String>,
    limit: bool,
}

impl FuncError {
    /// Words that quote no argument.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::quoting(text.clone(), text)
    }

    /// A limit of the engine was reached: no data is at fault.
    pub fn limit(text: impl Into<String>) -> Self {
        Self { limit: true, ..Self::new(text) }
    }

    /// The original's words with a value in them, and words of ours without.
    pub fn quoting(go: impl Into<String>, shown: impl Into<String>) -> Self {
        Self { go: go.into(), shown: shown.into(), hint: None, limit: false }
    }

    /// Says what to do instead.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// What to do instead.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whether a limit of the engine was reached.
    pub const fn is_limit(&self) -> bool {
        self.limit
    }

    /// The same error with the same prefix before both texts.
    #[must_use]
    pub fn prefixed(self, prefix: &str) -> Self {
        Self { go: format!("{prefix}{}", self.go), shown: format!("{prefix}{}", self.shown), ..self }
    }

    /// The original's words. They may quote values: never log them.
    pub fn go_text(&self) -> &str {
        &self.go
    }

    /// The words for the user.
    pub fn shown(&self) -> &str {
        &self.shown
    }
}

impl std::fmt::Debug for FuncError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_declared_once_with_a_sound_signature() {
        let mut seen = std::collections::BTreeSet::new();
        for func in FAMILIES.iter().flat_map(|family| family.iter()) {
            assert!(seen.insert(func.name), "{} is there twice", func.name);
            assert!(!func.variadic || !func.params.is_empty(), "{}: variadic without a parameter", func.name);
            assert!(!func.doc.is_empty() && !func.doc.ends_with('.'), "{}: {:?}", func.name, func.doc);
        }
    }

    #[test]
    fn debug_of_an_error_quotes_no_value() {
        let error = FuncError::quoting("parsing \"hunter2\"", "not a number").prefixed("parseInt: ");
        assert_eq!(format!("{error:?}"), "parseInt: not a number");
        assert_eq!(error.go_text(), "parseInt: parsing \"hunter2\"");
    }
}
