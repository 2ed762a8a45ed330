//! The server's one time line: a wall clock that tests may move ahead.

use std::time::{Duration, UNIX_EPOCH};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::clock::Clock;

/// A point in time, as the span since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(Duration);

impl Moment {
    /// So many seconds after 1970.
    pub(super) const fn at(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Whole seconds since 1970.
    pub(super) const fn seconds(self) -> u64 {
        self.0.as_secs()
    }

    /// This moment, later by `span`; stays at the end of time rather than overflow.
    pub(super) const fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }

    /// This moment without its fraction of a second.
    pub(super) const fn whole(self) -> Self {
        Self(Duration::from_secs(self.0.as_secs()))
    }

    /// What is left until `later`; nothing when that is past.
    pub(super) const fn until(self, later: Self) -> Duration {
        later.0.saturating_sub(self.0)
    }

    /// RFC 3339 in UTC, with the fraction that Go prints.
    pub(super) fn rfc3339(self) -> String {
        let nanos = i128::try_from(self.0.as_nanos()).unwrap_or(i128::MAX);
        OffsetDateTime::from_unix_timestamp_nanos(nanos)
            .ok()
            .and_then(|time| time.format(&Rfc3339).ok())
            .unwrap_or_default()
    }
}

/// The agent's clock plus the span by which tests moved the server ahead.
#[derive(Debug)]
pub(super) struct ServerClock {
    clock: Clock,
    ahead: Duration,
}

impl ServerClock {
    pub(super) const fn new(clock: Clock) -> Self {
        Self { clock, ahead: Duration::ZERO }
    }

    pub(super) fn now(&self) -> Moment {
        Moment(self.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_add(self.ahead))
    }

    pub(super) const fn advance(&mut self, span: Duration) {
        self.ahead = self.ahead.saturating_add(span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_print_as_go_does() {
        let moment = Moment(Duration::new(1_700_000_000, 120_000_000));
        assert_eq!(moment.rfc3339(), "2023-11-14T22:13:20.12Z");
        assert_eq!(Moment(Duration::from_secs(1_700_000_000)).rfc3339(), "2023-11-14T22:13:20Z");
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_moves_with_paused_time_and_by_hand() {
        let mut clock = ServerClock::new(Clock::starting_at(UNIX_EPOCH + Duration::from_secs(100)));
        tokio::time::advance(Duration::from_secs(5)).await;
        clock.advance(Duration::from_secs(60));
        assert_eq!(clock.now().seconds(), 165);
    }
}
