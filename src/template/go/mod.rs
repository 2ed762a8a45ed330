//! The Go dialect: text/template with the functions that consul-template adds, as `vault agent` has them.

pub mod ast;
mod call;
pub mod calls;
pub mod certificate;
pub mod compare;
pub mod ctx;
mod eval;
pub mod exec;
pub mod fault;
pub mod float;
pub mod format;
pub mod funcs;
mod hints;
pub mod kind;
pub mod lexer;
pub mod literal;
pub mod number;
pub mod object;
pub mod parser;
pub mod print;
pub mod printer;
pub mod printf;
pub mod quote;
pub mod secret;
pub mod stack;
pub mod token;
pub mod value;
