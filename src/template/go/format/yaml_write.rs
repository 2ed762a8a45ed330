//! YAML as Go's yaml.v2 writes it: block style, two spaces, natural order of keys.

mod order;
mod scalar;

use super::{
    MAX_DEPTH,
    base::{self, Alphabet},
    number,
    time::{self, Time},
    yaml_scalar,
};
use crate::template::go::{
    funcs::FuncError,
    meter,
    object::Object,
    value::{Key, List, Map, Value},
};
use scalar::Style;

/// Base64 of bytes that are not UTF-8 is broken into lines of this length.
const BASE64_LINE: usize = 70;

/// Writes a value, with a final newline.
///
/// # Errors
/// Channels, and values nested absurdly deep.
pub fn write(value: &Value) -> Result<Vec<u8>, FuncError> {
    let mut writer = Writer { out: String::new() };
    writer.node(value, Place::root())?;
    if !writer.out.ends_with('\n') {
        writer.out.push('\n');
    }
    Ok(writer.out.into_bytes())
}

/// Where a node stands.
#[derive(Clone, Copy)]
struct Place {
    /// Columns before a child's first column.
    indent: usize,
    depth: usize,
    /// The value of a mapping's key.
    after_key: bool,
    /// Right behind a dash, a question mark or a long key's colon: a collection starts on this line.
    inline: bool,
    root: bool,
}

impl Place {
    const fn root() -> Self {
        Self { indent: 0, depth: 0, after_key: false, inline: true, root: true }
    }

    /// Directly behind a mark that is two columns wide.
    const fn behind_mark(self, indent: usize) -> Self {
        Self { indent: indent + 2, depth: self.depth + 1, after_key: false, inline: true, root: false }
    }

    const fn value_of_key(self, indent: usize) -> Self {
        Self { indent, depth: self.depth + 1, after_key: true, inline: false, root: false }
    }

    /// Where the lines of a scalar go on.
    const fn scalar_indent(self) -> usize {
        if self.root || self.after_key { self.indent + 2 } else { self.indent }
    }
}

struct Writer {
    out: String,
}

enum Node<'v> {
    Plain(String),
    Text { text: String, tag: bool },
    List(&'v List),
    Map(Vec<(Key, Value)>),
    Fields(&'v Object),
}

impl Writer {
    fn node(&mut self, value: &Value, place: Place) -> Result<(), FuncError> {
        if place.depth > MAX_DEPTH {
            return Err(FuncError::new("the value nests too deeply for YAML"));
        }
        meter::visit(value, self.out.len())?;
        match sort_out(value)? {
            Node::Plain(text) => self.scalar(&text, Style::Plain, place),
            Node::Text { text, tag } => self.text(&text, tag, place),
            Node::List(list) => return self.list(list, place),
            Node::Map(entries) => return self.map(entries, place),
            Node::Fields(object) => return self.fields(object, place),
        }
        Ok(())
    }

    fn text(&mut self, text: &str, tag: bool, place: Place) {
        if tag {
            self.space();
            self.out.push_str("!!binary");
        }
        self.scalar(text, Style::of(text, tag), place);
    }

    /// A blank, unless the line has just begun or a mark was written.
    fn space(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with([' ', '\n']) {
            self.out.push(' ');
        }
    }

    fn scalar(&mut self, text: &str, style: Style, place: Place) {
        self.space();
        scalar::write(&mut self.out, text, style, Some(place.scalar_indent()));
    }

    fn line(&mut self, indent: usize) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    fn list(&mut self, list: &List, place: Place) -> Result<(), FuncError> {
        if list.is_empty() {
            self.scalar("[]", Style::Plain, place);
            return Ok(());
        }
        for (number, item) in list.items().iter().enumerate() {
            if number == 0 && place.inline {
                self.space();
            } else {
                self.line(place.indent);
            }
            self.out.push_str("- ");
            self.node(item, place.behind_mark(place.indent))?;
        }
        Ok(())
    }

    fn fields(&mut self, object: &Object, place: Place) -> Result<(), FuncError> {
        let names = object.of.fields.iter().map(|(name, _)| Key::String(name.to_lowercase().into()));
        let entries: Vec<(Key, Value)> = names.zip(object.fields.iter().cloned()).collect();
        self.entries(&entries, place)
    }

    fn map(&mut self, mut entries: Vec<(Key, Value)>, place: Place) -> Result<(), FuncError> {
        order::sort(&mut entries);
        self.entries(&entries, place)
    }

    fn entries(&mut self, entries: &[(Key, Value)], place: Place) -> Result<(), FuncError> {
        if entries.is_empty() {
            self.scalar("{}", Style::Plain, place);
            return Ok(());
        }
        // Lists under a key keep its indentation, maps move in.
        let indent = if place.after_key { place.indent + 2 } else { place.indent };
        for (number, (key, value)) in entries.iter().enumerate() {
            if number == 0 && place.inline {
                self.space();
            } else {
                self.line(indent);
            }
            self.key(key, indent, place)?;
            let inside = match self.out.ends_with("\n") {
                true => {
                    self.line(indent);
                    self.out.push_str(": ");
                    place.behind_mark(indent)
                }
                false => {
                    self.out.push(':');
                    place.value_of_key(indent)
                }
            };
            self.node(value, inside)?;
        }
        Ok(())
    }

    /// A key; long ones and those of several lines stand alone behind a question mark, and end with a newline.
    fn key(&mut self, key: &Key, indent: usize, place: Place) -> Result<(), FuncError> {
        let value = key.value();
        let (text, style, tag) = match sort_out(&value)? {
            Node::Text { text, tag } => {
                let style = Style::of(&text, tag);
                (text, style, tag)
            }
            Node::Plain(text) => (text, Style::Plain, false),
            _ => (String::new(), Style::Plain, false),
        };
        if text.len() <= 128 && !text.contains(scalar::is_break) {
            if tag {
                self.out.push_str("!!binary ");
            }
            scalar::write(&mut self.out, &text, style, None);
            return Ok(());
        }
        self.out.push_str("? ");
        self.node(&value, place.behind_mark(indent))?;
        self.line(0);
        Ok(())
    }
}

fn sort_out(value: &Value) -> Result<Node<'_>, FuncError> {
    Ok(match value {
        Value::Nil | Value::NilPointer(_) => Node::Plain("null".to_owned()),
        Value::Bool(flag) => Node::Plain(flag.to_string()),
        Value::Int(number) | Value::Int64(number) => Node::Plain(number.to_string()),
        Value::Uint64(number) => Node::Plain(number.to_string()),
        Value::Uint8(number) => Node::Plain(number.to_string()),
        Value::Float(number) => Node::Plain(float(*number)),
        Value::Number(text) => Node::Plain(json_number(&String::from_utf8_lossy(text.as_bytes()))),
        Value::String(text) => match text.as_str() {
            Some(text) => Node::Text { text: text.to_owned(), tag: false },
            None => Node::Text { text: binary(text.as_bytes()), tag: true },
        },
        Value::List(list) => Node::List(list),
        Value::Map(map) => Node::Map(Map::entries(map)),
        Value::Complex(..) => return Err(FuncError::new("cannot marshal type: complex128")),
        Value::Channel(_) => return Err(FuncError::new("cannot marshal type: <-chan int64")),
        Value::Object(object) => match (object.state::<Time>(), object.of.text) {
            (Some(time), _) => Node::Plain(time::rfc3339_nano(time)),
            (None, Some(text)) => {
                let text = text(object);
                Node::Text { text: String::from_utf8_lossy(text.as_bytes()).into_owned(), tag: false }
            }
            (None, None) => Node::Fields(object),
        },
    })
}

fn float(number: f64) -> String {
    if number.is_nan() {
        ".nan".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { ".inf" } else { "-.inf" }.to_owned()
    } else {
        number::general(number)
    }
}

/// A number of an answer: whole when it fits, else a float.
fn json_number(text: &str) -> String {
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(whole), _) => whole.to_string(),
        (_, Ok(number)) => float(number),
        _ => text.to_owned(),
    }
}

fn binary(bytes: &[u8]) -> String {
    let text = base::encode64(bytes, Alphabet::Standard);
    if text.len() <= BASE64_LINE {
        return text;
    }
    let mut out = String::with_capacity(text.len() + text.len() / BASE64_LINE + 1);
    for (index, c) in text.chars().enumerate() {
        if index > 0 && index % BASE64_LINE == 0 {
            out.push('\n');
        }
        out.push(c);
    }
    out.push('\n');
    out
}

/// Whether text stands without quotes.
fn stands_plain(text: &str) -> bool {
    yaml_scalar::reads_as_text(text)
}

#[cfg(test)]
mod tests;
