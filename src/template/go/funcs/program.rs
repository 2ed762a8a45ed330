//! `plugin`: the output of a program, which the host has run between two passes.

use super::{Args, Func, FuncError};
use crate::{
    template::{
        go::{ctx::Ctx, kind::Type, quote, value::Value},
        host::{Program, ProgramFault},
    },
    vault::value::Text,
};

/// Calls that one render may make. Each costs a process and a pass.
const MAX_CALLS: usize = 1_000;

pub(super) const FUNCS: &[Func] = &[Func::new(
    "plugin",
    &[Type::String, Type::String],
    Type::String,
    "what a program prints: name, arguments",
    plugin,
)
.variadic()];

fn plugin(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let name = args.text(0);
    if name.as_bytes().is_empty() {
        return Ok(Value::text(""));
    }
    let rest = (1..args.len()).map(|at| trimmed(args.bytes(at))).filter(|arg| !arg.as_bytes().is_empty());
    let program = Program { name, args: rest.collect() };
    match ctx.host.plugin(&program) {
        None => {
            ctx.program = Some(program);
            Err(FuncError::new("the program has not ended yet"))
        }
        Some(Err(ProgramFault { what, hint })) => {
            let name = quote::quote(program.name.as_bytes());
            Err(FuncError::new(format!("exec {name}: {what}")).hint(hint))
        }
        Some(Ok(output)) => {
            if ctx.printed.len() >= MAX_CALLS {
                return Err(FuncError::limit("the template calls more than 1,000 programs"));
            }
            let text = trimmed(output.as_bytes());
            ctx.printed.push(text.clone());
            Ok(Value::String(text))
        }
    }
}

/// Without white space around it.
fn trimmed(bytes: &[u8]) -> Text {
    match std::str::from_utf8(bytes) {
        Ok(text) => Text::from(text.trim()),
        Err(_) => Text::from(bytes.trim_ascii().to_vec()),
    }
}
