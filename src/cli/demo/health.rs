//! The status in the story: what anybody in the pod may ask the sidecar.

use std::time::Duration;

use super::{
    child::Child,
    opening::CREDENTIALS,
    stage::{Failure, PATIENCE, Stage, equal},
};
use crate::{
    listener::client,
    problem::chain,
    status::serve::{METRICS, READY},
};

/// Where the sidecar listens when nobody says anything: in its home folder, which is the pod's here.
const SOCKET: &str = ".decant.sock";
/// Samples that are shown.
const SHOWN: [&str; 4] = [
    "decant_ready ",
    "decant_token_expiry_timestamp_seconds ",
    "decant_secret_expiry_timestamp_seconds",
    "decant_certificate_not_after_timestamp_seconds",
];

/// Step 5.
pub(super) async fn can_be_asked(stage: &mut Stage) -> Result<(), Failure> {
    stage.screen.step("How is it? A probe without a shell, and metrics without a port");
    let mut probe = Child::start(&["healthcheck"], stage.pod.root())?;
    let status = probe.ended().await?;
    stage.screen.line("$ decant healthcheck");
    probe.lines(0).iter().for_each(|line| stage.screen.log(line));
    equal("the exit code of `decant healthcheck`", &Some(0), &status.code())?;
    let metrics = ask(stage, METRICS).await?;
    let shown: Vec<&str> =
        metrics.lines().filter(|line| SHOWN.iter().any(|name| line.starts_with(name))).collect();
    stage.screen.line("on the socket .decant.sock, GET /metrics, some of it:");
    shown.iter().for_each(|line| stage.screen.log(line));
    let says = |name: &str, about: &str| {
        let found = shown.iter().any(|line| line.starts_with(name) && line.contains(about));
        equal(&format!("a sample of {} about {about:?}", name.trim()), &true, &found)
    };
    says("decant_ready 1", "")?;
    says(SHOWN[2], CREDENTIALS)?;
    says(SHOWN[3], "pki/issue/shop")?;
    stage.screen.verified("it is ready, and says when token, database user and certificate end");
    Ok(())
}

/// Fails unless the sidecar is ready.
pub(super) async fn is_ready(stage: &Stage) -> Result<(), Failure> {
    ask(stage, READY).await.map(drop)
}

async fn ask(stage: &Stage, path: &str) -> Result<String, Failure> {
    let socket = stage.pod.root().join(SOCKET);
    let limit: Duration = PATIENCE;
    match client::get(&socket, path, limit).await {
        Ok((200, text)) => Ok(text),
        Ok((status, text)) => Err(Failure::new(format!("GET {path}"), "200", format!("{status} {text}"))),
        Err(trouble) => Err(Failure::new(format!("GET {path}"), "200", chain(&trouble))),
    }
}
