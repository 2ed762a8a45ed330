//! The endpoints: `/healthz`, `/readyz`, `/metrics` and `/status`, for whoever the listener lets in.

use std::time::Duration;

use tokio::{sync::oneshot, time::timeout};

use super::{Asker, Report, json, metrics};
use crate::listener::{self, JSON, Method, Request, Response, Service, TEXT, answer};

/// What answers a probe: 200 while the loop runs.
pub const HEALTH: &str = "/healthz";
/// What answers a probe: 200 while every file is there and valid, else 503 and what is awaited.
pub const READY: &str = "/readyz";
/// The metrics.
pub const METRICS: &str = "/metrics";
/// The report as JSON.
pub const STATUS: &str = "/status";

/// The loop answers within this time, or it is stuck.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers with reports of the loop.
#[derive(Clone, Debug)]
pub struct StatusService {
    asker: Asker,
}

impl StatusService {
    /// Asks there.
    pub const fn new(asker: Asker) -> Self {
        Self { asker }
    }

    async fn report(&self) -> Option<Report> {
        let (ask, report) = oneshot::channel();
        let asked = async {
            self.asker.send(ask).await.ok()?;
            report.await.ok()
        };
        timeout(PATIENCE, asked).await.ok().flatten()
    }

    async fn respond(&self, method: &Method, path: &str) -> Response {
        if ![HEALTH, READY, METRICS, STATUS].contains(&path) {
            let body = format!("there is no {path} here, only {HEALTH}, {READY}, {METRICS} and {STATUS}\n");
            return answer(404, TEXT, body);
        }
        if ![Method::GET, Method::HEAD].contains(method) {
            return listener::not_allowed("GET, HEAD");
        }
        let Some(report) = self.report().await else {
            return answer(503, TEXT, "the agent is stopping or stuck\n");
        };
        match path {
            HEALTH => answer(200, TEXT, "ok\n"),
            READY if report.is_ready() => answer(200, TEXT, "ready\n"),
            READY => answer(503, TEXT, awaited(&report)),
            METRICS => answer(200, metrics::CONTENT_TYPE, metrics::text(&report)),
            _ => answer(200, JSON, json::text(&report)),
        }
    }
}

impl Service for StatusService {
    async fn call(&self, request: Request) -> Response {
        self.respond(request.method(), request.uri().path()).await
    }
}

fn awaited(report: &Report) -> String {
    let mut text = String::from("not ready, waiting for:\n");
    for awaited in &report.awaited {
        text.push_str(&format!("- {awaited}{}\n", awaited.retry(report.now)));
    }
    text
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::{super::testing, *};

    async fn ask(report: Option<Report>, method: Method, path: &str) -> (u16, String) {
        let (asker, mut asks) = mpsc::channel(1);
        let service = StatusService::new(asker);
        let answering = async {
            if let Some(report) = report
                && let Some(ask) = asks.recv().await
            {
                let _ = ask.send(report);
            }
            drop(asks);
            std::future::pending::<()>().await;
        };
        let response = tokio::select! {
            response = service.respond(&method, path) => response,
            () = answering => unreachable!(),
        };
        let status = response.status().as_u16();
        (status, listener::body(response).await)
    }

    fn ready() -> Report {
        Report { awaited: Vec::new(), ..testing::report() }
    }

    #[tokio::test]
    async fn probes_see_health_and_readiness() {
        assert_eq!(ask(Some(testing::report()), Method::GET, HEALTH).await, (200, "ok\n".into()));
        assert_eq!(ask(Some(ready()), Method::GET, READY).await, (200, "ready\n".into()));
        let text = "not ready, waiting for:\n- issue pki/issue/app: PUT http://v/v1/pki/issue/app: 403; next \
                    try in 1 s\n";
        assert_eq!(ask(Some(testing::report()), Method::GET, READY).await, (503, text.into()));
    }

    #[tokio::test]
    async fn a_loop_that_is_gone_or_stuck_is_not_healthy() {
        assert_eq!(ask(None, Method::GET, HEALTH).await.0, 503);
        tokio::time::pause();
        let (asker, _asks) = mpsc::channel(1);
        let response = StatusService::new(asker).respond(&Method::GET, HEALTH).await;
        assert_eq!(response.status(), 503);
    }

    #[tokio::test]
    async fn other_methods_and_paths_are_refused() {
        assert_eq!(ask(Some(ready()), Method::POST, READY).await.0, 405);
        let (status, body) = ask(Some(ready()), Method::GET, "/ready").await;
        assert!(status == 404 && body.contains(READY), "{body}");
        assert_eq!(ask(Some(ready()), Method::HEAD, READY).await.0, 200);
    }

    #[tokio::test]
    async fn metrics_and_status_have_their_forms() {
        assert!(ask(Some(ready()), Method::GET, METRICS).await.1.contains("\ndecant_ready 1\n"));
        assert!(ask(Some(ready()), Method::GET, STATUS).await.1.starts_with("{\"format\":1,"));
    }
}
