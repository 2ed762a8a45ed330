//! How requests went, counted for monitoring.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::vault::error::VaultError;

/// Results, in the order in which they are shown.
const RESULTS: [&str; 8] =
    ["ok", "denied", "invalid_token", "missing", "refused", "busy", "malformed", "unreachable"];

/// Requests since the start, by result.
#[derive(Debug, Default)]
pub struct Counts {
    results: [AtomicU64; RESULTS.len()],
    retries: AtomicU64,
}

impl Counts {
    /// Each result with its number of requests.
    pub fn results(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        RESULTS.into_iter().zip(&self.results).map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }

    /// Requests that were sent again after a failure.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Counts a request that is sent again after a failure.
    pub fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that is over.
    pub(super) fn add<T>(&self, result: &Result<T, VaultError>) {
        let name = result.as_ref().map_or_else(name, |_| "ok");
        if let Some(at) = RESULTS.iter().position(|known| *known == name) {
            self.results[at].fetch_add(1, Ordering::Relaxed);
        }
    }
}

const fn name(error: &VaultError) -> &'static str {
    match error {
        VaultError::Denied(_) => "denied",
        VaultError::InvalidToken(_) => "invalid_token",
        VaultError::Missing(_) => "missing",
        VaultError::Invalid(_) => "refused",
        VaultError::Sealed(_) | VaultError::Standby(_) | VaultError::Busy(_) | VaultError::Server(_) => {
            "busy"
        }
        VaultError::Malformed { .. } | VaultError::Redirect { .. } => "malformed",
        VaultError::Unreachable { .. } | VaultError::Broken { .. } | VaultError::Timeout { .. } => {
            "unreachable"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_result_has_its_place() {
        let counts = Counts::default();
        counts.add(&Ok(()));
        let timeout = || VaultError::Timeout {
            method: reqwest::Method::GET,
            url: "http://v".into(),
            limit: std::time::Duration::from_secs(1),
        };
        counts.add::<()>(&Err(timeout()));
        counts.add::<()>(&Err(timeout()));
        counts.retried();
        let seen: Vec<_> = counts.results().filter(|(_, number)| *number > 0).collect();
        assert_eq!(seen, [("ok", 1), ("unreachable", 2)]);
        assert_eq!(counts.retries(), 1);
        assert!(RESULTS.contains(&name(&timeout())));
    }
}
