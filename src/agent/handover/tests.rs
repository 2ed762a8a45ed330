use std::{
    fs,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
};

use super::*;
use crate::{
    auth::{Login, claims::tests::jwt as unsigned},
    cache::KeptAnswer,
};

/// A keeper in a folder of its own, the tasks that it listens to, and the file that it writes.
struct Bench {
    folder: tempfile::TempDir,
    token: watch::Sender<TokenState>,
    stirred: watch::Sender<u64>,
    asked: mpsc::Receiver<oneshot::Sender<Vec<KeptAnswer>>>,
    keeper: Keeper,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = HandoverConfig {
            folder: folder.path().to_owned(),
            jwt: folder.path().join("jwt"),
            origin: Origin::Default,
        };
        let (token, token_out) = watch::channel(TokenState::default());
        let (stirred, stirred_out) = watch::channel(0);
        let (ask, asked) = mpsc::channel(1);
        let keeper = Keeper {
            place: Place { config, identity: "one".into(), once: true },
            clock: Clock::system(),
            token: token_out,
            inventory: Inventory::asking(ask, stirred_out),
            sealed_with: None,
            said: None,
        };
        Self { folder, token, stirred, asked, keeper }
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own input file")]
    fn set_jwt(folder: &tempfile::TempDir) {
        let jwt = unsigned(r#"{"sub":"app"}"#);
        let jwt = format!("{}.{}", jwt.rsplit_once('.').unwrap().0, "s".repeat(86));
        fs::write(folder.path().join("jwt"), jwt).unwrap();
    }
}

fn logged_in() -> TokenState {
    let login = Login { accessor: "accessor".into(), ..Login::sample("s.token", 1) };
    TokenState { login: Some(Arc::new(login)), ..TokenState::default() }
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_written_is_tried_again_half_a_minute_later() {
    let Bench { folder, token, stirred: _stirred, asked, keeper } = Bench::new();
    drop(asked);
    let (_end, told) = mpsc::channel(1);
    let mut tasks = JoinSet::new();
    tasks.spawn(keeper.run(told));
    let is_there = || folder.path().join(handover::FILE_NAME).exists();
    token.send_replace(logged_in());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!is_there(), "there is no JWT to seal it with");
    Bench::set_jwt(&folder);
    tokio::time::sleep(RETRY - Duration::from_secs(3)).await;
    assert!(!is_there(), "nothing has changed that it would hear of");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(is_there());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_delays_the_end_by_two_seconds_at_most() {
    let Bench { folder, token, stirred: _stirred, asked: _asked, keeper } = Bench::new();
    Bench::set_jwt(&folder);
    token.send_replace(logged_in());
    let (end, told) = mpsc::channel(1);
    let mut tasks = JoinSet::new();
    tasks.spawn(keeper.run(told));
    let start = Clock::system().now();
    assert!(!Ending(end).with(End::Keep).await);
    assert_eq!(Clock::system().now().duration_since(start), LAST_WRITE);
}

/// Counts how often a task asks to be polled again.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_keeper_whose_neighbours_are_gone_sleeps() {
    let Bench { folder: _folder, token, stirred, asked, keeper } = Bench::new();
    drop((token, stirred, asked));
    let (_end, told) = mpsc::channel(1);
    let (wakes, mut run) = (Arc::new(Wakes::default()), pin!(keeper.run(told)));
    let waker = Waker::from(Arc::clone(&wakes));
    assert!(run.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    // The runtime puts off the call of whoever never comes to rest.
    tokio::time::sleep(PAUSE).await;
    assert_eq!(wakes.0.load(Ordering::Relaxed), 0, "it goes round and round");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test's own input file")]
fn app_roles_differ_by_role_id_and_by_place() {
    let folder = tempfile::tempdir().unwrap();
    let (role, secret) = (folder.path().join("role"), folder.path().join("secret"));
    let of = |id: &str| {
        fs::write(&role, id).unwrap();
        app_role_of(&role, Some(&secret))
    };
    let one = of("role-one");
    assert_ne!(one, of("role-two"));
    assert_eq!(one, of("role-one\n"), "white space is no part of it");
    assert!(!one.contains("role-one"), "the role ID itself stays where it is");
    let missing = folder.path().join("missing");
    assert_ne!(app_role_of(&missing, None), app_role_of(&missing, Some(&secret)));
    assert_ne!(app_role_of(&missing, None), app_role_of(&secret, None));
}
