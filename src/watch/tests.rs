use std::{fs, os::unix::fs::symlink};

use tempfile::TempDir;

use super::*;

/// Real time, only spent when a test fails. Shorter than the slow comparison, so that events must have done it.
const DEADLINE: Duration = Duration::from_secs(40);

fn watch(paths: &[&Path]) -> Watch {
    let mut watch = Watch::new(Clock::system());
    watch.set(paths.iter().map(|path| (*path).to_owned()));
    watch
}

async fn changed(watch: &mut Watch) -> Vec<PathBuf> {
    tokio::time::timeout(DEADLINE, watch.changed()).await.expect("a change was not noticed")
}

/// Lays out a projected volume: `token` → `..data/token`, `..data` → a folder with a time stamp.
fn project(dir: &TempDir, stamp: &str, content: &str) {
    let folder = dir.path().join(stamp);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("token"), content).unwrap();
    let (new, link) = (dir.path().join("..data_tmp"), dir.path().join("..data"));
    symlink(stamp, &new).unwrap();
    let before = fs::read_link(&link).ok();
    fs::rename(&new, &link).unwrap();
    if let Some(before) = before {
        fs::remove_dir_all(dir.path().join(before)).unwrap();
    } else {
        symlink("..data/token", dir.path().join("token")).unwrap();
    }
}

#[tokio::test]
async fn each_swap_of_a_projected_volume_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    project(&dir, "..2026_1", "one");
    let token = dir.path().join("token");
    let mut watch = watch(&[&token]);
    for (stamp, content) in [("..2026_2", "two"), ("..2026_3", "three"), ("..2026_4", "four")] {
        project(&dir, stamp, content);
        assert_eq!(changed(&mut watch).await, [token.as_path()]);
        assert_eq!(fs::read_to_string(&token).unwrap(), content);
    }
}

#[tokio::test]
async fn writing_replacing_removing_and_making_are_changes() {
    let dir = tempfile::tempdir().unwrap();
    let (file, other) = (dir.path().join("file"), dir.path().join("other"));
    fs::write(&file, "1").unwrap();
    let mut watch = watch(&[&file, &other]);
    fs::write(&file, "22").unwrap();
    assert_eq!(changed(&mut watch).await, [file.as_path()]);
    let new = dir.path().join("new");
    fs::write(&new, "33").unwrap();
    fs::rename(&new, &file).unwrap();
    assert_eq!(changed(&mut watch).await, [file.as_path()]);
    fs::remove_file(&file).unwrap();
    assert_eq!(changed(&mut watch).await, [file.as_path()]);
    fs::write(&other, "").unwrap();
    assert_eq!(changed(&mut watch).await, [other]);
}

#[tokio::test]
async fn a_file_in_a_folder_that_comes_later_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a/b/file");
    let mut watch = watch(&[&file]);
    let write = async {
        // Folder by folder, with looks in between, as another process would.
        fs::create_dir(dir.path().join("a")).unwrap();
        tokio::task::yield_now().await;
        fs::create_dir(dir.path().join("a/b")).unwrap();
        tokio::task::yield_now().await;
        fs::write(&file, "x").unwrap();
    };
    let (changed, ()) = tokio::join!(changed(&mut watch), write);
    assert_eq!(changed, [file.as_path()]);
}

#[tokio::test]
async fn a_link_into_another_folder_is_followed() {
    let (dir, far) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (file, target) = (dir.path().join("ca.pem"), far.path().join("ca.pem"));
    fs::write(&target, "1").unwrap();
    symlink(&target, &file).unwrap();
    let mut watch = watch(&[&file]);
    fs::write(&target, "22").unwrap();
    assert_eq!(changed(&mut watch).await, [file]);
}

#[tokio::test]
async fn a_change_between_two_calls_is_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    let mut watch = watch(&[&file]);
    tokio::select! {
        biased;
        changed = watch.changed() => panic!("{changed:?}"),
        () = tokio::task::yield_now() => {}
    }
    fs::write(&file, "x").unwrap();
    watch.set([file.clone()]);
    assert_eq!(changed(&mut watch).await, [file]);
}

#[tokio::test(start_paused = true)]
async fn reading_is_no_change_and_unwatched_files_are_silent() {
    let dir = tempfile::tempdir().unwrap();
    let (file, other) = (dir.path().join("file"), dir.path().join("other"));
    fs::write(&file, "x").unwrap();
    fs::write(&other, "x").unwrap();
    let mut watch = watch(&[&file, &other]);
    watch.set([file.clone()]);
    fs::read(&file).unwrap();
    fs::write(&other, "yy").unwrap();
    let waited = tokio::time::timeout(SLOWEST_NOTICE * 10, watch.changed()).await;
    assert!(waited.is_err(), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn without_events_the_slow_comparison_finds_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    let mut watch = Watch::new(Clock::system());
    watch.refused = true;
    watch.set([file.clone()]);
    assert!(watch.events.is_none());
    fs::write(&file, "x").unwrap();
    let start = watch.clock.now();
    assert_eq!(watch.changed().await, [file]);
    assert_eq!(watch.clock.now() - start, SLOWEST_NOTICE);
}

#[tokio::test(start_paused = true)]
async fn nothing_watched_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut watch = Watch::new(Clock::system());
    assert!(watch.events.is_none());
    assert!(tokio::time::timeout(SLOWEST_NOTICE * 10, watch.changed()).await.is_err());
    watch.set([dir.path().join("file")]);
    assert!(watch.events.is_some());
    watch.set([]);
    assert!(watch.events.is_none(), "the thread is gone again");
}

#[test]
fn only_what_can_change_a_file_is_a_reason_to_look() {
    use notify::event::{CreateKind, ModifyKind};
    let (sender, mut receiver) = mpsc::channel(1);
    let mut is_reason = |event: notify::Result<Event>| {
        forward(&sender, &event);
        receiver.try_recv().is_ok()
    };
    assert!(is_reason(Ok(Event::new(EventKind::Create(CreateKind::File)))));
    assert!(is_reason(Ok(Event::new(EventKind::Modify(ModifyKind::Any)))));
    assert!(is_reason(Ok(Event::new(EventKind::Access(AccessKind::Close(AccessMode::Write))))));
    assert!(!is_reason(Ok(Event::new(EventKind::Access(AccessKind::Open(AccessMode::Any))))));
    assert!(is_reason(Err(notify::Error::generic("lost"))));
}
