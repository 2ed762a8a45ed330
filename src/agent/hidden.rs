//! Paths that templates make from the values of other secrets: they are sent, and not shown.
//!
//! A segment is hidden when a value that this render has seen is in it, or it in a value, whatever happened to
//! letters' case and separators in between. What the template's own text says is shown.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use zeroize::Zeroizing;

use crate::vault::{path::VaultPath, secret::Secret, value::Value};

/// Shorter pieces are found in anything.
const TELLING: usize = 4;

/// The path with all that comes from these secrets hidden in messages.
pub(super) fn in_path<'a>(
    path: VaultPath,
    text: &str,
    secrets: impl Iterator<Item = &'a Secret>,
) -> VaultPath {
    let is_plain = |segment: &str| text.contains(segment);
    if path.as_str().split('/').all(is_plain) {
        return path;
    }
    let mut values = Vec::new();
    for data in secrets.filter_map(|secret| secret.data.as_ref()) {
        collect(data, &mut values);
    }
    if values.is_empty() {
        return path;
    }
    path.hiding(|segment| !is_plain(segment) && comes_from(&values, segment))
}

fn comes_from(values: &[Zeroizing<String>], segment: &str) -> bool {
    let segment = bare(segment);
    values.iter().any(|value| {
        *value == segment
            || (segment.len() >= TELLING && value.contains(segment.as_str()))
            || (value.len() >= TELLING && segment.contains(value.as_str()))
    })
}

fn collect(value: &Value, values: &mut Vec<Zeroizing<String>>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(text) | Value::String(text) => {
            let text = text.as_str().unwrap_or_default();
            let decoded = STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text));
            let decoded = Zeroizing::new(decoded.unwrap_or_default());
            let forms = [text, std::str::from_utf8(&decoded).unwrap_or_default()];
            values.extend(forms.into_iter().map(bare).filter(|form| !form.is_empty()));
        }
        Value::List(items) => items.iter().for_each(|item| collect(item, values)),
        Value::Map(map) => map.values().for_each(|item| collect(item, values)),
    }
}

/// Letters and digits alone, in lower case.
fn bare(text: &str) -> Zeroizing<String> {
    let mut bare = Zeroizing::new(String::with_capacity(text.len()));
    bare.extend(text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase));
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_come_from_a_value_are_hidden_and_what_the_template_says_is_not() {
        let data = r#"{"data": {"name": "Hunter-2", "b": "aHVudGVyMy14", "short": "zq", "list": [{"n": 4711}],
            "url": "postgres://own3r@host/db", "common": "the data"}}"#;
        let secret = Secret { data: Some(Value::from_json(data).unwrap()), ..Secret::default() };
        let text = r#"{{ with secret "kv/names" }}{{ with secret (printf "kv/data/%s" .Data.data.name) }}"#;
        let shown = |path: &str| {
            let path = VaultPath::parse(path).unwrap().0;
            in_path(path, text, std::iter::once(&secret)).to_string()
        };
        for (path, expected) in [
            ("kv/data/Hunter-2", "kv/data/[hidden]"),
            ("kv/data/hunter_2", "kv/data/[hidden]"),
            ("kv/data/x-hunter2-y/kv", "kv/data/[hidden]/kv"),
            ("kv/data/hunter3-x", "kv/data/[hidden]"),
            ("kv/data/zq/4711/own3r", "kv/data/[hidden]/[hidden]/[hidden]"),
            ("kv/data/app-prod", "kv/data/app-prod"),
        ] {
            assert_eq!(shown(path), expected, "{path}");
        }
    }
}
