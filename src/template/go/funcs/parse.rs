//! Consul-template's readers: text to numbers, booleans, JSON and YAML values; and its clock.

use super::{Args, Func, FuncError};
use crate::template::go::{
    ctx::Ctx,
    format::{
        json_read,
        number::{self, NumberError},
        time::Time,
        yaml_read,
    },
    kind::Type,
    quote::quote,
    value::Value,
};

/// The original takes text only; numbers of Vault's answers are accepted here too, since they are text within.
const TEXT: &[Type] = &[Type::String];

pub(super) const FUNCS: &[Func] = &[
    Func::new("parseBool", TEXT, Type::Bool, "true or false from text", parse_bool),
    Func::new("parseInt", TEXT, Type::Int64, "a whole number from text", |_, args| {
        let text = args.bytes(0);
        if text.is_empty() {
            return Ok(Value::Int64(0));
        }
        number::parse_int(text)
            .map(Value::Int64)
            .map_err(|error| refused("parseInt", "ParseInt", args.bytes(0), error))
    }),
    Func::new("parseUint", TEXT, Type::Uint64, "a whole number from 0 on from text", |_, args| {
        let text = args.bytes(0);
        if text.is_empty() {
            return Ok(Value::Uint64(0));
        }
        number::parse_uint(text)
            .map(Value::Uint64)
            .map_err(|error| refused("parseUint", "ParseUint", args.bytes(0), error))
    }),
    Func::new("parseFloat", TEXT, Type::Float64, "a number from text", |_, args| {
        let text = args.lossy(0);
        if text.is_empty() {
            return Ok(Value::Float(0.0));
        }
        number::parse_float(&text)
            .map(Value::Float)
            .map_err(|error| refused("parseFloat", "ParseFloat", args.bytes(0), error))
    }),
    Func::new("parseJSON", TEXT, Type::Any, "the value of JSON text; numbers become floats", |ctx, args| {
        let text = args.bytes(0);
        ctx.charge_parsed(text, b",[{")?;
        if text.is_empty() { Ok(Value::dict([])) } else { json_read::read(text) }
    }),
    Func::new("parseYAML", TEXT, Type::Any, "the value of YAML text", |ctx, args| {
        let text = args.bytes(0);
        ctx.charge_parsed(text, b",[{:\n")?;
        if text.is_empty() {
            return Ok(Value::dict([]));
        }
        yaml_read::read(text)
    }),
    Func::new(
        "timestamp",
        TEXT,
        Type::String,
        "the time in UTC, in a Go layout or as unix seconds",
        timestamp,
    )
    .variadic(),
];

fn refused(name: &str, go_name: &str, text: &[u8], error: NumberError) -> FuncError {
    FuncError::quoting(
        format!("{name}: strconv.{go_name}: parsing {}: {error}", quote(text)),
        format!("{name}: strconv.{go_name}: {error}"),
    )
}

fn parse_bool(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    match args.bytes(0) {
        b"1" | b"t" | b"T" | b"TRUE" | b"true" | b"True" => Ok(Value::Bool(true)),
        b"" | b"0" | b"f" | b"F" | b"FALSE" | b"false" | b"False" => Ok(Value::Bool(false)),
        _ => Err(refused("parseBool", "ParseBool", args.bytes(0), NumberError::Syntax)),
    }
}

fn timestamp(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let now = Time::from_system(ctx.host.now());
    match args.len() {
        0 => Ok(Value::text(now.format("2006-01-02T15:04:05Z07:00"))),
        1 if args.bytes(0) == b"unix" => Ok(Value::text(now.unix.to_string())),
        1 => Ok(Value::text(now.format(&args.lossy(0)))),
        given => Err(FuncError::new(format!(
            "timestamp: wrong number of arguments, expected 0 or 1, but got {given}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, text};
    use super::*;

    #[test]
    fn numbers_are_read_strictly_and_nothing_is_zero() {
        assert!(matches!(call("parseInt", vec![Value::text("")]), Ok(Value::Int64(0))));
        assert!(matches!(call("parseInt", vec![Value::Number("42".into())]), Ok(Value::Int64(42))));
        assert!(matches!(call("parseUint", vec![Value::text("7")]), Ok(Value::Uint64(7))));
        assert_eq!(
            fails("parseInt", vec![Value::text("1.5")]),
            "parseInt: strconv.ParseInt: parsing \"1.5\": invalid syntax"
        );
        assert_eq!(
            fails("parseInt", vec![Value::text("9223372036854775808")]),
            "parseInt: strconv.ParseInt: parsing \"9223372036854775808\": value out of range"
        );
        assert!(fails("parseFloat", vec![Value::text("abc")]).starts_with("parseFloat: strconv.ParseFloat"));
        assert!(matches!(call("parseBool", vec![Value::text("T")]), Ok(Value::Bool(true))));
        assert!(fails("parseBool", vec![Value::text("yes")]).contains("parsing \"yes\": invalid syntax"));
    }

    #[test]
    fn what_is_shown_quotes_no_value() {
        let error = call("parseInt", vec![Value::text("hunter2")]).err().unwrap();
        assert!(!error.shown().contains("hunter2"), "{}", error.shown());
    }

    #[test]
    fn empty_documents_are_empty_maps() {
        for name in ["parseJSON", "parseYAML"] {
            assert_eq!(call(name, vec![Value::text("")]).unwrap().type_name(), "map[string]interface {}");
        }
        assert_eq!(
            fails("parseYAML", vec![Value::text("a: [")]),
            "yaml: line 1: did not find expected node content"
        );
    }

    #[test]
    fn the_clock_has_layouts() {
        assert_eq!(text("timestamp", vec![]), "2020-02-03T04:05:06Z");
        assert_eq!(text("timestamp", vec![Value::text("unix")]), "1580702706");
        assert_eq!(text("timestamp", vec![Value::text("Jan _2 2006")]), "Feb  3 2020");
        assert_eq!(text("timestamp", vec![Value::text("")]), "");
        assert!(fails("timestamp", vec![Value::text("a"), Value::text("b")]).contains("but got 2"));
    }
}
