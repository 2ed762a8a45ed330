//! The end of a run in order: no more requests, no more logins, then the hand-over and the tokens.

use std::sync::Arc;

use tokio::{sync::mpsc, task::JoinSet};

use super::{
    endpoints::Servers,
    handover::{End, Ending},
    outcome::Outcome,
    revoke,
};
use crate::{
    auth::Handle,
    clock::Clock,
    process::service_manager::{ServiceManager, State},
    secrets::request::Wanted,
    vault::gate::Gate,
};

/// What is left of a run when its loop is over.
pub(super) struct Rest {
    pub(super) service_manager: Arc<ServiceManager>,
    pub(super) servers: Servers,
    /// Whose tokens are to be revoked.
    pub(super) revoke: Option<Handle>,
    pub(super) logins: JoinSet<()>,
    pub(super) handover: Option<Ending>,
    /// Keeps the store, which is asked once more.
    pub(super) store_stays: mpsc::Sender<Wanted>,
    pub(super) tasks: JoinSet<()>,
    pub(super) gate: Gate,
    pub(super) clock: Clock,
}

impl Rest {
    /// Puts everything in order, which may take some seconds.
    pub(super) async fn put_in_order(mut self, outcome: &Outcome) {
        self.service_manager.notify(State::Stopping);
        self.servers.drain().await;
        let start = self.clock.now();
        if let Some(handle) = self.revoke.clone() {
            revoke::no_more_logins(handle, &mut self.logins).await;
        }
        let lives_on = match self.handover {
            Some(handover) => handover.with(end(outcome, self.revoke.is_some())).await,
            None => false,
        };
        drop(self.store_stays);
        self.tasks.shutdown().await;
        if let Some(handle) = self.revoke.filter(|_| !lives_on && !matches!(outcome, Outcome::Done { .. })) {
            revoke::own_tokens(&self.gate, &handle, start).await;
        }
    }
}

/// A run that was stopped has no next one that would need its token: whoever stops a pod makes a new one. One that
/// failed is started again, and one that is done is followed by the sidecar.
const fn end(outcome: &Outcome, revoke: bool) -> End {
    if revoke && matches!(outcome, Outcome::Stopped) { End::Remove } else { End::Keep }
}
