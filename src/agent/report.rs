//! The states of all stages as one report: what is rendered, what is awaited, what ends when.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use tokio::{sync::watch, time::Instant};

use super::plan::Plan;
use crate::{
    action::Done,
    auth::{Login, Progress, TokenState},
    clock::Clock,
    config::template::TemplateSpec,
    secrets::{
        life,
        request::SecretRequest,
        snapshot::{Failed, Held, Snapshot},
    },
    status::{Awaited, AwaitedKind, Counts, LoginReport, Report, SecretReport, ServerReport, TemplateReport},
    vault::gate::Gate,
};

/// What has ended counts as lost only after this time: its replacement may be on its way.
const GRACE: Duration = Duration::from_secs(5);

/// Keeps what no stage keeps for itself, and asks the others.
pub struct Reporter {
    clock: Clock,
    started: SystemTime,
    login: Option<(watch::Receiver<TokenState>, watch::Receiver<Progress>)>,
    gate: Gate,
    /// Templates whose text can't be read, as the user reads it.
    broken: Vec<String>,
    files: BTreeMap<usize, FileRecord>,
    actions: BTreeMap<(&'static str, &'static str), u64>,
}

#[derive(Default)]
struct FileRecord {
    last_success: Option<SystemTime>,
    changes: u64,
}

impl Reporter {
    /// Nothing has happened yet. `login` is `None` when there is nothing to log in with.
    pub fn new(
        clock: Clock,
        login: Option<(watch::Receiver<TokenState>, watch::Receiver<Progress>)>,
        gate: Gate,
        broken: Vec<String>,
    ) -> Self {
        let started = clock.wall();
        Self { clock, started, login, gate, broken, files: BTreeMap::new(), actions: BTreeMap::new() }
    }

    /// A template's file was written, or found right.
    pub fn wrote(&mut self, index: usize, changed: bool) {
        let record = self.files.entry(index).or_default();
        record.last_success = Some(self.clock.wall());
        record.changes += u64::from(changed);
    }

    /// A batch of actions has ended; how many of them failed.
    pub fn acted(&mut self, batch: &[Done]) -> usize {
        let mut failed = 0;
        for done in batch {
            let (kind, result) = match done {
                Done::Succeeded(kind) => (*kind, "ok"),
                Done::Needless(kind) => (*kind, "needless"),
                Done::Failed(error) => (error.kind, "failed"),
            };
            failed += usize::from(result == "failed");
            *self.actions.entry((kind.name(), result)).or_default() += 1;
        }
        failed
    }

    /// Whether every file is there and valid, and when that ends if nothing is renewed or replaced until then.
    pub fn standing(&self, plan: &Plan, snapshot: &Snapshot) -> (bool, Option<SystemTime>) {
        let there = self.broken.is_empty()
            && (plan.all_rendered() || plan.is_empty())
            && plan.sinks_done()
            && self.login.as_ref().is_none_or(|(token, _)| token.borrow().login.is_some());
        if !there {
            return (false, None);
        }
        let token = self.token();
        let used = plan.wanted().iter().filter_map(|request| snapshot.answers.get(request));
        let end = used.filter_map(|held| held.life.ends(token)).min().map(|end| end + GRACE);
        (end.is_none_or(|end| self.clock.wall() < end), end)
    }

    /// Everything that can be told now.
    pub fn report(&self, specs: &[&TemplateSpec], plan: &Plan, snapshot: &Snapshot) -> Report {
        let now = self.clock.wall();
        let names = names(plan);
        let mut destinations = BTreeSet::new();
        Report {
            now,
            started: self.started,
            awaited: self.awaited(specs, plan, snapshot, &names),
            server: ServerReport {
                outage: self.gate.outage().map(|outage| (outage.why.to_string(), outage.since)),
            },
            login: self.login.as_ref().map(|(token, progress)| {
                let (state, progress) = (token.borrow(), progress.borrow());
                LoginReport {
                    authenticated: state.login.as_ref().is_some_and(|login| lives(login, now)),
                    expires: state.login.as_ref().and_then(|login| login.expires),
                    trouble: progress.trouble.as_ref().map(|trouble| trouble.message.to_string()),
                    next_try: progress
                        .trouble
                        .as_ref()
                        .and_then(|trouble| trouble.next_try)
                        .map(|at| self.wall_at(at)),
                    logins: progress.logins,
                    renewals: progress.renewals,
                    failures: progress.failures,
                }
            }),
            templates: specs
                .iter()
                .enumerate()
                .map(|(index, spec)| TemplateReport {
                    destination: numbered(&spec.destination.path.display().to_string(), &mut destinations),
                    rendered: plan.is_rendered(index),
                    trouble: plan.trouble(index).map(str::to_owned),
                    last_success: self.files.get(&index).and_then(|record| record.last_success),
                    changes: self.files.get(&index).map_or(0, |record| record.changes),
                    secrets: plan.used(index).iter().filter_map(|used| names.get(used).cloned()).collect(),
                })
                .collect(),
            secrets: names
                .iter()
                .map(|(request, name)| self.secret(request, name.clone(), snapshot))
                .collect(),
            counts: Counts {
                requests: self.gate.counts().results().collect(),
                retries: self.gate.counts().retries() + snapshot.failures,
                actions: self
                    .actions
                    .iter()
                    .map(|((kind, result), count)| (*kind, *result, *count))
                    .collect(),
            },
        }
    }

    fn secret(&self, request: &SecretRequest, name: String, snapshot: &Snapshot) -> SecretReport {
        let (held, failed) = (snapshot.answers.get(request), snapshot.failed.get(request));
        let ends =
            |held: &Held| held.life.ends(self.token()).or_else(|| life::rotates(&held.secret, &held.life));
        let next = match failed {
            Some(failed) => failed.next_try,
            None => held.and_then(|held| held.life.next),
        };
        // A time that has come says that the request is under way: its answer brings the next one.
        let next = next.filter(|at| *at > self.clock.now());
        SecretReport {
            request: name,
            available: held.is_some(),
            last_success: held.and_then(|held| held.life.confirmed),
            trouble: failed.map(|failed| failed.message.to_string()),
            tries: failed.map_or(0, |failed| failed.tries),
            expires: held.and_then(ends),
            next_action: next.map(|at| self.wall_at(at)),
            not_after: held.and_then(|held| held.life.not_after),
        }
    }

    /// What readiness waits for: causes first, then the files that wait for them.
    fn awaited(
        &self,
        specs: &[&TemplateSpec],
        plan: &Plan,
        snapshot: &Snapshot,
        names: &BTreeMap<&SecretRequest, String>,
    ) -> Vec<Awaited> {
        let mut all: Vec<Awaited> = self
            .broken
            .iter()
            .map(|message| Awaited::new(AwaitedKind::Template, "", message.clone()))
            .collect();
        all.extend(self.awaited_login());
        let logged_in = !all.iter().any(|awaited| awaited.kind == AwaitedKind::Login);
        if logged_in {
            all.extend(
                names.iter().filter_map(|(request, name)| self.awaited_secret(request, name, plan, snapshot)),
            );
        }
        for (index, spec) in specs.iter().enumerate().filter(|(index, _)| !plan.is_rendered(*index)) {
            let open = || {
                let missing = plan.used(index).iter().filter(|used| snapshot.get(used).is_none()).count();
                match missing {
                    0 if plan.awaits_program(index) => "waits for the end of a program (`plugin`)".to_owned(),
                    0 => String::new(),
                    _ => format!("waits for {missing} secret(s)"),
                }
            };
            let (trouble, name) = (plan.trouble(index), spec.destination.path.display().to_string());
            let why = trouble.map_or_else(open, str::to_owned);
            let awaited = Awaited::new(AwaitedKind::Template, &name, why);
            all.push(Awaited { is_cause: trouble.is_some(), ..awaited });
        }
        if logged_in && !plan.sinks_done() {
            all.push(Awaited::new(
                AwaitedKind::Sink,
                "",
                "the token is not in every sink yet; the log says why".into(),
            ));
        }
        all
    }

    fn awaited_login(&self) -> Option<Awaited> {
        let (token, progress) = self.login.as_ref()?;
        if token.borrow().login.is_some() {
            return None;
        }
        let trouble = progress.borrow().trouble.clone();
        let next_try = trouble.as_ref().and_then(|trouble| trouble.next_try).map(|at| self.wall_at(at));
        let outage = self.gate.outage().map(|outage| outage.why);
        let why = outage.or_else(|| trouble.map(|trouble| trouble.message));
        let why = why.map_or_else(|| "no answer yet".to_owned(), |why| why.to_string());
        Some(Awaited { next_try, ..Awaited::new(AwaitedKind::Login, "", why) })
    }

    /// A secret that isn't there, or whose answer has ended.
    fn awaited_secret(
        &self,
        request: &SecretRequest,
        name: &str,
        plan: &Plan,
        snapshot: &Snapshot,
    ) -> Option<Awaited> {
        let failed = snapshot.failed.get(request);
        let lost = match snapshot.answers.get(request) {
            // A file that is there stays valid, whatever its template asks for in addition now.
            None if plan.users(request).all(|index| plan.is_rendered(index)) => return None,
            None => String::new(),
            Some(held) => {
                let end = held.life.ends(self.token()).filter(|end| *end + GRACE <= self.clock.wall())?;
                let ago = self.clock.wall().duration_since(end).unwrap_or_default().as_secs();
                format!("ended {ago} s ago; ")
            }
        };
        let why = match failed {
            Some(Failed { message, tries, .. }) => format!("{message}; tried {tries} times"),
            None => {
                self.gate.outage().map_or_else(|| "no answer yet".to_owned(), |outage| outage.why.to_string())
            }
        };
        let next_try = failed.and_then(|failed| failed.next_try).map(|at| self.wall_at(at));
        Some(Awaited { next_try, ..Awaited::new(AwaitedKind::Secret, name, format!("{lost}{why}")) })
    }

    /// Generation and end of the own token, if it ends.
    fn token(&self) -> Option<(u64, SystemTime)> {
        let state = self.login.as_ref()?.0.borrow();
        let login: &Login = state.login.as_ref()?;
        Some((login.generation, login.expires?))
    }

    fn wall_at(&self, at: Instant) -> SystemTime {
        self.clock.wall() + at.saturating_duration_since(self.clock.now())
    }
}

/// Whether the token has not ended.
fn lives(login: &Login, now: SystemTime) -> bool {
    login.expires.is_none_or(|end| now < end)
}

/// A name for each request. Requests that differ only in what may not be shown are numbered.
fn names(plan: &Plan) -> BTreeMap<&SecretRequest, String> {
    let mut seen = BTreeSet::new();
    plan.wanted().iter().map(|request| (request, numbered(&request.to_string(), &mut seen))).collect()
}

/// The name, or with a number the first that nobody has yet: whoever reads them needs each once.
fn numbered(plain: &str, seen: &mut BTreeSet<String>) -> String {
    let others = (2..).map(|number| format!("{plain} ({number})"));
    let free = std::iter::once(plain.to_owned()).chain(others).find(|name| !seen.contains(name));
    let name = free.unwrap_or_default();
    seen.insert(name.clone());
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_given_once() {
        let mut seen = BTreeSet::new();
        let names = ["/a", "/a (2)", "/a", "/b", "/a"].map(|name| numbered(name, &mut seen));
        assert_eq!(names, ["/a", "/a (2)", "/a (3)", "/b", "/a (4)"]);
    }
}
