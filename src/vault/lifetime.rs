//! When to renew, read anew or replace: pure functions of lifetimes and a random fraction.
//!
//! All times are relative to "now" or to the moment of the answer. Nothing here overflows, whatever the server says.

use std::time::Duration;

use super::{secret::Secret, value::Value};

/// Nothing is asked again sooner than this, whatever the server says about its lifetime.
pub const FLOOR: Duration = Duration::from_secs(1);
/// Nothing is waited for longer than this; a longer lifetime is looked at again then.
pub const CEILING: Duration = Duration::from_secs(365 * 24 * 3600);
/// The first renewal after a login or a read lies somewhere before this share of the lifetime.
const FIRST_RENEWAL: f64 = 0.73;
/// Half the width of the jitter around the threshold for things that are read anew.
const THRESHOLD_JITTER: f64 = 0.05;
/// The same for certificates; the original means it and always computes 0.
const CERTIFICATE_JITTER: f64 = 0.03;
/// Threshold used when the configured one is no share at all.
const DEFAULT_THRESHOLD: f64 = 0.90;
/// A static role has its new password this long after its TTL ran out.
const ROTATION_SLACK: Duration = Duration::from_secs(1);
/// Answers count whole seconds, so a lifetime may look this much shorter than it is.
const ROUNDING: Duration = Duration::from_secs(1);

/// A TTL in seconds as the server sent it: negative counts as 0, absurd ones as [`CEILING`].
pub fn seconds(ttl: i64) -> Duration {
    Duration::from_secs(u64::try_from(ttl).unwrap_or(0)).min(CEILING)
}

/// What follows a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Renew again after this time.
    Renew(Duration),
    /// The server no longer extends it: log in or read anew after this time.
    Replace(Duration),
}

/// One token or lease that is kept alive by renewals.
///
/// The rules are the original's: grace 10–20 % of the lifetime, a renewal at ⅔ of the lifetime plus a third of the
/// grace (70.0–73.3 %), and a replacement as soon as a renewal leaves four graces or less. Only the first renewal
/// differs: the original sends it at once, here it falls anywhere before 73 %, so that a fleet started together
/// doesn't renew together.
#[derive(Clone, Debug, PartialEq)]
pub struct Renewal {
    lifetime: Duration,
    grace: Duration,
    renewed: bool,
}

impl Renewal {
    /// A token or lease that lives for `lifetime` from now on; `unit` in [0, 1) places the grace.
    pub fn new(lifetime: Duration, unit: f64) -> Self {
        let lifetime = lifetime.min(CEILING);
        Self { lifetime, grace: grace(lifetime, unit), renewed: false }
    }

    /// When to renew for the first time: uniform in (0, 73 %] of the lifetime, at least [`FLOOR`].
    pub fn first(&self, unit: f64) -> Duration {
        self.lifetime.mul_f64(FIRST_RENEWAL * (1.0 - unit.clamp(0.0, 1.0))).max(FLOOR)
    }

    /// When to replace something that can't be renewed: 70.0–73.3 % of the lifetime, at least [`FLOOR`].
    pub fn replace_at(&self) -> Duration {
        pause(self.lifetime, self.grace).max(FLOOR)
    }

    /// The last part of the lifetime, in which a replacement is due.
    pub const fn grace(&self) -> Duration {
        self.grace
    }

    /// A renewal that came `elapsed` after the start (or the last renewal) left `returned`.
    pub fn renewed(&mut self, returned: Duration, elapsed: Duration, unit: f64) -> Next {
        let returned = returned.min(CEILING);
        let first = !std::mem::replace(&mut self.renewed, true);
        let planned = pause(self.lifetime, self.grace);
        let extended = returned.saturating_add(elapsed) > self.lifetime.saturating_add(ROUNDING);
        if returned > self.lifetime {
            self.grace = grace(returned, unit);
            self.lifetime = returned;
        }
        // The original's first renewal comes at once and learns the full lifetime. One that comes later and is not
        // granted more must neither replace sooner nor renew later than the original would.
        let rest = (first && !extended).then(|| planned.saturating_sub(elapsed));
        let pause = pause(returned, self.grace);
        if returned.saturating_sub(pause) <= self.grace {
            return Next::Replace(rest.map_or(Duration::ZERO, |rest| rest.min(returned)));
        }
        Next::Renew(rest.map_or(pause, |rest| pause.min(rest)).max(FLOOR))
    }
}

fn grace(lifetime: Duration, unit: f64) -> Duration {
    lifetime.mul_f64(0.10f64.mul_add(unit.clamp(0.0, 1.0), 0.10))
}

fn pause(lifetime: Duration, grace: Duration) -> Duration {
    lifetime.saturating_mul(2) / 3 + grace / 3
}

/// Settings of the rules for things that are read anew.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Interval for secrets without any lifetime.
    pub static_interval: Duration,
    /// Whether somebody set that interval; KV v1 then obeys it instead of its mount's default TTL.
    pub static_interval_is_set: bool,
    /// Share of a lease after which a secret that can't be renewed is read anew.
    pub threshold: f64,
}

/// What was read, as far as its lifetime depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From a KV version 1 mount.
    Kv1,
    /// From anywhere else.
    Other,
    /// A list of keys.
    List,
}

/// What to do with an answer next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Keep it alive by renewals; it lives this long now.
    Renew(Duration),
    /// Read it anew after this time.
    Reread(Duration),
    /// The answer isn't usable yet (a static role in the middle of its rotation): count it as a failed fetch.
    Retry,
}

/// The refresh rule for an answer. `now` is the wall clock in seconds since 1970, `unit` in [0, 1) places the jitter.
pub fn refresh(secret: &Secret, kind: Kind, rules: &Rules, now: u64, unit: f64) -> Refresh {
    if kind == Kind::List {
        return Refresh::Reread(bounded(rules.static_interval));
    }
    let factor = factor(rules.threshold, unit);
    let poll = Refresh::Reread(scaled(rules.static_interval, factor));
    let lease = lease_duration(secret);
    let renewable = secret.renewable || secret.auth.as_ref().is_some_and(|auth| auth.renewable);
    if renewable && !lease.is_zero() {
        return Refresh::Renew(lease);
    }
    if kind == Kind::Kv1 && rules.static_interval_is_set {
        return poll;
    }
    if let Some(refresh) = secret.lease_id.is_empty().then(|| by_data(secret, now, factor)).flatten() {
        return refresh;
    }
    if lease.is_zero() { poll } else { Refresh::Reread(scaled(lease, factor)) }
}

/// The rules that look into the data of an answer without a lease.
fn by_data(secret: &Secret, now: u64, factor: f64) -> Option<Refresh> {
    let data = secret.data.as_ref()?;
    let number = |key: &str| data.get(key).and_then(Value::as_i64);
    if data.get("certificate").is_some()
        && let Some(expiration) = number("expiration")
    {
        let left = u64::try_from(expiration).unwrap_or(0).saturating_sub(now);
        // A certificate that is over already must not be issued again every second; it polls.
        return (left > 0).then(|| Refresh::Reread(scaled(Duration::from_secs(left), factor)));
    }
    if data.get("secret_id").is_some()
        && let Some(ttl) = number("secret_id_ttl").filter(|ttl| *ttl > 0)
    {
        return Some(Refresh::Reread(scaled(seconds(ttl) + ROTATION_SLACK, factor)));
    }
    // The original polls a role with a schedule as if it had no lifetime, though the answer names it all the same.
    let scheduled = data.get("rotation_schedule").is_some() && data.get("last_vault_rotation").is_some();
    if (scheduled || data.get("rotation_period").is_some())
        && let Some(ttl) = number("ttl")
    {
        return Some(if ttl > 0 { Refresh::Reread(seconds(ttl) + ROTATION_SLACK) } else { Refresh::Retry });
    }
    None
}

/// How long an answer is good for: the token's TTL when it carries one, else the lease's; zero when neither.
pub fn lease_duration(secret: &Secret) -> Duration {
    let auth = secret.auth.as_ref().map_or(0, |auth| auth.lease_duration);
    seconds(if auth > 0 { auth } else { secret.lease_duration })
}

/// When a certificate is due: the time until `threshold` of its lifetime has passed; zero when it is past that.
/// All times in seconds since 1970.
pub fn certificate_due(not_before: u64, not_after: u64, threshold: f64, now: u64) -> Duration {
    let lifetime = Duration::from_secs(not_after.saturating_sub(not_before));
    let threshold = if threshold > 0.0 && threshold < 1.0 { threshold } else { DEFAULT_THRESHOLD };
    let share = lifetime.min(CEILING * 100).mul_f64(threshold);
    let due = Duration::from_secs(not_before).saturating_add(share);
    // One that ends before it begins is never good. A clock that is slow makes none live longer.
    due.min(Duration::from_secs(not_after)).saturating_sub(Duration::from_secs(now)).min(share).min(CEILING)
}

/// When to ask for the next certificate: around `threshold` of this one's lifetime, spread so that those issued
/// together are not replaced together. `None` when this one is past the threshold already. Times as for
/// [`certificate_due`], `unit` in [0, 1) places the jitter.
pub fn certificate_refresh(
    not_before: u64,
    not_after: u64,
    threshold: f64,
    now: u64,
    unit: f64,
) -> Option<Duration> {
    if certificate_due(not_before, not_after, threshold, now).is_zero() {
        return None;
    }
    let spread = jittered(threshold, CERTIFICATE_JITTER, unit);
    Some(bounded(certificate_due(not_before, not_after, spread, now)))
}

/// When to read something anew that lives for `lifetime` and can't be renewed: around `threshold` of it, `unit` in
/// [0, 1) places the jitter.
pub fn share(lifetime: Duration, threshold: f64, unit: f64) -> Duration {
    scaled(lifetime, factor(threshold, unit))
}

fn factor(threshold: f64, unit: f64) -> f64 {
    jittered(threshold, THRESHOLD_JITTER, unit)
}

fn jittered(threshold: f64, width: f64, unit: f64) -> f64 {
    let is_share = |value: f64| value > 0.0 && value < 1.0;
    let threshold = if is_share(threshold) { threshold } else { DEFAULT_THRESHOLD };
    let jittered = threshold + width * 2.0f64.mul_add(unit.clamp(0.0, 1.0), -1.0);
    if is_share(jittered) { jittered } else { threshold }
}

fn scaled(time: Duration, factor: f64) -> Duration {
    bounded(time.min(CEILING * 2).mul_f64(factor))
}

fn bounded(time: Duration) -> Duration {
    time.clamp(FLOOR, CEILING)
}

#[cfg(test)]
mod tests;
