//! What the agent does, for people, probes and monitoring: taken on demand, shown as text, JSON and metrics.
//!
//! Nothing is collected while nobody asks. Whoever asks sends an [`Ask`] to the loop, which answers with a
//! [`Report`] of that moment. Paths are shown, values never.

mod json;
pub mod metrics;
pub mod place;
pub mod serve;

use std::{fmt, time::SystemTime};

use tokio::sync::{mpsc, oneshot};

/// A question; the answer comes back through it.
pub type Ask = oneshot::Sender<Report>;
/// Where questions go.
pub type Asker = mpsc::Sender<Ask>;

/// Everything that can be told at one moment.
#[derive(Clone, Debug)]
pub struct Report {
    /// The moment.
    pub now: SystemTime,
    /// When the program started.
    pub started: SystemTime,
    /// What the first full render, or a valid file, still waits for; empty: ready.
    pub awaited: Vec<Awaited>,
    /// What is known of the way to the server.
    pub server: ServerReport,
    /// The own login; `None`: the agent has none to do.
    pub login: Option<LoginReport>,
    /// Every template, in configuration order.
    pub templates: Vec<TemplateReport>,
    /// Every request of templates, sorted.
    pub secrets: Vec<SecretReport>,
    /// What has been counted since the start.
    pub counts: Counts,
}

impl Report {
    /// Whether every file is there and valid. An outage of the server alone does not change it.
    pub const fn is_ready(&self) -> bool {
        self.awaited.is_empty()
    }
}

/// Something that readiness waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// What kind of thing.
    pub kind: AwaitedKind,
    /// Its name: a request, a destination.
    pub name: String,
    /// Why it isn't there, in words for the user; never a secret.
    pub why: String,
    /// When it is tried again, if that is known.
    pub next_try: Option<SystemTime>,
    /// It doesn't merely wait for another of the awaited things.
    pub is_cause: bool,
}

/// What can be awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwaitedKind {
    /// A successful login.
    Login,
    /// A secret that a template needs.
    Secret,
    /// A file.
    Template,
    /// The token in its sinks.
    Sink,
}

impl AwaitedKind {
    /// Name in texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Secret => "secret",
            Self::Template => "template",
            Self::Sink => "sink",
        }
    }
}

impl Awaited {
    /// Something that isn't tried again by itself, as far as is known.
    pub fn new(kind: AwaitedKind, name: &str, why: String) -> Self {
        Self { kind, name: name.to_owned(), why, next_try: None, is_cause: true }
    }

    /// When it is tried again, as the end of a sentence; empty when that isn't known.
    pub fn retry(&self, now: SystemTime) -> String {
        let left = self.next_try.map(|at| at.duration_since(now).unwrap_or_default());
        left.map_or_else(String::new, |left| format!("; next try in {} s", left.as_secs_f64().ceil()))
    }
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A request says by itself what it is.
        match self.kind {
            AwaitedKind::Secret => f.write_str(&self.name)?,
            _ if self.name.is_empty() => f.write_str(self.kind.name())?,
            _ => write!(f, "{} {}", self.kind.name(), self.name)?,
        }
        match self.why.lines().next() {
            Some(why) => write!(f, ": {why}"),
            None => Ok(()),
        }
    }
}

/// Whether the server can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerReport {
    /// Why it can't be, and since when; `None`: it can, as far as is known.
    pub outage: Option<(String, SystemTime)>,
}

/// The own login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginReport {
    /// Whether there is a token that has not ended.
    pub authenticated: bool,
    /// When the token ends; `None`: never, or there is none.
    pub expires: Option<SystemTime>,
    /// Why the last try failed; `None` after a success.
    pub trouble: Option<String>,
    /// When that is tried again.
    pub next_try: Option<SystemTime>,
    /// Successful logins.
    pub logins: u64,
    /// Successful renewals of the token.
    pub renewals: u64,
    /// Failed logins.
    pub failures: u64,
}

/// One template and its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateReport {
    /// The file.
    pub destination: String,
    /// Whether the file has been written (or found right) since the start.
    pub rendered: bool,
    /// Why the file isn't as it should be; `None`: it is.
    pub trouble: Option<String>,
    /// When it was last written or found right.
    pub last_success: Option<SystemTime>,
    /// How often its contents changed.
    pub changes: u64,
    /// What it reads, in the names of [`SecretReport::request`].
    pub secrets: Vec<String>,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretReport {
    /// What is asked for, for instance `read kv/data/db`; unique in a report.
    pub request: String,
    /// Whether there is an answer.
    pub available: bool,
    /// When the server last answered well, renewals included.
    pub last_success: Option<SystemTime>,
    /// Why the last try failed; `None` after a success.
    pub trouble: Option<String>,
    /// Failed tries in a row.
    pub tries: u32,
    /// When what it says ends: a lease, a token, a rotation period, a certificate. `None`: it doesn't.
    pub expires: Option<SystemTime>,
    /// When the server is asked for it again, or to renew it; `None`: just now, or with the next login.
    pub next_action: Option<SystemTime>,
    /// Last moment of the certificate in it, if there is one.
    pub not_after: Option<SystemTime>,
}

/// What has been counted since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answers of the server by result.
    pub requests: Vec<(&'static str, u64)>,
    /// Requests that were sent again after a failure.
    pub retries: u64,
    /// Actions by kind and result; those that never happened are left out.
    pub actions: Vec<(&'static str, &'static str, u64)>,
}

#[cfg(test)]
pub(crate) mod testing {
    //! A report with something of everything.

    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    pub(crate) fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    pub(crate) fn report() -> Report {
        let template = |name: &str| TemplateReport {
            destination: format!("/vault/secrets/{name}"),
            rendered: true,
            trouble: None,
            last_success: Some(at(1_700_000_010)),
            changes: 2,
            secrets: vec!["read kv/data/db".into()],
        };
        Report {
            now: at(1_700_000_100),
            started: at(1_700_000_000),
            awaited: vec![Awaited {
                is_cause: true,
                kind: AwaitedKind::Secret,
                name: "issue pki/issue/app".into(),
                why: "PUT http://v/v1/pki/issue/app: 403\npermission denied".into(),
                next_try: Some(at(1_700_000_101)),
            }],
            server: ServerReport {
                outage: Some(("GET http://v/v1/sys/health: refused".into(), at(1_700_000_040))),
            },
            login: Some(LoginReport {
                authenticated: true,
                expires: Some(at(1_700_003_600)),
                logins: 1,
                renewals: 3,
                failures: 2,
                ..LoginReport::default()
            }),
            templates: vec![
                template("db"),
                TemplateReport {
                    rendered: false,
                    trouble: Some("no \"key\"".into()),
                    last_success: None,
                    changes: 0,
                    ..template("a\\b\n")
                },
            ],
            secrets: vec![
                SecretReport {
                    request: "issue pki/issue/app".into(),
                    available: false,
                    last_success: None,
                    trouble: Some("PUT http://v/v1/pki/issue/app: 403".into()),
                    tries: 3,
                    expires: None,
                    next_action: Some(at(1_700_000_101)),
                    not_after: None,
                },
                SecretReport {
                    request: "read kv/data/db".into(),
                    available: true,
                    last_success: Some(at(1_700_000_009)),
                    trouble: None,
                    tries: 0,
                    expires: Some(at(1_700_000_609)),
                    next_action: Some(at(1_700_000_400)),
                    not_after: Some(at(1_700_000_609)),
                },
            ],
            counts: Counts {
                requests: vec![("ok", 7), ("denied", 3)],
                retries: 2,
                actions: vec![("command", "failed", 1), ("signal", "ok", 2)],
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_awaited_reads_as_one_line() {
        let report = testing::report();
        assert!(!report.is_ready());
        assert_eq!(report.awaited[0].to_string(), "issue pki/issue/app: PUT http://v/v1/pki/issue/app: 403");
        let login = Awaited {
            is_cause: true,
            kind: AwaitedKind::Login,
            name: String::new(),
            why: "no answer yet".into(),
            next_try: None,
        };
        assert_eq!(login.to_string(), "login: no answer yet");
    }
}
