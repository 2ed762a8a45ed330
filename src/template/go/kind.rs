//! The Go types that a template can tell apart: parameters, results and elements are declared with them.

use std::fmt;

use super::{
    object::StructType,
    value::{List, Map, Value},
};

/// A static Go type.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// `reflect.Value`: a parameter that takes anything, literals included, as the built-in functions do.
    Reflect,
    /// `interface {}`.
    Any,
    /// `bool`.
    Bool,
    /// `int`, 64 bits.
    Int,
    /// `int64`.
    Int64,
    /// `uint64`.
    Uint64,
    /// `uint32`; only as a parameter.
    Uint32,
    /// `uint8`, what indexing a string gives.
    Uint8,
    /// `float64`.
    Float64,
    /// `complex128`.
    Complex128,
    /// `json.Number`: a string type, every number in an answer of Vault.
    Number,
    /// `string`, any bytes.
    String,
    /// `[]T`.
    List(&'static Type),
    /// `map[K]V`.
    Map(&'static Type, &'static Type),
    /// `<-chan int64`, what `loop` gives.
    Channel,
    /// `func(*mergo.Config)`, which no template can give.
    MergeOption,
    /// `*T`.
    Pointer(&'static StructType),
    /// `T`.
    Struct(&'static StructType),
}

impl Type {
    /// `[]interface {}`.
    pub const ANYS: Self = Self::List(&Self::Any);
    /// `[]string`.
    pub const STRINGS: Self = Self::List(&Self::String);
    /// `[]int`.
    pub const INTS: Self = Self::List(&Self::Int);
    /// `map[string]interface {}`.
    pub const DICT: Self = Self::Map(&Self::String, &Self::Any);
    /// `map[string]string`.
    pub const STRING_DICT: Self = Self::Map(&Self::String, &Self::String);
    /// `map[interface {}]interface {}`, what `parseYAML` gives.
    pub const YAML_DICT: Self = Self::Map(&Self::Any, &Self::Any);

    /// Whether a value of this static type sits in an interface.
    pub const fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }

    /// Whether `nil` may stand for a value of this type.
    pub const fn can_be_nil(&self) -> bool {
        matches!(
            self,
            Self::Reflect
                | Self::Any
                | Self::List(_)
                | Self::Map(..)
                | Self::Channel
                | Self::MergeOption
                | Self::Pointer(_)
        )
    }

    /// Go's zero value.
    pub fn zero(&self) -> Value {
        match self {
            Self::Reflect | Self::Any | Self::Struct(_) | Self::Channel | Self::MergeOption => Value::Nil,
            Self::Bool => Value::Bool(false),
            Self::Int => Value::Int(0),
            Self::Int64 => Value::Int64(0),
            Self::Uint64 | Self::Uint32 => Value::Uint64(0),
            Self::Uint8 => Value::Uint8(0),
            Self::Float64 => Value::Float(0.0),
            Self::Complex128 => Value::Complex(0.0, 0.0),
            Self::Number => Value::Number("".into()),
            Self::String => Value::String("".into()),
            Self::List(elem) => Value::List(List::nil(elem)),
            Self::Map(key, elem) => Value::Map(Map::nil(key, elem)),
            Self::Pointer(of) => Value::NilPointer(of),
        }
    }
}

impl PartialEq for Type {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(ka, va), Self::Map(kb, vb)) => ka == kb && va == vb,
            (Self::Pointer(a), Self::Pointer(b)) | (Self::Struct(a), Self::Struct(b)) => a.name == b.name,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reflect => f.write_str("reflect.Value"),
            Self::Any => f.write_str("interface {}"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Int64 => f.write_str("int64"),
            Self::Uint64 => f.write_str("uint64"),
            Self::Uint32 => f.write_str("uint32"),
            Self::Uint8 => f.write_str("uint8"),
            Self::Float64 => f.write_str("float64"),
            Self::Complex128 => f.write_str("complex128"),
            Self::Number => f.write_str("json.Number"),
            Self::String => f.write_str("string"),
            Self::List(elem) => write!(f, "[]{elem}"),
            Self::Map(key, elem) => write!(f, "map[{key}]{elem}"),
            Self::Channel => f.write_str("<-chan int64"),
            Self::MergeOption => f.write_str("func(*mergo.Config)"),
            Self::Pointer(of) => write!(f, "*{}", of.name),
            Self::Struct(of) => f.write_str(of.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_names_that_go_prints() {
        assert_eq!(Type::ANYS.to_string(), "[]interface {}");
        assert_eq!(Type::YAML_DICT.to_string(), "map[interface {}]interface {}");
        assert_eq!(Type::List(&Type::ANYS).to_string(), "[][]interface {}");
    }

    #[test]
    fn types_are_equal_by_structure() {
        assert_eq!(Type::List(&Type::Any), Type::ANYS);
        assert_ne!(Type::STRINGS, Type::ANYS);
        assert_ne!(Type::DICT, Type::STRING_DICT);
    }
}
