//! Last step of the story: everything ends, and nothing is left.

use tokio::net::TcpStream;

use super::{
    opening::{CREDENTIALS, FILES},
    stage::{Failure, Stage, equal},
};

/// Step 11.
pub(super) async fn nothing_is_left(stage: &mut Stage) -> Result<(), Failure> {
    stage.screen.step("The pod ends (SIGTERM); nothing is left behind");
    let since = stage.server.last_request().await?;
    let child = stage.child()?;
    let seen = child.count();
    child.terminate();
    let status = child.ended().await?;
    let said = child.lines(seen);
    stage.screen.story(&said);
    equal("the exit code of `decant sidecar`", &Some(0), &status.code())?;
    equal("the secrets folder", &FILES.map(str::to_owned).to_vec(), &stage.pod.listing())?;
    stage.screen.verified("exit code 0; no temporary file beside the others");
    stage.server.answered(since, ("PUT", "/v1/auth/token/revoke-self", 204)).await?;
    equal("the database users", &Vec::new(), &stage.server.leases(CREDENTIALS).await?)?;
    stage.screen.verified("its token is revoked, and with it the last database user");
    stage.server.stop().await;
    let address = stage.server.address();
    if TcpStream::connect(address).await.is_ok() {
        return Err(Failure::new(
            "the server's end",
            format!("that {address} is closed"),
            "it still answers",
        ));
    }
    let removed = stage.pod.remove().map_err(|trouble| trouble.to_string());
    equal("the removal of the pod's folder", &Ok(()), &removed)?;
    equal("the pod's folder", &false, &stage.pod.root().exists())?;
    stage.screen.verified(&format!("{address} is closed, {} is gone", stage.pod.root().display()));
    Ok(())
}
