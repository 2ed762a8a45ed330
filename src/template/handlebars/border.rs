//! Secret data at the border of the library, which knows only `serde_json::Value`: nothing is lost on the way.
//!
//! `serde_json` keeps numbers as 64 bits (its feature `arbitrary_precision` would change how every other library of
//! the program reads numbers). A number whose text it would change travels as a string that begins with [`NUMBER`],
//! a Unicode noncharacter, which is meant for use inside of a program. Data that holds such characters is escaped.

use std::{borrow::Cow, sync::Arc};

use serde_json::{Map as JsonMap, Number, Value as Json};

use crate::vault::value::{Map, Value};

/// What the library prints for a mapping.
pub(super) const MAPPING: &str = "[object]";

/// Marks a string that is a number.
const NUMBER: char = '\u{fdd0}';
/// Stands before an escaped character of data that is one of ours.
const ESCAPE: char = '\u{fdd1}';

/// Whether a text has a character that only we may use. A template must not.
pub(super) fn is_reserved(text: &str) -> bool {
    text.contains([NUMBER, ESCAPE])
}

/// A text of data as the library sees it. One that looks like what the library prints for a mapping gets a mark, so that
/// only a mapping looks like that.
pub(super) fn encode(text: &str) -> String {
    if text.contains(MAPPING) {
        let (bracket, rest) = MAPPING.split_at(1);
        return marked(text).replace(MAPPING, &format!("{bracket}{ESCAPE}2{rest}"));
    }
    marked(text)
}

fn marked(text: &str) -> String {
    if !is_reserved(text) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            NUMBER => out.extend([ESCAPE, '0']),
            ESCAPE => out.extend([ESCAPE, '1']),
            other => out.push(other),
        }
    }
    out
}

/// A text of the library as it really is: without marks.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    if !is_reserved(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            NUMBER => {}
            ESCAPE => match chars.next() {
                Some('0') => out.push(NUMBER),
                Some('1') => out.push(ESCAPE),
                Some('2') => {}
                other => out.extend(other),
            },
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// A number's own text.
pub(super) fn number(text: &str) -> Json {
    let kept = serde_json::from_str::<Number>(text).ok().filter(|number| number.to_string() == text);
    kept.map_or_else(|| Json::String(format!("{NUMBER}{text}")), Json::Number)
}

/// The text of a number, when this is one.
pub(super) fn number_text(json: &Json) -> Option<Cow<'_, str>> {
    match json {
        Json::Number(number) => Some(Cow::Owned(number.to_string())),
        Json::String(text) => text.strip_prefix(NUMBER).map(Cow::Borrowed),
        _ => None,
    }
}

/// Data for the library. Bytes that are not UTF-8 become U+FFFD; what the server sends is always UTF-8.
pub(super) fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Number(text) => number(&String::from_utf8_lossy(text.as_bytes())),
        Value::String(text) => Json::String(encode(&String::from_utf8_lossy(text.as_bytes()))),
        Value::List(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Map(map) => Json::Object(
            map.iter().map(|(key, item)| (encode(key), to_json(item))).collect::<JsonMap<_, _>>(),
        ),
    }
}

/// Data of the library as a tree of ours.
pub(super) fn from_json(json: &Json) -> Value {
    if let Some(text) = number_text(json) {
        return Value::Number(text.as_ref().into());
    }
    match json {
        Json::Null | Json::Number(_) => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::String(text) => Value::String(decode(text).as_ref().into()),
        Json::Array(items) => Value::List(Arc::new(items.iter().map(from_json).collect())),
        Json::Object(map) => {
            let map: Map =
                map.iter().map(|(key, item)| (decode(key).as_ref().into(), from_json(item))).collect();
            Value::Map(Arc::new(map))
        }
    }
}

/// About how many bytes a text takes besides its own: the least block of memory, and what points to it.
pub(super) const SHORT_TEXT: usize = 64;

/// About how many bytes a value takes.
pub(super) fn weight(json: &Json) -> usize {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) => 32,
        Json::String(text) => SHORT_TEXT + text.len(),
        Json::Array(items) => 32 + items.iter().map(weight).sum::<usize>(),
        Json::Object(map) => 32 + map.iter().map(|(key, item)| 64 + key.len() + weight(item)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_texts_and_keys_come_back_as_they_went() {
        let data = "{\"a\":1.50,\"b\":123456789012345678901234567890,\"c\":[1e5,-0,7,0.1,\"1.50\",null,true],\
                    \"[object]\":\"[[object], \u{fdd1}[object]\",\
                    \"\u{fdd0}k\u{fdd1}\":\"\u{fdd0}1\u{fdd1}0\"}";
        let value = Value::from_json(data).unwrap();
        assert_eq!(from_json(&to_json(&value)), value);
    }

    #[test]
    fn numbers_that_fit_are_numbers_and_others_print_as_they_were() {
        for text in ["7", "-12", "0.1", "18446744073709551615"] {
            assert!(matches!(number(text), Json::Number(_)), "{text}");
        }
        for text in ["1.50", "1e5", "-0", "18446744073709551616", "1E400"] {
            let json = number(text);
            let Json::String(marked) = &json else { panic!("{text}") };
            assert_eq!((&*decode(marked), number_text(&json).as_deref()), (text, Some(text)));
        }
    }
}
