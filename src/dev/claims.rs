//! The claims of a JWT that a role binds: where they are, and whether they fit.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{jws::Claims, kubernetes::glob};

/// A claim by its name, or by a JSON pointer (RFC 6901) when that begins with a slash.
pub(super) fn claim(claims: &Claims, name: &str) -> Option<Value> {
    let Some(pointer) = name.strip_prefix('/') else { return claims.get(name).cloned() };
    let (first, rest) = match pointer.split_once('/') {
        Some((first, rest)) => (first, format!("/{rest}")),
        None => (pointer, String::new()),
    };
    claims.get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(&rest).cloned()
}

/// Checks that each bound claim is there and has one of its values.
pub(super) fn check_bound(
    bound: &BTreeMap<String, Value>,
    globs: bool,
    claims: &Claims,
) -> Result<(), String> {
    for (name, wanted) in bound {
        let found = match claim(claims, name) {
            None | Some(Value::Null) => return Err(format!("claim {name:?} is missing")),
            Some(found) => found,
        };
        let kind = "claim is not a string, bool, int or list";
        let found = values(&found).ok_or_else(|| format!("received {kind}: {}", shown(&found)))?;
        let wanted = values(wanted).ok_or_else(|| format!("bound {kind}: {}", shown(wanted)))?;
        if !wanted.iter().any(|wanted| found.iter().any(|found| fits(wanted, found, globs))) {
            return Err(format!("claim {name:?} does not match any associated bound claim values"));
        }
    }
    Ok(())
}

fn fits(wanted: &Value, found: &Value, globs: bool) -> bool {
    match (wanted, found) {
        (Value::String(pattern), Value::String(text)) if globs => glob(pattern, text),
        // Fractions are cut, as the original does with what a token says.
        (Value::Number(wanted), Value::Number(found)) => {
            wanted.as_f64().map(f64::trunc) == found.as_f64().map(f64::trunc)
        }
        _ => wanted == found,
    }
}

fn values(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(list) => Some(list.clone()),
        Value::String(_) | Value::Bool(_) | Value::Number(_) => Some(vec![value.clone()]),
        Value::Null | Value::Object(_) => None,
    }
}

/// A value as Go prints it in messages: `map[a:1 b:[x y]]`.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("[{}]", list.iter().map(shown).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let pairs: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}:{}", shown(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(bound: Value, globs: bool) -> Result<(), String> {
        let claims = json!({"sub": "a:b:c", "n": 5, "ok": true, "list": ["x", "y"],
            "kubernetes.io": {"namespace": "shop", "a/b": "slash"}});
        let bound = bound.as_object().unwrap().clone().into_iter().collect();
        check_bound(&bound, globs, claims.as_object().unwrap())
    }

    #[test]
    fn one_of_the_values_is_enough() {
        assert_eq!(check(json!({"/kubernetes.io/namespace": ["other", "shop"]}), false), Ok(()));
        assert_eq!(check(json!({"list": "y", "n": 5, "ok": true}), false), Ok(()));
        assert_eq!(check(json!({"/kubernetes.io/a~1b": "slash"}), false), Ok(()));
        assert_eq!(check(json!({"sub": "a:*:c"}), true), Ok(()));
        assert!(check(json!({"sub": "a:*:c"}), false).is_err());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let error = |bound| check(bound, false).unwrap_err();
        assert_eq!(error(json!({"nope": "x"})), "claim \"nope\" is missing");
        let unfit = "claim \"n\" does not match any associated bound claim values";
        assert_eq!(error(json!({"n": "5"})), unfit);
        assert_eq!(
            error(json!({"kubernetes.io": "x"})),
            "received claim is not a string, bool, int or list: map[a/b:slash namespace:shop]"
        );
    }
}
