//! What is logged, in which form, and that no secret ever is.

use serde_json::{Value, json};

use crate::harness::{Finished, Pod, Run, canary, each_server, on_dev, server::Server};

const SHOW: &str = "{{ with secret \"secret/data/app\" }}{{ .Data.data.v }}{{ end }}";
/// One failure of each kind that a template can run into with the value in its hands.
const BAD: &[&str] = &[
    "{{ with secret \"secret/app\" }}{{ range .Data.data.v }}{{ . }}{{ end }}{{ end }}",
    "{{ with secret \"secret/app\" }}{{ .Data.data.v.field }}{{ end }}",
    "{{ with secret \"secret/app\" }}{{ index .Data.data.v \"a\" }}{{ end }}",
    "{{ with secret \"secret/app\" }}{{ parseInt .Data.data.v }}{{ end }}",
    "{{ with secret \"secret/app\" }}{{ parseJSON .Data.data.v }}{{ end }}",
    "{{ with secret \"secret/app\" }}{{ parseBool .Data.data.v }}{{ end }}",
    "{{ with secret \"secret/app\" }}{{ parseYAML (printf \"a: [%s\" .Data.data.v) }}{{ end }}",
    "{{ with secret \"secret/app\" }}{{ base64Decode .Data.data.v }}{{ end }}",
    "{{ with secret \"secret/app\" }}{{ timestamp .Data.data.v \"x\" }}{{ end }}",
    "{{ with secret \"secret/app\" }}{{ .Data.data.v | regexReplaceAll .Data.data.v \"[\" }}{{ end }}",
    "{{ with secret \"secret/app\" }}{{ add .Data.data.v 1 }}{{ end }}",
    "{{ with secret \"secret/app\" }}{{ template .Data.data.v }}{{ end }}",
    "{{ with secret \"secret/app\" }}{{ call .Data.data.v }}{{ end }}",
    "{{ with secret \"secret/app\" }}{{ lt .Data.data.v 1 }}{{ end }}",
    "{{ with secret \"secret/app\" }}{{ slice .Data.data.v 1000 }}{{ end }}",
    "{{ with secret \"secret/app\" }}{{ .Data.data.v | sprig_fail }}{{ end }}",
    "{{ with secret \"secret/app\" }}{{ .Data.data.v | toTOML }}{{ end }}",
    "{{ with secret \"secret/app\" }}{{ .Data.data.v | sprig_atoi | sprig_repeat 2 | sprig_mustToDate \"x\" }}{{ end }}",
];

/// A pod and the value of the secret's key `v`.
fn ready(server: &Server) -> (Pod, String) {
    let value = canary("v");
    server.put("app", &json!({"v": value}));
    (Pod::at(server), value)
}

/// A run with something of everything: warnings, a login, a render, a failing command, a failing template.
fn eventful(pod: &Pod, server: &Server) -> Run {
    let config = format!(
        "cache {{}}\n{}{}{}{}",
        pod.login(server, "app"),
        pod.template("v", SHOW, "command = \"exit 5\""),
        pod.template("bad", BAD[0], ""),
        pod.template("denied", "{{ with secret \"secret/denied/x\" }}{{ end }}", ""),
    );
    pod.agent(&config)
}

fn run(run: Run) -> Finished {
    let mut agent = run.start();
    for words in ["exit code 5", "403", "range"] {
        agent.prints(words);
    }
    agent.stop().expect(0)
}

fn is_time(text: &str) -> bool {
    let form: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    form == "0000-00-00T00:00:00.000Z"
}

#[test]
fn the_standard_format_has_time_level_and_name_on_each_line() {
    each_server(|server| {
        let (pod, _) = ready(server);
        let ended = run(eventful(&pod, server));
        let mut levels = std::collections::BTreeSet::new();
        for line in ended.err.lines() {
            // The lines of a value with several are indented behind a bar.
            if line.starts_with("  |") {
                continue;
            }
            let (time, rest) = line.split_once(' ').unwrap_or_default();
            assert!(is_time(time), "{line}");
            let level = rest.split(' ').next().unwrap_or_default();
            assert!(["[TRACE]", "[DEBUG]", "[INFO]", "[WARN]", "[ERROR]"].contains(&level), "{line}");
            assert!(rest[level.len()..].trim_start().starts_with("agent"), "{line}");
            levels.insert(level.to_owned());
        }
        assert_eq!(levels.len(), 5, "{levels:?} in {}", ended.err);
    });
}

#[test]
fn each_line_of_the_json_format_is_json() {
    each_server(|server| {
        let (pod, _) = ready(server);
        let ended = run(eventful(&pod, server).env("VAULT_LOG_FORMAT", "json"));
        assert!(ended.err.lines().count() > 5);
        for line in ended.err.lines() {
            let fields: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            for key in ["@level", "@message", "@module", "@timestamp"] {
                assert!(fields[key].is_string(), "{key}: {line}");
            }
        }
    });
}

#[test]
fn a_level_keeps_the_lower_ones_out() {
    each_server(|server| {
        let (pod, _) = ready(server);
        let mut agent = eventful(&pod, server).arg("-log-level=error").start();
        for words in ["exit code 5", "range"] {
            agent.prints(words);
        }
        let ended = agent.stop().expect(0);
        let lines = ended.err.lines().filter(|line| !line.starts_with("  |"));
        assert!(lines.clone().count() > 0);
        for line in lines {
            assert!(line.contains("[ERROR]"), "{line}");
        }
    });
}

#[test]
fn a_log_file_has_what_standard_error_has() {
    each_server(|server| {
        let (pod, _) = ready(server);
        let ended = run(eventful(&pod, server).arg(&format!("-log-file={}/", pod.text("home"))));
        let names = crate::harness::pod::list(&pod.path("home"));
        assert_eq!(names.len(), 1, "{names:?}");
        let logged = std::fs::read_to_string(pod.path("home").join(&names[0])).unwrap();
        assert!(logged.contains("exit code 5"), "{logged}");
        assert!(ended.err.contains("exit code 5"));
        assert_eq!(crate::harness::canary::leak_in(&logged), None);
    });
}

#[test]
fn no_template_error_shows_a_value() {
    on_dev("the engine doesn't know which server a value came from", |server| {
        let (pod, _) = ready(server);
        let mut config = pod.login(server, "app");
        for (number, bad) in BAD.iter().enumerate() {
            config += &pod.template(&format!("bad{number}"), bad, "");
        }
        // Templates are rendered in order, so the others are through when this one is written.
        config += &pod.template("good", "{{ with secret \"secret/app\" }}{{ .Data.data.v }}{{ end }}", "");
        let agent = pod.agent(&config).start();
        pod.shows("good", |text| !text.is_empty());
        let ended = agent.stop().expect(0);
        assert!(ended.err.matches("[ERROR]").count() > BAD.len() / 2, "{}", ended.err);
    });
}

#[test]
fn a_path_that_comes_from_a_secret_is_not_shown() {
    each_server(|server| {
        let (pod, value) = ready(server);
        let contents = "{{ with secret \"secret/app\" }}{{ with secret (printf \"secret/data/%s/x\" .Data.data.v) }}{{ \
                        end }}{{ end }}";
        let denied = contents.replace("secret/data/%s", "nothing/%s");
        let config = pod.login(server, "app")
            + &pod.template("missing", contents, "")
            + &pod.template("denied", &denied, "");
        let mut agent = pod.agent(&config).start();
        let line = agent.prints("secret/data/[hidden]/x: 404");
        assert!(!line.contains(&value), "{line}");
        agent.prints("nothing/[hidden]/x: 403");
        agent.stop().expect(0);
    });
}

#[test]
fn a_secret_in_the_output_would_be_noticed() {
    let server = Server::dev();
    let (pod, value) = ready(&server);
    let config = format!("exit_after_auth = true\n{}", pod.login(&server, "app"))
        + &pod.template("v", SHOW, &format!("command = \"cat {}\"", pod.text("secrets/v")));
    let leaking = std::panic::AssertUnwindSafe(|| drop(pod.agent(&config).finish()));
    assert!(std::panic::catch_unwind(leaking).is_err(), "the harness let {value} pass");
}
