//! Consul-template's functions on lists and maps: membership, explodeMap, merging.

use super::{Args, Func, FuncError};
use crate::template::go::{
    ctx::Ctx,
    format::{MAX_DEPTH, bytes},
    kind::Type,
    value::{Key, Map, Value},
};

const DICTS: &[Type] = &[Type::DICT, Type::DICT];
const NEEDLES: &[Type] = &[Type::ANYS, Type::Any];

pub(super) const FUNCS: &[Func] = &[
    Func::new(
        "in",
        &[Type::Any, Type::Any],
        Type::Bool,
        "whether a list or text holds a value",
        |_, args| contains(args.get(0), args.get(1)).map(Value::Bool),
    ),
    Func::new(
        "contains",
        &[Type::Any, Type::Any],
        Type::Bool,
        "whether a value is in a list or text, the value first",
        |_, args| contains(args.get(1), args.get(0)).map(Value::Bool),
    ),
    Func::new("containsAll", NEEDLES, Type::Bool, "whether a list holds all values of another", |_, args| {
        count(&args, |found, all| found == all)
    }),
    Func::new("containsAny", NEEDLES, Type::Bool, "whether a list holds any value of another", |_, args| {
        count(&args, |found, _| found > 0)
    }),
    Func::new("containsNone", NEEDLES, Type::Bool, "whether a list holds no value of another", |_, args| {
        count(&args, |found, _| found == 0)
    }),
    Func::new("containsNotAll", NEEDLES, Type::Bool, "whether a list lacks a value of another", |_, args| {
        count(&args, |found, all| found < all)
    }),
    Func::new("explodeMap", &[Type::DICT], Type::DICT, "nested maps from keys with slashes", explode_map),
    Func::new("mergeMap", DICTS, Type::DICT, "adds what the first map lacks from the second", |_, args| {
        merge(&args.map(0), &args.map(1), false, 0)?;
        Ok(args.get(0).clone())
    }),
    Func::new(
        "mergeMapWithOverride",
        DICTS,
        Type::DICT,
        "merges two maps; the second one wins",
        |_, args| {
            merge(&args.map(0), &args.map(1), true, 0)?;
            Ok(args.get(0).clone())
        },
    ),
];

fn count(args: &Args, judge: fn(usize, usize) -> bool) -> Result<Value, FuncError> {
    let needles = args.list(0);
    let mut found = 0;
    for needle in needles.items() {
        found += usize::from(contains(args.get(1), needle)?);
    }
    Ok(Value::Bool(judge(found, needles.len())))
}

fn contains(hay: &Value, needle: &Value) -> Result<bool, FuncError> {
    match (hay, needle) {
        (Value::List(list), _) => Ok(list.items().iter().any(|item| same(item, needle))),
        (Value::String(_) | Value::Number(_), Value::Nil) => {
            // What Go's reflection says to a nil needle.
            Err(FuncError::new("reflect: call of reflect.Value.Type on zero Value"))
        }
        (Value::String(hay), Value::String(needle)) | (Value::Number(hay), Value::Number(needle)) => {
            Ok(bytes::find(hay.as_bytes(), needle.as_bytes()).is_some())
        }
        _ => Ok(false),
    }
}

/// Equality as the original has it: numbers of one family, texts of one type, nothing else.
fn same(item: &Value, needle: &Value) -> bool {
    match (item, needle) {
        (Value::Int(a) | Value::Int64(a), Value::Int(b) | Value::Int64(b)) => a == b,
        (Value::Uint64(a), Value::Uint64(b)) => a == b,
        (Value::Uint8(a), Value::Uint8(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::String(a), Value::String(b)) | (Value::Number(a), Value::Number(b)) => a == b,
        _ => false,
    }
}

fn explode_map(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let root = Map::dict([]);
    for (key, value) in args.map(0).entries() {
        let Some(path) = key.text() else { continue };
        ctx.charge(path.as_bytes().len() * 16)?;
        let parts: Vec<&[u8]> = path.as_bytes().split(|byte| *byte == b'/').collect();
        if parts.len() > MAX_DEPTH {
            return Err(FuncError::new("explodeMap: a key has too many slashes"));
        }
        explode(&root, &parts, value, path.as_bytes())?;
    }
    Ok(Value::Map(root))
}

/// Puts a value at a path of maps; a trailing empty part leaves an empty map.
fn explode(root: &Map, parts: &[&[u8]], value: Value, path: &[u8]) -> Result<(), FuncError> {
    let Some((last, parents)) = parts.split_last() else { return Ok(()) };
    let mut map = root.clone();
    for part in parents {
        let key = Key::String(part.to_vec().into());
        map = match map.get(&key) {
            None => {
                let child = Map::dict([]);
                map.insert(key, Value::Map(child.clone()));
                child
            }
            Some(Value::Map(child)) if *child.key == Type::String && child.elem.is_any() => child,
            Some(_) => {
                let (path, part) = (String::from_utf8_lossy(path), String::from_utf8_lossy(part));
                return Err(FuncError::quoting(
                    format!("explodeMap: not a map: {path:?}: {part:?} already has value"),
                    "explodeMap: a key is both a value and a map",
                ));
            }
        };
    }
    if !last.is_empty() || parents.is_empty() {
        map.insert(Key::String(last.to_vec().into()), value);
    }
    Ok(())
}

/// Whether a merge treats a value as missing: nil, zero, empty text, list or map.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(_) | Value::Channel(_) => false,
        other => !other.truth(),
    }
}

/// Merges `from` into `into`, maps within maps too. Without `over` only what is missing or empty is filled, and nil
/// is never taken over; with it everything is.
fn merge(into: &Map, from: &Map, over: bool, depth: usize) -> Result<(), FuncError> {
    if depth > MAX_DEPTH {
        return Err(FuncError::new("the maps nest too deeply to be merged"));
    }
    if into.same(from) {
        return Ok(());
    }
    for (key, value) in from.entries() {
        let existing = into.get(&key);
        if let (Some(Value::Map(inner)), Value::Map(source)) = (&existing, &value)
            && *inner.key == *source.key
            && !inner.is_nil()
        {
            merge(inner, source, over, depth + 1)?;
            continue;
        }
        let missing = existing.as_ref().is_none_or(is_empty);
        if over || (missing && !matches!(value, Value::Nil)) {
            into.insert(key, value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, text};
    use super::*;

    fn json(text: &str) -> Value {
        call("parseJSON", vec![Value::text(text)]).unwrap()
    }

    fn shown(name: &str, args: Vec<Value>) -> String {
        text("toJSON", vec![call(name, args).unwrap()])
    }

    #[test]
    fn membership_is_strict_about_types() {
        let hay = Value::anys(vec![
            Value::text("x"),
            Value::Number("2".into()),
            Value::Bool(true),
            Value::Int64(3),
        ]);
        for (needle, expected) in [
            (Value::text("x"), true),
            (Value::text("2"), false),
            (Value::Int(2), false),
            (Value::Int(3), true),
            (Value::Bool(true), false),
            (Value::Nil, false),
        ] {
            assert!(
                matches!(call("in", vec![hay.clone(), needle]), Ok(Value::Bool(found)) if found == expected)
            );
        }
        assert!(fails("contains", vec![Value::Nil, Value::text("a")]).starts_with("reflect: "));
        assert_eq!(shown("contains", vec![Value::Int(5), Value::text("a5")]), "false");
    }

    #[test]
    fn empty_needles_and_their_answers() {
        let args = || vec![Value::anys(vec![]), Value::strings(["a"])];
        for (name, expected) in [
            ("containsAll", "true"),
            ("containsAny", "false"),
            ("containsNone", "true"),
            ("containsNotAll", "false"),
        ] {
            assert_eq!(shown(name, args()), expected, "{name}");
        }
    }

    #[test]
    fn keys_explode_at_slashes() {
        let map = json(r#"{"a/b":1,"a/c/d":2,"e/":3,"/f":4,"g":5}"#);
        assert_eq!(shown("explodeMap", vec![map]), r#"{"":{"f":4},"a":{"b":1,"c":{"d":2}},"e":{},"g":5}"#);
        assert!(
            fails("explodeMap", vec![json(r#"{"a":1,"a/b":2}"#)])
                .starts_with("explodeMap: not a map: \"a/b\": \"a\"")
        );
        assert!(call("explodeMap", vec![Value::dict([("/".repeat(5000).into(), Value::Nil)])]).is_err());
    }

    #[test]
    fn merging_changes_the_first_map() {
        let first = json(r#"{"n":{"x":1},"e":"","z":0,"l":[1]}"#);
        let second = json(r#"{"n":{"x":9,"y":2},"e":"s","z":5,"l":[2],"q":null,"r":""}"#);
        assert_eq!(
            shown("mergeMap", vec![first.clone(), second]),
            r#"{"e":"s","l":[1],"n":{"x":1,"y":2},"r":"","z":5}"#
        );
        let third = json(r#"{"n":{},"l":[],"e":null}"#);
        assert_eq!(
            shown("mergeMapWithOverride", vec![first.clone(), third]),
            r#"{"e":null,"l":[],"n":{"x":1,"y":2},"r":"","z":5}"#
        );
        assert_eq!(
            text("toJSON", vec![first.clone()]),
            r#"{"e":null,"l":[],"n":{"x":1,"y":2},"r":"","z":5}"#
        );
        assert_eq!(shown("mergeMap", vec![first.clone(), first.clone()]), text("toJSON", vec![first]));
    }
}
