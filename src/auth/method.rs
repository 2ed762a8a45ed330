//! The login methods: each turns its credentials into one request.

use std::{io, path::PathBuf, time::Duration};

use thiserror::Error;
use zeroize::Zeroizing;

use super::{
    approle::{self, AppRole},
    cert::Cert,
    claims::Claims,
    credential::Credential,
    jwt_file::{self, JwtFile},
    kubernetes::Kubernetes,
    token_file::TokenFile,
};
use crate::{
    config::{CertIdentity, MethodConfig, MethodKind},
    vault::{client::Body, token::Token},
};

/// A login method with its settings and what it remembers.
#[derive(Clone, Debug)]
pub enum Method {
    /// Service-account JWT.
    Kubernetes(Kubernetes),
    /// JWT from a file.
    Jwt(JwtFile),
    /// Role ID and secret ID.
    AppRole(AppRole),
    /// Client certificate.
    Cert(Cert),
    /// A token that somebody else puts into a file.
    TokenFile(TokenFile),
}

/// What a login sends.
#[derive(Clone, Debug)]
pub enum LoginRequest {
    /// PUT with a body; the answer's `auth` is the login.
    Write {
        /// Path below `/v1/`.
        path: String,
        /// The credentials.
        body: Body,
        /// What the JWT says about itself, to explain a refusal.
        claims: Option<Claims>,
    },
    /// The credential is wrapped: it is to be opened first, and `Method::unwrapped` then makes the login.
    Unwrap {
        /// The wrapping token.
        token: Token,
        /// The path that must have made it, or somebody else has been at it.
        creation_path: String,
        /// The file it comes from, for messages.
        file: PathBuf,
    },
    /// The token is there already; `lookup-self` tells its TTL.
    Lookup {
        /// The token.
        token: Token,
    },
}

/// Why there is nothing to log in with yet.
#[derive(Debug, Error)]
pub enum MethodError {
    /// The file can't be read.
    #[error("can't read {what} {}: {source}", path.display())]
    Read {
        /// What the file holds.
        what: &'static str,
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is empty.
    #[error("{what} {} is empty", path.display())]
    Empty {
        /// What the file should hold.
        what: &'static str,
        /// Its path.
        path: PathBuf,
    },
    /// The JWT is past its end; the server would refuse it.
    #[error("the JWT in {} expired {} s ago ({claims}); waiting for a new one", path.display(), since.as_secs())]
    Expired {
        /// Its path.
        path: PathBuf,
        /// How long ago it ended.
        since: Duration,
        /// What it says about itself.
        claims: Box<Claims>,
    },
}

impl MethodError {
    /// What the user can do.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } | Self::Empty { .. } => {
                "check that the volume with the credentials is mounted and readable for this user"
            }
            Self::Expired { .. } => {
                "the kubelet renews projected tokens by itself; a token that stays old is not a projected one, \
                 or the node's clock is wrong"
            }
        }
    }
}

impl Method {
    /// The method that is configured.
    pub fn new(config: &MethodConfig) -> Self {
        match &config.kind {
            MethodKind::Kubernetes { role, token_path } => {
                Self::Kubernetes(Kubernetes::new(&config.mount_path, role, token_path))
            }
            MethodKind::Jwt { role, path, remove, remove_follows_links, read_period } => {
                Self::Jwt(JwtFile::new(jwt_file::Settings {
                    login_path: login_path(config),
                    role: role.clone(),
                    path: path.clone(),
                    remove: *remove,
                    remove_follows_links: *remove_follows_links,
                    read_period: *read_period,
                }))
            }
            MethodKind::AppRole { role_id_path, secret_id_path, remove_secret_id, wrapping_path } => {
                Self::AppRole(AppRole::new(approle::Settings {
                    login_path: login_path(config),
                    role_id_path: role_id_path.clone(),
                    secret_id_path: secret_id_path.clone(),
                    remove_secret_id: *remove_secret_id,
                    wrapping_path: wrapping_path.clone(),
                }))
            }
            MethodKind::Cert { name, identity } => {
                Self::Cert(Cert::new(login_path(config), name.as_deref(), identity.as_ref()))
            }
            MethodKind::TokenFile { path } => Self::TokenFile(TokenFile::new(path)),
        }
    }

    /// The name that configurations and loggers use.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Kubernetes(_) => "kubernetes",
            Self::Jwt(_) => "jwt",
            Self::AppRole(_) => "approle",
            Self::Cert(_) => "cert",
            Self::TokenFile(_) => "token_file",
        }
    }

    /// The role it logs in to, for messages.
    pub fn role(&self) -> Option<&str> {
        match self {
            Self::Kubernetes(method) => Some(method.role()),
            Self::Jwt(method) => Some(&method.settings().role),
            Self::Cert(method) => method.name(),
            Self::AppRole(_) | Self::TokenFile(_) => None,
        }
    }

    /// What to look into when the server refuses the credentials.
    pub const fn refusal_hint(&self) -> &'static str {
        match self {
            Self::Kubernetes(_) => {
                "compare the JWT with the role: bound service account names and namespaces, audience; with the mount: \
                 whether it exists (a wrong path is refused alike), issuer, CA and host of its Kubernetes; and the \
                 clocks of both sides"
            }
            Self::Jwt(_) => {
                "compare the JWT with the role: bound audiences, subject and claims; and with the mount: issuer and keys"
            }
            Self::AppRole(_) => {
                "the secret ID may be used up, expired, of another role, or bound to other addresses; put a new one \
                 into its file"
            }
            Self::Cert(_) => {
                "compare the client certificate with the role: its CA, names and validity; a proxy that ends TLS \
                 before the server takes it away"
            }
            Self::TokenFile(_) => "the token is revoked or expired; put a new one into its file",
        }
    }

    /// Trust and identity of the connection, where they differ from those of all other requests.
    pub const fn identity(&self) -> Option<&CertIdentity> {
        match self {
            Self::Cert(method) => method.identity(),
            _ => None,
        }
    }

    /// The file in which new credentials appear, when that is to be noticed between logins, and how often to look at
    /// it; without a period it is watched.
    pub(super) fn news(&self) -> Option<(PathBuf, Option<Duration>)> {
        match self {
            Self::Jwt(method) => Some((method.settings().path.clone(), method.settings().read_period)),
            Self::TokenFile(method) => Some((method.path().to_owned(), None)),
            Self::Kubernetes(_) | Self::AppRole(_) | Self::Cert(_) => None,
        }
    }

    /// Looks whether there are new credentials.
    pub(super) fn look(&mut self) -> bool {
        match self {
            Self::Jwt(method) => method.look(),
            Self::TokenFile(method) => method.look(),
            Self::Kubernetes(_) | Self::AppRole(_) | Self::Cert(_) => false,
        }
    }

    /// The request of the next login, from credentials read now. `now` in seconds since 1970.
    ///
    /// # Errors
    /// Credentials that aren't there, or would be refused for sure.
    pub fn prepare(&mut self, now: u64) -> Result<LoginRequest, MethodError> {
        match self {
            Self::Kubernetes(method) => method.prepare(now),
            Self::Jwt(method) => method.prepare(),
            Self::AppRole(method) => method.prepare(),
            Self::Cert(method) => Ok(method.prepare()),
            Self::TokenFile(method) => method.prepare(),
        }
    }

    /// The request of the login after [`LoginRequest::Unwrap`], with what came out.
    ///
    /// # Errors
    /// Another credential isn't there.
    pub(super) fn unwrapped(
        &mut self,
        token: Token,
        secret_id: Zeroizing<String>,
    ) -> Result<LoginRequest, MethodError> {
        match self {
            Self::AppRole(method) => method.unwrapped(token, secret_id),
            other => other.prepare(0),
        }
    }
}

fn login_path(config: &MethodConfig) -> String {
    format!("{}/login", config.mount_path.trim_matches('/'))
}

/// A credential file, trimmed.
pub(super) fn read_trimmed(
    what: &'static str,
    path: &std::path::Path,
) -> Result<Zeroizing<String>, MethodError> {
    Credential::read(what, path).map(|found| found.text)
}
