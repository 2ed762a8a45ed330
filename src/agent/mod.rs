//! Where the stages meet: the tasks, their channels, start and end of a run.

pub mod announce;
pub mod build;
mod certificates;
mod ending;
pub mod endpoints;
pub mod environment;
pub mod event;
pub mod handover;
mod hidden;
pub mod host;
pub mod outcome;
pub mod plan;
mod programs;
mod quit;
pub mod readiness;
pub mod reconcile;
pub mod report;
mod revoke;
mod rhythm;
pub mod status;
pub mod tasks;
pub mod upstream;
