//! Consul-template's arithmetic: made for pipes, so the piped value comes last and is the left side.

use super::{Args, Func, FuncError};
use crate::template::go::{ctx::Ctx, kind::Type, printf, value::Value};

const TWO: &[Type] = &[Type::Any, Type::Any];

pub(super) const FUNCS: &[Func] = &[
    Func::new("add", TWO, Type::Any, "the sum", |_, args| arithmetic("add", &args)),
    Func::new("subtract", TWO, Type::Any, "the second minus the first", |_, args| {
        arithmetic("subtract", &args)
    }),
    Func::new("multiply", TWO, Type::Any, "the product", |_, args| arithmetic("multiply", &args)),
    Func::new("divide", TWO, Type::Any, "the second divided by the first", |_, args| {
        arithmetic("divide", &args)
    }),
    Func::new("modulo", TWO, Type::Any, "the remainder of the second divided by the first", |_, args| {
        arithmetic("modulo", &args)
    }),
    Func::new("minimum", TWO, Type::Any, "the smaller number", minimum),
    Func::new("maximum", TWO, Type::Any, "the bigger number", maximum),
];

/// A number by family, as the original sorts Go's kinds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Num {
    Int(i64),
    Uint(u64),
    Float(f64),
}

impl Num {
    fn of(name: &str, value: &Value) -> Result<Self, FuncError> {
        Ok(match value {
            Value::Int(number) | Value::Int64(number) => Self::Int(*number),
            Value::Uint64(number) => Self::Uint(*number),
            Value::Uint8(number) => Self::Uint(u64::from(*number)),
            Value::Float(number) => Self::Float(*number),
            other => return Err(unknown(name, other)),
        })
    }

    /// As the original converts: unsigned numbers wrap.
    const fn int(self) -> i64 {
        match self {
            Self::Int(number) => number,
            Self::Uint(number) => number as i64,
            Self::Float(number) => number as i64,
        }
    }

    const fn float(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Uint(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    const fn value(self) -> Value {
        match self {
            Self::Int(number) => Value::Int64(number),
            Self::Uint(number) => Value::Uint64(number),
            Self::Float(number) => Value::Float(number),
        }
    }
}

fn unknown(name: &str, value: &Value) -> FuncError {
    let of = value.type_name();
    let hidden = format!("{name}: unknown type ({of})");
    let shown = match value {
        Value::Nil => {
            return FuncError::new(format!("{name}: unknown type for <invalid reflect.Value> ({of})"));
        }
        _ => match printf::sprintf(b"%q", std::slice::from_ref(value)) {
            Ok(shown) => shown,
            Err(error) => return error,
        },
    };
    let shown = String::from_utf8_lossy(shown.as_bytes()).into_owned();
    FuncError::quoting(format!("{name}: unknown type for {shown} ({of})"), hidden)
}

/// Both operands; the second argument is the left one, and is looked at first.
fn operands(name: &str, args: &Args) -> Result<(Num, Num), FuncError> {
    let left = Num::of(name, args.get(1))?;
    if name == "modulo" && matches!(left, Num::Float(_)) {
        return Err(unknown(name, args.get(1)));
    }
    let right = Num::of(name, args.get(0))?;
    if name == "modulo" && matches!(right, Num::Float(_)) {
        return Err(unknown(name, args.get(0)));
    }
    Ok((left, right))
}

fn arithmetic(name: &str, args: &Args) -> Result<Value, FuncError> {
    let (left, right) = operands(name, args)?;
    match (left, right) {
        (Num::Float(_), _) | (_, Num::Float(_)) => {
            Ok(Value::Float(floats(name, left.float(), right.float())))
        }
        (Num::Uint(left), Num::Uint(right)) => unsigned(name, left, right).map(Value::Uint64),
        _ => signed(name, left.int(), right.int()).map(Value::Int64),
    }
}

fn floats(name: &str, left: f64, right: f64) -> f64 {
    match name {
        "add" => left + right,
        "subtract" => left - right,
        "multiply" => left * right,
        _ => left / right,
    }
}

fn signed(name: &str, left: i64, right: i64) -> Result<i64, FuncError> {
    match name {
        "add" => Ok(left.wrapping_add(right)),
        "subtract" => Ok(left.wrapping_sub(right)),
        "multiply" => Ok(left.wrapping_mul(right)),
        _ if right == 0 => Err(by_zero()),
        "divide" => Ok(left.wrapping_div(right)),
        _ => Ok(left.wrapping_rem(right)),
    }
}

fn unsigned(name: &str, left: u64, right: u64) -> Result<u64, FuncError> {
    match name {
        "add" => Ok(left.wrapping_add(right)),
        "subtract" => Ok(left.wrapping_sub(right)),
        "multiply" => Ok(left.wrapping_mul(right)),
        "divide" => left.checked_div(right).ok_or_else(by_zero),
        _ => left.checked_rem(right).ok_or_else(by_zero),
    }
}

/// Go's words for an integer division by zero.
pub(super) fn by_zero() -> FuncError {
    FuncError::new("runtime error: integer divide by zero")
}

/// Whether `a` is less than `b`, compared in the family that Go converts to.
fn less(a: Num, b: Num) -> bool {
    match (a, b) {
        (Num::Float(_), _) | (_, Num::Float(_)) => a.float() < b.float(),
        (Num::Uint(a), Num::Uint(b)) => a < b,
        _ => a.int() < b.int(),
    }
}

fn minimum(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let (second, first) = operands("minimum", &args)?;
    Ok(if less(second, first) { second } else { first }.value())
}

fn maximum(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let (second, first) = operands("maximum", &args)?;
    Ok(if less(first, second) { second } else { first }.value())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails};
    use super::*;

    fn int(name: &str, a: i64, b: i64) -> i64 {
        match call(name, vec![Value::Int(a), Value::Int(b)]).unwrap() {
            Value::Int64(number) => number,
            other => panic!("{}", other.type_name()),
        }
    }

    #[test]
    fn the_first_argument_is_the_right_side() {
        assert_eq!(int("subtract", 2, 5), 3);
        assert_eq!(int("divide", 3, -10), -3);
        assert_eq!(int("modulo", 3, -10), -1);
        assert_eq!(int("minimum", 2, 5), 2);
        assert_eq!(int("maximum", 2, 5), 5);
    }

    #[test]
    fn nothing_panics_at_the_edges() {
        assert_eq!(int("add", i64::MAX, 1), i64::MIN);
        assert_eq!(int("divide", -1, i64::MIN), i64::MIN);
        assert_eq!(int("modulo", -1, i64::MIN), 0);
        for name in ["divide", "modulo"] {
            assert_eq!(
                fails(name, vec![Value::Int(0), Value::Int(1)]),
                "runtime error: integer divide by zero"
            );
            let zero = vec![Value::Uint64(0), Value::Uint64(1)];
            assert_eq!(fails(name, zero), "runtime error: integer divide by zero");
        }
    }

    #[test]
    fn families_mix_as_in_the_original() {
        let name = |a, b| call("add", vec![a, b]).unwrap().type_name();
        assert_eq!(name(Value::Int(1), Value::Uint64(2)), "int64");
        assert_eq!(name(Value::Uint64(1), Value::Uint64(2)), "uint64");
        assert_eq!(name(Value::Int(1), Value::Float(2.0)), "float64");
        assert_eq!(call("minimum", vec![Value::Int(1), Value::Float(2.5)]).unwrap().type_name(), "int64");
        assert_eq!(
            fails("add", vec![Value::text("2"), Value::Int(1)]),
            "add: unknown type for \"2\" (string)"
        );
        assert_eq!(
            fails("add", vec![Value::Int(1), Value::Nil]),
            "add: unknown type for <invalid reflect.Value> (<nil>)"
        );
        assert_eq!(
            fails("modulo", vec![Value::Float(1.5), Value::Int(10)]),
            "modulo: unknown type for %!q(float64=1.5) (float64)"
        );
    }
}
