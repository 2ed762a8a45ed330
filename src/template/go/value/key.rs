//! Keys of maps, in the order in which Go prints and ranges.

use std::cmp::Ordering;

use super::Value;
use crate::vault::value::Text;

/// A map's key, ordered as Go prints and ranges. Keys of several types (YAML only) are grouped by type.
#[derive(Clone)]
pub enum Key {
    /// `nil` (YAML's `~` as a key).
    Nil,
    /// Bytewise.
    String(Text),
    /// By value.
    Int(i64),
    /// By value.
    Uint64(u64),
    /// NaN first, then by value.
    Float(f64),
    /// `false` first.
    Bool(bool),
}

impl Key {
    /// The key's text, when it is a string.
    pub const fn text(&self) -> Option<&Text> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The key as a value.
    pub fn value(&self) -> Value {
        match self {
            Self::Nil => Value::Nil,
            Self::String(text) => Value::String(text.clone()),
            Self::Int(number) => Value::Int(*number),
            Self::Uint64(number) => Value::Uint64(*number),
            Self::Float(number) => Value::Float(*number),
            Self::Bool(flag) => Value::Bool(*flag),
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Nil => 0,
            Self::String(_) => 1,
            Self::Int(_) => 2,
            Self::Uint64(_) => 3,
            Self::Float(_) => 4,
            Self::Bool(_) => 5,
        }
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::String(a), Self::String(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Uint64(a), Self::Uint64(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => {
                a.partial_cmp(b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
            }
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Key {}
