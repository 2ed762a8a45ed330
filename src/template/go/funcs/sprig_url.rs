//! Sprig's URLs and paths.

use super::{Args, Func, FuncError};
use crate::template::go::{
    ctx::Ctx,
    format::{path, url::Url},
    kind::Type,
    quote::quote,
    value::{Key, Map, Value},
};

const TEXT: &[Type] = &[Type::String];

/// A path function; on Unix the plain and the `os` form are one.
macro_rules! path_func {
    ($name:literal, $doc:literal, $run:path) => {
        Func::new(concat!("sprig_", $name), TEXT, Type::String, $doc, |_, args| {
            Ok(Value::text($run(args.bytes(0))))
        })
    };
}

pub(super) const FUNCS: &[Func] = &[
    path_func!("base", "the last element of a path", path::base),
    path_func!("osBase", "the last element of a path", path::base),
    path_func!("dir", "a path without its last element", path::dir),
    path_func!("osDir", "a path without its last element", path::dir),
    path_func!("clean", "a path in its shortest form", path::clean),
    path_func!("osClean", "a path in its shortest form", path::clean),
    path_func!("ext", "the ending of a file's name", path::ext),
    path_func!("osExt", "the ending of a file's name", path::ext),
    Func::new("sprig_isAbs", TEXT, Type::Bool, "whether a path starts at the root", is_absolute),
    Func::new("sprig_osIsAbs", TEXT, Type::Bool, "whether a path starts at the root", is_absolute),
    Func::new("sprig_urlParse", TEXT, Type::DICT, "the parts of a URL as a map", url_parse),
    Func::new("sprig_urlJoin", &[Type::DICT], Type::String, "a URL from a map of parts", url_join),
];

fn is_absolute(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    Ok(Value::Bool(args.bytes(0).starts_with(b"/")))
}

/// Go cuts the fragment off first, and names the whole text only when the fragment is wrong.
fn before_fragment<'t>(text: &'t [u8], words: &str) -> &'t [u8] {
    let end = text.iter().position(|byte| *byte == b'#').unwrap_or(text.len());
    let in_fragment =
        words.starts_with("invalid URL escape") && Url::parse(&String::from_utf8_lossy(&text[..end])).is_ok();
    if in_fragment { text } else { &text[..end] }
}

fn url_parse(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let text = args.lossy(0);
    let url = Url::parse(&text).map_err(|words| {
        FuncError::quoting(
            format!("unable to parse url: parse {}: {words}", quote(before_fragment(args.bytes(0), &words))),
            format!("unable to parse url: {words}"),
        )
    })?;
    Ok(Value::dict([
        ("scheme".into(), Value::text(url.scheme.as_str())),
        ("host".into(), Value::text(url.host.as_str())),
        ("hostname".into(), Value::text(url.hostname())),
        ("path".into(), Value::text(url.path.clone())),
        ("query".into(), Value::text(url.query.as_str())),
        ("opaque".into(), Value::text(url.opaque.as_str())),
        ("fragment".into(), Value::text(url.fragment.clone())),
        ("userinfo".into(), Value::text(url.userinfo())),
    ]))
}

/// A text of the map; absent ones are empty.
fn part(map: &Map, name: &str) -> Result<Vec<u8>, FuncError> {
    match map.get(&Key::String(name.into())) {
        None => Ok(Vec::new()),
        Some(Value::String(text) | Value::Number(text)) => Ok(text.as_bytes().to_vec()),
        Some(Value::Nil) => {
            Err(FuncError::new("runtime error: invalid memory address or nil pointer dereference"))
        }
        Some(other) => {
            let kind = other.kind_name();
            Err(FuncError::new(format!(
                "unable to parse {name} key, must be of type string, but {kind} found"
            )))
        }
    }
}

fn url_join(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let map = args.map(0);
    let text = |name| part(&map, name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let mut url = Url {
        scheme: text("scheme")?,
        host: text("host")?,
        path: part(&map, "path")?,
        query: text("query")?,
        opaque: text("opaque")?,
        fragment: part(&map, "fragment")?,
        ..Url::default()
    };
    let userinfo = text("userinfo")?;
    if !userinfo.is_empty() {
        let whole = format!("proto://{userinfo}@host");
        let parsed = Url::parse(&whole).map_err(|words| {
            FuncError::quoting(
                format!("unable to parse userinfo in dict: parse {}: {words}", quote(whole.as_bytes())),
                format!("unable to parse userinfo in dict: {words}"),
            )
        })?;
        (url.user, url.password) = (parsed.user, parsed.password);
    }
    Ok(Value::text(url.join()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, text};
    use super::*;

    fn dict(entries: &[(&'static str, &str)]) -> Value {
        Value::dict(entries.iter().map(|(key, value)| ((*key).into(), Value::text(*value))))
    }

    #[test]
    fn urls_become_maps_and_back() {
        let map = call("sprig_urlParse", vec![Value::text("http://u:p@host:80/path?q=1#frag")]).unwrap();
        assert_eq!(
            text("toJSON", vec![map.clone()]),
            r#"{"fragment":"frag","host":"host:80","hostname":"host","opaque":"","path":"/path","query":"q=1","scheme":"http","userinfo":"u:p"}"#
        );
        assert_eq!(text("sprig_urlJoin", vec![map]), "http://u:p@host:80/path?q=1#frag");
        let smtp = dict(&[("scheme", "smtps"), ("host", "mx:5432"), ("userinfo", "app:p")]);
        assert_eq!(text("sprig_urlJoin", vec![smtp]), "smtps://app:p@mx:5432");
    }

    #[test]
    fn errors_name_the_part() {
        assert_eq!(
            fails("sprig_urlParse", vec![Value::text("://")]),
            "unable to parse url: parse \"://\": missing protocol scheme"
        );
        assert_eq!(
            fails("sprig_urlJoin", vec![Value::dict([("scheme".into(), Value::Int(5))])]),
            "unable to parse scheme key, must be of type string, but int found"
        );
        let error = call("sprig_urlJoin", vec![dict(&[("userinfo", "hunter2^")])]).err().unwrap();
        assert!(!error.shown().contains("hunter2") && error.shown().contains("userinfo"));
    }

    #[test]
    fn paths() {
        assert_eq!(text("sprig_osBase", vec![Value::text("/a/b.c")]), "b.c");
        assert_eq!(text("sprig_ext", vec![Value::text("/a/b.c")]), ".c");
        assert!(matches!(call("sprig_isAbs", vec![Value::text("a")]), Ok(Value::Bool(false))));
    }
}
