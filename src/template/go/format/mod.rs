//! Text forms that Go's libraries read and write.

pub mod base;
pub mod bytes;
pub mod decimal;
pub mod digest;
pub mod duration;
pub mod json;
pub mod json_read;
pub mod letters;
pub mod number;
pub mod path;
pub mod regex;
pub mod scrypt;
pub mod time;
pub mod time_parse;
pub mod toml;
pub mod unicode;
pub mod url;
pub mod version;
pub mod words;
pub mod yaml_read;
pub mod yaml_scalar;
pub mod yaml_write;

/// How deep values may nest before writers and readers give up.
pub const MAX_DEPTH: usize = 200;
