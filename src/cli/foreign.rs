//! Commands that the program we stand in for has and we have not: what to use instead.

/// Exit code for them: `EX_USAGE` of BSD's sysexits, which neither program uses otherwise.
pub(super) const EXIT_CODE: u8 = 64;

/// First words of such commands, and what to use instead.
const COMMANDS: &[(&[&str], &str)] = &[
    (
        &["kv", "read", "list"],
        "put the secret into a template ({{ with secret \"path\" }}…{{ end }}) and read the rendered file, or ask the \
         server with curl and the token file of a sink",
    ),
    (
        &["write", "patch", "put", "delete", "unwrap"],
        "send the request with curl and the token file of a sink; in a template, `secret \"path\" \"key=value\"` \
         writes and renders the answer",
    ),
    (
        &["login"],
        "the agent logs in by itself (auto_auth); a sink of type file keeps the token for other programs",
    ),
    (&["status"], "ask GET /v1/sys/health of the server with curl"),
    (&["lease"], "the agent renews the leases of its secrets by itself and replaces what can't be renewed"),
    (&["proxy", "ssh"], "use the original program for this; the rest of a pod can keep this one"),
    (
        &["policy"],
        "`decant check FILE` prints the least policy that a configuration or manifest needs; the original program \
         writes it to the server",
    ),
    (
        &["server"],
        "for a server on a laptop or in tests there is `decant dev`; for real use run the original server",
    ),
    (
        &[
            "audit",
            "auth",
            "debug",
            "events",
            "hcp",
            "monitor",
            "namespace",
            "operator",
            "path-help",
            "pki",
            "plugin",
            "print",
            "secrets",
            "scan",
            "transform",
            "transit",
            "version-history",
        ],
        "use the original program: this one only serves an application with its secrets",
    ),
];

/// What to say about a command line that begins with `words`; `None` when the original has no such command either.
pub(super) fn instead(words: &[&str]) -> Option<String> {
    let (&first, rest) = words.split_first()?;
    let two = rest.first().map(|second| format!("{first} {second}"));
    let (name, hint) = COMMANDS.iter().find_map(|(names, hint)| {
        let known = |name: &&&str| **name == first || two.as_deref() == Some(**name);
        names.iter().find(known).map(|name| (*name, *hint))
    })?;
    let name = if name == "kv" { two.unwrap_or_else(|| name.to_owned()) } else { name.to_owned() };
    Some(refusal(&name, hint))
}

/// The words for a command, or for a form of it, that we don't have.
pub(super) fn refusal(name: &str, hint: &str) -> String {
    format!("decant has no command `{name}`\n  hint: {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_pods_call_are_answered_by_name() {
        insta::assert_snapshot!(instead(&["kv", "get", "-field=x", "p"]).unwrap(), @r#"
        decant has no command `kv get`
          hint: put the secret into a template ({{ with secret "path" }}…{{ end }}) and read the rendered file, or ask the server with curl and the token file of a sink
        "#);
        insta::assert_snapshot!(instead(&["login", "-method=x"]).unwrap(), @r"
        decant has no command `login`
          hint: the agent logs in by itself (auto_auth); a sink of type file keeps the token for other programs
        ");
        for name in ["read", "write", "status", "operator", "unwrap", "server"] {
            assert!(instead(&[name]).unwrap().starts_with(&format!("decant has no command `{name}`")));
        }
        assert_eq!(instead(&["agent", "-config=x"]), None);
        assert_eq!(instead(&["frobnicate"]), None);
        assert_eq!(instead(&[]), None);
    }
}
