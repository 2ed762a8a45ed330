//! Values as text: `Sprint`, `Sprintln` and what an action writes.

use super::{
    funcs::FuncError,
    printer::{Flags, Printer},
    value::Value,
};
use crate::vault::value::Text;

/// `%v` of one value.
///
/// # Errors
/// Data that nests too deep or fills more than the limit.
pub fn value(value: &Value) -> Result<Text, FuncError> {
    if let Value::String(text) | Value::Number(text) = value {
        return Ok(text.clone());
    }
    sprint(std::slice::from_ref(value))
}

/// `fmt.Sprint`: a blank between two operands when neither is a string.
///
/// # Errors
/// As [`value`].
pub fn sprint(values: &[Value]) -> Result<Text, FuncError> {
    sprint_as(values, false)
}

/// The same with pointers printed as what they point to, as `html` and its kin print them.
///
/// # Errors
/// As [`value`].
pub fn sprint_dereferenced(values: &[Value]) -> Result<Text, FuncError> {
    sprint_as(values, true)
}

fn sprint_as(values: &[Value], dereferenced: bool) -> Result<Text, FuncError> {
    let mut printer = Printer::default();
    let mut was_string = false;
    for (at, value) in values.iter().enumerate() {
        let is_string = matches!(value, Value::String(_) | Value::Number(_));
        if at > 0 && !is_string && !was_string {
            printer.raw(b" ");
        }
        match value {
            Value::Object(object) if dereferenced && object.pointer => {
                printer.structure(object, Flags::default())?;
            }
            _ => printer.arg(value, 'v', Flags::default())?,
        }
        was_string = is_string;
    }
    Ok(printer.finish())
}

/// `fmt.Sprintln`: blanks everywhere and a newline at the end.
///
/// # Errors
/// As [`value`].
pub fn sprintln(values: &[Value]) -> Result<Text, FuncError> {
    let mut printer = Printer::default();
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            printer.raw(b" ");
        }
        printer.arg(value, 'v', Flags::default())?;
    }
    printer.raw(b"\n");
    Ok(printer.finish())
}

/// What an action writes: `<no value>` for nil, a struct for a pointer to one. `None` for what Go can't print.
///
/// # Errors
/// As [`value`].
pub fn action(of: &Value) -> Result<Option<Text>, FuncError> {
    match of {
        Value::Nil => Ok(Some("<no value>".into())),
        Value::Channel(_) => Ok(None),
        Value::Object(object) if object.pointer => {
            let mut printer = Printer::default();
            printer.structure(object, Flags::default())?;
            Ok(Some(printer.finish()))
        }
        _ => value(of).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::go::value::{Key, Map};

    fn text(of: &Value) -> String {
        String::from_utf8(value(of).unwrap().as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn containers_print_as_go_prints_them() {
        let list = Value::anys(vec![Value::text("a"), Value::Nil, Value::Float(1.0), Value::Bool(true)]);
        let map = Value::dict([("b".into(), list), ("a".into(), Value::Number("1.50".into()))]);
        assert_eq!(text(&map), "map[a:1.50 b:[a <nil> 1 true]]");
        assert_eq!(text(&Value::Nil), "<nil>");
    }

    #[test]
    fn blanks_come_between_operands_that_are_no_strings() {
        let values = [Value::Int(1), Value::Int(2), Value::text("a"), Value::text("b"), Value::Int(3)];
        assert_eq!(sprint(&values).unwrap().as_bytes(), b"1 2ab3");
        assert_eq!(sprintln(&values[1..3]).unwrap().as_bytes(), b"2 a\n");
    }

    #[test]
    fn a_map_that_holds_itself_is_an_error_not_an_overflow() {
        let map = Map::dict([]);
        map.insert(Key::String("self".into()), Value::Map(map.clone()));
        map.insert(Key::String("again".into()), Value::Map(map.clone()));
        let error = value(&Value::Map(map.clone())).unwrap_err();
        assert!(error.shown().contains("nests"), "{error:?}");
        map.remove(&Key::String("self".into()));
        map.remove(&Key::String("again".into()));
    }
}
