//! Tokens of earlier logins that still live: whoever ends its token ends them, too.

use std::sync::Arc;

use super::{AutoAuth, Server};
use crate::auth::Login;

/// So many are kept. A run that logs in more often than that within the life of a token leaves the oldest to their end.
const MOST: usize = 32;

impl<S: Server> AutoAuth<S> {
    /// Whether tokens that a later login replaced are kept until they end, so that [`super::super::Handle::superseded`]
    /// has them.
    #[must_use]
    pub fn keeping_superseded(mut self, keep: bool) -> Self {
        self.keeps_superseded = keep;
        self
    }

    /// Another token is about to take the place of the one in use.
    pub(super) fn supersede(&self, by: &Login) {
        let now = self.clock.wall();
        let lives = |login: &Login| login.expires.is_none_or(|end| end > now);
        let old = self.publish.borrow().login.clone();
        let old = old.filter(|old| self.keeps_superseded && old.wrapped.is_none() && old.token != by.token);
        self.superseded.send_modify(|kept| {
            kept.extend(old);
            kept.retain(|login| lives(login));
            let surplus = kept.len().saturating_sub(MOST);
            kept.drain(..surplus);
        });
    }
}

/// The tokens of earlier logins, oldest first.
pub type Superseded = Vec<Arc<Login>>;
