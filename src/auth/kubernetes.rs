//! Method `kubernetes`: the service-account JWT, read anew at every login; an expired one is never sent.
//!
//! Source: <https://developer.hashicorp.com/vault/api-docs/auth/kubernetes#login>.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    claims::Claims,
    method::{LoginRequest, MethodError, read_trimmed},
};
use crate::vault::client::Body;

/// The method's settings.
#[derive(Clone, Debug)]
pub struct Kubernetes {
    login_path: String,
    role: String,
    jwt_path: PathBuf,
}

#[derive(Serialize)]
struct Credentials<'a> {
    jwt: &'a str,
    role: &'a str,
}

impl Kubernetes {
    /// Logs in at `<mount>/login`.
    pub fn new(mount: &str, role: &str, jwt_path: &Path) -> Self {
        let login_path = format!("{}/login", mount.trim_matches('/'));
        Self { login_path, role: role.to_owned(), jwt_path: jwt_path.to_owned() }
    }

    /// The role's name.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// The login request with the JWT as it is in the file now.
    ///
    /// # Errors
    /// No JWT, or one that is over. `now` in seconds since 1970.
    pub fn prepare(&self, now: u64) -> Result<LoginRequest, MethodError> {
        let jwt = read_trimmed("the service-account token", &self.jwt_path)?;
        let claims = Claims::read(&jwt);
        if let Some(claims) = &claims
            && let Some(since) = claims.expired_since(now)
        {
            let (path, claims) = (self.jwt_path.clone(), Box::new(claims.clone()));
            return Err(MethodError::Expired { path, since, claims });
        }
        let body = Body::json(&Credentials { jwt: &jwt, role: &self.role });
        Ok(LoginRequest::Write { path: self.login_path.clone(), body, claims })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::claims::tests::jwt;

    #[expect(clippy::disallowed_methods, reason = "a test's own input file")]
    fn put(path: &Path, text: &str) {
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn the_jwt_is_read_anew_trimmed_and_only_sent_while_it_is_good() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let method = Kubernetes::new("auth/kubernetes/", "web", &path);
        let error = method.prepare(0).unwrap_err();
        assert!(matches!(error, MethodError::Read { .. }) && error.to_string().contains("token"), "{error}");

        put(&path, " \n");
        assert!(matches!(method.prepare(0).unwrap_err(), MethodError::Empty { .. }));

        let old = jwt(r#"{"sub":"web","exp":1000}"#);
        put(&path, &format!("{old}\n"));
        let LoginRequest::Write { path: login, body, claims } = method.prepare(999).unwrap() else {
            panic!()
        };
        assert_eq!(login, "auth/kubernetes/login");
        assert_eq!(body.as_bytes(), format!(r#"{{"jwt":"{old}","role":"web"}}"#).as_bytes());
        assert_eq!(claims.unwrap().sub.as_deref(), Some("web"));

        let error = method.prepare(1060).unwrap_err();
        assert!(error.to_string().contains("expired 60 s ago (iss=none aud=[] sub=web"), "{error}");
        assert!(!error.to_string().contains(&old));

        put(&path, &jwt(r#"{"sub":"web","exp":2000}"#));
        assert!(method.prepare(1060).is_ok(), "a rotation is seen at once");
    }

    #[test]
    fn what_is_no_jwt_is_left_to_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        put(&path, "opaque");
        let request = Kubernetes::new("auth/k", "web", &path).prepare(5).unwrap();
        assert!(matches!(request, LoginRequest::Write { claims: None, .. }));
        assert!(!format!("{request:?}").contains("opaque"));
    }
}
