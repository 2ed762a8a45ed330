//! Two spellings of one KV version 2 secret (`secret/app`, `secret/data/app`) are told apart until the mount is known;
//! by then both are on their way, and go as one.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

use super::super::entry::{Answer, Failure};
use crate::vault::path::{Namespace, Params};

/// What a read means, once the mount is known.
pub(super) type Meaning = (Option<Namespace>, String, Params);

type Outcome = Result<Answer, Failure>;

/// Reads under way.
#[derive(Default)]
pub(super) struct Together(Mutex<HashMap<Meaning, Arc<OnceCell<Outcome>>>>);

impl Together {
    /// Sends the read, unless the same one is under way: then its outcome is this one's, too.
    pub(super) async fn read(&self, meaning: Meaning, send: impl Future<Output = Outcome>) -> Outcome {
        let cell = Arc::clone(self.lock().entry(meaning.clone()).or_default());
        let outcome = cell.get_or_init(|| send).await.clone();
        // The first one back closes the door: whoever comes later asks anew.
        let mut under_way = self.lock();
        if under_way.get(&meaning).is_some_and(|known| Arc::ptr_eq(known, &cell)) {
            under_way.remove(&meaning);
        }
        outcome
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Meaning, Arc<OnceCell<Outcome>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        time::Duration,
    };

    use super::*;
    use crate::vault::lifetime::Kind;

    fn meaning(path: &str) -> Meaning {
        (None, path.to_owned(), Params::new())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_is_joined_and_what_is_over_is_asked_anew() {
        let (together, sent) = (Together::default(), AtomicU64::new(0));
        let send = || async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let token = sent.fetch_add(1, Ordering::Relaxed);
            Ok(Answer { secret: Arc::default(), kind: Kind::Other, token })
        };
        let read = async |path| together.read(meaning(path), send()).await.unwrap().token;
        let (first, second, other) = tokio::join!(read("kv/data/a"), read("kv/data/a"), read("kv/data/b"));
        assert_eq!((first == second, first == other), (true, false));
        assert_eq!(sent.load(Ordering::Relaxed), 2);
        assert_eq!(read("kv/data/a").await, 2);
        assert!(together.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_is_given_up_is_sent_by_the_one_who_waited() {
        let (together, sent) = (Together::default(), AtomicU64::new(0));
        let send = || async {
            sent.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(10)).await;
            Ok(Answer { secret: Arc::default(), kind: Kind::Other, token: 1 })
        };
        let impatient = tokio::time::timeout(Duration::from_secs(1), together.read(meaning("a"), send()));
        let (given_up, patient) = tokio::join!(impatient, together.read(meaning("a"), send()));
        assert!(given_up.is_err() && patient.is_ok());
        assert_eq!(sent.load(Ordering::Relaxed), 2);
    }
}
