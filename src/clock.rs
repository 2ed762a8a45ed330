//! The only place that asks what time it is.
//!
//! Scheduling uses the monotonic clock (`now`), which tests pause; expiry of tokens, JWTs and certificates is
//! judged on the wall clock too, so that suspend and clock jumps are noticed.

pub mod go_duration;
pub mod zone;

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::Instant;

/// While asleep, the wall clock is looked at this often, because the monotonic one stands still during suspend.
const LOOK: Duration = Duration::from_secs(60);
/// Both clocks tell the time a little differently; less than this means nothing.
const SLACK: Duration = Duration::from_secs(5);

/// Source of both times. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// When it was made; the looks at the wall clock are counted from here.
    start: Instant,
    /// `None`: the system's wall clock. `Some`: one that somebody sets.
    fixed: Option<Fixed>,
}

/// A wall clock that starts somewhere, follows the monotonic one, and is set when somebody wants that.
#[derive(Clone, Copy, Debug)]
struct Fixed {
    wall: SystemTime,
    steps: &'static AtomicI64,
}

/// How the wall clock differs from what the monotonic one says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jump {
    /// More time has passed: the machine slept, or the clock was put forward.
    Ahead(Duration),
    /// It was put back.
    Back,
}

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    now: Instant,
    wall: SystemTime,
}

impl Moment {
    /// How the wall clock has jumped since; `None`: not by more than some seconds.
    pub fn jump(&self, clock: &Clock) -> Option<Jump> {
        let expected = self.wall + clock.now().duration_since(self.now);
        match clock.wall().duration_since(expected) {
            Ok(ahead) => (ahead > SLACK).then_some(Jump::Ahead(ahead)),
            Err(error) => (error.duration() > SLACK).then_some(Jump::Back),
        }
    }
}

impl Clock {
    /// The real clocks.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn system() -> Self {
        Self { start: Instant::now(), fixed: None }
    }

    /// A wall clock that shows `wall` now and moves only as tokio's (possibly paused) clock moves, or as
    /// [`Clock::set`] says.
    pub fn starting_at(wall: SystemTime) -> Self {
        let steps = Box::leak(Box::default());
        Self { fixed: Some(Fixed { wall, steps }), ..Self::system() }
    }

    /// Puts a clock of [`Clock::starting_at`], and all its copies, forward or back by so many seconds; that of the
    /// system stays as it is.
    pub fn set(&self, seconds: i64) {
        if let Some(fixed) = &self.fixed {
            fixed.steps.fetch_add(seconds, Ordering::Relaxed);
        }
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
            Some(Fixed { wall, steps }) => {
                let steps = steps.load(Ordering::Relaxed);
                let (step, wall) =
                    (Duration::from_secs(steps.unsigned_abs()), wall + self.now().duration_since(self.start));
                if steps < 0 { wall - step } else { wall + step }
            }
            None => SystemTime::now(),
        }
    }

    /// Wall time as whole seconds since 1970 (0 before that).
    pub fn unix_seconds(&self) -> u64 {
        self.wall().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
    }

    /// Now, on both clocks.
    pub fn moment(&self) -> Moment {
        Moment { now: self.now(), wall: self.wall() }
    }

    /// When whoever sleeps long looks at the wall clock next. All such looks of a run fall together, so that they cost
    /// one wake-up.
    pub fn next_look(&self) -> Instant {
        let now = self.now();
        let since = now.duration_since(self.start).as_nanos() % LOOK.as_nanos();
        now + LOOK - Duration::from_nanos(u64::try_from(since).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_jump_is_what_the_monotonic_clock_does_not_know_of() {
        let clock = Clock::starting_at(UNIX_EPOCH + Duration::from_secs(1_000_000));
        let moment = clock.moment();
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(moment.jump(&clock), None);
        clock.set(4);
        assert_eq!(moment.jump(&clock), None, "clocks are corrected all the time");
        clock.set(60);
        assert_eq!(moment.jump(&clock), Some(Jump::Ahead(Duration::from_secs(64))));
        clock.set(-164);
        assert_eq!(moment.jump(&clock), Some(Jump::Back));
        assert_eq!(clock.moment().jump(&clock), None);
    }

    #[tokio::test(start_paused = true)]
    async fn looks_of_all_copies_fall_together() {
        let clock = Clock::starting_at(UNIX_EPOCH);
        let first = clock.next_look();
        assert_eq!(first, clock.now() + LOOK);
        tokio::time::advance(Duration::from_secs(25)).await;
        let copy = clock;
        assert_eq!(copy.next_look(), first);
        tokio::time::advance(Duration::from_secs(35)).await;
        assert_eq!(clock.next_look(), first + LOOK, "never this very moment");
    }
}
