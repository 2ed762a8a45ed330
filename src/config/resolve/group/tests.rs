use insta::assert_snapshot;

use crate::{
    config::{
        Config,
        downward::Annotations,
        env::Environment,
        hcl,
        pod::resolve as of_pod,
        raw::Raw,
        resolve::resolve,
        stanza,
        template::{ActionSpec, Receiver},
    },
    problem::{Problem, list},
};

fn of_file(text: &str) -> Result<Config, Vec<Problem>> {
    let login = "auto_auth { method \"kubernetes\" { config { role = \"r\" } } }\n";
    let file = std::path::Path::new("a.hcl").into();
    let body = hcl::parse(format!("{login}{text}").as_bytes()).unwrap();
    resolve(stanza::read(&body, &file), Raw::default(), &Environment::default())
}

fn said(result: Result<Config, Vec<Problem>>) -> String {
    match result {
        Ok(config) => list("fine", &config.warnings),
        Err(problems) => list("no", &problems),
    }
}

fn pod(said: &[(&str, &str)]) -> Result<Option<Config>, Vec<Problem>> {
    let prefix = |name: &str| {
        if name.contains('/') { name.to_owned() } else { format!("vault.hashicorp.com/{name}") }
    };
    let all = [("role", "r")];
    let annotations: Annotations =
        all.iter().chain(said).map(|(name, value)| (prefix(name), *value)).collect();
    of_pod(&annotations, Raw::default(), Raw::default(), &Environment::default())
}

/// Per template its file name, its group with a `!` when atomic, and its actions.
fn shape(config: &Config) -> Vec<String> {
    let action = |action: &ActionSpec| match action {
        ActionSpec::Command { .. } => "command".to_owned(),
        ActionSpec::Signal { signal, to: Receiver::Name(name) } => format!("{signal} {name}"),
        ActionSpec::Signal { signal, to: Receiver::PidFile(path) } => format!("{signal} {}", path.display()),
        ActionSpec::Http(request) => {
            format!("{} {} {}", request.method.name(), request.url, request.timeout.as_secs())
        }
        ActionSpec::Touch { path } => format!("touch {}", path.display()),
    };
    let of = |spec: &crate::config::template::TemplateSpec| {
        let group =
            spec.group.as_ref().map(|group| format!("{}{}", group.name, if group.atomic { "!" } else { "" }));
        let actions: Vec<String> = spec.actions.iter().map(action).collect();
        format!("{}: {}: {}", spec.destination.path.display(), group.unwrap_or_default(), actions.join(", "))
    };
    config.templates.iter().map(|spec| of(spec)).collect()
}

#[test]
fn a_configuration_forms_groups_by_key_and_by_destination() {
    let config = of_file(
        r#"
template { contents = "C" destination = "/s/cert" change_group = "tls" }
template { contents = "K" destination = "/s/key" command = "reload"
  on_change {
    touch = "/s/.generation"
  }
}
template { contents = "X" destination = "/s/other" on_change { signal = ["HUP a", "USR1 /run/b.pid"] } }
decant {
  group "tls" {
    members = ["/s/key"]
    atomic  = true
    on_change {
      signal = "HUP nginx"
      http {
        url     = "http://127.0.0.1:9090/-/reload?all=1"
        method  = "PUT"
        timeout = "3s"
        body    = "{}"
        headers { "Content-Type" = "application/json" }
      }
    }
  }
}
"#,
    )
    .unwrap();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert_eq!(
        shape(&config),
        [
            "/s/cert: tls!: SIGHUP nginx, PUT http://127.0.0.1:9090/-/reload 3",
            "/s/key: tls!: command, touch /s/.generation, SIGHUP nginx, PUT http://127.0.0.1:9090/-/reload 3",
            "/s/other: : SIGHUP a, SIGUSR1 /run/b.pid",
        ]
    );
    let ActionSpec::Http(request) = &config.templates[0].actions[1] else { panic!() };
    assert_eq!((request.headers.len(), request.body.as_str()), (1, "{}"));
}

#[test]
fn annotations_form_the_same_groups() {
    let config = pod(&[
        ("agent-inject-template-cert", "C"),
        ("agent-inject-template-key", "K"),
        ("agent-inject-template-db", "D"),
        ("decant/group-cert", "tls"),
        ("decant/group-key", "tls"),
        ("decant/atomic-tls", "true"),
        ("decant/on-change-signal-tls", "HUP nginx"),
        ("decant/on-change-http-db", "http://localhost:1/x"),
        ("decant/on-change-touch-key", "/vault/secrets/.generation"),
    ])
    .unwrap()
    .unwrap();
    assert_eq!(
        shape(&config),
        [
            "/vault/secrets/cert: tls!: SIGHUP nginx",
            "/vault/secrets/db: : POST http://localhost:1/x 10",
            "/vault/secrets/key: tls!: touch /vault/secrets/.generation, SIGHUP nginx",
        ]
    );
}

#[test]
fn messages_for_groups_that_can_not_be() {
    assert_snapshot!(
        "groups_that_can_not_be",
        said(of_file(
            r#"
template { contents = "C" destination = "/s/cert" change_group = "tls" }
template { contents = "K" destination = "/t/key" change_group = "tls" }
template { contents = "D" destination = "/s/db" change_group = "db" backup = true }
template { contents = "X" destination = "/u/..x" change_group = "x" }
decant {
  group "tls" { atomic = true }
  group "db"  { atomic = true members = ["/s/cert"] }
  group "x"   { atomic = true }
}
"#
        ))
    );
    assert_snapshot!(
        "mistakes_in_a_file",
        said(of_file(
            r#"
template { contents = "C" destination = "/s/cert" change_grup = "tls" on_change { signal = "HUP" touch = "x" http = "http://10.0.0.1/" } }
decant { group "tls" { members = ["/s/crt"] atomc = true on_change { http { method = "DELETE" headers { "a b" = "c" } } } } }
"#
        ))
    );
    assert_snapshot!(
        "a_member_that_nobody_writes",
        said(of_file(
            "template { contents = \"C\" destination = \"/s/cert\" }\ndecant { group \"tls\" { members = [\"/s/crt\"] } }"
        ))
    );
}

#[test]
fn messages_for_annotations_that_do_nothing_or_are_wrong() {
    let secret = ("agent-inject-template-cert", "C");
    let warnings = pod(&[
        secret,
        ("decant/group-crt", "tls"),
        ("decant/on-change-signal-tsl", "HUP nginx"),
        ("decant/on-chnge-signal-cert", "HUP nginx"),
    ]);
    assert_snapshot!("annotations_that_do_nothing", list("fine", &warnings.unwrap().unwrap().warnings));
    let errors = pod(&[
        secret,
        ("decant/group-cert", " "),
        ("decant/atomic-tls", "maybe"),
        ("decant/on-change-signal-cert", "nginx HUP"),
        ("decant/on-change-http-cert", "http://vault:8200/"),
    ]);
    assert_snapshot!("wrong_annotations", list("no", &errors.err().unwrap()));
}
