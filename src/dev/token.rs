//! The token store: every token, its parent, its time, its uses.
//!
//! Concepts: <https://developer.hashicorp.com/vault/docs/concepts/tokens>.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    answer::{AuthBody, random_text},
    lifetime::Limits,
    moment::Moment,
};

/// One token with everything that is known about it.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) id: String,
    pub(super) accessor: String,
    /// `None` for orphans.
    pub(super) parent: Option<String>,
    pub(super) spec: TokenSpec,
    pub(super) issued: Moment,
    /// `None`: never.
    pub(super) expires: Option<Moment>,
    pub(super) creation_ttl: Duration,
    pub(super) last_renewal: Option<Moment>,
    pub(super) uses_left: i64,
}

/// What the maker of a token chooses.
#[derive(Clone, Default)]
pub(super) struct TokenSpec {
    pub(super) policies: Vec<String>,
    pub(super) limits: Limits,
    pub(super) renewable: bool,
    pub(super) batch: bool,
    /// 0: as often as wanted.
    pub(super) num_uses: i64,
    pub(super) display_name: String,
    /// Who it is to the identity store; empty for tokens made by hand.
    pub(super) entity_id: String,
    pub(super) meta: Option<BTreeMap<String, String>>,
    /// The path that made it.
    pub(super) path: String,
    /// The role of a login, read again at each renewal.
    pub(super) role: Option<String>,
    /// The client certificate that only may renew it.
    pub(super) bound_to: Option<String>,
}

impl Token {
    pub(super) const fn kind(&self) -> &'static str {
        if self.spec.batch { "batch" } else { "service" }
    }

    /// What is left; zero for a token without end.
    pub(super) fn ttl(&self, now: Moment) -> Duration {
        self.expires.map(|end| now.until(end)).unwrap_or_default()
    }

    /// The `auth` block of an answer, with the lifetime that was just granted.
    pub(super) fn auth(&self, granted: Duration) -> AuthBody {
        AuthBody {
            client_token: self.id.clone(),
            accessor: self.accessor.clone(),
            policies: self.spec.policies.clone(),
            token_policies: self.spec.policies.clone(),
            metadata: self.spec.meta.clone(),
            lease_duration: granted.as_secs(),
            renewable: self.spec.renewable,
            entity_id: self.spec.entity_id.clone(),
            token_type: self.kind(),
            orphan: self.parent.is_none(),
            mfa_requirement: None,
            num_uses: self.spec.num_uses,
        }
    }
}

/// All living tokens.
#[derive(Default)]
pub(super) struct Tokens {
    by_id: BTreeMap<String, Token>,
    accessors: BTreeMap<String, String>,
    /// When each mortal token ends.
    due: BTreeSet<(Moment, String)>,
}

/// What became of a request to use a token.
pub(super) struct Use {
    pub(super) token: Token,
    /// The token is to be revoked after this request.
    pub(super) last: bool,
}

impl Tokens {
    /// Makes a token that lives for `granted` (for ever when zero).
    pub(super) fn insert(
        &mut self,
        id: Option<String>,
        parent: Option<String>,
        spec: TokenSpec,
        granted: Duration,
        now: Moment,
    ) -> Token {
        let prefix = if spec.batch { "hvb." } else { "hvs." };
        let expires = Some(granted).filter(|span| !span.is_zero()).map(|span| now.plus(span));
        let token = Token {
            id: id.unwrap_or_else(|| format!("{prefix}{}", random_text::<24>())),
            accessor: if spec.batch { String::new() } else { random_text::<24>() },
            parent,
            issued: now,
            expires,
            creation_ttl: granted,
            last_renewal: None,
            uses_left: spec.num_uses,
            spec,
        };
        if let Some(end) = expires {
            self.due.insert((end, token.id.clone()));
        }
        if !token.accessor.is_empty() {
            self.accessors.insert(token.accessor.clone(), token.id.clone());
        }
        self.by_id.insert(token.id.clone(), token.clone());
        token
    }

    pub(super) fn get(&self, id: &str) -> Option<&Token> {
        self.by_id.get(id)
    }

    pub(super) fn by_accessor(&self, accessor: &str) -> Option<&Token> {
        self.accessors.get(accessor).and_then(|id| self.by_id.get(id))
    }

    pub(super) fn accessors(&self) -> Vec<String> {
        self.accessors.keys().cloned().collect()
    }

    /// Counts one use.
    pub(super) fn spend(&mut self, id: &str) -> Option<Use> {
        let token = self.by_id.get_mut(id)?;
        if token.spec.num_uses > 0 {
            token.uses_left -= 1;
        }
        Some(Use { last: token.spec.num_uses > 0 && token.uses_left <= 0, token: token.clone() })
    }

    /// Grants a new lifetime from now on.
    pub(super) fn extend(&mut self, id: &str, granted: Duration, now: Moment) -> Option<Token> {
        let token = self.by_id.get_mut(id)?;
        if let Some(end) = token.expires.take() {
            self.due.remove(&(end, token.id.clone()));
        }
        let end = now.plus(granted);
        token.expires = Some(end);
        // The next renewal that asks for nothing gets the same again, as long as no role says otherwise.
        token.spec.limits.ttl = granted;
        token.last_renewal = Some(now);
        self.due.insert((end, token.id.clone()));
        Some(token.clone())
    }

    /// Removes a token and all its descendants; answers every id that is gone.
    pub(super) fn revoke_tree(&mut self, id: &str) -> Vec<String> {
        let mut gone = Vec::new();
        let mut waiting = vec![id.to_owned()];
        while let Some(id) = waiting.pop() {
            waiting.extend(self.children(&id));
            if self.remove(&id) {
                gone.push(id);
            }
        }
        gone
    }

    /// Removes a token and makes its children orphans.
    pub(super) fn revoke_orphan(&mut self, id: &str) -> Vec<String> {
        for child in self.children(id) {
            if let Some(child) = self.by_id.get_mut(&child) {
                child.parent = None;
            }
        }
        if self.remove(id) { vec![id.to_owned()] } else { Vec::new() }
    }

    /// The tokens that a path below `prefix` made.
    pub(super) fn made_by(&self, prefix: &str) -> Vec<String> {
        let made = self.by_id.values().filter(|token| token.spec.path.starts_with(prefix));
        made.map(|token| token.id.clone()).collect()
    }

    /// The first token whose time is over.
    pub(super) fn next_expired(&self, now: Moment) -> Option<String> {
        self.due.first().filter(|(end, _)| *end <= now).map(|(_, id)| id.clone())
    }

    fn children(&self, id: &str) -> Vec<String> {
        let children = self.by_id.values().filter(|token| token.parent.as_deref() == Some(id));
        children.map(|token| token.id.clone()).collect()
    }

    fn remove(&mut self, id: &str) -> bool {
        let Some(token) = self.by_id.remove(id) else { return false };
        self.accessors.remove(&token.accessor);
        if let Some(end) = token.expires {
            self.due.remove(&(end, token.id));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::{clock::Clock, dev::moment::ServerClock};

    fn start() -> Moment {
        ServerClock::new(Clock::starting_at(UNIX_EPOCH + Duration::from_secs(1000))).now()
    }

    fn add(tokens: &mut Tokens, id: &str, parent: Option<&str>, seconds: u64) {
        let spec = TokenSpec { renewable: true, ..TokenSpec::default() };
        tokens.insert(
            Some(id.into()),
            parent.map(str::to_owned),
            spec,
            Duration::from_secs(seconds),
            start(),
        );
    }

    #[tokio::test(start_paused = true)]
    async fn children_go_with_their_parent_unless_orphaned() {
        let mut tokens = Tokens::default();
        for (id, parent) in [("a", None), ("b", Some("a")), ("c", Some("b")), ("d", None)] {
            add(&mut tokens, id, parent, 60);
        }
        assert_eq!(tokens.revoke_orphan("a"), ["a"]);
        assert!(tokens.get("b").unwrap().parent.is_none());
        assert_eq!(tokens.revoke_tree("b"), ["b", "c"]);
        assert!(tokens.get("d").is_some());
        assert_eq!(tokens.accessors().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_knows_what_ends_first_and_renewal_moves_it() {
        let mut tokens = Tokens::default();
        add(&mut tokens, "short", None, 10);
        add(&mut tokens, "long", None, 20);
        add(&mut tokens, "ever", None, 0);
        let later = start().plus(Duration::from_secs(15));
        assert_eq!(tokens.next_expired(later).as_deref(), Some("short"));
        tokens.extend("short", Duration::from_secs(10), start().plus(Duration::from_secs(9)));
        assert_eq!(tokens.next_expired(later), None);
        assert_eq!(
            tokens.next_expired(later.plus(Duration::from_secs(4))).as_deref(),
            Some("short"),
            "19 s comes before 20 s"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_use_is_told() {
        let mut tokens = Tokens::default();
        let spec = TokenSpec { num_uses: 2, ..TokenSpec::default() };
        let id = tokens.insert(None, None, spec, Duration::from_secs(5), start()).id;
        assert!(!tokens.spend(&id).unwrap().last);
        assert!(tokens.spend(&id).unwrap().last);
        assert!(tokens.spend("unknown").is_none());
    }
}
