//! The loop: something happened → plan → effects. The only caller of output, and the one place that starts actions.

mod evaluate;
mod group;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
};

use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tracing::{debug, error, info, warn};

use super::{
    certificates,
    event::{Effect, Event, Signal, Written},
    host::World,
    outcome::Outcome,
    plan::Plan,
    programs::Programs,
    readiness::Readiness,
    report::Reporter,
    rhythm,
    status::StatusLine,
};
use crate::{
    action::{self, Done, Moment},
    clock::Clock,
    config::template::TemplateSpec,
    output,
    process::memory,
    secrets::{
        request::{SecretRequest, Wanted},
        snapshot::Snapshot,
    },
    status::{Ask, Report},
    template::{Identity, Render, Template, oddity::Oddity},
    vault::lifetime::Rules,
    watch::Watch,
};

/// What the loop works on.
pub struct Reconcile {
    /// The templates with their parsed texts, in configuration order.
    pub templates: Vec<(Arc<TemplateSpec>, Template)>,
    /// What to do when.
    pub plan: Plan,
    /// The answers so far.
    pub snapshot: watch::Receiver<Snapshot>,
    /// Tells the store what is needed.
    pub wants: mpsc::Sender<Wanted>,
    /// Refresh rules of the run.
    pub rules: Rules,
    /// Whose requests the templates make.
    pub identity: Identity,
    /// What templates see besides secrets.
    pub world: World,
    /// All that commands get as their environment.
    pub command_env: action::command::Environment,
    /// Programs that templates call.
    pub programs: Programs,
    /// The outside: stop, sinks, a login that was given up. A closed queue means stop.
    pub signals: mpsc::Receiver<Signal>,
    /// Questions of status; they may end.
    pub asks: mpsc::Receiver<Ask>,
    /// Answers them.
    pub reporter: Reporter,
    /// Changes of files that templates read.
    pub watch: Watch,
    /// Time.
    pub clock: Clock,
    /// When the first render must be done.
    pub deadline: Option<Instant>,
    /// Tells others whether everything is ready.
    pub readiness: Readiness,
}

/// What became of the actions.
type Batch = Pin<Box<dyn Future<Output = Vec<Done>> + Send>>;

struct Running {
    parts: Reconcile,
    current: Snapshot,
    /// Bytes that are rendered and not yet written.
    pending: HashMap<usize, Render>,
    /// Files that each template read.
    files: HashMap<usize, BTreeSet<PathBuf>>,
    /// The template's last trouble that was logged, so that it is said once.
    said: HashMap<usize, String>,
    /// What templates printed that no application expects, each said once in a run.
    odd: BTreeSet<(usize, Oddity)>,
    /// What `writeToFile` has appended while other files of the same template failed.
    appended: HashMap<usize, output::effect::Appended>,
    batch: Option<Batch>,
    status: StatusLine,
}

impl Reconcile {
    /// Runs until the plan says that it's over.
    pub async fn run(self) -> Outcome {
        let status = StatusLine::new(self.clock.now());
        let current = self.snapshot.borrow().clone();
        let mut running = Running {
            parts: self,
            current,
            pending: HashMap::new(),
            files: HashMap::new(),
            said: HashMap::new(),
            odd: BTreeSet::new(),
            appended: HashMap::new(),
            batch: None,
            status,
        };
        let first = running.parts.plan.start();
        let mut end = running.carry_out(first).await;
        running.tell_readiness();
        while end.is_none() {
            let events = running.next_events().await;
            for event in events {
                let effects = running.parts.plan.on(event, running.parts.clock.now());
                end = running.carry_out(effects).await;
                if end.is_some() {
                    break;
                }
            }
            running.tell_readiness();
        }
        end.unwrap_or(Outcome::Stopped)
    }
}

impl Running {
    async fn next_events(&mut self) -> Vec<Event> {
        let due = self.parts.plan.next_due();
        let deadline = self.parts.deadline.filter(|_| self.parts.plan.awaits_first_render());
        let tick = self.status.next().filter(|_| self.parts.plan.awaits_first_render());
        let expiry = self.parts.readiness.until();
        tokio::select! {
            biased;
            signal = self.parts.signals.recv() => vec![match signal {
                Some(Signal::Stop) | None => Event::Stop,
                Some(Signal::SinksDone) => Event::SinksDone,
                Some(Signal::AuthFailed(message)) => Event::AuthFailed(message),
                Some(Signal::Broken(message)) => Event::Broken(message),
            }],
            Some(ask) = self.parts.asks.recv() => {
                // Who asked may have gone away meanwhile.
                let _ = ask.send(self.report());
                Vec::new()
            }
            paths = self.parts.watch.changed() => vec![self.stale_by(&paths)],
            changed = self.parts.snapshot.changed() => match changed {
                Ok(()) => self.snapshot_events(),
                Err(_) => vec![Event::Broken("the secret store ended unasked".into())],
            },
            ended = run_batch(&mut self.batch), if self.batch.is_some() => {
                self.batch = None;
                let failed = self.parts.reporter.acted(&ended);
                vec![Event::ActionsDone { failed }]
            }
            ended = self.parts.programs.next(), if !self.parts.programs.is_idle() => ended.into_iter().collect(),
            () = sleep_until(due) => vec![Event::Due],
            () = sleep_until(deadline) => {
                let awaited = self.say_what_is_awaited();
                vec![Event::DeadlinePassed(awaited)]
            }
            () = sleep_until(tick) => {
                self.say_what_is_awaited();
                Vec::new()
            }
            // Nothing to do but to look at it again.
            () = sleep_until(expiry) => Vec::new(),
        }
    }

    fn snapshot_events(&mut self) -> Vec<Event> {
        let new = self.parts.snapshot.borrow_and_update().clone();
        let changed: BTreeSet<SecretRequest> = new.newer_than(self.current.generation).cloned().collect();
        let mut events = Vec::new();
        if !changed.is_empty() {
            events.push(Event::Changed(changed));
        }
        if new.failed != self.current.failed {
            events.push(Event::Failing(new.failed.clone()));
        }
        self.current = new;
        events
    }

    /// Carries effects out, and those that follow from them, until the pass is done.
    async fn carry_out(&mut self, effects: Vec<Effect>) -> Option<Outcome> {
        let mut queue = VecDeque::from(effects);
        loop {
            let Some(effect) = queue.pop_front() else {
                let more = self.parts.plan.on(Event::PassDone, self.parts.clock.now());
                if more.is_empty() {
                    return None;
                }
                queue.extend(more);
                continue;
            };
            let event = match effect {
                Effect::Render(index) => Event::Rendered(index, self.render(index)),
                Effect::Write(index) => Event::Written(index, self.write(index)),
                Effect::WriteGroup(members) => {
                    for (index, written) in self.write_group(&members) {
                        let now = self.parts.clock.now();
                        queue.extend(self.parts.plan.on(Event::Written(index, written), now));
                    }
                    continue;
                }
                Effect::RunProgram(render, program) => {
                    self.parts.programs.start(render, program);
                    continue;
                }
                Effect::ForgetPrograms(render) => {
                    self.parts.programs.forget(render);
                    continue;
                }
                Effect::Discard(members) => {
                    self.pending.retain(|index, _| !members.contains(index));
                    continue;
                }
                Effect::Want(requests) => {
                    let (plan, templates) = (&self.parts.plan, &self.parts.templates);
                    let rules = rhythm::own(&requests, plan, templates, &self.parts.rules);
                    let wanted = Wanted { rules, ..certificates::wanted(requests, plan, templates) };
                    if self.parts.wants.send(wanted).await.is_err() {
                        return Some(Outcome::Internal("the secret store ended unasked".into()));
                    }
                    continue;
                }
                Effect::Run(batch, moment) => {
                    self.start_batch(&batch, moment);
                    continue;
                }
                Effect::AllRendered => {
                    info!(target: "agent", templates = self.parts.templates.len(), "all templates are rendered");
                    if !self.parts.plan.awaits_first_render() {
                        memory::settle();
                    }
                    continue;
                }
                Effect::Exit(outcome) => return Some(outcome),
            };
            queue.extend(self.parts.plan.on(event, self.parts.clock.now()));
        }
    }

    fn write(&mut self, index: usize) -> Written {
        let Some(render) = self.pending.remove(&index) else { return Written::Same };
        let destination = &self.parts.templates[index].0.destination;
        let written = match output::write(destination, &render.bytes) {
            Ok(written) => written,
            Err(trouble) => return self.write_failed(index, &trouble, false),
        };
        let mut changed = written.is_new();
        self.parts.reporter.wrote(index, changed);
        match written {
            output::Written::Same => {
                debug!(target: "agent", path = %destination.path.display(), "file is right already");
            }
            _ => info!(target: "agent", path = %destination.path.display(), "(runner) rendered"),
        }
        let appended = self.appended.entry(index).or_default();
        for (_, result) in output::effect::apply(&effects_of(&render), appended) {
            match result {
                Ok(written) => changed |= written.is_new(),
                Err(trouble) => return self.write_failed(index, &trouble, changed),
            }
        }
        if changed { Written::Changed } else { Written::Same }
    }

    fn write_failed(&mut self, index: usize, trouble: &output::WriteError, changed: bool) -> Written {
        let (spec, _) = &self.parts.templates[index];
        let message = trouble.problem().at(spec.origin.clone()).to_string();
        self.say_once(index, &message);
        Written::Failed { message, changed }
    }

    fn say_once(&mut self, index: usize, message: &str) {
        if self.said.get(&index).is_none_or(|said| said != message) {
            error!(target: "agent", "{message}");
            self.said.insert(index, message.to_owned());
        }
    }

    fn start_batch(&mut self, batch: &[usize], moment: Moment) {
        let specs: Vec<Arc<TemplateSpec>> =
            batch.iter().map(|index| self.parts.templates[*index].0.clone()).collect();
        let environment = self.parts.command_env.clone();
        self.batch = Some(Box::pin(async move {
            let done = action::run_batch(specs.iter().map(AsRef::as_ref), moment, &environment).await;
            for done in &done {
                if let Done::Failed(failure) = done {
                    error!(target: "agent", "{}", failure.problem());
                }
            }
            done
        }));
    }

    fn stale_by(&self, paths: &[PathBuf]) -> Event {
        let stale = self.files.iter().filter(|(_, files)| paths.iter().any(|path| files.contains(path)));
        Event::Stale(stale.map(|(index, _)| *index).collect())
    }

    fn report(&self) -> Report {
        let specs: Vec<&TemplateSpec> = self.parts.templates.iter().map(|(spec, _)| &**spec).collect();
        self.parts.reporter.report(&specs, &self.parts.plan, &self.current)
    }

    fn tell_readiness(&mut self) {
        let (ready, until) = self.parts.reporter.standing(&self.parts.plan, &self.current);
        if self.parts.readiness.set(ready, until) {
            let Self { parts, current, .. } = self;
            let specs: Vec<&TemplateSpec> = parts.templates.iter().map(|(spec, _)| &**spec).collect();
            parts.readiness.tell(|| parts.reporter.report(&specs, &parts.plan, current));
        }
    }

    /// Logs it, one line for each thing; returns the first line, the likeliest cause.
    fn say_what_is_awaited(&mut self) -> String {
        let report = self.report();
        let lines = self.status.lines(&report, self.parts.clock.now());
        for line in &lines {
            warn!(target: "agent", "{line}");
        }
        self.parts.readiness.status(&report);
        lines.into_iter().next().unwrap_or_default()
    }
}

async fn run_batch(batch: &mut Option<Batch>) -> Vec<Done> {
    match batch {
        Some(batch) => batch.await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn effects_of(render: &Render) -> Vec<output::effect::Effect<'_>> {
    let effects = render.effects.iter().map(|effect| output::effect::Effect {
        path: &effect.path,
        user: &effect.user,
        group: &effect.group,
        mode: effect.mode,
        append: effect.append,
        contents: &effect.contents,
    });
    effects.collect()
}
