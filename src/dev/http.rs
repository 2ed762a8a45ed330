//! HTTP in and out: a request becomes a call, an answer becomes bytes, and faults strike between.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
    routing::{any, post},
};
use serde_json::{Value, json};

use super::{
    answer::{Answer, Body as AnswerBody, Outcome, Refusal, text_of},
    call::{Call, Operation, Secret},
    control,
    fault::{Fault, Ticket},
    fields::{Fields, parse_span},
    journal::{Entry, fingerprint},
    listener::{Caller, Scissors},
    peer::Peer,
    shared::Shared,
};

/// The longest body that is read, as the original's default.
pub(super) const MAX_BODY: usize = 32 * 1024 * 1024;

/// Everything that the server serves.
pub(super) fn router(shared: Shared) -> Router {
    Router::new()
        .nest("/dev/v1", control::router())
        .route("/apis/authentication.k8s.io/v1/tokenreviews", post(token_review))
        .route("/v1/{*path}", any(vault))
        .route("/v1/", any(vault))
        .fallback(async || plain(Err(Refusal::nothing())))
        .with_state(shared)
}

async fn token_review(State(shared): State<Shared>, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let now = shared.lock().core.clock.now().seconds();
    let review = shared.issuer.token_review(&request, now);
    plain(Answer::bare(201, &review))
}

/// Takes a request's place away when it leaves, however it leaves.
struct Held<'a>(&'a Shared, Ticket);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.faults.left(self.1));
    }
}

async fn vault(State(shared): State<Shared>, request: Request) -> Response {
    let scissors = request.extensions().get::<ConnectInfo<Caller>>().map(|info| info.0.scissors());
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let entry = journal_entry(&shared, &request);
    let (seq, struck) =
        shared.change(|state| (state.journal.arrived(entry), state.faults.strike(&method, &path)));
    let Some((fault, ticket)) = struck else {
        let response = answer(&shared, request).await;
        return written_down(&shared, seq, false, response);
    };
    let mut stage = if fault.after { Ok(answer(&shared, request).await) } else { Err(request) };
    let _place = ticket.map(|ticket| Held(&shared, ticket));
    tokio::time::sleep(fault.delay()).await;
    if let Some(ticket) = ticket {
        shared.wait_for_ever(|state| !state.faults.waits(ticket)).await;
    }
    if fault.needs_answer()
        && let Err(request) = stage
    {
        stage = Ok(answer(&shared, request).await);
    }
    let cut = fault.drop || fault.truncate;
    let response = spoilt(fault, stage.ok(), scissors).await;
    if cut {
        shared.change(|state| state.journal.answered(seq, 0, true));
        return response;
    }
    written_down(&shared, seq, true, response)
}

fn written_down(shared: &Shared, seq: u64, fault: bool, response: Response) -> Response {
    let status = response.status().as_u16();
    shared.change(|state| state.journal.answered(seq, status, fault));
    tracing::debug!(seq, status, fault, "dev server: answered");
    response
}

fn journal_entry(shared: &Shared, request: &Request) -> Entry {
    let namespace = request.headers().get("x-vault-namespace").and_then(|value| value.to_str().ok());
    Entry {
        seq: 0,
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        status: None,
        token: token(request.headers()).map(|token| fingerprint(&token.0)),
        namespace: namespace.map(str::to_owned),
        time: shared.lock().core.clock.now().seconds(),
        fault: false,
    }
}

async fn answer(shared: &Shared, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if let Some(clean) = cleaned(head.uri.path()) {
        return redirect(&clean);
    }
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return plain(Err(Refusal::new(413, "http: request body too large")));
    };
    let call = match call(&head.method, head.uri.path(), head.uri.query(), &head.headers, &body) {
        Ok(call) => Call { peer: peer(&head.extensions), ..call },
        Err(refusal) => return plain(Err(refusal)),
    };
    match shared.change(|state| state.core.handle(&call)) {
        Ok(Answer { body: AnswerBody::Redirect(leader), .. }) => {
            let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
            let mut response = redirect(&format!("{leader}{path}"));
            *response.body_mut() = Body::empty();
            response
        }
        outcome => plain(outcome),
    }
}

fn peer(extensions: &Extensions) -> Peer {
    extensions.get::<ConnectInfo<Caller>>().map(|caller| caller.0.peer()).unwrap_or_default()
}

fn call(
    method: &Method,
    path: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Call, Refusal> {
    let wrap = wrap_ttl(headers)?;
    let namespace =
        headers.get("x-vault-namespace").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !matches!(namespace.trim_matches('/'), "" | "root") {
        return Err(Refusal::new(404, "namespace not found"));
    }
    let no_such_method = || Refusal { status: 405, errors: Vec::new() };
    let mut pairs = pairs(query.unwrap_or_default());
    let listing = pairs.iter().any(|(key, value)| key == "list" && matches!(value.as_str(), "true" | "1"));
    let operation = match method.as_str() {
        "GET" if listing => Operation::List,
        "GET" => Operation::Read,
        "LIST" => Operation::List,
        "PUT" | "POST" => Operation::Write,
        "DELETE" => Operation::Delete,
        "PATCH" => Operation::Patch,
        "HEAD" => Operation::Head,
        "OPTIONS" => return Err(Refusal::bad("cannot handle internal-only request operation")),
        _ => return Err(no_such_method()),
    };
    let mut path = decoded(path.strip_prefix("/v1/").unwrap_or_default(), false);
    if operation == Operation::List && !path.ends_with('/') {
        path.push('/');
    }
    pairs.retain(|(key, _)| key != "list");
    let fields = match operation {
        Operation::Write if is_form(headers, body) => {
            Fields::from_pairs(self::pairs(&String::from_utf8_lossy(body)))
        }
        Operation::Write => Fields::from_body(body)?,
        Operation::Patch => patch(headers, body)?,
        _ => Fields::from_pairs(pairs),
    };
    Ok(Call { operation, path, fields, token: token(headers), wrap, peer: Peer::default() })
}

/// How long the answer shall wait in a wrapping; `None` for no wrapping.
fn wrap_ttl(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    let text = headers.get("x-vault-wrap-ttl").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let wrong = |why: &str| Refusal::bad(format!("error parsing X-Vault-Wrap-TTL header: {why}"));
    match parse_span(text) {
        Some(ttl) => Ok(Some(ttl).filter(|ttl| !ttl.is_zero())),
        None if text.starts_with('-') => Err(wrong("requested wrap ttl cannot be negative")),
        None => Err(wrong(&format!("time: invalid duration {text:?}"))),
    }
}

fn patch(headers: &HeaderMap, body: &[u8]) -> Result<Fields, Refusal> {
    match headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) {
        None => Err(Refusal::bad("mime: no media type")),
        Some("application/merge-patch+json") => Fields::from_body(body),
        Some(other) => Err(Refusal::new(
            415,
            format!("PATCH requires Content-Type of application/merge-patch+json, provided {other}"),
        )),
    }
}

/// A body is a form when it says so and doesn't look like JSON, as `curl -d` sends JSON.
fn is_form(headers: &HeaderMap, body: &[u8]) -> bool {
    let says_so = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    says_so && first.is_some_and(u8::is_ascii_alphanumeric)
}

fn token(headers: &HeaderMap) -> Option<Secret> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let bearer = || text("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned));
    text("x-vault-token").or_else(bearer).filter(|token| !token.is_empty()).map(Secret)
}

fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key, true), decoded(value, true))
        })
        .collect()
}

/// Percent-decodes; what is no escape stays as it is.
fn decoded(text: &str, plus_is_space: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let escape = more.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, escape.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = more.get(2..).unwrap_or_default();
            }
            (b'+', _) if plus_is_space => {
                bytes.push(b' ');
                rest = more;
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The path without `//` and `..`, when it has any.
fn cleaned(path: &str) -> Option<String> {
    let body = path.trim_start_matches('/').trim_end_matches('/');
    if !body.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return None;
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in body.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let slash = if path.ends_with('/') { "/" } else { "" };
    Some(format!("/{}{slash}", kept.join("/")))
}

fn redirect(to: &str) -> Response {
    let mut response = Response::new(Body::from(format!("<a href=\"{to}\">Temporary Redirect</a>.\n\n")));
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if let Ok(location) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Writes an answer as the original does: escapes, trailing newline, its headers.
pub(super) fn plain(outcome: Outcome) -> Response {
    let mut content_type = "application/json";
    let (status, text) = match outcome {
        Ok(Answer { status, body: AnswerBody::Raw { content_type: own, text } }) => {
            content_type = own;
            (status, Some(text).filter(|text| !text.is_empty()))
        }
        Ok(answer) => (
            answer.status,
            match answer.body {
                AnswerBody::Empty | AnswerBody::Redirect(_) | AnswerBody::Raw { .. } => None,
                AnswerBody::Secret(body) => text_of(&body).ok(),
                AnswerBody::Bare(body) => text_of(&body).ok(),
                AnswerBody::Text(text) => Some(text),
            },
        ),
        Err(refusal) => (refusal.status, text_of(&json!({"errors": refusal.errors})).ok()),
    };
    let end = if content_type == "application/json" { "\n" } else { "" };
    let body = text.map(|text| text + end).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static("max-age=31536000; includeSubDomains"),
    );
    response
}

/// Does to an answer what the fault says.
async fn spoilt(fault: Fault, real: Option<Response>, scissors: Option<Scissors>) -> Response {
    let mut response = match real {
        _ if fault.drop => {
            if let Some(scissors) = scissors {
                scissors.cut();
            }
            plain(Err(Refusal::new(502, "the connection should have been cut")))
        }
        Some(real) if fault.truncate => truncated(real).await,
        _ if fault.garbage => Response::new(Body::from("<html><body>It works!</body></html>\n")),
        real => match fault.status {
            Some(status) => instead(status, &fault.body),
            None => real.unwrap_or_else(|| plain(Err(Refusal::internal()))),
        },
    };
    set_headers(response.headers_mut(), &fault.headers);
    response
}

fn instead(status: u16, body: &str) -> Response {
    if body.is_empty() {
        return plain(Err(Refusal::new(status, "injected fault")));
    }
    let mut response = plain(Err(Refusal { status, errors: Vec::new() }));
    *response.body_mut() = Body::from(body.to_owned());
    response
}

/// Promises the whole body, sends the first half, and cuts the connection.
async fn truncated(real: Response) -> Response {
    let (mut head, body) = real.into_parts();
    let bytes = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let half = bytes.slice(..bytes.len() / 2);
    let parts = [Ok(half), Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))];
    Response::from_parts(head, Body::from_stream(futures_util::stream::iter(parts)))
}

fn set_headers(headers: &mut HeaderMap, wanted: &BTreeMap<String, String>) {
    for (name, value) in wanted {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests;
