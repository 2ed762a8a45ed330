//! Whole templates: blocks in blocks, variables, definitions, trimming.

use super::{
    dice::Dice,
    expression::{SECRETS, Scope, call_of, expression},
    functions::FUNCTIONS,
    leaves,
};

const TEXTS: &[&str] = &[
    "",
    "",
    "",
    " ",
    "\n",
    "x",
    "a b",
    "\n\n",
    "  \n\t",
    "é",
    "export X=",
    "\"",
    "}",
    "{ {",
    "- ",
    " end\n",
    "\r\n",
    "key: ",
];

/// Statements, one after the other.
pub(crate) fn statements(dice: &mut Dice, scope: &mut Scope, depth: usize) -> String {
    let mut text = String::new();
    for _ in 0..=dice.below(3) {
        text.push_str(dice.pick(TEXTS));
        text.push_str(&statement(dice, scope, depth));
    }
    text.push_str(dice.pick(TEXTS));
    text
}

/// An action with random white space and trim marks.
pub(crate) fn action(dice: &mut Dice, inside: &str) -> String {
    let left = dice.pick(&["{{ ", "{{ ", "{{ ", "{{", "{{- ", "{{-\n", "{{  "]);
    let right = dice.pick(&[" }}", " }}", " }}", "}}", " -}}", "\n-}}", "  }}"]);
    format!("{left}{inside}{right}")
}

fn statement(dice: &mut Dice, scope: &mut Scope, depth: usize) -> String {
    if depth > 2 {
        return show(dice, scope);
    }
    match dice.below(20) {
        0..=5 => show(dice, scope),
        6 => {
            let (value, kind) = typed(dice, scope);
            let name = format!("$v{}", scope.variables.len());
            let text = action(dice, &format!("{name} := {value}"));
            scope.variables.push((name, kind));
            text
        }
        7 => match scope.variables.len() {
            0 => show(dice, scope),
            count => {
                let (name, kind) = scope.variables[dice.below(count)].clone();
                let value = expression(dice, scope, kind, 1);
                action(dice, &format!("{name} = {value}"))
            }
        },
        8..=10 => with_secret(dice, scope, depth),
        11 | 12 => condition(dice, scope, depth, "if"),
        13 => condition(dice, scope, depth, "with"),
        14..=16 => range(dice, scope, depth),
        17 => definition(dice, depth),
        18 => scratch(dice, scope),
        _ => match dice.below(4) {
            0 => action(dice, "/* c */").replace("{{ /", "{{/").replace("/ }}", "/}}"),
            1 if scope.looping => {
                let word = dice_word(dice);
                action(dice, word)
            }
            2 => action(dice, "template \"nope\""),
            _ => show(dice, scope),
        },
    }
}

fn dice_word(dice: &mut Dice) -> &'static str {
    dice.pick(&["break", "continue"])
}

fn typed(dice: &mut Dice, scope: &Scope) -> (String, char) {
    let kind = dice.pick(&["s", "i", "f", "l", "t", "m", "b", "a", "n", "R"]).chars().next().unwrap_or('a');
    (expression(dice, scope, kind, 0), kind)
}

/// Prints something, one of the many ways.
pub(crate) fn show(dice: &mut Dice, scope: &Scope) -> String {
    let at = dice.below(FUNCTIONS.len());
    let value = match dice.below(4) {
        0 => expression(dice, scope, 'a', 0),
        _ => call_of(dice, scope, at, 0),
    };
    display(dice, &value)
}

/// Prints a value, one of the many ways.
pub(crate) fn display(dice: &mut Dice, value: &str) -> String {
    match dice.below(22) {
        0 => action(dice, &format!("{value} | printf \"%T %v\" 1")),
        1 => action(dice, &format!("{value} | printf \"%T\"")),
        2 => action(dice, &format!("{value} | toJSON")),
        3 => action(dice, &format!("{value} | printf \"%q\"")),
        4 => format!("{{{{ with {value} }}}}{{{{ . }}}}{{{{ else }}}}none{{{{ end }}}}"),
        5 => format!(
            "{{{{ range $i, $e := {value} }}}}[{{{{ $i }}}}={{{{ $e }}}}]{{{{ else }}}}E{{{{ end }}}}"
        ),
        6 => format!("{{{{ range {value} }}}}[{{{{ . }}}}]{{{{ end }}}}"),
        7 => action(dice, &format!("{value} | toYAML")),
        8 => action(dice, &format!("{value} | printf \"%#v\"")),
        9 => format!("{{{{ $x := {value} }}}}{{{{ $x }}}}{{{{ printf \"%v\" $x }}}}"),
        10 => action(dice, &format!("{value} | print | len")),
        11 => action(dice, &format!("{value} | printf \"%+v|%s\" 1")),
        _ => action(dice, value),
    }
}

fn with_secret(dice: &mut Dice, scope: &Scope, depth: usize) -> String {
    let (path, fields) = SECRETS[dice.below(SECRETS.len())];
    let mut inner = scope.clone();
    inner.fields.retain(|(field, _)| field.starts_with('$'));
    let arguments = dice.pick(&["", "", "", "", " \"ttl=1h\"", " \"a=b\" \"c = d\"", " \"\"", " \"bad\""]);
    let query = if dice.one_in(12) { "?version=2" } else { "" };
    let call = format!("secret \"{path}{query}\"{arguments}");
    let variable = format!("$s{}", inner.variables.len());
    let head = match dice.below(4) {
        0 => {
            inner.fields.extend(fields.iter().map(|(field, kind)| (format!("{variable}{field}"), *kind)));
            format!("with {variable} := {call}")
        }
        1 if fields.iter().any(|(field, _)| *field == ".Data.data") => {
            let below =
                fields.iter().filter_map(|(field, kind)| Some((field.strip_prefix(".Data.data.")?, kind)));
            inner.fields.extend(below.map(|(field, kind)| (format!(".{field}"), *kind)));
            format!("with ({call}).Data.data")
        }
        _ => {
            inner.fields.extend(fields.iter().map(|(field, kind)| ((*field).to_owned(), *kind)));
            format!("with {call}")
        }
    };
    inner.dot = None;
    let body = statements(dice, &mut inner, depth + 1);
    let tail = if dice.one_in(6) { "{{ else }}no data" } else { "" };
    format!("{}{body}{tail}{}", action(dice, &head), action(dice, "end"))
}

fn condition(dice: &mut Dice, scope: &Scope, depth: usize, word: &str) -> String {
    let kind = dice.pick(&["b", "a", "s", "L", "m", "0", "#"]).chars().next().unwrap_or('b');
    let value = expression(dice, scope, kind, 0);
    let mut inner = scope.clone();
    if word == "with" {
        inner.fields.retain(|(field, _)| field.starts_with('$'));
        inner.dot = Some(kind);
    }
    let mut text = action(dice, &format!("{word} {value}"));
    text.push_str(&statements(dice, &mut inner.clone(), depth + 1));
    if dice.one_in(4) {
        let value = expression(dice, scope, 'a', 1);
        text.push_str(&action(dice, &format!("else {word} {value}")));
        text.push_str(&statements(dice, &mut inner.clone(), depth + 1));
    }
    if dice.one_in(2) {
        text.push_str(&action(dice, "else"));
        text.push_str(&statements(dice, &mut scope.clone(), depth + 1));
    }
    text.push_str(&action(dice, "end"));
    text
}

fn range(dice: &mut Dice, scope: &Scope, depth: usize) -> String {
    let kind = dice.pick(&["R", "L", "m", "M", "l", "t", "i", "a"]).chars().next().unwrap_or('L');
    let value = expression(dice, scope, kind, 0);
    let mut inner = scope.clone();
    inner.fields.retain(|(field, _)| field.starts_with('$'));
    inner.dot = Some('a');
    inner.looping = true;
    let (key, element) = (format!("$k{depth}"), format!("$e{depth}"));
    let head = match dice.below(5) {
        0 => {
            inner.variables.push((element.clone(), 'a'));
            format!("range {element} := {value}")
        }
        1 | 2 => {
            inner.variables.push((key.clone(), 's'));
            inner.variables.push((element.clone(), 'a'));
            format!("range {key}, {element} := {value}")
        }
        _ => format!("range {value}"),
    };
    let mut text = action(dice, &head);
    text.push_str(&statements(dice, &mut inner, depth + 1));
    if dice.one_in(4) {
        let word = dice_word(dice);
        let stop = action(dice, word);
        text.push_str(&format!("{{{{ if {} }}}}{stop}{{{{ end }}}}", expression(dice, &inner, 'b', 1)));
    }
    if dice.one_in(4) {
        text.push_str(&action(dice, "else"));
        text.push_str(&statements(dice, &mut scope.clone(), depth + 1));
    }
    text.push_str(&action(dice, "end"));
    text
}

fn definition(dice: &mut Dice, depth: usize) -> String {
    let mut inner = Scope { dot: Some('a'), ..Scope::default() };
    let body = statements(dice, &mut inner, depth + 1);
    let argument = expression(dice, &Scope::default(), 'a', 1);
    let name = format!("t{}", dice.below(1000));
    match dice.below(4) {
        0 => format!("{{{{ block \"{name}\" {argument} }}}}{body}{{{{ end }}}}"),
        1 if depth == 0 => {
            format!(
                "{{{{ define \"{name}\" }}}}{body}{{{{ end }}}}{{{{ executeTemplate \"{name}\" {argument} }}}}"
            )
        }
        _ if depth == 0 => {
            format!("{{{{ define \"{name}\" }}}}{body}{{{{ end }}}}{{{{ template \"{name}\" {argument} }}}}")
        }
        _ => format!("{{{{ block \"{name}\" . }}}}{body}{{{{ end }}}}"),
    }
}

fn scratch(dice: &mut Dice, scope: &Scope) -> String {
    let value = expression(dice, scope, 'a', 1);
    let text = leaves::text(dice, 'k');
    let key = leaves::quoted(dice, &text);
    match dice.below(6) {
        0 => format!("{{{{ scratch.Set \"a\" {value} }}}}{{{{ scratch.Get \"a\" }}}}"),
        1 => format!("{{{{ scratch.MapSet \"m\" {key} {value} }}}}{{{{ scratch.MapValues \"m\" }}}}"),
        2 => format!(
            "{{{{ scratch.SetX \"a\" {value} }}}}{{{{ scratch.Key \"a\" }}}}{{{{ scratch.Get \"a\" | toJSON }}}}"
        ),
        3 => format!("{{{{ scratch.MapSetX \"m\" {key} {value} }}}}{{{{ scratch.Get \"m\" | toYAML }}}}"),
        4 => format!("{{{{ scratch.MapSet \"a\" {key} {value} }}}}{{{{ scratch.Get {key} }}}}"),
        _ => format!("{{{{ with scratch }}}}{{{{ .Set \"q\" {value} }}}}{{{{ .Get \"q\" }}}}{{{{ end }}}}"),
    }
}
