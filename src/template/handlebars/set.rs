//! A template with the partials that it includes: read, judged, and bounded before anything runs.

use std::collections::{BTreeMap, BTreeSet};

use handlebars::template::{Template, TemplateElement};

use super::{
    blocks::STEP,
    border::{self, MAPPING},
    fault, missing, nesting,
    pass::Refusal,
    syntax,
    walk::{self, Partials, Seen, Walk},
};
use crate::{
    origin::Origin,
    template::{
        Partial,
        error::TemplateError,
        go::{fault::Cause, funcs::is_denied},
    },
};

/// Partials that a template may include, directly or not.
const MAX_PARTIALS: usize = 200;
/// Bytes of one text.
const MAX_TEXT: usize = 1 << 20;
/// The library counts lines anew for each tag, so that length times number of tags is what reading costs.
const MAX_WORK: usize = 2_000_000_000;

/// A text that was read.
pub(super) struct Source {
    pub(super) text: String,
    pub(super) template: Template,
    origin: Origin,
    whole_file: bool,
}

/// All texts of a template.
pub(super) struct Set {
    pub(super) main: Source,
    partials: BTreeMap<String, Source>,
    ups: usize,
}

impl Set {
    pub(super) fn read(
        text: &str,
        (origin, whole_file): (&Origin, bool),
        denied: &[String],
        load: &mut dyn FnMut(&str) -> Result<Partial, String>,
    ) -> Result<Self, TemplateError> {
        let main = Source::read(text, (origin.clone(), whole_file), None, denied)?;
        let mut set = Self { main, partials: BTreeMap::new(), ups: missing::LEVELS.len() };
        let mut wanted = set.main.wanted(None);
        while let Some((name, place, by)) = wanted.pop() {
            if set.partials.contains_key(&name) {
                continue;
            }
            let failed = |refusal: Refusal| set.error(by.as_deref(), &refusal.at(&name), place, true);
            if set.partials.len() >= MAX_PARTIALS {
                return Err(failed(Refusal::new(
                    Cause::Limit,
                    "the template includes more than 200 partials",
                )));
            }
            let partial = load(&name).map_err(|why| {
                let refusal = Refusal::new(Cause::Other, format!("the partial {name} can't be read: {why}"));
                failed(refusal.hint("partials are the files NAME.hbs of the folder that partials_path names"))
            })?;
            let origin = Origin::File { path: partial.path, line: 0, column: 0 };
            let source = Source::read(&partial.text, (origin, true), Some(name.clone()), denied)?;
            wanted.extend(source.wanted(Some(&name)));
            set.partials.insert(name, source);
        }
        set.refuse_cycles()?;
        set.count_partials();
        let ups = set.partials.values().chain([&set.main]).map(|source| ups(&source.template)).max();
        set.ups = set.ups.max(ups.unwrap_or(0));
        Ok(set)
    }

    /// The partials by name.
    pub(super) fn partials(&self) -> Partials<'_> {
        self.partials.iter().map(|(name, source)| (name.as_str(), &source.template)).collect()
    }

    /// How far up a path leads at most.
    pub(super) const fn ups(&self) -> usize {
        self.ups
    }

    /// Whether a text of the template looks like what the library prints for a mapping.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.partials.values().chain([&self.main]).any(|source| source.text.contains(MAPPING))
    }

    /// An error with its place in the text that it was found in: a partial's, else the template's own.
    pub(super) fn error(
        &self,
        partial: Option<&str>,
        refusal: &Refusal,
        place: walk::Place,
        parsing: bool,
    ) -> TemplateError {
        let source = partial.and_then(|name| self.partials.get(name)).unwrap_or(&self.main);
        source.error(refusal, place, parsing)
    }

    /// A partial that includes itself, by way of others or not, would never end.
    fn refuse_cycles(&self) -> Result<(), TemplateError> {
        // What a name stands for: a file, and whatever is defined under this name inside of any text.
        let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut places: BTreeMap<&str, (Option<&str>, walk::Place)> = BTreeMap::new();
        let named = self.partials.iter().map(|(name, source)| (Some(name.as_str()), source));
        for (name, source) in named.chain([(None, &self.main)]) {
            for (to, place) in includes(&source.template) {
                edges.entry(name.unwrap_or_default()).or_default().insert(to);
                places.entry(to).or_insert((name, place));
            }
            for (inline, body) in inlines(&source.template) {
                for (to, place) in includes(body) {
                    edges.entry(inline).or_default().insert(to);
                    places.entry(to).or_insert((name, place));
                }
            }
        }
        let mut done = BTreeSet::new();
        for start in edges.keys() {
            if let Some(name) = cycle(start, &edges, &mut Vec::new(), &mut done) {
                let (by, place) = places.get(name).copied().unwrap_or((None, (1, 1)));
                let what = format!("the partial {name} includes itself, by way of others or not");
                let refusal = Refusal::new(Cause::Limit, what).at(name);
                return Err(self.error(
                    by,
                    &refusal.hint("loop over data with {{#each}} instead"),
                    place,
                    true,
                ));
            }
        }
        Ok(())
    }

    /// Puts a step before the elements of every partial, so that what they cost is counted.
    fn count_partials(&mut self) {
        for source in self.partials.values_mut() {
            count(&mut source.template);
        }
        for source in self.partials.values_mut().chain([&mut self.main]) {
            count_inlines(&mut source.template);
        }
    }
}

/// A name that leads back to itself. Visits every name once.
fn cycle<'n>(
    name: &'n str,
    edges: &BTreeMap<&'n str, BTreeSet<&'n str>>,
    path: &mut Vec<&'n str>,
    done: &mut BTreeSet<&'n str>,
) -> Option<&'n str> {
    if path.contains(&name) {
        return Some(name);
    }
    if done.contains(name) || path.len() > MAX_PARTIALS * 2 {
        return None;
    }
    path.push(name);
    let found = edges.get(name).into_iter().flatten().find_map(|next| cycle(next, edges, path, done));
    path.pop();
    done.insert(name);
    found
}

/// Names of included partials, with their places.
fn includes(template: &Template) -> Vec<(&str, walk::Place)> {
    seen(template, |seen, place| match seen {
        Seen::Partial(partial) => walk::partial_name(partial).map(|name| (name, place)),
        _ => None,
    })
}

/// Partials that are defined inside of a text, with their bodies.
fn inlines(template: &Template) -> Vec<(&str, &Template)> {
    seen(template, |seen, _| match seen {
        Seen::Inline(block) => walk::inline_name(block).zip(block.template.as_ref()),
        _ => None,
    })
}

/// How far up a path of a text leads at most.
fn ups(template: &Template) -> usize {
    let all = seen(template, |seen, _| match seen {
        Seen::Path(path) => Some(walk::ups(path)),
        _ => None,
    });
    all.into_iter().max().unwrap_or(0)
}

/// What a look at everything in a template picks.
fn seen<'t, T>(template: &'t Template, pick: fn(Seen<'t>, walk::Place) -> Option<T>) -> Vec<T> {
    let mut found = Vec::new();
    let mut see = |seen: Seen<'t>, _: bool, place: walk::Place| found.extend(pick(seen, place));
    Walk::new(&Partials::new(), &mut see).template(template, true, (1, 1));
    found
}

/// Puts a step before the elements of a partial.
fn count(template: &mut Template) {
    let step = Template::compile(&format!("{{{{{STEP} {}}}}}", template.elements.len()));
    if let Ok(step) = step {
        template.elements.splice(0..0, step.elements);
        template.mapping.splice(0..0, step.mapping);
    }
}

fn count_inlines(template: &mut Template) {
    for element in &mut template.elements {
        match element {
            TemplateElement::HelperBlock(block) => {
                block.template.iter_mut().chain(&mut block.inverse).for_each(count_inlines);
            }
            TemplateElement::DecoratorBlock(block) => {
                if let Some(body) = &mut block.template {
                    count_inlines(body);
                    count(body);
                }
            }
            _ => {}
        }
    }
}

/// A partial's name, where it is included, and by which partial.
type Wanted = (String, walk::Place, Option<String>);

impl Source {
    /// The partials to load: those that the text doesn't define itself.
    fn wanted(&self, by: Option<&str>) -> Vec<Wanted> {
        let own: BTreeSet<&str> = inlines(&self.template).into_iter().map(|(name, _)| name).collect();
        let foreign = includes(&self.template).into_iter().filter(|(name, _)| !own.contains(name));
        foreign.map(|(name, place)| (name.to_owned(), place, by.map(str::to_owned))).collect()
    }

    fn read(
        text: &str,
        (origin, whole_file): (Origin, bool),
        name: Option<String>,
        denied: &[String],
    ) -> Result<Self, TemplateError> {
        let source = Self { text: text.to_owned(), template: Template::new(), origin, whole_file };
        if let Some(refusal) = too_large(text) {
            return Err(source.error(&refusal, (1, 1), true));
        }
        // The library's parser would use up the stack.
        if let Some(at) = nesting::too_deep(text) {
            let refusal = Refusal::new(Cause::Limit, "blocks and calls nest too deep: more than 100 levels");
            return Err(source.error(&refusal, place_of(text, at), true));
        }
        let template = match name {
            Some(name) => Template::compile_with_name(text, name),
            None => Template::compile(text),
        };
        let template = match template {
            Ok(template) => template,
            Err(error) => {
                let (refusal, place) = syntax::explain(text, &error);
                return Err(source.error(&refusal, place, true));
            }
        };
        if let Some((refusal, place)) = walk::mistake(&template, &|name| is_denied(denied, name)) {
            return Err(source.error(&refusal, place, true));
        }
        Ok(Self { template, ..source })
    }

    fn error(&self, refusal: &Refusal, place: walk::Place, parsing: bool) -> TemplateError {
        let start = offset(&self.text, place);
        let word = refusal.word.as_deref();
        let inside = || word_within(&self.text, start, refusal.within?, word?);
        let anywhere = || word_at(&self.text, start, word?);
        let pos = inside().or_else(anywhere).unwrap_or(start);
        TemplateError::new(fault(refusal, pos, parsing), &self.text, &self.origin, self.whole_file)
    }
}

/// Why a text is not read at all.
fn too_large(text: &str) -> Option<Refusal> {
    if text.len() > MAX_TEXT {
        return Some(Refusal::new(Cause::Limit, "the text is larger than 1 MiB"));
    }
    if text.len().saturating_mul(text.matches("{{").count()) > MAX_WORK {
        return Some(
            Refusal::new(Cause::Limit, "the text has too many tags for its length")
                .hint("put parts of it into partials"),
        );
    }
    border::is_reserved(text).then(|| {
        Refusal::new(Cause::Syntax, "the text has a character that no text may have (U+FDD0 or U+FDD1)")
    })
}

/// Line and column of a byte.
pub(super) fn place_of(text: &str, at: usize) -> walk::Place {
    let before = text.get(..at).unwrap_or(text);
    let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
    (1 + before.matches('\n').count(), column)
}

/// The byte that line and column (in characters, from 1) point to.
fn offset(text: &str, (line, column): walk::Place) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at)
}

/// Where a word stands in a call, in parentheses, of this function inside of the tag that begins at `start`.
fn word_within(text: &str, start: usize, function: &str, word: &str) -> Option<usize> {
    let tag = text.get(start..)?.split("}}").next()?;
    tag.match_indices('(').find_map(|(open, _)| {
        let name = tag[open + 1..].trim_start().split([' ', '\t', '\n', ')']).next()?;
        let found = word_at(text, start + open, word).filter(|_| name == function)?;
        let between = &text[start + open..found];
        (between.matches('(').count() > between.matches(')').count()).then_some(found)
    })
}

/// Where a word stands inside of the tag that begins at `start`.
fn word_at(text: &str, start: usize, word: &str) -> Option<usize> {
    let rest = text.get(start..)?;
    let tag = &rest[..rest.find("}}")?];
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-');
    let whole = tag.match_indices(word).find(|(at, word)| {
        !is_part(tag[..*at].chars().next_back()) && !is_part(tag[at + word.len()..].chars().next())
    });
    whole.map(|(at, _)| start + at)
}
