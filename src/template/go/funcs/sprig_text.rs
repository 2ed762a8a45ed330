//! Sprig's functions on text.

use super::{
    Args, Func, FuncError,
    cast::{to_text, to_texts},
    text::{join_texts, pieces, replace, trim_prefix, trim_suffix},
};
use crate::{
    template::go::{
        ctx::Ctx,
        format::{bytes, letters, words},
        kind::Type,
        print, quote,
        value::{Key, Map, Value},
    },
    vault::value::Text,
};

const TEXT: &[Type] = &[Type::String];
const TWO: &[Type] = &[Type::String, Type::String];
const THREE: &[Type] = &[Type::String, Type::String, Type::String];
const NUMBER: &[Type] = &[Type::Int, Type::String];
const ANY: &[Type] = &[Type::Any];

pub(super) const FUNCS: &[Func] = &[
    Func::new("sprig_hello", &[], Type::String, "a greeting", |_, _| Ok(Value::text("Hello!"))),
    Func::new("sprig_trim", TEXT, Type::String, "cuts white space off both ends", |_, args| {
        Ok(Value::text(bytes::trim_space(args.bytes(0)).to_vec()))
    }),
    Func::new("sprig_trimAll", TWO, Type::String, "cuts a set of characters off both ends", trim_all),
    Func::new("sprig_trimall", TWO, Type::String, "cuts a set of characters off both ends", trim_all),
    Func::new("sprig_trimPrefix", TWO, Type::String, "cuts a beginning off", trim_prefix),
    Func::new("sprig_trimSuffix", TWO, Type::String, "cuts an end off", trim_suffix),
    Func::new("sprig_upper", TEXT, Type::String, "upper case", |_, args| {
        Ok(Value::text(letters::to_upper(args.bytes(0))))
    }),
    Func::new("sprig_lower", TEXT, Type::String, "lower case", |_, args| {
        Ok(Value::text(letters::to_lower(args.bytes(0))))
    }),
    Func::new(
        "sprig_title",
        TEXT,
        Type::String,
        "upper case for the first letter of each word",
        |_, args| Ok(Value::text(letters::old_title(args.bytes(0)))),
    ),
    Func::new(
        "sprig_untitle",
        TEXT,
        Type::String,
        "lower case for the first letter of each word",
        |_, args| Ok(Value::text(words::untitle(args.bytes(0)))),
    ),
    Func::new("sprig_swapcase", TEXT, Type::String, "upper case to lower case and back", |_, args| {
        Ok(Value::text(words::swap_case(args.bytes(0))))
    }),
    Func::new("sprig_nospace", TEXT, Type::String, "without white space", |_, args| {
        Ok(Value::text(no_space(args.bytes(0))))
    }),
    Func::new("sprig_initials", TEXT, Type::String, "the first letter of each word", |_, args| {
        Ok(Value::text(words::initials(args.bytes(0))))
    }),
    Func::new("sprig_repeat", NUMBER, Type::String, "a text several times", repeat),
    Func::new(
        "sprig_substr",
        &[Type::Int, Type::Int, Type::String],
        Type::String,
        "bytes from a start to an end",
        substr,
    ),
    Func::new(
        "sprig_trunc",
        NUMBER,
        Type::String,
        "the first bytes, or the last for a negative number",
        trunc,
    ),
    Func::new("sprig_abbrev", NUMBER, Type::String, "shortens with three dots", |_, args| {
        Ok(Value::text(words::abbreviate(args.bytes(1), 0, args.int(0))))
    }),
    Func::new(
        "sprig_abbrevboth",
        &[Type::Int, Type::Int, Type::String],
        Type::String,
        "shortens with three dots on both sides",
        |_, args| Ok(Value::text(words::abbreviate(args.bytes(2), args.int(0), args.int(1)))),
    ),
    Func::new("sprig_contains", TWO, Type::Bool, "whether a text is part of another", |_, args| {
        Ok(Value::Bool(bytes::find(args.bytes(1), args.bytes(0)).is_some()))
    }),
    Func::new("sprig_hasPrefix", TWO, Type::Bool, "whether a text begins with another", |_, args| {
        Ok(Value::Bool(args.bytes(1).starts_with(args.bytes(0))))
    }),
    Func::new("sprig_hasSuffix", TWO, Type::Bool, "whether a text ends with another", |_, args| {
        Ok(Value::Bool(args.bytes(1).ends_with(args.bytes(0))))
    }),
    Func::new("sprig_quote", ANY, Type::String, "in double quotes, with escapes", |ctx, args| {
        joined(ctx, &args, |value| Ok(quote::quote(to_text(value)?.as_bytes()).into()))
    })
    .variadic(),
    Func::new("sprig_squote", ANY, Type::String, "in single quotes", |ctx, args| {
        joined(ctx, &args, |value| Ok(Text::from([b"'", print::value(value)?.as_bytes(), b"'"].concat())))
    })
    .variadic(),
    Func::new("sprig_cat", ANY, Type::String, "values with blanks between them", cat).variadic(),
    Func::new("sprig_indent", NUMBER, Type::String, "spaces before every line", |ctx, args| {
        indent(ctx, &args, b"")
    }),
    Func::new(
        "sprig_nindent",
        NUMBER,
        Type::String,
        "a new line, then spaces before every line",
        |ctx, args| indent(ctx, &args, b"\n"),
    ),
    Func::new("sprig_replace", THREE, Type::String, "replaces each occurrence of a text", |ctx, args| {
        replace(ctx, args.bytes(2), args.bytes(0), args.bytes(1))
    }),
    Func::new(
        "sprig_plural",
        &[Type::String, Type::String, Type::Int],
        Type::String,
        "one text for 1, the other for all else",
        |_, mut args| Ok(args.take(usize::from(args.int(2) != 1))),
    ),
    Func::new("sprig_snakecase", TEXT, Type::String, "words_like_this", |ctx, args| {
        // Letters and words stand apart while they are put together.
        ctx.charge(16 * args.bytes(0).len())?;
        Ok(Value::text(words::snake(args.bytes(0), '_')))
    }),
    Func::new("sprig_kebabcase", TEXT, Type::String, "words-like-this", |ctx, args| {
        // Letters and words stand apart while they are put together.
        ctx.charge(16 * args.bytes(0).len())?;
        Ok(Value::text(words::snake(args.bytes(0), '-')))
    }),
    Func::new("sprig_camelcase", TEXT, Type::String, "WordsLikeThis", |ctx, args| {
        // Letters and words stand apart while they are put together.
        ctx.charge(16 * args.bytes(0).len())?;
        Ok(Value::text(words::camel(args.bytes(0))))
    }),
    Func::new("sprig_wrap", NUMBER, Type::String, "breaks lines at blanks", |_, args| {
        Ok(Value::text(words::wrap(args.bytes(1), args.int(0), b"", false)))
    }),
    Func::new(
        "sprig_wrapWith",
        &[Type::Int, Type::String, Type::String],
        Type::String,
        "breaks lines with a separator, long words too",
        |ctx, args| {
            let width = usize::try_from(args.int(0)).unwrap_or(1).max(1);
            ctx.charge((args.bytes(2).len() / width).saturating_mul(args.bytes(1).len()))?;
            Ok(Value::text(words::wrap(args.bytes(2), args.int(0), args.bytes(1), true)))
        },
    ),
    Func::new("sprig_toString", ANY, Type::String, "any value as text", |_, args| {
        Ok(Value::String(to_text(args.get(0))?))
    }),
    Func::new("sprig_toStrings", ANY, Type::STRINGS, "a list as a list of texts", |_, args| {
        Ok(Value::strings(to_texts(args.get(0))?))
    }),
    Func::new(
        "sprig_join",
        &[Type::String, Type::Any],
        Type::String,
        "joins a list with a separator",
        |ctx, args| {
            let texts = to_texts(args.get(1))?;
            let texts: Vec<&[u8]> = texts.iter().map(Text::as_bytes).collect();
            join_texts(ctx, args.bytes(0), &texts)
        },
    ),
    Func::new(
        "sprig_split",
        TWO,
        Type::STRING_DICT,
        "parts of a text under _0, _1 and so on",
        |ctx, args| parts(ctx, bytes::split(args.bytes(1), args.bytes(0), None)),
    ),
    Func::new(
        "sprig_splitn",
        &[Type::String, Type::Int, Type::String],
        Type::STRING_DICT,
        "at most so many parts of a text under _0, _1 and so on",
        |ctx, args| {
            let limit = usize::try_from(args.int(1)).ok();
            parts(ctx, bytes::split(args.bytes(2), args.bytes(0), limit))
        },
    ),
    Func::new("sprig_splitList", TWO, Type::STRINGS, "parts of a text as a list", |ctx, args| {
        pieces(ctx, bytes::split(args.bytes(1), args.bytes(0), None))
    }),
    Func::new("sprig_shuffle", TEXT, Type::String, "the characters in random order", shuffle),
];

fn trim_all(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    Ok(Value::text(bytes::trim_set(args.bytes(1), args.bytes(0)).to_vec()))
}

/// The original takes each byte for a character, also in what it keeps when it drops anything.
fn no_space(text: &[u8]) -> Vec<u8> {
    let is_space = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ' | 0x85 | 0xa0);
    if !text.iter().any(is_space) {
        return text.to_vec();
    }
    bytes::from_chars(text.iter().filter(|byte| !is_space(byte)).map(|byte| char::from(*byte)))
}

fn repeat(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let Ok(count) = usize::try_from(args.int(0)) else {
        return Err(FuncError::new("strings: negative Repeat count"));
    };
    let text = args.bytes(1);
    ctx.charge_repeated(text.len(), count)?;
    Ok(Value::text(if text.is_empty() { Vec::new() } else { text.repeat(count) }))
}

fn substr(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let text = args.bytes(2);
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let (start, end) = (args.int(0), args.int(1));
    let (from, to) = match (start, end) {
        (..0, end) => (0, end),
        (start, end) if end < 0 || end > length => (start, length),
        both => both,
    };
    let bounds = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    match bounds.and_then(|(from, to)| text.get(from..to)) {
        Some(part) => Ok(Value::text(part.to_vec())),
        None if start < 0 && end < 0 => Err(out_of_range(format!(":{end}]"))),
        None if start < 0 => Err(out_of_range(format!(":{end}] with length {length}"))),
        None => Err(out_of_range(format!("{from}:{to}]"))),
    }
}

fn out_of_range(what: String) -> FuncError {
    FuncError::new(format!("runtime error: slice bounds out of range [{what}"))
}

fn trunc(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let text = args.bytes(1);
    let count = args.int(0);
    let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let kept = match text.len().checked_sub(size) {
        Some(cut @ 1..) if count < 0 => &text[cut..],
        Some(_) if count >= 0 => &text[..size],
        _ => text,
    };
    Ok(Value::text(kept.to_vec()))
}

/// Every argument but nil through `each`, with blanks between.
fn joined(
    ctx: &mut Ctx<'_>,
    args: &Args,
    each: impl Fn(&Value) -> Result<Text, FuncError>,
) -> Result<Value, FuncError> {
    let given = args.rest(0).iter().filter(|value| !matches!(value, Value::Nil));
    let texts: Vec<Text> = given.map(each).collect::<Result<_, _>>()?;
    let texts: Vec<&[u8]> = texts.iter().map(Text::as_bytes).collect();
    join_texts(ctx, b" ", &texts)
}

fn cat(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    joined(ctx, &args, print::value)
}

fn indent(ctx: &mut Ctx<'_>, args: &Args, before: &[u8]) -> Result<Value, FuncError> {
    let Ok(spaces) = usize::try_from(args.int(0)) else {
        return Err(FuncError::new("strings: negative Repeat count"));
    };
    let text = args.bytes(1);
    let lines = text.iter().filter(|byte| **byte == b'\n').count() + 1;
    ctx.charge_repeated(1, spaces)?;
    ctx.charge(lines.saturating_mul(spaces))?;
    let mut out = before.to_vec();
    out.reserve(text.len() + lines * spaces);
    out.resize(out.len() + spaces, b' ');
    for byte in text {
        out.push(*byte);
        if *byte == b'\n' {
            out.resize(out.len() + spaces, b' ');
        }
    }
    Ok(Value::text(out))
}

fn parts(ctx: &mut Ctx<'_>, parts: Vec<&[u8]>) -> Result<Value, FuncError> {
    ctx.charge(parts.len().saturating_mul(128))?;
    let entries = parts
        .into_iter()
        .enumerate()
        .map(|(number, part)| (Key::String(format!("_{number}").into()), Value::text(part.to_vec())));
    Ok(Value::Map(Map::new(&Type::String, &Type::String, entries.collect())))
}

fn shuffle(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let mut letters = bytes::chars(args.bytes(0));
    // Each takes a number from the system.
    ctx.labour(letters.len() as u64)?;
    for last in (1..letters.len()).rev() {
        let limit = u64::try_from(last + 1).unwrap_or(u64::MAX);
        let other = usize::try_from(super::sprig_math::random_below(ctx, limit)?).unwrap_or(0);
        letters.swap(last, other);
    }
    Ok(Value::text(bytes::from_chars(letters)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, text};
    use super::*;

    #[test]
    fn cutting_counts_bytes_and_never_panics() {
        let substr = |a, b| vec![Value::Int(a), Value::Int(b), Value::text("hello")];
        for (start, end, out) in [(1, 3, "el"), (-1, 3, "hel"), (2, -1, "llo"), (2, 99, "llo"), (5, 5, "")] {
            assert_eq!(text("sprig_substr", substr(start, end)), out);
        }
        let range = "runtime error: slice bounds out of range";
        assert_eq!(fails("sprig_substr", substr(9, 10)), format!("{range} [9:5]"));
        assert_eq!(fails("sprig_substr", substr(-1, 10)), format!("{range} [:10] with length 5"));
        assert_eq!(fails("sprig_substr", substr(3, 1)), format!("{range} [3:1]"));
        for (count, out) in [
            (3, "hel"),
            (-3, "llo"),
            (10, "hello"),
            (-10, "hello"),
            (0, ""),
            (i64::MIN, "hello"),
            (-5, "hello"),
        ] {
            assert_eq!(text("sprig_trunc", vec![Value::Int(count), Value::text("hello")]), out);
        }
    }

    #[test]
    fn huge_counts_are_errors() {
        let big = || vec![Value::Int(i64::MAX), Value::text("ab")];
        for name in ["sprig_repeat", "sprig_indent", "sprig_nindent"] {
            assert!(fails(name, vec![Value::Int(1 << 40), Value::text("ab")]).contains("MiB"), "{name}");
            assert!(fails(name, big()).contains("le"), "{name}");
            assert!(fails(name, vec![Value::Int(-1), Value::text("a")]).contains("negative"), "{name}");
        }
        assert_eq!(text("sprig_repeat", vec![Value::Int(i64::MAX), Value::text("")]), "");
        assert_eq!(text("sprig_wrap", big()), "ab");
    }

    #[test]
    fn quoting_and_joining_skip_nil() {
        let args = || vec![Value::text("a\"b"), Value::Int(5), Value::Nil];
        assert_eq!(text("sprig_quote", args()), r#""a\"b" "5""#);
        assert_eq!(text("sprig_squote", args()), r#"'a"b' '5'"#);
        assert_eq!(text("sprig_cat", args()), r#"a"b 5"#);
        assert_eq!(text("sprig_join", vec![Value::text(","), Value::anys(args())]), r#"a"b,5"#);
        assert_eq!(text("sprig_quote", vec![]), "");
    }

    #[test]
    fn every_line_is_indented() {
        assert_eq!(text("sprig_indent", vec![Value::Int(2), Value::text("a\n\nb\n")]), "  a\n  \n  b\n  ");
        assert_eq!(text("sprig_nindent", vec![Value::Int(1), Value::text("a")]), "\n a");
    }

    #[test]
    fn parts_are_numbered() {
        let map = call("sprig_splitn", vec![Value::text("/"), Value::Int(2), Value::text("a/b/c")]).unwrap();
        assert_eq!(text("toJSON", vec![map]), r#"{"_0":"a","_1":"b/c"}"#);
        let list = call("sprig_splitList", vec![Value::text("/"), Value::text("")]).unwrap();
        assert_eq!(text("toJSON", vec![list]), r#"[""]"#);
    }

    #[test]
    fn shuffling_keeps_the_characters() {
        let mut letters: Vec<char> = text("sprig_shuffle", vec![Value::text("aébc")]).chars().collect();
        letters.sort_unstable();
        assert_eq!(letters, ['a', 'b', 'c', 'é']);
    }
}
