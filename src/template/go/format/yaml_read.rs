//! YAML 1.1 read into untyped values, as Go's yaml.v2 reads it: mappings have keys of any simple type.

use std::{borrow::Cow, collections::BTreeMap};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::{
    MAX_DEPTH,
    base::{self, Alphabet},
    yaml_scalar::{self, Scalar},
};
use crate::template::go::{
    funcs::FuncError,
    kind::Type,
    value::{Key, Map, Value},
};

/// How many nodes a document may have after its aliases are expanded.
const MAX_NODES: usize = 200_000;

/// Reads the first document of a text; nil when there is none.
///
/// # Errors
/// Text that is no YAML, unknown or recursive anchors, keys that are lists or maps, values that do not fit their tag,
/// and documents whose aliases expand absurdly.
pub fn read(text: &[u8]) -> Result<Value, FuncError> {
    let text = std::str::from_utf8(text).map_err(|error| match error.error_len() {
        None => FuncError::new("yaml: incomplete UTF-8 octet sequence"),
        Some(_) => FuncError::new("yaml: invalid leading UTF-8 octet"),
    })?;
    let events = Parser::new_from_str(text);
    let mut reader = Reader { events, anchors: BTreeMap::new(), text, nodes: 0, at: 0 };
    loop {
        match reader.next()? {
            Event::StreamEnd => return Ok(Value::Nil),
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
            event => return Ok(reader.node(event, 0)?.value),
        }
    }
}

struct Reader<'t> {
    events: Parser<'t, saphyr_parser::StrInput<'t>>,
    /// Finished nodes by anchor.
    anchors: BTreeMap<usize, Node>,
    /// The whole text.
    text: &'t str,
    /// Nodes so far, aliases expanded.
    nodes: usize,
    /// Where the event just read begins, in characters.
    at: usize,
}

#[derive(Clone)]
struct Node {
    value: Value,
    /// How many nodes it stands for.
    weight: usize,
    /// A plain `<<`.
    merge: bool,
}

type Tagged<'t> = Option<Cow<'t, Tag>>;

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Event<'t>, FuncError> {
        match self.events.next_event() {
            None => Ok(Event::StreamEnd),
            Some(Ok((event, span))) => {
                self.at = span.start.index();
                Ok(event)
            }
            Some(Err(error)) => Err(syntax(&error, self.text)),
        }
    }

    fn count(&mut self, nodes: usize) -> Result<(), FuncError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(FuncError::new("yaml: document contains excessive aliasing"));
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'t>, depth: usize) -> Result<Node, FuncError> {
        if depth > MAX_DEPTH {
            return Err(FuncError::new("yaml: the document nests too deeply"));
        }
        let before = self.nodes;
        self.count(1)?;
        let (value, anchor, merge) = match event {
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(FuncError::quoting(
                        format!("yaml: anchor '{}' value contains itself", anchor_at(self.text, self.at)),
                        "yaml: an anchor's value contains itself",
                    ));
                };
                self.count(node.weight)?;
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let merge = style == ScalarStyle::Plain && tag.is_none() && text == "<<";
                (scalar(&text, style, tag.as_deref())?, anchor, merge)
            }
            Event::SequenceStart(anchor, _) => (self.sequence(depth)?, anchor, false),
            Event::MappingStart(anchor, tag) => (self.mapping(depth, &tag)?, anchor, false),
            _ => (Value::Nil, 0, false),
        };
        let node = Node { value, weight: self.nodes - before, merge };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn sequence(&mut self, depth: usize) -> Result<Value, FuncError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd | Event::StreamEnd => return Ok(Value::anys(items)),
                event => items.push(self.node(event, depth + 1)?.value),
            }
        }
    }

    fn mapping(&mut self, depth: usize, _: &Tagged<'t>) -> Result<Value, FuncError> {
        let mut entries = BTreeMap::new();
        loop {
            let event = match self.next()? {
                Event::MappingEnd | Event::StreamEnd => {
                    return Ok(Value::Map(Map::new(&Type::Any, &Type::Any, entries)));
                }
                event => event,
            };
            let key = self.node(event, depth + 1)?;
            let event = self.next()?;
            let value = self.node(event, depth + 1)?.value;
            if key.merge {
                merge(&mut entries, &value)?;
            } else {
                entries.insert(as_key(key.value)?, value);
            }
        }
    }
}

/// `<<`: the entries of a mapping, or of several of which the first wins.
fn merge(entries: &mut BTreeMap<Key, Value>, value: &Value) -> Result<(), FuncError> {
    match value {
        Value::Map(map) => entries.extend(map.entries()),
        Value::List(list) if list.items().iter().all(|item| matches!(item, Value::Map(_))) => {
            for item in list.items().iter().rev() {
                if let Value::Map(map) = item {
                    entries.extend(map.entries());
                }
            }
        }
        _ => return Err(FuncError::new("yaml: map merge requires map or sequence of maps as the value")),
    }
    Ok(())
}

fn as_key(value: Value) -> Result<Key, FuncError> {
    Ok(match value {
        Value::Nil => Key::Nil,
        Value::String(text) | Value::Number(text) => Key::String(text),
        Value::Int(number) => Key::Int(number),
        Value::Uint64(number) => Key::Uint64(number),
        Value::Float(number) => Key::Float(number),
        Value::Bool(flag) => Key::Bool(flag),
        _ => return Err(FuncError::new("yaml: invalid map key: a list or a mapping")),
    })
}

/// The words of the library that the original uses, where the parser says the same in others.
const WORDS: &[(&str, &str)] = &[
    ("expected ',' or ']'", "did not find expected ',' or ']'"),
    ("unexpected character", "found character that cannot start any token"),
    ("tab", "found character that cannot start any token"),
    ("simple key expect", "could not find expected ':'"),
    ("invalid indentation", "could not find expected ':'"),
    ("invalid trailing content", "did not find expected key"),
    ("misplaced bracket", "did not find expected node content"),
    ("unexpected eof", "found unexpected end of stream"),
    ("did not find expected hexadecimal number", "did not find expected hexdecimal number"),
];

fn syntax(error: &ScanError, text: &str) -> FuncError {
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
    let line = error.marker().line().clamp(1, last) - 1;
    let at_end = error.marker().index() >= text.trim_end().chars().count();
    let grammar = words.starts_with("did not find expected");
    let line = match (line, grammar) {
        (line, true) if at_end => line.max(last),
        (0, _) => 0,
        (line, true) => line,
        (line, false) => line + 1,
    };
    let place = if line == 0 { String::new() } else { format!("line {line}: ") };
    FuncError::new(format!("yaml: {place}{words}"))
}

/// The name behind the `*` at a character's place.
fn anchor_at(text: &str, at: usize) -> String {
    let rest = text.chars().skip(at).skip_while(|c| *c == '*');
    rest.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-')).collect()
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, FuncError> {
    let core = tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str());
    let plain = style == ScalarStyle::Plain;
    let resolved = match (tag, core) {
        (None, _) if plain => yaml_scalar::resolve(text),
        (None, _) => Scalar::Text,
        (_, Some("int" | "float" | "bool" | "null")) => yaml_scalar::resolve(text),
        (Some(_), _) => Scalar::Text,
    };
    let value = match resolved {
        Scalar::Null => Value::Nil,
        Scalar::Bool(flag) => Value::Bool(flag),
        Scalar::Int(number) => Value::Int(number),
        Scalar::Uint(number) => Value::Uint64(number),
        Scalar::Float(number) => Value::Float(number),
        Scalar::Timestamp | Scalar::Text => Value::text(text),
    };
    match (core, value) {
        (Some("binary"), _) => {
            let bytes = base::decode64(text.as_bytes(), Alphabet::Standard);
            bytes
                .map(Value::text)
                .map_err(|_| FuncError::new("yaml: !!binary value contains invalid base64 data"))
        }
        (Some("float"), Value::Int(number)) => Ok(Value::Float(number as f64)),
        (Some("float"), Value::Uint64(number)) => Ok(Value::Float(number as f64)),
        (Some("int"), value @ (Value::Int(_) | Value::Uint64(_)))
        | (Some("float"), value @ Value::Float(_))
        | (Some("bool"), value @ Value::Bool(_))
        | (Some("null"), value @ Value::Nil) => Ok(value),
        (Some(wanted @ ("int" | "float" | "bool" | "null")), value) => {
            let found = match value {
                Value::Int(_) | Value::Uint64(_) => "int",
                Value::Float(_) => "float",
                Value::Bool(_) => "bool",
                Value::Nil => "null",
                _ => "str",
            };
            Err(FuncError::quoting(
                format!("yaml: cannot decode !!{found} `{text}` as a !!{wanted}"),
                format!("yaml: cannot decode !!{found} as a !!{wanted}"),
            ))
        }
        (_, value) => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::yaml_write, *};

    fn again(text: &str) -> String {
        let value = read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {}", error.go_text()));
        String::from_utf8(yaml_write::write(&value).unwrap()).unwrap()
    }

    fn fails(text: &str) -> String {
        read(text.as_bytes()).err().unwrap_or_else(|| panic!("{text}")).go_text().to_owned()
    }

    #[test]
    fn scalars_and_tags() {
        for (text, out) in [
            ("a: 010", "a: 8\n"),
            ("a: '1'", "a: \"1\"\n"),
            ("a: !!str 1", "a: \"1\"\n"),
            ("a: !!int '5'", "a: 5\n"),
            ("a: !!bool y", "a: true\n"),
            ("a: !!binary aGk=", "a: hi\n"),
            ("a: !foo x", "a: x\n"),
            ("a:", "a: null\n"),
            ("a: 2024-01-02", "a: \"2024-01-02\"\n"),
            ("a: |\n  x\n  y\nb: >\n  x\n  y\nc: |-\n  z", "a: |\n  x\n  y\nb: |\n  x y\nc: z\n"),
            ("x", "x\n"),
            ("# only", "null\n"),
            ("--- a\n--- b", "a\n"),
            ("{1: a, 1.5: b, true: c, ~: d, x: e}", "true: c\n1: a\n1.5: b\nnull: d\nx: e\n"),
        ] {
            assert_eq!(again(text), out, "{text}");
        }
        assert!(matches!(read(b"a: !!float 1").unwrap(), Value::Map(map)
            if matches!(map.get_text("a"), Some(Value::Float(_)))));
    }

    #[test]
    fn anchors_and_merge_keys() {
        assert_eq!(
            again("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\nf: {<<: [*x, {g: 3, b: 7}], h: 9}"),
            "a:\n  b: 1\nc:\n  b: 1\nd:\n  b: 1\n  e: 2\nf:\n  b: 1\n  g: 3\n  h: 9\n"
        );
        assert_eq!(fails("a: {<<: 5}"), "yaml: map merge requires map or sequence of maps as the value");
        assert!(fails("a: *x").contains("anchor"));
        assert!(fails("a: &x [*x]").contains("itself"));
    }

    #[test]
    fn broken_text_is_an_error_with_a_line() {
        assert_eq!(fails("a: ["), "yaml: line 1: did not find expected node content");
        for text in ["a: b: c", "- a\n b: c", "a: 'x", "? [1,2]\n: x", "!!int x"] {
            assert!(fails(text).starts_with("yaml: "), "{}", fails(text));
        }
    }

    #[test]
    fn bombs_and_towers_are_refused() {
        let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..12 {
            let alias = format!("*a{}", level - 1);
            text += &format!("a{level}: &a{level} [{}]\n", vec![alias; 10].join(","));
        }
        assert!(fails(&text).contains("aliasing"));
        assert!(read("[".repeat(5_000).as_bytes()).is_err());
        assert!(read("- ".repeat(5_000).as_bytes()).is_err());
    }
}
