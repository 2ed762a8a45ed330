//! Functions that ask the host: secrets, files, environment; and those that reach into the render itself.

use std::{
    path::{Component, Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use zeroize::Zeroizing;

use super::{Args, Func, FuncError};
use crate::{
    secrets::request::{SecretRequest, Verb},
    template::{
        go::{
            ctx::Ctx,
            exec,
            format::url::Url,
            kind::Type,
            number::{IntError, parse_int},
            quote,
            secret::{certificate, secret_value, string_list},
            value::{Counter, Value},
        },
        host::FileEffect,
    },
    vault::{
        path::{Params, PathError, VaultPath},
        secret::Secret,
        value::Text,
    },
};

const TEXT: Type = Type::String;

pub(super) const FUNCS: &[Func] = &[
    Func::new("secret", &[TEXT], Type::Any, "a secret: read, or written with k=v arguments", secret)
        .variadic(),
    Func::new("secrets", &[TEXT], Type::STRINGS, "the names below a path", secrets),
    Func::new(
        "pkiCert",
        &[TEXT],
        Type::Any,
        "a certificate with its key, reused while it is valid",
        pki_cert,
    )
    .variadic(),
    Func::new("file", &[TEXT], TEXT, "contents of a file", file),
    Func::new("env", &[TEXT], TEXT, "a variable of the environment, or nothing", |ctx, args| {
        Ok(Value::text(ctx.host.env(&args.lossy(0)).unwrap_or_default()))
    }),
    Func::new(
        "mustEnv",
        &[TEXT],
        TEXT,
        "a variable of the environment that must not be empty",
        |ctx, args| {
            let name = args.lossy(0);
            match ctx.host.env(&name).filter(|value| !value.is_empty()) {
                Some(value) => Ok(Value::text(value)),
                None => Err(FuncError::new(format!("required environment variable {name} is empty"))),
            }
        },
    ),
    Func::new(
        "envOrDefault",
        &[TEXT, TEXT],
        TEXT,
        "a variable of the environment, or a default",
        |ctx, args| Ok(ctx.host.env(&args.lossy(0)).map_or_else(|| Value::String(args.text(1)), Value::text)),
    ),
    Func::new("executeTemplate", &[TEXT, Type::Any], TEXT, "output of a defined template", execute)
        .variadic(),
    Func::new("loop", &[Type::Any], Type::Channel, "numbers to range over", count).variadic(),
    Func::new(
        "writeToFile",
        &[TEXT, TEXT, TEXT, TEXT, TEXT],
        TEXT,
        "writes a file beside the template's own: path, user, group, mode, flags, contents",
        write_to_file,
    )
    .variadic(),
];

/// The `k=v` arguments behind the path.
fn pairs(args: &Args) -> Result<Params, FuncError> {
    let mut params = Params::new();
    for at in 1..args.len() {
        let pair = args.lossy(at);
        if pair.is_empty() {
            continue;
        }
        let Some((key, value)) = pair.split_once('=') else {
            let quoted = quote::quote(args.bytes(at));
            return Err(FuncError::quoting(
                format!("not k=v pair {quoted}"),
                format!("argument {} is not a k=v pair", at + 1),
            )
            .hint("write each parameter as its own argument: \"common_name=a\" \"ttl=24h\""));
        };
        params.insert(key.trim().into(), value.trim().into());
    }
    Ok(params)
}

fn path_error(error: PathError, verb: &str) -> FuncError {
    match error {
        PathError::Empty => FuncError::new(format!("vault.{verb}: invalid format: \"\""))
            .hint("a path is a mount and a name, for instance \"secret/data/app\""),
        other => FuncError::new(format!("vault.{verb}: {other}"))
            .hint("a path is sent as it stands: a mount and a name, without `..` and line breaks"),
    }
}

/// A path to read: a query becomes parameters, `#…` goes, percent escapes are decoded, as in a URL.
fn read_path(text: &str) -> Result<(VaultPath, Params), FuncError> {
    Url::parse(text.trim()).map_err(|words| {
        let text = quote::quote(text.trim().as_bytes());
        FuncError::quoting(format!("parse {text}: {words}"), format!("the path can't be sent: {words}"))
    })?;
    let text = text.trim().split('#').next().unwrap_or_default();
    let (path, mut params) = VaultPath::parse(text).map_err(|error| path_error(error, "read"))?;
    if !text.contains('%') {
        return Ok((path, params));
    }
    let decoded = decode(path.as_str()).ok_or_else(|| FuncError::new("the path has a bad % escape"))?;
    let decode_all = |text: &str| decode(&text.replace('+', " ")).map(Arc::from);
    params = params
        .iter()
        // As in the original, a pair with a bad escape is not sent.
        .filter_map(|(key, value)| Some((decode_all(key)?, decode_all(value)?)))
        .collect();
    if decoded.contains('?') {
        return Err(FuncError::new("the path has a question mark in it, which can't be sent"));
    }
    let (path, _) = VaultPath::parse(&decoded).map_err(|error| path_error(error, "read"))?;
    Ok((path, params))
}

fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('%') {
        out.extend_from_slice(plain.as_bytes());
        let digits =
            escape.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &escape[2..];
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8(out).ok()
}

fn request(ctx: &Ctx<'_>, verb: Verb, path: VaultPath, params: Params) -> SecretRequest {
    SecretRequest {
        auth: ctx.settings.auth.clone(),
        namespace: ctx.settings.namespace.clone(),
        verb,
        path,
        params,
    }
}

/// Asks for an answer and notes the request, as missing too when there is none.
fn ask(ctx: &mut Ctx<'_>, request: &SecretRequest) -> Result<Option<Arc<Secret>>, FuncError> {
    ctx.note(request)?;
    let answer = ctx.host.secret(request);
    if answer.is_none() {
        ctx.missing.insert(request.clone());
    }
    Ok(answer)
}

/// What a request's answer is to the template; made once per render.
fn answer(ctx: &mut Ctx<'_>, request: SecretRequest, show: fn(&Secret) -> Value) -> Result<Value, FuncError> {
    if let Some(value) = ctx.answers.get(&request) {
        return Ok(value.clone());
    }
    let Some(secret) = ask(ctx, &request)? else { return Ok(Value::Nil) };
    let value = show(&secret);
    ctx.answers.insert(request, value.clone());
    Ok(value)
}

/// The request that a `secret` call makes, from its arguments.
///
/// # Errors
/// A path or pair that can't be sent.
pub(in crate::template) fn secret_request(args: &Args) -> Result<(Verb, VaultPath, Params), FuncError> {
    let fields = pairs(args)?;
    let text = args.lossy(0);
    if args.len() == 1 {
        let (path, params) = read_path(&text)?;
        return Ok((Verb::Read, path, params));
    }
    let (path, params) = VaultPath::parse(text.trim()).map_err(|error| path_error(error, "write"))?;
    Ok((Verb::Write(fields), path, params))
}

fn secret(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    if args.is_empty() {
        return Ok(Value::Nil);
    }
    let (verb, path, params) = secret_request(&args)?;
    let request = request(ctx, verb, path, params);
    answer(ctx, request, secret_value)
}

fn secrets(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    if args.bytes(0).is_empty() {
        return Ok(Type::STRINGS.zero());
    }
    let (path, params) = VaultPath::parse(&args.lossy(0)).map_err(|error| path_error(error, "list"))?;
    let request = request(ctx, Verb::List, path, params);
    Ok(ask(ctx, &request)?.map_or_else(|| Type::STRINGS.zero(), |secret| string_list(&secret)))
}

fn pki_cert(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    if args.is_empty() {
        return Ok(Value::Nil);
    }
    let (fields, path, params) = issue_request(&args)?;
    let request = request(ctx, Verb::Issue(fields), path, params);
    answer(ctx, request, certificate)
}

/// The request that a `pkiCert` call makes, from its arguments.
///
/// # Errors
/// A path or pair that can't be sent.
pub(in crate::template) fn issue_request(args: &Args) -> Result<(Params, VaultPath, Params), FuncError> {
    let fields = pairs(args)?;
    let (path, params) = read_path(&args.lossy(0))?;
    Ok((fields, path, params))
}

fn file(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let path = args.lossy(0);
    if path.is_empty() {
        return Ok(Value::text(""));
    }
    let path = path.trim();
    if let Some(sandbox) = &ctx.settings.sandbox
        && !is_inside(path, sandbox)
    {
        return Err(FuncError::new(format!("'{path}' is outside of sandbox")));
    }
    match written(ctx, Path::new(path)) {
        Some(contents) => {
            ctx.charge(contents.len())?;
            Ok(Value::text(contents.to_vec()))
        }
        None => ctx.host.file(path).map(Value::String).map_err(FuncError::new),
    }
}

/// What a file will hold after all that this pass has written to it so far: templates read what they wrote before.
fn written(ctx: &mut Ctx<'_>, path: &Path) -> Option<Zeroizing<Vec<u8>>> {
    let last = ctx.effects.iter().rposition(|effect| effect.path == path && !effect.append);
    let from = last.or_else(|| ctx.effects.iter().position(|effect| effect.path == path))?;
    let mut contents = Zeroizing::new(Vec::new());
    if ctx.effects[from].append {
        // What can't be read isn't there yet.
        let old = path.to_str().and_then(|path| ctx.host.file(path).ok());
        contents.extend_from_slice(old.as_ref().map_or(&[], |old| old.as_bytes()));
    }
    for effect in ctx.effects[from..].iter().filter(|effect| effect.path == path) {
        contents.extend_from_slice(&effect.contents);
    }
    Some(contents)
}

/// Whether a path stays below a folder, by its text alone.
pub(in crate::template) fn is_inside(path: &str, folder: &Path) -> bool {
    clean(Path::new(path)).starts_with(clean(folder))
}

/// A path without `.` and `..`, by its text alone; the host guards against links.
fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            Component::ParentDir if out.has_root() => {}
            other => out.push(other),
        }
    }
    out
}

fn execute(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    if args.len() > 2 {
        return Err(FuncError::new(format!(
            "executeTemplate: wrong number of arguments, expected 1 or 2, but got {}",
            args.len()
        )));
    }
    exec::nested(ctx, &args.lossy(0), args.get(1).clone()).map(Value::String)
}

fn count(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let (start, end) = match args.len() {
        1 => (0, bound(args.get(0))?),
        2 => (bound(args.get(0))?, bound(args.get(1))?),
        other => {
            return Err(FuncError::new(format!(
                "loop: wrong number of arguments, expected 1 or 2, but got {other}"
            )));
        }
    };
    Ok(Value::Channel(Rc::new(Counter::new(start, end))))
}

fn bound(value: &Value) -> Result<i64, FuncError> {
    match value {
        Value::Int(number) | Value::Int64(number) => Ok(*number),
        Value::Uint64(number) => Ok(number.cast_signed()),
        Value::Uint8(number) => Ok(i64::from(*number)),
        Value::String(text) | Value::Number(text) => {
            let text = text.as_bytes();
            if text.is_empty() {
                return Ok(0);
            }
            // What is no UTF-8 is no number either.
            parse_int(std::str::from_utf8(text).unwrap_or("?"), 10)
                .map_err(|error| not_a_number("parseInt: strconv.ParseInt", text, error))
        }
        other => Err(FuncError::new(format!("loop: bad argument type: {}", other.type_name()))),
    }
}

fn not_a_number(function: &str, text: &[u8], error: IntError) -> FuncError {
    let quoted = quote::quote(text);
    FuncError::quoting(
        format!("{function}: parsing {quoted}: {}", error.text()),
        format!("{function}: {}", error.text()),
    )
}

fn write_to_file(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    if args.len() < 5 {
        return Err(FuncError::quoting(
            "runtime error: index out of range [-1]",
            "writeToFile has no contents to write",
        )
        .hint("pipe the contents in: {{ .Key | writeToFile \"/path\" \"user\" \"group\" \"0400\" }}"));
    }
    let flags = if args.len() == 6 { args.lossy(4).into_owned() } else { String::new() };
    let permissions = args.lossy(3);
    let mode = super::super::number::parse_uint(&permissions, 8)
        .and_then(|mode| u32::try_from(mode).map_err(|_| IntError::Range))
        .map_err(|error| {
            not_a_number("strconv.ParseUint", args.bytes(3), error)
                .hint("the mode is written in octal digits, for instance \"0640\"")
        })?;
    let mut contents = Zeroizing::new(args.bytes(args.len() - 1).to_vec());
    if flags.contains("newline") {
        contents.push(b'\n');
    }
    // The effect itself, its path and its names count, too.
    ctx.charge(contents.len() + args.bytes(0).len() + 256)?;
    ctx.effects.push(FileEffect {
        path: PathBuf::from(&*args.lossy(0)),
        user: args.lossy(1).into_owned(),
        group: args.lossy(2).into_owned(),
        mode,
        append: flags.contains("append"),
        contents,
    });
    Ok(Value::String(Text::from("")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_path_is_a_url_reference() {
        let (path, params) = read_path(" /kv/data/a%20b?version=3&x=a+b%21#frag").unwrap();
        assert_eq!(path.as_str(), "kv/data/a b");
        assert_eq!(params.get("version").map(AsRef::as_ref), Some("3"));
        assert_eq!(params.get("x").map(AsRef::as_ref), Some("a b!"));
        assert!(read_path("kv/%zz").is_err());
        assert_eq!(read_path("/").unwrap_err().shown(), "vault.read: invalid format: \"\"");
    }

    #[test]
    fn pairs_are_split_at_the_first_equals_sign_and_never_quoted() {
        let args = |items: &[&str]| Args::new(items.iter().map(|item| Value::text(*item)).collect());
        let fields = pairs(&args(&["p", " a = b=c ", "", "a=d"])).unwrap();
        assert_eq!(fields.get("a").map(AsRef::as_ref), Some("d"));
        let error = pairs(&args(&["p", "hunter2"])).unwrap_err();
        assert_eq!(error.go_text(), "not k=v pair \"hunter2\"");
        assert!(!error.shown().contains("hunter2"));
    }

    #[test]
    fn a_sandbox_is_not_left_by_dots() {
        assert_eq!(clean(Path::new("/a/./b/../c")), Path::new("/a/c"));
        assert_eq!(clean(Path::new("/../../etc")), Path::new("/etc"));
        assert!(!clean(Path::new("/box/../etc/passwd")).starts_with("/box"));
    }
}
