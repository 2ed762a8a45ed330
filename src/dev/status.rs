//! What the server says about itself without a token: health, seal, leader; and what it says when it is not in charge.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/system/health>.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    answer::{Answer, Body, Outcome, Refusal},
    call::{Call, Operation},
    core::Core,
    fields::Fields,
    moment::Moment,
};

/// The version that the server claims, for clients that look at it: the API it was compared with.
const VERSION: &str = "2.6.2";

/// Sealed, or a standby of a cluster.
#[derive(Debug, Default)]
pub(super) struct Status {
    pub(super) sealed: bool,
    pub(super) standby: Standby,
}

/// Whether another node is in charge, as `/dev/v1/standby` sets it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Standby {
    standby: bool,
    /// The active node's address, to which requests are redirected; without one they are refused.
    leader: String,
}

/// Answers what needs no token, and everything while the server is not in charge.
pub(super) fn open(core: &Core, call: &Call, now: Moment) -> Option<Outcome> {
    let read = matches!(call.operation, Operation::Read | Operation::Head);
    match call.path.as_str() {
        "sys/health" | "sys/seal-status" | "sys/leader" | "sys/init" if !read => {
            Some(Err(Refusal { status: 405, errors: Vec::new() }))
        }
        "sys/health" => Some(health(core, &call.fields, now)),
        "sys/seal-status" => Some(seal_status(core)),
        "sys/leader" => Some(leader(&core.status.standby)),
        "sys/init" => Some(Answer::bare(200, &json!({"initialized": true}))),
        _ if core.status.sealed => Some(Err(Refusal::new(503, "Vault is sealed"))),
        _ if core.status.standby.standby => Some(core.status.standby.elsewhere()),
        _ => None,
    }
}

impl Standby {
    fn elsewhere(&self) -> Outcome {
        if self.leader.is_empty() {
            return Err(Refusal::new(503, "no active Vault instance found"));
        }
        let leader = self.leader.trim_end_matches('/').to_owned();
        Ok(Answer { status: 307, body: Body::Redirect(leader) })
    }
}

fn leader(standby: &Standby) -> Outcome {
    if !standby.standby {
        return Answer::bare(200, &json!({"ha_enabled": false}));
    }
    let mut body = json!({"ha_enabled": true});
    if !standby.leader.is_empty() {
        body["leader_address"] = standby.leader.as_str().into();
    }
    Answer::bare(200, &body)
}

fn health(core: &Core, fields: &Fields, now: Moment) -> Outcome {
    let code = |name: &str, default: u16| match fields.text(name).as_str() {
        "" => Ok(default),
        text => text.parse().map_err(|_| Refusal { status: 400, errors: Vec::new() }),
    };
    let (active, sealed) = (code("activecode", 200)?, code("sealedcode", 503)?);
    let standby = code("standbycode", 429)?;
    code("uninitcode", 501)?;
    let waiting = core.status.standby.standby;
    let status = match (core.status.sealed, waiting) {
        (true, _) => sealed,
        (_, true) if fields.flag("standbyok") != Some(true) => standby,
        _ => active,
    };
    let sealed = core.status.sealed;
    let mut body = json!({
        "initialized": true,
        "sealed": sealed,
        "standby": sealed || waiting,
        "replication_performance_mode": if sealed { "unknown" } else { "disabled" },
        "replication_dr_mode": if sealed { "unknown" } else { "disabled" },
        "server_time_utc": now.seconds(),
        "version": VERSION,
    });
    if !sealed {
        body["cluster_name"] = "decant-dev".into();
        body["cluster_id"] = core.cluster_id.as_str().into();
    }
    Answer::bare(status, &body)
}

fn seal_status(core: &Core) -> Outcome {
    let sealed = core.status.sealed;
    let mut body = json!({
        "type": "shamir", "initialized": true, "sealed": sealed, "t": 1, "n": 1, "progress": 0, "nonce": "",
        "recovery_seal": false, "version": VERSION, "commit_date": "", "migration": false, "storage_type": "inmem",
    });
    if !sealed {
        body["cluster_name"] = "decant-dev".into();
        body["cluster_id"] = core.cluster_id.as_str().into();
    }
    Answer::bare(200, &body)
}

#[cfg(test)]
mod tests {
    use axum::http::header;
    use serde_json::{Value, json};

    use crate::dev::testing::Bench;

    #[tokio::test(start_paused = true)]
    async fn a_standby_sends_clients_to_the_leader_with_path_and_query() {
        let bench = Bench::new();
        let standby = json!({"standby": true, "leader": "https://active.example:8200/"});
        assert_eq!(bench.control("POST", "standby", standby).await.0, 204);
        let response = bench.raw("GET", "/v1/secret/data/a?version=1", "root", Value::Null).await;
        assert_eq!(response.status(), 307);
        let location = "https://active.example:8200/v1/secret/data/a?version=1";
        assert_eq!(response.headers()[header::LOCATION], location);
        assert_eq!(bench.ask("", "GET", "sys/health", Value::Null).await.0, 429);
        assert_eq!(bench.ask("", "GET", "sys/health?standbyok=true", Value::Null).await.0, 200);
        let (_, leader) = bench.ask("", "GET", "sys/leader", Value::Null).await;
        assert_eq!((&leader["ha_enabled"], leader["leader_address"].is_string()), (&json!(true), true));
        bench.control("POST", "standby", json!({"standby": false})).await;
        assert_eq!(bench.root("GET", "auth/token/lookup-self", Value::Null).await.0, 200);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_leader_or_the_keys_nothing_is_served() {
        let bench = Bench::new();
        bench.control("POST", "standby", json!({"standby": true})).await;
        let (status, error) = bench.root("GET", "auth/token/lookup-self", Value::Null).await;
        assert_eq!((status, &error["errors"][0]), (503, &json!("no active Vault instance found")));
        bench.control("POST", "seal", json!({"sealed": true})).await;
        let (status, error) = bench.root("GET", "auth/token/lookup-self", Value::Null).await;
        assert_eq!((status, &error["errors"][0]), (503, &json!("Vault is sealed")));
        assert_eq!(bench.ask("", "GET", "sys/health", Value::Null).await.0, 503);
    }
}
