//! The database engine without a database: leased, renewable credentials that are invented on the spot.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/secret/databases>.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, Outcome, Refusal, list_of_errors, random_text},
    call::{Operation, Visit},
    fields::{Fields, Json},
    folder,
    lease::LeaseSpec,
    lifetime::Limits,
    static_role::StaticRoles,
};

/// One database mount.
#[derive(Debug, Default)]
pub(super) struct Database {
    connections: BTreeMap<String, Fields>,
    roles: BTreeMap<String, Role>,
    static_roles: StaticRoles,
    /// The users that exist now, by lease id.
    users: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Role {
    connection: String,
    limits: Limits,
    statements: BTreeMap<&'static str, Vec<String>>,
}

const STATEMENTS: [&str; 4] =
    ["creation_statements", "renew_statements", "revocation_statements", "rollback_statements"];

impl Database {
    pub(super) fn exists(&self, path: &str) -> bool {
        match path.split_once('/') {
            Some(("roles", name)) => self.roles.contains_key(name),
            Some(("static-roles", name)) => self.static_roles.contains(name),
            Some(("config", name)) => self.connections.contains_key(name),
            _ => true,
        }
    }

    /// Answers, and says what to lease when the answer holds fresh credentials.
    pub(super) fn handle(
        &mut self,
        visit: &Visit<'_>,
        display_name: &str,
    ) -> Result<(Answer, Option<LeaseSpec>), Refusal> {
        let (section, name) = visit.path.split_once('/').unwrap_or((visit.path, ""));
        match (section, visit.operation) {
            ("creds", Operation::Read) if !name.is_empty() => {
                return self
                    .credentials(name, display_name, visit)
                    .map(|(answer, lease)| (answer, Some(lease)));
            }
            ("static-roles" | "static-creds" | "rotate-role", _) => {
                return self.handle_static(section, name, visit).map(|answer| (answer, None));
            }
            ("creds" | "config" | "roles", Operation::List) | ("config" | "roles", _) => {}
            ("creds", _) => return Err(Refusal::unsupported_operation()),
            _ => return Err(Refusal::unsupported_path()),
        }
        let answer = match (section, visit.operation) {
            ("config", Operation::List) => Answer::keys(&folder::children(self.connections.keys(), "")),
            ("config", Operation::Read) => self.read_connection(name),
            ("config", Operation::Write) => {
                self.connections.insert(name.to_owned(), visit.fields.clone());
                Ok(Answer::empty())
            }
            ("config", Operation::Delete) => {
                self.connections.remove(name);
                Ok(Answer::empty())
            }
            ("roles", Operation::List) => Answer::keys(&folder::children(self.roles.keys(), "")),
            ("roles", Operation::Read) => self.read_role(name),
            ("roles", Operation::Write) => self.write_role(name, visit.fields),
            ("roles", Operation::Delete) => {
                self.roles.remove(name);
                Ok(Answer::empty())
            }
            _ => Err(Refusal::unsupported_operation()),
        };
        answer.map(|answer| (answer, None))
    }

    fn handle_static(&mut self, section: &str, name: &str, visit: &Visit<'_>) -> Outcome {
        match (section, visit.operation) {
            ("static-roles", Operation::Write) if self.roles.contains_key(name) => {
                Err(Refusal::bad("Role and Static Role names must be unique"))
            }
            ("static-roles", Operation::Write) => {
                let connection = visit.fields.text("db_name");
                if !connection.is_empty() {
                    self.allowed(&connection, name)?;
                }
                self.static_roles.handle_role(name, visit)
            }
            ("static-roles", _) => self.static_roles.handle_role(name, visit),
            ("static-creds", Operation::Read) => {
                if let Some(connection) = self.static_roles.connection(name) {
                    self.allowed(connection, name)?;
                }
                self.static_roles.credentials(name, visit.now)
            }
            ("rotate-role", Operation::Write) => self.static_roles.rotate(name, visit.now),
            _ => Err(Refusal::unsupported_operation()),
        }
    }

    /// Remembers whose user a lease is.
    pub(super) fn leased(&mut self, lease: &str, path: &str) {
        self.users.insert(lease.to_owned(), path.to_owned());
    }

    /// The lease is over: the user goes.
    pub(super) fn revoke(&mut self, lease: &str) {
        self.users.remove(lease);
    }

    fn credentials(
        &self,
        name: &str,
        display_name: &str,
        visit: &Visit<'_>,
    ) -> Result<(Answer, LeaseSpec), Refusal> {
        let role = self.roles.get(name).ok_or_else(|| Refusal::bad(format!("unknown role: {name}")))?;
        self.allowed(&role.connection, name)?;
        let short = |text: &str| text.chars().take(8).collect::<String>();
        let username = format!(
            "v-{}-{}-{}-{}",
            short(display_name),
            short(name),
            random_text::<20>(),
            visit.now.seconds()
        );
        let password = format!("{}-{}", random_text::<8>(), random_text::<11>());
        let answer = Answer::data(&json!({"password": password, "username": username}))?;
        Ok((answer, LeaseSpec { limits: role.limits, renewable: true }))
    }

    /// Whether the connection is there, and for this role.
    fn allowed(&self, connection: &str, role: &str) -> Result<(), Refusal> {
        let missing = || {
            let message = format!("failed to find entry for connection with name: {connection:?}");
            Refusal::new(500, list_of_errors(&message))
        };
        let allowed = self.connections.get(connection).ok_or_else(missing)?.list("allowed_roles");
        if allowed.iter().any(|known| known == "*" || known == role) {
            return Ok(());
        }
        Err(Refusal::new(500, list_of_errors(&format!("{role:?} is not an allowed role"))))
    }

    fn read_connection(&self, name: &str) -> Outcome {
        let fields = self.connections.get(name).ok_or_else(Refusal::nothing)?;
        let mut details = Map::new();
        for key in ["connection_url", "username"] {
            if let Some(value) = fields.get(key) {
                details.insert(key.into(), serde_json::to_value(Json(value)).unwrap_or_default());
            }
        }
        Answer::data(&json!({
            "allowed_roles": fields.list("allowed_roles"),
            "connection_details": details,
            "password_policy": fields.text("password_policy"),
            "plugin_name": fields.text("plugin_name"),
            "plugin_version": "",
            "root_credentials_rotate_statements": [],
        }))
    }

    fn read_role(&self, name: &str) -> Outcome {
        let role = self.roles.get(name).ok_or_else(Refusal::nothing)?;
        let mut body = Map::new();
        for (key, statements) in &role.statements {
            body.insert((*key).to_owned(), json!(statements));
        }
        body.insert("credential_type".into(), Value::from("password"));
        body.insert("db_name".into(), Value::from(role.connection.as_str()));
        body.insert("default_ttl".into(), Value::from(role.limits.ttl.as_secs()));
        body.insert("max_ttl".into(), Value::from(role.limits.max_ttl.as_secs()));
        Answer::data(&body)
    }

    fn write_role(&mut self, name: &str, fields: &Fields) -> Outcome {
        let connection = fields.text("db_name");
        if connection.is_empty() {
            return Err(Refusal::bad("database name is required"));
        }
        let limits = Limits {
            ttl: fields.span("default_ttl")?.unwrap_or_default(),
            max_ttl: fields.span("max_ttl")?.unwrap_or_default(),
            ..Limits::default()
        };
        let statements = STATEMENTS.into_iter().map(|key| (key, fields.list(key))).collect();
        self.roles.insert(name.to_owned(), Role { connection, limits, statements });
        Ok(Answer::empty())
    }
}
