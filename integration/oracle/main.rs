//! Compares our engine with the real one on random templates.
//!
//! The real one is a small program in `integration/oracle/go`, built where `go` is there (its modules are fetched once);
//! elsewhere the comparison says that it was skipped. `ORACLE_CASES` (default 1,000) and `ORACLE_SEED` (default 1)
//! choose the run: `ORACLE_CASES=20000 ORACLE_SEED=7 cargo test --test oracle`. `ORACLE_WRONG=FILE` leaves the differences
//! as JSON lines, `ORACLE_TRACE=1` names each case before our engine renders it. The generator alone, with our engine,
//! runs everywhere.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a test program: it starts the real engine, takes times, and ends when its world breaks"
)]

#[path = "../../examples/template_answers/answer.rs"]
mod answer;
#[expect(dead_code, reason = "times are taken elsewhere")]
mod engine;
mod forms;
mod generator;

use std::{
    collections::BTreeMap,
    env,
    fmt::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::LazyLock,
    time::{Duration, Instant},
};

use decant::template::fixture::Fixture;
use serde_json::{Map, Value};

const FIXTURE: &str = include_str!("../corpus/templates/fixture.json");
const CORPUS: &str = include_str!("../corpus/templates/vectors.jsonl");
const MORE: &str = include_str!("../corpus/templates/more.jsonl");
const ANSWERS: [&str; 5] = ["out", "out_b64", "parse_error", "exec_error", "files"];

/// Most differences that are shown.
const SHOWN: usize = 60;

type Case = Map<String, Value>;

fn corpus() -> Vec<Case> {
    CORPUS
        .lines()
        .chain(MORE.lines())
        .map(|line| serde_json::from_str(line).expect("a line of the corpus"))
        .collect()
}

/// The cases of a run: as many as `ORACLE_CASES` says, from `ORACLE_SEED` on.
fn cases(usually: u64) -> Vec<Case> {
    let number = |name: &str, usual: u64| {
        env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
    };
    let corpus = corpus();
    let first = number("ORACLE_SEED", 1) << 32;
    (first..first + number("ORACLE_CASES", usually)).map(|seed| generator::case(seed, &corpus)).collect()
}

/// Our answer, and how long it took; a panic is an answer, too.
fn ours(case: &Case, fixture: &Fixture) -> (Case, Duration) {
    if env::var_os("ORACLE_TRACE").is_some() {
        engine::say(&Value::Object(case.clone()).to_string());
    }
    let begin = Instant::now();
    let answer = catch_unwind(AssertUnwindSafe(|| answer::answer(case, fixture)));
    let answer = answer.unwrap_or_else(|_| Map::from_iter([("panic".to_owned(), Value::Bool(true))]));
    (answer, begin.elapsed())
}

/// Whether an error says that a limit of ours was reached, which the real engine does not have.
fn beyond_limits(error: &str) -> bool {
    error.contains("than 2,000,000 steps")
        || error.contains("more than 32 MiB")
        || error.contains("larger than 16 MiB")
        || error.contains("250,000 words")
        || error.contains("more than 4,000,000 parts")
}

/// What a case says, without what surrounds it.
fn said(answer: &Case) -> BTreeMap<&str, String> {
    ANSWERS.iter().filter_map(|key| Some((*key, answer.get(*key)?.to_string()))).collect()
}

/// Whether a template counts characters, and the answers differ in numbers alone: an address that the real engine
/// printed is now shorter, now longer, with where its memory lies.
fn counts_addresses(case: &Case, theirs: &Case, ours: &Case) -> bool {
    let without_numbers = |answer: &Case| -> Vec<String> {
        let text = answer.get("out").and_then(Value::as_str).unwrap_or_default();
        text.split(|c: char| c.is_ascii_digit()).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let counts = case.get("tmpl").and_then(Value::as_str).is_some_and(|text| text.contains("len"));
    let both_render = [theirs, ours].iter().all(|answer| answer.contains_key("out"));
    counts && both_render && said(theirs) != said(ours) && without_numbers(theirs) == without_numbers(ours)
}

#[test]
fn random_templates_end_without_a_panic() {
    let fixture = Fixture::parse(FIXTURE).expect("the fixture");
    let (mut rendered, mut parsed) = (0, 0);
    let cases = cases(3_000);
    for case in &cases {
        let (answer, took) = ours(case, &fixture);
        assert!(!answer.contains_key("panic"), "a panic: {case:?}");
        // Far above what the slowest machine needs: this is about endless runs.
        assert!(took < Duration::from_secs(60), "{took:?}: {case:?}");
        rendered += usize::from(answer.contains_key("out"));
        parsed += usize::from(!answer.contains_key("parse_error"));
    }
    // A generator that makes nothing but mistakes would find nothing.
    assert!(rendered * 4 > cases.len(), "only {rendered} of {} render", cases.len());
    assert!(parsed * 2 > cases.len(), "only {parsed} of {} parse", cases.len());
}

#[test]
fn random_templates_have_the_answers_of_the_real_engine() {
    compare("random templates", &cases(1_000));
}

#[test]
fn functions_have_the_answers_of_the_real_engine_in_all_their_forms() {
    compare("forms of functions", &forms::cases());
}

/// Both engines answer all cases; every difference is shown.
fn compare(what: &str, cases: &[Case]) {
    static ENGINE: LazyLock<Result<engine::Engine, String>> =
        LazyLock::new(|| engine::Engine::build(FIXTURE));
    let engine = match &*ENGINE {
        Ok(engine) => engine,
        Err(why) => {
            engine::say(&format!("skipped: comparison of {what} with the real engine: {why}"));
            return;
        }
    };
    let fixture = Fixture::parse(FIXTURE).expect("the fixture");
    let theirs = engine.answers(cases);
    let (mut compared, mut unstable, mut limited, mut slowest) = (0, 0, 0, (Duration::ZERO, None));
    let mut wrong = Vec::new();
    for (case, theirs) in cases.iter().zip(theirs) {
        let Some(theirs) = theirs.filter(|theirs| !theirs.contains_key("unstable")) else {
            unstable += 1;
            continue;
        };
        let (ours, took) = ours(case, &fixture);
        if counts_addresses(case, &theirs, &ours) {
            unstable += 1;
            continue;
        }
        if ours.get("exec_error").and_then(Value::as_str).is_some_and(beyond_limits) {
            limited += 1;
            continue;
        }
        compared += 1;
        if took > slowest.0 {
            slowest = (took, case.get("tmpl"));
        }
        if said(&theirs) != said(&ours) {
            wrong.push((case, theirs, ours));
        }
    }
    let mut text = String::new();
    for (case, theirs, ours) in wrong.iter().take(SHOWN) {
        let _ = writeln!(
            text,
            "{}\n  want {:?}\n  got  {:?}",
            Value::Object((*case).clone()),
            said(theirs),
            said(ours)
        );
    }
    if let Ok(file) = env::var("ORACLE_WRONG") {
        let line = |(case, theirs, ours): &(&Case, Case, Case)| {
            serde_json::json!({ "case": case, "want": said(theirs), "got": said(ours) }).to_string() + "\n"
        };
        std::fs::write(file, wrong.iter().map(line).collect::<String>())
            .expect("ORACLE_WRONG can be written");
    }
    engine::say(&format!(
        "{what}: {compared} compared, {} differ, {unstable} without one answer, {limited} beyond our limits, slowest {slowest:?}",
        wrong.len()
    ));
    assert!(wrong.is_empty(), "{} of {compared} differ\n{text}", wrong.len());
}
