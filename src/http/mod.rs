//! The HTTP building blocks: one client per upstream, with our resolver, our trust and no redirects by itself.
//!
//! Vault's client, HTTP actions, cloud metadata and the Kubernetes API stand on it; nothing else speaks HTTP.

pub mod address;
mod client;
pub mod dns;
pub mod error;
pub mod local;
pub mod proxy;
pub mod tls;

pub use client::{HttpClient, Settings, SetupError, read};
