//! How tokens are named in messages, and what a stranger most likely meant.

use crate::template::go::{
    quote,
    token::{Kind, Token},
};

/// What a stranger most likely meant, for mistakes that people make often.
pub(super) fn hint_for(error: &str) -> Option<String> {
    let hints = [
        ("bad character U+002D", "a name with a dash needs index: {{ index .Data.data \"my-key\" }}"),
        ("comment ends before", "write {{/* text */}}, with nothing between */ and the right delimiter"),
        ("unclosed action", "the right delimiter is missing"),
        (
            "unterminated quoted string",
            "close the string with \" on the same line, or use `back quotes` for several lines",
        ),
        ("illegal number syntax: \"-\"", "templates have no operators: write {{ subtract 1 2 }} for 2 - 1"),
        ("illegal number syntax", "templates have no operators: write {{ add 1 2 }}"),
        ("unexpected \"}\"", "the right delimiter is }}"),
        (
            "unexpected \"/\" in command",
            "a comment touches the delimiters: {{/* text */}} or {{- /* text */ -}}",
        ),
        ("unexpected \"!\"", "a comment is written {{/* text */}}"),
        ("unclosed left paren", "a ) is missing"),
        ("unexpected right paren", "a ( is missing before it, or this ) is one too many"),
        ("missing value for if", "write a condition: {{ if .Data.data.key }}"),
        ("missing value for with", "write what the dot should be: {{ with secret \"path\" }}"),
        ("missing value for range", "write what to range over: {{ range .Data.data.list }}"),
        ("unexpected {{end}}", "there are more {{ end }} than blocks that one could close"),
        ("unexpected <define> in command", "a define stands outside of all other blocks"),
        (
            "expected end; found {{else}}",
            "a block has one {{ else }}, as its last part; {{ else if … }} goes before it",
        ),
        ("too many declarations in range", "range gives one or two: {{ range $key, $value := .x }}"),
        ("template: multiple definition", "give each definition a name of its own"),
        ("{{break}} outside", "break ends a range around it, in the same template"),
        ("{{continue}} outside", "continue goes on with a range around it, in the same template"),
        (
            "malformed character constant",
            "single quotes hold one character: write a text in \" or back quotes",
        ),
        ("unexpected <.> in operand", "the name behind the dot is missing"),
        (
            "invalid syntax",
            "between \" a backslash begins \\n, \\t, \\\", \\\\, \\x41 or \\u00e9; between back quotes it is only itself",
        ),
    ];
    let found = hints.iter().find(|(start, _)| error.starts_with(start));
    found.map(|(_, hint)| (*hint).to_owned()).or_else(|| {
        let name =
            error.strip_suffix("in template clause").or_else(|| error.strip_suffix("in define clause"));
        name.map(|_| "the name of a template is a string in quotes".to_owned()).or_else(|| {
            error.strip_suffix("in operand").map(|_| "put a blank between two arguments".to_owned())
        })
    })
}

/// A token as Go names it in messages.
pub(super) fn show(token: &Token) -> String {
    match token.kind {
        Kind::Eof => "EOF".to_owned(),
        Kind::Keyword | Kind::Dot | Kind::Nil => format!("<{}>", token.text),
        _ if token.text.len() > 10 => {
            let start: String = token.text.chars().take(10).collect();
            format!("{}...", quote::quote(start.as_bytes()))
        }
        _ => quote::quote(token.text.as_bytes()),
    }
}
