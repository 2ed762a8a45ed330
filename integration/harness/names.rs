//! A name server on loopback that knows one answer, and an address at which nobody ever answers.

use std::{
    net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use nix::sys::socket::{Backlog, listen};

/// Answers every question for an IPv4 address with the same ones, in their order. Needs root for port 53.
pub struct NameServer {
    address: Ipv4Addr,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl NameServer {
    /// On an address of its own, so that several tests don't meet.
    pub fn start(answers: &'static [Ipv4Addr]) -> Self {
        let own = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, 77, own[2], own[3].max(1));
        let socket = UdpSocket::bind((address, 53)).expect("port 53 of a loopback address");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut question = [0; 512];
            while !stopped.load(Ordering::Relaxed) {
                if let Ok((length, client)) = socket.recv_from(&mut question)
                    && let Some(answer) = answer(&question[..length], answers)
                {
                    let _ = socket.send_to(&answer, client);
                }
            }
        });
        Self { address, stop, thread: Some(thread) }
    }

    /// A `resolv.conf` that names it.
    pub fn resolv_conf(&self) -> String {
        format!("nameserver {}\n", self.address)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An answer of RFC 1035, section 4: header, the question again, one record per address.
fn answer(question: &[u8], addresses: &[Ipv4Addr]) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    const TYPE_A: [u8; 2] = [0, 1];
    let name = question.get(HEADER..)?.iter().position(|byte| *byte == 0)?;
    let end = HEADER + name + 1 + 4;
    let asked = question.get(HEADER..end)?;
    let addresses = if asked[name + 1..name + 3] == TYPE_A { addresses } else { &[] };
    let mut answer = question[..2].to_vec();
    // A response, recursion desired and available, no error; one question.
    answer.extend([0x81, 0x80, 0, 1, 0, u8::try_from(addresses.len()).ok()?, 0, 0, 0, 0]);
    answer.extend(asked);
    for address in addresses {
        // The name of the question, IN A, one minute.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}

/// A listener whose queue is full for ever: a client's first packet is dropped, as by a host that is gone.
pub struct DeadEnd {
    _listener: TcpListener,
    _filler: TcpStream,
}

impl DeadEnd {
    /// At this address.
    pub fn at(address: SocketAddrV4) -> Self {
        let listener = TcpListener::bind(address).expect("a free port");
        listen(&listener, Backlog::new(0).expect("a length")).expect("a shorter queue");
        let filler = TcpStream::connect(address).expect("the first one");
        let next = TcpStream::connect_timeout(&address.into(), Duration::from_millis(200));
        assert!(next.is_err(), "the queue is not full");
        Self { _listener: listener, _filler: filler }
    }
}
