//! When to log in, when to renew, when to give up: pure, every event comes with the time.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    backoff::{LoginBackoff, ProbeBackoff, RenewalBackoff},
    vault::lifetime::{FLOOR, Next, Renewal},
};

/// A credential that isn't there yet is looked for again this soon; looking costs nothing.
const CREDENTIAL_POLL: Duration = Duration::from_secs(2);
/// Pause after a login that found nobody; the gate then waits for the server.
const UNREACHABLE_PAUSE: Duration = Duration::from_millis(100);
/// A token that is refused sooner than this after its login doesn't lead to another login at once.
const YOUNG: Duration = Duration::from_secs(60);

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Log in then.
    Login(Instant),
    /// Renew the token then.
    Renew(Instant),
    /// Nothing until something happens: the token never expires, or isn't ours to renew.
    Rest,
}

/// What a login gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// A token with this TTL; zero means that it never expires.
    Token {
        /// Its lifetime.
        ttl: Duration,
        /// Whether it can be renewed.
        renewable: bool,
    },
    /// A token in a file that is about to end, however it rounds.
    Ending,
    /// A wrapped token: it is handed on as it is.
    Wrapped,
}

/// Why a login failed, as far as it matters for what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoginFailure {
    /// There is nothing to log in with yet.
    NoCredential,
    /// No connection; the gate makes the next try wait.
    Unreachable,
    /// There was a connection, and no whole answer came over it.
    Cut,
    /// The server can't just now; it may have said when to come back.
    Later(Option<Duration>),
    /// Any other answer but a login.
    Refused,
}

/// Why a renewal failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RenewalFailure {
    /// The server doesn't renew this token.
    Denied,
    /// The server doesn't know this token any more.
    InvalidToken,
    /// The token has reached its longest life, and ends in a moment.
    Over,
    /// The server is away, busy or broken; it may have said when to come back.
    Later(Option<Duration>),
}

/// Settings that the machine obeys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// First wait after a refused login.
    pub(super) min_backoff: Duration,
    /// Longest wait after a refused login.
    pub(super) max_backoff: Duration,
    /// End at the first failed login.
    pub(super) exit_on_err: bool,
    /// Log in again when the credentials change.
    pub(super) reauth_on_new_credentials: bool,
}

/// The state of one identity's login.
#[derive(Debug)]
pub(super) struct Machine {
    rules: Rules,
    backoff: LoginBackoff,
    /// Waits between logins that were asked for by refused tokens.
    healing: LoginBackoff,
    renewals: RenewalBackoff,
    /// Waits between logins that were cut, and when the first of them was.
    cuts: Option<(Instant, ProbeBackoff)>,
    step: Step,
    /// When a token that lives is renewed, while a login that is to replace it is due or fails.
    renew: Option<Instant>,
    /// A login is under way or about to be, because the last one failed or the token is dead.
    urgent: bool,
    token: Option<Held>,
}

#[derive(Debug)]
struct Held {
    generation: u64,
    login: Instant,
    /// The last login or renewal, from which the lifetime counts.
    since: Instant,
    ttl: Duration,
    renewal: Renewal,
}

impl Machine {
    /// Logs in at once.
    pub(super) fn new(rules: Rules, now: Instant) -> Self {
        let backoff = LoginBackoff::new(rules.min_backoff, rules.max_backoff);
        let (healing, renewals) = (backoff.clone(), RenewalBackoff::default());
        let step = Step::Login(now);
        Self { rules, backoff, healing, renewals, cuts: None, step, renew: None, urgent: true, token: None }
    }

    /// What comes first.
    pub(super) fn step(&self) -> Step {
        match (self.step, self.renew) {
            (Step::Login(login), Some(renew)) if renew < login => Step::Renew(renew),
            (step, _) => step,
        }
    }

    /// A login gave a token, the `generation`th.
    pub(super) fn logged_in(&mut self, grant: Grant, generation: u64, now: Instant, unit: f64) {
        self.backoff.reset();
        self.cuts = None;
        self.urgent = false;
        self.renew = None;
        self.renewals = RenewalBackoff::default();
        let ttl = match grant {
            Grant::Token { ttl, .. } => ttl,
            Grant::Ending | Grant::Wrapped => Duration::ZERO,
        };
        let renewal = Renewal::new(ttl, unit);
        self.step = match grant {
            Grant::Wrapped => Step::Rest,
            Grant::Ending => Step::Login(now + FLOOR),
            // A renewal may repair a TTL that was answered as 0.
            Grant::Token { ttl: Duration::ZERO, renewable: true } => Step::Renew(now + FLOOR),
            Grant::Token { ttl: Duration::ZERO, .. } => Step::Rest,
            Grant::Token { renewable: true, .. } => Step::Renew(now + renewal.first(unit)),
            Grant::Token { .. } => Step::Login(now + renewal.replace_at()),
        };
        self.token = Some(Held { generation, login: now, since: now, ttl, renewal });
    }

    /// A login failed. `Some(wait)` until the next; `None`: give up.
    pub(super) fn login_failed(
        &mut self,
        failure: LoginFailure,
        now: Instant,
        unit: f64,
    ) -> Option<Duration> {
        // After a first success, only the server's own no ends the agent: neither an outage nor a late JWT does.
        let forgiven = self.token.is_some() && failure != LoginFailure::Refused;
        if self.rules.exit_on_err && !forgiven {
            return None;
        }
        let wait = match failure {
            LoginFailure::NoCredential => CREDENTIAL_POLL,
            LoginFailure::Unreachable => UNREACHABLE_PAUSE,
            LoginFailure::Cut => {
                let (since, backoff) = self.cuts.get_or_insert_with(|| (now, ProbeBackoff::default()));
                backoff.next_wait(now.duration_since(*since))
            }
            LoginFailure::Later(wanted) => self.backoff.next_wait(unit).max(wanted.unwrap_or_default()),
            LoginFailure::Refused => self.backoff.next_wait(unit),
        };
        if failure != LoginFailure::Cut {
            self.cuts = None;
        }
        self.renew = self.renewal(now);
        self.step = Step::Login(now + wait);
        self.urgent = true;
        Some(wait)
    }

    /// A renewal left this TTL.
    pub(super) fn renewed(&mut self, ttl: Duration, renewable: bool, now: Instant, unit: f64) {
        self.renewals = RenewalBackoff::default();
        let Some(held) = &mut self.token else { return };
        let elapsed = now.duration_since(held.since);
        let unlimited = held.ttl.is_zero() && ttl.is_zero();
        let next = held.renewal.renewed(ttl, elapsed, unit);
        held.since = now;
        held.ttl = ttl;
        let step = match next {
            _ if unlimited => Step::Rest,
            Next::Replace(wait) => Step::Login(now + wait),
            Next::Renew(_) if !renewable => Step::Login(now + Renewal::new(ttl, unit).replace_at()),
            Next::Renew(wait) => Step::Renew(now + wait),
        };
        self.then(step);
    }

    /// A renewal failed. The token stays in use until its real end, whatever the server does.
    pub(super) fn renewal_failed(&mut self, failure: RenewalFailure, now: Instant, unit: f64) {
        let wait = self.renewals.next_wait();
        let Some(held) = &self.token else { return };
        let step = match failure {
            // Whatever login waits for its time, waits no shorter for that.
            RenewalFailure::InvalidToken | RenewalFailure::Over if self.urgent => Step::Rest,
            RenewalFailure::InvalidToken | RenewalFailure::Over => return self.heal(now, unit),
            RenewalFailure::Denied if held.ttl.is_zero() => Step::Rest,
            RenewalFailure::Denied => {
                // The last renewal may have left less than there was before.
                let left = held.renewal.replace_at().min(Renewal::new(held.ttl, unit).replace_at());
                Step::Login((held.since + left).max(now + FLOOR))
            }
            RenewalFailure::Later(wanted) => {
                let next = now + wait.max(wanted.unwrap_or_default());
                let last = held.since + held.ttl.saturating_sub(held.renewal.grace());
                if next < last || held.ttl.is_zero() {
                    Step::Renew(next)
                } else {
                    Step::Login(last.max(now + FLOOR))
                }
            }
        };
        self.then(step);
    }

    /// What comes next for the token. A login that is about to replace it stays where it is.
    const fn then(&mut self, step: Step) {
        match step {
            Step::Renew(at) if self.urgent => self.renew = Some(at),
            _ if self.urgent => self.renew = None,
            _ => self.step = step,
        }
    }

    /// When the token is renewed, login or not; not before `now`.
    fn renewal(&self, now: Instant) -> Option<Instant> {
        let at = if let Step::Renew(at) = self.step { Some(at) } else { self.renew };
        at.map(|at| at.max(now))
    }

    /// Somebody was told that the token of this generation is invalid. Whether a login follows.
    pub(super) fn token_refused(&mut self, generation: u64, now: Instant, unit: f64) -> bool {
        let current = self.token.as_ref().is_some_and(|held| held.generation == generation);
        if !current || self.urgent {
            return false;
        }
        self.heal(now, unit);
        true
    }

    /// The token of this generation lives, but may do less than one of now. Whether a login follows; the token is kept
    /// alive until that succeeds.
    pub(super) fn token_outgrown(&mut self, generation: u64, now: Instant, unit: f64) -> bool {
        let renewal = self.renewal(now);
        let replaced = self.token_refused(generation, now, unit);
        if replaced {
            self.renew = renewal;
        }
        replaced
    }

    /// The credentials changed. Whether that changes when the next login comes: one that waits after a failure waits
    /// no longer than after the first, because the new credentials have not been refused.
    pub(super) fn new_credentials(&mut self, now: Instant) -> bool {
        let soon = now + self.rules.min_backoff;
        match self.step {
            Step::Login(at) if self.urgent && at > soon => self.step = Step::Login(soon),
            _ if self.urgent || !self.rules.reauth_on_new_credentials => return false,
            _ => {
                self.renew = self.renewal(now);
                self.step = Step::Login(now);
                self.urgent = true;
            }
        }
        true
    }

    /// A login because the token is dead; soon if it was old, ever later if young tokens keep dying.
    fn heal(&mut self, now: Instant, unit: f64) {
        let young = self.token.as_ref().is_some_and(|held| now.duration_since(held.login) < YOUNG);
        if !young {
            self.healing.reset();
        }
        let wait = if young { self.healing.next_wait(unit) } else { Duration::ZERO };
        self.renew = None;
        self.step = Step::Login(now + wait);
        self.urgent = true;
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
