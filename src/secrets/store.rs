//! The one task that owns all requests: one timer queue, bounded fetches, the last good answers as a snapshot.

mod hand_over;
mod handle;
mod note;
mod slot;
mod views;
mod wall;

use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::sleep_until,
};
use tokio_util::time::DelayQueue;
use tracing::{debug, info};

pub use self::handle::{Heal, Inventory, StoreHandle};
use self::slot::Slot;
use super::{
    entry::{Answer, Effect, Entry, EntryEvent, Failure, FailureClass},
    fetch::Fetch,
    handed::Handed,
    kept,
    pki::Places,
    request::{SecretRequest, Verb, Wanted},
    schedule::{LONGEST_SLEEP, Policy, Settings},
    snapshot::{Failed, Held, Life, Snapshot},
};
use crate::{
    auth::TokenState,
    cache::KeptAnswer,
    chance::Chance,
    clock::{Clock, Moment},
    vault::lifetime::Kind,
};

/// The store's end of its channels.
pub struct Store<F> {
    fetch: Arc<F>,
    clock: Clock,
    /// The last look at the wall clock that counts.
    looked: Moment,
    settings: Settings,
    wants: mpsc::Receiver<Wanted>,
    token: watch::Receiver<TokenState>,
    heal: mpsc::Sender<Heal>,
    snapshot: watch::Sender<Snapshot>,
    slots: HashMap<SecretRequest, Slot>,
    timers: DelayQueue<SecretRequest>,
    flights: FuturesUnordered<Flight>,
    current: Option<Current>,
    /// Whether any token has come yet.
    started: bool,
    /// Generation of the last token that the server called invalid.
    refused: Option<u64>,
    /// What an earlier run left, while its token is the one in use.
    handed: Handed,
    /// A handed-over token was replaced because it may do too little, not because it is dead.
    outgrown: bool,
    inventory: mpsc::Receiver<oneshot::Sender<Vec<KeptAnswer>>>,
    /// Counts what the next run would have to know.
    stirred: watch::Sender<u64>,
    /// Grows with every slot made, so that an answer to a forgotten request is not taken for a new one's.
    serial: u64,
    chance: Chance,
}

/// An answer, with the request and the serial of its slot.
type Landed = (SecretRequest, u64, Result<Answer, Failure>);
type Flight = Pin<Box<dyn Future<Output = Landed> + Send>>;

/// Why the store woke.
enum Happened {
    Wanted(Wanted),
    Token,
    Asked(oneshot::Sender<Vec<KeptAnswer>>),
    Landed(Landed),
    Due(SecretRequest),
    Nothing,
}

#[derive(Clone, Copy)]
struct Current {
    generation: u64,
    expires: Option<tokio::time::Instant>,
    /// When that was worked out.
    since: Moment,
    /// When its login was, if it was handed over.
    handed_over: Option<std::time::SystemTime>,
}

impl<F: Fetch> Store<F> {
    /// A store and the handle to it. Nothing happens before [`Store::run`].
    pub fn new(
        fetch: F,
        clock: Clock,
        settings: Settings,
        token: watch::Receiver<TokenState>,
    ) -> (Self, StoreHandle) {
        let (wants_in, wants) = mpsc::channel(16);
        let (heal, heal_out) = mpsc::channel(16);
        let (snapshot, snapshot_out) = watch::channel(Snapshot::default());
        let (ask, inventory) = mpsc::channel(1);
        let (stirred, stirred_out) = watch::channel(0);
        let store = Self {
            fetch: Arc::new(fetch),
            clock,
            looked: clock.moment(),
            settings,
            wants,
            token,
            heal,
            snapshot,
            slots: HashMap::new(),
            timers: DelayQueue::new(),
            flights: FuturesUnordered::new(),
            current: None,
            started: false,
            refused: None,
            handed: Handed::default(),
            outgrown: false,
            inventory,
            stirred,
            serial: 0,
            chance: Chance::system(),
        };
        let inventory = Inventory { ask, stirred: stirred_out };
        (store, StoreHandle { wants: wants_in, snapshot: snapshot_out, heal: heal_out, inventory })
    }

    /// Runs until nobody wants anything any more (all handles are dropped).
    pub async fn run(mut self) {
        self.take_token();
        let mut auth_is_there = true;
        loop {
            let happened = tokio::select! {
                biased;
                wanted = self.wants.recv() => match wanted {
                    Some(wanted) => Happened::Wanted(wanted),
                    None => return,
                },
                changed = self.token.changed(), if auth_is_there => match changed {
                    Ok(()) => Happened::Token,
                    Err(_) => {
                        auth_is_there = false;
                        continue;
                    }
                },
                Some(answer) = self.inventory.recv() => Happened::Asked(answer),
                Some(landed) = self.flights.next() => Happened::Landed(landed),
                Some(expired) = self.timers.next() => Happened::Due(expired.into_inner()),
                // Timers stand still while the machine sleeps.
                () = sleep_until(self.clock.next_look()), if !self.timers.is_empty() => Happened::Nothing,
            };
            // Whatever it is, it comes after the time that passed unnoticed.
            self.look_at_the_wall();
            self.act(happened);
        }
    }

    fn act(&mut self, happened: Happened) {
        match happened {
            Happened::Wanted(wanted) => self.want(wanted),
            Happened::Token => self.take_token(),
            Happened::Asked(answer) => drop(answer.send(self.kept())),
            Happened::Landed(landed) => self.land_all(landed),
            Happened::Due(request) => {
                if let Some(slot) = self.slots.get_mut(&request) {
                    slot.timer = None;
                }
                self.feed(&request, EntryEvent::Due);
            }
            Happened::Nothing => {}
        }
    }

    fn want(&mut self, wanted: Wanted) {
        let Wanted { requests: wanted, mut places, mut rules } = wanted;
        let gone: Vec<SecretRequest> =
            self.slots.keys().filter(|request| !wanted.contains(*request)).cloned().collect();
        for request in &gone {
            debug!(target: "agent.store", %request, "no template uses this secret any more");
            if let Some(key) = self.slots.remove(request).and_then(|slot| slot.timer) {
                self.timers.remove(&key);
            }
        }
        if !gone.is_empty() {
            self.publish(|_, answers, failed| {
                for request in &gone {
                    answers.remove(request);
                    failed.remove(request);
                }
            });
        }
        let (mut fresh, mut ruled) = (Vec::new(), Vec::new());
        for request in wanted {
            let (places, rules) = (places.remove(&request).unwrap_or_default(), rules.remove(&request));
            if let Some(slot) = self.slots.get_mut(&request) {
                slot.places = places;
                if slot.rules != rules {
                    slot.rules = rules;
                    ruled.push(request);
                }
                continue;
            }
            self.serial += 1;
            self.slots.insert(request.clone(), Slot::new(self.serial, places, rules, self.clock));
            fresh.push(request);
        }
        self.obey_rules(ruled);
        if let Some(Current { generation, .. }) = self.current {
            self.begin(fresh, &EntryEvent::Token { generation, dead: false, old_expires: None });
        }
    }

    fn take_token(&mut self) {
        let state = self.token.borrow_and_update().clone();
        if state.token().is_none() {
            return;
        }
        let now = self.clock.now();
        let current = Current::of(&state, self.clock);
        let old = self.current.replace(current).filter(|old| old.generation != current.generation);
        if old.is_none() && self.started {
            return;
        }
        self.started = true;
        if state.login.as_ref().is_none_or(|login| !login.handed_over) {
            // What was left hangs off a token that is not in use.
            self.handed = Handed::default();
        }
        let outgrown = std::mem::take(&mut self.outgrown);
        let event = EntryEvent::Token {
            generation: current.generation,
            dead: old.is_some_and(|old| {
                (self.refused == Some(old.generation) && !outgrown)
                    || old.expires.is_some_and(|end| end <= now)
            }),
            old_expires: old.and_then(|old| old.expires),
        };
        let requests: Vec<SecretRequest> = self.slots.keys().cloned().collect();
        self.begin(requests, &event);
        if old.is_some() {
            self.publish_lives();
        }
    }

    /// Takes one answer and all others that are already there, then publishes once.
    fn land_all(&mut self, first: Landed) {
        let mut landed = vec![first];
        while let Some(Some(next)) = futures_util::FutureExt::now_or_never(self.flights.next()) {
            landed.push(next);
        }
        let (mut news, mut stirs, mut failures) = (Vec::new(), false, 0);
        for (request, serial, result) in landed {
            let Some(slot) = self.slots.get(&request).filter(|slot| slot.serial == serial) else { continue };
            let (is_renewal, succeeded) = (slot.entry.is_renewing(), result.is_ok());
            note::landed(&request, &result, is_renewal);
            stirs |= is_renewal && succeeded;
            failures += u64::from(!succeeded);
            let result = result.map_err(|failure| self.judged(failure, is_renewal));
            self.feed(&request, EntryEvent::Answered(result));
            if let Some(slot) = self.slots.get(&request) {
                let life = self.life(&request, &slot.entry, succeeded);
                news.push((request, slot.entry.good().cloned(), life, views::failed(&slot.entry)));
            }
        }
        self.snapshot.send_if_modified(|snapshot| {
            snapshot.failures += failures;
            false
        });
        self.publish(|generation, answers, failures| {
            for (request, good, life, failed) in news {
                match (good, answers.get_mut(&request)) {
                    (Some(secret), Some(known)) if views::same_meaning(&known.secret, &secret) => {
                        known.life = life
                    }
                    (Some(secret), _) => {
                        stirs = true;
                        answers.insert(request.clone(), Held { secret, since: generation, life });
                    }
                    (None, _) => {}
                }
                match failed {
                    Some(failed) => failures.insert(request, failed),
                    None => failures.remove(&request),
                };
            }
        });
        if stirs {
            self.stir();
        }
    }

    fn feed(&mut self, request: &SecretRequest, event: EntryEvent) {
        let Some(slot) = self.slots.get_mut(request) else { return };
        let mut policy = Policy::new(&self.settings, self.clock, &self.chance).by(slot.rules);
        let effect = slot.entry.on(event, &request.verb, &mut policy);
        self.carry_out(request, effect);
    }

    fn carry_out(&mut self, request: &SecretRequest, effect: Effect) {
        let Some(slot) = self.slots.get_mut(request) else { return };
        if !matches!(effect, Effect::Nothing) {
            slot.since = self.clock.moment();
            if let Some(key) = slot.timer.take() {
                self.timers.remove(&key);
            }
        }
        match effect {
            Effect::Nothing => {}
            Effect::Sleep(until) => {
                let wait = until.saturating_duration_since(self.clock.now()).min(LONGEST_SLEEP);
                slot.timer = Some(self.timers.insert(request.clone(), wait));
            }
            Effect::Park { heal } => {
                if heal
                    && let Some(current) = &self.current
                    && self.refused != Some(current.generation)
                {
                    self.refused = Some(current.generation);
                    // A full channel means that the wish is already known.
                    let kind = if self.outgrown { Heal::Outgrown } else { Heal::Invalid };
                    let _ = self.heal.try_send(kind(current.generation));
                }
            }
            Effect::Fetch { repeat: false } if let Some(answer) = self.on_disk(request) => {
                info!(target: "agent.store", %request, "the certificate on disk is still good");
                self.launch(request, |_, _| Box::pin(std::future::ready(Ok(answer))));
            }
            Effect::Fetch { repeat } => self.launch(request, move |fetch, request| {
                Box::pin(async move { fetch.fetch(request, repeat).await })
            }),
            Effect::Renew(secret) => self.launch(request, move |fetch, request| {
                Box::pin(async move { fetch.renew(request, secret).await })
            }),
        }
    }

    /// A certificate that needs no request, because files hold it. Looked for once, before the first request.
    fn on_disk(&self, request: &SecretRequest) -> Option<Answer> {
        let (Verb::Issue(fields), Some(slot)) = (&request.verb, self.slots.get(request)) else { return None };
        let now = self.clock.unix_seconds();
        let threshold = slot.rules.unwrap_or(self.settings.rules).threshold;
        let secret = kept::certificate(&slot.places, fields, threshold, now)?;
        let token = self.current.map_or(0, |current| current.generation);
        Some(Answer { secret: Arc::new(secret), kind: Kind::Other, token })
    }

    fn launch<S>(&mut self, request: &SecretRequest, send: S)
    where
        S: FnOnce(Arc<F>, SecretRequest) -> Pin<Box<dyn Future<Output = Result<Answer, Failure>> + Send>>,
    {
        let Some(slot) = self.slots.get(request) else { return };
        let answer = send(self.fetch.clone(), request.clone());
        let (request, serial) = (request.clone(), slot.serial);
        self.flights.push(Box::pin(async move { (request, serial, answer.await) }));
    }

    fn publish(
        &self,
        change: impl FnOnce(u64, &mut HashMap<SecretRequest, Held>, &mut HashMap<SecretRequest, Failed>),
    ) {
        self.snapshot.send_modify(|snapshot| {
            snapshot.generation += 1;
            change(
                snapshot.generation,
                Arc::make_mut(&mut snapshot.answers),
                Arc::make_mut(&mut snapshot.failed),
            );
        });
    }
}

#[cfg(test)]
mod tests;
