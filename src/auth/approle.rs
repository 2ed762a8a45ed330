//! Method `approle`: role ID and secret ID from files; the secret ID may come wrapped.
//!
//! Source: <https://developer.hashicorp.com/vault/docs/agent-and-proxy/autoauth/methods/approle>.

use std::path::{Path, PathBuf};

use serde::Serialize;
use zeroize::Zeroizing;

use super::{
    credential::Credential,
    method::{LoginRequest, MethodError},
};
use crate::{
    problem::chain,
    vault::{client::Body, token::Token},
};

const LOGGER: &str = "agent.auth.approle";
const ROLE_ID: &str = "the role ID";
const SECRET_ID: &str = "the secret ID";

/// What is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) login_path: String,
    pub(super) role_id_path: PathBuf,
    pub(super) secret_id_path: Option<PathBuf>,
    pub(super) remove_secret_id: bool,
    pub(super) wrapping_path: Option<String>,
}

/// The method's settings and what was read last.
#[derive(Clone)]
pub struct AppRole {
    settings: Settings,
    role_id: Option<Zeroizing<String>>,
    secret_id: Option<Zeroizing<String>>,
    /// The wrapping token that the secret ID came in: it works only once, and its file may stay.
    opened: Option<Token>,
}

#[derive(Serialize)]
struct Credentials<'a> {
    role_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_id: Option<&'a str>,
}

impl AppRole {
    pub(super) const fn new(settings: Settings) -> Self {
        Self { settings, role_id: None, secret_id: None, opened: None }
    }

    /// The login request, or the wish to have a wrapped secret ID opened first.
    pub(super) fn prepare(&mut self) -> Result<LoginRequest, MethodError> {
        match Credential::read(ROLE_ID, &self.settings.role_id_path) {
            Ok(found) => self.role_id = Some(found.text),
            Err(error) => keep(&self.role_id, error)?,
        }
        if let Some(path) = self.settings.secret_id_path.clone() {
            match (Credential::read(SECRET_ID, &path), &self.settings.wrapping_path) {
                (Ok(found), None) => {
                    self.secret_id = Some(found.text.clone());
                    self.remove(&found);
                }
                (Ok(found), Some(creation_path)) => {
                    let token = Token::new(&found.text);
                    if self.opened.as_ref() != Some(&token) {
                        let creation_path = creation_path.clone();
                        return Ok(LoginRequest::Unwrap { token, creation_path, file: path });
                    }
                }
                (Err(error), _) => keep(&self.secret_id, error)?,
            }
        }
        self.request()
    }

    /// The login request with the secret ID that the wrapping token held. Only now its file may go.
    pub(super) fn unwrapped(
        &mut self,
        token: Token,
        secret_id: Zeroizing<String>,
    ) -> Result<LoginRequest, MethodError> {
        self.secret_id = Some(secret_id);
        if let Some(path) = &self.settings.secret_id_path
            && let Ok(found) = Credential::read(SECRET_ID, path)
            && Token::new(&found.text) == token
        {
            self.remove(&found);
        }
        self.opened = Some(token);
        self.request()
    }

    fn request(&self) -> Result<LoginRequest, MethodError> {
        let Some(role_id) = &self.role_id else {
            return Err(MethodError::Empty { what: ROLE_ID, path: self.settings.role_id_path.clone() });
        };
        let secret_id = self.secret_id.as_ref().map(|text| text.as_str());
        let body = Body::json(&Credentials { role_id, secret_id });
        Ok(LoginRequest::Write { path: self.settings.login_path.clone(), body, claims: None })
    }

    fn remove(&self, found: &Credential) {
        let Some(path) = self.settings.secret_id_path.as_ref().filter(|_| self.settings.remove_secret_id)
        else {
            return;
        };
        if let Err(error) = found.remove(path, false) {
            tracing::error!(target: LOGGER, path = %path.display(), %error, "error removing the secret ID file");
        }
    }
}

/// The role ID in a file, for telling roles apart; `None` when there is none to be read.
pub fn role_id(path: &Path) -> Option<Zeroizing<String>> {
    Credential::read(ROLE_ID, path).ok().map(|found| found.text)
}

/// A file that can't be used is no trouble once its contents are known.
fn keep(known: &Option<Zeroizing<String>>, error: MethodError) -> Result<(), MethodError> {
    if known.is_none() {
        return Err(error);
    }
    tracing::debug!(target: LOGGER, error = chain(&error), "using what was read last");
    Ok(())
}

impl std::fmt::Debug for AppRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AppRole").field(&self.settings).finish()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests lay out the files they look at")]
mod tests {
    use std::fs;

    use super::*;

    struct Files {
        folder: tempfile::TempDir,
    }

    impl Files {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("role"), "role-1\n").unwrap();
            fs::write(folder.path().join("secret"), "secret-1\n").unwrap();
            Self { folder }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn method(&self, change: impl FnOnce(&mut Settings)) -> AppRole {
            let mut settings = Settings {
                login_path: "auth/approle/login".into(),
                role_id_path: self.path("role"),
                secret_id_path: Some(self.path("secret")),
                remove_secret_id: true,
                wrapping_path: None,
            };
            change(&mut settings);
            AppRole::new(settings)
        }
    }

    fn body(request: LoginRequest) -> String {
        let LoginRequest::Write { path, body, claims: None } = request else { panic!("{request:?}") };
        assert_eq!(path, "auth/approle/login");
        String::from_utf8(body.as_bytes().to_vec()).unwrap()
    }

    const BOTH: &str = r#"{"role_id":"role-1","secret_id":"secret-1"}"#;

    #[test]
    fn the_secret_id_is_removed_once_read_and_lives_on_in_memory() {
        let files = Files::new();
        let mut method = files.method(|_| {});
        assert_eq!(body(method.prepare().unwrap()), BOTH);
        assert!(!files.path("secret").exists() && files.path("role").exists());
        fs::remove_file(files.path("role")).unwrap();
        assert_eq!(body(method.prepare().unwrap()), BOTH);
        fs::write(files.path("secret"), "secret-2").unwrap();
        fs::write(files.path("role"), "").unwrap();
        assert_eq!(body(method.prepare().unwrap()), r#"{"role_id":"role-1","secret_id":"secret-2"}"#);
        assert!(!format!("{method:?}").contains("secret-2"));
    }

    #[test]
    fn what_was_never_there_is_named() {
        let files = Files::new();
        fs::remove_file(files.path("secret")).unwrap();
        let error = files.method(|_| {}).prepare().unwrap_err().to_string();
        assert!(error.starts_with("can't read the secret ID "), "{error}");
        fs::write(files.path("role"), " ").unwrap();
        let error = files.method(|_| {}).prepare().unwrap_err().to_string();
        assert!(error.starts_with("the role ID ") && error.ends_with(" is empty"), "{error}");
    }

    #[test]
    fn a_role_may_do_without_a_secret_id_and_a_file_may_stay() {
        let files = Files::new();
        let mut alone = files.method(|settings| settings.secret_id_path = None);
        assert_eq!(body(alone.prepare().unwrap()), r#"{"role_id":"role-1"}"#);
        let mut stays = files.method(|settings| settings.remove_secret_id = false);
        assert_eq!(body(stays.prepare().unwrap()), BOTH);
        assert!(files.path("secret").exists());
    }

    #[test]
    fn a_wrapped_secret_id_is_opened_once_and_its_file_stays_until_then() {
        let path = "auth/approle/role/web/secret-id";
        for remove in [true, false] {
            let files = Files::new();
            let mut method = files.method(|settings| {
                settings.wrapping_path = Some(path.into());
                settings.remove_secret_id = remove;
            });
            for _ in 0..2 {
                let LoginRequest::Unwrap { token, creation_path, .. } = method.prepare().unwrap() else {
                    panic!("asked to open it until that works")
                };
                assert_eq!((token.expose(), creation_path.as_str()), ("secret-1", path));
                assert!(files.path("secret").exists());
            }
            let inner = Zeroizing::new("inner".to_owned());
            let request = method.unwrapped(Token::new("secret-1"), inner).unwrap();
            assert_eq!(body(request), r#"{"role_id":"role-1","secret_id":"inner"}"#);
            assert_eq!(files.path("secret").exists(), !remove);
            // The next login uses what came out, even where the spent wrapping token is still in the file.
            assert_eq!(body(method.prepare().unwrap()), r#"{"role_id":"role-1","secret_id":"inner"}"#);
            fs::write(files.path("secret"), "wrap-2").unwrap();
            assert!(matches!(method.prepare().unwrap(), LoginRequest::Unwrap { .. }));
        }
    }
}
