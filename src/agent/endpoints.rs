//! The endpoints of a run: taken before anything starts, served until it ends.

use std::{path::Path, time::Duration};

use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::{build::Parts, event::Signal, quit::QuitService};
use crate::{
    config::{Config, StatusConfig, StatusSocket},
    listener::{BindError, Bound, Endpoint, Limits, Service, serve},
    problem::chain,
    status::{Ask, place, serve::StatusService},
};

/// How long the end of a run waits for requests under way. They are answered at once; one that never comes whole shall
/// not keep a pod from ending.
const DRAIN: Duration = Duration::from_millis(250);

/// All endpoints, taken.
#[derive(Debug, Default)]
pub struct Endpoints {
    /// Where the status is served.
    status: Vec<Bound>,
    /// Where the agent can be asked to quit.
    quit: Vec<Bound>,
}

/// Takes all endpoints that the configuration names, and the socket at one of the usual places where it names none.
///
/// # Errors
/// An endpoint that somebody named and that can't be had.
pub fn bind(config: &Config, home: Option<&str>) -> Result<Endpoints, BindError> {
    let quit = config.quit.iter().map(|endpoint| Bound::new(&endpoint.value));
    Ok(Endpoints {
        quit: quit.collect::<Result<_, _>>()?,
        status: status(&config.status, config.pid_file.as_deref(), home)?,
    })
}

fn status(
    status: &StatusConfig,
    pid_file: Option<&Path>,
    home: Option<&str>,
) -> Result<Vec<Bound>, BindError> {
    let mut bound = status.listen.iter().map(Bound::new).collect::<Result<Vec<_>, _>>()?;
    match &status.socket {
        None | Some(StatusSocket::Off) => {}
        Some(StatusSocket::At(path)) => bound.push(Bound::new(&Endpoint::Unix(path.clone()))?),
        Some(StatusSocket::Usual) => bound.extend(usual(pid_file, home)),
    }
    Ok(bound)
}

/// A run is not worth less without the socket: it is only said that there is none.
fn usual(pid_file: Option<&Path>, home: Option<&str>) -> Option<Bound> {
    let mut troubles = Vec::new();
    for place in place::usual(pid_file, home) {
        match Bound::new(&Endpoint::Unix(place)) {
            Ok(bound) => return Some(bound),
            Err(trouble) => troubles.push(chain(&trouble)),
        }
    }
    warn!(
        target: "agent",
        "`decant healthcheck` has no socket to ask, the rest works: {}; the setting `status_socket` names another place",
        troubles.join("; ")
    );
    None
}

/// The servers of a run.
pub struct Servers {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Servers {
    /// Serves all of them; the questions about the status come out behind.
    pub fn start(parts: &mut Parts, signals: &mpsc::Sender<Signal>) -> (Self, mpsc::Receiver<Ask>) {
        let endpoints = std::mem::take(&mut parts.endpoints);
        let (asker, asks) = mpsc::channel(16);
        let mut servers = Self { tasks: JoinSet::new(), stop: CancellationToken::new() };
        for bound in endpoints.quit {
            let service = QuitService::new(signals.clone(), parts.config.vault.address.clone());
            servers.serve(bound, service, "the listener takes requests to quit");
        }
        for bound in endpoints.status {
            servers.serve(bound, StatusService::new(asker.clone()), "status is served");
        }
        (servers, asks)
    }

    fn serve(&mut self, bound: Bound, service: impl Service, what: &'static str) {
        if bound.endpoint().is_socket() {
            debug!(target: "agent", endpoint = %bound.endpoint(), "{what}");
        } else {
            info!(target: "agent", endpoint = %bound.endpoint(), "{what}");
        }
        let limits = Limits { drain: DRAIN, ..Limits::default() };
        let serving = serve(bound, service, limits, self.stop.clone());
        self.tasks.spawn(async {
            if let Err(trouble) = serving.await {
                error!(target: "agent", error = %trouble, "an endpoint can't be served");
            }
        });
    }

    /// Takes no more requests and waits a moment for those under way.
    pub async fn drain(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, os::unix::net::UnixStream};

    use super::*;
    use crate::clock::Clock;

    #[tokio::test(start_paused = true)]
    async fn a_request_that_never_comes_whole_holds_the_end_up_for_a_moment_only() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::system());
        let path = folder.path().join("socket");
        let bound = Bound::new(&Endpoint::Unix(path.clone())).unwrap();
        let mut servers = Servers { tasks: JoinSet::new(), stop: CancellationToken::new() };
        servers.serve(bound, StatusService::new(mpsc::channel(1).0), "status is served");
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(b"GET /readyz HTTP/1.1\r\n").unwrap();
        // Time moves when everything that can be done is done: the connection is taken and its half read.
        for _ in 0..10 {
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        let start = clock.now();
        servers.drain().await;
        let lasted = clock.now() - start;
        assert!(lasted >= DRAIN, "it was not under way");
        assert!(lasted < DRAIN * 2, "{lasted:?}");
    }
}
