//! This process among others: signals, pid file, service manager, self-protection, memory settings, orphans, network interfaces.

pub mod cpu;
pub mod harden;
pub mod interfaces;
pub mod memory;
pub mod pid_file;
pub mod reap;
pub mod service_manager;
pub mod signals;
pub mod termination_log;
