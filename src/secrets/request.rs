//! The one key of the store: two requests with the same meaning are one.

use std::{fmt, sync::Arc};

pub use crate::auth::AuthId;
use crate::vault::path::{Namespace, Params, VaultPath};

/// What is done with the path.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// GET.
    Read,
    /// GET with `list=true`.
    List,
    /// PUT with these string fields; they may be secret, so `Debug` shows their names only.
    Write(Params),
    /// PUT to a PKI issue path, with a valid pair on disk reused (`pkiCert`); `destination` is the file looked at.
    Issue {
        /// Parameters of the certificate.
        fields: Params,
        /// The template's destination.
        destination: Arc<str>,
    },
}

/// One thing that a template asks the server for.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretRequest {
    /// The login it is made with.
    pub auth: AuthId,
    /// The namespace it is made in; `None` is the root.
    pub namespace: Option<Namespace>,
    /// What is done.
    pub verb: Verb,
    /// Where, as the template wrote it (before KV rewriting).
    pub path: VaultPath,
    /// Query parameters (`?version=3`).
    pub params: Params,
}

impl fmt::Display for SecretRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.verb {
            Verb::Read => "read",
            Verb::List => "list",
            Verb::Write(_) => "write",
            Verb::Issue { .. } => "issue",
        };
        write!(f, "{verb} {}", self.path)?;
        if let Some(version) = self.params.get("version") {
            write!(f, " version {version}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SecretRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
