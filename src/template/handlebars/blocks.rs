//! The blocks `if`, `unless`, `each`, `with` and `raw`: the library's, with limits and places.

use handlebars::{
    BlockContext, BlockParams, Context, Handlebars, Helper, HelperDef, Output, PathAndJson, RenderContext,
    RenderError, Renderable, ScopedJson, Template,
};
use serde_json::Value as Json;

use super::{
    call::{Printed, is_alone, key_called, kind, truth},
    missing, output,
    pass::{Pass, Refusal},
};
use crate::template::go::fault::Cause;

/// Their names.
pub(super) const NAMES: [&str; 5] = ["if", "unless", "each", "with", "raw"];

/// One of the blocks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    If,
    Unless,
    Each,
    With,
    /// `{{{{raw}}}}`: its text is no template.
    Raw,
}

impl Kind {
    pub(super) const ALL: [Self; 5] = [Self::If, Self::Unless, Self::Each, Self::With, Self::Raw];

    pub(super) const fn name(self) -> &'static str {
        NAMES[self as usize]
    }
}

/// A block in one render.
pub(super) struct Block<'p, 'h> {
    pub(super) kind: Kind,
    pub(super) pass: &'p Pass<'h>,
}

/// What a body is rendered with.
struct Scene<'s, 'reg, 'rc> {
    registry: &'reg Handlebars<'reg>,
    ctx: &'rc Context,
    rc: &'s mut RenderContext<'reg, 'rc>,
    out: &'s mut dyn Output,
}

impl<'reg, 'rc> Scene<'_, 'reg, 'rc> {
    fn body(&mut self, pass: &Pass<'_>, body: Option<&'rc Template>) -> Result<(), RenderError> {
        let Some(body) = body else { return Ok(()) };
        pass.step(1 + body.elements.len())?;
        body.render(self.registry, self.ctx, self.rc, self.out)
    }
}

impl Block<'_, '_> {
    fn refuse(&self, what: String) -> Refusal {
        Refusal::new(Cause::WrongType, what).at(self.kind.name())
    }

    /// Where there is nothing to go into: the other branch, else nothing while answers are missing, else an error.
    fn nothing<'rc>(
        &self,
        h: &Helper<'rc>,
        argument: &PathAndJson<'rc>,
        scene: &mut Scene<'_, '_, 'rc>,
    ) -> Result<(), RenderError> {
        if h.inverse().is_some() {
            return scene.body(self.pass, h.inverse());
        }
        if !self.pass.is_strict() || self.pass.is_waiting() {
            return Ok(());
        }
        if let (true, Some(path)) = (argument.is_value_missing(), argument.relative_path()) {
            return Err(missing::explain(path, scene.ctx, scene.rc).into());
        }
        let what = format!("{{{{#{}}}}} has nothing to go into", self.kind.name());
        Err(Refusal::new(Cause::MissingKey, what)
            .hint("where it may be empty, say so with {{else}}")
            .at(self.kind.name())
            .into())
    }

    fn with<'rc>(
        &self,
        h: &Helper<'rc>,
        argument: &PathAndJson<'rc>,
        scene: &mut Scene<'_, '_, 'rc>,
    ) -> Result<(), RenderError> {
        if !truth(argument.value()) {
            return self.nothing(h, argument, scene);
        }
        let mut block = BlockContext::new();
        block.set_base_value(argument.value().clone());
        if let Some(parent) = scene.rc.block() {
            block.local_variables_mut().clone_from(parent.local_variables());
        }
        if let Some(name) = h.block_param() {
            let mut params = BlockParams::new();
            params.add_value(name, argument.value().clone())?;
            block.set_block_params(params);
        }
        scene.rc.push_block(block);
        let result = scene.body(self.pass, h.template());
        scene.rc.pop_block();
        result
    }

    fn each<'rc>(
        &self,
        h: &Helper<'rc>,
        argument: &PathAndJson<'rc>,
        scene: &mut Scene<'_, '_, 'rc>,
    ) -> Result<(), RenderError> {
        match argument.value() {
            Json::Array(items) if !items.is_empty() => {
                let turns = items.iter().enumerate().map(|(at, item)| (None, at, item));
                self.turns(h, items.len(), turns, scene)
            }
            Json::Object(map) if !map.is_empty() => {
                let turns = map.iter().enumerate().map(|(at, (key, item))| (Some(key.as_str()), at, item));
                self.turns(h, map.len(), turns, scene)
            }
            // An empty list is there, and has no turns.
            Json::Array(_) | Json::Object(_) => scene.body(self.pass, h.inverse()),
            Json::Null => self.nothing(h, argument, scene),
            other => {
                let what = format!("{{{{#each}}}} can't loop over {}", kind(other));
                Err(self.refuse(what).hint("a text becomes a list with (split TEXT \",\")").into())
            }
        }
    }

    fn turns<'i, 'rc>(
        &self,
        h: &Helper<'rc>,
        count: usize,
        turns: impl Iterator<Item = (Option<&'i str>, usize, &'i Json)>,
        scene: &mut Scene<'_, '_, 'rc>,
    ) -> Result<(), RenderError> {
        scene.rc.push_block(BlockContext::new());
        let mut result = Ok(());
        for (key, at, item) in turns {
            self.pass.charge_for(item)?;
            let mut block = BlockContext::new();
            block.set_local_var("first", Json::Bool(at == 0));
            block.set_local_var("last", Json::Bool(at + 1 == count));
            block.set_local_var("index", Json::from(at));
            let name = key.map_or_else(|| Json::from(at), Json::from);
            if key.is_some() {
                block.set_local_var("key", name.clone());
            }
            let mut params = BlockParams::new();
            if let Some(value) = h.block_param() {
                params.add_value(value, item.clone())?;
            } else if let Some((value, index)) = h.block_param_pair() {
                params.add_value(value, item.clone())?;
                params.add_value(index, name)?;
            }
            block.set_block_params(params);
            block.set_base_value(item.clone());
            scene.rc.pop_block();
            scene.rc.push_block(block);
            result = scene.body(self.pass, h.template());
            if result.is_err() {
                break;
            }
        }
        scene.rc.pop_block();
        result
    }
}

impl HelperDef for Block<'_, '_> {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        _: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        Err(self.refuse(format!("{} is a block and gives no value", self.kind.name())).into())
    }

    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        ctx: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> Result<(), RenderError> {
        self.pass.step(1)?;
        let name = self.kind.name();
        if is_alone(h) {
            return match key_called(name, ctx, rc)? {
                Some(value) if value.is_object() => Err(output::mapping().at(name).into()),
                Some(value) => Printed(value).call(h, registry, ctx, rc, out),
                None if self.pass.is_strict() => Err(missing::explain(name, ctx, rc).into()),
                None => Ok(()),
            };
        }
        if self.kind == Kind::Raw {
            return Scene { registry, ctx, rc, out }.body(self.pass, h.template());
        }
        let (Some(argument), true) = (h.param(0), h.is_block()) else {
            let hint = format!("write {{{{#{name} VALUE}}}}…{{{{/{name}}}}}");
            return Err(self.refuse(format!("{name} is a block")).hint(hint).into());
        };
        self.pass.charge_for(argument.value())?;
        let mut scene = Scene { registry, ctx, rc, out };
        match self.kind {
            Kind::If | Kind::Unless => {
                let zero = h.hash_get("includeZero").is_some_and(|value| truth(value.value()));
                let value = argument.value();
                let holds = truth(value) || (zero && super::border::number_text(value).is_some());
                let body = if holds == (self.kind == Kind::If) { h.template() } else { h.inverse() };
                scene.body(self.pass, body)
            }
            Kind::With => self.with(h, argument, &mut scene),
            Kind::Each => self.each(h, argument, &mut scene),
            Kind::Raw => Ok(()),
        }
    }
}

/// Counts what a partial costs: stands first in each of them.
pub(super) struct PartialStep<'p, 'h>(pub(super) &'p Pass<'h>);

/// What entering a partial costs besides its elements: the library clones the data that it is entered with.
const PARTIAL_STEPS: usize = 20;

/// Its name, which no template can write by itself without being refused.
pub(super) const STEP: &str = "decant:partial";

impl HelperDef for PartialStep<'_, '_> {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        ctx: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        _: &mut dyn Output,
    ) -> Result<(), RenderError> {
        let elements = h.param(0).and_then(|count| count.value().as_u64()).unwrap_or(0);
        self.0.step(usize::try_from(elements).unwrap_or(usize::MAX).saturating_add(PARTIAL_STEPS))?;
        let here = rc.evaluate(ctx, "this")?;
        self.0.charge_for(here.as_json())?;
        Ok(())
    }
}
