//! Files: modes, folders, links, and what stays untouched.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use serde_json::json;

use crate::harness::{Need, Pod, Run, canary, each_server, eventually, needing, server::Server};

const SHOW: &str = "{{ with secret \"secret/data/app\" }}{{ .Data.data.v }}{{ end }}";

/// A pod and the value of the secret's key `v`.
fn ready(server: &Server) -> (Pod, String) {
    let value = canary("v");
    server.put("app", &json!({"v": value}));
    (Pod::at(server), value)
}

/// An agent that renders these templates once.
fn once(pod: &Pod, server: &Server, templates: &str) -> Run {
    pod.agent(&format!("exit_after_auth = true\n{}{templates}", pod.login(server, "app")))
}

#[test]
fn modes_are_exact_whatever_the_mask_says() {
    each_server(|server| {
        let (pod, _) = ready(server);
        let templates = pod.template("usual", SHOW, "")
            + &pod.template("private", SHOW, "perms = \"0600\"")
            + &pod.template("open", SHOW, "perms = \"0666\"");
        once(&pod, server, &templates).umask("077").finish().expect(0);
        assert_eq!((pod.mode("usual"), pod.mode("private"), pod.mode("open")), (0o644, 0o600, 0o666));
        assert_eq!(pod.listing(), ["open", "private", "usual"], "no temporary file stays");
    });
}

#[test]
fn a_file_keeps_its_mode_when_the_template_names_none() {
    each_server(|server| {
        let (pod, value) = ready(server);
        pod.write("secrets/v", "old");
        let file = std::fs::File::open(pod.secrets().join("v")).unwrap();
        file.set_permissions(std::fs::Permissions::from_mode(0o640)).unwrap();
        once(&pod, server, &pod.template("v", SHOW, "")).finish().expect(0);
        assert_eq!((pod.rendered("v").unwrap(), pod.mode("v")), (value, 0o640));
    });
}

#[test]
fn a_wrong_owner_is_repaired_and_a_right_one_kept() {
    needing(&[Need::Root], || {
        each_server(|server| {
            let (pod, value) = ready(server);
            let owner = || {
                let meta = pod.secrets().join("v").metadata().unwrap();
                (meta.uid(), meta.gid())
            };
            let shared = pod.template("v", SHOW, "perms = \"0640\"\n  user = \"4711\"\n  group = \"4712\"");
            once(&pod, server, &pod.template("v", SHOW, "")).finish().expect(0);
            assert_eq!((owner(), pod.mode("v")), ((0, 0), 0o644));
            once(&pod, server, &shared).finish().expect(0);
            assert_eq!((owner(), pod.mode("v")), ((4711, 4712), 0o640), "only owner and mode were wrong");
            assert_eq!(pod.rendered("v").unwrap(), value);

            server.put("app", &json!({"v": canary("other")}));
            once(&pod, server, &pod.template("v", SHOW, "")).finish().expect(0);
            assert_ne!(pod.rendered("v").unwrap(), value);
            assert_eq!((owner(), pod.mode("v")), ((4711, 4712), 0o640), "what nobody names is kept");
        });
    });
}

#[test]
fn owners_by_name_come_from_the_account_files_alone() {
    needing(&[Need::Root, Need::Strace], || {
        each_server(|server| {
            let (pod, value) = ready(server);
            let (user, group) = (named_in("/etc/passwd"), named_in("/etc/group"));
            let owned = format!("user = \"{}\"\n  group = \"{}\"", user.0, group.0);
            let log = pod.text("strace.log");
            let run = once(&pod, server, &pod.template("v", SHOW, &owned));
            Run::traced(run, &log, &["openat", "connect"], None).finish().expect(0);
            let meta = pod.secrets().join("v").metadata().unwrap();
            assert_eq!((meta.uid(), meta.gid(), pod.rendered("v").unwrap()), (user.1, group.1, value));
            let trace = std::fs::read_to_string(log).unwrap();
            assert!(trace.contains("/etc/passwd") && trace.contains("/etc/group"), "{trace}");
            for library in ["nsswitch", "libnss", "nscd"] {
                assert!(!trace.contains(library), "the C library was asked: {trace}");
            }

            let config = "template_config { exit_on_retry_failure = true }\n".to_owned()
                + &pod.template("w", SHOW, "user = \"nobody-has-this-name\"");
            let ended = once(&pod, server, &config).finish().expect(1);
            assert!(ended.all().contains("nobody-has-this-name"), "{}", ended.all());
            assert_eq!(pod.listing(), ["v"]);
        });
    });
}

/// The last account of a file, whatever this machine has.
fn named_in(file: &str) -> (String, u32) {
    let text = std::fs::read_to_string(file).expect("an account file");
    let line = text.lines().rfind(|line| !line.trim().is_empty()).expect("an account");
    let fields: Vec<&str> = line.split(':').collect();
    (fields[0].to_owned(), fields[2].parse().expect("a number"))
}

#[test]
fn a_backup_is_the_file_before_with_its_mode_and_a_first_file_has_none() {
    each_server(|server| {
        let (pod, first) = ready(server);
        let template = pod.template("v", SHOW, "backup = true\n  perms = \"0400\"");
        once(&pod, server, &template).finish().expect(0);
        assert_eq!(pod.listing(), ["v"]);
        let mut last = first;
        for _ in 0..2 {
            let next = canary("next");
            server.put("app", &json!({"v": next}));
            once(&pod, server, &template).finish().expect(0);
            assert_eq!(pod.listing(), ["v", "v.bak"]);
            assert_eq!((pod.rendered("v").unwrap(), pod.rendered("v.bak").unwrap()), (next.clone(), last));
            assert_eq!((pod.mode("v"), pod.mode("v.bak")), (0o400, 0o400));
            last = next;
        }
        once(&pod, server, &template).finish().expect(0);
        assert_ne!(pod.rendered("v.bak").unwrap(), last, "what didn't change needs no backup");
    });
}

#[test]
fn a_destination_may_lead_up_and_through_a_linked_folder() {
    each_server(|server| {
        let (pod, value) = ready(server);
        std::fs::create_dir(pod.path("elsewhere")).unwrap();
        symlink(pod.path("elsewhere"), pod.secrets().join("link")).unwrap();
        let templates = pod.template("../up", SHOW, "") + &pod.template("link/through", SHOW, "");
        once(&pod, server, &templates).finish().expect(0);
        for file in ["up", "elsewhere/through"] {
            assert_eq!(std::fs::read_to_string(pod.path(file)).unwrap(), value, "{file}");
        }
        assert!(pod.secrets().join("link").is_symlink());
    });
}

#[test]
fn a_command_whose_time_is_up_is_killed_with_all_it_started() {
    each_server(|server| {
        let (pod, value) = ready(server);
        let pid_file = pod.text("pid");
        let line = format!(
            "(trap '' TERM INT HUP; exec sleep 600) & echo $! > {pid_file}.new; mv {pid_file}.new {pid_file}; wait"
        );
        let exec = format!("exec {{ command = [\"{line}\"] timeout = \"5s\" }}");
        let mut agent = once(&pod, server, &pod.template("v", SHOW, &exec)).start();
        let pid = eventually("the command's child", || std::fs::read_to_string(&pid_file).ok());
        let stat = format!("/proc/{}/stat", pid.trim());
        assert!(std::fs::exists(&stat).unwrap(), "it runs until its time is up");
        let said = agent.prints("not done after 5s and killed");
        assert!(said.contains(&pod.text("secrets/v")), "{said}");
        // A zombie runs nothing.
        let runs = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        eventually("the end of the child", || (!runs()).then_some(()));
        agent.wait().expect(0);
        assert_eq!(pod.rendered("v").unwrap(), value);
    });
}

#[test]
fn folders_are_made_unless_that_is_forbidden() {
    each_server(|server| {
        let (pod, value) = ready(server);
        once(&pod, server, &pod.template("a/b/v", SHOW, "")).finish().expect(0);
        assert_eq!(pod.rendered("a/b/v").unwrap(), value);
        let forbidden = format!(
            "template_config {{ exit_on_retry_failure = true }}\n{}",
            pod.template("c/d/v", SHOW, "create_dest_dirs = false")
        );
        let ended = once(&pod, server, &forbidden).finish().expect(1);
        assert!(ended.err.contains("create_dest_dirs"), "{}", ended.err);
        assert!(ended.err.contains(&pod.text("secrets/c/d")), "{}", ended.err);
        assert_eq!(pod.listing(), ["a"]);
    });
}

#[test]
fn a_link_at_the_destination_is_replaced_and_its_target_left_alone() {
    each_server(|server| {
        let (pod, value) = ready(server);
        let target = pod.write("target", "not ours");
        symlink(&target, pod.secrets().join("v")).unwrap();
        once(&pod, server, &pod.template("v", SHOW, "")).finish().expect(0);
        assert_eq!(pod.rendered("v").unwrap(), value);
        assert!(!pod.secrets().join("v").is_symlink());
        assert_eq!(std::fs::read_to_string(target).unwrap(), "not ours");
    });
}

#[test]
fn a_file_that_is_right_already_is_not_touched_and_no_command_runs() {
    each_server(|server| {
        let (pod, value) = ready(server);
        pod.write("secrets/v", &value);
        let inode = || pod.secrets().join("v").metadata().unwrap().ino();
        let before = inode();
        let command = format!("command = \"touch {}\"", pod.text("ran"));
        once(&pod, server, &pod.template("v", SHOW, &command)).finish().expect(0);
        assert_eq!(inode(), before);
        assert!(!pod.path("ran").exists());
    });
}

#[test]
fn a_new_file_is_a_new_inode_so_that_readers_see_old_or_new() {
    each_server(|server| {
        let (pod, value) = ready(server);
        pod.write("secrets/v", "old");
        let reader = std::fs::File::open(pod.secrets().join("v")).unwrap();
        once(&pod, server, &pod.template("v", SHOW, "")).finish().expect(0);
        assert_eq!(std::io::read_to_string(reader).unwrap(), "old");
        assert_eq!(pod.rendered("v").unwrap(), value);
    });
}

#[test]
fn a_template_may_render_to_nothing_or_need_no_secret() {
    each_server(|server| {
        let (pod, _) = ready(server);
        let templates = pod.template("empty", "{{ with secret \"secret/app\" }}{{ end }}", "")
            + &pod.template("plain", "just text\n", "");
        once(&pod, server, &templates).finish().expect(0);
        assert_eq!(pod.rendered("empty").unwrap(), "");
        assert_eq!(pod.rendered("plain").unwrap(), "just text\n");
    });
}

#[test]
fn a_template_may_write_more_files_with_modes_of_their_own() {
    each_server(|server| {
        let (pod, value) = ready(server);
        let contents = format!(
            "{{{{ with secret \"secret/app\" }}}}{{{{ .Data.data.v | writeToFile \"{}\" \"\" \"\" \"0440\" }}}}{{{{ end }}}}done",
            pod.text("secrets/more/v")
        );
        once(&pod, server, &pod.template("main", &contents, "")).finish().expect(0);
        assert_eq!(pod.rendered("main").unwrap(), "done");
        assert_eq!((pod.rendered("more/v").unwrap(), pod.mode("more/v")), (value, 0o440));
    });
}

#[test]
fn more_files_are_never_written_through_links() {
    each_server(|server| {
        let (pod, _) = ready(server);
        let target = pod.write("target", "not ours");
        symlink(&target, pod.secrets().join("link")).unwrap();
        let contents = format!(
            "{{{{ with secret \"secret/app\" }}}}{{{{ .Data.data.v | writeToFile \"{}\" \"\" \"\" \"0440\" }}}}{{{{ end }}}}",
            pod.text("secrets/link")
        );
        let config = format!(
            "template_config {{ exit_on_retry_failure = true }}\n{}",
            pod.template("main", &contents, "")
        );
        let ended = once(&pod, server, &config).finish().expect(1);
        assert!(ended.err.contains(&pod.text("secrets/link")), "{}", ended.err);
        assert_eq!(std::fs::read_to_string(target).unwrap(), "not ours");
    });
}

#[test]
fn more_files_are_never_written_through_a_linked_folder_and_leave_nothing_there() {
    each_server(|server| {
        let (pod, _) = ready(server);
        std::fs::create_dir(pod.path("elsewhere")).unwrap();
        symlink(pod.path("elsewhere"), pod.secrets().join("link")).unwrap();
        // A link that only root can have made is trusted inside a path; a shared volume is open to others.
        let folder = std::fs::File::open(pod.secrets()).unwrap();
        folder.set_permissions(std::fs::Permissions::from_mode(0o777)).unwrap();
        for place in ["link/v", "link/deep/v", "up/../link/v"] {
            let contents = format!(
                "{{{{ with secret \"secret/app\" }}}}{{{{ .Data.data.v | writeToFile \"{}\" \"\" \"\" \"0440\" }}}}{{{{ end }}}}",
                pod.text(&format!("secrets/{place}"))
            );
            let config = format!(
                "template_config {{ exit_on_retry_failure = true }}\n{}",
                pod.template("main", &contents, "")
            );
            let ended = once(&pod, server, &config).finish().expect(1);
            assert!(ended.err.contains("link is a symbolic link"), "{place}: {}", ended.err);
            assert!(crate::harness::pod::list(&pod.path("elsewhere")).is_empty(), "{place}");
        }
    });
}

#[test]
fn a_folder_at_the_destination_is_an_error_that_names_it() {
    each_server(|server| {
        let (pod, _) = ready(server);
        std::fs::create_dir(pod.secrets().join("v")).unwrap();
        let config =
            format!("template_config {{ exit_on_retry_failure = true }}\n{}", pod.template("v", SHOW, ""));
        let ended = once(&pod, server, &config).finish().expect(1);
        assert!(ended.err.contains(&pod.text("secrets/v")), "{}", ended.err);
        assert!(ended.err.contains("folder") || ended.err.contains("directory"), "{}", ended.err);
    });
}
