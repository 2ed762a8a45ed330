//! Where the stages meet: the tasks, their channels, start and end of a run.

pub mod environment;
pub mod event;
pub mod host;
pub mod outcome;
pub mod plan;
pub mod status;
pub mod upstream;
