//! The sinks: each gets every new token, plain, wrapped or encrypted, at its own pace.

mod encrypt;
mod file;

use std::time::Duration;

use thiserror::Error;
use tokio::{sync::watch, time::sleep};

use crate::{
    auth::{Login, TokenState, wrap::Wrap},
    chance::Chance,
    config::SinkConfig,
    output::WriteError,
    problem::chain,
    vault::error::VaultError,
};

use self::{
    encrypt::{Encryption, KeyError},
    file::{try_out, write},
};

const FILE_SINK: &str = "agent.sink.file";
const SINK_SERVER: &str = "agent.sink.server";
/// Shortest and longest wait after a failed write, as the original.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3));

/// A sink that can't be written to.
#[derive(Debug, Error)]
#[error("sink {origin}")]
pub struct SinkError {
    /// Where the sink was configured.
    pub origin: crate::origin::Origin,
    /// What is wrong.
    #[source]
    pub source: Box<WriteError>,
}

/// Why a token isn't in its sink yet.
#[derive(Debug, Error)]
enum Trouble {
    /// The file.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The token can't be wrapped.
    #[error("the token for {path} can't be wrapped")]
    Wrap {
        /// The sink's file.
        path: String,
        /// What the server says.
        source: VaultError,
    },
    /// The server wrapped nothing.
    #[error("the token for {path} can't be wrapped: the server's answer has no wrap_info")]
    NotWrapped {
        /// The sink's file.
        path: String,
    },
    /// The token can't be encrypted.
    #[error("the token for {path} can't be encrypted")]
    Encrypt {
        /// The sink's file.
        path: String,
        /// Why not.
        source: KeyError,
    },
}

impl Trouble {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Write(error) => error.hint().map(|hint| hint.to_string()),
            Self::Wrap { source: VaultError::Denied(_), .. } => {
                Some("the policies must allow update on sys/wrapping/wrap (policy default does)".to_owned())
            }
            Self::Wrap { source, .. } => source.hint().map(str::to_owned),
            Self::NotWrapped { .. } => None,
            Self::Encrypt { source, .. } => source.hint().map(str::to_owned),
        }
    }
}

/// All file sinks of one login.
#[derive(Debug)]
pub struct Sinks {
    sinks: Vec<SinkConfig>,
    umask: u32,
    chance: Chance,
    /// Generation of the token that each sink holds.
    written: watch::Sender<Vec<u64>>,
}

/// Tells when the sinks are done. Clones are the same.
#[derive(Clone, Debug)]
pub struct Written(watch::Receiver<Vec<u64>>);

impl Written {
    /// Waits until every sink holds the token of this generation or a later one; at once without sinks. When the
    /// sinks have ended it waits for ever: the task that ran them knows why.
    pub async fn all(&mut self, generation: u64) {
        if self.0.wait_for(|held| held.iter().all(|held| *held >= generation)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Sinks {
    /// Takes over the sinks and writes to each a file beside its token, with its mode and owner, and removes it
    /// again: what can't work is said at start.
    ///
    /// # Errors
    /// The first sink that can't be written to.
    pub fn open(sinks: Vec<SinkConfig>, umask: u32, chance: Chance) -> Result<(Self, Written), SinkError> {
        for sink in &sinks {
            try_out(sink, umask)
                .map_err(|source| SinkError { origin: sink.origin.clone(), source: Box::new(source) })?;
            tracing::info!(
                target: FILE_SINK,
                path = %sink.path.display(),
                mode = format!("{:04o}", sink.mode),
                "file sink configured"
            );
        }
        let (written, receiver) = watch::channel(vec![0; sinks.len()]);
        Ok((Self { sinks, umask, chance, written }, Written(receiver)))
    }

    /// Writes every new token to every sink, until it is dropped or auto-auth ends. A sink that fails tries again
    /// after 1–3 s and doesn't hold up the others. `server` wraps tokens where that is configured.
    pub async fn run(self, tokens: watch::Receiver<TokenState>, server: impl Wrap) {
        tracing::info!(target: SINK_SERVER, "starting sink server");
        let all = (0..self.sinks.len()).map(|index| self.serve(index, tokens.clone(), &server));
        futures_util::future::join_all(all).await;
    }

    /// One sink.
    async fn serve(&self, index: usize, mut tokens: watch::Receiver<TokenState>, server: &impl Wrap) {
        let Some(sink) = self.sinks.get(index) else { return };
        let mut encryption = sink.encryption.clone().map(Encryption::new);
        let (mut held, mut tries) = (0, 0_u32);
        loop {
            let state = tokens.borrow_and_update().clone();
            let Some(login) = state.login.clone().filter(|login| login.generation > held) else {
                if tokens.changed().await.is_err() {
                    return;
                }
                continue;
            };
            match self.put(sink, &login, &state, encryption.as_mut(), server).await {
                Ok(()) => {
                    (held, tries) = (login.generation, 0);
                    tracing::info!(target: FILE_SINK, path = %sink.path.display(), "token written");
                    self.written.send_modify(|all| {
                        if let Some(slot) = all.get_mut(index) {
                            *slot = held;
                        }
                    });
                }
                Err(trouble) => {
                    tries = tries.saturating_add(1);
                    let backoff = self.chance.between(RETRY.0, RETRY.1);
                    complain(&trouble, tries, backoff);
                    sleep(backoff).await;
                }
            }
        }
    }

    /// Wraps, encrypts and writes, as configured. What should be wrapped or encrypted is never written otherwise.
    async fn put(
        &self,
        sink: &SinkConfig,
        login: &Login,
        state: &TokenState,
        mut encryption: Option<&mut Encryption>,
        server: &impl Wrap,
    ) -> Result<(), Trouble> {
        let path = || sink.path.display().to_string();
        // Before anything is wrapped: the reader may not come for hours, and each try would leave a wrapping token.
        if let Some(encryption) = encryption.as_deref_mut() {
            encryption.agree().map_err(|source| Trouble::Encrypt { path: path(), source })?;
        }
        let mut contents = if sink.wrap_ttl.is_zero() {
            login.sink_contents()
        } else {
            let wrapped = server.wrap(&login.token, state.namespace.as_ref(), sink.wrap_ttl).await;
            let info = wrapped.map_err(|source| Trouble::Wrap { path: path(), source })?;
            info.ok_or_else(|| Trouble::NotWrapped { path: path() })?.json_line()
        };
        if let Some(encryption) = encryption {
            contents =
                encryption.seal(&contents).map_err(|source| Trouble::Encrypt { path: path(), source })?;
        }
        Ok(write(sink, &contents, self.umask)?)
    }
}

/// A sink may fail for hours, for instance until its reader comes: that is said ever more seldom.
fn complain(trouble: &Trouble, tries: u32, backoff: Duration) {
    if !tries.is_power_of_two() {
        tracing::debug!(target: SINK_SERVER, error = chain(trouble), tries, "sink function failed again");
        return;
    }
    tracing::error!(
        target: SINK_SERVER,
        error = chain(trouble),
        hint = trouble.hint(),
        ?backoff,
        "error returned by sink function, retrying"
    );
}

#[cfg(test)]
mod tests;
