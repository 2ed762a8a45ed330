//! The immutable view of all answers that a render sees.

use std::{collections::HashMap, sync::Arc};

use super::request::SecretRequest;
use crate::vault::secret::Secret;

/// All last good answers at one moment. Cheap to clone and to hand to a render.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Grows by one with every change of `answers`.
    pub generation: u64,
    /// The last good answer per request; a request without one is not in the map.
    pub answers: Arc<HashMap<SecretRequest, Arc<Secret>>>,
}

impl Snapshot {
    /// The last good answer.
    pub fn get(&self, request: &SecretRequest) -> Option<&Arc<Secret>> {
        self.answers.get(request)
    }
}
