//! A server without sockets, under paused time, for the tests of its parts.

use std::time::{Duration, UNIX_EPOCH};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    response::Response,
};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{DevConfig, http::router, shared, shared::Shared};
use crate::clock::Clock;

/// More than any answer.
const MAX_BODY: usize = 1 << 20;

/// When the server starts, in seconds since 1970.
pub(super) const START: u64 = 1_700_000_000;

/// A server without sockets, under paused time.
pub(super) struct Bench {
    pub(super) router: Router,
    pub(super) shared: Shared,
}

impl Bench {
    pub(super) fn new() -> Self {
        let clock = Clock::starting_at(UNIX_EPOCH + Duration::from_secs(START));
        let shared = shared(DevConfig { clock, ..DevConfig::default() }).unwrap();
        Self { router: router(shared.clone()), shared }
    }

    /// A request with a header besides the token's.
    pub(super) async fn with(
        &self,
        (name, value): (&str, &str),
        token: &str,
        (method, path): (&str, &str),
        body: Value,
    ) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("/v1/{path}"))
            .header("x-vault-token", token)
            .header(name, value)
            .body(if body.is_null() { Body::empty() } else { Body::from(body.to_string()) })
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), MAX_BODY).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// A write that must answer 204.
    pub(super) async fn put(&self, path: &str, body: Value) {
        let (status, answer) = self.root("POST", path, body).await;
        assert_eq!(status, 204, "{path}: {answer}");
    }

    /// A write without a token: its status, and its error or client token.
    pub(super) async fn login(&self, method: &str, body: Value) -> (u16, String) {
        let (status, answer) = self.ask("", "POST", &format!("auth/{method}/login"), body).await;
        let found = answer["auth"]["client_token"].as_str().or(answer["errors"][0].as_str());
        (status, found.unwrap_or_default().to_owned())
    }

    pub(super) async fn raw(&self, method: &str, path: &str, token: &str, body: Value) -> Response {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-vault-token", token)
            .header("content-type", "application/json")
            .body(body)
            .unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(super) async fn ask(&self, token: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let response = self.raw(method, &format!("/v1/{path}"), token, body).await;
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), MAX_BODY).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    pub(super) async fn root(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.ask("root", method, path, body).await
    }

    pub(super) async fn control(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let response = self.raw(method, &format!("/dev/v1/{path}"), "", body).await;
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), MAX_BODY).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    pub(super) async fn token(&self, body: Value) -> String {
        let (status, answer) = self.root("POST", "auth/token/create", body).await;
        assert_eq!(status, 200, "{answer}");
        answer["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    pub(super) async fn database(&self) {
        self.root("POST", "sys/mounts/database", json!({"type": "database"})).await;
        self.root("POST", "database/config/pg", json!({"allowed_roles": "*"})).await;
        let role = json!({"db_name": "pg", "default_ttl": "60s", "max_ttl": "100s"});
        assert_eq!(self.root("POST", "database/roles/app", role).await.0, 204);
    }
}
