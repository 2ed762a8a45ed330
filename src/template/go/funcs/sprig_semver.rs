//! Sprig's semantic versions.

use std::{cmp::Ordering, rc::Rc};

use super::{Args, Func, FuncError};
use crate::template::go::{
    format::version::{Constraints, Version, VersionError},
    kind::Type,
    object::{Hidden, Object, StructType},
    value::Value,
};

static OTHER: &[Type] = &[Type::Pointer(&VERSION)];

/// Bytes of constraints that are read in the time of one step.
const CONSTRAINT_PER_STEP: usize = 3;

pub(super) const FUNCS: &[Func] = &[
    Func::new("sprig_semver", &[Type::String], Type::Pointer(&VERSION), "a semantic version", |_, args| {
        Ok(object(parse(&args)?, true))
    }),
    Func::new(
        "sprig_semverCompare",
        &[Type::String, Type::String],
        Type::Bool,
        "whether a version satisfies constraints",
        |ctx, args| {
            ctx.labour((args.bytes(0).len() / CONSTRAINT_PER_STEP) as u64)?;
            let constraints = Constraints::parse(&args.lossy(0)).map_err(refused)?;
            let version = Version::parse(&args.lossy(1)).map_err(refused)?;
            Ok(Value::Bool(constraints.allow(&version)))
        },
    ),
];

fn refused(error: VersionError) -> FuncError {
    match error {
        VersionError::Constraint(text) => {
            FuncError::quoting(format!("improper constraint: {text}"), "improper constraint")
        }
        other => FuncError::new(other.to_string()),
    }
}

static VERSION: StructType = StructType {
    name: "semver.Version",
    fields: &[],
    methods: METHODS,
    text: Some(|object| object.state::<Version>().map(ToString::to_string).unwrap_or_default().into()),
    inside: None,
    hidden: Some(hidden),
    syntax: None,
};

/// What `%#v` shows of a version.
fn hidden(object: &Object) -> Hidden {
    let Some(Version { parts, original }) = object.state::<Version>() else { return Vec::new() };
    vec![
        ("major", Value::Uint64(parts.major)),
        ("minor", Value::Uint64(parts.minor)),
        ("patch", Value::Uint64(parts.patch)),
        ("pre", Value::text(parts.pre.as_str())),
        ("metadata", Value::text(parts.build.as_str())),
        ("original", Value::text(original.as_str())),
    ]
}

static METHODS: &[Func] = &[
    Func::new("Major", &[], Type::Uint64, "the first number", |_, args| {
        Ok(Value::Uint64(version(&args, 0).parts.major))
    }),
    Func::new("Minor", &[], Type::Uint64, "the second number", |_, args| {
        Ok(Value::Uint64(version(&args, 0).parts.minor))
    }),
    Func::new("Patch", &[], Type::Uint64, "the third number", |_, args| {
        Ok(Value::Uint64(version(&args, 0).parts.patch))
    }),
    Func::new("Prerelease", &[], Type::String, "what follows the dash", |_, args| {
        Ok(Value::text(version(&args, 0).parts.pre.as_str()))
    }),
    Func::new("Metadata", &[], Type::String, "what follows the plus", |_, args| {
        Ok(Value::text(version(&args, 0).parts.build.as_str()))
    }),
    Func::new("Original", &[], Type::String, "the version as it was written", |_, args| {
        Ok(Value::text(version(&args, 0).original))
    }),
    Func::new("String", &[], Type::String, "the version, normalised", |_, args| {
        Ok(Value::text(version(&args, 0).to_string()))
    }),
    Func::new("IncMajor", &[], Type::Struct(&VERSION), "the next major version", |_, args| {
        Ok(object(version(&args, 0).increased(0), false))
    }),
    Func::new("IncMinor", &[], Type::Struct(&VERSION), "the next minor version", |_, args| {
        Ok(object(version(&args, 0).increased(1), false))
    }),
    Func::new("IncPatch", &[], Type::Struct(&VERSION), "the next patch version", |_, args| {
        Ok(object(version(&args, 0).increased(2), false))
    }),
    Func::new("Compare", OTHER, Type::Int, "-1, 0 or 1 for an older, equal or newer version", |_, args| {
        Ok(Value::Int(compared(&args)? as i64))
    }),
    Func::new("Equal", OTHER, Type::Bool, "whether two versions are equal", |_, args| {
        Ok(Value::Bool(compared(&args).is_ok_and(Ordering::is_eq)))
    }),
    Func::new("LessThan", OTHER, Type::Bool, "whether a version is older", |_, args| {
        Ok(Value::Bool(compared(&args)?.is_lt()))
    }),
    Func::new("GreaterThan", OTHER, Type::Bool, "whether a version is newer", |_, args| {
        Ok(Value::Bool(compared(&args)?.is_gt()))
    }),
];

/// How the receiver compares with the other version, which may be nil.
fn compared(args: &Args) -> Result<Ordering, FuncError> {
    match args.get(1) {
        Value::Object(_) => Ok(version(args, 0).compare(&version(args, 1))),
        _ => Err(FuncError::new("runtime error: invalid memory address or nil pointer dereference")),
    }
}

fn parse(args: &Args) -> Result<Version, FuncError> {
    Version::parse(&args.lossy(0)).map_err(refused)
}

fn object(version: Version, pointer: bool) -> Value {
    Value::Object(Rc::new(Object {
        of: &VERSION,
        pointer,
        fields: Vec::new(),
        state: Some(Rc::new(version)),
    }))
}

/// The version of an argument; version 0.0.0 for what is none, which types rule out.
fn version(args: &Args, at: usize) -> Version {
    let found = match args.get(at) {
        Value::Object(object) => object.state::<Version>().cloned(),
        _ => None,
    };
    found.unwrap_or(Version { parts: semver::Version::new(0, 0, 0), original: String::new() })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, text};
    use super::*;
    use crate::template::go::ctx::Ctx;

    fn method(name: &str, args: Vec<Value>) -> Value {
        let method = VERSION.method(name).unwrap();
        let mut nothing = super::super::testing::nothing();
        (method.run)(&mut Ctx::new(&mut nothing), Args::new(args)).unwrap_or_default()
    }

    #[test]
    fn versions_are_objects_that_print() {
        let version = |text: &str| call("sprig_semver", vec![Value::text(text)]).unwrap();
        assert_eq!(text("sprig_toString", vec![version("v1.2")]), "1.2.0");
        assert_eq!(version("1").type_name(), "*semver.Version");
        assert_eq!(text("toJSON", vec![version("1.2.3-rc.1+b")]), "\"1.2.3-rc.1+b\"");
        assert!(matches!(method("Minor", vec![version("1.2.3")]), Value::Uint64(2)));
        assert_eq!(text("sprig_toString", vec![method("IncMinor", vec![version("1.2.3")])]), "1.3.0");
        assert!(matches!(method("Compare", vec![version("1.2.3"), version("1.10.0")]), Value::Int(-1)));
        assert_eq!(fails("sprig_semver", vec![Value::text("x")]), "Invalid Semantic Version");
    }

    #[test]
    fn constraints_are_checked() {
        let compare = |a: &str, b: &str| call("sprig_semverCompare", vec![Value::text(a), Value::text(b)]);
        assert!(matches!(compare("^1.2.0", "1.4.0"), Ok(Value::Bool(true))));
        assert_eq!(compare("?", "1").err().unwrap().go_text(), "improper constraint: ?");
    }
}
