//! The renewal of the token in use.

use std::sync::Arc;

use super::{AutoAuth, HANDLER, RENEW, Server, machine::RenewalFailure};
use crate::{
    auth::Login,
    problem::chain,
    vault::{
        client::{Body, Call, Product},
        error::VaultError,
        gate::Class,
        lifetime::seconds,
    },
};

impl<S: Server> AutoAuth<S> {
    pub(super) async fn renew(&mut self) {
        let Some(login) = self.publish.borrow().login.clone() else { return };
        let pass = self.server.pass(Class::First, RENEW).await;
        let namespace = self.config.namespace.clone();
        let body = Body::json(&serde_json::json!({"increment": 0}));
        let call =
            Call::write(RENEW, body, Product::AutoAuth).namespace(namespace.as_ref()).token(&login.token);
        let result = self.server.send(pass, RENEW, &call, self.own.as_ref()).await;
        let (now, unit) = (self.clock.now(), self.chance.unit());
        match result.map(|answer| answer.and_then(|answer| answer.auth)) {
            Ok(Some(auth)) => {
                let ttl = seconds(auth.lease_duration);
                tracing::info!(target: HANDLER, ?ttl, "renewed auth token");
                self.machine.renewed(ttl, auth.renewable, now, unit);
                let renewed =
                    Login { ttl, expires: self.expires(ttl), renewable: auth.renewable, ..(*login).clone() };
                self.publish.send_modify(|state| state.login = Some(Arc::new(renewed)));
                self.progress.send_modify(|progress| progress.renewals += 1);
            }
            Ok(None) => self.renewal_failed(RenewalFailure::Denied, "the answer has no auth block"),
            Err(error) => {
                let failure = match &error {
                    VaultError::InvalidToken(_) => RenewalFailure::InvalidToken,
                    error if error.is_past_max_ttl() => RenewalFailure::Over,
                    error if error.is_definite() => RenewalFailure::Denied,
                    error => RenewalFailure::Later(error.retry_after()),
                };
                self.renewal_failed(failure, &chain(&error));
            }
        }
    }

    fn renewal_failed(&mut self, failure: RenewalFailure, error: &str) {
        self.refused |= failure == RenewalFailure::InvalidToken;
        self.machine.renewal_failed(failure, self.clock.now(), self.chance.unit());
        let next = match failure {
            RenewalFailure::Denied => "the token counts as not renewable, a new login follows in time",
            RenewalFailure::InvalidToken => "the server no longer knows the token, logging in again",
            RenewalFailure::Over => "the token can't be prolonged any more, logging in again",
            RenewalFailure::Later(_) => "the token stays in use until it expires",
        };
        tracing::warn!(target: HANDLER, error, next, "error renewing token");
    }
}
