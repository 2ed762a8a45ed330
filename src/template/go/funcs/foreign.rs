//! Functions that need Consul or Nomad: known to the parser, so that dead branches still work; a call fails at once.

use super::{Args, Func, FuncError};
use crate::template::go::{ctx::Ctx, kind::Type, value::Value};

const fn consul(name: &'static str) -> Func {
    Func::new(name, &[Type::Any], Type::Any, "needs Consul, which this agent doesn't talk to", refuse_consul)
        .variadic()
}

const fn nomad(name: &'static str) -> Func {
    Func::new(name, &[Type::Any], Type::Any, "needs Nomad, which this agent doesn't talk to", refuse_nomad)
        .variadic()
}

pub(super) const FUNCS: &[Func] = &[
    consul("byMeta"),
    consul("byPort"),
    consul("byTag"),
    consul("caLeaf"),
    consul("caRoots"),
    consul("connect"),
    consul("datacenters"),
    consul("exportedServices"),
    consul("importedServices"),
    consul("key"),
    consul("keyExists"),
    consul("keyOrDefault"),
    consul("ls"),
    consul("node"),
    consul("nodes"),
    consul("partitions"),
    consul("peerings"),
    consul("safeLs"),
    consul("safeTree"),
    consul("service"),
    consul("services"),
    consul("tree"),
    nomad("nomadService"),
    nomad("nomadServices"),
    nomad("nomadVar"),
    nomad("nomadVarExists"),
    nomad("nomadVarList"),
    nomad("nomadVarListSafe"),
];

fn refuse_consul(_: &mut Ctx<'_>, _: Args) -> Result<Value, FuncError> {
    Err(FuncError::new("needs Consul, and this agent talks to Vault only")
        .hint("take the value from a secret, from env or from file"))
}

fn refuse_nomad(_: &mut Ctx<'_>, _: Args) -> Result<Value, FuncError> {
    Err(FuncError::new("needs Nomad, and this agent talks to Vault only")
        .hint("take the value from a secret, from env or from file"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::fails;

    #[test]
    fn a_call_says_what_it_would_need() {
        assert!(fails("keyOrDefault", vec![]).contains("needs Consul"));
        assert!(fails("nomadVar", vec![]).contains("needs Nomad"));
    }
}
