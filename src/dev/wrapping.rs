//! Response wrapping: an answer is kept, and its place is taken by a token that can fetch it once.
//!
//! Concept: <https://developer.hashicorp.com/vault/docs/concepts/response-wrapping>;
//! API: <https://developer.hashicorp.com/vault/api-docs/system/wrapping-unwrap>.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use super::{
    answer::{Answer, Body, Outcome, Refusal, SecretBody, WrapInfo, list_of_errors, text_of},
    call::{Call, Operation},
    core::{Caller, Core},
    fields::JsonMap,
    lifetime::Limits,
    moment::Moment,
    token::TokenSpec,
};

/// The one policy of a wrapping token.
pub(super) const POLICY: &str = "response-wrapping";
/// Where a wrapping token finds the answer, as agents before version 0.6.2 read it.
pub(super) const OLD_PLACE: &str = "response";

/// All answers that wait, by the wrapping token.
#[derive(Default)]
pub(super) struct Wrapped(BTreeMap<String, Parcel>);

struct Parcel {
    status: u16,
    text: String,
    ttl: Duration,
    created: Moment,
    path: String,
    accessor: Option<String>,
}

impl Wrapped {
    /// The token is gone, and with it what it could fetch.
    pub(super) fn forget(&mut self, token: &str) {
        self.0.remove(token);
    }

    /// The answer's text, for those who read it from the cubbyhole.
    pub(super) fn old_place(&self, token: &str) -> Option<Outcome> {
        let parcel = self.0.get(token)?;
        let answer = Answer::data(&json!({"response": parcel.text}));
        Some(answer.map(|answer| {
            answer.warn(
                "Reading from 'cubbyhole/response' is deprecated. Please use sys/wrapping/unwrap to unwrap responses, \
                 as it provides additional security checks and other benefits.",
            )
        }))
    }
}

/// The wrapping token that a request is about: the one in the body, or its own.
fn subject(call: &Call) -> Result<(&str, bool), Refusal> {
    let wrong = |why: &str| Refusal::new(403, format!("error validating wrapping token: {why}"));
    match call.fields.all().get("token") {
        None => match call.token.as_ref().map(|token| token.0.as_str()) {
            None | Some("") => Err(wrong("token is empty")),
            Some(own) => Ok((own, false)),
        },
        Some(value) => match value.as_str() {
            None => Err(wrong("could not decode token in request body")),
            Some("") => Err(wrong("empty token in request body")),
            Some(token) => Ok((token, true)),
        },
    }
}

/// Answers what needs no token, and refuses requests about tokens that are none of wrapping.
pub(super) fn open(core: &Core, call: &Call) -> Option<Outcome> {
    let action = call.path.strip_prefix("sys/wrapping/")?;
    if !matches!(action, "lookup" | "unwrap" | "rewrap") {
        return None;
    }
    let parcel = match subject(call) {
        Err(refusal) => return Some(Err(refusal)),
        Ok((token, _)) => core.wrapped.0.get(token),
    };
    let Some(parcel) = parcel else {
        return Some(Err(Refusal::bad("wrapping token is not valid or does not exist")));
    };
    (action == "lookup").then(|| match call.operation {
        Operation::Read | Operation::Write => Answer::data(&json!({
            "creation_path": parcel.path,
            "creation_time": parcel.created.rfc3339(),
            "creation_ttl": parcel.ttl.as_secs(),
        })),
        _ => Err(Refusal::new(405, "unsupported operation")),
    })
}

/// Answers a request below `sys/wrapping/` whose token may make it.
pub(super) fn handle(core: &mut Core, call: &Call, action: &str, caller: &Caller, now: Moment) -> Outcome {
    match (action, call.operation) {
        ("wrap", Operation::Write) if call.wrap.is_none() => {
            Err(Refusal::bad("endpoint requires response wrapping to be used"))
        }
        ("wrap", Operation::Write) => Answer::data(&JsonMap(call.fields.all())),
        ("unwrap" | "rewrap", Operation::Write) => {
            let (token, other) = subject(call)?;
            if other && token == caller.token.id {
                return Err(Refusal::new(
                    500,
                    list_of_errors(
                        "error decrementing wrapping token's use-count: invalid token entry provided for use count \
                         decrementing",
                    ),
                ));
            }
            let (token, parcel) = core.wrapped.0.remove_entry(token).ok_or_else(Refusal::internal)?;
            core.revoke_token(&token);
            if action == "rewrap" {
                return Ok(wrap(core, parcel, now));
            }
            Ok(Answer { status: parcel.status, body: Body::Text(parcel.text) })
        }
        ("wrap" | "unwrap" | "rewrap" | "lookup", _) => Err(Refusal::unsupported_operation()),
        _ => Err(Refusal::unsupported_path()),
    }
}

/// Wraps the outcome of a request that asks for it; refusals and empty answers stay as they are.
pub(super) fn outcome(core: &mut Core, call: &Call, outcome: Outcome, now: Moment) -> Outcome {
    let Some(ttl) = call.wrap else { return outcome };
    if call.path.starts_with("sys/wrapping/") && call.path != "sys/wrapping/wrap" {
        return outcome;
    }
    match outcome {
        Ok(Answer { status, body: Body::Secret(body) }) => {
            let text = text_of(&body)?;
            let accessor = match &body.auth {
                Some(auth) => Some(auth.accessor.clone()),
                None => body.secret_id_accessor(),
            };
            let parcel = Parcel { status, text, ttl, created: now, path: call.path.clone(), accessor };
            Ok(wrap(core, parcel, now))
        }
        Err(Refusal { status: 404, errors }) if call.operation == Operation::List && errors.is_empty() => {
            Err(Refusal::new(404, "unsupported path"))
        }
        other => other,
    }
}

fn wrap(core: &mut Core, parcel: Parcel, now: Moment) -> Answer {
    let spec = TokenSpec {
        policies: vec![POLICY.to_owned()],
        limits: Limits { explicit_max_ttl: parcel.ttl, ..Limits::default() },
        num_uses: 1,
        path: parcel.path.clone(),
        ..TokenSpec::default()
    };
    let token = core.tokens.insert(None, None, spec, parcel.ttl, now);
    let wrap_info = WrapInfo {
        token: token.id.clone(),
        accessor: token.accessor,
        ttl: parcel.ttl.as_secs(),
        creation_time: now.rfc3339(),
        creation_path: parcel.path.clone(),
        wrapped_accessor: parcel.accessor.clone(),
    };
    core.wrapped.0.insert(token.id, Parcel { created: now, ..parcel });
    Answer::secret(SecretBody {
        request_id: String::new(),
        wrap_info: Some(wrap_info),
        ..SecretBody::default()
    })
}

#[cfg(test)]
mod tests;
