//! Tells systemd how far the program is, over the socket that it names in `NOTIFY_SOCKET`.
//!
//! Protocol: <https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>.

use std::{
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

/// What the service manager is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Started, or done with a reload.
    Ready,
    /// Reading the configuration anew.
    Reloading,
    /// On the way out.
    Stopping,
}

impl State {
    const fn message(self) -> &'static str {
        match self {
            Self::Ready => "READY=1",
            Self::Reloading => "RELOADING=1",
            Self::Stopping => "STOPPING=1",
        }
    }
}

/// The way to the service manager, if there is one.
#[derive(Debug, Default)]
pub struct ServiceManager(Option<UnixDatagram>);

impl ServiceManager {
    /// Connects to the socket that `NOTIFY_SOCKET` names: a path, or with a leading `@` an abstract name.
    /// Without one, or when it isn't there, every notification is a no-op.
    pub fn connect(notify_socket: Option<&OsStr>) -> Self {
        let Some(name) = notify_socket.filter(|name| !name.is_empty()) else { return Self::default() };
        match Self::open(name) {
            Ok(socket) => Self(Some(socket)),
            Err(error) => {
                tracing::debug!(target: "agent", socket = ?name, %error, "systemd can't be notified");
                Self::default()
            }
        }
    }

    fn open(name: &OsStr) -> io::Result<UnixDatagram> {
        let address = match name.as_bytes() {
            [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
            _ => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        // A full queue must not hold the agent.
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    /// Tells the state, if somebody listens.
    pub fn notify(&self, state: State) {
        self.send(state.message());
    }

    /// Whether there is one.
    pub const fn listens(&self) -> bool {
        self.0.is_some()
    }

    /// Tells in one line how far the program is (`systemctl status` shows it).
    pub fn status(&self, text: &str) {
        if self.0.is_some() {
            self.send(&format!("STATUS={}", text.lines().next().unwrap_or_default()));
        }
    }

    fn send(&self, message: &str) {
        if let Some(socket) = &self.0
            && let Err(error) = socket.send(message.as_bytes())
        {
            tracing::debug!(target: "agent", %error, "systemd can't be notified");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn every_state_has_its_message() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let manager = ServiceManager::connect(Some(path.as_os_str()));
        for (state, message) in
            [(State::Ready, "READY=1"), (State::Reloading, "RELOADING=1"), (State::Stopping, "STOPPING=1")]
        {
            manager.notify(state);
            assert_eq!(received(&socket), message);
        }
        manager.status("waiting\nREADY=1");
        assert_eq!(received(&socket), "STATUS=waiting", "a text can't say more than a text");
    }

    #[test]
    fn abstract_names_work() {
        let name = format!("decant-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        ServiceManager::connect(Some(OsStr::new(&format!("@{name}")))).notify(State::Ready);
        assert_eq!(received(&socket), "READY=1");
    }

    #[test]
    fn without_a_listener_nothing_happens() {
        for name in [None, Some(OsStr::new("")), Some(OsStr::new("/nonexistent/socket"))] {
            let manager = ServiceManager::connect(name);
            assert!(manager.0.is_none());
            manager.notify(State::Ready);
        }
    }
}
