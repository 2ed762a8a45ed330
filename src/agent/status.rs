//! The line that says, every 30 s while something is awaited, what and why and when it is tried again.

use std::time::Duration;

use tokio::time::Instant;

use super::readiness::causes;
use crate::status::Report;

const EVERY: Duration = Duration::from_secs(30);
/// More lines than this help nobody.
const MOST: usize = 10;

/// Keeps the rhythm and words the lines.
#[derive(Debug)]
pub struct StatusLine {
    next: Instant,
}

impl StatusLine {
    /// The first line comes 30 s from now.
    pub fn new(now: Instant) -> Self {
        Self { next: now + EVERY }
    }

    /// When the next line is due.
    pub const fn next(&self) -> Option<Instant> {
        Some(self.next)
    }

    /// One line for each awaited thing, failing ones first.
    pub fn lines(&mut self, report: &Report, now: Instant) -> Vec<String> {
        self.next = now + EVERY;
        let mut awaited = causes(report);
        awaited.sort_by_key(|awaited| awaited.next_try.is_none());
        let rest = awaited.len().saturating_sub(MOST);
        let mut lines: Vec<String> = awaited
            .into_iter()
            .take(MOST)
            .map(|awaited| format!("waiting for {awaited}{}", awaited.retry(report.now)))
            .collect();
        if rest > 0 {
            lines.push(format!("waiting for {rest} more"));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Clock,
        status::{Awaited, AwaitedKind, testing},
    };

    #[test]
    fn a_line_says_what_is_awaited_why_and_when_it_is_tried_again() {
        let mut report = testing::report();
        let now = Clock::system().now();
        let mut status = StatusLine::new(now);
        report.awaited.insert(0, Awaited::new(AwaitedKind::Secret, "read kv/data/a", "no answer yet".into()));
        let waits = Awaited::new(AwaitedKind::Template, "/x", "waits for 2 secret(s)".into());
        report.awaited.push(Awaited { is_cause: false, ..waits });
        let later = now + Duration::from_secs(1);
        assert_eq!(
            status.lines(&report, later),
            [
                "waiting for issue pki/issue/app: PUT http://v/v1/pki/issue/app: 403; next try in 1 s",
                "waiting for read kv/data/a: no answer yet"
            ]
        );
        assert_eq!(status.next(), Some(later + EVERY));
        report.awaited = vec![report.awaited[0].clone(); 12];
        assert_eq!(status.lines(&report, later).last().unwrap(), "waiting for 2 more");
    }
}
