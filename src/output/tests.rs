use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::PathBuf,
};

use tempfile::TempDir;

use super::*;
use crate::output::effect::{Appended, Effect, apply};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn to(path: impl Into<PathBuf>) -> Destination {
    Destination {
        path: path.into(),
        perms: None,
        user: None,
        group: None,
        create_dest_dirs: true,
        backup: false,
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn set_mode(path: &Path, mode: u32) {
    let file = File::open(path).unwrap();
    file.set_permissions(fs::Permissions::from_mode(mode)).unwrap();
}

fn identity(path: &Path) -> (u64, i64, i64) {
    let meta = fs::symlink_metadata(path).unwrap();
    (meta.ino(), meta.mtime(), meta.mtime_nsec())
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn a_new_file_has_mode_0644_and_leaves_nothing_beside_it() {
    let dir = folder();
    let path = dir.path().join("db");
    assert_eq!(write(&to(&path), b"one").unwrap(), Written::Changed);
    assert_eq!(fs::read(&path).unwrap(), b"one");
    assert_eq!(mode(&path), 0o644);
    assert_eq!(names(dir.path()), ["db"]);
}

#[test]
fn equal_bytes_leave_inode_and_time_alone_even_when_the_mode_differs() {
    let dir = folder();
    let path = dir.path().join("db");
    write(&to(&path), b"one").unwrap();
    let before = identity(&path);
    let stricter = Destination { perms: Some(0o400), ..to(&path) };
    assert_eq!(write(&stricter, b"one").unwrap(), Written::Same);
    assert_eq!(identity(&path), before);
    assert_eq!(mode(&path), 0o644);
    assert!(!Written::Same.is_new());
}

#[test]
fn an_empty_rendering_is_a_file_too() {
    let dir = folder();
    let path = dir.path().join("empty");
    assert_eq!(write(&to(&path), b"").unwrap(), Written::Changed);
    assert_eq!(write(&to(&path), b"").unwrap(), Written::Same);
}

#[test]
fn changed_bytes_get_a_new_inode_and_keep_the_old_mode() {
    let dir = folder();
    let path = dir.path().join("db");
    write(&Destination { perms: Some(0o460), ..to(&path) }, b"one").unwrap();
    let before = identity(&path);
    assert_eq!(write(&to(&path), b"two").unwrap(), Written::Changed);
    assert_ne!(identity(&path).0, before.0);
    assert_eq!(mode(&path), 0o460);
    assert_eq!(write(&Destination { perms: Some(0o606), ..to(&path) }, b"six").unwrap(), Written::Changed);
    assert_eq!(mode(&path), 0o606);
}

#[test]
fn same_length_different_bytes_is_a_change() {
    let dir = folder();
    let path = dir.path().join("db");
    write(&to(&path), b"aaaa").unwrap();
    assert_eq!(write(&to(&path), b"aaab").unwrap(), Written::Changed);
    assert_eq!(fs::read(&path).unwrap(), b"aaab");
}

#[test]
fn missing_folders_are_made_0755_or_named() {
    let dir = folder();
    let path = dir.path().join("a/b/db");
    let not_made = Destination { create_dest_dirs: false, ..to(&path) };
    let error = write(&not_made, b"x").unwrap_err();
    assert!(
        matches!(&error, WriteError::FolderMissing { folder, .. } if folder.ends_with("a/b")),
        "{error:?}"
    );
    assert!(error.problem().to_string().contains("create_dest_dirs"), "{}", error.problem());
    write(&to(&path), b"x").unwrap();
    // The umask of whoever runs the tests may take more away, as the original's does.
    assert_eq!(mode(&dir.path().join("a/b")) & !0o755, 0);
    assert_eq!(fs::read(&path).unwrap(), b"x");
}

#[test]
fn a_link_at_the_destination_is_replaced_and_its_target_untouched() {
    let dir = folder();
    let (target, path) = (dir.path().join("target"), dir.path().join("db"));
    fs::write(&target, "old").unwrap();
    set_mode(&target, 0o600);
    symlink(&target, &path).unwrap();
    assert_eq!(write(&to(&path), b"new").unwrap(), Written::Changed);
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
    assert_eq!(mode(&path), 0o600, "the mode is that of the file the link led to");
    assert_eq!(fs::read(&target).unwrap(), b"old");
}

#[test]
fn a_dangling_link_is_replaced() {
    let dir = folder();
    let path = dir.path().join("db");
    symlink(dir.path().join("nowhere"), &path).unwrap();
    assert_eq!(write(&to(&path), b"new").unwrap(), Written::Changed);
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
    assert_eq!(names(dir.path()), ["db"]);
}

#[test]
fn dots_lead_where_they_lead() {
    let dir = folder();
    fs::create_dir(dir.path().join("in")).unwrap();
    write(&to(dir.path().join("in/../out")), b"x").unwrap();
    assert_eq!(fs::read(dir.path().join("out")).unwrap(), b"x");
}

#[test]
fn directories_pipes_and_folder_names_are_refused() {
    let dir = folder();
    let sub = dir.path().join("sub");
    fs::create_dir(&sub).unwrap();
    let pipe = dir.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (path, word) in [
        (sub.clone(), "a directory"),
        (dir.path().join("new/"), "the name of a directory"),
        (dir.path().join(".."), "the name of a directory"),
        (pipe, "a pipe"),
        ("/dev/null".into(), "a device"),
    ] {
        let error = write(&to(&path), b"secret").unwrap_err();
        assert!(error.to_string().contains(word), "{}: {error}", path.display());
        assert!(error.hint().unwrap().contains("destination"), "{error}");
    }
    assert_eq!(names(dir.path()), ["pipe", "sub"]);
}

#[test]
fn a_file_where_a_folder_should_be_is_an_error_with_the_path() {
    let dir = folder();
    fs::write(dir.path().join("file"), "").unwrap();
    let error = write(&to(dir.path().join("file/db")), b"x").unwrap_err();
    assert!(error.problem().to_string().contains("file/db"), "{}", error.problem());
}

#[test]
fn backups_keep_one_generation() {
    let dir = folder();
    let path = dir.path().join("db");
    let kept = Destination { backup: true, ..to(&path) };
    write(&kept, b"one").unwrap();
    assert_eq!(names(dir.path()), ["db"], "nothing to keep the first time");
    write(&kept, b"two").unwrap();
    assert_eq!(fs::read(dir.path().join("db.bak")).unwrap(), b"one");
    write(&kept, b"three").unwrap();
    assert_eq!(fs::read(dir.path().join("db.bak")).unwrap(), b"two");
    assert_eq!(names(dir.path()), ["db", "db.bak"]);
    write(&kept, b"three").unwrap();
    assert_eq!(
        fs::read(dir.path().join("db.bak")).unwrap(),
        b"two",
        "an unchanged file is no new generation"
    );
}

#[test]
fn a_backup_that_fails_puts_the_earlier_one_back() {
    let dir = folder();
    fs::write(dir.path().join("db.bak"), "earlier").unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    assert!(folder.back_up(OsStr::new("db")).is_err(), "there is nothing to keep");
    assert_eq!(names(dir.path()), ["db.bak"]);
    assert_eq!(fs::read(dir.path().join("db.bak")).unwrap(), b"earlier");
}

#[test]
fn a_configured_owner_is_given_before_the_name_or_refused_with_advice() {
    let dir = folder();
    let path = dir.path().join("db");
    let owned = Destination { user: Some("4711".into()), group: Some("4712".into()), ..to(&path) };
    match write(&owned, b"x") {
        Ok(written) => {
            assert!(is_root());
            assert_eq!(written, Written::Changed);
            let meta = fs::metadata(&path).unwrap();
            assert_eq!((meta.uid(), meta.gid()), (4711, 4712));
            assert_eq!(write(&owned, b"x").unwrap(), Written::Same);
        }
        Err(error) => {
            assert!(!is_root());
            let text = error.problem().to_string();
            assert!(text.contains("4711:4712") && text.contains("agent-run-as-user"), "{text}");
            assert_eq!(names(dir.path()), [""; 0], "neither file nor temporary file");
        }
    }
}

#[test]
fn owners_by_name_come_from_the_account_files() {
    let dir = folder();
    let accounts = Accounts::at(dir.path().join("passwd"), dir.path().join("group"));
    let own = nix::unistd::geteuid();
    fs::write(dir.path().join("passwd"), format!("me:x:{own}:0::/:\n")).unwrap();
    let path = dir.path().join("db");
    let owned = |user: &str| Destination { user: Some(user.into()), ..to(&path) };
    assert_eq!(write_with(&owned("me"), b"x", &accounts).unwrap(), Written::Changed);
    let error = write_with(&owned("you"), b"y", &accounts).unwrap_err();
    assert!(error.problem().to_string().contains("unknown user you"), "{}", error.problem());
    assert_eq!(fs::read(&path).unwrap(), b"x");
}

#[test]
fn failures_say_who_where_and_what_to_change() {
    let dir = folder();
    set_mode(dir.path(), 0o750);
    let path = dir.path().join("db");
    let text = |errno: nix::errno::Errno| {
        WriteError::new("create a file beside", &path, 12, errno.into()).problem().to_string()
    };
    let denied = text(nix::errno::Errno::EACCES);
    let own = format!("runs as {}:{}", nix::unistd::geteuid(), nix::unistd::getegid());
    for part in [path.to_str().unwrap(), &own, "belongs to", "mode 0750", "agent-run-as-user", "fsGroup"] {
        assert!(denied.contains(part), "{part} not in {denied}");
    }
    assert!(text(nix::errno::Errno::ENOSPC).contains("12 bytes"));
    assert!(text(nix::errno::Errno::ENOSPC).contains("sizeLimit"));
    assert!(text(nix::errno::Errno::EROFS).contains("emptyDir"));
    assert!(text(nix::errno::Errno::EBUSY).contains("subPath"));
    assert!(text(nix::errno::Errno::EIO).contains("Input/output error"));
}

#[test]
fn a_failure_at_creation_or_at_the_rename_leaves_no_temporary_file() {
    let dir = folder();
    let long = dir.path().join("x".repeat(300));
    assert!(write(&to(&long), b"secret").is_err());
    assert_eq!(names(dir.path()), [""; 0]);
    let sub = dir.path().join("sub");
    fs::create_dir(&sub).unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let attributes = Attributes { mode: 0o600, owner: Ids::default(), keep: Ids::default() };
    let error = folder.replace(OsStr::new("sub"), b"secret", &attributes).unwrap_err();
    assert!(matches!(error, WriteError::NotAFile { .. }), "{error:?}");
    assert_eq!(names(dir.path()), ["sub"], "the temporary file is gone");
}

#[test]
fn errors_never_show_the_bytes() {
    let dir = folder();
    let error = write(&to(dir.path()), b"hunter2-canary").unwrap_err();
    assert!(!format!("{error:?}{}", error.problem()).contains("canary"));
}

// writeToFile

fn effect<'a>(path: &'a Path, append: bool, contents: &'a str) -> Effect<'a> {
    Effect { path, user: "", group: "", mode: 0o640, append, contents: contents.as_bytes() }
}

fn only(effects: &[Effect<'_>]) -> Result<Written, WriteError> {
    let mut results = apply(effects, &mut Appended::default());
    assert_eq!(results.len(), 1);
    results.pop().unwrap().1
}

#[test]
fn calls_for_one_file_are_one_change() {
    let dir = folder();
    let path = dir.path().join("made/here/file");
    let calls =
        [effect(&path, false, "dropped"), effect(&path, false, "one\n"), effect(&path, true, "two\n")];
    assert_eq!(only(&calls).unwrap(), Written::Changed);
    assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
    assert_eq!(mode(&path), 0o640);
    let before = identity(&path);
    assert_eq!(only(&calls).unwrap(), Written::Same);
    assert_eq!(identity(&path), before);
    let wider = Effect { mode: 0o7644, ..effect(&path, false, "one\ntwo\n") };
    assert_eq!(only(&[wider]).unwrap(), Written::Changed);
    assert_eq!(mode(&path), 0o644);
}

#[test]
fn appending_first_grows_the_file() {
    let dir = folder();
    let path = dir.path().join("log");
    let calls = [effect(&path, true, "a"), effect(&path, true, "b")];
    only(&calls).unwrap();
    let inode = identity(&path).0;
    only(&calls).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"abab");
    assert_eq!(identity(&path).0, inode);
}

#[test]
fn a_link_as_file_is_refused_both_ways() {
    let dir = folder();
    let (target, path) = (dir.path().join("target"), dir.path().join("file"));
    fs::write(&target, "old").unwrap();
    symlink(&target, &path).unwrap();
    for append in [false, true] {
        let error = only(&[effect(&path, append, "new")]).unwrap_err();
        assert!(matches!(error, WriteError::Link { .. }), "{error:?}");
    }
    assert_eq!(fs::read(&target).unwrap(), b"old");
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
}

#[test]
fn a_link_as_direct_folder_is_refused() {
    let dir = folder();
    fs::create_dir(dir.path().join("real")).unwrap();
    symlink("real", dir.path().join("link")).unwrap();
    let path = dir.path().join("link/file");
    let error = only(&[effect(&path, false, "x")]).unwrap_err();
    assert!(matches!(&error, WriteError::Link { link, .. } if link.ends_with("link")), "{error:?}");
    assert_eq!(names(&dir.path().join("real")), [""; 0]);
}

#[test]
fn a_link_further_up_is_followed_only_where_root_alone_could_have_put_it() {
    let dir = folder();
    fs::create_dir_all(dir.path().join("real/sub")).unwrap();
    symlink(dir.path().join("real"), dir.path().join("link")).unwrap();
    let path = dir.path().join("link/sub/file");
    set_mode(dir.path(), 0o777);
    let error = only(&[effect(&path, false, "x")]).unwrap_err();
    assert!(matches!(error, WriteError::Link { .. }), "{error:?}");
    set_mode(dir.path(), 0o755);
    assert_eq!(only(&[effect(&path, false, "x")]).is_ok(), is_root());
    assert_eq!(dir.path().join("real/sub/file").exists(), is_root());
}

#[test]
fn one_failing_file_does_not_stop_the_others() {
    let dir = folder();
    let (bad, good) = (dir.path().to_owned(), dir.path().join("good"));
    let results = apply(&[effect(&bad, false, "x"), effect(&good, false, "y")], &mut Appended::default());
    assert!(matches!(results[0].1, Err(WriteError::NotAFile { .. })), "{:?}", results[0]);
    assert_eq!(results[1].1.as_ref().unwrap(), &Written::Changed);
    let error = only(&[Effect { user: "no such name", ..effect(&good, false, "z") }]).unwrap_err();
    assert!(matches!(error, WriteError::UnknownOwner { .. }));
}

#[test]
fn an_append_beside_a_failing_file_is_not_repeated_with_the_next_try() {
    let dir = folder();
    let (bad, log) = (dir.path().join("bad"), dir.path().join("log"));
    fs::create_dir(&bad).unwrap();
    let mut appended = Appended::default();
    let mut attempt = |line| apply(&[effect(&log, true, line), effect(&bad, false, "x")], &mut appended);
    for _ in 0..3 {
        let results = attempt("one\n");
        assert!(results[0].1.is_ok() && results[1].1.is_err(), "{results:?}");
    }
    attempt("two\n");
    assert_eq!(fs::read(&log).unwrap(), b"one\ntwo\n", "other bytes are news");
    fs::remove_dir(&bad).unwrap();
    attempt("two\n");
    assert_eq!(fs::read(&log).unwrap(), b"one\ntwo\n");
    attempt("two\n");
    assert_eq!(fs::read(&log).unwrap(), b"one\ntwo\ntwo\n", "a render that went well is over");
}
