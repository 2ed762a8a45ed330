//! One operand under one verb, as Go's fmt package writes it: containers, and words for what doesn't fit.

mod scalar;

use zeroize::Zeroizing;

use super::{
    funcs::FuncError,
    meter,
    object::Object,
    value::{List, Map, Value},
};
use crate::vault::value::Text;

/// How deep data may nest to be printed.
const MAX_DEPTH: usize = 200;

/// The flags of one verb.
#[derive(Clone, Copy, Default)]
pub struct Flags {
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    /// `%+v`
    pub(super) names: bool,
    /// `%#v`
    pub(super) syntax: bool,
}

/// Collects printed text.
#[derive(Default)]
pub struct Printer {
    out: Zeroizing<Vec<u8>>,
    /// Inside the words about a wrong verb, where `String` methods are not asked.
    complaining: bool,
}

impl Printer {
    /// Writes bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// What was printed.
    pub fn finish(mut self) -> Text {
        std::mem::take(&mut *self.out).into()
    }

    /// Prints one operand.
    ///
    /// # Errors
    /// Data that nests too deep, text that gets too large.
    pub fn arg(&mut self, value: &Value, verb: char, flags: Flags) -> Result<(), FuncError> {
        match (value, verb) {
            (Value::Nil, 'v' | 'T') => self.pad(b"<nil>", flags),
            (_, 'T') => self.string(value.type_name().as_bytes(), 's', flags),
            (Value::Nil, _) | (_, 'w') => return self.bad_verb(value, verb, flags),
            _ => return self.value(value, verb, flags, 0),
        }
        Ok(())
    }

    fn value(&mut self, value: &Value, verb: char, flags: Flags, depth: usize) -> Result<(), FuncError> {
        if depth > MAX_DEPTH {
            return Err(FuncError::new("the data nests deeper than 200 levels and can't be printed"));
        }
        meter::visit(value, self.out.len())?;
        match value {
            Value::Nil if flags.syntax => self.raw(b"interface {}(nil)"),
            Value::Nil => self.raw(b"<nil>"),
            Value::Bool(flag) if matches!(verb, 't' | 'v') => {
                self.pad(if *flag { b"true" } else { b"false" }, flags);
            }
            Value::Int(number) | Value::Int64(number) if int_verb(verb) => {
                self.int(number.cast_unsigned(), *number < 0, false, verb, flags);
            }
            Value::Uint64(number) if int_verb(verb) => self.int(*number, false, true, verb, flags),
            Value::Uint8(number) if int_verb(verb) => self.int(u64::from(*number), false, true, verb, flags),
            Value::Float(number) if "vbgGxXfFeE".contains(verb) => {
                // Digits are worked out even where they are not shown in the end.
                meter::read(flags.precision.unwrap_or(0))?;
                self.float(*number, verb, flags);
            }
            Value::Complex(real, imaginary) if "vbgGxXfFeE".contains(verb) => {
                self.raw(b"(");
                self.float(*real, verb, flags);
                self.float(*imaginary, verb, Flags { plus: true, ..flags });
                self.raw(b"i)");
            }
            Value::Number(text) if !self.complaining && !flags.syntax && "vsxXq".contains(verb) => {
                self.string(text.as_bytes(), verb, flags);
            }
            Value::String(text) | Value::Number(text) if "vsxXq".contains(verb) => {
                self.string(text.as_bytes(), verb, flags);
            }
            Value::List(list) => return self.list(list, verb, flags, depth),
            Value::Map(map) => return self.map(map, verb, flags, depth),
            Value::Object(object)
                if object.pointer
                    && depth > 0
                    && !"vpbodxX".contains(verb)
                    && (object.of.text.is_none()
                        || self.complaining
                        || flags.syntax
                        || verb != 's' && verb != 'q') =>
            {
                return self.bad_verb(value, verb, flags);
            }
            Value::Object(object) => return self.object(object, verb, flags, depth),
            Value::NilPointer(_) if verb == 'v' && flags.syntax => {
                self.raw(format!("({})(nil)", value.type_name()).as_bytes());
            }
            Value::NilPointer(_) if verb == 'v' => self.pad(b"<nil>", flags),
            Value::NilPointer(_) if verb == 'p' => self.pad(b"0x0", flags),
            Value::NilPointer(_) if "bodxX".contains(verb) => self.int(0, false, true, verb, flags),
            Value::Channel(_) if matches!(verb, 'v' | 'p') => self.pad(ADDRESS.as_bytes(), flags),
            _ => return self.bad_verb(value, verb, flags),
        }
        Ok(())
    }

    fn list(&mut self, list: &List, verb: char, flags: Flags, depth: usize) -> Result<(), FuncError> {
        if verb == 'p' {
            self.pad(ADDRESS.as_bytes(), flags);
            return Ok(());
        }
        if flags.syntax {
            self.raw(format!("[]{}", list.elem).as_bytes());
            if list.is_nil() {
                self.raw(b"(nil)");
                return Ok(());
            }
        }
        let (open, comma, close): (&[u8], &[u8], &[u8]) =
            if flags.syntax { (b"{", b", ", b"}") } else { (b"[", b" ", b"]") };
        self.raw(open);
        for (at, item) in list.items().iter().enumerate() {
            if at > 0 {
                self.raw(comma);
            }
            self.value(item, verb, flags, depth + 1)?;
        }
        self.raw(close);
        Ok(())
    }

    fn map(&mut self, map: &Map, verb: char, flags: Flags, depth: usize) -> Result<(), FuncError> {
        if verb == 'p' {
            self.pad(ADDRESS.as_bytes(), flags);
            return Ok(());
        }
        let (open, comma, close): (&[u8], &[u8], &[u8]) =
            if flags.syntax { (b"{", b", ", b"}") } else { (b"map[", b" ", b"]") };
        if flags.syntax {
            self.raw(format!("map[{}]{}", map.key, map.elem).as_bytes());
            if map.is_nil() {
                self.raw(b"(nil)");
                return Ok(());
            }
        }
        self.raw(open);
        for (at, (key, value)) in map.entries().into_iter().enumerate() {
            if at > 0 {
                self.raw(comma);
            }
            self.value(&key.value(), verb, flags, depth + 1)?;
            self.raw(b":");
            self.value(&value, verb, flags, depth + 1)?;
        }
        self.raw(close);
        Ok(())
    }

    fn object(&mut self, object: &Object, verb: char, flags: Flags, depth: usize) -> Result<(), FuncError> {
        if let Some(text) = object.of.text
            && !self.complaining
            && !flags.syntax
            && "vsxXq".contains(verb)
        {
            self.string(text(object).as_bytes(), verb, flags);
            return Ok(());
        }
        if let Some(syntax) = object.of.syntax
            && flags.syntax
            && verb == 'v'
        {
            self.raw(syntax(object).as_bytes());
            return Ok(());
        }
        if object.pointer && (depth > 0 || verb == 'p') {
            self.pad(ADDRESS.as_bytes(), flags);
            return Ok(());
        }
        if object.pointer {
            self.raw(b"&");
        }
        self.fields(object, verb, flags, depth + 1)
    }

    /// A struct, or what a pointer to one points to.
    ///
    /// # Errors
    /// As [`Printer::arg`].
    pub fn structure(&mut self, object: &Object, flags: Flags) -> Result<(), FuncError> {
        match object.of.text {
            Some(text) => {
                self.raw(text(object).as_bytes());
                Ok(())
            }
            None => self.fields(object, 'v', flags, 1),
        }
    }

    fn fields(&mut self, object: &Object, verb: char, flags: Flags, depth: usize) -> Result<(), FuncError> {
        if flags.syntax {
            self.raw(object.of.name.as_bytes());
        }
        self.raw(b"{");
        if let Some(inside) = object.of.inside.filter(|_| verb == 'v' && !flags.syntax && !flags.names) {
            self.raw(inside(object)?.as_bytes());
        }
        let hidden = object.of.hidden.map(|hidden| hidden(object)).unwrap_or_default();
        let seen = object.of.fields.iter().map(|(name, _)| *name).zip(&object.fields);
        let all = seen.chain(hidden.iter().map(|(name, value)| (*name, value)));
        for (at, (name, value)) in all.enumerate() {
            if at > 0 {
                self.raw(if flags.syntax { b", " } else { b" " });
            }
            if flags.names || flags.syntax {
                self.raw(name.as_bytes());
                self.raw(b":");
            }
            self.value(value, verb, flags, depth)?;
        }
        self.raw(b"}");
        Ok(())
    }

    fn bad_verb(&mut self, value: &Value, verb: char, flags: Flags) -> Result<(), FuncError> {
        let outer = std::mem::replace(&mut self.complaining, true);
        self.raw(format!("%!{verb}(").as_bytes());
        if matches!(value, Value::Nil) {
            self.raw(b"<nil>");
        } else {
            self.raw(value.type_name().as_bytes());
            self.raw(b"=");
            self.arg(value, 'v', flags)?;
        }
        self.raw(b")");
        self.complaining = outer;
        Ok(())
    }
}

/// What stands for an address: real ones would differ from run to run.
const ADDRESS: &str = "0xc00000000000";

fn int_verb(verb: char) -> bool {
    "vdboOxXcqU".contains(verb)
}
