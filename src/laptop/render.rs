//! All templates of a unit, rendered with answers that are fetched as they show to be needed. Nothing is written.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use zeroize::Zeroizing;

use super::{
    answers::{Answers, Refusal, RefusalKind, Source},
    host::{LaptopHost, World},
    input::Unit,
    text::{self, Loaded},
};
use crate::{
    config::template::{TemplateSource, TemplateSpec},
    problem::Problem,
    secrets::request::{AuthId, SecretRequest},
    template::{Identity, Template, host::FileEffect, oddity::Oddity, redact::Redactor},
};

/// What became of a template.
pub struct Done {
    /// Its settings.
    pub spec: Arc<TemplateSpec>,
    /// Its texts, or why there are none.
    pub result: Result<Output, Failed>,
    /// The requests that it made.
    pub used: BTreeSet<SecretRequest>,
    /// Files that it is made of, for whoever watches them.
    pub files: BTreeSet<PathBuf>,
    /// What was odd.
    pub warnings: Vec<Problem>,
}

/// What a template makes.
pub struct Output {
    /// The text for its destination.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Files beside it (`writeToFile`).
    pub effects: Vec<FileEffect>,
}

/// Why a template makes nothing.
#[derive(Debug)]
pub enum Failed {
    /// It can't be read or rendered; words for the user.
    Template(String),
    /// Answers are missing.
    Refused(Vec<Refusal>),
}

impl Failed {
    /// Exit code: 2 for a template, 3 without access to the server, 4 for a secret that is denied or missing.
    pub fn code(&self) -> u8 {
        match self {
            Self::Template(_) => 2,
            Self::Refused(all) if all.iter().any(|one| one.kind == RefusalKind::Access) => 3,
            Self::Refused(_) => 4,
        }
    }
}

/// Renders all templates of a unit. One that fails doesn't hide the others.
pub async fn render(unit: &Unit, source: &mut Source, answers: &mut Answers, world: &World) -> Vec<Done> {
    let namespace = unit.config.as_ref().and_then(|config| config.vault.namespace.clone());
    let identity = Identity { auth: AuthId::default(), namespace };
    let mut jobs: Vec<Job> = unit.templates().iter().map(|spec| Job::new(spec, &unit.beside)).collect();
    let literal = jobs.iter().filter_map(|job| job.template.as_ref());
    let mut wanted: BTreeSet<SecretRequest> =
        literal.flat_map(|template| template.literal_requests(&identity)).collect();
    loop {
        let news = answers.ask(source, std::mem::take(&mut wanted)).await;
        for job in jobs.iter_mut().filter(|job| job.done.result.is_err() && job.template.is_some()) {
            wanted.extend(job.pass(answers, world, &identity));
        }
        if !news && wanted.iter().all(|request| answers.refusal(request).is_some()) {
            return jobs.into_iter().map(|job| job.done).collect();
        }
    }
}

/// A template on its way.
struct Job {
    /// `None`: nothing more can become of it.
    template: Option<Template>,
    done: Done,
}

impl Job {
    fn new(spec: &Arc<TemplateSpec>, beside: &Path) -> Self {
        let mut done = Done {
            spec: spec.clone(),
            result: Err(Failed::Refused(Vec::new())),
            used: BTreeSet::new(),
            files: BTreeSet::new(),
            warnings: Vec::new(),
        };
        if let TemplateSource::File(path) = &spec.source {
            done.files.insert(path.clone());
        }
        match text::load(spec, beside) {
            Ok(Loaded { spec, template, oddity, partials }) => {
                done.files.extend(partials);
                if let TemplateSource::File(path) = &spec.source {
                    done.files.insert(path.clone());
                }
                done.spec = spec;
                done.warnings.extend(oddity);
                match template {
                    Ok(template) => Self { template: Some(template), done },
                    Err(error) => {
                        done.result = Err(Failed::Template(error.to_string()));
                        Self { template: None, done }
                    }
                }
            }
            Err(problem) => {
                done.result = Err(Failed::Template(problem.to_string()));
                Self { template: None, done }
            }
        }
    }

    /// Renders once; returns what is missing.
    fn pass(&mut self, answers: &Answers, world: &World, identity: &Identity) -> BTreeSet<SecretRequest> {
        let Some(template) = &self.template else { return BTreeSet::new() };
        let sandbox = self.done.spec.sandbox_path.as_deref();
        let mut host = LaptopHost { answers, world, sandbox, files: BTreeSet::new() };
        let rendered = template.render(&mut host, identity);
        self.done.files.append(&mut host.files);
        match rendered {
            Ok(render) if render.is_complete() => {
                self.done.used = render.used;
                let origin = &self.done.spec.origin;
                let warning =
                    |odd: &Oddity| Problem::warning(odd.to_string()).at(origin.clone()).hint(odd.hint());
                self.done.warnings.extend(render.oddities.iter().map(warning));
                self.done.result = Ok(Output { bytes: render.bytes, effects: render.effects });
                BTreeSet::new()
            }
            Ok(render) => {
                let refusals = render.missing.iter().filter_map(|request| answers.refusal(request).cloned());
                let redactor = Redactor::new(&mut host, &render.used, template.text());
                let mut refusals: Vec<Refusal> = refusals
                    .map(|refusal| Refusal {
                        message: redactor.hide(&refusal.message),
                        hint: refusal.hint.map(|hint| redactor.hide(&hint)),
                        ..refusal
                    })
                    .collect();
                refusals.dedup();
                self.done.result = Err(Failed::Refused(refusals));
                self.done.used = render.used;
                render.missing
            }
            Err(error) => {
                self.done.result = Err(Failed::Template(error.to_string()));
                self.template = None;
                BTreeSet::new()
            }
        }
    }
}

#[cfg(test)]
mod tests;
