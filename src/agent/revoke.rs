//! The end of the own token, when that is asked for (`revoke_on_exit`): once, and within two seconds.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};
use tracing::{info, warn};

use crate::{
    auth::{Handle, TokenState},
    config::{Config, MethodKind},
    problem::chain,
    vault::{
        client::{Body, Call, Product},
        gate::Gate,
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

/// Waits for the answer to a login that has been sent; nobody else will ever know the token in it.
pub(super) async fn no_login_under_way(mut handle: Handle) {
    let _ = timeout(BUDGET, handle.settled()).await;
}

/// Revokes the token, and with it everything that hangs off it; `start` is when the run was over.
pub(super) async fn own_token(gate: &Gate, token: &watch::Receiver<TokenState>, start: Instant) {
    let state = token.borrow().clone();
    let Some(token) = state.token() else { return };
    let call = Call::write("auth/token/revoke-self", Body::json(&serde_json::json!({})), Product::Agent)
        .token(token)
        .namespace(state.namespace.as_ref());
    match timeout_at(start + BUDGET, gate.upstream().send(&call)).await {
        Ok(Ok(_)) => info!(target: "agent", "revoked our own token"),
        Ok(Err(trouble)) => warn!(target: "agent", error = chain(&trouble), "can't revoke our own token"),
        Err(_) => warn!(target: "agent", "no time left to revoke our own token, it lives until it expires"),
    }
}
