//! Pure: what to render, write, run and when to stop, from what has happened so far.
//!
//! No file, no network, no clock. The shell around it (`reconcile`) carries the effects out and feeds the results
//! back. Invariants that the tests hold it to: a failing template never causes work for another one; a written file
//! is followed by each of its actions, once for all passes that end while others run; nothing wakes more than once per
//! due time; the templates of a group are rendered in one pass, from the same answers, and written together or not at
//! all.

mod ends;
mod group;
mod programs;
mod view;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use self::{group::Group, programs::Programs};
use super::{
    event::{Effect, Event, Rendered, Written},
    outcome::Outcome,
};
use crate::{
    action::Moment,
    config::template::{TemplateSpec, Wait},
    secrets::{request::SecretRequest, snapshot::Failed},
};

/// What the plan needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct PlanConfig {
    /// Render once and end.
    pub once: bool,
    /// No template was left out because its text can't be read; else a run that renders once never ends well.
    pub complete: bool,
    /// Failures of the first render end the run.
    pub exit_on_failure: bool,
    /// Retries of a request before it counts as failed; `None`: none.
    pub retries: Option<u32>,
    /// Sinks that must hold the token before a run that renders once may end.
    pub sinks: bool,
}

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);

/// The plan.
#[derive(Debug)]
pub struct Plan {
    config: PlanConfig,
    templates: Vec<State>,
    groups: Vec<Group>,
    programs: Programs,
    wanted: BTreeSet<SecretRequest>,
    /// Some template's set of used requests has changed since the store was told.
    uses_changed: bool,
    failing: Arc<HashMap<SecretRequest, Failed>>,
    sinks_done: bool,
    all_rendered: bool,
    /// The pass in which the last template was rendered for the first time is over.
    first_pass_over: bool,
    /// Actions run.
    acting: bool,
    /// Templates that were written meanwhile: their actions are next, in one batch, however many passes there were.
    to_act: Option<(BTreeSet<usize>, Moment)>,
    failed_actions: usize,
    ended: bool,
}

#[derive(Debug)]
struct State {
    spec: Arc<TemplateSpec>,
    group: Option<usize>,
    /// Rendered in the pass under way, to be written with its group.
    ready: bool,
    /// The last evaluation waited for something.
    waiting: bool,
    /// Requests that it uses, sorted. A slice, because a set of one takes the room of eleven.
    used: Box<[SecretRequest]>,
    rendered_once: bool,
    /// Written in the pass under way.
    changed: bool,
    /// Why it isn't rendered; shown by status and once in the log.
    trouble: Option<String>,
    due: Option<Due>,
    /// Failures in a row that are tried again by themselves: of writes, of programs.
    failures: u32,
}

/// A render that waits: for quiet (`wait`), or before another try to write.
#[derive(Clone, Copy, Debug)]
struct Due {
    at: Instant,
    latest: Instant,
}

impl State {
    /// A write or a program failed, which can be due to something that passes.
    fn try_again(&mut self, now: Instant) {
        let wait = FIRST_RETRY.saturating_mul(1 << self.failures.min(6)).min(LAST_RETRY);
        self.failures += 1;
        self.due = Some(Due { at: now + wait, latest: now + wait });
    }
}

impl Plan {
    /// A plan for these templates; `literal` are the requests that are known before any render.
    pub fn new(config: PlanConfig, templates: Vec<(Arc<TemplateSpec>, BTreeSet<SecretRequest>)>) -> Self {
        let (groups, of) = group::form(templates.iter().map(|(spec, _)| spec.as_ref()));
        Self {
            sinks_done: !config.sinks,
            config,
            groups,
            programs: Programs::default(),
            templates: templates
                .into_iter()
                .zip(of)
                .map(|((spec, literal), group)| State {
                    spec,
                    group,
                    ready: false,
                    waiting: false,
                    used: literal.into_iter().collect(),
                    rendered_once: false,
                    changed: false,
                    trouble: None,
                    due: None,
                    failures: 0,
                })
                .collect(),
            wanted: BTreeSet::new(),
            uses_changed: true,
            failing: Arc::default(),
            all_rendered: false,
            first_pass_over: false,
            acting: false,
            to_act: None,
            failed_actions: 0,
            ended: false,
        }
    }

    /// The first effects: ask for what is known, evaluate everything once (which finds what else is needed).
    pub fn start(&mut self) -> Vec<Effect> {
        let mut effects = self.want_changes();
        effects.extend((0..self.templates.len()).map(Effect::Render));
        effects
    }

    /// When [`Event::Due`] should come.
    pub fn next_due(&self) -> Option<Instant> {
        self.templates.iter().filter_map(|template| template.due).map(|due| due.at).min()
    }

    /// Whether the first render is still to be waited for: in a run that renders once, until its end.
    pub const fn awaits_first_render(&self) -> bool {
        !self.all_rendered || self.config.once
    }

    /// Takes an event and says what to do.
    pub fn on(&mut self, event: Event, now: Instant) -> Vec<Effect> {
        if self.ended {
            return Vec::new();
        }
        let effects = match event {
            Event::Changed(requests) => {
                let stale: Vec<usize> = (0..self.templates.len())
                    .filter(|index| self.templates[*index].used.iter().any(|used| requests.contains(used)))
                    .collect();
                self.stale(&stale, now)
            }
            Event::Stale(indexes) => self.stale(&indexes, now),
            Event::Failing(failing) => {
                self.failing = failing;
                self.give_up().into_iter().collect()
            }
            Event::Rendered(index, rendered) => self.rendered(index, rendered, now),
            Event::Written(index, written) => self.written(index, written, now),
            Event::ProgramEnded(render, program) => self.program_ended(render, program),
            Event::PassDone => self.pass_done(),
            Event::ActionsDone { failed } => {
                self.acting = false;
                self.failed_actions += failed;
                self.act().map_or_else(|| self.finish(), |run| vec![run])
            }
            Event::SinksDone => {
                self.sinks_done = true;
                self.finish()
            }
            Event::Due => self.due(now),
            Event::DeadlinePassed(_) if !self.awaits_first_render() => Vec::new(),
            Event::DeadlinePassed(awaited) => vec![Effect::Exit(Outcome::Deadline(awaited))],
            Event::Stop => vec![Effect::Exit(Outcome::Stopped)],
            Event::Broken(message) => vec![Effect::Exit(Outcome::Internal(message))],
            Event::AuthFailed(message) => vec![Effect::Exit(Outcome::Login(message))],
        };
        self.ended = effects.iter().any(|effect| matches!(effect, Effect::Exit(_)));
        effects
    }

    fn stale(&mut self, indexes: &[usize], now: Instant) -> Vec<Effect> {
        let all_rendered = self.all_rendered;
        let mut effects = Vec::new();
        for index in self.with_their_groups(indexes.iter().copied()) {
            let Some(template) = self.templates.get_mut(index) else { continue };
            let wait = template.group.map_or(template.spec.wait, |group| self.groups[group].wait);
            match wait {
                // The first render never waits.
                Some(Wait { min, max }) if all_rendered => {
                    let latest = template.due.map_or(now + max, |due| due.latest);
                    template.due = Some(Due { at: (now + min).min(latest), latest });
                }
                _ => effects.push(Effect::Render(index)),
            }
        }
        effects
    }

    fn due(&mut self, now: Instant) -> Vec<Effect> {
        let templates = self.templates.iter().enumerate();
        let due = templates.filter(|(_, template)| template.due.is_some_and(|due| due.at <= now));
        let due: Vec<usize> = due.map(|(index, _)| index).collect();
        let mut effects = Vec::new();
        for index in self.with_their_groups(due.into_iter()) {
            self.templates[index].due = None;
            effects.push(Effect::Render(index));
        }
        effects
    }

    fn rendered(&mut self, index: usize, rendered: Rendered, now: Instant) -> Vec<Effect> {
        let Some(template) = self.templates.get_mut(index) else { return Vec::new() };
        template.ready = matches!(rendered, Rendered::Ready { .. });
        template.waiting = matches!(rendered, Rendered::Waiting { .. });
        let (is_ready, is_over) = (template.ready, !template.waiting && template.group.is_none());
        if let Some(group) = template.group {
            self.groups[group].evaluated = true;
        }
        let mut program = None;
        let (used, next) = match rendered {
            Rendered::Ready { used } if template.group.is_some() => (used, None),
            Rendered::Ready { used } => (used, Some(Effect::Write(index))),
            Rendered::Waiting { used, program: asked } => {
                program = asked;
                (used, None)
            }
            Rendered::Failed { used, message, by_program } => {
                template.trouble = Some(message.clone());
                if by_program {
                    template.try_again(now);
                }
                let fatal =
                    self.config.exit_on_failure && template.spec.error_fatal && !template.rendered_once;
                (used, fatal.then_some(Effect::Exit(Outcome::Template(message))))
            }
        };
        // What a failed or waiting evaluation did not reach may still be needed: literal requests stay.
        if is_ready {
            if !template.used.iter().eq(&used) {
                self.uses_changed = true;
                template.used = used.into_iter().collect();
            }
        } else if !used.iter().all(|request| template.used.binary_search(request).is_ok()) {
            self.uses_changed = true;
            let all: BTreeSet<SecretRequest> =
                used.into_iter().chain(template.used.iter().cloned()).collect();
            template.used = all.into_iter().collect();
        }
        let over = if is_over { self.render_over(index) } else { None };
        let program = program.and_then(|program| self.ask_program(index, program));
        next.into_iter().chain(over).chain(program).collect()
    }

    fn written(&mut self, index: usize, written: Written, now: Instant) -> Vec<Effect> {
        let Some(template) = self.templates.get_mut(index) else { return Vec::new() };
        match written {
            Written::Changed | Written::Same => {
                template.changed |= matches!(written, Written::Changed);
                template.rendered_once = true;
                template.trouble = None;
                template.failures = 0;
                self.first_render_done()
            }
            Written::Failed { message, changed } => {
                template.changed |= changed;
                template.trouble = Some(message.clone());
                if self.config.exit_on_failure && !template.rendered_once {
                    return vec![Effect::Exit(Outcome::Write(message))];
                }
                template.try_again(now);
                Vec::new()
            }
        }
    }

    fn first_render_done(&mut self) -> Vec<Effect> {
        if self.all_rendered || !self.templates.iter().all(|template| template.rendered_once) {
            return Vec::new();
        }
        self.all_rendered = true;
        vec![Effect::AllRendered]
    }

    /// Actions follow when all files of the pass are in place, in template order.
    fn pass_done(&mut self) -> Vec<Effect> {
        let groups = self.settle_groups();
        if !groups.is_empty() {
            // What they lead to belongs to this pass, too.
            return groups;
        }
        let mut effects = self.want_changes();
        let mut batch = BTreeSet::new();
        for (index, template) in self.templates.iter_mut().enumerate() {
            if std::mem::take(&mut template.changed) && !template.spec.actions.is_empty() {
                batch.insert(index);
            }
        }
        let later = self.first_pass_over && !self.config.once;
        self.first_pass_over |= self.all_rendered;
        if batch.is_empty() {
            effects.extend(self.finish());
        } else {
            let moment = if later { Moment::Later } else { Moment::First };
            let (waiting, last) = self.to_act.get_or_insert_with(|| (BTreeSet::new(), moment));
            waiting.extend(batch);
            *last = moment;
            effects.extend(self.act());
        }
        effects
    }

    /// The next batch of actions, unless one runs.
    fn act(&mut self) -> Option<Effect> {
        if self.acting {
            return None;
        }
        let (batch, moment) = self.to_act.take()?;
        self.acting = true;
        Some(Effect::Run(batch.into_iter().collect(), moment))
    }

    /// The templates that use a request.
    pub fn users<'a>(&'a self, request: &'a SecretRequest) -> impl Iterator<Item = usize> + 'a {
        let users = self.templates.iter().enumerate();
        users.filter(|(_, template)| template.used.contains(request)).map(|(index, _)| index)
    }

    fn want_changes(&mut self) -> Vec<Effect> {
        if !std::mem::take(&mut self.uses_changed) {
            return Vec::new();
        }
        let wanted: BTreeSet<SecretRequest> =
            self.templates.iter().flat_map(|template| template.used.iter().cloned()).collect();
        // The same requests may have another user by now, who has rules and files of its own for them.
        if wanted.is_empty() && self.wanted.is_empty() {
            return Vec::new();
        }
        self.wanted.clone_from(&wanted);
        vec![Effect::Want(wanted)]
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
