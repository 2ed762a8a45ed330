//! Every request to the server passes here: connections are limited, repeats metered, `Retry-After` obeyed, and
//! while the server can't be reached one probe asks for all.

mod counts;
mod line;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep, sleep_until},
};

pub use self::counts::Counts;
use self::line::{Bucket, Line, Verdict};
use super::{
    client::{Call, VaultClient},
    error::VaultError,
    secret::Secret,
};
use crate::{chance::Chance, clock::Clock, problem::chain};

/// Connections at once, as the original.
pub const DEFAULT_CONNECTIONS: usize = 10;
/// Repeats per second, on average; as many renewals again.
const REPEAT_RATE: f64 = 5.0;
/// Repeats at once.
const REPEAT_BURST: u32 = 10;

/// Whether a request is new work or more of the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The first try of something, and all that keeps the token alive: only connections limit it.
    First,
    /// A refresh or a retry: metered.
    Repeat,
    /// The renewal of a lease: metered apart from repeats. A lease ends while it waits behind hundreds of secrets that
    /// are only read anew.
    Renewal,
}

/// What the gate allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Requests per second and burst for all requests (`VAULT_RATE_LIMIT`); `None`: no such limit.
    pub rate_limit: Option<(f64, u32)>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: DEFAULT_CONNECTIONS, rate_limit: None }
    }
}

/// What the gate asks while nobody gets through.
pub trait Probe: Send + Sync {
    /// Whether the server can be reached.
    fn probe(&self) -> impl Future<Output = Result<(), VaultError>> + Send;

    /// The server's address, for messages.
    fn address(&self) -> String;
}

impl Probe for VaultClient {
    fn probe(&self) -> impl Future<Output = Result<(), VaultError>> + Send {
        Self::probe(self)
    }

    fn address(&self) -> String {
        Self::address(self)
    }
}

/// The gate before one upstream. Clones are the same gate.
pub struct Gate<P = VaultClient>(Arc<Shared<P>>);

struct Shared<P> {
    upstream: P,
    clock: Clock,
    chance: Chance,
    connections: Arc<Semaphore>,
    state: Mutex<State>,
    /// Grows whenever the line changes.
    changed: watch::Sender<u64>,
    counts: Counts,
}

struct State {
    line: Line,
    repeats: Bucket,
    renewals: Bucket,
    all: Option<Bucket>,
    /// Paths that the server wants to be left alone until then.
    holds: HashMap<String, Instant>,
    /// Why nobody gets through; `None` while somebody does.
    outage: Option<Outage>,
}

/// Why the server can't be reached, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// What the first request without an answer met; never a secret.
    pub why: Arc<str>,
    /// When that was.
    pub since: SystemTime,
}

/// The right to send one request now; drop it when the answer is complete.
#[must_use = "the right ends when this is dropped"]
pub struct Pass {
    _connection: Option<OwnedSemaphorePermit>,
}

impl<P> Clone for Gate<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: Probe> Gate<P> {
    /// A gate before `upstream`.
    pub fn new(upstream: P, limits: Limits, clock: Clock, chance: Chance) -> Self {
        let now = clock.now();
        let state = State {
            line: Line::default(),
            repeats: Bucket::new(REPEAT_RATE, REPEAT_BURST, now),
            renewals: Bucket::new(REPEAT_RATE, REPEAT_BURST, now),
            all: limits.rate_limit.map(|(rate, burst)| Bucket::new(rate, burst, now)),
            holds: HashMap::new(),
            outage: None,
        };
        Self(Arc::new(Shared {
            upstream,
            clock,
            chance,
            connections: Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS))),
            state: Mutex::new(state),
            changed: watch::Sender::new(0),
            counts: Counts::default(),
        }))
    }

    /// The upstream behind the gate.
    pub fn upstream(&self) -> &P {
        &self.0.upstream
    }

    /// How requests went so far.
    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// Why the server can't be reached just now; `None` while it can, as far as is known.
    pub fn outage(&self) -> Option<Outage> {
        self.lock().outage.clone()
    }

    /// Waits until a request to `path` may be sent. Whatever ages (a JWT, the current token) is best looked up
    /// after this returns: an outage may lie between.
    pub async fn pass(&self, class: Class, path: &str) -> Pass {
        let wait = self.reserve(class, path);
        if !wait.is_zero() {
            sleep(wait).await;
        }
        loop {
            self.reachable().await;
            let connection = Arc::clone(&self.0.connections).acquire_owned().await.ok();
            if self.lock().line.is_up() {
                return Pass { _connection: connection };
            }
        }
    }

    /// Tells the gate how a request went, so that others wait while nobody is there.
    pub fn report<T>(&self, path: &str, result: &Result<T, VaultError>) {
        let now = self.0.clock.now();
        self.0.counts.add(result);
        match result {
            Ok(_) => self.found(),
            Err(error) if error.is_unreachable() => self.lost(error),
            Err(error) if error.is_reached() => self.found(),
            // Whoever sent it says so; the gate says something when the probe fares no better.
            Err(error) if error.is_cut() && self.lock().line.suspect(now) => self.notify(),
            Err(_) => {}
        }
        if let Err(error) = result
            && let Some(wait) = error.retry_after()
        {
            let mut state = self.lock();
            state.holds.retain(|_, until| *until > now);
            state.holds.insert(path.to_owned(), now + wait);
        }
    }

    /// How long this request has to wait for its turn; the turn is taken.
    fn reserve(&self, class: Class, path: &str) -> Duration {
        let now = self.0.clock.now();
        let mut state = self.lock();
        let held = state.holds.get(path).map_or(Duration::ZERO, |until| until.duration_since(now));
        let own = match class {
            Class::First => Duration::ZERO,
            Class::Repeat => state.repeats.take(now),
            Class::Renewal => state.renewals.take(now),
        };
        let all = state.all.as_mut().map_or(Duration::ZERO, |bucket| bucket.take(now));
        held.max(own).max(all)
    }

    /// Waits until the server can be reached; one of the waiting asks for all.
    async fn reachable(&self) {
        let mut changes = self.0.changed.subscribe();
        let mut waiting = None;
        loop {
            changes.mark_unchanged();
            let verdict = self.lock().line.verdict(self.0.clock.now());
            match verdict {
                Verdict::Go { window } => {
                    // Who waited goes on spread out, so that the server isn't run over the moment it is back.
                    if waiting.is_some() {
                        sleep(window.mul_f64(self.0.chance.unit())).await;
                    }
                    return;
                }
                Verdict::Probe => {
                    waiting.get_or_insert_with(|| Waiting::new(self));
                    self.probe().await;
                }
                Verdict::Until(time) => {
                    waiting.get_or_insert_with(|| Waiting::new(self));
                    tokio::select! {
                        () = sleep_until(time) => {}
                        _ = changes.changed() => {}
                    }
                }
                Verdict::Wait => {
                    waiting.get_or_insert_with(|| Waiting::new(self));
                    // The sender lives as long as the gate; an error can't happen and would only probe again.
                    let _ = changes.changed().await;
                }
            }
        }
    }

    async fn probe(&self) {
        let probing = Probing(self);
        // Boxed, so that the many who wait for their turn hold no room for what one of them may do.
        let result = Box::pin(self.0.upstream.probe()).await;
        drop(probing);
        match result {
            Ok(()) => self.found(),
            Err(error) => self.lost_again(&error),
        }
    }

    /// A request found nobody.
    fn lost(&self, error: &VaultError) {
        let now = self.0.clock.now();
        let wait = self.lock().line.lost(now);
        if let Some(wait) = wait {
            self.begin_outage(error, Duration::ZERO);
            tracing::warn!(
                target: "agent",
                address = self.0.upstream.address(),
                error = chain(error),
                next_try = ?wait,
                hint = error.hint(),
                "can't reach the server, requests wait until it is back"
            );
            self.notify();
        }
    }

    /// The probe found nobody.
    fn lost_again(&self, error: &VaultError) {
        let now = self.0.clock.now();
        let (tries, wait, outage) = self.lock().line.lost_again(now);
        self.begin_outage(error, outage);
        // Ever more seldom: at tries 2, 4, 8, …
        if tries.is_power_of_two() && tries > 1 {
            tracing::warn!(
                target: "agent",
                address = self.0.upstream.address(),
                error = chain(error),
                tries,
                ?outage,
                next_try = ?wait,
                hint = error.hint(),
                "still can't reach the server"
            );
        }
        self.notify();
    }

    /// Keeps why there is an outage, which has lasted so long, unless that is known already.
    fn begin_outage(&self, error: &VaultError, lasted: Duration) {
        let since = self.0.clock.wall().checked_sub(lasted).unwrap_or(SystemTime::UNIX_EPOCH);
        self.lock().outage.get_or_insert_with(|| Outage { why: chain(error).into(), since });
    }

    /// Somebody got an answer.
    fn found(&self) {
        let now = self.0.clock.now();
        let outage = {
            let mut state = self.lock();
            state.outage = None;
            state.line.found(now)
        };
        if let Some(outage) = outage {
            let address = self.0.upstream.address();
            tracing::info!(target: "agent", address, ?outage, "the server can be reached again");
            self.notify();
        }
    }

    fn notify(&self) {
        self.0.changed.send_modify(|version| *version = version.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate<VaultClient> {
    /// Waits for its turn, sends, and reports. The caller decides about retries; one after
    /// [`VaultError::Unreachable`] needs no pause of its own, the gate makes it wait.
    ///
    /// # Errors
    /// As [`VaultClient::send`].
    pub async fn send(
        &self,
        class: Class,
        path: &str,
        call: &Call<'_>,
    ) -> Result<Option<Secret>, VaultError> {
        let pass = self.pass(class, path).await;
        let result = self.upstream().send(call).await;
        self.report(path, &result);
        drop(pass);
        result
    }
}

/// Counts one of those who wait for the server, for as long as it lives.
struct Waiting<'a, P: Probe>(&'a Gate<P>);

impl<'a, P: Probe> Waiting<'a, P> {
    fn new(gate: &'a Gate<P>) -> Self {
        gate.lock().line.waiting += 1;
        Self(gate)
    }
}

impl<P: Probe> Drop for Waiting<'_, P> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.line.waiting = state.line.waiting.saturating_sub(1);
    }
}

/// A probe that is out, until its answer is there or the task that had it is cancelled: then somebody else may ask.
struct Probing<'a, P: Probe>(&'a Gate<P>);

impl<P: Probe> Drop for Probing<'_, P> {
    fn drop(&mut self) {
        self.0.lock().line.probed();
        self.0.notify();
    }
}

#[cfg(test)]
mod tests;
