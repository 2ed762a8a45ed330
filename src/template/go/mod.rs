//! The Go dialect: text/template with the functions that consul-template adds, as `vault agent` has them.

pub mod ctx;
pub mod format;
pub mod funcs;
pub mod kind;
pub mod object;
pub mod value;
