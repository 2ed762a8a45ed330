//! The whole corpus, the limits, and what a stranger reads when a template fails.

#[path = "../../examples/template_answers/answer.rs"]
mod answer;
mod errors;
mod limits;
mod renders;

use serde_json::{Map, Value as Json};

use super::{
    Identity, Render, Template, TemplateError,
    fixture::{Fixture, FixtureHost},
    no_partials,
};
use crate::{
    config::template::{OnMissingKey, TemplateSource, TemplateSpec},
    origin::Origin,
};

const FIXTURE: &str = include_str!("../../integration/corpus/templates/fixture.json");
const CASES: &str = include_str!("../../integration/corpus/templates/vectors.jsonl");
/// Every idiom of real agent templates, and what random comparison has found.
const MORE: &str = include_str!("../../integration/corpus/templates/more.jsonl");
const ANSWERS: [&str; 5] = ["out", "out_b64", "parse_error", "exec_error", "files"];

fn fixture() -> Fixture {
    Fixture::parse(FIXTURE).unwrap()
}

/// A template as an annotation brings it.
pub(super) fn spec() -> TemplateSpec {
    TemplateSpec {
        origin: Origin::Annotation("vault.hashicorp.com/agent-inject-template-app".into()),
        ..TemplateSpec::sample("/vault/secrets/app")
    }
}

fn strict() -> TemplateSpec {
    TemplateSpec { on_missing_key: OnMissingKey::Error, ..spec() }
}

fn render(spec: &TemplateSpec, text: &str) -> Result<Render, TemplateError> {
    let fixture = fixture();
    FixtureHost::new(&fixture).settle(&Template::compile(spec, text, &mut no_partials)?, &Identity::default())
}

fn rendered(text: &str) -> String {
    let render = render(&spec(), text).unwrap_or_else(|error| panic!("{error}\n{}", error.go_text()));
    String::from_utf8_lossy(&render.bytes).into_owned()
}

#[test]
fn every_case_of_the_corpus_has_the_answer_of_the_real_engine() {
    let fixture = fixture();
    let mut wrong = Vec::new();
    for line in CASES.lines().chain(MORE.lines()) {
        let case: Map<String, Json> = serde_json::from_str(line).unwrap();
        if case.get("unstable") == Some(&Json::Bool(true)) {
            continue;
        }
        let ours = answer::answer(&case, &fixture);
        let said = |answer: &Map<String, Json>| -> Vec<(&str, String)> {
            ANSWERS.iter().filter_map(|key| Some((*key, answer.get(*key)?.to_string()))).collect()
        };
        if said(&case) != said(&ours) {
            wrong.push(format!("{}\n  want {:?}\n  got  {:?}", case["tmpl"], said(&case), said(&ours)));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}
