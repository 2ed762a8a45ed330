//! What a case needs of the machine beyond cargo and a C compiler: root, strace, mounts, namespaces,
//! control groups.
//!
//! Where it is missing, the case says loudly that it is skipped and why. With `DECANT_TESTS_REQUIRE=all`, as
//! `.ci/run` sets it, it fails instead. Cases that need a real server (`BAO_BIN`) are another matter: see `server`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

use super::{
    memory::MemoryLimit,
    process::named,
    server::{case_name, say},
};

/// The variable that turns a skip into a failure.
const REQUIRE: &str = "DECANT_TESTS_REQUIRE";

/// Something that not every machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Rights of the super user.
    Root,
    /// A program of a Debian package that is not part of every installation.
    Program {
        /// Its name.
        name: &'static str,
        /// The package.
        package: &'static str,
    },
    /// The right to trace processes, and strace to do it with.
    Strace,
    /// The right to mount file systems in a mount namespace of its own.
    Mounts,
    /// The right to be cut off from the network in a namespace of its own.
    NetworkNamespace,
    /// An address of IP version 6 on loopback.
    Ipv6,
    /// Debian's static busybox, which images take.
    Busybox,
    /// The right to make control groups that limit memory.
    ControlGroup,
}

/// What a tracing case needs.
const STRACE: Need = Need::Program { name: "strace", package: "strace" };

impl Need {
    /// Why it is missing; `None`: it is there.
    fn missing(self) -> Option<String> {
        let probe = |what: &str, args: &[&str]| {
            (!succeeds(args)).then(|| format!("{what} is not allowed here (`{}` fails)", args.join(" ")))
        };
        match self {
            Self::Root => (!nix::unistd::geteuid().is_root()).then(|| "root is needed".to_owned()),
            Self::Program { name, package } => (!is_in_path(name))
                .then(|| format!("{name} is not installed (Debian: apt-get install {package})")),
            Self::Strace => {
                STRACE.missing().or_else(|| probe("tracing", &["strace", "-o", "/dev/null", "true"]))
            }
            Self::Mounts => probe(
                "mounting",
                &["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=64k", "none", "/mnt"],
            ),
            Self::NetworkNamespace => probe("a network namespace", &["unshare", "--net", "true"]),
            Self::Ipv6 => std::net::TcpListener::bind("[::1]:0")
                .is_err()
                .then(|| "there is no IPv6 address on loopback".to_owned()),
            // The program alone may be the other package's, which is not static.
            Self::Busybox => (!Path::new("/usr/share/doc/busybox-static/copyright").exists()).then(|| {
                "a static busybox is not installed (Debian: apt-get install busybox-static)".to_owned()
            }),
            Self::ControlGroup => MemoryLimit::new(16 << 20).is_none().then(|| {
                "no control group that limits memory can be made here (below /sys/fs/cgroup)".to_owned()
            }),
        }
    }
}

/// Runs a case that needs all of this.
///
/// # Panics
/// When something is missing and `DECANT_TESTS_REQUIRE=all` says that nothing may be.
#[track_caller]
pub fn needing(needs: &[Need], case: impl FnOnce()) {
    match verdict(&missing(needs), &required()) {
        Verdict::Run => case(),
        Verdict::Skip(why) => say(&format!("skipped: {}: {why}", case_name())),
        Verdict::Fail(why) => panic!("{why}"),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Run,
    Skip(String),
    Fail(String),
}

fn verdict(missing: &[String], required: &str) -> Verdict {
    let why = missing.join("; ");
    match required {
        // Before anything else: a misspelt word must not turn a failure into a skip.
        other if !matches!(other, "" | "all") => {
            Verdict::Fail(format!("{REQUIRE}={other} has no meaning; write all, or leave it unset"))
        }
        _ if missing.is_empty() => Verdict::Run,
        "" => Verdict::Skip(why),
        _ => Verdict::Fail(format!("{REQUIRE}=all forbids to skip this case, but {why}")),
    }
}

fn required() -> String {
    named(REQUIRE).map(|value| value.display().to_string()).unwrap_or_default()
}

/// What is missing; each need is tried once per run.
fn missing(needs: &[Need]) -> Vec<String> {
    static KNOWN: Mutex<BTreeMap<Need, Option<String>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    needs.iter().filter_map(|need| known.entry(*need).or_insert_with(|| need.missing()).clone()).collect()
}

fn is_in_path(name: &str) -> bool {
    let path = named("PATH").unwrap_or_else(|| PathBuf::from("/usr/bin:/bin"));
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

#[expect(clippy::disallowed_methods, reason = "the only way to know is to try")]
fn succeeds(args: &[&str]) -> bool {
    let mut command = Command::new(args[0]);
    command.args(&args[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[test]
fn what_is_missing_skips_loudly_or_fails_where_nothing_may_be_skipped() {
    let missing = ["root is needed".to_owned(), "strace is not installed".to_owned()];
    assert_eq!(verdict(&[], ""), Verdict::Run);
    assert_eq!(verdict(&[], "all"), Verdict::Run);
    let why = "root is needed; strace is not installed";
    assert_eq!(verdict(&missing, ""), Verdict::Skip(why.to_owned()));
    assert!(matches!(verdict(&missing, "all"), Verdict::Fail(text) if text.contains(why)));
    assert!(matches!(verdict(&[], "al"), Verdict::Fail(text) if text.contains("al has no meaning")));
}

#[test]
fn a_program_that_nobody_has_is_missing_and_names_its_package() {
    let nobody = Need::Program { name: "no-such-program", package: "no-such-package" };
    assert!(nobody.missing().unwrap().contains("apt-get install no-such-package"));
    assert_eq!(Need::Program { name: "sh", package: "dash" }.missing(), None);
}

#[test]
fn whatever_is_missing_says_so_in_words() {
    let strace = Need::Program { name: "strace", package: "strace" };
    for need in [
        Need::Root,
        strace,
        Need::Strace,
        Need::Mounts,
        Need::NetworkNamespace,
        Need::Ipv6,
        Need::Busybox,
        Need::ControlGroup,
    ] {
        if let Some(why) = need.missing() {
            assert!(why.contains(' '), "{need:?}: {why}");
        }
    }
}

/// All packages that cases name; a new one goes here and into `.ci/run`.
const PACKAGES: &[&str] = &["strace", "busybox-static"];

#[test]
fn the_gate_installs_every_package_and_forbids_skipping() {
    let gate = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/run")).unwrap();
    let installed = gate.lines().find_map(|line| line.strip_prefix("packages=")).unwrap();
    let installed: Vec<&str> = installed.trim_matches(['(', ')']).split_whitespace().collect();
    assert_eq!(installed, PACKAGES);
    assert!(gate.contains(&format!("export {REQUIRE}=")), "the gate lets cases be skipped");
}
