//! Writing a group: all of its files, or none.

use tracing::{debug, info};

use super::{Running, effects_of};
use crate::{
    agent::event::Written,
    output::{
        self, effect,
        group::{GroupError, Manner, Member},
    },
    template::Render,
};

impl Running {
    /// Writes what was rendered for these templates, and says per template what became of it.
    pub(super) fn write_group(&mut self, members: &[usize]) -> Vec<(usize, Written)> {
        let rendered: Vec<_> =
            members.iter().filter_map(|index| Some((*index, self.pending.remove(index)?))).collect();
        let templates = &self.parts.templates;
        let group = members.first().and_then(|index| templates.get(*index)?.0.group.clone());
        let Some(group) = group.filter(|_| rendered.len() == members.len()) else {
            return members.iter().map(|index| (*index, Written::Same)).collect();
        };
        let manner = if group.atomic { Manner::AtOnce } else { Manner::InTurn };
        let files: Vec<Member<'_>> = rendered
            .iter()
            .map(|(index, render)| Member {
                destination: &templates[*index].0.destination,
                bytes: &render.bytes,
                effects: effects_of(render),
            })
            .collect();
        match output::group::write(&files, manner) {
            Ok(written) => {
                if written.iter().any(|written| written.is_new()) {
                    info!(target: "agent", group = %group.name, files = files.len(), "(runner) rendered");
                } else {
                    debug!(target: "agent", group = %group.name, "files are right already");
                }
                drop(files);
                let written = rendered.iter().zip(written);
                written
                    .map(|((index, render), written)| (*index, self.append(*index, render, written.is_new())))
                    .collect()
            }
            Err(GroupError { member, source, changed }) => {
                let failed = members.get(member).copied().unwrap_or_default();
                let Written::Failed { message, .. } = self.write_failed(failed, &source, changed) else {
                    return Vec::new();
                };
                members
                    .iter()
                    .map(|index| (*index, Written::Failed { message: message.clone(), changed }))
                    .collect()
            }
        }
    }

    /// What a member adds to files comes last: it can't be taken back.
    fn append(&mut self, index: usize, render: &Render, mut changed: bool) -> Written {
        let effects = effect::appending(&effects_of(render));
        let appended = self.appended.entry(index).or_default();
        for (_, result) in effect::apply(&effects, appended) {
            match result {
                Ok(written) => changed |= written.is_new(),
                Err(trouble) => return self.write_failed(index, &trouble, changed),
            }
        }
        self.parts.reporter.wrote(index, changed);
        if changed { Written::Changed } else { Written::Same }
    }
}
