//! What is left of every file when the system fails or the process is killed at any step of a write: the old file or
//! the new one, whole, with its mode; never a part, never both.
//!
//! A first run under strace shows the system calls that touch the pod's folders. Then each of them is made to fail,
//! or the process is killed as it enters it, one per run.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt};

use serde_json::json;

use crate::harness::{Need, Pod, Run, Server, canary, needing, on_dev};

/// The calls that a write is made of, and those by which a program could do it otherwise.
const CALLS: &[&str] = &[
    "openat",
    "write",
    "pwrite64",
    "fchmod",
    "fchmodat",
    "fchown",
    "fchownat",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "linkat",
    "unlinkat",
    "mkdirat",
    "ftruncate",
    "copy_file_range",
];

/// One call of the run: its name, the how manieth of its name it is, and what strace said of it.
#[derive(Clone, Debug)]
struct Step {
    call: String,
    number: usize,
    line: String,
}

/// Files that the run replaces, with their modes: below `secrets`, from `old` to something else.
const FILES: &[(&str, u32)] = &[("v", 0o640), ("more/w", 0o440), ("token", 0o600)];

struct Scene {
    pod: Pod,
    value: String,
    config: String,
}

impl Scene {
    fn new(server: &Server) -> Self {
        let value = canary("v");
        server.put("app", &json!({"v": value}));
        let pod = Pod::at(server);
        let show = format!(
            "{{{{ with secret \"secret/data/app\" }}}}{{{{ .Data.data.v | writeToFile \"{}\" \"\" \"\" \"0440\" }}}}\
             new {{{{ .Data.data.v }}}}{{{{ end }}}}",
            pod.text("secrets/more/w")
        );
        let login = pod.login(server, "app");
        let sink = format!("path = \"{}\"", pod.text("token"));
        assert!(login.contains(&sink), "{login}");
        let login = login.replace(&sink, &format!("path = \"{}\" mode = 0600", pod.text("secrets/token")));
        let config = format!(
            "exit_after_auth = true\ntemplate_config {{ exit_on_retry_failure = true }}\n{login}{}",
            pod.template("v", &show, "backup = true")
        );
        Self { pod, value, config }
    }

    /// Everything as it was before the run.
    fn reset(&self) {
        let secrets = self.pod.secrets();
        fs::remove_dir_all(&secrets).expect("the folder");
        fs::create_dir_all(secrets.join("more")).expect("folders");
        for (name, mode) in FILES {
            self.pod.write(&format!("secrets/{name}"), "old");
            let file = fs::File::open(secrets.join(name)).expect("the file");
            file.set_permissions(fs::Permissions::from_mode(*mode)).expect("a mode");
        }
    }

    /// One run; the calls that touch the secrets folder, in their order.
    fn run(&self, inject: Option<&str>) -> (Option<i32>, String, Vec<Step>) {
        let log = self.pod.text("strace.log");
        let agent = self.pod.agent(&self.config).env("VAULT_LOG_LEVEL", "error");
        let ended = Run::traced(agent, &log, CALLS, inject).finish();
        let steps = steps(&fs::read_to_string(&log).expect("the trace"), &self.pod.text("secrets"));
        (ended.code, ended.all(), steps)
    }

    /// Every file is old or new, and nothing else is there but what a write may leave behind.
    fn check(&self, step: &Step, killed: bool) {
        let mut names: Vec<String> = self.pod.listing();
        names.extend(crate::harness::pod::list(&self.pod.path("secrets/more")));
        for (name, mode) in FILES {
            let text = self.pod.rendered(name).unwrap_or_else(|| panic!("{name} is gone after {step:?}"));
            let is_new = match *name {
                "v" => text == format!("new {}", self.value),
                "more/w" => text == self.value,
                _ => text.len() > 20,
            };
            assert!(text == "old" || is_new, "{name} is {text:?} after {step:?}");
            assert_eq!(self.pod.mode(name), *mode, "mode of {name} after {step:?}");
        }
        let known = ["v", "v.bak", "v.old.bak", "more", "w", "token"];
        names.retain(|name| !known.contains(&name.as_str()));
        if killed {
            // A temporary file, or what a sink tries its folder with.
            names.retain(|name| !name.starts_with(".decant-") && name != "token.tmp.test");
            assert_eq!(names, [""; 0], "after {step:?}");
        } else {
            assert_eq!(names, [""; 0], "a failed write leaves nothing beside, but after {step:?}");
        }
    }
}

/// The calls that name the folder, numbered as strace numbers them: per name and thread.
fn steps(trace: &str, folder: &str) -> Vec<Step> {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut found = Vec::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if !CALLS.contains(&call) {
            continue;
        }
        let number = counts.entry((thread.to_owned(), call.to_owned())).or_default();
        *number += 1;
        // What is only opened for reading changes nothing.
        if line.contains(folder) && (call != "openat" || line.contains("O_CREAT")) {
            found.push(Step { call: call.to_owned(), number: *number, line: rest.to_owned() });
        }
    }
    found
}

/// Makes each step of the run fail like this, one per run.
fn at_each_step(scene: &Scene, fault: &str, killed: bool) {
    scene.reset();
    let (code, said, calm) = scene.run(None);
    assert_eq!(code, Some(0), "{said}");
    let calls: Vec<&str> = calm.iter().map(|step| step.call.as_str()).collect();
    // (A file system in memory isn't synced.)
    for needed in ["openat", "write", "fchmod", "renameat", "linkat"] {
        assert!(calls.contains(&needed), "{needed} is no step of {calls:?}");
    }
    for step in &calm {
        // The number of calls before may differ by a log line or a wake-up: look for it again when another was hit.
        let mut number = step.number;
        let hit = (0..8).any(|_| {
            scene.reset();
            let inject = format!("{}:{fault}:when={number}", step.call);
            let (code, said, steps) = scene.run(Some(&inject));
            scene.check(step, killed);
            assert_ne!(code, Some(2), "{said}");
            if code == Some(0) {
                let all_new =
                    FILES.iter().all(|(name, _)| scene.pod.rendered(name).as_deref() != Some("old"));
                assert!(all_new, "success, but something is old after {step:?}\n{said}");
            } else if !killed {
                assert!(said.contains(&scene.pod.text("secrets")), "the place is missing in {said}");
            }
            let was_hit = match killed {
                true => code != Some(0),
                false => steps.iter().any(|step| step.line.contains("(INJECTED)")),
            };
            number = steps.iter().find(|other| same(other, step)).map_or(step.number, |other| other.number);
            was_hit
        });
        assert!(hit, "never hit: {step:?}");
    }
}

/// The same step of another run: temporary names differ.
fn same(a: &Step, b: &Step) -> bool {
    let plain = |line: &str| -> String {
        let end = line.rfind(") = ").unwrap_or(line.len());
        let mut plain = String::new();
        let mut rest = &line[..end];
        while let Some(at) = rest.find(".decant-") {
            plain.push_str(&rest[..at]);
            rest = rest.get(at + ".decant-".len() + 16..).unwrap_or_default();
        }
        plain + rest
    };
    a.call == b.call && plain(&a.line) == plain(&b.line)
}

#[test]
fn a_process_killed_at_any_step_of_a_write_leaves_old_or_new() {
    needing(&[Need::Strace], || {
        on_dev("files are the same whoever is asked", |server| {
            at_each_step(&Scene::new(server), "signal=SIGKILL", true);
        });
    });
}

#[test]
fn a_full_disk_at_any_step_of_a_write_leaves_old_or_new_and_says_where() {
    needing(&[Need::Strace], || {
        on_dev("files are the same whoever is asked", |server| {
            at_each_step(&Scene::new(server), "error=ENOSPC", false);
        });
    });
}

#[test]
fn a_broken_disk_at_any_step_of_a_write_leaves_old_or_new_and_says_where() {
    needing(&[Need::Strace], || {
        on_dev("files are the same whoever is asked", |server| {
            at_each_step(&Scene::new(server), "error=EIO", false);
        });
    });
}
