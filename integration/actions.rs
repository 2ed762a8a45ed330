//! What follows a change without a shell: signals, requests to this machine, generation files.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::PathBuf,
    thread::JoinHandle,
};

use serde_json::json;

use crate::harness::{Need, Pod, Run, Server, canary, each_server, eventually, needing, on_dev};

const SHOW: &str = "{{ with secret \"secret/data/app\" }}{{ .Data.data.v }}{{ end }}";

/// A pod with the secrets `one` and `two`, which show one value, and the value.
fn ready(server: &Server) -> (Pod, String) {
    let value = canary("v");
    server.put("app", &json!({"v": value}));
    let mut pod = Pod::at(server);
    pod.annotate("agent-inject-template-one", SHOW).annotate("agent-inject-template-two", SHOW);
    pod.annotate("template-static-secret-render-interval", "1s");
    (pod, value)
}

/// Changes the secret and waits for both files.
fn change(server: &Server, pod: &Pod) {
    let value = canary("v");
    server.put("app", &json!({"v": value}));
    pod.becomes("one", &value);
    pod.becomes("two", &value);
}

/// A name that no other process has.
fn unique(word: &str) -> String {
    format!("{word}-{}", std::process::id())
}

#[test]
fn a_process_is_signalled_by_its_name_once_it_runs_and_a_missing_one_is_told_with_advice() {
    each_server(|server| {
        let (mut pod, value) = ready(server);
        let name = unique("app-by-name");
        pod.annotate("decant/on-change-signal-one", &format!("USR1 {name}"));
        // Nobody is there yet: that is as it should be before the application starts.
        let init = pod.init().finish().expect(0);
        assert!(init.all().contains("whoever starts later reads the new files"), "{}", init.all());

        let mut agent = pod.sidecar().start();
        pod.becomes("two", &value);
        agent.prints("all templates are rendered");
        change(server, &pod);
        let told = agent.prints(&format!("no process here is called {name}"));
        assert!(told.contains("the action after a change of"), "{told}");
        agent.prints("shareProcessNamespace: true");

        let app = Run::program(PathBuf::from("/bin/sleep"), ["600"]).called(&name).start();
        change(server, &pod);
        assert_eq!(app.wait().code, None, "the signal ended it");
        agent.prints(&format!("SIGUSR1 to {name}"));
        agent.stop().expect(0);
    });
}

#[test]
fn a_process_is_signalled_by_its_pid_file() {
    each_server(|server| {
        let (pod, _) = ready(server);
        let app = Run::program(PathBuf::from("/bin/sleep"), ["600"]).start();
        let pid_file = pod.write("app.pid", &format!("{}\n", app.pid()));
        let config = format!(
            "exit_after_auth = true\n{}{}",
            pod.login(server, "app"),
            pod.template("x", SHOW, &format!("on_change {{ signal = \"TERM {pid_file}\" }}"))
        );
        pod.agent(&config).finish().expect(0);
        assert_eq!(app.wait().code, None);
    });
}

#[test]
fn a_process_of_another_user_is_refused_with_both_users_and_the_setting() {
    needing(&[Need::Root], || {
        each_server(|server| {
            let (mut pod, _) = ready(server);
            let app = Run::program(PathBuf::from("/bin/sleep"), ["600"]).start();
            let pid_file = pod.write("app.pid", &app.pid().to_string());
            pod.annotate("decant/on-change-signal-one", &format!("HUP {pid_file}"));
            pod.belongs_to(4711);
            let ended = pod.init().owned_by(4711).finish().expect(6);
            let said = ended.all();
            assert!(
                said.contains("runs as user 0, this process as user 4711, which may not signal it"),
                "{said}"
            );
            assert!(said.contains("agent-run-as-same-user"), "{said}");
        });
    });
}

/// Takes one request, answers with this status line, and returns what it heard.
fn listener(status: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/-/reload", listener.local_addr().expect("an address"));
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a request");
        let mut heard = vec![0; 4096];
        let read = stream.read(&mut heard).expect("a request");
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").expect("an answer");
        String::from_utf8_lossy(&heard[..read]).into_owned()
    });
    (url, heard)
}

#[test]
fn two_files_that_changed_together_make_one_request() {
    each_server(|server| {
        let (mut pod, _) = ready(server);
        // A second request would find nobody and fail, and init would end with 6 in the second run.
        let (url, heard) = listener("204 No Content");
        for name in ["one", "two"] {
            pod.annotate(&format!("decant/on-change-http-{name}"), &format!("PUT {url}"));
        }
        let ended = pod.init().finish().expect(0);
        let heard = heard.join().expect("a request");
        assert!(heard.starts_with("PUT /-/reload HTTP/1.1\r\n"), "{heard}");
        assert!(!ended.all().contains("whoever starts later"), "{}", ended.all());
    });
}

#[test]
fn a_failing_action_ends_init_with_6_and_fetches_nothing_again() {
    on_dev("counts requests", |server| {
        let (mut pod, value) = ready(server);
        let (url, heard) = listener("503 Later");
        pod.annotate("decant/on-change-http-one", &url);
        let taken = pod.write("taken", "listen 80;");
        pod.annotate("decant/on-change-touch-two", &taken);
        let ended = pod.init().finish().expect(6);
        heard.join().expect("a request");
        for words in [
            "annotation vault.hashicorp.com/agent-inject-template-one",
            "answered 503",
            "holds something else than a number",
            "2 action(s) failed",
        ] {
            assert!(ended.all().contains(words), "no {words:?} in {}", ended.all());
        }
        assert_eq!(pod.rendered("one").as_deref(), Some(value.as_str()));
        assert_eq!(fs::read_to_string(&taken).unwrap(), "listen 80;");
        assert_eq!(server.asked("GET", "/v1/secret/data/app").count(), 1);
    });
}

#[test]
fn a_generation_file_counts_the_changes() {
    each_server(|server| {
        let (mut pod, value) = ready(server);
        let file = pod.path("secrets/.generation");
        for name in ["one", "two"] {
            pod.annotate(&format!("decant/on-change-touch-{name}"), &file.display().to_string());
        }
        let agent = pod.sidecar().start();
        let counts = |number: &str| {
            eventually("the next generation", || (fs::read_to_string(&file).ok()? == number).then_some(()));
        };
        pod.becomes("two", &value);
        counts("1\n");
        change(server, &pod);
        counts("2\n");
        agent.stop().expect(0);
    });
}
