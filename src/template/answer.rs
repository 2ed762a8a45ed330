//! What an answer of the server is to the output formats and to Handlebars: the secret itself, whatever engine it is
//! from, under the names of the API.

use std::sync::Arc;

use crate::vault::{
    secret::{Auth, Secret, WrapInfo},
    value::{Map, Value},
};

/// The secret's own data. KV version 2 puts it into an envelope, beside its metadata; that goes.
pub fn data(secret: &Secret) -> Option<&Value> {
    let data = secret.data.as_ref()?;
    let inner = if is_envelope(data) { data.get("data")? } else { data };
    (*inner != Value::Null).then_some(inner)
}

/// Whether this is `{"data": …, "metadata": {"version": …, "created_time": …}}`, as only KV version 2 answers.
fn is_envelope(data: &Value) -> bool {
    let Some(map) = data.as_map() else { return false };
    let metadata = map.get("metadata").and_then(Value::as_map);
    map.len() == 2
        && matches!(map.get("data"), Some(Value::Map(_) | Value::Null))
        && metadata
            .is_some_and(|metadata| ["version", "created_time"].iter().all(|key| metadata.contains_key(*key)))
}

/// The whole answer, as the API sends it.
pub fn whole(secret: &Secret) -> Value {
    map([
        ("request_id", text(&secret.request_id)),
        ("lease_id", text(&secret.lease_id)),
        ("lease_duration", number(secret.lease_duration)),
        ("renewable", Value::Bool(secret.renewable)),
        ("data", secret.data.clone().unwrap_or(Value::Null)),
        ("warnings", texts(&secret.warnings)),
        ("auth", secret.auth.as_ref().map_or(Value::Null, auth)),
        ("wrap_info", secret.wrap_info.as_ref().map_or(Value::Null, wrap_info)),
    ])
}

fn auth(auth: &Auth) -> Value {
    let metadata: Map = auth.metadata.iter().map(|(key, value)| (key.as_str().into(), text(value))).collect();
    map([
        ("client_token", text(auth.client_token.expose())),
        ("accessor", text(&auth.accessor)),
        ("policies", texts(&auth.policies)),
        ("metadata", Value::Map(Arc::new(metadata))),
        ("lease_duration", number(auth.lease_duration)),
        ("renewable", Value::Bool(auth.renewable)),
    ])
}

fn wrap_info(wrap: &WrapInfo) -> Value {
    map([
        ("token", text(wrap.token.expose())),
        ("ttl", number(wrap.ttl)),
        ("creation_time", text(&wrap.creation_time)),
        ("wrapped_accessor", text(&wrap.wrapped_accessor)),
    ])
}

/// A certificate under the names that the PKI engine gives its parts.
pub fn certificate(secret: &Secret) -> Value {
    let part = |key: &str| secret.data.as_ref().and_then(|data| data.get(key)).cloned();
    map([
        ("certificate", part("Cert").unwrap_or_else(|| text(""))),
        ("private_key", part("Key").unwrap_or_else(|| text(""))),
        ("issuing_ca", part("CA").unwrap_or_else(|| text(""))),
        ("ca_chain", part("CAChain").unwrap_or_else(|| Value::List(Arc::default()))),
    ])
}

/// The names of a listing, sorted.
pub fn names(secret: &Secret) -> Value {
    let Some(Value::List(items)) = secret.data.as_ref().and_then(|data| data.get("keys")) else {
        return Value::List(Arc::default());
    };
    let mut names: Vec<Value> =
        items.iter().filter(|item| matches!(item, Value::String(_))).cloned().collect();
    names.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    Value::List(Arc::new(names))
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(Arc::new(entries.into_iter().map(|(key, value)| (key.into(), value)).collect()))
}

fn text(text: &str) -> Value {
    Value::String(text.into())
}

fn texts(texts: &[String]) -> Value {
    Value::List(Arc::new(texts.iter().map(|item| text(item)).collect()))
}

fn number(number: i64) -> Value {
    Value::Number(number.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(data: &str) -> Secret {
        Secret { data: Some(Value::from_json(data).unwrap()), ..Secret::default() }
    }

    #[test]
    fn the_envelope_of_version_2_goes_and_nothing_else_is_taken_for_one() {
        let inner = Value::from_json(r#"{"a":1}"#).unwrap();
        let v2 = secret(r#"{"data":{"a":1},"metadata":{"version":3,"created_time":"t","destroyed":false}}"#);
        assert_eq!(data(&v2), Some(&inner));
        assert_eq!(data(&secret(r#"{"a":1}"#)), Some(&inner));
        for other in [
            r#"{"data":{"a":1}}"#,
            r#"{"data":{"a":1},"metadata":{"owner":"me"}}"#,
            r#"{"data":"text","metadata":{"version":3,"created_time":"t"}}"#,
        ] {
            let other = secret(other);
            assert_eq!(data(&other), other.data.as_ref());
        }
    }

    #[test]
    fn a_deleted_version_has_no_data() {
        assert_eq!(data(&secret(r#"{"data":null,"metadata":{"version":3,"created_time":"t"}}"#)), None);
        assert_eq!(data(&Secret::default()), None);
    }
}
