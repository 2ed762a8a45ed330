//! Merging maps into maps as the library behind Sprig and consul-template does it, corner for corner.

use super::FuncError;
use crate::template::go::{
    format::MAX_DEPTH,
    meter,
    value::{Map, Value},
};

/// Merges `from` into `into`, which changes, and gives what holds the result: a nil map becomes a new one.
///
/// Without `over` only what is missing or empty is filled, and nil is never taken over; with it everything is.
///
/// # Errors
/// Maps that nest too deeply, maps with keys of another type, and a map over a pointer.
pub(super) fn merge(into: &Map, from: &Map, over: bool) -> Result<Map, FuncError> {
    let into = match into.is_nil() && !from.is_nil() {
        true => Map::new(into.key, into.elem, [].into()),
        false => into.clone(),
    };
    entries(&into, from, over, 0)?;
    Ok(into)
}

fn entries(into: &Map, from: &Map, over: bool, depth: usize) -> Result<(), FuncError> {
    if depth > MAX_DEPTH {
        return Err(FuncError::new("the maps nest too deeply to be merged"));
    }
    if into.is_nil() || into.same(from) {
        return Ok(());
    }
    if !from.is_empty() && *into.key != *from.key {
        return Err(FuncError::new(format!(
            "reflect.Value.MapIndex: value of type {} is not assignable to type {}",
            from.key, into.key
        )));
    }
    let was_empty = into.is_empty();
    for (key, value) in from.entries() {
        meter::visit(&value, 0)?;
        let existing = into.get(&key);
        if matches!(value, Value::Nil) {
            if over {
                into.insert(key, value);
            }
            continue;
        }
        match (&existing, &value) {
            (Some(Value::Map(inner)), Value::Map(source)) => entries(inner, source, over, depth + 1)?,
            (Some(Value::Object(object)), Value::Map(_)) if object.pointer && !over => {
                return Err(FuncError::new("src and dst must be of same type"));
            }
            (Some(_), Value::List(_)) if over || was_empty => {
                into.insert(key.clone(), value.clone());
            }
            _ => {}
        }
        let filled = existing.as_ref().is_some_and(|existing| !is_empty(existing));
        let stays = filled
            && match (&existing, &value) {
                (_, Value::List(_)) | (Some(Value::Map(_)), Value::Map(_)) => true,
                _ => !over,
            };
        if !stays {
            into.insert(key, value);
        }
    }
    Ok(())
}

/// Whether the library takes a value for missing: nil, zero, empty text, list or map.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(_) | Value::Channel(_) => false,
        other => !other.truth(),
    }
}
