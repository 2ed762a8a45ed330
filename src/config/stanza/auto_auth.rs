//! Stanza `auto_auth`: the method and the sinks.

use std::collections::BTreeMap;

use super::{
    block::{Block, Context},
    schema, value,
};
use crate::{
    config::{
        hcl::Kind,
        raw::{RawAutoAuth, RawMethod, RawSink, Said},
    },
    origin::Sourced,
    problem::Problem,
};

pub(super) fn read(cx: &mut Context<'_>, top: &Block<'_>) -> Option<RawAutoAuth> {
    let block = top.only(cx, "auto_auth", &schema::AUTO_AUTH)?;
    block.check_keys(cx);
    Some(RawAutoAuth {
        origin: cx.origin(block.pos),
        method: block.only(cx, "method", &schema::METHOD).map(|method| read_method(cx, &method)),
        sinks: sinks(cx, &block).iter().map(|sink| read_sink(cx, sink)).collect(),
        reauth_on_new_credentials: block.bool(cx, "enable_reauth_on_new_credentials"),
    })
}

fn read_method(cx: &mut Context<'_>, method: &Block<'_>) -> RawMethod {
    method.check_keys(cx);
    RawMethod {
        origin: cx.origin(method.pos),
        kind: kind(cx, method),
        mount_path: method.text(cx, "mount_path"),
        namespace: method.text(cx, "namespace"),
        min_backoff: method.duration(cx, "min_backoff"),
        max_backoff: method.duration(cx, "max_backoff"),
        exit_on_err: method.bool(cx, "exit_on_err"),
        wrap_ttl: method.duration(cx, "wrap_ttl"),
        config: method
            .only(cx, "config", &schema::METHOD_CONFIG)
            .map(|config| method_config(cx, method, &config))
            .unwrap_or_default(),
    }
}

/// The type: `type` wins; a label counts in any case.
pub(super) fn kind(cx: &mut Context<'_>, block: &Block<'_>) -> Said<String> {
    block.text(cx, "type").filter(|kind| !kind.value.is_empty()).or_else(|| {
        let label = block.label?;
        Some(Sourced::new(label.text.to_lowercase(), cx.origin(label.pos)))
    })
}

/// The method's own settings as texts; which of them it knows is its own matter.
fn method_config(
    cx: &mut Context<'_>,
    method: &Block<'_>,
    config: &Block<'_>,
) -> BTreeMap<String, Sourced<String>> {
    let mut settings = BTreeMap::new();
    for item in config.body.items.iter().filter(|item| item.value.kind != Kind::Null) {
        let key = item.key.text.to_lowercase();
        match value::text(&item.value.kind) {
            Ok(text) => {
                settings.insert(key, Sourced::new(text, cx.origin(item.key.pos)));
            }
            Err(expected) => {
                let what = format!("`auto_auth.method.config.{key}` can't be {}", item.value.kind.words());
                cx.unreadable(method.pos, item.value.pos, Problem::error(what).expected(expected));
            }
        }
    }
    settings
}

/// The blocks `sink`; without any those in the wrapper `sinks`.
fn sinks<'a>(cx: &mut Context<'_>, auto_auth: &Block<'a>) -> Vec<Block<'a>> {
    let direct = auto_auth.blocks(cx, "sink", &schema::SINK);
    let wrappers = auto_auth.blocks(cx, "sinks", &schema::SINKS);
    if !direct.is_empty() {
        if let Some(wrapper) = wrappers.first() {
            let hint = "move its sinks beside the others";
            cx.warn(
                wrapper.pos,
                Problem::warning("`auto_auth.sinks` is ignored, since there is a `sink`").hint(hint),
            );
        }
        return direct;
    }
    let mut wrapped = Vec::new();
    for wrapper in wrappers {
        wrapper.check_keys(cx);
        wrapped.extend(wrapper.blocks(cx, "sink", &schema::SINK));
    }
    wrapped
}

fn read_sink(cx: &mut Context<'_>, sink: &Block<'_>) -> RawSink {
    sink.check_keys(cx);
    let mut raw = RawSink::new(cx.origin(sink.pos));
    raw.kind = kind(cx, sink);
    raw.wrap_ttl = sink.duration(cx, "wrap_ttl");
    for key in ["dh_type", "dh_path", "aad", "aad_env_var"] {
        if let Some(said) = sink.text(cx, key).filter(|said| !said.value.is_empty()) {
            raw.encryption.insert(key.to_owned(), said);
        }
    }
    if let Some(derive) = sink.bool(cx, "derive_key").filter(|said| said.value) {
        raw.encryption.insert("derive_key".to_owned(), Sourced::new("true".to_owned(), derive.origin));
    }
    if let Some(config) = sink.only(cx, "config", &schema::SINK_CONFIG) {
        config.check_keys(cx);
        // What it lacks is said at the sink.
        let config = Block { pos: sink.pos, ..config };
        raw.path = config.text(cx, "path");
        raw.mode = sink_mode(cx, &config);
        raw.uid = config.int(cx, "uid");
        raw.gid = config.int(cx, "gid");
    }
    raw
}

/// The original wants a number here, and refuses the quoted form that templates have.
fn sink_mode(cx: &mut Context<'_>, config: &Block<'_>) -> Said<u32> {
    let item = config.last("mode")?;
    if value::is_decimal_that_looks_octal(&item.value.kind) {
        cx.warn(item.value.pos, decimal_mode("auto_auth.sink.config.mode", &item.value.kind));
    }
    match &item.value.kind {
        Kind::Text(text) if text.is_empty() => return None,
        Kind::Text(_) => {
            let problem = Problem::warning("`auto_auth.sink.config.mode` is quoted, and read as octal")
                .hint("the original refuses it in quotes; write a number that begins with 0, for instance mode = 0640");
            cx.warn(item.value.pos, problem);
        }
        _ => {}
    }
    config.read(cx, "mode", |kind| {
        value::mode(kind).ok().ok_or_else(|| "an octal number, for instance 0640".to_owned())
    })
}

/// The warning for `mode = 640`.
pub(super) fn decimal_mode(path: &str, kind: &Kind) -> Problem {
    let mode = value::mode(kind).unwrap_or(0) & 0o777;
    let number = value::shown(kind);
    Problem::warning(format!("`{path}` is the decimal number {number}, which is the mode {mode:04o}"))
        .hint(format!("if 0{number} is meant, write 0{number} or \"0{number}\""))
}
