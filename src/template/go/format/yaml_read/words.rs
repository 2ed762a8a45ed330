//! What Go's reader says where the parser says it in other words, and counts lines in other ways.

use saphyr_parser::ScanError;

use super::places::Refused;
use crate::template::go::funcs::FuncError;

/// What Go's reader says of a character with which nothing begins.
const STRANGE_START: &str = "found character that cannot start any token";

/// The words of the library that the original uses, where the parser says the same in others.
const WORDS: &[(&str, &str)] = &[
    ("expected ',' or ']'", "did not find expected ',' or ']'"),
    ("unexpected character", STRANGE_START),
    ("found a tab", "found a tab character that violates indentation"),
    (
        "a block scalar content cannot start with a tab",
        "found a tab character where an indentation space is expected",
    ),
    ("tab", STRANGE_START),
    ("simple key expect", "could not find expected ':'"),
    ("invalid indentation", "could not find expected ':'"),
    ("invalid trailing content", "did not find expected key"),
    ("misplaced bracket", "did not find expected node content"),
    ("unexpected eof", "found unexpected end of stream"),
    ("did not find expected hexadecimal number", "did not find expected hexdecimal number"),
];

pub(super) fn syntax(error: &ScanError, text: &str) -> FuncError {
    // Its words never quote values, but may say first what it was doing.
    let info = error.info();
    let words =
        info.strip_prefix("while ").and_then(|rest| rest.split_once(", ")).map_or(info, |(_, words)| words);
    if words.contains("unknown anchor") {
        let name = anchor_at(text, error.marker().index());
        return FuncError::quoting(
            format!("yaml: unknown anchor '{name}' referenced"),
            "yaml: unknown anchor",
        );
    }
    let known = WORDS.iter().find(|(theirs, _)| words.starts_with(theirs));
    let words = known.map_or(words, |(_, words)| words);
    // The original counts lines from 0 where its grammar fails, from 1 where its scanner does, and never says 0.
    let last = text.lines().count().max(1);
    let mut line = error.marker().line().clamp(1, last) - 1;
    if words.starts_with("found a tab character") {
        // The parser names the line before it.
        let is_tabbed = |text: &str| text.trim_start_matches(' ').starts_with('\t');
        line += text.lines().skip(line).position(is_tabbed).unwrap_or(0);
    }
    let at_end = error.marker().index() >= text.trim_end().chars().count();
    let grammar = words.starts_with("did not find expected");
    let line = match (line, grammar) {
        (line, true) if at_end => line.max(last),
        (0, _) => 0,
        (line, true) => line,
        (line, false) => line + 1,
    };
    located(line, words)
}

/// The name behind the `*` at a character's place.
pub(super) fn anchor_at(text: &str, at: usize) -> String {
    let rest = text.chars().skip(at).skip_while(|c| *c == '*');
    rest.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-')).collect()
}

pub(super) fn refused(why: Refused) -> FuncError {
    // Lines are counted as in `syntax`.
    let (line, words) = match why {
        Refused::Start(0) => (0, STRANGE_START),
        Refused::Start(line) => (line + 1, STRANGE_START),
        Refused::Colon(line) => (line + 1, "mapping values are not allowed in this context"),
        Refused::NoKey(line) => (line, "did not find expected key"),
    };
    located(line, words)
}

fn located(line: usize, words: &str) -> FuncError {
    let place = if line == 0 { String::new() } else { format!("line {line}: ") };
    FuncError::new(format!("yaml: {place}{words}"))
}
