//! YAML 1.1 read into untyped values, as Go's yaml.v2 reads it: mappings have keys of any simple type.

mod places;
mod words;

use std::{borrow::Cow, collections::BTreeMap};

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use self::{
    places::Places,
    words::{anchor_at, refused, syntax},
};
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
const NEXT_LINE: char = '\u{85}';
/// Blanks that stand for tabs.
const DEEPEST_INDENT: usize = 64;
/// How many bytes may be read once more because of tabs.
const MAX_REREAD: usize = 32 << 20;

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
    if !text.chars().all(is_printable) {
        return Err(FuncError::new("yaml: control characters are not allowed"));
    }
    // YAML 1.1 breaks lines here, too.
    let mut text: Cow<'_, str> =
        if text.contains(NEXT_LINE) { text.replace(NEXT_LINE, "\n").into() } else { text.into() };
    if text.starts_with(['{', '[']) && text.contains('\t') && is_json(&text) {
        // No string of JSON has a bare tab in it.
        text = text.replace('\t', " ").into();
    }
    let mut budget = MAX_REREAD;
    loop {
        let mut reader = Reader::new(&text);
        let read = reader.document();
        match reader.tab {
            Some(at) if budget >= text.len() => {
                budget -= text.len();
                text = without_tabs(&text, at).into();
            }
            _ => return read,
        }
    }
}

fn is_printable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | NEXT_LINE | '\u{a0}'..)
        && !matches!(c, '\u{fffe}' | '\u{ffff}')
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// The text with blanks for the tabs around a place (in characters): enough of them for any indentation, which means
/// nothing where tabs may stand.
fn without_tabs(text: &str, at: usize) -> String {
    let end = text.char_indices().nth(at).map_or(text.len(), |(end, _)| end);
    let (before, after) = text.split_at(end);
    let (before, after) = (before.trim_end_matches(['\t', ' ']), after.trim_start_matches(['\t', ' ']));
    format!("{before}{}{after}", " ".repeat(DEEPEST_INDENT))
}

struct Reader<'t> {
    events: Parser<'t, saphyr_parser::StrInput<'t>>,
    /// Finished nodes by anchor.
    anchors: BTreeMap<usize, Node>,
    /// The whole text.
    text: &'t str,
    /// Nodes so far, aliases expanded.
    nodes: usize,
    /// Where the event just read begins and ends, in characters.
    at: usize,
    end: usize,
    /// The length of a text that does not end in a line break.
    unended: Option<usize>,
    /// The place of tabs that the parser, other than Go's, does not take: after a colon, in brackets, in quotes.
    tab: Option<usize>,
    /// What else it takes, other than Go's.
    places: Places<'t>,
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
    fn new(text: &'t str) -> Self {
        let unended = (!text.ends_with(['\n', '\r'])).then(|| text.chars().count());
        let events = Parser::new_from_str(text);
        Self {
            events,
            anchors: BTreeMap::new(),
            text,
            nodes: 0,
            at: 0,
            end: 0,
            unended,
            tab: None,
            places: Places::new(text),
        }
    }

    fn document(&mut self) -> Result<Value, FuncError> {
        loop {
            match self.next()? {
                Event::StreamEnd => return Ok(Value::Nil),
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
                event => {
                    let node = self.node(event, 0)?;
                    // What follows belongs to it, unless it is another document.
                    return match self.next() {
                        Err(error) if !error.go_text().ends_with("<document start>") => Err(error),
                        _ => Ok(node.value),
                    };
                }
            }
        }
    }

    fn next(&mut self) -> Result<Event<'t>, FuncError> {
        match self.events.next_event() {
            None => Ok(Event::StreamEnd),
            Some(Ok((event, span))) => {
                self.at = span.start.index();
                self.end = span.end.index();
                self.places.see(&event, self.at..self.end).map_err(refused)?;
                Ok(event)
            }
            Some(Err(error)) => {
                let info = error.info();
                if info.starts_with("':' must be followed by a valid YAML whitespace")
                    || info.starts_with("tab cannot be used as indentation")
                    || self.places.in_flow() && info.starts_with("tabs disallowed")
                {
                    self.tab = Some(error.marker().index());
                }
                Err(syntax(&error, self.text))
            }
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
                let text = self.as_ended(&text, style);
                (scalar(text, style, tag.as_deref())?, anchor, merge)
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

    /// A scalar without the line break that the parser gives to a block scalar at the end of a text that has none.
    fn as_ended<'s>(&self, scalar: &'s str, style: ScalarStyle) -> &'s str {
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let Some(shorter) = scalar.strip_suffix('\n') else { return scalar };
        if !block || self.unended != Some(self.end) {
            return scalar;
        }
        let blank = |text: &str| text.bytes().all(|byte| byte == b' ');
        let line = self.text.rsplit(['\n', '\r']).next().unwrap_or_default();
        let tail = shorter.rsplit('\n').next().unwrap_or_default();
        // A line of blanks belongs to the scalar only as far as it is longer than the indentation.
        let content = !blank(line) || (blank(tail) && !tail.is_empty() && tail.len() < line.len());
        if content { shorter } else { scalar }
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
            self.places.is_key(&event).map_err(refused)?;
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
mod tests;
