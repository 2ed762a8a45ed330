//! Answers template cases: JSON lines on standard input, the same lines with our answer on standard output.
//!
//! `cargo run --example template_answers -- --fixture FILE < cases.jsonl`
//!
//! The fixture is JSON, or YAML by the ending of its name. A line has `tmpl`, sometimes `missingkey` (`"error"`), `delims` and `denylist`. The answer is one of `out`,
//! `out_b64`, `parse_error`, `exec_error`, and `files` for what `writeToFile` left.
#![expect(clippy::print_stderr, reason = "a program for the terminal")]

#[path = "template_answers/answer.rs"]
mod answer;

use std::{
    io::{self, BufRead, Write},
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

use decant::template::fixture::Fixture;
use serde_json::{Map, Value, json};

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
    while let Some(arg) = args.next() {
        let file = match arg.strip_prefix("--fixture=") {
            Some(file) => file.to_owned(),
            None if arg == "--fixture" => args.next().ok_or("--fixture needs a file")?,
            None => return Err(format!("unknown argument {arg}; usage: --fixture FILE < cases.jsonl")),
        };
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
        fixture = read(&file, &text).map_err(|words| format!("{file}: {words}"))?;
    }
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        if line.trim().is_empty() {
            continue;
        }
        writeln!(out, "{}", answer_line(&line, &fixture)).map_err(|error| error.to_string())?;
    }
    Ok(())
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

/// The line with our answer. Neither a broken line nor a panic ends the run.
fn answer_line(line: &str, fixture: &Fixture) -> Value {
    let mut case = match serde_json::from_str::<Map<String, Value>>(line) {
        Ok(case) => case,
        Err(error) => return json!({ "broken_line": error.to_string() }),
    };
    for key in ["out", "out_b64", "parse_error", "exec_error", "files"] {
        case.remove(key);
    }
    match panic::catch_unwind(AssertUnwindSafe(|| answer::answer(&case, fixture))) {
        Ok(answer) => case.extend(answer),
        Err(_) => {
            case.insert("exec_error".to_owned(), "the engine panicked".into());
        }
    }
    Value::Object(case)
}
