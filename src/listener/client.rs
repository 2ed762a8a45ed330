//! One request to a server behind a unix socket, for commands that ask a running agent.

use std::{io, path::Path, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{
    Method, Uri,
    client::conn::http1::handshake,
    header::{CONNECTION, HOST},
};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::{net::UnixStream, time::timeout};

/// Longest answer that is read.
const MOST: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// Nobody listens there.
    #[error("can't reach the agent at {socket}")]
    Connect {
        /// The socket.
        socket: String,
        /// Why not.
        source: io::Error,
    },
    /// No complete answer.
    #[error("the agent at {socket} gives no answer")]
    Answer {
        /// The socket.
        socket: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It takes too long.
    #[error("the agent at {socket} gives no answer within {} s", limit.as_secs_f32())]
    Timeout {
        /// The socket.
        socket: String,
        /// The limit.
        limit: Duration,
    },
}

/// Status and body of `GET path`.
///
/// # Errors
/// No server, no answer, or none in time.
pub async fn get(socket: &Path, path: &str, limit: Duration) -> Result<(u16, String), AskError> {
    let name = socket.display().to_string();
    match timeout(limit, exchange(socket, path)).await {
        Ok(result) => result,
        Err(_) => Err(AskError::Timeout { socket: name, limit }),
    }
}

async fn exchange(socket: &Path, path: &str) -> Result<(u16, String), AskError> {
    let name = || socket.display().to_string();
    let broken =
        |source: Box<dyn std::error::Error + Send + Sync>| AskError::Answer { socket: name(), source };
    let stream =
        UnixStream::connect(socket).await.map_err(|source| AskError::Connect { socket: name(), source })?;
    let (mut sender, connection) =
        handshake(TokioIo::new(stream)).await.map_err(|error| broken(error.into()))?;
    let uri: Uri = path.parse().map_err(|error: hyper::http::uri::InvalidUri| broken(error.into()))?;
    let request = hyper::Request::builder()
        .method(Method::GET)
        .uri(uri)
        .header(HOST, "localhost")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| broken(error.into()))?;
    let asking = async {
        let response = sender.send_request(request).await.map_err(|error| broken(error.into()))?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MOST).collect().await.map_err(broken)?;
        Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
    };
    // The connection only has to be driven until the answer is there.
    tokio::pin!(connection);
    tokio::pin!(asking);
    tokio::select! {
        biased;
        answer = &mut asking => answer,
        _ = &mut connection => asking.await,
    }
}
