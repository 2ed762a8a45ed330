//! Go's regular expressions (RE2 syntax) over byte strings, on top of a smaller engine.
//!
//! The pattern is translated by `translate`; this file matches, replaces and splits as Go's `regexp` does.

mod class;
mod fold;
mod translate;

use std::{borrow::Cow, ops::Range};

use super::bytes::{lossy, utf8_pieces};
use crate::template::go::funcs::FuncError;

/// A pattern that Go refuses, or that this engine cannot run.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RegexError {
    /// Refused by Go too: what is wrong and the piece of the pattern, worded as Go words it.
    #[error("error parsing regexp: {0}: `{1}`")]
    Syntax(&'static str, String),
    /// Valid for Go, but not available here.
    #[error("error parsing regexp: `{0}` is not supported here: {1}")]
    Unsupported(String, String),
}

/// A compiled pattern.
#[derive(Debug)]
pub struct Regex {
    engine: regex_lite::Regex,
    /// Bytes that its program takes at most.
    size: usize,
    /// Names of the groups; the first entry is the whole match.
    names: Vec<Option<String>>,
}

/// Byte ranges of a match: the whole, then its groups.
type Groups = Vec<Option<Range<usize>>>;

/// Hears of each match: where it ends, and how many bytes the result has so far. Its error ends the search.
pub type OnMatch<'w> = &'w mut dyn FnMut(usize, usize) -> Result<(), FuncError>;

/// Programs are made as small as they can be, from here …
const SMALLEST: usize = 256;
/// … up to this.
const LARGEST: usize = 4 << 20;
/// The engine's notes take the program's size times half the number of groups.
const LARGEST_NOTES: usize = 32 << 20;

impl Regex {
    /// Compiles a pattern in Go's syntax.
    ///
    /// # Errors
    /// A pattern that Go refuses, in its words, or one that is too large for this engine.
    pub fn new(pattern: &[u8]) -> Result<Self, RegexError> {
        let pattern = std::str::from_utf8(pattern).map_err(|error| {
            let (valid, rest) = pattern.split_at(error.valid_up_to());
            let valid = String::from_utf8_lossy(valid);
            // Go reads from the left; what is merely unfinished it would not have noticed yet.
            let earlier = translate::translate(&valid).err().filter(|error| match error {
                RegexError::Syntax(words, _) => !words.starts_with("missing closing"),
                RegexError::Unsupported(..) => false,
            });
            earlier.unwrap_or_else(|| RegexError::Syntax("invalid UTF-8", lossy(rest).into_owned()))
        })?;
        let (translated, names) = translate::translate(pattern)?;
        let mut builder = regex_lite::RegexBuilder::new(&translated);
        let mut size = SMALLEST;
        loop {
            let larger = size * 2;
            match builder.size_limit(size).build() {
                Ok(engine) => return Ok(Self { engine, size, names }),
                // The engine doesn't say whether it was the size.
                Err(_) if larger <= LARGEST && larger * names.len() <= LARGEST_NOTES => size = larger,
                Err(error) => return Err(RegexError::Unsupported(pattern.to_owned(), error.to_string())),
            }
        }
    }

    /// Bytes that its program takes, up to twice as many as it really does: a walk through a text takes so long that many
    /// times per byte at worst.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Whether the pattern matches anywhere.
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.engine.is_match(&Subject::new(text).text)
    }

    /// The first `limit` matches; all when `limit` is `None`.
    ///
    /// # Errors
    /// What `on_match` says.
    pub fn find<'t>(
        &self,
        text: &'t [u8],
        limit: Option<usize>,
        on_match: OnMatch<'_>,
    ) -> Result<Vec<&'t [u8]>, FuncError> {
        let subject = Subject::new(text);
        let matches = self.engine.find_iter(&subject.text).take(limit.unwrap_or(usize::MAX));
        let mut found = Vec::new();
        for matched in matches {
            found.push(&text[subject.range(matched.range())]);
            on_match(matched.end(), found.len() * 64)?;
        }
        Ok(found)
    }

    /// Replaces all matches; `$1`, `${name}` and `$$` in the replacement are expanded.
    ///
    /// # Errors
    /// What `on_match` says.
    pub fn replace(
        &self,
        text: &[u8],
        replacement: &[u8],
        on_match: OnMatch<'_>,
    ) -> Result<Vec<u8>, FuncError> {
        self.replace_with(text, on_match, |groups, out| self.expand(text, groups, replacement, out))
    }

    /// Replaces all matches by exactly `replacement`.
    ///
    /// # Errors
    /// What `on_match` says.
    pub fn replace_literal(
        &self,
        text: &[u8],
        replacement: &[u8],
        on_match: OnMatch<'_>,
    ) -> Result<Vec<u8>, FuncError> {
        self.replace_with(text, on_match, |_, out| out.extend_from_slice(replacement))
    }

    /// The text between matches: at most `count` pieces when that is positive, all when negative, none for zero.
    ///
    /// # Errors
    /// What `on_match` says.
    pub fn split<'t>(
        &self,
        text: &'t [u8],
        count: i64,
        on_match: OnMatch<'_>,
    ) -> Result<Option<Vec<&'t [u8]>>, FuncError> {
        if count == 0 {
            return Ok(None);
        }
        if text.is_empty() && self.engine.as_str() != "" {
            return Ok(Some(vec![text]));
        }
        let limit = usize::try_from(count).unwrap_or(usize::MAX);
        let subject = Subject::new(text);
        let (mut pieces, mut begin, mut end) = (Vec::new(), 0, 0);
        for found in self.engine.find_iter(&subject.text) {
            if pieces.len() + 1 >= limit {
                break;
            }
            let range = subject.range(found.range());
            end = range.start;
            if range.end != 0 {
                pieces.push(&text[begin..end]);
            }
            begin = range.end;
            on_match(found.end(), pieces.len() * 64)?;
        }
        if end != text.len() {
            pieces.push(&text[begin..]);
        }
        Ok(Some(pieces))
    }

    fn replace_with(
        &self,
        text: &[u8],
        on_match: OnMatch<'_>,
        mut write: impl FnMut(&Groups, &mut Vec<u8>),
    ) -> Result<Vec<u8>, FuncError> {
        let subject = Subject::new(text);
        let (mut out, mut last) = (Vec::with_capacity(text.len()), 0);
        for captures in self.engine.captures_iter(&subject.text) {
            let groups: Groups =
                (0..captures.len()).map(|n| captures.get(n).map(|m| subject.range(m.range()))).collect();
            let Some(whole) = groups.first().cloned().flatten() else { continue };
            out.extend_from_slice(&text[last..whole.start]);
            write(&groups, &mut out);
            last = whole.end;
            on_match(last, out.len())?;
        }
        out.extend_from_slice(&text[last..]);
        Ok(out)
    }

    fn expand(&self, text: &[u8], groups: &Groups, template: &[u8], out: &mut Vec<u8>) {
        let mut rest = template;
        while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(b"$") {
                out.push(b'$');
                rest = after;
            } else if let Some((name, after)) = reference(rest) {
                if let Some(range) = self.group_number(name).and_then(|n| groups.get(n).cloned().flatten()) {
                    out.extend_from_slice(&text[range]);
                }
                rest = after;
            } else {
                out.push(b'$');
            }
        }
        out.extend_from_slice(rest);
    }

    fn group_number(&self, name: &str) -> Option<usize> {
        if name.bytes().all(|b| b.is_ascii_digit()) && (name.len() == 1 || !name.starts_with('0')) {
            return name.parse().ok();
        }
        self.names.iter().position(|own| own.as_deref() == Some(name))
    }
}

/// The name after a `$`, with or without braces, and what follows.
fn reference(text: &[u8]) -> Option<(&str, &[u8])> {
    let braced = text.first() == Some(&b'{');
    let body = if braced { &text[1..] } else { text };
    let valid = utf8_pieces(body).next().and_then(Result::ok).unwrap_or("");
    let end = valid.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(valid.len());
    let name = &valid[..end];
    let after = &body[end..];
    match (name.is_empty(), braced) {
        (true, _) => None,
        (false, false) => Some((name, after)),
        (false, true) => after.strip_prefix(b"}").map(|after| (name, after)),
    }
}

/// Puts a backslash before everything that has a meaning in patterns.
pub fn quote_meta(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        if br"\.+*?()|[]{}^$".contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

/// What is searched: text in which each byte that is not UTF-8 became one replacement character.
struct Subject<'t> {
    text: Cow<'t, str>,
    /// Where in `text` these characters stand.
    replaced: Vec<usize>,
}

impl<'t> Subject<'t> {
    fn new(bytes: &'t [u8]) -> Self {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Self { text: Cow::Borrowed(text), replaced: Vec::new() };
        }
        let (mut text, mut replaced) = (String::new(), Vec::new());
        for piece in utf8_pieces(bytes) {
            match piece {
                Ok(valid) => text.push_str(valid),
                Err(_) => {
                    replaced.push(text.len());
                    text.push(char::REPLACEMENT_CHARACTER);
                }
            }
        }
        Self { text: Cow::Owned(text), replaced }
    }

    /// The same range in the original bytes.
    fn range(&self, range: Range<usize>) -> Range<usize> {
        let original = |at: usize| at - 2 * self.replaced.partition_point(|mark| *mark < at);
        original(range.start)..original(range.end)
    }
}

#[cfg(test)]
mod tests;
