//! The answer bodies of Vault's API: secret, auth, wrap info, errors.
//!
//! Source: <https://developer.hashicorp.com/vault/api-docs> ("response format").

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::{token::Token, value::Value};

/// What a read, write or login answers. Fields that the server left out are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Secret {
    /// Id of the request, different in every answer.
    #[serde(deserialize_with = "null_as_default")]
    pub request_id: String,
    /// Lease id; empty when the data has no lease.
    #[serde(deserialize_with = "null_as_default")]
    pub lease_id: String,
    /// Lease duration in seconds; 0 when there is none.
    #[serde(deserialize_with = "null_as_default")]
    pub lease_duration: i64,
    /// Whether the lease can be renewed.
    #[serde(deserialize_with = "null_as_default")]
    pub renewable: bool,
    /// The secret's data; `None` for an answer without any.
    pub data: Option<Value>,
    /// Warnings of the server.
    #[serde(deserialize_with = "null_as_default")]
    pub warnings: Vec<String>,
    /// Present in answers to logins and token creation.
    pub auth: Option<Auth>,
    /// Present in answers to requests with a wrap TTL.
    pub wrap_info: Option<WrapInfo>,
}

/// The `auth` block of a login or token answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Auth {
    /// The new token.
    pub client_token: Token,
    /// Accessor of the token.
    #[serde(default, deserialize_with = "null_as_default")]
    pub accessor: String,
    /// All policies, those of the identity included.
    #[serde(default, deserialize_with = "null_as_default")]
    pub policies: Vec<String>,
    /// Policies of the token alone.
    #[serde(default, deserialize_with = "null_as_default")]
    pub token_policies: Vec<String>,
    /// What the auth method knows about the client.
    #[serde(default, deserialize_with = "null_as_default")]
    pub metadata: BTreeMap<String, String>,
    /// TTL in seconds; 0 means it never expires.
    #[serde(default, deserialize_with = "null_as_default")]
    pub lease_duration: i64,
    /// Whether the token can be renewed.
    #[serde(default, deserialize_with = "null_as_default")]
    pub renewable: bool,
    /// `service` or `batch`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub token_type: String,
}

/// The `wrap_info` block of a wrapped answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WrapInfo {
    /// The wrapping token.
    pub token: Token,
    /// Accessor of the wrapping token.
    #[serde(default, deserialize_with = "null_as_default")]
    pub accessor: String,
    /// Seconds that the wrapping token lives.
    #[serde(default, deserialize_with = "null_as_default")]
    pub ttl: i64,
    /// When it was made, RFC 3339.
    #[serde(default, deserialize_with = "null_as_default")]
    pub creation_time: String,
    /// The path whose answer it wraps.
    #[serde(default, deserialize_with = "null_as_default")]
    pub creation_path: String,
    /// Accessor of the token inside, when a token is wrapped.
    #[serde(default, deserialize_with = "null_as_default")]
    pub wrapped_accessor: String,
}

impl WrapInfo {
    /// What readers of a sink expect: one line of JSON.
    pub fn json_line(&self) -> Zeroizing<Vec<u8>> {
        let quoted = |text: &str| Zeroizing::new(serde_json::Value::from(text).to_string());
        let line = format!(
            r#"{{"token":{},"accessor":{},"ttl":{},"creation_time":{},"creation_path":{},"wrapped_accessor":{}}}"#,
            *quoted(self.token.expose()),
            *quoted(&self.accessor),
            self.ttl,
            *quoted(&self.creation_time),
            *quoted(&self.creation_path),
            *quoted(&self.wrapped_accessor),
        );
        let mut bytes = Zeroizing::new(line.into_bytes());
        bytes.push(b'\n');
        bytes
    }
}

/// The body of an answer with status 400 or above.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ErrorBody {
    /// What the server says is wrong; may be empty (404).
    #[serde(deserialize_with = "null_as_default")]
    pub errors: Vec<String>,
}

impl fmt::Display for ErrorBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.errors.join("; "))
    }
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_answer_parses_with_nulls() {
        let secret: Secret = serde_json::from_str(
            r#"{"request_id":"r","lease_id":"database/creds/app/1","renewable":true,"lease_duration":3600,
                "data":{"username":"u"},"wrap_info":null,"warnings":null,"auth":null,"mount_type":"database"}"#,
        )
        .unwrap();
        assert_eq!(secret.lease_duration, 3600);
        assert!(secret.renewable && secret.warnings.is_empty() && secret.auth.is_none());
        assert_eq!(secret.data.unwrap().get("username").unwrap().as_str(), Some("u"));
    }

    #[test]
    fn a_token_never_shows_in_debug() {
        let secret: Secret =
            serde_json::from_str(r#"{"auth":{"client_token":"hvs.canary","lease_duration":60}}"#).unwrap();
        assert_eq!(secret.auth.as_ref().unwrap().client_token.expose(), "hvs.canary");
        assert!(!format!("{secret:?}").contains("canary"));
    }
}
