//! Template text to tokens, with Go's rules for delimiters, trim markers and comments.

use super::{
    ast::Pos,
    token::{Kind, Token},
};

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

/// The lexer's state: one call of [`Lexer::token`], one token.
pub struct Lexer<'t> {
    input: &'t str,
    left: &'t str,
    right: &'t str,
    pos: Pos,
    start: Pos,
    inside: bool,
    parens: u32,
    failed: bool,
    /// Tokens so far.
    count: usize,
}

/// Words, signs and texts between actions that a template may have; each takes memory until the agent ends.
const MAX_WORDS: usize = 250_000;

impl<'t> Lexer<'t> {
    /// A lexer over a text; an empty delimiter means the default one.
    pub fn new(input: &'t str, left: &'t str, right: &'t str) -> Self {
        let left = if left.is_empty() { "{{" } else { left };
        let right = if right.is_empty() { "}}" } else { right };
        Self { input, left, right, pos: 0, start: 0, inside: false, parens: 0, failed: false, count: 0 }
    }

    /// The next token. After an error there is only the end.
    pub fn token(&mut self) -> Token {
        if self.failed {
            return Token { kind: Kind::Eof, pos: self.input.len(), text: "EOF".to_owned() };
        }
        self.count += 1;
        if self.count > MAX_WORDS {
            self.start = self.pos;
            return self.error("the template has more than 250,000 words");
        }
        if self.inside { self.action() } else { self.text() }
    }

    /// Line of a position, from 1.
    pub fn line(&self, pos: Pos) -> usize {
        super::fault::position(self.input, pos).0
    }

    fn tail(&self) -> &'t str {
        &self.input[self.pos..]
    }

    fn peek(&self) -> Option<char> {
        self.tail().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.pos += next.len_utf8();
        Some(next)
    }

    fn ignore(&mut self) {
        self.start = self.pos;
    }

    fn emit(&mut self, kind: Kind) -> Token {
        let token = Token { kind, pos: self.start, text: self.input[self.start..self.pos].to_owned() };
        self.start = self.pos;
        token
    }

    fn error(&mut self, text: impl Into<String>) -> Token {
        self.failed = true;
        Token { kind: Kind::Error, pos: self.start, text: text.into() }
    }

    fn text(&mut self) -> Token {
        loop {
            let Some(ahead) = self.tail().find(self.left) else {
                self.pos = self.input.len();
                if self.pos > self.start {
                    return self.emit(Kind::Text);
                }
                return Token { kind: Kind::Eof, pos: self.pos, text: "EOF".to_owned() };
            };
            let delimiter = self.pos + ahead;
            let mut end = delimiter;
            if left_trim(&self.input[delimiter + self.left.len()..]) {
                end = self.start + self.input[self.start..delimiter].trim_end_matches(SPACES).len();
            }
            self.pos = end;
            let token = self.emit(Kind::Text);
            self.pos = delimiter;
            self.ignore();
            if !token.text.is_empty() {
                return token;
            }
            if let Some(token) = self.left_delimiter() {
                return token;
            }
        }
    }

    /// The left delimiter, or `None` after a comment.
    fn left_delimiter(&mut self) -> Option<Token> {
        self.pos += self.left.len();
        let marker = if left_trim(self.tail()) { 2 } else { 0 };
        if self.input[self.pos + marker..].starts_with("/*") {
            self.pos += marker;
            self.ignore();
            return self.comment();
        }
        let token = self.emit(Kind::Left);
        self.inside = true;
        self.parens = 0;
        self.pos += marker;
        self.ignore();
        Some(token)
    }

    fn comment(&mut self) -> Option<Token> {
        let Some(length) = self.input[self.pos + 2..].find("*/") else {
            return Some(self.error("unclosed comment"));
        };
        self.pos += length + 4;
        let Some(trim) = self.at_right() else {
            return Some(self.error("comment ends before closing delimiter"));
        };
        self.pass_right(trim);
        None
    }

    /// `Some(trims)` in front of the right delimiter.
    fn at_right(&self) -> Option<bool> {
        let tail = self.tail();
        if right_trim(tail) && tail[2..].starts_with(self.right) {
            return Some(true);
        }
        tail.starts_with(self.right).then_some(false)
    }

    fn pass_right(&mut self, trim: bool) {
        if trim {
            self.pos += 2;
        }
        self.pos += self.right.len();
        if trim {
            self.pos += self.tail().len() - self.tail().trim_start_matches(SPACES).len();
        }
        self.ignore();
    }

    fn right_delimiter(&mut self, trim: bool) -> Token {
        if trim {
            self.pos += 2;
            self.ignore();
        }
        self.pos += self.right.len();
        let token = self.emit(Kind::Right);
        if trim {
            self.pos += self.tail().len() - self.tail().trim_start_matches(SPACES).len();
            self.ignore();
        }
        self.inside = false;
        token
    }

    fn action(&mut self) -> Token {
        if let Some(trim) = self.at_right() {
            if self.parens == 0 {
                return self.right_delimiter(trim);
            }
            return self.error("unclosed left paren");
        }
        let Some(next) = self.bump() else {
            return self.error("unclosed action");
        };
        match next {
            _ if SPACES.contains(&next) => self.space(),
            '=' => self.emit(Kind::Assign),
            ':' if self.bump() == Some('=') => self.emit(Kind::Declare),
            ':' => self.error("expected :="),
            '|' => self.emit(Kind::Pipe),
            '"' => self.quoted('"', Kind::String, "unterminated quoted string"),
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '`' => self.raw_string(),
            '$' => self.name(Kind::Variable),
            '.' if self.peek().is_some_and(|after| !after.is_ascii_digit()) => self.name(Kind::Field),
            '.' | '+' | '-' | '0'..='9' => {
                self.pos = self.start;
                self.number()
            }
            _ if is_word(next) => self.word(),
            '(' => {
                self.parens += 1;
                self.emit(Kind::LeftParen)
            }
            ')' if self.parens == 0 => self.error("unexpected right paren"),
            ')' => {
                self.parens -= 1;
                self.emit(Kind::RightParen)
            }
            ' '..='~' => self.emit(Kind::Char),
            _ => self.error(format!("unrecognized character in action: {}", code_point(next))),
        }
    }

    fn space(&mut self) -> Token {
        while self.peek().is_some_and(|next| SPACES.contains(&next)) {
            self.bump();
        }
        // The last blank may belong to a trim marker.
        let last = &self.input[self.pos - 1..];
        if right_trim(last) && last[2..].starts_with(self.right) {
            self.pos -= 1;
            if self.pos == self.start {
                return self.right_delimiter(true);
            }
        }
        self.emit(Kind::Space)
    }

    fn quoted(&mut self, quote: char, kind: Kind, unterminated: &str) -> Token {
        loop {
            match self.bump() {
                Some('\\') => {
                    if matches!(self.bump(), None | Some('\n')) {
                        return self.error(unterminated);
                    }
                }
                None | Some('\n') => return self.error(unterminated),
                Some(next) if next == quote => return self.emit(kind),
                Some(_) => {}
            }
        }
    }

    fn raw_string(&mut self) -> Token {
        match self.tail().find('`') {
            Some(length) => {
                self.pos += length + 1;
                self.emit(Kind::RawString)
            }
            None => self.error("unterminated raw quoted string"),
        }
    }

    /// The rest of a field or variable; its first character is behind us.
    fn name(&mut self, kind: Kind) -> Token {
        if self.at_terminator() {
            return self.emit(if kind == Kind::Field { Kind::Dot } else { kind });
        }
        if let Some(error) = self.word_rest() {
            return error;
        }
        self.emit(kind)
    }

    fn word(&mut self) -> Token {
        if let Some(error) = self.word_rest() {
            return error;
        }
        let kind = match &self.input[self.start..self.pos] {
            "block" | "break" | "continue" | "define" | "else" | "end" | "if" | "range" | "template"
            | "with" => Kind::Keyword,
            "nil" => Kind::Nil,
            "true" | "false" => Kind::Bool,
            _ => Kind::Identifier,
        };
        self.emit(kind)
    }

    /// Passes a word; an error when something else than a terminator follows it.
    fn word_rest(&mut self) -> Option<Token> {
        while self.peek().is_some_and(is_word) {
            self.bump();
        }
        if self.at_terminator() {
            return None;
        }
        let next = self.peek()?;
        Some(self.error(format!("bad character {}", code_point(next))))
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(next) => SPACES.contains(&next) || self.tail().starts_with(self.right),
        }
    }

    fn number(&mut self) -> Token {
        if !self.scan_number() {
            return self.bad_number();
        }
        let pair = matches!(self.peek(), Some('+' | '-'));
        if pair && (!self.scan_number() || !self.input[..self.pos].ends_with('i')) {
            return self.bad_number();
        }
        self.emit(Kind::Number)
    }

    fn bad_number(&mut self) -> Token {
        let text = super::quote::quote(&self.input.as_bytes()[self.start..self.pos]);
        self.error(format!("bad number syntax: {text}"))
    }

    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        if (digits.len() == 11 && self.accept("eE")) || (digits.len() == 23 && self.accept("pP")) {
            self.accept("+-");
            self.accept_run("0123456789_");
        }
        self.accept("i");
        if self.peek().is_some_and(is_word) {
            self.bump();
            return false;
        }
        true
    }

    fn accept(&mut self, valid: &str) -> bool {
        let accepted = self.peek().is_some_and(|next| valid.contains(next));
        if accepted {
            self.bump();
        }
        accepted
    }

    fn accept_run(&mut self, valid: &str) {
        while self.accept(valid) {}
    }
}

fn left_trim(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next() == Some('-') && chars.next().is_some_and(|next| SPACES.contains(&next))
}

fn right_trim(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|next| SPACES.contains(&next)) && chars.next() == Some('-')
}

fn is_word(next: char) -> bool {
    next == '_' || next.is_alphanumeric()
}

/// `U+002D '-'`, as Go's `%#U`.
fn code_point(character: char) -> String {
    let code = u32::from(character);
    if super::quote::is_print(character) {
        format!("U+{code:04X} '{character}'")
    } else {
        format!("U+{code:04X}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, String)> {
        let mut lexer = Lexer::new(text, "", "");
        let mut tokens = Vec::new();
        loop {
            let token = lexer.token();
            if token.kind == Kind::Eof {
                return tokens;
            }
            tokens.push((token.kind, token.text));
        }
    }

    #[test]
    fn trim_markers_eat_the_white_space_of_the_text_only() {
        let tokens = kinds("a \n{{- \" x \" -}}\t b");
        let texts: Vec<&str> =
            tokens.iter().filter(|(kind, _)| *kind == Kind::Text).map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["a", "b"]);
        assert!(tokens.contains(&(Kind::String, "\" x \"".to_owned())));
    }

    #[test]
    fn a_minus_without_a_blank_is_a_sign() {
        assert_eq!(kinds("{{-3}}")[1], (Kind::Number, "-3".to_owned()));
        assert_eq!(kinds("{{3-}}")[1], (Kind::Error, "bad number syntax: \"3-\"".to_owned()));
    }

    #[test]
    fn comments_leave_nothing_and_must_touch_the_delimiters() {
        assert_eq!(kinds("a{{/* }} */}}b").len(), 2);
        assert_eq!(kinds("{{/* x */ }}")[0].1, "comment ends before closing delimiter");
        assert_eq!(kinds("{{/* x")[0].1, "unclosed comment");
    }

    #[test]
    fn junk_is_named_by_its_code_point() {
        assert_eq!(kinds("{{ .a-b }}").last().unwrap().1, "bad character U+002D '-'");
        assert_eq!(kinds("{{ € }}").last().unwrap().1, "unrecognized character in action: U+20AC '€'");
        assert_eq!(kinds("{{ \u{1} }}").last().unwrap().1, "unrecognized character in action: U+0001");
    }

    #[test]
    fn other_delimiters_make_the_default_ones_text() {
        let mut lexer = Lexer::new("{{ [[- 1 -]] }}", "[[", "]]");
        assert_eq!(lexer.token().text, "{{");
        assert_eq!(lexer.token().kind, Kind::Left);
        assert_eq!(lexer.token().text, "1");
    }
}
