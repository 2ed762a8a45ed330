//! Wraps a token for a sink: who reads the file gets a token that works once.
//!
//! Source: <https://developer.hashicorp.com/vault/api-docs/system/wrapping-wrap>.

use std::{collections::BTreeMap, time::Duration};

use crate::vault::{
    client::{Body, Call, Product, VaultClient},
    error::VaultError,
    gate::{Class, Gate},
    path::Namespace,
    secret::WrapInfo,
    token::Token,
};

const WRAP: &str = "sys/wrapping/wrap";

/// Whoever wraps tokens: the server behind its gate.
pub trait Wrap: Send + Sync {
    /// Wraps a token, with the token itself; `None`: the server wrapped nothing.
    fn wrap(
        &self,
        token: &Token,
        namespace: Option<&Namespace>,
        ttl: Duration,
    ) -> impl Future<Output = Result<Option<WrapInfo>, VaultError>> + Send;
}

impl Wrap for Gate<VaultClient> {
    async fn wrap(
        &self,
        token: &Token,
        namespace: Option<&Namespace>,
        ttl: Duration,
    ) -> Result<Option<WrapInfo>, VaultError> {
        let body = Body::json(&BTreeMap::from([("token", token.expose())]));
        let call = Call::write(WRAP, body, Product::AutoAuth).token(token).namespace(namespace).wrap_ttl(ttl);
        let answer = self.send(Class::Repeat, WRAP, &call).await?;
        Ok(answer.and_then(|answer| answer.wrap_info).filter(|info| !info.token.is_empty()))
    }
}
