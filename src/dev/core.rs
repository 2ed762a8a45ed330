//! The one owner of the server's state: checks the token, finds the engine, keeps tokens and leases in step.

use std::{sync::Arc, time::Duration};

use super::{
    answer::{Answer, Outcome, Refusal},
    call::{Call, Operation, Visit},
    issuer::Issuer,
    lease::{Lease, Leases},
    moment::{Moment, ServerClock},
    mount::{Engine, Mounts},
    policy::{Acl, Capabilities, Policies},
    status::{self, Status},
    sys,
    token::{Token, TokenSpec, Tokens},
    token_api,
    wrapping::{self, Wrapped},
};

/// Everything that the server knows.
pub(super) struct Core {
    pub(super) clock: ServerClock,
    pub(super) mounts: Mounts,
    pub(super) tokens: Tokens,
    pub(super) leases: Leases,
    pub(super) policies: Policies,
    pub(super) issuer: Arc<Issuer>,
    pub(super) cluster_id: String,
    pub(super) status: Status,
    pub(super) wrapped: Wrapped,
}

/// Whose request it is.
pub(super) struct Caller {
    pub(super) token: Token,
    pub(super) acl: Acl,
}

impl Core {
    pub(super) fn new(root_token: &str, issuer: Arc<Issuer>, clock: ServerClock) -> Self {
        let mut tokens = Tokens::default();
        let spec = TokenSpec {
            policies: vec!["root".into()],
            display_name: "token".into(),
            path: "auth/token/create".into(),
            ..TokenSpec::default()
        };
        tokens.insert(Some(root_token.to_owned()), None, spec, Duration::ZERO, clock.now());
        Self {
            clock,
            mounts: Mounts::new(),
            tokens,
            leases: Leases::default(),
            policies: Policies::new(),
            issuer,
            cluster_id: super::answer::uuid(),
            status: Status::default(),
            wrapped: Wrapped::default(),
        }
    }

    /// Answers one request.
    pub(super) fn handle(&mut self, call: &Call) -> Outcome {
        let now = self.clock.now();
        self.expire(now);
        if let Some(answer) = status::open(self, call, now) {
            return answer;
        }
        let outcome = self.answer(call, now);
        wrapping::outcome(self, call, outcome, now)
    }

    fn answer(&mut self, call: &Call, now: Moment) -> Outcome {
        if let Some(answer) = sys::open(self, call).or_else(|| wrapping::open(self, call)) {
            return answer;
        }
        if let Some(answer) = self.login(call, now) {
            return answer;
        }
        if let Some(answer) = self.public(call) {
            return answer;
        }
        let (caller, last) = self.authenticate(call)?;
        let outcome = self.authorised(call, &caller, now);
        if last {
            self.revoke_token(&caller.token.id);
        }
        outcome
    }

    /// The token's owner and rights, and whether this was its last use.
    pub(super) fn authenticate(&mut self, call: &Call) -> Result<(Caller, bool), Refusal> {
        let id = call.token.as_ref().map_or("", |token| token.0.as_str());
        let used = self.tokens.spend(id).ok_or_else(Refusal::denied)?;
        let acl = self.policies.acl(&used.token.spec.policies);
        Ok((Caller { token: used.token, acl }, used.last))
    }

    fn authorised(&mut self, call: &Call, caller: &Caller, now: Moment) -> Outcome {
        let found = self.mounts.find(&call.path).map(|(mount, entry)| {
            let below = call.path.get(mount.len()..).unwrap_or_default();
            let exists = call.operation != Operation::Write || entry.exists(below);
            (mount.to_owned(), below.to_owned(), exists)
        });
        let needed = call.operation.needs(found.as_ref().is_none_or(|(_, _, exists)| *exists));
        let sudo = !needs_sudo(&call.path) || caller.acl.allows(&call.path, Capabilities::SUDO);
        if !sudo || !caller.acl.allows(&call.path, needed) {
            return Err(Refusal::denied_by_policy());
        }
        let Some((mount, below, _)) = found else {
            let path = &call.path;
            return Err(Refusal::new(404, format!("no handler for route {path:?}. route entry not found.")));
        };
        match mount.as_str() {
            "sys/" => sys::handle(self, call, &below, caller, now),
            "auth/token/" => token_api::handle(self, call, &below, caller, now),
            _ => self.engine(call, &mount, &below, caller, now),
        }
    }

    fn engine(&mut self, call: &Call, mount: &str, below: &str, caller: &Caller, now: Moment) -> Outcome {
        let entry = self.mounts.get_mut(mount).ok_or_else(Refusal::internal)?;
        let default_ttl = entry.default_ttl();
        let visit = Visit { operation: call.operation, path: below, fields: &call.fields, now, default_ttl };
        match &mut entry.engine {
            Engine::Kv1(kv) => kv.handle(&visit),
            Engine::Kv2(kv) => kv.handle(&visit),
            Engine::Pki(pki) => pki.handle(&visit),
            Engine::Kubernetes(kubernetes) => kubernetes.handle(&visit),
            Engine::Jwt(method) => method.handle(&visit),
            Engine::AppRole(method) => method.handle(&visit),
            Engine::Cert(method) => method.handle(&visit),
            Engine::Cubbyhole(kv) => {
                if below == wrapping::OLD_PLACE
                    && let Some(answer) = self.wrapped.old_place(&caller.token.id)
                {
                    return answer;
                }
                let path = format!("{}/{below}", caller.token.id);
                kv.handle(&Visit { path: &path, ..visit })
                    .map(|answer| answer.leased(String::new(), Duration::ZERO, false))
            }
            Engine::Database(database) => {
                let (answer, lease) = database.handle(&visit, &caller.token.spec.display_name)?;
                let Some(spec) = lease else { return Ok(answer) };
                let (lease, granted, warning) = self.leases.insert(&call.path, &caller.token, &spec, now);
                database.leased(&lease.id, &call.path);
                let answer = answer.leased(lease.id, granted, spec.renewable);
                Ok(warning.into_iter().fold(answer, Answer::warn))
            }
            Engine::Core => Err(Refusal::unsupported_path()),
        }
    }

    /// What a secrets engine answers without a token; `None` when the path is none of that.
    fn public(&self, call: &Call) -> Option<Outcome> {
        let (mount, entry) = self.mounts.find(&call.path)?;
        let Engine::Pki(pki) = &entry.engine else { return None };
        pki.open(call.operation, call.path.strip_prefix(mount)?)
    }

    /// Ends what is over by now, in the order in which it ended.
    pub(super) fn expire(&mut self, now: Moment) {
        while let Some(id) = self.tokens.next_expired(now) {
            self.revoke_token(&id);
        }
        while let Some(id) = self.leases.next_expired(now) {
            self.revoke_lease(&id);
        }
    }

    /// Ends a token, its descendants and all their leases.
    pub(super) fn revoke_token(&mut self, id: &str) {
        for gone in self.tokens.revoke_tree(id) {
            self.wrapped.forget(&gone);
            self.revoke_leases_of(&gone);
        }
    }

    /// Ends a token and its leases; its children live on.
    pub(super) fn revoke_orphan(&mut self, id: &str) {
        for gone in self.tokens.revoke_orphan(id) {
            self.revoke_leases_of(&gone);
        }
    }

    fn revoke_leases_of(&mut self, token: &str) {
        for lease in self.leases.of_token(token) {
            self.revoke_lease(&lease);
        }
    }

    /// Ends one lease, and what it stood for.
    pub(super) fn revoke_lease(&mut self, id: &str) {
        let Some(Lease { path, .. }) = self.leases.remove(id) else { return };
        let Some(mount) = self.mounts.find(&path).map(|(mount, _)| mount.to_owned()) else { return };
        if let Some(Engine::Database(database)) = self.mounts.get_mut(&mount).map(|entry| &mut entry.engine) {
            database.revoke(id);
        }
    }

    /// Ends everything that came from below `prefix`: leases, and for auth methods their tokens.
    pub(super) fn revoke_below(&mut self, prefix: &str) {
        for lease in self.leases.below(prefix) {
            self.revoke_lease(&lease);
        }
        if prefix.starts_with("auth/") {
            for token in self.tokens.made_by(prefix) {
                self.revoke_token(&token);
            }
        }
    }
}

/// Paths that want `sudo` besides the operation's own right.
fn needs_sudo(path: &str) -> bool {
    const BELOW: [&str; 6] = [
        "sys/auth/",
        "sys/leases/revoke-prefix/",
        "sys/leases/revoke-force/",
        "sys/leases/lookup/",
        "auth/token/revoke-orphan/",
        "auth/token/accessors",
    ];
    path == "sys/leases" || BELOW.iter().any(|prefix| path.starts_with(prefix))
}
