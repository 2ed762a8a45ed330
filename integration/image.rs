//! The image without a container engine: its root is reproducible and complete, and what injectors run in it works,
//! as the users that pods have, on a root that can't be written, as process 1.

mod bill;
mod build;
mod injected;
mod limits;
mod names;
mod process_one;
