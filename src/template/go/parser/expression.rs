//! Pipelines, commands and operands.

use super::{Parsed, Parser};
use crate::{
    problem::nearest,
    template::go::{
        ast::{Command, Name, Node, Operand, Pipe},
        fault::{Cause, Fault, Place},
        number, quote,
        token::{Kind, Token},
    },
};

impl Parser<'_> {
    pub(super) fn pipeline(&mut self, context: &str, last: Kind) -> Parsed<Pipe> {
        let pos = self.peek_solid().pos;
        let mut pipe = Pipe { pos, decl: Vec::new(), assign: false, commands: Vec::new() };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.next_solid();
            match token.kind {
                kind if kind == last => {
                    self.check_pipeline(&pipe, context)?;
                    pipe.commands.shrink_to_fit();
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
        command.args.shrink_to_fit();
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
        names.shrink_to_fit();
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
                Ok(number) => Operand::Number(Box::new(number)),
                Err(words) => return self.fail_at(token.pos, words),
            },
            Kind::Number => match number::constant(&token.text) {
                Ok(number) => Operand::Number(Box::new(number)),
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
        fault.hint = Some(match nearest(&token.text, known) {
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
