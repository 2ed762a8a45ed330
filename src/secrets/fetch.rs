//! How a request reaches the server: through the gate, with the KV version's path, with the newest token.

mod together;

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio::sync::watch;

use self::together::Together;
use super::{
    entry::{Answer, Failure, FailureClass},
    pki::{self, PkiError},
    request::{SecretRequest, Verb},
};
use crate::{
    auth::TokenState,
    chance::Chance,
    clock::Clock,
    problem::chain_with_hint,
    vault::{
        client::{Body, Call, Product},
        error::VaultError,
        gate::{Class, Gate},
        kv::{self, AskServer, Mount, Mounts},
        lifetime::Kind,
        path::Params,
        secret::Secret,
        token::Token,
        value::Value,
    },
};

/// How a request reaches the server. One implementation speaks to Vault; tests bring one that obeys them.
pub trait Fetch: Send + Sync + 'static {
    /// Sends the request. `repeat`: it is not the first of its kind and may be metered.
    fn fetch(
        &self,
        request: SecretRequest,
        repeat: bool,
    ) -> impl Future<Output = Result<Answer, Failure>> + Send;

    /// Renews the lease (or the token) that the request brought.
    fn renew(
        &self,
        request: SecretRequest,
        secret: Arc<Secret>,
    ) -> impl Future<Output = Result<Answer, Failure>> + Send;
}

/// The server behind the gate.
pub struct VaultFetch {
    gate: Gate,
    mounts: Mounts,
    together: Together,
    token: watch::Receiver<TokenState>,
    clock: Clock,
    chance: Chance,
    /// Retries inside one try, while the server answers that it can't just now.
    inner_retries: u32,
}

/// Bounds of the pause before the first retry inside a try; the n-th takes n times that.
const INNER_PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_millis(1500));

/// Retries inside one try, when `VAULT_MAX_RETRIES` says no other number.
pub const INNER_RETRIES: u32 = 2;

impl VaultFetch {
    /// Sends through `gate` with whatever token is the newest when its turn comes.
    pub fn new(gate: Gate, token: watch::Receiver<TokenState>, clock: Clock, inner_retries: u32) -> Self {
        let (mounts, together) = (Mounts::default(), Together::default());
        Self { gate, mounts, together, token, clock, chance: Chance::system(), inner_retries }
    }

    /// Tries until there is an answer: while the server can't be reached, the gate makes everybody wait. An answer
    /// that the server can't just now (5xx, 412, 429) is asked for again after 1–1.5 s, then after twice that, as the
    /// original's HTTP client does beneath its own retries.
    async fn answered(
        &self,
        class: Class,
        path: &str,
        call: &Call<'_>,
    ) -> Result<(Option<Secret>, u64), VaultError> {
        let (mut class, mut tries) = (class, 0);
        loop {
            let pass = self.gate.pass(class, path).await;
            let Some((token, generation)) = self.token() else { return Ok((None, 0)) };
            // Boxed, so that the many that wait for their turn hold no room for what only a few do at a time.
            let result = Box::pin(self.gate.upstream().send(&call.clone().token(&token))).await;
            self.gate.report(path, &result);
            drop(pass);
            match result {
                Err(error) if error.is_unreachable() && error.retry_helps() => {}
                Err(error)
                    if error.answer().is_some() && error.retry_helps() && tries < self.inner_retries =>
                {
                    tries += 1;
                    let pause = self.chance.between(INNER_PAUSE.0, INNER_PAUSE.1) * tries;
                    // A `Retry-After` is held by the gate.
                    if error.retry_after().is_none() {
                        tokio::time::sleep(pause).await;
                    }
                }
                other => return other.map(|answer| (answer, generation)),
            }
            self.gate.counts().retried();
            class = Class::Repeat;
        }
    }

    /// The newest token, and which one it is.
    fn token(&self) -> Option<(Token, u64)> {
        let state = self.token.borrow();
        Some((state.token()?.clone(), state.generation()))
    }

    async fn mount(&self, request: &SecretRequest) -> Result<Mount, VaultError> {
        loop {
            let Some((token, _)) = self.token() else { return Ok(Mount::Other) };
            let server = AskServer { gate: &self.gate, token: &token };
            let found = Box::pin(self.mounts.find(&request.path, request.namespace.as_ref(), &server));
            match found.await {
                Err(error) if error.is_unreachable() && error.retry_helps() => {}
                other => return other,
            }
        }
    }

    async fn send(&self, request: &SecretRequest, class: Class) -> Result<Answer, Failure> {
        let early = if self.needs_no_mount_yet(request).await {
            Some(self.read(request, class, request.path.as_str().to_owned(), &Mount::Other).await)
        } else {
            None
        };
        match early {
            Some(Ok(answer)) if kv::is_versioned(&answer.secret) => alive(answer, &request.path.to_string()),
            Some(Err(failure)) if !failure.class.is_definite() => Err(failure),
            early => self.send_by_mount(request, class, early).await,
        }
    }

    /// Whether a read can go out before anybody knows its mount: it is written as the API of version 2 wants it, so
    /// that every mount but one of version 2 in the middle of the path takes it as it is, and that one refuses it.
    async fn needs_no_mount_yet(&self, request: &SecretRequest) -> bool {
        let (path, namespace) = (request.path.as_str(), request.namespace.as_ref());
        if request.verb != Verb::Read || !kv::is_api_path(path) {
            return false;
        }
        // Others that start in this moment may have to ask, and may even want the same secret in another spelling.
        tokio::task::yield_now().await;
        !self.mounts.knows_soon(path, namespace)
    }

    /// Sends the request as its mount wants it; `early` is what the read of the path as it is has brought.
    async fn send_by_mount(
        &self,
        request: &SecretRequest,
        class: Class,
        early: Option<Result<Answer, Failure>>,
    ) -> Result<Answer, Failure> {
        let mount = self.mount(request).await.map_err(|error| failure(&error))?;
        let kind = if mount == Mount::Kv1 { Kind::Kv1 } else { Kind::Other };
        if request.verb != Verb::Read {
            return self.send_to(request, class, &mount).await.map(|answer| Answer { kind, ..answer });
        }
        let path = mount.api_path(request.path.as_str(), kv::Verb::Read);
        let answer = match early {
            Some(answer) if path == request.path.as_str() => {
                if answer.is_err() {
                    self.mounts.forget(&path, request.namespace.as_ref());
                }
                answer
            }
            _ if mount.wraps_body() => self.read(request, class, path, &mount).await,
            _ => self.send_to(request, class, &mount).await,
        };
        let answer = answer.map(|answer| Answer { kind, ..answer })?;
        let shown = mount.api_path(&request.path.to_string(), kv::Verb::Read);
        if mount.wraps_body() { alive(answer, &shown) } else { Ok(answer) }
    }

    /// A read that goes as one with others of the same path.
    async fn read(
        &self,
        request: &SecretRequest,
        class: Class,
        path: String,
        mount: &Mount,
    ) -> Result<Answer, Failure> {
        let meaning = (request.namespace.clone(), path, request.params.clone());
        self.together.read(meaning, self.send_to(request, class, mount)).await
    }

    /// Boxed, because it passes through several hands, and each of them would hold room for it.
    fn send_to<'a>(
        &'a self,
        request: &'a SecretRequest,
        class: Class,
        mount: &'a Mount,
    ) -> Pin<Box<impl Future<Output = Result<Answer, Failure>> + Send + 'a>> {
        Box::pin(self.send_now(request, class, mount))
    }

    async fn send_now(
        &self,
        request: &SecretRequest,
        class: Class,
        mount: &Mount,
    ) -> Result<Answer, Failure> {
        let verb = match request.verb {
            Verb::Read => kv::Verb::Read,
            Verb::List => kv::Verb::List,
            Verb::Write(_) | Verb::Issue(_) => kv::Verb::Write,
        };
        let path = mount.api_path(request.path.as_str(), verb);
        let shown = request.path.shown().map(|shown| mount.api_path(shown, verb));
        let call = match &request.verb {
            Verb::Read => Call::read(&path, Product::Templating).params(&request.params),
            Verb::List => Call::list(&path, Product::Templating),
            Verb::Write(fields) | Verb::Issue(fields) => {
                Call::write(&path, body(fields, mount.wraps_body()), Product::Templating)
            }
        };
        let call = call.namespace(request.namespace.as_ref()).shown_as(shown.as_deref());
        let (answer, token) = self.answered(class, &path, &call).await.map_err(|error| {
            // The mount may have been made anew with another version.
            if error.is_definite() {
                self.mounts.forget(request.path.as_str(), request.namespace.as_ref());
            }
            failure(&error)
        })?;
        let path = shown.as_ref().unwrap_or(&path);
        let secret = match answer {
            Some(secret) => secret,
            None if verb == kv::Verb::Write => Secret::default(),
            None => return Err(nothing(path, "holds no secret")),
        };
        let secret = match &request.verb {
            Verb::Issue(fields) => {
                pki::from_answer(&secret, fields).map_err(|error| no_certificate(error, path))?
            }
            _ => secret,
        };
        Ok(Answer { secret: Arc::new(secret), kind: Kind::Other, token })
    }
}

impl Fetch for VaultFetch {
    async fn fetch(&self, request: SecretRequest, repeat: bool) -> Result<Answer, Failure> {
        let start = self.clock.now();
        let class = if repeat { Class::Repeat } else { Class::First };
        let answer = self.send(&request, class).await;
        tracing::trace!(target: "agent.store", %request, took = ?self.clock.now() - start, ok = answer.is_ok(), "fetched");
        answer
    }

    async fn renew(&self, request: SecretRequest, secret: Arc<Secret>) -> Result<Answer, Failure> {
        let path = if secret.lease_id.is_empty() { "auth/token/renew-self" } else { "sys/leases/renew" };
        let result = match &secret.auth {
            Some(auth) if secret.lease_id.is_empty() => {
                let body = Body::json(&serde_json::json!({ "increment": 0 }));
                let call = Call::write(path, body, Product::Templating)
                    .namespace(request.namespace.as_ref())
                    .token(&auth.client_token);
                // Not `answered`: this one is made with the secret's own token.
                self.gate.send(Class::Renewal, path, &call).await
            }
            _ => {
                let body = Body::json(&serde_json::json!({ "lease_id": secret.lease_id, "increment": 0 }));
                let call = Call::write(path, body, Product::Templating).namespace(request.namespace.as_ref());
                let pass = self.gate.pass(Class::Renewal, path).await;
                let Some((token, _)) = self.token() else { return Err(nothing(path, "needs a token")) };
                let result = self.gate.upstream().send(&call.token(&token)).await;
                self.gate.report(path, &result);
                drop(pass);
                result
            }
        };
        let own_token = secret.lease_id.is_empty();
        if result.as_ref().is_err_and(VaultError::is_past_max_ttl) {
            // Nothing is left of the lease: an answer without a lifetime says just that.
            return Ok(Answer { secret: Arc::default(), kind: Kind::Other, token: 0 });
        }
        let answer = result.map_err(|error| {
            let mut failure = failure(&error);
            // A child token that is dead says nothing about our own.
            if own_token && failure.class == FailureClass::InvalidToken {
                failure.class = FailureClass::Refused;
            }
            failure
        })?;
        let secret = answer.ok_or_else(|| nothing(path, "gave no answer"))?;
        Ok(Answer { secret: Arc::new(secret), kind: Kind::Other, token: 0 })
    }
}

fn body(fields: &Params, wrapped: bool) -> Body {
    let fields: BTreeMap<&str, &str> =
        fields.iter().map(|(key, value)| (key.as_ref(), value.as_ref())).collect();
    if wrapped { Body::json(&BTreeMap::from([("data", fields)])) } else { Body::json(&fields) }
}

/// The answer, unless the version it shows is gone.
fn alive(answer: Answer, path: &str) -> Result<Answer, Failure> {
    if is_deleted(&answer.secret) { Err(nothing(path, "is deleted")) } else { Ok(answer) }
}

/// A version that was deleted or destroyed answers with its metadata alone.
fn is_deleted(secret: &Secret) -> bool {
    let Some(data) = &secret.data else { return false };
    let gone = matches!(data.get("data"), None | Some(Value::Null));
    let marks = data.get("metadata").is_some_and(|metadata| {
        metadata.get("deletion_time").and_then(Value::as_str).is_some_and(|time| !time.is_empty())
            || metadata.get("destroyed") == Some(&Value::Bool(true))
    });
    gone && marks
}

fn nothing(path: &str, why: &str) -> Failure {
    Failure {
        class: FailureClass::Missing,
        message: format!("no secret exists at {path}: it {why}"),
        retry_after: None,
    }
}

fn no_certificate(error: PkiError, path: &str) -> Failure {
    Failure { class: FailureClass::Refused, message: format!("write to {path}: {error}"), retry_after: None }
}

fn failure(error: &VaultError) -> Failure {
    let class = match error {
        VaultError::Denied(_) => FailureClass::Denied,
        VaultError::InvalidToken(_) => FailureClass::InvalidToken,
        VaultError::Missing(_) => FailureClass::Missing,
        VaultError::Invalid(_) => FailureClass::Refused,
        VaultError::Sealed(_) | VaultError::Standby(_) | VaultError::Busy(_) | VaultError::Server(_) => {
            FailureClass::Busy
        }
        VaultError::Malformed { .. } | VaultError::Redirect { .. } => FailureClass::Busy,
        VaultError::Unreachable { .. } | VaultError::Broken { .. } | VaultError::Timeout { .. } => {
            FailureClass::Unreachable
        }
    };
    let message = chain_with_hint(error, error.hint());
    Failure { class, message, retry_after: error.retry_after() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(data: &str) -> Secret {
        Secret { data: Some(Value::from_json(data).unwrap()), ..Secret::default() }
    }

    #[test]
    fn only_versions_without_data_count_as_deleted() {
        let deleted =
            r#"{"data":null,"metadata":{"deletion_time":"2026-01-02T03:04:05Z","destroyed":false}}"#;
        let destroyed = r#"{"data":null,"metadata":{"deletion_time":"","destroyed":true}}"#;
        let later =
            r#"{"data":{"a":"b"},"metadata":{"deletion_time":"2099-01-02T03:04:05Z","destroyed":false}}"#;
        let empty = r#"{"data":null,"metadata":{"deletion_time":"","destroyed":false}}"#;
        assert!(is_deleted(&secret(deleted)) && is_deleted(&secret(destroyed)));
        assert!(!is_deleted(&secret(later)) && !is_deleted(&secret(empty)));
    }

    #[test]
    fn bodies_are_wrapped_for_version_two_only() {
        let fields: Params = [("a".into(), "b=c".into())].into();
        assert_eq!(body(&fields, false).as_bytes(), br#"{"a":"b=c"}"#);
        assert_eq!(body(&fields, true).as_bytes(), br#"{"data":{"a":"b=c"}}"#);
    }
}
