//! The token that an earlier run left: taken over after one request that proves that it lives, dropped in silence
//! otherwise.

use std::time::{Duration, SystemTime};

use super::{AutoAuth, HANDLER, LOOKUP, RENEW, Server, answer::Granted, error::LoginError, machine::Grant};
use crate::{
    auth::method::Method,
    cache::KeptToken,
    problem::chain,
    vault::{
        client::{Body, Call, Product},
        error::VaultError,
        lifetime::seconds,
        secret::Secret,
    },
};

impl<S: Server> AutoAuth<S> {
    /// Gives the task a token to begin with. It is checked before the first login, and is used instead of one.
    #[must_use]
    pub fn begin_with(mut self, kept: Option<KeptToken>) -> Self {
        self.kept = kept;
        self
    }

    /// The login that the kept token stands for; `None` when there is none that lives.
    ///
    /// # Errors
    /// The server said neither: it is asked again, as after a failed login.
    pub(super) async fn adopt(&mut self, pass: &mut Option<S::Pass>) -> Result<Option<Granted>, LoginError> {
        let now = self.clock.wall();
        let Some(kept) = self.kept.take().filter(|kept| !kept.is_over(now) && self.is_ours(kept)) else {
            return Ok(None);
        };
        let Some(pass) = pass.take() else { return Ok(None) };
        let namespace = self.config.namespace.clone();
        let (path, call) = if kept.renewable {
            (RENEW, Call::write(RENEW, Body::json(&serde_json::json!({"increment": 0})), Product::AutoAuth))
        } else {
            (LOOKUP, Call::read(LOOKUP, Product::AutoAuth))
        };
        let call = call.namespace(namespace.as_ref()).token(&kept.token);
        let answer = self.server.send(pass, path, &call, self.own.as_ref()).await;
        match judge(answer, &kept, self.clock.wall()) {
            Verdict::Alive(granted) => Ok(Some(granted)),
            Verdict::Dead(why) => {
                tracing::debug!(target: HANDLER, why, "the token that was handed over is no good");
                Ok(None)
            }
            Verdict::Unknown(error) => {
                self.kept = Some(kept);
                Err(error.into())
            }
        }
    }

    /// With `token_file`, the file says which token counts.
    fn is_ours(&mut self, kept: &KeptToken) -> bool {
        match &mut self.method {
            Method::TokenFile(method) => method.holds(&kept.token),
            _ => true,
        }
    }
}

enum Verdict {
    Alive(Granted),
    Dead(String),
    Unknown(VaultError),
}

fn judge(answer: Result<Option<Secret>, VaultError>, kept: &KeptToken, now: SystemTime) -> Verdict {
    let left = || kept.expires.map_or(Duration::ZERO, |end| end.duration_since(now).unwrap_or_default());
    match answer {
        Ok(answer) => match lifetime(answer.unwrap_or_default(), kept) {
            Some(grant) => Verdict::Alive(granted(kept, grant)),
            None => Verdict::Dead("the answer says nothing about it".into()),
        },
        // It may not ask about itself. That says nothing about the rest; its end is known from before.
        Err(VaultError::Denied(_)) => {
            Verdict::Alive(granted(kept, Grant::Token { ttl: left(), renewable: false }))
        }
        Err(error) if error.is_definite() || error.is_past_max_ttl() => Verdict::Dead(chain(&error)),
        Err(error) => Verdict::Unknown(error),
    }
}

/// What is left of the token, by the answer to its renewal or to the look-up.
fn lifetime(answer: Secret, kept: &KeptToken) -> Option<Grant> {
    if kept.renewable {
        let auth = answer.auth?;
        return Some(Grant::Token { ttl: seconds(auth.lease_duration), renewable: auth.renewable });
    }
    Granted::from_lookup(kept.token.clone(), answer).ok().map(|granted| granted.grant)
}

fn granted(kept: &KeptToken, grant: Grant) -> Granted {
    let (ttl, renewable) = match grant {
        Grant::Token { ttl, renewable } => (ttl, renewable),
        Grant::Ending | Grant::Wrapped => (Duration::ZERO, false),
    };
    Granted {
        grant,
        token: kept.token.clone(),
        accessor: kept.accessor.clone(),
        ttl,
        renewable,
        policies: kept.policies.clone(),
        wrapped: None,
        adopted: Some(kept.issued),
    }
}

#[cfg(test)]
mod tests;
