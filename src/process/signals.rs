//! The signals that the agent acts on, as a stream of events.
//!
//! SIGTERM and SIGINT stop it in order; a second one of them means that somebody doesn't want to wait: the caller
//! then ends at once with exit code 1. (The original swallows it.) SIGHUP reloads. As process 1 the kernel
//! delivers only what has a handler, so these must exist before anything is waited for.

use std::io;

use nix::sys::signal::Signal;
use tokio::signal::unix::{self, SignalKind};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Stop in order. The signal is for the log line.
    Stop(Signal),
    /// Stop now, with exit code 1: it was asked for before.
    StopNow(Signal),
    /// Read the configuration anew.
    Reload,
}

/// Handlers for SIGTERM, SIGINT and SIGHUP.
#[derive(Debug)]
pub struct Signals {
    term: unix::Signal,
    int: unix::Signal,
    hup: unix::Signal,
    stopping: bool,
}

impl Signals {
    /// Puts the handlers into place. Needs a running runtime.
    ///
    /// # Errors
    /// As the system says.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            term: unix::signal(SignalKind::terminate())?,
            int: unix::signal(SignalKind::interrupt())?,
            hup: unix::signal(SignalKind::hangup())?,
            stopping: false,
        })
    }

    /// Waits for the next request. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Request {
        loop {
            // A stop overtakes a reload that came at the same time.
            let stop = tokio::select! {
                biased;
                Some(()) = self.term.recv() => Signal::SIGTERM,
                Some(()) = self.int.recv() => Signal::SIGINT,
                Some(()) = self.hup.recv() => {
                    if self.stopping {
                        continue;
                    }
                    return Request::Reload;
                }
                else => std::future::pending().await,
            };
            return if std::mem::replace(&mut self.stopping, true) {
                Request::StopNow(stop)
            } else {
                Request::Stop(stop)
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::raise;

    use super::*;

    // One test, because signals reach the whole process.
    #[tokio::test]
    async fn reloads_then_one_stop_in_order_then_at_once() {
        let mut signals = Signals::install().unwrap();
        raise(Signal::SIGHUP).unwrap();
        assert_eq!(signals.next().await, Request::Reload);
        raise(Signal::SIGTERM).unwrap();
        assert_eq!(signals.next().await, Request::Stop(Signal::SIGTERM));
        raise(Signal::SIGHUP).unwrap();
        raise(Signal::SIGINT).unwrap();
        assert_eq!(signals.next().await, Request::StopNow(Signal::SIGINT));
        raise(Signal::SIGTERM).unwrap();
        assert_eq!(signals.next().await, Request::StopNow(Signal::SIGTERM));
    }
}
