//! The answers that a render has so far, and where more come from.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{fixture::Fixture, server::Server};
use crate::{secrets::request::SecretRequest, vault::secret::Secret};

/// Why there is no answer, by what the exit code says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The server can't be asked: no token, a dead one, nobody there.
    Access,
    /// The server, or the fixture, said no to this secret.
    Secret,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What kind.
    pub kind: RefusalKind,
    /// Words for the user, never a value.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// Where answers come from.
pub enum Source {
    /// A file.
    Fixture(Arc<Fixture>),
    /// A server.
    Server(Box<Server>),
}

/// What is known so far. Nothing is asked twice.
#[derive(Default)]
pub struct Answers {
    good: HashMap<SecretRequest, Arc<Secret>>,
    refused: HashMap<SecretRequest, Refusal>,
}

impl Answers {
    /// The answer to a request.
    pub fn get(&self, request: &SecretRequest) -> Option<&Arc<Secret>> {
        self.good.get(request)
    }

    /// Why a request has no answer.
    pub fn refusal(&self, request: &SecretRequest) -> Option<&Refusal> {
        self.refused.get(request)
    }

    /// Forgets refusals, so that they are asked again.
    pub fn forget_refusals(&mut self) {
        self.refused.clear();
    }

    /// Asks for what isn't known yet, side by side; `false` when all of it is.
    pub async fn ask(&mut self, source: &mut Source, requests: BTreeSet<SecretRequest>) -> bool {
        let new: Vec<SecretRequest> = requests
            .into_iter()
            .filter(|request| !self.good.contains_key(request) && !self.refused.contains_key(request))
            .collect();
        if new.is_empty() {
            return false;
        }
        let answers = match source {
            Source::Fixture(fixture) => new.iter().map(|request| fixture.answer(request)).collect(),
            Source::Server(server) => server.answers(&new).await,
        };
        for (request, answer) in new.into_iter().zip(answers) {
            match answer {
                Ok(secret) => drop(self.good.insert(request, secret)),
                Err(refusal) => drop(self.refused.insert(request, refusal)),
            }
        }
        true
    }
}
