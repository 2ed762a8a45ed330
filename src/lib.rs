//! decant takes the place of `vault agent` beside an application.
//!
//! Everything a pod asks for walks one line once:
//! `config → auth → secrets → template → output → action`.
//! A module imports only what lies before it in that line or below it; `ARCHITECTURE.md` has the table and
//! `integration/layers.rs` holds the code to it.
//!
//! The features `dev` and `laptop` add what pods don't need; nothing else here imports what they bring.

pub mod action;
pub mod agent;
pub mod auth;
pub mod backoff;
pub mod cache;
pub mod chance;
pub mod cli;
pub mod clock;
pub mod config;
#[cfg(feature = "dev")]
pub mod dev;
pub mod http;
pub mod jwt;
#[cfg(feature = "laptop")]
pub mod laptop;
pub mod listener;
pub mod origin;
pub mod output;
pub mod problem;
pub mod process;
pub mod secrets;
pub mod sink;
pub mod status;
pub mod telemetry;
pub mod template;
pub mod vault;
pub mod watch;

#[cfg(test)]
extern crate self as decant;
