//! What reaches the loop, and what it does about it: two closed sets, so that all triggers can be read in one place.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::outcome::Outcome;
use crate::{
    action::Moment,
    secrets::{request::SecretRequest, snapshot::Failed},
    template::host::Program,
};

/// One thing that happened outside.
#[derive(Debug)]
pub enum Signal {
    /// SIGTERM, SIGINT or a quit request.
    Stop,
    /// Every sink holds the first token.
    SinksDone,
    /// Auto-auth has given up.
    AuthFailed(String),
    /// A task ended unasked.
    Broken(String),
}

/// Everything that can happen.
#[derive(Clone, Debug)]
pub enum Event {
    /// The answers to these requests are new.
    Changed(BTreeSet<SecretRequest>),
    /// This is how requests fail at the moment.
    Failing(Arc<HashMap<SecretRequest, Failed>>),
    /// Files that templates read (`file`) are new: these templates are to be rendered.
    Stale(Vec<usize>),
    /// A template was evaluated.
    Rendered(usize, Rendered),
    /// A rendered template was written, or not.
    Written(usize, Written),
    /// A program that a render waits for has ended.
    ProgramEnded(usize, Program),
    /// All effects of the events so far are carried out.
    PassDone,
    /// The actions of a batch have ended; how many of them failed.
    ActionsDone {
        /// Failed actions.
        failed: usize,
    },
    /// Every sink holds the first token.
    SinksDone,
    /// The time that the plan asked to be woken at.
    Due,
    /// No more waiting for the first render: what is awaited, and why.
    DeadlinePassed(String),
    /// Somebody asked for an end.
    Stop,
    /// Auto-auth has given up.
    AuthFailed(String),
    /// A part of the agent broke.
    Broken(String),
}

/// How an evaluation ended.
#[derive(Clone, Debug)]
pub enum Rendered {
    /// There are bytes to write.
    Ready {
        /// Requests that it used.
        used: BTreeSet<SecretRequest>,
    },
    /// Answers are missing.
    Waiting {
        /// Requests that it used so far, the missing ones included.
        used: BTreeSet<SecretRequest>,
        /// The program that it can't go on without, when it is the only thing that is missing.
        program: Option<Program>,
    },
    /// It can't be rendered with these answers.
    Failed {
        /// Requests that it used so far.
        used: BTreeSet<SecretRequest>,
        /// What the user reads.
        message: String,
        /// A program failed, which may go well another time.
        by_program: bool,
    },
}

/// How a write ended.
#[derive(Clone, Debug)]
pub enum Written {
    /// The file is new.
    Changed,
    /// The file was right already.
    Same,
    /// The file, or one beside it, could not be written.
    Failed {
        /// What the user reads.
        message: String,
        /// The file itself is new all the same: its readers are to be told.
        changed: bool,
    },
}

/// What the shell does.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Evaluate this template.
    Render(usize),
    /// Write what was rendered.
    Write(usize),
    /// Write these together, all or none; each is answered by itself.
    WriteGroup(Vec<usize>),
    /// Forget what was rendered: others of the group are not there.
    Discard(Vec<usize>),
    /// Run the actions of these templates, which were written since the last batch began; equal actions once. No batch
    /// runs yet.
    Run(Vec<usize>, Moment),
    /// Run this program for a render (known by its first template).
    RunProgram(usize, Program),
    /// A render is over: what programs printed for it is not used again.
    ForgetPrograms(usize),
    /// Tell the store what is needed now.
    Want(BTreeSet<SecretRequest>),
    /// All templates are rendered for the first time.
    AllRendered,
    /// End with this outcome.
    Exit(Outcome),
}
