//! The API of the token store: <https://developer.hashicorp.com/vault/api-docs/auth/token>.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, Outcome, Refusal, list_of_errors},
    call::{Call, Operation},
    core::{Caller, Core},
    fields::{Fields, parse_span},
    lifetime::Limits,
    moment::Moment,
    policy::Capabilities,
    token::{Token, TokenSpec},
};

/// Answers a request below `auth/token/`.
pub(super) fn handle(core: &mut Core, call: &Call, path: &str, caller: &Caller, now: Moment) -> Outcome {
    let fields = &call.fields;
    let (name, rest) = path.trim_end_matches('/').split_once('/').unwrap_or((path.trim_end_matches('/'), ""));
    let named = |field: &str| if rest.is_empty() { fields.text(field) } else { rest.to_owned() };
    match (name, call.operation) {
        ("create", Operation::Write) => create(core, fields, caller, false, now),
        ("create-orphan", Operation::Write) => create(core, fields, caller, true, now),
        ("lookup-self", Operation::Read | Operation::Write) => Answer::data(&describe(&caller.token, now)),
        ("lookup", Operation::Read | Operation::Write) => match named("token") {
            id if id.is_empty() => Answer::data(&describe(&caller.token, now)),
            id => {
                let token = core.tokens.get(&id).ok_or_else(|| Refusal::new(403, "bad token"))?;
                Answer::data(&describe(token, now))
            }
        },
        ("lookup-accessor", Operation::Write) => {
            let token = by_accessor(core, &named("accessor"))?;
            let mut body = describe(&token, now);
            body.insert("id".into(), Value::from(""));
            Answer::data(&body)
        }
        ("renew-self", Operation::Write) => renew(core, &caller.token, call, now),
        ("renew", Operation::Write) => {
            let id = required(named("token"))?;
            let token = core.tokens.get(&id).cloned().ok_or_else(|| Refusal::bad("token not found"))?;
            renew(core, &token, call, now)
        }
        ("renew-accessor", Operation::Write) => {
            let token = by_accessor(core, &named("accessor"))?;
            renew(core, &token, call, now).map(Answer::without_token)
        }
        ("accessors", Operation::List) => Answer::keys(&core.tokens.accessors()),
        (_, Operation::Write) => revoke(core, name, &named, caller),
        (
            "create" | "create-orphan" | "lookup-self" | "lookup" | "lookup-accessor" | "renew-self"
            | "renew" | "renew-accessor" | "accessors" | "revoke" | "revoke-self" | "revoke-accessor"
            | "revoke-orphan",
            _,
        ) => Err(Refusal::unsupported_operation()),
        _ => Err(Refusal::unsupported_path()),
    }
}

fn revoke(core: &mut Core, name: &str, named: &dyn Fn(&str) -> String, caller: &Caller) -> Outcome {
    let not_batch = |token: &Token| {
        if token.spec.batch { Err(Refusal::bad("batch tokens cannot be revoked")) } else { Ok(()) }
    };
    match name {
        "revoke-self" => {
            not_batch(&caller.token)?;
            core.revoke_token(&caller.token.id);
        }
        "revoke" => {
            let id = required(named("token"))?;
            if let Some(token) = core.tokens.get(&id) {
                not_batch(token)?;
            }
            core.revoke_token(&id);
        }
        "revoke-accessor" => {
            let accessor = named("accessor");
            let Some(id) = core.tokens.by_accessor(&accessor).map(|token| token.id.clone()) else {
                let answer = Answer::secret(super::answer::SecretBody::default());
                return Ok(answer.warn("No token found with this accessor"));
            };
            core.revoke_token(&id);
        }
        "revoke-orphan" => {
            let id = required(named("token"))?;
            if !caller.acl.allows("auth/token/revoke-orphan", Capabilities::SUDO) {
                return Err(Refusal::bad("root or sudo privileges required to revoke and orphan"));
            }
            let token = core.tokens.get(&id).ok_or_else(|| Refusal::bad("token to revoke not found"))?;
            not_batch(token)?;
            core.revoke_orphan(&id);
        }
        "lookup-self" | "accessors" => return Err(Refusal::unsupported_operation()),
        _ => return Err(Refusal::unsupported_path()),
    }
    Ok(Answer::empty())
}

fn required(id: String) -> Result<String, Refusal> {
    if id.is_empty() { Err(Refusal::bad("missing token ID")) } else { Ok(id) }
}

fn by_accessor(core: &Core, accessor: &str) -> Result<Token, Refusal> {
    let missing = || match accessor {
        "" => Refusal::bad("missing accessor_id"),
        _ => Refusal::bad(list_of_errors("invalid accessor")),
    };
    core.tokens.by_accessor(accessor).cloned().ok_or_else(missing)
}

/// What a look-up says.
fn describe(token: &Token, now: Moment) -> Map<String, Value> {
    let mut body = json!({
        "accessor": token.accessor,
        "creation_time": token.issued.seconds(),
        "creation_ttl": token.creation_ttl.as_secs(),
        "display_name": token.spec.display_name,
        "entity_id": token.spec.entity_id,
        "expire_time": token.expires.map(Moment::rfc3339),
        "explicit_max_ttl": token.spec.limits.explicit_max_ttl.as_secs(),
        "id": token.id,
        "issue_time": token.issued.rfc3339(),
        "meta": token.spec.meta,
        "num_uses": if token.spec.num_uses > 0 && token.uses_left == 0 { -1 } else { token.uses_left },
        "orphan": token.parent.is_none(),
        "path": token.spec.path,
        "policies": token.spec.policies,
        "renewable": token.spec.renewable,
        "ttl": token.ttl(now).as_secs(),
        "type": token.kind(),
    });
    if !token.spec.limits.period.is_zero() {
        body["period"] = token.spec.limits.period.as_secs().into();
    }
    if let Some(renewed) = token.last_renewal {
        body["last_renewal"] = renewed.rfc3339().into();
        body["last_renewal_time"] = renewed.seconds().into();
    }
    match body {
        Value::Object(body) => body,
        _ => Map::new(),
    }
}

fn renew(core: &mut Core, token: &Token, call: &Call, now: Moment) -> Outcome {
    let asked = call.fields.span("increment")?.unwrap_or_default();
    if token.spec.batch {
        return Err(Refusal::bad("batch tokens cannot be renewed"));
    }
    if !token.spec.renewable || token.expires.is_none() {
        return Err(Refusal::bad("lease is not renewable"));
    }
    let Some(limits) = core.renewal_limits(token, &call.peer, now)? else { return Ok(Answer::empty()) };
    let past = || Refusal::new(500, list_of_errors("past the max TTL, cannot renew"));
    let (granted, warning) = limits.grant(asked, token.issued, now).ok_or_else(past)?;
    let token = core.tokens.extend(&token.id, granted, now).ok_or_else(Refusal::denied)?;
    Ok(Answer::auth(token.auth(granted), warning.into_iter().collect()))
}

fn create(core: &mut Core, fields: &Fields, caller: &Caller, orphan: bool, now: Moment) -> Outcome {
    let parent = &caller.token;
    if parent.spec.batch {
        return Err(Refusal::bad("batch tokens cannot create more tokens"));
    }
    if parent.spec.num_uses > 0 {
        return Err(Refusal::bad("restricted use token cannot generate child tokens"));
    }
    let sudo = |path: &str| caller.acl.is_root() || caller.acl.allows(path, Capabilities::SUDO);
    let orphan = orphan || fields.flag("no_parent").unwrap_or(false);
    if fields.flag("no_parent") == Some(true) && !sudo("auth/token/create") {
        return Err(Refusal::bad("root or sudo privileges required to create orphan token"));
    }
    let mut warnings = Vec::new();
    let spec = requested(fields, caller)?;
    if !spec.limits.period.is_zero() && !sudo("auth/token/create") {
        return Err(Refusal::bad("root or sudo privileges required to create periodic token"));
    }
    let id = own_id(core, fields, sudo("auth/token/create"), &mut warnings)?;
    for policy in spec.policies.iter().filter(|name| !core.policies.exists(name)) {
        warnings.push(format!("Policy {policy:?} does not exist"));
    }
    let is_root = spec.policies.iter().any(|policy| policy == "root");
    let granted = if is_root && spec.limits == Limits::default() {
        Duration::ZERO
    } else {
        let (granted, warning) = spec.limits.first(now);
        warnings.extend(warning);
        granted
    };
    let spec = TokenSpec { renewable: spec.renewable && !granted.is_zero(), ..spec };
    let parent = if orphan { None } else { Some(parent.id.clone()) };
    let token = core.tokens.insert(id, parent, spec, granted, now);
    Ok(Answer::auth(token.auth(granted), warnings))
}

/// What the body asks for, as far as the caller may have it.
fn requested(fields: &Fields, caller: &Caller) -> Result<TokenSpec, Refusal> {
    let batch = match fields.text("type").as_str() {
        "" | "service" => false,
        "batch" => true,
        _ => return Err(Refusal::bad("invalid 'token_type' value")),
    };
    let num_uses = fields.count("num_uses")?.unwrap_or(0);
    if num_uses < 0 {
        return Err(Refusal::bad("number of uses cannot be negative"));
    }
    let limits = Limits {
        ttl: span(fields, "ttl")?.or(span(fields, "lease")?).unwrap_or_default(),
        explicit_max_ttl: span(fields, "explicit_max_ttl")?.unwrap_or_default(),
        period: span(fields, "period")?.unwrap_or_default(),
        max_ttl: Duration::ZERO,
    };
    let policies = policies(fields, caller)?;
    if batch && policies.iter().any(|policy| policy == "root") {
        return Err(Refusal::bad("batch tokens cannot be root tokens"));
    }
    let meta = fields.map("meta");
    let meta: BTreeMap<String, String> =
        meta.all().keys().map(|key| (key.to_string(), meta.text(key))).collect();
    let display_name = match fields.text("display_name") {
        name if name.is_empty() => "token".to_owned(),
        name => format!("token-{}", name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")),
    };
    Ok(TokenSpec {
        policies,
        limits,
        renewable: !batch && fields.flag("renewable").unwrap_or(true),
        batch,
        num_uses,
        display_name,
        entity_id: String::new(),
        meta: Some(meta).filter(|meta| !meta.is_empty()),
        path: "auth/token/create".to_owned(),
        role: None,
        bound_to: None,
    })
}

fn span(fields: &Fields, key: &str) -> Result<Option<Duration>, Refusal> {
    match fields.text(key) {
        text if text.is_empty() => Ok(None),
        text => match parse_span(&text) {
            Some(span) => Ok(Some(span)),
            None => Err(Refusal::bad(format!("time: invalid duration {text:?}"))),
        },
    }
}

/// The parent's policies unless others are asked for; only root may give what it doesn't have.
fn policies(fields: &Fields, caller: &Caller) -> Result<Vec<String>, Refusal> {
    let asked = fields.list("policies");
    let parents = &caller.token.spec.policies;
    let mut policies: Vec<String> = if asked.is_empty() { parents.clone() } else { asked };
    policies.iter_mut().for_each(|name| *name = name.to_lowercase());
    let is_root = policies.iter().any(|name| name == "root");
    if is_root && !caller.acl.is_root() {
        return Err(Refusal::bad("root tokens may not be created without parent token being root"));
    }
    if is_root {
        return Ok(vec!["root".to_owned()]);
    }
    let sudo = caller.acl.is_root() || caller.acl.allows("auth/token/create", Capabilities::SUDO);
    if !sudo && policies.iter().any(|name| name != "default" && !parents.contains(name)) {
        return Err(Refusal::bad("child policies must be subset of parent"));
    }
    if !fields.flag("no_default_policy").unwrap_or(false) {
        policies.push("default".into());
    }
    policies.sort_unstable();
    policies.dedup();
    Ok(policies)
}

fn own_id(
    core: &Core,
    fields: &Fields,
    sudo: bool,
    warnings: &mut Vec<String>,
) -> Result<Option<String>, Refusal> {
    let id = fields.text("id");
    if id.is_empty() {
        return Ok(None);
    }
    if !sudo {
        return Err(Refusal::bad("root or sudo privileges required to specify token id"));
    }
    if id.contains('.') {
        return Err(Refusal::bad("custom token ID cannot have a '.' in the value"));
    }
    if core.tokens.get(&id).is_some() {
        return Err(Refusal::bad("cannot create a token with a duplicate ID"));
    }
    warnings.push(
        "Supplying a custom ID for the token uses the weaker SHA1 hashing instead of the more secure SHA2-256 HMAC \
         for token obfuscation. SHA1 hashed tokens on the wire leads to less secure lookups."
            .to_owned(),
    );
    Ok(Some(id))
}
