//! Secrets from a server, with a token that is there already: one look at the token, then each secret once.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{sync::watch, time::timeout};

use super::answers::{Refusal, RefusalKind};
use crate::{
    auth::{Login, TokenState},
    clock::Clock,
    problem::chain,
    secrets::{
        entry::{Failure, FailureClass},
        fetch::{Fetch, INNER_RETRIES, VaultFetch},
        request::SecretRequest,
    },
    vault::{
        client::{Call, Product},
        error::VaultError,
        gate::Gate,
        path::Namespace,
        secret::Secret,
        token::Token,
    },
};

/// A fetch waits for a server that went away, an agent's virtue; nobody waits for long at a terminal.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server and the token for it.
pub struct Server {
    gate: Gate,
    namespace: Option<Namespace>,
    /// `Err`: there is none, in words for the user.
    token: Result<Token, String>,
    clock: Clock,
    /// What the look at the token gave, once it was had.
    ready: Option<Result<VaultFetch, Refusal>>,
}

impl Server {
    /// Nothing is sent before the first request: a template without secrets needs no server.
    pub fn new(gate: Gate, namespace: Option<Namespace>, token: Result<Token, String>, clock: Clock) -> Self {
        Self { gate, namespace, token, clock, ready: None }
    }

    /// Answers in the order of the requests.
    pub async fn answers(&mut self, requests: &[SecretRequest]) -> Vec<Result<Arc<Secret>, Refusal>> {
        let ready = match self.ready.take() {
            Some(ready) => ready,
            None => self.connect().await,
        };
        let answers = match &ready {
            Ok(fetch) => join_all(requests.iter().map(|request| one(fetch, request))).await,
            Err(refusal) => requests.iter().map(|_| Err(refusal.clone())).collect(),
        };
        self.ready = Some(ready);
        answers
    }

    /// Looks the token up, so that a dead one or a server that isn't there is told as what it is.
    async fn connect(&self) -> Result<VaultFetch, Refusal> {
        let access = |message: String, hint: Option<&str>| Refusal {
            kind: RefusalKind::Access,
            message,
            hint: hint.map(str::to_owned),
        };
        let token = self.token.as_ref().map_err(|why| access(why.clone(), None))?;
        let call = Call::read("auth/token/lookup-self", Product::Agent)
            .namespace(self.namespace.as_ref())
            .token(token);
        match self.gate.upstream().send(&call).await {
            // A policy may forbid the look-up and still allow secrets.
            Ok(_) | Err(VaultError::Denied(_)) => {}
            Err(error @ VaultError::InvalidToken(_)) => {
                let hint = "log in again: `vault login`, or set VAULT_TOKEN";
                return Err(access(format!("the token is not valid: {}", chain(&error)), Some(hint)));
            }
            // Every server has this path.
            Err(error @ VaultError::Missing(_)) => {
                let hint = match &self.namespace {
                    Some(_) => "check the namespace (VAULT_NAMESPACE, or `namespace` of the configuration)",
                    None => "check that the address is that of Vault's API",
                };
                return Err(access(chain(&error), Some(hint)));
            }
            Err(error) => return Err(access(chain(&error), error.hint())),
        }
        let login = Login {
            token: token.clone(),
            accessor: String::new(),
            generation: 1,
            issued: self.clock.wall(),
            handed_over: false,
            ttl: Duration::ZERO,
            expires: None,
            renewable: false,
            policies: Vec::new(),
            wrapped: None,
        };
        let state = TokenState { login: Some(Arc::new(login)), ..TokenState::default() };
        Ok(VaultFetch::new(self.gate.clone(), watch::channel(state).1, self.clock, INNER_RETRIES))
    }
}

async fn one(fetch: &VaultFetch, request: &SecretRequest) -> Result<Arc<Secret>, Refusal> {
    let refused = |kind, message| Refusal { kind, message, hint: None };
    match timeout(PATIENCE, fetch.fetch(request.clone(), false)).await {
        Ok(Ok(answer)) => Ok(answer.secret),
        Ok(Err(Failure { class, message, .. })) => Err(refused(kind(class), message)),
        Err(_) => {
            let message = format!("{request}: no answer within {} s", PATIENCE.as_secs());
            Err(refused(RefusalKind::Access, message))
        }
    }
}

const fn kind(class: FailureClass) -> RefusalKind {
    match class {
        FailureClass::InvalidToken | FailureClass::Unreachable | FailureClass::Busy => RefusalKind::Access,
        FailureClass::Denied | FailureClass::Missing | FailureClass::Refused => RefusalKind::Secret,
    }
}
