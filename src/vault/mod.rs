//! What Vault's HTTP API is: paths, tokens, answers; and the one client that speaks it.

pub mod client;
pub mod error;
pub mod gate;
pub mod kv;
pub mod lifetime;
pub mod path;
mod redirect;
pub mod secret;
pub mod token;
pub mod value;
