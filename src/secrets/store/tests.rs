use std::{
    collections::BTreeSet,
    sync::Mutex,
    time::{Duration, SystemTime},
};

use tokio::sync::oneshot;

use super::*;
use crate::{
    auth::{AuthId, Login},
    secrets::request::Verb,
    vault::{lifetime::Rules, path::VaultPath, secret::Secret},
};

/// A server that writes down what is asked, and answers when and as the test says.
#[derive(Clone, Default)]
pub(super) struct Fake(Arc<Mutex<FakeState>>);

/// Where the answer goes, and the token that the request was sent with.
type Waiting = (oneshot::Sender<Result<Answer, Failure>>, u64);

#[derive(Default)]
struct FakeState {
    asked: Vec<String>,
    waiting: HashMap<String, Vec<Waiting>>,
    /// The tokens that requests are sent with.
    tokens: Option<watch::Receiver<TokenState>>,
}

impl Fake {
    async fn ask(&self, what: String) -> Result<Answer, Failure> {
        let (answer, wait) = oneshot::channel();
        {
            let mut state = self.0.lock().unwrap();
            state.asked.push(what.clone());
            let token = state.tokens.as_ref().map_or(0, |tokens| tokens.borrow().generation());
            state.waiting.entry(what).or_default().push((answer, token));
        }
        wait.await.unwrap()
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.clone()
    }

    pub(super) fn answer(&self, what: &str, answer: Result<Secret, FailureClass>) {
        let waiting = self.0.lock().unwrap().waiting.get_mut(what).and_then(Vec::pop);
        let (waiting, token) = waiting.unwrap_or_else(|| panic!("nobody asked for {what}"));
        let answer = answer
            .map(|secret| Answer {
                secret: Arc::new(secret),
                kind: crate::vault::lifetime::Kind::Other,
                token,
            })
            .map_err(|class| Failure { class, message: "no".into(), retry_after: None });
        waiting.send(answer).unwrap();
    }
}

impl Fetch for Fake {
    async fn fetch(&self, request: SecretRequest, _repeat: bool) -> Result<Answer, Failure> {
        self.ask(request.to_string()).await
    }

    async fn renew(&self, request: SecretRequest, _secret: Arc<Secret>) -> Result<Answer, Failure> {
        self.ask(format!("renew {}", request.path)).await
    }
}

pub(super) fn request(path: &str) -> SecretRequest {
    let (path, params) = VaultPath::parse(path).unwrap();
    SecretRequest { auth: AuthId::default(), namespace: None, verb: Verb::Read, path, params }
}

pub(super) fn token(generation: u64, seconds: u64, clock: Clock) -> TokenState {
    let login = Login {
        issued: clock.wall(),
        ttl: Duration::from_secs(seconds),
        expires: Some(clock.wall() + Duration::from_secs(seconds)),
        renewable: true,
        ..Login::sample("hvs.x", generation)
    };
    TokenState { login: Some(Arc::new(login)), ..TokenState::default() }
}

pub(super) struct Bench {
    pub(super) server: Fake,
    pub(super) clock: Clock,
    pub(super) tokens: watch::Sender<TokenState>,
    pub(super) handle: StoreHandle,
    task: tokio::task::JoinHandle<()>,
}

impl Bench {
    pub(super) fn start() -> Self {
        Self::start_with(Handed::default())
    }

    #[expect(clippy::disallowed_methods, reason = "the test plays the agent")]
    pub(super) fn start_with(handed: Handed) -> Self {
        let clock = Clock::starting_at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
        let settings = Settings {
            rules: Rules {
                static_interval: Duration::from_secs(300),
                static_interval_is_set: false,
                threshold: 0.9,
            },
            retry_base: Duration::from_millis(250),
            retry_cap: Duration::from_secs(60),
            retries: Some(12),
        };
        let (tokens, watched) = watch::channel(TokenState::default());
        let server = Fake::default();
        server.0.lock().unwrap().tokens = Some(watched.clone());
        let (mut store, handle) = Store::new(server.clone(), clock, settings, watched);
        // The first renewal may be due at any time of the first three quarters; here it is in their middle.
        store.chance = Chance::fixed(0.5);
        let task = tokio::spawn(store.begin_with(handed).run());
        Self { server, clock, tokens, handle, task }
    }

    /// The same with refresh rules for all of them: an interval in seconds, a threshold.
    async fn want_by(&self, paths: &[&str], (interval, threshold): (u64, f64)) {
        let requests: BTreeSet<SecretRequest> = paths.iter().map(|path| request(path)).collect();
        let static_interval = Duration::from_secs(interval);
        let rules = Rules { static_interval, static_interval_is_set: true, threshold };
        let rules = requests.iter().map(|request| (request.clone(), rules)).collect();
        self.handle.wants.send(Wanted { requests, rules, ..Wanted::default() }).await.unwrap();
        self.settle().await;
    }

    /// The machine sleeps so long, or the clock is set.
    async fn jump(&self, seconds: i64) {
        self.clock.set(seconds);
        self.pass(61).await;
    }

    pub(super) async fn want(&self, paths: &[&str]) {
        let wanted: BTreeSet<SecretRequest> = paths.iter().map(|path| request(path)).collect();
        self.handle.wants.send(wanted.into()).await.unwrap();
        self.settle().await;
    }

    /// Lets everything that is ready happen; paused time stands still meanwhile.
    pub(super) async fn settle(&self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            tokio::time::advance(Duration::from_secs(1)).await;
            self.settle().await;
        }
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.handle.snapshot.borrow().get(&request(path)).is_some()
    }
}

pub(super) fn leased(seconds: i64) -> Secret {
    Secret { lease_id: "l".into(), lease_duration: seconds, renewable: true, ..Secret::default() }
}

#[tokio::test(start_paused = true)]
async fn a_token_starts_every_request_side_by_side_and_answers_land_in_the_snapshot() {
    let bench = Bench::start();
    bench.want(&["kv/a", "kv/b"]).await;
    assert!(bench.server.asked().is_empty(), "no token, no request");
    bench.tokens.send(token(1, 3600, bench.clock)).unwrap();
    bench.settle().await;
    let mut asked = bench.server.asked();
    asked.sort();
    assert_eq!(asked, ["read kv/a", "read kv/b"]);
    bench.server.answer("read kv/b", Ok(Secret::default()));
    bench.settle().await;
    assert!(bench.has("kv/b") && !bench.has("kv/a"));
}

#[tokio::test(start_paused = true)]
async fn one_that_always_fails_leaves_the_others_quiet() {
    let bench = Bench::start();
    bench.tokens.send(token(1, 360_000, bench.clock)).unwrap();
    bench.want(&["kv/bad", "db/good"]).await;
    bench.server.answer("read db/good", Ok(leased(100_000)));
    bench.settle().await;
    for _ in 0..600 {
        if bench
            .server
            .0
            .lock()
            .unwrap()
            .waiting
            .get("read kv/bad")
            .is_some_and(|waiting| !waiting.is_empty())
        {
            bench.server.answer("read kv/bad", Err(FailureClass::Denied));
        }
        bench.pass(1).await;
    }
    let asked = bench.server.asked();
    assert_eq!(asked.iter().filter(|what| *what == "read db/good").count(), 1);
    let bad = asked.iter().filter(|what| *what == "read kv/bad").count();
    assert!((12..20).contains(&bad), "{bad} tries in ten minutes");
    let snapshot = bench.handle.snapshot.borrow();
    assert_eq!(snapshot.failed[&request("kv/bad")].class, FailureClass::Denied);
}

#[tokio::test(start_paused = true)]
async fn a_new_token_re_reads_nothing_that_lives_on() {
    let bench = Bench::start();
    bench.tokens.send(token(1, 36_000, bench.clock)).unwrap();
    bench.want(&["kv/a", "db/b"]).await;
    bench.server.answer("read kv/a", Ok(Secret::default()));
    bench.server.answer("read db/b", Ok(leased(36_000)));
    bench.settle().await;
    bench.tokens.send(token(2, 36_000, bench.clock)).unwrap();
    bench.pass(60).await;
    assert_eq!(bench.server.asked().len(), 2, "{:?}", bench.server.asked());
}

#[tokio::test(start_paused = true)]
async fn an_invalid_token_is_reported_once_and_its_leases_are_read_anew_with_the_next() {
    let mut bench = Bench::start();
    bench.tokens.send(token(1, 36_000, bench.clock)).unwrap();
    bench.want(&["kv/a", "kv/b", "db/c"]).await;
    bench.server.answer("read db/c", Ok(leased(36_000)));
    bench.server.answer("read kv/a", Err(FailureClass::InvalidToken));
    bench.server.answer("read kv/b", Err(FailureClass::InvalidToken));
    bench.settle().await;
    assert_eq!(bench.handle.heal.try_recv(), Ok(Heal::Invalid(1)));
    assert!(bench.handle.heal.try_recv().is_err(), "one wish per token");
    bench.tokens.send(token(2, 36_000, bench.clock)).unwrap();
    bench.settle().await;
    let mut again = bench.server.asked().split_off(3);
    again.sort();
    assert_eq!(again, ["read db/c", "read kv/a", "read kv/b"]);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_wants_is_forgotten_and_a_late_answer_changes_nothing() {
    let bench = Bench::start();
    bench.tokens.send(token(1, 36_000, bench.clock)).unwrap();
    bench.want(&["kv/a"]).await;
    bench.want(&[]).await;
    bench.want(&["kv/a"]).await;
    assert_eq!(bench.server.asked().len(), 2);
    // The second question is answered first; the first answer belongs to a request that is gone.
    bench.server.answer("read kv/a", Ok(Secret { request_id: "new".into(), ..Secret::default() }));
    bench.settle().await;
    bench.server.answer("read kv/a", Ok(leased(5)));
    bench.settle().await;
    assert_eq!(bench.handle.snapshot.borrow().get(&request("kv/a")).unwrap().request_id, "new");
    bench.want(&[]).await;
    assert!(!bench.has("kv/a"));
}

#[tokio::test(start_paused = true)]
async fn an_equal_answer_is_no_news() {
    let bench = Bench::start();
    bench.tokens.send(token(1, 36_000, bench.clock)).unwrap();
    bench.want(&["kv/a"]).await;
    bench.server.answer("read kv/a", Ok(Secret { request_id: "1".into(), ..Secret::default() }));
    bench.settle().await;
    let before = bench.handle.snapshot.borrow().get(&request("kv/a")).unwrap().clone();
    bench.pass(290).await;
    bench.server.answer("read kv/a", Ok(Secret { request_id: "2".into(), ..Secret::default() }));
    bench.settle().await;
    let after = bench.handle.snapshot.borrow().get(&request("kv/a")).unwrap().clone();
    assert!(Arc::ptr_eq(&before, &after));
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_nobody_listens() {
    let Bench { handle, task, tokens, .. } = Bench::start();
    drop(handle);
    drop(tokens);
    tokio::time::timeout(Duration::from_secs(1), task).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_good_certificate_on_disk_needs_no_request_until_it_is_due() {
    let bench = Bench::start();
    let now = i64::try_from(bench.clock.unix_seconds()).unwrap();
    let time = |offset| time::OffsetDateTime::from_unix_timestamp(now + offset).unwrap();
    let mut params = rcgen::CertificateParams::new(["a".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (time(-100), time(900));
    let key = rcgen::KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem() + &key.serialize_pem();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cert.pem");
    std::io::Write::write_all(&mut std::fs::File::create(&file).unwrap(), pem.as_bytes()).unwrap();

    let (path, params) = VaultPath::parse("pki/issue/web").unwrap();
    let issue = |name: &str| SecretRequest {
        verb: Verb::Issue([("common_name".into(), name.into())].into()),
        path: path.clone(),
        params: params.clone(),
        ..request("x")
    };
    let places = Places { files: [file].into(), key: true, authority: false };
    let wanted = Wanted {
        rules: Default::default(),
        requests: [issue("a"), issue("b")].into(),
        places: [(issue("a"), places.clone()), (issue("b"), places)].into(),
    };
    bench.handle.wants.send(wanted).await.unwrap();
    bench.tokens.send(token(1, 3600, bench.clock)).unwrap();
    bench.settle().await;
    assert_eq!(bench.server.asked(), ["issue pki/issue/web"], "another name is another certificate");
    assert!(bench.handle.snapshot.borrow().get(&issue("a")).is_some());
    assert!(bench.handle.snapshot.borrow().get(&issue("b")).is_none());
    bench.pass(760).await;
    assert_eq!(bench.server.asked().len(), 1);
    bench.pass(80).await;
    assert_eq!(bench.server.asked().len(), 2, "due, although the file still holds it");
}

#[tokio::test(start_paused = true)]
async fn stricter_rules_of_a_late_user_bring_the_next_read_forward() {
    let bench = Bench::start();
    bench.tokens.send(token(1, 360_000, bench.clock)).unwrap();
    bench.want(&["kv/a", "db/b", "db/c"]).await;
    bench.server.answer("read kv/a", Ok(Secret::default()));
    bench.server.answer("read db/b", Ok(leased(100_000)));
    bench.server.answer("read db/c", Ok(Secret { renewable: false, ..leased(1000) }));
    bench.settle().await;
    bench.want_by(&["kv/a", "db/b", "db/c"], (20, 0.5)).await;
    assert_eq!(bench.server.asked().len(), 3, "nothing is asked for just because somebody else uses it");
    bench.pass(11).await;
    assert_eq!(bench.server.asked()[3..], ["read kv/a"]);
    bench.server.answer("read kv/a", Ok(Secret::default()));
    bench.pass(6).await;
    bench.want_by(&["kv/a", "db/b", "db/c"], (4, 0.5)).await;
    assert_eq!(bench.server.asked()[4..], ["read kv/a"], "that time is over already");
    bench.pass(490).await;
    assert_eq!(bench.server.asked()[5..], ["read db/c"], "a lease is read by the lower threshold");
}

#[tokio::test(start_paused = true)]
async fn what_is_over_after_weeks_of_sleep_is_asked_for_within_a_minute_and_once() {
    let bench = Bench::start();
    bench.tokens.send(token(1, 100 * 24 * 3600, bench.clock)).unwrap();
    let weeks = 3 * 7 * 24 * 3600;
    bench.want(&["kv/a", "db/ends", "db/lives"]).await;
    bench.server.answer("read kv/a", Ok(Secret::default()));
    bench.server.answer("read db/ends", Ok(leased(weeks)));
    bench.server.answer("read db/lives", Ok(leased(10 * weeks)));
    bench.settle().await;
    bench.jump(weeks + 3600).await;
    let mut asked = bench.server.asked().split_off(3);
    asked.sort();
    assert_eq!(asked, ["read db/ends", "read kv/a"]);
    let lives = bench.handle.snapshot.borrow().answers[&request("db/lives")].life.lease_ends.unwrap();
    let left = lives.duration_since(bench.clock.wall()).unwrap().as_secs();
    assert!(left.abs_diff(9 * 1_814_400 - 3600) < 300, "status tells the real end, {left} s");
    bench.server.answer("read kv/a", Ok(Secret::default()));
    bench.server.answer("read db/ends", Ok(leased(weeks)));
    bench.pass(200).await;
    assert_eq!(bench.server.asked().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ended_during_the_sleep_took_its_leases_with_it() {
    let bench = Bench::start();
    bench.tokens.send(token(1, 3600, bench.clock)).unwrap();
    bench.want(&["kv/a", "db/b"]).await;
    bench.server.answer("read kv/a", Ok(Secret::default()));
    bench.server.answer("read db/b", Ok(leased(36_000)));
    bench.settle().await;
    bench.clock.set(4000);
    // Auto-auth may notice first.
    bench.tokens.send(token(2, 3600, bench.clock)).unwrap();
    bench.settle().await;
    let mut asked = bench.server.asked().split_off(2);
    asked.sort();
    assert_eq!(asked, ["read db/b", "read kv/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_put_back_and_forth_costs_nothing_and_lengthens_nothing() {
    let bench = Bench::start();
    bench.tokens.send(token(1, 360_000, bench.clock)).unwrap();
    bench.want(&["db/a", "kv/b"]).await;
    bench.server.answer("read db/a", Ok(Secret { renewable: false, ..leased(1000) }));
    bench.server.answer("read kv/b", Ok(Secret::default()));
    bench.settle().await;
    bench.jump(-7200).await;
    bench.jump(7200).await;
    bench.jump(-7200).await;
    assert_eq!(bench.server.asked().len(), 2, "{:?}", bench.server.asked());
    bench.pass(100).await;
    assert_eq!(bench.server.asked()[2..], ["read kv/b"], "at its time on the monotonic clock");
    bench.pass(620).await;
    assert_eq!(bench.server.asked()[3..], ["read db/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_never_stands_still_asks_for_no_more_than_twice() {
    let bench = Bench::start();
    bench.tokens.send(token(1, 360_000, bench.clock)).unwrap();
    bench.want(&["db/a"]).await;
    let answer = || bench.server.answer("read db/a", Ok(Secret { renewable: false, ..leased(10_000) }));
    answer();
    bench.settle().await;
    let mut known = 1;
    for minute in 0..60 {
        bench.jump(if minute % 2 == 0 { 86_400 } else { -86_400 }).await;
        if bench.server.asked().len() > known {
            known += 1;
            answer();
            bench.settle().await;
        }
    }
    assert!(known <= 3, "asked {known} times in an hour");
}
