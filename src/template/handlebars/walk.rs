//! What is known of a template from its text alone: mistakes in calls, partials, requests, certificates.

use std::collections::{BTreeMap, BTreeSet};

use handlebars::template::{DecoratorTemplate, HelperTemplate, Parameter, Template, TemplateElement};
use serde_json::Value as Json;

use super::{
    blocks,
    call::{Def, TABLE},
    pass::Refusal,
};
use crate::{problem::nearest, template::go::fault::Cause};

/// How deep the walk goes.
const MAX_DEPTH: usize = 200;

/// How many blocks a path may lead up.
const MAX_UPS: usize = 100;

/// The partials of a set by name.
pub(super) type Partials<'t> = BTreeMap<&'t str, &'t Template>;

/// Line and column, from 1.
pub(super) type Place = (usize, usize);

/// A mistake and its place.
pub(super) type Mistake = (Refusal, Place);

/// Something of a template that is worth a look.
pub(super) enum Seen<'t> {
    /// A call or a block.
    Call(&'t HelperTemplate),
    /// A path of a value.
    Path(&'t str),
    /// A partial is included.
    Partial(&'t DecoratorTemplate),
    /// A partial is defined inside of the text.
    Inline(&'t DecoratorTemplate),
    /// A form that isn't allowed.
    Other(&'static str),
}

/// Goes through a template in the order of its text. `sure` tells whether every render comes by.
pub(super) struct Walk<'t, 'f> {
    /// Partials to go into, where they are included.
    partials: &'f Partials<'t>,
    visited: BTreeSet<(&'t str, bool)>,
    depth: usize,
    see: &'f mut dyn FnMut(Seen<'t>, bool, Place),
}

impl<'t, 'f> Walk<'t, 'f> {
    pub(super) fn new(partials: &'f Partials<'t>, see: &'f mut dyn FnMut(Seen<'t>, bool, Place)) -> Self {
        Self { partials, visited: BTreeSet::new(), depth: 0, see }
    }

    pub(super) fn template(&mut self, template: &'t Template, sure: bool, outer: Place) {
        // What lies deeper, partials in partials, is found when it runs.
        if self.depth > MAX_DEPTH {
            return;
        }
        self.depth += 1;
        self.elements(template, sure, outer);
        self.depth -= 1;
    }

    fn elements(&mut self, template: &'t Template, sure: bool, outer: Place) {
        for (at, element) in template.elements.iter().enumerate() {
            let place = template.mapping.get(at).map_or(outer, |mapping| (mapping.0, mapping.1));
            match element {
                TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => {
                    self.call(call, sure, place);
                }
                TemplateElement::HelperBlock(call) => {
                    self.call(call, sure, place);
                    // The body of `with (secret …)` counts as sure: without the secret nothing renders anyway.
                    let opens = call.name.as_name() == Some("with")
                        && matches!(call.params.first(), Some(Parameter::Subexpression(inner)) if inner.name() == "secret");
                    self.bodies(call, sure && opens, place);
                }
                TemplateElement::PartialExpression(partial) => {
                    (self.see)(Seen::Partial(partial), sure, place);
                    self.arguments(&partial.params, partial.hash.values(), sure, place);
                    self.include(partial, sure, place);
                }
                TemplateElement::DecoratorBlock(block) => {
                    (self.see)(Seen::Inline(block), sure, place);
                    if let Some(body) = &block.template {
                        self.template(body, false, place);
                    }
                }
                TemplateElement::PartialBlock(_) => (self.see)(Seen::Other("{{#> …}}"), sure, place),
                TemplateElement::DecoratorExpression(_) => (self.see)(Seen::Other("{{* …}}"), sure, place),
                _ => {}
            }
        }
    }

    fn bodies(&mut self, call: &'t HelperTemplate, sure: bool, place: Place) {
        if let Some(body) = &call.template {
            self.template(body, sure, place);
        }
        if let Some(body) = &call.inverse {
            self.template(body, false, place);
        }
    }

    fn include(&mut self, partial: &'t DecoratorTemplate, sure: bool, place: Place) {
        let Some((name, template)) =
            partial.name.as_name().and_then(|name| self.partials.get_key_value(name))
        else {
            return;
        };
        let (name, template) = (*name, *template);
        if self.visited.insert((name, sure)) {
            let see = &mut *self.see;
            let mut at_the_tag = |seen: Seen<'t>, sure: bool, _: Place| see(seen, sure, place);
            let mut inside = Walk {
                partials: self.partials,
                visited: std::mem::take(&mut self.visited),
                depth: self.depth,
                see: &mut at_the_tag,
            };
            inside.template(template, sure, place);
            self.visited = inside.visited;
        }
    }

    fn call(&mut self, call: &'t HelperTemplate, sure: bool, place: Place) {
        if let (false, Some(path)) = (call.block, call.name.as_name())
            && call.params.is_empty()
            && call.hash.is_empty()
        {
            (self.see)(Seen::Path(path), sure, place);
        } else {
            self.arguments(&call.params, call.hash.values(), sure, place);
            (self.see)(Seen::Call(call), sure, place);
        }
    }

    fn arguments(
        &mut self,
        params: &'t [Parameter],
        options: impl Iterator<Item = &'t Parameter>,
        sure: bool,
        place: Place,
    ) {
        for parameter in params.iter().chain(options) {
            match parameter {
                Parameter::Path(_) => {
                    if let Some(path) = parameter.as_name() {
                        (self.see)(Seen::Path(path), sure, place);
                    }
                }
                Parameter::Subexpression(inner) => {
                    if let TemplateElement::Expression(call) = inner.as_element() {
                        self.arguments(&call.params, call.hash.values(), sure, place);
                        (self.see)(Seen::Call(call), sure, place);
                    }
                }
                _ => {}
            }
        }
    }
}

/// How many blocks a path leads up, or more.
pub(super) fn ups(path: &str) -> usize {
    path.matches("..").count()
}

/// The name of a partial that is written out.
pub(super) fn partial_name(partial: &DecoratorTemplate) -> Option<&str> {
    match &partial.name {
        Parameter::Name(name) => Some(name),
        other => other.as_name(),
    }
}

/// The name that an inline partial is defined by.
pub(super) fn inline_name(block: &DecoratorTemplate) -> Option<&str> {
    match (block.name.as_name(), block.params.as_slice()) {
        (Some("inline"), [Parameter::Literal(Json::String(name))]) => Some(name),
        _ => None,
    }
}

/// The first mistake that every render would make.
pub(super) fn mistake(template: &Template, denied: &dyn Fn(&str) -> bool) -> Option<Mistake> {
    let mut found: Option<Mistake> = None;
    let none = Partials::new();
    let mut see = |seen: Seen<'_>, _: bool, place: Place| {
        let refusal = match seen {
            Seen::Call(call) => judge(call, denied).err(),
            Seen::Partial(partial) => judge_partial(partial).err(),
            Seen::Inline(block) if inline_name(block).is_none() => {
                Some(syntax("only {{#*inline \"NAME\"}}…{{/inline}} defines a partial"))
            }
            Seen::Other("{{#> …}}") => Some(
                syntax("partials with a body ({{#> …}}) are not supported")
                    .hint("give the partial what it needs by name: {{> NAME key=value}}"),
            ),
            Seen::Other(form) => {
                Some(syntax(&format!("{form} is not supported")).hint(
                    "values and blocks do all; only {{#*inline \"NAME\"}}…{{/inline}} defines something",
                ))
            }
            Seen::Path(path) if ups(path) > MAX_UPS => {
                Some(Refusal::new(Cause::Limit, "a path leads up by more than 100 levels"))
            }
            Seen::Path(path) if path.contains("decant:") => Some(syntax("this name is reserved").at(path)),
            _ => None,
        };
        if let (None, Some(refusal)) = (&found, refusal) {
            found = Some((refusal, place));
        }
    };
    Walk::new(&none, &mut see).template(template, true, (1, 1));
    found
}

fn syntax(what: &str) -> Refusal {
    Refusal::new(Cause::Syntax, what)
}

fn judge_partial(partial: &DecoratorTemplate) -> Result<(), Refusal> {
    match partial_name(partial) {
        Some("@partial-block") => Err(syntax("@partial-block is not supported")
            .hint("give the partial what it needs by name: {{> NAME key=value}}")),
        Some(name) if name.contains(['[', '\'', '"']) => {
            Err(syntax("the name of a partial is written without quotes and brackets").at(name))
        }
        Some(_) if !matches!(partial.name, Parameter::Subexpression(_)) => Ok(()),
        _ => Err(syntax("the name of a partial has to be written out, it can't be computed")
            .hint("choose with {{#if}}: {{#if a}}{{> x}}{{else}}{{> y}}{{/if}}")),
    }
}

/// The function or block of this name.
fn find(name: &str) -> Option<&'static Def> {
    TABLE.iter().copied().find(|def| def.name == name)
}

fn judge(call: &HelperTemplate, denied: &dyn Fn(&str) -> bool) -> Result<(), Refusal> {
    let Some(name) = call.name.as_name() else {
        return Err(syntax("a call begins with the name of a function"));
    };
    if blocks::NAMES.contains(&name) {
        if !call.block {
            let hint = format!("write {{{{#{name} VALUE}}}}…{{{{/{name}}}}}");
            return Err(syntax(&format!("{name} is a block")).at(name).hint(hint));
        }
        if name != "raw" && call.params.len() != 1 {
            return Err(syntax(&format!("{name} takes one value"))
                .at(name)
                .hint("put a call into parentheses"));
        }
        return Ok(());
    }
    let Some(def) = find(name) else { return Err(unknown(name, call.block)) };
    if denied(name) {
        return Err(Refusal::new(Cause::Function, "`function_denylist` denies this function").at(name));
    }
    let (least, most) = def.takes;
    if !(least..=most).contains(&call.params.len()) {
        let what = format!("wrong number of arguments for {name}: {}", call.params.len());
        return Err(Refusal::new(Cause::Function, what).at(name).hint(def.how()));
    }
    let strange = |option: &&String| !def.options.iter().any(|known| *known == "*" || known == option);
    if let Some(option) = call.hash.keys().filter(strange).min() {
        let refusal = Refusal::new(Cause::Function, format!("{name} has no option {option}")).at(option);
        return Err(match nearest(option, def.options.iter().copied()) {
            Some(near) => refusal.hint(format!("did you mean {near}?")),
            None => refusal.hint(def.how()),
        });
    }
    Ok(())
}

fn unknown(name: &str, block: bool) -> Refusal {
    let refusal = Refusal::new(Cause::UnknownFunction, format!("there is no function {name}")).at(name);
    if block {
        return match nearest(name, blocks::NAMES) {
            Some(near) => refusal.hint(format!("did you mean {{{{#{near} …}}}}?")),
            None => {
                refusal.hint(format!("a section of a key is {{{{#each {name}}}}} or {{{{#with {name}}}}}"))
            }
        };
    }
    let known = TABLE.iter().map(|def| def.name);
    match nearest(name, known) {
        Some(near) => refusal.hint(format!("did you mean {near}?")),
        None if name == "log" => refusal.hint("templates write no logs: they would hold secrets"),
        None => refusal.hint("all functions are in docs/templates.md"),
    }
}

/// A parameter as a template has it.
pub(super) fn written(parameter: &Parameter) -> String {
    match parameter {
        Parameter::Literal(json) => json.to_string(),
        Parameter::Subexpression(inner) => {
            let mut words = vec![inner.name().to_owned()];
            words.extend(inner.params().into_iter().flatten().map(written));
            format!("({})", words.join(" "))
        }
        other => other.as_name().unwrap_or_default().to_owned(),
    }
}
