//! Requests and certificates of a template, read off its text.

use handlebars::template::{HelperTemplate, Parameter, Template};
use serde_json::Value as Json;

use super::{
    call::plain,
    walk::{Partials, Seen, Walk, written},
};
use crate::{
    secrets::request::Verb,
    template::go::{
        calls::{Asks, CalledPath, SecretCall},
        certificate::CertificateUse,
        funcs::{self, Args},
        literal::Literal,
        value::Value,
    },
    vault::path::VaultPath,
};

/// The reads and listings that every render makes. Writes are not among them, nor what a condition may skip.
pub(super) fn literal(template: &Template, partials: &Partials<'_>) -> Vec<Literal> {
    let mut found = Vec::new();
    let mut see = |seen: Seen<'_>, sure: bool, _| {
        if let Seen::Call(call) = seen
            && sure
            && let Some(CalledPath::Known(path)) = asked(call).map(|(_, _, path)| path)
        {
            let params = text(call).and_then(|text| VaultPath::parse(&text).ok()).map(|(_, params)| params);
            match (asked(call), params) {
                (Some((_, Asks::Read, _)), Some(params)) => found.push((Verb::Read, path, params)),
                (Some((_, Asks::List, _)), Some(params)) => found.push((Verb::List, path, params)),
                _ => {}
            }
        }
    };
    Walk::new(partials, &mut see).template(template, true, (1, 1));
    found
}

/// Every place that asks for something, in the order of the text. What a partial asks for stands where it is included.
pub(super) fn calls(template: &Template, partials: &Partials<'_>, source: &str) -> Vec<SecretCall> {
    let mut found: Vec<SecretCall> = Vec::new();
    let mut see = |seen: Seen<'_>, _: bool, (line, column): (usize, usize)| {
        if let Seen::Call(call) = seen
            && let Some((function, asks, path)) = asked(call)
        {
            let column = column + inside(source, (line, column), function);
            let one = SecretCall { function, asks, path, line, column };
            if !found.contains(&one) {
                found.push(one);
            }
        }
    };
    Walk::new(partials, &mut see).template(template, true, (1, 1));
    found.sort_by_key(|call| (call.line, call.column));
    found
}

/// How many characters behind the start of its tag a function is named, on the same line.
fn inside(source: &str, (line, column): (usize, usize), function: &str) -> usize {
    let text = source.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let tag: String = text.chars().skip(column.saturating_sub(1)).collect();
    let tag = tag.split("}}").next().unwrap_or_default();
    tag.find(function).map_or(0, |at| tag[..at].chars().count())
}

/// What a call asks the server for.
fn asked(call: &HelperTemplate) -> Option<(&'static str, Asks, CalledPath)> {
    let writes = call.params.len() > 1 || !call.hash.is_empty();
    let (function, asks) = match call.name.as_name()? {
        "secret" if writes => ("secret", Asks::Write),
        "secret" => ("secret", Asks::Read),
        "response" if writes => ("response", Asks::Write),
        "response" => ("response", Asks::Read),
        "secrets" => ("secrets", Asks::List),
        "pkiCert" => ("pkiCert", Asks::Issue),
        _ => return None,
    };
    let first = call.params.first()?;
    let path = match text(call) {
        Some(text) if asks == Asks::List => match VaultPath::parse(&text) {
            Ok((path, _)) => CalledPath::Known(path),
            Err(error) => CalledPath::Refused(format!("vault.list: {error}")),
        },
        Some(text) => match funcs::secret_request(&Args::new(vec![Value::text(text)])) {
            Ok((_, path, _)) => CalledPath::Known(path),
            Err(error) => CalledPath::Refused(error.shown().to_owned()),
        },
        None => CalledPath::Computed { source: written(first), start: start(first) },
    };
    Some((function, asks, path))
}

/// A path that is written out.
fn text(call: &HelperTemplate) -> Option<String> {
    match call.params.first()? {
        Parameter::Literal(json) => plain(json),
        _ => None,
    }
}

/// What a computed path surely begins with.
fn start(parameter: &Parameter) -> String {
    let Parameter::Subexpression(inner) = parameter else { return String::new() };
    match (inner.name(), inner.params().and_then(|params| params.first())) {
        ("concat", Some(Parameter::Literal(Json::String(text)))) => {
            text.trim_start().trim_start_matches('/').to_owned()
        }
        _ => String::new(),
    }
}

/// What is done with certificates.
pub(super) fn certificate_use(template: &Template, partials: &Partials<'_>) -> CertificateUse {
    let mut found = CertificateUse::default();
    let mut see = |seen: Seen<'_>, sure: bool, _| match seen {
        Seen::Call(call) => match call.name.as_name() {
            Some("pkiCert") => match issued(call) {
                Some(request) => found.literal.push(request),
                None => {
                    found.computed += 1;
                    found.repeated |= !sure;
                }
            },
            // These may write all parts, whatever their names.
            Some(
                "pem" | "json" | "yaml" | "toml" | "dotenv" | "properties" | "shell" | "merge" | "values"
                | "each" | "lookup",
            ) => {
                (found.key, found.authority) = (true, true);
            }
            _ => {}
        },
        Seen::Path(path) => {
            found.key |= path.contains("private_key");
            found.authority |= path.contains("issuing_ca") || path.contains("ca_chain");
        }
        _ => {}
    };
    Walk::new(partials, &mut see).template(template, true, (1, 1));
    found
}

/// The request of a `pkiCert` whose path and fields are all written out.
fn issued(call: &HelperTemplate) -> Option<Literal> {
    let text = |parameter: &Parameter| match parameter {
        Parameter::Literal(json) => plain(json),
        _ => None,
    };
    let arguments = call.params.iter().map(text);
    let options = call.hash.iter().map(|(name, value)| Some(format!("{name}={}", text(value)?)));
    let texts: Option<Vec<Value>> = arguments.chain(options).map(|text| text.map(Value::text)).collect();
    let (fields, path, params) = funcs::issue_request(&Args::new(texts?)).ok()?;
    Some((Verb::Issue(fields), path, params))
}
