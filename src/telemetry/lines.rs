//! Turns events of this program into lines; events of libraries are dropped.
//!
//! There are no spans, and so no need of a registry for them: such a one costs 40 KB and a tenth of a millisecond in
//! every start.
//!
//! What libraries log can't be vouched for (an HTTP library at trace level may show what it sends), so nothing of
//! theirs is ever shown.

use std::{
    cell::Cell,
    io::Write,
    sync::{Mutex, PoisonError},
};

use tracing::{Event, Metadata, Subscriber, level_filters::LevelFilter, span, subscriber::Interest};

use super::{
    format::{Line, Record},
    level::{LevelHandle, LogFormat},
};
use crate::clock::Clock;

/// Where lines go.
pub(super) type Outputs = Vec<Box<dyn Write + Send>>;

/// Formats events and writes them to all outputs.
pub(super) struct LineLog {
    format: LogFormat,
    level: LevelHandle,
    clock: Clock,
    outputs: Mutex<Outputs>,
}

thread_local! {
    /// Set while this thread writes, so that a panic in there doesn't wait for itself.
    static WRITING: Cell<bool> = const { Cell::new(false) };
}

impl LineLog {
    pub(super) fn new(format: LogFormat, level: LevelHandle, clock: Clock, outputs: Outputs) -> Self {
        Self { format, level, clock, outputs: Mutex::new(outputs) }
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && *metadata.level() <= self.level.filter()
            && logger_name(metadata.target()).is_some()
    }
}

impl Subscriber for LineLog {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level.filter())
    }

    /// Never wanted; every one of them is the same.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let Some(logger) = logger_name(metadata.target()) else { return };
        let mut record = Record::default();
        event.record(&mut record);
        let line = Line { time: self.clock.wall(), level: *metadata.level(), logger, record };
        let text = line.text(self.format);
        if WRITING.replace(true) {
            return;
        }
        for output in self.outputs.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            // Nowhere is left to complain when the log itself can't be written.
            output.write_all(text.as_bytes()).ok();
        }
        WRITING.set(false);
    }
}

/// The name shown for an event: targets that are logger names stay, modules of ours get that of their part of the
/// program, everything else (`None`) isn't ours.
fn logger_name(target: &str) -> Option<&str> {
    if target == "agent" || target.starts_with("agent.") {
        return Some(target);
    }
    let module = match target.strip_prefix("decant")? {
        "" => "",
        rest => rest.strip_prefix("::")?,
    };
    Some(match module.split("::").next().unwrap_or_default() {
        "auth" => "agent.auth.handler",
        "sink" => "agent.sink.file",
        "secrets" | "template" | "output" | "action" => "agent.template.server",
        "dev" => "dev",
        _ => "agent",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_get_the_logger_of_their_part() {
        for (target, logger) in [
            ("agent", Some("agent")),
            ("agent.auth.kubernetes", Some("agent.auth.kubernetes")),
            ("decant", Some("agent")),
            ("decant::auth::auto_auth", Some("agent.auth.handler")),
            ("decant::sink", Some("agent.sink.file")),
            ("decant::output::atomic", Some("agent.template.server")),
            ("decant::http", Some("agent")),
            ("agents", None),
            ("decanter::x", None),
            ("hyper::client", None),
            ("reqwest::connect", None),
        ] {
            assert_eq!(logger_name(target), logger, "{target}");
        }
    }
}
