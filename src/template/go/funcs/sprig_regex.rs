//! Sprig's regular expressions: pattern first, then the text, then the replacement.

use super::{Args, Func, FuncError, text::compile};
use crate::template::go::{
    ctx::Ctx,
    format::regex::{Regex, quote_meta},
    kind::Type,
    quote::quote_pattern,
    value::Value,
};

const TWO: &[Type] = &[Type::String, Type::String];
const THREE: &[Type] = &[Type::String, Type::String, Type::String];
const COUNTED: &[Type] = &[Type::String, Type::String, Type::Int];

pub(super) const FUNCS: &[Func] = &[
    Func::new(
        "sprig_regexMatch",
        TWO,
        Type::Bool,
        "whether a pattern matches; a bad one never does",
        |_, args| Ok(Value::Bool(compile(args.bytes(0)).is_ok_and(|regex| regex.is_match(args.bytes(1))))),
    ),
    Func::new("sprig_mustRegexMatch", TWO, Type::Bool, "whether a pattern matches", |_, args| {
        Ok(Value::Bool(compile(args.bytes(0))?.is_match(args.bytes(1))))
    }),
    Func::new("sprig_regexFind", TWO, Type::String, "the first match of a pattern", |_, args| {
        Ok(find(&named(&args)?, &args))
    }),
    Func::new("sprig_mustRegexFind", TWO, Type::String, "the first match of a pattern", |_, args| {
        Ok(find(&compile(args.bytes(0))?, &args))
    }),
    Func::new("sprig_regexFindAll", COUNTED, Type::STRINGS, "the matches of a pattern", |ctx, args| {
        find_all(ctx, &named(&args)?, &args)
    }),
    Func::new("sprig_mustRegexFindAll", COUNTED, Type::STRINGS, "the matches of a pattern", |ctx, args| {
        find_all(ctx, &compile(args.bytes(0))?, &args)
    }),
    Func::new(
        "sprig_regexReplaceAll",
        THREE,
        Type::String,
        "replaces each match, with $1 for groups",
        |ctx, args| bounded(ctx, named(&args)?.replace(args.bytes(1), args.bytes(2))),
    ),
    Func::new(
        "sprig_mustRegexReplaceAll",
        THREE,
        Type::String,
        "replaces each match, with $1 for groups",
        |ctx, args| bounded(ctx, compile(args.bytes(0))?.replace(args.bytes(1), args.bytes(2))),
    ),
    Func::new(
        "sprig_regexReplaceAllLiteral",
        THREE,
        Type::String,
        "replaces each match by a text",
        |ctx, args| bounded(ctx, named(&args)?.replace_literal(args.bytes(1), args.bytes(2))),
    ),
    Func::new(
        "sprig_mustRegexReplaceAllLiteral",
        THREE,
        Type::String,
        "replaces each match by a text",
        |ctx, args| bounded(ctx, compile(args.bytes(0))?.replace_literal(args.bytes(1), args.bytes(2))),
    ),
    Func::new("sprig_regexSplit", COUNTED, Type::STRINGS, "the parts between matches", |ctx, args| {
        split(ctx, &named(&args)?, &args)
    }),
    Func::new("sprig_mustRegexSplit", COUNTED, Type::STRINGS, "the parts between matches", |ctx, args| {
        split(ctx, &compile(args.bytes(0))?, &args)
    }),
    Func::new(
        "sprig_regexQuoteMeta",
        &[Type::String],
        Type::String,
        "a pattern for exactly this text",
        |_, args| Ok(Value::text(quote_meta(args.bytes(0)))),
    ),
];

/// The pattern of the functions that panic in the original, whose message names the pattern.
fn named(args: &Args) -> Result<Regex, FuncError> {
    compile(args.bytes(0)).map_err(|error| {
        let words = format!("regexp: Compile({}): {}", quote_pattern(args.bytes(0)), error.go_text());
        FuncError::quoting(words, error.shown())
    })
}

fn find(regex: &Regex, args: &Args) -> Value {
    Value::text(regex.find(args.bytes(1), Some(1)).first().map_or_else(Vec::new, |found| found.to_vec()))
}

fn texts(ctx: &mut Ctx<'_>, texts: &[&[u8]]) -> Result<Value, FuncError> {
    ctx.charge(texts.len() * 64)?;
    Ok(Value::strings(texts.iter().map(|text| text.to_vec())))
}

fn find_all(ctx: &mut Ctx<'_>, regex: &Regex, args: &Args) -> Result<Value, FuncError> {
    let found = regex.find(args.bytes(1), usize::try_from(args.int(2)).ok());
    if found.is_empty() { Ok(Type::STRINGS.zero()) } else { texts(ctx, &found) }
}

fn split(ctx: &mut Ctx<'_>, regex: &Regex, args: &Args) -> Result<Value, FuncError> {
    match regex.split(args.bytes(1), args.int(2)) {
        Some(parts) => texts(ctx, &parts),
        None => Ok(Type::STRINGS.zero()),
    }
}

fn bounded(ctx: &mut Ctx<'_>, text: Vec<u8>) -> Result<Value, FuncError> {
    ctx.charge(text.len())?;
    Ok(Value::text(text))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, text};
    use super::*;

    fn three(a: &str, b: &str, c: &str) -> Vec<Value> {
        vec![Value::text(a), Value::text(b), Value::text(c)]
    }

    #[test]
    fn the_text_comes_before_the_replacement() {
        assert_eq!(text("sprig_regexReplaceAll", three("a(x*)b", "-ab-axxb-", "${1}W")), "-W-xxW-");
        assert_eq!(text("sprig_regexReplaceAllLiteral", three("a(x*)b", "-ab-", "${1}")), "-${1}-");
        assert_eq!(text("sprig_regexFind", vec![Value::text("b+"), Value::text("abbc")]), "bb");
        assert_eq!(text("sprig_regexQuoteMeta", vec![Value::text("1.2+3")]), r"1\.2\+3");
    }

    #[test]
    fn lists_are_nil_without_a_match() {
        let json = |name, count| {
            let args = vec![Value::text("[2,4]"), Value::text("123456"), Value::Int(count)];
            text("toJSON", vec![call(name, args).unwrap()])
        };
        assert_eq!(json("sprig_regexFindAll", -1), r#"["2","4"]"#);
        assert_eq!(json("sprig_regexFindAll", 1), r#"["2"]"#);
        assert_eq!(json("sprig_regexFindAll", 0), "null");
        assert_eq!(json("sprig_mustRegexSplit", 2), r#"["1","3456"]"#);
        assert_eq!(json("sprig_regexSplit", 0), "null");
    }

    #[test]
    fn bad_patterns() {
        let args = || vec![Value::text("("), Value::text("abc")];
        assert!(matches!(call("sprig_regexMatch", args()), Ok(Value::Bool(false))));
        let words = "error parsing regexp: missing closing ): `(`";
        assert_eq!(fails("sprig_mustRegexMatch", args()), words);
        assert_eq!(fails("sprig_regexFind", args()), format!("regexp: Compile(`(`): {words}"));
    }
}
