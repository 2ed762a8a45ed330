//! The immutable view of all answers that a render sees.

use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;

use super::{entry::FailureClass, request::SecretRequest};
use crate::vault::secret::Secret;

/// All last good answers at one moment. Cheap to clone and to hand to a render.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Grows by one with every change.
    pub generation: u64,
    /// The last good answer per request; a request without one is not in the map.
    pub answers: Arc<HashMap<SecretRequest, Arc<Secret>>>,
    /// Requests whose last try failed; they may have a good answer from before.
    pub failed: Arc<HashMap<SecretRequest, Failed>>,
}

/// How a request fails at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Failed tries in a row.
    pub tries: u32,
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
        self.answers.get(request)
    }
}
