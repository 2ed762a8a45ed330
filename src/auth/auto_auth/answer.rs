//! What the answers to logins and look-ups grant.

use std::time::{Duration, SystemTime};

use super::{LoginError, machine::Grant};
use crate::vault::{
    lifetime::seconds,
    secret::{Secret, WrapInfo},
    token::Token,
    value::Value,
};

/// What a login brought, before it is published.
pub(super) struct Granted {
    pub(super) grant: Grant,
    pub(super) token: Token,
    pub(super) accessor: String,
    pub(super) ttl: Duration,
    pub(super) renewable: bool,
    pub(super) policies: Vec<String>,
    pub(super) wrapped: Option<WrapInfo>,
    /// It was handed over; this is when its login was.
    pub(super) adopted: Option<SystemTime>,
}

impl Granted {
    /// Reads the answer to a login; `wrapped`: a wrapped token was asked for.
    pub(super) fn from_login(answer: Secret, wrapped: bool) -> Result<Self, LoginError> {
        if wrapped {
            let info = answer.wrap_info.ok_or(LoginError::Unusable("wrap_info, though wrap_ttl is set"))?;
            if info.token.is_empty() {
                return Err(LoginError::Unusable("token in its wrap_info"));
            }
            return Ok(Self {
                grant: Grant::Wrapped,
                token: info.token.clone(),
                accessor: info.accessor.clone(),
                ttl: seconds(info.ttl),
                renewable: false,
                policies: Vec::new(),
                wrapped: Some(info),
                adopted: None,
            });
        }
        let auth = answer.auth.ok_or(LoginError::Unusable("auth block"))?;
        if auth.client_token.is_empty() {
            return Err(LoginError::Unusable("client_token"));
        }
        let (ttl, renewable) = (seconds(auth.lease_duration), auth.renewable);
        Ok(Self {
            grant: Grant::Token { ttl, renewable },
            token: auth.client_token,
            accessor: auth.accessor,
            ttl,
            renewable,
            policies: auth.policies,
            wrapped: None,
            adopted: None,
        })
    }

    /// Reads the answer to a look-up of a token from a file.
    pub(super) fn from_lookup(token: Token, answer: Secret) -> Result<Self, LoginError> {
        let data = answer.data.ok_or(LoginError::Unusable("data"))?;
        let ttl = seconds(data.get("ttl").and_then(Value::as_i64).unwrap_or(0));
        let renewable = data.get("renewable") == Some(&Value::Bool(true));
        // A TTL that was rounded down to 0 is not that of a token without end; only the latter has no expiry.
        let ends = data.get("expire_time").is_some_and(|time| *time != Value::Null);
        let grant = if ttl.is_zero() && ends { Grant::Ending } else { Grant::Token { ttl, renewable } };
        let accessor = data.get("accessor").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self {
            grant,
            token,
            accessor,
            ttl,
            renewable,
            policies: Vec::new(),
            wrapped: None,
            adopted: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(json: &str) -> Secret {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_root_token_in_a_file_never_ends() {
        let root = r#"{"data":{"ttl":0,"expire_time":null,"renewable":false,"accessor":"a"}}"#;
        let granted = Granted::from_lookup(Token::new("t"), secret(root)).unwrap();
        assert_eq!(granted.grant, Grant::Token { ttl: Duration::ZERO, renewable: false });
        assert_eq!(granted.accessor, "a");
        let ending = r#"{"data":{"ttl":0,"expire_time":"2030-01-01T00:00:00Z","renewable":true}}"#;
        assert_eq!(Granted::from_lookup(Token::new("t"), secret(ending)).unwrap().grant, Grant::Ending);
    }

    #[test]
    fn a_wrapped_login_needs_wrap_info_and_a_plain_one_a_token() {
        let plain = r#"{"auth":{"client_token":"t"}}"#;
        assert!(matches!(Granted::from_login(secret(plain), true), Err(LoginError::Unusable(_))));
        assert!(Granted::from_login(secret(plain), false).is_ok());
        let empty = r#"{"wrap_info":{"token":""}}"#;
        assert!(matches!(Granted::from_login(secret(empty), true), Err(LoginError::Unusable(_))));
    }
}
