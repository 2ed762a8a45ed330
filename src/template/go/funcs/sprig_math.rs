//! Sprig's numbers: conversions, arithmetic on whole numbers and decimals, sequences.

use std::fmt::Write as _;

use super::{
    Args, Func, FuncError,
    cast::{to_float, to_int, to_text},
    math::by_zero,
};
use crate::template::go::{
    ctx::Ctx,
    format::{
        decimal::Decimal,
        number::{general, parse_int_clamped, parse_prefixed},
    },
    kind::Type,
    value::{List, Value},
};

const ANY: &[Type] = &[Type::Any];
const TWO: &[Type] = &[Type::Any, Type::Any];
const MORE: &[Type] = &[Type::Any, Type::Any];

/// What an operation with decimals counts for among the steps of a render.
const DECIMAL_STEPS: u64 = 4;
/// How much of a long number an operation goes through in a step.
const WORDS_PER_STEP: u64 = 16;
/// The same for the number's way back to a float.
const SQUARE_WORDS_PER_STEP: u64 = 100;

pub(super) const FUNCS: &[Func] = &[
    Func::new("sprig_int", ANY, Type::Int, "a whole number from anything", |_, args| {
        Ok(Value::Int(to_int(args.get(0))))
    }),
    Func::new("sprig_int64", ANY, Type::Int64, "a whole number of 64 bits from anything", |_, args| {
        Ok(Value::Int64(to_int(args.get(0))))
    }),
    Func::new("sprig_float64", ANY, Type::Float64, "a float from anything", |_, args| {
        Ok(Value::Float(to_float(args.get(0))))
    }),
    Func::new(
        "sprig_atoi",
        &[Type::String],
        Type::Int,
        "a whole number from text, 0 when it is none",
        |_, args| Ok(Value::Int(parse_int_clamped(args.bytes(0)))),
    ),
    Func::new("sprig_toDecimal", ANY, Type::Int64, "the number that octal digits stand for", to_decimal),
    Func::new("sprig_add1", ANY, Type::Int64, "one more", |_, args| {
        Ok(Value::Int64(to_int(args.get(0)).wrapping_add(1)))
    }),
    Func::new("sprig_add", ANY, Type::Int64, "the sum of whole numbers", |_, args| {
        Ok(Value::Int64(args.rest(0).iter().map(to_int).fold(0, i64::wrapping_add)))
    })
    .variadic(),
    Func::new("sprig_sub", TWO, Type::Int64, "the first minus the second", |_, args| {
        Ok(Value::Int64(to_int(args.get(0)).wrapping_sub(to_int(args.get(1)))))
    }),
    Func::new("sprig_mul", MORE, Type::Int64, "the product of whole numbers", |_, args| {
        Ok(Value::Int64(args.rest(0).iter().map(to_int).fold(1, i64::wrapping_mul)))
    })
    .variadic(),
    Func::new("sprig_div", TWO, Type::Int64, "the first divided by the second", |_, args| {
        quotient(&args, i64::wrapping_div)
    }),
    Func::new(
        "sprig_mod",
        TWO,
        Type::Int64,
        "the remainder of the first divided by the second",
        |_, args| quotient(&args, i64::wrapping_rem),
    ),
    Func::new("sprig_add1f", ANY, Type::Float64, "one more, as decimals", |ctx, args| {
        decimals(ctx, to_float(args.get(0)), &[Value::Int(1)], |a, b| Ok(a.plus(b)))
    }),
    Func::new("sprig_addf", ANY, Type::Float64, "the sum of decimals", |ctx, args| {
        decimals(ctx, 0.0, args.rest(0), |a, b| Ok(a.plus(b)))
    })
    .variadic(),
    Func::new("sprig_subf", MORE, Type::Float64, "the first minus the others, as decimals", |ctx, args| {
        decimals(ctx, to_float(args.get(0)), args.rest(1), |a, b| Ok(a.minus(b)))
    })
    .variadic(),
    Func::new("sprig_mulf", MORE, Type::Float64, "the product of decimals", |ctx, args| {
        decimals(ctx, to_float(args.get(0)), args.rest(1), |a, b| Ok(a.times(b)))
    })
    .variadic(),
    Func::new(
        "sprig_divf",
        MORE,
        Type::Float64,
        "the first divided by the others, as decimals",
        |ctx, args| {
            decimals(ctx, to_float(args.get(0)), args.rest(1), |a, b| {
                a.divided_by(b).ok_or_else(|| FuncError::new("decimal division by 0"))
            })
        },
    )
    .variadic(),
    Func::new("sprig_max", MORE, Type::Int64, "the biggest whole number", biggest).variadic(),
    Func::new("sprig_biggest", MORE, Type::Int64, "the biggest whole number", biggest).variadic(),
    Func::new("sprig_min", MORE, Type::Int64, "the smallest whole number", |_, args| {
        Ok(Value::Int64(args.rest(0).iter().map(to_int).min().unwrap_or(0)))
    })
    .variadic(),
    Func::new("sprig_maxf", MORE, Type::Float64, "the biggest number", |_, args| {
        Ok(floats(&args, f64::INFINITY))
    })
    .variadic(),
    Func::new("sprig_minf", MORE, Type::Float64, "the smallest number", |_, args| {
        Ok(floats(&args, f64::NEG_INFINITY))
    })
    .variadic(),
    Func::new("sprig_ceil", ANY, Type::Float64, "rounded up", |_, args| {
        Ok(Value::Float(to_float(args.get(0)).ceil()))
    }),
    Func::new("sprig_floor", ANY, Type::Float64, "rounded down", |_, args| {
        Ok(Value::Float(to_float(args.get(0)).floor()))
    }),
    Func::new(
        "sprig_round",
        &[Type::Any, Type::Int, Type::Float64],
        Type::Float64,
        "rounded to a number of decimals",
        round,
    )
    .variadic(),
    Func::new("sprig_seq", &[Type::Int], Type::String, "numbers in a row, as text", seq).variadic(),
    Func::new(
        "sprig_until",
        &[Type::Int],
        Type::INTS,
        "the numbers from 0 to before a number",
        |ctx, args| {
            let count = args.int(0);
            ints(steps(ctx, 0, count, if count < 0 { -1 } else { 1 })?)
        },
    ),
    Func::new(
        "sprig_untilStep",
        &[Type::Int, Type::Int, Type::Int],
        Type::INTS,
        "numbers from a start to before a stop, by a step",
        |ctx, args| ints(steps(ctx, args.int(0), args.int(1), args.int(2))?),
    ),
    Func::new(
        "sprig_randInt",
        &[Type::Int, Type::Int],
        Type::Int,
        "a random number below a maximum",
        rand_int,
    ),
];

fn to_decimal(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let text = to_text(args.get(0))?;
    let text = text.as_str().unwrap_or_default();
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) if text.starts_with('-') => ("-", digits),
        Some(digits) => ("", digits),
        None => ("", text),
    };
    let octal = !digits.is_empty() && digits.bytes().all(|b| (b'0'..b'8').contains(&b));
    let number = if octal { parse_prefixed(&format!("{sign}0o{digits}")).unwrap_or(0) } else { 0 };
    Ok(Value::Int64(number))
}

fn quotient(args: &Args, operation: fn(i64, i64) -> i64) -> Result<Value, FuncError> {
    let (left, right) = (to_int(args.get(0)), to_int(args.get(1)));
    if right == 0 { Err(by_zero()) } else { Ok(Value::Int64(operation(left, right))) }
}

fn decimals(
    ctx: &mut Ctx<'_>,
    first: f64,
    rest: &[Value],
    operation: impl Fn(&Decimal, &Decimal) -> Result<Decimal, FuncError>,
) -> Result<Value, FuncError> {
    let decimal = |number| {
        Decimal::from_float(number)
            .ok_or_else(|| FuncError::new(format!("Cannot create a Decimal from {}", general(number))))
    };
    let mut result = decimal(first)?;
    for value in rest {
        ctx.labour(DECIMAL_STEPS + result.words() / WORDS_PER_STEP)?;
        result = operation(&result, &decimal(to_float(value))?)?;
    }
    // Digits are written one by one, each at the cost of the whole number.
    ctx.labour(result.words().pow(2) / SQUARE_WORDS_PER_STEP)?;
    // A decimal has no negative zero.
    Ok(Value::Float(result.to_float() + 0.0))
}

fn biggest(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    Ok(Value::Int64(args.rest(0).iter().map(to_int).max().unwrap_or(0)))
}

/// Go's `math.Max` and `math.Min` answer NaN when one side is.
/// The number nearest to an infinity; infinities win before NaN does, and zeros have signs, as in Go.
fn floats(args: &Args, infinity: f64) -> Value {
    let numbers = args.rest(0).iter().map(to_float);
    let chosen = numbers.reduce(|a, b| {
        if a == infinity || b == infinity {
            infinity
        } else if a.is_nan() || b.is_nan() {
            f64::NAN
        } else if a == b {
            let first = a.is_sign_negative() == infinity.is_sign_negative();
            if first { a } else { b }
        } else if (a > b) == (infinity > 0.0) {
            a
        } else {
            b
        }
    });
    Value::Float(chosen.unwrap_or(0.0))
}

fn round(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let on = match args.get(2) {
        Value::Float(on) => *on,
        _ => 0.5,
    };
    let places = i32::try_from(args.int(1).clamp(-400, 400)).unwrap_or(0);
    let power = 10f64.powi(places);
    let digits = power * to_float(args.get(0));
    let rounded = if digits.fract() >= on { digits.ceil() } else { digits.floor() };
    Ok(Value::Float(rounded / power))
}

/// Numbers from `start` to before `stop`; none when the step leads away.
fn steps(ctx: &mut Ctx<'_>, start: i64, stop: i64, step: i64) -> Result<Vec<i64>, FuncError> {
    if step == 0 || (stop < start) != (step < 0) {
        return Ok(Vec::new());
    }
    let count =
        (i128::from(stop) - i128::from(start)).unsigned_abs().div_ceil(u128::from(step.unsigned_abs()));
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    ctx.charge(count.saturating_mul(size_of::<Value>()))?;
    Ok((0..count as i64).map(|index| start.wrapping_add(index.wrapping_mul(step))).collect())
}

fn ints(numbers: Vec<i64>) -> Result<Value, FuncError> {
    Ok(Value::List(List::new(&Type::Int, numbers.into_iter().map(Value::Int).collect())))
}

fn seq(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let (start, step, end) = match args.len() {
        1 => (1, None, args.int(0)),
        2 => (args.int(0), None, args.int(1)),
        3 => (args.int(0), Some(args.int(1)), args.int(2)),
        _ => return Ok(Value::text("")),
    };
    let direction = if end < start { -1 } else { 1 };
    let step = match step {
        Some(step) if direction < 0 && step > 0 => return Ok(Value::text("")),
        Some(step) => step,
        None => direction,
    };
    let numbers = steps(ctx, start, end.wrapping_add(direction), step)?;
    let mut text = String::new();
    for (at, number) in numbers.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{}{number}", if at > 0 { " " } else { "" });
    }
    Ok(Value::text(text))
}

fn rand_int(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let (low, high) = (args.int(0), args.int(1));
    let range = high.wrapping_sub(low);
    let Some(range) = u64::try_from(range).ok().filter(|range| *range > 0) else {
        return Err(FuncError::new("invalid argument to Intn"));
    };
    let random = random_below(ctx, range)?;
    Ok(Value::Int(low.wrapping_add(i64::try_from(random).unwrap_or(0))))
}

/// A uniform random number below `limit`.
pub(super) fn random_below(ctx: &mut Ctx<'_>, limit: u64) -> Result<u64, FuncError> {
    // Numbers beyond the last full multiple would come more often.
    let zone = u64::MAX - u64::MAX % limit.max(1);
    for _ in 0..128 {
        let mut bytes = [0; 8];
        ctx.host.random(&mut bytes).map_err(FuncError::new)?;
        let number = u64::from_le_bytes(bytes);
        if number < zone {
            return Ok(number % limit.max(1));
        }
    }
    Err(FuncError::new("the random numbers are not random"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, text};
    use super::*;

    fn shown(name: &str, args: &[Value]) -> String {
        text("sprig_toString", vec![call(name, args.to_vec()).unwrap()])
    }

    fn int(number: i64) -> Value {
        Value::Int(number)
    }

    #[test]
    fn sequences_match_the_original_and_are_bounded() {
        for (args, out) in [
            (&[5][..], "1 2 3 4 5"),
            (&[-3], "1 0 -1 -2 -3"),
            (&[0], "1 0"),
            (&[5, 2], "5 4 3 2"),
            (&[0, 2, 10], "0 2 4 6 8 10"),
            (&[10, -2, 0], "10 8 6 4 2 0"),
            (&[0, -2, 10], ""),
            (&[10, 2, 0], ""),
            (&[1, 2, 3, 4], ""),
            (&[], ""),
        ] {
            let args: Vec<Value> = args.iter().copied().map(int).collect();
            assert_eq!(shown("sprig_seq", &args), out);
        }
        assert_eq!(shown("sprig_until", &[int(-3)]), "[0 -1 -2]");
        assert!(fails("sprig_until", vec![int(i64::MAX)]).contains("MiB"));
        assert!(fails("sprig_untilStep", vec![int(i64::MIN), int(i64::MAX), int(1)]).contains("MiB"));
        assert_eq!(
            shown("sprig_untilStep", &[int(i64::MIN), int(i64::MAX), int(i64::MAX)]).split(' ').count(),
            3
        );
    }

    #[test]
    fn decimals_have_no_binary_noise() {
        let float = Value::Float;
        for (name, args, out) in [
            ("sprig_addf", vec![float(1.1), float(2.2)], "3.3"),
            ("sprig_subf", vec![int(5), float(1.5), int(1)], "2.5"),
            ("sprig_mulf", vec![float(1.1), float(1.1)], "1.21"),
            ("sprig_divf", vec![int(1), int(3)], "0.3333333333333333"),
            ("sprig_add1f", vec![float(1.5)], "2.5"),
            ("sprig_addf", vec![], "0"),
        ] {
            assert_eq!(shown(name, &args), out, "{name}");
        }
        assert_eq!(fails("sprig_divf", vec![int(1), int(0)]), "decimal division by 0");
        assert!(call("sprig_addf", vec![float(f64::NAN)]).is_err());
    }

    #[test]
    fn rounding() {
        for (number, places, out) in
            [(123.5555, 3, "123.556"), (123.4455, 2, "123.45"), (-1.5, 0, "-2"), (2.5, 0, "3")]
        {
            assert_eq!(shown("sprig_round", &[Value::Float(number), int(places)]), out);
        }
        assert_eq!(shown("sprig_round", &[Value::Float(1.25), int(1), Value::Float(0.6)]), "1.2");
        assert!(call("sprig_round", vec![int(1), int(i64::MAX)]).is_ok());
    }

    #[test]
    fn whole_numbers() {
        assert_eq!(shown("sprig_add", &[int(1), int(2), Value::text("3")]), "6");
        assert_eq!(shown("sprig_mod", &[int(-7), int(3)]), "-1");
        assert_eq!(shown("sprig_div", &[int(i64::MIN), int(-1)]), i64::MIN.to_string());
        assert_eq!(fails("sprig_div", vec![int(1), int(0)]), "runtime error: integer divide by zero");
        for (text, out) in [("0777", "511"), ("777", "511"), ("9", "0"), ("-17", "-15"), ("", "0")] {
            assert_eq!(shown("sprig_toDecimal", &[Value::text(text)]), out);
        }
        assert_eq!(shown("sprig_maxf", &[int(1), Value::Float(2.5)]), "2.5");
    }

    #[test]
    fn random_numbers_stay_in_range() {
        for _ in 0..20 {
            assert!(matches!(call("sprig_randInt", vec![int(5), int(7)]), Ok(Value::Int(5..=6))));
        }
        assert_eq!(fails("sprig_randInt", vec![int(5), int(5)]), "invalid argument to Intn");
    }
}
