//! The end of the own tokens, when that is asked for (`revoke_on_exit`): once, and within two seconds.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};
use tracing::{info, warn};

use crate::{
    auth::Handle,
    config::{Config, MethodKind},
    problem::chain,
    vault::{
        client::{Body, Call, Product},
        error::VaultError,
        gate::Gate,
        token::Token,
    },
};

/// All the time that there is for it; the kubelet is waiting.
const BUDGET: Duration = Duration::from_secs(2);

/// Whether the run ends its token. One that somebody else put into a file is not ours to end.
pub(super) fn asked_for(config: &Config) -> bool {
    let is_ours = config
        .auto_auth
        .as_ref()
        .is_some_and(|login| !matches!(login.method.kind, MethodKind::TokenFile { .. }));
    if config.revoke_on_exit && !is_ours {
        warn!(target: "agent", "`revoke_on_exit` does nothing: the token is not from a login of ours");
    }
    config.revoke_on_exit && is_ours
}

/// Ends logging in, but not before the answer to a login that has been sent: nobody else will ever know the token in
/// it.
pub(super) async fn no_more_logins(mut handle: Handle, logins: &mut JoinSet<()>) {
    let _ = timeout(BUDGET, handle.settled()).await;
    // Nothing runs in between that could begin another one.
    logins.shutdown().await;
}

/// Revokes the token and those of earlier logins that still live, all at once, and with them everything that hangs off
/// them; `start` is when the run was over.
pub(super) async fn own_tokens(gate: &Gate, handle: &Handle, start: Instant) {
    let state = handle.token.borrow().clone();
    let earlier = handle.superseded.borrow().clone();
    let revoke = |token: Token| {
        let namespace = state.namespace.clone();
        async move {
            let nothing = Body::json(&serde_json::json!({}));
            let call = Call::write("auth/token/revoke-self", nothing, Product::Agent)
                .token(&token)
                .namespace(namespace.as_ref());
            timeout_at(start + BUDGET, gate.upstream().send(&call)).await
        }
    };
    let newest = async {
        match state.token() {
            Some(token) => Some(revoke(token.clone()).await),
            None => None,
        }
    };
    let others = join_all(earlier.iter().map(|login| revoke(login.token.clone())));
    let (newest, others) = tokio::join!(newest, others);
    match newest {
        Some(Ok(Ok(_))) => info!(target: "agent", "revoked our own token"),
        Some(Ok(Err(trouble))) => {
            warn!(target: "agent", error = chain(&trouble), "can't revoke our own token");
        }
        Some(Err(_)) => {
            warn!(target: "agent", "no time left to revoke our own token, it lives until it expires");
        }
        None => {}
    }
    // One that the server doesn't know is gone already.
    let is_gone = |result: &Result<Result<_, VaultError>, _>| {
        matches!(result, Ok(Ok(_) | Err(VaultError::InvalidToken(_))))
    };
    let left = others.iter().filter(|result| !is_gone(result)).count();
    if left > 0 {
        warn!(target: "agent", left, "tokens of earlier logins can't be revoked, they live until they expire");
    }
    if others.len() > left {
        info!(target: "agent", tokens = others.len() - left, "revoked the tokens of earlier logins, too");
    }
}
