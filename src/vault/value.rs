//! Secret data as a tree of our own: exact numbers, byte strings, sorted maps, wiped when dropped.
//!
//! `serde_json::Value` would turn `1.50` into `1.5` and leave copies behind.

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// How deep lists and maps may nest; real answers stay below ten.
const MAX_DEPTH: usize = 128;

/// A map of secret data, sorted by key as Go prints and ranges over it.
pub type Map = BTreeMap<Arc<str>, Value>;

/// Secret data. Clones share their contents; the last owner wipes them. No `Display`, and `Debug` shows shapes only.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// JSON `null`.
    Null,
    /// JSON `true` or `false`.
    Bool(bool),
    /// A number, as the text the server sent.
    Number(Text),
    /// A string.
    String(Text),
    /// A list.
    List(Arc<Vec<Value>>),
    /// An object.
    Map(Arc<Map>),
}

/// Bytes that are usually UTF-8, shared and wiped when the last owner goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(Arc<Zeroizing<Vec<u8>>>);

impl Text {
    /// The bytes themselves.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, when it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes)))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.as_bytes().to_vec().into()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool(_) => "[bool]",
            Self::Number(_) => "[number]",
            Self::String(_) => "[string]",
            Self::List(_) => "[list]",
            Self::Map(_) => "[map]",
        })
    }
}

impl Value {
    /// Parses JSON text.
    ///
    /// # Errors
    /// Text that is not one JSON value, or nests deeper than 128 levels. The message never quotes the text.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| scrub(&error))?;
        Self::from_raw(raw.get(), 0)
    }

    /// The string's text, when this is a UTF-8 string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => text.as_str(),
            _ => None,
        }
    }

    /// The map, when this is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value under `key`, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// A number, or a string that holds one, as whole seconds or counts.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Number(text) | Self::String(text) => text.as_str()?.parse().ok(),
            _ => None,
        }
    }

    fn from_raw(raw: &str, depth: usize) -> Result<Self, serde_json::Error> {
        if depth > MAX_DEPTH {
            return Err(serde_json::Error::custom("data nests deeper than 128 levels"));
        }
        match raw.as_bytes().first() {
            Some(b'{') => {
                let fields: BTreeMap<String, &RawValue> =
                    serde_json::from_str(raw).map_err(|error| scrub(&error))?;
                let fields = fields
                    .into_iter()
                    .map(|(key, value)| Ok((key.into(), Self::from_raw(value.get(), depth + 1)?)))
                    .collect::<Result<Map, serde_json::Error>>()?;
                Ok(Self::Map(Arc::new(fields)))
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(raw).map_err(|error| scrub(&error))?;
                let items = items
                    .into_iter()
                    .map(|item| Self::from_raw(item.get(), depth + 1))
                    .collect::<Result<_, _>>()?;
                Ok(Self::List(Arc::new(items)))
            }
            Some(b'"') => {
                let text: String = serde_json::from_str(raw).map_err(|error| scrub(&error))?;
                Ok(Self::String(text.into()))
            }
            Some(b't') => Ok(Self::Bool(true)),
            Some(b'f') => Ok(Self::Bool(false)),
            Some(b'n') => Ok(Self::Null),
            _ => Ok(Self::Number(raw.into())),
        }
    }
}

/// Keeps the kind of a JSON error and drops its words, which can quote the input.
fn scrub(error: &serde_json::Error) -> serde_json::Error {
    serde_json::Error::custom(match error.classify() {
        serde_json::error::Category::Eof => "JSON text ends too early",
        _ => "not valid JSON",
    })
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: Box<RawValue> = Box::deserialize(deserializer)?;
        let text = Zeroizing::new(String::from(Box::<str>::from(raw)));
        Self::from_raw(&text, 0).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_text_and_maps_are_sorted() {
        let value = Value::from_json(r#"{"b":1.50,"a":[true,null,"x"],"c":123456789012345678901}"#).unwrap();
        let map = value.as_map().unwrap();
        assert_eq!(map.keys().map(AsRef::as_ref).collect::<Vec<&str>>(), ["a", "b", "c"]);
        assert_eq!(value.get("b"), Some(&Value::Number("1.50".into())));
        assert_eq!(value.get("c"), Some(&Value::Number("123456789012345678901".into())));
        assert_eq!(
            value.get("a"),
            Some(&Value::List(Arc::new(vec![Value::Bool(true), Value::Null, Value::String("x".into())])))
        );
    }

    #[test]
    fn debug_shows_no_secret_and_errors_quote_nothing() {
        let value = Value::from_json(r#"{"password":"hunter2"}"#).unwrap();
        assert!(!format!("{value:?}").contains("hunter2"));
        let error = Value::from_json(r#"{"password":hunter2}"#).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn absurd_nesting_is_an_error_not_an_overflow() {
        let text = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Value::from_json(&text).is_err());
    }
}
