//! Go structs that templates meet: secrets, certificates, times, versions, the scratch pad.

use std::{any::Any, fmt, rc::Rc};

use super::{
    funcs::{Func, FuncError},
    kind::Type,
    value::{Value, dismantle},
};
use crate::vault::value::Text;

/// Writes a part of a value.
pub type Show = fn(&Object) -> Result<Text, FuncError>;

/// Names and values of fields.
pub type Hidden = Vec<(&'static str, Value)>;

/// What is known about a struct type without a value of it.
pub struct StructType {
    /// Name with its package, as Go prints it: `dependency.Secret`.
    pub name: &'static str,
    /// Exported fields in the order of declaration.
    pub fields: &'static [(&'static str, Type)],
    /// Methods. The receiver is argument 0 of `run` and not part of `params`.
    pub methods: &'static [Func],
    /// The `String` method that printing uses, for types that have one.
    pub text: Option<fn(&Object) -> Text>,
    /// What `%v` shows between the braces, for types whose fields templates can't see.
    pub inside: Option<Show>,
    /// Fields that templates can't see, as far as printing shows them when no method says how.
    pub hidden: Option<fn(&Object) -> Hidden>,
    /// The `GoString` method that `%#v` uses, for types that have one.
    pub syntax: Option<fn(&Object) -> Text>,
}

impl fmt::Debug for StructType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl StructType {
    /// Position and type of a field.
    pub fn field(&self, name: &str) -> Option<(usize, &'static Type)> {
        let at = self.fields.iter().position(|(field, _)| *field == name)?;
        Some((at, &self.fields[at].1))
    }

    /// A method by name.
    pub fn method(&self, name: &str) -> Option<&'static Func> {
        self.methods.iter().find(|method| method.name == name)
    }
}

/// A struct, or a pointer to one.
pub struct Object {
    /// Its type.
    pub of: &'static StructType,
    /// Whether the template holds a pointer: it prints and is named differently.
    pub pointer: bool,
    /// Values of the exported fields, in order.
    pub fields: Vec<Value>,
    /// What the methods work on, for types that are more than their fields.
    pub state: Option<Rc<dyn Any>>,
}

impl Object {
    /// A field by name.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(self.of.field(name)?.0)
    }

    /// The state behind the methods, when it is a `T`.
    pub fn state<T: 'static>(&self) -> Option<&T> {
        self.state.as_deref()?.downcast_ref()
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        dismantle(&mut self.fields);
    }
}
