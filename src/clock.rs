//! The only place that asks what time it is.
//!
//! Scheduling uses the monotonic clock (`now`), which tests pause; expiry of tokens, JWTs and certificates is
//! judged on the wall clock too, so that suspend and clock jumps are noticed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Source of both times. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// `None`: the system's wall clock. `Some`: a wall clock that starts there and follows the monotonic one.
    fixed: Option<(SystemTime, Instant)>,
}

impl Clock {
    /// The real clocks.
    pub const fn system() -> Self {
        Self { fixed: None }
    }

    /// A wall clock that shows `wall` now and moves only as tokio's (possibly paused) clock moves.
    pub fn starting_at(wall: SystemTime) -> Self {
        let clock = Self::system();
        Self { fixed: Some((wall, clock.now())) }
    }

    /// Monotonic time, for scheduling.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    /// Wall time, for expiry dates.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn wall(&self) -> SystemTime {
        match self.fixed {
            Some((wall, start)) => wall + self.now().duration_since(start),
            None => SystemTime::now(),
        }
    }

    /// Wall time as whole seconds since 1970 (0 before that).
    pub fn unix_seconds(&self) -> u64 {
        self.wall().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
    }
}
