//! `export KEY='value'` lines for any POSIX shell.

use super::{FormatError, Out, nul_byte, plain, variable};
use crate::vault::value::Value;

const WHAT: &str = "a shell variable";

pub(super) fn write(data: &Value, out: &mut Out) -> Result<(), FormatError> {
    let Value::Map(map) = data else { return word("", data, out) };
    for (key, item) in map.iter() {
        out.push_str("export ");
        out.push_str(variable(key, WHAT)?);
        out.push('=');
        word(key, item, out)?;
        out.push('\n');
    }
    Ok(())
}

/// One word: nothing is special between single quotes but the quote itself.
fn word(key: &str, value: &Value, out: &mut Out) -> Result<(), FormatError> {
    let text = plain(key, value, WHAT)?;
    if text.contains('\0') {
        return Err(nul_byte(key, WHAT));
    }
    out.push('\'');
    for c in text.chars() {
        if c == '\'' {
            out.push_str("'\\''");
        } else {
            out.push(c);
        }
    }
    out.push('\'');
    Ok(())
}
