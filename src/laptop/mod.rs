//! What a template's author does on a laptop: look at what templates give, and at what is wrong with them.
//!
//! Inputs of any kind become [`input::Unit`]s. `render` makes texts of them, with secrets from a server or from a
//! fixture; `check` reads them and asks nobody. Nothing here runs a command or writes outside the folder it was given.

pub mod answers;
mod bare;
pub mod check;
pub mod deprecated;
pub mod diff;
pub mod fixture;
pub mod folder;
pub mod host;
pub mod input;
pub mod manifest;
pub mod mask;
pub mod policy;
pub mod render;
pub mod report;
pub mod server;
pub mod text;
pub mod yaml;
