//! Tells when watched files change, also when a directory link above them is swapped as the kubelet does.
//!
//! A watch on a file dies with the first swap, so their folders are watched and the files compared. What counts is
//! what a file *is* (inode, times, length) once the links are followed. A slow comparison goes on beside the
//! kernel's events, because those can be missing (limits, network file systems). Nothing is started before there is
//! something to watch: the events cost a thread.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    time::{Instant, sleep_until, timeout_at},
};

use crate::clock::Clock;

/// Shortest time between two comparisons without an event.
pub const SLOWEST_NOTICE: Duration = Duration::from_secs(60);

/// Quiet time after an event: the pieces of one change are told once.
const QUIET: Duration = Duration::from_millis(100);

/// But a change is never held back for longer than this.
const LONGEST_HOLD: Duration = Duration::from_secs(1);

/// Somebody who makes and removes folders without end is left to the slow comparison.
const MOST_ROUNDS: usize = 8;

/// What a file is. Two equal values mean: nobody changed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    length: u64,
    changed: (i64, i64),
    modified: (i64, i64),
}

impl Identity {
    /// `None` when there is nothing, or nothing that can be looked at.
    fn of(path: &Path) -> Option<Self> {
        let meta = std::fs::metadata(path).ok()?;
        Some(Self {
            device: meta.dev(),
            inode: meta.ino(),
            length: meta.len(),
            changed: (meta.ctime(), meta.ctime_nsec()),
            modified: (meta.mtime(), meta.mtime_nsec()),
        })
    }
}

/// A set of watched files.
#[derive(Debug)]
pub struct Watch {
    clock: Clock,
    files: BTreeMap<PathBuf, Option<Identity>>,
    events: Option<Events>,
    /// The kernel's events were refused once; said once, and not tried again.
    refused: bool,
    next_look: Instant,
    /// When an event came that hasn't been looked into: (first, last).
    stirred: Option<(Instant, Instant)>,
}

impl Watch {
    /// Watches nothing yet.
    pub fn new(clock: Clock) -> Self {
        let next_look = clock.now() + SLOWEST_NOTICE;
        Self { clock, files: BTreeMap::new(), events: None, refused: false, next_look, stirred: None }
    }

    /// Replaces the set of watched files. A new one counts from what it is now, so set it *before* it is read, or
    /// a change in between is missed. Files needn't exist.
    pub fn set(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        let paths: BTreeSet<PathBuf> = paths.into_iter().collect();
        self.files.retain(|path, _| paths.contains(path));
        for path in paths {
            self.files.entry(path).or_insert_with_key(|path| Identity::of(path));
        }
        if self.files.is_empty() {
            self.events = None;
        }
        self.follow_folders();
    }

    /// Waits until files have changed, come or gone, and names them. Never returns while nothing is watched.
    /// Nothing is lost when the future is dropped.
    pub async fn changed(&mut self) -> Vec<PathBuf> {
        if self.files.is_empty() {
            return pending().await;
        }
        loop {
            self.wait_for_a_reason().await;
            self.stirred = None;
            self.next_look = self.clock.now() + SLOWEST_NOTICE;
            // In this order: what happens from here on makes an event, what happened before is seen now.
            self.follow_folders();
            let changed = self.compare();
            if !changed.is_empty() {
                return changed;
            }
        }
    }

    /// Returns when an event has come and it is quiet again, or when it is time to look anyway.
    async fn wait_for_a_reason(&mut self) {
        loop {
            let due = match self.stirred {
                Some((first, last)) => (last + QUIET).min(first + LONGEST_HOLD).min(self.next_look),
                None => self.next_look,
            };
            let Some(events) = &mut self.events else { return sleep_until(due).await };
            match timeout_at(due, events.receiver.recv()).await {
                Ok(Some(())) => {
                    let now = self.clock.now();
                    self.stirred = Some((self.stirred.map_or(now, |(first, _)| first), now));
                }
                Ok(None) => self.events = None,
                Err(_) => return,
            }
        }
    }

    fn compare(&mut self) -> Vec<PathBuf> {
        let mut changed = Vec::new();
        for (path, known) in &mut self.files {
            let now = Identity::of(path);
            if now != *known {
                *known = now;
                changed.push(path.clone());
            }
        }
        changed
    }

    /// Watches the folders that matter now; after a swap they are others.
    fn follow_folders(&mut self) {
        if self.files.is_empty() || self.refused {
            return;
        }
        if self.events.is_none() {
            match Events::start() {
                Ok(events) => self.events = Some(events),
                Err(error) => return self.refuse(&error),
            }
        }
        // A folder that appears while its parent is being set up makes no event yet, so look until nothing is new.
        for _ in 0..MOST_ROUNDS {
            let wanted: BTreeSet<_> = self.files.keys().flat_map(|file| folders_of(file)).collect();
            let Some(events) = self.events.as_mut() else { return };
            let is_settled = events.folders == wanted;
            if let Err(error) = events.follow(wanted) {
                return self.refuse(&error);
            }
            if is_settled {
                return;
            }
        }
    }

    fn refuse(&mut self, error: &notify::Error) {
        self.refused = true;
        self.events = None;
        tracing::warn!(
            target: "agent", %error, interval = ?SLOWEST_NOTICE,
            "file events are not available (see fs.inotify.max_user_watches): files are compared now and then"
        );
    }
}

/// Folders in which a change of the file shows: its own, and the one that it is in once links are followed. Where a
/// folder is missing, the nearest one above it.
fn folders_of(file: &Path) -> BTreeSet<PathBuf> {
    let nearest = |path: &Path| {
        let folder = path.ancestors().skip(1).find(|folder| folder.as_os_str().is_empty() || folder.is_dir());
        match folder {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        }
    };
    let real = file.canonicalize().ok();
    [Some(nearest(file)), real.as_deref().map(nearest)].into_iter().flatten().collect()
}

/// The kernel's events about folders.
#[derive(Debug)]
struct Events {
    watcher: RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
    /// Holds one: that there was something is all that matters.
    receiver: Receiver<()>,
}

impl Events {
    fn start() -> notify::Result<Self> {
        let (sender, receiver) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event| forward(&sender, &event))?;
        Ok(Self { watcher, folders: BTreeSet::new(), receiver })
    }

    fn follow(&mut self, wanted: BTreeSet<PathBuf>) -> notify::Result<()> {
        for gone in self.folders.difference(&wanted) {
            // A folder that was removed took its watch with it.
            self.watcher.unwatch(gone).ok();
        }
        for folder in &wanted {
            // Set again each time: behind the same path there may be another folder by now.
            match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                Err(error) if is_missing(&error) => {}
                result => result?,
            }
        }
        self.folders = wanted;
        Ok(())
    }
}

fn is_missing(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => {
            matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied)
        }
        _ => false,
    }
}

/// Errors (lost events among them) are a reason to look, too; reading a file isn't.
fn forward(sender: &Sender<()>, event: &notify::Result<Event>) {
    let is_reason = event.as_ref().map_or(true, |event| match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    });
    if is_reason {
        // Full means that a look is coming anyway.
        sender.try_send(()).ok();
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests lay out the files they look at")]
mod tests;
