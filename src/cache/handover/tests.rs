#![expect(clippy::disallowed_methods, reason = "tests play everybody else who can write to the folder")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use super::*;
use crate::{auth::claims::tests::jwt as unsigned, cache::format::tests::contents, origin::Origin};

struct Place {
    root: tempfile::TempDir,
    config: HandoverConfig,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let config = HandoverConfig {
            folder: root.path().join("cache"),
            jwt: root.path().join("jwt"),
            origin: Origin::Default,
        };
        fs::create_dir(&config.folder).unwrap();
        fs::set_permissions(&config.folder, fs::Permissions::from_mode(0o1777)).unwrap();
        let place = Self { root, config };
        place.set_jwt("one");
        place
    }

    fn set_jwt(&self, sub: &str) {
        let signed = format!(
            "{}.{}",
            unsigned(&format!(r#"{{"sub":"{sub}"}}"#)).rsplit_once('.').unwrap().0,
            "s".repeat(86)
        );
        fs::write(&self.config.jwt, format!("{signed}\n")).unwrap();
    }

    fn file(&self) -> std::path::PathBuf {
        self.config.folder.join(FILE_NAME)
    }

    fn refused(&self) -> String {
        read(&self.config).unwrap_err().to_string()
    }
}

#[test]
fn what_is_written_is_read_back_by_the_same_user_with_the_same_jwt() {
    let place = Place::new();
    assert!(matches!(read(&place.config), Err(Unusable::Absent)));
    write(&place.config, &contents()).unwrap();
    assert_eq!(read(&place.config).unwrap(), contents());
    let meta = fs::metadata(place.file()).unwrap();
    assert_eq!(meta.mode() & 0o7777, 0o600);
    let bytes = fs::read(place.file()).unwrap();
    assert!(!bytes.windows(6).any(|part| part == b"canary"));
    assert_eq!(fs::read_dir(&place.config.folder).unwrap().count(), 1, "nothing temporary stays");
    remove(&place.config).unwrap();
    remove(&place.config).unwrap();
    assert!(matches!(read(&place.config), Err(Unusable::Absent)));
}

#[test]
fn another_jwt_none_or_something_that_is_none_opens_nothing() {
    let place = Place::new();
    write(&place.config, &contents()).unwrap();
    place.set_jwt("two");
    assert!(matches!(read(&place.config), Err(Unusable::Key)));
    for odd in ["", "password", "a.b.c", "a.b.c.d"] {
        fs::write(&place.config.jwt, odd).unwrap();
        assert!(matches!(read(&place.config), Err(Unusable::NoJwt(_))), "{odd}");
        assert!(matches!(write(&place.config, &contents()), Err(SaveError::NoJwt(_))), "{odd}");
    }
    fs::remove_file(&place.config.jwt).unwrap();
    assert!(matches!(read(&place.config), Err(Unusable::NoJwt(_))));
    nix::unistd::mkfifo(&place.config.jwt, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(matches!(read(&place.config), Err(Unusable::NoJwt(_))), "it doesn't wait for a writer");
    fs::remove_file(&place.config.jwt).unwrap();
    place.set_jwt("two");
    write(&place.config, &contents()).unwrap();
    assert_eq!(read(&place.config).unwrap(), contents(), "written anew with the new one");
}

#[test]
fn a_file_that_somebody_else_could_have_planted_is_not_believed() {
    let place = Place::new();
    write(&place.config, &contents()).unwrap();
    let (file, aside) = (place.file(), place.root.path().join("aside"));
    for mode in [0o644, 0o660, 0o400, 0o4600] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        assert!(place.refused().contains("mode"), "{mode:o}: {}", place.refused());
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::hard_link(&file, &aside).unwrap();
    assert!(place.refused().contains("second name"));
    fs::remove_file(&file).unwrap();
    symlink(&aside, &file).unwrap();
    assert!(place.refused().contains("link"));
    fs::remove_file(&file).unwrap();
    nix::unistd::mkfifo(&file, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    assert!(place.refused().contains("regular"));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(place.refused().contains("regular"));
    let meta = fs::metadata(&place.config.jwt).unwrap();
    assert_eq!(trust(&meta, meta.uid() + 1), Err("it belongs to another user"));
}

#[test]
fn writing_replaces_whatever_stands_there_and_follows_no_link() {
    let place = Place::new();
    let target = place.root.path().join("target");
    fs::write(&target, "untouched").unwrap();
    symlink(&target, place.file()).unwrap();
    write(&place.config, &contents()).unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "untouched");
    assert_eq!(read(&place.config).unwrap(), contents());
    symlink(&target, place.root.path().join("link")).unwrap();
    remove(&place.config).unwrap();
    assert!(target.exists());
}

#[test]
fn damage_of_any_kind_is_noticed() {
    let place = Place::new();
    write(&place.config, &contents()).unwrap();
    let whole = fs::read(place.file()).unwrap();
    for (cut, at) in [(0, None), (whole.len() / 2, None), (whole.len(), Some(7)), (whole.len(), Some(60))] {
        let mut bytes = whole[..cut].to_vec();
        if let Some(at) = at {
            bytes[at] ^= 0x40;
        }
        fs::write(place.file(), bytes).unwrap();
        assert!(matches!(read(&place.config), Err(Unusable::Key | Unusable::Format)), "{cut} {at:?}");
    }
}

#[test]
fn without_the_folder_there_is_nothing_to_read_and_nowhere_to_write() {
    let place = Place::new();
    fs::remove_dir(&place.config.folder).unwrap();
    assert!(matches!(read(&place.config), Err(Unusable::Absent)));
    assert!(matches!(write(&place.config, &contents()), Err(SaveError::Folder { .. })));
    remove(&place.config).unwrap();
}
