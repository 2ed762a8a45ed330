//! JSON text to the same tree, with the place of every node.
//!
//! HCL 1 flattens objects in objects into labelled blocks, and so loses some (`"auto_auth": {"method": {…}}`).
//! Here an object stays an object; whoever reads a stanza with a label recognises both spellings.

use super::{Body, Item, Kind, MAX_DEPTH, Name, Pos, SyntaxError, Value, cursor::Cursor};

/// Parses a whole text whose first character that is not blank is `{`.
pub(super) fn parse(text: &str) -> Result<Body, SyntaxError> {
    let mut parser = Parser { cursor: Cursor::new(text), depth: 0 };
    parser.skip_blanks();
    let mut body = parser.object()?;
    parser.skip_blanks();
    // The original stops reading here.
    body.ignored_from = parser.cursor.peek().map(|_| parser.cursor.pos());
    Ok(body)
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    depth: usize,
}

impl Parser<'_> {
    fn skip_blanks(&mut self) {
        self.cursor.eat_while(char::is_whitespace);
    }

    fn unexpected(&self, expected: &str) -> SyntaxError {
        let found = match self.cursor.peek() {
            None => "found the end of the file".to_owned(),
            Some(c) => format!("found `{}`", c.escape_debug()),
        };
        SyntaxError::new(self.cursor.pos(), found).expected(expected)
    }

    fn deeper(&mut self) -> Result<(), SyntaxError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let what = format!("objects and lists are nested more than {MAX_DEPTH} deep");
            return Err(SyntaxError::new(self.cursor.pos(), what));
        }
        Ok(())
    }

    fn object(&mut self) -> Result<Body, SyntaxError> {
        self.deeper()?;
        self.cursor.bump();
        let mut items = Vec::new();
        self.skip_blanks();
        while !self.cursor.eat('}') {
            items.push(self.item()?);
            self.separator('}', "`,` or `}`")?;
        }
        self.depth -= 1;
        Ok(Body { items, ignored_from: None })
    }

    fn item(&mut self) -> Result<Item, SyntaxError> {
        let pos = self.cursor.pos();
        if self.cursor.peek() != Some('"') {
            return Err(self
                .unexpected("a key in double quotes")
                .hint("this file is read as JSON, since it begins with `{`"));
        }
        let key = Name { text: self.string(pos)?, pos };
        self.skip_blanks();
        if !self.cursor.eat(':') {
            return Err(self.unexpected("`:` behind the key"));
        }
        self.skip_blanks();
        let value = self.value()?;
        Ok(Item { key, labels: Vec::new(), value })
    }

    /// A comma, or the closing character, which is not taken. As in the original, a comma may stand before it.
    fn separator(&mut self, close: char, expected: &str) -> Result<(), SyntaxError> {
        self.skip_blanks();
        if self.cursor.eat(',') {
            self.skip_blanks();
            return Ok(());
        }
        if self.cursor.peek() == Some(close) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    fn value(&mut self) -> Result<Value, SyntaxError> {
        let pos = self.cursor.pos();
        let kind = match self.cursor.peek() {
            Some('{') => Kind::Block(self.object()?),
            Some('[') => Kind::List(self.list()?),
            Some('"') => Kind::Text(self.string(pos)?),
            Some('-' | '0'..='9') => self.number(pos)?,
            Some(c) if c.is_alphabetic() => self.word(pos)?,
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Value { kind, pos })
    }

    fn list(&mut self) -> Result<Vec<Value>, SyntaxError> {
        self.deeper()?;
        self.cursor.bump();
        let mut values = Vec::new();
        self.skip_blanks();
        while !self.cursor.eat(']') {
            values.push(self.value()?);
            self.separator(']', "`,` or `]`")?;
        }
        self.depth -= 1;
        Ok(values)
    }

    fn word(&mut self, pos: Pos) -> Result<Kind, SyntaxError> {
        match self.cursor.eat_while(char::is_alphanumeric) {
            "true" => Ok(Kind::Bool(true)),
            "false" => Ok(Kind::Bool(false)),
            "null" => Ok(Kind::Null),
            _ => Err(SyntaxError::new(pos, "found a word without quotes")
                .expected("text in double quotes, a number, true, false, null, a list or an object")),
        }
    }

    fn number(&mut self, pos: Pos) -> Result<Kind, SyntaxError> {
        let text = self.cursor.eat_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'));
        let digits = text.strip_prefix('-').unwrap_or(text);
        let leading_zero =
            digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
        let plain =
            digits.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'.' | b'e' | b'E' | b'+' | b'-'));
        if leading_zero {
            return Err(SyntaxError::new(pos, "found a number that begins with 0")
                .expected("a JSON number without leading zeros")
                .hint("an octal mode goes in quotes here, for instance \"0640\""));
        }
        if !plain || !digits.starts_with(|c: char| c.is_ascii_digit()) || text.parse::<f64>().is_err() {
            return Err(SyntaxError::new(pos, "found something that is not quite a number")
                .expected("a JSON number, or text in double quotes")
                .hint("durations go in quotes, for instance \"30s\""));
        }
        Ok(Kind::Number(text.to_owned()))
    }

    fn string(&mut self, pos: Pos) -> Result<String, SyntaxError> {
        self.cursor.bump();
        let mut out = String::new();
        loop {
            out.push_str(self.cursor.eat_while(|c| !matches!(c, '"' | '\\' | '\n')));
            let here = self.cursor.pos();
            match self.cursor.bump() {
                Some('"') => return Ok(out),
                Some('\\') => out.push(self.escape(here)?),
                _ => {
                    return Err(SyntaxError::new(pos, "the text that begins here is not closed on its line")
                        .expected("a closing `\"`")
                        .hint("write \\n for a line break"));
                }
            }
        }
    }

    fn escape(&mut self, pos: Pos) -> Result<char, SyntaxError> {
        Ok(match self.cursor.bump() {
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            // Not JSON, but the original reads them.
            Some('a') => '\u{7}',
            Some('v') => '\u{b}',
            Some('x') => char::from(u8::try_from(self.digits(pos, 2)?).unwrap_or(b'?')),
            Some('u') => return self.unicode(pos),
            _ => {
                return Err(SyntaxError::new(pos, "found an escape that JSON doesn't have")
                    .expected("one of \\n \\t \\r \\b \\f \\\" \\\\ \\/ \\uXXXX")
                    .hint("a backslash itself is written \\\\"));
            }
        })
    }

    /// `\uXXXX`, or two of them for a character beyond 16 bits. A lone half becomes the replacement character.
    fn unicode(&mut self, pos: Pos) -> Result<char, SyntaxError> {
        let first = self.digits(pos, 4)?;
        if !(0xd800..0xdc00).contains(&first) || !self.cursor.rest().starts_with("\\u") {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let ahead = self.cursor.rest().get(2..6).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let Some(second @ 0xdc00..0xe000) = ahead else { return Ok(char::REPLACEMENT_CHARACTER) };
        for _ in 0..6 {
            self.cursor.bump();
        }
        let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn digits(&mut self, pos: Pos, count: usize) -> Result<u32, SyntaxError> {
        let mut code = 0;
        for _ in 0..count {
            let digit = self.cursor.bump().and_then(|c| c.to_digit(16));
            let Some(digit) = digit else {
                return Err(SyntaxError::new(
                    pos,
                    format!("found an escape without {count} hexadecimal digits"),
                )
                .expected("for instance \\u00e9"));
            };
            code = code * 16 + digit;
        }
        Ok(code)
    }
}
