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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Clock,
        secrets::{
            entry::FailureClass,
            request::{AuthId, Verb},
        },
        vault::path::VaultPath,
    };

    #[test]
    fn a_line_says_what_is_awaited_why_and_when_it_is_tried_again() {
        let (path, params) = VaultPath::parse("kv/data/a").unwrap();
        let request =
            SecretRequest { auth: AuthId::default(), namespace: None, verb: Verb::Read, path, params };
        let now = Clock::system().now();
        let failed = |next_try| Failed {
            tries: 3,
            definite: 3,
            class: FailureClass::Denied,
            message: "GET http://v/v1/kv/data/a: 403".into(),
            next_try,
        };
        assert_eq!(line(&request, None, now), "waiting for read kv/data/a: no answer yet");
        assert_eq!(
            line(&request, Some(&failed(Some(now + Duration::from_millis(1500)))), now),
            "waiting for read kv/data/a: GET http://v/v1/kv/data/a: 403; tried 3 times, next try in 2 s"
        );
        assert!(line(&request, Some(&failed(None)), now).ends_with("next try after a new login"));
    }
}
