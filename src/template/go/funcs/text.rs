//! Consul-template's text functions.

use super::{Args, Func, FuncError};
use crate::template::go::{ctx::Ctx, kind::Type, value::Value};

pub(super) const FUNCS: &[Func] = &[
    Func::new("toLower", &[Type::String], Type::String, "lower case", |_, args| {
        Ok(Value::text(args.lossy(0).to_lowercase()))
    }),
    Func::new(
        "split",
        &[Type::String, Type::String],
        Type::STRINGS,
        "parts of a text between a separator",
        split,
    ),
    Func::new(
        "indent",
        &[Type::Int, Type::String],
        Type::String,
        "spaces before every line that has text",
        indent,
    ),
];

fn split(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let (separator, text) = (args.lossy(0), args.lossy(1));
    let text = text.trim();
    if text.is_empty() {
        return Ok(Value::strings::<&str>([]));
    }
    if separator.is_empty() {
        return Ok(Value::strings(text.chars().map(String::from)));
    }
    Ok(Value::strings(text.split(&*separator)))
}

fn indent(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let Ok(spaces) = usize::try_from(args.int(0)) else {
        return Err(FuncError::new("indent value must be a positive integer"));
    };
    let text = args.bytes(1);
    let lines = text.split(|byte| *byte == b'\n').count();
    ctx.charge(lines.saturating_mul(spaces))?;
    let mut out = Vec::with_capacity(text.len() + lines * spaces);
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if number > 0 {
            out.push(b'\n');
        }
        if !line.is_empty() {
            out.resize(out.len() + spaces, b' ');
        }
        out.extend_from_slice(line);
    }
    Ok(Value::text(out))
}
