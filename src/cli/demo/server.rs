//! The demo's Vault: the development server in this process, and a client that sets it up and asks what happened.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde_json::{Value as Json, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{sync::oneshot, task::JoinSet};

use super::stage::{Failure, PATIENCE};
use crate::{
    clock::Clock,
    dev::{DevConfig, DevError, Issuer, Server},
    http::{HttpClient, Settings, address::Address, dns::Dns, proxy::Proxy, tls::TlsConfig},
    problem::chain,
    vault::{
        client::{Body, Call, Product, VaultClient},
        error::VaultError,
        path::Params,
        token::Token,
        value::Value,
    },
};

/// The demo's own token; what it opens is made up.
const ROOT_TOKEN: &str = "demo-root";

/// The server under way, stopped when dropped.
pub(super) struct DevServer {
    address: SocketAddr,
    issuer: Arc<Issuer>,
    token: Token,
    /// Vault's API.
    api: VaultClient,
    /// The server's own paths, which no real Vault has.
    control: VaultClient,
    stop: Option<oneshot::Sender<()>>,
    tasks: JoinSet<Result<(), DevError>>,
}

/// A request that the server has answered.
pub(super) struct Answered {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) status: i64,
}

/// A lease, as the server knows it.
#[derive(Clone, Copy)]
pub(super) struct Lease {
    pub(super) issued: OffsetDateTime,
    pub(super) expires: OffsetDateTime,
    /// `None` while it has not been renewed.
    pub(super) renewed: Option<OffsetDateTime>,
}

impl DevServer {
    /// Starts it on a free loopback port.
    pub(super) async fn start(clock: Clock) -> Result<Self, Failure> {
        let failed = |got: String| Failure::new("the development server", "a free port on 127.0.0.1", got);
        let config = DevConfig { root_token: ROOT_TOKEN.to_owned(), clock, ..DevConfig::default() };
        let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), config)
            .await
            .map_err(|trouble| failed(chain(&trouble)))?;
        let (address, issuer) = (server.address(), server.issuer());
        let api = client(&format!("http://{address}")).map_err(failed)?;
        let control = client(&format!("http://{address}/dev")).map_err(failed)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let mut tasks = JoinSet::new();
        tasks.spawn(server.run(async { drop(stopped.await) }));
        let token = Token::new(ROOT_TOKEN);
        Ok(Self { address, issuer, token, api, control, stop: Some(stop), tasks })
    }

    /// Where it listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Plays the cluster, which signs service-account tokens.
    pub(super) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Reads a path below `/v1/`.
    pub(super) async fn read(&self, path: &str) -> Result<Value, Failure> {
        let answer = self.api.send(&Call::read(path, Product::Agent).token(&self.token)).await;
        answer
            .map_err(|trouble| asked(path, &trouble))?
            .and_then(|secret| secret.data)
            .ok_or_else(|| Failure::new(format!("reading {path}"), "an answer with data", "one without"))
    }

    /// Writes to a path below `/v1/`.
    pub(super) async fn write(&self, path: &str, body: &Json) -> Result<(), Failure> {
        let call = Call::write(path, Body::json(body), Product::Agent).token(&self.token);
        self.api.send(&call).await.map(drop).map_err(|trouble| asked(path, &trouble))
    }

    /// Ids of the leases of a path.
    pub(super) async fn leases(&self, path: &str) -> Result<Vec<String>, Failure> {
        let list = format!("sys/leases/lookup/{path}/");
        let answer = match self.api.send(&Call::list(&list, Product::Agent).token(&self.token)).await {
            Err(trouble) if status(&trouble) == Some(404) => None,
            answer => answer.map_err(|trouble| asked(&list, &trouble))?,
        };
        let data = answer.and_then(|secret| secret.data);
        let names = data.as_ref().and_then(|data| data.get("keys")).map(texts).unwrap_or_default();
        Ok(names.into_iter().map(|name| format!("{path}/{name}")).collect())
    }

    /// A lease; `None` when it is over.
    pub(super) async fn lease(&self, id: &str) -> Result<Option<Lease>, Failure> {
        let body = Body::json(&json!({ "lease_id": id }));
        let path = "sys/leases/lookup";
        let answer = match self.api.send(&Call::write(path, body, Product::Agent).token(&self.token)).await {
            Err(trouble) if status(&trouble) == Some(400) => return Ok(None),
            answer => answer.map_err(|trouble| asked(path, &trouble))?,
        };
        let data = answer.and_then(|secret| secret.data).unwrap_or(Value::Null);
        let time = |key: &str| {
            let text = data.get(key).and_then(Value::as_str)?;
            OffsetDateTime::parse(text, &Rfc3339).ok()
        };
        let (Some(issued), Some(expires)) = (time("issue_time"), time("expire_time")) else {
            return Err(Failure::new("the look-up of a lease", "issue_time and expire_time", "none"));
        };
        Ok(Some(Lease { issued, expires, renewed: time("last_renewal") }))
    }

    /// Number of the latest request.
    pub(super) async fn last_request(&self) -> Result<i64, Failure> {
        let answer = self.journal(Params::new()).await?;
        Ok(answer.get("last").and_then(Value::as_i64).unwrap_or_default())
    }

    /// Waits until a request like this, after number `since`, has been answered so; a `*` in the path is anything.
    pub(super) async fn answered(
        &self,
        since: i64,
        (method, path, status): (&str, &str, u16),
    ) -> Result<Answered, Failure> {
        let params = [
            ("method", method.to_owned()),
            ("path", path.to_owned()),
            ("status", status.to_string()),
            ("since", since.to_string()),
            ("at_least", "1".to_owned()),
            ("timeout", PATIENCE.as_secs().to_string()),
        ];
        let params = params.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        let missing = || {
            Failure::new("the server's journal", format!("{method} {path} answered with {status}"), "none")
        };
        let answer = self.journal(params).await.map_err(|_| missing())?;
        let Some(Value::List(entries)) = answer.get("entries") else { return Err(missing()) };
        let entry = entries.first().ok_or_else(missing)?;
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let status = entry.get("status").and_then(Value::as_i64).unwrap_or_default();
        Ok(Answered { method: text("method"), path: text("path"), status })
    }

    /// How many requests like this, after number `since`, have been answered.
    pub(super) async fn count(&self, since: i64, (method, path): (&str, &str)) -> Result<usize, Failure> {
        let params = [("method", method.to_owned()), ("path", path.to_owned()), ("since", since.to_string())];
        let params = params.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        let answer = self.journal(params).await?;
        match answer.get("entries") {
            Some(Value::List(entries)) => Ok(entries.len()),
            _ => Err(Failure::new("the server's journal", "a list of requests", "none")),
        }
    }

    async fn journal(&self, params: Params) -> Result<Value, Failure> {
        let answer = self.control.send(&Call::read("journal", Product::Agent).params(&params)).await;
        let secret = answer.map_err(|trouble| asked("the journal", &trouble))?;
        Ok(secret.and_then(|secret| secret.data).unwrap_or(Value::Null))
    }

    /// Stops it and waits until it has.
    pub(super) async fn stop(&mut self) {
        drop(self.stop.take());
        while self.tasks.join_next().await.is_some() {}
    }
}

fn client(address: &str) -> Result<VaultClient, String> {
    let address = Address::parse(address).map_err(|trouble| chain(&trouble))?;
    let settings =
        Settings { address, tls: TlsConfig::default(), proxy: Proxy::default(), idle_connections: 1 };
    let http = HttpClient::new(settings, Dns::default()).map_err(|trouble| chain(&trouble))?;
    Ok(VaultClient::new(http, PATIENCE + Duration::from_secs(5)))
}

fn status(trouble: &VaultError) -> Option<u16> {
    trouble.answer().map(|answer| answer.status)
}

fn asked(path: &str, trouble: &VaultError) -> Failure {
    Failure::new(format!("asking the server for {path}"), "an answer", chain(trouble))
}

fn texts(list: &Value) -> Vec<String> {
    let Value::List(items) = list else { return Vec::new() };
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
