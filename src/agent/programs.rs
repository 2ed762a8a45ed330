//! Programs that templates call (`plugin`): run between two passes, a few at a time, their output kept for one render.

use std::{collections::BTreeMap, ffi::OsStr, os::unix::ffi::OsStrExt, sync::Arc};

use tokio::{
    sync::Semaphore,
    task::{AbortHandle, JoinSet},
};

use super::event::Event;
use crate::{
    action::{command::Environment, program},
    template::host::{Program, ProgramFault},
    vault::value::Text,
};

/// Programs that run at the same time. A pod has little of everything, and one that hangs must not stop all others.
const SIDE_BY_SIDE: usize = 4;

/// What a program printed, or why not.
pub(super) type Answer = Result<Text, ProgramFault>;

/// Programs that have ended, each with its answer.
pub(super) type Answers = Vec<(Program, Answer)>;

/// The programs of all renders under way. A render is known by its first template: those of a group are rendered
/// together.
pub struct Programs {
    environment: Arc<Environment>,
    slots: Arc<Semaphore>,
    tasks: JoinSet<(usize, Program, Answer)>,
    running: Vec<(usize, AbortHandle)>,
    answers: BTreeMap<usize, Answers>,
}

impl Programs {
    /// None yet. They get this environment, as commands do.
    pub fn new(environment: Environment) -> Self {
        Self {
            environment: Arc::new(environment),
            slots: Arc::new(Semaphore::new(SIDE_BY_SIDE)),
            tasks: JoinSet::new(),
            running: Vec::new(),
            answers: BTreeMap::new(),
        }
    }

    /// Starts a program for a render, when its turn comes.
    pub fn start(&mut self, render: usize, program: Program) {
        let (environment, slots) = (self.environment.clone(), self.slots.clone());
        let task = self.tasks.spawn(async move {
            let _slot = slots.acquire().await;
            let args = program.args.iter().map(|arg| OsStr::from_bytes(arg.as_bytes()));
            let name = OsStr::from_bytes(program.name.as_bytes());
            let answer = program::output(name, args, program::LIMIT, &environment).await;
            let answer = match answer {
                Ok(printed) => Ok(Text::from(printed.to_vec())),
                Err(trouble) => Err(ProgramFault { what: trouble.to_string(), hint: trouble.hint() }),
            };
            (render, program, answer)
        });
        self.running.push((render, task));
    }

    /// Whether none runs.
    pub fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The next one that ends.
    pub async fn next(&mut self) -> Option<Event> {
        let ended = self.tasks.join_next().await?;
        self.running.retain(|(_, task)| !task.is_finished());
        match ended {
            Ok((render, program, answer)) => {
                self.answers.entry(render).or_default().push((program.clone(), answer));
                Some(Event::ProgramEnded(render, program))
            }
            Err(trouble) if trouble.is_panic() => {
                Some(Event::Broken("a part of the agent broke; the log says where".into()))
            }
            // It was ended because nobody waits for it.
            Err(_) => None,
        }
    }

    /// The answers that a render has so far.
    pub fn answers(&self, render: usize) -> &[(Program, Answer)] {
        self.answers.get(&render).map_or(&[], Vec::as_slice)
    }

    /// The render is over: its answers are wiped, what still runs for it is ended.
    pub fn forget(&mut self, render: usize) {
        self.answers.remove(&render);
        for (_, task) in self.running.extract_if(.., |(of, _)| *of == render) {
            task.abort();
        }
    }
}
