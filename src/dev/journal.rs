//! What was asked of the server: method, path, status, and whose token. Never a secret.

use std::collections::VecDeque;

use serde::Serialize;

use super::kubernetes::glob;

/// One request.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    /// Counts from 1, in the order of arrival.
    pub(super) seq: u64,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    /// `null` while it is being answered, 0 when the connection was cut.
    pub(super) status: Option<u16>,
    /// A short hash by which the requests of one token can be told from others.
    pub(super) token: Option<String>,
    pub(super) namespace: Option<String>,
    /// Seconds since 1970.
    pub(super) time: u64,
    /// The fault that struck it.
    pub(super) fault: bool,
}

/// How many requests are remembered: far more than a test makes, and a bound for a server that runs for days.
const REMEMBERED: usize = 20_000;

/// The latest requests below `/v1/`.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: VecDeque<Entry>,
    forgotten: u64,
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    pub(super) method: Option<String>,
    /// With `*` for anything.
    pub(super) path: Option<String>,
    pub(super) status: Option<u16>,
    /// Only entries after this number.
    pub(super) since: u64,
    /// Unanswered requests too.
    pub(super) arrived: bool,
}

impl Filter {
    fn wants(&self, entry: &Entry) -> bool {
        entry.seq > self.since
            && (self.arrived || entry.status.is_some())
            && self.method.as_ref().is_none_or(|method| *method == entry.method)
            && self.path.as_ref().is_none_or(|path| glob(path, &entry.path))
            && self.status.is_none_or(|status| entry.status == Some(status))
    }
}

impl Journal {
    /// Writes a request down; answers its number.
    pub(super) fn arrived(&mut self, mut entry: Entry) -> u64 {
        entry.seq = self.last() + 1;
        self.entries.push_back(entry);
        if self.entries.len() > REMEMBERED {
            self.entries.pop_front();
            self.forgotten += 1;
        }
        self.last()
    }

    pub(super) fn answered(&mut self, seq: u64, status: u16, fault: bool) {
        if let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.seq == seq) {
            entry.status = Some(status);
            entry.fault = fault;
        }
    }

    pub(super) fn find(&self, filter: &Filter) -> Vec<&Entry> {
        self.entries.iter().filter(|entry| filter.wants(entry)).collect()
    }

    pub(super) fn last(&self) -> u64 {
        self.forgotten + self.entries.len() as u64
    }

    /// Forgets what was asked; the numbers go on.
    pub(super) fn clear(&mut self) {
        self.forgotten = self.last();
        self.entries.clear();
    }
}

/// Eight hex digits that stand for a token.
pub(super) fn fingerprint(token: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
    digest.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(method: &str, path: &str) -> Entry {
        Entry {
            seq: 0,
            method: method.into(),
            path: path.into(),
            query: String::new(),
            status: None,
            token: None,
            namespace: None,
            time: 0,
            fault: false,
        }
    }

    #[test]
    fn entries_are_found_by_what_is_asked() {
        let mut journal = Journal::default();
        let first = journal.arrived(entry("GET", "/v1/secret/a"));
        journal.arrived(entry("PUT", "/v1/auth/token/renew-self"));
        journal.answered(first, 404, false);
        let count = |filter: Filter| journal.find(&filter).len();
        assert_eq!(count(Filter::default()), 1);
        assert_eq!(count(Filter { arrived: true, ..Filter::default() }), 2);
        assert_eq!(count(Filter { path: Some("/v1/secret/*".into()), ..Filter::default() }), 1);
        assert_eq!(count(Filter { status: Some(200), ..Filter::default() }), 0);
        assert_eq!(count(Filter { since: first, arrived: true, ..Filter::default() }), 1);
    }

    #[test]
    fn numbers_go_on_after_forgetting() {
        let mut journal = Journal::default();
        journal.arrived(entry("GET", "/v1/a"));
        journal.clear();
        assert_eq!(journal.arrived(entry("GET", "/v1/b")), 2);
        journal.answered(2, 200, false);
        assert_eq!(journal.find(&Filter::default()).len(), 1);
    }

    #[test]
    fn only_the_latest_requests_are_remembered() {
        let mut journal = Journal::default();
        for _ in 0..=REMEMBERED {
            journal.arrived(entry("GET", "/v1/a"));
        }
        let kept = journal.find(&Filter { arrived: true, ..Filter::default() });
        assert_eq!((kept.len(), kept[0].seq), (REMEMBERED, 2));
        assert_eq!(journal.last(), REMEMBERED as u64 + 1);
    }

    #[test]
    fn a_token_is_only_hinted_at() {
        assert_eq!(fingerprint("root").len(), 8);
        assert_ne!(fingerprint("root"), fingerprint("other"));
    }
}
