//! Debug output of values with their types. What the original prints to the agent's own output is dropped here:
//! it would put secrets into logs.

use super::{Args, Func, FuncError};
use crate::template::go::{
    ctx::Ctx, format::MAX_DEPTH, kind::Type, meter, print, printf, quote, value::Value,
};

const ANY: &[Type] = &[Type::Any];
const FORMAT: &[Type] = &[Type::String, Type::Any];

pub(super) const FUNCS: &[Func] = &[
    Func::new(
        "spew_dump",
        ANY,
        Type::String,
        "nothing: values are not written to the agent's output",
        |_, _| Ok(Value::text("")),
    )
    .variadic(),
    Func::new(
        "spew_printf",
        FORMAT,
        Type::String,
        "nothing: values are not written to the agent's output",
        |_, _| Ok(Value::text("")),
    )
    .variadic(),
    Func::new("spew_sdump", ANY, Type::String, "values with their types, one to a line", |ctx, args| {
        let mut out = Vec::new();
        for value in args.rest(0) {
            let of = if matches!(value, Value::Nil) { Type::Any.to_string() } else { value.type_name() };
            dump(value, 0, of, &mut out)?;
            out.push(b'\n');
        }
        ctx.charge(out.len())?;
        Ok(Value::text(out))
    })
    .variadic(),
    Func::new("spew_sprintf", FORMAT, Type::String, "formatted text; %#v shows types", sprintf).variadic(),
];

/// One value on one or more lines. Nil inside a container shows the container's element type.
fn dump(value: &Value, depth: usize, of: String, out: &mut Vec<u8>) -> Result<(), FuncError> {
    if depth > MAX_DEPTH {
        return Err(FuncError::new("the value nests too deeply to be shown"));
    }
    meter::visit(value, out.len())?;
    out.extend_from_slice(format!("({of})").as_bytes());
    if matches!(value, Value::NilPointer(_)) {
        out.extend_from_slice(b"(<nil>)");
        return Ok(());
    }
    out.push(b' ');
    match value {
        Value::Nil => out.extend_from_slice(b"<nil>"),
        Value::Number(text) => {
            let text = text.as_bytes();
            out.extend_from_slice(format!("(len={}) ", text.len()).as_bytes());
            out.extend_from_slice(text);
        }
        Value::String(text) => {
            let text = text.as_bytes();
            if !text.is_empty() {
                out.extend_from_slice(format!("(len={}) ", text.len()).as_bytes());
            }
            out.extend_from_slice(quote::quote(text).as_bytes());
        }
        Value::List(list) if list.is_nil() => out.extend_from_slice(b"<nil>"),
        Value::Map(map) if map.is_nil() => out.extend_from_slice(b"<nil>"),
        Value::List(list) => {
            if !list.is_empty() {
                out.extend_from_slice(format!("(len={0} cap={0}) ", list.len()).as_bytes());
            }
            let parts: Vec<_> = list.items().iter().map(|item| (None, item)).collect();
            block(&parts, depth, &list.elem.to_string(), out)?;
        }
        Value::Map(map) => {
            let entries = map.entries();
            if !entries.is_empty() {
                out.extend_from_slice(format!("(len={}) ", entries.len()).as_bytes());
            }
            let parts: Vec<_> =
                entries.iter().map(|(key, value)| (Some(Label::Key(key.value())), value)).collect();
            block(&parts, depth, &map.elem.to_string(), out)?;
        }
        Value::Object(object) if object.of.text.is_none() && !object.fields.is_empty() => {
            let names = object.of.fields.iter().map(|(name, _)| Some(Label::Field(name)));
            let parts: Vec<_> = names.zip(&object.fields).collect();
            block(&parts, depth, "", out)?;
        }
        other => out.extend_from_slice(print::value(other)?.as_bytes()),
    }
    Ok(())
}

/// What stands before a value inside another.
enum Label {
    Key(Value),
    Field(&'static str),
}

fn block(
    parts: &[(Option<Label>, &Value)],
    depth: usize,
    elem: &str,
    out: &mut Vec<u8>,
) -> Result<(), FuncError> {
    out.extend_from_slice(b"{\n");
    for (number, (key, value)) in parts.iter().enumerate() {
        out.resize(out.len() + depth + 1, b' ');
        match key {
            Some(Label::Key(key)) => dump(key, depth + 1, key.type_name(), out)?,
            Some(Label::Field(name)) => out.extend_from_slice(name.as_bytes()),
            None => {}
        }
        if key.is_some() {
            out.extend_from_slice(b": ");
        }
        let of = if matches!(value, Value::Nil) { elem.to_owned() } else { value.type_name() };
        dump(value, depth + 1, of, out)?;
        out.extend_from_slice(if number + 1 < parts.len() { b",\n" } else { b"\n" });
    }
    out.resize(out.len() + depth, b' ');
    out.push(b'}');
    Ok(())
}

/// As `printf`, but `%#v` shows `(type)value` all the way down.
fn sprintf(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let format = args.lossy(0).replace("%#v", "%s").replace("%#+v", "%s");
    let typed = args.lossy(0).contains("%#");
    if !typed {
        return Ok(Value::String(printf::sprintf(args.bytes(0), args.rest(1))?));
    }
    let mut values = Vec::new();
    let text = args.lossy(0);
    let mut verbs = text.split('%').skip(1);
    for value in args.rest(1) {
        let shown = verbs.next().is_some_and(|verb| verb.starts_with('#'));
        values.push(if shown { Value::text(inline_text(value)?) } else { value.clone() });
    }
    Ok(Value::String(printf::sprintf(format.as_bytes(), &values)?))
}

/// `(type)value` on one line.
fn inline_text(value: &Value) -> Result<Vec<u8>, FuncError> {
    let mut out = Vec::new();
    inline(value, 0, &mut out)?;
    Ok(out)
}

fn inline(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), FuncError> {
    if depth > MAX_DEPTH {
        return Err(FuncError::new("the value nests too deeply to be shown"));
    }
    meter::visit(value, out.len())?;
    out.extend_from_slice(format!("({})", value.type_name()).as_bytes());
    match value {
        Value::List(list) => {
            out.push(b'[');
            for (number, item) in list.items().iter().enumerate() {
                if number > 0 {
                    out.push(b' ');
                }
                inline(item, depth + 1, out)?;
            }
            out.push(b']');
        }
        Value::Map(map) => {
            out.extend_from_slice(b"map[");
            for (number, (key, value)) in map.entries().iter().enumerate() {
                if number > 0 {
                    out.push(b' ');
                }
                out.extend_from_slice(print::value(&key.value())?.as_bytes());
                out.push(b':');
                inline(value, depth + 1, out)?;
            }
            out.push(b']');
        }
        other => out.extend_from_slice(print::value(other)?.as_bytes()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, text};
    use super::*;

    fn parsed(json: &str) -> Value {
        call("parseJSON", vec![Value::text(json)]).unwrap()
    }

    #[test]
    fn dumps_show_types() {
        assert_eq!(
            text("spew_sdump", vec![parsed(r#"{"a":[1,"x",null,true]}"#)]),
            "(map[string]interface {}) (len=1) {\n (string) (len=1) \"a\": ([]interface {}) (len=4 cap=4) {\n  \
             (float64) 1,\n  (string) (len=1) \"x\",\n  (interface {}) <nil>,\n  (bool) true\n }\n}\n"
        );
        assert_eq!(
            text("spew_sdump", vec![Value::Nil, Value::anys(vec![])]),
            "(interface {}) <nil>\n([]interface {}) {\n}\n"
        );
    }

    #[test]
    fn formats_show_types_where_asked() {
        let args =
            vec![Value::text("%v|%#v|%+v"), parsed(r#"{"a":1}"#), parsed(r#"{"a":1}"#), Value::text("x")];
        assert_eq!(text("spew_sprintf", args), "map[a:1]|(map[string]interface {})map[a:(float64)1]|x");
    }

    #[test]
    fn nothing_reaches_the_agents_output() {
        assert_eq!(text("spew_dump", vec![Value::text("hunter2")]), "");
        assert_eq!(text("spew_printf", vec![Value::text("%v"), Value::text("hunter2")]), "");
    }
}
