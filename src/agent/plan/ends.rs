//! When a run is over by itself: everything is done, or a request is given up.

use super::{Effect, Outcome, Plan};
use crate::secrets::request::SecretRequest;

impl Plan {
    /// The end of a run that renders once: files, actions and sinks are all done.
    pub(super) fn finish(&self) -> Vec<Effect> {
        let rendered = self.templates.iter().all(|template| template.rendered_once);
        let unsettled = self.templates.iter().any(|template| template.changed);
        if !self.config.once
            || !self.config.complete
            || !rendered
            || unsettled
            || self.acting
            || !self.sinks_done
        {
            return Vec::new();
        }
        vec![Effect::Exit(Outcome::Done { failed_actions: self.failed_actions })]
    }

    /// A request whose retries are used up ends the run, when the user wants that: before the first full render in
    /// any case, later only on a definite answer (what is rendered stays useful while a server is down).
    pub(super) fn give_up(&self) -> Option<Effect> {
        if !self.config.exit_on_failure {
            return None;
        }
        let retries = self.config.retries.unwrap_or(0);
        let (request, failed) = self
            .failing
            .iter()
            .filter(|(request, _)| self.wanted.contains(*request))
            .filter(|(request, failed)| {
                // An outage before the server says no uses up nothing of what a no is allowed.
                let counted =
                    if self.holds_back_a_first_render(request) { failed.tries } else { failed.definite };
                counted > retries
            })
            .min_by_key(|(request, _)| *request)?;
        Some(Effect::Exit(Outcome::Fetch {
            class: failed.class,
            message: format!("{request}: {} (tried {} times)", failed.message, failed.tries),
        }))
    }

    fn holds_back_a_first_render(&self, request: &SecretRequest) -> bool {
        self.templates.iter().any(|template| !template.rendered_once && template.used.contains(request))
    }
}
