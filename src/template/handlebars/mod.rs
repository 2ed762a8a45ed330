//! The Handlebars dialect: strict, without HTML escaping, with functions of ours over the host.
//!
//! The library parses and renders; what it lacks is around it: places and hints for mistakes, exact numbers
//! (`border`), limits (`pass`, `output`), requests that are known before the first render (`requests`). What it buffers
//! can't be wiped.

mod blocks;
mod border;
mod call;
mod collection;
mod encode;
mod logic;
mod math;
mod missing;
mod nesting;
mod output;
mod pass;
mod requests;
mod secrets;
mod set;
mod syntax;
mod text;
mod walk;

use std::{path::PathBuf, sync::LazyLock};

use handlebars::{
    BlockContext, Context, Handlebars, RenderContext, RenderError, RenderErrorReason, Renderable,
};

use self::{
    blocks::{Block, Kind, PartialStep, STEP},
    call::{Bound, TABLE},
    missing::{AnyName, HOOK, MissingName},
    output::Text,
    pass::{Pass, Refusal},
    set::Set,
};
use super::{
    Identity, Partial, Render,
    error::TemplateError,
    go::{
        calls::SecretCall,
        certificate::CertificateUse,
        fault::{Cause, Fault, Place},
        literal::Literal,
    },
    host::Host,
    redact::Redactor,
};
use crate::origin::Origin;

/// The library's part that is the same for all renders.
static REGISTRY: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
    let mut registry = Handlebars::new();
    registry.register_escape_fn(handlebars::no_escape);
    // It would write values to the log.
    registry.unregister_helper("log");
    registry.register_helper(HOOK, Box::new(AnyName));
    registry
});

/// A template with its partials, read once.
pub(super) struct Compiled {
    set: Set,
    strict: bool,
    sandbox: Option<PathBuf>,
}

impl Compiled {
    /// Reads a text and the partials that it includes.
    ///
    /// # Errors
    /// The first mistake, with its place in the text or in a partial.
    pub(super) fn new(
        text: &str,
        (origin, whole_file): (&Origin, bool),
        denied: &[String],
        load: &mut dyn FnMut(&str) -> Result<Partial, String>,
        (strict, sandbox): (bool, Option<PathBuf>),
    ) -> Result<Self, TemplateError> {
        let set = Set::read(text, (origin, whole_file), denied, load)?;
        Ok(Self { set, strict, sandbox })
    }

    /// Reads and listings that every render makes.
    pub(super) fn literal_requests(&self) -> Vec<Literal> {
        requests::literal(&self.set.main.template, &self.set.partials())
    }

    /// Every place that asks for something.
    pub(super) fn calls(&self) -> Vec<SecretCall> {
        requests::calls(&self.set.main.template, &self.set.partials(), &self.set.main.text)
    }

    /// Its own text.
    pub(super) fn text(&self) -> &str {
        &self.set.main.text
    }

    /// What it does with certificates.
    pub(super) fn certificate_use(&self) -> CertificateUse {
        requests::certificate_use(&self.set.main.template, &self.set.partials())
    }

    /// Renders with what the host has now.
    ///
    /// # Errors
    /// A mistake that more data can't mend.
    pub(super) fn render(&self, host: &mut dyn Host, identity: &Identity) -> Result<Render, TemplateError> {
        let pass = Pass::new(host, identity, self.sandbox.clone(), self.strict);
        let mut out = Text::new(self.set.is_ambiguous());
        let result = self.run(&pass, &mut out);
        let (asked, host) = pass.into_asked();
        let mut render = Render { used: asked.used, missing: asked.missing, ..Render::default() };
        match result {
            Ok(()) => render.bytes = out.bytes,
            Err(error) => {
                let redactor = Redactor::new(host, &render.used, self.text());
                let error = self.explain(&error).hiding(&redactor);
                if render.is_complete() {
                    return Err(error);
                }
                render.blocked = Some(error);
            }
        }
        Ok(render)
    }

    fn run(&self, pass: &Pass<'_>, out: &mut Text) -> Result<(), RenderError> {
        let ctx = Context::null();
        let mut rc = RenderContext::new(None);
        // Where `../` leads out of all blocks the library would look into the innermost one: now it finds nothing.
        rc.replace_blocks((0..=self.set.ups()).map(|_| BlockContext::new()).collect());
        for def in TABLE.iter() {
            rc.register_local_helper(def.name, Box::new(Bound { def, pass }));
        }
        for kind in Kind::ALL {
            rc.register_local_helper(kind.name(), Box::new(Block { kind, pass }));
        }
        rc.register_local_helper(HOOK, Box::new(MissingName(pass)));
        rc.register_local_helper(STEP, Box::new(PartialStep(pass)));
        if let Some(root) = rc.block_mut() {
            for (name, template) in self.set.partials() {
                root.set_local_partial(name.to_owned(), template);
            }
        }
        self.set.main.template.render(&REGISTRY, &ctx, &mut rc, out)
    }

    fn explain(&self, error: &RenderError) -> TemplateError {
        let refusal = refusal_of(error);
        let place = (error.line_no.unwrap_or(1), error.column_no.unwrap_or(1));
        self.set.error(error.template_name.as_deref(), &refusal, place, false)
    }
}

/// What an error of the library means. Its own words can quote values, so they are not used where they might.
fn refusal_of(error: &RenderError) -> Refusal {
    match error.reason() {
        RenderErrorReason::NestedError(inner) => {
            if let Some(refusal) = inner.downcast_ref::<Refusal>() {
                return refusal.clone();
            }
            Refusal::new(Cause::Other, "the template can't be rendered")
        }
        RenderErrorReason::IOError(inner) => {
            let refusal = inner.get_ref().and_then(|inner| inner.downcast_ref::<Refusal>());
            refusal.cloned().unwrap_or_else(|| Refusal::new(Cause::Other, "the text can't be written"))
        }
        RenderErrorReason::InvalidJsonIndex(index) => {
            let refusal =
                Refusal::new(Cause::WrongType, "a list has numbers for its items, not names").at(index);
            refusal.hint("loop over it with {{#each}}, or take an item with [0]")
        }
        RenderErrorReason::PartialNotFound(name) => {
            Refusal::new(Cause::Other, format!("there is no partial {name}")).at(name)
        }
        RenderErrorReason::CannotIncludeSelf => Refusal::new(Cause::Limit, "a partial includes itself"),
        RenderErrorReason::InvalidJsonPath(path) => {
            Refusal::new(Cause::Syntax, format!("{path:?} is no path of a value")).at(path)
        }
        _ => Refusal::new(Cause::Other, "the template can't be rendered"),
    }
}

/// Makes a fault of a refusal.
fn fault(refusal: &Refusal, pos: usize, parsing: bool) -> Fault {
    let place = match parsing {
        true => Place::Parse(pos),
        false => Place::Exec { template: "".into(), node: None },
    };
    let mut fault = Fault::new(refusal.cause, pos, refusal.shown.clone(), place);
    fault.hint.clone_from(&refusal.hint);
    fault
}

#[cfg(test)]
mod tests;
