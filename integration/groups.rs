//! Files that change together: a certificate with its key, whatever is missing, and wherever the run is killed.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::json;

use crate::{
    harness::{
        Need, Pod, Run, Server, canary, each_server, eventually, http, needing,
        pod::{list, swap_link},
    },
    pki::{engine, pair},
};

/// A template of the certificate's field `field` in the group `tls`.
fn part(pod: &Pod, file: &str, field: &str, more: &str) -> String {
    let text = format!(
        "{{{{ with pkiCert \"pki/issue/web\" \"common_name=app.example.com\" }}}}{{{{ .{field} }}}}{{{{ end }}}}"
    );
    pod.template(&format!("tls/{file}"), &text, &format!("change_group = \"tls\"\n  {more}"))
}

/// The leaf that a certificate file and a key file hold, when they belong together.
fn leaf(folder: &Path) -> Option<Vec<u8>> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    pair(&read("cert.pem")?, &read("key.pem")?).map(|(leaf, _)| leaf)
}

#[test]
fn a_reader_never_sees_a_certificate_with_another_key_and_the_command_runs_once_per_change() {
    each_server(|server| {
        // The server dates certificates back by 30 s: nine tenths of their lifetime are over after 6 s.
        engine(server, &json!({"ttl": "10s"}));
        let pod = Pod::at(server);
        let (folder, log) = (pod.secrets().join("tls"), pod.path("reloads"));
        let reload = format!(
            "on_change {{ touch = \"{}\" }}\n  command = \"echo $(cat {0}/cert.pem {0}/key.pem | wc -l) >> {1}\"",
            log.with_extension("count").display(),
            log.display()
        );
        let reload = reload.replace("{0}", &folder.display().to_string());
        let config = format!(
            "{}{}{}decant {{ group \"tls\" {{ atomic = true }} }}\n",
            pod.login(server, "pki"),
            part(&pod, "cert.pem", "Cert", &reload),
            part(&pod, "key.pem", "Key", &reload),
        );
        let agent = pod.agent(&config).start();
        eventually("a certificate with its key", || leaf(&folder));
        let enough = AtomicBool::new(false);
        let seen = std::thread::scope(|scope| {
            // Reads without a pause until two certificates were seen, and follows the link once for each look.
            let reader = scope.spawn(|| {
                let mut seen = BTreeSet::new();
                while !enough.load(Ordering::Relaxed) {
                    let set = fs::canonicalize(folder.join("..data")).expect("a link that leads somewhere");
                    seen.insert(leaf(&set).unwrap_or_else(|| panic!("not a pair in {}", set.display())));
                }
                seen
            });
            eventually("a reader that still reads, and the next certificate", || {
                let count = fs::read_to_string(log.with_extension("count")).unwrap_or_default();
                (reader.is_finished() || count.trim().parse().is_ok_and(|count: u32| count >= 3))
                    .then_some(())
            });
            enough.store(true, Ordering::Relaxed);
            reader.join().expect("pairs and nothing else")
        });
        agent.stop().expect(0);
        assert!(seen.len() >= 2, "one certificate only");
        let count: usize = fs::read_to_string(log.with_extension("count")).unwrap().trim().parse().unwrap();
        let commands = fs::read_to_string(&log).unwrap();
        assert_eq!(commands.lines().count(), count, "both run once for each change:\n{commands}");
    });
}

#[test]
fn without_the_swap_the_action_comes_after_the_last_rename() {
    each_server(|server| {
        engine(server, &json!({}));
        let pod = Pod::at(server);
        let (folder, copy) = (pod.secrets().join("tls"), pod.path("copy"));
        let command = format!("cp -r {} {}", folder.display(), copy.display());
        let config = format!(
            "exit_after_auth = true\n{}{}{}",
            pod.login(server, "pki"),
            part(&pod, "cert.pem", "Cert", &format!("command = \"{command}\"")),
            part(&pod, "key.pem", "Key", &format!("command = \"{command}\"\n  perms = \"0400\"")),
        );
        pod.agent(&config).finish().expect(0);
        assert_eq!(list(&copy), ["cert.pem", "key.pem"], "a second run would have copied into the folder");
        assert_eq!(leaf(&copy).expect("a pair"), leaf(&folder).expect("a pair"));
        // The pair is found again, whole, and nothing is written.
        let ended = pod.agent(&config).finish().expect(0);
        assert!(ended.all().contains("certificate on disk"), "{}", ended.all());
        assert_eq!(list(&copy).len(), 2);
    });
}

#[test]
fn an_atomic_pair_is_found_again_after_a_restart() {
    each_server(|server| {
        engine(server, &json!({}));
        let pod = Pod::at(server);
        let config = format!(
            "exit_after_auth = true\n{}{}{}decant {{ group \"tls\" {{ atomic = true }} }}\n",
            pod.login(server, "pki"),
            part(&pod, "cert.pem", "Cert", ""),
            part(&pod, "key.pem", "Key", ""),
        );
        pod.agent(&config).finish().expect(0);
        let folder = pod.secrets().join("tls");
        let (before, names) = (leaf(&folder).expect("a pair"), list(&folder));
        let ended = pod.agent(&config).finish().expect(0);
        assert!(ended.all().contains("certificate on disk"), "{}", ended.all());
        assert_eq!((leaf(&folder).expect("a pair"), list(&folder)), (before, names));
    });
}

#[test]
fn a_member_that_fails_keeps_the_whole_old_set() {
    each_server(|server| {
        let (old, new, last) = (canary("old"), canary("new"), canary("last"));
        server.put("app", &json!({"user": old, "password": old}));
        let mut pod = Pod::at(server);
        let text = |key: &str| {
            format!("{{{{ with secret \"secret/data/app\" }}}}{{{{ .Data.data.{key} }}}}{{{{ end }}}}")
        };
        for key in ["user", "password"] {
            pod.annotate(&format!("agent-inject-template-{key}"), &text(key))
                .annotate(&format!("error-on-missing-key-{key}"), "true")
                .annotate(&format!("decant/group-{key}"), "login");
        }
        pod.annotate("template-static-secret-render-interval", "1s");
        pod.annotate("decant/on-change-touch-login", &pod.text("generation"));
        let mut agent = pod.sidecar().arg("--status-listen=127.0.0.1:0").start();
        let status = agent.prints("status is served");
        let status = status.split("http://").nth(1).expect("an address").trim().to_owned();
        // What the metrics say of both files, in their order.
        let sample = |name: &str| {
            let body = http::call(&status, "GET", "/metrics", None, None).expect("an answer").body;
            let of = |file: &str| {
                let series = format!("{name}{{destination=\"{}\"}} ", pod.secrets().join(file).display());
                body.lines().find_map(|line| line.strip_prefix(&series).map(str::to_owned)).expect("a sample")
            };
            [of("user"), of("password")]
        };
        pod.becomes("password", &old);
        server.put("app", &json!({"user": new}));
        agent.prints("map has no entry for key \"password\"");
        eventually("both files to count as old", || {
            (sample("decant_template_rendered") == ["0", "0"]).then_some(())
        });
        assert_eq!([pod.rendered("user"), pod.rendered("password")], [Some(old.clone()), Some(old)]);
        server.put("app", &json!({"user": last, "password": last}));
        pod.becomes("password", &last);
        pod.becomes("user", &last);
        eventually("the second generation", || {
            (fs::read_to_string(pod.path("generation")).ok()? == "2\n").then_some(())
        });
        assert_eq!(sample("decant_template_rendered"), ["1", "1"]);
        assert_eq!(sample("decant_template_changes_total"), ["2", "2"]);
        agent.stop().expect(0);
    });
}

/// A run that stops at one of its renames: SIGKILL instead of the system call with this number.
fn killed_at(run: Run, rename: usize) -> Option<i32> {
    let inject = format!("inject=renameat,renameat2,rename:signal=SIGKILL:when={rename}");
    run.under(&[
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=renameat,renameat2,rename",
        "-e",
        &inject,
    ])
    .finish()
    .code
}

/// Four files that print the contents of one, as a configuration that renders once.
fn four(pod: &Pod, server: &Server, atomic: bool) -> String {
    let source = pod.text("source");
    let members: String = ["a", "b", "c", "d"]
        .iter()
        .map(|name| {
            pod.template(
                &format!("set/{name}"),
                &format!("{{{{ file \"{source}\" }}}}-{name}"),
                "change_group = \"g\"",
            )
        })
        .collect();
    let group = format!("decant {{ group \"g\" {{ atomic = {atomic} }} }}\n");
    format!("exit_after_auth = true\n{}{members}{group}", pod.login(server, "app"))
}

/// What the four files hold, each without its own name.
fn held(folder: &Path) -> Vec<String> {
    let read = |name: &str| {
        let text = fs::read_to_string(folder.join(name)).expect("a file is always there");
        text.strip_suffix(&format!("-{name}")).expect("a whole file").to_owned()
    };
    ["a", "b", "c", "d"].map(read).to_vec()
}

/// Kills the run at every rename in turn and lets the next one finish.
fn at_every_rename(server: &Server, atomic: bool, judge: impl Fn(&PathBuf, &str, &str) -> bool) {
    let pod = Pod::at(server);
    let config = four(&pod, server, atomic);
    let folder = pod.secrets().join("set");
    pod.write("source", "0");
    pod.agent(&config).finish().expect(0);
    let names = list(&folder);
    let (mut torn, mut killed) = (0, 0);
    for number in 1.. {
        let (old, new) = ((number - 1).to_string(), number.to_string());
        pod.write("source", &new);
        if killed_at(pod.agent(&config), number) == Some(0) {
            break;
        }
        killed += 1;
        assert!(number < 40, "it never gets through");
        torn += usize::from(judge(&folder, &old, &new));
        pod.agent(&config).finish().expect(0);
        assert_eq!(held(&folder), [new.as_str(); 4], "the next run puts it right");
        let plain = |names: &[String]| {
            names.iter().filter(|name| !name.starts_with("..decant-")).cloned().collect::<Vec<_>>()
        };
        assert_eq!(plain(&list(&folder)), plain(&names), "and removes what was left half done");
        let sets = list(&folder).iter().filter(|name| name.starts_with("..decant-")).count();
        assert!(sets <= 2, "{sets} sets are left");
    }
    // Sink, four files; and for an atomic group the link.
    assert!(killed >= 5, "only {killed} renames were met");
    assert_eq!(torn > 0, !atomic, "a rename after the other can be torn, the swap of a link can't");
}

#[test]
fn killed_between_any_two_renames_every_file_is_old_or_new() {
    needing(&[Need::Strace], || {
        at_every_rename(&Server::dev(), false, |folder, old, new| {
            let held = held(folder);
            assert!(held.iter().all(|text| text == old || text == new), "{held:?}");
            held.iter().any(|text| text == old) && held.iter().any(|text| text == new)
        });
    });
}

#[test]
fn killed_at_any_rename_an_atomic_set_is_old_or_new_as_a_whole() {
    needing(&[Need::Strace], || {
        at_every_rename(&Server::dev(), true, |folder, old, new| {
            let held = held(folder);
            let whole = held.iter().all(|text| text == old) || held.iter().all(|text| text == new);
            assert!(whole, "{held:?}");
            false
        });
    });
}

/// Without tools: a set so large that a kill at the sight of its first new file comes before the last one.
#[test]
fn a_kill_in_the_middle_of_a_large_set_is_repaired_by_the_next_run() {
    const FILES: usize = 300;
    let server = Server::dev();
    let pod = Pod::at(&server);
    let source = pod.write("source", "0");
    let members: String = (0..FILES)
        .map(|number| {
            pod.template(
                &format!("set/{number:03}"),
                &format!("{{{{ file \"{source}\" }}}}"),
                "change_group = \"g\"",
            )
        })
        .collect();
    let config = format!("{}{members}", pod.login(&server, "app"));
    let file = |number: usize| {
        fs::read_to_string(pod.secrets().join(format!("set/{number:03}"))).unwrap_or_default()
    };
    let mut torn = false;
    for round in 1..=50 {
        let mut agent = pod.agent(&config).start();
        let (old, new) = ((round - 1).to_string(), round.to_string());
        eventually("the set before", || (0..FILES).all(|number| file(number) == old).then_some(()));
        eventually("the end of what the killed run left half done", || {
            (list(&pod.secrets().join("set")).len() == FILES).then_some(())
        });
        // In one step: a source that is still empty would be rendered as such.
        swap_link(pod.write("source.new", &new).as_ref(), source.as_ref());
        while file(0) != new {
            assert!(agent.is_running());
        }
        agent.signal(nix::sys::signal::Signal::SIGKILL);
        agent.wait();
        let held: BTreeSet<String> = (0..FILES).map(file).collect();
        assert!(held.iter().all(|text| *text == old || *text == new), "{held:?}");
        if held.len() == 2 {
            torn = true;
            break;
        }
    }
    assert!(torn, "never in the middle");
    let agent = pod.agent(&config).start();
    let new = file(0);
    eventually("the new set", || (0..FILES).all(|number| file(number) == new).then_some(()));
    eventually("nothing beside it", || (list(&pod.secrets().join("set")).len() == FILES).then_some(()));
    agent.stop().expect(0);
}

#[test]
fn leftovers_beside_files_tokens_and_what_is_handed_over_go_at_the_next_start() {
    each_server(|server| {
        server.put("app", &json!({"v": canary("v")}));
        let pod = Pod::at(server);
        let show = "{{ with secret \"secret/data/app\" }}{{ .Data.data.v }}{{ end }}";
        for folder in ["cache", "sink"] {
            fs::create_dir(pod.path(folder)).expect("a folder");
        }
        let login = pod.login(server, "app").replace(&pod.text("token"), &pod.text("sink/token"));
        let config = format!(
            "exit_after_auth = true\n{login}{}decant {{ handover = \"{}\" }}\n",
            pod.template("v", show, ""),
            pod.text("cache")
        );
        let places = ["secrets", "sink", "cache"].map(|folder| format!("{folder}/.decant-0123456789abcdef"));
        for place in &places {
            pod.write(place, "half of a secret");
        }
        // Somebody else is at work on this one.
        let busy = fs::File::open(pod.write("secrets/.decant-fedcba9876543210", "")).expect("a file");
        busy.lock().expect("a lock");
        pod.agent(&config).finish().expect(0);
        assert!(places.iter().all(|place| !pod.path(place).exists()), "{:?}", pod.listing());
        assert_eq!(pod.listing(), [".decant-fedcba9876543210", "v"]);
    });
}
