//! Evaluates pipelines: commands, field chains, calls, and the conversion of arguments.

use std::fmt;

use super::{
    ast::{Command, Name, Node, Number, Operand, Pipe, Pos},
    call::Call,
    exec::Run,
    fault::{Cause, Fault, Place},
    hints,
    kind::Type,
    quote,
    value::{Map, Value},
};

pub(super) type Outcome<T> = Result<T, Box<Fault>>;

/// A value, and whether Go holds it as `interface {}`: that decides between an invalid value and a nil interface,
/// and which type a message names.
#[derive(Clone)]
pub(super) struct Val {
    pub(super) value: Value,
    pub(super) boxed: bool,
}

impl Val {
    pub(super) const fn concrete(value: Value) -> Self {
        Self { value, boxed: false }
    }

    pub(super) const fn of(value: Value, of: &Type) -> Self {
        Self { value, boxed: of.is_any() }
    }

    /// Go's invalid value: nil without a type.
    pub(super) const fn invalid() -> Self {
        Self::concrete(Value::Nil)
    }

    pub(super) const fn is_invalid(&self) -> bool {
        matches!(self.value, Value::Nil) && !self.boxed
    }

    pub(super) fn type_name(&self) -> String {
        if self.boxed { Type::Any.to_string() } else { self.value.type_name() }
    }
}

/// A node that an error can name.
#[derive(Clone, Copy)]
pub(super) enum At<'r> {
    Node(&'r Node),
    Pipe(&'r Pipe),
    Command(&'r Command),
    /// A whole action, with its braces.
    Action(&'r Pipe),
    Call {
        pos: Pos,
        name: &'r str,
        pipe: Option<&'r Pipe>,
    },
}

impl At<'_> {
    const fn pos(&self) -> Pos {
        match self {
            Self::Node(node) => node.pos,
            Self::Pipe(pipe) | Self::Action(pipe) => pipe.pos,
            Self::Command(command) => command.pos,
            Self::Call { pos, .. } => *pos,
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "{node}"),
            Self::Pipe(pipe) => write!(f, "{pipe}"),
            Self::Command(command) => write!(f, "{command}"),
            Self::Action(pipe) => write!(f, "{{{{{pipe}}}}}"),
            Self::Call { name, pipe, .. } => {
                write!(f, "{{{{template {}", quote::quote(name.as_bytes()))?;
                if let Some(pipe) = pipe {
                    write!(f, " {pipe}")?;
                }
                f.write_str("}}")
            }
        }
    }
}

impl<'r> Run<'r, '_> {
    pub(super) fn fail<T>(&self, cause: Cause, text: impl Into<String>) -> Outcome<T> {
        let text = text.into();
        let hint = hints::error(&text);
        self.fail_hint(cause, text, hint)
    }

    /// An error whose original words quote a value.
    pub(super) fn fail_with<T>(
        &self,
        cause: Cause,
        go: impl Into<String>,
        shown: impl Into<String>,
    ) -> Outcome<T> {
        Err(Box::new(self.fault(cause, go, shown)))
    }

    pub(super) fn fault(&self, cause: Cause, go: impl Into<String>, shown: impl Into<String>) -> Fault {
        Fault {
            cause,
            pos: self.at.map_or(0, |at| at.pos()),
            go: go.into(),
            shown: shown.into(),
            hint: None,
            place: Place::Exec {
                template: self.template.clone(),
                node: self.at.map(|at| (at.pos(), at.to_string())),
            },
        }
    }

    pub(super) fn fail_hint<T>(&self, cause: Cause, text: String, hint: Option<String>) -> Outcome<T> {
        Err(Box::new(Fault { hint, ..self.fault(cause, text.clone(), text) }))
    }

    pub(super) fn spend(&mut self) -> Outcome<()> {
        match self.ctx.step() {
            Ok(()) => Ok(()),
            Err(error) => self.fail(Cause::Limit, error.shown()),
        }
    }

    /// Sets the nearest variable of that name.
    pub(super) fn assign(&mut self, name: &str, value: Val) -> Outcome<()> {
        match self.vars.iter_mut().rev().find(|(known, _)| **known == *name) {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => self.fail_hint(
                Cause::Other,
                format!("undefined variable: {name}"),
                Some(format!("declare it first with {{{{ {name} := … }}}}")),
            ),
        }
    }

    pub(super) fn pipeline(&mut self, dot: &Val, pipe: &'r Pipe) -> Outcome<Val> {
        self.at = Some(At::Pipe(pipe));
        if !self.ctx.stack.has_reserve() {
            return self.fail(Cause::Limit, "expressions nest too deep");
        }
        let mut value = None;
        for command in &pipe.commands {
            self.spend()?;
            let result = self.command(dot, command, value)?;
            value = Some(Val::concrete(result.value));
        }
        let value = value.unwrap_or_else(Val::invalid);
        for name in &pipe.decl {
            if pipe.assign {
                self.assign(name, value.clone())?;
            } else {
                self.vars.push((name.clone(), value.clone()));
            }
        }
        Ok(value)
    }

    fn command(&mut self, dot: &Val, command: &'r Command, last: Option<Val>) -> Outcome<Val> {
        let Some((first, args)) = command.args.split_first() else { return Ok(Val::invalid()) };
        match &first.kind {
            Operand::Field(names) => {
                self.at = Some(At::Node(first));
                return self.chain(dot, dot.clone(), (first, names), args, last);
            }
            Operand::Chain(node, names) => return self.chain_on(dot, (first, node, names), args, last),
            Operand::Function(name, function) => {
                self.at = Some(At::Node(first));
                let call = Call { at: At::Command(command), name, args, last };
                return self.call_function(dot, function, call);
            }
            Operand::Pipe(pipe) => {
                self.no_arguments(first, args, last.as_ref())?;
                return self.pipeline(dot, pipe);
            }
            Operand::Variable(name, names) => return self.variable(dot, (first, name, names), args, last),
            _ => {}
        }
        self.at = Some(At::Node(first));
        self.no_arguments(first, args, last.as_ref())?;
        match &first.kind {
            Operand::Bool(flag) => Ok(Val::concrete(Value::Bool(*flag))),
            Operand::Dot => Ok(dot.clone()),
            Operand::Number(number) => self.ideal(number),
            Operand::String(_, text) => Ok(Val::concrete(Value::String(text.clone()))),
            _ => self.fail(Cause::Other, "nil is not a command"),
        }
    }

    fn no_arguments(&self, first: &Node, args: &[Node], last: Option<&Val>) -> Outcome<()> {
        if args.is_empty() && last.is_none() {
            return Ok(());
        }
        let first = match &first.kind {
            Operand::Pipe(pipe) => pipe.to_string(),
            _ => first.to_string(),
        };
        self.fail(Cause::Other, format!("can't give argument to non-function {first}"))
    }

    /// A number constant where the type is open.
    pub(super) fn ideal(&self, number: &Number) -> Outcome<Val> {
        let text = &*number.text;
        let hex = (text.starts_with("0x") || text.starts_with("0X")) && !text.contains(['p', 'P']);
        let float = !hex && !text.starts_with('\'') && text.contains(['.', 'e', 'E', 'p', 'P']);
        if let Some((real, imaginary)) = number.complex {
            return Ok(Val::concrete(Value::Complex(real, imaginary)));
        }
        match (number.float, number.int) {
            (Some(value), _) if float => Ok(Val::concrete(Value::Float(value))),
            (_, Some(value)) => Ok(Val::concrete(Value::Int(value))),
            _ => self.fail(Cause::Other, format!("{text} overflows int")),
        }
    }

    pub(super) fn variable(
        &mut self,
        dot: &Val,
        (node, name, names): (&'r Node, &'r str, &'r [Name]),
        args: &'r [Node],
        last: Option<Val>,
    ) -> Outcome<Val> {
        self.at = Some(At::Node(node));
        let Some(value) = self.vars.iter().rev().find(|(known, _)| **known == *name) else {
            return self.fail(Cause::Other, format!("undefined variable: {name}"));
        };
        let value = value.1.clone();
        if names.is_empty() {
            self.no_arguments(node, args, last.as_ref())?;
            return Ok(value);
        }
        self.chain(dot, value, (node, names), args, last)
    }

    pub(super) fn chain_on(
        &mut self,
        dot: &Val,
        (node, base, names): (&'r Node, &'r Node, &'r [Name]),
        args: &'r [Node],
        last: Option<Val>,
    ) -> Outcome<Val> {
        self.at = Some(At::Node(node));
        let value = self.arg(dot, None, base)?;
        self.chain(dot, value, (node, names), args, last)
    }

    /// `.a.b.c` on a value; only the last name gets the arguments.
    pub(super) fn chain(
        &mut self,
        dot: &Val,
        mut value: Val,
        (node, names): (&'r Node, &'r [Name]),
        args: &'r [Node],
        last: Option<Val>,
    ) -> Outcome<Val> {
        let Some((end, path)) = names.split_last() else { return Ok(value) };
        let mut before: Option<(Map, &Name)> = None;
        let step =
            |run: &mut Self, value: Val, name: &'r Name, call: Call<'r>, before: &Option<(Map, &Name)>| {
                run.field(dot, value, name, call).map_err(|fault| hints::chain(fault, node, before))
            };
        for name in path {
            let map = match &value.value {
                Value::Map(map) => Some((map.clone(), name)),
                _ => None,
            };
            let call = Call { at: At::Node(node), name: &name.text, args: &[], last: None };
            value = step(self, value, name, call, &before)?;
            before = map;
        }
        let call = Call { at: At::Node(node), name: &end.text, args, last };
        step(self, value, end, call, &before)
    }

    /// One name on a value: a method, a field, or a key.
    fn field(&mut self, dot: &Val, of: Val, name: &'r Name, call: Call<'r>) -> Outcome<Val> {
        let text = &*name.text;
        let key_words = || quote::quote(text.as_bytes());
        if of.is_invalid() {
            if self.ctx.settings.error_on_missing_key {
                let words = format!("nil data; no entry for key {}", key_words());
                return self.fail(Cause::MissingKey, words);
            }
            return Ok(Val::invalid());
        }
        let has_args = !call.args.is_empty() || call.last.is_some();
        match &of.value {
            Value::Nil => {
                return self
                    .fail(Cause::MissingKey, format!("nil pointer evaluating {}.{text}", of.type_name()));
            }
            Value::Number(_) => {
                if let Some(method) = super::funcs::number_method(text) {
                    return self.method(dot, method, of.value, call);
                }
            }
            Value::Object(object) => {
                if let Some(method) = object.of.method(text) {
                    return self.method(dot, method, of.value.clone(), call);
                }
                if let Some((at, field)) = object.of.field(text) {
                    if has_args {
                        let words = format!("{text} has arguments but cannot be invoked as function");
                        return self.fail(Cause::Other, words);
                    }
                    return Ok(Val::of(object.fields.get(at).cloned().unwrap_or_default(), field));
                }
            }
            Value::Map(map) if matches!(map.key, Type::String | Type::Any) => {
                if has_args {
                    return self.fail(Cause::Other, format!("{text} is not a method but has arguments"));
                }
                return self.entry(map, name);
            }
            Value::NilPointer(of_type) if of_type.field(text).is_some() => {
                return self
                    .fail(Cause::MissingKey, format!("nil pointer evaluating {}.{text}", of.type_name()));
            }
            _ => {}
        }
        let known = match &of.value {
            Value::Object(object) => object.of.fields,
            Value::NilPointer(of) => of.fields,
            _ => &[],
        };
        let words = format!("can't evaluate field {text} in type {}", of.type_name());
        let hint = hints::field(text, known, &of.value);
        self.fail_hint(Cause::MissingKey, words, hint)
    }

    fn entry(&self, map: &Map, name: &Name) -> Outcome<Val> {
        match map.get(&name.key) {
            Some(value) => Ok(Val::of(value, map.elem)),
            None if self.ctx.settings.error_on_missing_key => {
                let words = format!("map has no entry for key {}", quote::quote(name.text.as_bytes()));
                self.fail_hint(Cause::MissingKey, words, hints::key(&name.text, map))
            }
            None => Ok(Val::of(map.elem.zero(), map.elem)),
        }
    }
}
