//! The part of the plan that keeps groups together.

use std::collections::{BTreeSet, HashMap};

use super::Plan;
use crate::{
    agent::event::Effect,
    config::template::{TemplateSpec, Wait},
};

/// Templates that are written together.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) members: Vec<usize>,
    /// The longest quiet time that a member wants.
    pub(super) wait: Option<Wait>,
    /// A member was evaluated in the pass under way.
    pub(super) evaluated: bool,
}

impl Plan {
    /// These templates and all others of their groups, each once.
    pub(super) fn with_their_groups(&self, indexes: impl Iterator<Item = usize>) -> BTreeSet<usize> {
        let mut all = BTreeSet::new();
        for index in indexes {
            match self.templates.get(index).and_then(|template| template.group) {
                Some(group) => all.extend(&self.groups[group].members),
                None => {
                    all.insert(index);
                }
            }
        }
        all
    }

    /// Groups whose members are all there are written; those that lack one keep their files.
    pub(super) fn settle_groups(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut over = Vec::new();
        for group in &mut self.groups {
            if !std::mem::take(&mut group.evaluated) {
                continue;
            }
            if !group.members.iter().any(|index| self.templates[*index].waiting) {
                over.extend(group.members.first().copied());
            }
            let (ready, lacking): (Vec<usize>, Vec<usize>) =
                group.members.iter().partition(|index| self.templates[**index].ready);
            for index in &ready {
                self.templates[*index].ready = false;
            }
            if lacking.is_empty() {
                effects.push(Effect::WriteGroup(ready));
                continue;
            }
            let failed = lacking.iter().find(|index| self.templates[**index].trouble.is_some());
            if let Some(failed) = failed.map(|index| self.templates[*index].spec.clone()) {
                let name = failed.group.as_ref().map_or("", |group| group.name.as_str());
                let failed = failed.destination.path.display();
                for index in &ready {
                    let why = format!(
                        "the files of the group `{name}` stay as they are, because {failed} can't be rendered"
                    );
                    self.templates[*index].trouble = Some(why);
                }
            }
            effects.push(Effect::Discard(ready));
        }
        effects.extend(over.into_iter().filter_map(|render| self.render_over(render)));
        effects
    }
}

/// The groups of these templates, and per template which one it belongs to.
pub(super) fn form<'a>(specs: impl Iterator<Item = &'a TemplateSpec>) -> (Vec<Group>, Vec<Option<usize>>) {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut of = Vec::new();
    for (index, spec) in specs.enumerate() {
        let Some(group) = &spec.group else {
            of.push(None);
            continue;
        };
        let place = *places.entry(&group.name).or_insert_with(|| {
            groups.push(Group::default());
            groups.len() - 1
        });
        let group = &mut groups[place];
        group.members.push(index);
        group.wait = match (group.wait, spec.wait) {
            (Some(a), Some(b)) => Some(Wait { min: a.min.max(b.min), max: a.max.max(b.max) }),
            (a, b) => a.or(b),
        };
        of.push(Some(place));
    }
    (groups, of)
}
