//! How the image is made: the same bytes from the same commit, whatever the hour and the machine's settings, and the
//! texts about it keep up with the script.

use std::{fs, path::Path};

use crate::harness::{
    container::{NEEDS, build_image},
    needing,
};

const SCRIPT: &str = include_str!("rootfs");
const DOCKERFILE: &str = include_str!("../../Dockerfile");
const IGNORED: &str = include_str!("../../.dockerignore");

#[test]
fn two_builds_give_the_same_bytes() {
    needing(NEEDS, || {
        let folder = tempfile::tempdir().unwrap();
        let layer = |name: &str, env: &[(&str, &str)]| {
            let root = folder.path().join(name);
            build_image("decant", &root, env).expect(0);
            let layer = fs::read(root.with_extension("tar")).expect("a layer");
            fs::remove_dir_all(root).expect("a folder of ours");
            layer
        };
        let first = layer("first", &[]);
        let second = layer("second", &[("TZ", "Asia/Tokyo"), ("LC_ALL", "C.UTF-8"), ("LANG", "de_DE.UTF-8")]);
        assert!(first == second, "the layers differ");
        // Files carry the time that the script is given, so that another commit's image is another one.
        assert!(first != layer("third", &[("SOURCE_DATE_EPOCH", "1767225601")]), "the time is not in it");
    });
}

#[test]
fn the_root_holds_what_it_should_with_owners_and_modes() {
    needing(NEEDS, || {
        use std::os::unix::fs::MetadataExt;
        let root = crate::harness::container::image("decant");
        for (path, uid, gid, mode) in [
            ("bin/decant", 0, 0, 0o755),
            ("bin/busybox", 0, 0, 0o755),
            ("home/vault", 100, 0, 0o775),
            ("home/openbao", 100, 0, 0o775),
            ("vault/secrets", 0, 0, 0o755),
            ("tmp", 0, 0, 0o1777),
            ("etc/passwd", 0, 0, 0o644),
        ] {
            let meta = fs::metadata(root.join(path)).expect(path);
            assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (uid, gid, mode), "{path}");
        }
        for name in ["vault", "bao"] {
            assert_eq!(fs::read_link(root.join("bin").join(name)).unwrap(), Path::new("decant"));
        }
        for name in ["sh", "base64", "touch", "sleep", "echo"] {
            assert_eq!(fs::read_link(root.join("bin").join(name)).unwrap(), Path::new("busybox"));
        }
        let bare = crate::harness::container::image("decant-bare");
        let programs = crate::harness::pod::list(&bare.join("bin"));
        assert_eq!(programs, ["bao", "decant", "vault"]);
        let passwd = fs::read_to_string(root.join("etc/passwd")).unwrap();
        assert!(passwd.contains("\nvault:x:100:1000:vault:/home/vault:"), "{passwd}");
    });
}

/// Words between `tools="` and the next quote.
fn tools() -> Vec<&'static str> {
    let list =
        SCRIPT.split_once("tools=\"").and_then(|(_, rest)| rest.split_once('"')).expect("a list of tools").0;
    list.split_whitespace().collect()
}

#[test]
fn the_readme_lists_the_tools_of_the_image() {
    let readme = include_str!("../../README.md");
    let listed = readme.lines().find_map(|line| line.strip_prefix("<!-- tools -->")).expect("the list");
    let listed: Vec<&str> = listed.split('`').skip(1).step_by(2).flat_map(str::split_whitespace).collect();
    assert_eq!(listed, tools());
}

#[test]
fn every_target_of_the_dockerfile_is_from_scratch_and_made_by_the_script() {
    let targets: Vec<&str> =
        DOCKERFILE.lines().filter_map(|line| line.strip_prefix("FROM scratch AS ")).collect();
    assert_eq!(targets.last(), Some(&"decant"), "the last target is the default one");
    assert_eq!(targets, ["decant-injector", "decant-bare", "decant"]);
    for stage in DOCKERFILE.split("FROM scratch AS ").skip(1) {
        let name = stage.lines().next().unwrap();
        for line in ["USER 100:1000", "ENTRYPOINT [\"/bin/decant\"]", "ENV PATH=/bin"] {
            assert!(stage.contains(line), "{name}: {line}");
        }
        assert!(stage.contains(&format!("/{name} /\n")), "{name}: its own root");
        assert!(stage.contains(&format!("decant.sbom=\"/usr/share/buildinfo/{name}.cdx.json\"")), "{name}");
        assert!(DOCKERFILE.contains(&format!("integration/image/rootfs {name} /program /{name}")), "{name}");
    }
    // A stage doesn't know the arguments of the one that it stands on; builders differ in that.
    for stage in DOCKERFILE.split("\nFROM ").filter(|stage| stage.contains("integration/image/rootfs")) {
        assert!(stage.contains("\nARG SOURCE_DATE_EPOCH=0\n"), "{stage}");
    }
    for line in IGNORED.lines().filter_map(|line| line.strip_prefix('!')) {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(line).exists(), "{line} is not there");
    }
    for part in ["rootfs", "sbom", "cyclonedx.awk"] {
        assert!(IGNORED.contains(&format!("!integration/image/{part}")), "{part} doesn't get into the build");
    }
}
