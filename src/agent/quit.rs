//! The agent API of a listener: `POST /agent/v1/quit` ends the run, everything else is refused.

use tokio::sync::mpsc;
use tracing::info;

use super::event::Signal;
use crate::listener::{JSON, Method, Request, Response, Service, TEXT, answer, not_allowed};

const QUIT: &str = "/agent/v1/quit";

/// Answers the requests at one listener.
#[derive(Clone, Debug)]
pub(super) struct QuitService {
    signals: mpsc::Sender<Signal>,
    /// The server that requests were meant for.
    upstream: String,
}

impl QuitService {
    /// A request to quit goes into `signals`.
    pub(super) const fn new(signals: mpsc::Sender<Signal>, upstream: String) -> Self {
        Self { signals, upstream }
    }

    fn respond(&self, method: &Method, path: &str) -> Response {
        match (path, method) {
            (QUIT, &Method::POST) => {
                info!(target: "agent", "asked to quit through the listener");
                // A full queue holds a reason to end already. The answer leaves before the listener does: it drains.
                let _ = self.signals.try_send(Signal::Stop);
                answer(200, TEXT, "")
            }
            (QUIT, _) => not_allowed("POST"),
            _ => {
                let why = format!(
                    "this listener answers POST {QUIT} only: requests are not forwarded in this version, send them to {}",
                    self.upstream
                );
                answer(501, JSON, serde_json::json!({ "errors": [why] }).to_string())
            }
        }
    }
}

impl Service for QuitService {
    async fn call(&self, request: Request) -> Response {
        self.respond(request.method(), request.uri().path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::body;

    #[tokio::test]
    async fn only_a_post_to_quit_ends_the_run() {
        let (signals, mut queue) = mpsc::channel(1);
        let service = QuitService::new(signals, "http://vault:8200".into());
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let refused = service.respond(&method, QUIT);
            assert_eq!(
                (refused.status().as_u16(), &refused.headers()["allow"]),
                (405, &"POST".parse().unwrap())
            );
        }
        for path in ["/v1/secret/data/app", "/agent/v1/quit/", "/agent/v1/cache-clear", "/"] {
            let refused = service.respond(&Method::POST, path);
            assert_eq!(refused.status(), 501, "{path}");
            let text = body(refused).await;
            assert!(text.starts_with("{\"errors\":[\"") && text.contains("http://vault:8200"), "{text}");
        }
        assert!(queue.try_recv().is_err());
        let ended = service.respond(&Method::POST, QUIT);
        assert_eq!((ended.status().as_u16(), body(ended).await), (200, String::new()));
        assert!(matches!(queue.try_recv(), Ok(Signal::Stop)));
        assert_eq!(service.respond(&Method::POST, QUIT).status(), 200);
        assert_eq!(service.respond(&Method::POST, QUIT).status(), 200, "several at once do no harm");
    }
}
