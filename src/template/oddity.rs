//! What a rendered text holds that no application expects, though nothing failed: `<no value>` and Go's `map[…]`.

use std::fmt;

/// The two signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// `<no value>`: a key that isn't there, or nothing at all.
    NoValue,
    /// `map[…]`: a whole mapping where one of its values was meant.
    Mapping,
}

/// A place of a template that printed such a sign, the first of its kind. No value is in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Oddity {
    /// What was printed.
    pub sign: Sign,
    /// Line in the template's text, from 1; 0 for a default form, which has no text.
    pub line: usize,
    /// The action as it stands there, or the key that a default form printed.
    pub source: String,
}

impl Oddity {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self.sign {
            Sign::NoValue => {
                "compare the key with the secret's keys; `or .Data.data.key \"default\"` gives a default, \
                 error_on_missing_key makes it an error"
            }
            Sign::Mapping if self.line == 0 => {
                "KV version 2 has its keys one level below: write a template (agent-inject-template-…), \
                 or ask for a format (decant/format-…)"
            }
            Sign::Mapping => "ask for one of its keys, range over it, or pipe it through toJSON",
        }
    }
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.sign {
            Sign::NoValue => "<no value>",
            Sign::Mapping => "a whole mapping, map[…]",
        };
        match self.line {
            0 => write!(f, "the default form prints the key {} as {sign}", self.source),
            line => write!(f, "line {line} of the template prints {sign}: {}", self.source),
        }
    }
}

/// The sign in a printed text, if there is one.
pub(super) fn sign(text: &[u8]) -> Option<Sign> {
    let has = |sign: &str| memchr::memmem::find(text, sign.as_bytes()).is_some();
    if has("<no value>") { Some(Sign::NoValue) } else { has("map[").then_some(Sign::Mapping) }
}
