//! Commands that this build was made without: what to say, and which build has them.

/// A part of the program that a build may lack.
struct Part {
    /// The Cargo feature that brings it.
    feature: &'static str,
    /// Whether this build has it.
    here: bool,
    /// Its commands.
    commands: &'static [&'static str],
}

/// All such parts.
const PARTS: &[Part] = &[
    Part { feature: "dev", here: cfg!(feature = "dev"), commands: &["dev", "demo"] },
    Part { feature: "laptop", here: cfg!(feature = "laptop"), commands: &["render", "check"] },
];

/// What to say about a command line that begins with `words` and asks for a part that isn't here.
pub(super) fn lacking(words: &[&str]) -> Option<String> {
    lacking_of(PARTS, words)
}

fn lacking_of(parts: &[Part], words: &[&str]) -> Option<String> {
    let &name = words.first()?;
    let part = parts.iter().find(|part| !part.here && part.commands.contains(&name))?;
    Some(format!(
        "this build of decant has no command `{name}`: it is the small one, for pods\n  hint: the full build has it, \
         which `cargo build --release` makes (Cargo feature `{}`)",
        part.feature
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_of_a_part_that_is_not_here_is_answered_by_name() {
        let parts = [
            Part { feature: "a", here: true, commands: &["x"] },
            Part { feature: "b", here: false, commands: &["y"] },
        ];
        assert_eq!(lacking_of(&parts, &["x"]), None);
        assert_eq!(lacking_of(&parts, &["z", "y"]), None);
        assert_eq!(lacking_of(&parts, &[]), None);
        insta::assert_snapshot!(lacking_of(&parts, &["y", "--flag"]).unwrap(), @r"
        this build of decant has no command `y`: it is the small one, for pods
          hint: the full build has it, which `cargo build --release` makes (Cargo feature `b`)
        ");
    }
}
