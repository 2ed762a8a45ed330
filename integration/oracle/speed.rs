//! Prints what parsing and rendering the idioms cost, here and in Go's engine, in one run: `cargo bench --bench templates`.
//!
//! Every case is parsed and rendered again and again with its data known, as an agent's last pass does. Then come the
//! memory for large data, and a hundred templates with a fixture. Nothing here fails because something is slow.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measuring program: it takes times and speaks to its user"
)]

#[path = "../../examples/template_answers/answer.rs"]
#[expect(dead_code, reason = "only the settings of a case are needed here")]
mod answer;
#[expect(dead_code, reason = "answers are compared elsewhere")]
mod engine;

use std::time::{Duration, Instant};

use decant::template::{
    Identity, Template,
    fixture::{Fixture, FixtureHost},
    no_partials,
};
use serde_json::{Map, Value};

const FIXTURE: &str = include_str!("../corpus/templates/fixture.json");
const CASES: &str = include_str!("../corpus/templates/more.jsonl");

/// How often each case is rendered.
const TURNS: u32 = 300;

fn main() {
    let fixture = Fixture::parse(FIXTURE).expect("the fixture");
    let cases: Vec<Map<String, Value>> = CASES
        .lines()
        .map(|line| serde_json::from_str::<Map<String, Value>>(line).expect("a line of the corpus"))
        .filter(|case| case["group"] == "idiom" && case.contains_key("out") && !case.contains_key("files"))
        .collect();
    let ours: Duration = cases.iter().map(|case| turns(case, &fixture)).sum();
    let each = |all: Duration| all / TURNS / u32::try_from(cases.len()).unwrap_or(1);
    println!("{} idioms, parse and render, on average", cases.len());
    println!("  ours  {:>9.1?}", each(ours));
    match engine::Engine::build(FIXTURE).map(|engine| engine.time(&cases, TURNS)) {
        Ok(theirs) => println!("  Go    {:>9.1?}", each(theirs)),
        Err(why) => engine::say(&format!("skipped: the same in Go: {why}")),
    }
    let hundred = Instant::now();
    for case in cases.iter().cycle().take(100) {
        let mut host = FixtureHost::new(&fixture);
        let template = compile(case);
        let _ = host.settle(&template, &Identity::default());
    }
    println!("100 templates from a fixture, all passes: {:.1?}", hundred.elapsed());
}

fn compile(case: &Map<String, Value>) -> Template {
    let text = case["tmpl"].as_str().unwrap_or_default();
    Template::compile(&answer::spec(case), text, &mut no_partials).expect("an idiom")
}

/// How long all turns of a case take.
fn turns(case: &Map<String, Value>, fixture: &Fixture) -> Duration {
    let mut host = FixtureHost::new(fixture);
    host.settle(&compile(case), &Identity::default()).expect("an idiom");
    let begin = Instant::now();
    for _ in 0..TURNS {
        let render = compile(case).render(&mut host, &Identity::default()).expect("an idiom");
        std::hint::black_box(render.bytes.len());
    }
    begin.elapsed()
}
