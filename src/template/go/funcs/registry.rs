//! Which functions a template may use: the table, without what its configuration denies.

use super::{Args, Func, FuncError, builtin, find, names};
use crate::{
    problem::nearest,
    template::go::{ctx::Ctx, kind::Type, value::Value},
};

/// The functions of one template.
#[derive(Clone, Default)]
pub struct Registry {
    denied: Vec<String>,
    extra: &'static [Func],
}

/// Stands in for a denied function: it exists for the parser, and every call fails.
static DENIED: Func =
    Func::new("denied", &[Type::String], Type::String, "a function that the configuration denies", deny)
        .variadic();

fn deny(_: &mut Ctx<'_>, _: Args) -> Result<Value, FuncError> {
    Err(FuncError::new("function is disabled"))
}

impl Registry {
    /// All functions but those that match one of the globs (`*` only). Built-in functions can't be denied.
    pub fn new(denied: &[String]) -> Self {
        Self { denied: denied.to_vec(), extra: &[] }
    }

    /// Adds functions that only a test of the engine has.
    #[must_use]
    pub fn with_extra(self, extra: &'static [Func]) -> Self {
        Self { extra, ..self }
    }

    /// A function by name, with the name as the table has it.
    pub fn resolve(&self, name: &str) -> Option<(&'static str, &'static Func)> {
        let function = self.extra.iter().find(|func| func.name == name).or_else(|| find(name))?;
        let built_in = builtin::FUNCS.iter().any(|func| func.name == name);
        if !built_in && is_denied(&self.denied, name) {
            return Some((function.name, &DENIED));
        }
        Some((function.name, function))
    }

    /// What a user most likely meant by a name that doesn't exist.
    pub fn suggest(&self, name: &str) -> Option<String> {
        if let Some(sprig) = names().find(|known| known.strip_prefix("sprig_") == Some(name)) {
            return Some(format!("did you mean {sprig}? Sprig's functions have the prefix sprig_ here"));
        }
        if let Some(instead) = left_out(name.strip_prefix("sprig_").unwrap_or(name)) {
            return Some(instead.to_owned());
        }
        // Among equally near names the longest is most likely meant: printf rather than print for prinf.
        let mut known: Vec<&str> = names().collect();
        known.sort_by_key(|name| (std::cmp::Reverse(name.len()), *name));
        nearest(name, known).map(|near| format!("did you mean {near}?"))
    }
}

/// What serves instead of the functions that the original leaves out of Sprig's, because they depend on more than the
/// template.
fn left_out(sprig: &str) -> Option<&'static str> {
    Some(match sprig {
        "now" | "date" | "dateInZone" | "date_in_zone" | "dateModify" | "date_modify" | "htmlDate"
        | "htmlDateInZone" => {
            "timestamp gives the time, in a layout if one is named; Sprig's clock isn't there"
        }
        "env" | "expandenv" => "did you mean env?",
        "getHostByName" => "names are not looked up here; sockaddr has the addresses of this machine",
        "randAlphaNum" | "randAlpha" | "randAscii" | "randNumeric" | "randBytes" | "uuidv4" => {
            "the agents leave it out: the file would be another one at each render"
        }
        _ => return None,
    })
}

/// Whether one of the globs matches a name.
pub fn is_denied(denied: &[String], name: &str) -> bool {
    denied.iter().any(|pattern| glob(pattern.as_bytes(), name.as_bytes()))
}

/// Whether `name` matches; `*` stands for any run of characters.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(byte) if *byte == name[from] => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((back, tried)) = star else { return false };
                star = Some((back, tried + 1));
                at = back + 1;
                from = tried + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_any_run_of_characters() {
        for (pattern, name) in
            [("sprig_*", "sprig_upper"), ("*", ""), ("a*c*e", "abcde"), ("env", "env"), ("*ab", "aab")]
        {
            assert!(glob(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        for (pattern, name) in [("sprig_*", "spri"), ("env", "mustEnv"), ("e?v", "env"), ("a*b", "abc")] {
            assert!(!glob(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
    }

    #[test]
    fn built_in_functions_cannot_be_denied() {
        let registry = Registry::new(&["*".to_owned()]);
        assert_eq!(registry.resolve("printf").map(|(_, func)| func.name), Some("printf"));
        assert_eq!(registry.resolve("env").map(|(name, func)| (name, func.name)), Some(("env", "denied")));
        assert!(registry.resolve("nosuch").is_none());
    }

    #[test]
    fn a_wrong_name_gets_the_nearest_one() {
        let registry = Registry::default();
        assert_eq!(registry.suggest("prinf").as_deref(), Some("did you mean printf?"));
        assert_eq!(registry.suggest("secrt").as_deref(), Some("did you mean secret?"));
        assert_eq!(registry.suggest("zzzzzz"), None);
        assert!(registry.suggest("sprig_now").is_some_and(|hint| hint.contains("timestamp")));
        assert!(registry.suggest("uuidv4").is_some_and(|hint| hint.contains("another one")));
        assert_eq!(
            registry.suggest("upper").as_deref().and_then(|hint| hint.split('?').next()),
            Some("did you mean sprig_upper")
        );
    }
}
