//! Memory limits as a kubelet sets them: a control group, of either version.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use super::eventually;

/// A control group with a limit of memory; gone when dropped, once its processes have ended.
pub struct MemoryLimit {
    folder: PathBuf,
    peak: &'static str,
}

impl MemoryLimit {
    /// With this limit in bytes; `None`: such groups can't be made here.
    pub fn new(bytes: u64) -> Option<Self> {
        // The versions' folders, limits and peaks.
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let first = own.lines().find_map(|line| line.split_once(":memory:")).map_or("/", |(_, path)| path);
        let second = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
        let below = |root: &str, path: &str| Path::new(root).join(path.trim_start_matches('/'));
        [
            (below("/sys/fs/cgroup/memory", first), "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
            (below("/sys/fs/cgroup", second), "memory.max", "memory.peak"),
            (PathBuf::from("/sys/fs/cgroup"), "memory.max", "memory.peak"),
        ]
        .into_iter()
        .find_map(|(parent, limit, peak)| Self::below(&parent, limit, peak, bytes))
    }

    #[expect(clippy::disallowed_methods, reason = "the kernel's interface is files")]
    fn below(parent: &Path, limit: &str, peak: &'static str, bytes: u64) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("decant-test-{}-{number}", std::process::id()));
        if !parent.join("cgroup.procs").exists() {
            return None;
        }
        fs::create_dir(&folder).ok()?;
        let group = Self { folder, peak };
        // Without the controller there is no such file, and none can be made.
        fs::write(group.folder.join(limit), bytes.to_string()).ok()?;
        Some(group)
    }

    /// The file that a process writes 0 into to belong to the group.
    pub fn entry(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// Most bytes in use at once so far: of processes, of their files in memory, of what they read.
    pub fn peak(&self) -> Option<u64> {
        fs::read_to_string(self.folder.join(self.peak)).ok()?.trim().parse().ok()
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = fs::remove_dir(&self.folder);
        } else {
            eventually("the end of a control group", || fs::remove_dir(&self.folder).ok());
        }
    }
}
