//! `demo`: the whole job on this machine in about ten seconds, every step with its real output and verified.

mod changes;
mod child;
mod end;
mod health;
mod opening;
mod pair;
mod pod;
mod screen;
mod server;
mod stage;

use std::{path::PathBuf, time::Duration};

use super::{runtime, start::complain};
use crate::{
    agent::outcome::Outcome,
    clock::Clock,
    config::env::Environment,
    process::signals::{Request, Signals},
};
use pod::Pod;
use screen::Screen;
use server::DevServer;
use stage::{Failure, Stage};

/// No run may take longer, whatever hangs.
const DEADLINE: Duration = Duration::from_secs(60);
/// Steps of the story.
const STEPS: usize = 11;
/// Lines of the agent's log that a failure shows.
const LAST_LINES: usize = 15;

/// Runs the demo; 0 only if every step held.
pub(super) fn run(environment: &Environment) -> u8 {
    let clock = Clock::system();
    let screen = Screen::new(environment, clock);
    let temp = environment.get("TMPDIR").filter(|folder| !folder.is_empty()).unwrap_or("/tmp").into();
    let outcome = runtime::block_on(async {
        match play(screen, temp, clock).await {
            Ok(()) => Outcome::Stopped,
            Err(failure) => Outcome::Internal(failure.to_string()),
        }
    });
    let message = outcome.message();
    if let Some(message) = &message {
        complain(message);
    }
    u8::from(message.is_some())
}

async fn play(screen: Screen, temp: PathBuf, clock: Clock) -> Result<(), Failure> {
    let mut signals = Signals::install()
        .map_err(|trouble| Failure::new("signals", "a way to follow them", trouble.to_string()))?;
    let server = DevServer::start(clock).await?;
    let pod = Pod::new(&temp)?;
    let mut stage = Stage { screen, clock, server, pod, child: None };
    let told = tokio::select! {
        biased;
        signal = stopped(&mut signals) => Err(Failure::new("the demo", "to reach its end", signal)),
        told = tokio::time::timeout(DEADLINE, tell(&mut stage)) => told.unwrap_or_else(|_| {
            Err(Failure::new("the demo", format!("an end within {} s", DEADLINE.as_secs()), "none"))
        }),
    };
    if told.is_err() {
        stage.screen.failed("this step did not hold; cleaning up");
        if let Some(child) = &mut stage.child {
            child.last_lines(LAST_LINES).iter().for_each(|line| stage.screen.log(line));
            child.fate().iter().for_each(|fate| stage.screen.line(fate));
        }
    }
    stage.clear_up().await;
    told
}

/// Waits until somebody wants the demo to end.
async fn stopped(signals: &mut Signals) -> String {
    loop {
        if let Request::Stop(signal) | Request::StopNow(signal) = signals.next().await {
            return format!("{signal} before that");
        }
    }
}

async fn tell(stage: &mut Stage) -> Result<(), Failure> {
    stage.screen.intro();
    opening::server_is_up(stage).await?;
    opening::pod_is_laid_out(stage).await?;
    opening::init_renders(stage).await?;
    // Now, not when the story comes to it: on a slow machine the certificate may be replaced before that.
    let reader = pair::Reader::start(stage)?;
    let credential = opening::sidecar_takes_over(stage).await?;
    health::can_be_asked(stage).await?;
    changes::secret_is_rotated(stage).await?;
    changes::lease_is_renewed(stage, &credential).await?;
    changes::credential_is_replaced(stage, &credential).await?;
    pair::is_replaced(stage, reader).await?;
    changes::template_breaks(stage).await?;
    end::nothing_is_left(stage).await?;
    stage.screen.end();
    Ok(())
}
