//! The table of functions that templates call, and how the library comes to them.

use std::collections::BTreeMap;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, JsonRender, Output, PathAndJson, RenderContext, RenderError,
    Renderable, ScopedJson,
};
use serde_json::Value as Json;

use super::{
    border::{self, decode},
    collection, encode, logic, math, missing, output,
    pass::{Pass, Refusal},
    secrets, text,
};
use crate::{problem::nearest, template::go::fault::Cause, vault::value::Value};

/// What a function gives; `None` is a name that isn't there.
pub(super) type Outcome = Result<Option<Json>, Refusal>;

/// One function.
pub(super) struct Def {
    /// Name as templates write it.
    pub(super) name: &'static str,
    /// How it is called, behind its name.
    pub(super) usage: &'static str,
    /// Fewest and most arguments.
    pub(super) takes: (usize, usize),
    /// Names of options (`name=value`); `*` stands for any.
    pub(super) options: &'static [&'static str],
    /// Whether its arguments may be names that aren't there.
    pub(super) lenient: bool,
    /// The code.
    pub(super) run: fn(&Pass<'_>, &Args<'_, '_>) -> Outcome,
}

/// No upper limit of arguments.
pub(super) const MANY: usize = usize::MAX;

impl Def {
    /// A function with a fixed number of arguments.
    pub(super) const fn new(
        name: &'static str,
        usage: &'static str,
        takes: (usize, usize),
        run: fn(&Pass<'_>, &Args<'_, '_>) -> Outcome,
    ) -> Self {
        Self { name, usage, takes, options: &[], lenient: false, run }
    }

    /// The same with options.
    pub(super) const fn options(self, options: &'static [&'static str]) -> Self {
        Self { options, ..self }
    }

    /// The same for arguments that may be missing.
    pub(super) const fn lenient(self) -> Self {
        Self { lenient: true, ..self }
    }

    /// How it is called.
    pub(super) fn how(&self) -> String {
        format!("write {{{{{} {}}}}}", self.name, self.usage).replace(" }}", "}}")
    }
}

/// All functions.
pub(super) static TABLE: std::sync::LazyLock<Vec<&'static Def>> = std::sync::LazyLock::new(|| {
    let families = [secrets::FUNCS, encode::FUNCS, logic::FUNCS, text::FUNCS, math::FUNCS, collection::FUNCS];
    families.into_iter().flatten().collect()
});

/// The arguments of a call.
pub(super) struct Args<'c, 'rc> {
    def: &'static Def,
    values: &'c [PathAndJson<'rc>],
    options: &'c BTreeMap<&'rc str, PathAndJson<'rc>>,
    strict: bool,
}

impl<'c, 'rc> Args<'c, 'rc> {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// An argument; null when it isn't there.
    pub(super) fn get(&self, at: usize) -> &'c Json {
        self.values.get(at).map_or(&Json::Null, PathAndJson::value)
    }

    /// An argument that is there.
    pub(super) fn there(&self, at: usize) -> Option<&'c Json> {
        self.values.get(at).filter(|value| !value.is_value_missing()).map(PathAndJson::value)
    }

    /// All arguments.
    pub(super) fn all(&self) -> impl Iterator<Item = &'c Json> + use<'c, 'rc> {
        self.values.iter().map(PathAndJson::value)
    }

    /// The options by name.
    pub(super) fn options(&self) -> impl Iterator<Item = (&'c str, &'c Json)> + use<'c, 'rc> {
        self.options.iter().map(|(name, value)| (*name, value.value()))
    }

    /// An option.
    pub(super) fn option(&self, name: &str) -> Option<&'c Json> {
        self.options.get(name).map(PathAndJson::value)
    }

    /// An argument as a tree of ours.
    pub(super) fn value(&self, at: usize) -> Value {
        border::from_json(self.get(at))
    }

    /// An argument as text: of a text, number or truth value.
    pub(super) fn text(&self, at: usize) -> Result<String, Refusal> {
        match self.get(at) {
            // What isn't there is an empty text where nobody is strict.
            Json::Null if !self.strict => Ok(String::new()),
            value => plain(value).ok_or_else(|| self.wrong(at, "a text")),
        }
    }

    /// An argument as a whole number that is not negative.
    pub(super) fn count(&self, at: usize) -> Result<usize, Refusal> {
        let count = plain(self.get(at)).and_then(|text| text.trim().parse().ok());
        count.ok_or_else(|| self.wrong(at, "a whole number that is not negative"))
    }

    /// A list argument.
    pub(super) fn list(&self, at: usize) -> Result<&'c Vec<Json>, Refusal> {
        self.get(at).as_array().ok_or_else(|| self.wrong(at, "a list"))
    }

    /// A mapping.
    pub(super) fn map(&self, at: usize) -> Result<&'c serde_json::Map<String, Json>, Refusal> {
        self.get(at).as_object().ok_or_else(|| self.wrong(at, "a mapping"))
    }

    /// An argument of a wrong kind.
    pub(super) fn wrong(&self, at: usize, expected: &str) -> Refusal {
        let kind = kind(self.get(at));
        let text = format!("argument {} of {} is {kind}, expected {expected}", at + 1, self.def.name);
        Refusal::new(Cause::WrongType, text).hint(self.def.how()).at(self.def.name)
    }
}

/// A text, number or truth value as text.
pub(super) fn plain(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(decode(text).into_owned()),
        Json::Number(_) | Json::Bool(_) => Some(json.render()),
        _ => None,
    }
}

/// What a value is, in words.
pub(super) fn kind(json: &Json) -> &'static str {
    match json {
        _ if border::number_text(json).is_some() => "a number",
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "a mapping",
    }
}

/// A text for the library.
pub(super) fn text_json(text: &str) -> Outcome {
    Ok(Some(Json::String(border::encode(text))))
}

/// Whether a value counts as true: zero, empty and null don't.
pub(super) fn truth(json: &Json) -> bool {
    match border::number_text(json) {
        Some(number) => number.parse::<f64>().is_ok_and(|number| number != 0.0),
        None => match json {
            Json::Null => false,
            Json::Bool(truth) => *truth,
            Json::Number(_) => true,
            Json::String(text) => !text.is_empty(),
            Json::Array(items) => !items.is_empty(),
            Json::Object(map) => !map.is_empty(),
        },
    }
}

/// Whether a function or block is called without arguments and body.
pub(super) fn is_alone(h: &Helper<'_>) -> bool {
    h.params().is_empty() && h.hash().is_empty() && !h.is_block()
}

/// The key of the data that is called like a function or block.
pub(super) fn key_called<'rc>(
    name: &str,
    ctx: &'rc Context,
    rc: &RenderContext<'_, 'rc>,
) -> Result<Option<Json>, RenderError> {
    let value = rc.evaluate(ctx, &format!("this.{name}"))?;
    Ok((!value.is_missing()).then(|| value.as_json().clone()))
}

/// A function of the table in one render.
pub(super) struct Bound<'p, 'h> {
    pub(super) def: &'static Def,
    pub(super) pass: &'p Pass<'h>,
}

impl Bound<'_, '_> {
    /// `printed` tells a tag from a call in parentheses, where some functions need no arguments.
    fn value<'rc>(
        &self,
        h: &Helper<'rc>,
        ctx: &'rc Context,
        rc: &RenderContext<'_, 'rc>,
        printed: bool,
    ) -> Result<Option<Json>, RenderError> {
        let def = self.def;
        if is_alone(h) && (printed || def.takes.0 > 0) {
            let value = key_called(def.name, ctx, rc)?;
            if value.is_some() || !self.pass.is_strict() {
                return Ok(value);
            }
            let what = format!("{} needs arguments, and no key here is called like this", def.name);
            return Err(Refusal::function(what).hint(def.how()).at(def.name).into());
        }
        self.pass.step(1)?;
        for (argument, at) in h.params().iter().zip(0..) {
            self.pass.charge_for(argument.value())?;
            if argument.is_value_missing() && !def.lenient && self.pass.is_strict() {
                return Err(self.missing(argument, at, ctx, rc).into());
            }
        }
        let args = Args { def, values: h.params(), options: h.hash(), strict: self.pass.is_strict() };
        let result = (def.run)(self.pass, &args).map_err(|refusal| refusal.or_at(def.name))?;
        if let Some(json) = &result {
            self.pass.charge_for(json)?;
        }
        Ok(result)
    }

    fn missing<'rc>(
        &self,
        argument: &PathAndJson<'rc>,
        at: usize,
        ctx: &'rc Context,
        rc: &RenderContext<'_, 'rc>,
    ) -> Refusal {
        match argument.relative_path() {
            Some(path) => missing::explain(path, ctx, rc).within(self.def.name),
            None => {
                let what = format!("argument {} of {} is not there", at + 1, self.def.name);
                Refusal::new(Cause::MissingKey, what).at(self.def.name).hint("give it a value with default")
            }
        }
    }
}

impl HelperDef for Bound<'_, '_> {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        ctx: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        Ok(self.value(h, ctx, rc, false)?.map_or(ScopedJson::Missing, ScopedJson::Derived))
    }

    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        r: &'reg Handlebars<'reg>,
        ctx: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> Result<(), RenderError> {
        let value = self.value(h, ctx, rc, true)?;
        if h.is_block() {
            let body = if value.as_ref().is_some_and(truth) { h.template() } else { h.inverse() };
            let Some(body) = body else { return Ok(()) };
            self.pass.step(1 + body.elements.len())?;
            return body.render(r, ctx, rc, out);
        }
        let Some(value) = value else {
            if !self.pass.is_strict() || self.pass.is_waiting() {
                return Ok(());
            }
            let what = format!("{} gives nothing here", self.def.name);
            let refusal = Refusal::new(Cause::MissingKey, what).at(self.def.name);
            let hint = near_key(h)
                .unwrap_or_else(|| "say what counts instead: (default (…) \"instead\")".to_owned());
            return Err(refusal.hint(hint).into());
        };
        if value.is_object() {
            return Err(output::mapping().at(self.def.name).into());
        }
        Printed(value).call(h, r, ctx, rc, out)
    }
}

/// The key that was likely meant where one is looked up by a name that the template holds.
fn near_key(h: &Helper<'_>) -> Option<String> {
    let Json::Object(map) = h.param(0)?.value() else { return None };
    let wanted = h.param(1)?.try_get_constant_value()?.as_str()?;
    nearest(wanted, map.keys().map(String::as_str)).map(|near| format!("did you mean {near}?"))
}

/// A value on its way out, printed as the library prints values.
pub(super) struct Printed(pub(super) Json);

impl HelperDef for Printed {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        _: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        Ok(ScopedJson::Derived(self.0.clone()))
    }
}
