//! The JWT auth method with public keys of the configuration; OpenID Connect and key sets behind URLs are not here.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/auth/jwt>. The order of the checks is the plugin's.

use std::collections::BTreeMap;

use jsonwebtoken::DecodingKey;
use serde_json::json;

use super::{
    answer::{Answer, Outcome, Refusal},
    call::{Operation, Visit},
    claims::shown,
    fields::Fields,
    folder, jws,
    jwt_role::Role,
    lifetime::Limits,
    moment::Moment,
    role::rewritten,
    token::TokenSpec,
};

/// The names of the algorithms that a configuration may ask for.
const ALGORITHMS: [&str; 10] =
    ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA"];

/// One JWT auth mount.
#[derive(Default)]
pub(super) struct Jwt {
    config: Option<Config>,
    roles: BTreeMap<String, Role>,
}

struct Config {
    fields: Fields,
    keys: Vec<DecodingKey>,
}

impl Jwt {
    pub(super) fn exists(&self, path: &str) -> bool {
        path.strip_prefix("role/").is_none_or(|name| self.roles.contains_key(&name.to_lowercase()))
    }

    pub(super) fn handle(&mut self, visit: &Visit<'_>) -> Outcome {
        let (section, name) = visit.path.split_once('/').unwrap_or((visit.path, ""));
        let name = &name.to_lowercase();
        match (section, visit.operation) {
            ("config", Operation::Read) => self.read_config(),
            ("config", Operation::Write) => self.write_config(visit.fields),
            ("role", Operation::List) => Answer::keys(&folder::children(self.roles.keys(), "")),
            ("role", Operation::Read) => {
                self.roles.get(name).map(Role::describe).ok_or_else(Refusal::nothing)?
            }
            ("role", Operation::Write) => {
                let fields = match self.roles.get(name) {
                    Some(role) => rewritten(role.fields(), visit.fields),
                    None => visit.fields.clone(),
                };
                self.roles.insert(name.to_owned(), Role::read(fields)?);
                Ok(Answer::empty())
            }
            ("role", Operation::Delete) => {
                self.roles.remove(name);
                Ok(Answer::empty())
            }
            ("config" | "role" | "login", _) => Err(Refusal::unsupported_operation()),
            _ => Err(Refusal::unsupported_path()),
        }
    }

    /// Verifies a login and says which token it earns. `mount` is `auth/<path>/`.
    pub(super) fn login(&self, mount: &str, fields: &Fields, now: Moment) -> Result<TokenSpec, Refusal> {
        let config = self.config.as_ref().ok_or_else(|| Refusal::bad("could not load configuration"))?;
        let name = match fields.text("role") {
            name if name.is_empty() => config.fields.text("default_role"),
            name => name,
        };
        if name.is_empty() {
            return Err(Refusal::bad("missing role"));
        }
        let missing = || Refusal::bad(format!("role {name:?} could not be found"));
        let role = self.roles.get(&name.to_lowercase()).ok_or_else(missing)?;
        role.must_be_for_jwts()?;
        let token = fields.text("jwt");
        if token.is_empty() {
            return Err(Refusal::bad("missing token"));
        }
        let invalid = |why: &str| Refusal::bad(format!("error validating token: {why}"));
        let claims = jws::verified(&config.keys, &token)
            .ok_or_else(|| invalid(&format!("error verifying token signature: {}", unverified(&token))))?;
        if let Some(why) = config.unwanted(&token) {
            return Err(invalid(&why));
        }
        role.check(&claims, &config.fields.text("bound_issuer"), now).map_err(|why| invalid(&why))?;
        role.admit(mount, name.to_lowercase(), &claims)
    }

    /// The lifetime that a renewal of a login's token gets; the role is asked again.
    pub(super) fn renewal(&self, role: &str) -> Result<Limits, String> {
        let gone = || format!("role {role} does not exist during renewal");
        self.roles.get(role).map(Role::limits).ok_or_else(gone)
    }

    fn read_config(&self) -> Outcome {
        let fields = &self.config.as_ref().ok_or_else(Refusal::nothing)?.fields;
        Answer::data(&json!({
            "bound_issuer": fields.text("bound_issuer"),
            "default_role": fields.text("default_role"),
            "jwks_ca_pem": "",
            "jwks_url": "",
            "jwt_supported_algs": fields.list("jwt_supported_algs"),
            "jwt_validation_pubkeys": fields.list("jwt_validation_pubkeys"),
            "namespace_in_state": true,
            "oidc_client_id": "",
            "oidc_discovery_ca_pem": "",
            "oidc_discovery_url": "",
            "oidc_response_mode": "",
            "oidc_response_types": [],
            "override_allowed_server_names": [],
            "provider_config": {},
            "status": "valid",
        }))
    }

    fn write_config(&mut self, fields: &Fields) -> Outcome {
        let remote = ["jwks_url", "jwks_pairs", "oidc_discovery_url", "provider_config"];
        let pems = fields.list("jwt_validation_pubkeys");
        if remote.iter().any(|name| fields.get(name).is_some()) {
            return Err(Refusal::bad("the development server knows keys from 'jwt_validation_pubkeys' only"));
        }
        if pems.is_empty() {
            return Err(Refusal::bad(
                "exactly one of 'jwt_validation_pubkeys', 'jwks_url', 'jwks_pairs', 'oidc_discovery_url', or \
                 'provider_config' must be set",
            ));
        }
        let key = |pem: &String| {
            let wrong = "error parsing public key: data does not contain any valid public keys";
            jws::public_key(pem).ok_or_else(|| Refusal::bad(wrong))
        };
        let keys = pems.iter().map(key).collect::<Result<_, _>>()?;
        if let Some(name) =
            fields.list("jwt_supported_algs").iter().find(|name| !ALGORITHMS.contains(&name.as_str()))
        {
            return Err(Refusal::bad(format!(
                "invalid jwt_supported_algs: unsupported signing algorithm {name:?}"
            )));
        }
        self.config = Some(Config { fields: fields.clone(), keys });
        Ok(Answer::empty())
    }
}

impl Config {
    /// Says so if the token is signed with an algorithm that the configuration doesn't list.
    fn unwanted(&self, token: &str) -> Option<String> {
        let wanted = self.fields.list("jwt_supported_algs");
        let algorithm = format!("{:?}", jsonwebtoken::decode_header(token).ok()?.alg);
        if wanted.is_empty() || wanted.contains(&algorithm) {
            return None;
        }
        let list = serde_json::Value::from(wanted);
        Some(format!(
            "invalid algorithm (alg) header parameter: token signed with unexpected algorithm {algorithm:?}, \
             expected one of {}",
            shown(&list)
        ))
    }
}

/// What the original says about a token that no key fits.
fn unverified(token: &str) -> &'static str {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let parts: Vec<&str> = token.split('.').collect();
    match parts.as_slice() {
        [header, _, _] if URL_SAFE_NO_PAD.decode(header).is_err() => "illegal base64 data at input byte 0",
        [_, _, _] => "no known key successfully validated the token signature",
        _ => "go-jose/go-jose: compact JWS format must have three parts",
    }
}

#[cfg(test)]
mod tests;
