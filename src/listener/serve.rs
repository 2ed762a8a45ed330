//! Serving a bound endpoint: a bounded number of connections, pauses after failed accepts, an end in order.

use std::{convert::Infallible, future::Future, pin::pin, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Request, Response,
    bind::{Bound, Socket},
};

/// Pauses after failed accepts: most often the process is short of descriptors, and one will be free soon.
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Room for a request's head; no client of ours needs more.
const HEAD: usize = 16 * 1024;

/// What a server allows its clients.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; others wait.
    pub connections: usize,
    /// Time for the head of a request, and for the next request on the same connection.
    pub head: Duration,
    /// Time for requests under way when it ends.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 32, head: Duration::from_secs(10), drain: Duration::from_secs(1) }
    }
}

/// What answers requests. Clones are the same.
pub trait Service: Clone + Send + 'static {
    /// The answer to one request.
    fn call(&self, request: Request) -> impl Future<Output = Response> + Send;
}

enum Accepting {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Serves until `stop`, then finishes what is under way. Needs a runtime.
///
/// # Errors
/// The runtime doesn't take the socket.
pub async fn serve(
    bound: Bound,
    service: impl Service,
    limits: Limits,
    stop: CancellationToken,
) -> std::io::Result<()> {
    // The file lives as long as this.
    let (socket, _file) = match bound.socket {
        Socket::Tcp(socket) => (Accepting::Tcp(TcpListener::from_std(socket)?), None),
        Socket::Unix(socket, file) => (Accepting::Unix(UnixListener::from_std(socket)?), Some(file)),
    };
    let mut connections = JoinSet::new();
    let mut pause = ACCEPT_PAUSE.0;
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = socket.accept(), if connections.len() < limits.connections => accepted,
        };
        match accepted {
            Ok(stream) => {
                pause = ACCEPT_PAUSE.0;
                connections.spawn(connection(stream, service.clone(), limits, stop.clone()));
            }
            Err(error) => {
                tracing::warn!(target: "agent", %error, ?pause, "no connection accepted");
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = sleep(pause) => {}
                }
                pause = (pause * 2).min(ACCEPT_PAUSE.1);
            }
        }
    }
    drop(socket);
    // Who takes longer is cut off: the process is about to end.
    let _ = timeout(limits.drain, async { while connections.join_next().await.is_some() {} }).await;
    Ok(())
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Accepting {
    async fn accept(&self) -> std::io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(socket) => {
                let (stream, _) = socket.accept().await?;
                // Small answers shall leave at once; without it they only leave later.
                let _ = stream.set_nodelay(true);
                Ok(Box::new(stream))
            }
            Self::Unix(socket) => Ok(Box::new(socket.accept().await?.0)),
        }
    }
}

/// One connection to its end. What goes wrong on it is the client's affair.
async fn connection(stream: Box<dyn Stream>, service: impl Service, limits: Limits, stop: CancellationToken) {
    let respond = service_fn(move |request: Request| {
        let service = service.clone();
        async move { Ok::<Response, Infallible>(service.call(request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(HEAD);
    let mut serving = pin!(http.serve_connection(TokioIo::new(stream), respond));
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(target: "agent", %error, "a connection ended");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
        sync::Semaphore,
    };

    use super::*;
    use crate::listener::{Endpoint, TEXT, answer};

    /// Answers when it is let.
    #[derive(Clone)]
    struct Gated {
        arrived: Arc<AtomicUsize>,
        here: Arc<Semaphore>,
        go: Arc<Semaphore>,
    }

    impl Service for Gated {
        async fn call(&self, request: Request) -> Response {
            self.arrived.fetch_add(1, Ordering::Relaxed);
            self.here.add_permits(1);
            self.go.acquire().await.unwrap().forget();
            answer(200, TEXT, request.uri().path().to_owned())
        }
    }

    fn gated() -> Gated {
        let gate = || Arc::new(Semaphore::new(0));
        Gated { arrived: Arc::default(), here: gate(), go: gate() }
    }

    async fn ask(address: std::net::SocketAddr, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn read(mut stream: TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    fn listen() -> (Bound, std::net::SocketAddr) {
        let bound = Bound::new(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let Endpoint::Tcp(address) = *bound.endpoint() else { panic!() };
        (bound, address)
    }

    #[tokio::test]
    async fn a_request_under_way_is_answered_before_the_end_and_a_silent_client_holds_nothing_up() {
        let ((bound, address), service, stop) = (listen(), gated(), CancellationToken::new());
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(bound, service.clone(), Limits::default(), stop.clone()));
        let silent = TcpStream::connect(address).await.unwrap();
        let asking = ask(address, "/a").await;
        service.here.acquire().await.unwrap().forget();
        stop.cancel();
        service.go.add_permits(1);
        let text = read(asking).await;
        assert!(text.starts_with("HTTP/1.1 200 OK") && text.ends_with("/a"), "{text}");
        tasks.join_next().await.unwrap().unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
        drop(silent);
    }

    #[tokio::test]
    async fn connections_beyond_the_limit_wait_their_turn() {
        let ((bound, address), service, stop) = (listen(), gated(), CancellationToken::new());
        let limits = Limits { connections: 1, ..Limits::default() };
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(bound, service.clone(), limits, stop.clone()));
        let first = ask(address, "/1").await;
        service.here.acquire().await.unwrap().forget();
        let second = ask(address, "/2").await;
        assert_eq!(service.arrived.load(Ordering::Relaxed), 1);
        service.go.add_permits(1);
        assert!(read(first).await.ends_with("/1"));
        service.here.acquire().await.unwrap().forget();
        service.go.add_permits(1);
        assert!(read(second).await.ends_with("/2"));
        stop.cancel();
    }
}
