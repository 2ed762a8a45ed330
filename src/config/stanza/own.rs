//! Stanza `decant {}`: our own settings, whose keys come from their table, and groups of files.

use super::{
    block::{Block, Context},
    on_change, schema, value,
};
use crate::{
    config::{
        hcl::Kind,
        own,
        raw::{Raw, RawGroup},
    },
    origin::Sourced,
    problem::{Problem, nearest},
};

/// Key of a group's block.
const GROUP: &str = "group";

pub(super) fn read(cx: &mut Context<'_>, top: &Block<'_>, raw: &mut Raw) {
    for block in top.blocks(cx, "decant", &schema::OWN) {
        for item in &block.body.items {
            let key = item.key.text.as_str();
            if key.eq_ignore_ascii_case(GROUP) {
                continue;
            }
            let Some(setting) = own::by_key(key) else {
                let mut problem =
                    Problem::warning(format!("unknown key `{}` in `decant`, ignored", value::short(key)));
                let known = own::SETTINGS.iter().map(|setting| setting.key).chain([GROUP]);
                if let Some(likely) = nearest(key, known) {
                    problem = problem.hint(format!("did you mean `{likely}`?"));
                }
                cx.warn(item.key.pos, problem);
                continue;
            };
            if item.value.kind == Kind::Null {
                continue;
            }
            match value::text(&item.value.kind) {
                Ok(text) => {
                    let read = setting.read(raw, &text, cx.origin(item.key.pos));
                    cx.errors.extend(read.err());
                }
                Err(expected) => {
                    let what =
                        format!("`decant.{}` can't be {}", setting.key, value::shown(&item.value.kind));
                    cx.error(item.value.pos, Problem::error(what).expected(expected));
                }
            }
        }
        for group in block.blocks(cx, GROUP, &schema::GROUP) {
            raw.groups.extend(read_group(cx, &group));
        }
    }
}

fn read_group(cx: &mut Context<'_>, block: &Block<'_>) -> Option<RawGroup> {
    block.check_keys(cx);
    let Some(name) = block.label else {
        let problem = Problem::error("a `decant.group` has no name");
        cx.error(block.pos, problem.expected("group \"tls\" { … }"));
        return None;
    };
    Some(RawGroup {
        name: Sourced::new(name.text.clone(), cx.origin(name.pos)),
        members: block.texts(cx, "members"),
        atomic: block.bool(cx, "atomic"),
        on_change: on_change::read(cx, block),
    })
}
