//! `scratch`: the store of one render. And the methods of `json.Number`.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{Args, Func, FuncError};
use crate::{
    template::go::{
        ctx::Ctx,
        kind::Type,
        number::{parse_float_any, parse_int},
        object::{Object, StructType},
        print, quote,
        value::{Key, Map, Value},
    },
    vault::value::Text,
};

pub(super) const FUNCS: &[Func] =
    &[Func::new("scratch", &[], Type::Pointer(&SCRATCH), "the store of this render", |ctx, _| {
        Ok(Value::Object(scratch(ctx)))
    })];

/// The scratch pad of this render.
pub fn scratch(ctx: &mut Ctx<'_>) -> Rc<Object> {
    let make = || {
        let state: Rc<RefCell<Store>> = Rc::default();
        Rc::new(Object { of: &SCRATCH, pointer: true, fields: Vec::new(), state: Some(state) })
    };
    ctx.scratch.get_or_insert_with(make).clone()
}

/// What an entry takes with all that is around it.
const BYTES_PER_ENTRY: usize = 160;

type Store = BTreeMap<Text, Value>;

static SCRATCH: StructType = StructType {
    name: "template.Scratch",
    fields: &[],
    methods: &[
        Func::new("Key", &[Type::String], Type::Bool, "whether a key is set", |_, args| {
            Ok(Value::Bool(with(&args, |store| store.contains_key(&args.text(1)))))
        }),
        Func::new("Get", &[Type::String], Type::Any, "the value of a key", |_, args| {
            Ok(with(&args, |store| store.get(&args.text(1)).cloned().unwrap_or_default()))
        }),
        Func::new("Set", &[Type::String, Type::Any], Type::String, "sets a key", |ctx, mut args| {
            ctx.charge(args.bytes(1).len() + BYTES_PER_ENTRY)?;
            let value = args.take(2);
            with(&args, |store| store.insert(args.text(1), value));
            Ok(Value::text(""))
        }),
        Func::new(
            "SetX",
            &[Type::String, Type::Any],
            Type::String,
            "sets a key that is not set",
            |ctx, mut args| {
                ctx.charge(args.bytes(1).len() + BYTES_PER_ENTRY)?;
                let value = args.take(2);
                with(&args, |store| {
                    store.entry(args.text(1)).or_insert(value);
                });
                Ok(Value::text(""))
            },
        ),
        Func::new(
            "MapSet",
            &[Type::String, Type::String, Type::Any],
            Type::String,
            "sets an entry of a map",
            |ctx, args| map_set(ctx, args, true),
        ),
        Func::new(
            "MapSetX",
            &[Type::String, Type::String, Type::Any],
            Type::String,
            "sets an entry of a map that is not set",
            |ctx, args| map_set(ctx, args, false),
        ),
        Func::new(
            "MapValues",
            &[Type::String],
            Type::ANYS,
            "the values of a map in the order of its keys",
            map_values,
        ),
    ],
    text: None,
    inside: Some(inside),
    hidden: None,
    syntax: None,
};

/// The fields of the original: a `sync.Once`, a `sync.RWMutex` that rests, and the values.
fn inside(object: &Object) -> Result<Text, FuncError> {
    let values = object.state::<RefCell<Store>>().map(|store| store.borrow().clone()).unwrap_or_default();
    let values = print::value(&Value::dict(values))?;
    let locks: &[u8] = b"{{} {{} 0} {{} {0 0}}} {{{} {0 0}} 0 0 {{} 0} {{} 0}} ";
    Ok([locks, values.as_bytes()].concat().into())
}

/// Works on the store behind the receiver. Its own values are dropped after the borrow ends.
fn with<T>(args: &Args, work: impl FnOnce(&mut Store) -> T) -> T {
    match args.get(0) {
        Value::Object(object) => match object.state::<RefCell<Store>>() {
            Some(store) => work(&mut store.borrow_mut()),
            None => work(&mut Store::new()),
        },
        _ => work(&mut Store::new()),
    }
}

fn map_set(ctx: &mut Ctx<'_>, mut args: Args, overwrite: bool) -> Result<Value, FuncError> {
    ctx.charge(args.bytes(2).len() + BYTES_PER_ENTRY)?;
    let value = args.take(3);
    let found =
        with(&args, |store| store.entry(args.text(1)).or_insert_with(|| Value::Map(Map::dict([]))).clone());
    let Value::Map(map) = found else {
        let name = quote::quote(args.bytes(1));
        return Err(FuncError::new(format!("{name} is not a map")));
    };
    let key = Key::String(args.text(2));
    if overwrite || map.get(&key).is_none() {
        map.insert(key, value);
    }
    Ok(Value::text(""))
}

fn map_values(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    match with(&args, |store| store.get(&args.text(1)).cloned()) {
        Some(Value::Map(map)) => Ok(Value::anys(map.entries().into_iter().map(|(_, value)| value).collect())),
        _ => Ok(Type::ANYS.zero()),
    }
}

/// The methods of `json.Number`.
pub(super) static NUMBER_METHODS: &[Func] = &[
    Func::new("String", &[], Type::String, "the number's text", |_, args| Ok(Value::String(args.text(0)))),
    Func::new("Int64", &[], Type::Int64, "the number as an integer", |_, args| {
        let text = args.lossy(0);
        parse_int(&text, 10).map(Value::Int64).map_err(|error| {
            let quoted = quote::quote(text.as_bytes());
            FuncError::quoting(
                format!("strconv.ParseInt: parsing {quoted}: {}", error.text()),
                format!("the number is no 64-bit integer: {}", error.text()),
            )
        })
    }),
    Func::new("Float64", &[], Type::Float64, "the number as a float", |_, args| {
        let text = args.lossy(0);
        parse_float_any(&text).map(Value::Float).ok_or_else(|| {
            let quoted = quote::quote(text.as_bytes());
            FuncError::quoting(
                format!("strconv.ParseFloat: parsing {quoted}: invalid syntax"),
                "the number is no float",
            )
        })
    }),
];
