//! Tabs where Go's reader takes none: before the first word of a line in block style, and behind `-` or `?`. The parser
//! follows YAML 1.2, which allows them there.

use std::ops::Range;

use saphyr_parser::Event;

/// Looks at where nodes begin, in the order of the text.
pub(super) struct Tabs<'t> {
    text: &'t str,
    /// Whether there is anything to look for.
    any: bool,
    /// Brackets and braces that are open.
    flow: usize,
    /// How far the text was walked, in characters and bytes.
    walked: (usize, usize),
}

impl<'t> Tabs<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, any: text.contains('\t'), flow: 0, walked: (0, 0) }
    }

    /// Whether brackets or braces are open.
    pub(super) fn in_flow(&self) -> bool {
        self.flow > 0
    }

    /// Whether a tab stands before the node that begins with this event, which spans these characters: the line of it,
    /// counted from 0.
    pub(super) fn before(&mut self, event: &Event<'_>, span: Range<usize>) -> Option<usize> {
        if !self.any {
            return None;
        }
        match event {
            Event::SequenceEnd | Event::MappingEnd => {
                self.flow = self.flow.saturating_sub(1);
                return None;
            }
            Event::Alias(_) | Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) => {}
            _ => return None,
        }
        let (start, end) = (self.byte(span.start), self.byte(span.end));
        let before = &self.text[..start];
        let found = (self.flow == 0 && is_misplaced(before)).then(|| before.matches('\n').count());
        let is_bracket = self.text[start..end].ends_with(['[', '{']);
        if matches!(event, Event::SequenceStart(..) | Event::MappingStart(..))
            && (self.flow > 0 || is_bracket)
        {
            self.flow += 1;
        }
        found
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
fn is_misplaced(text: &str) -> bool {
    let line = text.rsplit(['\n', '\r']).next().unwrap_or_default();
    let indented = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
    let (marks, blanks) = line.split_at(line.trim_end_matches([' ', '\t']).len());
    let is_mark = |last: &str| last == "-" || last == "?";
    indented.contains('\t') || blanks.contains('\t') && marks.rsplit([' ', '\t']).next().is_some_and(is_mark)
}
