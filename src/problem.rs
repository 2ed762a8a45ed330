//! What the user reads when something is wrong: what, where, what was expected, what to do next.

use std::{error::Error, fmt, io};

use crate::origin::Origin;

/// Whether a problem stops the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Said once, work goes on.
    Warning,
    /// The configuration can't be used.
    Error,
}

/// One finding about the user's input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether work can go on.
    pub severity: Severity,
    /// What is wrong, without the place; never a secret value.
    pub what: String,
    /// Where it was said.
    pub origin: Option<Origin>,
    /// What would have been right.
    pub expected: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem that stops the work.
    pub fn error(what: impl Into<String>) -> Self {
        Self { severity: Severity::Error, what: what.into(), origin: None, expected: None, hint: None }
    }

    /// A problem that is said once while work goes on.
    pub fn warning(what: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(what) }
    }

    /// Names the place.
    #[must_use]
    pub fn at(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Says what would have been right.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        f.write_str(&self.what)?;
        if let Some(expected) = &self.expected {
            write!(f, "\n  expected: {expected}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// One message with all problems, errors first.
pub fn list(what: &str, problems: &[Problem]) -> String {
    let of = |severity| problems.iter().filter(move |problem| problem.severity == severity);
    let mut text = match of(Severity::Error).count() {
        1 => format!("{what}:"),
        count => format!("{what}, {count} problems:"),
    };
    for (mark, problem) in of(Severity::Error)
        .map(|problem| ("", problem))
        .chain(of(Severity::Warning).map(|problem| ("warning: ", problem)))
    {
        text.push_str(&format!("\n- {mark}{}", problem.to_string().replace('\n', "\n  ")));
    }
    text
}

/// The system's words, without Rust's `(os error 2)`.
pub fn system_words(error: &io::Error) -> String {
    error.to_string().split(" (os error").next().unwrap_or_default().to_owned()
}

/// The chain of causes on one line, without saying anything twice.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.downcast_ref().map_or_else(|| cause.to_string(), system_words);
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

/// The chain of causes, and behind it in brackets what the user can do.
pub fn chain_with_hint(error: &dyn Error, hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("{} ({hint})", chain(error)),
        None => chain(error),
    }
}

/// The candidate that was most likely meant: at most a third of the letters differ, case aside.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest_within(word, candidates, (word.chars().count() / 3).max(1))
}

/// As [`nearest`], with at most `limit` letters that differ: for long names that share most of their letters.
pub fn nearest_within<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    limit: usize,
) -> Option<&'a str> {
    // The work grows with both lengths, and nobody misspells a name of a thousand letters.
    if word.len() > 256 {
        return None;
    }
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (edits(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance: insert, delete, replace, swap of neighbours.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_the_likely_word_and_leaves_strangers_alone() {
        let keys = ["address", "ca_cert", "ca_path", "namespace"];
        assert_eq!(nearest("adress", keys), Some("address"));
        assert_eq!(nearest("Ca_crt", keys), Some("ca_cert"));
        assert_eq!(nearest("telemetry", keys), None);
        assert_eq!(nearest(&"a".repeat(1 << 24), keys), None, "and does so at once");
    }

    #[test]
    fn a_problem_reads_place_first_then_expectation_then_hint() {
        let problem = Problem::error("not a duration")
            .at(Origin::Flag("-timeout".into()))
            .expected("a number with a unit, for instance 30s")
            .hint("write -timeout=30s");
        assert_eq!(
            problem.to_string(),
            "flag -timeout: not a duration\n  expected: a number with a unit, for instance 30s\n  hint: write -timeout=30s"
        );
    }
}
