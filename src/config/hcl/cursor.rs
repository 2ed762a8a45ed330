//! A place in a text that moves one character at a time and knows its line and column.

use super::Pos;

/// The place after `c`.
pub(super) const fn after(pos: Pos, c: char) -> Pos {
    if c == '\n' {
        Pos { line: pos.line.saturating_add(1), column: 1 }
    } else {
        Pos { line: pos.line, column: pos.column.saturating_add(1) }
    }
}

/// Reads a text character by character.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    pos: Pos,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0, pos: Pos { line: 1, column: 1 } }
    }

    /// Where the next character is.
    pub(super) const fn pos(&self) -> Pos {
        self.pos
    }

    /// Bytes read so far.
    pub(super) const fn offset(&self) -> usize {
        self.at
    }

    /// What was read since `offset`.
    pub(super) fn since(&self, offset: usize) -> &'a str {
        &self.text[offset..self.at]
    }

    /// What is still to read.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The next character.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Reads the next character.
    pub(super) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        self.pos = after(self.pos, c);
        Some(c)
    }

    /// Reads the next character if it is `c`.
    pub(super) fn eat(&mut self, c: char) -> bool {
        let is = self.peek() == Some(c);
        if is {
            self.bump();
        }
        is
    }

    /// Reads characters as long as they fit.
    pub(super) fn eat_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let mut pos = self.pos;
        let end = rest.char_indices().find(|(_, c)| {
            let fits = fits(*c);
            if fits {
                pos = after(pos, *c);
            }
            !fits
        });
        let read = &rest[..end.map_or(rest.len(), |(at, _)| at)];
        self.at += read.len();
        self.pos = pos;
        read
    }
}
