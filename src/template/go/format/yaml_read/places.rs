//! What Go's reader refuses at the places where nodes begin, and the parser, which follows YAML 1.2, allows: tabs before
//! the first word of a line in block style, and behind `-` or `?`; keys of several lines, or of nothing.

use std::ops::Range;

use saphyr_parser::Event;

/// Looks at where nodes begin, in the order of the text.
pub(super) struct Places<'t> {
    text: &'t str,
    /// Brackets and braces that are open.
    flow: usize,
    /// How far the text was walked, in characters and bytes.
    walked: (usize, usize),
    /// Where the last node was seen, in bytes.
    last: Range<usize>,
}

/// Why a node can't begin here, and the line of it, counted from 0.
pub(super) enum Refused {
    /// A character that begins nothing, here a tab.
    Start(usize),
    /// A colon behind something that is no key.
    Colon(usize),
    /// A colon with nothing before it.
    NoKey(usize),
}

impl<'t> Places<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, flow: 0, walked: (0, 0), last: 0..0 }
    }

    /// Whether brackets or braces are open.
    pub(super) fn in_flow(&self) -> bool {
        self.flow > 0
    }

    /// Whether the node that begins with this event, which spans these characters, may begin there.
    pub(super) fn see(&mut self, event: &Event<'_>, span: Range<usize>) -> Result<(), Refused> {
        match event {
            Event::SequenceEnd | Event::MappingEnd => {
                self.flow = self.flow.saturating_sub(1);
                return Ok(());
            }
            Event::Alias(_) | Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) => {}
            _ => return Ok(()),
        }
        self.last = self.byte(span.start)..self.byte(span.end);
        let is_misplaced = self.flow == 0 && is_behind_tab(&self.text[..self.last.start]);
        let is_bracket = self.text[self.last.clone()].ends_with(['[', '{']);
        if matches!(event, Event::SequenceStart(..) | Event::MappingStart(..))
            && (self.flow > 0 || is_bracket)
        {
            self.flow += 1;
        }
        if is_misplaced { Err(Refused::Start(self.line(self.last.start))) } else { Ok(()) }
    }

    /// Whether the node that was seen last may be the key of an entry.
    pub(super) fn is_key(&self, event: &Event<'_>) -> Result<(), Refused> {
        let is_explicit = self.text[..self.last.start].trim_end().ends_with('?');
        if self.flow > 0 || is_explicit || !matches!(event, Event::Scalar(..)) {
            return Ok(());
        }
        let key = self.text[self.last.clone()].trim_end();
        if key.contains('\n') {
            return Err(Refused::Colon(self.line(self.last.start + key.len())));
        }
        if key.is_empty() && self.text[self.last.start..].trim_start().starts_with(':') {
            return Err(Refused::NoKey(self.line(self.last.start)));
        }
        Ok(())
    }

    fn line(&self, byte: usize) -> usize {
        self.text[..byte].matches('\n').count()
    }

    /// The byte where a character stands.
    fn byte(&mut self, at: usize) -> usize {
        let (chars, bytes) = if at < self.walked.0 { (0, 0) } else { self.walked };
        let further = self.text[bytes..]
            .char_indices()
            .nth(at - chars)
            .map_or(self.text.len(), |(more, _)| bytes + more);
        self.walked = (at, further);
        further
    }
}

/// Whether a text ends in blanks with a tab among them, which begin a line or follow a mark that a block may follow.
fn is_behind_tab(text: &str) -> bool {
    let line = text.rsplit(['\n', '\r']).next().unwrap_or_default();
    let indented = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
    let (marks, blanks) = line.split_at(line.trim_end_matches([' ', '\t']).len());
    let is_mark = |last: &str| last == "-" || last == "?";
    indented.contains('\t') || blanks.contains('\t') && marks.rsplit([' ', '\t']).next().is_some_and(is_mark)
}
