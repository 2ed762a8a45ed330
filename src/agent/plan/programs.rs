//! The part of the plan that waits for the programs of templates (`plugin`).
//!
//! A program runs once per render, for the same arguments, when all secrets are there that the template has asked for
//! so far. A render begins when data is new, and is over when its files are written or fail: the next one runs the
//! program again.

use std::collections::BTreeSet;

use super::Plan;
use crate::{agent::event::Effect, template::host::Program};

/// The programs of all renders under way. A render is known by its first template.
#[derive(Debug, Default)]
pub(super) struct Programs {
    running: Vec<(usize, Program)>,
    /// Renders that have had programs run for them.
    asked: BTreeSet<usize>,
}

impl Programs {
    /// Whether a render waits for one.
    fn has(&self, render: usize) -> bool {
        self.running.iter().any(|(of, _)| *of == render)
    }
}

impl Plan {
    /// The render that a template belongs to.
    pub fn render_of(&self, index: usize) -> usize {
        let group = self.templates.get(index).and_then(|template| template.group);
        group.and_then(|group| self.groups[group].members.first().copied()).unwrap_or(index)
    }

    /// Whether the template waits for the end of a program.
    pub fn awaits_program(&self, index: usize) -> bool {
        self.programs.has(self.render_of(index))
    }

    /// A template can't go on without this program.
    pub(super) fn ask_program(&mut self, index: usize, program: Program) -> Option<Effect> {
        let asked = (self.render_of(index), program);
        if self.programs.running.contains(&asked) {
            return None;
        }
        self.programs.running.push(asked.clone());
        self.programs.asked.insert(asked.0);
        Some(Effect::RunProgram(asked.0, asked.1))
    }

    /// A program has ended, well or not: when it was the last one, the render goes on.
    pub(super) fn program_ended(&mut self, render: usize, program: Program) -> Vec<Effect> {
        let ended = (render, program);
        let before = self.programs.running.len();
        self.programs.running.retain(|running| *running != ended);
        if self.programs.running.len() == before || self.programs.has(render) {
            return Vec::new();
        }
        self.with_their_groups(std::iter::once(render)).into_iter().map(Effect::Render).collect()
    }

    /// A render is over, whatever became of it.
    pub(super) fn render_over(&mut self, render: usize) -> Option<Effect> {
        self.programs.running.retain(|(of, _)| *of != render);
        self.programs.asked.remove(&render).then_some(Effect::ForgetPrograms(render))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{
        event::{Event, Rendered, Written},
        plan::tests::{first_pass, grouped, program, ready, two, uses},
    };

    fn waits(path: &str, name: &str) -> Rendered {
        Rendered::Waiting { used: uses(&[path]), program: Some(program(name)) }
    }

    #[test]
    fn a_program_runs_once_for_a_render_that_goes_on_when_it_has_ended() {
        let (mut plan, now) = two(false);
        plan.start();
        let asked = plan.on(Event::Rendered(0, waits("kv/a", "p")), now);
        assert_eq!(asked, [Effect::RunProgram(0, program("p"))]);
        assert!(plan.awaits_program(0) && !plan.awaits_program(1));
        assert_eq!(plan.on(Event::Changed(uses(&["kv/a"])), now), [Effect::Render(0)]);
        assert!(plan.on(Event::Rendered(0, waits("kv/a", "p")), now).is_empty(), "it runs already");
        assert_eq!(plan.on(Event::ProgramEnded(0, program("p")), now), [Effect::Render(0)]);
        // Another one after it; the answer of the first is still there.
        let asked = plan.on(Event::Rendered(0, waits("kv/a", "q")), now);
        assert_eq!(asked, [Effect::RunProgram(0, program("q"))]);
        assert_eq!(plan.on(Event::ProgramEnded(0, program("q")), now), [Effect::Render(0)]);
        assert_eq!(ready(&mut plan, 0, "kv/a", now), [Effect::Write(0), Effect::ForgetPrograms(0)]);
        plan.on(Event::Written(0, Written::Changed), now);
        plan.on(Event::Changed(uses(&["kv/a"])), now);
        let again = plan.on(Event::Rendered(0, waits("kv/a", "p")), now);
        assert_eq!(again, [Effect::RunProgram(0, program("p"))], "a new render runs it again");
    }

    #[test]
    fn an_answer_that_nobody_waits_for_leads_to_nothing() {
        let (mut plan, now) = two(false);
        plan.start();
        plan.on(Event::Rendered(0, waits("kv/a", "p")), now);
        assert_eq!(ready(&mut plan, 0, "kv/a", now), [Effect::Write(0), Effect::ForgetPrograms(0)]);
        assert!(plan.on(Event::ProgramEnded(0, program("p")), now).is_empty());
    }

    #[test]
    fn a_program_that_fails_is_tried_again_with_growing_gaps() {
        let (mut plan, mut now) = two(false);
        plan.config.exit_on_failure = false;
        plan.start();
        for seconds in [1, 2, 4] {
            plan.on(Event::Rendered(0, waits("kv/a", "p")), now);
            plan.on(Event::ProgramEnded(0, program("p")), now);
            let failed = Rendered::Failed { used: uses(&["kv/a"]), message: "exit".into(), by_program: true };
            assert_eq!(plan.on(Event::Rendered(0, failed), now), [Effect::ForgetPrograms(0)]);
            let due = plan.next_due().unwrap();
            assert_eq!((due - now).as_secs(), seconds);
            now = due;
            assert_eq!(plan.on(Event::Due, now), [Effect::Render(0)]);
        }
    }

    #[test]
    fn a_group_has_one_answer_and_goes_on_when_all_its_programs_have_ended() {
        let (mut plan, now) = grouped(false, None);
        first_pass(&mut plan, now);
        plan.on(Event::Changed(uses(&["kv/b"])), now);
        assert_eq!(
            plan.on(Event::Rendered(0, waits("kv/a", "p")), now),
            [Effect::RunProgram(0, program("p"))]
        );
        assert!(plan.on(Event::Rendered(1, waits("kv/b", "p")), now).is_empty(), "the same program");
        assert_eq!(plan.on(Event::PassDone, now), [Effect::Discard(vec![])]);
        plan.on(Event::PassDone, now);
        assert_eq!(
            plan.on(Event::ProgramEnded(0, program("p")), now),
            [Effect::Render(0), Effect::Render(1)]
        );
        assert!(ready(&mut plan, 0, "kv/a", now).is_empty());
        assert_eq!(
            plan.on(Event::Rendered(1, waits("kv/b", "q")), now),
            [Effect::RunProgram(0, program("q"))]
        );
        assert_eq!(plan.on(Event::PassDone, now), [Effect::Discard(vec![0])]);
        plan.on(Event::PassDone, now);
        assert_eq!(
            plan.on(Event::ProgramEnded(0, program("q")), now),
            [Effect::Render(0), Effect::Render(1)]
        );
        ready(&mut plan, 0, "kv/a", now);
        ready(&mut plan, 1, "kv/b", now);
        assert_eq!(
            plan.on(Event::PassDone, now),
            [Effect::WriteGroup(vec![0, 1]), Effect::ForgetPrograms(0)]
        );
    }
}
