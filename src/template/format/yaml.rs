//! YAML that readers of version 1.1 and 1.2 understand alike: a text is plain only where nobody can take it for
//! something else.
//!
//! Source: <https://yaml.org/spec/1.2.2/>, <https://yaml.org/type/>.

use super::{FormatError, MAX_DEPTH, Out, below, json, too_deep, utf8};
use crate::vault::value::Value;

pub(super) fn write(data: &Value, out: &mut Out) -> Result<(), FormatError> {
    match data {
        Value::Map(map) if map.is_empty() => out.push_str("{}\n"),
        Value::Map(_) => block("", data, 0, out)?,
        Value::List(items) if !items.is_empty() => block("", data, 0, out)?,
        // One value, for a place inside of a line.
        other => flow_scalar("", other, out)?,
    }
    Ok(())
}

/// The entries of a list or mapping that is not empty, each on lines of its own.
fn block(key: &str, value: &Value, depth: usize, out: &mut Out) -> Result<(), FormatError> {
    if depth > MAX_DEPTH {
        return Err(too_deep(key));
    }
    match value {
        Value::Map(map) => {
            for (name, item) in map.iter() {
                indent(depth, out);
                text(name, out);
                out.push(':');
                entry(&below(key, name), item, depth, out)?;
            }
        }
        Value::List(items) => {
            for (nth, item) in items.iter().enumerate() {
                indent(depth, out);
                out.push('-');
                entry(&format!("{key}[{nth}]"), item, depth, out)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// What stands behind `name:` or `-`.
fn entry(key: &str, value: &Value, depth: usize, out: &mut Out) -> Result<(), FormatError> {
    match value {
        Value::Map(map) if !map.is_empty() => {
            out.push('\n');
            return block(key, value, depth + 1, out);
        }
        Value::List(items) if !items.is_empty() => {
            out.push('\n');
            return block(key, value, depth + 1, out);
        }
        Value::String(string) => {
            let string = utf8(key, string.as_str())?;
            out.push(' ');
            if reads_as_block(string) {
                literal(string, depth + 1, out);
                return Ok(());
            }
            text(string, out);
        }
        other => {
            out.push(' ');
            flow_scalar(key, other, out)?;
        }
    }
    out.push('\n');
    Ok(())
}

fn indent(depth: usize, out: &mut Out) {
    (0..depth).for_each(|_| out.push_str("  "));
}

fn flow_scalar(key: &str, value: &Value, out: &mut Out) -> Result<(), FormatError> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => exponent(utf8(key, number.as_str())?, out),
        Value::String(string) => text(utf8(key, string.as_str())?, out),
        Value::List(_) => out.push_str("[]"),
        Value::Map(_) => out.push_str("{}"),
    }
    Ok(())
}

/// Numbers as they are, but YAML 1.1 wants a point and a sign where there is an exponent.
fn exponent(number: &str, out: &mut Out) {
    let Some((digits, power)) = number.split_once(['e', 'E']) else { return out.push_str(number) };
    out.push_str(digits);
    out.push_str(if digits.contains('.') { "e" } else { ".0e" });
    out.push_str(if power.starts_with(['+', '-']) { "" } else { "+" });
    out.push_str(power);
}

/// A text on one line: plain where it is surely read as text, else in double quotes.
fn text(text: &str, out: &mut Out) {
    if is_plain(text) {
        out.push_str(text);
    } else {
        json::string(text, out);
    }
}

/// Words of YAML 1.1 and 1.2 that are no text, in lower case.
const WORDS: [&str; 14] =
    ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity", "none", "nil"];

fn is_plain(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "_-./@+ ".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '/')
        && text.chars().all(inner)
        && !text.ends_with(' ')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// Whether a text of several lines can be shown as it is.
fn reads_as_block(text: &str) -> bool {
    let printable = |c: char| matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fdcf}');
    text.trim_end_matches('\n').contains('\n')
        && text.chars().all(printable)
        && !text.starts_with([' ', '\n'])
        && text.lines().all(|line| line.is_empty() || !line.trim().is_empty())
}

/// `|` with the lines below it.
fn literal(text: &str, depth: usize, out: &mut Out) {
    let body = text.strip_suffix('\n');
    out.push_str(match body {
        None => "|-",
        Some(body) if body.ends_with('\n') => "|+",
        Some(_) => "|",
    });
    out.push('\n');
    for line in body.unwrap_or(text).split('\n') {
        if !line.is_empty() {
            indent(depth, out);
            out.push_str(line);
        }
        out.push('\n');
    }
}
