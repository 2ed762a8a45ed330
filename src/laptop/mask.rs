//! Hides the values of secrets in a text that somebody may look over the shoulder at.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::vault::{secret::Secret, value::Value};

/// What stands for a value; always as long, so that it tells nothing.
pub const MASK: &str = "********";
/// Values shorter than this are hidden where they stand as a word only, or every `1` of a text would go.
const SHORT: usize = 4;

/// The values to hide.
#[derive(Default)]
pub struct Mask {
    /// Longest first, so that no value is cut by one that is part of it.
    values: Vec<Zeroizing<String>>,
}

impl Mask {
    /// Hides every text in these answers, each of its lines, and the forms in which functions most often print it:
    /// JSON, Base64 in either direction, the texts of a JSON document. Metadata of KV version 2 is no secret.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        let mut values = BTreeSet::new();
        for secret in secrets {
            if let Some(data) = &secret.data {
                let is_kv2 = data.get("metadata").is_some() && data.get("data").is_some();
                collect(data.get("data").filter(|_| is_kv2).unwrap_or(data), &mut values);
            }
            if let Some(auth) = &secret.auth {
                add(auth.client_token.expose(), &mut values);
            }
            if let Some(wrap) = &secret.wrap_info {
                add(wrap.token.expose(), &mut values);
            }
        }
        let mut values: Vec<Zeroizing<String>> = values.into_iter().map(Zeroizing::new).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self { values }
    }

    /// The text with all values hidden.
    pub fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for value in &self.values {
            if text.contains(value.as_str()) {
                text = hide(&text, value);
            }
        }
        text
    }
}

fn hide(text: &str, value: &str) -> String {
    if value.chars().count() >= SHORT {
        return text.replace(value, MASK);
    }
    let is_word = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in text.match_indices(value) {
        let end = at + value.len();
        let inside = is_word(text[..at].chars().next_back()) || is_word(text[end..].chars().next());
        out.push_str(&text[from..at]);
        out.push_str(if inside { value } else { MASK });
        from = end;
    }
    out.push_str(&text[from..]);
    out
}

fn collect(value: &Value, values: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let text = String::from_utf8_lossy(text.as_bytes());
            add(&text, values);
            if let Ok(inner @ (Value::Map(_) | Value::List(_))) = Value::from_json(&text) {
                collect(&inner, values);
            }
        }
        Value::List(items) => items.iter().for_each(|item| collect(item, values)),
        Value::Map(map) => map.values().for_each(|value| collect(value, values)),
        // A number may be a PIN; as a text it is hidden like any other.
        Value::Number(text) => drop(text.as_str().map(|text| values.insert(text.to_owned()))),
        Value::Null | Value::Bool(_) => {}
    }
}

fn add(text: &str, values: &mut BTreeSet<String>) {
    let mut insert = |text: &str| {
        if !text.trim().is_empty() {
            values.insert(text.to_owned());
        }
    };
    insert(text);
    insert(text.trim());
    if text.trim().contains('\n') {
        text.lines().map(str::trim).filter(|line| line.len() >= SHORT).for_each(&mut insert);
    }
    let json = serde_json::Value::from(text).to_string();
    let json = json.trim_matches('"');
    insert(json);
    insert(&json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"));
    insert(&STANDARD.encode(text));
    if text.len() >= 8
        && let Ok(bytes) = STANDARD.decode(text.trim())
        && let Ok(decoded) = String::from_utf8(bytes)
        && decoded.len() >= SHORT
    {
        insert(decoded.trim());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(data: &str) -> Mask {
        Mask::new([&Secret { data: Some(Value::from_json(data).unwrap()), ..Secret::default() }])
    }

    #[test]
    fn the_longest_value_is_hidden_first_and_every_form_of_it() {
        let mask = mask(r#"{"a":"pass","b":"password<1>","c":"bGV0bWVpbg==","d":"{\"k\":\"inner-one\"}"}"#);
        for (text, hidden) in [
            ("x=password<1>;", "x=********;"),
            ("x=pass;", "x=********;"),
            (r#"{"x":"password\u003c1\u003e"}"#, r#"{"x":"********"}"#),
            ("cGFzcw==", "********"),
            ("letmein", "********"),
            ("k: inner-one", "k: ********"),
        ] {
            assert_eq!(mask.apply(text), hidden);
        }
    }

    #[test]
    fn lines_of_a_certificate_are_hidden_however_they_are_indented() {
        let mask = mask(r#"{"pem":"-----BEGIN X-----\nAAAA\n-----END X-----\n"}"#);
        assert_eq!(
            mask.apply("key: |\n    -----BEGIN X-----\n    AAAA\n"),
            "key: |\n    ********\n    ********\n"
        );
    }

    #[test]
    fn short_values_are_hidden_as_words_only() {
        let mask = mask(r#"{"a":"1","b":5432,"c":""}"#);
        assert_eq!(mask.apply("a=1 b=10 c=5432"), "a=******** b=10 c=********");
    }

    #[test]
    fn metadata_and_truths_are_no_secrets() {
        let mask =
            mask(r#"{"data":{"p":"hunter2","t":true},"metadata":{"created_time":"2026-01-01","version":7}}"#);
        assert_eq!(mask.apply("hunter2 true 2026-01-01 7"), "******** true 2026-01-01 7");
    }
}
