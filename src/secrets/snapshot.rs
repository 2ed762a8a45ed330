//! The immutable view of all answers that a render sees.

use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;

pub use super::life::Life;
use super::{entry::FailureClass, request::SecretRequest};
use crate::vault::secret::Secret;

/// All last good answers at one moment. Cheap to clone and to hand to a render.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Grows by one with every change.
    pub generation: u64,
    /// The last good answer per request; a request without one is not in the map.
    pub answers: Arc<HashMap<SecretRequest, Held>>,
    /// Requests whose last try failed; they may have a good answer from before.
    pub failed: Arc<HashMap<SecretRequest, Failed>>,
    /// Tries that failed since the start; each of them was, or will be, tried again.
    pub failures: u64,
}

/// A good answer.
#[derive(Clone, Debug)]
pub struct Held {
    /// What the server said.
    pub secret: Arc<Secret>,
    /// Generation of the snapshot that it came with.
    pub since: u64,
    /// How long it lives and what comes next, for status.
    pub life: Life,
}

/// How a request fails at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Failed tries in a row.
    pub tries: u32,
    /// How many of these, the last ones, were definite answers.
    pub definite: u32,
    /// The kind of the last failure.
    pub class: FailureClass,
    /// Words for the user; never a secret.
    pub message: Arc<str>,
    /// When it is tried again; `None`: when there is a token.
    pub next_try: Option<Instant>,
}

impl Snapshot {
    /// The last good answer.
    pub fn get(&self, request: &SecretRequest) -> Option<&Arc<Secret>> {
        self.answers.get(request).map(|held| &held.secret)
    }

    /// The requests whose answers came after that generation.
    pub fn newer_than(&self, generation: u64) -> impl Iterator<Item = &SecretRequest> {
        self.answers.iter().filter(move |(_, held)| held.since > generation).map(|(request, _)| request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        secrets::request::{AuthId, Verb},
        vault::path::VaultPath,
    };

    #[test]
    fn only_answers_that_came_later_are_newer() {
        let request = |path: &str| SecretRequest {
            auth: AuthId::default(),
            namespace: None,
            verb: Verb::Read,
            path: VaultPath::parse(path).unwrap().0,
            params: [].into(),
        };
        let held = |since| Held { secret: Arc::default(), since, life: Life::default() };
        let answers = HashMap::from([(request("kv/a"), held(1)), (request("kv/b"), held(3))]);
        let snapshot = Snapshot { generation: 3, answers: answers.into(), ..Snapshot::default() };
        assert_eq!(snapshot.newer_than(0).count(), 2);
        assert_eq!(snapshot.newer_than(1).collect::<Vec<_>>(), [&request("kv/b")]);
        assert_eq!(snapshot.newer_than(3).count(), 0);
    }
}
