//! Keys of configuration files that still work, and what they are called today.

use std::path::{Path, PathBuf};

use super::input::text;
use crate::{
    config::hcl::{self, Body, Kind},
    origin::Origin,
    problem::Problem,
};

/// Stanza, key, and what to write instead.
const KEYS: &[(&str, &str, &str)] = &[
    ("template", "command", "exec { command = [\"PROGRAM\", \"ARGUMENT\"] } in the template"),
    ("template", "command_timeout", "timeout in the template's exec"),
    ("cache", "use_auto_auth_token", "use_auto_auth_token in api_proxy"),
];

/// Deprecated keys in these files; what can't be read is somebody else's finding.
pub fn in_files(paths: &[PathBuf]) -> Vec<Problem> {
    let mut found = Vec::new();
    for path in paths {
        let inside = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut files: Vec<PathBuf> = if path.is_dir() { inside.collect() } else { vec![path.clone()] };
        files.sort();
        for file in files.iter().filter(|file| file.is_file()) {
            if let Some(body) = text(file).ok().and_then(|text| hcl::parse(text.as_bytes()).ok()) {
                find(&body, file, &mut found);
            }
        }
    }
    found
}

fn find(top: &Body, file: &Path, found: &mut Vec<Problem>) {
    for stanza in &top.items {
        let mut bodies = Vec::new();
        blocks(&stanza.value.kind, &mut bodies);
        for item in bodies.iter().flat_map(|body| &body.items) {
            let name = |key: &str| key.to_ascii_lowercase();
            let (outer, inner) = (name(&stanza.key.text), name(&item.key.text));
            let Some((_, _, instead)) = KEYS.iter().find(|(at, key, _)| *at == outer && *key == inner) else {
                continue;
            };
            let (line, column) = (item.key.pos.line, item.key.pos.column);
            let problem = Problem::warning(format!("`{outer}.{inner}` is deprecated, it still works"))
                .at(Origin::File { path: file.into(), line, column });
            found.push(problem.hint(format!("write {instead}")));
        }
    }
}

fn blocks<'b>(kind: &'b Kind, found: &mut Vec<&'b Body>) {
    match kind {
        Kind::Block(body) => found.push(body),
        Kind::List(items) => items.iter().for_each(|item| blocks(&item.kind, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deprecated_keys_are_named_with_their_place_and_their_successor() {
        let text = "template {\n  destination = \"/x\"\n  command = \"true\"\n}\ncache {\n  use_auto_auth_token = true\n}\n\
                    listener \"tcp\" {\n  command = 1\n}\n";
        let mut found = Vec::new();
        find(&hcl::parse(text.as_bytes()).unwrap(), Path::new("a.hcl"), &mut found);
        let said: Vec<String> = found.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        a.hcl:3:3: `template.command` is deprecated, it still works
          hint: write exec { command = ["PROGRAM", "ARGUMENT"] } in the template
        a.hcl:6:3: `cache.use_auto_auth_token` is deprecated, it still works
          hint: write use_auto_auth_token in api_proxy
        "#);
    }
}
