use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Mutex,
    time::UNIX_EPOCH,
};

use reqwest::{Method as Verb, Url};
use tokio::time::sleep;

use super::*;
use crate::{
    auth::claims::tests::jwt,
    config::{CertIdentity, MethodKind},
    http::{SetupError, error::HttpError, tls::TlsError},
    origin::Origin,
    vault::{
        error::{Answer, VaultError},
        path::Namespace,
        secret::Secret,
    },
};

type Reply = Result<Option<Secret>, VaultError>;

/// Answers from a script and keeps what was sent; when the script is over, it never answers.
#[derive(Clone, Default)]
struct Fake {
    script: Arc<Mutex<VecDeque<Reply>>>,
    sent: Arc<Mutex<Vec<Sent>>>,
    /// Requests wait this long for their turn.
    queue: Arc<Mutex<Duration>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Sent {
    second: u64,
    verb: Verb,
    path: String,
    token: Option<String>,
    body: String,
    /// Sent with the method's own client.
    own: bool,
}

impl Server for Fake {
    type Pass = ();
    type Client = CertIdentity;

    fn own_client(&self, identity: &CertIdentity) -> Result<CertIdentity, SetupError> {
        match &identity.ca_cert {
            Some(path) if !path.exists() => Err(TlsError::Half.into()),
            _ => Ok(identity.clone()),
        }
    }

    async fn pass(&self, _class: Class, _path: &str) {
        let wait = *self.queue.lock().unwrap();
        sleep(wait).await;
    }

    async fn send(&self, _pass: (), _path: &str, call: &Call<'_>, own: Option<&CertIdentity>) -> Reply {
        let body = call.body().map(|body| String::from_utf8_lossy(body.as_bytes()).into_owned());
        self.sent.lock().unwrap().push(Sent {
            second: test_clock().unix_seconds() - START,
            verb: call.method().clone(),
            path: call.path().to_owned(),
            token: call.sent_token().map(|token| token.expose().to_owned()),
            body: body.unwrap_or_default(),
            own: own.is_some(),
        });
        let next = self.script.lock().unwrap().pop_front();
        match next {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    fn address(&self) -> String {
        "https://vault.test".into()
    }
}

impl Fake {
    fn new(script: impl IntoIterator<Item = Reply>) -> Self {
        Self { script: Arc::new(Mutex::new(script.into_iter().collect())), ..Self::default() }
    }

    fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    fn times(&self) -> Vec<(u64, String)> {
        self.sent().into_iter().map(|sent| (sent.second, sent.path)).collect()
    }
}

const START: u64 = 1_700_000_000;

std::thread_local! {
    static CLOCK: std::cell::Cell<Option<Clock>> = const { std::cell::Cell::new(None) };
}

/// A wall clock that starts with the test (each has its own thread) and follows paused time.
fn test_clock() -> Clock {
    CLOCK.get().unwrap_or_else(|| {
        let clock = Clock::starting_at(UNIX_EPOCH + Duration::from_secs(START));
        CLOCK.set(Some(clock));
        clock
    })
}

fn secret(json: &str) -> Reply {
    Ok(Some(serde_json::from_str(json).unwrap()))
}

fn auth(token: &str, ttl: u64, renewable: bool) -> Reply {
    secret(&format!(
        r#"{{"auth":{{"client_token":"{token}","lease_duration":{ttl},"renewable":{renewable},"policies":["p"]}}}}"#
    ))
}

/// A refused login.
fn status(status: u16, said: &str) -> Reply {
    refusal(status, said, false)
}

/// A refused request with a token.
fn token_status(status: u16, said: &str) -> Reply {
    refusal(status, said, true)
}

fn refusal(status: u16, said: &str, by_token: bool) -> Reply {
    let errors = vec![said.to_owned()];
    let url = "https://vault.test/v1/x".to_owned();
    let answer = Answer { method: Verb::PUT, url, status, errors, retry_after: None };
    Err(VaultError::from_answer(answer, by_token))
}

fn unreachable() -> Reply {
    let url = Url::parse("https://vault.test/v1/x").unwrap();
    Err(VaultError::from_http(Verb::PUT, HttpError::Refused { url, cause: "connection refused".into() }))
}

#[expect(clippy::disallowed_methods, reason = "a test's own input file")]
fn put(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

/// A folder with a JWT that is good for an hour, and the configuration that uses it.
struct Pod {
    folder: tempfile::TempDir,
    config: AutoAuthConfig,
}

fn pod() -> Pod {
    let folder = tempfile::tempdir().unwrap();
    let token_path = folder.path().join("jwt");
    put(&token_path, &jwt(&format!(r#"{{"sub":"web","exp":{}}}"#, START + 3600)));
    let method = MethodConfig {
        retry_base: None,
        retry_cap: None,
        kind: MethodKind::Kubernetes { role: "web".into(), token_path },
        mount_path: "auth/kubernetes".into(),
        namespace: Namespace::parse("team"),
        min_backoff: Duration::from_secs(1),
        max_backoff: Duration::from_secs(300),
        exit_on_err: false,
        wrap_ttl: Duration::ZERO,
        origin: Origin::Default,
    };
    let config = AutoAuthConfig { method, sinks: Vec::new(), reauth_on_new_credentials: false };
    Pod { folder, config }
}

impl Pod {
    fn jwt(&self) -> PathBuf {
        self.folder.path().join("jwt")
    }

    fn token_file(mut self, token: &str) -> Self {
        put(&self.jwt(), token);
        self.config.method.kind = MethodKind::TokenFile { path: self.jwt() };
        self
    }

    fn start(&self, server: &Fake) -> (AutoAuth<Fake>, Handle) {
        AutoAuth::new(&self.config, server.clone(), test_clock(), Chance::fixed(0.5))
    }

    /// Runs the task for so many (paused) seconds.
    async fn run(&self, server: &Fake, seconds: u64) -> (Handle, Option<AutoAuthError>) {
        let (task, handle) = self.start(server);
        let end = tokio::time::timeout(Duration::from_secs(seconds), task.run()).await.ok();
        (handle, end)
    }
}

fn at(times: &[(u64, &str)]) -> Vec<(u64, String)> {
    times.iter().map(|(second, path)| (*second, (*path).to_owned())).collect()
}

const LOGIN: &str = "auth/kubernetes/login";

#[tokio::test(start_paused = true)]
async fn a_login_is_published_and_renewed_without_news() {
    let server = Fake::new([auth("hvs.one", 60, true), auth("hvs.one", 60, true), auth("hvs.one", 60, true)]);
    let pod = pod();
    let (mut handle, _) = pod.run(&server, 100).await;
    // 22 s is half of 73 % of a minute, then 43 s.
    assert_eq!(server.times(), at(&[(0, LOGIN), (21, RENEW), (64, RENEW)]));
    let sent = server.sent();
    assert_eq!((sent[0].verb.as_str(), sent[0].token.as_deref()), ("PUT", None));
    assert!(sent[0].body.contains(r#""role":"web""#));
    assert_eq!(sent[1].token.as_deref(), Some("hvs.one"));
    assert_eq!(sent[1].body, r#"{"increment":0}"#);
    let state = handle.token.borrow_and_update().clone();
    assert_eq!((state.generation(), state.token().unwrap().expose()), (1, "hvs.one"));
    assert_eq!(state.namespace, Namespace::parse("team"));
    let expires = state.login.unwrap().expires.unwrap().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(expires - START, 64 + 60, "counts from the last renewal");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_due_after_a_sleep_of_the_machine_comes_within_a_minute() {
    let server = Fake::new([auth("hvs.one", 7200, true), auth("hvs.one", 7200, true)]);
    let pod = pod();
    let (task, _handle) = pod.start(&server);
    let machine = async {
        let count = || server.sent().len();
        sleep(Duration::from_secs(10)).await;
        test_clock().set(3000);
        sleep(Duration::from_secs(61)).await;
        assert_eq!(count(), 2, "the renewal was due after 2628 s");
        test_clock().set(-2900);
        sleep(Duration::from_secs(300)).await;
        assert_eq!(count(), 2, "a clock that is put back is no reason for anything");
        sleep(Duration::from_secs(5000)).await;
        assert_eq!(count(), 3, "and puts nothing off");
    };
    tokio::select! {
        _ = task.run() => panic!("it ended"),
        () = machine => {}
    }
}

#[tokio::test(start_paused = true)]
async fn refused_logins_keep_the_originals_pace() {
    let refused = || status(403, "permission denied");
    let server = Fake::new([refused(), refused(), refused(), auth("hvs.one", 3600, true)]);
    let pod = pod();
    let (handle, _) = pod.run(&server, 30).await;
    let seconds: Vec<u64> = server.times().into_iter().map(|(second, _)| second).collect();
    // 1 s, then 1.75 s, then 3.06 s with these dice.
    assert_eq!(seconds, [0, 1, 2, 5]);
    assert_eq!(handle.token.borrow().generation(), 1);
}

#[tokio::test(start_paused = true)]
async fn exit_on_err_ends_with_what_was_wrong() {
    let mut pod = pod();
    pod.config.method.exit_on_err = true;
    for (answer, says) in [
        (status(400, "invalid role name \"web\""), "PUT https://vault.test/v1/x: 400 invalid role name"),
        (secret(r#"{"data":{"a":"b"}}"#), "no auth block"),
        (Ok(None), "no auth block"),
        (secret(r#"{"auth":{"client_token":""}}"#), "no client_token"),
    ] {
        let (_, end) = pod.run(&Fake::new([answer]), 5).await;
        let text = chain(&end.expect("ends"));
        assert!(text.contains(says), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_expired_jwt_is_never_sent_and_a_new_one_is_found() {
    let server = Fake::new([auth("hvs.one", 3600, true)]);
    let pod = pod();
    put(&pod.jwt(), &jwt(&format!(r#"{{"exp":{}}}"#, START - 1)));
    let rotation = async {
        sleep(Duration::from_secs(31)).await;
        put(&pod.jwt(), &jwt(&format!(r#"{{"exp":{}}}"#, START + 600)));
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = pod.run(&server, 60) => {}
        () = rotation => {}
    }
    assert_eq!(server.times(), at(&[(32, LOGIN)]));
}

/// Counts the lines that say "authenticating", by level.
#[derive(Clone, Default)]
struct Tries(Arc<Mutex<Vec<tracing::Level>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Tries {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let tries = Arc::clone(&self.0);
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            if field.name() == "message" && format!("{value:?}") == "authenticating" {
                tries.lock().unwrap().push(*event.metadata().level());
            }
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_jwt_that_stays_away_is_looked_for_in_silence() {
    use tracing_subscriber::layer::SubscriberExt;

    let tries = Tries::default();
    // While there is one subscriber alone, a line that a test beside this one logs first, without any, counts as wanted
    // by nobody. With two, all are asked.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let subscriber = tracing_subscriber::registry().with(tries.clone());
    let guard = tracing::subscriber::set_default(subscriber);
    let pod = pod();
    std::fs::remove_file(pod.jwt()).unwrap();
    let (handle, _) = pod.run(&Fake::default(), 61).await;
    drop(guard);
    assert!(handle.token.borrow().token().is_none());
    let tries = tries.0.lock().unwrap();
    let loud = tries.iter().filter(|level| **level == tracing::Level::INFO).count();
    assert!(loud == 1 && tries.len() > 20, "{loud} of {}", tries.len());
}

#[tokio::test(start_paused = true)]
async fn the_jwt_is_read_after_the_wait_at_the_gate() {
    let server = Fake::new([auth("hvs.one", 3600, true)]);
    *server.queue.lock().unwrap() = Duration::from_secs(600);
    let pod = pod();
    put(&pod.jwt(), &jwt(&format!(r#"{{"exp":{}}}"#, START + 300)));
    let fresh = jwt(&format!(r#"{{"exp":{}}}"#, START + 3600));
    let rotation = async {
        sleep(Duration::from_secs(240)).await;
        put(&pod.jwt(), &fresh);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = pod.run(&server, 700) => {}
        () = rotation => {}
    }
    assert!(server.sent()[0].body.contains(&fresh), "the JWT of ten minutes ago is over by now");
}

#[tokio::test(start_paused = true)]
async fn an_invalid_token_heals_once_and_its_successor_is_news() {
    let server = Fake::new([auth("hvs.one", 3600, false), auth("hvs.two", 3600, false)]);
    let pod = pod();
    let (task, handle) = pod.start(&server);
    let fetches = async {
        sleep(Duration::from_secs(300)).await;
        for _ in 0..20 {
            handle.token_refused(1);
            tokio::task::yield_now().await;
        }
        sleep(Duration::from_secs(60)).await;
        handle.token_refused(1);
        sleep(Duration::from_secs(60)).await;
    };
    tokio::select! {
        _ = task.run() => {}
        () = fetches => {}
    }
    assert_eq!(server.times(), at(&[(0, LOGIN), (300, LOGIN)]));
    assert_eq!(handle.token.borrow().generation(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_denied_renewal_is_tried_once_and_an_unknown_token_replaced_at_once() {
    let policy = "1 error occurred: * permission denied";
    let server = Fake::new([auth("hvs.one", 3600, true), token_status(403, policy)]);
    pod().run(&server, 3000).await;
    assert_eq!(server.times(), at(&[(0, LOGIN), (1314, RENEW), (2580, LOGIN)]));

    for dead in ["invalid token", "permission denied"] {
        CLOCK.set(None);
        let server = Fake::new([auth("hvs.one", 3600, true), token_status(403, dead)]);
        pod().run(&server, 3000).await;
        assert_eq!(server.times(), at(&[(0, LOGIN), (1314, RENEW), (1314, LOGIN)]), "{dead}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_past_its_longest_life_is_replaced_at_once() {
    let over = || token_status(500, "1 error occurred: * past the max TTL, cannot renew");
    let server = Fake::new([auth("hvs.one", 3600, true), over(), auth("hvs.two", 3600, true)]);
    let (handle, _) = pod().run(&server, 1320).await;
    assert_eq!(server.times(), at(&[(0, LOGIN), (1314, RENEW), (1314, LOGIN)]));
    assert_eq!(handle.token.borrow().generation(), 2);

    // Even a server that gives only such tokens is not asked without a pause.
    CLOCK.set(None);
    let server = Fake::new((0..200).flat_map(|i| [auth(&format!("hvs.{i}"), 1, true), over()]));
    pod().run(&server, 60).await;
    assert!(server.times().len() < 40, "{:?}", server.times());
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_that_the_next_login_gives_again_counts_as_new() {
    // What waits for a newer token must go on, or a token file would leave it waiting for ever.
    let lookup = || secret(r#"{"data":{"ttl":3600,"renewable":false}}"#);
    let server = Fake::new([lookup(), lookup()]);
    let pod = pod().token_file("hvs.mine");
    let (task, handle) = pod.start(&server);
    let fetches = async {
        sleep(Duration::from_secs(100)).await;
        handle.token_refused(1);
        sleep(Duration::from_secs(1)).await;
    };
    tokio::select! {
        _ = task.run() => {}
        () = fetches => {}
    }
    assert_eq!(server.times(), at(&[(0, LOOKUP), (100, LOOKUP)]));
    assert_eq!(handle.token.borrow().generation(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_ten_minutes_costs_no_login() {
    let mut script = vec![auth("hvs.one", 1800, true)];
    script.extend((0..3).map(|_| unreachable()));
    script.push(auth("hvs.one", 1800, true));
    let server = Fake::new(script);
    let pod = pod();
    let (handle, _) = pod.run(&server, 1300).await;
    let paths: Vec<String> = server.times().into_iter().map(|(_, path)| path).collect();
    assert_eq!(paths, [LOGIN, RENEW, RENEW, RENEW, RENEW]);
    assert_eq!(handle.token.borrow().generation(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_file_is_looked_up_and_an_unchanged_token_is_no_news() {
    let lookup = |ttl: u64, expire: &str| {
        secret(&format!(r#"{{"data":{{"ttl":{ttl},"renewable":false,"expire_time":{expire}}}}}"#))
    };
    let server = Fake::new([lookup(60, r#""2030""#), lookup(0, r#""2030""#), lookup(0, "null")]);
    let pod = pod().token_file("hvs.file\n");
    let (handle, _) = pod.run(&server, 4000).await;
    // At 43 s the TTL reads 0 though the token ends: looked at again a second later. A token without end rests.
    assert_eq!(server.times(), at(&[(0, LOOKUP), (43, LOOKUP), (44, LOOKUP)]));
    assert_eq!(server.sent()[0].token.as_deref(), Some("hvs.file"));
    let state = handle.token.borrow().clone();
    assert_eq!((state.generation(), state.login.unwrap().expires), (1, None));
}

#[tokio::test(start_paused = true)]
async fn a_wrapped_login_is_handed_on_and_left_alone() {
    let mut pod = pod();
    pod.config.method.wrap_ttl = Duration::from_secs(300);
    let wrapped = r#"{"wrap_info":{"token":"hvs.wrap","ttl":300,"accessor":"a"}}"#;
    let server = Fake::new([secret(wrapped)]);
    let (handle, _) = pod.run(&server, 10_000).await;
    assert_eq!(server.times(), at(&[(0, LOGIN)]));
    let state = handle.token.borrow().clone();
    assert!(state.token().is_none() && state.login.unwrap().wrapped.is_some());
}

fn jwt_pod(read_period: Option<u64>, remove: bool) -> Pod {
    let mut pod = pod();
    put(&pod.jwt(), "one");
    pod.config.method.mount_path = "auth/jwt".into();
    pod.config.method.kind = MethodKind::Jwt {
        role: "web".into(),
        path: pod.jwt(),
        remove,
        remove_follows_links: false,
        read_period: read_period.map(Duration::from_secs),
    };
    pod
}

#[tokio::test(start_paused = true)]
async fn a_new_jwt_is_taken_at_once_and_used_when_its_time_has_come() {
    const LOGIN: &str = "auth/jwt/login";
    for (reauth, expected) in [(false, vec![(0, LOGIN), (70, LOGIN)]), (true, vec![(0, LOGIN), (20, LOGIN)])]
    {
        CLOCK.set(None);
        let server = Fake::new([auth("hvs.one", 100, false), auth("hvs.two", 3600, false)]);
        let mut pod = jwt_pod(Some(10), true);
        pod.config.reauth_on_new_credentials = reauth;
        let story = async {
            sleep(Duration::from_secs(15)).await;
            assert!(!pod.jwt().exists(), "removed by the first login");
            put(&pod.jwt(), "two");
            sleep(Duration::from_secs(6)).await;
            assert!(!pod.jwt().exists(), "removed at the next look");
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = pod.run(&server, 90) => {}
            () = story => {}
        }
        let times: Vec<_> =
            server.times().into_iter().map(|(second, path)| (second / 10 * 10, path)).collect();
        assert_eq!(times, at(&expected), "{reauth}");
        assert_eq!(server.sent()[0].body, r#"{"jwt":"one","role":"web"}"#);
        assert_eq!(server.sent()[1].body, r#"{"jwt":"two","role":"web"}"#);
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_that_later_logins_replaced_are_kept_while_they_live_and_never_many() {
    for (keep, ttl, most, last) in
        [(true, 3600, 32, "hvs.38"), (true, 20, 20, "hvs.38"), (false, 3600, 0, "")]
    {
        CLOCK.set(None);
        let server = Fake::new((0..40).map(|number| auth(&format!("hvs.{number}"), ttl, false)));
        let mut pod = pod();
        pod.config.reauth_on_new_credentials = true;
        let (task, handle) = pod.start(&server);
        let story = async {
            for _ in 0..39 {
                sleep(Duration::from_secs(1)).await;
                handle.new_credentials();
            }
            sleep(Duration::from_secs(1)).await;
        };
        tokio::select! {
            _ = task.keeping_superseded(keep).run() => panic!("it ended"),
            () = story => {}
        }
        let kept = handle.superseded.borrow().clone();
        assert_eq!(handle.token.borrow().token().unwrap().expose(), "hvs.39");
        assert!((most.max(1) - 1..=most).contains(&kept.len()), "{} of {most}", kept.len());
        assert_eq!(kept.last().map_or("", |login| login.token.expose()), last);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_jwt_after_a_refusal_is_not_kept_waiting() {
    let refused = || status(400, "error validating token");
    let script = (0..6).map(|_| refused()).chain([auth("hvs.one", 3600, true)]);
    let server = Fake::new(script);
    let pod = jwt_pod(Some(5), true);
    let story = async {
        // The sixth refusal comes before this; the seventh try would come after.
        sleep(Duration::from_secs(32)).await;
        put(&pod.jwt(), "two");
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = pod.run(&server, 37) => {}
        () = story => {}
    }
    let sent = server.sent();
    assert_eq!(
        (sent.len(), sent[5].body.as_str()),
        (7, r#"{"jwt":"one","role":"web"}"#),
        "{:?}",
        server.times()
    );
    assert_eq!(sent[6].body, r#"{"jwt":"two","role":"web"}"#);
}

fn approle_pod() -> Pod {
    let mut pod = pod();
    let (role_id_path, secret_id_path) = (pod.folder.path().join("role"), pod.folder.path().join("secret"));
    put(&role_id_path, "role-1");
    put(&secret_id_path, "hvs.wrapping");
    pod.config.method.mount_path = "auth/approle".into();
    pod.config.method.kind = MethodKind::AppRole {
        role_id_path,
        secret_id_path: Some(secret_id_path),
        remove_secret_id: true,
        wrapping_path: Some("auth/approle/role/web/secret-id".into()),
    };
    pod
}

fn wrapped_at(path: &str) -> Reply {
    secret(&format!(r#"{{"data":{{"creation_path":"{path}","creation_ttl":300}}}}"#))
}

#[tokio::test(start_paused = true)]
async fn a_wrapped_secret_id_is_validated_opened_and_used_again() {
    let inner = secret(r#"{"data":{"secret_id":"inner","secret_id_accessor":"a"}}"#);
    let right = wrapped_at("auth/approle/role/web/secret-id");
    let server = Fake::new([right, inner, auth("hvs.one", 100, false), auth("hvs.two", 3600, false)]);
    let pod = approle_pod();
    pod.run(&server, 90).await;
    let sent = server.sent();
    let paths: Vec<_> = sent.iter().map(|sent| (sent.verb.as_str(), sent.path.as_str())).collect();
    const LOGIN: (&str, &str) = ("PUT", "auth/approle/login");
    assert_eq!(paths, [("GET", "sys/wrapping/lookup"), ("PUT", "sys/wrapping/unwrap"), LOGIN, LOGIN]);
    let tokens: Vec<_> = sent.iter().map(|sent| sent.token.as_deref()).collect();
    assert_eq!(tokens, [Some("hvs.wrapping"), Some("hvs.wrapping"), None, None]);
    assert_eq!(sent[2].body, r#"{"role_id":"role-1","secret_id":"inner"}"#);
    assert_eq!(sent[2].body, sent[3].body);
    assert!(!pod.folder.path().join("secret").exists());
}

#[tokio::test(start_paused = true)]
async fn a_secret_id_that_was_wrapped_elsewhere_is_not_opened() {
    let mut pod = approle_pod();
    pod.config.method.exit_on_err = true;
    let server = Fake::new([wrapped_at("sys/wrapping/wrap")]);
    let (_, end) = pod.run(&server, 5).await;
    let text = chain(&end.expect("ends"));
    assert!(text.contains("made by sys/wrapping/wrap, not by auth/approle/role/web/secret-id"), "{text}");
    assert!(text.contains("security") && !text.contains("hvs.wrapping"), "{text}");
    assert_eq!(server.sent().len(), 1);
    assert!(pod.folder.path().join("secret").exists(), "what was not used is not removed");

    let server = Fake::new([token_status(403, "permission denied")]);
    let (_, end) = pod.run(&server, 5).await;
    let text = chain(&end.expect("ends"));
    assert!(
        text.contains("the wrapped secret ID in ") && text.contains("can't be opened: PUT https"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_certificate_of_the_methods_own_is_shown_at_logins_and_renewals() {
    let mut pod = pod();
    let ca_cert = pod.folder.path().join("ca.pem");
    pod.config.method.mount_path = "auth/cert".into();
    let identity = CertIdentity { ca_cert: Some(ca_cert.clone()), client: None };
    pod.config.method.kind = MethodKind::Cert { name: None, identity: Some(identity) };
    let server = Fake::new([auth("hvs.one", 60, true), auth("hvs.one", 60, true)]);
    let story = async {
        sleep(Duration::from_millis(1500)).await;
        assert!(server.sent().is_empty(), "nothing is sent without the files");
        put(&ca_cert, "");
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = pod.run(&server, 30) => {}
        () = story => {}
    }
    assert_eq!(server.times(), at(&[(2, "auth/cert/login"), (24, RENEW)]));
    assert!(server.sent().iter().all(|sent| sent.own));
    assert_eq!(server.sent()[0].body, "{}");

    CLOCK.set(None);
    pod.config.method.kind = MethodKind::Cert { name: Some("web".into()), identity: None };
    let server = Fake::new([auth("hvs.one", 60, true)]);
    pod.run(&server, 5).await;
    assert!(!server.sent()[0].own, "without files of its own it is the connection of everybody");
    assert_eq!(server.sent()[0].body, r#"{"name":"web"}"#);
}

fn kept(token: &str, ends: u64) -> KeptToken {
    KeptToken {
        token: crate::vault::token::Token::new(token),
        accessor: "acc".into(),
        issued: UNIX_EPOCH + Duration::from_secs(START - 100),
        ttl: Duration::from_secs(600),
        expires: Some(UNIX_EPOCH + Duration::from_secs(START + ends)),
        renewable: true,
        policies: Vec::new(),
    }
}

async fn run_with(pod: &Pod, server: &Fake, kept: KeptToken, seconds: u64) -> Handle {
    let (task, handle) = pod.start(server);
    let task = task.begin_with(Some(kept));
    tokio::time::timeout(Duration::from_secs(seconds), task.run()).await.unwrap_err();
    handle
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_handed_over_saves_the_login() {
    let server = Fake::new([auth("hvs.kept", 1000, true), auth("hvs.kept", 1000, true)]);
    let handle = run_with(&pod(), &server, kept("hvs.kept", 500), 800).await;
    assert_eq!(server.times(), at(&[(0, RENEW), (365, RENEW)]), "checked at once, then as any other");
    let login = handle.token.borrow().login.clone().unwrap();
    assert!(login.handed_over && login.generation == 1 && login.token.expose() == "hvs.kept");
}

#[tokio::test(start_paused = true)]
async fn a_dead_one_costs_one_question_and_one_past_its_end_not_even_that() {
    let server = Fake::new([token_status(403, "invalid token"), auth("hvs.new", 1000, true)]);
    let handle = run_with(&pod(), &server, kept("hvs.kept", 500), 100).await;
    assert_eq!(server.times(), at(&[(0, RENEW), (0, LOGIN)]));
    assert!(!handle.token.borrow().login.as_ref().unwrap().handed_over);
    let server = Fake::new([auth("hvs.new", 1000, true)]);
    run_with(&pod(), &server, kept("hvs.kept", 0), 100).await;
    assert_eq!(server.times(), at(&[(100, LOGIN)]), "where the test's clock stands by then");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_can_not_say_is_asked_again_with_the_logins_waits() {
    let server = Fake::new([token_status(503, "x"), token_status(500, "x"), auth("hvs.kept", 1000, true)]);
    run_with(&pod(), &server, kept("hvs.kept", 500), 100).await;
    assert_eq!(
        server.times().iter().map(|(_, path)| path.as_str()).collect::<Vec<_>>(),
        [RENEW, RENEW, RENEW]
    );
    assert_eq!(server.times()[1].0, 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_file_says_which_token_counts() {
    let data = r#"{"data":{"ttl":1000,"renewable":true,"expire_time":"2030-01-01T00:00:00Z"}}"#;
    let server = Fake::new([secret(data)]);
    let handle = run_with(&pod().token_file("hvs.mine"), &server, kept("hvs.other", 500), 100).await;
    assert_eq!(server.times(), at(&[(0, LOOKUP)]));
    assert_eq!(handle.token.borrow().login.as_ref().unwrap().token.expose(), "hvs.mine");
}
