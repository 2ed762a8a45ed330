//! HCL 1 text to tokens: strings with `${…}` left alone, heredocs, numbers, comments skipped.

use super::{
    Pos, SyntaxError,
    cursor::Cursor,
    text::{unescape, unindent},
};

/// A token with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) pos: Pos,
    /// Nothing stands between this token and a number before it, as in `30s`.
    pub(super) glued: bool,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Ident(String),
    Text(String),
    Heredoc(String),
    Number(String),
    Bool(bool),
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    Assign,
    Comma,
    End,
}

impl TokenKind {
    /// The token in words, for messages. Long texts are cut: they may hold a whole template.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Ident(word) => format!("the word `{}`", short(word)),
            Self::Text(_) => "a text in quotes".to_owned(),
            Self::Heredoc(_) => "a heredoc".to_owned(),
            Self::Number(number) => format!("the number {}", short(number)),
            Self::Bool(value) => format!("`{value}`"),
            Self::OpenBrace => "`{`".to_owned(),
            Self::CloseBrace => "`}`".to_owned(),
            Self::OpenBracket => "`[`".to_owned(),
            Self::CloseBracket => "`]`".to_owned(),
            Self::Assign => "`=`".to_owned(),
            Self::Comma => "`,`".to_owned(),
            Self::End => "the end of the file".to_owned(),
        }
    }
}

fn short(word: &str) -> String {
    match word.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &word[..at]),
        None => word.to_owned(),
    }
}

/// Gives one token after the other.
pub(super) struct Lexer<'a> {
    cursor: Cursor<'a>,
    /// Where the last token ended, if it was a number.
    number_end: Option<usize>,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { cursor: Cursor::new(text), number_end: None }
    }

    /// The next token; `End` for ever after the last.
    pub(super) fn token(&mut self) -> Result<Token, SyntaxError> {
        self.skip_blanks_and_comments()?;
        let glued = self.number_end.take() == Some(self.cursor.offset());
        let pos = self.cursor.pos();
        let Some(c) = self.cursor.peek() else {
            return Ok(Token { kind: TokenKind::End, pos, glued: false });
        };
        let kind = match c {
            '{' => self.single(TokenKind::OpenBrace),
            '}' => self.single(TokenKind::CloseBrace),
            '[' => self.single(TokenKind::OpenBracket),
            ']' => self.single(TokenKind::CloseBracket),
            '=' => self.single(TokenKind::Assign),
            ',' => self.single(TokenKind::Comma),
            '"' => self.string(pos)?,
            '<' => self.heredoc(pos)?,
            '-' | '.' | '0'..='9' => self.number(pos)?,
            c if is_letter(c) => self.word(),
            c => return Err(stray(c, pos)),
        };
        if matches!(kind, TokenKind::Number(_)) {
            self.number_end = Some(self.cursor.offset());
        }
        Ok(Token { kind, pos, glued })
    }

    fn single(&mut self, kind: TokenKind) -> TokenKind {
        self.cursor.bump();
        kind
    }

    fn skip_blanks_and_comments(&mut self) -> Result<(), SyntaxError> {
        loop {
            self.cursor.eat_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
            let pos = self.cursor.pos();
            let rest = self.cursor.rest();
            if rest.starts_with('#') || rest.starts_with("//") {
                self.cursor.eat_while(|c| c != '\n');
            } else if rest.starts_with("/*") {
                self.block_comment(pos)?;
            } else {
                return Ok(());
            }
        }
    }

    fn block_comment(&mut self, pos: Pos) -> Result<(), SyntaxError> {
        self.cursor.bump();
        self.cursor.bump();
        while !self.cursor.rest().starts_with("*/") {
            if self.cursor.bump().is_none() {
                return Err(SyntaxError::new(pos, "the comment that begins here never ends")
                    .expected("`*/` behind it"));
            }
        }
        self.cursor.bump();
        self.cursor.bump();
        Ok(())
    }

    fn word(&mut self) -> TokenKind {
        match self.cursor.eat_while(|c| is_letter(c) || is_digit(c) || matches!(c, '-' | '.')) {
            "true" => TokenKind::Bool(true),
            "false" => TokenKind::Bool(false),
            word => TokenKind::Ident(word.to_owned()),
        }
    }

    fn number(&mut self, pos: Pos) -> Result<TokenKind, SyntaxError> {
        let start = self.cursor.offset();
        let digits = |cursor: &mut Cursor<'_>| cursor.eat_while(|c| c.is_ascii_digit()).len();
        self.cursor.eat('-');
        let rest = self.cursor.rest();
        if rest.starts_with("0x") || rest.starts_with("0X") {
            self.cursor.bump();
            self.cursor.bump();
            let hex = self.cursor.eat_while(|c| c.is_ascii_hexdigit()).len();
            return if hex > 0 { Ok(self.number_since(start)) } else { Err(no_number(pos)) };
        }
        let whole = digits(&mut self.cursor);
        let mut float = false;
        if self.cursor.eat('.') {
            float = true;
            if digits(&mut self.cursor) + whole == 0 {
                return Err(no_number(pos));
            }
        } else if whole == 0 {
            return Err(no_number(pos));
        }
        if matches!(self.cursor.peek(), Some('e' | 'E')) && self.exponent_follows() {
            float = true;
            self.cursor.bump();
            self.cursor.eat_while(|c| matches!(c, '+' | '-'));
            digits(&mut self.cursor);
        }
        let text = self.cursor.since(start).trim_start_matches('-');
        if !float && text.len() > 1 && text.starts_with('0') && text.contains(['8', '9']) {
            return Err(SyntaxError::new(pos, format!("found the number {}", short(text)))
                .expected("digits from 0 to 7, since a number that begins with 0 is octal")
                .hint("leave the leading 0 out, or put the number in quotes"));
        }
        Ok(self.number_since(start))
    }

    /// Whether an `e` begins an exponent, and not a word that is glued to the number.
    fn exponent_follows(&self) -> bool {
        let after = self.cursor.rest().get(1..).unwrap_or("");
        after.strip_prefix(['+', '-']).unwrap_or(after).starts_with(|c: char| c.is_ascii_digit())
    }

    fn number_since(&self, start: usize) -> TokenKind {
        TokenKind::Number(self.cursor.since(start).to_owned())
    }

    /// A text in quotes. Within `${…}` braces are counted and quotes don't end it.
    fn string(&mut self, pos: Pos) -> Result<TokenKind, SyntaxError> {
        self.cursor.bump();
        let start = self.cursor.offset();
        let mut braces = 0_usize;
        loop {
            self.cursor.eat_while(|c| !matches!(c, '\n' | '"' | '$' | '\\' | '{' | '}'));
            let here = self.cursor.pos();
            match self.cursor.peek() {
                None => return Err(unended(pos, braces)),
                Some('\n') if braces == 0 => return Err(unended(pos, braces)),
                Some('"') if braces == 0 => break,
                Some('$') if braces == 0 => {
                    self.cursor.bump();
                    braces += usize::from(self.cursor.eat('{'));
                }
                Some('\\') => {
                    self.cursor.bump();
                    self.escape(here)?;
                }
                Some(c) => {
                    self.cursor.bump();
                    match c {
                        '{' if braces > 0 => braces += 1,
                        '}' if braces > 0 => braces -= 1,
                        _ => {}
                    }
                }
            }
        }
        let raw = self.cursor.since(start);
        self.cursor.bump();
        unescape(raw).map(TokenKind::Text).ok_or_else(|| {
            SyntaxError::new(pos, "the escapes of this text don't give UTF-8")
                .hint("use \\u with four hexadecimal digits")
        })
    }

    /// Checks what follows a backslash.
    fn escape(&mut self, pos: Pos) -> Result<(), SyntaxError> {
        let start = self.cursor.offset();
        let (count, base) = match self.cursor.peek() {
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' | '"') => {
                self.cursor.bump();
                return Ok(());
            }
            Some('0'..='7') => (3, 8),
            Some('x') => (2, 16),
            Some('u') => (4, 16),
            Some('U') => (8, 16),
            other => {
                let what =
                    other.map_or_else(|| "a backslash".to_owned(), |c| format!("`\\{}`", c.escape_default()));
                return Err(SyntaxError::new(pos, format!("found {what} in a text"))
                    .expected("one of \\n \\t \\r \\\" \\\\ \\uXXXX")
                    .hint("a backslash itself is written \\\\; a heredoc (<<EOF) needs no escapes"));
            }
        };
        if base == 16 {
            self.cursor.bump();
        }
        for _ in 0..count {
            if !self.cursor.peek().is_some_and(|c| c.is_digit(base)) {
                return Err(SyntaxError::new(
                    pos,
                    format!("found `\\{}` in a text", self.cursor.since(start)),
                )
                .expected(format!("{count} digits of base {base} behind it")));
            }
            self.cursor.bump();
        }
        Ok(())
    }

    /// `<<EOF` or `<<-EOF`, raw lines, and the same word on a line of its own.
    fn heredoc(&mut self, pos: Pos) -> Result<TokenKind, SyntaxError> {
        self.cursor.bump();
        if !self.cursor.eat('<') {
            return Err(SyntaxError::new(pos, "found `<`").expected("`<<` and a word, which begin a heredoc"));
        }
        let indented = self.cursor.eat('-');
        let word = self.cursor.eat_while(|c| is_letter(c) || is_digit(c));
        if word.is_empty() || !self.cursor.eat('\n') {
            return Err(SyntaxError::new(
                pos,
                "found a heredoc without a plain word that ends its first line",
            )
            .expected("letters and digits without quotes, then a line break, for instance <<EOF"));
        }
        let start = self.cursor.offset();
        loop {
            let line_start = self.cursor.offset();
            let line = self.cursor.eat_while(|c| c != '\n');
            if !self.cursor.eat('\n') {
                return Err(unended_heredoc(pos, word, line));
            }
            let marker = line.trim_start_matches(is_regex_space);
            if marker.trim_end_matches('\r') == word {
                let body = &self.cursor.since(start)[..line_start - start];
                let indent = &line[..line.len() - marker.len()];
                let text = if indented { unindent(body, indent) } else { format!("{body}{indent}") };
                return Ok(TokenKind::Heredoc(text));
            }
        }
    }
}

fn is_letter(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_digit(c: char) -> bool {
    c.is_numeric()
}

/// Go's `[[:space:]]`.
const fn is_regex_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{b}' | '\u{c}' | '\r' | '\n')
}

fn no_number(pos: Pos) -> SyntaxError {
    SyntaxError::new(pos, "found the beginning of a number, but no digits")
        .expected("a number, for instance 0640 or 1.5")
}

fn stray(c: char, pos: Pos) -> SyntaxError {
    let error = SyntaxError::new(pos, format!("found the character `{}`", c.escape_debug()))
        .expected("a key, a value, or one of { } [ ] = , #");
    match c {
        '\'' => error.hint("text goes in double quotes"),
        ':' => error.hint("write key = value; `key: value` is YAML"),
        '(' | ')' | '$' | '*' | '+' | '?' | '!' => error.hint(
            "agent configuration has no expressions, variables or functions; text goes in double quotes",
        ),
        ';' => error.hint("entries are separated by line breaks or commas"),
        '/' => error.hint("a comment begins with #, // or /*; a path goes in double quotes"),
        '\u{201c}' | '\u{201d}' => error.hint("these are typographic quotes; use plain ones: \""),
        _ => error,
    }
}

fn unended(pos: Pos, braces: usize) -> SyntaxError {
    let error = SyntaxError::new(pos, "the text that begins here is not closed on its line")
        .expected("a closing `\"`");
    if braces > 0 {
        error.hint("its `${` is never closed, and quotes inside `${…}` don't end a text")
    } else {
        error.hint("write \\n for a line break, or use a heredoc: key = <<EOF")
    }
}

fn unended_heredoc(pos: Pos, word: &str, last_line: &str) -> SyntaxError {
    let error = SyntaxError::new(pos, "the heredoc that begins here never ends");
    if last_line.trim() == word {
        return error
            .expected(format!("a line break behind the closing `{word}`"))
            .hint("end the file with a line break");
    }
    error.expected(format!("a line with only `{word}`, and a line break behind it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Result<Vec<TokenKind>, SyntaxError> {
        let mut lexer = Lexer::new(text);
        let mut kinds = Vec::new();
        loop {
            match lexer.token()?.kind {
                TokenKind::End => return Ok(kinds),
                kind => kinds.push(kind),
            }
        }
    }

    fn text(source: &str) -> String {
        match kinds(source).unwrap().remove(0) {
            TokenKind::Text(text) | TokenKind::Heredoc(text) => text,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn escapes_are_resolved_outside_interpolation_only() {
        assert_eq!(text(r#""\a\b\f\n\r\t\v\\\"""#), "\u{7}\u{8}\u{c}\n\r\t\u{b}\\\"");
        assert_eq!(text(r#""\x41\101\u00e9\U0001F600""#), "AAé😀");
        assert_eq!(text(r#""\xc3\xa9""#), "é");
        assert_eq!(text(r#""a ${b \n {c} \"d\"} \n""#), "a ${b \\n {c} \\\"d\\\"} \n");
        assert_eq!(text(r#""${a}${b \n}\n""#), "${a}${b \\n}\n");
    }

    #[test]
    fn an_interpolation_may_hold_quotes_and_line_breaks() {
        assert_eq!(text("\"${ f(\"x\")\n}\""), "${ f(\"x\")\n}");
        assert_eq!(text("\"$ {x}\""), "$ {x}");
    }

    #[test]
    fn numbers_keep_their_text() {
        let numbers = kinds("0640 0x1F -3 .5 1.25 1e3 1E-3 1. 0").unwrap();
        let expected = ["0640", "0x1F", "-3", ".5", "1.25", "1e3", "1E-3", "1.", "0"];
        assert_eq!(numbers, expected.map(|number| TokenKind::Number(number.to_owned())));
        for wrong in ["089", "0x", "-", "-x", "."] {
            assert!(kinds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_plain_heredoc_keeps_the_indentation_of_its_closing_word() {
        assert_eq!(text("<<EOF\n  a\\n\n  EOF\n"), "  a\\n\n  ");
        assert_eq!(text("<<EOF\nEOF\n"), "");
        assert_eq!(text("<<EOF\nEOFX\nX EOF\nEOF\n"), "EOFX\nX EOF\n");
    }

    #[test]
    fn an_indented_heredoc_loses_the_indentation_of_its_closing_word() {
        assert_eq!(text("<<-EOF\n\t\ta\n\t\t\tb\n\t\tEOF\n"), "a\n\tb\n");
        assert_eq!(text("<<-EOF\n  a\n\n  EOF\n"), "  a\n\n", "a line without it keeps all as it is");
        assert_eq!(text("<<-EOF\n  a\nEOF\n"), "  a\n");
        assert_eq!(text("<<-EOF\n  EOF\n"), "");
    }

    #[test]
    fn tokens_know_their_place_and_glued_words_are_noticed() {
        let mut lexer = Lexer::new("a = 30s\n# é\n  \"é\" b");
        let tokens: Vec<Token> = (0..6).map(|_| lexer.token().unwrap()).collect();
        let places: Vec<(u32, u32)> = tokens.iter().map(|token| (token.pos.line, token.pos.column)).collect();
        assert_eq!(places, [(1, 1), (1, 3), (1, 5), (1, 7), (3, 3), (3, 7)]);
        assert!(tokens[3].glued && !tokens[2].glued && !tokens[4].glued);
    }
}
