use std::{
    fs,
    os::unix::fs::{MetadataExt as _, symlink},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::*;

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

/// A folder with a group of two files in it, `cert` and `key`; the key's mode is 0400.
struct Pair {
    dir: TempDir,
    cert: Destination,
    key: Destination,
    manner: Manner,
}

impl Pair {
    fn new(manner: Manner) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("tls");
        let key = Destination { perms: Some(0o400), ..to(folder.join("key")) };
        Self { cert: to(folder.join("cert")), key, dir, manner }
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("tls")
    }

    fn write(&self, cert: &str, key: &str) -> Result<Vec<Written>, GroupError> {
        self.write_beside(cert, key, Vec::new())
    }

    fn write_beside(
        &self,
        cert: &str,
        key: &str,
        effects: Vec<Effect<'_>>,
    ) -> Result<Vec<Written>, GroupError> {
        let members = [
            Member { destination: &self.cert, bytes: cert.as_bytes(), effects },
            Member { destination: &self.key, bytes: key.as_bytes(), effects: Vec::new() },
        ];
        write(&members, self.manner)
    }

    fn read(&self) -> (String, String) {
        let read = |name: &str| fs::read_to_string(self.folder().join(name)).unwrap_or_default();
        (read("cert"), read("key"))
    }

    fn listing(&self) -> Vec<String> {
        names(&self.folder())
    }

    /// Names of the folders of sets.
    fn sets(&self) -> Vec<String> {
        self.listing().into_iter().filter(|name| name.starts_with("..decant-")).collect()
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

const BOTH: [Manner; 2] = [Manner::InTurn, Manner::AtOnce];

fn pair(cert: &str, key: &str) -> (String, String) {
    (cert.to_owned(), key.to_owned())
}

#[test]
fn all_files_are_written_and_only_what_is_new_counts_as_changed() {
    for manner in BOTH {
        let pair_of = Pair::new(manner);
        assert_eq!(pair_of.write("c1", "k1").unwrap(), [Written::Changed, Written::Changed]);
        assert_eq!(pair_of.read(), pair("c1", "k1"));
        let before = fs::metadata(pair_of.folder().join("key")).unwrap();
        assert_eq!(before.mode() & 0o7777, 0o400);
        assert_eq!(pair_of.write("c1", "k1").unwrap(), [Written::Same, Written::Same]);
        assert_eq!(fs::metadata(pair_of.folder().join("key")).unwrap().ino(), before.ino());
        assert_eq!(pair_of.write("c2", "k1").unwrap(), [Written::Changed, Written::Same]);
        assert_eq!(pair_of.read(), pair("c2", "k1"));
        let left = pair_of.listing();
        assert!(!left.iter().any(|name| name.starts_with(".decant-")), "{left:?}");
    }
}

#[test]
fn one_member_that_can_not_be_written_keeps_the_whole_old_set() {
    for manner in BOTH {
        let mut pair_of = Pair::new(manner);
        pair_of.write("c1", "k1").unwrap();
        pair_of.key.user = Some("no-such-user".into());
        let error = pair_of.write("c2", "k2").unwrap_err();
        assert_eq!((error.member, error.changed), (1, false));
        assert!(matches!(error.source, WriteError::UnknownOwner { .. }), "{error:?}");
        assert_eq!(pair_of.read(), pair("c1", "k1"));
        let left = pair_of.listing();
        assert!(!left.iter().any(|name| name.starts_with(".decant-")), "{left:?}");
    }
}

/// The last rename is refused: what was named before goes back.
#[test]
fn a_rename_that_fails_takes_the_others_back() {
    let pair_of = Pair::new(Manner::InTurn);
    let folder = pair_of.folder();
    for before in ["c1", ""] {
        fs::remove_dir_all(&folder).ok();
        fs::create_dir(&folder).unwrap();
        if !before.is_empty() {
            fs::write(folder.join("cert"), before).unwrap();
        }
        // Something comes into the way of the second rename after all checks.
        let blocked = folder.join("blocked");
        fs::create_dir_all(blocked.join("x")).unwrap();
        let accounts = Accounts::system();
        let one = Replacement::of(&pair_of.cert, b"c2", &accounts).unwrap().unwrap();
        let destination = to(folder.join("other"));
        let two = Replacement {
            name: "blocked".as_ref(),
            ..Replacement::of(&destination, b"k2", &accounts).unwrap().unwrap()
        };
        let mut written = [Written::Same; 2];
        let error =
            in_turn(&[(0, one), (1, two)], &mut written, |_| panic!("it is not reached")).unwrap_err();
        assert_eq!((error.member, error.changed), (1, false));
        assert_eq!(fs::read_to_string(folder.join("cert")).unwrap_or_default(), before);
        let left = names(&folder);
        assert!(left.iter().all(|name| ["blocked", "cert"].contains(&name.as_str())), "{left:?}");
    }
}

#[test]
fn files_beside_the_members_change_with_them() {
    for manner in BOTH {
        let pair_of = Pair::new(manner);
        let (chain, elsewhere, log) = (
            pair_of.folder().join("chain"),
            pair_of.dir.path().join("else/ca"),
            pair_of.folder().join("log"),
        );
        let effect =
            |path, append, contents| Effect { path, user: "", group: "", mode: 0o640, append, contents };
        let effects = |text: &'static [u8]| {
            vec![effect(&chain, false, text), effect(&elsewhere, false, text), effect(&log, true, text)]
        };
        pair_of.write_beside("c1", "k1", effects(b"x1")).unwrap();
        let written = pair_of.write_beside("c1", "k1", effects(b"x2")).unwrap();
        assert_eq!(written, [Written::Changed, Written::Same]);
        let texts = [&chain, &elsewhere, &log].map(|path| fs::read_to_string(path).unwrap_or_default());
        assert_eq!(texts, ["x2", "x2", ""], "what adds to a file comes after");
        assert_eq!(fs::metadata(&chain).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(fs::symlink_metadata(&chain).unwrap().is_symlink(), manner == Manner::AtOnce);

        // A link where none is followed: nothing changes.
        fs::remove_file(&elsewhere).unwrap();
        symlink("/etc/passwd", &elsewhere).unwrap();
        let error = pair_of.write_beside("c2", "k2", effects(b"x3")).unwrap_err();
        assert!(matches!(error.source, WriteError::Link { .. }), "{error:?}");
        assert_eq!((error.changed, pair_of.read()), (false, pair("c1", "k1")));
        assert_eq!(fs::read_to_string(&chain).unwrap(), "x2");
    }
}

#[test]
fn an_atomic_group_is_a_folder_behind_a_link_and_the_set_before_stays_readable() {
    let pair_of = Pair::new(Manner::AtOnce);
    pair_of.write("c1", "k1").unwrap();
    let link = |name: &str| fs::read_link(pair_of.folder().join(name)).unwrap();
    assert_eq!(link("cert"), Path::new("..data/cert"));
    assert_eq!(link("key"), Path::new("..data/key"));
    let first = pair_of.folder().join(link("..data"));
    pair_of.write("c2", "k2").unwrap();
    assert_eq!(fs::read_to_string(first.join("key")).unwrap(), "k1", "who followed the link finds all of it");
    assert_eq!(pair_of.sets().len(), 2);
    pair_of.write("c3", "k3").unwrap();
    assert_eq!((pair_of.sets().len(), first.exists()), (2, false));
    assert_eq!(pair_of.read(), pair("c3", "k3"));
}

#[test]
fn plain_files_become_links_once_and_files_that_left_the_group_go() {
    let pair_of = Pair::new(Manner::AtOnce);
    fs::create_dir(pair_of.folder()).unwrap();
    for name in ["cert", "key", "other"] {
        fs::write(pair_of.folder().join(name), name).unwrap();
    }
    assert_eq!(
        pair_of.write("cert", "key").unwrap(),
        [Written::Same, Written::Same],
        "the bytes are the same"
    );
    assert!(fs::symlink_metadata(pair_of.folder().join("cert")).unwrap().is_symlink());
    let alone = [Member { destination: &pair_of.cert, bytes: b"new", effects: Vec::new() }];
    write(&alone, Manner::AtOnce).unwrap();
    let plain: Vec<String> = pair_of.listing().into_iter().filter(|name| !name.starts_with("..")).collect();
    assert_eq!(plain, ["cert", "other"]);

    // And back again: a group that is atomic no more.
    let in_turn = Pair { manner: Manner::InTurn, ..pair_of };
    in_turn.write("c", "k").unwrap();
    assert_eq!(in_turn.read(), pair("c", "k"));
    assert!(!fs::symlink_metadata(in_turn.folder().join("cert")).unwrap().is_symlink());
}

#[test]
fn what_is_no_link_at_the_swapped_name_is_left_alone() {
    let pair_of = Pair::new(Manner::AtOnce);
    fs::create_dir_all(pair_of.folder().join("..data/x")).unwrap();
    let error = pair_of.write("c", "k").unwrap_err();
    assert!(!error.changed && error.source.to_string().contains("..data is a directory"), "{error:?}");
    assert_eq!(pair_of.listing(), ["..data"], "nothing is left of the set");
}

/// A reader that follows the link once never sees parts of two sets, and one that goes by the names sees whole files.
#[test]
fn a_reader_in_a_loop_never_meets_a_mixed_set() {
    let pair_of = Pair::new(Manner::AtOnce);
    pair_of.write("0", "0").unwrap();
    let folder = pair_of.folder();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = std::collections::BTreeSet::new();
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let Ok(set) = fs::canonicalize(folder.join("..data")) else { continue };
                let read = |name: &str| fs::read_to_string(set.join(name));
                // Two swaps later the folder may be gone in between; then there is nothing to compare.
                if let (Ok(cert), Ok(key)) = (read("cert"), read("key")) {
                    assert_eq!(cert, key);
                    seen.insert(cert);
                }
            }
            seen.len()
        });
        for number in 1..=2000 {
            let text = number.to_string();
            pair_of.write(&text, &text).unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
}
