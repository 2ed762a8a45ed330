//! Scripted faults: what goes wrong with which requests, how often, and who is being held.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::kubernetes::glob;

/// One fault, as tests write it. Of several that match, the oldest that is not used up acts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// HTTP method, upper case; any when empty.
    pub method: String,
    /// Path with `/v1/`, without query; `*` stands for anything; any when empty.
    pub path: String,
    /// How many matching requests pass before it acts.
    pub skip: u64,
    /// How many requests it acts on; all when absent.
    pub count: Option<u64>,
    /// Waits before anything else.
    pub delay_ms: u64,
    /// Holds the request until it is released.
    pub hold: bool,
    /// Lets the server do the work first, so that only the answer suffers.
    pub after: bool,
    /// Answers this status instead of the real answer.
    pub status: Option<u16>,
    /// Body for `status`; Vault's error body with one line when empty.
    pub body: String,
    /// Headers to set on whatever is answered.
    pub headers: BTreeMap<String, String>,
    /// Cuts the connection without an answer.
    pub drop: bool,
    /// Cuts the connection in the middle of the body.
    pub truncate: bool,
    /// Answers 200 with a body that is no JSON.
    pub garbage: bool,
}

impl Fault {
    fn matches(&self, method: &str, path: &str) -> bool {
        (self.method.is_empty() || self.method == method) && (self.path.is_empty() || glob(&self.path, path))
    }

    /// How long to wait first.
    pub(super) const fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }

    /// Whether the real answer is still wanted.
    pub(super) const fn needs_answer(&self) -> bool {
        self.after || self.truncate || !(self.drop || self.garbage || self.status.is_some())
    }
}

/// A fault with its counters.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Armed {
    pub(super) id: u64,
    #[serde(flatten)]
    pub(super) fault: Fault,
    pub(super) seen: u64,
    pub(super) hits: u64,
    /// Requests that wait now.
    pub(super) held: u64,
    /// Requests that were held so far, the released ones too.
    pub(super) held_ever: u64,
    #[serde(skip)]
    released: u64,
}

/// All faults in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Faults {
    armed: BTreeMap<u64, Armed>,
    last_id: u64,
}

/// A request's place in the queue before a holding fault.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    fault: u64,
    number: u64,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) -> u64 {
        self.last_id += 1;
        let armed = Armed { id: self.last_id, fault, seen: 0, hits: 0, held: 0, held_ever: 0, released: 0 };
        self.armed.insert(self.last_id, armed);
        self.last_id
    }

    pub(super) fn remove(&mut self, id: u64) -> bool {
        self.armed.remove(&id).is_some()
    }

    pub(super) fn clear(&mut self) {
        self.armed.clear();
    }

    pub(super) fn list(&self) -> Vec<&Armed> {
        self.armed.values().collect()
    }

    pub(super) fn get(&self, id: u64) -> Option<&Armed> {
        self.armed.get(&id)
    }

    /// The fault that acts on this request, and where it queues if it is to be held.
    pub(super) fn strike(&mut self, method: &str, path: &str) -> Option<(Fault, Option<Ticket>)> {
        for armed in self.armed.values_mut().filter(|armed| armed.fault.matches(method, path)) {
            armed.seen += 1;
            let over = armed.fault.count.is_some_and(|count| armed.hits >= count);
            if armed.seen <= armed.fault.skip || over {
                continue;
            }
            armed.hits += 1;
            let ticket = armed.fault.hold.then(|| {
                armed.held += 1;
                armed.held_ever += 1;
                Ticket { fault: armed.id, number: armed.held_ever }
            });
            return Some((armed.fault.clone(), ticket));
        }
        None
    }

    /// Whether the holder of this ticket still has to wait; a removed fault lets everybody go.
    pub(super) fn waits(&self, ticket: Ticket) -> bool {
        self.armed.get(&ticket.fault).is_some_and(|armed| ticket.number > armed.released)
    }

    /// The holder of this ticket has gone on, or its client has gone away.
    pub(super) fn left(&mut self, ticket: Ticket) {
        if let Some(armed) = self.armed.get_mut(&ticket.fault) {
            armed.held = armed.held.saturating_sub(1);
        }
    }

    /// Lets the next `count` held requests go, or all that are held now.
    pub(super) fn release(&mut self, id: u64, count: Option<u64>) -> bool {
        let Some(armed) = self.armed.get_mut(&id) else { return false };
        armed.released = match count {
            Some(count) => armed.released + count,
            None => armed.held_ever,
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(faults: &mut Faults, method: &str, path: &str) -> bool {
        faults.strike(method, path).is_some()
    }

    #[test]
    fn skip_and_count_frame_the_requests() {
        let mut faults = Faults::default();
        faults.add(Fault {
            method: "GET".into(),
            path: "/v1/secret/*".into(),
            skip: 1,
            count: Some(2),
            ..Fault::default()
        });
        assert!(!struck(&mut faults, "PUT", "/v1/secret/a"));
        assert!(!struck(&mut faults, "GET", "/v1/other"));
        let hits: Vec<bool> = (0..4).map(|_| struck(&mut faults, "GET", "/v1/secret/a")).collect();
        assert_eq!(hits, [false, true, true, false]);
    }

    #[test]
    fn a_used_up_fault_makes_way_for_the_next() {
        let mut faults = Faults::default();
        faults.add(Fault { count: Some(1), status: Some(500), ..Fault::default() });
        faults.add(Fault { status: Some(503), ..Fault::default() });
        let mut status = || faults.strike("GET", "/v1/x").unwrap().0.status;
        assert_eq!((status(), status()), (Some(500), Some(503)));
    }

    #[test]
    fn held_requests_go_in_order() {
        let mut faults = Faults::default();
        let id = faults.add(Fault { hold: true, ..Fault::default() });
        let tickets: Vec<Ticket> =
            (0..3).map(|_| faults.strike("GET", "/v1/x").unwrap().1.unwrap()).collect();
        faults.release(id, Some(1));
        let waiting: Vec<bool> = tickets.iter().map(|ticket| faults.waits(*ticket)).collect();
        assert_eq!(waiting, [false, true, true]);
        faults.left(tickets[0]);
        assert_eq!(faults.get(id).unwrap().held, 2);
        faults.release(id, None);
        assert!(!faults.waits(tickets[2]));
        let late = faults.strike("GET", "/v1/x").unwrap().1.unwrap();
        assert!(faults.waits(late));
        faults.remove(id);
        assert!(!faults.waits(late));
    }

    #[test]
    fn a_misspelt_fault_is_refused() {
        assert!(serde_json::from_str::<Fault>(r#"{"stauts": 500}"#).is_err());
    }
}
