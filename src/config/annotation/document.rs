//! The reference page of all annotations, written from the table.

use std::fmt::Write as _;

use super::table::{Entry, Group, Standalone, TABLE};
use crate::config::own;

const HEAD: &str = "# Annotations

<!-- Written by `cargo run --example annotations_doc > docs/annotations.md`; a test fails when it is stale. -->

`decant init` and `decant sidecar` read them from the pod's downward-API file, `/etc/podinfo/annotations` unless
`--annotations` names another one:

```yaml
volumes:
  - name: podinfo
    downwardAPI:
      items:
        - path: annotations
          fieldRef: { fieldPath: metadata.annotations }
```

- All names but those of the last section begin with `vault.hashicorp.com/` or `openbao.org/`; where a pod has both,
  `openbao.org/` counts.
- Each counts for more than a file given with `-config`, and for less than flags and `VAULT_*` variables.
- Values are read as the injector reads them: bools are `true`, `t`, `1` and so on in Go's spelling, numbers are
  decimal, durations need a unit, nothing is trimmed, and an empty value is a value.
- `<name>` is any name that Kubernetes allows. All annotations of one secret have to spell it alike; the file gets it
  in lower case unless `preserve-secret-case` says otherwise.
- All wrong values are reported together. A name that nobody reads gets a warning.
- Annotations that are changed while the pod runs take effect in the next pod.
";

/// The whole page, in Markdown.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for group in Group::ALL {
        let _ = write!(page, "\n## {}\n\n{}", group.title(), explanation(group));
        page.push_str(
            "| Annotation | Value | Default | Goes to | What it does |\n| --- | --- | --- | --- | --- |\n",
        );
        for entry in TABLE.iter().filter(|entry| entry.group == group) {
            row(&mut page, entry);
        }
    }
    own_settings(&mut page);
    page
}

fn explanation(group: Group) -> &'static str {
    match group {
        Group::Pod => {
            "Only an injector can act on these. `init` and `sidecar` list the ones they find and ignore them: the \
             pod's author writes the containers, volumes and limits.\n\n"
        }
        Group::Listener => "Accepted with a warning; this version does not act on them yet.\n\n",
        _ => "",
    }
}

fn row(page: &mut String, entry: &Entry) {
    let name = if entry.family { "<name>" } else { "" };
    let default = if entry.default.is_empty() { "–" } else { entry.default };
    let _ = writeln!(
        page,
        "| `{}{name}` | {} | {default} | {} | {}{} |",
        entry.suffix,
        entry.kind.name(),
        entry.goes,
        entry.doc,
        remark(entry)
    );
}

/// What the section's heading doesn't say already.
fn remark(entry: &Entry) -> &'static str {
    match (entry.standalone, entry.group) {
        (Standalone::NotYet, group) if group != Group::Listener => {
            " Accepted with a warning; this version does not act on it yet."
        }
        (Standalone::Moot, Group::Switch)
        | (Standalone::Acts | Standalone::PodShape | Standalone::NotYet, _) => "",
        (Standalone::Moot, _) => " Ignored without an injector.",
    }
}

fn own_settings(page: &mut String) {
    page.push_str(
        "\n## Settings of decant's own\n\nFull names, without another prefix. Each is also a key of the stanza \
         `decant {}`, a variable and a flag.\n\n| Annotation | Value | Default | Config key | Variable | Flag | What \
         it does |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for setting in own::SETTINGS {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | `{}` | `{}` | `--{}` | {} |",
            setting.annotation(),
            match setting.takes {
                own::Takes::Bool => "bool",
                own::Takes::Duration => "duration",
                own::Takes::Folder => "path",
                own::Takes::Endpoint => "address",
                own::Takes::Path => "path",
            },
            setting.default,
            setting.key,
            setting.variable(),
            setting.flag(),
            setting.doc
        );
    }
    page.push_str(
        "\n## Settings of decant's own, for one secret or one group\n\nFull names, which the name of a secret or of a \
         group continues. An action named by several secrets that change together runs once. What groups promise, and \
         what they can't: docs/groups.md.\n\n| Annotation | Value | `<name>` | Config key | What it does |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for family in own::FAMILIES {
        let own::Family { annotation, key, takes, of, doc, .. } = family;
        let _ = writeln!(page, "| `{annotation}<name>` | {takes} | {of} | `{key}` | {doc} |");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_docs_is_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/annotations.md");
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == page(),
            "docs/annotations.md is stale: cargo run --example annotations_doc > docs/annotations.md"
        );
    }

    #[test]
    fn every_row_has_all_its_cells() {
        for line in page().lines().filter(|line| line.starts_with("| `")) {
            assert!([6, 8].contains(&line.matches('|').count()), "{line}");
        }
    }
}
