//! The AppRole auth method: roles, role ids, and logins with secret ids.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/auth/approle>.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, Outcome, Refusal, SecretBody, list_of_errors, uuid},
    call::{Operation, Visit},
    fields::Fields,
    folder,
    lifetime::Limits,
    moment::Moment,
    peer::Peer,
    role::{TokenParams, Who, rewritten},
    secret_id::SecretIds,
    token::TokenSpec,
};

/// One AppRole mount.
#[derive(Default)]
pub(super) struct AppRole {
    roles: BTreeMap<String, Role>,
}

/// One role.
#[derive(Default)]
pub(super) struct Role {
    fields: Fields,
    token: TokenParams,
    role_id: String,
    pub(super) limits: SecretIdLimits,
    pub(super) secret_ids: SecretIds,
}

/// What bounds the secret ids of a role.
#[derive(Default)]
pub(super) struct SecretIdLimits {
    pub(super) needed: bool,
    cidrs: Vec<String>,
    /// 0: as often as wanted.
    pub(super) num_uses: i64,
    /// Zero: for ever.
    pub(super) ttl: std::time::Duration,
}

impl AppRole {
    pub(super) fn exists(&self, path: &str) -> bool {
        let Some(rest) = path.strip_prefix("role/") else { return true };
        rest.contains('/') || self.roles.contains_key(&rest.to_lowercase())
    }

    pub(super) fn handle(&mut self, visit: &Visit<'_>) -> Outcome {
        match visit.path.trim_end_matches('/') {
            "role" if visit.operation == Operation::List => {
                Answer::keys(&folder::children(self.roles.keys(), ""))
            }
            "login" => Err(Refusal::unsupported_operation()),
            "tidy/secret-id" if visit.operation == Operation::Write => {
                self.roles.values_mut().for_each(|role| role.secret_ids.tidy(visit.now));
                Ok(Answer::secret(SecretBody::default()).with_status(202).warn(
                    "Tidy operation successfully started. Any information from the operation will be printed to \
                     OpenBao's server logs.",
                ))
            }
            path => match path.strip_prefix("role/") {
                Some(path) => {
                    let (name, field) = path.split_once('/').unwrap_or((path, ""));
                    self.role(&name.to_lowercase(), name, field, visit)
                }
                None => Err(Refusal::unsupported_path()),
            },
        }
    }

    fn role(&mut self, name: &str, given: &str, field: &str, visit: &Visit<'_>) -> Outcome {
        match (field, visit.operation) {
            ("", Operation::Write) => self.write_role(name, visit.fields),
            ("", Operation::Read) => self.roles.get(name).map(Role::describe).ok_or_else(Refusal::nothing)?,
            ("", Operation::Delete) => {
                self.roles.remove(name);
                Ok(Answer::empty())
            }
            ("", _) => Err(Refusal::unsupported_operation()),
            ("role-id", Operation::Write) => self.set_role_id(name, &visit.fields.text("role_id")),
            (field, Operation::Read) if !field.starts_with("secret-id") || field.contains("secret-id-") => {
                let role = self.roles.get(name).ok_or_else(Refusal::nothing)?;
                role.field(field).ok_or_else(Refusal::unsupported_path)?
            }
            (field, _) => match self.roles.get_mut(name) {
                Some(role) => role.secret_id(field, visit),
                None => Err(Refusal::new(404, format!("role {given:?} does not exist"))),
            },
        }
    }

    fn write_role(&mut self, name: &str, new: &Fields) -> Outcome {
        let kind = new.text("token_type");
        let adjusted = kind.strip_prefix("default-").filter(|kind| matches!(*kind, "service" | "batch"));
        let new = match adjusted {
            Some(kind) => new.overlaid(&Fields::from_pairs([("token_type".to_owned(), kind.to_owned())])),
            None => new.clone(),
        };
        let known = self.roles.get(name);
        let fields = known.map_or_else(|| new.clone(), |role| rewritten(&role.fields, &new));
        let token = TokenParams::read(&fields, &["period", "policies"])?;
        let limits = SecretIdLimits::read(&fields)?;
        if !limits.needed && limits.cidrs.is_empty() && token.bound_cidrs.is_empty() {
            let why = "at least one constraint should be enabled on the role";
            return Err(Refusal::new(500, list_of_errors(why)));
        }
        let role_id = match (new.text("role_id"), known) {
            (given, _) if !given.is_empty() => given,
            (_, Some(role)) => role.role_id.clone(),
            (_, None) => uuid(),
        };
        self.unused(name, &role_id)?;
        let role = self.roles.entry(name.to_owned()).or_default();
        (role.fields, role.token, role.limits, role.role_id) = (fields, token, limits, role_id);
        Ok(match adjusted {
            Some(kind) => Answer::secret(SecretBody::default())
                .warn(format!("default-{kind} has no useful meaning; adjusting to {kind}")),
            None => Answer::empty(),
        })
    }

    fn unused(&self, name: &str, role_id: &str) -> Result<(), Refusal> {
        if self.roles.iter().any(|(other, role)| other != name && role.role_id == role_id) {
            return Err(Refusal::new(500, list_of_errors("role_id already in use")));
        }
        Ok(())
    }

    fn set_role_id(&mut self, name: &str, role_id: &str) -> Outcome {
        if !self.roles.contains_key(name) {
            return Err(Refusal::nothing());
        }
        if role_id.is_empty() {
            return Err(Refusal::bad("missing role_id"));
        }
        self.unused(name, role_id)?;
        if let Some(role) = self.roles.get_mut(name) {
            role.role_id = role_id.to_owned();
        }
        Ok(Answer::empty())
    }

    /// Verifies a login, counts the secret id's use, and says which token it earns. `mount` is `auth/<path>/`.
    pub(super) fn login(
        &mut self,
        mount: &str,
        fields: &Fields,
        peer: &Peer,
        now: Moment,
    ) -> Result<TokenSpec, Refusal> {
        let (role_id, secret_id) = (fields.text("role_id"), fields.text("secret_id"));
        let (role_id, secret_id) = (role_id.trim(), secret_id.trim());
        let invalid = || Refusal::bad("invalid role or secret ID");
        let (name, role) =
            self.roles.iter_mut().find(|(_, role)| role.role_id == role_id).ok_or_else(invalid)?;
        let mut meta = BTreeMap::new();
        if role.limits.needed {
            if secret_id.is_empty() {
                return Err(Refusal::bad("missing secret_id"));
            }
            let used = role.secret_ids.spend(secret_id, now).ok_or_else(invalid)?;
            if !used.cidrs.is_empty() && !peer.is_within(&used.cidrs) {
                return Err(elsewhere(peer, "through CIDR restrictions on the secret ID"));
            }
            meta = used.metadata;
        }
        if !role.limits.cidrs.is_empty() && !peer.is_within(&role.limits.cidrs) {
            return Err(elsewhere(peer, "by CIDR restrictions on the role: %!w(<nil>)"));
        }
        meta.insert("role_name".into(), name.clone());
        Ok(role.token.token(Who {
            mount: mount.to_owned(),
            role: name.clone(),
            alias: role.role_id.clone(),
            name: String::new(),
            meta,
        }))
    }

    /// The lifetime that a renewal of a login's token gets; the role is asked again.
    pub(super) fn renewal(&self, role: &str) -> Result<Limits, String> {
        let gone = || format!("role {role:?} does not exist during renewal");
        self.roles.get(role).map(|role| role.token.limits).ok_or_else(gone)
    }
}

fn elsewhere(peer: &Peer, why: &str) -> Refusal {
    let address = peer.address.map(|address| address.to_string()).unwrap_or_default();
    Refusal::bad(format!("source address {address:?} unauthorized {why}"))
}

impl SecretIdLimits {
    fn read(fields: &Fields) -> Result<Self, Refusal> {
        let num_uses = fields.count("secret_id_num_uses")?.unwrap_or(0);
        if num_uses < 0 {
            return Err(Refusal::bad("secret_id_num_uses cannot be negative"));
        }
        let cidrs = match fields.list("secret_id_bound_cidrs") {
            list if list.is_empty() => fields.list("bound_cidr_list"),
            list => list,
        };
        let needed = fields.flag("bind_secret_id").unwrap_or(true);
        Ok(Self { needed, cidrs, num_uses, ttl: fields.span("secret_id_ttl")?.unwrap_or_default() })
    }

    fn shown_cidrs(&self) -> Option<&[String]> {
        Some(self.cidrs.as_slice()).filter(|list| !list.is_empty())
    }
}

impl Role {
    fn describe(&self) -> Outcome {
        let body = json!({
            "bind_secret_id": self.limits.needed,
            "local_secret_ids": self.fields.flag("local_secret_ids").unwrap_or(false),
            "secret_id_bound_cidrs": self.limits.shown_cidrs(),
            "secret_id_num_uses": self.limits.num_uses,
            "secret_id_ttl": self.limits.ttl.as_secs(),
        });
        let mut body = match body {
            Value::Object(body) => body,
            _ => Map::new(),
        };
        self.token.describe(&mut body);
        Answer::data(&body)
    }

    /// A single field, as `role/<name>/<field>` reads it.
    fn field(&self, field: &str) -> Option<Outcome> {
        let limits = &self.limits;
        let mut token = Map::new();
        self.token.describe(&mut token);
        let (key, value) = match field {
            "role-id" => ("role_id", self.role_id.as_str().into()),
            "bind-secret-id" => ("bind_secret_id", limits.needed.into()),
            "bound-cidr-list" => ("bound_cidr_list", json!(limits.shown_cidrs())),
            "secret-id-bound-cidrs" => ("secret_id_bound_cidrs", json!(limits.shown_cidrs())),
            "secret-id-num-uses" => ("secret_id_num_uses", limits.num_uses.into()),
            "secret-id-ttl" => ("secret_id_ttl", limits.ttl.as_secs().into()),
            "policies" => ("token_policies", token.remove("token_policies")?),
            "period" => ("token_period", token.remove("token_period")?),
            "token-ttl" => ("token_ttl", token.remove("token_ttl")?),
            "token-max-ttl" => ("token_max_ttl", token.remove("token_max_ttl")?),
            "token-num-uses" => ("token_num_uses", token.remove("token_num_uses")?),
            _ => return None,
        };
        let answer = Answer::data(&BTreeMap::from([(key, value)]));
        Some(match field {
            "bound-cidr-list" => answer.map(|answer| {
                answer.warn(
                    "The \"bound_cidr_list\" field is deprecated and will be removed. Please use \
                     \"secret_id_bound_cidrs\" instead.",
                )
            }),
            _ => answer,
        })
    }
}

#[cfg(test)]
mod tests;
