//! Leases of dynamic secrets: their ids, times and owners.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/system/leases>.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    answer::{Refusal, random_text},
    lifetime::Limits,
    moment::Moment,
    token::Token,
};

/// One lease.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub(super) id: String,
    /// The path whose read made it.
    pub(super) path: String,
    /// The token that it dies with.
    pub(super) token: String,
    pub(super) issued: Moment,
    pub(super) expires: Moment,
    pub(super) last_renewal: Option<Moment>,
    pub(super) limits: Limits,
    pub(super) renewable: bool,
    /// The end of its batch token, beyond which no renewal goes.
    pub(super) latest: Option<Moment>,
}

/// All living leases.
#[derive(Debug, Default)]
pub(super) struct Leases {
    by_id: BTreeMap<String, Lease>,
    due: BTreeSet<(Moment, String)>,
}

/// What an engine wants leased.
#[derive(Debug)]
pub(super) struct LeaseSpec {
    pub(super) limits: Limits,
    pub(super) renewable: bool,
}

impl Leases {
    /// A new lease, the lifetime that the answer names, and a warning. As in the original, a lease of a batch token
    /// ends with it, though the answer names the time that it was asked for.
    pub(super) fn insert(
        &mut self,
        path: &str,
        token: &Token,
        spec: &LeaseSpec,
        now: Moment,
    ) -> (Lease, Duration, Option<String>) {
        let (granted, warning) = spec.limits.first(now);
        let latest = token.expires.filter(|_| token.spec.batch);
        let end = now.plus(granted);
        let lease = Lease {
            id: format!("{path}/{}", random_text::<24>()),
            path: path.to_owned(),
            token: token.id.clone(),
            issued: now,
            latest,
            expires: latest.map_or(end, |latest| latest.min(end)),
            last_renewal: None,
            limits: spec.limits,
            renewable: spec.renewable,
        };
        self.due.insert((lease.expires, lease.id.clone()));
        self.by_id.insert(lease.id.clone(), lease.clone());
        (lease, granted, warning)
    }

    pub(super) fn get(&self, id: &str) -> Option<&Lease> {
        self.by_id.get(id)
    }

    pub(super) fn renew(
        &mut self,
        id: &str,
        asked: Duration,
        now: Moment,
    ) -> Result<(Lease, Duration, Option<String>), Refusal> {
        let lease = self.by_id.get_mut(id).ok_or_else(|| Refusal::bad("lease not found"))?;
        if !lease.renewable {
            return Err(Refusal::bad("lease is not renewable"));
        }
        let past = || {
            Refusal::bad(
                "failed to renew entry: resp: (*logical.Response)(nil) err: past the max TTL, cannot renew",
            )
        };
        let (granted, warning) = lease.limits.grant(asked, lease.issued, now).ok_or_else(past)?;
        let granted = lease.latest.map_or(granted, |latest| granted.min(now.until(latest)));
        self.due.remove(&(lease.expires, lease.id.clone()));
        lease.expires = now.plus(granted);
        lease.last_renewal = Some(now);
        self.due.insert((lease.expires, lease.id.clone()));
        Ok((lease.clone(), granted, warning))
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Lease> {
        let lease = self.by_id.remove(id)?;
        self.due.remove(&(lease.expires, lease.id.clone()));
        Some(lease)
    }

    pub(super) fn of_token(&self, token: &str) -> Vec<String> {
        self.by_id.values().filter(|lease| lease.token == token).map(|lease| lease.id.clone()).collect()
    }

    pub(super) fn below(&self, prefix: &str) -> Vec<String> {
        self.by_id.keys().filter(|id| id.starts_with(prefix)).cloned().collect()
    }

    pub(super) fn next_expired(&self, now: Moment) -> Option<String> {
        self.due.first().filter(|(end, _)| *end <= now).map(|(_, id)| id.clone())
    }
}
