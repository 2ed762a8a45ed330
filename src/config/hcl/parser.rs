//! HCL 1 tokens to the tree.

use super::{
    Body, Item, Kind, MAX_DEPTH, Name, Pos, SyntaxError, Value,
    lexer::{Lexer, Token, TokenKind},
};

/// Parses a whole text.
pub(super) fn parse(text: &str) -> Result<Body, SyntaxError> {
    let mut lexer = Lexer::new(text);
    let next = lexer.token()?;
    let mut parser = Parser { lexer, next, depth: 0 };
    let body = parser.items()?;
    if parser.next.kind == TokenKind::End {
        return Ok(body);
    }
    Err(SyntaxError::new(parser.next.pos, "found `}` without an open block")
        .expected("a key, or the end of the file"))
}

/// Recursive descent with one token of look-ahead.
struct Parser<'a> {
    lexer: Lexer<'a>,
    next: Token,
    depth: usize,
}

impl Parser<'_> {
    fn take(&mut self) -> Result<Token, SyntaxError> {
        let following = self.lexer.token()?;
        Ok(std::mem::replace(&mut self.next, following))
    }

    /// Entries up to a `}` or the end, neither of which is taken. One comma may follow each entry.
    fn items(&mut self) -> Result<Body, SyntaxError> {
        let mut items = Vec::new();
        while !matches!(self.next.kind, TokenKind::CloseBrace | TokenKind::End) {
            items.push(self.item()?);
            if self.next.kind == TokenKind::Comma {
                self.take()?;
            }
        }
        Ok(Body { items, ignored_from: None })
    }

    /// `key = value`, `key { … }`, `key "label" … { … }`.
    fn item(&mut self) -> Result<Item, SyntaxError> {
        let first = self.take()?;
        let glued = first.glued;
        let key = name(first)?;
        let mut labels = Vec::new();
        loop {
            match self.next.kind {
                TokenKind::Assign if labels.is_empty() => {
                    self.take()?;
                    let value = self.value(&key)?;
                    return Ok(Item { key, labels, value });
                }
                TokenKind::OpenBrace => {
                    let value = self.block()?;
                    return Ok(Item { key, labels, value });
                }
                TokenKind::Ident(_) | TokenKind::Text(_) => labels.push(name(self.take()?)?),
                _ => return Err(self.incomplete(&key, &labels, glued)),
            }
        }
    }

    /// A key that is followed neither by `=` nor by `{`.
    fn incomplete(&self, key: &Name, labels: &[Name], glued: bool) -> SyntaxError {
        if glued {
            return SyntaxError::new(key.pos, format!("found `{}` directly behind a number", key.text))
                .expected("a line break or a blank after the number")
                .hint("durations and sizes go in quotes, for instance \"30s\"");
        }
        let found = format!("found {} behind the key `{}`", self.next.kind.words(), key.text);
        let error = SyntaxError::new(self.next.pos, found);
        if self.next.kind == TokenKind::Assign {
            let label = labels.first().map_or("", |label| label.text.as_str());
            return error
                .expected(format!("a block: {} \"{label}\" {{ … }}", key.text))
                .hint("is a quote or a line break missing before it?");
        }
        let expected = if labels.is_empty() { "`=` and a value, or `{`" } else { "`{`" };
        let last = labels.last().unwrap_or(key);
        error.expected(expected).hint(format!(
            "`{}` on line {} is neither a value in quotes nor a key with a value",
            last.text, last.pos.line
        ))
    }

    fn value(&mut self, key: &Name) -> Result<Value, SyntaxError> {
        let pos = self.next.pos;
        let kind = match &self.next.kind {
            TokenKind::OpenBrace => return self.block(),
            TokenKind::OpenBracket => return self.list(key),
            TokenKind::Text(text) | TokenKind::Heredoc(text) => Kind::Text(text.clone()),
            TokenKind::Number(number) => Kind::Number(number.clone()),
            TokenKind::Bool(value) => Kind::Bool(*value),
            _ => return Err(self.no_value(key)),
        };
        self.take()?;
        Ok(Value { kind, pos })
    }

    fn no_value(&self, key: &Name) -> SyntaxError {
        let found = format!("found {} as the value of `{}`", self.next.kind.words(), key.text);
        let error = SyntaxError::new(self.next.pos, found)
            .expected("a text in quotes, a number, true, false, a list [ … ] or a block { … }");
        match &self.next.kind {
            TokenKind::Ident(word) => match word.to_ascii_lowercase().as_str() {
                "null" | "nil" | "none" => error.hint("to leave a setting at its default, leave its key out"),
                "yes" | "on" | "true" => error.hint("write true"),
                "no" | "off" | "false" => error.hint("write false"),
                _ => error.hint(format!("put it in quotes: {} = \"{word}\"", key.text)),
            },
            _ => error,
        }
    }

    fn deeper(&mut self, pos: Pos) -> Result<(), SyntaxError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(SyntaxError::new(
                pos,
                format!("blocks and lists are nested more than {MAX_DEPTH} deep"),
            ));
        }
        Ok(())
    }

    fn block(&mut self) -> Result<Value, SyntaxError> {
        let pos = self.take()?.pos;
        self.deeper(pos)?;
        let body = self.items()?;
        if self.next.kind == TokenKind::End {
            return Err(SyntaxError::new(self.next.pos, "found the end of the file").expected(format!(
                "`}}` for the block that begins at line {}, column {}",
                pos.line, pos.column
            )));
        }
        self.take()?;
        self.depth -= 1;
        Ok(Value { kind: Kind::Block(body), pos })
    }

    fn list(&mut self, key: &Name) -> Result<Value, SyntaxError> {
        let pos = self.take()?.pos;
        self.deeper(pos)?;
        let mut values = Vec::new();
        while self.next.kind != TokenKind::CloseBracket {
            // As in the original, commas may stand alone: [ , 1, , 2 ].
            if self.next.kind == TokenKind::Comma {
                self.take()?;
                continue;
            }
            values.push(self.value(key)?);
            match self.next.kind {
                TokenKind::Comma | TokenKind::CloseBracket => {}
                _ => {
                    let found = format!("found {} in the list of `{}`", self.next.kind.words(), key.text);
                    return Err(SyntaxError::new(self.next.pos, found).expected("`,` or `]`"));
                }
            }
        }
        self.take()?;
        self.depth -= 1;
        Ok(Value { kind: Kind::List(values), pos })
    }
}

/// The token as a key or a label.
fn name(token: Token) -> Result<Name, SyntaxError> {
    match token.kind {
        TokenKind::Ident(text) | TokenKind::Text(text) => Ok(Name { text, pos: token.pos }),
        other => Err(SyntaxError::new(token.pos, format!("found {}", other.words())).expected("a key")),
    }
}
