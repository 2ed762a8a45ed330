//! How entries look from outside: their times, how they fail, and what is news.

use super::{Entry, Failed, Life, SecretRequest, Store};
use crate::{secrets::fetch::Fetch, vault::secret::Secret};

impl<F: Fetch> Store<F> {
    /// The times of an entry's answer; `confirmed`: the server has just answered well.
    pub(super) fn life(&self, request: &SecretRequest, entry: &Entry, confirmed: bool) -> Life {
        let snapshot = self.snapshot.borrow();
        let known = snapshot.answers.get(request).map(|held| &held.life);
        Life::of(request, entry, known, confirmed, self.clock)
    }

    /// Tells the times anew, after a token changed them.
    pub(super) fn publish_lives(&self) {
        let lives: Vec<(SecretRequest, Life)> = self
            .slots
            .iter()
            .map(|(request, slot)| (request.clone(), self.life(request, &slot.entry, false)))
            .collect();
        self.publish(|_, answers, _| {
            for (request, life) in lives {
                if let Some(held) = answers.get_mut(&request) {
                    held.life = life;
                }
            }
        });
    }
}

/// How the entry fails just now.
pub(super) fn failed(entry: &Entry) -> Option<Failed> {
    entry.failed().map(|(tries, failure)| Failed {
        tries: *tries,
        definite: entry.definite_failures(),
        class: failure.class,
        message: failure.message.as_str().into(),
        next_try: entry.next_at(),
    })
}

/// Every answer has an id of its own; nothing needs to be rendered anew for that.
pub(super) fn same_meaning(a: &Secret, b: &Secret) -> bool {
    a.data == b.data
        && a.lease_id == b.lease_id
        && a.lease_duration == b.lease_duration
        && a.renewable == b.renewable
        && a.warnings == b.warnings
        && a.auth == b.auth
        && a.wrap_info == b.wrap_info
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::secrets::store::tests::{Bench, leased, request, token};

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_said_to_end_with_its_token_however_many_came_since() {
        let bench = Bench::start();
        bench.tokens.send(token(1, 1000, bench.clock)).unwrap();
        bench.want(&["db/a"]).await;
        bench.server.answer("read db/a", Ok(leased(36_000)));
        bench.settle().await;
        let end = bench.clock.wall() + Duration::from_secs(1000);
        for generation in 2..4 {
            bench.tokens.send(token(generation, 36_000, bench.clock)).unwrap();
            bench.settle().await;
            let current = Some((generation, bench.clock.wall() + Duration::from_secs(36_000)));
            let said = bench.handle.snapshot.borrow().answers[&request("db/a")].life.ends(current).unwrap();
            assert!(said <= end + Duration::from_secs(1), "with token {generation}: {said:?}, not {end:?}");
        }
    }
}
