use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use reqwest::{Method, Url};

use super::*;
use crate::{http::error::HttpError, vault::error::Answer};

/// An upstream that is there or not, and counts who asks.
#[derive(Clone, Default)]
struct Fake {
    up: Arc<AtomicBool>,
    probes: Arc<AtomicUsize>,
}

impl Probe for Fake {
    async fn probe(&self) -> Result<(), VaultError> {
        self.probes.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(5)).await;
        if self.up.load(Ordering::Relaxed) { Ok(()) } else { Err(unreachable()) }
    }

    fn address(&self) -> String {
        "https://vault.test".into()
    }
}

fn unreachable() -> VaultError {
    let url = Url::parse("https://vault.test/v1/a").unwrap();
    VaultError::from_http(Method::GET, HttpError::Refused { url, cause: "connection refused".into() })
}

fn busy(seconds: u64) -> VaultError {
    let answer = Answer {
        method: Method::GET,
        url: "https://vault.test/v1/a".into(),
        status: 429,
        errors: Vec::new(),
        retry_after: Some(Duration::from_secs(seconds)),
    };
    VaultError::from_answer(answer, true)
}

fn gate(limits: Limits) -> (Gate<Fake>, Fake) {
    let fake = Fake::default();
    (Gate::new(fake.clone(), limits, Clock::system(), Chance::fixed(0.5)), fake)
}

fn millis_since(start: Instant) -> u128 {
    Clock::system().now().duration_since(start).as_millis()
}

#[tokio::test(start_paused = true)]
async fn first_fetches_are_limited_by_connections_alone() {
    let (gate, _) = gate(Limits { connections: 2, ..Limits::default() });
    let start = Clock::system().now();
    let first = gate.pass(Class::First, "a").await;
    let _second = gate.pass(Class::First, "b").await;
    let third = gate.pass(Class::First, "c");
    tokio::pin!(third);
    assert!(futures_util::poll!(&mut third).is_pending());
    drop(first);
    drop(third.await);
    for _ in 0..100 {
        drop(gate.pass(Class::First, "a").await);
    }
    assert_eq!(millis_since(start), 0);
}

#[tokio::test(start_paused = true)]
async fn repeats_are_metered_and_a_rate_limit_meters_all() {
    let (free, _) = gate(Limits::default());
    let start = Clock::system().now();
    for _ in 0..REPEAT_BURST + 5 {
        drop(free.pass(Class::Repeat, "a").await);
    }
    assert_eq!(millis_since(start), 1000, "five more at five a second");

    let start = Clock::system().now();
    for _ in 0..REPEAT_BURST + 1 {
        drop(free.pass(Class::Renewal, "b").await);
    }
    assert_eq!(millis_since(start), 200, "renewals wait for one another, not behind repeats");

    let (metered, _) = gate(Limits { rate_limit: Some((2.0, 1)), ..Limits::default() });
    let start = Clock::system().now();
    for _ in 0..3 {
        drop(metered.pass(Class::First, "a").await);
    }
    assert_eq!(millis_since(start), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_path_that_is_told_to_wait_waits_and_others_dont() {
    let (gate, _) = gate(Limits::default());
    let start = Clock::system().now();
    gate.report::<()>("a", &Err(busy(7)));
    drop(gate.pass(Class::First, "b").await);
    assert_eq!(millis_since(start), 0);
    drop(gate.pass(Class::Repeat, "a").await);
    assert_eq!(millis_since(start), 7000);
}

#[tokio::test(start_paused = true)]
async fn one_probe_asks_for_all_and_all_go_on_spread_out() {
    let (gate, fake) = gate(Limits { connections: 100, ..Limits::default() });
    gate.report::<()>("a", &Err(unreachable()));
    let start = Clock::system().now();
    let waiters = futures_util::future::join_all((0..50).map(|_| async {
        drop(gate.pass(Class::First, "a").await);
        millis_since(start)
    }));
    let outage = async {
        sleep(Duration::from_secs(20)).await;
        fake.up.store(true, Ordering::Relaxed);
    };
    let (gone, ()) = tokio::join!(waiters, outage);
    let probes = fake.probes.load(Ordering::Relaxed);
    assert!((10..=25).contains(&probes), "100 ms growing to 2 s, whoever waits: {probes}");
    // Back after 20 s, found within 2 s, spread over one second (half of it with this dice).
    assert!(gone.iter().all(|at| (20_000..=22_600).contains(at)), "{gone:?}");
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_of_outage_cost_thirty_seconds_at_most() {
    let (gate, fake) = gate(Limits::default());
    gate.report::<()>("a", &Err(unreachable()));
    let start = Clock::system().now();
    let outage = async {
        sleep(Duration::from_secs(600)).await;
        fake.up.store(true, Ordering::Relaxed);
    };
    let waiter = async {
        drop(gate.pass(Class::First, "a").await);
        millis_since(start)
    };
    let (gone, ()) = tokio::join!(waiter, outage);
    assert!((600_000..=630_100).contains(&gone), "{gone}");
    assert!(fake.probes.load(Ordering::Relaxed) < 80);
    assert_eq!(gate.outage(), None);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_probe_is_handed_on() {
    let (gate, fake) = gate(Limits::default());
    gate.report::<()>("a", &Err(unreachable()));
    fake.up.store(true, Ordering::Relaxed);
    let impatient = tokio::time::timeout(Duration::from_millis(128), gate.pass(Class::First, "a"));
    let patient = tokio::time::timeout(Duration::from_secs(60), gate.pass(Class::First, "b"));
    let (_, passed) = tokio::join!(impatient, patient);
    assert!(passed.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_anybody_ends_the_outage() {
    let (gate, fake) = gate(Limits::default());
    gate.report::<()>("a", &Err(unreachable()));
    let (method, url) = (Method::GET, "https://vault.test/v1/b".to_owned());
    gate.report::<()>("b", &Err(VaultError::Timeout { method, url, limit: Duration::from_secs(60) }));
    assert!(!gate.lock().line.is_up(), "an answer that doesn't come says nothing");
    gate.report::<()>("b", &Err(busy(0)));
    let start = Clock::system().now();
    drop(gate.pass(Class::First, "c").await);
    assert_eq!((millis_since(start), fake.probes.load(Ordering::Relaxed)), (0, 0));
}

fn cut() -> VaultError {
    let url = Url::parse("https://vault.test/v1/a").unwrap();
    VaultError::from_http(Method::GET, HttpError::Closed { url, cause: "end of file".into() })
}

#[tokio::test(start_paused = true)]
async fn a_cut_answer_is_an_outage_when_the_probe_is_cut_too() {
    let (gate, fake) = gate(Limits::default());
    gate.report::<()>("a", &Err(cut()));
    let start = Clock::system().now();
    let outage = async {
        sleep(Duration::from_secs(600)).await;
        fake.up.store(true, Ordering::Relaxed);
    };
    let waiter = async {
        drop(gate.pass(Class::First, "b").await);
        millis_since(start)
    };
    let (gone, ()) = tokio::join!(waiter, outage);
    assert!((600_000..=630_100).contains(&gone), "{gone}");
    assert!(fake.probes.load(Ordering::Relaxed) < 80);
}

#[tokio::test(start_paused = true)]
async fn a_cut_answer_costs_others_one_probe_when_only_that_request_is_cut() {
    let (gate, fake) = gate(Limits::default());
    fake.up.store(true, Ordering::Relaxed);
    for number in 1..=20 {
        gate.report::<()>("a", &Err(cut()));
        let start = Clock::system().now();
        drop(gate.pass(Class::First, "b").await);
        assert!(millis_since(start) < 200, "{}", millis_since(start));
        assert_eq!(fake.probes.load(Ordering::Relaxed), number);
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_says_why_and_since_when_however_it_began() {
    for (first, is_sure) in [(unreachable(), true), (cut(), false)] {
        let (gate, _) = gate(Limits::default());
        let start = gate.0.clock.wall();
        gate.report::<()>("a", &Err(first));
        assert_eq!(gate.outage().is_some(), is_sure);
        let waiting = tokio::time::timeout(Duration::from_secs(30), gate.pass(Class::First, "b"));
        assert!(waiting.await.is_err());
        let outage = gate.outage().unwrap();
        assert!(outage.why.contains("refused"), "{}", outage.why);
        let off = outage.since.duration_since(start).unwrap_or_else(|error| error.duration());
        assert!(off < Duration::from_secs(1), "{off:?}");
        gate.report::<()>("b", &Ok(()));
        assert_eq!(gate.outage(), None);
    }
}
