//! What the log says of answers.

use tracing::{debug, info, warn};

use super::{Answer, Failure, FailureClass, SecretRequest};
use crate::vault::lifetime;

/// An answer came, or none.
pub(super) fn landed(request: &SecretRequest, result: &Result<Answer, Failure>, renewal: bool) {
    match result {
        Ok(Answer { secret, .. }) if renewal => {
            let left = lifetime::lease_duration(secret).as_secs();
            info!(target: "agent.store", %request, left, "renewed the lease");
        }
        Ok(Answer { secret, .. }) if secret.lease_id.is_empty() => {
            debug!(target: "agent.store", %request, "secret is here")
        }
        Ok(Answer { secret, .. }) => info!(
            target: "agent.store", %request, lease_duration = secret.lease_duration, renewable = secret.renewable,
            "leased secret is here"
        ),
        Err(failure) if failure.class == FailureClass::Unreachable => {
            debug!(target: "agent.store", %request, error = %failure.message, "no answer");
        }
        Err(failure) => warn!(target: "agent.store", %request, error = %failure.message, "request failed"),
    }
}
