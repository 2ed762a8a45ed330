//! `byKey` and `explode`: they take Consul's key-value pairs only, which no agent has, but templates may name them.

use std::{collections::BTreeMap, rc::Rc};

use super::{Args, Func, FuncError, collection};
use crate::template::go::{
    ctx::Ctx,
    kind::Type,
    object::{Object, StructType},
    value::{Key, Map, Value},
};

/// `dependency.KeyPair`
pub static KEY_PAIR: StructType = StructType {
    name: "dependency.KeyPair",
    fields: &[
        ("Path", Type::String),
        ("Key", Type::String),
        ("Value", Type::String),
        ("CreateIndex", Type::Uint64),
        ("ModifyIndex", Type::Uint64),
        ("LockIndex", Type::Uint64),
        ("Flags", Type::Uint64),
        ("Session", Type::String),
    ],
    methods: &[],
    text: None,
    inside: None,
    hidden: None,
    syntax: None,
};

/// `*dependency.KeyPair`
pub static PAIR: Type = Type::Pointer(&KEY_PAIR);

static GROUP: Type = Type::Map(&Type::String, &PAIR);

static PARAMS: [Type; 1] = [Type::List(&PAIR)];

pub(super) static FUNCS: &[Func] = &[
    Func::new(
        "byKey",
        &PARAMS,
        Type::Map(&Type::String, &GROUP),
        "pairs grouped by the first part of their keys",
        by_key,
    ),
    Func::new("explode", &PARAMS, Type::DICT, "pairs as nested maps", explode),
];

/// A pair with nothing but its key and value.
pub fn pair(key: &str, value: Value) -> Value {
    let zero = || Value::Uint64(0);
    let fields =
        vec![Value::text(""), Value::text(key), value, zero(), zero(), zero(), zero(), Value::text("")];
    Value::Object(Rc::new(Object { of: &KEY_PAIR, pointer: true, fields, state: None }))
}

/// Key and value of each pair.
fn pairs(args: &Args) -> Vec<(String, Value)> {
    let list = args.list(0);
    let read = |item: &Value| match item {
        Value::Object(object) => {
            let key = object.field("Key")?.as_text()?;
            let key = String::from_utf8_lossy(key.as_bytes()).into_owned();
            Some((key, object.field("Value").cloned().unwrap_or_default()))
        }
        _ => None,
    };
    list.items().iter().filter_map(read).collect()
}

fn by_key(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let mut groups: BTreeMap<Key, BTreeMap<Key, Value>> = BTreeMap::new();
    for (key, value) in pairs(&args) {
        if let Some((top, rest)) = key.split_once('/').filter(|(_, rest)| !rest.is_empty()) {
            let group = groups.entry(Key::String(top.into())).or_default();
            group.insert(Key::String(rest.into()), pair(rest, value));
        }
    }
    let wrap = |group| Value::Map(Map::new(&Type::String, &PAIR, group));
    let groups = groups.into_iter().map(|(top, group)| (top, wrap(group))).collect();
    Ok(Value::Map(Map::new(&Type::String, &GROUP, groups)))
}

fn explode(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let root = Map::dict([]);
    for (key, value) in pairs(&args) {
        collection::explode(&root, key.as_bytes(), value).map_err(|error| error.prefixed("explode: "))?;
    }
    Ok(Value::Map(root))
}
