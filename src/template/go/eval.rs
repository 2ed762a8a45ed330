//! Evaluates pipelines: commands, field chains, calls, and the conversion of arguments.

use std::fmt;

use super::{
    ast::{Command, Name, Node, Number, Operand, Pipe, Pos},
    exec::Run,
    fault::{Cause, Fault, Place},
    funcs::{Args, CALLEE, Func, FuncError},
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

    const fn is_invalid(&self) -> bool {
        matches!(self.value, Value::Nil) && !self.boxed
    }

    fn type_name(&self) -> String {
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

/// What a call has besides its function: the node that errors name, its name, arguments, and the piped value.
struct Call<'r> {
    at: At<'r>,
    name: &'r str,
    args: &'r [Node],
    last: Option<Val>,
}

impl<'r> Run<'r, '_> {
    pub(super) fn fail<T>(&self, cause: Cause, text: impl Into<String>) -> Outcome<T> {
        let text = text.into();
        self.fail_with(cause, text.clone(), text)
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

    fn fault(&self, cause: Cause, go: impl Into<String>, shown: impl Into<String>) -> Fault {
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

    fn fail_hint<T>(&self, cause: Cause, text: String, hint: Option<String>) -> Outcome<T> {
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
    fn ideal(&self, number: &Number) -> Outcome<Val> {
        let text = &*number.text;
        let hex = (text.starts_with("0x") || text.starts_with("0X")) && !text.contains(['p', 'P']);
        let float = !hex && !text.starts_with('\'') && text.contains(['.', 'e', 'E', 'p', 'P']);
        match (number.float, number.int) {
            (Some(value), _) if float => Ok(Val::concrete(Value::Float(value))),
            (_, Some(value)) => Ok(Val::concrete(Value::Int(value))),
            _ => self.fail(Cause::Other, format!("{text} overflows int")),
        }
    }

    fn variable(
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

    fn chain_on(
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
    fn chain(
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

    fn method(&mut self, dot: &Val, method: &'static Func, of: Value, call: Call<'r>) -> Outcome<Val> {
        self.count_args(method, &call)?;
        let mut values = vec![of];
        self.arguments(dot, method, call.args, &mut values)?;
        self.last_argument(method, call.last.as_ref(), values.len() - 1, &mut values)?;
        self.invoke(method, call.at, call.name, values)
    }

    fn call_function(&mut self, dot: &Val, function: &'static Func, call: Call<'r>) -> Outcome<Val> {
        self.count_args(function, &call)?;
        if matches!(function.name, "and" | "or") && matches!(function.ret, Type::Reflect) {
            return self.short_circuit(dot, function, call);
        }
        let mut values = Vec::with_capacity(call.args.len() + 1);
        self.arguments(dot, function, call.args, &mut values)?;
        self.last_argument(function, call.last.as_ref(), values.len(), &mut values)?;
        self.invoke(function, call.at, call.name, values)
    }

    fn count_args(&self, function: &Func, call: &Call<'_>) -> Outcome<()> {
        let given = call.args.len() + usize::from(call.last.is_some());
        let name = call.name;
        let words = if function.variadic {
            if given >= function.least() {
                return Ok(());
            }
            format!(
                "wrong number of args for {name}: want at least {} got {}",
                function.least(),
                call.args.len()
            )
        } else {
            if given == function.params.len() {
                return Ok(());
            }
            format!("wrong number of args for {name}: want {} got {given}", function.params.len())
        };
        self.fail_hint(Cause::Function, words, hints::usage(name, function))
    }

    /// `and` and `or`: the argument that decides, without looking at those behind it.
    fn short_circuit(&mut self, dot: &Val, function: &'static Func, call: Call<'r>) -> Outcome<Val> {
        let mut value = Val::invalid();
        for arg in call.args {
            value = self.arg(dot, Some(&Type::Reflect), arg)?;
            if value.value.truth() == (function.name == "or") {
                return Ok(value);
            }
        }
        Ok(call.last.unwrap_or(value))
    }

    fn arguments(
        &mut self,
        dot: &Val,
        function: &'static Func,
        args: &'r [Node],
        values: &mut Vec<Value>,
    ) -> Outcome<()> {
        for (at, arg) in args.iter().enumerate() {
            values.push(self.arg(dot, Some(function.param(at)), arg)?.value);
        }
        Ok(())
    }

    fn last_argument(
        &mut self,
        function: &'static Func,
        last: Option<&Val>,
        at: usize,
        values: &mut Vec<Value>,
    ) -> Outcome<()> {
        if let Some(last) = last {
            values.push(self.convert(last.clone(), Some(function.param(at)))?.value);
        }
        Ok(())
    }

    fn invoke(
        &mut self,
        function: &'static Func,
        at: At<'r>,
        name: &str,
        values: Vec<Value>,
    ) -> Outcome<Val> {
        let result = (function.run)(self.ctx, Args::new(values)).and_then(|value| {
            self.ctx.charge(value.weight())?;
            Ok(value)
        });
        match result {
            Ok(value) => Ok(Val::of(value, &function.ret)),
            Err(error) => {
                self.at = Some(at);
                Err(Box::new(self.call_fault(name, &error)))
            }
        }
    }

    fn call_fault(&self, name: &str, error: &FuncError) -> Fault {
        let cause = if error.is_limit() { Cause::Limit } else { Cause::Function };
        let mut go = error.go_text().to_owned();
        let mut shown = error.shown().to_owned();
        if go.contains(CALLEE)
            && let Some(At::Command(command)) = self.at
        {
            let callee = command.args.get(1).map(ToString::to_string).unwrap_or_default();
            go = go.replace(CALLEE, &callee);
            shown = shown.replace(CALLEE, &callee);
        }
        let words = |text: String| format!("error calling {name}: {text}");
        let hint = error.advice().map(str::to_owned).or_else(|| hints::error(error.shown()));
        Fault { hint, ..self.fault(cause, words(go), words(shown)) }
    }

    /// An argument: evaluated, and checked against the parameter's type.
    fn arg(&mut self, dot: &Val, of: Option<&'static Type>, node: &'r Node) -> Outcome<Val> {
        self.at = Some(At::Node(node));
        let value = match &node.kind {
            Operand::Dot => dot.clone(),
            Operand::Nil => {
                return match of {
                    Some(of) if !of.can_be_nil() => {
                        self.fail(Cause::WrongType, format!("cannot assign nil to {of}"))
                    }
                    Some(of) => Ok(Val::of(of.zero(), of)),
                    None => Ok(Val::invalid()),
                };
            }
            Operand::Field(names) => self.chain(dot, dot.clone(), (node, names), &[], None)?,
            Operand::Variable(name, names) => self.variable(dot, (node, name, names), &[], None)?,
            Operand::Pipe(pipe) => self.pipeline(dot, pipe)?,
            Operand::Function(name, function) => {
                let call = Call { at: At::Node(node), name, args: &[], last: None };
                self.call_function(dot, function, call)?
            }
            Operand::Chain(base, names) => self.chain_on(dot, (node, base, names), &[], None)?,
            _ => return self.literal(of.unwrap_or(&Type::Any), node),
        };
        self.convert(value, of)
    }

    /// A literal takes the type of the parameter.
    fn literal(&self, of: &Type, node: &Node) -> Outcome<Val> {
        let expected = match (of, &node.kind) {
            (Type::Any | Type::Reflect, Operand::Bool(flag)) | (Type::Bool, Operand::Bool(flag)) => {
                return Ok(Val::concrete(Value::Bool(*flag)));
            }
            (Type::Any | Type::Reflect | Type::String, Operand::String(_, text)) => {
                return Ok(Val::concrete(Value::String(text.clone())));
            }
            (Type::Number, Operand::String(_, text)) => {
                return Ok(Val::concrete(Value::Number(text.clone())));
            }
            (Type::Any | Type::Reflect, Operand::Number(number)) => return self.ideal(number),
            (Type::Int | Type::Int64 | Type::Float64, Operand::Number(number)) => {
                let value = match of {
                    Type::Int => number.int.map(Value::Int),
                    Type::Int64 => number.int.map(Value::Int64),
                    _ => number.float.map(Value::Float),
                };
                match value {
                    Some(value) => return Ok(Val::concrete(value)),
                    None if matches!(of, Type::Float64) => "float",
                    None => "integer",
                }
            }
            (Type::Uint64 | Type::Uint32 | Type::Uint8, Operand::Number(number)) => match number.uint {
                Some(value) => return Ok(Val::concrete(unsigned(of, value))),
                None => "unsigned integer",
            },
            (Type::Bool, _) => "bool",
            (Type::String | Type::Number, _) => "string",
            (Type::Int | Type::Int64, _) => "integer",
            (Type::Uint64 | Type::Uint32 | Type::Uint8, _) => "unsigned integer",
            (Type::Float64, _) => "float",
            _ => return self.fail(Cause::WrongType, format!("can't handle {node} for arg of type {of}")),
        };
        self.fail(Cause::WrongType, format!("expected {expected}; found {node}"))
    }

    /// Go's assignability: no conversions, one dereference.
    fn convert(&self, value: Val, of: Option<&Type>) -> Outcome<Val> {
        let Some(of) = of else { return Ok(value) };
        if value.is_invalid() {
            if of.can_be_nil() {
                return Ok(Val::of(of.zero(), of));
            }
            return self.fail_hint(
                Cause::WrongType,
                format!("invalid value; expected {of}"),
                Some(hints::NO_VALUE.to_owned()),
            );
        }
        match (of, value.value.go_type()) {
            (Type::Reflect | Type::Any, _) => return Ok(value),
            (of, Some(have)) if have == *of => return Ok(value),
            (Type::Struct(of), Some(Type::Pointer(have))) if of.name == have.name => {
                if matches!(value.value, Value::NilPointer(_)) {
                    let words = format!("dereference of nil pointer of type {}", of.name);
                    return self.fail(Cause::WrongType, words);
                }
                return Ok(value);
            }
            _ => {}
        }
        // Go unwraps an interface that holds something before it complains.
        let got = match value.value.go_type() {
            None => Type::Any.to_string(),
            Some(have) => have.to_string(),
        };
        let hint = hints::conversion(of, &value.value);
        self.fail_hint(
            Cause::WrongType,
            format!("wrong type for value; expected {of}; got {got}"),
            hint.map(str::to_owned),
        )
    }
}

fn unsigned(of: &Type, value: u64) -> Value {
    match of {
        Type::Uint8 => Value::Uint8(value.to_le_bytes()[0]),
        _ => Value::Uint64(value),
    }
}
