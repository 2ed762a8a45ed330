//! The real engine: a Go program, built and asked.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::{Map, Value};
use tempfile::TempDir;

/// The real engine with a fixture.
pub(crate) struct Engine {
    binary: PathBuf,
    folder: TempDir,
}

/// Past the capturing of the test runner: what was skipped must be seen.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

impl Engine {
    /// Builds it; `Err` says why it can't be.
    pub(crate) fn build(fixture: &str) -> Result<Self, String> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/oracle/go");
        let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real-engine");
        let build = Command::new("go")
            .args(["build", "-buildvcs=false", "-o"])
            .arg(&binary)
            .arg(".")
            .current_dir(source)
            .env_remove("GOFLAGS")
            .output()
            .map_err(|error| format!("go can't be started ({error})"))?;
        if !build.status.success() {
            let words = String::from_utf8_lossy(&build.stderr);
            return Err(format!("go build failed: {}", words.lines().last().unwrap_or_default()));
        }
        let folder = TempDir::new().map_err(|error| error.to_string())?;
        fs::write(folder.path().join("fixture.json"), fixture).map_err(|error| error.to_string())?;
        Ok(Self { binary, folder })
    }

    /// Its answers, in order; `None` where a case ended it (an endless template, say).
    pub(crate) fn answers(&self, cases: &[Map<String, Value>]) -> Vec<Option<Map<String, Value>>> {
        let mut answers = Vec::new();
        while answers.len() < cases.len() {
            let rest: String = cases[answers.len()..]
                .iter()
                .map(|case| Value::Object(case.clone()).to_string() + "\n")
                .collect();
            let before = answers.len();
            answers.extend(self.run(rest).into_iter().map(Some));
            if answers.len() < cases.len() {
                answers.push(None);
            }
            assert!(
                answers.len() > before + 1 || answers.len() == cases.len() || before > 0,
                "no answer at all"
            );
        }
        answers
    }

    /// How long it takes to parse and render all cases so many times, their data known.
    pub(crate) fn time(&self, cases: &[Map<String, Value>], turns: u32) -> Duration {
        let input: String = cases.iter().map(|case| Value::Object(case.clone()).to_string() + "\n").collect();
        let file = self.folder.path().join("cases.jsonl");
        fs::write(&file, input).expect("a file for the cases");
        let said = Command::new(&self.binary)
            .args([self.folder.path().join("fixture.json"), self.folder.path().join("written")])
            .arg(turns.to_string())
            .stdin(fs::File::open(&file).expect("the cases"))
            .output()
            .expect("the real engine starts");
        let text = String::from_utf8_lossy(&said.stdout);
        Duration::from_nanos(text.trim().parse().expect("nanoseconds"))
    }

    fn run(&self, input: String) -> Vec<Map<String, Value>> {
        // Its own, as comparisons run side by side.
        let written = TempDir::new_in(self.folder.path()).expect("a folder");
        let mut child = Command::new(&self.binary)
            .arg(self.folder.path().join("fixture.json"))
            .arg(written.path().join("disk"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the real engine starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let stdout = child.stdout.take().expect("a pipe");
        // It ends before it has read everything when a case ends it.
        let writer = thread::spawn(move || {
            let _ = stdin.write_all(input.as_bytes());
        });
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let answers = lines.map_while(|line| serde_json::from_str(&line).ok()).collect();
        let _ = writer.join();
        let _ = child.wait();
        answers
    }
}
