//! The functions that Go's text/template brings itself.

use super::{Args, Func, FuncError};
use crate::{
    template::go::{
        compare::{Order, equal, less},
        ctx::Ctx,
        kind::Type,
        print, printf,
        quote::{Rune, is_print, runes},
        value::{Key, List, Value},
    },
    vault::value::Text,
};

const ANY: &[Type] = &[Type::Reflect, Type::Reflect];

pub(super) const FUNCS: &[Func] = &[
    // The evaluator runs `and` and `or` itself: they stop early.
    Func::new("and", ANY, Type::Reflect, "the first false argument, or the last one", |_, args| {
        Ok(args.get(0).clone())
    })
    .variadic(),
    Func::new("or", ANY, Type::Reflect, "the first true argument, or the last one", |_, args| {
        Ok(args.get(0).clone())
    })
    .variadic(),
    Func::new("not", &[Type::Reflect], Type::Bool, "the opposite truth", |_, args| {
        Ok(Value::Bool(!args.get(0).truth()))
    }),
    Func::new("eq", ANY, Type::Bool, "whether the first argument equals any of the others", |_, args| {
        equal(args.get(0), args.rest(1)).map(Value::Bool)
    })
    .variadic(),
    Func::new("ne", ANY, Type::Bool, "whether two arguments differ", |_, args| {
        equal(args.get(0), args.rest(1)).map(|equal| Value::Bool(!equal))
    }),
    Func::new("lt", ANY, Type::Bool, "whether a < b", |_, args| order(&args, Order::Less)),
    Func::new("le", ANY, Type::Bool, "whether a <= b", |_, args| order(&args, Order::LessOrEqual)),
    Func::new("gt", ANY, Type::Bool, "whether a > b", |_, args| order(&args, Order::Greater)),
    Func::new("ge", ANY, Type::Bool, "whether a >= b", |_, args| order(&args, Order::GreaterOrEqual)),
    Func::new("len", &[Type::Reflect], Type::Int, "number of bytes, items or entries", len),
    Func::new("index", ANY, Type::Reflect, "the item or entry under each key in turn", index).variadic(),
    Func::new("slice", ANY, Type::Reflect, "a part of a text or list", slice).variadic(),
    Func::new("print", &[Type::Any], Type::String, "all arguments as text", |_, args| {
        print::sprint(args.rest(0)).map(Value::String)
    })
    .variadic(),
    Func::new(
        "println",
        &[Type::Any],
        Type::String,
        "all arguments as text with blanks, and a newline",
        |_, args| print::sprintln(args.rest(0)).map(Value::String),
    )
    .variadic(),
    Func::new("printf", &[Type::String, Type::Any], Type::String, "arguments as a format says", |_, args| {
        printf::sprintf(args.bytes(0), args.rest(1)).map(Value::String)
    })
    .variadic(),
    Func::new("html", &[Type::Any], Type::String, "all arguments escaped for HTML", |_, args| {
        Ok(Value::text(html(joined(&args)?.as_bytes())))
    })
    .variadic(),
    Func::new("js", &[Type::Any], Type::String, "all arguments escaped for JavaScript", |_, args| {
        Ok(Value::text(js(joined(&args)?.as_bytes())))
    })
    .variadic(),
    Func::new(
        "urlquery",
        &[Type::Any],
        Type::String,
        "all arguments escaped for the query of a URL",
        |_, args| Ok(Value::text(query(joined(&args)?.as_bytes()))),
    )
    .variadic(),
    // The evaluator adds the name of the callee in front.
    Func::new(
        "call",
        &[Type::Reflect, Type::Reflect],
        Type::Reflect,
        "calls a function value; there are none",
        call,
    )
    .variadic(),
];

fn order(args: &Args, order: Order) -> Result<Value, FuncError> {
    less(args.get(0), args.get(1), order).map(Value::Bool)
}

fn call(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let callee = args.get(0);
    if matches!(callee, Value::Nil) {
        return Err(FuncError::new("call of nil"));
    }
    let of = callee.type_name();
    let piped = match callee {
        Value::String(text) | Value::Number(text) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        _ => format!("<{of} Value>"),
    };
    let words = |piped: &str| format!("non-function {CALLEE}{piped}{CALLEE} of type {of}");
    Err(FuncError::quoting(words(&piped), words("it")))
}

/// Around what the evaluator replaces with the callee's node in the words of `call`, unless the callee was piped.
pub(in crate::template::go) const CALLEE: &str = "\u{0}callee\u{0}";

fn len(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let length = match args.get(0) {
        Value::String(text) | Value::Number(text) => text.as_bytes().len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Channel(_) => 0,
        Value::NilPointer(_) => return Err(FuncError::new("len of nil pointer")),
        Value::Nil if args.is_interface(0) => return Err(FuncError::new("len of nil pointer")),
        Value::Nil => return Err(FuncError::new("reflect: call of reflect.Value.Type on zero Value")),
        Value::Object(object) => return Err(FuncError::new(format!("len of type {}", object.of.name))),
        other => return Err(FuncError::new(format!("len of type {}", other.type_name()))),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// A position in a list or text of `length` items; `length` itself passes here, as in Go.
fn position(index: &Value, length: usize) -> Result<usize, FuncError> {
    let number = match index {
        Value::Int(number) | Value::Int64(number) => *number,
        Value::Uint64(number) => number.cast_signed(),
        Value::Uint8(number) => i64::from(*number),
        Value::Nil => return Err(FuncError::new("cannot index slice/array with nil")),
        other => {
            return Err(FuncError::new(format!("cannot index slice/array with type {}", other.type_name())));
        }
    };
    match usize::try_from(number) {
        Ok(at) if at <= length => Ok(at),
        _ => Err(FuncError::quoting(
            format!("index out of range: {number}"),
            format!("index out of range: there are {length} items"),
        )),
    }
}

fn index(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let mut item = args.get(0).clone();
    if matches!(item, Value::Nil) {
        return Err(FuncError::new("index of untyped nil"));
    }
    for key in args.rest(1) {
        item = match &item {
            Value::Nil | Value::NilPointer(_) => return Err(FuncError::new("index of nil pointer")),
            Value::List(list) => {
                let at = position(key, list.len())?;
                match list.items().get(at) {
                    Some(item) => item.clone(),
                    None => return Err(FuncError::new("reflect: slice index out of range")),
                }
            }
            Value::String(text) | Value::Number(text) => {
                let at = position(key, text.as_bytes().len())?;
                match text.as_bytes().get(at) {
                    Some(byte) => Value::Uint8(*byte),
                    None => return Err(FuncError::new("reflect: string index out of range")),
                }
            }
            Value::Map(map) => map.get(&map_key(key, map.key)?).unwrap_or_else(|| map.elem.zero()),
            Value::Object(object) => {
                return Err(FuncError::new(format!("can't index item of type {}", object.of.name)));
            }
            other => return Err(FuncError::new(format!("can't index item of type {}", other.type_name()))),
        };
    }
    Ok(item)
}

fn map_key(key: &Value, of: &Type) -> Result<Key, FuncError> {
    match (key, of) {
        (Value::String(text), _) => Ok(Key::String(text.clone())),
        (Value::Nil, Type::Any) => Ok(Key::Nil),
        (Value::Nil, _) => Err(FuncError::new(format!("value is nil; should be of type {of}"))),
        (Value::Int(number), Type::Any) => Ok(Key::Int(*number)),
        (Value::Uint64(number), Type::Any) => Ok(Key::Uint64(*number)),
        (Value::Float(number), Type::Any) => Ok(Key::Float(*number)),
        (Value::Bool(flag), Type::Any) => Ok(Key::Bool(*flag)),
        (Value::List(_) | Value::Map(_), Type::Any) => {
            Err(FuncError::new(format!("runtime error: hash of unhashable type {}", key.type_name())))
        }
        // A key of a type that the map can't hold is simply not there.
        (_, Type::Any) => Ok(Key::String(Text::from(format!("\u{0}{}", key.type_name())))),
        _ => Err(FuncError::new(format!("value has type {}; should be {of}", key.type_name()))),
    }
}

fn slice(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let indexes = args.rest(1);
    let length = match args.get(0) {
        Value::Nil => return Err(FuncError::new("slice of untyped nil")),
        Value::NilPointer(_) => return Err(FuncError::new("slice of nil pointer")),
        _ if indexes.len() > 3 => {
            return Err(FuncError::new(format!("too many slice indexes: {}", indexes.len())));
        }
        Value::String(_) | Value::Number(_) if indexes.len() == 3 => {
            return Err(FuncError::new("cannot 3-index slice a string"));
        }
        Value::String(text) | Value::Number(text) => text.as_bytes().len(),
        Value::List(list) => list.len(),
        Value::Object(object) => {
            return Err(FuncError::new(format!("can't slice item of type {}", object.of.name)));
        }
        other => return Err(FuncError::new(format!("can't slice item of type {}", other.type_name()))),
    };
    let mut bounds = [0, length, length];
    for (at, (bound, index)) in bounds.iter_mut().zip(indexes).enumerate() {
        if args.is_interface(at + 1) {
            return Err(FuncError::new("cannot index slice/array with type interface {}")
                .hint("take it out of its container first: {{ $i := … }}"));
        }
        *bound = position(index, length)?;
    }
    for (low, high) in [(0, 1), (1, 2)].into_iter().take(indexes.len().max(2) - 1) {
        if bounds[low] > bounds[high] {
            return Err(FuncError::new(format!("invalid slice index: {} > {}", bounds[low], bounds[high])));
        }
    }
    let range = bounds[0]..bounds[1];
    Ok(match args.get(0) {
        Value::String(text) => Value::text(text.as_bytes()[range].to_vec()),
        Value::Number(text) => Value::Number(text.as_bytes()[range].to_vec().into()),
        Value::List(list) => Value::List(List::new(list.elem, list.items()[range].to_vec())),
        _ => Value::Nil,
    })
}

/// The arguments of an escaping function as one text; nil is `<no value>`.
fn joined(args: &Args) -> Result<Text, FuncError> {
    let values: Vec<Value> = args
        .rest(0)
        .iter()
        .map(|value| if matches!(value, Value::Nil) { Value::text("<no value>") } else { value.clone() })
        .collect();
    print::sprint_dereferenced(&values)
}

fn html(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            other => out.push(*other),
        }
    }
    out
}

fn js(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    for (rune, size) in runes(bytes) {
        let (raw, tail) = rest.split_at(size);
        rest = tail;
        match rune {
            Rune::Char(quoted @ ('\\' | '\'' | '"')) => {
                out.extend_from_slice(format!("\\{quoted}").as_bytes())
            }
            Rune::Char(special @ ('<' | '>' | '&' | '=' | '\0'..='\u{1f}')) => {
                out.extend_from_slice(format!("\\u{:04X}", u32::from(special)).as_bytes());
            }
            Rune::Char(ascii) if ascii.is_ascii() => out.extend_from_slice(raw),
            Rune::Char(other) if is_print(other) => out.extend_from_slice(raw),
            Rune::Char(other) => out.extend_from_slice(format!("\\u{:04X}", u32::from(other)).as_bytes()),
            // Go decodes a bad byte to U+FFFD, which is printable, and copies the byte.
            Rune::Invalid(_) => out.extend_from_slice(raw),
        }
    }
    out
}

fn query(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            b' ' => out.push(b'+'),
            other => out.extend_from_slice(format!("%{other:02X}").as_bytes()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_go() {
        assert_eq!(html(b"<a href=\"x\">'&\0"), "&lt;a href=&#34;x&#34;&gt;&#39;&amp;\u{fffd}".as_bytes());
        assert_eq!(js("a'<\n=\u{200b}é\\".as_bytes()), "a\\'\\u003C\\u000A\\u003D\\u200Bé\\\\".as_bytes());
        assert_eq!(query(b"a b&c=\xff~"), b"a+b%26c%3D%FF~");
    }
}
