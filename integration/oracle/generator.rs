//! Random templates: one number gives one case, always the same.

#[path = "generator/dice.rs"]
mod dice;
#[path = "generator/expression.rs"]
mod expression;
#[path = "generator/functions.rs"]
pub(crate) mod functions;
#[path = "generator/leaves.rs"]
mod leaves;
#[path = "generator/mutation.rs"]
mod mutation;
#[path = "generator/structure.rs"]
mod structure;

use serde_json::{Map, Value, json};

use self::{
    dice::Dice,
    expression::{Scope, call_of},
    functions::FUNCTIONS,
};

/// Cases that the generator changes: the corpus, as templates.
pub(crate) type Corpus = [Map<String, Value>];

/// The case that belongs to a number, in the format of the corpus.
pub(crate) fn case(seed: u64, corpus: &Corpus) -> Map<String, Value> {
    let mut dice = Dice::new(seed);
    let mut case = Map::new();
    let (group, mut text) = match dice.below(20) {
        0..=9 => ("call", one_call(&mut dice)),
        10..=13 => ("structure", structure::statements(&mut dice, &mut Scope::default(), 0)),
        14 => ("soup", mutation::soup(&mut dice)),
        _ => {
            let (mutant, text) = mutation::mutant(&mut dice, corpus);
            case = mutant;
            ("mutant", text)
        }
    };
    if group != "mutant" && dice.one_in(12) {
        text = mutation::change(&mut dice, &text);
    }
    if dice.one_in(5) {
        case.insert("missingkey".to_owned(), "error".into());
    }
    if dice.one_in(40) && group != "mutant" {
        let (left, right) = dice.pick(&[
            &("[[", "]]"),
            &("<%", "%>"),
            &("{", "}"),
            &("{{{", "}}}"),
            &("((", "))"),
            &("-", "}}"),
        ]);
        text = text.replace("{{", left).replace("}}", right);
        case.insert("delims".to_owned(), json!([left, right]));
    }
    if dice.one_in(60) {
        let denied = dice.pick(&["sprig_*", "to*", "*", "secret", "print*", "*JSON*", "env"]);
        case.insert("denylist".to_owned(), json!([denied]));
    }
    case.insert("group".to_owned(), group.into());
    case.insert("seed".to_owned(), seed.into());
    case.insert("tmpl".to_owned(), text.into());
    case
}

/// A function of the table with arguments, inside a secret or not.
fn one_call(dice: &mut Dice) -> String {
    let scope = Scope::default();
    let mut text = String::new();
    for _ in 0..=dice.below(2) {
        let at = dice.below(FUNCTIONS.len());
        let call = call_of(dice, &scope, at, 0);
        text.push_str(&structure::display(dice, &call));
        text.push_str(dice.pick(&["", " ", "|", "\n"]));
    }
    text
}
