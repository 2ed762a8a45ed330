//! Runs one program to its end and says what it took. A small process of its own does that for each run, because the
//! system sums up and never forgets what all children of a process took.

use std::{
    env,
    ffi::OsStr,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::time::TimeValLike,
    sys::{
        resource::{UsageWho, getrusage},
        signal::{Signal, kill},
    },
    unistd::Pid,
};

/// The word that makes this program the one that measures a single run.
pub(crate) const COMMAND: &str = "measure";

/// A program that takes longer is killed, and the run is an error.
const LIMIT: Duration = Duration::from_secs(60);

/// All that programs find in their environment; some don't start without a PATH.
pub(crate) const ENVIRONMENT: [(&str, &str); 2] =
    [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/nonexistent")];

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// From before its start until its end, in seconds.
    pub wall: f64,
    /// Processor time of user and system together, in seconds.
    pub cpu: f64,
    /// Peak resident memory, in bytes.
    pub peak: f64,
}

/// Runs a command line and measures it.
pub(crate) fn measure<S: AsRef<OsStr>>(command: impl IntoIterator<Item = S>) -> Result<Cost, String> {
    let own = env::current_exe().map_err(|trouble| trouble.to_string())?;
    let output = Command::new(own)
        .arg(COMMAND)
        .args(command)
        .env_clear()
        .envs(ENVIRONMENT)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|trouble| trouble.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    match numbers.as_slice() {
        [wall, cpu, peak] if output.status.success() => Ok(Cost { wall: *wall, cpu: *cpu, peak: *peak }),
        _ => Err(format!("a measured program failed: {text}")),
    }
}

/// The other side: runs the command line, prints the three numbers.
pub(crate) fn run(command: &[&str]) -> ExitCode {
    match once(command) {
        Ok(cost) => {
            println!("{} {} {}", cost.wall, cost.cpu, cost.peak);
            ExitCode::SUCCESS
        }
        Err(trouble) => {
            println!("{trouble}");
            ExitCode::FAILURE
        }
    }
}

fn once(command: &[&str]) -> Result<Cost, String> {
    let (program, args) = command.split_first().ok_or("no program")?;
    let start = Instant::now();
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|trouble| format!("{program}: {trouble}"))?;
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(|trouble| trouble.to_string())?);
    // Left alone when the program ends in time; the whole process ends right after that.
    std::thread::spawn(move || {
        std::thread::sleep(LIMIT);
        let _ = kill(pid, Signal::SIGKILL);
    });
    let status = child.wait().map_err(|trouble| trouble.to_string())?;
    let wall = start.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("{}: {status}\n{}", command.join(" "), last_words(program, args)));
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|trouble| trouble.to_string())?;
    let cpu = usage.user_time() + usage.system_time();
    // The system counts in units of 1024 bytes.
    Ok(Cost { wall, cpu: cpu.num_microseconds() as f64 / 1e6, peak: usage.max_rss() as f64 * 1024.0 })
}

/// What the program prints when it is run once more: the measured run threw it away.
fn last_words(program: &str, args: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(args).stdin(Stdio::null()).output() else {
        return String::new();
    };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}
