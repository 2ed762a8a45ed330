//! Rules that span stanzas: what makes no sense without, or together with, something else.

use super::{Findings, auto_auth::is_wrapped, short};
use crate::{
    config::raw::{Raw, RawTokenUse, Said},
    origin::Origin,
    problem::Problem,
};

pub(super) fn check(raw: &Raw, findings: &mut Findings) {
    something_to_do(raw, findings);
    cache_and_proxy(raw, findings);
    process(raw, findings);
}

fn is_true(said: &Said<bool>) -> bool {
    said.as_ref().is_some_and(|said| said.value)
}

fn something_to_do(raw: &Raw, findings: &mut Findings) {
    let idle = &raw.idle;
    let Some(auto_auth) = &raw.auto_auth else {
        if idle.cache.is_none() && idle.listeners.is_empty() {
            let problem = Problem::error("there is nothing to do: no `auto_auth`, no `cache`, no `listener`");
            findings.errors.push(problem.expected("auto_auth { … } with a method, and templates or a sink"));
        } else if let Some(template) = raw.templates.first() {
            let problem =
                Problem::warning("without `auto_auth` there is no token, so no template is ever rendered");
            findings.warn(&template.origin, problem);
        }
        return;
    };
    let proxied = idle.api_proxy.as_ref().is_some_and(|proxy| is_true(&proxy.use_auto_auth_token));
    let has_cache_token = idle.cache.as_ref().is_some_and(|cache| is_true(&cache.use_auto_auth_token));
    let used = proxied
        || has_cache_token
        || !auto_auth.sinks.is_empty()
        || !raw.templates.is_empty()
        || !idle.env_templates.is_empty();
    if let (Some(wrap), Some(_)) = (is_wrapped(auto_auth.method.as_ref()), raw.templates.first()) {
        let problem = Problem::warning(
            "with `auto_auth.method.wrap_ttl` templates get no token, so none of them is ever rendered",
        );
        findings.warn(wrap, problem.hint("wrap the token in the `sink` instead"));
    }
    if !used {
        let problem = Problem::error("`auto_auth` logs in, but nothing uses the token");
        findings.error(&auto_auth.origin, problem.expected("a `template`, or a `sink` in it"));
    }
}

fn cache_and_proxy(raw: &Raw, findings: &mut Findings) {
    let idle = &raw.idle;
    if let (Some(cache), Some(proxy)) = (&idle.cache, &idle.api_proxy)
        && let (Some(said), Some(_)) = (&cache.use_auto_auth_token, &proxy.use_auto_auth_token)
    {
        let problem = Problem::error("`use_auto_auth_token` is said in both `cache` and `api_proxy`");
        findings.error(&said.origin, problem.expected("only in `api_proxy`"));
    }
    if let Some(cache) = &idle.cache {
        if idle.listeners.is_empty() && raw.templates.is_empty() && idle.env_templates.is_empty() {
            let problem = Problem::error("`cache` without anything that could use it");
            findings
                .error(&cache.origin, problem.expected("a `listener`, a `template` or an `env_template`"));
        }
        token_use("cache", cache, raw, findings);
    }
    if let Some(proxy) = &idle.api_proxy {
        if idle.listeners.is_empty() {
            let problem = Problem::error("`api_proxy` without a `listener`");
            findings.error(&proxy.origin, problem.expected("listener \"tcp\" { … }"));
        }
        token_use("api_proxy", proxy, raw, findings);
    }
}

fn token_use(stanza: &str, said: &RawTokenUse, raw: &Raw, findings: &mut Findings) {
    let Some(token) = said.use_auto_auth_token.as_ref().filter(|token| token.value) else { return };
    let path = format!("`{stanza}.use_auto_auth_token`");
    let Some(auto_auth) = &raw.auto_auth else {
        let problem = Problem::error(format!("{path} without `auto_auth`"));
        findings.error(&token.origin, problem.expected("auto_auth { … } with a method"));
        return;
    };
    if is_wrapped(auto_auth.method.as_ref()).is_some() {
        let problem = Problem::error(format!("{path} together with `auto_auth.method.wrap_ttl`"));
        findings.error(
            &token.origin,
            problem.expected("one of them: a wrapped token can't be used for requests"),
        );
    }
}

/// Stanzas `exec` and `env_template`.
fn process(raw: &Raw, findings: &mut Findings) {
    let idle = &raw.idle;
    for (at, name) in idle.env_templates.iter().enumerate() {
        if let Some(first) = idle.env_templates[..at].iter().find(|other| other.value == name.value) {
            let what = format!("the variable `{}` has two `env_template`s", short(&name.value));
            let problem = Problem::error(what).expected("one for each variable");
            findings.error(&name.origin, problem.hint(format!("the first is at {}", first.origin)));
        }
    }
    let first = idle.env_templates.first();
    match (&idle.exec, first) {
        (None, None) => return,
        (Some(exec), None) => {
            let problem = Problem::error("`exec` without an `env_template`");
            findings.error(&exec.origin, problem.expected("env_template \"NAME\" { … }"));
        }
        (None, Some(env)) => {
            let problem = Problem::error("`env_template` without `exec`");
            findings.error(&env.origin, problem.expected("exec { command = [ … ] }"));
        }
        (Some(exec), Some(_)) if exec.command.iter().all(String::is_empty) => {
            let problem = Problem::error("`exec` has no `command`");
            findings.error(&exec.origin, problem.expected("command = [\"PROGRAM\", \"ARGUMENT\"]"));
        }
        (Some(_), Some(_)) => {}
    }
    let not_with = |name: &str, origin: Option<&Origin>, findings: &mut Findings| {
        if let Some(origin) = origin {
            let problem = Problem::error(format!("`{name}` together with `exec` and `env_template`"));
            findings.error(origin, problem.expected("one or the other"));
        }
    };
    not_with("template", raw.templates.first().map(|template| &template.origin), findings);
    not_with("api_proxy", idle.api_proxy.as_ref().map(|proxy| &proxy.origin), findings);
}
