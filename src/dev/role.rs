//! What the roles of all auth methods have in common: which token a login earns.
//!
//! Fields: <https://developer.hashicorp.com/vault/api-docs/auth/approle#parameters>, those that begin with `token_`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{answer::Refusal, fields::Fields, issuer::uid_of, lifetime::Limits, token::TokenSpec};

/// Older names of the fields, which some methods still read.
const OLD_NAMES: [(&str, &str); 6] = [
    ("bound_cidrs", "token_bound_cidrs"),
    ("max_ttl", "token_max_ttl"),
    ("num_uses", "token_num_uses"),
    ("period", "token_period"),
    ("policies", "token_policies"),
    ("ttl", "token_ttl"),
];

/// The `token_` fields of a role.
#[derive(Clone, Debug, Default)]
pub(super) struct TokenParams {
    pub(super) policies: Vec<String>,
    pub(super) limits: Limits,
    no_default_policy: bool,
    num_uses: i64,
    kind: Kind,
    pub(super) bound_cidrs: Vec<String>,
    strictly_bind_ip: bool,
    /// The old names that the role was written with: a read of the role shows them too.
    old: Vec<(&'static str, &'static str)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Default,
    Service,
    Batch,
}

/// Who logged in, as a method found out.
pub(super) struct Who {
    /// The mount, `auth/<path>/`.
    pub(super) mount: String,
    pub(super) role: String,
    /// What the identity store would know the client by.
    pub(super) alias: String,
    /// What the display name says behind the mount; may be empty.
    pub(super) name: String,
    pub(super) meta: BTreeMap<String, String>,
}

impl TokenParams {
    /// Reads all fields of a role; `old` names those of the older names that this method reads.
    pub(super) fn read(fields: &Fields, old: &[&str]) -> Result<Self, Refusal> {
        let old: Vec<(&str, &str)> = OLD_NAMES
            .into_iter()
            .filter(|(name, new)| {
                old.contains(name) && fields.get(name).is_some() && fields.get(new).is_none()
            })
            .collect();
        let name =
            |new: &'static str| old.iter().find(|(_, known)| *known == new).map_or(new, |(name, _)| *name);
        let span = |new: &'static str| fields.span(name(new)).map(Option::unwrap_or_default);
        let limits = Limits {
            ttl: span("token_ttl")?,
            max_ttl: span("token_max_ttl")?,
            explicit_max_ttl: span("token_explicit_max_ttl")?,
            period: span("token_period")?,
        };
        let params = Self {
            policies: fields.list(name("token_policies")),
            limits,
            no_default_policy: fields.flag("token_no_default_policy").unwrap_or(false),
            num_uses: fields.count(name("token_num_uses"))?.unwrap_or(0),
            kind: Kind::parse(&fields.text("token_type"))?,
            bound_cidrs: fields.list(name("token_bound_cidrs")),
            strictly_bind_ip: fields.flag("token_strictly_bind_ip").unwrap_or(false),
            old,
        };
        params.check()?;
        Ok(params)
    }

    fn check(&self) -> Result<(), Refusal> {
        if self.num_uses < 0 {
            return Err(Refusal::bad("'token_num_uses' cannot be negative"));
        }
        if self.kind == Kind::Batch {
            let why = if !self.limits.period.is_zero() {
                "periodic tokens"
            } else if self.num_uses != 0 {
                "tokens with limited use count"
            } else {
                ""
            };
            if !why.is_empty() {
                return Err(Refusal::bad(format!(
                    "'token_type' cannot be 'batch' or 'default_batch' when set to generate {why}"
                )));
            }
        }
        if !self.limits.max_ttl.is_zero() && self.limits.ttl > self.limits.max_ttl {
            return Err(Refusal::bad("'token_ttl' cannot be greater than 'token_max_ttl'"));
        }
        if self.strictly_bind_ip && !self.bound_cidrs.is_empty() {
            return Err(Refusal::bad(
                "'token_strictly_bind_ip' conflicts with 'token_bound_cidrs'; set only one",
            ));
        }
        Ok(())
    }

    /// Adds the fields to what a read of the role answers.
    pub(super) fn describe(&self, body: &mut Map<String, Value>) {
        let fields = json!({
            "token_bound_cidrs": self.bound_cidrs,
            "token_explicit_max_ttl": self.limits.explicit_max_ttl.as_secs(),
            "token_max_ttl": self.limits.max_ttl.as_secs(),
            "token_no_default_policy": self.no_default_policy,
            "token_num_uses": self.num_uses,
            "token_period": self.limits.period.as_secs(),
            "token_policies": self.policies,
            "token_strictly_bind_ip": self.strictly_bind_ip,
            "token_ttl": self.limits.ttl.as_secs(),
            "token_type": self.kind.name(),
        });
        for (old, new) in &self.old {
            body.insert((*old).to_owned(), fields[*new].clone());
        }
        if let Value::Object(fields) = fields {
            body.extend(fields);
        }
    }

    /// Whether a login would still earn these policies.
    pub(super) fn earns(&self, policies: &[String]) -> bool {
        self.granted() == policies
    }

    fn granted(&self) -> Vec<String> {
        let mut policies: Vec<String> = self.policies.iter().map(|name| name.to_lowercase()).collect();
        if !self.no_default_policy {
            policies.push("default".into());
        }
        policies.sort_unstable();
        policies.dedup();
        policies
    }

    /// The token that a login earns.
    pub(super) fn token(&self, who: Who) -> TokenSpec {
        let method = who.mount.trim_start_matches("auth/").trim_end_matches('/').replace('/', "-");
        let display_name = if who.name.is_empty() { method } else { format!("{method}-{}", who.name) };
        let batch = self.kind == Kind::Batch;
        TokenSpec {
            policies: self.granted(),
            limits: self.limits,
            renewable: !batch,
            batch,
            num_uses: self.num_uses,
            entity_id: uid_of(&["entity", &who.mount, &who.alias]),
            display_name,
            meta: Some(who.meta),
            path: format!("{}login", who.mount),
            role: Some(who.role),
            bound_to: None,
        }
    }
}

impl Kind {
    fn parse(name: &str) -> Result<Self, Refusal> {
        match name {
            "" | "default" => Ok(Self::Default),
            "service" => Ok(Self::Service),
            "batch" => Ok(Self::Batch),
            other => Err(Refusal::bad(format!("invalid 'token_type' value {other:?}"))),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Service => "service",
            Self::Batch => "batch",
        }
    }
}

/// What a role's fields are after a write: the new ones replace the old ones, under either name.
pub(super) fn rewritten(known: &Fields, new: &Fields) -> Fields {
    let mut forgotten = Vec::new();
    for (old, current) in OLD_NAMES {
        for (given, other) in [(old, current), (current, old)] {
            if new.get(given).is_some() && new.get(other).is_none() {
                forgotten.push(other);
            }
        }
    }
    known.without(&forgotten).overlaid(new)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn fields(value: &Value) -> Fields {
        Fields::from_body(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn an_old_name_is_read_and_shown_where_the_method_knows_it() {
        let written = fields(&json!({"ttl": "90s", "policies": "b,a"}));
        let params = TokenParams::read(&written, &["ttl"]).unwrap();
        assert_eq!(params.limits.ttl, Duration::from_secs(90));
        assert!(params.policies.is_empty(), "this method doesn't know the name");
        let mut body = Map::new();
        params.describe(&mut body);
        assert_eq!((&body["ttl"], &body["token_ttl"]), (&json!(90), &json!(90)));
        let again = rewritten(&written, &fields(&json!({"token_ttl": 10})));
        assert_eq!(TokenParams::read(&again, &["ttl"]).unwrap().limits.ttl, Duration::from_secs(10));
        let back = rewritten(&again, &fields(&json!({"ttl": 20})));
        assert_eq!(TokenParams::read(&back, &["ttl"]).unwrap().limits.ttl, Duration::from_secs(20));
    }

    #[test]
    fn contradictions_are_refused() {
        let error = |value: Value| TokenParams::read(&fields(&value), &[]).unwrap_err().errors.join("");
        assert_eq!(error(json!({"token_type": "zz"})), "invalid 'token_type' value \"zz\"");
        assert!(error(json!({"token_type": "batch", "token_period": 5})).ends_with("periodic tokens"));
        assert!(error(json!({"token_type": "batch", "token_num_uses": 5})).ends_with("limited use count"));
        assert!(error(json!({"token_ttl": 5, "token_max_ttl": 4})).contains("greater than"));
        assert!(error(json!({"token_num_uses": -1})).contains("negative"));
    }

    #[test]
    fn the_token_has_the_default_policy_unless_refused() {
        let who = || Who {
            mount: "auth/team/x/".into(),
            role: "r".into(),
            alias: "a".into(),
            name: String::new(),
            meta: BTreeMap::new(),
        };
        let spec = TokenParams::read(&fields(&json!({"token_policies": "Z,a,a"})), &[]).unwrap().token(who());
        assert_eq!(spec.policies, ["a", "default", "z"]);
        assert_eq!((spec.display_name.as_str(), spec.path.as_str()), ("team-x", "auth/team/x/login"));
        let params = fields(&json!({"token_no_default_policy": true, "token_type": "batch"}));
        let spec = TokenParams::read(&params, &[]).unwrap().token(who());
        assert!(spec.policies.is_empty() && spec.batch && !spec.renewable);
    }
}
