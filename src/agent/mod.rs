//! Where the stages meet: the tasks, their channels, start and end of a run.

pub mod outcome;
pub mod plan;
