//! Sprig's defaults, conditions, JSON and questions about types.

use super::{
    Args, Func, FuncError,
    cast::{deep_equal, is_empty},
};
use crate::template::go::{
    ctx::Ctx,
    format::{
        json::{self, Style},
        json_read,
    },
    kind::Type,
    value::Value,
};

const ANY: &[Type] = &[Type::Any];
const TWO: &[Type] = &[Type::Any, Type::Any];
const TEXT: &[Type] = &[Type::String];
const NAMED: &[Type] = &[Type::String, Type::Any];

const PLAIN: Style = Style { html: true, pretty: false };
const PRETTY: Style = Style { html: true, pretty: true };
const RAW: Style = Style { html: false, pretty: false };

pub(super) const FUNCS: &[Func] = &[
    Func::new("sprig_default", TWO, Type::Any, "a value, or a default when it is empty", |_, mut args| {
        let given = args.len() > 1 && !is_empty(args.get(1));
        Ok(args.take(usize::from(given)))
    })
    .variadic(),
    Func::new("sprig_empty", ANY, Type::Bool, "whether a value is empty", |_, args| {
        Ok(Value::Bool(is_empty(args.get(0))))
    }),
    Func::new("sprig_coalesce", ANY, Type::Any, "the first value that is not empty", |_, args| {
        Ok(args.rest(0).iter().find(|value| !is_empty(value)).cloned().unwrap_or_default())
    })
    .variadic(),
    Func::new("sprig_all", ANY, Type::Bool, "whether no value is empty", |_, args| {
        Ok(Value::Bool(!args.rest(0).iter().any(is_empty)))
    })
    .variadic(),
    Func::new("sprig_any", ANY, Type::Bool, "whether some value is not empty", |_, args| {
        Ok(Value::Bool(!args.rest(0).iter().all(is_empty)))
    })
    .variadic(),
    Func::new(
        "sprig_ternary",
        &[Type::Any, Type::Any, Type::Bool],
        Type::Any,
        "the first value when a condition holds, else the second",
        |_, mut args| Ok(args.take(usize::from(!args.bool(2)))),
    ),
    Func::new("sprig_fail", TEXT, Type::String, "fails with a message", |ctx, args| {
        let (message, calls) = (args.lossy(0), "the template calls sprig_fail");
        // What the template's own text says is no value.
        let is_said = !message.is_empty() && ctx.text.contains(&*message);
        let shown = if is_said { format!("{calls}: {message}") } else { calls.to_owned() };
        Err(FuncError::quoting(message, shown))
    }),
    Func::new(
        "sprig_fromJson",
        TEXT,
        Type::Any,
        "the value of JSON text, nil when it is none",
        |ctx, args| {
            ctx.charge_parsed(args.bytes(0), b",[{")?;
            Ok(json_read::read(args.bytes(0)).unwrap_or_default())
        },
    ),
    Func::new("sprig_mustFromJson", TEXT, Type::Any, "the value of JSON text", |ctx, args| {
        ctx.charge_parsed(args.bytes(0), b",[{")?;
        json_read::read(args.bytes(0))
    }),
    Func::new("sprig_toJson", ANY, Type::String, "JSON on one line, with < > & escaped", |ctx, args| {
        forgiving(ctx, &args, PLAIN)
    }),
    Func::new("sprig_mustToJson", ANY, Type::String, "JSON on one line, with < > & escaped", |ctx, args| {
        strict(ctx, &args, PLAIN)
    }),
    Func::new("sprig_toPrettyJson", ANY, Type::String, "JSON on several lines", |ctx, args| {
        forgiving(ctx, &args, PRETTY)
    }),
    Func::new("sprig_mustToPrettyJson", ANY, Type::String, "JSON on several lines", |ctx, args| {
        strict(ctx, &args, PRETTY)
    }),
    Func::new("sprig_toRawJson", ANY, Type::String, "JSON on one line", |ctx, args| strict(ctx, &args, RAW)),
    Func::new("sprig_mustToRawJson", ANY, Type::String, "JSON on one line", |ctx, args| {
        strict(ctx, &args, RAW)
    }),
    Func::new("sprig_typeOf", ANY, Type::String, "the name of a value's Go type", |_, args| {
        Ok(Value::text(args.get(0).type_name()))
    }),
    Func::new("sprig_typeIs", NAMED, Type::Bool, "whether a value has a Go type", |_, args| {
        Ok(Value::Bool(args.get(1).type_name().as_bytes() == args.bytes(0)))
    }),
    Func::new(
        "sprig_typeIsLike",
        NAMED,
        Type::Bool,
        "whether a value has a Go type or points to it",
        |_, args| {
            let name = args.get(1).type_name();
            let like = name.strip_prefix('*').unwrap_or(&name);
            Ok(Value::Bool(name.as_bytes() == args.bytes(0) || like.as_bytes() == args.bytes(0)))
        },
    ),
    Func::new("sprig_kindOf", ANY, Type::String, "the kind of a value's Go type", |_, args| {
        Ok(Value::text(args.get(0).kind_name()))
    }),
    Func::new("sprig_kindIs", NAMED, Type::Bool, "whether a value's Go type is of a kind", |_, args| {
        Ok(Value::Bool(args.get(1).kind_name().as_bytes() == args.bytes(0)))
    }),
    Func::new(
        "sprig_deepEqual",
        TWO,
        Type::Bool,
        "whether two values are equal in type and all parts",
        |_, args| deep_equal(args.get(0), args.get(1), 0).map(Value::Bool),
    ),
];

fn strict(ctx: &mut Ctx<'_>, args: &Args, style: Style) -> Result<Value, FuncError> {
    let text = json::write(args.get(0), style)?;
    ctx.charge(text.len())?;
    Ok(Value::text(text))
}

/// What JSON cannot hold becomes an empty text.
fn forgiving(ctx: &mut Ctx<'_>, args: &Args, style: Style) -> Result<Value, FuncError> {
    let text = match json::write(args.get(0), style) {
        Err(error) if error.is_limit() => return Err(error),
        text => text.unwrap_or_default(),
    };
    ctx.charge(text.len())?;
    Ok(Value::text(text))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, text};
    use super::*;

    #[test]
    fn zero_and_false_count_as_not_given() {
        for empty in [Value::Nil, Value::Int(0), Value::Bool(false), Value::text(""), Value::anys(vec![])] {
            assert_eq!(text("sprig_default", vec![Value::text("d"), empty.clone()]), "d");
            assert_eq!(text("sprig_coalesce", vec![empty.clone(), Value::text("x")]), "x");
            assert!(matches!(call("sprig_empty", vec![empty.clone()]), Ok(Value::Bool(true))));
            assert!(matches!(call("sprig_any", vec![empty]), Ok(Value::Bool(false))));
        }
        let number = call("sprig_default", vec![Value::text("d"), Value::Number("0".into())]);
        assert!(matches!(number, Ok(Value::Number(_))));
        assert_eq!(text("sprig_default", vec![Value::text("d")]), "d");
        assert!(matches!(call("sprig_all", vec![]), Ok(Value::Bool(true))));
    }

    #[test]
    fn json_forgives_or_not() {
        let bad = || vec![Value::Float(f64::NAN)];
        assert_eq!(text("sprig_toJson", bad()), "");
        assert_eq!(text("sprig_toPrettyJson", bad()), "");
        assert_eq!(fails("sprig_mustToJson", bad()), "json: unsupported value: NaN");
        assert!(call("sprig_toRawJson", bad()).is_err());
        assert!(matches!(call("sprig_fromJson", vec![Value::text("bad")]), Ok(Value::Nil)));
        assert!(
            fails("sprig_mustFromJson", vec![Value::text("bad")]).contains("looking for beginning of value")
        );
        assert_eq!(text("sprig_toRawJson", vec![Value::text("<")]), "\"<\"");
    }

    #[test]
    fn types_have_names() {
        let is = |name: &str, kind: &str, value: Value| {
            matches!(call(name, vec![Value::text(kind), value]), Ok(Value::Bool(true)))
        };
        assert!(is("sprig_typeIs", "map[string]interface {}", Value::dict([])));
        assert!(is("sprig_kindIs", "map", Value::dict([])));
        assert!(!is("sprig_typeIsLike", "x", Value::Int(1)));
        assert_eq!(text("sprig_kindOf", vec![Value::Nil]), "invalid");
    }

    #[test]
    fn fail_fails_with_the_message() {
        let error = call("sprig_fail", vec![Value::text("boom")]).err().unwrap();
        assert_eq!(error.go_text(), "boom");
        assert_eq!(text("sprig_ternary", vec![Value::text("a"), Value::text("b"), Value::Bool(false)]), "b");
    }
}
