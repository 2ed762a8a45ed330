//! The injector's two default forms, straight from the data: what its default templates print, byte for byte.
//!
//! Nothing is pasted into a template text, so no path can break it. The texts are in `templates/`.

use zeroize::Zeroizing;

use super::{
    Render,
    go::{print, value::Value},
    host::Host,
    oddity::{Oddity, Sign},
};
use crate::{config::template::DefaultForm, secrets::request::SecretRequest, vault::value::Value as Data};

/// Renders one secret in a default form.
pub(super) fn render(form: DefaultForm, host: &mut dyn Host, request: SecretRequest) -> Render {
    let mut render = Render::default();
    match host.secret(&request) {
        None => {
            render.missing.insert(request.clone());
        }
        Some(secret) => {
            let out = &mut render.bytes;
            match form {
                DefaultForm::Map => {
                    lines(secret.data.as_ref(), out);
                    render.oddities = nested(secret.data.as_ref()).into_iter().collect();
                }
                DefaultForm::Json => {
                    json(secret.data.as_ref().unwrap_or(&Data::Null), out);
                    out.push(b'\n');
                }
            }
        }
    }
    render.used.insert(request);
    render
}

/// `key: value` lines; a nested map prints as Go prints it.
fn lines(data: Option<&Data>, out: &mut Zeroizing<Vec<u8>>) {
    let Some(map) = data.and_then(Data::as_map) else { return };
    for (key, value) in map {
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b": ");
        // Secret data nests 128 levels at most, which is less than what printing allows.
        if let Ok(Some(text)) = print::action(&Value::from_data(value)) {
            out.extend_from_slice(text.as_bytes());
        }
        out.push(b'\n');
    }
}

/// The first key that holds a mapping.
fn nested(data: Option<&Data>) -> Option<Oddity> {
    let (key, _) = data.and_then(Data::as_map)?.iter().find(|(_, value)| value.as_map().is_some())?;
    Some(Oddity { sign: Sign::Mapping, line: 0, source: key.to_string() })
}

/// Compact JSON as Go's encoder writes it, with `<`, `>` and `&` escaped.
fn json(data: &Data, out: &mut Zeroizing<Vec<u8>>) {
    match data {
        Data::Null => out.extend_from_slice(b"null"),
        Data::Bool(true) => out.extend_from_slice(b"true"),
        Data::Bool(false) => out.extend_from_slice(b"false"),
        Data::Number(text) => out.extend_from_slice(text.as_bytes()),
        Data::String(text) => json_string(&String::from_utf8_lossy(text.as_bytes()), out),
        Data::List(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                json(item, out);
            }
            out.push(b']');
        }
        Data::Map(map) => {
            out.push(b'{');
            for (at, (key, value)) in map.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                json_string(key, out);
                out.push(b':');
                json(value, out);
            }
            out.push(b'}');
        }
    }
}

fn json_string(text: &str, out: &mut Zeroizing<Vec<u8>>) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes());
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}
