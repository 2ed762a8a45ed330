//! Functions over lists and mappings.

use serde_json::{Map, Value as Json};

use super::{
    border::encode,
    call::{Args, Def, MANY, Outcome, plain},
    logic::equal,
    math::Number,
    pass::Pass,
};

pub(super) const FUNCS: &[Def] = &[
    Def::new("lookup", "VALUE KEY", (2, 2), lookup),
    Def::new("len", "VALUE", (1, 1), |_, args| {
        let length = match args.get(0) {
            Json::Array(items) => items.len(),
            Json::Object(map) => map.len(),
            Json::Null => 0,
            _ => args.text(0)?.chars().count(),
        };
        Ok(Some(Json::from(length)))
    }),
    Def::new("keys", "MAPPING", (1, 1), |_, args| {
        Ok(Some(args.map(0)?.keys().map(|key| Json::String(key.clone())).collect()))
    }),
    Def::new("values", "MAPPING", (1, 1), |_, args| Ok(Some(args.map(0)?.values().cloned().collect()))),
    Def::new("first", "LIST", (1, 1), |_, args| Ok(args.list(0)?.first().cloned())),
    Def::new("last", "LIST", (1, 1), |_, args| Ok(args.list(0)?.last().cloned())),
    Def::new("reverse", "LIST", (1, 1), |_, args| Ok(Some(args.list(0)?.iter().rev().cloned().collect()))),
    Def::new("sort", "LIST", (1, 1), sort),
    Def::new("contains", "VALUE PART", (2, 2), |_, args| {
        let part = args.get(1);
        Ok(Some(Json::Bool(match args.get(0) {
            Json::Array(items) => items.iter().any(|item| equal(item, part)),
            Json::Object(map) => plain(part).is_some_and(|key| map.contains_key(&encode(&key))),
            _ => args.text(0)?.contains(&args.text(1)?),
        })))
    }),
    Def::new("merge", "MAPPING MAPPING …", (1, MANY), |_, args| {
        let mut all = Map::new();
        for at in 0..args.len() {
            if !args.get(at).is_null() {
                all.extend(args.map(at)?.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
        }
        Ok(Some(Json::Object(all)))
    }),
    Def::new("dict", "KEY=VALUE …", (0, 0), |_, args| {
        let entries = args.options().map(|(key, value)| (encode(key), value.clone()));
        Ok(Some(Json::Object(entries.collect())))
    })
    .options(&["*"]),
    Def::new("list", "VALUE …", (0, MANY), |_, args| Ok(Some(args.all().cloned().collect()))),
    Def::new("range", "COUNT", (1, 1), |pass, args| {
        let count = args.count(0)?;
        pass.charge(count.saturating_mul(32))?;
        Ok(Some((0..count).map(Json::from).collect()))
    }),
];

/// An entry of a list or mapping. What isn't there is missing, as a name that isn't.
fn lookup(pass: &Pass<'_>, args: &Args<'_, '_>) -> Outcome {
    let key = args.get(1);
    let found = match args.get(0) {
        Json::Array(items) => args.count(1).ok().and_then(|at| items.get(at)),
        Json::Object(map) => plain(key).and_then(|key| map.get(&encode(&key))),
        Json::Null if pass.is_waiting() => return Ok(Some(Json::Null)),
        _ => return Err(args.wrong(0, "a list or a mapping")),
    };
    Ok(found.cloned())
}

fn sort(_: &Pass<'_>, args: &Args<'_, '_>) -> Outcome {
    let mut items = args.list(0)?.clone();
    if items.iter().all(|item| Number::of(item).is_some()) {
        let order = |a: &Json, b: &Json| Number::of(a).zip(Number::of(b)).and_then(|(a, b)| a.compare(&b));
        items.sort_by(|a, b| order(a, b).unwrap_or(std::cmp::Ordering::Equal));
    } else if items.iter().all(|item| plain(item).is_some()) {
        items.sort_by_key(plain);
    } else {
        return Err(args.wrong(0, "a list of texts or numbers"));
    }
    Ok(Some(Json::Array(items)))
}
