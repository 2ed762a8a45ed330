//! Why logins fail, what that means for the next one, and what the user can do about it.

use std::{path::PathBuf, sync::Arc};

use thiserror::Error;

use super::machine::LoginFailure;
use crate::{
    auth::method::{Method, MethodError},
    http::SetupError,
    vault::error::VaultError,
};

/// Why auto-auth ended. It never ends otherwise.
#[derive(Debug, Error)]
pub enum AutoAuthError {
    /// A login failed and `exit_on_err` is set: why, and what to do about it.
    #[error("login failed, and exit_on_err is set: {0}")]
    Login(Arc<str>),
}

/// Why a login failed.
#[derive(Debug, Error)]
pub enum LoginError {
    /// There is nothing to log in with.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// The server, or the way to it.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The method's own certificate files.
    #[error("the connection for the login can't be set up")]
    Setup(#[from] SetupError),
    /// The wrapping token of a secret ID is spent, expired or none.
    #[error("the wrapped secret ID in {} can't be opened", file.display())]
    Wrapping {
        /// The file with the wrapping token.
        file: PathBuf,
        /// What the server says.
        source: VaultError,
    },
    /// The wrapping token was not made where it should have been.
    #[error(
        "possible security incident: the wrapping token in {} was made by {found}, not by {expected}; somebody may \
         have unwrapped the secret ID and wrapped another",
        file.display()
    )]
    CreationPath {
        /// The file with the wrapping token.
        file: PathBuf,
        /// The configured path.
        expected: String,
        /// What the server says.
        found: String,
    },
    /// A successful answer that is no login.
    #[error("the server's answer to the login has no {0}")]
    Unusable(&'static str),
}

impl LoginError {
    /// What kind of failure it is for the machine.
    pub(super) fn failure(&self) -> LoginFailure {
        match self {
            Self::Method(_) => LoginFailure::NoCredential,
            Self::Vault(error) | Self::Wrapping { source: error, .. } => of_server(error),
            Self::Unusable(_) | Self::Setup(_) | Self::CreationPath { .. } => LoginFailure::Refused,
        }
    }

    /// What the user can do about it.
    pub(super) fn hint(&self, method: &Method) -> Option<&'static str> {
        match self {
            Self::Method(error) => Some(error.hint()),
            Self::Setup(_) => Some("check ca_cert, client_cert and client_key of the method"),
            Self::Wrapping { source, .. } if source.is_definite() => Some(
                "a wrapping token works once and for a short time: if nobody else can have used it, put a new one into \
             the file",
            ),
            Self::Wrapping { source, .. } => source.hint(),
            Self::CreationPath { .. } => Some(
                "find out who used the wrapping token, or correct secret_id_response_wrapping_path (for instance \
             auth/approle/role/ROLE/secret-id)",
            ),
            Self::Vault(VaultError::Denied(_) | VaultError::InvalidToken(_)) => Some(method.refusal_hint()),
            Self::Vault(VaultError::Missing(_)) => {
                Some("check the mount path of the auth method and the namespace")
            }
            Self::Vault(error @ VaultError::Invalid(answer)) => Some(match method {
                _ if let Some(hint) = error.hint() => hint,
                // These say with 400 what others say with 403.
                Method::AppRole(_) | Method::Cert(_) => method.refusal_hint(),
                Method::Jwt(_) if !answer.errors.iter().any(|text| text.contains("role")) => {
                    method.refusal_hint()
                }
                _ => "check the role's name and the mount path",
            }),
            Self::Vault(error) => error.hint(),
            Self::Unusable(_) => Some("check that the mount path is that of an auth method"),
        }
    }
}

fn of_server(error: &VaultError) -> LoginFailure {
    match error {
        error if error.is_unreachable() => LoginFailure::Unreachable,
        error if error.is_cut() => LoginFailure::Cut,
        error if error.retry_helps() || error.retry_after().is_some() => {
            LoginFailure::Later(error.retry_after())
        }
        _ => LoginFailure::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{MethodConfig, MethodKind},
        origin::Origin,
        vault::error::Answer,
    };

    fn method(kind: MethodKind) -> Method {
        Method::new(&MethodConfig {
            kind,
            mount_path: "auth/x".into(),
            namespace: None,
            min_backoff: std::time::Duration::ZERO,
            max_backoff: std::time::Duration::ZERO,
            retry_base: None,
            retry_cap: None,
            exit_on_err: false,
            wrap_ttl: std::time::Duration::ZERO,
            origin: Origin::Default,
        })
    }

    fn refused(status: u16, said: &str) -> LoginError {
        LoginError::Vault(VaultError::from_answer(
            Answer {
                method: reqwest::Method::PUT,
                url: "https://v/v1/auth/x/login".into(),
                status,
                errors: vec![said.to_owned()],
                retry_after: None,
            },
            false,
        ))
    }

    #[test]
    fn a_refusal_is_explained_by_the_method_it_came_from() {
        let approle = method(MethodKind::AppRole {
            role_id_path: "/r".into(),
            secret_id_path: None,
            remove_secret_id: true,
            wrapping_path: None,
        });
        let cert = method(MethodKind::Cert { name: None, identity: None });
        let jwt = method(MethodKind::Jwt {
            role: "web".into(),
            path: "/jwt".into(),
            remove: true,
            remove_follows_links: false,
            read_period: None,
        });
        for (method, status, said, says) in [
            (&approle, 400, "invalid role or secret ID", "the secret ID may be used up"),
            (
                &cert,
                400,
                "invalid certificate or no client certificate supplied",
                "compare the client certificate",
            ),
            (&jwt, 400, "error validating token: invalid audience (aud) claim", "compare the JWT"),
            (&jwt, 400, "role \"web\" could not be found", "check the role's name"),
            (&jwt, 403, "permission denied", "compare the JWT"),
            (&jwt, 404, "no handler", "check the mount path"),
        ] {
            let hint = refused(status, said).hint(method).unwrap();
            assert!(hint.starts_with(says), "{said}: {hint}");
        }
    }
}
