//! KV version 1: <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v1>.

use std::{collections::BTreeMap, time::Duration};

use super::{
    answer::{Answer, Outcome, Refusal},
    call::{Operation, Visit},
    fields::{Fields, JsonMap, parse_span},
    folder,
};

/// One KV v1 mount.
#[derive(Debug, Default)]
pub(super) struct Kv1 {
    secrets: BTreeMap<String, Fields>,
}

impl Kv1 {
    pub(super) fn exists(&self, path: &str) -> bool {
        self.secrets.contains_key(path)
    }

    pub(super) fn handle(&mut self, visit: &Visit<'_>) -> Outcome {
        let path = visit.path;
        match visit.operation {
            Operation::Read => self.read(path, visit.default_ttl),
            Operation::List => Answer::keys(&folder::children(self.secrets.keys(), path)),
            Operation::Write if path.is_empty() => Err(Refusal::bad("missing path")),
            Operation::Write if visit.fields.all().is_empty() => Err(Refusal::bad("missing data fields")),
            Operation::Write => {
                self.secrets.insert(path.to_owned(), visit.fields.clone());
                Ok(Answer::empty())
            }
            Operation::Delete => {
                self.secrets.remove(path);
                Ok(Answer::empty())
            }
            Operation::Patch | Operation::Head => Err(Refusal::unsupported_operation()),
        }
    }

    fn read(&self, path: &str, default_ttl: Duration) -> Outcome {
        let secret = self.secrets.get(path).ok_or_else(Refusal::nothing)?;
        let named = [secret.text("ttl"), secret.text("lease")].into_iter().find(|text| !text.is_empty());
        let ttl = named.and_then(|text| parse_span(&text)).unwrap_or(default_ttl);
        Ok(Answer::data(&JsonMap(secret.all()))?.leased(String::new(), ttl, false))
    }
}
