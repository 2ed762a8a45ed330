//! What goes wrong inside the engine, before it knows its file: two texts, a position, a hint.

use std::sync::Arc;

use super::{ast::Pos, quote};

/// What kind of mistake it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The text is no template.
    Syntax,
    /// A function that doesn't exist.
    UnknownFunction,
    /// A key or field that isn't there.
    MissingKey,
    /// Data of another type than the template takes it for.
    WrongType,
    /// A function refused its arguments.
    Function,
    /// A limit of the engine.
    Limit,
    /// Anything else while it runs.
    Other,
}

/// A parse or run-time error.
#[derive(Clone)]
pub struct Fault {
    /// What kind of mistake.
    pub cause: Cause,
    /// Where the caret goes.
    pub pos: Pos,
    /// Go's words; may quote a value.
    pub go: String,
    /// Our words, without any value.
    pub shown: String,
    /// What to do.
    pub hint: Option<String>,
    /// Where Go says it is.
    pub place: Place,
}

/// The place in Go's own message.
#[derive(Clone)]
pub enum Place {
    /// A parse error: only the line of the last token.
    Parse(Pos),
    /// A run-time error.
    Exec {
        /// Name of the template that runs.
        template: Arc<str>,
        /// The node, as Go prints it; `None` when no node is at fault.
        node: Option<(Pos, String)>,
    },
}

impl Fault {
    /// A fault whose words quote no value.
    pub fn new(cause: Cause, pos: Pos, text: impl Into<String>, place: Place) -> Self {
        let text = text.into();
        Self { cause, pos, go: text.clone(), shown: text, hint: None, place }
    }

    /// The message that Go's template package gives for this, over the text it was found in.
    pub fn go_text(&self, text: &str) -> String {
        match &self.place {
            Place::Parse(pos) => format!("template: :{}: {}", position(text, *pos).0, self.go),
            Place::Exec { node: None, .. } => format!("template: {}", self.go),
            Place::Exec { template, node: Some((pos, context)) } => {
                let (line, start) = position(text, *pos);
                format!(
                    "template: :{line}:{}: executing {} at <{context}>: {}",
                    pos.saturating_sub(start),
                    quote::quote(template.as_bytes()),
                    self.go
                )
            }
        }
    }
}

/// Line (from 1) of a byte offset, and the offset at which that line starts.
pub fn position(text: &str, pos: Pos) -> (usize, Pos) {
    let before = &text.as_bytes()[..pos.min(text.len())];
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    (line, start)
}
