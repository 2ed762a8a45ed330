//! What the parser makes of a template. `Display` prints a node the way Go does in its messages.

use std::{fmt, sync::Arc};

use super::{funcs::Func, value::Key};
use crate::vault::value::Text;

/// Byte offset in the template text.
pub type Pos = usize;

/// One named template: the whole text, a `define` or a `block`.
pub struct Tree {
    /// Its name; empty for the whole text.
    pub name: Arc<str>,
    /// Its body.
    pub body: Vec<Stmt>,
}

/// Text or an action.
pub enum Stmt {
    /// Text, copied as it stands.
    Text(Text),
    /// `{{ pipeline }}`.
    Action(Pipe),
    /// `if` and `with`.
    Branch {
        /// `with` moves the dot.
        with: bool,
        /// The condition.
        pipe: Pipe,
        /// When it is true.
        body: Vec<Stmt>,
        /// When it is not.
        otherwise: Option<Vec<Stmt>>,
    },
    /// `range`.
    Range {
        /// What is ranged over, with its variables.
        pipe: Pipe,
        /// Run for each element.
        body: Vec<Stmt>,
        /// Run when there is none.
        otherwise: Option<Vec<Stmt>>,
    },
    /// `template`, and the call that a `block` leaves.
    Call {
        /// Where the name stands.
        pos: Pos,
        /// The name.
        name: Arc<str>,
        /// The new dot.
        pipe: Option<Pipe>,
    },
    /// `break`.
    Break,
    /// `continue`.
    Continue,
}

/// Commands joined by `|`, with the variables that take the result.
pub struct Pipe {
    /// Where it starts.
    pub pos: Pos,
    /// Variables before `:=` or `=`.
    pub decl: Vec<Arc<str>>,
    /// `=` instead of `:=`.
    pub assign: bool,
    /// At least one.
    pub commands: Vec<Command>,
}

/// Operands separated by blanks; the first may be a function.
pub struct Command {
    /// Where it starts.
    pub pos: Pos,
    /// At least one.
    pub args: Vec<Node>,
}

/// A field name, ready as a map key.
#[derive(Clone)]
pub struct Name {
    /// The name.
    pub text: Arc<str>,
    /// The same as a key.
    pub key: Key,
}

/// An operand.
pub struct Node {
    /// Where it starts (a chain: its first dot, as in Go).
    pub pos: Pos,
    /// What it is.
    pub kind: Operand,
}

/// Kinds of operand.
pub enum Operand {
    /// `true`, `false`.
    Bool(bool),
    /// `.`
    Dot,
    /// `nil`
    Nil,
    /// A number or character constant; boxed, because it is by far the largest and seldom.
    Number(Box<Number>),
    /// A string constant: as written, and its value.
    String(Arc<str>, Text),
    /// `.a.b`
    Field(Vec<Name>),
    /// `$x.a.b`: the variable with its dollar, and fields.
    Variable(Arc<str>, Vec<Name>),
    /// A function's name.
    Function(&'static str, &'static Func),
    /// `(…).a.b` or `f.a`.
    Chain(Box<Node>, Vec<Name>),
    /// `(…)`
    Pipe(Box<Pipe>),
}

/// A number constant under all types that can hold it.
#[derive(Clone)]
pub struct Number {
    /// As written.
    pub text: Arc<str>,
    /// As a signed integer.
    pub int: Option<i64>,
    /// As an unsigned integer.
    pub uint: Option<u64>,
    /// As a float.
    pub float: Option<f64>,
    /// Real and imaginary part, of constants that end in `i` only.
    pub complex: Option<(f64, f64)>,
}

impl Name {
    /// A field name.
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), key: Key::String(text.into()) }
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.decl.is_empty() {
            write!(f, "{} {} ", self.decl.join(", "), if self.assign { "=" } else { ":=" })?;
        }
        for (number, command) in self.commands.iter().enumerate() {
            if number > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{command}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, arg) in self.args.iter().enumerate() {
            if number > 0 {
                f.write_str(" ")?;
            }
            match &arg.kind {
                Operand::Pipe(pipe) => write!(f, "({pipe})")?,
                _ => write!(f, "{arg}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = |f: &mut fmt::Formatter<'_>, names: &[Name]| {
            names.iter().try_for_each(|name| write!(f, ".{}", name.text))
        };
        match &self.kind {
            Operand::Bool(value) => write!(f, "{value}"),
            Operand::Dot => f.write_str("."),
            Operand::Nil => f.write_str("nil"),
            Operand::Number(number) => f.write_str(&number.text),
            Operand::String(quoted, _) => f.write_str(quoted),
            Operand::Field(names) => fields(f, names),
            Operand::Variable(name, names) => {
                f.write_str(name)?;
                fields(f, names)
            }
            Operand::Function(name, _) => f.write_str(name),
            Operand::Chain(node, names) => {
                match &node.kind {
                    Operand::Pipe(pipe) => write!(f, "({pipe})")?,
                    _ => write!(f, "{node}")?,
                }
                fields(f, names)
            }
            Operand::Pipe(pipe) => write!(f, "{pipe}"),
        }
    }
}
