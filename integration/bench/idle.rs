//! Runs that stay: memory, processor time and wake-ups while nothing happens. All of them are looked at over the same
//! time, each as a copy of its program, so that none is made to look small by sharing memory with another.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    Extent,
    contest::Side,
    measure,
    server::{self, Server},
    table::Table,
};

/// Time for the first render of all.
const PATIENCE: Duration = Duration::from_secs(30);
/// Starts all, waits, looks twice.
pub(crate) fn table(server: &Server, sides: &[Side], extent: &Extent) -> Result<Table, String> {
    let mut stays = Vec::new();
    for &templates in &extent.stay {
        for side in sides {
            if let Side::Program { name, path } = side {
                stays.push(Stay::start(server, (*name, path.clone()), templates)?);
            }
        }
    }
    let start = Instant::now();
    while !stays.iter().all(Stay::is_rendered) {
        if start.elapsed() > PATIENCE {
            return Err("a run that stays has not rendered its files".to_owned());
        }
        sleep(Duration::from_millis(50));
    }
    sleep(extent.settle);
    let before: Vec<Look> = stays.iter().map(Stay::look).collect::<Result<_, _>>()?;
    sleep(extent.window);
    let title = format!(
        "idle sidecar, one look over {} s, {} s after the first render",
        extent.window.as_secs(),
        extent.settle.as_secs()
    );
    let columns = ["", "RSS MB", "PSS MB", "private MB", "threads", "CPU ms/min", "wake-ups/min"];
    let mut table = Table::new(&title, &columns);
    for (stay, before) in stays.iter().zip(before) {
        let now = stay.look()?;
        let per_minute = 60.0 / extent.window.as_secs_f64();
        let mega = f64::from(1 << 10);
        table.row(&[
            &format!("{}, {} templates", stay.name, stay.templates),
            &format!("{:.1}", now.resident / mega),
            &format!("{:.1}", now.proportional / mega),
            &format!("{:.1}", now.private / mega),
            &format!("{}", now.threads),
            &format!("{:.2}", (now.cpu - before.cpu) * 1e3 * per_minute),
            &format!("{:.0}", (now.wakeups - before.wakeups) * per_minute),
        ]);
    }
    Ok(table)
}

/// A run that stays; ends with this.
struct Stay {
    name: &'static str,
    templates: usize,
    folder: PathBuf,
    child: Child,
}

/// What can be seen of it at one moment.
pub(crate) struct Look {
    /// Units of 1024 bytes.
    pub resident: f64,
    pub proportional: f64,
    /// No page of a file, or written to: what no other process can share.
    pub private: f64,
    pub threads: usize,
    /// Seconds.
    pub cpu: f64,
    pub wakeups: f64,
}

impl Stay {
    fn start(
        server: &Server,
        (name, path): (&'static str, PathBuf),
        templates: usize,
    ) -> Result<Self, String> {
        let folder = server.destination(&format!("{name}-{templates}"))?;
        let config = server.config(&folder, templates, false)?;
        let program = server.copy(&path, &format!("{name}-{templates}.bin"))?;
        let child = Command::new(&program)
            .arg("agent")
            .arg(format!("-config={}", config.display()))
            .env_clear()
            .envs(measure::ENVIRONMENT)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|trouble| format!("{}: {trouble}", program.display()))?;
        Ok(Self { name, templates, folder, child })
    }

    fn is_rendered(&self) -> bool {
        (0..self.templates).all(|index| self.folder.join(server::file(index)).exists())
    }

    fn look(&self) -> Result<Look, String> {
        look(self.child.id(), self.name)
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What can be seen of a process.
pub(crate) fn look(process: u32, name: &str) -> Result<Look, String> {
    let process = PathBuf::from(format!("/proc/{process}"));
    let read = |path: PathBuf| {
        fs::read_to_string(&path).map_err(|trouble| format!("{} at {}: {trouble}", name, path.display()))
    };
    let memory = read(process.join("smaps_rollup"))?;
    let (mut threads, mut cpu, mut wakeups) = (0, 0.0, 0.0);
    let tasks = fs::read_dir(process.join("task")).map_err(|trouble| trouble.to_string())?;
    for task in tasks.filter_map(Result::ok) {
        // A thread may end between the listing and the look.
        let (Ok(times), Ok(status)) = (read(task.path().join("schedstat")), read(task.path().join("status")))
        else {
            continue;
        };
        threads += 1;
        cpu += times.split(' ').next().and_then(|time| time.parse::<f64>().ok()).unwrap_or(0.0) / 1e9;
        wakeups += field(&status, "voluntary_ctxt_switches");
    }
    Ok(Look {
        resident: field(&memory, "Rss"),
        proportional: field(&memory, "Pss"),
        private: field(&memory, "Anonymous"),
        threads,
        cpu,
        wakeups,
    })
}

/// The number behind `name:`.
fn field(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}
