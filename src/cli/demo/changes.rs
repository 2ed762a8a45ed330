//! Second half of the story: what changes while the sidecar runs, and what it makes of it.

use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;

use super::{
    opening::{CREDENTIALS, Credential, LEASE_SECONDS, MAX_SECONDS, WEB_CONF, api_env, show_file, username},
    server::Lease,
    stage::{Failure, PATIENCE, Stage, equal},
};

/// The API key after the rotation, and after the next one.
const KEYS: [&str; 2] = ["two-b3f04a26", "three-7d90c5e1"];
/// Between two looks at a lease.
const LOOK: Duration = Duration::from_millis(50);
/// Where the broken template's error says that it comes from.
const BROKEN: &str = "annotation vault.hashicorp.com/agent-inject-template-web.conf";
/// What points at the broken place, below the template's line.
const CARET: &str = "^";

/// Step 6.
pub(super) async fn secret_is_rotated(stage: &mut Stage) -> Result<(), Failure> {
    stage.screen.step("Somebody rotates the API key in Vault; the file follows");
    stage.screen.line("(a secret without a lease is read anew at an interval: 1 s here, 5 m by default)");
    let seen = stage.child()?.count();
    let took = rotate(stage, KEYS[0]).await?;
    show_log(stage, seen, "/api.env").await?;
    show_file(stage, "api.env");
    stage.screen.verified(&format!("the new key was in the file {took:.1} s after the rotation"));
    Ok(())
}

/// Shows what the sidecar has said after its first `from` lines, once that speaks of `awaited`.
async fn show_log(stage: &mut Stage, from: usize, awaited: &str) -> Result<(), Failure> {
    let child = stage.child()?;
    child.says(from, awaited).await?;
    let said = child.lines(from);
    stage.screen.story(&said);
    Ok(())
}

/// Writes another key and waits until the file has it; answers how long that took, in seconds.
async fn rotate(stage: &Stage, key: &str) -> Result<f64, Failure> {
    stage.server.write("secret/data/shop/api", &json!({"data": {"key": key}})).await?;
    let start = stage.clock.now();
    stage.file_becomes("api.env", &api_env(key)).await?;
    Ok(stage.clock.now().duration_since(start).as_secs_f64())
}

/// Step 7.
pub(super) async fn lease_is_renewed(stage: &mut Stage, credential: &Credential) -> Result<(), Failure> {
    stage
        .screen
        .step(&format!("The database user would end after {LEASE_SECONDS} s; decant renews its lease"));
    // The first renewal of the run can only be this lease's: there is no other one before it.
    let renewal = stage.server.answered(0, ("PUT", "/v1/sys/leases/renew", 200)).await?;
    stage
        .screen
        .line(&format!("in the server's journal: {} {} -> {}", renewal.method, renewal.path, renewal.status));
    if let Some(lease) = stage.server.lease(&credential.id).await?.filter(|lease| lease.renewed.is_some()) {
        stage.screen.line(&format!(
            "the lease now ends {:.0} s after its issue instead of {LEASE_SECONDS} s",
            (lease.expires - lease.issued).as_seconds_f64()
        ));
    }
    // A machine that was asleep may be at the next step already.
    if !stage.server.leases(CREDENTIALS).await?.iter().any(|id| credential.is_older_than(id)) {
        equal("the user in the file db", &credential.user, &username(stage)?)?;
    }
    stage.screen.verified("the lease lives longer, so the user and the file stay as they are");
    Ok(())
}

/// Step 8.
pub(super) async fn credential_is_replaced(
    stage: &mut Stage,
    credential: &Credential,
) -> Result<(), Failure> {
    stage
        .screen
        .step(&format!("No renewal goes beyond {MAX_SECONDS} s; decant fetches another user in time"));
    let seen = stage.child()?.count();
    let (old, new) =
        tokio::time::timeout(PATIENCE, replacement(stage, credential)).await.map_err(|_| {
            Failure::new(
                "the replacement",
                "another user in the file db, another lease",
                "still the old ones",
            )
        })??;
    let Some(file) = stage.pod.facts("db") else {
        return Err(Failure::new("the file db", "that it is there", "no such file"));
    };
    tokio::time::timeout(PATIENCE, until_over(stage, &credential.id))
        .await
        .map_err(|_| Failure::new("the old user", "that the server ends it", "its lease is still there"))??;
    show_log(stage, seen, "/db").await?;
    show_times(stage, &old, &new, file.written);
    show_file(stage, "db");
    if file.written >= old.expires {
        let late = format!("{:.1} s too late", (file.written - old.expires).as_seconds_f64());
        return Err(Failure::new(
            "the replacement",
            "the new user in the file before the old one ends",
            late,
        ));
    }
    stage.screen.verified("at every moment the file named a user that the database knew");
    Ok(())
}

/// What happened when, counted from the old user's first moment.
fn show_times(stage: &Stage, old: &Lease, new: &Lease, written: OffsetDateTime) {
    let line = |time: OffsetDateTime, what: &str| {
        stage.screen.line(&format!("{:>4.1} s  {what}", (time - old.issued).as_seconds_f64()));
    };
    line(old.issued, "the old user is made");
    if let Some(renewed) = old.renewed {
        let granted = (old.expires - renewed).as_seconds_f64();
        line(
            renewed,
            &format!("its last renewal: the server grants {granted:.0} s more, not {LEASE_SECONDS} s"),
        );
    }
    line(new.issued, "the new user is made");
    line(written, "the file names the new user");
    line(old.expires, "the server, which counts whole seconds, ends the old user");
}

/// Follows the old lease until there is another one and the file names its user; answers both leases.
async fn replacement(stage: &Stage, credential: &Credential) -> Result<(Lease, Lease), Failure> {
    let mut old = credential.lease;
    loop {
        let new = stage.server.leases(CREDENTIALS).await?.into_iter().find(|id| credential.is_older_than(id));
        // Looked up last, so that it is the state after its last renewal once there is another lease.
        if let Some(lease) = stage.server.lease(&credential.id).await? {
            old = lease;
        }
        if let Some(new) = new
            && username(stage)? != credential.user
            && let Some(new) = stage.server.lease(&new).await?
        {
            return Ok((old, new));
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn until_over(stage: &Stage, lease: &str) -> Result<(), Failure> {
    while stage.server.lease(lease).await?.is_some() {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Step 10.
pub(super) async fn template_breaks(stage: &mut Stage) -> Result<(), Failure> {
    stage.screen.step("Somebody breaks one secret; its template says why, the other files stay fresh");
    stage.screen.line(
        "(the key port of secret/shop/web is renamed to https_port; after that the API key is rotated again)",
    );
    let before = stage.pod.facts("web.conf");
    let seen = stage.child()?.count();
    stage.server.write("secret/data/shop/web", &json!({"data": {"https_port": "8443"}})).await?;
    stage.child()?.says(seen, BROKEN).await?;
    stage.child()?.says(seen, CARET).await?;
    rotate(stage, KEYS[1]).await?;
    show_log(stage, seen, "/api.env").await?;
    for name in ["web.conf", "api.env"] {
        show_file(stage, name);
    }
    equal("the file web.conf", &Some(WEB_CONF.to_owned()), &stage.pod.rendered("web.conf"))?;
    equal("the file web.conf", &before, &stage.pod.facts("web.conf"))?;
    stage.still_runs()?;
    super::health::is_ready(stage).await?;
    stage.screen.verified(
        "web.conf keeps its last good contents, api.env has the newest key, the sidecar goes on and is ready",
    );
    Ok(())
}
