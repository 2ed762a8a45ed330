//! The embedded development server: a peer that speaks Vault's API from memory, for `demo`, tests and laptops.
//!
//! It shares nothing with the agent but the wire's data type and the ground floor. Beside `/v1/` it has
//! `/dev/v1/` (faults, journal, clock, tokens of service accounts) and a cluster's token review. Its answers were
//! compared, call by call, with those of OpenBao 2.6.2.

mod answer;
mod approle;
mod authority;
mod call;
mod cert;
mod certificate;
mod claims;
mod control;
mod core;
mod database;
mod fault;
mod fields;
mod folder;
mod http;
mod issuer;
mod journal;
mod jws;
mod jwt;
mod jwt_role;
mod kubernetes;
mod kv1;
mod kv2;
mod kv2_patch;
mod kv2_words;
mod lease;
mod lifetime;
mod listener;
mod login;
mod moment;
mod mount;
mod peer;
mod pki;
mod pki_ca;
mod pki_role;
mod policy;
mod policy_text;
mod role;
mod secret_id;
mod shared;
mod static_role;
mod status;
mod sys;
#[cfg(test)]
mod testing;
mod token;
mod token_api;
mod wrapping;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use thiserror::Error;
use tokio::{net::TcpListener, sync::Notify};
use tokio_rustls::TlsAcceptor;

use self::{
    call::{Call, Operation, Secret},
    core::Core,
    fields::Fields,
    listener::Caller,
    moment::ServerClock,
    peer::Peer,
    shared::Shared,
};
use crate::clock::Clock;

pub use self::{
    authority::{Authority, Identity, Subject},
    fault::Fault,
    issuer::{Claims, Issuer},
};

/// How long requests under way may take once the server is told to stop.
const GRACE: Duration = Duration::from_secs(2);
/// How often what is over is ended even when nobody asks.
const SWEEP: Duration = Duration::from_secs(1);

/// What a server starts with.
pub struct DevConfig {
    /// The token that may do everything.
    pub root_token: String,
    /// Issues and reviews service-account tokens; a fresh key pair when absent.
    pub issuer: Option<Issuer>,
    /// Mounts KV version 2 at `secret/`, as other development servers do.
    pub mount_secret: bool,
    /// Written with the root token before the first request, in this order: path below `/v1/` and JSON body, such as
    /// `("sys/policies/acl/app", r#"{"policy": "…"}"#)`.
    pub seed: Vec<(String, String)>,
    /// Serves HTTPS with a certificate of its own authority (`GET /dev/v1/ca`), and asks clients for theirs.
    pub tls: bool,
    /// Where the server's time comes from.
    pub clock: Clock,
}

impl std::fmt::Debug for DevConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token and the seed's bodies are secrets.
        let paths: Vec<&str> = self.seed.iter().map(|(path, _)| path.as_str()).collect();
        f.debug_struct("DevConfig").field("mount_secret", &self.mount_secret).field("seed", &paths).finish()
    }
}

impl Default for DevConfig {
    fn default() -> Self {
        Self {
            root_token: "root".to_owned(),
            issuer: None,
            mount_secret: true,
            seed: Vec::new(),
            tls: false,
            clock: Clock::system(),
        }
    }
}

/// Why there is no server.
#[derive(Debug, Error)]
pub enum DevError {
    /// The server keeps secrets without protection: nobody else may reach it.
    #[error(
        "the development server listens on loopback only, not on {0}; choose an address such as 127.0.0.1:8200"
    )]
    NotLoopback(SocketAddr),
    /// The address can't be bound.
    #[error("can't listen on {address}")]
    Bind {
        /// The address that was wanted.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// A write of the seed was refused.
    #[error("the seed for {path} was refused: {reason}")]
    Seed {
        /// The path that was to be written.
        path: String,
        /// What the server answered.
        reason: String,
    },
    /// No random numbers.
    #[error("the operating system gave no randomness to make keys from")]
    Keys,
    /// A certificate can't be made as asked for.
    #[error("the certificate can't be made: {0}")]
    Certificate(String),
    /// The listening socket failed for good.
    #[error("the development server stopped listening")]
    Serve(#[source] io::Error),
}

/// A server that holds its address and doesn't answer yet.
pub struct Server {
    listener: listener::Listener,
    address: SocketAddr,
    shared: Shared,
}

impl Server {
    /// Takes the address (port 0: any free one).
    ///
    /// # Errors
    /// An address that is not loopback, or that is taken.
    pub async fn bind(address: SocketAddr, config: DevConfig) -> Result<Self, DevError> {
        if !address.ip().is_loopback() {
            return Err(DevError::NotLoopback(address));
        }
        let failed = |source| DevError::Bind { address, source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let tls = config.tls;
        let shared = shared(config)?;
        let tls = tls.then(|| acceptor(&shared)).transpose()?;
        Ok(Self { listener: listener::Listener { socket, tls }, address, shared })
    }

    /// The address that it holds, with the real port.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `https` or `http`.
    pub const fn scheme(&self) -> &'static str {
        if self.listener.tls.is_some() { "https" } else { "http" }
    }

    /// The authority whose certificate clients of a TLS server need, and which signs theirs.
    pub fn authority(&self) -> Arc<Authority> {
        Arc::clone(&self.shared.authority)
    }

    /// The cluster's issuer, to make service-account tokens with.
    pub fn issuer(&self) -> Arc<Issuer> {
        Arc::clone(&self.shared.issuer)
    }

    /// Serves until `shutdown` is done; requests under way get two seconds, held ones are let go.
    ///
    /// # Errors
    /// The listening socket fails.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), DevError> {
        let shared = self.shared.clone();
        let stopping = Arc::new(Notify::new());
        let told = Arc::clone(&stopping);
        let faults = self.shared.clone();
        let shutdown = async move {
            shutdown.await;
            faults.change(|state| state.faults.clear());
            told.notify_one();
        };
        let service = http::router(self.shared).into_make_service_with_connect_info::<Caller>();
        let serve = axum::serve(self.listener, service).with_graceful_shutdown(shutdown);
        tokio::select! {
            ended = async { serve.await } => ended.map_err(DevError::Serve),
            () = sweep(&shared) => Ok(()),
            () = async { stopping.notified().await; tokio::time::sleep(GRACE).await } => Ok(()),
        }
    }
}

/// Ends tokens and leases when their time is over, for ever.
async fn sweep(shared: &Shared) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let mut state = shared.lock();
        let now = state.core.clock.now();
        state.core.expire(now);
    }
}

fn acceptor(shared: &Shared) -> Result<TlsAcceptor, DevError> {
    let now = shared.lock().core.clock.now().seconds();
    let config = shared.authority.server_config(i64::try_from(now).unwrap_or(i64::MAX))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn shared(config: DevConfig) -> Result<Shared, DevError> {
    let issuer = match config.issuer {
        Some(issuer) => issuer,
        None => Issuer::generate()?,
    };
    let mut core = Core::new(&config.root_token, Arc::new(issuer), ServerClock::new(config.clock));
    if config.mount_secret {
        let kv2 = [("type", "kv-v2"), ("description", "key/value secret storage")];
        let kv2 = kv2.map(|(key, value)| (key.to_owned(), value.to_owned()));
        // The mount table is empty, so there is nothing that could be in the way.
        let _ = core.mounts.enable("secret", false, &Fields::from_pairs(kv2));
    }
    for (path, body) in config.seed {
        plant(&mut core, &config.root_token, path, &body)?;
    }
    let now = i64::try_from(core.clock.now().seconds()).unwrap_or(i64::MAX);
    Ok(Shared::new(core, Authority::generate(now)?))
}

fn plant(core: &mut Core, root_token: &str, path: String, body: &str) -> Result<(), DevError> {
    let planted = Fields::from_body(body.as_bytes()).and_then(|fields| {
        let token = Some(Secret(root_token.to_owned()));
        let (wrap, peer) = (None, Peer::default());
        core.handle(&Call { operation: Operation::Write, path: path.clone(), fields, token, wrap, peer })
    });
    match planted {
        Ok(answer) if answer.status < 300 => Ok(()),
        Ok(_) => Err(DevError::Seed {
            path,
            reason: "no such path in a versioned engine; write to data/".to_owned(),
        }),
        Err(refusal) => Err(DevError::Seed { path, reason: refusal.errors.join("; ") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn other_addresses_than_loopback_are_refused() {
        let address = SocketAddr::from(([0, 0, 0, 0], 0));
        let error = Server::bind(address, DevConfig::default()).await.err().unwrap();
        assert!(error.to_string().contains("loopback only, not on 0.0.0.0:0"), "{error}");
    }

    #[test]
    fn a_seed_is_there_from_the_start_or_says_what_is_wrong() {
        let seed = |path: &str, body: &str| DevConfig {
            seed: vec![(path.to_owned(), body.to_owned())],
            ..DevConfig::default()
        };
        assert!(shared(seed("secret/data/app", r#"{"data": {"a": 1}}"#)).is_ok());
        let error = shared(seed("secret/app", r#"{"password": "canary"}"#)).err().unwrap().to_string();
        assert!(error.ends_with("write to data/"), "{error}");
        let error = shared(seed("nowhere/app", r#"{"password": "canary"}"#)).err().unwrap().to_string();
        assert!(error.starts_with("the seed for nowhere/app was refused: no handler"), "{error}");
        assert!(!error.contains("canary"));
        let shown = format!("{:?}", seed("secret/data/app", "canary"));
        assert!(shown.contains("secret/data/app") && !shown.contains("canary"), "{shown}");
    }

    #[tokio::test]
    async fn it_serves_and_stops_and_a_fault_cuts_the_connection() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), DevConfig::default()).await.unwrap();
        let address = server.address();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let asking = async {
            let mut answers = Vec::new();
            for request in [
                "GET /v1/sys/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
                "POST /dev/v1/faults HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 13\r\n\r\n{\"drop\":true}",
                "GET /v1/sys/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            ] {
                let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut answer = String::new();
                let _ = stream.read_to_string(&mut answer).await;
                answers.push(answer);
            }
            stop.send(()).unwrap();
            answers
        };
        let (ended, answers) = tokio::join!(server.run(async { drop(stopped.await) }), asking);
        ended.unwrap();
        assert!(answers[0].starts_with("HTTP/1.1 200 OK"), "{answers:?}");
        assert!(answers[1].starts_with("HTTP/1.1 201"), "{answers:?}");
        assert_eq!(answers[2], "");
    }
}
