//! Templates that are almost right: cases of the corpus with a few tokens changed, and tokens in any order.

use serde_json::{Map, Value};

use super::{
    Corpus,
    dice::Dice,
    expression::{Scope, leaf},
};

const TOKENS: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    "{{ ",
    " }}",
    " ",
    "\n",
    "(",
    ")",
    "|",
    ".",
    ".a",
    "$",
    "$x",
    ":=",
    "=",
    ",",
    "\"s\"",
    "`r`",
    "'c'",
    "1",
    "-2",
    "1.5",
    "0x",
    "1e9",
    "nil",
    "true",
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "template",
    "block",
    "break",
    "continue",
    "\"t\"",
    "printf",
    "index",
    "slice",
    "len",
    "and",
    "or",
    "eq",
    "lt",
    "not",
    "loop 3",
    "secret",
    "\"kv2\"",
    "scratch.Set",
    "scratch",
    "é",
    "\u{0}",
    "/*",
    "*/",
    "\\",
    "%d",
    "text",
    "{{/*",
    "*/}}",
    "{{ end }}",
    "{{ else }}",
    "else if 1",
    "else with 1",
    "$x := 1",
    "$x = 2",
    "$i, $e := ",
    ".Data",
    ".Data.data.user",
    ".1a",
    "1i",
    "'ab'",
    "\"\\q\"",
    "08",
    "1_0",
    "+",
    "-",
    "#",
    "@",
    "..",
    "$.x",
    ".x.",
    "(1).x",
    "true.x",
    "nil.x",
    "1x",
    "\"a\"b",
    "a-b",
    "\t",
    "{{ if true }}",
    "{{ range 2 }}",
    "{{ with 1 }}",
    "{{ define \"x\" }}",
    "{{ template \"x\" }}",
    "{{ template \"x\" . }}",
    "{{ block \"x\" 1 }}",
    "{{ 1 }}",
    "{{ . }}",
    "{{ $ }}",
    "{{break}}",
    "{{continue}}",
];

/// Tokens in any order.
pub(crate) fn soup(dice: &mut Dice) -> String {
    let mut text = String::new();
    for _ in 0..=dice.below(6) {
        let inside = dice.below(3) > 0;
        if inside {
            text.push_str(dice.pick(&["{{ ", "{{", "{{- "]));
        }
        for _ in 0..=dice.below(4) {
            text.push_str(dice.pick(TOKENS));
            text.push_str(dice.pick(&[" ", " ", " ", ""]));
        }
        if inside {
            text.push_str(dice.pick(&["}}", " }}", " -}}"]));
        }
    }
    text
}

/// A case of the corpus with a few changes, and its other settings.
pub(crate) fn mutant(dice: &mut Dice, corpus: &Corpus) -> (Map<String, Value>, String) {
    let mut case = corpus[dice.below(corpus.len())].clone();
    let mut text = case.get("tmpl").and_then(Value::as_str).unwrap_or_default().to_owned();
    case.retain(|key, _| matches!(key.as_str(), "missingkey" | "delims" | "denylist"));
    if dice.one_in(6) {
        let other = corpus[dice.below(corpus.len())].get("tmpl").and_then(Value::as_str).unwrap_or_default();
        text = match dice.below(3) {
            0 => format!("{text}{other}"),
            1 => format!("{{{{ with secret \"kv2\" }}}}{text}{{{{ end }}}}"),
            _ => format!("{{{{ range $k, $v := parseJSON `{{\"a\":1,\"b\":[2]}}` }}}}{text}{{{{ end }}}}"),
        };
    }
    for _ in 0..=dice.below(2) {
        text = change(dice, &text);
    }
    (case, text)
}

/// The text with one token dropped, doubled, swapped or replaced.
pub(crate) fn change(dice: &mut Dice, text: &str) -> String {
    let mut tokens = split(text);
    if tokens.is_empty() {
        return dice.pick(TOKENS).to_owned();
    }
    let at = dice.below(tokens.len());
    match dice.below(9) {
        0 => {
            tokens.remove(at);
        }
        1 => tokens.insert(at, tokens[at].clone()),
        2 => {
            let other = dice.below(tokens.len());
            tokens.swap(at, other);
        }
        3 => tokens.insert(at, dice.pick(TOKENS).to_owned()),
        4 => tokens[at] = dice.pick(TOKENS).to_owned(),
        5 => {
            // A character less.
            let cut = dice.below(tokens[at].chars().count().max(1));
            tokens[at] =
                tokens[at].chars().enumerate().filter(|(place, _)| *place != cut).map(|(_, c)| c).collect();
        }
        _ => {
            // Another value where one was.
            let values: Vec<usize> = (0..tokens.len()).filter(|at| is_value(&tokens[*at])).collect();
            if values.is_empty() {
                tokens.truncate(at);
            } else {
                let kind =
                    dice.pick(&["a", "s", "i", "f", "l", "t", "m", "0", "#", "b", "k", "j", "y", "x", "N"]);
                tokens[values[dice.below(values.len())]] =
                    leaf(dice, &Scope::default(), kind.chars().next().unwrap_or('a'));
            }
        }
    }
    tokens.concat()
}

fn is_value(token: &str) -> bool {
    token.starts_with(['"', '`', '\'', '.', '$'])
        || token.starts_with(|c: char| c.is_ascii_digit())
        || matches!(token, "nil" | "true" | "false")
}

/// Words, strings, white space and single signs; all of the text.
fn split(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' | '`' | '\'' => {
                let mut escaped = false;
                let close = rest.char_indices().skip(1).find(|(_, c)| {
                    let found = *c == first && !escaped;
                    escaped = first != '`' && *c == '\\' && !escaped;
                    found
                });
                close.map_or(first.len_utf8(), |(at, c)| at + c.len_utf8())
            }
            '{' if rest.starts_with("{{") => 2,
            '}' if rest.starts_with("}}") => 2,
            _ if first.is_alphanumeric() || matches!(first, '.' | '$' | '_') => rest
                .find(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '$' | '_')))
                .unwrap_or(rest.len()),
            _ if first.is_whitespace() => rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(end);
        tokens.push(token.to_owned());
        rest = after;
    }
    tokens
}
