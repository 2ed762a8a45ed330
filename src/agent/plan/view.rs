//! What others want to know of the plan.

use std::collections::BTreeSet;

use super::Plan;
use crate::secrets::request::SecretRequest;

impl Plan {
    /// Why the template isn't rendered as it should be.
    pub fn trouble(&self, index: usize) -> Option<&str> {
        self.templates.get(index)?.trouble.as_deref()
    }

    /// Whether the template has been rendered.
    pub fn is_rendered(&self, index: usize) -> bool {
        self.templates.get(index).is_some_and(|template| template.rendered_once)
    }

    /// How many templates there are.
    pub const fn len(&self) -> usize {
        self.templates.len()
    }

    /// Whether there is no template.
    pub const fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// The requests that the template uses, as far as is known, sorted.
    pub fn used(&self, index: usize) -> &[SecretRequest] {
        self.templates.get(index).map_or(&[], |template| &template.used)
    }

    /// All requests that templates use, sorted.
    pub const fn wanted(&self) -> &BTreeSet<SecretRequest> {
        &self.wanted
    }

    /// Whether the sinks hold the first token, or there are none.
    pub const fn sinks_done(&self) -> bool {
        self.sinks_done
    }

    /// Whether every template has been rendered.
    pub const fn all_rendered(&self) -> bool {
        self.all_rendered
    }
}
