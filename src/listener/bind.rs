//! Taking an endpoint: everything that can be wrong with it is known before anything is served.

use std::{
    fs, io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::{
            fs::{FileTypeExt, MetadataExt},
            net::UnixStream,
        },
    },
    path::{Path, PathBuf},
};

use nix::sys::{
    socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket},
    stat::{Mode, fchmod},
};
use thiserror::Error;

use super::Endpoint;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

/// Why an endpoint can't be taken.
#[derive(Debug, Error)]
pub enum BindError {
    /// The address or the folder.
    #[error("can't listen on {endpoint}")]
    Io {
        /// Where.
        endpoint: Endpoint,
        /// Why not.
        source: io::Error,
    },
    /// A living process serves that socket.
    #[error("can't listen on unix://{}: another process serves it", path.display())]
    Taken {
        /// The socket.
        path: PathBuf,
    },
    /// A file that is none of ours to remove.
    #[error("can't listen on unix://{}: there is a file of another kind", path.display())]
    NotASocket {
        /// The file.
        path: PathBuf,
    },
}

/// A taken endpoint, not served yet. A unix socket is removed when this is dropped.
#[derive(Debug)]
pub struct Bound {
    pub(super) socket: Socket,
    endpoint: Endpoint,
}

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener, File),
}

/// The file of a unix socket, as it was made.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Bound {
    /// Takes the endpoint; port 0 takes a free one. A unix socket is for the own user alone (0600) from its first
    /// moment on; what a dead process left at its path is replaced.
    ///
    /// # Errors
    /// An address that is taken or not ours, a folder that can't be written, a path that somebody else uses.
    pub fn new(endpoint: &Endpoint) -> Result<Self, BindError> {
        let fail = |source| BindError::Io { endpoint: endpoint.clone(), source };
        match endpoint {
            Endpoint::Tcp(address) => {
                let socket = std::net::TcpListener::bind(address).map_err(fail)?;
                socket.set_nonblocking(true).map_err(fail)?;
                let endpoint = Endpoint::Tcp(socket.local_addr().map_err(fail)?);
                Ok(Self { socket: Socket::Tcp(socket), endpoint })
            }
            Endpoint::Unix(path) => {
                make_room(path)?;
                let socket = private_socket(path).map_err(|error| fail(error.into()))?;
                let made = fs::symlink_metadata(path).map_err(fail)?;
                let file = File { path: path.clone(), device: made.dev(), inode: made.ino() };
                let socket = std::os::unix::net::UnixListener::from(socket);
                Ok(Self { socket: Socket::Unix(socket, file), endpoint: endpoint.clone() })
            }
        }
    }

    /// Where it listens, with the port that it got.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| found.dev() == self.device && found.ino() == self.inode);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(target: "agent", path = %self.path.display(), %error, "can't remove the socket");
        }
    }
}

/// Removes a socket that nobody serves any more.
fn make_room(path: &Path) -> Result<(), BindError> {
    let fail = |source| BindError::Io { endpoint: Endpoint::Unix(path.to_owned()), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fail(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(BindError::NotASocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(BindError::Taken { path: path.to_owned() }),
        Err(_) => fs::remove_file(path).map_err(fail),
    }
}

/// Linux gives the new file the mode of the unbound socket (less the umask), so that it is never open to others.
fn private_socket(path: &Path) -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    fchmod(socket.as_fd(), Mode::S_IRUSR | Mode::S_IWUSR)?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    listen(&socket, Backlog::new(BACKLOG)?)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(path: &Path) -> Endpoint {
        Endpoint::Unix(path.to_owned())
    }

    #[test]
    fn a_socket_is_private_and_goes_with_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.sock");
        let bound = Bound::new(&unix(&path)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(matches!(Bound::new(&unix(&path)), Err(BindError::Taken { .. })));
        drop(bound);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_dead_process_left_is_replaced_and_a_files_of_others_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "std leaves it behind");
        let first = Bound::new(&unix(&path)).unwrap();
        fs::remove_file(&path).unwrap();
        let second = Bound::new(&unix(&path)).unwrap();
        drop(first);
        assert!(path.exists(), "it is another one's by now");
        drop(second);
        fs::File::create(&path).unwrap();
        let error = Bound::new(&unix(&path)).unwrap_err();
        assert!(matches!(error, BindError::NotASocket { .. }) && path.exists(), "{error}");
    }

    #[test]
    fn a_free_port_is_told() {
        let bound = Bound::new(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let Endpoint::Tcp(address) = bound.endpoint() else { panic!() };
        assert_ne!(address.port(), 0);
        let error = Bound::new(bound.endpoint()).unwrap_err();
        assert_eq!(error.to_string(), format!("can't listen on http://{address}"));
    }

    #[test]
    fn paths_that_cannot_be_are_named() {
        for path in ["/nonexistent/s.sock", &format!("/tmp/{}", "x".repeat(120))] {
            let error = Bound::new(&unix(Path::new(path))).unwrap_err();
            assert!(error.to_string().contains(path), "{error}");
        }
    }
}
