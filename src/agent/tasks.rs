//! A run: the tasks side by side, the loop in front of them, and the end in order.

use std::sync::Arc;

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    announce::announce, build::Parts, ending::Rest, endpoints::Servers, event::Signal, handover::Place,
    outcome::Outcome, programs::Programs, readiness::Readiness, reconcile::Reconcile, report::Reporter,
    revoke,
};
use crate::{
    auth::{Handle, TokenState, auto_auth::AutoAuth},
    cache::{Contents, KeptAnswer, KeptToken},
    chance::Chance,
    problem::chain,
    process::{
        reap,
        service_manager::{ServiceManager, State},
        signals::{Request, Signals},
    },
    secrets::{
        fetch::{self, VaultFetch},
        handed::Handed,
        store::{Heal, Store, StoreHandle},
    },
    watch::Watch,
};

/// Why a run ended that was asked to stop for the second time.
const HURRIED: &str = "stopped before everything was put in order";

/// Runs until the end and cleans up; `reload` is called at each SIGHUP. Needs a current-thread runtime with I/O and
/// time.
pub async fn run(mut parts: Parts, reload: impl FnMut() + Send + 'static) -> Outcome {
    let (mut tasks, mut logins, mut watchers) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
    let (signals, queue) = mpsc::channel(16);
    let hurry = CancellationToken::new();
    let heard = (signals.clone(), hurry.clone());
    if let Err(trouble) = follow_signals(&mut watchers, heard, parts.service_manager.clone(), reload) {
        return Outcome::Internal(format!("can't follow signals: {trouble}"));
    }
    let pid_file = parts.pid_file.take();
    let place = Place::of(&parts.config);
    let (kept, answers) = match place.as_ref().and_then(Place::read) {
        Some(Contents { token, answers, .. }) => (Some(token), answers),
        None => (None, Vec::new()),
    };
    let revoke = revoke::asked_for(&parts.config);
    let handle = log_in((&mut logins, &mut tasks), &mut parts, (kept, revoke), &signals);
    let token = handle
        .as_ref()
        .map_or_else(|| watch::channel(TokenState::default()).1, |handle| handle.token.clone());
    let store_handle = keep_secrets(&mut tasks, &parts, &token, answers);
    let handover =
        place.map(|place| place.keep(&mut tasks, parts.clock, token.clone(), store_handle.inventory.clone()));
    // The store is asked once more when the loop in front of it is over.
    let store_stays = store_handle.wants.clone();
    let login = handle.as_ref().map(|handle| (handle.token.clone(), handle.progress.clone()));
    if let Some(handle) = handle.clone() {
        tasks.spawn(heal(handle, store_handle.heal));
    }
    announce_beside_login(&parts).await;
    let (service_manager, gate) = (parts.service_manager.clone(), parts.gate.clone());
    let (servers, asks) = Servers::start(&mut parts, &signals);
    let readiness = Readiness::start(parts.clock, service_manager.clone(), &parts.config.status);
    let reconcile = Reconcile {
        asks,
        reporter: Reporter::new(parts.clock, login, gate.clone(), parts.broken),
        readiness,
        templates: parts.templates,
        plan: parts.plan,
        snapshot: store_handle.snapshot,
        wants: store_handle.wants,
        rules: parts.settings.rules,
        identity: parts.identity,
        world: parts.world,
        programs: Programs::new(parts.command_env.clone()),
        command_env: parts.command_env,
        signals: queue,
        watch: Watch::new(parts.clock),
        clock: parts.clock,
        deadline: parts.config.init_deadline.map(|limit| parts.clock.now() + limit),
    };
    let outcome = tokio::select! {
        outcome = reconcile.run() => outcome,
        outcome = a_panic_of_any([&mut tasks, &mut logins, &mut watchers]) => outcome,
    };
    let rest = Rest {
        service_manager,
        servers,
        revoke: handle.filter(|_| revoke),
        logins,
        handover,
        store_stays,
        tasks,
        gate,
        clock: parts.clock,
    };
    // Whoever asks to stop a second time doesn't want to wait for any of that.
    let in_order = hurry.run_until_cancelled(rest.put_in_order(&outcome)).await.is_some();
    drop((watchers, pid_file, signals));
    if in_order { outcome } else { Outcome::Internal(HURRIED.into()) }
}

/// Says what there is to do once the tasks have had their first turns: connection and login are on their way while
/// templates are announced and evaluated for the first time, which takes longer than either.
async fn announce_beside_login(parts: &Parts) {
    const TURNS: usize = 3;
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
    announce(&parts.config, &parts.broken);
}

/// The store, with what was handed over.
fn keep_secrets(
    tasks: &mut JoinSet<()>,
    parts: &Parts,
    token: &watch::Receiver<TokenState>,
    answers: Vec<KeptAnswer>,
) -> StoreHandle {
    let inner_retries = parts.config.vault.max_retries.unwrap_or(fetch::INNER_RETRIES);
    let fetch = VaultFetch::new(parts.gate.clone(), token.clone(), parts.clock, inner_retries);
    let (store, handle) = Store::new(fetch, parts.clock, parts.settings.clone(), token.clone());
    tasks.spawn(store.begin_with(Handed::new(answers)).run());
    handle
}

/// Tells auto-auth when its token has to be replaced.
async fn heal(handle: Handle, mut wishes: mpsc::Receiver<Heal>) {
    while let Some(wish) = wishes.recv().await {
        match wish {
            Heal::Invalid(generation) => handle.token_refused(generation),
            Heal::Outgrown(generation) => handle.token_outgrown(generation),
        }
    }
}

/// Auto-auth and the sinks, when there is something to log in with.
fn log_in(
    (logins, tasks): (&mut JoinSet<()>, &mut JoinSet<()>),
    parts: &mut Parts,
    (kept, revoke): (Option<KeptToken>, bool),
    signals: &mpsc::Sender<Signal>,
) -> Option<Handle> {
    let config = parts.config.auto_auth.as_ref()?;
    let (auto_auth, handle) = AutoAuth::new(config, parts.gate.clone(), parts.clock, Chance::system());
    let gave_up = signals.clone();
    logins.spawn(async move {
        let trouble = auto_auth.begin_with(kept).keeping_superseded(revoke).run().await;
        let _ = gave_up.send(Signal::AuthFailed(chain(&trouble))).await;
    });
    if let Some((sinks, mut written)) = parts.sinks.take() {
        tasks.spawn(sinks.run(handle.token.clone(), parts.gate.clone()));
        let (mut token, done) = (handle.token.clone(), signals.clone());
        tasks.spawn(async move {
            if token.wait_for(|state| state.generation() > 0).await.is_ok() {
                written.all(1).await;
                let _ = done.send(Signal::SinksDone).await;
            }
        });
    }
    Some(handle)
}

fn follow_signals(
    tasks: &mut JoinSet<()>,
    (queue, hurry): (mpsc::Sender<Signal>, CancellationToken),
    service_manager: Arc<ServiceManager>,
    mut reload: impl FnMut() + Send + 'static,
) -> std::io::Result<()> {
    let mut signals = Signals::install()?;
    tasks.spawn(async move {
        loop {
            match signals.next().await {
                Request::Stop(signal) => {
                    info!(target: "agent", %signal, "shutdown triggered");
                    let _ = queue.send(Signal::Stop).await;
                }
                Request::StopNow(signal) => {
                    warn!(target: "agent", %signal, "asked to stop for the second time, ending at once");
                    hurry.cancel();
                    let _ = queue.try_send(Signal::Broken(HURRIED.into()));
                }
                Request::Reload => {
                    service_manager.notify(State::Reloading);
                    reload();
                    service_manager.notify(State::Ready);
                }
            }
        }
    });
    if reap::is_needed() {
        tasks.spawn(async {
            if let Err(trouble) = reap::reap_orphans().await {
                warn!(target: "agent", error = %trouble, "can't collect orphaned processes");
            }
        });
    }
    Ok(())
}

async fn a_panic_of_any([a, b, c]: [&mut JoinSet<()>; 3]) -> Outcome {
    tokio::select! {
        outcome = a_panic_of(a) => outcome,
        outcome = a_panic_of(b) => outcome,
        outcome = a_panic_of(c) => outcome,
    }
}

/// Tasks may end; one that panics ends the run, since nobody else would do its work.
async fn a_panic_of(tasks: &mut JoinSet<()>) -> Outcome {
    while let Some(ended) = tasks.join_next().await {
        if ended.is_err_and(|trouble| trouble.is_panic()) {
            return Outcome::Internal("a part of the agent broke; the log says where".into());
        }
    }
    std::future::pending().await
}
