use reqwest::Method;

use super::*;
use crate::vault::error::Answer;

/// Answers about mounts from a table and keeps what was asked.
#[derive(Default)]
struct Fake {
    answers: HashMap<&'static str, &'static str>,
    status: Mutex<Option<u16>>,
    asked: Mutex<Vec<String>>,
}

impl Fake {
    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl AskMount for Fake {
    async fn ask(
        &self,
        path: &VaultPath,
        _namespace: Option<&Namespace>,
    ) -> Result<Option<Secret>, VaultError> {
        self.asked.lock().unwrap().push(path.to_string());
        tokio::task::yield_now().await;
        let status = *self.status.lock().unwrap();
        if let Some(status) = status {
            let answer = Answer {
                method: Method::GET,
                url: "u".into(),
                status,
                errors: Vec::new(),
                retry_after: None,
            };
            return Err(VaultError::from_answer(answer, true));
        }
        let mount = path.as_str().split('/').next().unwrap();
        Ok(self.answers.get(mount).map(|json| serde_json::from_str(json).unwrap()))
    }
}

const V2: &str = r#"{"data":{"path":"secret/","type":"kv","options":{"version":"2"}}}"#;
const V1: &str = r#"{"data":{"path":"kv1/","type":"kv","options":{"version":"1"}}}"#;
const DATABASE: &str = r#"{"data":{"path":"database/","type":"database","options":null}}"#;

fn path(text: &str) -> VaultPath {
    VaultPath::parse(text).unwrap().0
}

fn fake() -> Fake {
    Fake { answers: HashMap::from([("secret", V2), ("kv1", V1), ("database", DATABASE)]), ..Fake::default() }
}

#[test]
fn paths_of_version_2_get_their_part() {
    let mount = Mount::Kv2("secret".into());
    for (path, verb, expected) in [
        ("secret/app", Verb::Read, "secret/data/app"),
        ("secret/a/b", Verb::Write, "secret/data/a/b"),
        ("secret/data/app", Verb::Read, "secret/data/app"),
        ("secret/metadata/app", Verb::Read, "secret/metadata/app"),
        ("secret/subkeys/app", Verb::Read, "secret/subkeys/app"),
        ("secret/database", Verb::Read, "secret/data/database"),
        ("secret/data", Verb::Read, "secret/data/data"),
        ("secret", Verb::Read, "secret/data"),
        ("secret", Verb::List, "secret/metadata"),
        ("secret/app", Verb::List, "secret/metadata/app"),
        ("secret/metadata/app", Verb::List, "secret/metadata/app"),
        ("secret/metadata", Verb::List, "secret/metadata"),
        ("secrets/app", Verb::Read, "secrets/app"),
    ] {
        assert_eq!(mount.api_path(path, verb), expected, "{verb:?} {path}");
    }
    assert_eq!(Mount::Kv1.api_path("kv1/app", Verb::Read), "kv1/app");
    assert_eq!(Mount::Other.api_path("database/creds/x", Verb::Read), "database/creds/x");
    assert!(mount.wraps_body() && !Mount::Kv1.wraps_body());
}

#[tokio::test]
async fn each_mount_is_asked_once_even_by_many_at_a_time() {
    let (mounts, server) = (Mounts::default(), fake());
    let paths: Vec<VaultPath> = (0..20).map(|n| path(&format!("secret/app/{n}"))).collect();
    let found =
        futures_util::future::join_all(paths.iter().map(|path| mounts.find(path, None, &server))).await;
    assert!(found.into_iter().all(|mount| mount.unwrap() == Mount::Kv2("secret".into())));
    assert_eq!(server.asked(), 1);
    assert_eq!(mounts.find(&path("kv1/a"), None, &server).await.unwrap(), Mount::Kv1);
    assert_eq!(mounts.find(&path("database/creds/a"), None, &server).await.unwrap(), Mount::Other);
    assert_eq!(mounts.find(&path("database/creds/b"), None, &server).await.unwrap(), Mount::Other);
    assert_eq!(server.asked(), 3);
}

#[tokio::test]
async fn namespaces_have_their_own_mounts_and_their_prefix_goes() {
    let inner = r#"{"data":{"path":"team/secret/","type":"kv","options":{"version":"2"}}}"#;
    let server = Fake { answers: HashMap::from([("secret", inner)]), ..Fake::default() };
    let (mounts, team) = (Mounts::default(), Namespace::parse("team"));
    let mount = mounts.find(&path("secret/app"), team.as_ref(), &server).await.unwrap();
    assert_eq!(mount, Mount::Kv2("secret".into()));
    assert_eq!(mount.api_path("secret/app", Verb::Read), "secret/data/app");
    mounts.find(&path("secret/app"), None, &server).await.unwrap();
    assert_eq!(server.asked(), 2, "the root namespace is another place");
}

#[tokio::test]
async fn a_namespace_named_like_its_mount_keeps_the_mount() {
    let json = r#"{"data":{"path":"secret/","type":"kv","options":{"version":"2"}}}"#;
    let answer: Secret = serde_json::from_str(json).unwrap();
    let (_, mount) = Mount::from_answer(&answer, Namespace::parse("secret").as_ref()).unwrap();
    assert_eq!(mount, Mount::Kv2("secret".into()));
}

#[tokio::test]
async fn denied_leaves_the_path_and_a_failing_server_is_not_guessed() {
    let (mounts, server) = (Mounts::default(), fake());
    *server.status.lock().unwrap() = Some(403);
    assert_eq!(mounts.find(&path("secret/a"), None, &server).await.unwrap(), Mount::Other);
    assert_eq!(mounts.find(&path("secret/a"), None, &server).await.unwrap(), Mount::Other);
    assert_eq!(server.asked(), 1, "the guess is kept");
    mounts.find(&path("secret/a/below"), None, &server).await.unwrap();
    assert_eq!(server.asked(), 2, "but for this path alone");

    *server.status.lock().unwrap() = Some(500);
    assert!(mounts.find(&path("secret/b"), None, &server).await.is_err());

    *server.status.lock().unwrap() = None;
    assert_eq!(mounts.find(&path("secret/b"), None, &server).await.unwrap(), Mount::Kv2("secret".into()));
    assert_eq!(mounts.find(&path("secret/a"), None, &server).await.unwrap(), Mount::Other);
    mounts.forget("secret/a", None);
    assert_eq!(mounts.find(&path("secret/a"), None, &server).await.unwrap(), Mount::Kv2("secret".into()));
    assert_eq!(server.asked(), 4, "the mount is known by now");
}

#[test]
fn paths_of_the_api_are_told_by_their_part() {
    for path in ["secret/data/app", "team/kv/data/a/b", "a/data/data", "a/b/data/c/data"] {
        assert!(is_api_path(path), "{path}");
    }
    for path in ["secret/app", "data/app", "secret/data", "secret/data/", "secret/database/app", "data", ""] {
        assert!(!is_api_path(path), "{path}");
    }
}

#[test]
fn answers_of_version_2_are_told_by_their_form() {
    let is = |json: &str| is_versioned(&serde_json::from_str(json).unwrap());
    let metadata = r#""metadata":{"created_time":"2026-01-02T03:04:05Z","deletion_time":"","version":1}"#;
    assert!(is(&format!(r#"{{"data":{{"data":{{"a":"b"}},{metadata}}}}}"#)));
    assert!(is(&format!(r#"{{"data":{{"data":null,{metadata}}}}}"#)));
    assert!(!is(&format!(r#"{{"lease_duration":2764800,"data":{{"data":{{"a":"b"}},{metadata}}}}}"#)));
    assert!(!is(&format!(r#"{{"lease_id":"x/1","data":{{"data":{{"a":"b"}},{metadata}}}}}"#)));
    assert!(!is(r#"{"data":{"data":{"a":"b"},"metadata":"mine"}}"#));
    assert!(!is(r#"{"data":{"a":"b"}}"#) && !is(r#"{"data":null}"#));
}
