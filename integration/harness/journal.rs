//! What the dev server was asked, with waiting on its side, so that no test guesses at times.

use serde_json::Value;

use super::Server;

/// Requests of one kind.
pub struct Asked<'a> {
    server: &'a Server,
    query: String,
}

/// The number of a request in the journal; later requests have greater ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Server {
    /// Requests with this method and path (with `/v1/`, `*` for anything), answered or cut.
    pub fn asked(&self, method: &str, path: &str) -> Asked<'_> {
        assert!(self.is_dev(), "only the dev server keeps a journal");
        Asked { server: self, query: format!("method={method}&path={path}&timeout=25") }
    }

    /// Logins of the kubernetes method.
    pub fn logins(&self) -> Asked<'_> {
        self.asked("PUT", "/v1/auth/kubernetes/login")
    }

    /// Reads of a KV v2 secret at `secret/`.
    pub fn reads(&self, name: &str) -> Asked<'_> {
        self.asked("GET", &format!("/v1/secret/data/{name}"))
    }

    /// All answered requests since then, as method and path.
    pub fn all_since(&self, moment: Moment) -> Vec<String> {
        let answer = self.control("GET", &format!("journal?path=/v1/*&since={}", moment.0), None);
        let line = |entry: &Value| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            format!("{} {}", text("method"), text("path"))
        };
        answer["entries"].as_array().expect("a list").iter().map(line).collect()
    }

    /// Now, as the journal counts.
    pub fn moment(&self) -> Moment {
        Moment(self.control("GET", "journal?at_least=0", None)["last"].as_u64().expect("a number"))
    }
}

impl Asked<'_> {
    /// Only with this status; 0: the connection was cut.
    pub fn status(mut self, status: u16) -> Self {
        self.query.push_str(&format!("&status={status}"));
        self
    }

    /// Only later ones.
    pub fn since(mut self, moment: Moment) -> Self {
        self.query.push_str(&format!("&since={}", moment.0));
        self
    }

    /// Also those that wait for an answer.
    pub fn arrived(mut self) -> Self {
        self.query.push_str("&arrived=true");
        self
    }

    /// How many so far.
    pub fn count(&self) -> usize {
        self.get("").len()
    }

    /// Waits until there are so many; returns all of them.
    #[track_caller]
    pub fn wait(&self, at_least: usize) -> Vec<Value> {
        let entries = self.get(&format!("&at_least={at_least}"));
        assert!(
            entries.len() >= at_least,
            "waited in vain for {at_least} of {}, journal:\n{}",
            self.query,
            self.server.journal_text()
        );
        entries
    }

    fn get(&self, more: &str) -> Vec<Value> {
        let answer = self.server.control("GET", &format!("journal?{}{more}", self.query), None);
        answer["entries"].as_array().expect("a list").clone()
    }
}

impl Server {
    fn journal_text(&self) -> String {
        let answer = self.control("GET", "journal?arrived=true", None);
        let line = |entry: &Value| format!("{} {} {}", entry["method"], entry["path"], entry["status"]);
        let lines: Vec<String> = answer["entries"].as_array().expect("a list").iter().map(line).collect();
        lines.join("\n")
    }
}
