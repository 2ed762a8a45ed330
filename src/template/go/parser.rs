//! Tokens to trees, by Go's grammar.

mod expression;
mod words;

use std::{collections::BTreeMap, sync::Arc};

use self::words::{hint_for, show};
use super::{
    ast::{Pos, Stmt, Tree},
    fault::{Cause, Fault, Place},
    funcs::Registry,
    lexer::Lexer,
    quote,
    stack::Stack,
    token::{Kind, Token},
};

/// All templates of one text, by name; the text itself has the empty name.
pub type Trees = BTreeMap<Arc<str>, Arc<Tree>>;

type Parsed<T> = Result<T, Box<Fault>>;

/// Parses a text. Delimiters that are empty are the default ones.
///
/// # Errors
/// The first mistake, as Go finds it.
pub fn parse(text: &str, delimiters: (&str, &str), functions: &Registry) -> Parsed<Trees> {
    let mut parser = Parser {
        lexer: Lexer::new(text, delimiters.0, delimiters.1),
        functions,
        tokens: [end(), end(), end()],
        waiting: 0,
        scope: Scope::default(),
        trees: Trees::new(),
        stack: Stack::here(),
    };
    let body = parser.top()?;
    parser.add("".into(), body)?;
    Ok(parser.trees)
}

fn end() -> Token {
    Token { kind: Kind::Eof, pos: 0, text: String::new() }
}

/// What belongs to one tree alone: a `define` or `block` starts anew.
struct Scope {
    vars: Vec<String>,
    ranges: usize,
    /// Position of the action that is being read.
    action: Option<Pos>,
}

impl Default for Scope {
    fn default() -> Self {
        Self { vars: vec!["$".to_owned()], ranges: 0, action: None }
    }
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    functions: &'t Registry,
    /// Go's look-ahead: at most three tokens, the last lexed one at 0.
    tokens: [Token; 3],
    waiting: usize,
    scope: Scope,
    trees: Trees,
    stack: Stack,
}

/// What one step of a list yields.
enum Item {
    Stmt(Stmt),
    End,
    Else,
}

impl Item {
    const fn text(&self) -> &'static str {
        match self {
            Self::Else => "{{else}}",
            _ => "{{end}}",
        }
    }
}

/// How a condition's action goes on after its list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Control {
    If,
    With,
    Range,
}

impl Control {
    const fn word(self) -> &'static str {
        match self {
            Self::If => "if",
            Self::With => "with",
            Self::Range => "range",
        }
    }
}

impl Parser<'_> {
    fn next(&mut self) -> Token {
        if self.waiting > 0 {
            self.waiting -= 1;
        } else {
            self.tokens[0] = self.lexer.token();
        }
        self.tokens[self.waiting].clone()
    }

    fn backup(&mut self) {
        self.waiting += 1;
    }

    fn backup2(&mut self, first: Token) {
        self.tokens[1] = first;
        self.waiting = 2;
    }

    fn backup3(&mut self, first: Token, second: Token) {
        self.tokens[1] = second;
        self.tokens[2] = first;
        self.waiting = 3;
    }

    fn peek(&mut self) -> &Token {
        if self.waiting == 0 {
            self.waiting = 1;
            self.tokens[0] = self.lexer.token();
        }
        &self.tokens[self.waiting - 1]
    }

    fn next_solid(&mut self) -> Token {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_solid(&mut self) -> Token {
        let token = self.next_solid();
        self.backup();
        token
    }

    /// An error at the token that was read last.
    fn fail<T>(&self, text: impl Into<String>) -> Parsed<T> {
        self.fail_at(self.tokens[0].pos, text)
    }

    fn fail_at<T>(&self, pos: Pos, text: impl Into<String>) -> Parsed<T> {
        Err(Box::new(self.fault_at(pos, text)))
    }

    fn fault_at(&self, pos: Pos, text: impl Into<String>) -> Fault {
        let mut fault = Fault::new(Cause::Syntax, pos, text, Place::Parse(self.tokens[0].pos));
        fault.hint = hint_for(&fault.shown);
        fault
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> Parsed<T> {
        if token.kind != Kind::Error {
            return self.fail_at(token.pos, format!("unexpected {} in {context}", show(token)));
        }
        let mut text = token.text.clone();
        if let Some(started) = self.scope.action {
            let (line, here) = (self.lexer.line(started), self.lexer.line(token.pos));
            if line != here {
                let action = if text.ends_with(" action") { "" } else { " in action" };
                text.push_str(&format!("{action} started at :{line}"));
            }
        }
        let mut fault = self.fault_at(token.pos, text);
        fault.hint = hint_for(&token.text);
        Err(Box::new(fault))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token> {
        let token = self.next_solid();
        if token.kind == kind { Ok(token) } else { self.unexpected(&token, context) }
    }

    fn add(&mut self, name: Arc<str>, body: Vec<Stmt>) -> Parsed<()> {
        let old_is_empty = self.trees.get(&name).is_none_or(|tree| is_empty(&tree.body));
        if old_is_empty {
            self.trees.insert(name.clone(), Arc::new(Tree { name, body }));
        } else if !is_empty(&body) {
            let name = quote::quote(name.as_bytes());
            return self.fail(format!("template: multiple definition of template {name}"));
        }
        Ok(())
    }

    fn top(&mut self) -> Parsed<Vec<Stmt>> {
        let mut body = Vec::new();
        while self.peek().kind != Kind::Eof {
            if self.peek().kind == Kind::Left {
                let delimiter = self.next();
                if self.next_solid().is_keyword("define") {
                    self.definition()?;
                    continue;
                }
                self.backup2(delimiter);
            }
            match self.item()? {
                Item::Stmt(stmt) => body.push(stmt),
                other => return self.fail(format!("unexpected {}", other.text())),
            }
        }
        body.shrink_to_fit();
        Ok(body)
    }

    fn definition(&mut self) -> Parsed<()> {
        let context = "define clause";
        let outer = std::mem::take(&mut self.scope);
        let token = self.next_solid();
        let name = self.template_name(&token, context)?;
        self.expect(Kind::Right, context)?;
        let body = self.closed_list(context, token.pos)?;
        self.add(name, body)?;
        self.scope = outer;
        Ok(())
    }

    /// A list that only `{{end}}` may close.
    fn closed_list(&mut self, context: &str, opened: Pos) -> Parsed<Vec<Stmt>> {
        let (body, last) = self.list(opened)?;
        if matches!(last, Item::Else) {
            return self.fail(format!("unexpected {{{{else}}}} in {context}"));
        }
        Ok(body)
    }

    /// Statements up to an `end` or `else`; `opened` is where the block began.
    fn list(&mut self, opened: Pos) -> Parsed<(Vec<Stmt>, Item)> {
        if !self.stack.has_room() {
            return self.fail("blocks nest too deep");
        }
        let mut body = Vec::new();
        while self.peek_solid().kind != Kind::Eof {
            match self.item()? {
                Item::Stmt(stmt) => body.push(stmt),
                last => {
                    // A tree lives as long as its template, so it keeps no room for more.
                    body.shrink_to_fit();
                    return Ok((body, last));
                }
            }
        }
        let place = Place::Parse(self.tokens[0].pos);
        let mut fault = Fault::new(Cause::Syntax, opened, "unexpected EOF", place);
        fault.shown.push_str(": the block that begins here has no end");
        fault.hint = Some("add {{ end }} where the block ends".to_owned());
        Err(Box::new(fault))
    }

    fn item(&mut self) -> Parsed<Item> {
        let token = self.next_solid();
        match token.kind {
            Kind::Text => Ok(Item::Stmt(Stmt::Text(token.text.into()))),
            Kind::Left => {
                self.scope.action = Some(token.pos);
                let item = self.action();
                self.scope.action = None;
                item
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> Parsed<Item> {
        let token = self.next_solid();
        if token.kind == Kind::Keyword {
            match token.text.as_str() {
                "block" => return self.block().map(Item::Stmt),
                "break" => return self.jump("{{break}}", Stmt::Break),
                "continue" => return self.jump("{{continue}}", Stmt::Continue),
                "else" => return self.otherwise(),
                "end" => return self.expect(Kind::Right, "end").map(|_| Item::End),
                "if" => return self.control(Control::If).map(Item::Stmt),
                "range" => return self.control(Control::Range).map(Item::Stmt),
                "template" => return self.call().map(Item::Stmt),
                "with" => return self.control(Control::With).map(Item::Stmt),
                _ => {}
            }
        }
        self.backup();
        self.pipeline("command", Kind::Right).map(|pipe| Item::Stmt(Stmt::Action(pipe)))
    }

    fn jump(&mut self, word: &str, stmt: Stmt) -> Parsed<Item> {
        self.expect(Kind::Right, word)?;
        if self.scope.ranges == 0 {
            return self.fail(format!("{word} outside {{{{range}}}}"));
        }
        Ok(Item::Stmt(stmt))
    }

    fn otherwise(&mut self) -> Parsed<Item> {
        let next = self.peek_solid();
        if !next.is_keyword("if") && !next.is_keyword("with") {
            self.expect(Kind::Right, "else")?;
        }
        Ok(Item::Else)
    }

    fn control(&mut self, control: Control) -> Parsed<Stmt> {
        let vars = self.scope.vars.len();
        let pipe = self.pipeline(control.word(), Kind::Right)?;
        self.scope.ranges += usize::from(control == Control::Range);
        let (body, last) = self.list(pipe.pos)?;
        self.scope.ranges -= usize::from(control == Control::Range);
        let otherwise = match last {
            Item::Else if control != Control::Range && self.peek().is_keyword(control.word()) => {
                self.next();
                Some(vec![self.control(control)?])
            }
            Item::Else => {
                let (otherwise, last) = self.list(pipe.pos)?;
                if matches!(last, Item::Else) {
                    return self.fail("expected end; found {{else}}");
                }
                Some(otherwise)
            }
            _ => None,
        };
        self.scope.vars.truncate(vars);
        Ok(match control {
            Control::Range => Stmt::Range { pipe, body, otherwise },
            _ => Stmt::Branch { with: control == Control::With, pipe, body, otherwise },
        })
    }

    fn block(&mut self) -> Parsed<Stmt> {
        let context = "block clause";
        let token = self.next_solid();
        let name = self.template_name(&token, context)?;
        let pipe = self.pipeline(context, Kind::Right)?;
        let outer = std::mem::take(&mut self.scope);
        let body = self.closed_list(context, token.pos)?;
        self.add(name.clone(), body)?;
        self.scope = outer;
        Ok(Stmt::Call { pos: token.pos, name, pipe: Some(pipe) })
    }

    fn call(&mut self) -> Parsed<Stmt> {
        let context = "template clause";
        let token = self.next_solid();
        let name = self.template_name(&token, context)?;
        let mut pipe = None;
        if self.next_solid().kind != Kind::Right {
            self.backup();
            pipe = Some(self.pipeline(context, Kind::Right)?);
        }
        Ok(Stmt::Call { pos: token.pos, name, pipe })
    }

    fn template_name(&mut self, token: &Token, context: &str) -> Parsed<Arc<str>> {
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return self.unexpected(token, context);
        }
        let name = self.unquote(token)?;
        Ok(String::from_utf8_lossy(&name).into())
    }

    fn unquote(&self, token: &Token) -> Parsed<Vec<u8>> {
        match quote::unquote(&token.text) {
            Some(value) => Ok(value),
            None => self.fail_at(token.pos, "invalid syntax"),
        }
    }
}

/// Whether a tree holds nothing but space; such a definition gives way to another.
fn is_empty(body: &[Stmt]) -> bool {
    body.iter().all(|stmt| match stmt {
        Stmt::Text(text) => text.as_str().is_some_and(|text| text.trim().is_empty()),
        _ => false,
    })
}

#[cfg(test)]
mod tests;
