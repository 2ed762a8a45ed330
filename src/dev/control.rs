//! The server's own paths, `/dev/v1/`: faults, journal, clock, service-account tokens. No real server has them.
//!
//! | Request | Does |
//! | --- | --- |
//! | `POST faults` | arms a [`Fault`]; answers its `id` |
//! | `GET faults`, `GET faults/ID?held=N&hits=N&timeout=S` | shows; waits until so many are held or struck (408: not in time) |
//! | `POST faults/ID/release?count=N` | lets held requests go, all without a count |
//! | `DELETE faults`, `DELETE faults/ID` | disarms and lets go |
//! | `GET journal?method=&path=GLOB&status=&since=SEQ&arrived=true&at_least=N&timeout=S` | finds; waits until there are so many |
//! | `DELETE journal` | forgets |
//! | `GET clock`, `POST clock {"seconds": N}` | shows the server's time, moves it ahead |
//! | `POST jwt {"namespace", "service_account", "audience", "issuer", "lifetime", "not_before", "issued", "claims"}` | signs a service account's token |
//! | `GET jwt` | the public key in PEM |
//! | `POST seal {"sealed": true}` | seals and unseals |
//! | `POST standby {"standby": true, "leader": "http://…"}` | makes it a standby that redirects, or without a leader refuses |
//! | `GET ca` | the certificate of the server's authority in PEM, as text |
//! | `POST certificate {"common_name", "names", "lifetime", "not_before"}` | a client's certificate and key in PEM |

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    authority::Subject, fault::Fault, issuer::Claims, journal::Filter, shared::Shared, status::Standby,
};

/// How long a waiting request waits when it doesn't say.
const DEFAULT_WAIT: u64 = 30;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .route("/faults/{id}", get(fault).delete(remove_fault))
        .route("/faults/{id}/release", post(release))
        .route("/journal", get(journal).delete(clear_journal))
        .route("/clock", get(clock).post(advance))
        .route("/jwt", get(public_key).post(mint))
        .route("/seal", post(seal))
        .route("/standby", post(standby))
        .route("/ca", get(ca))
        .route("/certificate", post(certificate))
        // A fault may answer with megabytes.
        .layer(DefaultBodyLimit::max(super::http::MAX_BODY))
}

/// What is wrong with a control request.
struct Wrong(StatusCode, String);

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"errors": [self.1]}))).into_response()
    }
}

fn no_fault(id: u64) -> Wrong {
    Wrong(StatusCode::NOT_FOUND, format!("there is no fault {id}; it may have been removed"))
}

async fn list_faults(State(shared): State<Shared>) -> Json<Value> {
    Json(json!({"faults": shared.lock().faults.list()}))
}

async fn add_fault(
    State(shared): State<Shared>,
    body: axum::body::Bytes,
) -> Result<(StatusCode, Json<Value>), Wrong> {
    let fault: Fault = serde_json::from_slice(&body)
        .map_err(|error| Wrong(StatusCode::BAD_REQUEST, format!("not a fault: {error}")))?;
    let id = shared.change(|state| state.faults.add(fault));
    Ok((StatusCode::CREATED, Json(json!({"id": id}))))
}

async fn clear_faults(State(shared): State<Shared>) -> StatusCode {
    shared.change(|state| state.faults.clear());
    StatusCode::NO_CONTENT
}

async fn remove_fault(State(shared): State<Shared>, Path(id): Path<u64>) -> Result<StatusCode, Wrong> {
    if shared.change(|state| state.faults.remove(id)) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(no_fault(id))
    }
}

/// What to wait for at one fault.
#[derive(Deserialize)]
struct FaultWait {
    /// Until so many requests are held at once.
    held: Option<u64>,
    /// Until it has struck so often.
    hits: Option<u64>,
    /// Seconds.
    timeout: Option<u64>,
}

async fn fault(
    State(shared): State<Shared>,
    Path(id): Path<u64>,
    Query(wait): Query<FaultWait>,
) -> Result<Response, Wrong> {
    let limit = Duration::from_secs(wait.timeout.unwrap_or(DEFAULT_WAIT));
    let reached = shared
        .wait(limit, |state| {
            state.faults.get(id).is_none_or(|armed| {
                armed.held >= wait.held.unwrap_or(0) && armed.hits >= wait.hits.unwrap_or(0)
            })
        })
        .await;
    let state = shared.lock();
    let armed = state.faults.get(id).ok_or_else(|| no_fault(id))?;
    let status = if reached { StatusCode::OK } else { StatusCode::REQUEST_TIMEOUT };
    Ok((status, Json(json!(armed))).into_response())
}

#[derive(Deserialize)]
struct Release {
    /// How many of the held requests; all when absent.
    count: Option<u64>,
}

async fn release(
    State(shared): State<Shared>,
    Path(id): Path<u64>,
    Query(release): Query<Release>,
) -> Result<StatusCode, Wrong> {
    match shared.change(|state| state.faults.release(id, release.count)) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(no_fault(id)),
    }
}

/// Which entries, and how many of them to wait for.
#[derive(Deserialize)]
struct JournalQuery {
    method: Option<String>,
    path: Option<String>,
    status: Option<u16>,
    #[serde(default)]
    since: u64,
    #[serde(default)]
    arrived: bool,
    #[serde(default)]
    at_least: usize,
    timeout: Option<u64>,
}

async fn journal(State(shared): State<Shared>, Query(query): Query<JournalQuery>) -> Response {
    let filter = Filter {
        method: query.method,
        path: query.path,
        status: query.status,
        since: query.since,
        arrived: query.arrived,
    };
    let limit = Duration::from_secs(query.timeout.unwrap_or(DEFAULT_WAIT));
    let reached = shared.wait(limit, |state| state.journal.find(&filter).len() >= query.at_least).await;
    let state = shared.lock();
    let entries = state.journal.find(&filter);
    let status = if reached { StatusCode::OK } else { StatusCode::REQUEST_TIMEOUT };
    (status, Json(json!({"entries": entries, "last": state.journal.last()}))).into_response()
}

async fn clear_journal(State(shared): State<Shared>) -> StatusCode {
    shared.change(|state| state.journal.clear());
    StatusCode::NO_CONTENT
}

async fn clock(State(shared): State<Shared>) -> Json<Value> {
    let now = shared.lock().core.clock.now();
    Json(json!({"seconds": now.seconds(), "time": now.rfc3339()}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    /// Seconds by which the server's clock jumps ahead.
    seconds: u64,
}

async fn advance(State(shared): State<Shared>, Json(advance): Json<Advance>) -> Json<Value> {
    let now = shared.change(|state| {
        state.core.clock.advance(Duration::from_secs(advance.seconds));
        let now = state.core.clock.now();
        state.core.expire(now);
        now
    });
    Json(json!({"seconds": now.seconds(), "time": now.rfc3339()}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    sealed: bool,
}

async fn seal(State(shared): State<Shared>, Json(seal): Json<Seal>) -> StatusCode {
    shared.change(|state| state.core.status.sealed = seal.sealed);
    StatusCode::NO_CONTENT
}

async fn standby(State(shared): State<Shared>, Json(standby): Json<Standby>) -> StatusCode {
    shared.change(|state| state.core.status.standby = standby);
    StatusCode::NO_CONTENT
}

async fn ca(State(shared): State<Shared>) -> String {
    shared.authority.pem()
}

/// What a client's certificate shall say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CertificateRequest {
    common_name: String,
    /// DNS names and addresses.
    #[serde(default)]
    names: Vec<String>,
    /// Seconds; an hour when absent.
    lifetime: Option<i64>,
    /// Seconds from now; a minute ago when absent.
    not_before: Option<i64>,
}

async fn certificate(
    State(shared): State<Shared>,
    Json(request): Json<CertificateRequest>,
) -> Result<Json<Value>, Wrong> {
    let now = i64::try_from(shared.lock().core.clock.now().seconds()).unwrap_or(i64::MAX);
    let subject = Subject {
        common_name: request.common_name,
        names: request.names,
        from: now.saturating_add(request.not_before.unwrap_or(-60)),
        lifetime: request.lifetime.unwrap_or(3600),
    };
    let identity = shared
        .authority
        .issue(&subject)
        .map_err(|error| Wrong(StatusCode::BAD_REQUEST, error.to_string()))?;
    Ok(Json(json!({"certificate": identity.certificate, "key": identity.key})))
}

/// What a service-account token shall say; absent fields have the usual values.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JwtRequest {
    namespace: String,
    service_account: String,
    audience: Option<Vec<String>>,
    issuer: Option<String>,
    /// Seconds; negative for a token that has expired.
    lifetime: Option<i64>,
    /// Seconds from now.
    not_before: Option<i64>,
    /// Seconds since 1970.
    issued: Option<u64>,
    /// Claims that replace or add to the others.
    #[serde(default)]
    claims: Map<String, Value>,
}

async fn mint(State(shared): State<Shared>, Json(request): Json<JwtRequest>) -> Result<Json<Value>, Wrong> {
    let now = shared.lock().core.clock.now().seconds();
    let usual = Claims::new(&request.namespace, &request.service_account, request.issued.unwrap_or(now));
    let claims = Claims {
        audience: request.audience.unwrap_or(usual.audience),
        issuer: request.issuer.unwrap_or(usual.issuer),
        lifetime: request.lifetime.unwrap_or(usual.lifetime),
        not_before: request.not_before.unwrap_or(usual.not_before),
        extra: request.claims,
        ..usual
    };
    let jwt = shared
        .issuer
        .mint(&claims)
        .map_err(|error| Wrong(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(Json(json!({"jwt": jwt})))
}

async fn public_key(State(shared): State<Shared>) -> Json<Value> {
    Json(json!({"public_key": shared.issuer.public_pem()}))
}
