//! The tree of a configuration text, HCL 1 or JSON, with the place of every node.
//!
//! HCL 1 is the language of `vault agent`: no expressions, no variables. What this accepts was compared with
//! `hashicorp/hcl` 1.0.0 case by case (`integration/corpus/hcl`).

mod cursor;
mod json;
mod lexer;
mod parser;
mod text;

use std::{path::Path, sync::Arc};

use crate::{origin::Origin, problem::Problem};

/// Largest text that is read, in bytes. Far above any real configuration.
pub const MAX_BYTES: usize = 32 << 20;

/// Deepest nesting of blocks and lists.
const MAX_DEPTH: usize = 100;

/// A place in a text; line and column count from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pos {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

impl Pos {
    /// The place as an origin in this file.
    pub fn origin(self, file: &Arc<Path>) -> Origin {
        Origin::File { path: file.clone(), line: self.line, column: self.column }
    }
}

/// A key or a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The text, without quotes.
    pub text: String,
    /// Where it begins.
    pub pos: Pos,
}

/// The entries of a file or of a block, in their order. Keys may repeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// The entries.
    pub items: Vec<Item>,
    /// JSON files only: where text begins that stands behind the one object and is ignored.
    pub ignored_from: Option<Pos>,
}

/// `key = value`, `key { … }` or `key "label" { … }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The key.
    pub key: Name,
    /// Labels behind it; only blocks have some.
    pub labels: Vec<Name>,
    /// The value.
    pub value: Value,
}

/// A value with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// What it is.
    pub kind: Kind,
    /// Where it begins.
    pub pos: Pos,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text(String),
    /// A number as it is written: `0640`, `0x1F`, `-3`, `1e3`.
    Number(String),
    /// `true` or `false`.
    Bool(bool),
    /// JSON only: as if the key were not there.
    Null,
    /// `[ … ]`.
    List(Vec<Value>),
    /// `{ … }`.
    Block(Body),
}

impl Kind {
    /// The kind in words, for messages.
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Number(_) => "a number",
            Self::Bool(_) => "true or false",
            Self::Null => "null",
            Self::List(_) => "a list",
            Self::Block(_) => "a block",
        }
    }
}

/// Why a text is no configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where.
    pub pos: Pos,
    /// What was found there.
    pub found: String,
    /// What would have been right.
    pub expected: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl SyntaxError {
    fn new(pos: Pos, found: impl Into<String>) -> Self {
        Self { pos, found: found.into(), expected: None, hint: None }
    }

    fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The error with its file, for the user.
    pub fn problem(self, file: &Arc<Path>) -> Problem {
        let mut problem = Problem::error(self.found).at(self.pos.origin(file));
        problem.expected = self.expected;
        problem.hint = self.hint;
        problem
    }
}

/// Reads a text: JSON when its first character that is not blank is `{`, else HCL 1.
///
/// # Errors
/// The first place that is neither. A text that is too large, not UTF-8, or nested too deeply.
pub fn parse(bytes: &[u8]) -> Result<Body, SyntaxError> {
    let start = Pos { line: 1, column: 1 };
    if bytes.len() > MAX_BYTES {
        return Err(SyntaxError::new(start, format!("the file is larger than {} MiB", MAX_BYTES >> 20))
            .expected("a configuration in HCL or JSON"));
    }
    let text = text(bytes)?;
    if text.starts_with('\u{feff}') {
        return Err(SyntaxError::new(start, "the file begins with a byte order mark")
            .hint("save it as UTF-8 without a byte order mark"));
    }
    let text = text.replace("\r\n", "\n");
    if text.trim_start().starts_with('{') { json::parse(&text) } else { parser::parse(&text) }
}

/// The bytes as text; binary files are named as such.
fn text(bytes: &[u8]) -> Result<&str, SyntaxError> {
    let (what, end) = match std::str::from_utf8(bytes) {
        Ok(text) => match text.find('\0') {
            None => return Ok(text),
            Some(at) => ("a zero byte", at),
        },
        Err(error) => {
            let valid = &bytes[..error.valid_up_to()];
            let zero = valid.iter().position(|byte| *byte == 0);
            zero.map_or(("a byte that is not UTF-8", error.valid_up_to()), |at| ("a zero byte", at))
        }
    };
    let before = String::from_utf8_lossy(&bytes[..end]);
    let pos = before.chars().fold(Pos { line: 1, column: 1 }, cursor::after);
    Err(SyntaxError::new(pos, format!("found {what}"))
        .expected("a text in UTF-8")
        .hint("is this a configuration file in HCL or JSON?"))
}

#[cfg(test)]
mod tests;
