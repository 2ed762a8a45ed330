//! The listening socket: plain or TLS, with connections that a fault can cut.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{extract::connect_info::Connected, serve::IncomingStream};
use rustls::pki_types::CertificateDer;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{Accept, TlsAcceptor, server::TlsStream};

use super::peer::Peer;

/// The first byte of a TLS connection (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;
/// What a server of the original's kind answers to plain HTTP on its TLS port.
const NOT_TLS: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// Cuts one connection: whatever is written after that fails.
#[derive(Clone, Debug, Default)]
pub(super) struct Scissors(Arc<AtomicBool>);

impl Scissors {
    pub(super) fn cut(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

/// What the handlers know about a connection.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    scissors: Scissors,
    address: IpAddr,
    /// Filled when the handshake is over.
    certificates: Arc<OnceLock<Vec<CertificateDer<'static>>>>,
}

impl Caller {
    pub(super) fn scissors(&self) -> Scissors {
        self.scissors.clone()
    }

    pub(super) fn peer(&self) -> Peer {
        let certificates = self.certificates.get().cloned().unwrap_or_default();
        Peer { address: Some(self.address), certificates }
    }
}

/// A listener whose connections can be cut.
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    pub(super) tls: Option<TlsAcceptor>,
}

/// One such connection.
pub(super) struct Connection {
    stream: Stream,
    caller: Caller,
}

enum Stream {
    Plain(TcpStream),
    /// Before the first byte.
    Fresh(TcpStream, TlsAcceptor),
    Handshake(Box<Accept<TcpStream>>),
    Tls(Box<TlsStream<TcpStream>>),
    /// The handshake failed.
    Over,
}

impl axum::serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    // Small answers shall leave at once; without it they only leave later.
                    let _ = stream.set_nodelay(true);
                    let caller = Caller {
                        scissors: Scissors::default(),
                        address: peer.ip(),
                        certificates: Arc::default(),
                    };
                    let stream = match &self.tls {
                        None => Stream::Plain(stream),
                        Some(acceptor) => Stream::Fresh(stream, acceptor.clone()),
                    };
                    return (Connection { stream, caller }, peer);
                }
                // A failed accept must not end the server: most often the process is short of descriptors.
                Err(error) => {
                    tracing::warn!(%error, "dev server: no connection accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl Connected<IncomingStream<'_, Listener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        stream.io().caller.clone()
    }
}

impl Connection {
    /// Brings the handshake to its end, if there is one.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let next = match std::mem::replace(&mut self.stream, Stream::Over) {
                Stream::Fresh(stream, acceptor) => {
                    let mut first = [0];
                    let mut buffer = ReadBuf::new(&mut first);
                    match stream.poll_peek(context, &mut buffer) {
                        Poll::Pending => {
                            self.stream = Stream::Fresh(stream, acceptor);
                            return Poll::Pending;
                        }
                        Poll::Ready(seen) => seen?,
                    };
                    if buffer.filled().first().is_some_and(|first| *first != HANDSHAKE) {
                        // The client gets it or it doesn't; the connection ends in any case.
                        let _ = stream.try_write(NOT_TLS);
                        return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                    }
                    Stream::Handshake(Box::new(acceptor.accept(stream)))
                }
                Stream::Handshake(mut accept) => match Pin::new(&mut *accept).poll(context) {
                    Poll::Pending => {
                        self.stream = Stream::Handshake(accept);
                        return Poll::Pending;
                    }
                    Poll::Ready(done) => {
                        let stream = done?;
                        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
                        let certificates = certificates.iter().map(|one| one.clone().into_owned());
                        // Nobody else fills it.
                        let _ = self.caller.certificates.set(certificates.collect());
                        Stream::Tls(Box::new(stream))
                    }
                },
                Stream::Over => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
                done => {
                    self.stream = done;
                    return Poll::Ready(Ok(()));
                }
            };
            self.stream = next;
        }
    }

    fn poll_io<T>(
        &mut self,
        context: &mut Context<'_>,
        plain: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
        tls: impl FnOnce(Pin<&mut TlsStream<TcpStream>>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        ready!(self.poll_ready(context))?;
        match &mut self.stream {
            Stream::Plain(stream) => plain(Pin::new(stream), context),
            Stream::Tls(stream) => tls(Pin::new(stream), context),
            Stream::Fresh(..) | Stream::Handshake(_) | Stream::Over => {
                Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
            }
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_ready(context))?;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Fresh(..) | Stream::Handshake(_) | Stream::Over => {
                Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.caller.scissors.check()?;
        self.poll_io(
            context,
            |plain, context| plain.poll_write(context, bytes),
            |tls, context| tls.poll_write(context, bytes),
        )
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.caller.scissors.check()?;
        self.poll_io(context, AsyncWrite::poll_flush, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.stream, Stream::Over | Stream::Fresh(..) | Stream::Handshake(_)) {
            return Poll::Ready(Ok(()));
        }
        // A cut connection ends without the goodbye of TLS.
        let cut = self.caller.scissors.check().is_err();
        if cut && let Stream::Tls(stream) = &mut self.stream {
            return Pin::new(stream.get_mut().0).poll_shutdown(context);
        }
        self.poll_io(context, AsyncWrite::poll_shutdown, AsyncWrite::poll_shutdown)
    }
}

#[cfg(test)]
mod tests;
