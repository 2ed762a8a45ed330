//! What brings entries forward: time that the monotonic clock doesn't know of, and stricter rules.
//!
//! While the machine sleeps, timers stand still and secrets age. So the wall clock is looked at whenever the store wakes,
//! and once a minute. What it is ahead counts as time that has passed. A clock that is put back changes nothing, and
//! when it is put forward again, that counts for what was asked since then alone: so it can neither lengthen a life nor
//! make everything be asked for again and again.

use tracing::info;

use super::{EntryEvent, SecretRequest, Store};
use crate::{clock::Jump, secrets::fetch::Fetch};

impl<F: Fetch> Store<F> {
    /// Notices that the wall clock has jumped.
    pub(super) fn look_at_the_wall(&mut self) {
        let Some(jump) = self.looked.jump(&self.clock) else { return };
        self.looked = self.clock.moment();
        let Jump::Ahead(ahead) = jump else { return };
        info!(target: "agent.store", seconds = ahead.as_secs(), "time has passed unnoticed, or the clock was set");
        if let Some(current) = &mut self.current
            && let Some(Jump::Ahead(missed)) = current.since.jump(&self.clock)
        {
            current.since = self.looked;
            current.expires = current.expires.map(|end| end.checked_sub(missed).unwrap_or(self.clock.now()));
        }
        let missed = |since: &crate::clock::Moment| match since.jump(&self.clock) {
            Some(Jump::Ahead(missed)) => Some(missed),
            _ => None,
        };
        let late: Vec<_> = self
            .slots
            .iter()
            .filter_map(|(request, slot)| Some((request.clone(), missed(&slot.since)?)))
            .collect();
        for (request, missed) in late {
            self.feed(&request, EntryEvent::Missed(missed));
            if let Some(slot) = self.slots.get_mut(&request) {
                slot.since = self.looked;
            }
        }
        self.publish_lives();
    }

    /// Tells entries that their rules have changed.
    pub(super) fn obey_rules(&mut self, changed: Vec<SecretRequest>) {
        if changed.is_empty() {
            return;
        }
        for request in changed {
            self.feed(&request, EntryEvent::Rules);
        }
        self.publish_lives();
    }
}
