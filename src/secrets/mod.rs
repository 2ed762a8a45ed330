//! What templates ask for, what came back, and the store that keeps it fresh.

pub mod entry;
pub mod failure;
pub mod fetch;
pub mod handed;
pub mod kept;
pub mod life;
pub mod pem;
pub mod pki;
pub mod request;
pub mod schedule;
pub mod snapshot;
pub mod store;
