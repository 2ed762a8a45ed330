//! The secret ids of one AppRole role: made, counted, looked up, destroyed.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/auth/approle#generate-new-secret-id>.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use super::{
    answer::{Answer, Outcome, Refusal, list_of_errors, uuid},
    approle::{Role, SecretIdLimits},
    call::{Operation, Visit},
    fields::Fields,
    moment::Moment,
};

/// What the original prints for no time at all.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// All secret ids of one role, by their id.
#[derive(Default)]
pub(super) struct SecretIds(BTreeMap<String, SecretId>);

struct SecretId {
    accessor: String,
    /// 0: as often as wanted.
    uses_left: i64,
    ttl: Duration,
    created: Moment,
    updated: Moment,
    expires: Option<Moment>,
    metadata: BTreeMap<String, String>,
    cidrs: Vec<String>,
    token_cidrs: Vec<String>,
}

/// What a login needs to know about the secret id that it used.
pub(super) struct Used {
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) cidrs: Vec<String>,
}

impl Role {
    /// Answers a request below `role/<name>/` that is about secret ids.
    pub(super) fn secret_id(&mut self, field: &str, visit: &Visit<'_>) -> Outcome {
        let required = |key: &str| match visit.fields.text(key) {
            text if text.is_empty() => Err(Refusal::bad(format!("missing {key}"))),
            text => Ok(text),
        };
        self.secret_ids.tidy(visit.now);
        match (field, visit.operation) {
            ("secret-id", Operation::List) => Answer::keys(&self.secret_ids.accessors()),
            ("secret-id", Operation::Write) => self.make(uuid(), visit),
            ("custom-secret-id", Operation::Write) => self.make(required("secret_id")?, visit),
            ("secret-id/lookup", Operation::Write) => {
                self.secret_ids.0.get(&required("secret_id")?).map_or_else(|| Ok(Answer::empty()), describe)
            }
            ("secret-id/destroy", Operation::Write | Operation::Delete) => {
                self.secret_ids.0.remove(&required("secret_id")?);
                Ok(Answer::empty())
            }
            ("secret-id-accessor/lookup", Operation::Write) => {
                let accessor = required("secret_id_accessor")?;
                match self.secret_ids.by_accessor(&accessor) {
                    Some(id) => self.secret_ids.0.get(&id).map_or_else(|| Ok(Answer::empty()), describe),
                    None => Answer::data(&json!({"error": unknown(&accessor)}))
                        .map(|answer| answer.with_status(404)),
                }
            }
            ("secret-id-accessor/destroy", Operation::Write | Operation::Delete) => {
                let accessor = required("secret_id_accessor")?;
                let id = self.secret_ids.by_accessor(&accessor);
                let id = id.ok_or_else(|| Refusal::new(500, list_of_errors(&unknown(&accessor))))?;
                self.secret_ids.0.remove(&id);
                Ok(Answer::empty())
            }
            (
                "secret-id"
                | "custom-secret-id"
                | "secret-id/lookup"
                | "secret-id/destroy"
                | "secret-id-accessor/lookup"
                | "secret-id-accessor/destroy"
                | "role-id",
                _,
            ) => Err(Refusal::unsupported_operation()),
            _ => Err(Refusal::unsupported_path()),
        }
    }

    fn make(&mut self, id: String, visit: &Visit<'_>) -> Outcome {
        if !self.limits.needed {
            return Err(Refusal::bad("bind_secret_id is not set on the role"));
        }
        let made = SecretId::read(&self.limits, visit.fields, visit.now)?;
        if self.secret_ids.0.contains_key(&id) {
            let why = "failed to store secret_id: SecretID is already registered";
            return Err(Refusal::new(500, list_of_errors(why)));
        }
        let answer = Answer::data(&json!({
            "secret_id": id,
            "secret_id_accessor": made.accessor,
            "secret_id_num_uses": made.uses_left,
            "secret_id_ttl": made.ttl.as_secs(),
        }));
        self.secret_ids.0.insert(id, made);
        answer
    }
}

impl SecretIds {
    /// Forgets what has expired.
    pub(super) fn tidy(&mut self, now: Moment) {
        self.0.retain(|_, secret| secret.expires.is_none_or(|end| end > now));
    }

    /// Counts one use; the last one takes the id away.
    pub(super) fn spend(&mut self, id: &str, now: Moment) -> Option<Used> {
        self.tidy(now);
        let secret = self.0.get_mut(id)?;
        let used = Used { metadata: secret.metadata.clone(), cidrs: secret.cidrs.clone() };
        match secret.uses_left {
            0 => {}
            1 => {
                self.0.remove(id);
            }
            _ => {
                secret.uses_left -= 1;
                secret.updated = now;
            }
        }
        Some(used)
    }

    fn accessors(&self) -> Vec<String> {
        let mut accessors: Vec<String> = self.0.values().map(|secret| secret.accessor.clone()).collect();
        accessors.sort_unstable();
        accessors
    }

    fn by_accessor(&self, accessor: &str) -> Option<String> {
        self.0.iter().find(|(_, secret)| secret.accessor == accessor).map(|(id, _)| id.clone())
    }
}

impl SecretId {
    fn read(limits: &SecretIdLimits, fields: &Fields, now: Moment) -> Result<Self, Refusal> {
        let metadata = metadata(fields)?;
        let uses = match fields.count("num_uses")? {
            None => limits.num_uses,
            Some(uses) if uses < 0 => return Err(Refusal::bad("num_uses cannot be negative")),
            Some(uses) if limits.num_uses > 0 && (uses == 0 || uses > limits.num_uses) => {
                return Err(Refusal::bad("num_uses cannot be higher than the role's secret_id_num_uses"));
            }
            Some(uses) => uses,
        };
        let ttl = match fields.span("ttl")? {
            None => limits.ttl,
            Some(ttl) if !limits.ttl.is_zero() && (ttl.is_zero() || ttl > limits.ttl) => {
                return Err(Refusal::bad("ttl cannot be longer than the role's secret_id_ttl"));
            }
            Some(ttl) => ttl,
        };
        Ok(Self {
            accessor: uuid(),
            uses_left: uses,
            ttl,
            created: now,
            updated: now,
            expires: Some(ttl).filter(|ttl| !ttl.is_zero()).map(|ttl| now.plus(ttl)),
            metadata,
            cidrs: fields.list("cidr_list"),
            token_cidrs: fields.list("token_bound_cidrs"),
        })
    }
}

/// The metadata, a JSON object of texts inside a text.
fn metadata(fields: &Fields) -> Result<BTreeMap<String, String>, Refusal> {
    if fields.get("metadata").is_some_and(|value| value.as_map().is_some()) {
        return Err(Refusal::bad(
            "Field validation failed: error converting input for field \"metadata\": '' expected type 'string', got \
             unconvertible type 'map[string]interface {}'",
        ));
    }
    let text = fields.text("metadata");
    if text.is_empty() {
        return Ok(BTreeMap::new());
    }
    serde_json::from_str(&text).map_err(|_| {
        Refusal::bad("failed to parse metadata: failed to parse the input: invalid <key,value> format")
    })
}

fn describe(secret: &SecretId) -> Outcome {
    Answer::data(&json!({
        "cidr_list": secret.cidrs,
        "creation_time": secret.created.rfc3339(),
        "expiration_time": secret.expires.map_or_else(|| NEVER.to_owned(), Moment::rfc3339),
        "last_updated_time": secret.updated.rfc3339(),
        "metadata": secret.metadata,
        "secret_id_accessor": secret.accessor,
        "secret_id_num_uses": secret.uses_left,
        "secret_id_ttl": secret.ttl.as_secs(),
        "token_bound_cidrs": secret.token_cidrs,
    }))
}

fn unknown(accessor: &str) -> String {
    format!("failed to find accessor entry for secret_id_accessor: {accessor:?}")
}
