//! Block `on_change`, of a template and of a group: what follows a change without a shell.

use super::{
    block::{Block, Context},
    schema, value,
};
use crate::{
    config::{
        hcl::Kind,
        on_change,
        template::{ActionSpec, HttpAction},
    },
    http::local,
    problem::Problem,
};

/// The actions of all blocks `on_change` in `block`.
pub(super) fn read(cx: &mut Context<'_>, block: &Block<'_>) -> Vec<ActionSpec> {
    let mut actions = Vec::new();
    for block in block.blocks(cx, "on_change", &schema::ON_CHANGE) {
        block.check_keys(cx);
        actions.extend(lines(cx, &block, "signal", on_change::signal));
        let has_blocks = block.all("http").any(|item| match &item.value.kind {
            Kind::List(values) => values.iter().any(|value| matches!(value.kind, Kind::Block(_))),
            kind => matches!(kind, Kind::Block(_)),
        });
        if has_blocks {
            let requests = block.blocks(cx, "http", &schema::HTTP);
            actions.extend(requests.iter().filter_map(|request| http(cx, request)).map(ActionSpec::Http));
        } else {
            actions.extend(lines(cx, &block, "http", |text| on_change::http(text).map(ActionSpec::Http)));
        }
        actions.extend(lines(cx, &block, "touch", on_change::touch));
    }
    actions
}

/// Values of one line each: a text or a list of texts.
fn lines(
    cx: &mut Context<'_>,
    block: &Block<'_>,
    key: &str,
    parse: impl Fn(&str) -> Result<ActionSpec, String>,
) -> Vec<ActionSpec> {
    let mut actions = Vec::new();
    for item in block.all(key) {
        let read = value::texts(&item.value.kind);
        match read.and_then(|texts| texts.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()) {
            Ok(more) => actions.extend(more),
            Err(expected) => {
                // An address may hold what is not for messages.
                let what = match key {
                    "http" => format!("`{}` is not right", block.path(key)),
                    _ => format!("`{}` can't be {}", block.path(key), value::shown(&item.value.kind)),
                };
                cx.error(item.value.pos, Problem::error(what).expected(expected));
            }
        }
    }
    actions
}

/// The long form of a request.
fn http(cx: &mut Context<'_>, block: &Block<'_>) -> Option<HttpAction> {
    block.check_keys(cx);
    if block.last("url").is_none() {
        let what = format!("`{}` has no `url`", block.schema.name);
        cx.error(block.pos, Problem::error(what).expected("url = \"http://127.0.0.1:PORT/PATH\" in it"));
    }
    let url = block.last("url").and_then(|item| {
        let read = value::text(&item.value.kind).and_then(|text| on_change::url(&text));
        read.map_err(|expected| {
            let what = format!("`{}` is not right", block.path("url"));
            cx.error(item.value.pos, Problem::error(what).expected(expected));
        })
        .ok()
    });
    let method = block.read(cx, "method", |kind| on_change::method(&value::text(kind)?));
    let timeout = block.duration(cx, "timeout").map(|said| said.value).filter(|time| !time.is_zero());
    let mut headers = Vec::new();
    if let Some(block) = block.only(cx, "headers", &schema::HEADERS) {
        for item in &block.body.items {
            let name = item.key.text.as_str();
            match value::text(&item.value.kind) {
                Ok(text) if local::is_header(name, &text) => headers.push((name.to_owned(), text)),
                // The value may be a credential.
                _ => {
                    let what = format!("`{}` is no header", block.path(&value::short(name)));
                    cx.error(
                        item.key.pos,
                        Problem::error(what).expected("\"NAME\" = \"VALUE\", in one line"),
                    );
                }
            }
        }
    }
    let body = block.text(cx, "body").map(|said| said.value).unwrap_or_default();
    Some(HttpAction {
        method: method.map(|said| said.value).unwrap_or_default(),
        url: url?,
        headers,
        body,
        timeout: timeout.unwrap_or(on_change::HTTP_TIMEOUT),
    })
}
