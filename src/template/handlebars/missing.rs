//! A name that isn't there: which part of it, and what was meant. Names of keys only, never values.

use handlebars::{Context, Helper, HelperDef, Output, RenderContext, RenderError, ScopedJson};
use serde_json::Value as Json;

use super::{
    blocks,
    call::TABLE,
    pass::{Pass, Refusal},
};
use crate::{problem::nearest, template::go::fault::Cause};

/// Under this name a render's own hook is found by the library's.
pub(super) const HOOK: &str = "helperMissing";

/// Where else a name is looked for.
pub(super) const LEVELS: [&str; 3] = ["../", "../../", "../../../"];

/// What the library calls for a name that isn't there. It hands over to the hook of the render that runs.
pub(super) struct AnyName;

impl HelperDef for AnyName {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        r: &'reg handlebars::Handlebars<'reg>,
        ctx: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> Result<(), RenderError> {
        match rc.get_local_helper(HOOK) {
            Some(hook) => hook.call(h, r, ctx, rc, out),
            None => Ok(()),
        }
    }
}

/// The hook of one render.
pub(super) struct MissingName<'p, 'h>(pub(super) &'p Pass<'h>);

impl HelperDef for MissingName<'_, '_> {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg handlebars::Handlebars<'reg>,
        ctx: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        _: &mut dyn Output,
    ) -> Result<(), RenderError> {
        if !self.0.is_strict() {
            return Ok(());
        }
        Err(explain(h.name(), ctx, rc).into())
    }
}

/// Why a path leads nowhere.
pub(super) fn explain<'rc>(path: &str, ctx: &'rc Context, rc: &RenderContext<'_, 'rc>) -> Refusal {
    let found = |path: &str| -> Option<ScopedJson<'rc>> {
        rc.evaluate(ctx, path).ok().filter(|value| !value.is_missing())
    };
    let mut cuts: Vec<usize> = separators(path);
    cuts.push(path.len());
    // The first part that leads nowhere is the one at fault.
    let mut before = "this";
    let mut start = 0;
    for cut in cuts {
        let prefix = &path[..cut];
        let name = path[start..cut].trim_matches(['[', ']']);
        if !is_way(name) && found(prefix).is_none() {
            return judge(name, before, found(before).as_ref().map(ScopedJson::as_json), &found);
        }
        before = prefix;
        start = cut + 1;
    }
    no_key(path, before)
}

/// Whether a part of a path says where to look rather than what for.
fn is_way(name: &str) -> bool {
    matches!(name, "" | "." | ".." | "this" | "@root")
}

/// Places of `.` and `/` between the parts of a path.
fn separators(path: &str) -> Vec<usize> {
    let mut inside = false;
    let mut found = Vec::new();
    let bytes = path.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'[' => inside = true,
            b']' => inside = false,
            b'/' if !inside => found.push(at),
            // `..` is one part.
            b'.' if !inside && at > 0 && bytes[at - 1] != b'.' && bytes.get(at + 1) != Some(&b'.') => {
                found.push(at)
            }
            _ => {}
        }
    }
    found
}

fn no_key(name: &str, before: &str) -> Refusal {
    let place = if is_way(before) { "here".to_owned() } else { format!("in `{before}`") };
    Refusal::new(Cause::MissingKey, format!("there is no key {name:?} {place}")).at(name)
}

fn judge<'rc>(
    name: &str,
    before: &str,
    parent: Option<&Json>,
    found: &dyn Fn(&str) -> Option<ScopedJson<'rc>>,
) -> Refusal {
    let refusal = no_key(name, before);
    if name.starts_with('@') {
        return refusal.hint("@index, @key, @first and @last exist inside of {{#each}}");
    }
    if before.starts_with("..") && found(name).is_some() {
        return refusal.hint(format!("it is inside of this block: write {{{{{name}}}}}"));
    }
    let outside = || {
        let outer = LEVELS.map(|level| format!("{level}{name}"));
        outer.into_iter().find(|outer| is_way(before) && found(outer).is_some())
    };
    let Some(Json::Object(map)) = parent else {
        if let Some(outer) = outside() {
            return refusal.hint(format!("it is outside of this block: write {outer}"));
        }
        if blocks::NAMES.contains(&name) && is_way(before) {
            return refusal.hint(format!("as a block it has a body: {{{{#{name} …}}}}…{{{{/{name}}}}}"));
        }
        if TABLE.iter().any(|def| def.name == name) && is_way(before) {
            return refusal;
        }
        return match parent {
            Some(Json::Array(_)) => refusal.hint("this is a list: loop over it with {{#each}}"),
            Some(Json::Null) | None if is_way(before) => refusal.hint(
                "begin with {{#with (secret \"PATH\")}}: the keys of the secret are names inside of it",
            ),
            Some(Json::Null) | None => refusal,
            Some(_) => refusal.hint("this is one value, without keys"),
        };
    };
    if let Some(near) = nearest(name, map.keys().map(String::as_str)) {
        return refusal.hint(format!("did you mean {near}?"));
    }
    if let Some(outer) = outside() {
        return refusal.hint(format!("it is outside of this block: write {outer}"));
    }
    if matches!(name, "data" | "Data" | "metadata" | "lease_id") {
        return refusal.hint("secret gives the data itself; the whole answer is (response \"PATH\")");
    }
    refusal.hint("an optional key is written {{default KEY \"instead\"}} or {{#if KEY}}…{{/if}}")
}
