//! Functions over texts.

use serde_json::Value as Json;

use super::{
    border::{SHORT_TEXT, encode},
    call::{Args, Def, MANY, Outcome, text_json},
    pass::Pass,
};

pub(super) const FUNCS: &[Def] = &[
    Def::new("upper", "TEXT", (1, 1), |_, args| text_json(&args.text(0)?.to_uppercase())),
    Def::new("lower", "TEXT", (1, 1), |_, args| text_json(&args.text(0)?.to_lowercase())),
    Def::new("trim", "TEXT", (1, 1), |_, args| text_json(args.text(0)?.trim())),
    Def::new("trimPrefix", "TEXT PREFIX", (2, 2), |_, args| {
        let (text, prefix) = (args.text(0)?, args.text(1)?);
        text_json(text.strip_prefix(&prefix).unwrap_or(&text))
    }),
    Def::new("trimSuffix", "TEXT SUFFIX", (2, 2), |_, args| {
        let (text, suffix) = (args.text(0)?, args.text(1)?);
        text_json(text.strip_suffix(&suffix).unwrap_or(&text))
    }),
    Def::new("replace", "TEXT FROM TO", (3, 3), replace),
    Def::new("split", "TEXT SEPARATOR", (2, 2), |pass, args| {
        let (text, separator) = (args.text(0)?, args.text(1)?);
        if separator.is_empty() {
            return Err(args.wrong(1, "a text that is not empty"));
        }
        // Before it is there: a long text has many parts.
        pass.charge(text.matches(&separator).count().saturating_mul(SHORT_TEXT))?;
        Ok(Some(text.split(&separator).map(|part| Json::String(encode(part))).collect()))
    }),
    Def::new("join", "LIST SEPARATOR", (2, 2), join),
    Def::new("concat", "TEXT …", (1, MANY), |_, args| {
        let mut out = String::new();
        for at in 0..args.len() {
            out.push_str(&args.text(at)?);
        }
        text_json(&out)
    }),
    Def::new("startsWith", "TEXT PREFIX", (2, 2), |_, args| {
        Ok(Some(Json::Bool(args.text(0)?.starts_with(&args.text(1)?))))
    }),
    Def::new("endsWith", "TEXT SUFFIX", (2, 2), |_, args| {
        Ok(Some(Json::Bool(args.text(0)?.ends_with(&args.text(1)?))))
    }),
    Def::new("substr", "TEXT START LENGTH", (2, 3), |_, args| {
        let (text, start) = (args.text(0)?, args.count(1)?);
        let length = if args.len() > 2 { args.count(2)? } else { usize::MAX };
        text_json(&text.chars().skip(start).take(length).collect::<String>())
    }),
    Def::new("repeat", "TEXT COUNT", (2, 2), |pass, args| {
        let (text, count) = (args.text(0)?, args.count(1)?);
        pass.charge(text.len().saturating_mul(count))?;
        text_json(&text.repeat(count))
    }),
];

fn replace(pass: &Pass<'_>, args: &Args<'_, '_>) -> Outcome {
    let (text, from, to) = (args.text(0)?, args.text(1)?, args.text(2)?);
    if from.is_empty() {
        return Err(args.wrong(1, "a text that is not empty"));
    }
    pass.charge(text.matches(&from).count().saturating_mul(to.len()))?;
    text_json(&text.replace(&from, &to))
}

fn join(pass: &Pass<'_>, args: &Args<'_, '_>) -> Outcome {
    let (list, separator) = (args.list(0)?, args.text(1)?);
    pass.charge(list.len().saturating_mul(separator.len()))?;
    let mut out = String::new();
    for (at, item) in list.iter().enumerate() {
        if at > 0 {
            out.push_str(&separator);
        }
        match super::call::plain(item) {
            Some(text) => out.push_str(&text),
            None => return Err(args.wrong(0, "a list of texts")),
        }
    }
    text_json(&out)
}
