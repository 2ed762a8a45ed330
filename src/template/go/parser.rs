//! Tokens to trees, by Go's grammar.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    ast::{Command, Name, Node, Operand, Pipe, Pos, Stmt, Tree},
    fault::{Cause, Fault, Place},
    funcs::Registry,
    lexer::{Kind, Lexer, Token},
    number, quote,
    stack::Stack,
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
        Err(Box::new(Fault::new(Cause::Syntax, pos, text, Place::Parse(self.tokens[0].pos))))
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
        let mut fault = Fault::new(Cause::Syntax, token.pos, text, Place::Parse(self.tokens[0].pos));
        fault.hint = hint_for(&token.text, self.lexer.after(token.pos));
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
        Ok(body)
    }

    fn definition(&mut self) -> Parsed<()> {
        let context = "define clause";
        let outer = std::mem::take(&mut self.scope);
        let token = self.next_solid();
        let name = self.template_name(&token, context)?;
        self.expect(Kind::Right, context)?;
        let body = self.closed_list(context)?;
        self.add(name, body)?;
        self.scope = outer;
        Ok(())
    }

    /// A list that only `{{end}}` may close.
    fn closed_list(&mut self, context: &str) -> Parsed<Vec<Stmt>> {
        let (body, last) = self.list()?;
        if matches!(last, Item::Else) {
            return self.fail(format!("unexpected {{{{else}}}} in {context}"));
        }
        Ok(body)
    }

    fn list(&mut self) -> Parsed<(Vec<Stmt>, Item)> {
        if !self.stack.has_room() {
            return self.fail("blocks nest too deep");
        }
        let mut body = Vec::new();
        while self.peek_solid().kind != Kind::Eof {
            match self.item()? {
                Item::Stmt(stmt) => body.push(stmt),
                last => return Ok((body, last)),
            }
        }
        let mut fault =
            Fault::new(Cause::Syntax, self.tokens[0].pos, "unexpected EOF", Place::Parse(self.tokens[0].pos));
        fault.hint = Some("a block (if, with, range, define or block) has no end: add {{ end }}".to_owned());
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
        let (body, last) = self.list()?;
        self.scope.ranges -= usize::from(control == Control::Range);
        let otherwise = match last {
            Item::Else if control != Control::Range && self.peek().is_keyword(control.word()) => {
                self.next();
                Some(vec![self.control(control)?])
            }
            Item::Else => {
                let (otherwise, last) = self.list()?;
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
        let body = self.closed_list(context)?;
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

    fn pipeline(&mut self, context: &str, last: Kind) -> Parsed<Pipe> {
        let pos = self.peek_solid().pos;
        let mut pipe = Pipe { pos, decl: Vec::new(), assign: false, commands: Vec::new() };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.next_solid();
            match token.kind {
                kind if kind == last => {
                    self.check_pipeline(&pipe, context)?;
                    return Ok(pipe);
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.backup();
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return self.unexpected(&token, context),
            }
        }
    }

    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Parsed<()> {
        while self.peek_solid().kind == Kind::Variable {
            let variable = self.next_solid();
            let adjacent = self.peek().clone();
            let next = self.peek_solid();
            let comma = next.kind == Kind::Char && next.text == ",";
            if matches!(next.kind, Kind::Assign | Kind::Declare) || comma {
                self.next_solid();
                pipe.decl.push(variable.text.as_str().into());
                self.scope.vars.push(variable.text);
                if !comma {
                    pipe.assign = next.kind == Kind::Assign;
                    return Ok(());
                }
                if context != "range" || pipe.decl.len() > 1 {
                    return self.fail(format!("too many declarations in {context}"));
                }
                match self.peek_solid().kind {
                    Kind::Variable | Kind::Right | Kind::RightParen => {}
                    _ => return self.fail("range can only initialize variables"),
                }
            } else {
                if adjacent.kind == Kind::Space {
                    self.backup3(variable, adjacent);
                } else {
                    self.backup2(variable);
                }
                return Ok(());
            }
        }
        Ok(())
    }

    fn check_pipeline(&self, pipe: &Pipe, context: &str) -> Parsed<()> {
        if pipe.commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (at, command) in pipe.commands.iter().enumerate().skip(1) {
            let first = command.args.first().map(|arg| &arg.kind);
            if let Some(
                Operand::Bool(_) | Operand::Dot | Operand::Nil | Operand::Number(_) | Operand::String(..),
            ) = first
            {
                return self
                    .fail_at(command.pos, format!("non executable command in pipeline stage {}", at + 1));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<Command> {
        let mut command = Command { pos: self.peek_solid().pos, args: Vec::new() };
        loop {
            self.peek_solid();
            if let Some(operand) = self.operand()? {
                command.args.push(operand);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::Right | Kind::RightParen => self.backup(),
                Kind::Pipe => {}
                _ => return self.unexpected(&token, "operand"),
            }
            break;
        }
        if command.args.is_empty() {
            return self.fail("empty command");
        }
        Ok(command)
    }

    fn operand(&mut self) -> Parsed<Option<Node>> {
        let Some(mut node) = self.term()? else { return Ok(None) };
        if self.peek().kind != Kind::Field {
            return Ok(Some(node));
        }
        let pos = self.peek().pos;
        let mut names = Vec::new();
        while self.peek().kind == Kind::Field {
            names.push(Name::new(self.next().text.trim_start_matches('.')));
        }
        match &mut node.kind {
            Operand::Field(fields) | Operand::Variable(_, fields) => {
                fields.append(&mut names);
                node.pos = pos;
            }
            Operand::Bool(_) | Operand::String(..) | Operand::Number(_) | Operand::Nil | Operand::Dot => {
                let term = quote::quote(node.to_string().as_bytes());
                return self.fail_at(pos, format!("unexpected . after term {term}"));
            }
            _ => node = Node { pos, kind: Operand::Chain(Box::new(node), names) },
        }
        Ok(Some(node))
    }

    fn term(&mut self) -> Parsed<Option<Node>> {
        let token = self.next_solid();
        let kind = match token.kind {
            Kind::Identifier => self.function(&token)?,
            Kind::Dot => Operand::Dot,
            Kind::Nil => Operand::Nil,
            Kind::Variable => {
                if !self.scope.vars.contains(&token.text) {
                    return self.undefined(&token);
                }
                Operand::Variable(token.text.as_str().into(), Vec::new())
            }
            Kind::Field => Operand::Field(vec![Name::new(token.text.trim_start_matches('.'))]),
            Kind::Bool => Operand::Bool(token.text == "true"),
            Kind::CharConstant => match number::character(&token.text) {
                Ok(number) => Operand::Number(number),
                Err(words) => return self.fail_at(token.pos, words),
            },
            Kind::Number => match number::constant(&token.text) {
                Ok(number) => Operand::Number(number),
                Err(words) => return self.fail_at(token.pos, words),
            },
            Kind::LeftParen => {
                if !self.stack.has_room() {
                    return self.fail("max expression depth exceeded");
                }
                Operand::Pipe(Box::new(self.pipeline("parenthesized pipeline", Kind::RightParen)?))
            }
            Kind::String | Kind::RawString => {
                let value = self.unquote(&token)?;
                Operand::String(token.text.as_str().into(), value.into())
            }
            _ => {
                self.backup();
                return Ok(None);
            }
        };
        let pos = match &kind {
            // Go puts a parenthesised pipeline where its first word is.
            Operand::Pipe(pipe) => pipe.pos,
            _ => token.pos,
        };
        Ok(Some(Node { pos, kind }))
    }

    fn function(&self, token: &Token) -> Parsed<Operand> {
        if let Some((name, function)) = self.functions.resolve(&token.text) {
            return Ok(Operand::Function(name, function));
        }
        let name = quote::quote(token.text.as_bytes());
        let mut fault = Fault::new(
            Cause::UnknownFunction,
            token.pos,
            format!("function {name} not defined"),
            Place::Parse(self.tokens[0].pos),
        );
        fault.hint = self.functions.suggest(&token.text);
        Err(Box::new(fault))
    }

    fn undefined<T>(&self, token: &Token) -> Parsed<T> {
        let name = quote::quote(token.text.as_bytes());
        let mut fault = Fault::new(
            Cause::Syntax,
            token.pos,
            format!("undefined variable {name}"),
            Place::Parse(self.tokens[0].pos),
        );
        let known = self.scope.vars.iter().map(String::as_str).filter(|name| *name != "$");
        fault.hint = Some(match crate::problem::nearest(&token.text, known) {
            Some(near) => format!("did you mean {near}?"),
            None => format!(
                "declare it with {{{{ {} := … }}}} before, in the same block or around it; \
                 define and block see no variables of outside",
                token.text
            ),
        });
        Err(Box::new(fault))
    }
}

/// What a stranger most likely meant, for mistakes that people make often.
fn hint_for(error: &str, rest: &str) -> Option<String> {
    let hint = if error.starts_with("bad character U+002D") {
        "a name with a dash needs index: {{ index .Data.data \"my-key\" }}"
    } else if error.starts_with("comment ends before") {
        "write {{/* text */}}, with nothing between */ and the right delimiter"
    } else if error == "unclosed action" {
        "the right delimiter is missing"
    } else if error.starts_with("unterminated quoted string") {
        "close the string with \" on the same line, or use `back quotes` for several lines"
    } else if error.starts_with("illegal number") || rest.starts_with("+ ") || rest.starts_with("- ") {
        "templates have no operators: write {{ add 1 2 }}"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

/// A token as Go names it in messages.
fn show(token: &Token) -> String {
    match token.kind {
        Kind::Eof => "EOF".to_owned(),
        Kind::Keyword | Kind::Dot | Kind::Nil => format!("<{}>", token.text),
        _ if token.text.len() > 10 => {
            let start: String = token.text.chars().take(10).collect();
            format!("{}...", quote::quote(start.as_bytes()))
        }
        _ => quote::quote(token.text.as_bytes()),
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
