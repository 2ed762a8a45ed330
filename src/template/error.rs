//! What a template's author reads when the template fails: the place, the line with a caret, a way out. No values.

use std::fmt;

use super::go::fault::{Cause, Fault, Place, position};
use super::redact::Redactor;
use crate::origin::Origin;

/// What kind of mistake it is.
pub use super::go::fault::Cause as ErrorKind;

/// Longest piece of a source line that is shown.
const SHOWN: usize = 120;

/// When a template failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// While its text was read; it never rendered anything.
    Parse,
    /// While it ran.
    Execute,
}

/// A template that can't be compiled or rendered. `Display` and `Debug` never show a value of a secret.
#[derive(Clone)]
pub struct TemplateError(Box<Inner>);

#[derive(Clone)]
struct Inner {
    origin: Origin,
    /// The template is the whole file at `origin`, so lines count there.
    whole_file: bool,
    /// There is a text to show a line of; output formats have none.
    has_text: bool,
    fault: Fault,
    line: usize,
    column: usize,
    source: String,
    caret: usize,
    go: String,
}

impl TemplateError {
    pub(super) fn new(fault: Fault, text: &str, origin: &Origin, whole_file: bool) -> Self {
        let (line, start) = position(text, fault.pos);
        let at = fault.pos.min(text.len());
        let column = 1 + text.get(start..at).map_or(0, |before| before.chars().count());
        let full = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let (source, caret) = window(full, column - 1);
        let go = fault.go_text(text);
        Self(Box::new(Inner {
            origin: origin.clone(),
            whole_file,
            has_text: !text.is_empty(),
            fault,
            line,
            column,
            source,
            caret,
            go,
        }))
    }

    /// The same without values that were read.
    pub(super) fn hiding(mut self, redactor: &Redactor) -> Self {
        let fault = &mut self.0.fault;
        fault.shown = redactor.hide(&fault.shown);
        fault.hint = fault.hint.take().map(|hint| redactor.hide(&hint));
        self
    }

    /// What kind of mistake it is.
    pub fn kind(&self) -> Cause {
        self.0.fault.cause
    }

    /// When it happened.
    pub fn phase(&self) -> Phase {
        match self.0.fault.place {
            Place::Parse(_) => Phase::Parse,
            Place::Exec { .. } => Phase::Execute,
        }
    }

    /// Where the template was said.
    pub fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// Line in the template's text, from 1.
    pub fn line(&self) -> usize {
        self.0.line
    }

    /// Column in characters, from 1.
    pub fn column(&self) -> usize {
        self.0.column
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.0.fault.shown
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.fault.hint.as_deref()
    }

    /// The message that Go's own engine gives, for comparisons. It can quote values of secrets: never log it.
    pub fn go_text(&self) -> &str {
        &self.0.go
    }
}

/// The part of a line around a column (from 0), and where the column is in it.
fn window(line: &str, column: usize) -> (String, usize) {
    let clean = |character: char| if character.is_control() { ' ' } else { character };
    let total = line.chars().count();
    if total <= SHOWN {
        return (line.chars().map(clean).collect(), column);
    }
    let start = column.saturating_sub(SHOWN / 2).min(total - SHOWN);
    let mut text: String = line.chars().skip(start).take(SHOWN).map(clean).collect();
    if start + SHOWN < total {
        text.push('…');
    }
    if start > 0 {
        return (format!("…{text}"), column - start + 1);
    }
    (text, column)
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { origin, whole_file, fault, line, column, source, caret, .. } = &*self.0;
        if !self.0.has_text {
            write!(f, "{origin}: {}", fault.shown)?;
            return fault.hint.iter().try_for_each(|hint| write!(f, "\n  hint: {hint}"));
        }
        match (whole_file, origin) {
            (true, Origin::File { path, .. }) => write!(f, "{}:{line}:{column}: ", path.display())?,
            _ => write!(f, "{origin}: template line {line}, column {column}: ")?,
        }
        f.write_str(&fault.shown)?;
        if let Place::Exec { template, .. } = &fault.place
            && !template.is_empty()
        {
            write!(f, " (in template {template:?})")?;
        }
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        write!(f, "\n{margin} |\n{number} | {source}\n{margin} | {}^", " ".repeat(*caret))?;
        if let Some(hint) = &fault.hint {
            write!(f, "\n{margin} = hint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TemplateError({self})")
    }
}

impl std::error::Error for TemplateError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let line = format!("{}X{}", "a".repeat(300), "b".repeat(300));
        let (text, caret) = window(&line, 300);
        assert_eq!(text.chars().nth(caret), Some('X'));
        assert!(text.starts_with('…') && text.ends_with('…'));
        assert_eq!(text.chars().count(), SHOWN + 2);
        let (text, caret) = window("é{{ x }}", 4);
        assert_eq!((text.as_str(), caret), ("é{{ x }}", 4));
    }
}
