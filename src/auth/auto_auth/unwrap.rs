//! Opens a wrapped secret ID: only one that was wrapped where it should have been, or somebody else has read it.
//!
//! Source: <https://developer.hashicorp.com/vault/docs/concepts/response-wrapping#response-wrapping-token-validation>.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{AutoAuth, LoginError, Server};
use crate::vault::{
    client::{Body, Call, Product},
    error::VaultError,
    gate::Class,
    secret::Secret,
    token::Token,
    value::Value,
};

const LOOKUP: &str = "sys/wrapping/lookup";
const UNWRAP: &str = "sys/wrapping/unwrap";

impl<S: Server> AutoAuth<S> {
    /// The secret ID behind a wrapping token. `pass` is for the first of the two requests.
    pub(super) async fn open_secret_id(
        &self,
        pass: S::Pass,
        token: &Token,
        creation_path: &str,
        file: &Path,
    ) -> Result<Zeroizing<String>, LoginError> {
        let namespace = self.config.namespace.clone();
        let failed = |source: VaultError| LoginError::Wrapping { file: file.to_owned(), source };
        let lookup = Call::read(LOOKUP, Product::AutoAuth).namespace(namespace.as_ref()).token(token);
        let answer = self.server.send(pass, LOOKUP, &lookup, None).await.map_err(failed)?;
        check_creation_path(&answer.unwrap_or_default(), creation_path, file)?;
        let pass = self.server.pass(Class::First, UNWRAP).await;
        let body = Body::json(&serde_json::json!({}));
        let unwrap = Call::write(UNWRAP, body, Product::AutoAuth).namespace(namespace.as_ref()).token(token);
        let answer = self.server.send(pass, UNWRAP, &unwrap, None).await.map_err(failed)?;
        let data = answer.unwrap_or_default().data;
        match data.as_ref().and_then(|data| data.get("secret_id")).and_then(Value::as_str) {
            Some(secret_id) if !secret_id.is_empty() => Ok(Zeroizing::new(secret_id.to_owned())),
            _ => Err(LoginError::Unusable("secret_id in what was unwrapped")),
        }
    }
}

fn check_creation_path(answer: &Secret, expected: &str, file: &Path) -> Result<(), LoginError> {
    let found = answer.data.as_ref().and_then(|data| data.get("creation_path")).and_then(Value::as_str);
    if found == Some(expected) {
        return Ok(());
    }
    Err(LoginError::CreationPath {
        file: PathBuf::from(file),
        expected: expected.to_owned(),
        found: found.unwrap_or("nothing").to_owned(),
    })
}
