//! Whatever happens, in any order and at any time, the plan keeps its promises.

use proptest::prelude::*;

use super::{
    tests::{config, failing, program, request, spec},
    *,
};
use crate::{
    clock::Clock,
    config::template::{GroupSpec, Wait},
    secrets::entry::FailureClass,
    template::host::Program,
};

/// Requests that templates may use; the first ones are literal.
const PATHS: [&str; 6] = ["kv/a", "kv/b", "kv/c", "kv/d", "kv/e", "kv/f"];

#[derive(Clone, Debug)]
enum Act {
    Changed(usize),
    Stale(usize),
    Failing(usize, u32),
    /// The oldest evaluation or write that was asked for ends like this.
    Next(End),
    /// What is under way of the pass ends, in this way each, and the pass is over.
    Pass(End),
    ActionsDone(usize),
    /// The oldest program ends.
    ProgramEnded,
    SinksDone,
    /// Time passes up to this multiple of the way to the next due time; then the plan is woken.
    Wake(f64),
}

/// How an evaluation or a write ends: which requests the template used, and whether it went well.
#[derive(Clone, Debug)]
struct End {
    used: Vec<usize>,
    rendered: u8,
    written: u8,
}

fn act() -> impl Strategy<Value = Act> {
    let end = (prop::collection::vec(0..PATHS.len(), 0..3), 0..9_u8, 0..6_u8);
    let end = end.prop_map(|(used, rendered, written)| End { used, rendered, written });
    prop_oneof![
        3 => (0..PATHS.len()).prop_map(Act::Changed),
        1 => (0..PATHS.len()).prop_map(Act::Stale),
        1 => (0..PATHS.len(), 0..4_u32).prop_map(|(path, tries)| Act::Failing(path, tries)),
        4 => end.clone().prop_map(Act::Next),
        4 => end.prop_map(Act::Pass),
        2 => (0..2_usize).prop_map(Act::ActionsDone),
        3 => Just(Act::ProgramEnded),
        1 => Just(Act::SinksDone),
        3 => prop_oneof![Just(1.0), 0.0..2.0_f64].prop_map(Act::Wake),
    ]
}

/// Whether an effect of the end of a pass belongs to that pass.
fn settles_groups(effect: &Effect) -> bool {
    matches!(effect, Effect::WriteGroup(_) | Effect::Discard(_) | Effect::ForgetPrograms(_))
}

/// A plan and what must be true of it.
struct Watched {
    plan: Plan,
    now: Instant,
    specs: Vec<Arc<TemplateSpec>>,
    /// Evaluations and writes that were asked for and have not ended, oldest first.
    asked: Vec<(usize, bool)>,
    /// Templates that may be evaluated: something of theirs happened.
    cause: BTreeSet<usize>,
    /// Files that are new in this pass.
    new: BTreeSet<usize>,
    /// Files of passes that are over, whose actions have not been asked for.
    to_act: BTreeSet<usize>,
    rendered: BTreeSet<usize>,
    /// Templates whose last evaluation gave bytes that are not written yet.
    ready: BTreeSet<usize>,
    running: usize,
    /// Programs that run, oldest first.
    programs: Vec<(usize, Program)>,
    once: bool,
    ended: bool,
}

type Judgement = Result<(), TestCaseError>;

impl Watched {
    fn new(once: bool, exit_on_failure: bool) -> Self {
        let quiet = Wait { min: Duration::from_secs(2), max: Duration::from_secs(8) };
        let member = |name: &str| {
            let group = Some(Arc::new(GroupSpec { name: "g".into(), atomic: false }));
            Arc::new(TemplateSpec { group, ..(*spec(name, &["x"], None)).clone() })
        };
        let specs = vec![
            spec("a", &["x"], None),
            spec("b", &["x", "y"], None),
            spec("c", &[], None),
            spec("d", &["z"], Some(quiet)),
            member("e"),
            member("f"),
        ];
        let templates = specs.iter().cloned().zip(PATHS).map(|(spec, path)| (spec, [request(path)].into()));
        let settings = PlanConfig { exit_on_failure, sinks: true, ..config(once) };
        let plan = Plan::new(settings, templates.collect());
        Self {
            plan,
            now: Clock::system().now(),
            specs,
            asked: Vec::new(),
            cause: BTreeSet::new(),
            new: BTreeSet::new(),
            to_act: BTreeSet::new(),
            rendered: BTreeSet::new(),
            ready: BTreeSet::new(),
            running: 0,
            programs: Vec::new(),
            once,
            ended: false,
        }
    }

    fn start(&mut self) -> Judgement {
        let effects = self.plan.start();
        self.cause = (0..self.specs.len()).collect();
        self.took(effects)
    }

    fn feed(&mut self, event: Event) -> Judgement {
        let effects = self.plan.on(event, self.now);
        prop_assert!(!self.ended || effects.is_empty(), "work after the end: {effects:?}");
        self.took(effects)
    }

    fn play(&mut self, act: Act) -> Judgement {
        match act {
            Act::Changed(path) => {
                let changed = request(PATHS[path]);
                self.cause = self.plan.with_their_groups(self.plan.users(&changed));
                self.feed(Event::Changed([changed].into()))
            }
            Act::Stale(index) => {
                self.cause = self.plan.with_their_groups([index].into_iter());
                self.feed(Event::Stale(vec![index]))
            }
            Act::Failing(path, tries) => {
                self.cause.clear();
                self.feed(failing(PATHS[path], tries, FailureClass::Missing))
            }
            Act::Next(end) => self.next(&end),
            Act::Pass(end) => {
                // A pass is over when its end leads to nothing more.
                loop {
                    while !self.asked.is_empty() {
                        self.next(&end)?;
                    }
                    let effects = self.plan.on(Event::PassDone, self.now);
                    let is_over = effects.is_empty();
                    if !effects.iter().any(settles_groups) {
                        // A batch that waits for the one before takes them in; what comes next is another pass.
                        self.to_act.append(&mut self.new);
                    }
                    self.took(effects)?;
                    if is_over || self.ended {
                        break;
                    }
                }
                prop_assert!(
                    self.ended || self.to_act.is_empty() || self.running > 0,
                    "files without their actions: {:?}",
                    self.to_act
                );
                Ok(())
            }
            Act::ActionsDone(failed) => {
                if self.running == 0 {
                    return Ok(());
                }
                self.running -= 1;
                self.feed(Event::ActionsDone { failed })
            }
            Act::ProgramEnded => self.program_ended(),
            Act::SinksDone => self.feed(Event::SinksDone),
            Act::Wake(share) => self.wake(share),
        }
    }

    /// The oldest piece of work ends.
    fn next(&mut self, end: &End) -> Judgement {
        if self.asked.is_empty() {
            return Ok(());
        }
        let (index, is_write) = self.asked.remove(0);
        self.cause.clear();
        let message = || "it says why".to_owned();
        if !is_write {
            let used = end.used.iter().map(|path| request(PATHS[*path])).collect();
            if (2..6).contains(&end.rendered) {
                self.ready.insert(index)
            } else {
                self.ready.remove(&index)
            };
            return self.feed(Event::Rendered(
                index,
                match end.rendered {
                    0 => Rendered::Waiting { used, program: None },
                    1 => Rendered::Failed { used, message: message(), by_program: false },
                    6 => Rendered::Failed { used, message: message(), by_program: true },
                    7 | 8 => Rendered::Waiting { used, program: Some(program(&end.rendered.to_string())) },
                    _ => Rendered::Ready { used },
                },
            ));
        }
        let written = match end.written {
            0 => Written::Failed { message: message(), changed: false },
            1 => Written::Failed { message: message(), changed: true },
            2 => Written::Same,
            _ => Written::Changed,
        };
        if matches!(written, Written::Changed | Written::Failed { changed: true, .. })
            && !self.specs[index].actions.is_empty()
        {
            self.new.insert(index);
        }
        if matches!(written, Written::Changed | Written::Same) {
            self.rendered.insert(index);
        }
        let failed = matches!(written, Written::Failed { .. });
        self.feed(Event::Written(index, written))?;
        if failed && !self.ended {
            let due = self.plan.next_due();
            prop_assert!(due.is_some(), "a write that failed is tried again");
        }
        Ok(())
    }

    /// A render goes on when the last of its programs has ended, and not before.
    fn program_ended(&mut self) -> Judgement {
        if self.programs.is_empty() {
            return Ok(());
        }
        let (render, program) = self.programs.remove(0);
        let waits = self.programs.iter().any(|(of, _)| *of == render);
        self.cause = self.plan.with_their_groups([render].into_iter());
        let before = self.asked.len();
        self.feed(Event::ProgramEnded(render, program))?;
        prop_assert!(
            self.ended || (self.asked.len() > before) != waits,
            "it waits for nothing, or not enough"
        );
        Ok(())
    }

    /// Woken in time, something is rendered; woken again at the same time, nothing is.
    fn wake(&mut self, share: f64) -> Judgement {
        let Some(at) = self.plan.next_due() else {
            self.cause.clear();
            return self.feed(Event::Due);
        };
        self.now += at.saturating_duration_since(self.now).mul_f64(share);
        if (share - 1.0).abs() < f64::EPSILON {
            self.now = self.now.max(at);
        }
        self.cause = (0..self.specs.len()).collect();
        let before = self.asked.len();
        self.feed(Event::Due)?;
        if self.ended {
            return Ok(());
        }
        prop_assert_eq!(self.asked.len() > before, self.now >= at, "rendered too early, or not at all");
        prop_assert!(self.plan.next_due().is_none_or(|next| next > self.now), "a timer in the past");
        let before = self.asked.len();
        self.feed(Event::Due)?;
        prop_assert_eq!(self.asked.len(), before, "one due time, one wake-up");
        Ok(())
    }

    fn took(&mut self, effects: Vec<Effect>) -> Judgement {
        for effect in effects {
            match effect {
                Effect::Render(index) => {
                    prop_assert!(self.cause.contains(&index), "{index} has nothing to do with it");
                    self.asked.push((index, false));
                }
                Effect::Write(index) => {
                    prop_assert!(self.specs[index].group.is_none(), "{index} is written without its group");
                    prop_assert!(self.ready.remove(&index), "{index} has no bytes");
                    self.asked.push((index, true));
                }
                Effect::WriteGroup(members) => {
                    prop_assert_eq!(&members, &[4, 5], "a part of the group");
                    for index in members {
                        prop_assert!(self.ready.remove(&index), "{index} has no bytes");
                        self.asked.push((index, true));
                    }
                }
                Effect::Discard(members) => {
                    prop_assert!(members.len() < 2, "the whole group was there");
                    self.ready.retain(|index| !members.contains(index));
                }
                Effect::Run(batch, _) => {
                    let new: Vec<usize> = std::mem::take(&mut self.to_act).into_iter().collect();
                    prop_assert_eq!(batch, new, "each new file's actions once, in template order");
                    self.running += 1;
                    prop_assert_eq!(self.running, 1, "one batch at a time");
                }
                Effect::Want(_) => {}
                Effect::RunProgram(render, program) => {
                    let asked = (render, program);
                    prop_assert!(!self.programs.contains(&asked), "it runs already");
                    self.programs.push(asked);
                }
                Effect::ForgetPrograms(render) => self.programs.retain(|(of, _)| *of != render),
                Effect::AllRendered => {
                    prop_assert_eq!(self.rendered.len(), self.specs.len());
                }
                Effect::Exit(outcome) => {
                    self.ended = true;
                    if let Outcome::Done { .. } = outcome {
                        prop_assert!(
                            self.once && self.running == 0 && self.new.is_empty() && self.to_act.is_empty()
                        );
                        prop_assert_eq!(self.rendered.len(), self.specs.len());
                    }
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn any_order_of_events_at_any_time_keeps_the_plans_promises(
        once in any::<bool>(), exit_on_failure in any::<bool>(), acts in prop::collection::vec(act(), 1..80)
    ) {
        let mut watched = Watched::new(once, exit_on_failure);
        watched.start()?;
        for act in acts {
            watched.play(act)?;
        }
    }
}
