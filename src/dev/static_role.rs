//! Static roles of the database engine: one user whose password is changed every period.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/secret/databases#create-static-role>. The original looks every
//! five seconds whether a password is due, and answers `ttl` 0 until it has; here it is changed on time.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use super::{
    answer::{Answer, Outcome, Refusal, random_text},
    call::{Operation, Visit},
    folder,
    moment::Moment,
};

/// Nothing is rotated more often.
const SHORTEST: Duration = Duration::from_secs(5);

/// All static roles of one mount.
#[derive(Debug, Default)]
pub(super) struct StaticRoles(BTreeMap<String, StaticRole>);

#[derive(Debug)]
struct StaticRole {
    connection: String,
    username: String,
    statements: Vec<String>,
    period: Duration,
    rotated: Moment,
    password: String,
}

impl StaticRole {
    fn rotate(&mut self, at: Moment) {
        self.rotated = at;
        self.password = format!("{}-{}", random_text::<8>(), random_text::<11>());
    }

    /// Catches up with the rotations that were due.
    fn settle(&mut self, now: Moment) {
        while self.rotated.plus(self.period) <= now {
            self.rotate(self.rotated.plus(self.period));
        }
    }
}

impl StaticRoles {
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The connection that a role's password is changed through.
    pub(super) fn connection(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|role| role.connection.as_str())
    }

    pub(super) fn handle_role(&mut self, name: &str, visit: &Visit<'_>) -> Outcome {
        match visit.operation {
            Operation::List => Answer::keys(&folder::children(self.0.keys(), "")),
            Operation::Read => self.read(name),
            Operation::Write => self.write(name, visit),
            Operation::Delete => {
                self.0.remove(name);
                Ok(Answer::empty())
            }
            _ => Err(Refusal::unsupported_operation()),
        }
    }

    /// `static-creds/<name>`.
    pub(super) fn credentials(&mut self, name: &str, now: Moment) -> Outcome {
        let role = self.0.get_mut(name).ok_or_else(|| Refusal::bad(format!("unknown role: {name}")))?;
        role.settle(now);
        let left = now.until(role.rotated.plus(role.period));
        let rounded = left.saturating_add(Duration::from_millis(500)).as_secs();
        Answer::data(&json!({
            "last_vault_rotation": role.rotated.rfc3339(),
            "password": role.password,
            "rotation_period": role.period.as_secs(),
            "ttl": rounded,
            "username": role.username,
        }))
    }

    /// `rotate-role/<name>`.
    pub(super) fn rotate(&mut self, name: &str, now: Moment) -> Outcome {
        let role = self.0.get_mut(name).ok_or_else(|| Refusal::bad("no static role found for role name"))?;
        role.rotate(now);
        Ok(Answer::empty())
    }

    fn read(&self, name: &str) -> Outcome {
        let role = self.0.get(name).ok_or_else(Refusal::nothing)?;
        Answer::data(&json!({
            "credential_type": "password",
            "db_name": role.connection,
            "last_vault_rotation": role.rotated.rfc3339(),
            "rotation_period": role.period.as_secs(),
            "rotation_statements": role.statements,
            "username": role.username,
        }))
    }

    fn write(&mut self, name: &str, visit: &Visit<'_>) -> Outcome {
        let (fields, known) = (visit.fields, self.0.get(name));
        let text = |key: &str, before: Option<&str>| match fields.text(key) {
            text if text.is_empty() => before.unwrap_or_default().to_owned(),
            text => text,
        };
        let connection = text("db_name", known.map(|role| role.connection.as_str()));
        if connection.is_empty() {
            return Err(Refusal::bad("database name is a required field"));
        }
        let username = fields.text("username");
        match known {
            None if username.is_empty() => {
                return Err(Refusal::bad("username is a required field to create a static account"));
            }
            Some(role) if role.username != username => {
                return Err(Refusal::bad("cannot update static account username"));
            }
            _ => {}
        }
        let period = match (fields.span("rotation_period")?, known) {
            (Some(period), _) if period < SHORTEST => {
                return Err(Refusal::bad("rotation_period must be 5 seconds or more"));
            }
            (Some(period), _) => period,
            (None, Some(role)) => role.period,
            (None, None) => {
                return Err(Refusal::bad("rotation_period is required to create static accounts"));
            }
        };
        let statements = fields.list("rotation_statements");
        match self.0.get_mut(name) {
            Some(role) => {
                role.settle(visit.now);
                (role.connection, role.period) = (connection, period);
                if !statements.is_empty() {
                    role.statements = statements;
                }
            }
            None => {
                let mut role = StaticRole {
                    connection,
                    username,
                    statements,
                    period,
                    rotated: visit.now,
                    password: String::new(),
                };
                role.rotate(visit.now);
                self.0.insert(name.to_owned(), role);
            }
        }
        Ok(Answer::empty())
    }
}
