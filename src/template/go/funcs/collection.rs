//! Consul-template's functions on lists and maps: membership, explodeMap, merging.

use super::{Args, Func, FuncError, merge::merge};
use crate::template::go::{
    ctx::Ctx,
    format::{MAX_DEPTH, bytes},
    kind::Type,
    printf,
    quote::quote,
    value::{Key, Map, Value},
};

const DICTS: &[Type] = &[Type::DICT, Type::DICT];
const MERGED: &[Type] = &[Type::DICT, Type::DICT, Type::MergeOption];
const NEEDLES: &[Type] = &[Type::ANYS, Type::Any];

pub(super) const FUNCS: &[Func] = &[
    Func::new(
        "in",
        &[Type::Any, Type::Any],
        Type::Bool,
        "whether a list or text holds a value",
        |ctx, args| contains(ctx, args.get(0), args.get(1)).map(Value::Bool),
    ),
    Func::new(
        "contains",
        &[Type::Any, Type::Any],
        Type::Bool,
        "whether a value is in a list or text, the value first",
        |ctx, args| contains(ctx, args.get(1), args.get(0)).map(Value::Bool),
    ),
    Func::new(
        "containsAll",
        NEEDLES,
        Type::Bool,
        "whether a list holds all values of another",
        |ctx, args| search(ctx, &args, true, true),
    ),
    Func::new(
        "containsAny",
        NEEDLES,
        Type::Bool,
        "whether a list holds any value of another",
        |ctx, args| search(ctx, &args, false, false),
    ),
    Func::new(
        "containsNone",
        NEEDLES,
        Type::Bool,
        "whether a list holds no value of another",
        |ctx, args| search(ctx, &args, true, false),
    ),
    Func::new(
        "containsNotAll",
        NEEDLES,
        Type::Bool,
        "whether a list lacks a value of another",
        |ctx, args| search(ctx, &args, false, true),
    ),
    Func::new("explodeMap", &[Type::DICT], Type::DICT, "nested maps from keys with slashes", explode_map),
    Func::new("mergeMap", MERGED, Type::DICT, "adds what the first map lacks from the second", |_, args| {
        merge(&args.map(0), &args.map(1), false).map(Value::Map)
    })
    .variadic(),
    Func::new(
        "mergeMapWithOverride",
        DICTS,
        Type::DICT,
        "merges two maps; the second one wins",
        |_, args| merge(&args.map(0), &args.map(1), true).map(Value::Map),
    ),
];

/// Gives `otherwise`, or its opposite at the first needle whose presence is not `wanted`.
fn search(ctx: &mut Ctx<'_>, args: &Args, otherwise: bool, wanted: bool) -> Result<Value, FuncError> {
    for needle in args.list(0).items() {
        if contains(ctx, args.get(1), needle)? != wanted {
            return Ok(Value::Bool(!otherwise));
        }
    }
    Ok(Value::Bool(otherwise))
}

fn contains(ctx: &mut Ctx<'_>, hay: &Value, needle: &Value) -> Result<bool, FuncError> {
    if let Value::List(list) = hay {
        ctx.search(list.len())?;
    }
    match (hay, needle) {
        // What Go's reflection says to a nil needle, once it meets a text.
        (Value::List(list), Value::Nil) if list.items().iter().any(is_text) => Err(zero_value()),
        (Value::String(_) | Value::Number(_), Value::Nil) => Err(zero_value()),
        (Value::List(list), _) => Ok(list.items().iter().any(|item| same(item, needle))),
        (Value::String(hay), Value::String(needle)) | (Value::Number(hay), Value::Number(needle)) => {
            Ok(bytes::find(hay.as_bytes(), needle.as_bytes()).is_some())
        }
        _ => Ok(false),
    }
}

fn is_text(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_))
}

fn zero_value() -> FuncError {
    FuncError::new("reflect: call of reflect.Value.Type on zero Value")
}

/// Equality as the original has it: signed integers, floats, texts of one type, nothing else.
fn same(item: &Value, needle: &Value) -> bool {
    match (item, needle) {
        (Value::Int(a) | Value::Int64(a), Value::Int(b) | Value::Int64(b)) => a == b,
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
        explode(&root, path.as_bytes(), value).map_err(|error| error.prefixed("explodeMap: "))?;
    }
    Ok(Value::Map(root))
}

/// Puts a value at a path of maps; a trailing empty part leaves an empty map.
pub(super) fn explode(root: &Map, path: &[u8], value: Value) -> Result<(), FuncError> {
    let (mut map, mut rest, mut before) = (root.clone(), path, path);
    for depth in 0.. {
        let Some(slash) = rest.iter().position(|byte| *byte == b'/') else { break };
        if depth == MAX_DEPTH {
            return Err(FuncError::limit("a key has more than 200 parts"));
        }
        let (top, below) = (&rest[..slash], &rest[slash + 1..]);
        let key = Key::String(top.to_vec().into());
        let found = map.get(&key).unwrap_or_else(|| {
            let made = Value::Map(Map::dict([]));
            map.insert(key, made.clone());
            made
        });
        map = match found {
            Value::Map(child) if *child.key == Type::String && child.elem.is_any() => child,
            other => {
                let words = format!("not a map: {}: {} already has value", quote(before), quote(top));
                let held = printf::sprintf(b"%q", &[other])?;
                let held = String::from_utf8_lossy(held.as_bytes());
                return Err(FuncError::quoting(format!("{words} {held}"), words));
            }
        };
        (before, rest) = (rest, below);
    }
    if !rest.is_empty() {
        map.insert(Key::String(rest.to_vec().into()), value);
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
        ] {
            assert!(
                matches!(call("in", vec![hay.clone(), needle]), Ok(Value::Bool(found)) if found == expected)
            );
        }
        assert!(fails("contains", vec![Value::Nil, Value::text("a")]).starts_with("reflect: "));
        assert!(fails("in", vec![hay, Value::Nil]).starts_with("reflect: "));
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
