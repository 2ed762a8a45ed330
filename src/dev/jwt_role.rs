//! A role of the JWT method: what a token's claims must say, and what the login is known by.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/auth/jwt#create-role>.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, Outcome, Refusal},
    claims,
    fields::{Fields, Json},
    jws::{self, Claims, Leeway},
    lifetime::Limits,
    moment::Moment,
    role::{TokenParams, Who},
    token::TokenSpec,
};

/// The older names of fields that this method reads.
const OLD: [&str; 6] = ["bound_cidrs", "max_ttl", "num_uses", "period", "policies", "ttl"];

/// One role.
pub(super) struct Role {
    fields: Fields,
    token: TokenParams,
    leeway: Leeway,
    /// Claim by name or JSON pointer, and what it may be.
    bound: BTreeMap<String, Value>,
    globs: bool,
}

impl Role {
    /// Reads and judges all fields, in the plugin's order.
    pub(super) fn read(fields: Fields) -> Result<Self, Refusal> {
        let kind = fields.text("role_type");
        if !matches!(kind.as_str(), "" | "jwt" | "oidc") {
            return Err(Refusal::bad(format!("invalid 'role_type': {kind}")));
        }
        let token = TokenParams::read(&fields, &OLD)?;
        let leeway = Leeway {
            expiration: fields.signed_seconds("expiration_leeway")?,
            not_before: fields.signed_seconds("not_before_leeway")?,
            clock_skew: fields.signed_seconds("clock_skew_leeway")?,
        };
        let globs = match fields.text("bound_claims_type").as_str() {
            "" | "string" => false,
            "glob" => true,
            other => return Err(Refusal::bad(format!("invalid 'bound_claims_type': {other}"))),
        };
        let bound = bound_claims(&fields, globs)?;
        if fields.text("user_claim").is_empty() {
            return Err(Refusal::bad("a user claim must be defined on the role"));
        }
        if kind != "jwt" && fields.list("allowed_redirect_uris").is_empty() {
            return Err(Refusal::bad(
                "'allowed_redirect_uris' must be set if 'role_type' is 'oidc' or unspecified.",
            ));
        }
        let unbound = fields.list("bound_audiences").is_empty()
            && token.bound_cidrs.is_empty()
            && fields.text("bound_subject").is_empty()
            && bound.is_empty();
        if kind == "jwt" && unbound {
            return Err(Refusal::bad(
                "must have at least one bound constraint when creating/updating a role",
            ));
        }
        Ok(Self { fields, token, leeway, bound, globs })
    }

    pub(super) const fn fields(&self) -> &Fields {
        &self.fields
    }

    pub(super) const fn limits(&self) -> Limits {
        self.token.limits
    }

    pub(super) fn must_be_for_jwts(&self) -> Result<(), Refusal> {
        if self.fields.text("role_type") == "jwt" {
            Ok(())
        } else {
            Err(Refusal::bad("role with oidc role_type is not allowed"))
        }
    }

    /// Judges the registered claims.
    pub(super) fn check(&self, claims: &Claims, issuer: &str, now: Moment) -> Result<(), String> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        if !issuer.is_empty() && issuer != text("iss") {
            return Err("invalid issuer (iss) claim".into());
        }
        let subject = self.fields.text("bound_subject");
        if !subject.is_empty() && subject != text("sub") {
            return Err("invalid subject (sub) claim".into());
        }
        let wanted = self.fields.list("bound_audiences");
        let given = jws::audiences(claims);
        if !wanted.is_empty() && !wanted.iter().any(|one| given.contains(&one.as_str())) {
            return Err(
                "invalid audience (aud) claim: audience claim does not match any expected audience".into()
            );
        }
        if !jws::has_time(claims) {
            return Err(
                "no issued at (iat), not before (nbf), or expiration time (exp) claims in token".into()
            );
        }
        jws::check_time(claims, self.leeway, now).map_err(str::to_owned)
    }

    /// Judges the other claims, and says which token the login earns.
    pub(super) fn admit(&self, mount: &str, name: String, claims: &Claims) -> Result<TokenSpec, Refusal> {
        if self.fields.list("bound_audiences").is_empty() && !jws::audiences(claims).is_empty() {
            return Err(Refusal::bad("audience claim found in JWT but no audiences bound to the role"));
        }
        let alias = self.user(claims)?;
        let mut meta = self.metadata(claims)?;
        meta.insert("role".into(), name.clone());
        self.groups(claims)?;
        claims::check_bound(&self.bound, self.globs, claims)
            .map_err(|why| Refusal::bad(format!("error validating claims: {why}")))?;
        Ok(self.token.token(Who { mount: mount.to_owned(), role: name, name: alias.clone(), alias, meta }))
    }

    fn user(&self, claims: &Claims) -> Result<String, Refusal> {
        let claim = self.fields.text("user_claim");
        let found = if self.fields.flag("user_claim_json_pointer").unwrap_or(false) {
            claims::claim(claims, &claim)
        } else {
            claims.get(&claim).cloned()
        };
        match found {
            None | Some(Value::Null) => Err(Refusal::bad(format!("claim {claim:?} not found in token"))),
            Some(Value::String(name)) => Ok(name),
            Some(_) => Err(Refusal::bad(format!("claim {claim:?} could not be converted to string"))),
        }
    }

    fn metadata(&self, claims: &Claims) -> Result<BTreeMap<String, String>, Refusal> {
        let mappings = self.fields.map("claim_mappings");
        let mut meta = BTreeMap::new();
        for source in mappings.all().keys() {
            match claims::claim(claims, source) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => {
                    meta.insert(mappings.text(source), text);
                }
                Some(_) => {
                    return Err(Refusal::bad(format!("error converting claim '{source}' to string")));
                }
            }
        }
        Ok(meta)
    }

    /// There are no identity groups here, but a login without the claim is refused as by the original.
    fn groups(&self, claims: &Claims) -> Result<(), Refusal> {
        let claim = self.fields.text("groups_claim");
        match claims::claim(claims, &claim) {
            None | Some(Value::Null) if !claim.is_empty() => {
                Err(Refusal::bad(format!("failed to fetch groups: {claim:?} claim not found in token")))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn describe(&self) -> Outcome {
        let fields = &self.fields;
        let map = |name: &str| match fields.get(name) {
            Some(value) => serde_json::to_value(Json(value)).unwrap_or_default(),
            None => Value::Null,
        };
        let list = |name: &str| fields.get(name).map(|_| fields.list(name));
        let or = |name: &str, usual: &str| match fields.text(name) {
            text if text.is_empty() => usual.to_owned(),
            text => text,
        };
        let body = json!({
            "allowed_redirect_uris": list("allowed_redirect_uris"),
            "bound_audiences": list("bound_audiences"),
            "bound_claims": map("bound_claims"),
            "bound_claims_type": or("bound_claims_type", "string"),
            "bound_subject": fields.text("bound_subject"),
            "callback_mode": or("callback_mode", "client"),
            "claim_mappings": map("claim_mappings"),
            "clock_skew_leeway": self.leeway.clock_skew,
            "expiration_leeway": self.leeway.expiration,
            "groups_claim": fields.text("groups_claim"),
            "max_age": 0,
            "not_before_leeway": self.leeway.not_before,
            "oauth2_metadata": Value::Null,
            "oidc_disable_confirmation": false,
            "oidc_scopes": Value::Null,
            "role_type": or("role_type", "oidc"),
            "token_policies_template_claims": false,
            "user_claim": fields.text("user_claim"),
            "user_claim_json_pointer": fields.flag("user_claim_json_pointer").unwrap_or(false),
            "verbose_oidc_logging": false,
        });
        let mut body: Map<String, Value> = match body {
            Value::Object(body) => body,
            _ => Map::new(),
        };
        self.token.describe(&mut body);
        Answer::data(&body)
    }
}

fn bound_claims(fields: &Fields, globs: bool) -> Result<BTreeMap<String, Value>, Refusal> {
    let mut bound = BTreeMap::new();
    for (name, value) in fields.map("bound_claims").all().iter() {
        let value = serde_json::to_value(Json(value)).unwrap_or_default();
        let fits = match &value {
            Value::String(_) => true,
            Value::Array(list) => list.iter().all(Value::is_string),
            _ => false,
        };
        if globs && !fits {
            let shown = claims::shown(&value);
            return Err(Refusal::bad(format!("claim is not a string or list: {shown}")));
        }
        bound.insert(name.to_string(), value);
    }
    Ok(bound)
}
