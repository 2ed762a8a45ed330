//! What is said while nothing can be done: the line per template at start, the status line, the deadline, the reason
//! for the kubelet, and the exit codes of `sidecar`.

use std::{fs, time::Duration};

use serde_json::json;

use crate::harness::{
    Need, Pod, Run, canary, each_server, eventually_within, needing, on_dev,
    process::Running,
    server::{Server, unused_address},
};

const SHOW: &str = "{{ with secret \"secret/data/app\" }}{{ .Data.data.v }}{{ end }}";
const FAULTS: &str = "a real server fails only when it wants to";

/// A pod and the value of the secret's key `v`.
fn ready(server: &Server) -> (Pod, String) {
    let value = canary("v");
    server.put("app", &json!({"v": value}));
    (Pod::at(server), value)
}

/// The status lines come every 30 s.
const STATUS_PATIENCE: Duration = Duration::from_secs(60);

/// The status line about this, when it comes.
#[track_caller]
fn status_line(run: &Running, about: &str) -> String {
    let start = format!("waiting for {about}");
    eventually_within(STATUS_PATIENCE, &start, || {
        run.printed().lines().find(|line| line.contains(&start)).map(str::to_owned)
    })
}

#[test]
fn every_thirty_seconds_it_says_what_is_awaited_why_and_when_it_is_tried_again() {
    on_dev(FAULTS, |server| {
        let (pod, _) = ready(server);
        server.fault(&json!({"path": "/v1/secret/data/held", "hold": true}));
        let config = pod.login(server, "app")
            + &pod.template("denied", &SHOW.replace("data/app", "data/denied/x"), "")
            + &pod.template("held", &SHOW.replace("data/app", "data/held"), "")
            + &pod.template("broken", &SHOW.replace(".v", ".w"), "error_on_missing_key = true");
        let agent = pod.agent(&config).start();
        // Beside it, one that nobody answers, and one that is refused.
        let mut lost = Pod::at(server);
        let nobody = format!("http://{}", unused_address());
        lost.annotate("service", &nobody).annotate("agent-inject-template-v", SHOW);
        let lost = lost.init().start();
        let mut refused = Pod::at(server);
        refused.annotate("role", "nobody").annotate("agent-inject-template-v", SHOW);
        let refused = refused.init().start();

        let line = status_line(&agent, "read secret/data/denied/x");
        for words in ["[WARN]", "403", "permission denied", "tried ", "next try in "] {
            assert!(line.contains(words), "{words}: {line}");
        }
        let line = status_line(&agent, "read secret/data/held");
        assert!(line.contains("no answer yet"), "{line}");
        let line = status_line(&agent, &format!("template {}", pod.text("secrets/broken")));
        assert!(line.contains("no entry for key"), "{line}");
        let line = status_line(&lost, "login");
        assert!(line.contains(&nobody) && line.contains("connection refused"), "{line}");
        let line = status_line(&refused, "login");
        assert!(line.contains("invalid role name") && line.contains("next try in "), "{line}");
        for run in [agent, lost, refused] {
            run.stop().expect(0);
        }
    });
}

#[test]
fn a_line_per_template_says_at_start_what_will_happen() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        let line_of = |run: Run, name: &str| {
            let mut run = run.start();
            let line = run.prints(&format!("template {}", pod.text(&format!("secrets/{name}"))));
            run.stop();
            line
        };
        let config = format!(
            "{}{}{}",
            pod.login(server, "app"),
            pod.template("zero", SHOW, ""),
            pod.template("error", SHOW, "error_on_missing_key = true")
        );
        let line = line_of(pod.agent(&config), "zero");
        for words in
            ["agent.hcl:", "rendered as <no value>", "tried again for ever", "until the server is back"]
        {
            assert!(line.contains(words), "{words}: {line}");
        }
        let line = line_of(pod.agent(&config), "error");
        assert!(line.contains("missing_key=\"the file stays as it is\""), "{line}");
        pod.annotate("agent-inject-template-v", SHOW)
            .annotate("error-on-missing-key-v", "true")
            .annotate("decant/init-deadline", "5m");
        let mut init = pod.init().start();
        let line = init.prints(&format!("template {}", pod.text("secrets/v")));
        for words in [
            "agent-inject-template-v",
            "ends the run until everything was rendered once",
            "tried 13 times, then the run ends",
            "waits until init_deadline",
        ] {
            assert!(line.contains(words), "{words}: {line}");
        }
        init.wait().expect(0);
    });
}

#[test]
fn the_deadline_ends_agent_init_and_sidecar_and_names_the_cause() {
    on_dev(FAULTS, |server| {
        let (mut pod, value) = ready(server);
        let nobody = format!("http://{}", unused_address());
        pod.annotate("agent-inject-template-v", SHOW).annotate("decant/init-deadline", "1s");
        let cause = |run: Run, code, words: &str| {
            let ended = run.finish().expect(code);
            let last = ended.err.lines().last().unwrap_or_default().to_owned();
            for words in ["the deadline passed", "waiting for ", words] {
                assert!(last.contains(words), "{words}: {last}");
            }
        };
        for run in [pod.init(), pod.sidecar()] {
            cause(run.env("VAULT_ADDR", &nobody), 5, "login: ");
        }
        let config = format!("decant {{ init_deadline = \"1s\" }}\n{}", pod.login(server, "app"))
            + &pod.template("v", &SHOW.replace("data/app", "data/denied/x"), "");
        cause(pod.agent(&config), 1, "read secret/data/denied/x: ");
        // It is about the first render alone: the clock, read every second, goes on after it.
        let every_second =
            pod.write("often.hcl", "template_config { static_secret_render_interval = \"1s\" }");
        let mut sidecar = pod.sidecar().arg(&format!("-config={every_second}")).start();
        pod.becomes("v", &value);
        server.fault(&json!({"path": "/v1/secret/data/app", "status": 404}));
        let moment = server.moment();
        server.reads("app").status(404).since(moment).wait(3);
        assert!(sidecar.is_running());
        sidecar.stop().expect(0);
    });
}

#[test]
fn a_sidecar_that_never_got_its_files_ends_with_the_codes_of_init() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        pod.annotate("agent-inject-template-v", SHOW);
        let impatient =
            format!("-config={}", pod.write("impatient.hcl", "vault { retry { num_retries = -1 } }"));
        let ends = |pod: &Pod, code: i32, words: &str| {
            let ended = pod.sidecar().arg(&impatient).finish().expect(code);
            assert!(ended.err.contains(words), "{words}: {}", ended.err);
        };
        pod.annotate("agent-inject-perms-v", "x");
        ends(&pod, 2, "agent-inject-perms-v");
        pod.annotate("agent-inject-perms-v", "").annotate("agent-inject-template-v", "{{ end }}");
        ends(&pod, 2, "agent-inject-template-v");
        pod.annotate("agent-inject-template-v", &SHOW.replace("data/app", "data/none"));
        ends(&pod, 4, "secret/data/none");
        pod.annotate("agent-inject-template-v", SHOW).annotate("role", "nobody");
        pod.annotate("agent-auto-auth-exit-on-err", "true");
        ends(&pod, 3, "invalid role name");
        pod.annotate("role", "app").annotate("agent-inject-file-v", "blocked/v");
        pod.write("secrets/blocked", "a file in the way");
        ends(&pod, 6, "blocked is a file, not a folder");
    });
}

/// Starts a run in a mount namespace where `/dev` is a folder of the pod with a termination log in it.
fn with_termination_log(pod: &Pod, run: Run) -> Run {
    let folder = pod.path("dev");
    if !folder.exists() {
        fs::create_dir(&folder).expect("a folder");
    }
    for name in ["null", "termination-log"] {
        pod.write(&format!("dev/{name}"), "");
    }
    let folder = folder.display();
    let script =
        format!("mount --bind /dev/null {folder}/null && mount --rbind {folder} /dev && exec \"$0\" \"$@\"");
    run.mounted(&script)
}

#[test]
fn the_reason_of_a_failure_goes_where_the_kubelet_reads_it() {
    needing(&[Need::Mounts], || {
        each_server(|server| {
            let (mut pod, _) = ready(server);
            let reason = |pod: &Pod, run: Run, code| {
                with_termination_log(pod, run).finish().expect(code);
                fs::read_to_string(pod.path("dev/termination-log")).unwrap()
            };
            pod.annotate("agent-inject-template-v", SHOW).annotate("agent-inject-perms-v", "x");
            let said = reason(&pod, pod.init(), 2);
            assert!(said.contains("agent-inject-perms-v") && said.contains("0640"), "{said}");
            pod.annotate("agent-inject-perms-v", "0640").annotate("decant/init-deadline", "1s");
            let said = reason(&pod, pod.init().env("VAULT_ADDR", format!("http://{}", unused_address())), 5);
            assert!(said.contains("the deadline passed") && said.contains("connection refused"), "{said}");
            let said = reason(&pod, pod.init(), 0);
            assert_eq!(said, "", "nothing to tell");
            let said = reason(&pod, pod.agent("vault {\n  address = \n}\n"), 1);
            assert!(said.contains("agent.hcl:3:1"), "{said}");
        });
    });
}
