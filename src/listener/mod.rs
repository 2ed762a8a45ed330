//! Local HTTP servers: bound before anything is served, limited while they serve, drained at the end.

mod bind;
pub mod client;
mod endpoint;
mod serve;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    StatusCode,
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
};

pub use self::{
    bind::{BindError, Bound},
    endpoint::{Endpoint, EndpointError},
    serve::{Limits, Service, serve},
};
pub use hyper::Method;

/// A request as it comes in; its body is not read yet.
pub type Request = hyper::Request<hyper::body::Incoming>;
/// An answer.
pub type Response = hyper::Response<Full<Bytes>>;

/// `application/json`.
pub const JSON: &str = "application/json";
/// `text/plain`.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// An answer with this status (500 when that is none), type and body.
pub fn answer(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The answer to a method that the path doesn't take.
pub fn not_allowed(allowed: &'static str) -> Response {
    let mut response = answer(405, TEXT, format!("only {allowed}\n"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// The body of an answer of ours.
#[cfg(test)]
pub(crate) async fn body(response: Response) -> String {
    let bytes = http_body_util::BodyExt::collect(response.into_body()).await.unwrap_or_default().to_bytes();
    String::from_utf8_lossy(&bytes).into_owned()
}
