//! Method `cert`: the client certificate of the connection is the credential.
//!
//! Source: <https://developer.hashicorp.com/vault/api-docs/auth/cert#login-with-tls-certificate-method>.

use std::collections::BTreeMap;

use super::method::LoginRequest;
use crate::{config::CertIdentity, vault::client::Body};

/// The method's settings.
#[derive(Clone, Debug)]
pub struct Cert {
    login_path: String,
    name: Option<String>,
    identity: Option<CertIdentity>,
}

impl Cert {
    pub(super) fn new(login_path: String, name: Option<&str>, identity: Option<&CertIdentity>) -> Self {
        Self { login_path, name: name.map(str::to_owned), identity: identity.cloned() }
    }

    /// The role's name, when one is asked for.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Trust and identity, where they differ from those of all other requests.
    pub const fn identity(&self) -> Option<&CertIdentity> {
        self.identity.as_ref()
    }

    pub(super) fn prepare(&self) -> LoginRequest {
        let said: BTreeMap<&str, &str> = self.name.iter().map(|name| ("name", name.as_str())).collect();
        LoginRequest::Write { path: self.login_path.clone(), body: Body::json(&said), claims: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_says_the_role_or_nothing() {
        for (name, expected) in [(Some("web"), r#"{"name":"web"}"#), (None, "{}")] {
            let LoginRequest::Write { path, body, .. } =
                Cert::new("auth/cert/login".into(), name, None).prepare()
            else {
                panic!()
            };
            assert_eq!((path.as_str(), body.as_bytes()), ("auth/cert/login", expected.as_bytes()));
        }
    }
}
