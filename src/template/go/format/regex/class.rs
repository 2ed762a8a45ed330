//! Character classes of Go's patterns, as plain ranges.

use std::fmt::Write as _;

use super::{RegexError, fold};
use crate::template::go::format::unicode;

/// Characters by ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

const DIGIT: &[(char, char)] = &[('0', '9')];
const SPACE: &[(char, char)] = &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')];
const WORD: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
/// `[[:name:]]`.
const POSIX: &[(&str, &[(char, char)])] = &[
    ("alnum", &[('0', '9'), ('A', 'Z'), ('a', 'z')]),
    ("alpha", &[('A', 'Z'), ('a', 'z')]),
    ("ascii", &[('\0', '\x7f')]),
    ("blank", &[('\t', '\t'), (' ', ' ')]),
    ("cntrl", &[('\0', '\x1f'), ('\x7f', '\x7f')]),
    ("digit", DIGIT),
    ("graph", &[('!', '~')]),
    ("lower", &[('a', 'z')]),
    ("print", &[(' ', '~')]),
    ("punct", &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
    ("space", &[('\t', '\r'), (' ', ' ')]),
    ("upper", &[('A', 'Z')]),
    ("word", WORD),
    ("xdigit", &[('0', '9'), ('A', 'F'), ('a', 'f')]),
];

impl Class {
    /// Adds a range; with `fold` what equals its characters but for the case, too.
    pub(super) fn add(&mut self, low: char, high: char, fold: bool) {
        self.ranges.push((low, high));
        if fold {
            let others = fold::others(low, high).filter(|c| !(low..=high).contains(c));
            self.ranges.extend(others.map(|c| (c, c)));
        }
    }

    /// Adds a named class; what is negated is folded first.
    fn add_all(&mut self, ranges: &[(char, char)], negated: bool, fold: bool) {
        let mut named = Self::default();
        for (low, high) in ranges {
            named.add(*low, *high, fold);
        }
        if negated {
            named.ranges.sort_unstable();
            named.ranges = complement(&named.ranges);
        }
        self.ranges.append(&mut named.ranges);
    }

    pub(super) fn write(&self, out: &mut String) {
        out.push_str(if self.negated { "[^" } else { "[" });
        for (low, high) in &self.ranges {
            write_char(*low, out);
            out.push('-');
            write_char(*high, out);
        }
        out.push(']');
    }
}

/// Writes a character so that it means only itself.
pub(super) fn write_char(c: char, out: &mut String) {
    if c.is_ascii_alphanumeric() || !c.is_ascii() {
        out.push(c);
    } else {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\x{{{:x}}}", u32::from(c));
    }
}

/// All other characters; the ranges are in order and may overlap.
fn complement(ranges: &[(char, char)]) -> Vec<(char, char)> {
    let mut out = Vec::new();
    let mut next = Some('\0');
    for (low, high) in ranges {
        let Some(start) = next else { break };
        if let Some(end) = before(*low)
            && start <= end
        {
            out.push((start, end));
        }
        next = after(*high).map(|after| after.max(start));
    }
    if let Some(start) = next {
        out.push((start, char::MAX));
    }
    out
}

fn before(c: char) -> Option<char> {
    ('\0'..c).next_back()
}

fn after(c: char) -> Option<char> {
    (c..=char::MAX).nth(1)
}

fn named(ranges: &[(char, char)], negated: bool, fold: bool) -> Class {
    let mut class = Class { negated, ..Class::default() };
    class.add_all(ranges, false, fold);
    class
}

/// `\d` and its kin.
pub(super) fn perl(letter: char, fold: bool) -> Option<Class> {
    let ranges = match letter.to_ascii_lowercase() {
        'd' => DIGIT,
        's' => SPACE,
        'w' => WORD,
        _ => return None,
    };
    Some(named(ranges, letter.is_ascii_uppercase(), fold))
}

/// `\pL`, `\p{Greek}`, `\P{^Lu}` at the start of `text`, and its length; `None`: something else.
pub(super) fn property(text: &str, fold: bool) -> Result<Option<(Class, usize)>, RegexError> {
    let Some(rest) = text.strip_prefix("\\p").or_else(|| text.strip_prefix("\\P")) else { return Ok(None) };
    let unknown =
        |length: usize| RegexError::Syntax("invalid character class range", text[..length].to_owned());
    let (name, length) = match rest.strip_prefix('{') {
        Some(braced) => {
            let (name, _) = braced.split_once('}').ok_or_else(|| unknown(text.len()))?;
            (name, name.len() + 4)
        }
        None => match rest.chars().next() {
            Some(c) => (&rest[..c.len_utf8()], 2 + c.len_utf8()),
            None => return Ok(None),
        },
    };
    let mut negated = text.starts_with("\\P");
    let name = name.strip_prefix('^').inspect(|_| negated = !negated).unwrap_or(name);
    let ranges = unicode::class(name).ok_or_else(|| unknown(length))?;
    Ok(Some((named(&ranges, negated, fold), length)))
}

/// A bracketed class at the start of `text`, and its length.
pub(super) fn parse(text: &str, fold: bool) -> Result<(Class, usize), RegexError> {
    let mut class = Class::default();
    let mut at = 1;
    if text[at..].starts_with('^') {
        class.negated = true;
        at += 1;
    }
    let unclosed = || RegexError::Syntax("missing closing ]", text.to_owned());
    let mut first = true;
    loop {
        let rest = &text[at..];
        if rest.is_empty() {
            return Err(unclosed());
        }
        if rest.starts_with(']') && !first {
            return Ok((class, at + 1));
        }
        first = false;
        if let Some(length) = posix(rest, fold, &mut class)? {
            at += length;
            continue;
        }
        if let Some((named, length)) = property(rest, fold)? {
            class.add_all(&named.ranges, named.negated, false);
            at += length;
            continue;
        }
        if let Some(shorthand) = rest.strip_prefix('\\').and_then(|rest| perl(rest.chars().next()?, fold)) {
            class.add_all(&shorthand.ranges, shorthand.negated, false);
            at += 2;
            continue;
        }
        at += range(rest, text, fold, &mut class)?;
    }
}

/// One character or `a-z`; the length read.
fn range(rest: &str, whole: &str, fold: bool, class: &mut Class) -> Result<usize, RegexError> {
    let (low, mut length) = class_char(rest, whole)?;
    let mut high = low;
    if let Some(after) = rest[length..].strip_prefix('-')
        && !after.is_empty()
        && !after.starts_with(']')
    {
        let (end, more) = class_char(after, whole)?;
        high = end;
        length += 1 + more;
        if high < low {
            return Err(RegexError::Syntax("invalid character class range", rest[..length].to_owned()));
        }
    }
    class.add(low, high, fold);
    Ok(length)
}

fn class_char(rest: &str, whole: &str) -> Result<(char, usize), RegexError> {
    match rest.chars().next() {
        None => Err(RegexError::Syntax("missing closing ]", whole.to_owned())),
        Some('\\') => escaped_char(rest),
        Some(c) => Ok((c, c.len_utf8())),
    }
}

/// `[:name:]` or `[:^name:]`; `None`: not one.
fn posix(rest: &str, fold: bool, class: &mut Class) -> Result<Option<usize>, RegexError> {
    let Some((body, _)) = rest.strip_prefix("[:").and_then(|rest| rest.split_once(":]")) else {
        return Ok(None);
    };
    let length = body.len() + 4;
    let (negated, name) = body.strip_prefix('^').map_or((false, body), |name| (true, name));
    let Some((_, ranges)) = POSIX.iter().find(|(known, _)| *known == name) else {
        return Err(RegexError::Syntax("invalid character class range", rest[..length].to_owned()));
    };
    class.add_all(ranges, negated, fold);
    Ok(Some(length))
}

/// The character that a backslash and what follows stand for, and their length.
pub(super) fn escaped_char(text: &str) -> Result<(char, usize), RegexError> {
    let invalid = |length: usize| {
        let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).find(|end| *end >= length);
        RegexError::Syntax("invalid escape sequence", text[..end.unwrap_or(text.len())].to_owned())
    };
    let Some(letter) = text.chars().nth(1) else {
        return Err(RegexError::Syntax("trailing backslash at end of expression", String::new()));
    };
    let simple = |c| Ok((c, 2));
    match letter {
        'a' => simple('\x07'),
        'f' => simple('\x0c'),
        't' => simple('\t'),
        'n' => simple('\n'),
        'r' => simple('\r'),
        'v' => simple('\x0b'),
        'x' => hex(text).ok_or_else(|| invalid(bad_hex(text))),
        '0'..='7' => octal(text).ok_or_else(|| invalid(2)),
        other if other.is_ascii() && !other.is_ascii_alphanumeric() => simple(other),
        _ => Err(invalid(2)),
    }
}

/// `\x41` or `\x{1F4A9}`.
fn hex(text: &str) -> Option<(char, usize)> {
    let body = &text[2..];
    let (digits, length) = match body.strip_prefix('{') {
        Some(braced) => {
            let (digits, _) = braced.split_once('}')?;
            (digits, digits.len() + 4)
        }
        None => (body.get(..2)?, 4),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    char::from_u32(u32::from_str_radix(digits, 16).ok()?).map(|c| (c, length))
}

/// How much of a bad `\x{…` Go blames: up to the first character that is no digit.
fn bad_hex(text: &str) -> usize {
    match text.strip_prefix("\\x{") {
        Some(body) => 3 + body.find(|c: char| !c.is_ascii_hexdigit()).map_or(body.len(), |at| at + 1),
        None => 4,
    }
}

/// `\0`, `\012`, `\123`; a single digit other than 0 would be a back-reference.
fn octal(text: &str) -> Option<(char, usize)> {
    let digits: String = text[1..].chars().take(3).take_while(|c| c.is_digit(8)).collect();
    if digits.len() == 1 && digits != "0" {
        return None;
    }
    char::from_u32(u32::from_str_radix(&digits, 8).ok()?).map(|c| (c, 1 + digits.len()))
}
