//! Functions that write a value in a format, and a few that read one.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    border::to_json,
    call::{Args, Def, Outcome, text_json, truth},
    pass::{Pass, Refusal},
};
use crate::{
    config::template::Format,
    template::{
        format::{self, FormatError, Layout},
        go::fault::Cause,
    },
    vault::value::Value,
};

pub(super) const FUNCS: &[Def] = &[
    Def::new("json", "VALUE", (1, 1), json).options(&["pretty"]),
    Def::new("yaml", "VALUE", (1, 1), |_, args| formatted(args, Format::Yaml)),
    Def::new("toml", "VALUE", (1, 1), |_, args| formatted(args, Format::Toml)),
    Def::new("dotenv", "VALUE", (1, 1), |_, args| formatted(args, Format::Dotenv)),
    Def::new("properties", "VALUE", (1, 1), |_, args| formatted(args, Format::Properties)),
    Def::new("shell", "VALUE", (1, 1), |_, args| formatted(args, Format::Shell)),
    Def::new("pem", "VALUE", (1, 1), |_, args| formatted(args, Format::Pem)),
    Def::new("parseJson", "TEXT", (1, 1), |_, args| {
        let text = args.text(0)?;
        let value = Value::from_json(&text).map_err(|error| {
            let refusal = Refusal::function(error.to_string()).at("parseJson");
            refusal.hint("the key holds other text; without parseJson it is printed as it is")
        })?;
        Ok(Some(to_json(&value)))
    }),
    Def::new("base64", "TEXT", (1, 1), |_, args| text_json(&STANDARD.encode(args.text(0)?))),
    Def::new("base64decode", "TEXT", (1, 1), |_, args| {
        let broken = || {
            let refusal = Refusal::function("the text is not base64").at("base64decode");
            refusal.hint("the key holds other text; without base64decode it is printed as it is")
        };
        let bytes = STANDARD.decode(args.text(0)?.trim()).map_err(|_| broken())?;
        let text = String::from_utf8(bytes).map_err(|_| {
            let refusal = Refusal::function("what is in the base64 is not UTF-8 text").at("base64decode");
            refusal.hint("Handlebars has no binary data: use the Go dialect for key stores and the like")
        })?;
        text_json(&text)
    }),
    Def::new("urlencode", "TEXT", (1, 1), |_, args| {
        let mut out = String::new();
        for byte in args.text(0)?.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte.into()),
                other => out.push_str(&format!("%{other:02X}")),
            }
        }
        text_json(&out)
    }),
    Def::new("html", "TEXT", (1, 1), |_, args| text_json(&handlebars::html_escape(&args.text(0)?))),
    Def::new("indent", "TEXT COUNT", (2, 2), indent),
];

fn json(_: &Pass<'_>, args: &Args<'_, '_>) -> Outcome {
    let layout = if args.option("pretty").is_some_and(truth) { Layout::Pretty } else { Layout::Compact };
    let mut out = format::Out::new(String::new());
    format::json(&args.value(0), layout, &mut out).map_err(|error| refusal("json", &error))?;
    text_json(&out)
}

/// A value in a format. What lines end with is the template's matter.
fn formatted(args: &Args<'_, '_>, format: Format) -> Outcome {
    let text = format::write(format, &args.value(0)).map_err(|error| refusal(format.name(), &error))?;
    text_json(text.strip_suffix('\n').unwrap_or(&text))
}

fn refusal(name: &str, error: &FormatError) -> Refusal {
    let refusal = Refusal::new(Cause::Function, error.to_string()).at(name);
    match &error.hint {
        Some(hint) => refusal.hint(hint.clone()),
        None => refusal,
    }
}

/// Blanks before every line that is not empty.
fn indent(pass: &Pass<'_>, args: &Args<'_, '_>) -> Outcome {
    let (text, count) = (args.text(0)?, args.count(1)?);
    pass.charge(text.lines().count().saturating_mul(count))?;
    let blanks = " ".repeat(count);
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        if !line.trim_end_matches(['\n', '\r']).is_empty() {
            out.push_str(&blanks);
        }
        out.push_str(line);
    }
    text_json(&out)
}
