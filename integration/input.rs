//! Bad input: the message is enough to mend it, the exit code tells what kind it is, and files that are there stay.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
};

use serde_json::json;

use crate::harness::{
    Authority, Need, Pod, Relay, Run, Secure, canary, each_server, needing, on_dev,
    pod::list,
    process::Finished,
    server::{Server, unused_address},
};

const SHOW: &str = "{{ with secret \"secret/data/app\" }}{{ .Data.data.v }}{{ end }}";

/// A pod and the value of the secret's key `v`; the file `v` is there already.
fn ready(server: &Server) -> (Pod, String) {
    let value = canary("v");
    server.put("app", &json!({"v": value}));
    (with_old_file(Pod::at(server)), value)
}

fn with_old_file(pod: Pod) -> Pod {
    pod.write("secrets/v", "old");
    pod
}

/// Content, inode and time of modification of the file that was there before.
fn old_file(pod: &Pod) -> (String, u64, i64, i64) {
    let meta = pod.secrets().join("v").metadata().expect("the old file");
    (pod.rendered("v").unwrap_or_default(), meta.ino(), meta.mtime(), meta.mtime_nsec())
}

/// Runs it to its end: this exit code, all these words, and the old file as it was.
#[track_caller]
fn refuses(pod: &Pod, run: Run, code: i32, words: &[&str]) -> Finished {
    let before = old_file(pod);
    let ended = run.finish().expect(code);
    for words in words {
        assert!(ended.all().contains(words), "{words:?} is missing in:\n{}", ended.all());
    }
    assert_eq!(old_file(pod), before);
    assert_eq!(pod.listing(), ["v"], "nothing else appears");
    ended
}

/// A configuration that renders `v` once.
fn once(pod: &Pod, server: &Server) -> String {
    format!("exit_after_auth = true\n{}{}", pod.login(server, "app"), pod.template("v", SHOW, ""))
}

/// The agent and `init` with this configuration file, and the exit code of each.
fn both(pod: &Pod, file: &str) -> [(Run, i32); 2] {
    let config = format!("-config={file}");
    let init = ["init", "--annotations", &pod.annotations_path(), &config].map(str::to_owned);
    [(Run::decant(["agent", &config]), 1), (Run::decant(init), 2)]
}

#[test]
fn a_configuration_that_is_no_text_is_named_with_place_and_reason() {
    let mut pod = with_old_file(Pod::new());
    pod.annotate("agent-inject", "true");
    let file = pod.text("bad.hcl");
    let bytes = |contents: &[u8]| {
        fs::File::create(&file).and_then(|mut f| std::io::Write::write_all(&mut f, contents))
    };
    let check = |words: &[&str]| {
        for (run, code) in both(&pod, &file) {
            refuses(&pod, run, code, words);
        }
    };
    bytes(b"").unwrap();
    check(&["bad.hcl: the file says nothing"]);
    bytes(b"vault {\n  address = \"\xff\xfe\"\n}").unwrap();
    check(&["bad.hcl:2:14: ", "not UTF-8", "is this a configuration file in HCL or JSON?"]);
    bytes(b"\x7fELF\0\0\0").unwrap();
    check(&["bad.hcl:1:", "is this a configuration file in HCL or JSON?"]);
    bytes(b"vault {\n  address = \"http://x\n}\n").unwrap();
    check(&["bad.hcl:2:", "expected"]);
    bytes(b"{\"vault\": {\"address\": \"http://x\"").unwrap();
    check(&["bad.hcl:1:", "expected"]);
    // As large as nothing on this disk, and read no further than needed.
    fs::File::create(&file).and_then(|file| file.set_len(1 << 40)).unwrap();
    check(&["bad.hcl", "larger than 32 MiB"]);
}

#[test]
fn a_configuration_that_cannot_be_opened_is_named_with_the_reason() {
    let mut pod = with_old_file(Pod::new());
    pod.annotate("agent-inject", "true");
    for (run, code) in both(&pod, &pod.text("none.hcl")) {
        refuses(&pod, run, code, &["none.hcl", "No such file", "check the path after -config"]);
    }
    let circle = pod.text("circle.hcl");
    symlink(&circle, &circle).unwrap();
    for (run, code) in both(&pod, &circle) {
        refuses(&pod, run, code, &["circle.hcl", "Too many levels of symbolic links"]);
    }
    let locked = pod.write("locked.hcl", "vault {}");
    fs::File::open(&locked).unwrap().set_permissions(fs::Permissions::from_mode(0o000)).unwrap();
    for (run, code) in both(&pod, &locked) {
        let words = ["locked.hcl", "Permission denied", "must be allowed to read it"];
        refuses(&pod, run.unprivileged(), code, &words);
    }
}

#[test]
fn a_template_file_that_cannot_be_used_is_named_with_who_named_it() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        let binary = pod.text("binary.tpl");
        fs::File::create(&binary)
            .and_then(|mut file| std::io::Write::write_all(&mut file, b"a\xffb"))
            .unwrap();
        let huge = pod.text("huge.tpl");
        fs::File::create(&huge).and_then(|file| file.set_len(1 << 40)).unwrap();
        for (file, words) in [
            (pod.text("none.tpl"), "No such file or directory"),
            (pod.text("home"), "is not a regular file"),
            (binary, "it is not UTF-8 text (byte 1 is not)"),
            (huge, "it is larger than 16 MiB"),
        ] {
            let config = format!(
                "exit_after_auth = true\n{}template {{\n  source = \"{file}\"\n  destination = \"{}\"\n}}\n",
                pod.login(server, "app"),
                pod.text("secrets/v")
            );
            refuses(&pod, pod.agent(&config), 1, &["agent.hcl:", &file, words]);
            pod.annotate("agent-inject-template-file-v", &file);
            let annotation = "annotation vault.hashicorp.com/agent-inject-template-file-v";
            let ended = refuses(&pod, pod.init(), 2, &[annotation, &file, words]);
            assert!(!ended.err.contains("os error"), "{}", ended.err);
        }
    });
}

#[test]
fn all_broken_templates_are_told_at_once() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        pod.annotate("agent-inject-template-a", "{{ with }}")
            .annotate("agent-inject-secret-b", "secret/data/app")
            .annotate("agent-inject-template-b", "{{ nofunc }}")
            .annotate("agent-inject-template-file-c", "/no/such/file");
        let words = [
            "agent-inject-template-a: ",
            "agent-inject-template-b: ",
            "nofunc",
            "agent-inject-template-file-c: ",
        ];
        refuses(&pod, pod.init(), 2, &words);
    });
}

#[test]
fn an_annotation_of_each_type_says_what_was_expected_and_all_are_told_at_once() {
    let wrong: &[(&str, &str, &str)] = &[
        ("agent-inject-token", "yes", "true or false"),
        ("error-on-missing-key-v", "maybe", "true or false"),
        ("tls-skip-verify", "no ", "true or false"),
        ("agent-auto-auth-exit-on-err", "on", "true or false"),
        ("agent-revoke-on-shutdown", "2", "true or false"),
        ("template-config-exit-on-retry-failure", "off", "true or false"),
        ("agent-inject-perms-v", "rw-r--r--", "an octal file mode"),
        ("agent-inject-default-template", "yaml", "map or json"),
        ("template-max-connections-per-host", "ten", "a whole number"),
        ("template-lease-renewal-threshold", "90%", "a number, for instance 0.75"),
        ("template-static-secret-render-interval", "often", "a duration"),
        ("auth-min-backoff", "1", "a number with a unit"),
        ("auth-max-backoff", "soon", "a number with a unit"),
        ("client-timeout", "long", "a duration"),
        ("client-max-retries", "many", "a whole number"),
        ("auth-type", "kubernets", "did you mean `kubernetes`?"),
        ("agent-inject-secret-w", "secret/../app", "a path like secret/data/app"),
        ("log-format", "xml", "json"),
        ("decant/init-deadline", "later", "a duration"),
        ("decant/revoke-on-exit", "perhaps", "true or false"),
        ("decant/format-v", "ini", "dotenv"),
    ];
    each_server(|server| {
        let (mut pod, _) = ready(server);
        pod.annotate("agent-inject-template-v", SHOW);
        for (name, value, _) in wrong {
            pod.annotate(name, value);
        }
        let ended = refuses(&pod, pod.init(), 2, &[]);
        for (name, _, expected) in wrong {
            let at = ended.err.lines().position(|line| line.contains(name));
            let at = at.unwrap_or_else(|| panic!("{name} is missing in:\n{}", ended.err));
            let told: Vec<&str> = ended.err.lines().skip(at).take(3).collect();
            assert!(told.join("\n").contains(expected), "{name}: {expected:?} is missing in {told:#?}");
        }
    });
}

#[test]
fn a_typing_error_in_a_name_is_told_with_the_name_that_was_meant() {
    each_server(|server| {
        let (mut pod, value) = ready(server);
        pod.annotate("agent-inject-secert-v", "secret/data/app");
        refuses(
            &pod,
            pod.init(),
            2,
            &["asks for no secret", "did you mean vault.hashicorp.com/agent-inject-secret-v?"],
        );
        pod.annotate("agent-inject-template-v", SHOW).annotate("agent-inject-perm-v", "0600");
        let ended = pod.init().finish().expect(0);
        assert!(
            ended.err.contains("did you mean vault.hashicorp.com/agent-inject-perms-v?"),
            "{}",
            ended.err
        );
        assert_eq!(pod.rendered("v").unwrap(), value);
    });
}

#[test]
fn a_damaged_annotations_file_is_told_with_file_and_line() {
    let pod = with_old_file(Pod::new());
    let file = pod.write("annotations", "a=\"b\"\nvault.hashicorp.com/role=\"app\nnonsense\n");
    let run = Run::decant(["init", "--annotations", &file]);
    refuses(
        &pod,
        run,
        2,
        &[&format!("{file}:2:30: annotation vault.hashicorp.com/role: the closing quote is missing")],
    );
    for (text, words) in
        [("", "has no annotation that decant reads"), ("just\ntext\n", "no line of the form key=\"value\"")]
    {
        let file = pod.write("annotations", text);
        refuses(&pod, Run::decant(["init", "--annotations", &file]), 2, &[&file, words]);
    }
}

/// A failed login is told in one line, and `init` goes on trying; with `exit_on_err` it ends with 3, and its last line
/// says why and what to do.
#[track_caller]
fn login_fails(pod: &Pod, words: &[&str]) {
    let before = old_file(pod);
    let mut init = pod.init().start();
    let line = init.prints("error authenticating");
    for words in words {
        assert!(line.contains(words), "{words:?} is missing in {line}");
    }
    init.stop().expect(0);
    assert_eq!(old_file(pod), before);

    let exit = "auto_auth { method { exit_on_err = true } }";
    let run = pod.init().arg(&format!("-config={}", pod.write("exit.hcl", exit)));
    let ended = refuses(pod, run, 3, words);
    let last = ended.err.lines().last().unwrap_or_default();
    let hint = line.split("hint=\"").nth(1).and_then(|hint| hint.split('"').next()).expect("a hint");
    assert!(last.contains("exit_on_err is set: ") && last.contains(&format!(" ({hint})")), "{hint}: {last}");
}

#[test]
fn a_wrong_role_or_mount_is_told_in_one_line() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        pod.annotate("agent-inject-template-v", SHOW).annotate("role", "ap");
        login_fails(
            &pod,
            &["role=ap", "invalid role name", "mount=auth/kubernetes", "check the role's name"],
        );
        pod.annotate("role", "app").annotate("auth-path", "auth/cluster-2");
        login_fails(&pod, &["mount=auth/cluster-2", "with the mount: whether it exists"]);
    });
}

#[test]
fn each_kind_of_wrong_jwt_is_told_in_one_line() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        pod.annotate("agent-inject-template-v", SHOW);
        pod.set_jwt(&server.jwt(&json!({"lifetime": -100})));
        login_fails(&pod, &[&pod.jwt_path(), "expired 1", "the node's clock is wrong"]);
        pod.set_jwt(&server.jwt(&json!({"service_account": "other"})));
        login_fails(
            &pod,
            &["service account name not authorized", "sub=system:serviceaccount:default:other"],
        );
        pod.set_jwt(&Server::dev().jwt(&json!({})));
        login_fails(&pod, &["403", "sub=system:serviceaccount:default:app", "compare the JWT with the role"]);
        pod.set_jwt("hello");
        login_fails(&pod, &["403", "what the file holds is no JWT"]);
        pod.set_jwt(" \n");
        login_fails(&pod, &[&pod.jwt_path(), "is empty", "check that the volume"]);
        pod.annotate("auth-config-token-path", "/no/such/jwt");
        login_fails(&pod, &["/no/such/jwt", "No such file", "check that the volume"]);
    });
}

#[test]
fn a_clock_that_is_wrong_is_suspected_and_the_jwt_not_sent() {
    on_dev("a real server has no journal", |server| {
        let (mut pod, value) = ready(server);
        pod.annotate("agent-inject-template-v", SHOW);
        // To this machine a JWT from a cluster whose clock is an hour behind is over.
        pod.set_jwt(&server.jwt(&json!({"lifetime": -3600})));
        let mut init = pod.init().start();
        let line = init.prints("error authenticating");
        assert!(line.contains("expired 36") && line.contains("clock is wrong"), "{line}");
        assert_eq!(server.logins().arrived().count(), 0);
        pod.set_jwt(&server.jwt(&json!({})));
        init.wait().expect(0);
        assert_eq!(pod.rendered("v").unwrap(), value);

        // To a server whose clock is ahead, ours is over.
        pod.set_jwt(&server.jwt(&json!({"lifetime": 600})));
        server.control("POST", "clock", Some(&json!({"seconds": 3600})));
        login_fails(&pod, &["403", "exp=", "and the clocks of both sides"]);
    });
}

#[test]
fn a_wrong_address_is_told_in_one_line() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        pod.annotate("agent-inject-template-v", SHOW);
        let nobody = format!("http://{}", unused_address());
        pod.annotate("service", &nobody);
        login_fails(&pod, &[&nobody, "connection refused: nobody listens there", "check the address"]);
        let secure = server.url().replace("http:", "https:");
        pod.annotate("service", &secure);
        login_fails(&pod, &["does not speak TLS on this port", "write http:// in the address"]);
        pod.annotate("service", "http://no-such-host.invalid:8200");
        login_fails(&pod, &["can't resolve `no-such-host.invalid`", "check the host name"]);
        let secure = Secure::start();
        pod.annotate("service", &secure.url().replace("https:", "http:"));
        login_fails(
            &pod,
            &["400 Client sent an HTTP request to an HTTPS server", "write https:// in the address"],
        );
        // Other servers than the original's kind hang up without a word.
        let silent = Relay::tls(server.authority(), Authority::new().server(&["localhost"]));
        pod.annotate("service", &format!("http://{}", silent.authority()));
        login_fails(
            &pod,
            &["the connection ended before", "write https:// in the address if the server speaks TLS"],
        );
        pod.annotate("service", "vault:8200");
        let run = pod.init();
        refuses(&pod, run, 2, &["annotation vault.hashicorp.com/service", "http://"]);
    });
}

#[test]
fn a_missing_key_is_told_with_line_and_caret_and_the_old_file_stays() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        pod.annotate(
            "agent-inject-template-v",
            "first\n{{ with secret \"secret/app\" }}{{ .Data.data.w }}{{ end }}",
        )
        .annotate("error-on-missing-key-v", "true");
        let words = [
            "annotation vault.hashicorp.com/agent-inject-template-v: template line 2",
            "no entry for key \"w\"",
            "^",
        ];
        refuses(&pod, pod.init(), 2, &words);
    });
}

#[test]
fn a_folder_that_must_not_be_written_is_told_with_owner_mode_and_a_way_out() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        pod.annotate("agent-inject-template-v", SHOW);
        let lock = |mode| {
            let folder = fs::File::open(pod.secrets()).unwrap();
            folder.set_permissions(fs::Permissions::from_mode(mode)).unwrap();
        };
        lock(0o555);
        let words = ["permission denied", "this process runs as", "mode 0555", "fsGroup"];
        refuses(&pod, pod.init().unprivileged(), 6, &words);
        let fatal = format!("template_config {{ exit_on_retry_failure = true }}\n{}", once(&pod, server));
        refuses(&pod, pod.agent(&fatal).unprivileged(), 1, &words);
        lock(0o755);
    });
}

/// Runs `init` where the secrets folder is a small tmpfs with `v` in it, after `more` has been done to it.
fn on_tmpfs(pod: &Pod, run: Run, more: &str) -> Finished {
    let folder = pod.secrets().display().to_string();
    let script = format!(
        "mount -t tmpfs -o size=16k none {folder} && printf old >{folder}/v && {more} || exit 99\n\
         \"$0\" \"$@\"; code=$?; echo after: $(cat {folder}/v; ls -A {folder}); exit $code"
    );
    run.mounted(&script.replace("FOLDER", &folder)).finish()
}

#[test]
fn a_full_or_read_only_file_system_is_told_and_the_old_file_stays() {
    needing(&[Need::Mounts], || {
        each_server(|server| {
            let (mut pod, _) = ready(server);
            server.put("large", &json!({"v": "x".repeat(20_000)}));
            pod.annotate("agent-inject-template-v", &SHOW.replace("app", "large"));
            let ended = on_tmpfs(&pod, pod.init(), "true").expect(6);
            for words in ["no space left", "secrets/v", "20000 bytes"] {
                assert!(ended.err.to_lowercase().contains(words), "{words}: {}", ended.err);
            }
            assert!(ended.out.contains("after: oldv\n"), "no half file stays: {}", ended.out);
            let ended = on_tmpfs(&pod, pod.init(), "mount -o remount,ro FOLDER").expect(6);
            assert!(ended.err.to_lowercase().contains("read-only"), "{}", ended.err);
            assert!(ended.out.contains("after: oldv\n"), "{}", ended.out);
        });
    });
}

#[test]
fn a_disk_that_is_full_costs_the_server_nothing_and_heals() {
    needing(&[Need::Mounts], || {
        on_dev("a real server has no journal and no leases", |server| {
            server.database("1h", "2h");
            let pod = Pod::at(server);
            let contents = "{{ with secret \"database/creds/app\" }}{{ .Data.password }}{{ end }}";
            let config = pod.login(server, "app") + &pod.template("db", contents, "");
            let folder = pod.secrets().display().to_string();
            let script = format!(
                "mount -t tmpfs -o size=8k none {folder} && head -c 8192 /dev/zero >{folder}/filler || exit 99\n\
                 exec \"$0\" \"$@\""
            );
            let mut agent = pod.agent(&config).mounted(&script).start();
            let line = agent.prints("[ERROR]");
            assert!(line.contains("secrets/db"), "{line}");
            // The mount is the agent's alone; its /proc entry leads there.
            let inside = format!("/proc/{}/root{folder}", agent.pid());
            assert_eq!(list(inside.as_ref()), ["filler"]);
            fs::remove_file(format!("{inside}/filler")).unwrap();
            crate::harness::eventually("the file", || {
                let text = fs::read_to_string(format!("{inside}/db")).ok()?;
                crate::harness::canary::remember(&text);
                Some(())
            });
            agent.stop().expect(0);
            assert_eq!(
                server.asked("GET", "/v1/database/creds/app").count(),
                1,
                "only the write was tried again"
            );
        });
    });
}
