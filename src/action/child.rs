//! A process that was started: waited for, or killed with all that runs in its group.

use std::{io, process::ExitStatus};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use tokio::process::Child;

use crate::process::reap::WaitedFor;

/// What a kill reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The process alone: it shares our group.
    Process,
    /// The group that it leads, with all it has started there.
    Group,
}

/// A started process, killed when dropped before its end unless nobody waits for it.
pub(super) struct Running {
    pub(super) child: Child,
    /// Keeps the collector of orphans away.
    _status: Option<WaitedFor>,
    pid: Option<Pid>,
    reach: Reach,
    is_over: bool,
}

impl Running {
    pub(super) fn new(child: Child, reach: Reach, is_awaited: bool) -> Self {
        let id = child.id();
        Self {
            child,
            _status: id.filter(|_| is_awaited).map(WaitedFor::new),
            pid: id.and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw),
            reach,
            is_over: !is_awaited,
        }
    }

    /// Waits for its end.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.is_over = true;
        Ok(status)
    }

    /// Ends it, unless it has ended.
    pub(super) async fn end(&mut self) -> io::Result<()> {
        if !self.is_over {
            self.kill();
            // A killed process ends soon; its status is taken so that no zombie stays.
            self.wait().await?;
        }
        Ok(())
    }

    /// The child hasn't been waited for, so its id can't belong to somebody else.
    fn kill(&self) {
        if let Some(pid) = self.pid {
            let killed = match self.reach {
                Reach::Process => kill(pid, Signal::SIGKILL),
                Reach::Group => killpg(pid, Signal::SIGKILL),
            };
            // It may have ended by itself just now.
            killed.ok();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over {
            self.kill();
        }
    }
}
