//! Output formats: a whole secret as a file that applications read, quoted so that every value survives.
//!
//! Keys are sorted, numbers keep their exact text. What a format can't hold is an error that names the key.

mod dotenv;
mod json;
mod pem;
mod properties;
mod shell;
mod toml;
mod yaml;

use std::fmt;

use zeroize::Zeroizing;

pub use json::{Layout, write as json};

use crate::{config::template::Format, vault::value::Value};

/// How deep data may nest, which is what reading it allows.
const MAX_DEPTH: usize = 130;

/// Text of a file, wiped when it is dropped.
pub type Out = Zeroizing<String>;

/// Why a secret can't be written in a format. Names keys, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// The key, nested ones as `a.b[2]`; empty: the secret as a whole.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
}

impl FormatError {
    fn new(key: &str, what: impl Into<String>) -> Self {
        Self { key: key.to_owned(), what: what.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "the key {:?} ", self.key)?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for FormatError {}

/// A mapping as a whole file that ends with a line end; anything else as one value, without one.
///
/// # Errors
/// A key or value that the format can't hold.
pub fn write(format: Format, data: &Value) -> Result<Out, FormatError> {
    let mut out = Zeroizing::new(String::new());
    match format {
        Format::Dotenv => dotenv::write(data, &mut out),
        Format::Json => {
            json::write(data, Layout::Pretty, &mut out)?;
            if matches!(data, Value::Map(_)) {
                out.push('\n');
            }
            Ok(())
        }
        Format::Yaml => yaml::write(data, &mut out),
        Format::Properties => properties::write(data, &mut out),
        Format::Toml => toml::write(data, &mut out),
        Format::Shell => shell::write(data, &mut out),
        Format::Pem => pem::write(data, &mut out),
    }?;
    Ok(out)
}

/// A value as the text of one variable: texts and numbers as they are, lists and mappings as JSON.
fn plain(key: &str, value: &Value, what: &str) -> Result<Out, FormatError> {
    let mut out = Zeroizing::new(String::new());
    match value {
        Value::Null => return Err(null(key, what)),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(text) | Value::String(text) => out.push_str(utf8(key, text.as_str())?),
        Value::List(_) | Value::Map(_) => json::write(value, Layout::Compact, &mut out)?,
    }
    Ok(out)
}

fn null(key: &str, what: &str) -> FormatError {
    FormatError::new(key, format!("is null, which {what} can't hold"))
        .hint("remove the key from the secret, or write it with a template")
}

fn nul_byte(key: &str, what: &str) -> FormatError {
    FormatError::new(key, format!("has a NUL byte in its value, which {what} can't hold"))
        .hint("store binary data as base64")
}

fn too_deep(key: &str) -> FormatError {
    FormatError::new(key, format!("nests deeper than {MAX_DEPTH} levels"))
}

fn utf8<'t>(key: &str, text: Option<&'t str>) -> Result<&'t str, FormatError> {
    text.ok_or_else(|| FormatError::new(key, "is not UTF-8 text").hint("store binary data as base64"))
}

/// The name of a variable of the environment, judged.
fn variable<'k>(key: &'k str, what: &str) -> Result<&'k str, FormatError> {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_name = key.starts_with(is_first) && key.chars().all(|c| is_first(c) || c.is_ascii_digit());
    if is_name {
        return Ok(key);
    }
    let hint =
        "variables have letters, digits and `_`: rename the key in the secret, or write it with a template";
    // Without a name an error is about the secret as a whole.
    let subject = if key.is_empty() { "the key \"\" " } else { "" };
    let what = format!("{subject}is no name for a variable, so {what} can't hold it");
    Err(FormatError::new(key, what).hint(hint))
}

/// The name of a key below another one.
fn below(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}

#[cfg(test)]
mod tests;
