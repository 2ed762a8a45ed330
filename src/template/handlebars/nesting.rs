//! How deep a text nests, found before the library reads it: its parser calls itself for each level.
//!
//! Reads tags as the library's grammar does, so that what stands in texts, comments, raw blocks and behind `\` counts for
//! nothing, and nothing that its parser goes into is overlooked.

/// How deep blocks and calls may nest in a text.
const MAX_DEPTH: usize = 100;

/// Something nests too deep.
struct TooDeep;

/// The byte where the text begins to nest deeper than it may.
pub(super) fn too_deep(text: &str) -> Option<usize> {
    let mut scan = Scan { text, at: 0, depth: 0, blocks: Vec::new() };
    scan.text().err().map(|TooDeep| scan.at)
}

struct Scan<'t> {
    text: &'t str,
    at: usize,
    /// Open blocks, branches of `else if`, parentheses and brackets.
    depth: usize,
    /// How deep it was where the open blocks began.
    blocks: Vec<usize>,
}

impl Scan<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn eat(&mut self, what: &str) -> bool {
        let there = self.rest().starts_with(what);
        self.at += if there { what.len() } else { 0 };
        there
    }

    fn skip(&mut self, part: impl Fn(char) -> bool) -> usize {
        let rest = self.rest();
        let length = rest.find(|c| !part(c)).unwrap_or(rest.len());
        self.at += length;
        length
    }

    fn blanks(&mut self) {
        self.skip(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
    }

    /// Goes behind the next occurrence, else to the end.
    fn pass(&mut self, what: &str) {
        self.at += self.rest().find(what).map_or(self.rest().len(), |found| found + what.len());
    }

    fn deeper(&mut self) -> Result<(), TooDeep> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(TooDeep) } else { Ok(()) }
    }

    /// Goes to the next tag that isn't written with one `\` before it.
    fn seek(&mut self, tag: &str) -> bool {
        let start = self.at;
        while let Some(found) = self.rest().find(tag) {
            self.at += found;
            let before = &self.text[start..self.at];
            if before.len() - before.trim_end_matches('\\').len() != 1 {
                return true;
            }
            self.at += 2;
            self.eat("{{");
        }
        false
    }

    fn text(&mut self) -> Result<(), TooDeep> {
        while self.seek("{{") {
            if self.eat("{{!") {
                self.comment();
            } else if self.eat("{{{{") {
                self.tag(false)?;
                self.eat("}}");
                if self.seek("{{{{") {
                    self.pass("}}}}");
                }
            } else {
                self.opened()?;
            }
        }
        Ok(())
    }

    fn comment(&mut self) {
        let start = self.at;
        self.blanks();
        let long = self.eat("--") && self.rest().contains("--}}");
        if !long {
            self.at = start;
        }
        self.pass(if long { "--}}" } else { "}}" });
    }

    /// A tag from its beginning.
    fn opened(&mut self) -> Result<(), TooDeep> {
        let start = self.at;
        self.at += 2;
        self.blanks();
        self.eat("~");
        self.blanks();
        let mut partial = self.eat(">");
        if self.eat("#") {
            self.blocks.push(self.depth);
            self.deeper().inspect_err(|_| self.at = start)?;
            self.blanks();
            partial = self.eat(">");
        } else if self.eat("/") {
            self.depth = self.blocks.pop().unwrap_or(0);
        } else if self.eat("else") || self.eat("^") {
            self.blanks();
            self.eat("~");
            self.blanks();
            // Each `else if` is a block in the one before.
            if !self.rest().starts_with("}}") {
                self.deeper().inspect_err(|_| self.at = start)?;
            }
        }
        self.tag(partial)
    }

    /// The rest of a tag, with its end.
    fn tag(&mut self, partial: bool) -> Result<(), TooDeep> {
        let outside = self.depth;
        // Behind `(` and at the beginning stands a name, and no value.
        let mut name = true;
        if partial {
            self.blanks();
            name = self.partial_name();
        }
        loop {
            self.blanks();
            let Some(next) = self.rest().chars().next() else { break };
            if self.eat("}}") {
                break;
            }
            if next == '(' {
                self.deeper()?;
                self.at += 1;
                name = true;
                continue;
            }
            if next == ')' {
                self.depth = self.depth.saturating_sub(1).max(outside);
                self.at += 1;
            } else if !((!name && self.literal()?) || self.path()) {
                self.at += next.len_utf8();
                // Signs like `&` and `*` stand before the name.
                continue;
            }
            name = false;
        }
        self.depth = outside;
        Ok(())
    }

    /// The name of a partial, where it isn't a path. Whether a name is still awaited.
    fn partial_name(&mut self) -> bool {
        if self.skip(|c| is_symbol(c) && !matches!(c, '$' | ':') || matches!(c, '@' | '/' | '.')) > 0 {
            return false;
        }
        let start = self.at;
        if !self.eat("'") {
            return true;
        }
        while !self.eat("'") {
            if !self.eat("\\'") {
                let Some(next) = self.rest().chars().next() else {
                    self.at = start;
                    return true;
                };
                self.at += next.len_utf8();
            }
        }
        false
    }

    /// A path, whose parts in brackets may hold anything.
    fn path(&mut self) -> bool {
        let start = self.at;
        let mut separated = true;
        loop {
            if self.skip(|c| is_symbol(c) || c == '@') > 0 {
                separated = false;
            } else if self.skip(|c| matches!(c, '.' | '/')) > 0 {
                separated = true;
            } else if separated && self.rest().starts_with('[') {
                self.pass("]");
                separated = false;
            } else {
                return self.at > start;
            }
        }
    }

    /// A text, a number, a list or an object. Stays where it is when there is none.
    fn literal(&mut self) -> Result<bool, TooDeep> {
        let (start, depth) = (self.at, self.depth);
        let found = match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => self.string(quote),
            Some('[') => self.items("]", Self::literal)?,
            Some('{') => self.items("}", Self::entry)?,
            _ => self.number(),
        };
        self.at = if found { self.at } else { start };
        self.depth = depth;
        Ok(found)
    }

    /// What a list or an object holds.
    fn items(&mut self, end: &str, item: fn(&mut Self) -> Result<bool, TooDeep>) -> Result<bool, TooDeep> {
        self.deeper()?;
        self.at += 1;
        self.blanks();
        item(self)?;
        self.blanks();
        while self.eat(",") {
            self.blanks();
            if !item(self)? {
                return Ok(false);
            }
            self.blanks();
        }
        Ok(self.eat(end))
    }

    /// A name with its value in an object.
    fn entry(&mut self) -> Result<bool, TooDeep> {
        let start = self.at;
        if let Some(quote @ ('"' | '\'')) = self.rest().chars().next()
            && self.string(quote)
        {
            self.blanks();
            if self.eat(":") {
                self.blanks();
                if self.literal()? {
                    return Ok(true);
                }
            }
        }
        self.at = start;
        Ok(false)
    }

    fn string(&mut self, quote: char) -> bool {
        let rest = self.rest();
        let mut chars = rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            if c == quote {
                self.at += at + 1;
                return true;
            }
            if c == '\\' {
                match chars.next() {
                    Some((_, 'u'))
                        if (0..4).all(|_| chars.next().is_some_and(|(_, c)| c.is_ascii_hexdigit())) => {}
                    Some((_, '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')) => {}
                    _ => return false,
                }
            }
        }
        false
    }

    fn number(&mut self) -> bool {
        let digit = |c: char| c.is_ascii_digit();
        self.eat("-");
        if self.skip(digit) == 0 {
            return false;
        }
        self.eat(".");
        self.skip(digit);
        let whole = self.at;
        if self.eat("E") {
            self.eat("-");
            if self.skip(digit) == 0 {
                self.at = whole;
            }
        }
        !self.rest().starts_with(is_symbol)
    }
}

/// Whether a character may stand in a name.
fn is_symbol(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$' | ':') || !c.is_ascii()
}
