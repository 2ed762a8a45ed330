//! Arithmetic: whole numbers exactly, others as 64-bit floating point.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::{
    border,
    call::{Args, Def, MANY, Outcome, plain},
    pass::Refusal,
};

pub(super) const FUNCS: &[Def] = &[
    Def::new("add", "A B …", (2, MANY), |_, args| folded(args, i128::checked_add, |a, b| a + b)),
    Def::new("sub", "A B", (2, 2), |_, args| folded(args, i128::checked_sub, |a, b| a - b)),
    Def::new("mul", "A B …", (2, MANY), |_, args| folded(args, i128::checked_mul, |a, b| a * b)),
    Def::new("div", "A B", (2, 2), divided),
    Def::new("mod", "A B", (2, 2), |_, args| match (number(args, 0)?, number(args, 1)?) {
        (_, b) if b.float() == 0.0 => Err(by_zero()),
        (Number::Whole(a), Number::Whole(b)) => whole(a.checked_rem_euclid(b)),
        _ => Err(args.wrong(1, "a whole number")),
    }),
    Def::new("min", "A B …", (1, MANY), |_, args| extreme(args, Ordering::Less)),
    Def::new("max", "A B …", (1, MANY), |_, args| extreme(args, Ordering::Greater)),
    Def::new("round", "A", (1, 1), |_, args| match number(args, 0)? {
        Number::Whole(number) => whole(Some(number)),
        #[expect(clippy::cast_possible_truncation, reason = "a float beyond 128 bits stays at the limit")]
        Number::Other(number) => whole(Some(number.round() as i128)),
    }),
];

/// A number to calculate with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    /// A whole one.
    Whole(i128),
    /// Any other one, finite.
    Other(f64),
}

impl Number {
    /// A number, or a text that is one.
    pub(super) fn of(json: &Json) -> Option<Self> {
        if json.is_boolean() {
            return None;
        }
        let text = plain(json)?;
        let text = text.trim();
        if let Ok(number) = text.parse() {
            return Some(Self::Whole(number));
        }
        // Words like `inf` are none.
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        text.parse::<f64>().ok().filter(|number| is_number && number.is_finite()).map(Self::Other)
    }

    #[expect(clippy::cast_precision_loss, reason = "floats are not exact")]
    fn float(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Other(number) => number,
        }
    }

    /// Which one is larger.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => Some(a.cmp(b)),
            _ => self.float().partial_cmp(&other.float()),
        }
    }
}

fn number(args: &Args<'_, '_>, at: usize) -> Result<Number, Refusal> {
    Number::of(args.get(at)).ok_or_else(|| args.wrong(at, "a number"))
}

fn whole(number: Option<i128>) -> Outcome {
    match number {
        Some(number) => Ok(Some(border::number(&number.to_string()))),
        None => Err(Refusal::function("the result is too large")),
    }
}

fn float(number: f64) -> Outcome {
    if !number.is_finite() {
        return Err(Refusal::function("the result is no number"));
    }
    Ok(Some(border::number(&number.to_string())))
}

fn folded(
    args: &Args<'_, '_>,
    exact: fn(i128, i128) -> Option<i128>,
    floats: fn(f64, f64) -> f64,
) -> Outcome {
    let mut total = number(args, 0)?;
    for at in 1..args.len() {
        total = match (total, number(args, at)?) {
            (Number::Whole(a), Number::Whole(b)) => match exact(a, b) {
                Some(number) => Number::Whole(number),
                None => return whole(None),
            },
            (a, b) => Number::Other(floats(a.float(), b.float())),
        };
    }
    match total {
        Number::Whole(number) => whole(Some(number)),
        Number::Other(number) => float(number),
    }
}

fn by_zero() -> Refusal {
    Refusal::function("division by zero").hint("ask before: {{#if B}}{{div A B}}{{/if}}")
}

fn divided(_: &super::pass::Pass<'_>, args: &Args<'_, '_>) -> Outcome {
    match (number(args, 0)?, number(args, 1)?) {
        (Number::Whole(a), Number::Whole(b)) if b != 0 && a % b == 0 => whole(a.checked_div(b)),
        (_, b) if b.float() == 0.0 => Err(by_zero()),
        (a, b) => float(a.float() / b.float()),
    }
}

fn extreme(args: &Args<'_, '_>, wanted: Ordering) -> Outcome {
    let mut best = 0;
    for at in 0..args.len() {
        if number(args, at)?.compare(&number(args, best)?) == Some(wanted) {
            best = at;
        }
    }
    Ok(Some(args.get(best).clone()))
}
