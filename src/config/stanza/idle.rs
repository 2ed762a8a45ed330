//! Stanzas that are accepted and checked, but not acted on: cache, listeners, proxy, supervisor, telemetry.

use super::{
    block::{Block, Context},
    schema::{self, Schema},
    value,
};
use crate::{
    config::{
        hcl::Kind,
        raw::{RawExec, RawIdle, RawListener, RawPersist, RawTokenUse},
    },
    origin::Sourced,
    problem::Problem,
};

pub(super) fn read(cx: &mut Context<'_>, top: &Block<'_>) -> RawIdle {
    if let Some(telemetry) = top.only(cx, "telemetry", &schema::TELEMETRY) {
        telemetry.check_keys(cx);
    }
    let (cache, persist) = cache(cx, top);
    RawIdle {
        cache,
        persist,
        api_proxy: token_use(cx, top, "api_proxy", &schema::API_PROXY),
        listeners: listeners(cx, top),
        env_templates: env_templates(cx, top),
        exec: exec(cx, top),
    }
}

/// All that a listener does so far is to answer a request to quit.
fn listeners(cx: &mut Context<'_>, top: &Block<'_>) -> Vec<RawListener> {
    let mut listeners = Vec::new();
    for block in top.blocks(cx, "listener", &schema::LISTENER) {
        unknown_keys(cx, &block);
        let api = block.only(cx, "agent_api", &schema::AGENT_API);
        if let Some(api) = &api {
            api.check_keys(cx);
        }
        let listener = RawListener {
            origin: cx.origin(block.pos),
            kind: super::auto_auth::kind(cx, &block),
            address: block.text(cx, "address"),
            role: block.text(cx, "role"),
            tls_disable: block.bool(cx, "tls_disable"),
            enable_quit: api.and_then(|api| api.bool(cx, "enable_quit")),
        };
        let quits = listener.enable_quit.as_ref().is_some_and(|said| said.value);
        let what = if quits {
            "`listener` only answers POST /agent/v1/quit in this version, and refuses all other requests"
        } else {
            "`listener` is accepted, but has no effect in this version"
        };
        if quits || listeners.is_empty() {
            cx.warn(block.pos, Problem::warning(what));
        }
        listeners.push(listener);
    }
    listeners
}

/// Warns about unknown keys, and not a second time about those without effect: the whole stanza has none.
fn unknown_keys(cx: &mut Context<'_>, block: &Block<'_>) {
    let before = cx.warnings.len();
    block.check_keys(cx);
    let fresh = cx.warnings.split_off(before);
    cx.warnings.extend(fresh.into_iter().filter(|problem| problem.what.starts_with("unknown")));
}

fn token_use(
    cx: &mut Context<'_>,
    top: &Block<'_>,
    key: &str,
    schema: &'static Schema,
) -> Option<RawTokenUse> {
    let block = top.only(cx, key, schema)?;
    unknown_keys(cx, &block);
    let use_auto_auth_token = block.read(cx, "use_auto_auth_token", |kind| match kind {
        Kind::Text(text) if text.eq_ignore_ascii_case("force") => Ok(true),
        other => value::boolean(other).map_err(|expected| format!("{expected}, or \"force\"")),
    });
    Some(RawTokenUse { origin: cx.origin(block.pos), use_auto_auth_token })
}

/// All that a cache does so far is to say what the next run finds.
fn cache(cx: &mut Context<'_>, top: &Block<'_>) -> (Option<RawTokenUse>, Option<RawPersist>) {
    let cache = token_use(cx, top, "cache", &schema::CACHE);
    let Some(block) = top.blocks(cx, "cache", &schema::CACHE).into_iter().next() else {
        return (cache, None);
    };
    let persist = block.only(cx, "persist", &schema::PERSIST);
    let what = if persist.is_some() {
        "`cache` only keeps token and leases for the next run in this version (`persist`), and answers no requests"
    } else {
        "`cache` is accepted, but has no effect in this version"
    };
    cx.warn(block.pos, Problem::warning(what));
    let persist = persist.map(|persist| {
        unknown_keys(cx, &persist);
        RawPersist {
            path: persist.text(cx, "path"),
            service_account_token_file: persist.text(cx, "service_account_token_file"),
        }
    });
    (cache, persist)
}

fn env_templates(cx: &mut Context<'_>, top: &Block<'_>) -> Vec<Sourced<String>> {
    let mut names: Vec<Sourced<String>> = Vec::new();
    for block in top.blocks(cx, "env_template", &schema::ENV_TEMPLATE) {
        unknown_keys(cx, &block);
        let Some(label) = block.label else {
            let problem = Problem::error("an `env_template` without a name");
            cx.error(block.pos, problem.expected("env_template \"NAME\" { … }"));
            continue;
        };
        names.push(Sourced::new(label.text.clone(), cx.origin(label.pos)));
    }
    names
}

fn exec(cx: &mut Context<'_>, top: &Block<'_>) -> Option<RawExec> {
    let block = top.only(cx, "exec", &schema::EXEC)?;
    unknown_keys(cx, &block);
    Some(RawExec {
        origin: cx.origin(block.pos),
        command: block.texts(cx, "command"),
        restart_on_secret_changes: block.read(cx, "restart_on_secret_changes", |kind| {
            let text = value::text(kind)?;
            if matches!(text.as_str(), "" | "always" | "never") {
                Ok(text)
            } else {
                Err("\"always\" or \"never\"".into())
            }
        }),
    })
}
