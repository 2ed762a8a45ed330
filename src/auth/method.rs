//! The login methods: each turns its credentials into one request.

use std::{fs, io, path::PathBuf, time::Duration};

use thiserror::Error;
use zeroize::Zeroizing;

use super::{claims::Claims, kubernetes::Kubernetes, token_file::TokenFile};
use crate::{
    config::{MethodConfig, MethodKind},
    vault::{client::Body, token::Token},
};

/// A login method with its settings and what it remembers.
#[derive(Clone, Debug)]
pub enum Method {
    /// Service-account JWT.
    Kubernetes(Kubernetes),
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
            MethodKind::TokenFile { path } => Self::TokenFile(TokenFile::new(path)),
        }
    }

    /// The name that configurations and loggers use.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Kubernetes(_) => "kubernetes",
            Self::TokenFile(_) => "token_file",
        }
    }

    /// The role it logs in to, for messages.
    pub fn role(&self) -> Option<&str> {
        match self {
            Self::Kubernetes(method) => Some(method.role()),
            Self::TokenFile(_) => None,
        }
    }

    /// The request of the next login, from credentials read now. `now` in seconds since 1970.
    ///
    /// # Errors
    /// Credentials that aren't there, or would be refused for sure.
    pub fn prepare(&mut self, now: u64) -> Result<LoginRequest, MethodError> {
        match self {
            Self::Kubernetes(method) => method.prepare(now),
            Self::TokenFile(method) => method.prepare(),
        }
    }
}

/// A credential file, trimmed.
pub(super) fn read_trimmed(
    what: &'static str,
    path: &std::path::Path,
) -> Result<Zeroizing<String>, MethodError> {
    let text = fs::read_to_string(path).map(Zeroizing::new).map_err(|source| MethodError::Read {
        what,
        path: path.to_owned(),
        source,
    })?;
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(MethodError::Empty { what, path: path.to_owned() });
    }
    Ok(Zeroizing::new(trimmed.to_owned()))
}
