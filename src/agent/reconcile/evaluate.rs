//! Evaluating a template: what it sees, and which files it wants to be watched.

use std::{collections::BTreeSet, path::PathBuf};

use super::Running;
use crate::{
    agent::{
        announce,
        event::Rendered,
        host::{Seen, SnapshotHost},
    },
    template::{Render, error::TemplateError},
};

impl Running {
    /// Evaluates a template with what is there now.
    pub(super) fn render(&mut self, index: usize) -> Rendered {
        let (rendered, seen) = self.evaluate(index);
        // A file counts as watched from now on; what it holds by now is what the second evaluation sees.
        let (rendered, seen) =
            if self.watch(index, seen.files.clone()) { self.evaluate(index) } else { (rendered, seen) };
        let used = seen.used;
        match rendered {
            Ok(render) if !render.is_complete() => {
                let program = render.program.filter(|_| render.missing.is_empty());
                Rendered::Waiting { used, program }
            }
            Ok(render) => {
                self.said.remove(&index);
                announce::oddities(&mut self.odd, index, &self.parts.templates[index].0, &render.oddities);
                self.pending.insert(index, render);
                Rendered::Ready { used }
            }
            Err(trouble) => {
                let message = trouble.to_string();
                self.say_once(index, &message);
                Rendered::Failed { used, message, by_program: seen.program_failed }
            }
        }
    }

    fn evaluate(&self, index: usize) -> (Result<Render, TemplateError>, Seen) {
        let template = &self.parts.templates[index];
        let programs = self.parts.programs.answers(self.parts.plan.render_of(index));
        let (current, world, clock) = (&self.current, &self.parts.world, self.parts.clock);
        let mut host = SnapshotHost::new(current, world, clock, template, programs);
        let rendered = template.1.render(&mut host, &self.parts.identity);
        (rendered, host.into_seen())
    }

    /// Watches the files that a template read; says whether one of them was not watched before.
    fn watch(&mut self, index: usize, files: BTreeSet<PathBuf>) -> bool {
        let known: BTreeSet<&PathBuf> = self.files.values().flatten().collect();
        let is_new = files.iter().any(|file| !known.contains(file));
        if self.files.get(&index).unwrap_or(&BTreeSet::new()) != &files {
            self.files.insert(index, files);
            self.parts.watch.set(self.files.values().flatten().cloned());
        }
        is_new
    }
}
