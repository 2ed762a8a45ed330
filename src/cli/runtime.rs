//! The one runtime of a run: one thread, its timers and its sockets.

use std::future::Future;

use crate::agent::outcome::Outcome;

/// Runs the future to its end on this thread.
pub(super) fn block_on(run: impl Future<Output = Outcome>) -> Outcome {
    wait_for(run).unwrap_or_else(Outcome::Internal)
}

/// Runs any future to its end on this thread.
///
/// # Errors
/// No runtime; words for the user.
pub(super) fn wait_for<T>(run: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .map(|runtime| runtime.block_on(run))
        .map_err(|trouble| format!("can't start the runtime: {trouble}"))
}
