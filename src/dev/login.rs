//! Logins of all auth methods, and what a renewal of their tokens may grant.

use super::{
    answer::{Answer, Outcome, Refusal, list_of_errors},
    call::{Call, Operation},
    core::Core,
    lifetime::Limits,
    moment::Moment,
    mount::Engine,
    peer::Peer,
    token::{Token, TokenSpec},
};

impl Core {
    /// A login needs no token; `None` when the path is none.
    pub(super) fn login(&mut self, call: &Call, now: Moment) -> Option<Outcome> {
        let (mount, entry) = self.mounts.find(&call.path)?;
        if !entry.engine.is_method() || call.path.strip_prefix(mount) != Some("login") {
            return None;
        }
        // Asked for first, whatever the method of the request.
        if matches!(entry.engine, Engine::AppRole(_)) && call.fields.text("role_id").trim().is_empty() {
            return Some(Err(Refusal::new(500, "missing role_id")));
        }
        if call.operation != Operation::Write {
            return Some(Err(Refusal::new(405, "unsupported operation")));
        }
        let mount = mount.to_owned();
        Some(self.earned(&mount, call, now).and_then(|spec| self.admitted(spec, now)))
    }

    fn earned(&mut self, mount: &str, call: &Call, now: Moment) -> Result<TokenSpec, Refusal> {
        let issuer = std::sync::Arc::clone(&self.issuer);
        let entry = self.mounts.get_mut(mount).ok_or_else(Refusal::internal)?;
        match &mut entry.engine {
            Engine::Kubernetes(method) => method.login(mount, &call.fields, &issuer, now),
            Engine::Jwt(method) => method.login(mount, &call.fields, now),
            Engine::AppRole(method) => method.login(mount, &call.fields, &call.peer, now),
            Engine::Cert(method) => method.login(mount, &call.fields, &call.peer, now),
            Engine::Kv1(_)
            | Engine::Kv2(_)
            | Engine::Database(_)
            | Engine::Pki(_)
            | Engine::Cubbyhole(_)
            | Engine::Core => Err(Refusal::internal()),
        }
    }

    fn admitted(&mut self, spec: TokenSpec, now: Moment) -> Outcome {
        if spec.policies.iter().any(|policy| policy == "root") {
            return Err(Refusal::bad("auth methods cannot create root tokens"));
        }
        let (granted, warning) = spec.limits.first(now);
        let token = self.tokens.insert(None, None, spec, granted, now);
        Ok(Answer::auth(token.auth(granted), warning.into_iter().collect()))
    }

    /// What bounds a renewal. The role of a login may have changed since; tokens made by hand keep their own limits.
    /// `None`: nothing is renewed, and nothing said.
    pub(super) fn renewal_limits(
        &self,
        token: &Token,
        peer: &Peer,
        now: Moment,
    ) -> Result<Option<Limits>, Refusal> {
        let (Some(role), Some((_, mount))) = (&token.spec.role, self.mounts.find(&token.spec.path)) else {
            return Ok(Some(token.spec.limits));
        };
        let limits = match &mount.engine {
            Engine::Kubernetes(method) => method.renewal(role),
            Engine::Jwt(method) => method.renewal(role),
            Engine::AppRole(method) => method.renewal(role),
            Engine::Cert(method) => match method.renewal(token, peer, now)? {
                Some(limits) => Ok(limits),
                None => return Ok(None),
            },
            Engine::Kv1(_)
            | Engine::Kv2(_)
            | Engine::Database(_)
            | Engine::Pki(_)
            | Engine::Cubbyhole(_)
            | Engine::Core => Ok(token.spec.limits),
        };
        let limits = limits
            .map_err(|why| Refusal::new(500, list_of_errors(&format!("failed to renew entry: {why}"))))?;
        Ok(Some(Limits { explicit_max_ttl: token.spec.limits.explicit_max_ttl, ..limits }))
    }
}
