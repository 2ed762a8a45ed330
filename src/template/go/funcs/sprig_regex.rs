//! Sprig's regular expressions: pattern first, then the text, then the replacement.

use std::rc::Rc;

use super::{
    Args, Func, FuncError,
    matching::{Watch, compile},
};
use crate::template::go::{
    ctx::Ctx,
    format::regex::{OnMatch, Regex, quote_meta},
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
        |ctx, args| match compile(ctx, args.bytes(0)) {
            Ok(regex) => matches(ctx, &regex, &args),
            Err(error) if error.is_limit() => Err(error),
            Err(_) => Ok(Value::Bool(false)),
        },
    ),
    Func::new("sprig_mustRegexMatch", TWO, Type::Bool, "whether a pattern matches", |ctx, args| {
        let regex = compile(ctx, args.bytes(0))?;
        matches(ctx, &regex, &args)
    }),
    Func::new("sprig_regexFind", TWO, Type::String, "the first match of a pattern", |ctx, args| {
        let regex = named(ctx, &args)?;
        find(ctx, &regex, &args)
    }),
    Func::new("sprig_mustRegexFind", TWO, Type::String, "the first match of a pattern", |ctx, args| {
        let regex = compile(ctx, args.bytes(0))?;
        find(ctx, &regex, &args)
    }),
    Func::new("sprig_regexFindAll", COUNTED, Type::STRINGS, "the matches of a pattern", |ctx, args| {
        let regex = named(ctx, &args)?;
        find_all(ctx, &regex, &args)
    }),
    Func::new("sprig_mustRegexFindAll", COUNTED, Type::STRINGS, "the matches of a pattern", |ctx, args| {
        let regex = compile(ctx, args.bytes(0))?;
        find_all(ctx, &regex, &args)
    }),
    Func::new(
        "sprig_regexReplaceAll",
        THREE,
        Type::String,
        "replaces each match, with $1 for groups",
        |ctx, args| {
            let regex = named(ctx, &args)?;
            replaced(ctx, &args, &regex, Regex::replace)
        },
    ),
    Func::new(
        "sprig_mustRegexReplaceAll",
        THREE,
        Type::String,
        "replaces each match, with $1 for groups",
        |ctx, args| {
            let regex = compile(ctx, args.bytes(0))?;
            replaced(ctx, &args, &regex, Regex::replace)
        },
    ),
    Func::new(
        "sprig_regexReplaceAllLiteral",
        THREE,
        Type::String,
        "replaces each match by a text",
        |ctx, args| {
            let regex = named(ctx, &args)?;
            replaced(ctx, &args, &regex, Regex::replace_literal)
        },
    ),
    Func::new(
        "sprig_mustRegexReplaceAllLiteral",
        THREE,
        Type::String,
        "replaces each match by a text",
        |ctx, args| {
            let regex = compile(ctx, args.bytes(0))?;
            replaced(ctx, &args, &regex, Regex::replace_literal)
        },
    ),
    Func::new("sprig_regexSplit", COUNTED, Type::STRINGS, "the parts between matches", |ctx, args| {
        let regex = named(ctx, &args)?;
        split(ctx, &regex, &args)
    }),
    Func::new("sprig_mustRegexSplit", COUNTED, Type::STRINGS, "the parts between matches", |ctx, args| {
        let regex = compile(ctx, args.bytes(0))?;
        split(ctx, &regex, &args)
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
fn named(ctx: &mut Ctx<'_>, args: &Args) -> Result<Rc<Regex>, FuncError> {
    compile(ctx, args.bytes(0)).map_err(|error| {
        if error.is_limit() {
            return error;
        }
        let words = format!("regexp: Compile({}): {}", quote_pattern(args.bytes(0)), error.go_text());
        FuncError::quoting(words, error.shown())
    })
}

fn matches(ctx: &mut Ctx<'_>, regex: &Regex, args: &Args) -> Result<Value, FuncError> {
    Watch::start(ctx, regex, args.bytes(1).len())?;
    Ok(Value::Bool(regex.is_match(args.bytes(1))))
}

fn find(ctx: &mut Ctx<'_>, regex: &Regex, args: &Args) -> Result<Value, FuncError> {
    let mut watch = Watch::start(ctx, regex, args.bytes(1).len())?;
    let found = regex.find(args.bytes(1), Some(1), &mut |end, made| watch.matched(end, made))?;
    Ok(Value::text(found.first().map_or_else(Vec::new, |found| found.to_vec())))
}

fn texts(texts: &[&[u8]]) -> Value {
    Value::strings(texts.iter().map(|text| text.to_vec()))
}

fn find_all(ctx: &mut Ctx<'_>, regex: &Regex, args: &Args) -> Result<Value, FuncError> {
    let mut watch = Watch::start(ctx, regex, args.bytes(1).len())?;
    let limit = usize::try_from(args.int(2)).ok();
    let found = regex.find(args.bytes(1), limit, &mut |end, made| watch.matched(end, made))?;
    Ok(if found.is_empty() { Type::STRINGS.zero() } else { texts(&found) })
}

fn split(ctx: &mut Ctx<'_>, regex: &Regex, args: &Args) -> Result<Value, FuncError> {
    let mut watch = Watch::start(ctx, regex, args.bytes(1).len())?;
    let parts = regex.split(args.bytes(1), args.int(2), &mut |end, made| watch.matched(end, made))?;
    Ok(parts.map_or_else(|| Type::STRINGS.zero(), |parts| texts(&parts)))
}

type Replace = fn(&Regex, &[u8], &[u8], OnMatch<'_>) -> Result<Vec<u8>, FuncError>;

fn replaced(ctx: &mut Ctx<'_>, args: &Args, regex: &Regex, replace: Replace) -> Result<Value, FuncError> {
    let mut watch = Watch::start(ctx, regex, args.bytes(1).len())?;
    let out = replace(regex, args.bytes(1), args.bytes(2), &mut |end, made| watch.matched(end, made))?;
    Ok(Value::text(out))
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
