//! Sprig's functions on maps.

use super::{Args, Func, FuncError, cast::to_text, merge::merge};
use crate::template::go::{
    ctx::Ctx,
    format::MAX_DEPTH,
    kind::Type,
    value::{Key, List, Map, Value},
};

const ANY: &[Type] = &[Type::Any];
const DICT: &[Type] = &[Type::DICT];
const DICTS: &[Type] = &[Type::DICT, Type::DICT];
const LOOKUP: &[Type] = &[Type::DICT, Type::String];
const KEYS: &[Type] = &[Type::DICT, Type::String];

pub(super) const FUNCS: &[Func] = &[
    Func::new("sprig_dict", ANY, Type::DICT, "a map of keys and values", dict).variadic(),
    Func::new("sprig_get", LOOKUP, Type::Any, "the value under a key, or an empty text", |_, args| {
        Ok(args.map(0).get(&key(&args, 1)).unwrap_or_else(|| Value::text("")))
    }),
    Func::new(
        "sprig_set",
        &[Type::DICT, Type::String, Type::Any],
        Type::DICT,
        "puts a value into a map, which changes",
        set,
    ),
    Func::new("sprig_unset", LOOKUP, Type::DICT, "takes a key out of a map, which changes", |_, mut args| {
        args.map(0).remove(&key(&args, 1));
        Ok(args.take(0))
    }),
    Func::new("sprig_hasKey", LOOKUP, Type::Bool, "whether a map has a key", |_, args| {
        Ok(Value::Bool(args.map(0).get(&key(&args, 1)).is_some()))
    }),
    Func::new(
        "sprig_pluck",
        &[Type::String, Type::DICT],
        Type::ANYS,
        "the values of a key in several maps",
        |_, args| {
            let key = key(&args, 0);
            Ok(Value::anys((1..args.len()).filter_map(|at| args.map(at).get(&key)).collect()))
        },
    )
    .variadic(),
    Func::new("sprig_keys", DICT, Type::STRINGS, "the keys of maps, sorted", |ctx, args| {
        let mut keys = Vec::new();
        for at in 0..args.len() {
            keys.extend(args.map(at).entries().into_iter().filter_map(|(key, _)| key.text().cloned()));
        }
        ctx.charge(keys.len() * size_of::<Value>())?;
        Ok(Value::strings(keys))
    })
    .variadic(),
    Func::new("sprig_values", DICT, Type::ANYS, "the values of a map, sorted by key", |ctx, args| {
        let values: Vec<Value> = args.map(0).entries().into_iter().map(|(_, value)| value).collect();
        ctx.charge(values.len() * size_of::<Value>())?;
        Ok(Value::anys(values))
    }),
    Func::new("sprig_pick", KEYS, Type::DICT, "a new map with some keys only", |ctx, args| {
        select(ctx, &args, true)
    })
    .variadic(),
    Func::new("sprig_omit", KEYS, Type::DICT, "a new map without some keys", |ctx, args| {
        select(ctx, &args, false)
    })
    .variadic(),
    Func::new("sprig_dig", ANY, Type::Any, "a value deep in maps, or a default", dig).variadic(),
    Func::new("sprig_merge", DICTS, Type::Any, "adds what the first map lacks", |_, args| {
        merge_all(args, false)
    })
    .variadic(),
    Func::new("sprig_mustMerge", DICTS, Type::Any, "adds what the first map lacks", |_, args| {
        merge_all(args, false)
    })
    .variadic(),
    Func::new("sprig_mergeOverwrite", DICTS, Type::Any, "merges maps; the last one wins", |_, args| {
        merge_all(args, true)
    })
    .variadic(),
    Func::new("sprig_mustMergeOverwrite", DICTS, Type::Any, "merges maps; the last one wins", |_, args| {
        merge_all(args, true)
    })
    .variadic(),
    Func::new("sprig_deepCopy", ANY, Type::Any, "a copy that shares nothing", deep_copy),
    Func::new("sprig_mustDeepCopy", ANY, Type::Any, "a copy that shares nothing", deep_copy),
];

fn key(args: &Args, at: usize) -> Key {
    Key::String(args.text(at))
}

fn dict(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let dict = Map::dict([]);
    for pair in args.rest(0).chunks(2) {
        let Some(name) = pair.first() else { continue };
        let value = pair.get(1).cloned().unwrap_or_else(|| Value::text(""));
        dict.insert(Key::String(to_text(name)?), value);
    }
    Ok(Value::Map(dict))
}

fn set(ctx: &mut Ctx<'_>, mut args: Args) -> Result<Value, FuncError> {
    ctx.charge(2 * size_of::<Value>() + args.bytes(1).len())?;
    let (key, value) = (key(&args, 1), args.take(2));
    if !args.map(0).insert(key, value) {
        return Err(FuncError::new("assignment to entry in nil map"));
    }
    Ok(args.take(0))
}

fn select(ctx: &mut Ctx<'_>, args: &Args, keep: bool) -> Result<Value, FuncError> {
    let named: Vec<Key> = (1..args.len()).map(|at| key(args, at)).collect();
    let entries = args.map(0).entries();
    ctx.charge(entries.len() * (named.len() + size_of::<Value>()))?;
    let entries = entries.into_iter().filter(|(key, _)| named.contains(key) == keep);
    Ok(Value::Map(Map::new(&Type::String, &Type::Any, entries.collect())))
}

/// Go's words for a value of another type than a function insists on.
fn conversion(value: &Value, wanted: &str) -> FuncError {
    let found = match value {
        Value::Nil => "nil".to_owned(),
        other => other.type_name(),
    };
    FuncError::new(format!("interface conversion: interface {{}} is {found}, not {wanted}"))
}

fn as_dict(value: &Value) -> Result<Map, FuncError> {
    match value {
        Value::Map(map) if *map.key == Type::String && map.elem.is_any() => Ok(map.clone()),
        other => Err(conversion(other, "map[string]interface {}")),
    }
}

fn dig(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let count = args.len();
    if count < 3 {
        return Err(FuncError::new("dig needs at least three arguments"));
    }
    let mut found = Value::Map(as_dict(args.get(count - 1))?);
    for name in &args.rest(0)[..count - 2] {
        if !matches!(name, Value::String(_)) {
            return Err(conversion(name, "string"));
        }
    }
    for name in &args.rest(0)[..count - 2] {
        match as_dict(&found)?.get(&Key::String(name.as_text().cloned().unwrap_or_else(|| "".into()))) {
            Some(value) => found = value,
            None => return Ok(args.get(count - 2).clone()),
        }
    }
    Ok(found)
}

fn merge_all(args: Args, over: bool) -> Result<Value, FuncError> {
    let mut into = args.map(0);
    for at in 1..args.len() {
        into = merge(&into, &args.map(at), over)?;
    }
    Ok(Value::Map(into))
}

fn deep_copy(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    match args.get(0) {
        Value::Nil => Err(FuncError::new("reflect: call of reflect.Value.Type on zero Value")),
        value => copy(ctx, value, 0),
    }
}

fn copy(ctx: &mut Ctx<'_>, value: &Value, depth: usize) -> Result<Value, FuncError> {
    if depth > MAX_DEPTH {
        return Err(FuncError::new("the value nests too deeply to be copied"));
    }
    ctx.charge(value.weight())?;
    Ok(match value {
        Value::List(list) if !list.is_nil() => {
            let items = list.items().iter().map(|item| copy(ctx, item, depth + 1));
            Value::List(List::new(list.elem, items.collect::<Result<_, _>>()?))
        }
        Value::Map(map) if !map.is_nil() => {
            let entries =
                map.entries().into_iter().map(|(key, value)| Ok((key, copy(ctx, &value, depth + 1)?)));
            Value::Map(Map::new(map.key, map.elem, entries.collect::<Result<_, FuncError>>()?))
        }
        other => other.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, text};
    use super::*;

    fn parse(text: &str) -> Value {
        call("parseJSON", vec![Value::text(text)]).unwrap()
    }

    fn json(name: &str, args: Vec<Value>) -> String {
        text("toJSON", vec![call(name, args).unwrap()])
    }

    #[test]
    fn maps_are_made_of_pairs() {
        let args = vec![Value::text("a"), Value::Int(1), Value::Int(5)];
        assert_eq!(json("sprig_dict", args), r#"{"5":"","a":1}"#);
        let map = parse(r#"{"b":1,"a":2}"#);
        assert_eq!(json("sprig_keys", vec![map.clone(), parse(r#"{"c":0}"#)]), r#"["a","b","c"]"#);
        assert_eq!(json("sprig_values", vec![map.clone()]), "[2,1]");
        assert_eq!(json("sprig_pick", vec![map.clone(), Value::text("a"), Value::text("z")]), r#"{"a":2}"#);
        assert_eq!(json("sprig_omit", vec![map.clone(), Value::text("a")]), r#"{"b":1}"#);
        assert_eq!(json("sprig_get", vec![map.clone(), Value::text("z")]), r#""""#);
        assert_eq!(json("sprig_pluck", vec![Value::text("a"), map, parse("{}")]), "[2]");
    }

    #[test]
    fn setting_changes_the_map_and_a_copy_does_not_share() {
        let map = parse(r#"{"a":{"b":1}}"#);
        let copy = call("sprig_deepCopy", vec![map.clone()]).unwrap();
        call("sprig_set", vec![map.clone(), Value::text("c"), Value::Int(2)]).unwrap();
        assert_eq!(json("sprig_unset", vec![map, Value::text("a")]), r#"{"c":2}"#);
        assert_eq!(text("toJSON", vec![copy]), r#"{"a":{"b":1}}"#);
        let nil = Value::Map(Map::nil(&Type::String, &Type::Any));
        assert!(fails("sprig_set", vec![nil, Value::text("c"), Value::Nil]).contains("nil map"));
    }

    #[test]
    fn digging_needs_maps_on_the_way() {
        let map = parse(r#"{"a":{"b":7},"c":5}"#);
        let dig = |keys: &[&str]| {
            let mut args: Vec<Value> = keys.iter().copied().map(Value::text).collect();
            args.extend([Value::text("def"), map.clone()]);
            call("sprig_dig", args)
        };
        assert!(matches!(dig(&["a", "b"]), Ok(Value::Float(7.0))));
        assert!(matches!(dig(&["a", "z"]), Ok(Value::String(_))));
        assert_eq!(
            dig(&["c", "b"]).err().unwrap().go_text(),
            "interface conversion: interface {} is float64, not map[string]interface {}"
        );
        assert_eq!(fails("sprig_dig", vec![Value::Nil]), "dig needs at least three arguments");
    }

    #[test]
    fn merging_prefers_one_side() {
        let maps = || {
            vec![
                parse(r#"{"a":1,"n":{"x":1},"z":0,"e":1}"#),
                parse(r#"{"a":2,"b":3,"n":{"x":0,"y":2},"z":5,"e":""}"#),
            ]
        };
        assert_eq!(json("sprig_merge", maps()), r#"{"a":1,"b":3,"e":1,"n":{"x":1,"y":2},"z":5}"#);
        assert_eq!(json("sprig_mergeOverwrite", maps()), r#"{"a":2,"b":3,"e":"","n":{"x":0,"y":2},"z":5}"#);
    }

    #[test]
    fn a_map_within_itself_is_no_trap() {
        let map = parse("{}");
        let other = parse("{}");
        for of in [&map, &other] {
            call("sprig_set", vec![of.clone(), Value::text("self"), of.clone()]).unwrap();
        }
        assert!(call("sprig_deepCopy", vec![map.clone()]).is_err());
        assert!(call("sprig_merge", vec![map.clone(), other.clone()]).is_err());
        assert!(call("sprig_deepEqual", vec![map.clone(), other.clone()]).is_err());
        for of in [map, other] {
            call("sprig_unset", vec![of, Value::text("self")]).unwrap();
        }
    }
}
