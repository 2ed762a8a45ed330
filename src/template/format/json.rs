//! JSON with exact numbers; nothing is escaped that doesn't have to be.

use super::{FormatError, MAX_DEPTH, Out, too_deep, utf8};
use crate::vault::value::Value;

/// How JSON is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// On one line, without blanks.
    Compact,
    /// One entry per line, two blanks per level.
    Pretty,
}

/// Writes a value.
///
/// # Errors
/// Text that is not UTF-8.
pub fn write(value: &Value, layout: Layout, out: &mut Out) -> Result<(), FormatError> {
    at(value, layout, 0, out)
}

fn at(value: &Value, layout: Layout, depth: usize, out: &mut Out) -> Result<(), FormatError> {
    if depth > MAX_DEPTH {
        return Err(too_deep(""));
    }
    let line = |depth: usize, out: &mut Out| {
        if layout == Layout::Pretty {
            out.push('\n');
            (0..depth).for_each(|_| out.push_str("  "));
        }
    };
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(text) => out.push_str(utf8("", text.as_str())?),
        Value::String(text) => string(utf8("", text.as_str())?, out),
        Value::List(items) if items.is_empty() => out.push_str("[]"),
        Value::List(items) => {
            out.push('[');
            for (nth, item) in items.iter().enumerate() {
                out.push_str(if nth > 0 { "," } else { "" });
                line(depth + 1, out);
                at(item, layout, depth + 1, out)?;
            }
            line(depth, out);
            out.push(']');
        }
        Value::Map(map) if map.is_empty() => out.push_str("{}"),
        Value::Map(map) => {
            out.push('{');
            for (nth, (key, item)) in map.iter().enumerate() {
                out.push_str(if nth > 0 { "," } else { "" });
                line(depth + 1, out);
                string(key, out);
                out.push_str(if layout == Layout::Pretty { ": " } else { ":" });
                at(item, layout, depth + 1, out)
                    .map_err(|error| FormatError { key: super::below(key, &error.key), ..error })?;
            }
            line(depth, out);
            out.push('}');
        }
    }
    Ok(())
}

/// A text in double quotes. The escapes are those that YAML and TOML have as well.
pub(super) fn string(text: &str, out: &mut Out) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Not printable in YAML, not allowed in TOML, or taken for a line end by JavaScript.
            '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}
