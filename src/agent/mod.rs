//! Where the stages meet: the tasks, their channels, start and end of a run.

pub mod announce;
pub mod build;
mod certificates;
pub mod environment;
pub mod event;
pub mod handover;
mod hidden;
pub mod host;
pub mod outcome;
pub mod plan;
pub mod reconcile;
mod revoke;
pub mod status;
pub mod tasks;
pub mod upstream;
