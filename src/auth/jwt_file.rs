//! Method `jwt`: a JWT that somebody puts into a file, which is removed once it is read.
//!
//! Source: <https://developer.hashicorp.com/vault/docs/agent-and-proxy/autoauth/methods/jwt>.

use std::{io, path::PathBuf, time::Duration};

use serde::Serialize;
use zeroize::Zeroizing;

use super::{
    claims::Claims,
    credential::Credential,
    method::{LoginRequest, MethodError},
};
use crate::{problem::chain, vault::client::Body};

const LOGGER: &str = "agent.auth.jwt";
const WHAT: &str = "the JWT";

/// What is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) login_path: String,
    pub(super) role: String,
    pub(super) path: PathBuf,
    pub(super) remove: bool,
    pub(super) remove_follows_links: bool,
    pub(super) read_period: Option<Duration>,
}

/// The method's settings and the last JWT read.
#[derive(Clone)]
pub struct JwtFile {
    settings: Settings,
    last: Option<Zeroizing<String>>,
}

#[derive(Serialize)]
struct Credentials<'a> {
    jwt: &'a str,
    role: &'a str,
}

impl JwtFile {
    pub(super) const fn new(settings: Settings) -> Self {
        Self { settings, last: None }
    }

    pub(super) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The login request with the JWT that is in the file now, or else the last one that was.
    pub(super) fn prepare(&mut self) -> Result<LoginRequest, MethodError> {
        if let Err(error) = self.take()
            && self.last.is_none()
        {
            return Err(error);
        }
        let Some(jwt) = &self.last else {
            return Err(MethodError::Empty { what: WHAT, path: self.settings.path.clone() });
        };
        let body = Body::json(&Credentials { jwt, role: &self.settings.role });
        Ok(LoginRequest::Write { path: self.settings.login_path.clone(), body, claims: Claims::read(jwt) })
    }

    /// Looks at the file; whether there was a JWT that is not the last one.
    pub(super) fn look(&mut self) -> bool {
        self.take().unwrap_or(false)
    }

    /// Takes over what is in the file, and removes it if that is wanted. Whether it is new.
    fn take(&mut self) -> Result<bool, MethodError> {
        let Settings { path, remove, remove_follows_links, .. } = &self.settings;
        let found = match Credential::read(WHAT, path) {
            Ok(found) => found,
            Err(error) => {
                // Gone is what it is after it was read.
                if !matches!(&error, MethodError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
                    && self.last.is_some()
                {
                    tracing::warn!(target: LOGGER, error = chain(&error), "keeping the last JWT that was read");
                }
                return Err(error);
            }
        };
        if *remove && let Err(error) = found.remove(path, *remove_follows_links) {
            tracing::error!(target: LOGGER, path = %path.display(), %error, "error removing the JWT file");
        }
        let new = self.last.as_ref() != Some(&found.text);
        self.last = Some(found.text);
        Ok(new)
    }
}

impl std::fmt::Debug for JwtFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("JwtFile").field(&self.settings).finish()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests lay out the files they look at")]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::auth::claims::tests::jwt;

    fn method(path: &Path, remove: bool) -> JwtFile {
        JwtFile::new(Settings {
            login_path: "auth/jwt/login".into(),
            role: "web".into(),
            path: path.to_owned(),
            remove,
            remove_follows_links: false,
            read_period: None,
        })
    }

    fn body(method: &mut JwtFile) -> String {
        let LoginRequest::Write { path, body, .. } = method.prepare().unwrap() else { panic!() };
        assert_eq!(path, "auth/jwt/login");
        String::from_utf8(body.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_jwt_is_read_once_removed_and_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwt");
        let mut method = method(&path, true);
        assert!(matches!(method.prepare().unwrap_err(), MethodError::Read { .. }));
        assert!(!method.look());
        fs::write(&path, "one\n").unwrap();
        assert_eq!(body(&mut method), r#"{"jwt":"one","role":"web"}"#, "trimmed");
        assert!(!path.exists());
        assert_eq!(body(&mut method), r#"{"jwt":"one","role":"web"}"#);
        fs::write(&path, "two").unwrap();
        assert!(method.look() && !path.exists());
        assert!(!method.look());
        assert_eq!(body(&mut method), r#"{"jwt":"two","role":"web"}"#);
        assert!(!format!("{method:?}").contains("two"));
    }

    #[test]
    fn an_empty_file_is_left_and_forgets_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwt");
        let mut method = method(&path, true);
        fs::write(&path, "").unwrap();
        assert!(matches!(method.prepare().unwrap_err(), MethodError::Empty { .. }));
        assert!(path.exists(), "only what was read is removed");
        fs::write(&path, "one").unwrap();
        body(&mut method);
        fs::write(&path, "").unwrap();
        assert!(body(&mut method).contains("one") && path.exists());
    }

    #[test]
    fn a_file_that_stays_is_news_only_when_its_jwt_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwt");
        let mut method = method(&path, false);
        fs::write(&path, jwt(r#"{"sub":"web"}"#)).unwrap();
        let LoginRequest::Write { claims, .. } = method.prepare().unwrap() else { panic!() };
        assert_eq!(claims.unwrap().sub.as_deref(), Some("web"));
        assert!(!method.look() && path.exists());
        fs::write(&path, "two").unwrap();
        assert!(method.look());
    }
}
