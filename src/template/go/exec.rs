//! Runs a tree: text, actions, branches, loops, calls of other templates.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{
    ast::{Operand, Pipe, Pos, Stmt},
    ctx::Ctx,
    eval::{At, Outcome, Val},
    fault::{Cause, Fault, Place, position},
    format::bytes,
    funcs::FuncError,
    hints,
    kind::Type,
    parser::Trees,
    print, quote,
    value::Value,
};
use crate::{
    template::oddity::{self, Oddity, Sign},
    vault::value::Text,
};

/// Runs one template of the set with a dot.
///
/// # Errors
/// The first mistake.
pub fn run(ctx: &mut Ctx<'_>, name: &str, dot: Value) -> Result<Zeroizing<Vec<u8>>, Box<Fault>> {
    let trees = ctx.trees.clone();
    let Some((name, tree)) = trees.get_key_value(name) else {
        let text = format!("no template {} associated with template \"\"", quote::quote(name.as_bytes()));
        let place = Place::Exec { template: "".into(), node: None };
        return Err(Box::new(Fault::new(Cause::Other, 0, text, place)));
    };
    let dot = Val::concrete(dot);
    let mut run = Run {
        ctx,
        trees: &trees,
        template: name.clone(),
        vars: vec![("$".into(), dot.clone())],
        at: None,
        depth: 0,
        out: Zeroizing::new(Vec::new()),
    };
    run.list(&dot, &tree.body)?;
    Ok(run.out)
}

/// `executeTemplate`: runs a template inside a function.
///
/// # Errors
/// The words of the error inside, with its own place.
pub fn nested(ctx: &mut Ctx<'_>, name: &str, dot: Value) -> Result<Text, FuncError> {
    if !ctx.stack.has_room() {
        return Err(FuncError::limit("templates call each other too deep"));
    }
    match run(ctx, name, dot) {
        Ok(mut bytes) => Ok(std::mem::take(&mut *bytes).into()),
        Err(fault) => {
            let text = ctx.text.clone();
            let line = super::fault::position(&text, fault.pos).0;
            let shown = format!("{} (line {line})", fault.shown);
            let error = FuncError::quoting(fault.go_text(&text), shown);
            Err(match fault.hint {
                Some(hint) => error.hint(hint),
                None => error,
            })
        }
    }
}

/// Where a list goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
}

/// One running template.
pub(super) struct Run<'r, 'h> {
    pub(super) ctx: &'r mut Ctx<'h>,
    pub(super) trees: &'r Trees,
    /// Name of the template that runs.
    pub(super) template: Arc<str>,
    pub(super) vars: Vec<(Arc<str>, Val)>,
    /// The node that errors name.
    pub(super) at: Option<At<'r>>,
    depth: u32,
    out: Zeroizing<Vec<u8>>,
}

/// Depth of calls at which Go gives up.
const MAX_CALLS: u32 = 100_000;

impl<'r> Run<'r, '_> {
    fn list(&mut self, dot: &Val, body: &'r [Stmt]) -> Outcome<Flow> {
        if !self.ctx.stack.has_reserve() {
            return self.fail(Cause::Limit, "blocks and calls nest too deep");
        }
        for stmt in body {
            let flow = self.stmt(dot, stmt)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn stmt(&mut self, dot: &Val, stmt: &'r Stmt) -> Outcome<Flow> {
        self.spend()?;
        match stmt {
            Stmt::Text(text) => self.write(text.as_bytes())?,
            Stmt::Action(pipe) => {
                let value = self.pipeline(dot, pipe)?;
                if pipe.decl.is_empty() {
                    self.print(pipe, &value)?;
                }
            }
            Stmt::Branch { with, pipe, body, otherwise } => {
                let mark = self.vars.len();
                let value = self.pipeline(dot, pipe)?;
                let flow = match (value.value.truth(), otherwise) {
                    (true, _) => self.list(if *with { &value } else { dot }, body)?,
                    (false, Some(otherwise)) => self.list(dot, otherwise)?,
                    (false, None) => Flow::Next,
                };
                self.vars.truncate(mark);
                return Ok(flow);
            }
            Stmt::Range { pipe, body, otherwise } => {
                let mark = self.vars.len();
                let flow = self.range(dot, pipe, body, otherwise.as_deref())?;
                self.vars.truncate(mark);
                return Ok(flow);
            }
            Stmt::Call { pos, name, pipe } => self.call(dot, *pos, name, pipe.as_ref())?,
            Stmt::Break => return Ok(Flow::Break),
            Stmt::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        if let Err(error) = self.ctx.write(bytes.len()) {
            return self.fail(Cause::Limit, error.shown());
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn print(&mut self, pipe: &'r Pipe, value: &Val) -> Outcome<()> {
        self.at = Some(At::Action(pipe));
        match print::action(&value.value) {
            Ok(Some(text)) => {
                self.note_oddity(pipe, value, text.as_bytes());
                self.write(text.as_bytes())
            }
            Ok(None) => {
                let of = value.value.type_name();
                self.fail(Cause::WrongType, format!("can't print {{{{{pipe}}}}} of type {of}"))
            }
            Err(error) => self.fail(Cause::Limit, error.shown()),
        }
    }

    /// Notes what no application expects. A text of the secret's own is not looked into, only what a function made.
    fn note_oddity(&mut self, pipe: &Pipe, value: &Val, text: &[u8]) {
        let made = || pipe.commands.last().and_then(|command| command.args.first());
        let sign = match &value.value {
            Value::Nil => Some(Sign::NoValue),
            Value::Map(_) | Value::List(_) => oddity::sign(text),
            Value::String(_) if made().is_some_and(|node| matches!(node.kind, Operand::Function(..))) => {
                oddity::sign(text)
            }
            _ => None,
        };
        let Some(sign) = sign.filter(|sign| self.ctx.oddities.iter().all(|known| known.sign != *sign)) else {
            return;
        };
        let line = position(&self.ctx.text, pipe.pos).0;
        self.ctx.oddities.push(Oddity { sign, line, source: format!("{{{{ {pipe} }}}}") });
    }

    fn range(
        &mut self,
        dot: &Val,
        pipe: &'r Pipe,
        body: &'r [Stmt],
        otherwise: Option<&'r [Stmt]>,
    ) -> Outcome<Flow> {
        let over = self.pipeline(dot, pipe)?;
        let mut turns = Turns { pipe, body, mark: self.vars.len(), ran: false };
        match &over.value {
            Value::Nil => {}
            Value::List(list) => {
                for (at, item) in list.items().iter().enumerate() {
                    let elem = Val::of(item.clone(), list.elem);
                    if !self.turn(&mut turns, index(at), elem)? {
                        break;
                    }
                }
            }
            Value::Map(map) => {
                for (key, value) in map.entries() {
                    let elem = Val::of(value, map.elem);
                    if !self.turn(&mut turns, Val::of(key.value(), map.key), elem)? {
                        break;
                    }
                }
            }
            Value::Channel(counter) => {
                let mut at = 0;
                while let Some(number) = counter.pull() {
                    if !self.turn(&mut turns, index(at), Val::concrete(Value::Int64(number)))? {
                        break;
                    }
                    at += 1;
                }
            }
            Value::Int(_) | Value::Int64(_) | Value::Uint64(_) | Value::Uint8(_) => {
                self.range_number(&mut turns, &over.value)?;
            }
            other => return self.cannot_range(other),
        }
        match otherwise {
            Some(otherwise) if !turns.ran => self.list(dot, otherwise),
            _ => Ok(Flow::Next),
        }
    }

    fn range_number(&mut self, turns: &mut Turns<'r>, over: &Value) -> Outcome<()> {
        if turns.pipe.decl.len() > 1 {
            let shown = print::value(over).map(|text| bytes::lossy(text.as_bytes()).into_owned());
            return self.fail_with(
                Cause::WrongType,
                format!("can't use {} to iterate over more than one variable", shown.unwrap_or_default()),
                "a number can't be ranged over with two variables",
            );
        }
        let (end, wrap): (u64, fn(u64) -> Value) = match over {
            Value::Int(number) => (u64::try_from(*number).unwrap_or(0), |at| Value::Int(at.cast_signed())),
            Value::Int64(number) => {
                (u64::try_from(*number).unwrap_or(0), |at| Value::Int64(at.cast_signed()))
            }
            Value::Uint64(number) => (*number, Value::Uint64),
            Value::Uint8(number) => (u64::from(*number), |at| Value::Uint8(u8::try_from(at).unwrap_or(0))),
            _ => return Ok(()),
        };
        for at in 0..end {
            if !self.turn(turns, Val::invalid(), Val::concrete(wrap(at)))? {
                break;
            }
        }
        Ok(())
    }

    fn cannot_range<T>(&self, over: &Value) -> Outcome<T> {
        let shown = match over {
            Value::Object(_) => print::action(over).map(|text| text.unwrap_or_else(|| "".into())),
            _ => print::value(over),
        };
        let shown = shown.map(|text| bytes::lossy(text.as_bytes()).into_owned());
        self.fail_with(
            Cause::WrongType,
            format!("range can't iterate over {}", shown.unwrap_or_default()),
            format!("range can't iterate over a value of type {}", over.type_name()),
        )
        .map_err(|mut fault: Box<Fault>| {
            fault.hint = hints::range(over);
            fault
        })
    }

    /// One turn of a loop; false after a `break`.
    fn turn(&mut self, turns: &mut Turns<'r>, index: Val, elem: Val) -> Outcome<bool> {
        self.spend()?;
        turns.ran = true;
        let (key_var, elem_var) = match turns.pipe.decl.as_slice() {
            [] => (None, None),
            [elem] => (None, Some(elem)),
            [key, elem, ..] => (Some(key), Some(elem)),
        };
        let top = turns.mark;
        if turns.pipe.assign {
            if let Some(name) = key_var {
                self.assign(name, index)?;
            }
            if let Some(name) = elem_var {
                self.assign(name, elem.clone())?;
            }
        } else {
            if elem_var.is_some() {
                self.set_top(top, 1, elem.clone());
            }
            if key_var.is_some() {
                self.set_top(top, 2, index);
            }
        }
        let flow = self.list(&elem, turns.body)?;
        self.vars.truncate(turns.mark);
        Ok(flow != Flow::Break)
    }

    fn set_top(&mut self, top: usize, back: usize, value: Val) {
        if let Some((_, slot)) = top.checked_sub(back).and_then(|at| self.vars.get_mut(at)) {
            *slot = value;
        }
    }

    fn call(&mut self, dot: &Val, pos: Pos, name: &'r str, pipe: Option<&'r Pipe>) -> Outcome<()> {
        self.at = Some(At::Call { pos, name, pipe });
        let Some((name, tree)) = self.trees.get_key_value(name) else {
            let quoted = quote::quote(name.as_bytes());
            return self.fail(Cause::Other, format!("template {quoted} not defined"));
        };
        if self.depth == MAX_CALLS || !self.ctx.stack.has_room() {
            return self.fail_with(
                Cause::Limit,
                format!("exceeded maximum template depth ({MAX_CALLS})"),
                "exceeded maximum template depth: templates call each other without an end",
            );
        }
        let dot = match pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Val::invalid(),
        };
        let vars = std::mem::replace(&mut self.vars, vec![("$".into(), dot.clone())]);
        let template = std::mem::replace(&mut self.template, name.clone());
        let at = self.at;
        self.depth += 1;
        self.list(&dot, &tree.body)?;
        self.depth -= 1;
        self.at = at;
        self.template = template;
        self.vars = vars;
        Ok(())
    }
}

/// What all turns of one loop share.
struct Turns<'r> {
    pipe: &'r Pipe,
    body: &'r [Stmt],
    /// Variables below the body's own.
    mark: usize,
    ran: bool,
}

fn index(at: usize) -> Val {
    Val::of(Value::Int(i64::try_from(at).unwrap_or(i64::MAX)), &Type::Int)
}
