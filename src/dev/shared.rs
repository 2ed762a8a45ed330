//! What the handlers of all connections share: the core, the faults, the journal, and a bell that rings on change.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use super::{authority::Authority, core::Core, fault::Faults, issuer::Issuer, journal::Journal};

/// The server's state behind its one lock.
pub(super) struct State {
    pub(super) core: Core,
    pub(super) faults: Faults,
    pub(super) journal: Journal,
}

/// A handle to the state. Nothing waits while it holds the lock.
#[derive(Clone)]
pub(super) struct Shared {
    state: Arc<Mutex<State>>,
    bell: Arc<watch::Sender<()>>,
    pub(super) issuer: Arc<Issuer>,
    pub(super) authority: Arc<Authority>,
}

impl Shared {
    pub(super) fn new(core: Core, authority: Authority) -> Self {
        let issuer = Arc::clone(&core.issuer);
        let state = State { core, faults: Faults::default(), journal: Journal::default() };
        Self {
            state: Arc::new(Mutex::new(state)),
            bell: Arc::new(watch::Sender::new(())),
            issuer,
            authority: Arc::new(authority),
        }
    }

    /// Looks, without waking anybody.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes everybody who waits for a change.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.bell.send_replace(());
        result
    }

    /// Waits until `done` says so, at most for `limit`; answers whether it came true.
    pub(super) async fn wait(&self, limit: Duration, done: impl Fn(&State) -> bool) -> bool {
        tokio::time::timeout(limit, self.wait_for_ever(done)).await.is_ok()
    }

    /// Waits until `done` says so.
    pub(super) async fn wait_for_ever(&self, done: impl Fn(&State) -> bool) {
        let mut bell = self.bell.subscribe();
        loop {
            if done(&self.lock()) {
                return;
            }
            if bell.changed().await.is_err() {
                return;
            }
        }
    }
}
