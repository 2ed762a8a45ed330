//! Prints the reference page of all annotations: `cargo run --example annotations_doc > docs/annotations.md`.

use std::io::{self, Write};

use decant::config::annotation::document;

fn main() -> io::Result<()> {
    io::stdout().write_all(document::page().as_bytes())
}
