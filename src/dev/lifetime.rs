//! How long a token or lease lives: the one rule that creation and renewal share.

use std::time::Duration;

use super::moment::Moment;

/// Default and maximum lifetime of everything: 32 days, as a server without settings has.
pub(super) const SYSTEM_TTL: Duration = Duration::from_hours(768);

/// What bounds a lifetime. Zero means "not set".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// Lifetime when nobody asks for another.
    pub(super) ttl: Duration,
    /// No renewal goes beyond this span after the issue.
    pub(super) max_ttl: Duration,
    /// The same, chosen for one token.
    pub(super) explicit_max_ttl: Duration,
    /// Every renewal gives this span, for ever.
    pub(super) period: Duration,
}

impl Limits {
    /// What a fresh token or lease gets.
    pub(super) fn first(&self, now: Moment) -> (Duration, Option<String>) {
        self.grant(Duration::ZERO, now, now).unwrap_or_default()
    }

    /// What is granted now: the span, and a warning if it is shorter than what was asked for. `None`: the maximum is
    /// reached. As in the original, both times count without their fractions, so that is up to a second early.
    pub(super) fn grant(
        &self,
        asked: Duration,
        issued: Moment,
        now: Moment,
    ) -> Option<(Duration, Option<String>)> {
        let left = |max: Duration| now.whole().until(issued.whole().plus(max));
        if !self.period.is_zero() {
            let left = match self.explicit_max_ttl {
                Duration::ZERO => self.period,
                max => left(max),
            };
            let span = self.period.min(SYSTEM_TTL).min(left);
            return (!span.is_zero()).then_some((span, None));
        }
        let wanted = [asked, self.ttl, SYSTEM_TTL].into_iter().find(|span| !span.is_zero());
        let wanted = wanted.unwrap_or(SYSTEM_TTL);
        let max = [self.max_ttl, self.explicit_max_ttl]
            .into_iter()
            .filter(|span| !span.is_zero())
            .fold(SYSTEM_TTL, Duration::min);
        let left = left(max);
        if wanted <= left || left.is_zero() {
            return (!left.is_zero()).then_some((wanted, None));
        }
        let warning = format!(
            "TTL of \"{}\" exceeded the effective max_ttl of \"{}\"; TTL value is capped accordingly",
            shown(wanted),
            shown(left)
        );
        Some((left, Some(warning)))
    }
}

/// A span as Go prints it, without trailing zero units: `768h`, `1m40s`.
pub(super) fn shown(span: Duration) -> String {
    let seconds = span.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = String::new();
    for (amount, unit) in [(hours, "h"), (minutes, "m"), (seconds, "s")] {
        if amount > 0 {
            text.push_str(&format!("{amount}{unit}"));
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::{clock::Clock, dev::moment::ServerClock};

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[tokio::test(start_paused = true)]
    async fn renewal_is_capped_by_the_maximum() {
        let issued = ServerClock::new(Clock::starting_at(UNIX_EPOCH + seconds(1000))).now();
        let limits = Limits { ttl: seconds(60), max_ttl: seconds(100), ..Limits::default() };
        assert_eq!(limits.first(issued), (seconds(60), None));
        let (span, warning) = limits.grant(seconds(7200), issued, issued.plus(seconds(30))).unwrap();
        assert_eq!(span, seconds(70));
        assert_eq!(
            warning.unwrap(),
            "TTL of \"2h\" exceeded the effective max_ttl of \"1m10s\"; TTL value is capped accordingly"
        );
        assert_eq!(limits.grant(Duration::ZERO, issued, issued.plus(seconds(200))), None);
        let late = |millis| limits.grant(Duration::ZERO, issued, issued.plus(Duration::from_millis(millis)));
        assert_eq!(late(99_900).unwrap().0, seconds(1));
        assert_eq!(late(100_000), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_period_ignores_what_is_asked_and_never_ends() {
        let issued = ServerClock::new(Clock::starting_at(UNIX_EPOCH + seconds(1000))).now();
        let limits = Limits { period: seconds(600), ..Limits::default() };
        let late = issued.plus(SYSTEM_TTL).plus(SYSTEM_TTL);
        assert_eq!(limits.grant(seconds(3600), issued, late), Some((seconds(600), None)));
        let bounded = Limits { explicit_max_ttl: seconds(700), ..limits };
        assert_eq!(
            bounded.grant(Duration::ZERO, issued, issued.plus(seconds(400))),
            Some((seconds(300), None))
        );
    }

    #[test]
    fn spans_print_without_empty_units() {
        assert_eq!(shown(SYSTEM_TTL), "768h");
        assert_eq!(shown(seconds(100)), "1m40s");
        assert_eq!(shown(Duration::ZERO), "0s");
    }
}
