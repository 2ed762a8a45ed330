//! What a request says: body fields or query parameters, read as loosely as Vault's framework reads them.

use std::{sync::Arc, time::Duration};

use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::value::RawValue;

use super::answer::Refusal;
use crate::vault::value::{Map, Value};

/// The fields of one request.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Arc<Map>);

impl Fields {
    /// Parses a JSON body; an empty one has no fields.
    pub(super) fn from_body(body: &[u8]) -> Result<Self, Refusal> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let wrong = |what: &str| Err(Refusal::bad(format!("failed to decode JSON input: {what}")));
        let kind = |name: &str| {
            wrong(&format!("json: cannot unmarshal {name} into Go value of type map[string]interface {{}}"))
        };
        let Ok(text) = std::str::from_utf8(body) else { return wrong("invalid UTF-8") };
        match Value::from_json(text) {
            Ok(Value::Map(map)) => Ok(Self(map)),
            Ok(Value::Null) => Ok(Self::default()),
            Ok(Value::List(_)) => kind("array"),
            Ok(Value::String(_)) => kind("string"),
            Ok(Value::Number(_)) => kind("number"),
            Ok(Value::Bool(_)) => kind("bool"),
            Err(error) if error.to_string().contains("too early") => wrong("unexpected EOF"),
            Err(_) => wrong("invalid character looking for beginning of value"),
        }
    }

    /// Fields that the server itself makes.
    pub(super) fn from_map(map: Map) -> Self {
        Self(Arc::new(map))
    }

    /// Query parameters, as strings.
    pub(super) fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let map =
            pairs.into_iter().map(|(key, value)| (key.into(), Value::String(value.into()))).collect::<Map>();
        Self(Arc::new(map))
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| **value != Value::Null)
    }

    pub(super) fn all(&self) -> &Map {
        &self.0
    }

    /// A string, or a number or bool as text; empty when absent.
    pub(super) fn text(&self, key: &str) -> String {
        self.get(key).map(as_text).unwrap_or_default()
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(value) => Some(*value),
            other => match as_text(other).to_ascii_lowercase().as_str() {
                "1" | "t" | "true" => Some(true),
                "0" | "f" | "false" => Some(false),
                _ => None,
            },
        }
    }

    pub(super) fn count(&self, key: &str) -> Result<Option<i64>, Refusal> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| Self::conversion(key, "")),
        }
    }

    /// A span: a number of seconds, or text such as `90s`, `1h30m`.
    pub(super) fn span(&self, key: &str) -> Result<Option<Duration>, Refusal> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => {
                let text = as_text(value);
                let wrong = || Self::conversion(key, &format!(": time: invalid duration {text:?}"));
                parse_span(&text).map(Some).ok_or_else(wrong)
            }
        }
    }

    /// A span in seconds that may be negative; 0 when absent.
    pub(super) fn signed_seconds(&self, key: &str) -> Result<i64, Refusal> {
        match self.get(key).map(as_text).and_then(|text| text.parse().ok()) {
            Some(seconds) => Ok(seconds),
            None => {
                let span = self.span(key)?.unwrap_or_default();
                Ok(i64::try_from(span.as_secs()).unwrap_or(i64::MAX))
            }
        }
    }

    /// A list, or text with commas.
    pub(super) fn list(&self, key: &str) -> Vec<String> {
        match self.get(key) {
            None => Vec::new(),
            Some(Value::List(items)) => items.iter().map(as_text).collect(),
            Some(other) => as_text(other)
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect(),
        }
    }

    pub(super) fn map(&self, key: &str) -> Self {
        match self.get(key) {
            Some(Value::Map(map)) => Self(Arc::clone(map)),
            _ => Self::default(),
        }
    }

    /// These fields and those of `newer`, which win.
    pub(super) fn overlaid(&self, newer: &Self) -> Self {
        let all = self.0.iter().chain(newer.0.iter());
        Self(Arc::new(all.map(|(key, value)| (key.clone(), value.clone())).collect()))
    }

    /// These fields but for the named ones.
    pub(super) fn without(&self, names: &[&str]) -> Self {
        let kept = self.0.iter().filter(|(key, _)| !names.contains(&key.as_ref()));
        Self(Arc::new(kept.map(|(key, value)| (key.clone(), value.clone())).collect()))
    }

    fn conversion(key: &str, why: &str) -> Refusal {
        Refusal::bad(format!("Field validation failed: error converting input for field {key:?}{why}"))
    }
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) | Value::Number(text) => text.as_str().unwrap_or_default().to_owned(),
        Value::Bool(value) => value.to_string(),
        _ => String::new(),
    }
}

/// Go's duration text, or plain seconds; `None` for anything else and for negative spans.
pub(super) fn parse_span(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Duration::ZERO);
    }
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let mut total = 0.0_f64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match rest.get(..letters)? {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            _ => return None,
        };
        total += number * unit;
        rest = rest.get(letters..)?;
    }
    Duration::try_from_secs_f64(total).ok()
}

/// Writes secret data as JSON, numbers with the digits they came with.
pub(super) struct Json<'a>(pub(super) &'a Value);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Number(text) => RawValue::from_string(text.as_str().unwrap_or("0").to_owned())
                .map_err(|_| S::Error::custom("not a number"))?
                .serialize(serializer),
            Value::String(text) => serializer.serialize_str(&String::from_utf8_lossy(text.as_bytes())),
            Value::List(items) => serializer.collect_seq(items.iter().map(Json)),
            Value::Map(map) => JsonMap(map).serialize(serializer),
        }
    }
}

/// Writes a map of secret data as a JSON object.
pub(super) struct JsonMap<'a>(pub(super) &'a Map);

impl Serialize for JsonMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key.as_ref(), Json(value))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_go_reads_them() {
        assert_eq!(parse_span("90"), Some(Duration::from_secs(90)));
        assert_eq!(parse_span("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse_span("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(parse_span("500ms"), Some(Duration::from_millis(500)));
        for wrong in ["h", "1x", "-5s", "1h2"] {
            assert_eq!(parse_span(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn lists_may_be_text_with_commas() {
        let fields = Fields::from_body(br#"{"a":["x","y"],"b":"x, y","c":true,"d":7}"#).unwrap();
        assert_eq!(fields.list("a"), ["x", "y"]);
        assert_eq!(fields.list("b"), ["x", "y"]);
        assert_eq!(fields.flag("c"), Some(true));
        assert_eq!(fields.text("d"), "7");
        assert_eq!(fields.span("d").unwrap(), Some(Duration::from_secs(7)));
    }

    #[test]
    fn written_numbers_keep_their_digits() {
        let text = r#"{"a":1.50,"b":[123456789012345678901,null],"c":"<&>"}"#;
        let value = Value::from_json(text).unwrap();
        assert_eq!(serde_json::to_string(&Json(&value)).unwrap(), text);
    }

    #[test]
    fn a_broken_body_is_refused_without_quoting_it() {
        let refusal = Fields::from_body(b"{\"password\":hunter2}").unwrap_err();
        assert!(!format!("{refusal:?}").contains("hunter2"));
    }
}
