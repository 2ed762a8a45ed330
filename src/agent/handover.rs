//! The hand-over beside a run: what an earlier one left is read at the start, and what this one knows is written
//! whenever it changes, so that whoever comes next needs no login and no new credential.

use std::{path::Path, time::Duration};

use ring::digest::{SHA256, digest};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::timeout,
};
use tracing::{debug, info, warn};
use zeroize::Zeroizing;

use crate::{
    auth::{TokenState, approle},
    cache::{
        Contents, KeptToken,
        handover::{self, Unusable},
    },
    clock::Clock,
    config::{AutoAuthConfig, Config, HandoverConfig, MethodKind},
    origin::Origin,
    secrets::store::Inventory,
    watch::Watch,
};

const TARGET: &str = "agent.handover";
/// All the time that the last write has.
const LAST_WRITE: Duration = Duration::from_secs(2);
/// Changes that come closer together than this are written once.
const PAUSE: Duration = Duration::from_secs(1);

/// What couldn't be written is tried again after this.
const RETRY: Duration = Duration::from_secs(30);

/// Where things are handed over, once it is known that there is such a place.
#[derive(Debug)]
pub struct Place {
    config: HandoverConfig,
    identity: String,
    /// The run ends after the first render; nobody looks whether the JWT rotates.
    once: bool,
}

/// How a run ends, as far as the next one is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The next run goes on with the token.
    Keep,
    /// The token is about to be revoked.
    Remove,
}

/// Tells the keeper that the run is over.
pub struct Ending(mpsc::Sender<(End, oneshot::Sender<bool>)>);

impl Ending {
    /// Says it and waits, at most 2 s; whether the next run can go on with the token.
    pub async fn with(self, end: End) -> bool {
        let (done, wait) = oneshot::channel();
        let told = async { self.0.send((end, done)).await.is_ok() && wait.await.unwrap_or(false) };
        timeout(LAST_WRITE, told).await.unwrap_or(false)
    }
}

impl Place {
    /// The place that is configured, if there is something to hand over and a folder for it.
    pub fn of(config: &Config) -> Option<Self> {
        let (handover, login) = (config.handover.as_ref()?, config.auto_auth.as_ref()?);
        if !handover.folder.is_dir() {
            if handover.origin != Origin::Default {
                let folder = handover.folder.display();
                warn!(target: TARGET, "{}: the folder {folder} is not there, nothing is handed over", handover.origin);
            }
            return None;
        }
        Some(Self {
            config: handover.clone(),
            identity: identity(&config.vault.address, login),
            once: config.exit_after_auth,
        })
    }

    /// What an earlier run left for one like this.
    pub fn read(&self) -> Option<Contents> {
        match handover::read(&self.config) {
            Ok(contents) if contents.identity == self.identity => Some(contents),
            Ok(_) => {
                debug!(target: TARGET, "what is handed over belongs to another server, mount or role");
                None
            }
            // A folder that is used for the first time is no news.
            Err(Unusable::Absent) => None,
            Err(why) => {
                debug!(target: TARGET, folder = %self.config.folder.display(), %why, "nothing is taken over");
                None
            }
        }
    }

    /// Keeps the file up to date from now on.
    pub fn keep(
        self,
        tasks: &mut JoinSet<()>,
        clock: Clock,
        token: watch::Receiver<TokenState>,
        inventory: Inventory,
    ) -> Ending {
        let (ending, told) = mpsc::channel(1);
        let keeper = Keeper { place: self, clock, token, inventory, sealed_with: None, said: None };
        tasks.spawn(keeper.run(told));
        Ending(ending)
    }
}

struct Keeper {
    place: Place,
    clock: Clock,
    token: watch::Receiver<TokenState>,
    inventory: Inventory,
    /// The JWT that the file opens with.
    sealed_with: Option<Zeroizing<String>>,
    /// The last trouble, so that it is said once.
    said: Option<String>,
}

impl Keeper {
    async fn run(mut self, mut told: mpsc::Receiver<(End, oneshot::Sender<bool>)>) {
        let mut rotation = Watch::new(self.clock);
        if !self.place.once {
            rotation.set([self.place.config.jwt.clone()]);
        }
        let (mut auth_is_there, mut store_is_there, mut unsaved) = (true, true, false);
        let mut next = self.clock.now();
        loop {
            tokio::select! {
                end = told.recv() => {
                    let Some((end, done)) = end else { return };
                    let _ = done.send(self.end(end).await);
                    return;
                }
                changed = self.token.changed(), if auth_is_there => match changed {
                    Ok(()) => unsaved = true,
                    Err(_) => auth_is_there = false,
                },
                stirred = self.inventory.stirred.changed(), if store_is_there => match stirred {
                    Ok(()) => unsaved = true,
                    Err(_) => store_is_there = false,
                },
                _ = rotation.changed() => unsaved |= self.jwt_is_another(),
                () = tokio::time::sleep_until(next), if unsaved => {}
            }
            if unsaved && self.clock.now() >= next {
                unsaved = self.save().await.is_err();
                next = self.clock.now() + if unsaved { RETRY } else { PAUSE };
            }
        }
    }

    async fn end(&mut self, end: End) -> bool {
        match end {
            End::Keep => self.save().await.unwrap_or(false),
            End::Remove => {
                if let Err(trouble) = handover::remove(&self.place.config) {
                    debug!(target: TARGET, error = %trouble, "can't remove what was handed over");
                }
                false
            }
        }
    }

    fn jwt_is_another(&self) -> bool {
        let now = handover::jwt(&self.place.config.jwt).ok();
        now.is_some() && now != self.sealed_with
    }

    /// Whether the next run can go on with the token.
    ///
    /// # Errors
    /// It couldn't be written, which is said already.
    async fn save(&mut self) -> Result<bool, ()> {
        let state = self.token.borrow_and_update().clone();
        self.inventory.stirred.borrow_and_update();
        let Some(login) = state.login.filter(|login| login.wrapped.is_none()) else { return Ok(false) };
        let token = KeptToken {
            token: login.token.clone(),
            accessor: login.accessor.clone(),
            issued: login.issued,
            ttl: login.ttl,
            expires: login.expires,
            renewable: login.renewable,
            policies: login.policies.clone(),
        };
        let answers = self.inventory.take().await;
        let contents = Contents { identity: self.place.identity.clone(), token, answers };
        match handover::write(&self.place.config, &contents) {
            Ok(sealed_with) => {
                debug!(target: TARGET, secrets = contents.answers.len(), "wrote what is handed over");
                self.sealed_with = Some(sealed_with);
                self.said = None;
                Ok(true)
            }
            Err(trouble) => {
                self.say(&trouble);
                Err(())
            }
        }
    }

    fn say(&mut self, trouble: &handover::SaveError) {
        let message = trouble.to_string();
        if self.said.as_ref() == Some(&message) {
            return;
        }
        let folder = self.place.config.folder.display();
        // A pod without a JWT has nothing to protect a hand-over with; that is no trouble unless somebody wants one.
        if matches!(trouble, handover::SaveError::NoJwt(_)) && self.place.config.origin == Origin::Default {
            info!(target: TARGET, %folder, "nothing is handed over: {message}");
        } else {
            warn!(target: TARGET, %folder, "can't write what is to be handed over: {message}");
        }
        self.said = Some(message);
    }
}

/// What makes two runs alike: the same login at the same server.
fn identity(address: &str, login: &AutoAuthConfig) -> String {
    let method = &login.method;
    let app_role;
    let (name, role) = match &method.kind {
        MethodKind::Kubernetes { role, .. } => ("kubernetes", role.as_str()),
        MethodKind::Jwt { role, .. } => ("jwt", role.as_str()),
        MethodKind::AppRole { role_id_path, secret_id_path, .. } => {
            app_role = app_role_of(role_id_path, secret_id_path.as_deref());
            ("approle", app_role.as_str())
        }
        MethodKind::Cert { name, .. } => ("cert", name.as_deref().unwrap_or_default()),
        MethodKind::TokenFile { .. } => ("token_file", ""),
    };
    let namespace = method.namespace.as_ref().map_or("", |namespace| namespace.as_str());
    [address.trim_end_matches('/'), namespace, name, &method.mount_path, role].join("\n")
}

/// An AppRole has no name here: its role ID tells it apart, as a hash, and so do the places of its files.
fn app_role_of(role_id: &Path, secret_id: Option<&Path>) -> String {
    let digest = approle::role_id(role_id).map(|id| digest(&SHA256, id.as_bytes()));
    let secret_id = secret_id.unwrap_or(Path::new(""));
    format!("{}\n{}\n{digest:?}", role_id.display(), secret_id.display())
}

#[cfg(test)]
mod tests;
