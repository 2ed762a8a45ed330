//! Regular expressions within a render: compiled once, and charged for the work that they make.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use super::FuncError;
use crate::{
    process::cpu,
    template::go::{
        ctx::Ctx,
        format::regex::{Regex, RegexError},
    },
};

/// Bytes of program times bytes of text that an engine walks in the time of one step, at worst.
const WALK_PER_STEP: usize = 1_000;

/// The same for the bytes of a program that is made.
const MADE_PER_STEP: usize = 100;

/// Program times text after which the processor's time is looked at again.
const LOOK_AFTER: usize = 1_000_000;

/// Steps that a microsecond of work counts for.
const STEPS_PER_MICROSECOND: u64 = 2;

/// Most patterns, and bytes of their programs, that are kept.
const MAX_KEPT: usize = 64;
const MAX_KEPT_SIZE: usize = 2 << 20;

/// Patterns that this render has compiled.
#[derive(Default)]
pub(in crate::template::go) struct Patterns {
    kept: BTreeMap<Box<[u8]>, Rc<Regex>>,
    size: usize,
}

impl Patterns {
    fn keep(&mut self, pattern: &[u8], regex: &Rc<Regex>) {
        let size = pattern.len() + regex.size();
        if size > MAX_KEPT_SIZE {
            return;
        }
        if self.kept.len() >= MAX_KEPT || self.size + size > MAX_KEPT_SIZE {
            *self = Self::default();
        }
        self.size += size;
        self.kept.insert(pattern.into(), regex.clone());
    }
}

/// A compiled pattern, or its error. A pattern can come out of a secret, so that only the original's words quote it.
pub(super) fn compile(ctx: &mut Ctx<'_>, pattern: &[u8]) -> Result<Rc<Regex>, FuncError> {
    if let Some(regex) = ctx.patterns.kept.get(pattern) {
        return Ok(regex.clone());
    }
    let made = Regex::new(pattern);
    let size = made.as_ref().map_or(0, Regex::size);
    ctx.labour(1 + steps(pattern.len() + size, 1, MADE_PER_STEP))?;
    let regex = Rc::new(made.map_err(|error| {
        let shown = match &error {
            RegexError::Syntax(words, _) => format!("error parsing regexp: {words}"),
            RegexError::Unsupported(..) => "the regular expression is too large".to_owned(),
        };
        FuncError::quoting(error.to_string(), shown)
    })?);
    ctx.patterns.keep(pattern, &regex);
    Ok(regex)
}

fn steps(size: usize, length: usize, per_step: usize) -> u64 {
    (size.saturating_mul(length) / per_step) as u64
}

/// What follows the matches of a search through one text.
///
/// One walk through the text is charged beforehand. Each further match may have cost another walk to the end, or next
/// to nothing, and only the processor's time can tell.
pub(super) struct Watch<'c, 'h> {
    ctx: &'c mut Ctx<'h>,
    size: usize,
    length: usize,
    unseen: usize,
    since: Duration,
    charged: usize,
}

impl<'c, 'h> Watch<'c, 'h> {
    /// Begins a search of a text of this length.
    pub(super) fn start(ctx: &'c mut Ctx<'h>, regex: &Regex, length: usize) -> Result<Self, FuncError> {
        ctx.labour(1 + steps(regex.size(), length, WALK_PER_STEP))?;
        let since = cpu::thread_time();
        Ok(Self { ctx, size: regex.size(), length, unseen: 0, since, charged: 0 })
    }

    /// Hears of a match that ends at `end`, and that the result has `made` bytes now.
    pub(super) fn matched(&mut self, end: usize, made: usize) -> Result<(), FuncError> {
        self.ctx.charge(made.saturating_sub(self.charged))?;
        self.charged = self.charged.max(made);
        self.unseen = self.unseen.saturating_add(self.size.saturating_mul(self.length.saturating_sub(end)));
        if self.unseen < LOOK_AFTER {
            return Ok(());
        }
        let now = cpu::thread_time();
        let took = now.saturating_sub(self.since);
        (self.unseen, self.since) = (0, now);
        self.ctx.labour(1 + took.as_micros() as u64 * STEPS_PER_MICROSECOND)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::nothing;
    use super::*;

    #[test]
    fn a_pattern_is_compiled_once_and_few_are_kept() {
        let mut host = nothing();
        let mut ctx = Ctx::new(&mut host);
        let first = compile(&mut ctx, b"a+").unwrap();
        assert!(Rc::ptr_eq(&first, &compile(&mut ctx, b"a+").unwrap()));
        for n in 0..1_000 {
            compile(&mut ctx, format!("a{{{n}}}").as_bytes()).unwrap();
            assert!(ctx.patterns.kept.len() <= MAX_KEPT && ctx.patterns.size <= MAX_KEPT_SIZE);
        }
        assert!(!ctx.patterns.kept.is_empty());
    }

    #[test]
    fn patterns_that_never_end_are_stopped() {
        let mut host = nothing();
        let mut ctx = Ctx::new(&mut host);
        let regex = compile(&mut ctx, b"(?s)a.*b|a").unwrap();
        let text = vec![b'a'; 100_000];
        let mut watch = Watch::start(&mut ctx, &regex, text.len()).unwrap();
        let error = regex.find(&text, None, &mut |end, made| watch.matched(end, made)).unwrap_err();
        assert!(error.is_limit(), "{}", error.go_text());
    }
}
