//! Logging in: methods, the auto-auth task, and the token that everybody else watches.

pub mod approle;
pub mod auto_auth;
pub mod cert;
pub mod claims;
mod credential;
pub mod jwt_file;
pub mod kubernetes;
pub mod method;
pub mod token_file;
pub mod wrap;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use zeroize::Zeroizing;

use crate::vault::{path::Namespace, secret::WrapInfo, token::Token};

/// Which login of the pod a request is made with. Only one today; the key carries it so that several stay possible.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AuthId(Arc<str>);

impl AuthId {
    /// Names an identity.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }
}

impl Default for AuthId {
    fn default() -> Self {
        Self::new("default")
    }
}

/// What auto-auth publishes: the latest login of one identity.
#[derive(Clone, Debug, Default)]
pub struct TokenState {
    /// Whose login it is.
    pub identity: AuthId,
    /// Namespace the token was issued in; `None` is the root.
    pub namespace: Option<Namespace>,
    /// The latest login; `None` before the first. It stays here until the next one, even when it is past its
    /// expiry, because only the server knows.
    pub login: Option<Arc<Login>>,
}

impl TokenState {
    /// The token to send, unless there is none or what there is has to be unwrapped first.
    pub fn token(&self) -> Option<&Token> {
        self.login.as_ref().filter(|login| login.wrapped.is_none()).map(|login| &login.token)
    }

    /// Which token this is: grows with every new one, not with renewals; 0 before the first.
    pub fn generation(&self) -> u64 {
        self.login.as_ref().map_or(0, |login| login.generation)
    }
}

/// One login's result. Never prints the token.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The token, or the wrapping token.
    pub token: Token,
    /// Accessor of the token.
    pub accessor: String,
    /// 1 for the first token, one more for every other.
    pub generation: u64,
    /// When its login was, possibly in an earlier run.
    pub issued: SystemTime,
    /// An earlier run left it, and what hangs off it with it.
    pub handed_over: bool,
    /// Lifetime at the last login or renewal; zero: it never expires.
    pub ttl: Duration,
    /// When it ends, on the wall clock; `None`: never.
    pub expires: Option<SystemTime>,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// Its policies, for messages.
    pub policies: Vec<String>,
    /// Present when the method asks for a wrapped token: then that is what goes to the sink.
    pub wrapped: Option<WrapInfo>,
}

impl Login {
    /// What a sink writes: the token alone, or the wrap info as one line of JSON.
    pub fn sink_contents(&self) -> Zeroizing<Vec<u8>> {
        match &self.wrapped {
            Some(info) => info.json_line(),
            None => Zeroizing::new(self.token.expose().as_bytes().to_vec()),
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("generation", &self.generation)
            .field("ttl", &self.ttl)
            .field("renewable", &self.renewable)
            .finish_non_exhaustive()
    }
}

/// How logging in goes, for status.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Successful logins.
    pub logins: u64,
    /// Successful renewals of the token.
    pub renewals: u64,
    /// Failed logins.
    pub failures: u64,
    /// How the last try failed; `None` after a success.
    pub trouble: Option<Trouble>,
}

/// How a login failed.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// Words for the user; never a secret.
    pub message: Arc<str>,
    /// When it is tried again; `None`: never.
    pub next_try: Option<Instant>,
}

/// How the rest of the agent sees auto-auth. Clones are the same.
#[derive(Clone, Debug)]
pub struct Handle {
    /// The latest login.
    pub token: watch::Receiver<TokenState>,
    /// How logging in goes.
    pub progress: watch::Receiver<Progress>,
    /// Tokens of earlier logins that may still live, if they are kept.
    pub superseded: watch::Receiver<auto_auth::Superseded>,
    logging_in: watch::Receiver<bool>,
    events: mpsc::Sender<auto_auth::Event>,
}

impl Handle {
    /// The server called the token of this generation invalid: log in again, unless that is under way or a newer
    /// one is there already.
    pub fn token_refused(&self, generation: u64) {
        // A full queue already holds such news.
        let _ = self.events.try_send(auto_auth::Event::Refused { generation });
    }

    /// The token of this generation lives, but may lack rights that one of now has: log in again, and keep it alive
    /// until that succeeds.
    pub fn token_outgrown(&self, generation: u64) {
        let _ = self.events.try_send(auto_auth::Event::Outgrown { generation });
    }

    /// Waits until no login is on its way. Whoever ends before that leaves a token behind that nobody knows.
    pub async fn settled(&mut self) {
        // Without the task there is no login either.
        let _ = self.logging_in.wait_for(|is_under_way| !is_under_way).await;
    }

    /// The method's credentials changed: log in again, if the configuration wants that.
    pub fn new_credentials(&self) {
        let _ = self.events.try_send(auto_auth::Event::NewCredentials);
    }
}

#[cfg(test)]
impl Login {
    /// One that never expires.
    pub(crate) fn sample(token: &str, generation: u64) -> Self {
        Self {
            token: Token::new(token),
            accessor: String::new(),
            generation,
            issued: SystemTime::UNIX_EPOCH,
            handed_over: false,
            ttl: Duration::ZERO,
            expires: None,
            renewable: false,
            policies: Vec::new(),
            wrapped: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(wrapped: Option<WrapInfo>) -> Login {
        Login {
            accessor: "acc".into(),
            ttl: Duration::from_secs(60),
            renewable: true,
            wrapped,
            ..Login::sample("hvs.canary", 1)
        }
    }

    #[test]
    fn a_plain_token_has_no_newline_and_never_prints() {
        let state = TokenState { login: Some(Arc::new(login(None))), ..TokenState::default() };
        assert_eq!(&**state.login.as_ref().unwrap().sink_contents(), b"hvs.canary");
        assert!(state.token().is_some());
        assert!(!format!("{state:?}").contains("canary"));
    }

    #[test]
    fn a_wrapped_login_is_a_line_of_json_and_no_token_to_send() {
        let info: WrapInfo = serde_json::from_str(
            r#"{"token":"hvs.wrap\"ping","accessor":"a","ttl":300,"creation_time":"2026-01-02T03:04:05Z",
                "creation_path":"auth/kubernetes/login","wrapped_accessor":"w"}"#,
        )
        .unwrap();
        let state = TokenState { login: Some(Arc::new(login(Some(info)))), ..TokenState::default() };
        assert!(state.token().is_none());
        let bytes = state.login.unwrap().sink_contents();
        assert_eq!(
            std::str::from_utf8(&bytes).unwrap(),
            "{\"token\":\"hvs.wrap\\\"ping\",\"accessor\":\"a\",\"ttl\":300,\"creation_time\":\
             \"2026-01-02T03:04:05Z\",\"creation_path\":\"auth/kubernetes/login\",\"wrapped_accessor\":\"w\"}\n"
        );
    }
}
