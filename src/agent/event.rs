//! What reaches the loop from outside secrets, files and timers, as one closed set.

/// One thing that happened outside.
#[derive(Debug)]
pub enum Signal {
    /// SIGTERM, SIGINT or a quit request.
    Stop,
    /// Every sink holds the first token.
    SinksDone,
    /// Auto-auth has given up.
    AuthFailed(String),
    /// A task ended unasked.
    Broken(String),
}
