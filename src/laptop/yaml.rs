//! YAML (and so JSON) as a tree that knows the line of every value, for manifests and fixtures.

use std::borrow::Cow;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use thiserror::Error;

/// Most values of a text, aliases expanded.
const MAX_NODES: usize = 200_000;
/// Deepest nesting.
const MAX_DEPTH: usize = 100;

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// What a value is.
#[derive(Clone, PartialEq, Eq)]
pub enum Kind {
    /// A text, a number, a bool or nothing.
    Scalar {
        /// As written, escapes undone.
        text: String,
        /// Without quotes: it may be something else than a text.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in its order; keys are the text of a scalar.
    Map(Vec<(Node, Node)>),
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A fixture holds secrets.
        f.write_str(match self {
            Self::Scalar { .. } => "scalar",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        })
    }
}

/// Why a text is no YAML. Never quotes it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what}")]
pub struct YamlError {
    /// What is wrong.
    pub what: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Node {
    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The entries of a mapping; none for anything else.
    pub fn entries(&self) -> &[(Self, Self)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a sequence; none for anything else.
    pub fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// The value under a key; of equal keys the last one.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().rev().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// The value at the end of a chain of keys.
    pub fn at(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }
}

/// All documents of a text; those with nothing in them are left out.
///
/// # Errors
/// Text that is no YAML, mappings with keys that are no scalars, absurd nesting or aliasing.
pub fn read(text: &str) -> Result<Vec<Node>, YamlError> {
    let text = &*json_as_yaml(text);
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        lines: text.lines().count().max(1),
        anchors: Default::default(),
        nodes: 0,
        place: (1, 1),
    };
    let mut documents = Vec::new();
    loop {
        match reader.next()? {
            Event::StreamEnd => return Ok(documents),
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
            event => {
                let node = reader.node(event, 0)?;
                if node.text() != Some("") {
                    documents.push(node);
                }
            }
        }
    }
}

/// JSON without what YAML does not have: pairs of surrogates (one alone becomes U+FFFD) and tabs between values.
fn json_as_yaml(text: &str) -> Cow<'_, str> {
    let special = text.contains("\\u") || text.contains('\t');
    let begins = text.trim_start().starts_with(['{', '[']);
    if !special || !begins || serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let surrogate = |text: &str| {
            let unit = u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()?;
            (0xd800..0xe000).contains(&unit).then_some(unit)
        };
        let length = match (surrogate(rest), rest.get(6..).and_then(surrogate)) {
            (None, _) => {
                // What is escaped may be a backslash; all that JSON escapes is ASCII.
                out.push_str(rest.get(..2).unwrap_or(rest));
                2
            }
            (Some(first), second) => {
                let pair = char::decode_utf16(std::iter::once(first).chain(second)).next();
                let pair = pair.and_then(Result::ok);
                out.push(pair.unwrap_or(char::REPLACEMENT_CHARACTER));
                if pair.is_some() { 12 } else { 6 }
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out.replace('\t', " ").into()
}

struct Reader<'t> {
    events: Parser<'t, StrInput<'t>>,
    lines: usize,
    /// Finished values by anchor, each with the number of values in it.
    anchors: std::collections::BTreeMap<usize, (Node, usize)>,
    nodes: usize,
    /// Where the last event began.
    place: (u32, u32),
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Event<'t>, YamlError> {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        match self.events.next_event() {
            None => Ok(Event::StreamEnd),
            Some(Ok((event, span))) => {
                self.place = (number(span.start.line()), number(span.start.col() + 1));
                Ok(event)
            }
            Some(Err(error)) => {
                let info = error.info();
                // The parser's words may say first what it was doing.
                let what = info
                    .strip_prefix("while ")
                    .and_then(|rest| rest.split_once(", "))
                    .map_or(info, |(_, what)| what);
                let marker = error.marker();
                Err(YamlError {
                    what: format!("this is no YAML: {what}"),
                    line: number(marker.line().min(self.lines)),
                    column: number(marker.col() + 1),
                })
            }
        }
    }

    fn fail<T>(&self, what: &str) -> Result<T, YamlError> {
        Err(YamlError { what: what.to_owned(), line: self.place.0, column: self.place.1 })
    }

    fn count(&mut self, nodes: usize) -> Result<(), YamlError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES { self.fail("the text has too many values or aliases") } else { Ok(()) }
    }

    fn node(&mut self, event: Event<'t>, depth: usize) -> Result<Node, YamlError> {
        if depth > MAX_DEPTH {
            return self.fail("values nest too deep");
        }
        let (line, column) = self.place;
        let before = self.nodes;
        self.count(1)?;
        let (kind, anchor) = match event {
            Event::Alias(anchor) => {
                let Some((node, weight)) = self.anchors.get(&anchor).cloned() else {
                    return self.fail("an anchor's value contains itself");
                };
                self.count(weight)?;
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                (Kind::Scalar { text: text.into_owned(), plain }, anchor)
            }
            Event::SequenceStart(anchor, _) => (Kind::List(self.list(depth)?), anchor),
            Event::MappingStart(anchor, _) => (Kind::Map(self.map(depth)?), anchor),
            _ => (Kind::Scalar { text: String::new(), plain: true }, 0),
        };
        let node = Node { kind, line, column };
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - before));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd | Event::StreamEnd => return Ok(items),
                event => items.push(self.node(event, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<(Node, Node)>, YamlError> {
        let mut entries = Vec::new();
        let mut merged = Vec::new();
        loop {
            let event = match self.next()? {
                Event::MappingEnd | Event::StreamEnd => break,
                event => event,
            };
            let key = self.node(event, depth + 1)?;
            if key.text().is_none() {
                return self.fail("a key that is a list or a mapping");
            }
            let event = self.next()?;
            let value = self.node(event, depth + 1)?;
            if key.kind == (Kind::Scalar { text: "<<".to_owned(), plain: true }) {
                merged.extend_from_slice(value.entries());
            } else {
                entries.push((key, value));
            }
        }
        // The mapping's own entries count for more than merged ones, and the last of equal keys counts.
        merged.append(&mut entries);
        Ok(merged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_and_places_are_kept() {
        let text = "# first\n---\nkind: Pod\nmetadata:\n  annotations:\n    a: |\n      x\n    b: \"1\"\n---\n---\n[1, 'x']\n";
        let documents = read(text).unwrap();
        assert_eq!(documents.len(), 2);
        let annotations = documents[0].at(&["metadata", "annotations"]).unwrap();
        let value = annotations.get("a").unwrap();
        assert_eq!((value.text(), annotations.entries()[0].0.line), (Some("x\n"), 6));
        let quoted = annotations.get("b").unwrap();
        assert_eq!((quoted.line, quoted.column), (8, 8));
        assert_eq!(quoted.kind, Kind::Scalar { text: "1".into(), plain: false });
        assert_eq!(documents[1].items().len(), 2);
    }

    #[test]
    fn anchors_and_merges_are_followed() {
        let documents = read("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: *x").unwrap();
        let text = |keys: &[&str]| documents[0].at(keys).and_then(Node::text).unwrap_or_default().to_owned();
        assert_eq!(
            (text(&["b", "p"]), text(&["b", "q"]), text(&["c", "q"])),
            ("1".into(), "3".into(), "2".into())
        );
        assert!(read("a: &x [*x]").is_err());
    }

    #[test]
    fn json_is_yaml() {
        let documents = read("{\n\t\"a\": {\"b\": [\"\\u003cx\\/\", 1.50, null]}}\n").unwrap();
        let items = documents[0].at(&["a", "b"]).unwrap().items();
        assert_eq!((items[0].text(), items[1].text()), (Some("<x/"), Some("1.50")));
    }

    #[test]
    fn json_may_hold_what_yaml_does_not_have() {
        let text = r#"{"kv/data/a": {"UNI": "\ud83d\ude00!", "lone": "\ud83d\u0041", "plain": "\\ud83d é\u00e9",
            "n": 12345678901234567890.10}}"#;
        let documents = read(&text.replace(": ", ":\t")).unwrap();
        let found = |key: &str| documents[0].at(&["kv/data/a", key]).and_then(Node::text).unwrap().to_owned();
        assert_eq!(found("UNI"), "😀!");
        assert_eq!(found("lone"), "\u{fffd}A");
        assert_eq!(found("plain"), "\\ud83d éé");
        assert_eq!(found("n"), "12345678901234567890.10");
        assert!(read("{\"a\": \"\\ud83d\\ude00\"").is_err());
    }

    #[test]
    fn broken_and_hostile_texts_are_errors_with_a_place_and_without_a_quote() {
        let error = read("a: 1\nb: [hunter2\n").unwrap_err();
        assert!(error.line >= 2 && !error.what.contains("hunter2"), "{error:?}");
        assert!(read(&"[".repeat(5000)).is_err());
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..12 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(",");
            bomb += &format!("a{level}: &a{level} [{aliases}]\n");
        }
        assert!(read(&bomb).unwrap_err().what.contains("aliases"));
        assert_eq!(read("? [1]\n: x").unwrap_err().what, "a key that is a list or a mapping");
        assert!(!format!("{:?}", read("a: hunter2").unwrap()).contains("hunter2"));
    }
}
