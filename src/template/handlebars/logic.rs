//! Comparisons, truth, defaults.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::{
    border::{from_json, number_text},
    call::{Args, Def, MANY, Outcome, plain, truth},
    math::Number,
};

pub(super) const FUNCS: &[Def] = &[
    Def::new("eq", "A B", (2, 2), |_, args| truth_json(equal(args.get(0), args.get(1)))),
    Def::new("ne", "A B", (2, 2), |_, args| truth_json(!equal(args.get(0), args.get(1)))),
    Def::new("lt", "A B", (2, 2), |_, args| compared(args, Ordering::is_lt)),
    Def::new("lte", "A B", (2, 2), |_, args| compared(args, Ordering::is_le)),
    Def::new("gt", "A B", (2, 2), |_, args| compared(args, Ordering::is_gt)),
    Def::new("gte", "A B", (2, 2), |_, args| compared(args, Ordering::is_ge)),
    Def::new("and", "A B …", (1, MANY), |_, args| truth_json(args.all().all(truth))).lenient(),
    Def::new("or", "A B …", (1, MANY), |_, args| truth_json(args.all().any(truth))).lenient(),
    Def::new("not", "A", (1, 1), |_, args| truth_json(!truth(args.get(0)))).lenient(),
    Def::new("default", "VALUE INSTEAD …", (2, MANY), first_filled).lenient(),
];

fn truth_json(truth: bool) -> Outcome {
    Ok(Some(Json::Bool(truth)))
}

/// Numbers are equal by value, whatever their digits; a text that is a number equals it.
pub(super) fn equal(a: &Json, b: &Json) -> bool {
    if number_text(a).is_some() || number_text(b).is_some() {
        return match (Number::of(a), Number::of(b)) {
            (Some(a), Some(b)) => a.compare(&b) == Some(Ordering::Equal),
            _ => false,
        };
    }
    from_json(a) == from_json(b)
}

fn compared(args: &Args<'_, '_>, holds: fn(Ordering) -> bool) -> Outcome {
    let (a, b) = (args.get(0), args.get(1));
    let numbers = Number::of(a).zip(Number::of(b));
    let ordering = match &numbers {
        Some((a, b)) => a.compare(b),
        None => match (a, b) {
            (Json::String(_), Json::String(_)) => Some(plain(a).cmp(&plain(b))),
            _ => None,
        },
    };
    match ordering {
        Some(ordering) => truth_json(holds(ordering)),
        None => {
            Err(args
                .wrong(if Number::of(a).is_some() { 1 } else { 0 }, "two numbers or two texts to compare"))
        }
    }
}

/// The first value that is there and neither null nor an empty text.
fn first_filled(_: &super::pass::Pass<'_>, args: &Args<'_, '_>) -> Outcome {
    let filled = |json: &&Json| !json.is_null() && json.as_str() != Some("");
    let found = (0..args.len()).filter_map(|at| args.there(at)).find(filled);
    Ok(found.or_else(|| args.there(args.len() - 1)).cloned())
}
