//! The way to a server, in the test's hands: open, refused, cut at once, or swallowing all that is sent.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread::JoinHandle,
};

use super::{eventually, server::unused_address};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Bytes pass both ways.
    Open,
    /// Nobody listens.
    Refused,
    /// Connections are taken and closed.
    Cut,
    /// Connections are taken, and nothing ever comes back.
    Silent,
}

struct Shared {
    mode: Mode,
    /// Both ends of all connections so far.
    streams: Vec<TcpStream>,
}

/// A relay before a server, open at first.
pub struct Way {
    authority: String,
    upstream: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    listener: Option<JoinHandle<()>>,
}

impl Way {
    /// A way to `host:port`.
    pub fn to(upstream: &str) -> Self {
        let shared = Shared { mode: Mode::Refused, streams: Vec::new() };
        let mut way = Self {
            authority: unused_address(),
            upstream: upstream.parse().expect("host:port"),
            shared: Arc::new(Mutex::new(shared)),
            listener: None,
        };
        way.open();
        way
    }

    /// As a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// Everything passes, from now on.
    pub fn open(&mut self) {
        self.change(Mode::Open);
    }

    /// Nobody listens, and what was connected is closed.
    pub fn refuse(&mut self) {
        self.change(Mode::Refused);
        // It wakes, sees the change and goes.
        let _ = TcpStream::connect(self.address());
        if let Some(listener) = self.listener.take() {
            listener.join().expect("a listener that ends");
        }
    }

    /// Connections are taken and closed, those that were there too.
    pub fn cut(&mut self) {
        self.change(Mode::Cut);
    }

    /// Connections are taken and those that were there stay, but nothing comes back any more.
    pub fn swallow(&mut self) {
        self.change(Mode::Silent);
    }

    fn change(&mut self, mode: Mode) {
        {
            let mut shared = lock(&self.shared);
            shared.mode = mode;
            if mode != Mode::Silent {
                for stream in shared.streams.drain(..) {
                    let _ = stream.shutdown(Shutdown::Both);
                }
            }
        }
        if mode != Mode::Refused && self.listener.is_none() {
            let listener = eventually("the port", || TcpListener::bind(self.address()).ok());
            let (shared, upstream) = (self.shared.clone(), self.upstream);
            self.listener = Some(std::thread::spawn(move || accept(&listener, &shared, upstream)));
        }
    }

    fn address(&self) -> SocketAddr {
        self.authority.parse().expect("host:port")
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.refuse();
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().expect("no panic holds it")
}

fn accept(listener: &TcpListener, shared: &Arc<Mutex<Shared>>, upstream: SocketAddr) {
    while let Ok((client, _)) = listener.accept() {
        let mut state = lock(shared);
        match state.mode {
            Mode::Refused => return,
            Mode::Cut => {
                let _ = client.shutdown(Shutdown::Both);
            }
            Mode::Silent => state.streams.push(client),
            Mode::Open => {
                let Ok(server) = TcpStream::connect(upstream) else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
                    let shared = Arc::clone(shared);
                    std::thread::spawn(move || pump(from, to, &shared));
                }
                state.streams.extend([client, server]);
            }
        }
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, shared: &Mutex<Shared>) {
    let mut bytes = vec![0; 16 << 10];
    loop {
        let count = from.read(&mut bytes).unwrap_or(0);
        if lock(shared).mode == Mode::Silent {
            // Half open: whoever still sends hears nothing, not even an end.
            if count == 0 { return } else { continue }
        }
        if count == 0 || to.write_all(&bytes[..count]).is_err() {
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
}
