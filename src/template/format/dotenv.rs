//! `KEY=value` lines that a POSIX shell reads back exactly, and the dotenv libraries in all but rare values.
//!
//! Source: there is no standard. The shell, Docker Compose and the libraries for Node, Python, Ruby and Go share bare
//! words, single quotes that keep everything but a backslash in front of the closing one, and double quotes. They
//! differ in what no way of writing makes alike: backslashes in double quotes (Node keeps them all and takes the `\n` in
//! `\\n` for a line break, Python keeps those before `$` and `` ` ``), `\\` in single ones (Python makes one of it),
//! `${X}` in single ones (Python expands it) and carriage returns (Node drops them).

use super::{FormatError, Out, nul_byte, plain, variable};
use crate::vault::value::Value;

const WHAT: &str = "a dotenv file";

pub(super) fn write(data: &Value, out: &mut Out) -> Result<(), FormatError> {
    let Value::Map(map) = data else { return value("", data, out) };
    for (key, item) in map.iter() {
        out.push_str(variable(key, WHAT)?);
        out.push('=');
        value(key, item, out)?;
        out.push('\n');
    }
    Ok(())
}

fn value(key: &str, value: &Value, out: &mut Out) -> Result<(), FormatError> {
    let text = plain(key, value, WHAT)?;
    if text.contains('\0') {
        return Err(nul_byte(key, WHAT));
    }
    quote(&text, out);
    Ok(())
}

fn quote(text: &str, out: &mut Out) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+,-".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        out.push_str(text);
    } else if !text.contains('\'') && !text.ends_with('\\') {
        // Libraries would take a last backslash for one that keeps the quote open, and read on into the next line.
        out.push('\'');
        out.push_str(text);
        out.push('\'');
    } else {
        out.push('"');
        for c in text.chars() {
            if matches!(c, '"' | '\\' | '$' | '`') {
                out.push('\\');
            }
            out.push(c);
        }
        out.push('"');
    }
}
