//! Who may do what: named policies, and the decision over the policies of one token.
//!
//! Rules of precedence: <https://developer.hashicorp.com/vault/docs/concepts/policies#policy-syntax>.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{answer::Refusal, moment::Moment, policy_text, wrapping};

/// What can be done to a path; a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Capabilities(u16);

impl Capabilities {
    pub(super) const CREATE: Self = Self(1);
    pub(super) const READ: Self = Self(1 << 1);
    pub(super) const UPDATE: Self = Self(1 << 2);
    pub(super) const DELETE: Self = Self(1 << 3);
    pub(super) const LIST: Self = Self(1 << 4);
    pub(super) const SUDO: Self = Self(1 << 5);
    pub(super) const PATCH: Self = Self(1 << 6);
    pub(super) const SCAN: Self = Self(1 << 7);
    const DENY: Self = Self(1 << 8);

    /// Sorted as the original lists them.
    const NAMES: [(&'static str, Self); 9] = [
        ("create", Self::CREATE),
        ("delete", Self::DELETE),
        ("deny", Self::DENY),
        ("list", Self::LIST),
        ("patch", Self::PATCH),
        ("read", Self::READ),
        ("scan", Self::SCAN),
        ("sudo", Self::SUDO),
        ("update", Self::UPDATE),
    ];

    const fn with(self, other: Self) -> Self {
        if (self.0 | other.0) & Self::DENY.0 == 0 { Self(self.0 | other.0) } else { Self::DENY }
    }

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    const fn allows_something(self) -> bool {
        self.0 != 0 && !self.has(Self::DENY)
    }

    fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, bit)| *bit)
    }
}

/// All policies, by lower-case name.
#[derive(Debug)]
pub(super) struct Policies {
    policies: BTreeMap<String, Policy>,
}

/// One policy.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) text: String,
    pub(super) modified: Option<Moment>,
    pub(super) version: u64,
    rules: Vec<(String, Capabilities)>,
}

/// What every token may do unless it was made without: the original's policy, less what this server lacks.
const DEFAULT: &str = include_str!("default_policy.hcl");

/// What a wrapping token may do.
const WRAPPING: &str = r#"
path "cubbyhole/response" { capabilities = ["create", "read"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }
"#;

/// Whether a policy is the server's own, which nobody may change.
fn is_fixed(name: &str) -> bool {
    name == "root" || name == wrapping::POLICY
}

impl Policies {
    pub(super) fn new() -> Self {
        let mut policies = Self { policies: BTreeMap::new() };
        for (name, text) in [("default", DEFAULT), (wrapping::POLICY, WRAPPING)] {
            let written = policies.put(name.to_owned(), text, None);
            debug_assert!(written.is_ok(), "the built-in policies parse");
        }
        policies
    }

    pub(super) fn write(&mut self, name: &str, text: &str, now: Option<Moment>) -> Result<(), Refusal> {
        let name = name.to_lowercase();
        if is_fixed(&name) {
            return Err(Refusal::bad(format!("cannot update {name:?} policy")));
        }
        self.put(name, text, now)
    }

    fn put(&mut self, name: String, text: &str, now: Option<Moment>) -> Result<(), Refusal> {
        let failed = |why: String| Refusal::bad(format!("failed to parse policy: {why}"));
        let mut rules = Vec::new();
        for stanza in policy_text::parse(text).map_err(failed)? {
            let path = stanza.path.trim_start_matches('/').to_owned();
            let mut all = Capabilities::default();
            for capability in &stanza.capabilities {
                let one = Capabilities::parse(capability).ok_or_else(|| {
                    failed(format!("path {:?}: invalid capability {capability:?}", stanza.path))
                })?;
                all = all.with(one);
            }
            rules.push((path, all));
        }
        let version = self.policies.get(&name).map_or(0, |known| known.version) + 1;
        self.policies.insert(name, Policy { text: text.to_owned(), modified: now, version, rules });
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Policy> {
        self.policies.get(&name.to_lowercase())
    }

    pub(super) fn exists(&self, name: &str) -> bool {
        name == "root" || self.policies.contains_key(name)
    }

    pub(super) fn delete(&mut self, name: &str) -> Result<(), Refusal> {
        let name = name.to_lowercase();
        if name == "default" {
            return Err(Refusal::bad("cannot delete default policy"));
        }
        if is_fixed(&name) {
            return Err(Refusal::bad(format!("cannot delete {name:?} policy")));
        }
        self.policies.remove(&name);
        Ok(())
    }

    /// Sorted, `root` at the end.
    pub(super) fn names(&self) -> Vec<String> {
        let listed = self.policies.keys().filter(|name| !is_fixed(name)).cloned();
        listed.chain(["root".to_owned()]).collect()
    }

    /// The rules of these policies together. Unknown names grant nothing.
    pub(super) fn acl(&self, names: &[String]) -> Acl {
        let mut rules: BTreeMap<String, Capabilities> = BTreeMap::new();
        for (path, capabilities) in
            names.iter().filter_map(|name| self.policies.get(name)).flat_map(|policy| &policy.rules)
        {
            let slot = rules.entry(path.clone()).or_default();
            *slot = slot.with(*capabilities);
        }
        Acl { root: names.iter().any(|name| name == "root"), rules }
    }
}

/// What one token may do.
#[derive(Debug)]
pub(super) struct Acl {
    root: bool,
    rules: BTreeMap<String, Capabilities>,
}

impl Acl {
    pub(super) const fn is_root(&self) -> bool {
        self.root
    }

    /// What is allowed on `path`; the most specific rule decides alone.
    pub(super) fn on(&self, path: &str) -> Capabilities {
        let exact = self.rules.get(path).filter(|_| !is_pattern(path));
        let exact = exact.or_else(|| {
            // Listing a folder asks with a slash; a rule without one means the same folder.
            path.strip_suffix('/').and_then(|folder| self.rules.get(folder))
        });
        if let Some(found) = exact {
            return *found;
        }
        self.rules
            .iter()
            .filter(|(pattern, _)| is_pattern(pattern) && matches(pattern, path))
            .max_by_key(|(pattern, _)| precedence(pattern))
            .map(|(_, found)| *found)
            .unwrap_or_default()
    }

    pub(super) fn allows(&self, path: &str, wanted: Capabilities) -> bool {
        let found = self.on(path);
        self.root || (found.allows_something() && found.has(wanted))
    }

    /// The names that `sys/capabilities-self` answers.
    pub(super) fn names(&self, path: &str) -> Vec<&'static str> {
        if self.root {
            return vec!["root"];
        }
        let found = self.on(path);
        if !found.allows_something() {
            return vec!["deny"];
        }
        Capabilities::NAMES.iter().filter(|(_, bit)| found.has(*bit)).map(|(name, _)| *name).collect()
    }

    /// Whether anything at or below `mount` (with its slash) is allowed.
    pub(super) fn reaches(&self, mount: &str) -> bool {
        self.root
            || self.rules.iter().any(|(pattern, found)| {
                found.allows_something() && (pattern.starts_with(mount) || could_reach(pattern, mount))
            })
    }
}

fn is_pattern(path: &str) -> bool {
    path.ends_with('*') || path.split('/').any(|segment| segment == "+")
}

/// Whether a pattern with wildcards can match something below `mount`.
fn could_reach(pattern: &str, mount: &str) -> bool {
    let mount = mount.trim_end_matches('/');
    let depth = mount.split('/').count();
    let head: Vec<&str> = pattern.split('/').take(depth).collect();
    let head = head.join("/");
    matches(&head, mount) || (pattern.ends_with('*') && mount.starts_with(pattern.trim_end_matches('*')))
}

fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, open) = match pattern.strip_suffix('*') {
        Some(stem) => (stem, true),
        None => (pattern, false),
    };
    let mut wanted = pattern.split('/').peekable();
    let mut found = path.split('/');
    while let Some(want) = wanted.next() {
        let Some(have) = found.next() else { return false };
        let last = wanted.peek().is_none();
        if want == "+" {
            continue;
        }
        if last && open {
            return have.starts_with(want);
        }
        if want != have {
            return false;
        }
    }
    open || found.next().is_none()
}

/// Higher wins: a later first wildcard, no `*` at the end, fewer `+`, longer, then by alphabet.
fn precedence(pattern: &str) -> (usize, bool, Reverse<usize>, usize, &str) {
    let plus = pattern.find("/+").map(|at| at + 1).or_else(|| pattern.starts_with('+').then_some(0));
    let star = pattern.strip_suffix('*').map(str::len);
    let first = plus.into_iter().chain(star).min().unwrap_or(pattern.len());
    let count = pattern.split('/').filter(|segment| *segment == "+").count();
    (first, star.is_none(), Reverse(count), pattern.len(), pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(texts: &[&str]) -> Acl {
        let mut policies = Policies::new();
        let mut names = Vec::new();
        for (number, text) in texts.iter().enumerate() {
            names.push(format!("p{number}"));
            policies.write(&names[number], text, None).unwrap();
        }
        policies.acl(&names)
    }

    fn rule(path: &str, capabilities: &str) -> String {
        format!("path \"{path}\" {{ capabilities = [{capabilities}] }}\n")
    }

    #[test]
    fn the_most_specific_rule_decides_alone() {
        let text = rule("secret/*", r#""read""#)
            + &rule("secret/app/*", r#""list""#)
            + &rule("secret/app/db", r#""update""#);
        let acl = acl(&[&text]);
        assert!(acl.allows("secret/x", Capabilities::READ));
        assert!(!acl.allows("secret/app/x", Capabilities::READ));
        assert!(acl.allows("secret/app/db", Capabilities::UPDATE));
        assert!(!acl.allows("secret/app/db", Capabilities::LIST));
        assert_eq!(acl.names("secret/app/x"), ["list"]);
        assert_eq!(acl.names("other"), ["deny"]);
    }

    #[test]
    fn deny_beats_what_another_policy_grants() {
        let acl = acl(&[&rule("secret/*", r#""read","sudo""#), &rule("secret/*", r#""deny""#)]);
        assert!(!acl.allows("secret/x", Capabilities::READ));
        assert_eq!(acl.names("secret/x"), ["deny"]);
    }

    #[test]
    fn a_plus_is_exactly_one_segment() {
        let acl = acl(&[&(rule("secret/+/db", r#""read""#) + &rule("kv/+/x*", r#""list""#))]);
        assert!(acl.allows("secret/team/db", Capabilities::READ));
        assert!(!acl.allows("secret/a/b/db", Capabilities::READ));
        assert!(!acl.allows("secret/db", Capabilities::READ));
        assert!(acl.allows("kv/team/xyz/deep", Capabilities::LIST));
        assert!(!acl.allows("kv/team/y", Capabilities::LIST));
    }

    #[test]
    fn a_later_wildcard_beats_an_earlier_one() {
        let acl = acl(&[&(rule("secret/+/db/*", r#""read""#) + &rule("secret/app/*", r#""list""#))]);
        assert!(acl.allows("secret/app/db/x", Capabilities::LIST));
        assert!(!acl.allows("secret/app/db/x", Capabilities::READ));
    }

    #[test]
    fn a_folder_may_be_listed_by_a_rule_without_slash() {
        let acl = acl(&[&rule("secret/metadata/app", r#""list""#)]);
        assert!(acl.allows("secret/metadata/app/", Capabilities::LIST));
    }

    #[test]
    fn reaching_a_mount_needs_any_right_below_it() {
        let acl = acl(&[&(rule("kv2/data/app/*", r#""read""#) + &rule("+/creds/x", r#""read""#))]);
        assert!(acl.reaches("kv2/"));
        assert!(acl.reaches("database/"));
        assert!(!acl.reaches("deep/er/"));
        assert!(self::acl(&[&rule("k*", r#""read""#)]).reaches("kv2/"));
        assert!(!self::acl(&[&rule("kv2/*", r#""deny""#)]).reaches("kv2/"));
    }

    #[test]
    fn errors_are_worded_as_the_original_words_them() {
        let mut policies = Policies::new();
        let error = policies.write("bad", &rule("x", r#""nope""#), None).unwrap_err();
        assert_eq!(error.errors, ["failed to parse policy: path \"x\": invalid capability \"nope\""]);
        assert_eq!(policies.write("root", "", None).unwrap_err().status, 400);
        assert_eq!(policies.delete("default").unwrap_err().errors, ["cannot delete default policy"]);
    }
}
