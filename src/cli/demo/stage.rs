//! What all steps of the demo share: server, pod, the process that is looked at; and how a step fails.

use std::{fmt, time::Duration};

use super::{
    child::Child,
    pod::Pod,
    screen::{Screen, masked},
    server::DevServer,
};
use crate::clock::Clock;

/// How long one thing is waited for. Used up only by a run that fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at a file.
const LOOK: Duration = Duration::from_millis(10);

/// Why a step didn't hold.
#[derive(Debug)]
pub(super) struct Failure {
    what: String,
    expected: String,
    got: String,
}

impl Failure {
    pub(super) fn new(what: impl Into<String>, expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { what: what.into(), expected: expected.into(), got: got.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, expected, got } = self;
        write!(f, "demo: {what} failed\n  expected: {expected}\n  got: {got}")
    }
}

/// Fails unless the two are equal.
pub(super) fn equal<T: PartialEq + fmt::Debug>(what: &str, expected: &T, got: &T) -> Result<(), Failure> {
    if expected == got {
        return Ok(());
    }
    Err(Failure::new(what, format!("{expected:?}"), format!("{got:?}")))
}

/// Looks until there is something to see, or patience ends.
pub(super) async fn until<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let looking = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.ok()
}

/// The stage of the story.
pub(super) struct Stage {
    pub(super) screen: Screen,
    pub(super) clock: Clock,
    pub(super) server: DevServer,
    pub(super) pod: Pod,
    /// `init`, later `sidecar`.
    pub(super) child: Option<Child>,
}

impl Stage {
    /// The process under way.
    pub(super) fn child(&mut self) -> Result<&mut Child, Failure> {
        self.child.as_mut().ok_or_else(|| Failure::new("the sidecar", "that it runs", "it was never started"))
    }

    /// Waits until the rendered file has just these contents.
    pub(super) async fn file_becomes(&self, name: &str, contents: &str) -> Result<(), Failure> {
        let look = || {
            // In this order: what a process has written before its end counts.
            let is_over = self.child.as_ref().is_some_and(Child::is_over);
            let is_right = self.pod.rendered(name).is_some_and(|now| now == contents);
            (is_right || is_over).then_some(is_right)
        };
        if until(look).await == Some(true) {
            return Ok(());
        }
        let got = self.pod.rendered(name).unwrap_or_else(|| "no such file".to_owned());
        Err(Failure::new(format!("the file {name}"), masked(contents), masked(&got)))
    }

    /// Fails unless the process under way still runs; answers its id.
    pub(super) fn still_runs(&mut self) -> Result<u32, Failure> {
        let child = self.child()?;
        let id = child.pid().filter(|_| !child.is_over());
        id.ok_or_else(|| Failure::new("the sidecar", "that it runs", "it has ended"))
    }

    /// Ends and removes everything that is still there, in whatever state.
    pub(super) async fn clear_up(mut self) {
        if let Some(child) = &mut self.child {
            child.put_down().await;
        }
        self.server.stop().await;
        // The pod's folder goes when it is dropped, which is now that nobody writes into it any more.
        drop(self.pod);
    }
}
