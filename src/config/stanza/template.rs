//! Stanzas `template` and `template_config`.

use std::{collections::BTreeMap, time::Duration};

use super::{
    auto_auth::decimal_mode,
    block::{Block, Context},
    on_change, schema, value,
};
use crate::{
    config::{
        hcl::{Item, Kind},
        raw::{RawTemplate, RawTemplateConfig, Said},
        template::CommandForm,
        units,
    },
    origin::Sourced,
    problem::Problem,
};

pub(super) fn read_config(cx: &mut Context<'_>, top: &Block<'_>) -> RawTemplateConfig {
    let Some(block) = top.only(cx, "template_config", &schema::TEMPLATE_CONFIG) else {
        return RawTemplateConfig::default();
    };
    block.check_keys(cx);
    RawTemplateConfig {
        stanza: Some(cx.origin(block.pos)),
        exit_on_retry_failure: block.bool(cx, "exit_on_retry_failure"),
        static_secret_render_interval: block.duration(cx, "static_secret_render_interval"),
        max_connections_per_host: block.int(cx, "max_connections_per_host"),
        lease_renewal_threshold: block.float(cx, "lease_renewal_threshold"),
    }
}

pub(super) fn read_all(cx: &mut Context<'_>, top: &Block<'_>) -> Vec<RawTemplate> {
    let blocks = top.blocks(cx, "template", &schema::TEMPLATE);
    blocks.iter().map(|block| read(cx, block)).collect()
}

fn read(cx: &mut Context<'_>, block: &Block<'_>) -> RawTemplate {
    block.check_keys(cx);
    if let Some(label) = block.label {
        let problem =
            Problem::warning(format!("the label `{}` of a `template` is ignored", value::short(&label.text)));
        cx.warn(label.pos, problem.expected("template { … }"));
    }
    let mut raw = RawTemplate::new(cx.origin(block.pos));
    raw.source = block.text(cx, "source");
    raw.contents = block.text(cx, "contents");
    raw.secret = block.text(cx, "secret");
    raw.format = block.text(cx, "format");
    raw.dialect = block.text(cx, "dialect");
    raw.partials_path = block.text(cx, "partials_path");
    raw.destination = block.text(cx, "destination");
    raw.left_delimiter = block.text(cx, "left_delimiter");
    raw.right_delimiter = block.text(cx, "right_delimiter");
    raw.create_dest_dirs = block.bool(cx, "create_dest_dirs");
    raw.perms = perms(cx, block);
    raw.user = owner(cx, block, "user", "uid");
    raw.group = owner(cx, block, "group", "gid");
    raw.backup = block.bool(cx, "backup");
    raw.error_on_missing_key = block.bool(cx, "error_on_missing_key");
    raw.error_fatal = block.bool(cx, "error_fatal");
    raw.wait = wait(cx, block);
    raw.function_denylist = block.texts(cx, "function_denylist");
    raw.function_denylist.extend(block.texts(cx, "function_blacklist"));
    raw.sandbox_path = block.text(cx, "sandbox_path");
    raw.static_secret_render_interval = duration(cx, block, "static_secret_render_interval");
    raw.lease_renewal_threshold = block.float(cx, "lease_renewal_threshold");
    command(cx, block, &mut raw);
    raw.change_group = block.text(cx, "change_group").filter(|said| !said.value.is_empty());
    raw.on_change = on_change::read(cx, block);
    raw
}

fn perms(cx: &mut Context<'_>, block: &Block<'_>) -> Said<u32> {
    let item = block.last("perms")?;
    if value::is_decimal_that_looks_octal(&item.value.kind) {
        cx.warn(item.value.pos, decimal_mode("template.perms", &item.value.kind));
    }
    block.read(cx, "perms", value::mode)
}

/// Owner by name, else by number; -1 leaves it.
fn owner(cx: &mut Context<'_>, block: &Block<'_>, name: &str, number: &str) -> Said<String> {
    let by_number = block.int(cx, number);
    let by_name = block.text(cx, name).filter(|said| !said.value.is_empty());
    by_name.or_else(|| {
        by_number.filter(|said| said.value >= 0).map(|said| Sourced::new(said.value.to_string(), said.origin))
    })
}

/// A duration in a template. A bare number is seconds; the original takes nanoseconds there, which nobody means.
fn duration(cx: &mut Context<'_>, block: &Block<'_>, key: &str) -> Said<Duration> {
    let item = block.last(key)?;
    if let Kind::Number(number) = &item.value.kind
        && units::int_with_base(number) != Ok(0)
    {
        let number = value::short(number);
        let what = format!("`{}` is a number without a unit, and read as {number} seconds", block.path(key));
        let hint = format!("write \"{number}s\"; the original reads it as nanoseconds");
        cx.warn(item.value.pos, Problem::warning(what).hint(hint));
    }
    block.duration(cx, key)
}

/// `wait = "min"`, `wait = "min:max"` or `wait { min, max }`; the last one counts.
fn wait(cx: &mut Context<'_>, block: &Block<'_>) -> Said<(Duration, Option<Duration>)> {
    let item = block.last("wait")?;
    let said = match &item.value.kind {
        Kind::Block(_) | Kind::List(_) => wait_block(cx, block),
        _ => block.read(cx, "wait", |kind| wait_text(&value::text(kind)?)),
    }?;
    let (min, max) = said.value;
    if min.is_zero() {
        return None;
    }
    if max.is_some_and(|max| max < min) {
        let what = "the most of `template.wait` is less than its least";
        let expected = "min:max with max no less than min, for instance \"2s:10s\"";
        // The original refuses this in the text form only.
        if matches!(item.value.kind, Kind::Text(_)) {
            cx.error(item.value.pos, Problem::error(what).expected(expected));
        } else {
            cx.warn(
                item.value.pos,
                Problem::warning(format!("{what}, which counts for both")).expected(expected),
            );
            return Some(Sourced::new((min, Some(min)), said.origin));
        }
    }
    Some(said)
}

fn wait_block(cx: &mut Context<'_>, block: &Block<'_>) -> Said<(Duration, Option<Duration>)> {
    let wait = block.blocks(cx, "wait", &schema::WAIT).pop()?;
    wait.check_keys(cx);
    for key in ["min", "max"] {
        wait.read(cx, key, |kind| {
            let text = value::text(kind)?;
            if text.trim().starts_with('-') {
                Err("a duration that is not negative".to_owned())
            } else {
                Ok(())
            }
        });
    }
    let min = duration(cx, &wait, "min").map_or(Duration::ZERO, |said| said.value);
    let max = duration(cx, &wait, "max").map(|said| said.value).filter(|max| !max.is_zero());
    if wait.bool(cx, "enabled").is_some_and(|said| !said.value) {
        return None;
    }
    Some(Sourced::new((min, max), cx.origin(wait.pos)))
}

fn wait_text(text: &str) -> Result<(Duration, Option<Duration>), String> {
    let expected = || "one or two durations, for instance \"5s\" or \"2s:10s\"".to_owned();
    let read = |text: &str| match units::duration_nanos(text) {
        Ok(nanos) => u64::try_from(nanos).map(Duration::from_nanos).map_err(|_| expected()),
        Err(_) => Err(expected()),
    };
    match text.split_once(':') {
        None => Ok((read(text)?, None)),
        Some((min, max)) => Ok((read(min)?, Some(read(max)?))),
    }
}

/// The block `exec`, else the older keys `command` and `command_timeout`, key by key.
fn command(cx: &mut Context<'_>, block: &Block<'_>, raw: &mut RawTemplate) {
    let older = command_form(cx, block, "command");
    let older_timeout = duration(cx, block, "command_timeout");
    let exec = block.blocks(cx, "exec", &schema::COMMAND).pop();
    if let Some(exec) = &exec {
        exec.check_keys(cx);
        raw.command = command_form(cx, exec, "command");
        raw.command_timeout = duration(cx, exec, "timeout");
        raw.command_env = command_env(cx, exec);
    }
    raw.command = raw.command.take().or(older);
    raw.command_timeout = raw.command_timeout.take().or(older_timeout);
    if exec.is_some_and(|exec| exec.bool(cx, "enabled").is_some_and(|said| !said.value)) {
        raw.command = None;
    }
}

fn command_form(cx: &mut Context<'_>, block: &Block<'_>, key: &str) -> Said<CommandForm> {
    let item = block.last(key)?;
    let said = block.read(cx, key, value::texts)?;
    let argv = match &item.value.kind {
        Kind::List(_) => said.value,
        _ => split_at_commas(cx, block, item, said.value),
    };
    form_of(argv).map(|form| Sourced::new(form, said.origin))
}

/// A text is a list with commas, as in the original; where that was hardly meant, a warning says so.
fn split_at_commas(cx: &mut Context<'_>, block: &Block<'_>, item: &Item, texts: Vec<String>) -> Vec<String> {
    let text = texts.into_iter().next().unwrap_or_default();
    if !text.contains(',') {
        return vec![text];
    }
    if text.contains(char::is_whitespace) {
        let what = format!("`{}` is split at its commas and run without a shell", block.path(&item.key.text));
        let hint = "for a shell line with commas write a list: [\"sh\", \"-c\", \"…\"]";
        cx.warn(item.value.pos, Problem::warning(what).hint(hint));
    }
    text.split(',').map(str::to_owned).collect()
}

/// One element with blanks is for the shell; nothing but blanks is no command.
pub(super) fn form_of(argv: Vec<String>) -> Option<CommandForm> {
    match argv.as_slice() {
        [] => None,
        [line] if line.trim().is_empty() => None,
        [line] if line.trim().contains(char::is_whitespace) => Some(CommandForm::Shell(line.clone())),
        [word] => Some(CommandForm::Argv(vec![word.trim().to_owned()])),
        _ => Some(CommandForm::Argv(argv)),
    }
}

/// `env { custom = ["A=b"] }`.
fn command_env(cx: &mut Context<'_>, exec: &Block<'_>) -> BTreeMap<String, String> {
    let Some(env) = exec.blocks(cx, "env", &schema::COMMAND_ENV).pop() else { return BTreeMap::new() };
    env.check_keys(cx);
    let mut variables = BTreeMap::new();
    for text in env.texts(cx, "custom") {
        if let Some((name, value)) = text.split_once('=') {
            variables.insert(name.to_owned(), value.to_owned());
        } else {
            let problem = Problem::error("an entry of `template.exec.env.custom` has no `=`");
            cx.error(env.pos, problem.expected("entries like \"NAME=value\""));
        }
    }
    variables
}
