//! The system paths: mounts, auth methods, policies, leases, capabilities.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/system>.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    answer::{Answer, Outcome, Refusal},
    call::{Call, Operation},
    core::{Caller, Core},
    moment::Moment,
    wrapping,
};

/// Answers what needs no token; `None` when the path is not of that kind.
pub(super) fn open(core: &mut Core, call: &Call) -> Option<Outcome> {
    if !matches!(call.operation, Operation::Read | Operation::Head) {
        return None;
    }
    match call.path.strip_prefix("sys/internal/ui/mounts")? {
        "" => Some(visible_mounts(core, call)),
        path => path.strip_prefix('/').map(|path| visible_mount(core, call, path.trim_matches('/'))),
    }
}

fn visible_mounts(core: &mut Core, call: &Call) -> Outcome {
    let caller = core.authenticate(call).ok().map(|(caller, _)| caller);
    let visible = |auth: bool| -> BTreeMap<&str, Value> {
        let Some(caller) = &caller else { return BTreeMap::new() };
        let prefix = if auth { "auth/" } else { "" };
        let mounts = core.mounts.listed(auth).into_iter();
        mounts
            .filter(|(path, _)| caller.acl.reaches(&format!("{prefix}{path}")))
            .map(|(path, mount)| (path, mount.describe()))
            .collect()
    };
    Answer::data(&json!({"auth": visible(true), "secret": visible(false)}))
}

fn visible_mount(core: &mut Core, call: &Call, path: &str) -> Outcome {
    if path.is_empty() {
        return Err(Refusal::new(404, "unsupported path"));
    }
    let (caller, _) = core.authenticate(call)?;
    let denied = || {
        Refusal::new(
            403,
            format!(
                "preflight capability check returned 403, please ensure client's policies grant access to path \
                 \"{path}/\""
            ),
        )
    };
    let (mount, entry) = core.mounts.find(path).ok_or_else(denied)?;
    if !caller.acl.reaches(mount) {
        return Err(denied());
    }
    let mut body = entry.describe();
    body["path"] = mount.strip_prefix("auth/").unwrap_or(mount).into();
    Answer::data(&body)
}

/// Answers a request below `sys/` whose token may make it.
pub(super) fn handle(core: &mut Core, call: &Call, path: &str, caller: &Caller, now: Moment) -> Outcome {
    let trimmed = path.trim_end_matches('/');
    let (section, rest) = trimmed.split_once('/').unwrap_or((trimmed, ""));
    match section {
        "mounts" => mounts(core, call, rest, false),
        "auth" => mounts(core, call, rest, true),
        "policy" => policies(core, call, (rest, "rules"), now),
        "policies" => match rest.split_once('/').unwrap_or((rest, "")) {
            ("acl", name) => policies(core, call, (name, "policy"), now),
            _ => Err(Refusal::unsupported_path()),
        },
        "capabilities-self" => capabilities(call, caller),
        "wrapping" => wrapping::handle(core, call, rest, caller, now),
        "leases" => leases(core, call, rest, now),
        "seal" if call.operation == Operation::Write => {
            core.status.sealed = true;
            Ok(Answer::empty())
        }
        "health" | "internal" | "seal" => Err(Refusal::unsupported_operation()),
        _ => Err(Refusal::unsupported_path()),
    }
}

fn mounts(core: &mut Core, call: &Call, path: &str, auth: bool) -> Outcome {
    let (path, tune) = match path.strip_suffix("/tune") {
        Some(path) => (path, true),
        None => (path, false),
    };
    let full = if auth { format!("auth/{path}/") } else { format!("{path}/") };
    match call.operation {
        Operation::Read if path.is_empty() => {
            let all: BTreeMap<&str, Value> =
                core.mounts.listed(auth).into_iter().map(|(path, mount)| (path, mount.describe())).collect();
            Answer::system(&all)
        }
        Operation::Read => match core.mounts.get(&full) {
            Some(mount) if tune => Answer::system(&mount.tuning()),
            Some(mount) => Answer::system(&mount.describe()),
            None if auth => Err(Refusal::bad(format!("No auth engine at {path}/"))),
            None => Err(Refusal::bad(format!("No secret engine mount at {path}/"))),
        },
        Operation::Write if tune => {
            core.mounts.tune(&full, &format!("{path}/"), &call.fields)?;
            Ok(Answer::empty())
        }
        Operation::Write if path.is_empty() => Err(Refusal::unsupported_operation()),
        Operation::Write => {
            core.mounts.enable(path, auth, &call.fields)?;
            Ok(Answer::empty())
        }
        Operation::Delete if !path.is_empty() && !tune => {
            core.mounts.may_go(&full)?;
            core.revoke_below(&full);
            core.mounts.disable(&full);
            Ok(Answer::empty())
        }
        _ => Err(Refusal::unsupported_operation()),
    }
}

/// `sys/policies/acl` and its older form `sys/policy`, which calls the text `rules`.
fn policies(core: &mut Core, call: &Call, (name, text_key): (&str, &str), now: Moment) -> Outcome {
    let old = text_key == "rules";
    match call.operation {
        Operation::Read | Operation::List if name.is_empty() && old => {
            let names = core.policies.names();
            Answer::system(&json!({"keys": names, "policies": names}))
        }
        Operation::List if name.is_empty() => Answer::keys(&core.policies.names()),
        Operation::Read if !name.is_empty() => {
            let policy = core.policies.get(name).ok_or_else(Refusal::nothing)?;
            let body = json!({
                "allow_slashes_in_identity_templates": false,
                "allow_wildcards_in_identity_templates": false,
                "cas_required": false,
                "modified": policy.modified.map(Moment::rfc3339),
                "name": name.to_lowercase(),
                text_key: policy.text,
                "version": policy.version,
            });
            if old { Answer::system(&body) } else { Answer::data(&body) }
        }
        Operation::Write if !name.is_empty() => {
            let text = match call.fields.text("policy") {
                text if text.is_empty() => call.fields.text("rules"),
                text => text,
            };
            if text.is_empty() {
                return Err(Refusal::bad("'policy' parameter not supplied or empty"));
            }
            core.policies.write(name, &text, Some(now))?;
            Ok(Answer::empty())
        }
        Operation::Delete if !name.is_empty() => {
            core.policies.delete(name)?;
            Ok(Answer::empty())
        }
        _ => Err(Refusal::unsupported_operation()),
    }
}

fn capabilities(call: &Call, caller: &Caller) -> Outcome {
    if call.operation != Operation::Write {
        return Err(Refusal::unsupported_operation());
    }
    let mut paths = call.fields.list("paths");
    paths.extend(call.fields.list("path"));
    if paths.is_empty() {
        return Err(Refusal::bad("paths must be supplied"));
    }
    let mut body: BTreeMap<String, Vec<&str>> =
        paths.iter().map(|path| (path.clone(), caller.acl.names(path))).collect();
    if let [only] = paths.as_slice() {
        body.insert("capabilities".into(), caller.acl.names(only));
    }
    Answer::system(&body)
}

fn leases(core: &mut Core, call: &Call, path: &str, now: Moment) -> Outcome {
    let (action, rest) = path.split_once('/').unwrap_or((path, ""));
    if action == "lookup" && call.operation == Operation::List {
        let folder = format!("{rest}/");
        return Answer::keys(&super::folder::children(&core.leases.below(&folder), rest));
    }
    let known = ["lookup", "renew", "revoke", "revoke-prefix", "revoke-force"].contains(&action);
    if !known {
        return Err(Refusal::unsupported_path());
    }
    if call.operation != Operation::Write {
        return Err(Refusal::unsupported_operation());
    }
    if let "revoke-prefix" | "revoke-force" = action {
        core.revoke_below(rest);
        return Ok(Answer::empty());
    }
    let id = if rest.is_empty() { call.fields.text("lease_id") } else { rest.to_owned() };
    if id.is_empty() {
        return Err(Refusal::bad("lease_id must be specified"));
    }
    match action {
        "lookup" => lookup(core, &id, now),
        "renew" => {
            let asked = call.fields.span("increment")?.unwrap_or_default();
            let (lease, granted, warning) = core.leases.renew(&id, asked, now)?;
            let answer = Answer::secret(super::answer::SecretBody::default());
            let answer = answer.leased(lease.id, granted, lease.renewable);
            Ok(warning.into_iter().fold(answer, Answer::warn))
        }
        _ => {
            core.revoke_lease(&id);
            Ok(Answer::empty())
        }
    }
}

fn lookup(core: &Core, id: &str, now: Moment) -> Outcome {
    let lease = core.leases.get(id).ok_or_else(|| Refusal::bad("invalid lease"))?;
    Answer::data(&json!({
        "expire_time": lease.expires.rfc3339(),
        "id": lease.id,
        "issue_time": lease.issued.rfc3339(),
        "last_renewal": lease.last_renewal.map(Moment::rfc3339),
        "path": lease.path,
        "renewable": lease.renewable,
        "ttl": now.until(lease.expires).as_secs(),
    }))
}

#[cfg(test)]
mod tests;
