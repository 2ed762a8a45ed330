//! Stand-ins for what lies between a pod and its server: a TLS terminator, a Unix socket, another address, a proxy.
//!
//! A relay passes bytes on and remembers what clients sent, so that a test can see where a token went.

use std::{
    io,
    net::{Ipv6Addr, SocketAddr, TcpListener as StdListener},
    path::Path,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixListener},
    sync::{Notify, oneshot},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// Both directions of one connection.
trait Duplex: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

/// What the relay does with a connection before passing bytes on.
#[derive(Clone)]
enum Before {
    Nothing,
    Tls,
    /// It is a forward proxy; with this answer it refuses everything.
    Proxy(Option<&'static str>),
}

#[derive(Default)]
struct Shared {
    sent: Mutex<Vec<u8>>,
    names: Mutex<Vec<String>>,
    connections: AtomicUsize,
    tls: Mutex<Option<Arc<ServerConfig>>>,
    cut: Notify,
}

/// A running relay; ends when dropped.
pub struct Relay {
    authority: String,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

enum Socket {
    Tcp(StdListener),
    Unix(std::os::unix::net::UnixListener),
}

impl Relay {
    /// Speaks TLS on a free port of 127.0.0.1 and passes on to `upstream` (`host:port`) in plain text.
    pub fn tls(upstream: &str, config: Arc<ServerConfig>) -> Self {
        Self::tls_at("127.0.0.1", upstream, config)
    }

    /// As [`Self::tls`], at another address of this machine.
    pub fn tls_at(address: &str, upstream: &str, config: Arc<ServerConfig>) -> Self {
        let shared = Shared { tls: Mutex::new(Some(config)), ..Shared::default() };
        Self::start(Socket::Tcp(free(&format!("{address}:0"))), upstream, Before::Tls, shared)
    }

    /// Plain text on a free port of 127.0.0.1.
    pub fn plain(upstream: &str) -> Self {
        Self::start(Socket::Tcp(free("127.0.0.1:0")), upstream, Before::Nothing, Shared::default())
    }

    /// Plain text on a free port of the IPv6 loopback address.
    pub fn v6(upstream: &str) -> Self {
        let address = SocketAddr::from((Ipv6Addr::LOCALHOST, 0)).to_string();
        Self::start(Socket::Tcp(free(&address)), upstream, Before::Nothing, Shared::default())
    }

    /// Plain text on a Unix socket.
    pub fn unix(upstream: &str, path: &Path) -> Self {
        let listener = std::os::unix::net::UnixListener::bind(path).expect("a socket");
        Self::start(Socket::Unix(listener), upstream, Before::Nothing, Shared::default())
    }

    /// A forward proxy. Whatever host a client names, it is led to `upstream`.
    pub fn proxy(upstream: &str) -> Self {
        Self::start(Socket::Tcp(free("127.0.0.1:0")), upstream, Before::Proxy(None), Shared::default())
    }

    /// A forward proxy that answers everything with this status line and headers.
    pub fn refusing_proxy(answer: &'static str) -> Self {
        let socket = Socket::Tcp(free("127.0.0.1:0"));
        Self::start(socket, "127.0.0.1:1", Before::Proxy(Some(answer)), Shared::default())
    }

    fn start(socket: Socket, upstream: &str, before: Before, shared: Shared) -> Self {
        let authority = match &socket {
            Socket::Tcp(listener) => listener.local_addr().expect("an address").to_string(),
            Socket::Unix(_) => String::new(),
        };
        let shared = Arc::new(shared);
        let (stop, stopped) = oneshot::channel();
        let task = run(socket, upstream.to_owned(), before, Arc::clone(&shared), stopped);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(task);
        });
        Self { authority, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// `host:port`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The port alone.
    pub fn port(&self) -> &str {
        self.authority.rsplit(':').next().expect("a port")
    }

    /// Everything that clients sent so far.
    pub fn sent(&self) -> String {
        String::from_utf8_lossy(&self.shared.sent.lock().expect("no panic holds it")).into_owned()
    }

    /// The names that TLS clients asked for.
    pub fn names(&self) -> Vec<String> {
        self.shared.names.lock().expect("no panic holds it").clone()
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Ends all connections that are there.
    pub fn cut(&self) {
        self.shared.cut.notify_waiters();
    }

    /// Another certificate for connections from now on; those there are stay.
    pub fn change(&self, config: Arc<ServerConfig>) {
        *self.shared.tls.lock().expect("no panic holds it") = Some(config);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn free(address: &str) -> StdListener {
    StdListener::bind(address.parse::<SocketAddr>().expect("an address")).expect("a free port")
}

async fn run(
    socket: Socket,
    upstream: String,
    before: Before,
    shared: Arc<Shared>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    let (mut tcp, mut unix) = (None, None);
    match socket {
        Socket::Tcp(listener) => {
            listener.set_nonblocking(true).expect("a socket");
            tcp = Some(TcpListener::from_std(listener).expect("a listener"));
        }
        Socket::Unix(listener) => {
            listener.set_nonblocking(true).expect("a socket");
            unix = Some(UnixListener::from_std(listener).expect("a listener"));
        }
    }
    loop {
        let accepted: Pin<Box<dyn Duplex>> = tokio::select! {
            _ = &mut stopped => return,
            stream = accept(tcp.as_ref(), unix.as_ref()) => match stream {
                Ok(stream) => stream,
                Err(_) => continue,
            },
        };
        shared.connections.fetch_add(1, Ordering::Relaxed);
        let (upstream, before, shared) = (upstream.clone(), before.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            // A connection that breaks off is the client's business.
            tokio::select! {
                _ = relay(accepted, &upstream, &before, &shared) => {}
                () = shared.cut.notified() => {}
            }
        });
    }
}

async fn accept(tcp: Option<&TcpListener>, unix: Option<&UnixListener>) -> io::Result<Pin<Box<dyn Duplex>>> {
    match (tcp, unix) {
        (Some(tcp), _) => Ok(Box::pin(tcp.accept().await?.0)),
        (_, Some(unix)) => Ok(Box::pin(unix.accept().await?.0)),
        (None, None) => Err(io::ErrorKind::NotConnected.into()),
    }
}

async fn relay(
    client: Pin<Box<dyn Duplex>>,
    upstream: &str,
    before: &Before,
    shared: &Shared,
) -> io::Result<()> {
    let upstream: SocketAddr = upstream.parse().map_err(io::Error::other)?;
    match before {
        Before::Nothing => pump(client, TcpStream::connect(upstream).await?, shared).await,
        Before::Tls => {
            let config = shared.tls.lock().expect("no panic holds it").clone();
            let config = config.ok_or(io::ErrorKind::NotConnected)?;
            let stream = TlsAcceptor::from(config).accept(client).await?;
            let name = stream.get_ref().1.server_name().unwrap_or_default().to_owned();
            shared.names.lock().expect("no panic holds it").push(name);
            pump(Box::pin(stream), TcpStream::connect(upstream).await?, shared).await
        }
        Before::Proxy(refusal) => proxy(client, upstream, *refusal, shared).await,
    }
}

async fn proxy(
    mut client: Pin<Box<dyn Duplex>>,
    upstream: SocketAddr,
    refusal: Option<&str>,
    shared: &Shared,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    shared.sent.lock().expect("no panic holds it").extend_from_slice(&head);
    if let Some(answer) = refusal {
        return client.write_all(answer.as_bytes()).await;
    }
    let mut server = TcpStream::connect(upstream).await?;
    if head.starts_with(b"CONNECT ") {
        client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await?;
    } else {
        // `GET http://host:port/path` becomes `GET /path`; later requests of the connection stay as they are, which
        // servers of HTTP/1.1 must take, too.
        let text = String::from_utf8_lossy(&head).into_owned();
        let (method, rest) = text.split_once(' ').ok_or(io::ErrorKind::InvalidData)?;
        let rest = rest.split_once("://").ok_or(io::ErrorKind::InvalidData)?.1;
        let path = rest.find('/').ok_or(io::ErrorKind::InvalidData)?;
        server.write_all(format!("{method} {}", &rest[path..]).as_bytes()).await?;
    }
    pump(client, server, shared).await
}

/// Both ways until either ends.
async fn pump(client: Pin<Box<dyn Duplex>>, server: TcpStream, shared: &Shared) -> io::Result<()> {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_server, mut to_server) = server.into_split();
    let up = async {
        let mut bytes = vec![0; 16 << 10];
        loop {
            let count = from_client.read(&mut bytes).await?;
            if count == 0 {
                return to_server.shutdown().await;
            }
            shared.sent.lock().expect("no panic holds it").extend_from_slice(&bytes[..count]);
            to_server.write_all(&bytes[..count]).await?;
        }
    };
    let down = async {
        tokio::io::copy(&mut from_server, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::try_join!(up, down).map(drop)
}
