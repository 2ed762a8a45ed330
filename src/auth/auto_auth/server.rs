//! The server as auto-auth sees it: the real one is the gate.

use crate::vault::{
    client::{Call, VaultClient},
    error::VaultError,
    gate::{Class, Gate, Pass},
    secret::Secret,
};

/// The server as auto-auth sees it.
pub trait Server: Send + Sync {
    /// The right to send one request.
    type Pass: Send;

    /// Waits until a request may be sent; an outage may pass meanwhile.
    fn pass(&self, class: Class, path: &str) -> impl Future<Output = Self::Pass> + Send;

    /// Sends it.
    fn send(
        &self,
        pass: Self::Pass,
        path: &str,
        call: &Call<'_>,
    ) -> impl Future<Output = Result<Option<Secret>, VaultError>> + Send;

    /// Its address, for messages.
    fn address(&self) -> String;
}

impl Server for Gate<VaultClient> {
    type Pass = Pass;

    async fn pass(&self, class: Class, path: &str) -> Pass {
        Self::pass(self, class, path).await
    }

    async fn send(&self, pass: Pass, path: &str, call: &Call<'_>) -> Result<Option<Secret>, VaultError> {
        let result = self.upstream().send(call).await;
        self.report(path, &result);
        drop(pass);
        result
    }

    fn address(&self) -> String {
        self.upstream().address()
    }
}
