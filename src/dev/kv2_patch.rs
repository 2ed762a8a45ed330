//! PATCH of KV version 2: JSON merge patches (RFC 7396) of data and metadata.

use std::collections::BTreeMap;

use super::{
    answer::{Answer, Outcome, Refusal},
    call::Visit,
    fields::Fields,
    kv2::{Current, Kv2},
    kv2_words::not_a_map,
};
use crate::vault::value::{Map, Value};

impl Kv2 {
    /// Writes a new version that differs from the current one in what the patch says.
    pub(super) fn patch(&mut self, path: &str, visit: &Visit<'_>) -> Outcome {
        let patch = match visit.fields.all().get("data") {
            None => return Err(Refusal::bad("no data provided")),
            Some(Value::Map(patch)) => patch,
            Some(other) => {
                let errors = not_a_map(other).errors.into_iter();
                let errors = errors.map(|error| format!("Field validation failed: {error}")).collect();
                return Err(Refusal { status: 400, errors });
            }
        };
        let Some(Current { data, described }) = self.current(path, visit.now)? else {
            return Ok(Answer::empty().with_status(404));
        };
        let Some(data) = data else { return Ok(described.with_status(404)) };
        let merged = merge(&data, patch);
        let changed =
            visit.fields.overlaid(&Fields::from_map([("data".into(), merged)].into_iter().collect()));
        self.write(path, &Visit { fields: &changed, ..*visit })
    }

    /// Changes the settings of a secret that is there; a custom key with null goes away.
    pub(super) fn patch_metadata(&mut self, path: &str, visit: &Visit<'_>) -> Outcome {
        let Some(custom) = self.custom_metadata(path) else { return Ok(Answer::empty().with_status(404)) };
        let changed = match visit.fields.get("custom_metadata") {
            Some(Value::Map(patch)) => {
                let merged = merge(custom.all(), patch);
                let merged = Fields::from_map([("custom_metadata".into(), merged)].into_iter().collect());
                visit.fields.overlaid(&merged)
            }
            _ => visit.fields.clone(),
        };
        self.write_metadata(path, &Visit { fields: &changed, ..*visit })
    }
}

fn merge(known: &Map, patch: &Map) -> Value {
    let mut merged: BTreeMap<_, _> = known.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    for (key, value) in patch.iter() {
        match (value, merged.get(key)) {
            (Value::Null, _) => {
                merged.remove(key);
            }
            (Value::Map(patch), Some(Value::Map(known))) => {
                let below = merge(known, patch);
                merged.insert(key.clone(), below);
            }
            (Value::Map(patch), _) => {
                merged.insert(key.clone(), merge(&Map::default(), patch));
            }
            (value, _) => {
                merged.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Map(merged.into_iter().collect::<Map>().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_takes_away_and_maps_are_merged() {
        let parse = |text: &str| Value::from_json(text).unwrap();
        let merged = merge(
            parse(r#"{"a": 1, "b": {"c": 1, "d": 2}, "e": "x"}"#).as_map().unwrap(),
            parse(r#"{"a": {"n": null, "m": 1}, "b": {"c": null}, "e": null, "f": [1]}"#).as_map().unwrap(),
        );
        assert_eq!(merged, parse(r#"{"a": {"m": 1}, "b": {"d": 2}, "f": [1]}"#));
    }
}
