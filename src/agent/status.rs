//! The line that says, every 30 s while something is awaited, what and why and when it is tried again.

use std::time::Duration;

use tokio::time::Instant;

use super::plan::Plan;
use crate::secrets::{request::SecretRequest, snapshot::Failed};

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

    /// One line for each awaited request, failing ones first.
    pub fn lines(
        &mut self,
        plan: &Plan,
        has_answer: impl Fn(&SecretRequest) -> bool,
        now: Instant,
    ) -> Vec<String> {
        self.next = now + EVERY;
        let mut awaited: Vec<_> = plan.awaited(has_answer).collect();
        awaited.sort_by_key(|(_, failed)| failed.is_none());
        let rest = awaited.len().saturating_sub(MOST);
        let mut lines: Vec<String> =
            awaited.into_iter().take(MOST).map(|(request, failed)| line(request, failed, now)).collect();
        if rest > 0 {
            lines.push(format!("waiting for {rest} more secrets"));
        }
        lines
    }
}

fn line(request: &SecretRequest, failed: Option<&Failed>, now: Instant) -> String {
    match failed {
        None => format!("waiting for {request}: no answer yet"),
        Some(Failed { tries, message, next_try: Some(at), .. }) => format!(
            "waiting for {request}: {message}; tried {tries} times, next try in {} s",
            at.saturating_duration_since(now).as_secs_f64().ceil()
        ),
        Some(Failed { tries, message, next_try: None, .. }) => {
            format!("waiting for {request}: {message}; tried {tries} times, next try after a new login")
        }
    }
}
