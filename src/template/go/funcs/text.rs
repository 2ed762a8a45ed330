//! Consul-template's functions on text.

use super::{
    Args, Func, FuncError,
    matching::{Watch, compile},
};
use crate::template::go::{
    ctx::Ctx,
    format::{bytes, letters},
    kind::Type,
    value::{Key, Map, Value},
};

const TEXT: &[Type] = &[Type::String];
const TWO: &[Type] = &[Type::String, Type::String];
const THREE: &[Type] = &[Type::String, Type::String, Type::String];

pub(super) const FUNCS: &[Func] = &[
    Func::new("toLower", TEXT, Type::String, "lower case", |_, args| {
        Ok(Value::text(letters::to_lower(args.bytes(0))))
    }),
    Func::new("toUpper", TEXT, Type::String, "upper case", |_, args| {
        Ok(Value::text(letters::to_upper(args.bytes(0))))
    }),
    Func::new("toTitle", TEXT, Type::String, "upper case for the first letter of each word", |_, args| {
        Ok(Value::text(letters::words_title(args.bytes(0))))
    }),
    Func::new("trim", TWO, Type::String, "cuts a set of characters off both ends", |_, args| {
        Ok(Value::text(bytes::trim_set(args.bytes(1), args.bytes(0)).to_vec()))
    }),
    Func::new("trimPrefix", TWO, Type::String, "cuts a beginning off", trim_prefix),
    Func::new("trimSuffix", TWO, Type::String, "cuts an end off", trim_suffix),
    Func::new("trimSpace", TEXT, Type::String, "cuts white space off both ends", |_, args| {
        Ok(Value::text(bytes::trim_space(args.bytes(0)).to_vec()))
    }),
    Func::new("replaceAll", THREE, Type::String, "replaces each occurrence of a text", |ctx, args| {
        replace(ctx, args.bytes(2), args.bytes(0), args.bytes(1))
    }),
    Func::new(
        "join",
        &[Type::String, Type::STRINGS],
        Type::String,
        "joins texts with a separator between them",
        join,
    ),
    Func::new("split", TWO, Type::STRINGS, "parts of a text between a separator", |ctx, args| {
        let text = bytes::trim_space(args.bytes(1));
        if text.is_empty() {
            return Ok(Value::strings::<&str>([]));
        }
        pieces(ctx, bytes::split(text, args.bytes(0), None))
    }),
    Func::new(
        "splitToMap",
        THREE,
        Type::STRING_DICT,
        "keys and values from text such as a=1,b=2",
        split_to_map,
    ),
    Func::new(
        "indent",
        &[Type::Int, Type::String],
        Type::String,
        "spaces before every line that has text",
        indent,
    ),
    Func::new("regexMatch", TWO, Type::Bool, "whether a regular expression matches", |ctx, args| {
        let regex = compile(ctx, args.bytes(0))?;
        Watch::start(ctx, &regex, args.bytes(1).len())?;
        Ok(Value::Bool(regex.is_match(args.bytes(1))))
    }),
    Func::new(
        "regexReplaceAll",
        THREE,
        Type::String,
        "replaces each match of a regular expression",
        |ctx, args| {
            let regex = compile(ctx, args.bytes(0))?;
            let mut watch = Watch::start(ctx, &regex, args.bytes(2).len())?;
            let out =
                regex.replace(args.bytes(2), args.bytes(1), &mut |end, made| watch.matched(end, made))?;
            Ok(Value::text(out))
        },
    ),
];

/// A list of texts.
pub(super) fn pieces(ctx: &mut Ctx<'_>, pieces: Vec<&[u8]>) -> Result<Value, FuncError> {
    ctx.charge(pieces.len().saturating_mul(64))?;
    Ok(Value::strings(pieces.into_iter().map(<[u8]>::to_vec)))
}

/// All occurrences of `from` in `text` replaced by `to`.
pub(super) fn replace(ctx: &mut Ctx<'_>, text: &[u8], from: &[u8], to: &[u8]) -> Result<Value, FuncError> {
    let most = text.len() / from.len().max(1) + 1;
    if to.len() > from.len() {
        let pieces = if from.is_empty() { most } else { bytes::count(text, from) };
        ctx.charge(pieces.saturating_mul(to.len()))?;
    }
    Ok(Value::text(bytes::replace(text, from, to)))
}

pub(super) fn trim_prefix(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let text = args.bytes(1);
    Ok(Value::text(text.strip_prefix(args.bytes(0)).unwrap_or(text).to_vec()))
}

pub(super) fn trim_suffix(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let text = args.bytes(1);
    Ok(Value::text(text.strip_suffix(args.bytes(0)).unwrap_or(text).to_vec()))
}

fn join(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let list = args.list(1);
    let texts: Vec<&[u8]> =
        list.items().iter().map(|item| item.as_text().map_or(&b""[..], |text| text.as_bytes())).collect();
    join_texts(ctx, args.bytes(0), &texts)
}

/// Joins texts, bounded.
pub(super) fn join_texts(ctx: &mut Ctx<'_>, separator: &[u8], texts: &[&[u8]]) -> Result<Value, FuncError> {
    ctx.charge(texts.iter().map(|text| text.len()).sum::<usize>() + separator.len() * texts.len())?;
    Ok(Value::text(texts.join(separator)))
}

/// Entries that are put into a map in the time of one step.
const ENTRIES_PER_STEP: usize = 2;

fn split_to_map(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let mut entries = std::collections::BTreeMap::new();
    let text = bytes::trim_space(args.bytes(2));
    if text.is_empty() {
        return Ok(Value::Map(Map::new(&Type::String, &Type::String, entries)));
    }
    let items = bytes::split(text, args.bytes(0), None);
    ctx.labour((items.len() / ENTRIES_PER_STEP) as u64)?;
    for item in items {
        if let Some(at) = bytes::find(item, args.bytes(1)) {
            let value = item[at + args.bytes(1).len()..].to_vec();
            entries.insert(Key::String(item[..at].to_vec().into()), Value::text(value));
        }
    }
    Ok(Value::Map(Map::new(&Type::String, &Type::String, entries)))
}

fn indent(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let Ok(spaces) = usize::try_from(args.int(0)) else {
        return Err(FuncError::new("indent value must be a positive integer"));
    };
    let text = args.bytes(1);
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    ctx.charge_repeated(1, spaces)?;
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

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, text};
    use super::*;

    #[test]
    fn splitting_trims_and_keeps_empty_parts() {
        for (separator, input, output) in [
            (",", " a,b ", r#"["a","b"]"#),
            ("", "abc", r#"["a","b","c"]"#),
            (",", "", "[]"),
            ("\n", "a\nb\n", r#"["a","b"]"#),
            (",", ",a,", r#"["","a",""]"#),
        ] {
            let list = call("split", vec![Value::text(separator), Value::text(input)]).unwrap();
            assert_eq!(text("toJSON", vec![list]), output);
        }
    }

    #[test]
    fn maps_come_from_pairs_and_the_last_one_wins() {
        let args =
            vec![Value::text("\n"), Value::text(":"), Value::text("foo:bar\nbaz:bat:x\nnone\nfoo:2\n")];
        let map = call("splitToMap", args).unwrap();
        assert_eq!(map.type_name(), "map[string]string");
        assert_eq!(text("toJSON", vec![map]), r#"{"baz":"bat:x","foo":"2"}"#);
    }

    #[test]
    fn only_lines_with_text_are_indented() {
        let indented = |n, s: &str| text("indent", vec![Value::Int(n), Value::text(s)]);
        assert_eq!(indented(2, "a\n\nb\n"), "  a\n\n  b\n");
        assert_eq!(indented(2, "a\r\nb"), "  a\r\n  b");
        assert_eq!(
            fails("indent", vec![Value::Int(-1), Value::text("a")]),
            "indent value must be a positive integer"
        );
        assert!(fails("indent", vec![Value::Int(1 << 40), Value::text("a\nb")]).contains("MiB"));
    }

    #[test]
    fn argument_orders_are_the_originals() {
        let three = |name, a: &str, b: &str, c: &str| {
            text(name, vec![Value::text(a), Value::text(b), Value::text(c)])
        };
        assert_eq!(three("replaceAll", "'", r"'\''", "it's"), r"it'\''s");
        assert_eq!(three("regexReplaceAll", "a(x*)b", "${1}W", "-ab-axxb-"), "-W-xxW-");
        let two = |name, a: &str, b: &str| text(name, vec![Value::text(a), Value::text(b)]);
        assert_eq!(two("trim", "ab", "abcba"), "c");
        assert_eq!(two("trimPrefix", "a", "aab"), "ab");
        assert_eq!(two("trimSuffix", "b", "abb"), "ab");
        assert_eq!(
            fails("regexMatch", vec![Value::text("("), Value::text("x")]),
            "error parsing regexp: missing closing ): `(`"
        );
    }
}
