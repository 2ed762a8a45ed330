//! `check`: everything that can be seen without a server.

use super::{CheckFormat, CheckOptions, start::say};
use crate::{
    config::env::Environment,
    laptop::{
        check,
        input::{self, How, Purpose},
        report,
    },
    problem::Severity,
};

/// Exit code for mistakes.
const MISTAKES: u8 = 2;

/// Runs `check`; returns the exit code. The environment is left out: a file is right or wrong wherever one looks.
pub(super) fn run(options: &CheckOptions) -> u8 {
    let environment = Environment::default();
    let how = How {
        purpose: Purpose::Check,
        bare: &options.bare,
        flags: &options.flags,
        environment: &environment,
    };
    let report = check::check(input::read(&options.given, how), options.mounts.clone());
    match options.format {
        CheckFormat::Text => say(&report::text(&report)),
        CheckFormat::Json => say(&report::json(&report)),
        CheckFormat::Hcl => say(report.policy.trim_end()),
    }
    if options.format == CheckFormat::Hcl {
        for finding in report.units.iter().flat_map(|unit| &unit.findings) {
            let mark = if finding.severity == Severity::Error { "error" } else { "warning" };
            super::start::complain(&format!("{mark}: {}", finding.shown));
        }
    }
    let failing =
        report.count(Severity::Error) > 0 || (options.strict && report.count(Severity::Warning) > 0);
    if failing { MISTAKES } else { 0 }
}
