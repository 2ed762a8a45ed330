//! What others hold of the store.

use tokio::sync::{mpsc, oneshot, watch};

use super::{Snapshot, Wanted};
use crate::cache::KeptAnswer;

/// Why a new login is needed, with the generation of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heal {
    /// The server called the token invalid.
    Invalid(u64),
    /// The token was handed over and lives, but may lack rights that one of now has.
    Outgrown(u64),
}

/// What others hold of the store.
#[derive(Debug)]
pub struct StoreHandle {
    /// Send the whole set of requests that templates need; what is not in it is forgotten.
    pub wants: mpsc::Sender<Wanted>,
    /// The answers so far.
    pub snapshot: watch::Receiver<Snapshot>,
    /// Tokens that a new login has to replace.
    pub heal: mpsc::Receiver<Heal>,
    /// What the next run would have to know.
    pub inventory: Inventory,
}

/// Asks the store for what the next run would have to know.
#[derive(Clone, Debug)]
pub struct Inventory {
    pub(super) ask: mpsc::Sender<oneshot::Sender<Vec<KeptAnswer>>>,
    /// Changes whenever there is more to tell than before.
    pub stirred: watch::Receiver<u64>,
}

impl Inventory {
    /// One that asks there.
    #[cfg(test)]
    pub(crate) const fn asking(
        ask: mpsc::Sender<oneshot::Sender<Vec<KeptAnswer>>>,
        stirred: watch::Receiver<u64>,
    ) -> Self {
        Self { ask, stirred }
    }

    /// All of it now; nothing when the store has ended.
    pub async fn take(&self) -> Vec<KeptAnswer> {
        let (answer, wait) = oneshot::channel();
        if self.ask.send(answer).await.is_err() {
            return Vec::new();
        }
        wait.await.unwrap_or_default()
    }
}
