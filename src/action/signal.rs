//! A signal to another process: found by its name through `/proc`, or by its pid file.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs, io,
    io::Read as _,
    os::unix::{ffi::OsStrExt as _, fs::OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use nix::{
    errno::Errno,
    fcntl::OFlag,
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid, getpid},
};

use crate::{clock::Clock, config::template::Receiver};

/// The kernel keeps so many bytes of a process's name (`TASK_COMM_LEN` without its end).
const KEPT_OF_NAME: usize = 15;
/// A pid file is a number in one line.
const LARGEST_PID_FILE: u64 = 64;
/// The unit of times in `/proc`, `USER_HZ`, which Linux fixes for all architectures we build for.
const TICKS_PER_SECOND: u64 = 100;
/// A process may look this much younger than a pid file of its own: clocks are set, also of file servers.
const SLACK: Duration = Duration::from_secs(60);
/// Names of other processes in a message.
const MOST_NAMES: usize = 8;

/// Why nobody was signalled.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// No process with this name.
    #[error("no process here is called {name}{}", seen(others))]
    NotFound {
        /// The name.
        name: String,
        /// Names of the processes that there are.
        others: Vec<String>,
    },
    /// The pid file isn't there.
    #[error("there is no pid file {}", path.display())]
    NoPidFile {
        /// The file.
        path: PathBuf,
    },
    /// The pid file can't be read.
    #[error("can't read the pid file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The pid file holds something else.
    #[error("the pid file {} does not hold the number of a process", path.display())]
    NotAPid {
        /// The file.
        path: PathBuf,
    },
    /// The pid file's process is this program, so it was written where numbers mean something else.
    #[error("the pid file {} says {pid}, which is decant itself here", path.display())]
    Own {
        /// The file.
        path: PathBuf,
        /// The number in it.
        pid: i32,
    },
    /// The pid file's process has ended.
    #[error("the pid file {} says {pid}, and no such process runs here", path.display())]
    Gone {
        /// The file.
        path: PathBuf,
        /// The number in it.
        pid: i32,
    },
    /// The pid file's process started after the file was written, so the number has been given out anew.
    #[error("the pid file {} says {pid}, and the process that runs under this number now is younger than the file", path.display())]
    Stale {
        /// The file.
        path: PathBuf,
        /// The number in it.
        pid: i32,
    },
    /// The process belongs to another user.
    #[error("process {pid}{} runs as user {}, this process as user {own}, which may not signal it", called(name), user(*theirs))]
    Denied {
        /// The process.
        pid: i32,
        /// Its name, when known.
        name: String,
        /// Its user, when known.
        theirs: Option<u32>,
        /// Our user.
        own: u32,
    },
    /// Anything else.
    #[error("process {pid} can't be signalled")]
    Io {
        /// The process.
        pid: i32,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn seen(others: &[String]) -> String {
    match others {
        [] => ", and no other process can be seen".to_owned(),
        _ => format!(" (but {})", others.join(", ")),
    }
}

fn called(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" ({name})") }
}

fn user(uid: Option<u32>) -> String {
    uid.map_or_else(|| "unknown".to_owned(), |uid| uid.to_string())
}

impl SignalError {
    /// What to do next.
    pub const fn hint(&self) -> Option<&'static str> {
        const SHARED: &str = "containers see each other's processes only with shareProcessNamespace: true in the pod's \
             spec (annotation vault.hashicorp.com/agent-share-process-namespace: \"true\")";
        Some(match self {
            Self::NotFound { .. } | Self::Own { .. } | Self::Gone { .. } | Self::Stale { .. } => SHARED,
            Self::NoPidFile { .. } | Self::Unreadable { .. } => {
                "the pid file must be in a volume that both containers mount, readable for this user"
            }
            Self::NotAPid { .. } => "a pid file holds one number in one line",
            Self::Denied { .. } => {
                "run both as one user (annotation vault.hashicorp.com/agent-run-as-same-user: \"true\" or \
                 agent-run-as-user, without an injector securityContext.runAsUser), or give this container the \
                 capability KILL"
            }
            Self::Io { .. } => return None,
        })
    }

    /// Whether there is nobody yet who could have heard the signal.
    pub const fn is_absence(&self) -> bool {
        matches!(
            self,
            Self::NotFound { .. } | Self::NoPidFile { .. } | Self::Gone { .. } | Self::Stale { .. }
        )
    }
}

/// Sends a signal to whom it is for; returns the processes that got it.
///
/// # Errors
/// Nobody is there, or somebody couldn't be signalled; others got it then all the same.
pub fn send(signal: Signal, to: &Receiver) -> Result<Vec<i32>, SignalError> {
    match to {
        Receiver::PidFile(path) => {
            let (pid, written) = read_pid_file(path)?;
            if pid == getpid().as_raw() {
                return Err(SignalError::Own { path: path.clone(), pid });
            }
            if is_younger(Path::new("/proc"), pid, written, Clock::system().wall()) {
                return Err(SignalError::Stale { path: path.clone(), pid });
            }
            if one(signal, pid)? { Ok(vec![pid]) } else { Err(SignalError::Gone { path: path.clone(), pid }) }
        }
        Receiver::Name(name) => {
            let processes = Process::all(Path::new("/proc"));
            let first = named(&processes, name);
            let (mut told, mut failed) = (Vec::new(), None);
            for pid in first {
                match one(signal, pid) {
                    Ok(true) => told.push(pid),
                    // It ended between the look and the signal.
                    Ok(false) => {}
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            match failed {
                Some(error) => Err(error),
                None if told.is_empty() => {
                    Err(SignalError::NotFound { name: name.clone(), others: names(&processes) })
                }
                None => Ok(told),
            }
        }
    }
}

/// Whether the process was there to get it.
fn one(signal: Signal, pid: i32) -> Result<bool, SignalError> {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) => Ok(true),
        Err(Errno::ESRCH) => Ok(false),
        Err(Errno::EPERM) => {
            let process = Process::of(&Path::new("/proc").join(pid.to_string()), pid);
            Err(SignalError::Denied {
                pid,
                name: process.map(|process| process.comm).unwrap_or_default(),
                theirs: user_of(pid),
                own: geteuid().as_raw(),
            })
        }
        Err(errno) => Err(SignalError::Io { pid, source: errno.into() }),
    }
}

/// Whether the process began after that moment: a pid file is written by the process that it names, or by its parent, so
/// another one has the number by now. What can't be known counts as no.
fn is_younger(proc: &Path, pid: i32, written: Option<SystemTime>, now: SystemTime) -> bool {
    let began = || {
        let stat = fs::read(proc.join(pid.to_string()).join("stat")).ok()?;
        // Field 22 of proc_pid_stat(5); the name, the second one, may hold spaces and ends with the last parenthesis.
        let stat = String::from_utf8_lossy(&stat).into_owned();
        let ticks: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
        let uptime = fs::read_to_string(proc.join("uptime")).ok()?;
        let uptime: u64 = uptime.split('.').next()?.parse().ok()?;
        now.checked_sub(Duration::from_secs(uptime.checked_sub(ticks / TICKS_PER_SECOND)?))
    };
    let latest = written.and_then(|written| written.checked_add(SLACK));
    latest.zip(began()).is_some_and(|(latest, began)| began > latest)
}

/// Numbers that mean groups or everybody (0, negative ones) are no processes.
fn read_pid_file(path: &Path) -> Result<(i32, Option<SystemTime>), SignalError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => SignalError::NoPidFile { path: path.to_owned() },
        _ => SignalError::Unreadable { path: path.to_owned(), source },
    };
    // Without waiting for the other end, should it be a pipe.
    let file =
        fs::File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).map_err(failed)?;
    let written = file.metadata().and_then(|meta| meta.modified()).ok();
    let mut text = String::new();
    file.take(LARGEST_PID_FILE).read_to_string(&mut text).map_err(failed)?;
    let number = text.lines().next().unwrap_or_default().trim().parse().ok();
    number
        .filter(|pid| *pid > 0)
        .map(|pid| (pid, written))
        .ok_or_else(|| SignalError::NotAPid { path: path.to_owned() })
}

/// Real user of a process: it counts for the right to signal (kill(2)).
fn user_of(pid: i32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    uids.split_whitespace().next()?.parse().ok()
}

/// What `/proc` says about a process.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    pid: i32,
    parent: i32,
    /// The kernel's name for it, at most 15 bytes.
    comm: String,
    /// Last part of its first argument.
    program: Option<Vec<u8>>,
}

impl Process {
    /// All but this program and those that have ended.
    fn all(proc: &Path) -> BTreeMap<i32, Self> {
        let Ok(entries) = fs::read_dir(proc) else { return BTreeMap::new() };
        let own = getpid().as_raw();
        entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let pid = entry.file_name().to_str()?.parse().ok()?;
                Some((pid, Self::of(&entry.path(), pid)?))
            })
            .filter(|(pid, _)| *pid != own)
            .collect()
    }

    fn of(folder: &Path, pid: i32) -> Option<Self> {
        let stat = fs::read(folder.join("stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        // The name stands in parentheses and may hold some itself.
        let (before, rest) = stat.rsplit_once(')')?;
        let (_, comm) = before.split_once('(')?;
        let mut fields = rest.split_whitespace();
        let (state, parent) = (fields.next()?, fields.next()?.parse().ok()?);
        if matches!(state, "Z" | "X") {
            return None;
        }
        let arguments = fs::read(folder.join("cmdline")).unwrap_or_default();
        let first = arguments.split(|byte| *byte == 0).next().filter(|first| !first.is_empty());
        let program = first.map(|first| {
            let path = Path::new(OsStr::from_bytes(first));
            path.file_name().unwrap_or_default().as_bytes().to_vec()
        });
        Some(Self { pid, parent, comm: comm.to_owned(), program })
    }

    fn is_called(&self, name: &str) -> bool {
        if self.program.as_deref() == Some(name.as_bytes()) {
            return true;
        }
        match name.as_bytes().get(..KEPT_OF_NAME) {
            // A long name is known to the kernel in part only. The argument decides where there is one.
            Some(kept) if name.len() > KEPT_OF_NAME => self.program.is_none() && self.comm.as_bytes() == kept,
            _ => self.comm == name,
        }
    }
}

/// Those with the name whose parent hasn't got it: a master, not its workers.
fn named(processes: &BTreeMap<i32, Process>, name: &str) -> Vec<i32> {
    let all: BTreeSet<i32> =
        processes.values().filter(|process| process.is_called(name)).map(|process| process.pid).collect();
    let first =
        all.iter().filter(|pid| processes.get(pid).is_some_and(|process| !all.contains(&process.parent)));
    first.copied().collect()
}

fn names(processes: &BTreeMap<i32, Process>) -> Vec<String> {
    let names: BTreeSet<&str> = processes.values().map(|process| process.comm.as_str()).collect();
    names.into_iter().take(MOST_NAMES).map(str::to_owned).collect()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests lay out files and start the processes they signal")]
mod tests;
