//! JSON as Go's `encoding/json` writes it: sorted keys, optional HTML escapes, numbers of answers verbatim.

use super::{
    MAX_DEPTH,
    bytes::utf8_pieces,
    number,
    time::{self, Time},
};
use crate::template::go::{
    funcs::FuncError,
    kind::Type,
    meter,
    object::Object,
    value::{List, Map, Value},
};

/// How JSON is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// `<`, `>` and `&` as `\u003c` and so on.
    pub html: bool,
    /// Two spaces per level instead of one line.
    pub pretty: bool,
}

/// Writes a value.
///
/// # Errors
/// Floats that are not finite, maps whose keys are not strings, channels, and values nested absurdly deep.
pub fn write(value: &Value, style: Style) -> Result<Vec<u8>, FuncError> {
    let mut writer = Writer { style, out: Vec::new() };
    writer.value(value, 0)?;
    meter::fits(writer.out.len())?;
    Ok(writer.out)
}

struct Writer {
    style: Style,
    out: Vec<u8>,
}

fn unsupported(of: &Type) -> FuncError {
    FuncError::new(format!("json: unsupported type: {of}"))
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), FuncError> {
        if depth > MAX_DEPTH {
            return Err(FuncError::new("json: unsupported value: nested too deeply"));
        }
        meter::visit(value, self.out.len())?;
        match value {
            Value::Nil | Value::NilPointer(_) => self.plain("null"),
            Value::Bool(flag) => self.plain(if *flag { "true" } else { "false" }),
            Value::Int(number) | Value::Int64(number) => self.plain(&number.to_string()),
            Value::Uint64(number) => self.plain(&number.to_string()),
            Value::Uint8(number) => self.plain(&number.to_string()),
            Value::Float(number) => {
                let text = number::json(*number).ok_or_else(|| {
                    FuncError::new(format!("json: unsupported value: {}", number::general(*number)))
                })?;
                self.plain(&text);
            }
            Value::Number(text) if text.as_bytes().is_empty() => self.plain("0"),
            Value::Number(text) => self.out.extend_from_slice(text.as_bytes()),
            Value::String(text) => self.string(text.as_bytes()),
            Value::List(list) => self.list(list, depth)?,
            Value::Map(map) => self.map(map, depth)?,
            Value::Complex(..) => return Err(unsupported(&Type::Complex128)),
            Value::Channel(_) => return Err(unsupported(&Type::Channel)),
            Value::Object(object) => self.object(object, depth)?,
        }
        Ok(())
    }

    fn plain(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn list(&mut self, list: &List, depth: usize) -> Result<(), FuncError> {
        if list.is_nil() {
            self.plain("null");
            return Ok(());
        }
        self.group(b"[]", list.len(), depth, |writer, at| {
            list.items().get(at).map_or(Ok(()), |item| writer.value(item, depth + 1))
        })
    }

    fn map(&mut self, map: &Map, depth: usize) -> Result<(), FuncError> {
        if *map.key != Type::String {
            return Err(unsupported(&Type::Map(map.key, map.elem)));
        }
        if map.is_nil() {
            self.plain("null");
            return Ok(());
        }
        let entries = map.entries();
        self.group(b"{}", entries.len(), depth, |writer, at| {
            let Some((key, value)) = entries.get(at) else { return Ok(()) };
            writer.key(key.text().map_or(&[], |text| text.as_bytes()));
            writer.value(value, depth + 1)
        })
    }

    fn object(&mut self, object: &Object, depth: usize) -> Result<(), FuncError> {
        if let Some(time) = object.state::<Time>() {
            self.string(time::rfc3339_nano(time).as_bytes());
            return Ok(());
        }
        if let Some(text) = object.of.text {
            self.string(text(object).as_bytes());
            return Ok(());
        }
        self.group(b"{}", object.of.fields.len(), depth, |writer, at| {
            let (Some((name, _)), Some(value)) = (object.of.fields.get(at), object.fields.get(at)) else {
                return Ok(());
            };
            writer.key(name.as_bytes());
            writer.value(value, depth + 1)
        })
    }

    fn key(&mut self, key: &[u8]) {
        self.string(key);
        self.plain(if self.style.pretty { ": " } else { ":" });
    }

    fn group(
        &mut self,
        ends: &[u8; 2],
        count: usize,
        depth: usize,
        mut item: impl FnMut(&mut Self, usize) -> Result<(), FuncError>,
    ) -> Result<(), FuncError> {
        self.out.push(ends[0]);
        for at in 0..count {
            if at > 0 {
                self.out.push(b',');
            }
            self.line(depth + 1);
            item(self, at)?;
        }
        if count > 0 {
            self.line(depth);
        }
        self.out.push(ends[1]);
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if self.style.pretty {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + 2 * depth, b' ');
        }
    }

    fn string(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        for piece in utf8_pieces(bytes) {
            match piece {
                // Escapes are longer than what they stand for; too long a text is refused at the end.
                Ok(text) => text.chars().for_each(|c| {
                    if self.out.len() <= meter::MAX_TEXT {
                        self.character(c);
                    }
                }),
                Err(_) => self.plain("\\ufffd"),
            }
        }
        self.out.push(b'"');
    }

    fn character(&mut self, c: char) {
        let html = self.style.html && matches!(c, '<' | '>' | '&');
        match c {
            '"' => self.plain("\\\""),
            '\\' => self.plain("\\\\"),
            '\n' => self.plain("\\n"),
            '\r' => self.plain("\\r"),
            '\t' => self.plain("\\t"),
            '\x08' => self.plain("\\b"),
            '\x0c' => self.plain("\\f"),
            '\0'..='\x1f' | '\u{2028}' | '\u{2029}' => self.plain(&format!("\\u{:04x}", u32::from(c))),
            _ if html => self.plain(&format!("\\u{:04x}", u32::from(c))),
            _ => self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPACT: Style = Style { html: true, pretty: false };

    fn text(value: &Value, style: Style) -> String {
        String::from_utf8(write(value, style).unwrap()).unwrap()
    }

    #[test]
    fn strings_are_escaped_as_go_escapes_them() {
        let value = Value::text("a<b>&\"\\\n\t\u{8}\u{c}\u{1}é\u{2028}💩\u{7f}");
        assert_eq!(
            text(&value, COMPACT),
            "\"a\\u003cb\\u003e\\u0026\\\"\\\\\\n\\t\\b\\f\\u0001é\\u2028💩\u{7f}\""
        );
        assert_eq!(text(&Value::text("<&>"), Style { html: false, pretty: false }), "\"<&>\"");
        assert_eq!(text(&Value::text(vec![0xff, b'a']), COMPACT), "\"\\ufffda\"");
    }

    #[test]
    fn structure_follows_go() {
        let value = Value::dict([
            ("n".into(), Value::Number("1.50".into())),
            ("e".into(), Value::dict([])),
            ("l".into(), Value::anys(vec![Value::Int(1), Value::Nil])),
            ("z".into(), Value::List(List::nil(&Type::String))),
        ]);
        assert_eq!(text(&value, COMPACT), r#"{"e":{},"l":[1,null],"n":1.50,"z":null}"#);
        assert_eq!(
            text(&value, Style { html: true, pretty: true }),
            "{\n  \"e\": {},\n  \"l\": [\n    1,\n    null\n  ],\n  \"n\": 1.50,\n  \"z\": null\n}"
        );
    }

    #[test]
    fn what_json_cannot_hold_is_an_error() {
        let yaml = Value::Map(Map::new(&Type::Any, &Type::Any, std::collections::BTreeMap::new()));
        let words = |value| write(&value, COMPACT).unwrap_err().go_text().to_owned();
        assert_eq!(words(yaml), "json: unsupported type: map[interface {}]interface {}");
        assert_eq!(words(Value::Float(f64::INFINITY)), "json: unsupported value: +Inf");
        let own = Map::dict([]);
        own.insert(crate::template::go::value::Key::String("self".into()), Value::Map(own.clone()));
        assert!(words(Value::Map(own.clone())).contains("deep"));
        own.remove(&crate::template::go::value::Key::String("self".into()));
    }
}
