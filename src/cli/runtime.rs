//! The one runtime of a run: one thread, its timers and its sockets.

use std::future::Future;

use crate::agent::outcome::Outcome;

/// Runs the future to its end on this thread.
pub(super) fn block_on(run: impl Future<Output = Outcome>) -> Outcome {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run),
        Err(trouble) => Outcome::Internal(format!("can't start the runtime: {trouble}")),
    }
}
