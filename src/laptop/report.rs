//! A check's findings as text and as JSON.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::check::{CheckedTemplate, CheckedUnit, Finding, Report, Request};
use crate::{origin::Origin, problem::Severity, template::go::calls::ProgramCall};

/// What the user reads.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    for unit in &report.units {
        unit_text(&mut text, unit);
    }
    if !report.policy.is_empty() {
        let _ = write!(text, "The least policy that allows this:\n\n{}\n", report.policy);
    }
    let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
    let _ = write!(text, "{}, {}", counted(errors, "error"), counted(warnings, "warning"));
    text
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn unit_text(text: &mut String, unit: &CheckedUnit) {
    let _ = writeln!(text, "{}", unit.name);
    for finding in &unit.findings {
        let mark = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let _ = writeln!(text, "  {mark}: {}", finding.shown.replace('\n', "\n    "));
    }
    for template in &unit.templates {
        let from = if template.source.is_empty() { String::new() } else { format!(" ({})", template.source) };
        let _ = writeln!(text, "  {}{from}", template.destination);
        for request in &template.requests {
            request_text(text, request);
        }
        for ProgramCall { program, line } in &template.programs {
            let _ = writeln!(text, "    runs {program}, line {line}, in the agent's container");
        }
        if template.is_silent {
            text.push_str("    asks for nothing\n");
        }
    }
    text.push('\n');
}

fn request_text(text: &mut String, request: &Request) {
    let Request { method, paths, expression, start, line } = request;
    if let Some(expression) = expression {
        let begins = if start.is_empty() { String::new() } else { format!(", begins with {start}") };
        let _ = writeln!(text, "    {method:4} computed at run time, line {line}: {expression}{begins}");
    }
    for (at, (path, condition)) in paths.iter().enumerate() {
        let condition = condition.map_or_else(String::new, |condition| format!(" ({condition})"));
        let or = if at == 0 { "" } else { "or " };
        let _ = writeln!(text, "    {or}{method:4} {path}, line {line}{condition}");
    }
}

/// What programs read; one object on one line.
pub fn json(report: &Report) -> String {
    json!({
        "errors": report.count(Severity::Error),
        "warnings": report.count(Severity::Warning),
        "units": report.units.iter().map(unit_json).collect::<Vec<_>>(),
        "policy": report.policy,
    })
    .to_string()
}

fn unit_json(unit: &CheckedUnit) -> Value {
    json!({
        "name": unit.name,
        "findings": unit.findings.iter().map(finding_json).collect::<Vec<_>>(),
        "templates": unit.templates.iter().map(template_json).collect::<Vec<_>>(),
    })
}

fn finding_json(finding: &Finding) -> Value {
    let mut object = Map::new();
    let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
    object.insert("severity".into(), severity.into());
    object.insert("message".into(), finding.what.as_str().into());
    match &finding.place {
        Some(Origin::File { path, line, column }) => {
            object.insert("file".into(), path.display().to_string().into());
            for (name, number) in [("line", *line), ("column", *column)] {
                if number > 0 {
                    object.insert(name.into(), number.into());
                }
            }
        }
        Some(Origin::Annotation(name)) => drop(object.insert("annotation".into(), name.as_ref().into())),
        Some(other) => drop(object.insert("place".into(), other.to_string().into())),
        None => {}
    }
    for (name, said) in [("expected", &finding.expected), ("hint", &finding.hint)] {
        if let Some(said) = said {
            object.insert(name.into(), said.as_str().into());
        }
    }
    Value::Object(object)
}

fn template_json(template: &CheckedTemplate) -> Value {
    json!({
        "destination": template.destination,
        "source": template.source,
        "requests": template.requests.iter().flat_map(request_json).collect::<Vec<_>>(),
        "programs": template.programs.iter().map(program_json).collect::<Vec<_>>(),
    })
}

fn program_json(call: &ProgramCall) -> Value {
    json!({ "program": call.program, "line": call.line })
}

/// One object for each path that the request may go to.
fn request_json(request: &Request) -> Vec<Value> {
    let Request { method, paths, expression, start, line } = request;
    if let Some(expression) = expression {
        return vec![json!({ "method": method, "line": line, "computed": expression, "begins_with": start })];
    }
    let one = |(path, condition): &(String, Option<&str>)| {
        let mut object = json!({ "method": method, "line": line, "path": path });
        if let (Some(condition), Some(object)) = (condition, object.as_object_mut()) {
            object.insert("condition".into(), (*condition).into());
        }
        object
    };
    paths.iter().map(one).collect()
}
