//! What the library's parser can't read, in words for the template's author.

use handlebars::{TemplateError, TemplateErrorReason};

use super::{pass::Refusal, set::place_of, walk::Place};
use crate::template::go::fault::Cause;

/// The mistake and its place.
pub(super) fn explain(text: &str, error: &TemplateError) -> (Refusal, Place) {
    let place = error.pos().unwrap_or((1, 1));
    let syntax = |what: String| Refusal::new(Cause::Syntax, what);
    match error.reason() {
        TemplateErrorReason::MismatchingClosedHelper(open, close)
        | TemplateErrorReason::MismatchingClosedDecorator(open, close) => {
            let refusal =
                syntax(format!("{{{{#{open}}}}} is open here, but {{{{/{close}}}}} closes")).at(close);
            (refusal.hint(format!("close the inner block first: {{{{/{open}}}}}")), place)
        }
        TemplateErrorReason::InvalidParam(written) => {
            // The library says what, and not where.
            let place = text.find(written).map_or(place, |at| place_of(text, at));
            let hint = match written.contains(char::is_control) {
                true => "inside of quotes a line break is written \\n, a tab \\t",
                false => "a text is written \"text\", a number 1 or 1.5",
            };
            (syntax("an argument can't be read".to_owned()).hint(hint), place)
        }
        _ => {
            let line = text.lines().nth(place.0.saturating_sub(1)).unwrap_or_default();
            if looks_like_go(text) {
                let hint =
                    "this looks like a Go template: choose the dialect go, or name the file without .hbs";
                return (syntax("this is no Handlebars".to_owned()).hint(hint), place);
            }
            if let Some((name, open)) = unclosed(text) {
                let hint = format!("close it with {{{{/{name}}}}}");
                return (syntax(format!("{{{{#{name}}}}} is never closed")).hint(hint), open);
            }
            let hint = match line.contains("{{") && !line.contains("}}") {
                true => "a tag ends with }} on the same line or a later one",
                false => "a tag is {{name}}, {{function argument}}, {{#block}}…{{/block}} or {{> partial}}",
            };
            (syntax("this is no Handlebars".to_owned()).hint(hint), place)
        }
    }
}

/// Signs of the other dialect.
fn looks_like_go(text: &str) -> bool {
    let tags = text.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap_or_default());
    tags.map(|tag| tag.trim_matches(['-', ' ', '\t'])).any(|tag| {
        tag == "end"
            || tag.starts_with('.')
            || tag.contains(" .")
            || tag.contains(":=")
            || tag.contains(" | ")
            || ["with ", "range ", "if ", "define ", "secret "]
                .iter()
                .any(|word| tag.starts_with(word) && !tag.contains('('))
                && text.contains("end")
    })
}

/// The first block without an end, and the place of its tag.
fn unclosed(text: &str) -> Option<(String, Place)> {
    let mut open: Vec<(String, usize)> = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find("{{") {
        let start = at + found;
        let rest = text[start + 2..].trim_start_matches(['~', ' ', '{']);
        let name =
            |rest: &str| rest.trim_start().split([' ', '}', '~', '\n']).next().unwrap_or_default().to_owned();
        if let Some(rest) = rest.strip_prefix('#') {
            open.push((name(rest.trim_start_matches(['>', '*'])), start));
        } else if let Some(rest) = rest.strip_prefix('/')
            && open.last().is_some_and(|(last, _)| *last == name(rest))
        {
            open.pop();
        }
        at = start + 2;
    }
    let (name, start) = open.into_iter().next()?;
    Some((name, place_of(text, start)))
}
