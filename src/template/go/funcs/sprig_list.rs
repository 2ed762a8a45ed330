//! Sprig's functions on lists.

use super::{
    Args, Func, FuncError,
    cast::{deep_equal, is_empty, to_int, to_text, to_texts},
};
use crate::template::go::{
    ctx::Ctx,
    kind::Type,
    value::{List, Value},
};

const ANY: &[Type] = &[Type::Any];
const TWO: &[Type] = &[Type::Any, Type::Any];
const CHUNK: &[Type] = &[Type::Int, Type::Any];

/// A function under its plain name and under its `must` name, which differ in nothing a template can see.
macro_rules! both {
    ($name:literal, $must:literal, $params:expr, $ret:expr, $doc:literal, $run:expr) => {
        [
            Func::new(concat!("sprig_", $name), $params, $ret, $doc, $run),
            Func::new(concat!("sprig_", $must), $params, $ret, $doc, $run),
        ]
    };
}

const FIRST: [Func; 2] = both!("first", "mustFirst", ANY, Type::Any, "the first element", first);
const LAST: [Func; 2] = both!("last", "mustLast", ANY, Type::Any, "the last element", last);
const REST: [Func; 2] = both!("rest", "mustRest", ANY, Type::ANYS, "all elements but the first", rest);
const INITIAL: [Func; 2] =
    both!("initial", "mustInitial", ANY, Type::ANYS, "all elements but the last", initial);
const APPEND: [Func; 2] =
    both!("append", "mustAppend", TWO, Type::ANYS, "a new list with a last element", push);
const PUSH: [Func; 2] = both!("push", "mustPush", TWO, Type::ANYS, "a new list with a last element", push);
const PREPEND: [Func; 2] =
    both!("prepend", "mustPrepend", TWO, Type::ANYS, "a new list with a first element", prepend);
const REVERSE: [Func; 2] =
    both!("reverse", "mustReverse", ANY, Type::ANYS, "a new list in reverse order", reverse);
const UNIQ: [Func; 2] = both!("uniq", "mustUniq", ANY, Type::ANYS, "a new list without repetitions", uniq);
const WITHOUT: [Func; 2] =
    both!("without", "mustWithout", TWO, Type::ANYS, "a new list without some values", without);
const HAS: [Func; 2] = both!("has", "mustHas", TWO, Type::Bool, "whether a value is in a list", has);
const COMPACT: [Func; 2] =
    both!("compact", "mustCompact", ANY, Type::ANYS, "a new list without empty values", compact);
const SLICE: [Func; 2] = both!("slice", "mustSlice", TWO, Type::Any, "part of a list", slice);
const CHUNKS: [Func; 2] =
    both!("chunk", "mustChunk", CHUNK, Type::List(&Type::ANYS), "a list in pieces of a size", chunk);

pub(super) const FUNCS: &[Func] = &[
    Func::new("sprig_list", ANY, Type::ANYS, "a list of the arguments", list).variadic(),
    Func::new("sprig_tuple", ANY, Type::ANYS, "a list of the arguments", list).variadic(),
    FIRST[0],
    FIRST[1],
    LAST[0],
    LAST[1],
    REST[0],
    REST[1],
    INITIAL[0],
    INITIAL[1],
    APPEND[0],
    APPEND[1],
    PUSH[0],
    PUSH[1],
    PREPEND[0],
    PREPEND[1],
    REVERSE[0],
    REVERSE[1],
    UNIQ[0],
    UNIQ[1],
    WITHOUT[0].variadic(),
    WITHOUT[1].variadic(),
    HAS[0],
    HAS[1],
    COMPACT[0],
    COMPACT[1],
    SLICE[0].variadic(),
    SLICE[1].variadic(),
    CHUNKS[0],
    CHUNKS[1],
    Func::new("sprig_concat", ANY, Type::Any, "lists one after another", concat).variadic(),
    Func::new("sprig_sortAlpha", ANY, Type::STRINGS, "the elements as texts, sorted", |_, args| {
        let mut texts = match args.get(0) {
            Value::List(list) if *list.elem == Type::String => {
                list.sort();
                return Ok(args.get(0).clone());
            }
            Value::List(_) => to_texts(args.get(0))?,
            other => vec![to_text(other)?],
        };
        texts.sort();
        Ok(Value::strings(texts))
    }),
];

/// The list of an argument; other types are refused with the original's words.
fn listed(value: &Value, refusal: &str) -> Result<List, FuncError> {
    match value {
        Value::List(list) => Ok(list.clone()),
        Value::Nil => Err(FuncError::new("runtime error: invalid memory address or nil pointer dereference")),
        other => Err(FuncError::new(format!("{refusal} type {}", other.kind_name()))),
    }
}

fn new_list(ctx: &mut Ctx<'_>, items: Vec<Value>) -> Result<Value, FuncError> {
    ctx.charge(items.len() * size_of::<Value>())?;
    Ok(Value::anys(items))
}

fn list(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    Ok(Value::anys(args.rest(0).to_vec()))
}

fn first(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    Ok(listed(args.get(0), "Cannot find first on")?.items().first().cloned().unwrap_or_default())
}

fn last(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    Ok(listed(args.get(0), "Cannot find last on")?.items().last().cloned().unwrap_or_default())
}

fn rest(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    match listed(args.get(0), "Cannot find rest on")?.items().split_first() {
        Some((_, rest)) => new_list(ctx, rest.to_vec()),
        None => Ok(Value::List(List::nil(&Type::Any))),
    }
}

fn initial(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    match listed(args.get(0), "Cannot find initial on")?.items().split_last() {
        Some((_, rest)) => new_list(ctx, rest.to_vec()),
        None => Ok(Value::List(List::nil(&Type::Any))),
    }
}

fn push(ctx: &mut Ctx<'_>, mut args: Args) -> Result<Value, FuncError> {
    let mut items = listed(args.get(0), "Cannot push on")?.items().to_vec();
    items.push(args.take(1));
    new_list(ctx, items)
}

fn prepend(ctx: &mut Ctx<'_>, mut args: Args) -> Result<Value, FuncError> {
    let list = listed(args.get(0), "Cannot prepend on")?;
    let mut items = vec![args.take(1)];
    items.extend_from_slice(list.items());
    new_list(ctx, items)
}

fn reverse(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let list = listed(args.get(0), "Cannot find reverse on")?;
    new_list(ctx, list.items().iter().rev().cloned().collect())
}

/// Whether a list has a value. Each look costs, so that long lists of lists stay bounded.
fn holds(ctx: &mut Ctx<'_>, list: &[Value], value: &Value) -> Result<bool, FuncError> {
    ctx.search(list.len())?;
    for item in list {
        if deep_equal(value, item, 0)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn uniq(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let mut items: Vec<Value> = Vec::new();
    for item in listed(args.get(0), "Cannot find uniq on")?.items() {
        if !holds(ctx, &items, item)? {
            items.push(item.clone());
        }
    }
    new_list(ctx, items)
}

fn without(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let mut items = Vec::new();
    for item in listed(args.get(0), "Cannot find without on")?.items() {
        if !holds(ctx, args.rest(1), item)? {
            items.push(item.clone());
        }
    }
    new_list(ctx, items)
}

fn has(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    if matches!(args.get(1), Value::Nil) {
        return Ok(Value::Bool(false));
    }
    let list = listed(args.get(1), "Cannot find has on")?;
    Ok(Value::Bool(holds(ctx, list.items(), args.get(0))?))
}

fn compact(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let list = listed(args.get(0), "Cannot compact on")?;
    new_list(ctx, list.items().iter().filter(|item| !is_empty(item)).cloned().collect())
}

fn slice(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let list =
        listed(args.get(0), "list should be type of slice or array but").map_err(|error| {
            match error.go_text().strip_prefix("list should be type of slice or array but type ") {
                Some(kind) => FuncError::new(format!("list should be type of slice or array but {kind}")),
                None => error,
            }
        })?;
    if list.is_empty() {
        return Ok(Value::Nil);
    }
    let start = if args.len() > 1 { to_int(args.get(1)) } else { 0 };
    let end = if args.len() > 2 { usize::try_from(to_int(args.get(2))).ok() } else { Some(list.len()) };
    let range = usize::try_from(start).ok().zip(end);
    match range.and_then(|(start, end)| list.items().get(start..end)) {
        Some(items) => {
            ctx.charge(size_of_val(items))?;
            Ok(Value::List(List::new(list.elem, items.to_vec())))
        }
        None => Err(FuncError::new("reflect.Value.Slice: slice index out of bounds")),
    }
}

fn chunk(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let list = listed(args.get(1), "Cannot chunk")?;
    let size = args.int(0);
    // Go's own arithmetic, which knows sizes below one, too.
    let count = ((list.len() as f64 - 1.0) / size as f64).floor() + 1.0;
    if size == 0 || !(0.0..1e15).contains(&count) {
        return Err(FuncError::new("runtime error: makeslice: len out of range"));
    }
    if size < 0 && count > 0.0 && list.len() != 1 {
        return Err(FuncError::new("runtime error: makeslice: len out of range"));
    }
    if count == 0.0 {
        return Ok(Value::List(List::new(&Type::ANYS, Vec::new())));
    }
    let size = usize::try_from(size).unwrap_or(1);
    ctx.charge(list.len() * 2 * size_of::<Value>())?;
    let chunks = list.items().chunks(size).map(|chunk| Value::anys(chunk.to_vec())).collect();
    Ok(Value::List(List::new(&Type::ANYS, chunks)))
}

fn concat(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let mut items = Vec::new();
    for value in args.rest(0) {
        match value {
            Value::List(list) => {
                ctx.charge(size_of_val(list.items()))?;
                items.extend_from_slice(list.items());
            }
            other => {
                listed(other, "Cannot concat").map_err(|error| match other {
                    Value::Nil => error,
                    _ => FuncError::new(format!("{} as list", error.go_text())),
                })?;
            }
        }
    }
    if items.is_empty() { Ok(Value::List(List::nil(&Type::Any))) } else { Ok(Value::anys(items)) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, text};
    use super::*;

    fn json(name: &str, args: Vec<Value>) -> String {
        text("toJSON", vec![call(name, args).unwrap()])
    }

    fn numbers(numbers: &[i64]) -> Value {
        Value::anys(numbers.iter().copied().map(Value::Int).collect())
    }

    #[test]
    fn lists_are_new_and_the_old_ones_stay() {
        let list = numbers(&[1, 2]);
        assert_eq!(json("sprig_append", vec![list.clone(), Value::Int(3)]), "[1,2,3]");
        assert_eq!(json("sprig_mustPush", vec![list.clone(), Value::Nil]), "[1,2,null]");
        assert_eq!(json("sprig_prepend", vec![list.clone(), Value::Int(0)]), "[0,1,2]");
        assert_eq!(json("sprig_reverse", vec![list.clone()]), "[2,1]");
        assert_eq!(json("sprig_concat", vec![list.clone(), list.clone()]), "[1,2,1,2]");
        assert_eq!(json("sprig_list", vec![list]), "[[1,2]]");
        assert_eq!(json("sprig_concat", vec![]), "null");
    }

    #[test]
    fn ends_of_empty_lists_are_nil() {
        for (name, out) in [
            ("sprig_first", "null"),
            ("sprig_last", "null"),
            ("sprig_rest", "null"),
            ("sprig_initial", "null"),
            ("sprig_slice", "null"),
            ("sprig_compact", "[]"),
            ("sprig_uniq", "[]"),
            ("sprig_reverse", "[]"),
        ] {
            assert_eq!(json(name, vec![numbers(&[])]), out, "{name}");
        }
    }

    #[test]
    fn equality_is_strict() {
        let list =
            Value::anys(vec![Value::Int(1), Value::Float(1.0), Value::Int(1), numbers(&[1]), numbers(&[1])]);
        assert_eq!(json("sprig_uniq", vec![list.clone()]), "[1,1,[1]]");
        assert_eq!(json("sprig_without", vec![list.clone(), Value::Int(1)]), "[1,[1],[1]]");
        assert_eq!(json("sprig_has", vec![Value::Int64(1), list]), "false");
        assert_eq!(json("sprig_has", vec![Value::Int64(1), Value::Nil]), "false");
    }

    #[test]
    fn slices_keep_the_type_and_check_the_range() {
        let words = Value::strings(["a", "b", "c"]);
        let part = call("sprig_slice", vec![words.clone(), Value::Int(1)]).unwrap();
        assert_eq!(part.type_name(), "[]string");
        for (start, end) in [(1, 9), (2, 1), (-1, 2), (0, -1)] {
            let args = vec![words.clone(), Value::Int(start), Value::Int(end)];
            assert_eq!(fails("sprig_slice", args), "reflect.Value.Slice: slice index out of bounds");
        }
        assert_eq!(
            fails("sprig_slice", vec![Value::text("a")]),
            "list should be type of slice or array but string"
        );
    }

    #[test]
    fn chunks_have_a_size() {
        assert_eq!(json("sprig_chunk", vec![Value::Int(2), numbers(&[1, 2, 3])]), "[[1,2],[3]]");
        assert!(call("sprig_chunk", vec![Value::Int(0), numbers(&[1])]).is_err());
        assert!(call("sprig_chunk", vec![Value::Int(-1), numbers(&[1, 2, 3])]).is_err());
    }

    #[test]
    fn other_types_are_refused_by_kind() {
        assert_eq!(fails("sprig_mustFirst", vec![Value::text("a")]), "Cannot find first on type string");
        assert_eq!(fails("sprig_mustHas", vec![Value::Int(1), Value::Int(5)]), "Cannot find has on type int");
        assert_eq!(fails("sprig_concat", vec![Value::dict([])]), "Cannot concat type map as list");
        assert!(fails("sprig_first", vec![Value::Nil]).contains("nil pointer dereference"));
    }
}
