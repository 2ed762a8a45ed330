//! Text and data in, text out: the two template dialects, pure, bounded, never waiting.

pub mod go;
pub mod host;
