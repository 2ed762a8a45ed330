//! A container without a container engine: the image's root, read-only, with only the mounts that a case makes, in
//! namespaces of its own, as a user of the case's choice. What it runs is process 1.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use super::{
    Need, eventually,
    memory::MemoryLimit,
    process::{Finished, Run, Running, binary},
};

/// What a case with containers needs of the machine.
pub const NEEDS: &[Need] = &[Need::Root, Need::Mounts, Need::Busybox];

/// Lays out what a container runtime gives, then becomes the program. `$0` is the root; behind it come user, group, more
/// groups, the file that puts it under a limit of memory or nothing, three words for each mount, and behind `--` the
/// command.
const RUNTIME: &str = r#"
root=$0 user=$1 group=$2 groups=$3
[ -z "$4" ] || echo 0 >"$4"
mount --bind "$root" "$root"
mount -o remount,bind,ro,nosuid,nodev "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o size=64k,mode=0755 tmpfs "$root/dev"
for device in null zero full random urandom; do
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
shift 4
while [ "$1" != -- ]; do
  mount --bind "$1" "$root$2"
  mount -o "remount,bind,nosuid,nodev,$3" "$root$2"
  shift 3
done
shift
exec /usr/bin/setpriv --no-new-privs /usr/sbin/chroot --userspec="$user:$group" --groups="$groups" "$root" "$@"
"#;

/// How a mount is seen inside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Write,
    ReadOnly,
}

/// A container to be started. Its empty folders go with it and with what it has started.
pub struct Container {
    root: PathBuf,
    user: (u32, u32),
    groups: Vec<u32>,
    mounts: Vec<(PathBuf, String, Access)>,
    env: BTreeMap<String, String>,
    memory: Option<Arc<MemoryLimit>>,
    folders: Arc<TempDir>,
}

impl Container {
    /// Of the image `decant`, as its user, without any mount or variable but the image's `PATH`.
    pub fn new() -> Self {
        Self::at(&image("decant"))
    }

    /// With this root, which must have folders for all mounts.
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            user: (100, 1000),
            groups: Vec::new(),
            mounts: Vec::new(),
            env: [("PATH".to_owned(), "/bin".to_owned())].into(),
            memory: None,
            folders: Arc::new(memory_folder()),
        }
    }

    /// With another root.
    pub fn at_root(mut self, root: &Path) -> Self {
        root.clone_into(&mut self.root);
        self
    }

    /// Runs as this user and group.
    pub fn user(mut self, uid: u32, gid: u32) -> Self {
        self.user = (uid, gid);
        self
    }

    /// As a member of this group, too, as `fsGroup` makes it.
    pub fn in_group(mut self, gid: u32) -> Self {
        self.groups.push(gid);
        self
    }

    /// One variable more.
    pub fn env(mut self, key: &str, value: impl Into<String>) -> Self {
        self.env.insert(key.to_owned(), value.into());
        self
    }

    /// An empty folder in memory that everybody may write, as an emptyDir volume is.
    pub fn empty_dir(self, inside: &str) -> Self {
        let folder = self.folders.path().join(self.mounts.len().to_string());
        fs::create_dir(&folder).expect("a folder");
        self.shared(&folder, inside)
    }

    /// A folder of the case's that everybody may write.
    #[expect(clippy::disallowed_methods, reason = "tests play the kubelet")]
    pub fn shared(mut self, folder: &Path, inside: &str) -> Self {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).expect("a folder of ours");
        self.mounts.push((folder.to_owned(), inside.to_owned(), Access::Write));
        self
    }

    /// A folder of the case's that nobody inside can write.
    pub fn read_only(mut self, folder: &Path, inside: &str) -> Self {
        self.mounts.push((folder.to_owned(), inside.to_owned(), Access::ReadOnly));
        self
    }

    /// Under this limit, which lasts as long as the container.
    pub fn limited(mut self, limit: &Arc<MemoryLimit>) -> Self {
        self.memory = Some(limit.clone());
        self
    }

    /// Where a mount is outside.
    pub fn outside(&self, inside: &str) -> PathBuf {
        let mount = self.mounts.iter().find(|(_, path, _)| path == inside);
        mount.map(|(folder, ..)| folder.clone()).expect("a mount")
    }

    /// Starts a command in it.
    pub fn start(&self, command: &[&str]) -> Contained {
        let mut args: Vec<String> =
            ["--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--", "env", "-i"]
                .map(str::to_owned)
                .to_vec();
        args.extend(self.env.iter().map(|(key, value)| format!("{key}={value}")));
        args.extend(["/bin/sh", "-euc", RUNTIME].map(str::to_owned));
        args.push(self.root.display().to_string());
        args.extend([self.user.0, self.user.1].map(|id| id.to_string()));
        let groups: Vec<String> = self.groups.iter().map(u32::to_string).collect();
        args.push(groups.join(","));
        args.push(self.memory.as_ref().map(|limit| limit.entry().display().to_string()).unwrap_or_default());
        for (folder, inside, access) in &self.mounts {
            let access = if *access == Access::Write { "rw" } else { "ro" };
            args.extend([folder.display().to_string(), inside.clone(), access.to_owned()]);
        }
        args.push("--".to_owned());
        args.extend(command.iter().map(|&word| word.to_owned()));
        let runtime = Run::program("unshare".into(), args).watched().start();
        Contained {
            _inside: Inside(runtime.pid()),
            runtime,
            user: self.user,
            env: self.env.clone(),
            _folders: self.folders.clone(),
            _memory: self.memory.clone(),
        }
    }

    /// Starts a command in it and waits for its end.
    pub fn finish(&self, command: &[&str]) -> Finished {
        self.start(command).runtime.wait()
    }
}

/// A container that runs. Killed when dropped.
pub struct Contained {
    // Goes first: the runtime must still be there to name its child.
    _inside: Inside,
    runtime: Running,
    user: (u32, u32),
    env: BTreeMap<String, String>,
    _folders: Arc<TempDir>,
    // Goes last: the group can only be removed behind its processes.
    _memory: Option<Arc<MemoryLimit>>,
}

impl Contained {
    /// Process 1, by its id outside.
    pub fn pid(&self) -> i32 {
        let path = format!("/proc/{0}/task/{0}/children", self.runtime.pid());
        eventually("a first process", || fs::read_to_string(&path).ok()?.trim().parse().ok())
    }

    /// The program of process 1, by its path inside, once that is no more what laid out the container.
    #[track_caller]
    pub fn becomes(&self, program: &str) {
        let link = format!("/proc/{}/exe", self.pid());
        eventually(&format!("process 1 to become {program}"), || {
            fs::read_link(&link).ok().filter(|path| path.ends_with(program))
        });
    }

    /// States of the children of process 1, as in /proc: `Z` is one that nobody collected.
    pub fn children(&self) -> Vec<char> {
        let pid = self.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let state = |child: &str| {
            let stat = fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
            stat.rsplit_once(") ")?.1.chars().next()
        };
        children.split_whitespace().filter_map(state).collect()
    }

    /// Runs a command in it as the kubelet does for probes and hooks, with the container's user and variables.
    pub fn exec(&self, command: &[&str]) -> Finished {
        let mut args = vec!["-i".to_owned()];
        args.extend(self.env.iter().map(|(key, value)| format!("{key}={value}")));
        let (pid, (uid, gid)) = (self.pid(), self.user);
        args.extend(
            ["/usr/bin/nsenter", "--mount", "--pid", "--ipc", "--uts", "--root", "--wd"].map(str::to_owned),
        );
        args.extend([format!("--target={pid}"), format!("--setuid={uid}"), format!("--setgid={gid}")]);
        args.extend(command.iter().map(|&word| word.to_owned()));
        Run::program("env".into(), args).watched().finish()
    }

    /// Waits until process 1 runs this command line.
    #[track_caller]
    pub fn runs(&self, command: &[&str]) {
        let path = format!("/proc/{}/cmdline", self.pid());
        let wanted: String = command.iter().map(|word| format!("{word}\0")).collect();
        eventually(&format!("process 1 to run {command:?}"), || {
            (fs::read_to_string(&path).ok()? == wanted).then_some(())
        });
    }

    /// Waits for its end.
    pub fn wait(self) -> Finished {
        self.runtime.wait()
    }

    /// Waits until it has printed this; returns the line.
    #[track_caller]
    pub fn prints(&mut self, text: &str) -> String {
        self.runtime.prints(text)
    }

    /// SIGTERM to process 1, as the kubelet sends it, then waits.
    pub fn stop(self) -> Finished {
        kill(Pid::from_raw(self.pid()), Signal::SIGTERM).expect("it still runs");
        self.runtime.wait()
    }
}

/// Kills the first process of a container when dropped. `unshare --kill-child` alone doesn't: the system forgets the
/// wish when that process changes its user.
struct Inside(u32);

impl Drop for Inside {
    fn drop(&mut self) {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.0)).unwrap_or_default();
        if let Ok(pid) = children.trim().parse() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// In memory, as the volumes that injectors make.
fn memory_folder() -> TempDir {
    let memory = tempfile::Builder::new().prefix("decant-volumes-").tempdir_in("/dev/shm");
    memory.or_else(|_| TempDir::new()).expect("a temporary folder")
}

/// The root of an image of the binary under test; made once by the script that the Dockerfile runs.
pub fn image(name: &str) -> PathBuf {
    static FOLDER: OnceLock<(PathBuf, File)> = OnceLock::new();
    let (folder, _lock) = FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("images");
        fs::create_dir_all(&folder).expect("a folder");
        // Another run of the tests may use them at this moment.
        let lock = File::create(folder.join("lock")).expect("a file");
        lock.lock().expect("a lock");
        for name in ["decant", "decant-bare"] {
            let root = folder.join(name);
            if root.exists() {
                fs::remove_dir_all(&root).expect("a folder of an earlier run");
            }
            build_image(name, &root, &[]).expect(0);
        }
        (folder, lock)
    });
    folder.join(name)
}

/// Runs the script that makes an image's root; `env` adds variables or replaces those that it is given here.
#[expect(clippy::disallowed_methods, reason = "the script finds cargo and the toolchain as this test did")]
pub fn build_image(name: &str, root: &Path, env: &[(&str, &str)]) -> Finished {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/image/rootfs");
    let args = [name.to_owned(), binary().display().to_string(), root.display().to_string()];
    let mut run = Run::program(script, args).env("SOURCE_DATE_EPOCH", "1767225600");
    for (key, value) in std::env::vars() {
        if key == "PATH" || key == "HOME" || key.starts_with("CARGO_") || key.starts_with("RUSTUP_") {
            run = run.env(&key, value);
        }
    }
    for (key, value) in env {
        run = run.env(key, *value);
    }
    run.finish()
}
