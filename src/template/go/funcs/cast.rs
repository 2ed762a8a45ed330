//! Sprig's loose conversions: anything to a number or a text, failures become zero.

use super::FuncError;
use crate::{
    template::go::{
        format::{MAX_DEPTH, number},
        meter, print,
        value::{List, Map, Value},
    },
    vault::value::Text,
};

/// To a whole number: floats are cut, text is read with `0x`, `0b` and `0` prefixes, everything odd is 0.
pub(super) fn to_int(value: &Value) -> i64 {
    match value {
        Value::Int(number) | Value::Int64(number) => *number,
        Value::Uint64(number) => *number as i64,
        Value::Uint8(number) => i64::from(*number),
        Value::Float(number) => float_to_int(*number),
        Value::Bool(flag) => i64::from(*flag),
        Value::String(text) | Value::Number(text) => {
            text.as_str().map_or(0, |text| number::parse_prefixed(without_zero_fraction(text)).unwrap_or(0))
        }
        _ => 0,
    }
}

/// What does not fit becomes the smallest number, as on Go's usual processor.
fn float_to_int(number: f64) -> i64 {
    // 2^63 is the first float beyond the range.
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

/// `5.00` without its point; anything else as it is.
fn without_zero_fraction(text: &str) -> &str {
    match text.rsplit_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        _ => text,
    }
}

/// To a float; text that is none is 0.
pub(super) fn to_float(value: &Value) -> f64 {
    match value {
        Value::Float(number) => *number,
        Value::Uint64(number) => *number as f64,
        Value::String(text) | Value::Number(text) => {
            text.as_str().map_or(0.0, |text| number::parse_float(text).unwrap_or(0.0))
        }
        other => to_int(other) as f64,
    }
}

/// To text: texts as they are, everything else as Go prints it.
pub(super) fn to_text(value: &Value) -> Result<Text, FuncError> {
    match value {
        Value::Object(object) => match object.of.text {
            Some(text) => Ok(text(object)),
            None => print::value(value),
        },
        other => print::value(other),
    }
}

/// To a list of texts: elements without nil; a single value is a list of one, nil of none.
pub(super) fn to_texts(value: &Value) -> Result<Vec<Text>, FuncError> {
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::List(list) => {
            list.items().iter().filter(|item| !matches!(item, Value::Nil)).map(to_text).collect()
        }
        other => Ok(vec![to_text(other)?]),
    }
}

/// Whether Sprig counts a value as not given: nil, 0, false, and empty texts, lists and maps.
pub(super) fn is_empty(value: &Value) -> bool {
    !value.truth()
}

/// Whether two values are deeply equal, types included, as Go's `reflect.DeepEqual` judges.
///
/// # Errors
/// Values that nest absurdly deep.
pub(super) fn deep_equal(a: &Value, b: &Value, depth: usize) -> Result<bool, FuncError> {
    if depth > MAX_DEPTH {
        return Err(FuncError::new("the values nest too deeply to be compared"));
    }
    meter::visit(a, 0)?;
    Ok(match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) | (Value::Int64(a), Value::Int64(b)) => a == b,
        (Value::Uint64(a), Value::Uint64(b)) => a == b,
        (Value::Uint8(a), Value::Uint8(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Complex(a, b), Value::Complex(c, d)) => a == c && b == d,
        (Value::String(a), Value::String(b)) | (Value::Number(a), Value::Number(b)) => a == b,
        (Value::List(a), Value::List(b)) => lists_equal(a, b, depth)?,
        (Value::Map(a), Value::Map(b)) => maps_equal(a, b, depth)?,
        (Value::NilPointer(a), Value::NilPointer(b)) => a.name == b.name,
        (Value::Object(a), Value::Object(b)) => {
            if std::rc::Rc::ptr_eq(a, b) {
                return Ok(true);
            }
            let text = |object: &crate::template::go::object::Object| object.of.text.map(|text| text(object));
            a.of.name == b.of.name
                && a.pointer == b.pointer
                && text(a).cmp(&text(b)).is_eq()
                && all_equal(&a.fields, &b.fields, depth)?
        }
        _ => false,
    })
}

fn lists_equal(a: &List, b: &List, depth: usize) -> Result<bool, FuncError> {
    Ok(*a.elem == *b.elem && a.is_nil() == b.is_nil() && all_equal(a.items(), b.items(), depth)?)
}

fn all_equal(a: &[Value], b: &[Value], depth: usize) -> Result<bool, FuncError> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (a, b) in a.iter().zip(b) {
        if !deep_equal(a, b, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn maps_equal(a: &Map, b: &Map, depth: usize) -> Result<bool, FuncError> {
    if *a.key != *b.key || *a.elem != *b.elem || a.is_nil() != b.is_nil() || a.len() != b.len() {
        return Ok(false);
    }
    if a.same(b) {
        return Ok(true);
    }
    for ((key, value), (other_key, other)) in a.entries().iter().zip(&b.entries()) {
        if key != other_key || !deep_equal(value, other, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::go::kind::Type;

    #[test]
    fn whole_numbers_come_from_anything() {
        for (text, number) in [
            ("0x1F", 31),
            ("010", 8),
            ("09", 0),
            (" 5 ", 0),
            ("3.9", 0),
            ("3.00", 3),
            ("1e3", 0),
            ("", 0),
            (".0", 0),
        ] {
            assert_eq!(to_int(&Value::text(text)), number, "{text}");
        }
        assert_eq!(to_int(&Value::Float(-1.9)), -1);
        assert_eq!(to_int(&Value::Float(f64::NAN)), i64::MIN);
        assert_eq!(to_int(&Value::Number("1.50".into())), 0);
        assert_eq!(to_int(&Value::Uint64(u64::MAX)), -1);
        assert_eq!(to_int(&Value::anys(vec![])), 0);
        assert_eq!(to_float(&Value::Number("1.50".into())), 1.5);
        assert_eq!(to_float(&Value::Bool(true)), 1.0);
        assert_eq!(to_float(&Value::text("1e999")), 0.0);
    }

    #[test]
    fn texts_of_lists_leave_nil_out() {
        let list = Value::anys(vec![Value::text("a"), Value::Int(1), Value::Nil, Value::Bool(true)]);
        let texts: Vec<Text> = ["a", "1", "true"].map(Text::from).to_vec();
        assert_eq!(to_texts(&list).unwrap(), texts);
        assert_eq!(to_texts(&Value::Nil).unwrap(), []);
        assert_eq!(to_texts(&Value::Int(5)).unwrap(), ["5".into()]);
    }

    #[test]
    fn equality_needs_equal_types() {
        let equal = |a: &Value, b: &Value| deep_equal(a, b, 0).unwrap();
        assert!(equal(&Value::anys(vec![Value::Int(1)]), &Value::anys(vec![Value::Int(1)])));
        assert!(!equal(&Value::Int(1), &Value::Float(1.0)));
        assert!(!equal(&Value::strings(["a"]), &Value::anys(vec![Value::text("a")])));
        assert!(!equal(&Value::List(List::nil(&Type::Any)), &Value::anys(vec![])));
        assert!(equal(
            &Value::dict([("a".into(), Value::Int(1))]),
            &Value::dict([("a".into(), Value::Int(1))])
        ));
        let deep = (0..1000).fold(Value::Nil, |inner, _| Value::anys(vec![inner]));
        let same = (0..1000).fold(Value::Nil, |inner, _| Value::anys(vec![inner]));
        assert!(deep_equal(&deep, &same, 0).is_err());
    }
}
