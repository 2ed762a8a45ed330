//! TOML 1.0: values first, then a table for each mapping.
//!
//! Source: <https://toml.io/en/v1.0.0>.

use super::{FormatError, MAX_DEPTH, Out, below, json, null, too_deep, utf8};
use crate::vault::value::{Map, Value};

const WHAT: &str = "TOML";

pub(super) fn write(data: &Value, out: &mut Out) -> Result<(), FormatError> {
    match data {
        Value::Map(map) => table(map, "", "", 0, out),
        other => value("", other, 0, out),
    }
}

/// A table: `header` as TOML writes its name, `key` as messages do.
fn table(map: &Map, header: &str, key: &str, depth: usize, out: &mut Out) -> Result<(), FormatError> {
    if depth > MAX_DEPTH {
        return Err(too_deep(key));
    }
    let (tables, values): (Vec<_>, Vec<_>) = map.iter().partition(|(_, item)| matches!(item, Value::Map(_)));
    // A table of nothing but tables exists by their headers.
    if !header.is_empty() && (!values.is_empty() || tables.is_empty()) {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push('[');
        out.push_str(header);
        out.push_str("]\n");
    }
    for (name, item) in values {
        key_name(name, out);
        out.push_str(" = ");
        value(&below(key, name), item, depth + 1, out)?;
        out.push('\n');
    }
    for (name, item) in tables {
        let Value::Map(inner) = item else { continue };
        let mut full = Out::new(header.to_owned());
        if !full.is_empty() {
            full.push('.');
        }
        key_name(name, &mut full);
        table(inner, &full, &below(key, name), depth + 1, out)?;
    }
    Ok(())
}

fn key_name(name: &str, out: &mut Out) {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) {
        out.push_str(name);
    } else {
        json::string(name, out);
    }
}

fn value(key: &str, of: &Value, depth: usize, out: &mut Out) -> Result<(), FormatError> {
    if depth > MAX_DEPTH {
        return Err(too_deep(key));
    }
    match of {
        Value::Null => return Err(null(key, WHAT)),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(text) => out.push_str(number(key, utf8(key, text.as_str())?)?),
        Value::String(text) => json::string(utf8(key, text.as_str())?, out),
        Value::List(items) => {
            out.push('[');
            for (nth, item) in items.iter().enumerate() {
                out.push_str(if nth > 0 { ", " } else { "" });
                value(&format!("{key}[{nth}]"), item, depth + 1, out)?;
            }
            out.push(']');
        }
        Value::Map(map) if map.is_empty() => out.push_str("{}"),
        Value::Map(map) => {
            for (nth, (name, item)) in map.iter().enumerate() {
                out.push_str(if nth > 0 { ", " } else { "{ " });
                key_name(name, out);
                out.push_str(" = ");
                value(&below(key, name), item, depth + 1, out)?;
            }
            out.push_str(" }");
        }
    }
    Ok(())
}

/// JSON's numbers are TOML's, within 64 bits.
fn number<'t>(key: &str, text: &'t str) -> Result<&'t str, FormatError> {
    let fits = if text.contains(['.', 'e', 'E']) {
        text.parse::<f64>().is_ok_and(f64::is_finite)
    } else {
        text.parse::<i64>().is_ok()
    };
    if fits {
        return Ok(text);
    }
    Err(FormatError::new(key, "is a number that needs more than 64 bits, which TOML can't hold")
        .hint("store it as text"))
}
