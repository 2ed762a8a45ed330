//! The least policy that allows what templates ask for, in HCL.
//!
//! Without a server nobody knows which mounts are KV version 2, whose API paths have `data/` or `metadata/` in them.
//! A mount counts as one when the user says so or when a template writes such a path; for the others both forms are
//! stated, and the text says why (<https://developer.hashicorp.com/vault/docs/concepts/policies>).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};

use crate::{
    template::go::calls::Asks,
    vault::kv::{Mount, Verb},
};

/// Second parts of paths that only engines other than KV have.
const OTHER_ENGINES: [&str; 16] = [
    "cert",
    "certs",
    "config",
    "creds",
    "decrypt",
    "encrypt",
    "export",
    "hmac",
    "issue",
    "keys",
    "login",
    "random",
    "role",
    "roles",
    "sign",
    "static-creds",
];
/// Mounts that are there in every server and are no KV.
const BUILT_IN: [&str; 5] = ["auth", "cubbyhole", "identity", "sys", "pki"];

/// What a user said about mounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounts {
    /// KV version 2.
    pub kv2: BTreeSet<String>,
    /// Anything else: paths are taken as they are.
    pub other: BTreeSet<String>,
}

impl Mounts {
    /// Adds the mounts that the paths themselves give away (`kv/data/…`, `kv/metadata/…`).
    pub fn learn<'p>(&mut self, paths: impl IntoIterator<Item = &'p str>) {
        for path in paths {
            let at = ["/data/", "/metadata/"].iter().filter_map(|part| path.find(part)).min();
            if let Some(mount) = at.map(|at| &path[..at])
                && !BUILT_IN.contains(&mount.split('/').next().unwrap_or_default())
                && !self.other.contains(mount)
            {
                self.kv2.insert(mount.to_owned());
            }
        }
    }

    /// Whether reading this path surely gives a KV version 2 secret, whose keys are one level below.
    pub fn is_kv2_secret(&self, path: &str) -> bool {
        let rests = self.kv2.iter().filter_map(|mount| inside(mount, path));
        rests.min_by_key(|rest| rest.len()).is_some_and(|rest| !rest.starts_with("/metadata/"))
    }

    /// The API paths that a request may need, each with what has to be the case.
    pub fn paths(&self, path: &str, asks: Asks) -> Vec<(String, Option<&'static str>)> {
        let verb = match asks {
            Asks::Read => Verb::Read,
            Asks::List => Verb::List,
            Asks::Write | Asks::Issue => Verb::Write,
        };
        let within = |mount: &&String| inside(mount, path).is_some();
        let as_v2 = |mount: &str| ended(Mount::Kv2(Arc::from(mount)).api_path(path, verb), asks);
        let plain = ended(path.to_owned(), asks);
        if let Some(mount) = self.kv2.iter().filter(within).max_by_key(|mount| mount.len()) {
            return vec![(as_v2(mount), None)];
        }
        let first = path.split('/').next().unwrap_or_default();
        let is_kv = asks != Asks::Issue
            && (path.contains('/') || asks == Asks::List)
            && !self.other.iter().any(|mount| within(&mount))
            && !BUILT_IN.contains(&first)
            && !path.split('/').skip(1).any(|part| OTHER_ENGINES.contains(&part));
        if !is_kv {
            return vec![(plain, None)];
        }
        vec![
            (plain, Some("unless this is KV version 2")),
            (as_v2(first), Some("only if this is KV version 2")),
        ]
    }
}

/// The path's part behind a mount, if it is there.
fn inside<'p>(mount: &str, path: &'p str) -> Option<&'p str> {
    path.strip_prefix(mount).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Listings are allowed on the path with a slash behind it.
fn ended(path: String, asks: Asks) -> String {
    if asks == Asks::List { format!("{path}/") } else { path }
}

/// One place of a template that asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The path as the template has it.
    pub path: String,
    /// What is done.
    pub asks: Asks,
}

const fn capabilities(asks: Asks) -> &'static [&'static str] {
    match asks {
        Asks::Read => &["read"],
        Asks::List => &["list"],
        Asks::Write => &["create", "update"],
        Asks::Issue => &["update"],
    }
}

/// The policy. `computed` are places whose path is known at run time only, each on one line.
///
/// `namespaces` are those of the configurations, the root as an empty text: rules hold in the namespace of their policy.
pub fn hcl(
    needs: &BTreeSet<Need>,
    computed: &[String],
    mounts: &Mounts,
    namespaces: &BTreeSet<String>,
) -> String {
    let mut rules: BTreeMap<String, (BTreeSet<&'static str>, Option<&'static str>)> = BTreeMap::new();
    let mut unsure = BTreeSet::new();
    for need in needs {
        for (path, condition) in mounts.paths(&need.path, need.asks) {
            if condition.is_some() {
                unsure.insert(need.path.split('/').next().unwrap_or_default().to_owned());
            }
            let rule = rules.entry(path).or_insert_with(|| (BTreeSet::new(), condition));
            rule.0.extend(capabilities(need.asks));
            // A path that some request surely needs is needed.
            rule.1 = rule.1.filter(|_| condition.is_some());
        }
    }
    let mut text = if rules.is_empty() { String::new() } else { namespaces_said(namespaces) };
    for (path, (capabilities, condition)) in &rules {
        if let Some(condition) = condition {
            let _ = writeln!(text, "# {condition}:");
        }
        let list: Vec<String> = capabilities.iter().map(|one| format!("\"{one}\"")).collect();
        let _ = writeln!(text, "path {} {{\n  capabilities = [{}]\n}}\n", quoted(path), list.join(", "));
    }
    if !unsure.is_empty() {
        let mounts: Vec<String> = unsure.into_iter().collect();
        let _ = writeln!(
            text,
            "# Nothing here tells which version of KV is mounted at {}. Run the check with --kv2 MOUNT or --kv1\n\
             # MOUNT, or keep both forms: a path that doesn't exist allows nothing.",
            mounts.join(", ")
        );
    }
    if !computed.is_empty() {
        text.push_str("# These paths are computed at run time, add what they become:\n");
        for place in computed {
            let _ = writeln!(text, "#   {place}");
        }
    }
    if !rules.is_empty() {
        text.push_str(
            "# Renewing the token and its leases (auth/token/renew-self, sys/leases/renew) and asking for the version\n\
             # of a KV mount (sys/internal/ui/mounts) need no rule: Vault's policy \"default\" allows them.\n",
        );
    }
    text
}

fn namespaces_said(namespaces: &BTreeSet<String>) -> String {
    let names: Vec<&str> =
        namespaces.iter().map(|name| if name.is_empty() { "the root namespace" } else { name }).collect();
    match names.as_slice() {
        [] | ["the root namespace"] => String::new(),
        [one] => format!("# For the namespace {one}: write the policy there.\n\n"),
        _ => format!(
            "# Several namespaces ({}): check what belongs to one by itself, and write its policy there.\n\n",
            names.join(", ")
        ),
    }
}

fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(needs: &[(&str, Asks)], mut mounts: Mounts) -> String {
        mounts.learn(needs.iter().map(|(path, _)| *path));
        let needs = needs.iter().map(|(path, asks)| Need { path: (*path).to_owned(), asks: *asks }).collect();
        hcl(&needs, &[], &mounts, &BTreeSet::new())
    }

    fn rules(text: &str) -> Vec<&str> {
        text.lines()
            .filter(|line| {
                line.starts_with("path")
                    || line.starts_with("  ")
                    || line.starts_with("# only")
                    || line.starts_with("# unless")
            })
            .collect()
    }

    #[test]
    fn a_mount_gives_itself_away_and_all_its_paths_follow() {
        let text = policy(
            &[
                ("kv/data/db", Asks::Read),
                ("kv/app", Asks::Read),
                ("kv/metadata/x", Asks::List),
                ("kv/app", Asks::Write),
            ],
            Mounts::default(),
        );
        assert_eq!(
            rules(&text),
            [
                "path \"kv/data/app\" {",
                "  capabilities = [\"create\", \"read\", \"update\"]",
                "path \"kv/data/db\" {",
                "  capabilities = [\"read\"]",
                "path \"kv/metadata/x/\" {",
                "  capabilities = [\"list\"]",
            ]
        );
    }

    #[test]
    fn an_unknown_mount_gets_both_forms_until_the_user_says_which() {
        let unknown = policy(&[("secret/app", Asks::Read)], Mounts::default());
        insta::assert_snapshot!(unknown, @r#"
        # unless this is KV version 2:
        path "secret/app" {
          capabilities = ["read"]
        }

        # only if this is KV version 2:
        path "secret/data/app" {
          capabilities = ["read"]
        }

        # Nothing here tells which version of KV is mounted at secret. Run the check with --kv2 MOUNT or --kv1
        # MOUNT, or keep both forms: a path that doesn't exist allows nothing.
        # Renewing the token and its leases (auth/token/renew-self, sys/leases/renew) and asking for the version
        # of a KV mount (sys/internal/ui/mounts) need no rule: Vault's policy "default" allows them.
        "#);
        let kv2 = Mounts { kv2: ["secret".to_owned()].into(), ..Mounts::default() };
        assert_eq!(rules(&policy(&[("secret/app", Asks::Read)], kv2))[0], "path \"secret/data/app\" {");
        let kv1 = Mounts { other: ["secret".to_owned()].into(), ..Mounts::default() };
        let text = policy(&[("secret/app", Asks::List), ("secret/data/x", Asks::Read)], kv1);
        assert_eq!(rules(&text)[0], "path \"secret/app/\" {");
        assert!(text.contains("path \"secret/data/x\"") && !text.contains("only if"));
    }

    #[test]
    fn other_engines_are_taken_as_they_are() {
        assert_eq!(Mounts::default().paths("kv", Asks::List)[1].0, "kv/metadata/");
        for (path, asks) in [
            ("database/creds/app", Asks::Read),
            ("auth/token/lookup-self", Asks::Read),
            ("pki/issue/web", Asks::Issue),
            ("pki_int/cert/ca", Asks::Read),
            ("transit/encrypt/k", Asks::Write),
            ("cubbyhole/x", Asks::Read),
        ] {
            let paths = Mounts::default().paths(path, asks);
            assert_eq!(paths, [(path.to_owned(), None)]);
        }
        assert!(policy(&[("pki/issue/web", Asks::Issue)], Mounts::default()).contains("[\"update\"]"));
    }

    #[test]
    fn mounts_with_several_parts_and_odd_names_are_kept() {
        let text = policy(&[("team/kv/data/a\"b", Asks::Read), ("team/kv/c", Asks::Read)], Mounts::default());
        assert!(
            text.contains("path \"team/kv/data/a\\\"b\"") && text.contains("path \"team/kv/data/c\""),
            "{text}"
        );
    }

    #[test]
    fn computed_paths_are_left_to_the_reader_and_nothing_needs_nothing() {
        let text = hcl(
            &BTreeSet::new(),
            &["app.tmpl:3 secret (print \"x\")".to_owned()],
            &Mounts::default(),
            &BTreeSet::new(),
        );
        assert_eq!(
            text,
            "# These paths are computed at run time, add what they become:\n#   app.tmpl:3 secret (print \"x\")\n"
        );
        assert_eq!(hcl(&BTreeSet::new(), &[], &Mounts::default(), &BTreeSet::new()), "");
    }

    #[test]
    fn the_namespace_that_a_policy_belongs_to_is_said_unless_it_is_the_root() {
        let said = |names: &[&str]| namespaces_said(&names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(said(&[""]), "");
        assert_eq!(said(&["team/a"]), "# For the namespace team/a: write the policy there.\n\n");
        assert!(said(&["", "b"]).contains("the root namespace, b"), "{}", said(&["", "b"]));
    }
}
