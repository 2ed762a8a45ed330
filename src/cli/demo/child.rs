//! A process of the program's own executable: its log collected line by line, its end, nothing left of it.

use std::{
    path::Path,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child as Process, Command},
    sync::watch,
    task::JoinSet,
    time::timeout,
};

use super::stage::{Failure, PATIENCE};

/// Time for a process to end in order before it is killed, when the demo itself has failed.
const GRACE: Duration = Duration::from_secs(3);

/// A process under way; killed when dropped.
pub(super) struct Child {
    name: String,
    process: Process,
    lines: watch::Receiver<Vec<String>>,
    readers: JoinSet<()>,
}

impl Child {
    /// Starts the program's own executable with an empty environment, so that nothing of the user's settings gets
    /// into the story.
    pub(super) fn start(arguments: &[&str], home: &Path) -> Result<Self, Failure> {
        let name = format!("decant {}", arguments.first().copied().unwrap_or_default());
        let failed = |trouble: std::io::Error| {
            Failure::new(format!("the start of `{name}`"), "a process", trouble.to_string())
        };
        let mut process = spawn(arguments, home).map_err(failed)?;
        let (sender, lines) = watch::channel(Vec::new());
        let sender = Arc::new(sender);
        let mut readers = JoinSet::new();
        if let Some(stream) = process.stdout.take() {
            readers.spawn(collect(stream, Arc::clone(&sender)));
        }
        if let Some(stream) = process.stderr.take() {
            readers.spawn(collect(stream, sender));
        }
        Ok(Self { name, process, lines, readers })
    }

    /// Process id, while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Whether it has ended; an agent keeps its log open until then.
    pub(super) fn is_over(&self) -> bool {
        self.lines.has_changed().is_err()
    }

    /// How it ended, if it has.
    pub(super) fn fate(&mut self) -> Option<String> {
        let status = self.process.try_wait().ok()??;
        Some(format!("`{}` has ended: {status}", self.name))
    }

    /// What it has printed after the first `from` lines.
    pub(super) fn lines(&self, from: usize) -> Vec<String> {
        self.lines.borrow().iter().skip(from).cloned().collect()
    }

    /// How many lines it has printed.
    pub(super) fn count(&self) -> usize {
        self.lines.borrow().len()
    }

    /// The last lines that it has printed.
    pub(super) fn last_lines(&self, count: usize) -> Vec<String> {
        self.lines(self.count().saturating_sub(count))
    }

    /// Waits until a line after the first `from` ones holds this text.
    pub(super) async fn says(&mut self, from: usize, text: &str) -> Result<(), Failure> {
        let said = self.lines.wait_for(|lines| lines.iter().skip(from).any(|line| line.contains(text)));
        let got = match timeout(PATIENCE, said).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(_)) => "it ended without saying so",
            Err(_) => "nothing like that yet",
        };
        Err(Failure::new(format!("the log of `{}`", self.name), format!("a line with {text:?}"), got))
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) {
        // A process that was waited for has no id any more, so this can't hit another one.
        if let Some(pid) = self.pid().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
    }

    /// Waits for its end and for the last of its lines.
    pub(super) async fn ended(&mut self) -> Result<ExitStatus, Failure> {
        let failed = |got: String| Failure::new(format!("the end of `{}`", self.name), "an exit code", got);
        let status = match timeout(PATIENCE, self.process.wait()).await {
            Ok(status) => status.map_err(|trouble| failed(trouble.to_string()))?,
            Err(_) => return Err(failed(format!("it still runs after {} s", PATIENCE.as_secs()))),
        };
        while self.readers.join_next().await.is_some() {}
        Ok(status)
    }

    /// Ends it, with force if need be.
    pub(super) async fn put_down(&mut self) {
        self.terminate();
        if timeout(GRACE, self.process.wait()).await.is_err() {
            let _ = self.process.kill().await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the demo's actors are processes of this very program")]
fn spawn(arguments: &[&str], home: &Path) -> std::io::Result<Process> {
    Command::new(std::env::current_exe()?)
        .arg0("decant")
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

async fn collect(stream: impl AsyncRead + Unpin, lines: Arc<watch::Sender<Vec<String>>>) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        lines.send_modify(|lines| lines.push(text));
        line.clear();
    }
}
