//! The tree of one file to [`Raw`]: each stanza read key by key, unknown keys named with place and likely meaning.

mod auto_auth;
mod block;
mod idle;
mod on_change;
mod own;
mod schema;
mod server;
mod template;
mod value;

use std::{path::Path, sync::Arc};

use block::{Block, Context};

use super::{
    hcl::{Body, Pos},
    raw::{Raw, RawLog, Unreadable},
};
use crate::{origin::Origin, problem::Problem};

/// Reads what one file says; what in it can't be read is in [`Raw::unreadable`].
pub fn read(body: &Body, file: &Arc<Path>) -> Raw {
    let cx = &mut Context { file, errors: Vec::new(), warnings: Vec::new(), torn: Vec::new() };
    let top = Block { schema: &schema::FILE, body, label: None, pos: Pos { line: 0, column: 0 } };
    top.check_keys(cx);
    if let Some(pos) = body.ignored_from {
        let problem = Problem::warning("everything from here on is ignored").expected("the end of the file");
        cx.warn(pos, problem.hint("a JSON file holds one object"));
    }
    let mut raw = Raw {
        vault: server::read(cx, &top),
        auto_auth: auto_auth::read(cx, &top),
        templates: template::read_all(cx, &top),
        template_config: template::read_config(cx, &top),
        exit_after_auth: top.bool(cx, "exit_after_auth"),
        pid_file: top.text(cx, "pid_file"),
        log: log(cx, &top),
        own: Default::default(),
        groups: Vec::new(),
        idle: idle::read(cx, &top),
        disable_idle_connections: top.read(cx, "disable_idle_connections", value::texts),
        disable_keep_alives: top.read(cx, "disable_keep_alives", value::texts),
        warnings: Vec::new(),
        unreadable: Default::default(),
    };
    own::read(cx, &top, &mut raw);
    in_order(&mut cx.warnings);
    in_order(&mut cx.errors);
    raw.warnings = std::mem::take(&mut cx.warnings);
    raw.unreadable =
        Unreadable { problems: std::mem::take(&mut cx.errors), stanzas: std::mem::take(&mut cx.torn) };
    raw
}

/// Sorts what was found in one file by its place, and drops what was found twice.
fn in_order(problems: &mut Vec<Problem>) {
    problems.sort_by_key(|problem| match problem.origin {
        Some(Origin::File { line, column, .. }) => (line, column),
        _ => (0, 0),
    });
    problems.dedup();
}

fn log(cx: &mut Context<'_>, top: &Block<'_>) -> RawLog {
    RawLog {
        level: top.text(cx, "log_level"),
        format: top.text(cx, "log_format"),
        file: top.text(cx, "log_file"),
        rotate_bytes: top.int(cx, "log_rotate_bytes"),
        rotate_duration: top.duration(cx, "log_rotate_duration"),
        rotate_max_files: top.int(cx, "log_rotate_max_files"),
    }
}

#[cfg(test)]
mod tests;
