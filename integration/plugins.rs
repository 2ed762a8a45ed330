//! Programs that templates call (`plugin`): what they get and give, when they run, and how they fail.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::json;

use crate::harness::{Pod, Run, Server, canary, each_server, eventually, server::real_binaries};

/// Says what it is called with, and counts its calls in the file `calls` beside it.
const SHOW: &str = "#!/bin/sh\necho called >> \"${0%/*}/calls\"\nfor arg; do printf '[%s]\\n' \"$arg\"; done\n\
                    printf 'stdin [%s] at %s, token %s\\n\\n' \"$(cat)\" \"$VAULT_ADDR\" \"${VAULT_TOKEN:-none}\"\n";

/// A pod with a program.
#[expect(clippy::disallowed_methods, reason = "tests lay out programs")]
fn with_program(server: &Server, text: &str) -> (Pod, String) {
    let mut pod = Pod::at(server);
    let path = pod.write("program", text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
    pod.annotate("template-static-secret-render-interval", "1s");
    (pod, path)
}

fn calls(pod: &Pod) -> usize {
    fs::read_to_string(pod.path("calls")).unwrap_or_default().lines().count()
}

#[test]
fn a_program_gets_trimmed_arguments_and_its_output_stands_in_the_file_as_the_original_has_it() {
    each_server(|server| {
        let (pod, program) = with_program(server, SHOW);
        let value = canary("v");
        server.put("app", &json!({"v": value, "quote": "it's \"5\""}));
        let text = format!(
            "{{{{ with secret \"secret/data/app\" }}}}{{{{ .Data.data | toJSON | plugin \"{program}\" \"  a b \" \"\" \" \\n\" \"x\" }}}}\n\
             {{{{ plugin \"\" \"x\" }}}}|{{{{ plugin \"{program}\" \"x\" | len }}}}{{{{ end }}}}\n"
        );
        let config = |name: &str| {
            format!("exit_after_auth = true\n{}{}", pod.login(server, "app"), pod.template(name, &text, ""))
        };
        pod.agent(&config("ours")).finish().expect(0);
        let ours = pod.rendered("ours").expect("a file");
        let start = format!(
            "[a b]\n[x]\n[{{\"quote\":\"it's \\\"5\\\"\",\"v\":\"{value}\"}}]\nstdin [] at {}, token none\n|",
            server.url()
        );
        assert!(ours.starts_with(&start), "{ours}");
        assert_eq!(calls(&pod), 2, "each call once, however many passes the render took");
        for real in real_binaries().into_iter().filter(|_| !server.is_dev()) {
            let file = pod.write("theirs.hcl", &config("theirs"));
            let home = pod.text("home");
            let args = ["agent".to_owned(), format!("-config={file}")];
            let run = Run::program(real, args).env("HOME", home);
            // Ours get it from us, as commands do there; programs of the original have what the agent has.
            run.env("VAULT_ADDR", server.url()).finish().expect(0);
            assert_eq!(pod.rendered("theirs").as_ref(), Some(&ours));
        }
    });
}

#[test]
fn a_program_runs_again_when_its_template_is_rendered_again_and_not_otherwise() {
    each_server(|server| {
        let (mut pod, program) = with_program(server, SHOW);
        let (first, second) = (canary("first"), canary("second"));
        server.put("app", &json!({"v": first}));
        server.put("other", &json!({"v": first}));
        let text = |name: &str| {
            format!(
                "{{{{ with secret \"secret/data/{name}\" }}}}{{{{ .Data.data.v | plugin \"{program}\" }}}}{{{{ end }}}}"
            )
        };
        pod.annotate("agent-inject-template-app", &text("app"));
        pod.annotate(
            "agent-inject-template-other",
            "{{ with secret \"secret/data/other\" }}{{ .Data.data.v }}{{ end }}",
        );
        let mut agent = pod.sidecar().start();
        agent.prints("all templates are rendered");
        assert_eq!(calls(&pod), 1);
        server.put("other", &json!({"v": second}));
        pod.becomes("other", &second);
        assert_eq!(calls(&pod), 1, "what others read is none of its business");
        server.put("app", &json!({"v": second}));
        pod.shows("app", |text| text.starts_with(&format!("[{second}]")));
        assert_eq!(calls(&pod), 2);
        agent.stop().expect(0);
    });
}

#[test]
fn a_path_that_a_program_says_is_asked_for_once_the_program_has_ended() {
    each_server(|server| {
        let (mut pod, program) = with_program(server, "#!/bin/sh\necho \"$1\"\n");
        let value = canary("v");
        server.put("app", &json!({"v": value}));
        let text = format!(
            "{{{{ $path := plugin \"{program}\" \"app\" }}}}{{{{ with secret (print \"secret/data/\" $path) }}}}{{{{ .Data.data.v }}}}{{{{ end }}}}"
        );
        pod.annotate("agent-inject-template-app", &text);
        pod.annotate("agent-template-config-exit-on-retry-failure", "true");
        pod.init().finish().expect(0);
        assert_eq!(pod.rendered("app").as_ref(), Some(&value));
    });
}

#[test]
fn a_failing_program_is_told_without_what_it_printed_and_is_tried_again() {
    each_server(|server| {
        let fails =
            "#!/bin/sh\n[ -e \"${0%/*}/good\" ] && exec echo mended\necho \"$1\"; echo \"$1\" >&2; exit 3\n";
        let (mut pod, program) = with_program(server, fails);
        server.put("app", &json!({"v": canary("v")}));
        let text = format!(
            "{{{{ with secret \"secret/data/app\" }}}}\n{{{{ plugin \"{program}\" .Data.data.v }}}}{{{{ end }}}}"
        );
        pod.annotate("agent-inject-template-app", &text).annotate("agent-inject-template-other", "fine");
        let ended = pod.init().finish().expect(2);
        assert!(ended.all().contains("exit status 3"), "{}", ended.all());
        assert!(ended.all().contains("template line 2, column 4"), "{}", ended.all());

        pod.annotate("template-config-exit-on-retry-failure", "false");
        let mut agent = pod.sidecar().start();
        pod.becomes("other", "fine");
        agent.prints("exit status 3");
        pod.write("good", "");
        pod.becomes("app", "\nmended");
        agent.stop().expect(0);
    });
}

#[test]
fn a_stop_ends_a_program_that_runs_and_its_neighbours_are_written_meanwhile() {
    each_server(|server| {
        let (mut pod, program) =
            with_program(server, "#!/bin/sh\nsleep 600 & echo $! > \"${0%/*}/pid\"; wait\n");
        pod.annotate("agent-inject-template-app", &format!("{{{{ plugin \"{program}\" \"x\" }}}}"));
        pod.annotate("agent-inject-template-other", "fine");
        let agent = pod.sidecar().start();
        pod.becomes("other", "fine");
        let pid = eventually("the program", || {
            fs::read_to_string(pod.path("pid")).ok().filter(|pid| pid.ends_with('\n'))
        });
        agent.stop().expect(0);
        let stat = format!("/proc/{}/stat", pid.trim());
        eventually("its end", || {
            let stat = fs::read_to_string(&stat);
            stat.map_or(true, |stat| stat.contains(") Z ")).then_some(())
        });
        assert_eq!(pod.rendered("app"), None);
    });
}
