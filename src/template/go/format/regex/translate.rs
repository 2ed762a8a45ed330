//! From Go's pattern syntax to that of `regex-lite`: what both mean alike passes, the rest is spelled out.

use super::{
    RegexError,
    class::{self, Class},
    fold,
};

/// The highest count, and product of nested counts, in `{n,m}`.
const MAX_REPEAT: u32 = 1000;
/// Bytes of a translated pattern; a class of all letters has eight thousand.
const MAX_TRANSLATED: usize = 1 << 20;
/// How deep groups may nest.
const MAX_DEPTH: usize = 250;

/// The pattern for `regex-lite`, and the names of the groups (the first entry is the whole match).
pub(super) fn translate(pattern: &str) -> Result<(String, Vec<Option<String>>), RegexError> {
    let mut translator = Translator { pattern, names: vec![None], ..Translator::default() };
    while translator.at < pattern.len() {
        translator.step()?;
        if translator.out.len() > MAX_TRANSLATED {
            return Err(RegexError::Unsupported(pattern.to_owned(), "it is too large".to_owned()));
        }
    }
    if !translator.open.is_empty() {
        return Err(RegexError::Syntax("missing closing )", pattern.to_owned()));
    }
    Ok((translator.out, translator.names))
}

#[derive(Default)]
struct Translator<'p> {
    pattern: &'p str,
    at: usize,
    out: String,
    names: Vec<Option<String>>,
    /// Letters match in both cases from here on.
    fold: bool,
    /// What was in force before each open group.
    open: Vec<Open>,
    /// The largest product of counts in this group.
    weight: u32,
    /// The product of counts of what a repetition would apply to; `None`: nothing to repeat.
    atom: Option<u32>,
    /// Where the repetition just read began.
    repetition: Option<usize>,
}

struct Open {
    fold: bool,
    weight: u32,
}

impl Translator<'_> {
    fn rest(&self) -> &str {
        &self.pattern[self.at..]
    }

    fn step(&mut self) -> Result<(), RegexError> {
        let Some(first) = self.rest().chars().next() else { return Ok(()) };
        match first {
            '*' | '+' | '?' => return self.repeat(1, None),
            '{' => {
                if let Some((length, low, high)) = counts(self.rest()) {
                    let text = &self.rest()[..length];
                    let count = match (low, high) {
                        (Some(low), Some(high)) if high.is_none_or(|high| low <= high) => {
                            high.unwrap_or(low).max(low)
                        }
                        _ => return Err(RegexError::Syntax("invalid repeat count", text.to_owned())),
                    };
                    return self.repeat(length, Some(count));
                }
                self.literal('{', 1);
            }
            '(' => return self.group(),
            ')' => self.close()?,
            '|' => {
                self.out.push('|');
                self.at += 1;
                self.atom = None;
            }
            '^' | '$' | '.' => {
                self.out.push(first);
                self.at += 1;
                self.atom = Some(1);
            }
            '[' => {
                let (class, length) = class::parse(self.rest(), self.fold)?;
                self.class(&class, length);
            }
            '\\' => return self.escape(),
            other => self.literal(other, other.len_utf8()),
        }
        self.repetition = None;
        Ok(())
    }

    fn literal(&mut self, c: char, length: usize) {
        // `regex-lite` itself folds ASCII only.
        if self.fold && fold::others(c, c).any(|other| !(c.is_ascii() && other.is_ascii())) {
            let mut class = Class::default();
            class.add(c, c, true);
            class.write(&mut self.out);
        } else {
            class::write_char(c, &mut self.out);
        }
        self.at += length;
        self.atom = Some(1);
    }

    fn class(&mut self, class: &Class, length: usize) {
        class.write(&mut self.out);
        self.at += length;
        self.atom = Some(1);
    }

    /// A repetition of `length` bytes; `count` is the highest of `{…}`.
    fn repeat(&mut self, length: usize, count: Option<u32>) -> Result<(), RegexError> {
        let start = self.at;
        let lazy = usize::from(self.rest()[length..].starts_with('?'));
        let operator = self.rest()[..length + lazy].to_owned();
        if let Some(previous) = self.repetition {
            let text = self.pattern[previous..start + length + lazy].to_owned();
            return Err(RegexError::Syntax("invalid nested repetition operator", text));
        }
        let Some(inner) = self.atom else {
            return Err(RegexError::Syntax("missing argument to repetition operator", operator));
        };
        let weight = inner.saturating_mul(count.unwrap_or(1).max(1));
        if weight > MAX_REPEAT || count.is_some_and(|count| count > MAX_REPEAT) {
            let text = self.rest()[..length].to_owned();
            return Err(RegexError::Syntax("invalid repeat count", text));
        }
        self.weight = self.weight.max(weight);
        self.atom = Some(weight);
        self.repetition = Some(start);
        self.out.push_str(&operator);
        self.at += length + lazy;
        Ok(())
    }

    fn group(&mut self) -> Result<(), RegexError> {
        self.repetition = None;
        if self.open.len() >= MAX_DEPTH {
            return Err(RegexError::Syntax("expression nests too deeply", self.pattern.to_owned()));
        }
        if !self.rest().starts_with("(?") {
            self.names.push(None);
            self.enter("(", 1);
            return Ok(());
        }
        let named = ["(?P<", "(?<"].into_iter().find(|start| self.rest().starts_with(start));
        match named {
            Some(start) => self.named(start.len()),
            None => self.flags(),
        }
    }

    fn enter(&mut self, text: &str, length: usize) {
        self.open.push(Open { fold: self.fold, weight: self.weight });
        self.weight = 1;
        self.atom = None;
        self.out.push_str(text);
        self.at += length;
    }

    fn named(&mut self, prefix: usize) -> Result<(), RegexError> {
        let rest = self.rest();
        let Some(end) = rest.find('>') else {
            return Err(RegexError::Syntax("invalid named capture", rest.to_owned()));
        };
        let name = &rest[prefix..end];
        if name.is_empty() || !name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) {
            return Err(RegexError::Syntax("invalid named capture", rest[..=end].to_owned()));
        }
        let name = name.to_owned();
        self.names.push(Some(name));
        self.enter("(", end + 1);
        Ok(())
    }

    /// `(?flags)` and `(?flags:`.
    fn flags(&mut self) -> Result<(), RegexError> {
        let rest = self.rest();
        let (mut fold, mut negative, mut since_sign) = (self.fold, false, 0);
        for (at, c) in rest.char_indices().skip(2) {
            let bad = || {
                let text = rest[..at + c.len_utf8()].to_owned();
                RegexError::Syntax("invalid or unsupported Perl syntax", text)
            };
            match c {
                'i' => fold = !negative,
                'm' | 's' | 'U' => {}
                '-' if !negative => (negative, since_sign) = (true, at + 1),
                ':' | ')' if negative && since_sign == at => return Err(bad()),
                ':' => {
                    let text = rest[..=at].to_owned();
                    self.enter(&text, text.len());
                    self.fold = fold;
                    return Ok(());
                }
                ')' => {
                    // `(?)` means nothing; the engine below may not take it.
                    let text = rest[..=at].to_owned();
                    self.out.push_str(if text == "(?)" { "" } else { &text });
                    self.at += text.len();
                    self.fold = fold;
                    return Ok(());
                }
                _ => return Err(bad()),
            }
        }
        Err(RegexError::Syntax("missing closing )", self.pattern.to_owned()).or_perl(rest))
    }

    fn close(&mut self) -> Result<(), RegexError> {
        let Some(open) = self.open.pop() else {
            return Err(RegexError::Syntax("unexpected )", self.pattern.to_owned()));
        };
        self.out.push(')');
        self.at += 1;
        self.fold = open.fold;
        self.atom = Some(self.weight.max(1));
        self.weight = self.weight.max(open.weight);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), RegexError> {
        self.repetition = None;
        match self.rest().chars().nth(1) {
            None => Err(RegexError::Syntax("trailing backslash at end of expression", String::new())),
            Some('Q') => {
                let body = self.rest()[2..].to_owned();
                let (quoted, skipped) = match body.split_once("\\E") {
                    Some((quoted, _)) => (quoted, 4),
                    None => (body.as_str(), 2),
                };
                let end = self.at + quoted.len() + skipped;
                quoted.chars().for_each(|c| self.literal(c, 0));
                self.at = end;
                Ok(())
            }
            Some(anchor @ ('A' | 'z' | 'b' | 'B')) => {
                self.out.extend(['\\', anchor]);
                self.at += 2;
                self.atom = Some(1);
                Ok(())
            }
            Some(letter) => {
                if let Some(class) = class::perl(letter, self.fold) {
                    self.class(&class, 2);
                    return Ok(());
                }
                if let Some((class, length)) = class::property(self.rest(), self.fold)? {
                    self.class(&class, length);
                    return Ok(());
                }
                let (c, length) = class::escaped_char(self.rest())?;
                self.literal(c, length);
                Ok(())
            }
        }
    }
}

impl RegexError {
    /// Go blames an unfinished `(?…` on the whole rest.
    fn or_perl(self, rest: &str) -> Self {
        Self::Syntax("invalid or unsupported Perl syntax", rest.to_owned())
    }
}

/// A number of `{n,m}`; `None`: absurdly large.
type Count = Option<u32>;

/// The counts of `{n}`, `{n,}`, `{n,m}` and their length; `None`: the brace is literal.
fn counts(text: &str) -> Option<(usize, Count, Option<Option<u32>>)> {
    let (body, _) = text.strip_prefix('{')?.split_once('}')?;
    let number = |digits: &str| -> Option<Count> {
        let canonical = digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.is_empty()
            && (digits.len() == 1 || !digits.starts_with('0'));
        canonical.then(|| digits.parse().ok())
    };
    let length = body.len() + 2;
    match body.split_once(',') {
        None => number(body).map(|low| (length, low, Some(None))),
        Some((low, "")) => number(low).map(|low| (length, low, Some(None))),
        Some((low, high)) => {
            let (low, high) = (number(low)?, number(high)?);
            Some((length, low, high.map(Some)))
        }
    }
}
