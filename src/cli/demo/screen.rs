//! What the demo prints: headlines with the time, the real lines below, a mark for what was verified.

use std::io::IsTerminal as _;

use tokio::time::Instant;

use super::{super::start::say, STEPS};
use crate::{clock::Clock, config::env::Environment};

/// Words in a key that make its value one to be hidden in part.
const CONFIDENTIAL: [&str; 4] = ["password", "key", "secret", "token"];

/// Parts of log lines that tell nothing about the story.
const ASIDE: [&str; 5] = [
    "agent: template /",
    "starting auth handler",
    "handler: authenticating",
    "starting sink server",
    "starting renewal process",
];

/// The terminal, or whatever standard output is.
pub(super) struct Screen {
    clock: Clock,
    start: Instant,
    colours: bool,
    step: usize,
}

impl Screen {
    /// Starts the story's time. Colours only on a terminal that shows them and whose user didn't refuse them
    /// (<https://no-color.org>).
    pub(super) fn new(environment: &Environment, clock: Clock) -> Self {
        let refused = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = environment.get("TERM").is_none_or(|term| term == "dumb");
        let colours = !refused && !dumb && std::io::stdout().is_terminal();
        Self { clock, start: clock.now(), colours, step: 0 }
    }

    /// What this is, for somebody who sees it for the first time.
    pub(super) fn intro(&self) {
        say(&self.painted(
            "1",
            "decant demo: how an application gets its secrets from Vault, and keeps them fresh",
        ));
        say(
            "An application reads its secrets from files. decant logs in to Vault for it, writes the files and keeps\n\
             them fresh. All of this happens now, on this machine: real processes, real requests, real files. Only\n\
             Vault is decant's own development server, and the secrets are made up (partly hidden, as a habit).\n\
             Lines with > are decant's own log, without those that say nothing about this story.",
        );
    }

    /// Headline of the next step.
    pub(super) fn step(&mut self, title: &str) {
        self.step += 1;
        let head = format!("[{:4.1} s] {}/{STEPS} {title}", self.elapsed(), self.step);
        say(&format!("\n{}", self.painted("1;36", &head)));
    }

    /// A line of explanation or of fact.
    pub(super) fn line(&self, text: &str) {
        say(&format!("    {text}"));
    }

    /// Lines of a process's log, as they are, without those that tell nothing about the story.
    pub(super) fn story(&self, lines: &[String]) {
        for line in lines.iter().filter(|line| !ASIDE.iter().any(|text| line.contains(text))) {
            self.log(line);
        }
    }

    /// A line of a process's log, as it is.
    pub(super) fn log(&self, text: &str) {
        say(&format!("    {}", self.painted("2", &format!("> {text}"))));
    }

    /// A file's contents, values that are nobody's business hidden in part.
    pub(super) fn file(&self, name: &str, facts: &str, contents: &str) {
        self.line(&format!("{} {facts}", self.painted("1", name)));
        for line in contents.lines() {
            self.line(&format!("    {}", masked(line)));
        }
    }

    /// What was verified.
    pub(super) fn verified(&self, text: &str) {
        say(&format!("  {} {text}", self.painted("32", "✓")));
    }

    /// What did not hold.
    pub(super) fn failed(&self, text: &str) {
        say(&format!("  {} {text}", self.painted("31", "✗")));
    }

    /// The last line of a story that held.
    pub(super) fn end(&self) {
        let text = format!("All {STEPS} steps held, in {:.1} s.", self.elapsed());
        say(&format!("\n{}", self.painted("1;32", &text)));
    }

    fn elapsed(&self) -> f64 {
        self.clock.now().duration_since(self.start).as_secs_f64()
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Hides the second half of a value whose key (before `=` or `:`) says that it is confidential.
pub(super) fn masked(line: &str) -> String {
    let Some((key, value)) = line.split_once(['=', ':']) else { return line.to_owned() };
    let name = key.to_lowercase();
    if !CONFIDENTIAL.iter().any(|word| name.contains(word)) {
        return line.to_owned();
    }
    let shown = value.chars().count() / 2;
    let hidden = value.chars().enumerate().map(|(at, c)| if at < shown { c } else { '•' });
    let separator = &line[key.len()..=key.len()];
    format!("{key}{separator}{}", hidden.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_confidential_value_is_hidden() {
        assert_eq!(masked("API_KEY=one-4711"), "API_KEY=one-••••");
        assert_eq!(masked("password: Ab3-x"), "password: Ab•••");
        assert_eq!(masked("username: v-shop"), "username: v-shop");
        assert_eq!(masked("listen 8443;"), "listen 8443;");
    }

    #[test]
    fn without_a_terminal_there_are_no_colours() {
        let environment = Environment::from([("TERM", "xterm"), ("NO_COLOR", "1")]);
        let screen = Screen::new(&environment, Clock::system());
        assert_eq!(screen.painted("1", "x"), "x");
    }
}
