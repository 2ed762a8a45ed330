//! The real binary as a child: output collected line by line, signals, exit code; never left behind.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{canary, eventually};

/// The binary under test, which may be a build for pods; `DECANT_BIN` names another than cargo's.
pub fn binary() -> PathBuf {
    named("DECANT_BIN").unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_decant")))
}

/// A build with all features, for the dev server and the commands of a laptop; `DECANT_FULL_BIN` names another than
/// cargo's.
pub fn full_binary() -> PathBuf {
    let built = cfg!(all(feature = "dev", feature = "laptop")).then(|| env!("CARGO_BIN_EXE_decant").into());
    let advice = "this build has no server: DECANT_FULL_BIN=PATH must name a build with all features";
    named("DECANT_FULL_BIN").or(built).expect(advice)
}

/// A path that the tester names in the environment.
#[expect(clippy::disallowed_methods, reason = "the tester speaks to the tests through the environment")]
pub fn named(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// A run to be started.
#[derive(Clone, Debug)]
pub struct Run {
    program: PathBuf,
    arg0: Option<String>,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    user: Option<u32>,
    /// What it prints is searched for secrets.
    is_ours: bool,
}

impl Run {
    /// decant with these arguments, an empty environment, and trace logs, so that every test is a canary test too.
    pub fn decant<S: Into<String>>(args: impl IntoIterator<Item = S>) -> Self {
        Self::ours(binary(), args)
    }

    /// The same of the build with all features.
    pub fn full<S: Into<String>>(args: impl IntoIterator<Item = S>) -> Self {
        Self::ours(full_binary(), args)
    }

    fn ours<S: Into<String>>(program: PathBuf, args: impl IntoIterator<Item = S>) -> Self {
        let mut run = Self::program(program, args);
        run.env.insert("VAULT_LOG_LEVEL".into(), "trace".into());
        run.is_ours = true;
        run
    }

    /// Any program.
    pub fn program<S: Into<String>>(program: PathBuf, args: impl IntoIterator<Item = S>) -> Self {
        let env = [("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())].into();
        Self {
            program,
            arg0: None,
            args: args.into_iter().map(Into::into).collect(),
            env,
            user: None,
            is_ours: false,
        }
    }

    /// What it prints is searched for secrets, as decant's own output is.
    pub fn watched(mut self) -> Self {
        self.is_ours = true;
        self
    }

    /// Called by another name.
    pub fn called(mut self, name: &str) -> Self {
        self.arg0 = Some(name.to_owned());
        self
    }

    /// One argument more.
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// One variable more.
    pub fn env(mut self, key: &str, value: impl Into<String>) -> Self {
        self.env.insert(key.to_owned(), value.into());
        self
    }

    /// Started by another program, whose arguments it ends.
    pub fn under(mut self, starter: &[&str]) -> Self {
        let program = std::mem::replace(&mut self.program, starter[0].into()).display().to_string();
        let before = starter[1..].iter().map(|arg| (*arg).to_owned()).chain([program]);
        self.args.splice(0..0, before);
        self
    }

    /// As this user, with a group of the same number.
    pub fn owned_by(mut self, user: u32) -> Self {
        self.user = Some(user);
        self
    }

    /// With this file mode creation mask.
    pub fn umask(mut self, mask: &str) -> Self {
        let program = std::mem::replace(&mut self.program, "/bin/sh".into()).display().to_string();
        let script = format!("umask {mask}; exec \"$0\" \"$@\"");
        self.args.splice(0..0, ["-c".to_owned(), script, program]);
        self
    }

    /// Another run under strace: these calls go to the file `log`, and one may be tampered with.
    pub fn traced(mut run: Self, log: &str, calls: &[&str], inject: Option<&str>) -> Self {
        let program = std::mem::replace(&mut run.program, "strace".into()).display().to_string();
        let mut before = ["-f", "-qq", "-y", "-s", "0", "-o", log].map(str::to_owned).to_vec();
        before.push(format!("--trace={}", calls.join(",")));
        before.extend(inject.map(|inject| format!("--inject={inject}")));
        before.extend(["--".to_owned(), program]);
        run.args.splice(0..0, before);
        run
    }

    /// Bound by the rights of files, which root is not otherwise.
    pub fn unprivileged(self) -> Self {
        if !nix::unistd::geteuid().is_root() {
            return self;
        }
        let flags = ["--bounding-set=-dac_override,-dac_read_search,-fowner", "--inh-caps=-all"];
        self.through("/usr/bin/setpriv", &flags)
    }

    /// After this script, in a mount namespace of its own; the script ends in `"$0" "$@"` for the program itself.
    /// Needs the right to mount.
    pub fn mounted(self, script: &str) -> Self {
        self.through("/usr/bin/unshare", &["--mount", "/bin/sh", "-c", script])
    }

    /// Started by another program, which gets these arguments first.
    fn through(mut self, program: &str, before: &[&str]) -> Self {
        let inner = std::mem::replace(&mut self.program, program.into()).display().to_string();
        let before = before.iter().map(|arg| (*arg).to_owned()).chain([inner]);
        self.args.splice(0..0, before.collect::<Vec<_>>());
        self
    }

    /// With this file instead of `/etc/resolv.conf`; needs the right to mount.
    pub fn resolv_conf(mut self, file: &str) -> Self {
        let program = std::mem::replace(&mut self.program, "/usr/bin/unshare".into()).display().to_string();
        let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
        let before = ["--mount", "/bin/sh", "-c", script, file, &program].map(str::to_owned);
        self.args.splice(0..0, before);
        self
    }

    /// Starts it.
    #[expect(clippy::disallowed_methods, reason = "whole-program tests start programs")]
    pub fn start(self) -> Running {
        let mut command = Command::new(&self.program);
        if let Some(arg0) = &self.arg0 {
            std::os::unix::process::CommandExt::arg0(&mut command, arg0);
        }
        if let Some(user) = self.user {
            std::os::unix::process::CommandExt::uid(&mut command, user);
            std::os::unix::process::CommandExt::gid(&mut command, user);
        }
        command.args(&self.args).env_clear().envs(&self.env);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        let output = Output::default();
        output.collect(child.stdout.take().expect("piped"), |lines| &mut lines.out);
        output.collect(child.stderr.take().expect("piped"), |lines| &mut lines.err);
        let is_ours = self.is_ours;
        Running {
            child,
            output,
            is_ours,
            what: format!("{} {}", self.program.display(), self.args.join(" ")),
        }
    }

    /// Starts it and waits for its end.
    pub fn finish(self) -> Finished {
        self.start().wait()
    }
}

#[derive(Default)]
struct Lines {
    out: String,
    err: String,
    open: usize,
}

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Lines>>);

impl Output {
    fn collect(&self, stream: impl Read + Send + 'static, side: fn(&mut Lines) -> &mut String) {
        self.0.lock().expect("no panic holds it").open += 1;
        let lines = self.0.clone();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                side(&mut lines.lock().expect("no panic holds it")).push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
            lines.lock().expect("no panic holds it").open -= 1;
        });
    }
}

/// A child under way. Killed when dropped.
pub struct Running {
    child: Child,
    output: Output,
    is_ours: bool,
    what: String,
}

/// How a child ended. Dropping it searches what it printed once more: by then more secrets may be known.
#[derive(Debug)]
pub struct Finished {
    is_ours: bool,
    /// Exit code; `None`: killed by a signal.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Finished {
    /// Both streams.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Asserts the exit code, showing the output when it is another.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }
}

impl Running {
    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far on both streams.
    pub fn printed(&self) -> String {
        let lines = self.output.0.lock().expect("no panic holds it");
        format!("{}{}", lines.out, lines.err)
    }

    /// Waits until it has printed this; returns the line.
    #[track_caller]
    pub fn prints(&mut self, text: &str) -> String {
        let what = format!("{:?} from {}", text, self.what);
        let mut ended = false;
        eventually(&what, || {
            let printed = self.printed();
            if let Some(line) = printed.lines().find(|line| line.contains(text)) {
                return Some(line.to_owned());
            }
            assert!(!ended, "{} ended without printing {text:?}:\n{printed}", self.what);
            ended =
                matches!(self.child.try_wait(), Ok(Some(_))) && self.output.0.lock().expect("ok").open == 0;
            None
        })
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("it still runs");
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGTERM, then waits.
    pub fn stop(self) -> Finished {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Finished {
        let what = format!("the end of {}", self.what);
        let status = eventually(&what, || self.child.try_wait().expect("a child of ours"));
        eventually("closed pipes", || (self.output.0.lock().expect("ok").open == 0).then_some(()));
        let lines = self.output.0.lock().expect("no panic holds it");
        Finished {
            is_ours: self.is_ours,
            code: status.code(),
            out: lines.out.clone(),
            err: lines.err.clone(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let ended = self.child.try_wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
        let printed = self.printed();
        if std::thread::panicking() {
            let state = match ended {
                Ok(Some(status)) => status.to_string(),
                _ => "still running".to_owned(),
            };
            println!("--- {} ({state}) printed:\n{printed}", self.what);
        } else if self.is_ours {
            tell_no_secret(&printed);
        }
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        if self.is_ours && !std::thread::panicking() {
            tell_no_secret(&self.all());
        }
    }
}

fn tell_no_secret(printed: &str) {
    if let Some(leak) = canary::leak_in(printed) {
        panic!("a secret was printed: {leak}\n{printed}");
    }
}
