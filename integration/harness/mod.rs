//! What the whole-program tests stand on: servers, pods, the real binary, a small HTTP client, the canary.

pub mod authority;
pub mod canary;
pub mod container;
pub mod http;
pub mod journal;
pub mod kubelet;
pub mod memory;
pub mod names;
pub mod needs;
pub mod pod;
pub mod process;
pub mod relay;
pub mod secure;
pub mod server;
pub mod way;

use std::time::{Duration, Instant};

pub use self::{
    authority::Authority,
    canary::canary,
    container::Container,
    needs::{Need, needing},
    pod::Pod,
    process::{Finished, Run},
    relay::Relay,
    secure::Secure,
    server::{Server, each_server, on_dev},
};

/// How long a test waits for something that must happen. Only ever used up by a failing test.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Looks until it is true; panics with `what` when patience ends.
#[track_caller]
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, look)
}

/// The same for what takes longer by its nature.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "tests wait for files and processes of the real world")]
pub fn eventually_within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < patience, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
