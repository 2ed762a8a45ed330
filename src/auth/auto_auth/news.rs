//! When to look whether somebody put new credentials into their file: watched, or as often as was configured.

use std::{future::pending, path::PathBuf, time::Duration};

use tokio::time::{Instant, sleep_until};

use crate::{clock::Clock, watch::Watch};

/// The file that is looked at between logins.
#[derive(Debug)]
pub(super) enum CredentialNews {
    /// There is none.
    Never,
    /// It is watched.
    Watched(Watch),
    /// It is looked at as often as this.
    Polled { clock: Clock, period: Duration, next: Instant },
}

impl CredentialNews {
    /// Starts before the file is read for the first time, so that nothing in between is missed.
    pub(super) fn of(file: Option<(PathBuf, Option<Duration>)>, clock: Clock) -> Self {
        match file {
            None => Self::Never,
            Some((_, Some(period))) => Self::Polled { clock, period, next: clock.now() + period },
            Some((path, None)) => {
                let mut watch = Watch::new(clock);
                watch.set([path]);
                Self::Watched(watch)
            }
        }
    }

    /// Returns when the file may hold something new. Nothing is lost when the future is dropped.
    pub(super) async fn stirred(&mut self) {
        match self {
            Self::Never => pending().await,
            Self::Watched(watch) => drop(watch.changed().await),
            Self::Polled { clock, period, next } => {
                sleep_until(*next).await;
                *next = clock.now() + *period;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_configured_period_is_kept_even_when_the_wait_is_broken_off() {
        let clock = Clock::system();
        let start = clock.now();
        let mut news = CredentialNews::of(Some(("/x".into(), Some(Duration::from_secs(10)))), clock);
        for seconds in [10, 20] {
            for _ in 0..3 {
                tokio::time::timeout(Duration::from_secs(3), news.stirred()).await.unwrap_err();
            }
            news.stirred().await;
            assert_eq!(clock.now().duration_since(start).as_secs(), seconds);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_file_nothing_ever_stirs() {
        let mut news = CredentialNews::of(None, Clock::system());
        tokio::time::timeout(Duration::from_secs(1000), news.stirred()).await.unwrap_err();
    }
}
