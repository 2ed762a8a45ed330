//! Answers template cases: JSON lines on standard input, the same lines with our answer on standard output.
//!
//! `cargo run --example template_answers -- --fixture FILE < cases.jsonl`
//!
//! The fixture is JSON, or YAML by the ending of its name. A line has `tmpl`, sometimes `missingkey` (`"error"`),
//! `delims` and `denylist`. The answer is one of `out`, `out_b64`, `parse_error`, `exec_error`, and `files` for what
//! `writeToFile` left.
//!
//! The engine works in a process of its own (this program with `--engine`), so that a case that breaks it, with a
//! panic, a full stack or no end, costs only its own answer.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a program for the terminal, which starts itself a second time"
)]

#[path = "template_answers/answer.rs"]
mod answer;

use std::{
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, ExitCode, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use decant::template::fixture::Fixture;
use serde_json::{Map, Value, json};

/// The word that makes this program the engine's process.
const ENGINE: &str = "--engine";
/// No case takes longer: the engine's own limits come first.
const LIMIT: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            eprintln!("template_answers: {words}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), String> {
    let mut args = std::env::args().skip(1);
    let mut fixture = Fixture::default();
    let mut is_engine = false;
    while let Some(arg) = args.next() {
        let file = match arg.strip_prefix("--fixture=") {
            Some(file) => file.to_owned(),
            None if arg == "--fixture" => args.next().ok_or("--fixture needs a file")?,
            None if arg == ENGINE => {
                is_engine = true;
                continue;
            }
            None => return Err(format!("unknown argument {arg}; usage: --fixture FILE < cases.jsonl")),
        };
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
        fixture = read(&file, &text).map_err(|words| format!("{file}: {words}"))?;
    }
    let mut out = io::stdout().lock();
    let mut engine: Option<Engine> = None;
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        if line.trim().is_empty() {
            continue;
        }
        let answer = match case(&line) {
            Err(broken) => broken.to_string(),
            Ok(case) if is_engine => answered(case.clone(), answer::answer(&case, &fixture)),
            Ok(case) => {
                let mut running = engine.take().map_or_else(Engine::start, Ok)?;
                match running.answer(&line) {
                    Some(answer) => {
                        engine = Some(running);
                        answer
                    }
                    None => answered(case, [("exec_error".to_owned(), "the engine broke".into())]),
                }
            }
        };
        writeln!(out, "{answer}").map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The process that the cases run in, ended when dropped.
struct Engine {
    child: Child,
    cases: ChildStdin,
    answers: Receiver<String>,
}

impl Engine {
    fn start() -> Result<Self, String> {
        let trouble = |error: io::Error| format!("the engine's process can't be started: {error}");
        let mut child = Command::new(std::env::current_exe().map_err(trouble)?)
            .args(std::env::args().skip(1))
            .arg(ENGINE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(trouble)?;
        let (Some(cases), Some(out)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the engine's process has no pipes".to_owned());
        };
        let (told, answers) = channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(out).lines().map_while(Result::ok);
            lines.all(|line| told.send(line).is_ok())
        });
        Ok(Self { child, cases, answers })
    }

    /// `None`: it broke or takes too long.
    fn answer(&mut self, line: &str) -> Option<String> {
        writeln!(self.cases, "{line}").ok()?;
        self.answers.recv_timeout(LIMIT).ok()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A fixture in JSON or, by the ending of the file's name, in YAML.
fn read(file: &str, text: &str) -> Result<Fixture, String> {
    let is_yaml = [".yaml", ".yml"].iter().any(|ending| file.ends_with(ending));
    if is_yaml { yaml(text) } else { Fixture::parse(text).map_err(|error| error.to_string()) }
}

#[cfg(feature = "laptop")]
fn yaml(text: &str) -> Result<Fixture, String> {
    use decant::laptop::{fixture::value, yaml};
    let documents = yaml::read(text).map_err(|error| format!("line {}: {error}", error.line))?;
    Ok(documents.first().map_or_else(Fixture::default, |root| Fixture::from_data(value(root))))
}

#[cfg(not(feature = "laptop"))]
fn yaml(_: &str) -> Result<Fixture, String> {
    Err("a fixture in YAML needs the feature `laptop`".to_owned())
}

/// The case of a line, without an answer that it may have; or what is wrong with the line.
fn case(line: &str) -> Result<Map<String, Value>, Value> {
    let mut case = serde_json::from_str::<Map<String, Value>>(line)
        .map_err(|error| json!({ "broken_line": error.to_string() }))?;
    for key in ["out", "out_b64", "parse_error", "exec_error", "files"] {
        case.remove(key);
    }
    Ok(case)
}

fn answered(mut case: Map<String, Value>, answer: impl IntoIterator<Item = (String, Value)>) -> String {
    case.extend(answer);
    Value::Object(case).to_string()
}
