//! What KV version 2 says about requests that it can't serve.

use super::{
    answer::{Answer, Outcome, Refusal, SecretBody},
    call::Operation,
};
use crate::vault::value::Value;

pub(super) fn bad_version() -> Refusal {
    Refusal::bad(
        "Field validation failed: error converting input for field \"version\": '' cannot parse value as 'int': \
         strconv.ParseInt: invalid syntax",
    )
}

pub(super) fn not_a_map(value: &Value) -> Refusal {
    let kind = match value {
        Value::String(_) => "string",
        Value::Number(_) => "json.Number",
        Value::Bool(_) => "bool",
        _ => "[]interface {}",
    };
    Refusal::bad(format!(
        "error converting input for field \"data\": '' expected type 'map[string]interface {{}}', got \
         unconvertible type '{kind}'"
    ))
}

pub(super) fn bare_root() -> Outcome {
    let answer = Answer::secret(SecretBody::default()).with_status(404);
    Ok(answer.warn("Non-listing operations on the root of a K/V v2 mount are not supported."))
}

pub(super) fn invalid_path(operation: Operation) -> Outcome {
    let verb = match operation {
        Operation::List => "list",
        Operation::Delete => "delete",
        Operation::Write | Operation::Patch => "put",
        Operation::Read | Operation::Head => "get",
    };
    let answer = Answer::secret(SecretBody::default()).with_status(404);
    Ok(answer.warn(format!(
        "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to \
         use. If using the OpenBao CLI, use 'bao kv {verb}' for this operation."
    )))
}
