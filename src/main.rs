//! Collects argv, environment and standard streams into values, calls the command line, returns its exit code.

use std::process::ExitCode;

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn main() -> ExitCode {
    decant::process::memory::tune();
    decant::telemetry::guard_panics();
    let argv: Vec<_> = std::env::args_os().collect();
    ExitCode::from(decant::cli::start(&argv, std::env::vars_os()))
}
