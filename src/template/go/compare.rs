//! `eq`, `lt` and their kin: which values compare, and how.

use std::{cmp::Ordering, rc::Rc};

use super::{format::time::Time, funcs::FuncError, printf, value::Value};

/// What an ordering function asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
}

/// The basic kinds that Go compares.
enum Basic<'v> {
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(&'v [u8]),
    Complex,
    Other,
}

fn basic(value: &Value) -> Basic<'_> {
    match value {
        Value::Bool(flag) => Basic::Bool(*flag),
        Value::Int(number) | Value::Int64(number) => Basic::Int(*number),
        Value::Uint64(number) => Basic::Uint(*number),
        Value::Uint8(number) => Basic::Uint(u64::from(*number)),
        Value::Float(number) => Basic::Float(*number),
        Value::Complex(..) => Basic::Complex,
        Value::String(text) | Value::Number(text) => Basic::Text(text.as_bytes()),
        _ => Basic::Other,
    }
}

fn incompatible(a: &Value, b: &Value) -> FuncError {
    FuncError::new(format!("incompatible types for comparison: {} and {}", a.type_name(), b.type_name()))
}

/// Whether `first` equals any of the others.
///
/// # Errors
/// Nothing to compare with, or types that don't compare.
pub fn equal(first: &Value, others: &[Value]) -> Result<bool, FuncError> {
    if others.is_empty() {
        return Err(FuncError::new("missing argument for comparison"));
    }
    for other in others {
        if equal_two(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal_two(a: &Value, b: &Value) -> Result<bool, FuncError> {
    match (basic(a), basic(b)) {
        (Basic::Bool(a), Basic::Bool(b)) => Ok(a == b),
        (Basic::Int(a), Basic::Int(b)) => Ok(a == b),
        (Basic::Uint(a), Basic::Uint(b)) => Ok(a == b),
        #[expect(clippy::float_cmp, reason = "Go compares floats exactly")]
        (Basic::Float(a), Basic::Float(b)) => Ok(a == b),
        (Basic::Complex, Basic::Complex) => Ok(complex_equal(a, b)),
        (Basic::Text(a), Basic::Text(b)) => Ok(a == b),
        (Basic::Int(int), Basic::Uint(uint)) | (Basic::Uint(uint), Basic::Int(int)) => {
            Ok(u64::try_from(int).is_ok_and(|int| int == uint))
        }
        (Basic::Other, Basic::Other) => equal_other(a, b),
        _ if matches!(a, Value::Nil) || matches!(b, Value::Nil) => Ok(false),
        _ => Err(incompatible(a, b)),
    }
}

fn is_nil(value: &Value) -> bool {
    match value {
        Value::Nil | Value::NilPointer(_) => true,
        Value::List(list) => list.is_nil(),
        Value::Map(map) => map.is_nil(),
        _ => false,
    }
}

fn equal_other(a: &Value, b: &Value) -> Result<bool, FuncError> {
    let comparable = a.kind_name() == b.kind_name() || matches!(a, Value::Nil) || matches!(b, Value::Nil);
    if !comparable {
        return Err(FuncError::quoting(
            format!(
                "non-comparable types {}: {}, {}: {}",
                shown(a, "%s")?,
                a.type_name(),
                b.type_name(),
                shown(b, "%v")?
            ),
            format!("the types {} and {} don't compare", a.type_name(), b.type_name()),
        ));
    }
    if is_nil(a) || is_nil(b) {
        return Ok(is_nil(a) == is_nil(b));
    }
    match (a, b) {
        (Value::Object(a), Value::Object(b)) if a.pointer || b.pointer => Ok(Rc::ptr_eq(a, b)),
        (Value::Object(a), Value::Object(b))
            if !a.fields.iter().any(|field| field.kind_name() == "slice") =>
        {
            let times = a.state::<Time>().zip(b.state());
            Ok(times.map_or(Rc::ptr_eq(a, b), |(a, b)| a == b))
        }
        (Value::Channel(a), Value::Channel(b)) => Ok(Rc::ptr_eq(a, b)),
        _ => Err(FuncError::quoting(
            format!("non-comparable type {}: {}", shown(b, "%s")?, b.type_name()),
            format!("non-comparable type {}", b.type_name()),
        )),
    }
}

#[expect(clippy::float_cmp, reason = "Go compares floats exactly")]
fn complex_equal(a: &Value, b: &Value) -> bool {
    matches!((a, b), (Value::Complex(a, b), Value::Complex(c, d)) if a == c && b == d)
}

fn shown(value: &Value, format: &str) -> Result<String, FuncError> {
    let text = printf::sprintf(format.as_bytes(), std::slice::from_ref(value))?;
    Ok(String::from_utf8_lossy(text.as_bytes()).into_owned())
}

/// `lt`, `le`, `gt`, `ge`, with what Go makes of NaN.
///
/// # Errors
/// Types that have no order, or that don't compare.
pub fn less(a: &Value, b: &Value, order: Order) -> Result<bool, FuncError> {
    let invalid = || FuncError::new("invalid type for comparison");
    let result = match (basic(a), basic(b)) {
        (Basic::Other, _) | (_, Basic::Other) => return Err(invalid()),
        (Basic::Bool(_), Basic::Bool(_)) | (Basic::Complex, Basic::Complex) => return Err(invalid()),
        (Basic::Int(a), Basic::Int(b)) => Some(a.cmp(&b)),
        (Basic::Uint(a), Basic::Uint(b)) => Some(a.cmp(&b)),
        (Basic::Float(a), Basic::Float(b)) => a.partial_cmp(&b),
        (Basic::Text(a), Basic::Text(b)) => Some(a.cmp(b)),
        (Basic::Int(a), Basic::Uint(b)) => Some(i128::from(a).cmp(&i128::from(b))),
        (Basic::Uint(a), Basic::Int(b)) => Some(i128::from(a).cmp(&i128::from(b))),
        _ => return Err(incompatible(a, b)),
    };
    // Go defines gt as not le, and ge as not lt, so NaN is greater than everything.
    Ok(match order {
        Order::Less => result == Some(Ordering::Less),
        Order::LessOrEqual => matches!(result, Some(Ordering::Less | Ordering::Equal)),
        Order::Greater => !matches!(result, Some(Ordering::Less | Ordering::Equal)),
        Order::GreaterOrEqual => result != Some(Ordering::Less),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_compare_across_signs_and_nothing_else_across_kinds() {
        assert!(equal(&Value::Int(1), &[Value::Int(2), Value::Uint64(1)]).unwrap());
        assert!(!equal(&Value::Int(-1), &[Value::Uint64(u64::MAX)]).unwrap());
        assert!(less(&Value::Int(-1), &Value::Uint64(0), Order::Less).unwrap());
        assert!(equal(&Value::Int(1), &[Value::Float(1.0)]).is_err());
        assert!(equal(&Value::Number("5".into()), &[Value::text("5")]).unwrap());
        assert!(!equal(&Value::Nil, &[Value::text("")]).unwrap());
        assert!(equal(&Value::Nil, &[Value::Nil]).unwrap());
    }

    #[test]
    fn a_list_compares_with_nil_only_and_its_error_shows_no_items() {
        let list = Value::strings(["hunter2"]);
        assert!(!equal(&list, &[Value::Nil]).unwrap());
        let error = equal(&list, std::slice::from_ref(&list)).unwrap_err();
        assert_eq!(error.go_text(), "non-comparable type [hunter2]: []string");
        assert!(!error.shown().contains("hunter2"));
    }

    #[test]
    fn nan_is_greater_as_in_go() {
        let nan = Value::Float(f64::NAN);
        assert!(less(&nan, &Value::Float(1.0), Order::Greater).unwrap());
        assert!(!less(&nan, &nan, Order::Less).unwrap());
    }
}
