//! Calls: counting and converting arguments, literals under the parameter's type, the words of a failure.

use super::{
    ast::{Node, Operand},
    eval::{At, Outcome, Val},
    exec::Run,
    fault::{Cause, Fault},
    funcs::{Args, CALLEE, Func, FuncError},
    hints,
    kind::Type,
    value::Value,
};

/// Bytes of text that most functions read in the time of one step; slow ones charge for themselves.
const BYTES_PER_STEP: usize = 192;

/// What a call has besides its function: the node that errors name, its name, arguments, and the piped value.
pub(super) struct Call<'r> {
    pub(super) at: At<'r>,
    pub(super) name: &'r str,
    pub(super) args: &'r [Node],
    pub(super) last: Option<Val>,
}

impl<'r> Run<'r, '_> {
    pub(super) fn method(
        &mut self,
        dot: &Val,
        method: &'static Func,
        of: Value,
        call: Call<'r>,
    ) -> Outcome<Val> {
        self.count_args(method, &call)?;
        let mut values = vec![Val::concrete(of)];
        self.arguments(dot, method, call.args, &mut values)?;
        self.last_argument(method, call.last.as_ref(), values.len() - 1, &mut values)?;
        self.invoke(method, call.at, call.name, values)
    }

    pub(super) fn call_function(
        &mut self,
        dot: &Val,
        function: &'static Func,
        call: Call<'r>,
    ) -> Outcome<Val> {
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
        values: &mut Vec<Val>,
    ) -> Outcome<()> {
        for (at, arg) in args.iter().enumerate() {
            values.push(self.arg(dot, Some(function.param(at)), arg)?);
        }
        Ok(())
    }

    fn last_argument(
        &mut self,
        function: &'static Func,
        last: Option<&Val>,
        at: usize,
        values: &mut Vec<Val>,
    ) -> Outcome<()> {
        if let Some(last) = last {
            values.push(self.convert(last.clone(), Some(function.param(at)))?);
        }
        Ok(())
    }

    fn invoke(&mut self, function: &'static Func, at: At<'r>, name: &str, values: Vec<Val>) -> Outcome<Val> {
        let boxed = values.iter().take(64).enumerate().map(|(at, value)| u64::from(value.boxed) << at).sum();
        let texts = values.iter().filter_map(|value| value.value.as_text());
        let size = texts.map(|text| text.as_bytes().len()).sum::<usize>();
        let args = Args::new(values.into_iter().map(|value| value.value).collect()).with_interfaces(boxed);
        let charged = self.ctx.labour((size / BYTES_PER_STEP) as u64);
        let result = charged.and_then(|()| (function.run)(self.ctx, args)).and_then(|value| {
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
            let callee = command.args.get(1).map(ToString::to_string);
            for words in [&mut go, &mut shown] {
                let parts: Vec<&str> = words.split(CALLEE).collect();
                if let [before, piped, after] = parts[..] {
                    *words = format!("{before}{}{after}", callee.as_deref().unwrap_or(piped));
                }
            }
        }
        let words = |text: String| format!("error calling {name}: {text}");
        let hint = error.advice().map(str::to_owned).or_else(|| hints::error(error.shown()));
        Fault { hint, ..self.fault(cause, words(go), words(shown)) }
    }

    /// An argument: evaluated, and checked against the parameter's type.
    pub(super) fn arg(&mut self, dot: &Val, of: Option<&'static Type>, node: &'r Node) -> Outcome<Val> {
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
        let found = node.to_string();
        let hint = hints::literal(expected, &found);
        self.fail_hint(Cause::WrongType, format!("expected {expected}; found {found}"), hint)
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
