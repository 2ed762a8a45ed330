//! Java properties. Nested data becomes keys like `a.b` and `a[0]`, as Spring binds them.
//!
//! Source: `java.util.Properties.load`. All that is not ASCII is escaped, so the file reads alike as Latin-1 and UTF-8.

use std::collections::BTreeMap;

use super::{FormatError, MAX_DEPTH, Out, below, null, plain, too_deep};
use crate::vault::value::Value;

const WHAT: &str = "a properties file";

pub(super) fn write(data: &Value, out: &mut Out) -> Result<(), FormatError> {
    let Value::Map(map) = data else {
        escape(&plain("", data, WHAT)?, Part::Value, out);
        return Ok(());
    };
    let mut flat = BTreeMap::new();
    for (key, item) in map.iter() {
        flatten(key.to_string(), item, 0, &mut flat)?;
    }
    for (key, text) in &flat {
        escape(key, Part::Key, out);
        out.push('=');
        escape(text, Part::Value, out);
        out.push('\n');
    }
    Ok(())
}

fn flatten(
    key: String,
    value: &Value,
    depth: usize,
    flat: &mut BTreeMap<String, Out>,
) -> Result<(), FormatError> {
    if depth > MAX_DEPTH {
        return Err(too_deep(&key));
    }
    match value {
        Value::Null => return Err(null(&key, WHAT)),
        Value::Map(map) if !map.is_empty() => {
            for (name, item) in map.iter() {
                flatten(below(&key, name), item, depth + 1, flat)?;
            }
        }
        Value::List(items) if !items.is_empty() => {
            for (nth, item) in items.iter().enumerate() {
                flatten(format!("{key}[{nth}]"), item, depth + 1, flat)?;
            }
        }
        scalar => {
            // An empty list or mapping is an empty text for Spring.
            let text = match scalar {
                Value::Map(_) | Value::List(_) => Out::new(String::new()),
                scalar => plain(&key, scalar, WHAT)?,
            };
            if flat.insert(key.clone(), text).is_some() {
                return Err(FormatError::new(&key, "is there twice, by itself and inside of another key"));
            }
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Key,
    Value,
}

fn escape(text: &str, part: Part, out: &mut Out) {
    for (at, c) in text.chars().enumerate() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{c}' => out.push_str("\\f"),
            ' ' if part == Part::Key || at == 0 => out.push_str("\\ "),
            ':' | '=' | '#' | '!' if part == Part::Key => {
                out.push('\\');
                out.push(c);
            }
            ' '..='~' => out.push(c),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            }
        }
    }
}
