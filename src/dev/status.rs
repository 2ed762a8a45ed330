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
