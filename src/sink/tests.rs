use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use super::*;
use crate::{
    clock::Clock,
    config::SinkEncryption,
    origin::Origin,
    vault::{error::Answer, path::Namespace, secret::WrapInfo, token::Token},
};

type Wrapped = Result<Option<WrapInfo>, VaultError>;
type Asked = (String, Option<Namespace>, Duration);

/// Wraps as told and keeps what it was asked; without more to tell it gives another wrapping token each time.
#[derive(Clone, Default)]
struct Wrapper {
    script: Arc<Mutex<Vec<Wrapped>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Wrap for Wrapper {
    async fn wrap(
        &self,
        token: &Token,
        namespace: Option<&Namespace>,
        ttl: Duration,
    ) -> Result<Option<WrapInfo>, VaultError> {
        let mut asked = self.asked.lock().unwrap();
        asked.push((token.expose().to_owned(), namespace.cloned(), ttl));
        let next = self.script.lock().unwrap().pop();
        next.unwrap_or_else(|| {
            let json = format!(r#"{{"token":"hvs.wrapping-{}","ttl":300}}"#, asked.len());
            Ok(serde_json::from_str(&json).unwrap())
        })
    }
}

fn config(path: PathBuf) -> SinkConfig {
    SinkConfig {
        path,
        mode: 0o666,
        uid: None,
        gid: None,
        wrap_ttl: Duration::ZERO,
        encryption: None,
        origin: Origin::Flag("-config".into()),
    }
}

fn login(token: &str, generation: u64) -> TokenState {
    let login = Login::sample(token, generation);
    TokenState { login: Some(Arc::new(login)), ..TokenState::default() }
}

fn open(paths: &[PathBuf]) -> Result<(Sinks, Written), SinkError> {
    Sinks::open(paths.iter().cloned().map(config).collect(), 0o027, Chance::fixed(0.5))
}

#[tokio::test(start_paused = true)]
async fn every_new_token_is_written_whole_with_its_mode_and_renewals_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let (sinks, mut written) = open(std::slice::from_ref(&path)).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the write test leaves nothing");
    let (publish, tokens) = watch::channel(TokenState::default());
    let story = async {
        publish.send(login("hvs.one", 1)).unwrap();
        written.all(1).await;
        assert_eq!(fs::read(&path).unwrap(), b"hvs.one");
        let before = fs::metadata(&path).unwrap();
        assert_eq!(before.permissions().mode() & 0o7777, 0o640, "0666 less the umask");
        fs::remove_file(&path).unwrap();
        publish.send(login("hvs.one", 1)).unwrap();
        tokio::task::yield_now().await;
        assert!(!path.exists(), "the same token again is no news");
        publish.send(login("hvs.two", 2)).unwrap();
        written.all(2).await;
        assert_eq!(fs::read(&path).unwrap(), b"hvs.two");
    };
    tokio::select! {
        () = sinks.run(tokens, Wrapper::default()) => panic!("ended"),
        () = story => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_fails_retries_and_stalls_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good"), folder.path().join("gone/bad"));
    fs::create_dir(folder.path().join("gone")).unwrap();
    let (sinks, mut written) = open(&[bad.clone(), good.clone()]).unwrap();
    fs::remove_dir(folder.path().join("gone")).unwrap();
    let (publish, tokens) = watch::channel(login("hvs.one", 1));
    let start = Clock::system().now();
    let story = async {
        sleep(Duration::from_millis(1)).await;
        assert_eq!(fs::read(&good).unwrap(), b"hvs.one");
        sleep(Duration::from_secs(3)).await;
        fs::create_dir(folder.path().join("gone")).unwrap();
        written.all(1).await;
        assert_eq!(fs::read(&bad).unwrap(), b"hvs.one");
        // Tries at 0, 2 and 4 s with these dice.
        assert_eq!(Clock::system().now().duration_since(start).as_secs(), 4);
    };
    tokio::select! {
        () = sinks.run(tokens, Wrapper::default()) => panic!("ended"),
        () = story => {}
    }
    drop(publish);
}

#[tokio::test]
async fn without_sinks_everything_is_written() {
    let (sinks, mut written) = open(&[]).unwrap();
    written.all(7).await;
    drop(sinks);
}

#[test]
fn what_cant_work_is_said_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let message = |path: PathBuf| chain(&open(&[path]).unwrap_err());
    let missing = message(folder.path().join("none/token"));
    assert!(missing.starts_with("sink flag -config: ") && missing.contains("does not exist"), "{missing}");
    assert!(message(folder.path().to_owned()).contains("is a directory"));
}

#[tokio::test(start_paused = true)]
async fn a_wrapping_sink_writes_a_new_wrapping_token_for_each_token_and_never_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let (wrapped, plain) = (folder.path().join("wrapped"), folder.path().join("plain"));
    let wrapping = SinkConfig { wrap_ttl: Duration::from_secs(300), ..config(wrapped.clone()) };
    let both = vec![wrapping, config(plain.clone())];
    let (sinks, mut written) = Sinks::open(both, 0o027, Chance::fixed(0.5)).unwrap();
    let wrapper = Wrapper::default();
    let denied = Answer {
        method: reqwest::Method::PUT,
        url: "https://v/v1/sys/wrapping/wrap".into(),
        status: 403,
        errors: Vec::new(),
        retry_after: None,
    };
    // Taken from the end: a refusal, then an answer without a wrapping token.
    *wrapper.script.lock().unwrap() = vec![Ok(None), Err(VaultError::from_answer(denied, true))];
    let state =
        |token, generation| TokenState { namespace: Namespace::parse("team"), ..login(token, generation) };
    let (publish, tokens) = watch::channel(state("hvs.one", 1));
    let story = async {
        sleep(Duration::from_secs(1)).await;
        assert_eq!(fs::read(&plain).unwrap(), b"hvs.one", "the other sink doesn't wait");
        assert!(!wrapped.exists());
        written.all(1).await;
        let line = fs::read_to_string(&wrapped).unwrap();
        assert!(line.starts_with(r#"{"token":"hvs.wrapping-3","accessor":"","ttl":300,"#), "{line}");
        assert!(line.ends_with("}\n") && !line.contains("hvs.one"), "{line}");
        publish.send(state("hvs.two", 2)).unwrap();
        written.all(2).await;
        assert!(fs::read_to_string(&wrapped).unwrap().contains("hvs.wrapping-4"));
        assert_eq!(fs::read(&plain).unwrap(), b"hvs.two");
    };
    tokio::select! {
        () = sinks.run(tokens, wrapper.clone()) => panic!("ended"),
        () = story => {}
    }
    let asked = wrapper.asked.lock().unwrap();
    assert_eq!(asked[3], ("hvs.two".to_owned(), Namespace::parse("team"), Duration::from_secs(300)));
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "the reader is another program")]
async fn an_encrypting_sink_waits_for_its_readers_key() {
    let folder = tempfile::tempdir().unwrap();
    let (path, dh_path) = (folder.path().join("token"), folder.path().join("dh"));
    let encryption = SinkEncryption { dh_path: dh_path.clone(), derive_key: true, aad: "a".into() };
    let wrap_ttl = Duration::from_secs(300);
    let sink = SinkConfig { encryption: Some(encryption), wrap_ttl, ..config(path.clone()) };
    let wrapper = Wrapper::default();
    let (sinks, mut written) = Sinks::open(vec![sink], 0o027, Chance::fixed(0.5)).unwrap();
    let (publish, tokens) = watch::channel(login("hvs.one", 1));
    let story = async {
        sleep(Duration::from_secs(3)).await;
        assert!(!path.exists(), "nothing is written in clear meanwhile");
        assert!(wrapper.asked.lock().unwrap().is_empty(), "and nothing is wrapped for nobody");
        // The base point: a public key like any other.
        let key = format!(r#"{{"curve25519_public_key":"CQ{}="}}"#, "A".repeat(41));
        fs::write(&dh_path, key).unwrap();
        written.all(1).await;
        let line = fs::read_to_string(&path).unwrap();
        assert!(line.contains(r#""encrypted_payload":""#) && !line.contains("hvs.one"), "{line}");
    };
    tokio::select! {
        () = sinks.run(tokens, wrapper.clone()) => panic!("ended"),
        () = story => {}
    }
    assert_eq!(wrapper.asked.lock().unwrap().len(), 1);
    drop(publish);
}

#[test]
fn an_owner_that_must_not_be_given_is_said_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let own = nix::unistd::geteuid().as_raw();
    let mine = SinkConfig { uid: Some(own), ..config(folder.path().join("mine")) };
    assert!(Sinks::open(vec![mine], 0, Chance::fixed(0.5)).is_ok());
    if own != 0 {
        let other = SinkConfig { uid: Some(own + 1), ..config(folder.path().join("other")) };
        let error = chain(&Sinks::open(vec![other], 0, Chance::fixed(0.5)).unwrap_err());
        assert!(error.contains("owner") || error.contains("uid"), "{error}");
    }
}
