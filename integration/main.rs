//! Whole-program tests: the real binary against the embedded dev server and, when named, a real one.
//!
//! `BAO_BIN` or `VAULT_BIN` names a real server's binary: every case that such a server can play then runs on it, too.
//! `DECANT_BIN` names another build of the binary under test, `DECANT_FULL_BIN` the build with all features that serves
//! it: so the small build for pods is tested against the server of the large one. Every run logs at trace level, and all that it prints
//! is searched for every secret that was served.

#![expect(unreachable_pub, reason = "a program of its own: nothing here is reachable from outside")]
#![expect(clippy::expect_used, clippy::panic, reason = "a test says what broke by ending")]
#![expect(clippy::print_stdout, reason = "what a failed case's programs printed")]

mod actions;
mod agent;
mod conformance;
mod connection;
mod crash;
mod demo;
mod dialects;
mod endings;
mod examples;
mod failures;
mod faults;
mod groups;
mod handover;
mod harness;
mod image;
mod injector;
mod input;
mod isolation;
mod kv;
mod laptop;
mod layers;
mod lifecycle;
mod lifetimes;
mod logs;
mod methods;
mod names;
mod output;
mod pki;
mod plugins;
mod pod;
mod status;
mod waiting;
