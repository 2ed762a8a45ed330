//! The auto-auth task: asks its state machine what comes next, talks to the server, publishes the token.

mod adopt;
mod answer;
mod error;
mod machine;
mod news;
mod renew;
mod server;
mod superseded;
mod unwrap;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use self::{
    answer::Granted,
    machine::{LoginFailure, Machine, Rules, Step},
    news::CredentialNews,
};
pub use self::{
    error::{AutoAuthError, LoginError},
    server::Server,
    superseded::Superseded,
};
use super::{
    AuthId, Handle, Login, Progress, TokenState, Trouble,
    claims::Claims,
    method::{LoginRequest, Method},
};
use crate::{
    cache::KeptToken,
    chance::Chance,
    clock::Clock,
    config::{AutoAuthConfig, MethodConfig},
    problem::{chain, chain_with_hint},
    vault::{
        client::{Call, Product},
        gate::Class,
    },
};

const HANDLER: &str = "agent.auth.handler";
const LOOKUP: &str = "auth/token/lookup-self";
const RENEW: &str = "auth/token/renew-self";

/// What others tell auto-auth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The server called the token of this generation invalid.
    Refused {
        /// Which token.
        generation: u64,
    },
    /// The token of this generation was handed over, and may do less than one of now.
    Outgrown {
        /// Which token.
        generation: u64,
    },
    /// The method's credentials changed.
    NewCredentials,
}

/// The task of one identity.
pub struct AutoAuth<S: Server> {
    server: S,
    /// The client of the method's own, once it could be made.
    own: Option<S::Client>,
    config: MethodConfig,
    method: Method,
    news: CredentialNews,
    machine: Machine,
    clock: Clock,
    chance: Chance,
    publish: watch::Sender<TokenState>,
    progress: watch::Sender<Progress>,
    /// Whether a login is on its way, whose token nobody knows yet.
    under_way: watch::Sender<bool>,
    events: mpsc::Receiver<Event>,
    /// Logins in a row for which there was nothing to log in with.
    empty_handed: u32,
    /// The server refused the token; whatever the next login gives is news.
    refused: bool,
    /// What an earlier run left, until it is judged.
    kept: Option<KeptToken>,
    keeps_superseded: bool,
    superseded: watch::Sender<Superseded>,
}

impl<S: Server> AutoAuth<S> {
    /// The task and the handle through which others see it.
    pub fn new(config: &AutoAuthConfig, server: S, clock: Clock, chance: Chance) -> (Self, Handle) {
        let method = &config.method;
        let rules = Rules {
            min_backoff: method.min_backoff,
            max_backoff: method.max_backoff,
            exit_on_err: method.exit_on_err,
            reauth_on_new_credentials: config.reauth_on_new_credentials,
        };
        let state =
            TokenState { identity: AuthId::default(), namespace: method.namespace.clone(), login: None };
        let (publish, token) = watch::channel(state);
        let (progress, progress_out) = watch::channel(Progress::default());
        let (under_way, logging_in) = watch::channel(false);
        let (superseded, superseded_out) = watch::channel(Superseded::new());
        // A few kinds of news, and one of each says all.
        let (sender, events) = mpsc::channel(8);
        let login = Method::new(method);
        let task = Self {
            server,
            own: None,
            config: method.clone(),
            news: CredentialNews::of(login.news(), clock),
            method: login,
            machine: Machine::new(rules, clock.now()),
            clock,
            chance,
            publish,
            progress,
            under_way,
            events,
            empty_handed: 0,
            refused: false,
            kept: None,
            keeps_superseded: false,
            superseded,
        };
        let (progress, superseded) = (progress_out, superseded_out);
        (task, Handle { token, progress, superseded, logging_in, events: sender })
    }

    /// Logs in, renews, logs in again, until it is dropped.
    ///
    /// # Errors
    /// A failed login with `exit_on_err`.
    pub async fn run(mut self) -> AutoAuthError {
        tracing::info!(target: HANDLER, "starting auth handler");
        loop {
            let step = self.machine.step();
            let at = match step {
                Step::Login(at) | Step::Renew(at) => Some(at),
                Step::Rest => None,
            };
            if self.wait(at).await {
                continue;
            }
            match step {
                Step::Login(_) => {
                    if let Err(error) = self.login().await {
                        return error;
                    }
                }
                Step::Renew(_) => self.renew().await,
                Step::Rest => {}
            }
        }
    }

    /// Waits until then; `true` when something happened first and the step has to be looked at again.
    async fn wait(&mut self, at: Option<Instant>) -> bool {
        let due = at.map(|at| (at, self.clock.wall() + at.duration_since(self.clock.now())));
        loop {
            let now = self.clock.now();
            if due.is_some_and(|(at, wall)| now >= at || self.clock.wall() >= wall) {
                return false;
            }
            let nap =
                due.map_or(now + Duration::from_secs(24 * 3600), |(at, _)| at.min(self.clock.next_look()));
            tokio::select! {
                () = sleep_until(nap) => {}
                event = self.events.recv(), if !self.events.is_closed() => {
                    if event.is_some_and(|event| self.heed(event)) {
                        return true;
                    }
                }
                () = self.news.stirred() => {
                    if self.method.look() && self.heed(Event::NewCredentials) {
                        return true;
                    }
                }
            }
        }
    }

    /// Whether the event changes what comes next.
    fn heed(&mut self, event: Event) -> bool {
        let now = self.clock.now();
        match event {
            Event::Refused { generation } => {
                let heals = self.machine.token_refused(generation, now, self.chance.unit());
                if heals {
                    self.refused = true;
                    tracing::warn!(target: HANDLER, "the server no longer knows the token, logging in again");
                }
                heals
            }
            Event::Outgrown { generation } => {
                let again = self.machine.token_outgrown(generation, now, self.chance.unit());
                if again {
                    self.refused = true;
                    tracing::info!(
                        target: HANDLER,
                        "a request was denied with the token that was handed over, logging in again: a new token may \
                         have rights that the old one lacks; until then that one is kept alive"
                    );
                }
                again
            }
            Event::NewCredentials => {
                let again = self.machine.new_credentials(now);
                if again {
                    tracing::info!(target: HANDLER, "new credentials, logging in again");
                }
                again
            }
        }
    }

    async fn login(&mut self) -> Result<(), AutoAuthError> {
        // A missing credential is looked for every other second, which is no news.
        if self.empty_handed == 0 {
            tracing::info!(target: HANDLER, "authenticating");
        } else {
            tracing::debug!(target: HANDLER, "authenticating");
        }
        let mut claims = None;
        let result = match self.try_login(&mut claims).await {
            Ok(granted) => {
                self.grant(granted);
                Ok(())
            }
            Err(error) => self.login_failed(error, claims.as_ref()),
        };
        self.under_way.send_replace(false);
        result
    }

    async fn try_login(&mut self, claims: &mut Option<Claims>) -> Result<Granted, LoginError> {
        let path = match &self.method {
            Method::TokenFile(_) => LOOKUP.to_owned(),
            _ => format!("{}/login", self.config.mount_path),
        };
        // Credentials are read after the wait, because they age while the server is away.
        let mut pass = Some(self.server.pass(Class::First, &path).await);
        if let Some(identity) = self.method.identity().filter(|_| self.own.is_none()) {
            self.own = Some(self.server.own_client(identity)?);
        }
        if let Some(granted) = self.adopt(&mut pass).await? {
            return Ok(granted);
        }
        let mut pass = match pass {
            Some(pass) => pass,
            None => self.server.pass(Class::First, &path).await,
        };
        let mut request = self.method.prepare(self.clock.unix_seconds())?;
        if let LoginRequest::Unwrap { token, creation_path, file } = request {
            let secret_id = self.open_secret_id(pass, &token, &creation_path, &file).await?;
            request = self.method.unwrapped(token, secret_id)?;
            pass = self.server.pass(Class::First, &path).await;
        }
        self.send_login(pass, request, claims).await
    }

    async fn send_login(
        &self,
        pass: S::Pass,
        request: LoginRequest,
        claims: &mut Option<Claims>,
    ) -> Result<Granted, LoginError> {
        let (namespace, own) = (self.config.namespace.clone(), self.own.as_ref());
        match request {
            LoginRequest::Unwrap { .. } => {
                Err(LoginError::Unusable("secret ID that is not wrapped once more"))
            }
            LoginRequest::Write { path, body, claims: said } => {
                *claims = said;
                let call = Call::write(&path, body, Product::AutoAuth)
                    .namespace(namespace.as_ref())
                    .wrap_ttl(self.config.wrap_ttl);
                self.under_way.send_replace(true);
                let answer = self.server.send(pass, &path, &call, own).await?;
                Granted::from_login(answer.unwrap_or_default(), !self.config.wrap_ttl.is_zero())
            }
            LoginRequest::Lookup { token } => {
                let call = Call::read(LOOKUP, Product::AutoAuth).namespace(namespace.as_ref()).token(&token);
                let answer = self.server.send(pass, LOOKUP, &call, own).await?;
                Granted::from_lookup(token.clone(), answer.unwrap_or_default())
            }
        }
    }

    fn expires(&self, ttl: Duration) -> Option<SystemTime> {
        (!ttl.is_zero()).then(|| self.clock.wall() + ttl)
    }

    fn grant(&mut self, granted: Granted) {
        let Granted { grant, token, accessor, ttl, renewable, policies, wrapped, adopted } = granted;
        let what = match adopted {
            None => "authentication successful, sending token to sinks",
            Some(_) => "the token that was handed over lives, sending it to sinks instead of a new one",
        };
        tracing::info!(target: HANDLER, ?ttl, renewable, policies = policies.join(","), "{what}");
        let expires = self.expires(ttl);
        let generation = {
            let state = self.publish.borrow();
            // A token file that still holds the same token is no news, unless somebody waits for a better one.
            let same = state.login.as_ref().is_some_and(|login| login.token == token);
            state.generation() + u64::from(!same || self.refused)
        };
        self.refused = false;
        let login = Login {
            token,
            accessor,
            generation,
            issued: adopted.unwrap_or_else(|| self.clock.wall()),
            handed_over: adopted.is_some(),
            ttl,
            expires,
            renewable,
            policies,
            wrapped,
        };
        self.supersede(&login);
        self.publish.send_modify(|state| state.login = Some(Arc::new(login)));
        self.progress.send_modify(|progress| {
            progress.logins += 1;
            progress.trouble = None;
        });
        self.machine.logged_in(grant, generation, self.clock.now(), self.chance.unit());
        if matches!(self.machine.step(), Step::Renew(_)) {
            tracing::info!(target: HANDLER, "starting renewal process");
        }
    }

    fn login_failed(&mut self, error: LoginError, claims: Option<&Claims>) -> Result<(), AutoAuthError> {
        let failure = error.failure();
        let wait = self.machine.login_failed(failure, self.clock.now(), self.chance.unit());
        let next_try = wait.map(|wait| self.clock.now() + wait);
        let hint = error.hint(&self.method);
        let message: Arc<str> = chain_with_hint(&error, hint).into();
        self.progress.send_modify(|progress| {
            progress.failures += 1;
            progress.trouble = Some(Trouble { message: message.clone(), next_try });
        });
        let missing = failure == LoginFailure::NoCredential;
        self.empty_handed = if missing { self.empty_handed.saturating_add(1) } else { 0 };
        // A credential is looked for every other second; that is said ever more seldom.
        if wait.is_some() && missing && !self.empty_handed.is_power_of_two() {
            return Ok(());
        }
        tracing::error!(
            target: HANDLER,
            error = chain(&error),
            address = self.server.address(),
            method = self.method.name(),
            mount = self.config.mount_path,
            role = self.method.role(),
            namespace = self.config.namespace.as_ref().map(|namespace| namespace.as_str()),
            jwt = self.shown_jwt(claims, &error),
            backoff = wait.map(|wait| format!("{wait:?}")),
            hint,
            "error authenticating"
        );
        if wait.is_some() { Ok(()) } else { Err(AutoAuthError::Login(message)) }
    }

    /// What the JWT says of itself, for the log; or that what was sent is none.
    fn shown_jwt(&self, claims: Option<&Claims>, error: &LoginError) -> Option<String> {
        let sends_jwt = matches!(self.method, Method::Kubernetes(_) | Method::Jwt(_));
        let was_sent = matches!(error, LoginError::Vault(_));
        let none = || "none: what the file holds is no JWT".to_owned();
        claims.map(ToString::to_string).or_else(|| (sends_jwt && was_sent).then(none))
    }
}

#[cfg(test)]
mod tests;
