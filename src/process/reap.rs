//! Process 1 inherits the orphans of its container and must collect them, but never a child that somebody waits for.
//!
//! Children that this program starts are registered while they are waited for. When a child ends, the zombies among
//! our children that are not registered are collected one by one, by their id; a wait for "any child" would now and
//! then steal an exit status.

use std::{
    collections::BTreeSet,
    io,
    sync::{Mutex, PoisonError},
};

use nix::{
    sys::wait::{WaitPidFlag, waitpid},
    unistd::Pid,
};
use tokio::signal::unix::{SignalKind, signal};

/// Ids of children that are waited for elsewhere. One per process, as the children are.
static WAITED_FOR: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// A child that is waited for elsewhere, until dropped.
#[derive(Debug)]
#[must_use = "the child is protected only while this lives"]
pub struct WaitedFor(i32);

impl WaitedFor {
    /// Protects a child. To be called right after the start, without an await in between.
    pub fn new(pid: u32) -> Self {
        // Ids come from the kernel and fit.
        let pid = i32::try_from(pid).unwrap_or_default();
        WAITED_FOR.lock().unwrap_or_else(PoisonError::into_inner).insert(pid);
        Self(pid)
    }
}

impl Drop for WaitedFor {
    fn drop(&mut self) {
        WAITED_FOR.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

fn is_waited_for(pid: i32) -> bool {
    WAITED_FOR.lock().unwrap_or_else(PoisonError::into_inner).contains(&pid)
}

/// Whether orphans come to this process: only process 1 of a container is their heir.
pub fn is_needed() -> bool {
    std::process::id() == 1
}

/// Collects orphans for ever; to be run as one task when [`is_needed`].
///
/// # Errors
/// The handler for SIGCHLD can't be put into place.
pub async fn reap_orphans() -> io::Result<()> {
    let mut child_ended = signal(SignalKind::child())?;
    while child_ended.recv().await.is_some() {
        reap_zombies(|pid| !is_waited_for(pid));
    }
    Ok(())
}

/// Collects the zombies among our children that are wanted; gives how many.
fn reap_zombies(wanted: impl Fn(i32) -> bool) -> usize {
    let zombies = zombies_of(std::process::id());
    zombies
        .into_iter()
        .filter(|pid| wanted(*pid) && waitpid(Pid::from_raw(*pid), Some(WaitPidFlag::WNOHANG)).is_ok())
        .count()
}

fn zombies_of(parent: u32) -> Vec<i32> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| {
            // A process may be gone by now.
            std::fs::read(format!("/proc/{pid}/stat")).is_ok_and(|stat| is_zombie_of(&stat, parent))
        })
        .collect()
}

/// Reads `pid (name) state ppid …` of proc_pid_stat(5); a name may hold blanks and brackets, so the last one counts.
fn is_zombie_of(stat: &[u8], parent: u32) -> bool {
    let Some(end) = stat.iter().rposition(|byte| *byte == b')') else { return false };
    let text = String::from_utf8_lossy(&stat[end + 1..]);
    let mut fields = text.split_ascii_whitespace();
    fields.next() == Some("Z") && fields.next().and_then(|ppid| ppid.parse().ok()) == Some(parent)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_zombies_of_the_parent_count() {
        assert!(is_zombie_of(b"7 (sh) Z 1 7 7 0 -1", 1));
        assert!(is_zombie_of(b"7 (a) R 5 (b) Z 1 7", 1), "a name may look like fields");
        assert!(!is_zombie_of(b"7 (sh) S 1 7 7 0 -1", 1));
        assert!(!is_zombie_of(b"7 (sh) Z 12 7 7 0 -1", 1));
        assert!(!is_zombie_of(b"7 (sh", 1));
        assert!(!is_zombie_of(b"7 (sh)", 1));
    }

    #[expect(clippy::disallowed_methods, reason = "the test needs a child of this process")]
    fn child() -> std::process::Child {
        std::process::Command::new("true").spawn().unwrap()
    }

    fn wait_until_zombie(pid: u32) {
        let pid = i32::try_from(pid).unwrap();
        let deadline = Duration::from_secs(60);
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        let (done, waited) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            nix::sys::wait::waitid(nix::sys::wait::Id::Pid(Pid::from_raw(pid)), flags).ok();
            done.send(()).ok();
        });
        waited.recv_timeout(deadline).unwrap();
    }

    #[test]
    fn a_child_that_is_waited_for_keeps_its_status_and_an_orphan_goes() {
        let (mut ours, orphan) = (child(), child());
        let [ours_id, orphan_id] = [ours.id(), orphan.id()];
        wait_until_zombie(ours_id);
        wait_until_zombie(orphan_id);
        let guard = WaitedFor::new(ours_id);
        // Children of other tests are none of ours.
        let mine = |pid: i32| [ours_id, orphan_id].contains(&pid.unsigned_abs()) && !is_waited_for(pid);
        assert_eq!(reap_zombies(mine), 1);
        assert!(ours.wait().unwrap().success(), "its status was still there");
        drop(guard);
        assert!(!is_waited_for(ours_id.try_into().unwrap()));
        assert_eq!(reap_zombies(mine), 0);
        assert_eq!(
            waitpid(Pid::from_raw(orphan_id.try_into().unwrap()), None),
            Err(nix::errno::Errno::ECHILD)
        );
    }
}
