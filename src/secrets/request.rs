//! The one key of the store: two requests with the same meaning are one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::pki::Places;
pub use crate::auth::AuthId;
use crate::vault::{
    lifetime::Rules,
    path::{Namespace, Params, VaultPath},
};

/// What is done with the path.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// GET.
    Read,
    /// GET with `list=true`.
    List,
    /// PUT with these string fields; they may be secret, so `Debug` shows their names only.
    Write(Params),
    /// PUT of these string fields to a PKI issue path, with a valid pair on disk used instead (`pkiCert`).
    Issue(Params),
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
            Verb::Issue(_) => "issue",
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

/// The whole set of requests that templates need.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// What is needed; the store forgets what is not in it.
    pub requests: BTreeSet<SecretRequest>,
    /// Where the templates of an issued certificate keep it. Data beside the key: requests stay one, wherever their
    /// answers are written.
    pub places: BTreeMap<SecretRequest, Places>,
    /// Refresh rules of requests for which those of the run don't count.
    pub rules: BTreeMap<SecretRequest, Rules>,
}

impl From<BTreeSet<SecretRequest>> for Wanted {
    fn from(requests: BTreeSet<SecretRequest>) -> Self {
        Self { requests, ..Self::default() }
    }
}
