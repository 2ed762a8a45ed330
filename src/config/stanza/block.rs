//! One block of the tree, read key by key into typed values; what is wrong is collected, never lost.

use std::{path::Path, sync::Arc, time::Duration};

use super::{schema, schema::Schema, value};
use crate::{
    config::{
        hcl::{Body, Item, Kind, Name, Pos},
        raw::Said,
    },
    origin::{Origin, Sourced},
    problem::{Problem, nearest},
};

/// The file that is read, and what was found wrong with it.
pub(super) struct Context<'f> {
    pub(super) file: &'f Arc<Path>,
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    /// Stanzas with something in them that can't be read.
    pub(super) torn: Vec<Origin>,
}

impl Context<'_> {
    pub(super) fn origin(&self, pos: Pos) -> Origin {
        pos.origin(self.file)
    }

    pub(super) fn error(&mut self, pos: Pos, problem: Problem) {
        self.errors.push(problem.at(pos.origin(self.file)));
    }

    /// The error of a value that `block` now seems to lack.
    pub(super) fn unreadable(&mut self, block: Pos, pos: Pos, problem: Problem) {
        self.error(pos, problem);
        self.torn.push(block.origin(self.file));
    }

    pub(super) fn warn(&mut self, pos: Pos, problem: Problem) {
        self.warnings.push(problem.at(pos.origin(self.file)));
    }
}

/// One block of a file, or the file itself.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    pub(super) schema: &'static Schema,
    pub(super) body: &'a Body,
    /// The label, where the original uses one: a single one.
    pub(super) label: Option<&'a Name>,
    /// Where its key is.
    pub(super) pos: Pos,
}

impl<'a> Block<'a> {
    /// The name of a key with its stanza, as messages show it.
    pub(super) fn path(&self, key: &str) -> String {
        if self.is_file() { key.to_owned() } else { format!("{}.{key}", self.schema.name) }
    }

    /// All entries with this key, in any case, that are not null.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &'a Item> {
        let items = self.body.items.iter();
        items.filter(move |item| item.key.text.eq_ignore_ascii_case(key) && item.value.kind != Kind::Null)
    }

    /// The last entry with this key, which is the one that counts.
    pub(super) fn last(&self, key: &str) -> Option<&'a Item> {
        self.all(key).last()
    }

    /// Reads the last entry with this key; `parse` says what would have been right.
    pub(super) fn read<T>(
        &self,
        cx: &mut Context<'_>,
        key: &str,
        parse: impl Fn(&Kind) -> Result<T, String>,
    ) -> Said<T> {
        let item = self.last(key)?;
        match parse(&item.value.kind) {
            Ok(value) => Some(Sourced::new(value, cx.origin(item.key.pos))),
            Err(expected) => {
                let what = format!("`{}` can't be {}", self.path(key), value::shown(&item.value.kind));
                let problem = Problem::error(what).expected(expected);
                if self.is_file() {
                    // Nothing but stanzas is ever missed there.
                    cx.error(item.value.pos, problem);
                } else {
                    cx.unreadable(self.pos, item.value.pos, problem);
                }
                None
            }
        }
    }

    /// Whether this is the file itself.
    const fn is_file(&self) -> bool {
        self.schema.name.is_empty()
    }

    pub(super) fn text(&self, cx: &mut Context<'_>, key: &str) -> Said<String> {
        self.read(cx, key, value::text)
    }

    /// As all that follow: an empty text counts as not said.
    pub(super) fn bool(&self, cx: &mut Context<'_>, key: &str) -> Said<bool> {
        self.unless_empty(key)?.read(cx, key, value::boolean)
    }

    pub(super) fn int(&self, cx: &mut Context<'_>, key: &str) -> Said<i64> {
        self.unless_empty(key)?.read(cx, key, value::int)
    }

    pub(super) fn float(&self, cx: &mut Context<'_>, key: &str) -> Said<f64> {
        self.unless_empty(key)?.read(cx, key, value::float)
    }

    pub(super) fn duration(&self, cx: &mut Context<'_>, key: &str) -> Said<Duration> {
        self.unless_empty(key)?.read(cx, key, value::duration)
    }

    fn unless_empty(&self, key: &str) -> Option<&Self> {
        (self.last(key)?.value.kind != Kind::Text(String::new())).then_some(self)
    }

    /// A text or a list of texts; repeated lists accumulate.
    pub(super) fn texts(&self, cx: &mut Context<'_>, key: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for item in self.all(key) {
            match value::texts(&item.value.kind) {
                Ok(more) => texts.extend(more),
                Err(expected) => {
                    let what = format!("`{}` can't be {}", self.path(key), value::shown(&item.value.kind));
                    cx.unreadable(self.pos, item.value.pos, Problem::error(what).expected(expected));
                }
            }
        }
        texts
    }

    /// All blocks with this key: `key { … }`, `key = { … }`, `key "label" { … }`, `key = [ { … } ]`, and the JSON
    /// form of a label, `"key": { "label": { … } }`.
    pub(super) fn blocks(&self, cx: &mut Context<'_>, key: &str, schema: &'static Schema) -> Vec<Block<'a>> {
        let mut blocks = Vec::new();
        for item in self.all(key) {
            let label = match item.labels.as_slice() {
                [] => None,
                [label] => Some(label),
                [first, ..] => {
                    let what = format!("`{}` has {} labels", self.path(key), item.labels.len());
                    cx.warn(first.pos, Problem::warning(what).expected("at most one, so they don't count"));
                    None
                }
            };
            let block = Block { schema, body: self.body, label, pos: item.key.pos };
            if !block.collect(&item.value.kind, &mut blocks) {
                let what = format!("`{}` can't be {}", self.path(key), value::shown(&item.value.kind));
                let problem = Problem::error(what).expected(format!("a block: {key} {{ … }}"));
                cx.unreadable(self.pos, item.value.pos, problem);
            }
        }
        blocks
    }

    /// Adds the blocks in `kind`, which are labelled and placed as `self`; false if there is something else in it.
    fn collect(&self, kind: &'a Kind, into: &mut Vec<Self>) -> bool {
        match kind {
            Kind::Block(body) => {
                let block = Block { body, ..*self };
                if self.label.is_none() && block.holds_labels() {
                    return body.items.iter().all(|item| {
                        let labelled = Block { label: Some(&item.key), pos: item.key.pos, ..*self };
                        labelled.collect(&item.value.kind, into)
                    });
                }
                into.push(block);
                true
            }
            Kind::List(values) => values.iter().all(|value| {
                let each = Block { pos: value.pos, ..*self };
                each.collect(&value.kind, into)
            }),
            _ => false,
        }
    }

    /// Whether the keys of this block are labels in JSON's spelling: each holds a block, none is a key of the stanza.
    fn holds_labels(&self) -> bool {
        let is_block = |kind: &Kind| match kind {
            Kind::Block(_) => true,
            Kind::List(values) => values.iter().all(|value| matches!(value.kind, Kind::Block(_))),
            _ => false,
        };
        !self.body.items.is_empty()
            && self.schema.takes_label()
            && self
                .body
                .items
                .iter()
                .all(|item| is_block(&item.value.kind) && !self.schema.knows(&item.key.text))
    }

    /// The one block with this key; more than one is an error.
    pub(super) fn only(&self, cx: &mut Context<'_>, key: &str, schema: &'static Schema) -> Option<Block<'a>> {
        let blocks = self.blocks(cx, key, schema);
        if let [first, second, ..] = blocks.as_slice() {
            let what = format!("`{}` is said {} times in this file", self.path(key), blocks.len());
            let problem = Problem::error(what)
                .expected(format!("only one `{}`", self.path(key)))
                .hint(format!("the first is on line {}", first.pos.line));
            // What the others say is missed as well.
            cx.unreadable(self.pos, second.pos, problem);
        }
        blocks.into_iter().next()
    }

    /// Warns about keys that are unknown, without effect, or said twice.
    pub(super) fn check_keys(&self, cx: &mut Context<'_>) {
        let mut seen: Vec<&Item> = Vec::new();
        for item in &self.body.items {
            let key = item.key.text.as_str();
            let before = seen.iter().rev().find(|other| other.key.text.eq_ignore_ascii_case(key));
            if !self.schema.knows(key) {
                cx.warn(item.key.pos, self.unknown(key));
            } else if let Some(before) = before
                && is_scalar(item)
            {
                let what = format!("`{}` is said twice, the last one counts", self.path(key));
                let hint = format!(
                    "the first is on line {}; newer releases of the original refuse this",
                    before.key.pos.line
                );
                cx.warn(item.key.pos, Problem::warning(what).hint(hint));
            } else if before.is_none() && self.schema.is_idle(key) {
                let reach = if self.schema.is_inert(key) { "on an agent" } else { "in this version" };
                let what = format!("`{}` is accepted, but has no effect {reach}", self.path(key));
                cx.warn(item.key.pos, Problem::warning(what));
            }
            seen.push(item);
        }
    }

    fn unknown(&self, key: &str) -> Problem {
        let place = if self.is_file() { String::new() } else { format!(" in `{}`", self.schema.name) };
        let problem = Problem::warning(format!("unknown key `{}`{place}, ignored", value::short(key)));
        if let Some(likely) = nearest(key, self.schema.keys()) {
            return problem.hint(format!("did you mean `{likely}`?"));
        }
        match schema::home_of(key) {
            Some(home) if home.name.is_empty() => problem.hint("it belongs at the top level of the file"),
            Some(home) => problem.hint(format!("it belongs into `{}`", home.name)),
            None if self.schema.keys().count() > 12 => problem,
            None => problem.expected(format!("one of {}", self.schema.keys().collect::<Vec<_>>().join(", "))),
        }
    }
}

fn is_scalar(item: &Item) -> bool {
    match &item.value.kind {
        Kind::Block(_) => false,
        Kind::List(values) => !values.iter().any(|value| matches!(value.kind, Kind::Block(_))),
        _ => true,
    }
}
