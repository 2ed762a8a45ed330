//! Answers of Vault as the structs that templates see.

use std::rc::Rc;

use super::{
    ctx::Ctx,
    funcs::{Args, Func, FuncError},
    kind::Type,
    object::{Object, StructType},
    value::{List, Map, Value},
};
use crate::vault::{
    secret::{Auth, Secret, WrapInfo},
    value::{Text, Value as Data},
};

/// `dependency.Secret`
pub static SECRET: StructType = StructType {
    name: "dependency.Secret",
    fields: &[
        ("RequestID", Type::String),
        ("LeaseID", Type::String),
        ("LeaseDuration", Type::Int),
        ("Renewable", Type::Bool),
        ("Data", Type::DICT),
        ("Warnings", Type::STRINGS),
        ("Auth", Type::Pointer(&AUTH)),
        ("WrapInfo", Type::Pointer(&WRAP_INFO)),
    ],
    methods: &[],
    text: None,
    inside: None,
    hidden: None,
    syntax: None,
};

/// `dependency.SecretAuth`
pub static AUTH: StructType = StructType {
    name: "dependency.SecretAuth",
    fields: &[
        ("ClientToken", Type::String),
        ("Accessor", Type::String),
        ("Policies", Type::STRINGS),
        ("Metadata", Type::STRING_DICT),
        ("LeaseDuration", Type::Int),
        ("Renewable", Type::Bool),
    ],
    methods: &[],
    text: None,
    inside: None,
    hidden: None,
    syntax: None,
};

/// `dependency.SecretWrapInfo`
pub static WRAP_INFO: StructType = StructType {
    name: "dependency.SecretWrapInfo",
    fields: &[
        ("Token", Type::String),
        ("TTL", Type::Int),
        ("CreationTime", Type::String),
        ("WrappedAccessor", Type::String),
    ],
    methods: &[],
    text: None,
    inside: None,
    hidden: None,
    syntax: None,
};

/// `dependency.PemEncoded`, what `pkiCert` gives.
pub static PEM: StructType = StructType {
    name: "dependency.PemEncoded",
    fields: &[
        ("Cert", Type::String),
        ("Key", Type::String),
        ("CA", Type::String),
        ("CAChain", Type::STRINGS),
    ],
    methods: &[
        Func::new("Data", &[], Type::Struct(&PEM), "the same certificate", |_, args| Ok(args.get(0).clone())),
        Func::new(
            "CaChainContains",
            &[Type::String],
            Type::Bool,
            "whether the chain holds a certificate",
            |_, args| Ok(Value::Bool(chain_holds(&args))),
        ),
        Func::new(
            "Equals",
            &[Type::Struct(&PEM)],
            Type::Bool,
            "whether two certificates are the same",
            equals,
        ),
    ],
    text: None,
    inside: None,
    hidden: None,
    syntax: None,
};

fn chain_holds(args: &Args) -> bool {
    let Value::Object(object) = args.get(0) else { return false };
    let Some(Value::List(chain)) = object.field("CAChain") else { return false };
    chain.items().iter().any(|item| item.as_text().is_some_and(|text| text.as_bytes() == args.bytes(1)))
}

fn equals(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let (a, b) = (super::print::value(args.get(0))?, super::print::value(args.get(1))?);
    Ok(Value::Bool(a == b))
}

fn pointer(of: &'static StructType, fields: Vec<Value>) -> Value {
    Value::Object(Rc::new(Object { of, pointer: true, fields, state: None }))
}

fn strings(items: &[String]) -> Value {
    if items.is_empty() {
        return Type::STRINGS.zero();
    }
    Value::strings(items.iter().map(String::as_str))
}

/// A secret. An answer with nothing in it at all (a KV v1 write) is Go's nil pointer.
pub fn secret_value(secret: &Secret) -> Value {
    if *secret == Secret::default() {
        return Value::NilPointer(&SECRET);
    }
    let data = match secret.data.as_ref().map(Value::from_data) {
        Some(data @ Value::Map(_)) => data,
        _ => Type::DICT.zero(),
    };
    pointer(
        &SECRET,
        vec![
            Value::text(secret.request_id.as_str()),
            Value::text(secret.lease_id.as_str()),
            Value::Int(secret.lease_duration),
            Value::Bool(secret.renewable),
            data,
            strings(&secret.warnings),
            secret.auth.as_ref().map_or(Value::NilPointer(&AUTH), auth_value),
            secret.wrap_info.as_ref().map_or(Value::NilPointer(&WRAP_INFO), wrap_value),
        ],
    )
}

fn auth_value(auth: &Auth) -> Value {
    let metadata = auth.metadata.iter();
    let metadata = metadata
        .map(|(key, value)| (super::value::Key::String(key.as_str().into()), Value::text(value.as_str())));
    pointer(
        &AUTH,
        vec![
            Value::text(auth.client_token.expose()),
            Value::text(auth.accessor.as_str()),
            strings(&auth.policies),
            Value::Map(Map::new(&Type::String, &Type::String, metadata.collect())),
            Value::Int(auth.lease_duration),
            Value::Bool(auth.renewable),
        ],
    )
}

fn wrap_value(wrap: &WrapInfo) -> Value {
    pointer(
        &WRAP_INFO,
        vec![
            Value::text(wrap.token.expose()),
            Value::Int(wrap.ttl),
            Value::text(wrap.creation_time.as_str()),
            Value::text(wrap.wrapped_accessor.as_str()),
        ],
    )
}

/// A certificate. The answer's data holds `Cert`, `Key`, `CA` (PEM texts) and `CAChain` (a list of them).
pub fn certificate(secret: &Secret) -> Value {
    let text = |key: &str| match secret.data.as_ref().and_then(|data| data.get(key)) {
        Some(Data::String(text)) => Value::String(text.clone()),
        _ => Value::text(""),
    };
    let chain = match secret.data.as_ref().and_then(|data| data.get("CAChain")) {
        Some(Data::List(items)) => Value::strings(items.iter().filter_map(data_text)),
        _ => Type::STRINGS.zero(),
    };
    let fields = vec![text("Cert"), text("Key"), text("CA"), chain];
    Value::Object(Rc::new(Object { of: &PEM, pointer: false, fields, state: None }))
}

fn data_text(data: &Data) -> Option<Text> {
    match data {
        Data::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// The names of a list answer (`data.keys`), sorted bytewise.
pub fn string_list(secret: &Secret) -> Value {
    let Some(Data::List(items)) = secret.data.as_ref().and_then(|data| data.get("keys")) else {
        return Type::STRINGS.zero();
    };
    let mut names: Vec<Text> = items.iter().filter_map(data_text).collect();
    names.sort();
    Value::List(List::new(&Type::String, names.into_iter().map(Value::String).collect()))
}
