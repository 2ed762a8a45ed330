//! From text to configuration.

use std::{path::Path, time::Duration};

use super::*;
use crate::config::{
    CertIdentity, MethodKind, SinkEncryption, hcl, load, stanza,
    template::{ActionSpec, CommandForm, Dialect, Format, OnMissingKey, TemplateSource, Wait},
};

/// A login and a sink, so that cross checks have nothing to say.
const LOGIN: &str = r#"auto_auth {
  method "kubernetes" { config { role = "web" } }
  sink "file" { config { path = "/run/token" } }
}
"#;

fn resolved(text: &str, environment: &Environment) -> Result<Config, Vec<Problem>> {
    let file = Path::new("agent.hcl").into();
    let body = hcl::parse(text.as_bytes()).map_err(|error| vec![error.problem(&file)])?;
    resolve(stanza::read(&body, &file), Raw::default(), environment)
}

fn config(text: &str) -> Config {
    resolved(text, &Environment::default()).unwrap_or_else(|problems| panic!("{}", said(&problems)))
}

/// The configuration of a text behind [`LOGIN`].
fn with_login(text: &str) -> Config {
    config(&format!("{LOGIN}{text}"))
}

fn said(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{:?}: {problem}\n", problem.severity)).collect()
}

fn problems(text: &str) -> String {
    said(&resolved(text, &Environment::default()).expect_err("a wrong configuration"))
}

/// Wrong configurations, each behind [`LOGIN`] unless it says something about the login itself. What is said about
/// them is in `snapshots/`, and is meant to be read with a stranger's eyes.
const WRONG: &[(&str, &str)] = &[
    ("nothing at all", ""),
    ("misspelt stanza", "auto_ath {\n  method \"kubernetes\" {}\n}\n"),
    (
        "method without role",
        "auto_auth {\n  method \"kubernetes\" {\n    mount_path = \"auth/k8s\"\n  }\n  sink \"file\" { config { path = \"/t\" } }\n}\n",
    ),
    (
        "method that is not built in",
        "auto_auth {\n  method \"ldap\" {\n    config = { username = \"u\" }\n  }\n  sink \"file\" { config { path = \"/t\" } }\n}\n",
    ),
    (
        "misspelt method",
        "auto_auth {\n  method {\n    type = \"Kubernets\"\n  }\n  sink \"file\" { config { path = \"/t\" } }\n}\n",
    ),
    ("no method, no type", "auto_auth {\n  sink { config { path = \"/t\" } }\n}\n"),
    (
        "two methods",
        "auto_auth {\n  method \"kubernetes\" { config { role = \"r\" } }\n  method \"token_file\" { config { token_file_path = \"/t\" } }\n  sink \"file\" { config { path = \"/t\" } }\n}\n",
    ),
    (
        "two login stanzas",
        "auto_auth {\n  method \"kubernetes\" { config { role = \"r\" } }\n}\nauto_auth {\n  sink \"file\" { config { path = \"/t\" } }\n}\n",
    ),
    ("login without use", "auto_auth {\n  method \"kubernetes\" { config { role = \"r\" } }\n}\n"),
    (
        "backoffs the wrong way round",
        "auto_auth {\n  method \"kubernetes\" {\n    min_backoff = \"10m\"\n    config { role = \"r\" }\n  }\n  sink \"file\" { config { path = \"/t\" } }\n}\n",
    ),
    (
        "sink without path",
        "auto_auth {\n  method \"kubernetes\" { config { role = \"r\" } }\n  sink \"file\" {\n    config = { paht = \"/t\" }\n  }\n}\n",
    ),
    (
        "sink of another type",
        "auto_auth {\n  method \"kubernetes\" { config { role = \"r\" } }\n  sink \"http\" { config { path = \"/t\" } }\n}\n",
    ),
    (
        "encryption without its key exchange",
        "auto_auth {\n  method \"kubernetes\" { config { role = \"r\" } }\n  sink \"file\" {\n    derive_key = true\n    aad = \"x\"\n    config { path = \"/t\" }\n  }\n}\n",
    ),
    (
        "key exchange without a place for the key",
        "auto_auth {\n  method \"kubernetes\" { config { role = \"r\" } }\n  sink \"file\" {\n    dh_type = \"curve25519\"\n    config { path = \"/t\" }\n  }\n}\n",
    ),
    (
        "key without key exchange",
        "auto_auth {\n  method \"kubernetes\" { config { role = \"r\" } }\n  sink \"file\" {\n    dh_path = \"/dh\"\n    config { path = \"/t\" }\n  }\n}\n",
    ),
    (
        "unknown key exchange",
        "auto_auth {\n  method \"kubernetes\" { config { role = \"r\" } }\n  sink \"file\" {\n    dh_type = \"x448\"\n    dh_path = \"/dh\"\n    config { path = \"/t\" }\n  }\n}\n",
    ),
    (
        "token wrapped twice",
        "auto_auth {\n  method \"kubernetes\" {\n    wrap_ttl = \"2m\"\n    config { role = \"r\" }\n  }\n  sink \"file\" {\n    wrap_ttl = \"5m\"\n    config { path = \"/t\" }\n  }\n}\n",
    ),
    (
        "jwt without anything",
        "auto_auth {\n  method \"jwt\" {\n  }\n  sink \"file\" { config { path = \"/t\" } }\n}\n",
    ),
    (
        "jwt with wrong settings",
        "auto_auth {\n  method \"jwt\" {\n    config {\n      path = \"/jwt\"\n      role = \"r\"\n      remove_jwt_after_reading = \"maybe\"\n      jwt_read_period = \"soon\"\n    }\n  }\n  sink \"file\" { config { path = \"/t\" } }\n}\n",
    ),
    (
        "approle without role id",
        "auto_auth {\n  method \"approle\" {\n    config { secret_id_file_path = \"/s\" }\n  }\n  sink \"file\" { config { path = \"/t\" } }\n}\n",
    ),
    (
        "sink with a strange mode and owner",
        "auto_auth {\n  method \"kubernetes\" { config { role = \"r\" } }\n  sink \"file\" {\n    config {\n      path = \"/t\"\n      mode = \"rw-r-----\"\n      uid = -5\n    }\n  }\n}\n",
    ),
    (
        "wrapped login with two sinks",
        "auto_auth {\n  method \"kubernetes\" {\n    wrap_ttl = \"5m\"\n    config { role = \"r\" }\n  }\n  sink \"file\" { config { path = \"/a\" } }\n  sink \"file\" { config { path = \"/b\" } }\n}\n",
    ),
    (
        "values of the wrong kind",
        "exit_after_auth = \"si\"\npid_file = [\"/pid\"]\ntemplate_config {\n  static_secret_render_interval = \"5 minutes\"\n  max_connections_per_host = \"many\"\n}\nvault = \"https://v\"\n",
    ),
    (
        "a wrong value, and a method that is missing",
        "exit_after_auth = \"maybe\"\nauto_auth {\n  sink \"file\" { config { path = \"/t\" } }\n}\ntemplate {\n  contents = \"x\"\n}\n",
    ),
    (
        "what can't be read is not missed as well",
        "auto_auth {\n  method \"kubernetes\" { config { role = [\"r\"] } }\n  sink \"file\" { config { path = [] } }\n}\ntemplate {\n  contents = {}\n  destination = \"/x\"\n}\n",
    ),
    (
        "a stanza that can't be read is not missed as well",
        "auto_auth = \"kubernetes\"\nlog_level = \"verbose\"\n",
    ),
    ("address without scheme", "vault {\n  address = \"vault.example:8200\"\n}\n"),
    (
        "address with another scheme",
        "vault {\n  adress = \"x\"\n  address = \"tcp://vault.example:8200\"\n}\n",
    ),
    ("template without anything", "template {\n}\n"),
    (
        "template with two texts",
        "template {\n  source = \"/a\"\n  contents = \"b\"\n  destination = \"/c\"\n}\n",
    ),
    (
        "template with strange values",
        "template {\n  contents = \"x\"\n  destination = \"/c\"\n  perms = \"0999\"\n  wait = \"10s:2s\"\n  backup = \"perhaps\"\n  command = { a = 1 }\n  exec { timeout = \"soon\" }\n}\n",
    ),
    ("log level and format", "log_level = \"verbose\"\nlog_format = \"jsn\"\n"),
    ("own setting", "decant {\n  init_deadline = \"soon\"\n  init_dedline = \"5m\"\n}\n"),
    ("cache without use, proxy without listener", "cache {}\napi_proxy {\n  use_auto_auth_token = true\n}\n"),
    (
        "token use said twice",
        "listener \"tcp\" {}\ncache {\n  use_auto_auth_token = true\n}\napi_proxy {\n  use_auto_auth_token = \"force\"\n}\n",
    ),
    (
        "supervisor without a command, a name, a restart that exists",
        "exec {\n  restart_on_secret_changes = \"sometimes\"\n}\nenv_template { contents = \"c\" }\n",
    ),
    (
        "supervisor with one variable twice and no command",
        "exec {\n  command = []\n}\nenv_template \"A\" { contents = \"a\" }\nenv_template \"A\" { contents = \"b\" }\n",
    ),
    ("half a supervisor", "env_template \"A\" { contents = \"a\" }\n"),
    (
        "supervisor with templates beside it",
        "exec {\n  command = [\"app\"]\n}\nenv_template \"A\" { contents = \"a\" }\ntemplate {\n  contents = \"x\"\n  destination = \"/x\"\n}\n",
    ),
];

#[test]
fn wrong_configurations_are_explained() {
    let explained: Vec<String> = WRONG
        .iter()
        .map(|(name, text)| {
            let own_login = text.contains("auto_auth {") || text.contains("auto_ath {") || text.is_empty();
            let text = if own_login { (*text).to_owned() } else { format!("{text}{LOGIN}") };
            format!("# {name}\n{}", problems(&text))
        })
        .collect();
    insta::assert_snapshot!(explained.join("\n"));
}

/// Configurations that work, and about which there is something to say.
const ODD: &[(&str, &str)] = &[
    (
        "misspelt keys",
        "pidfile = \"/x\"\nvault {\n  Adress = \"http://v\"\n  min_backoff = \"2s\"\n  exit_after_auth = true\n  colour = \"red\"\n}\n",
    ),
    ("said twice", "pid_file = \"/a\"\nPID_FILE = \"/b\"\n"),
    (
        "no effect yet",
        "listener \"tcp\" {\n  address = \"127.0.0.1:1\"\n  http_idle_timeout = \"5m\"\n  adress = \"x\"\n}\nlistener \"unix\" {}\ncache {\n  persist \"kubernetes\" { paht = \"/x\" }\n}\ndisable_mlock = true\n",
    ),
    (
        "decimal and quoted modes",
        "template {\n  contents = \"x\"\n  destination = \"/x\"\n  perms = 640\n}\n",
    ),
    (
        "durations without unit",
        "template {\n  contents = \"x\"\n  destination = \"/x\"\n  exec {\n    command = [\"true\"]\n    timeout = 30\n    kill_signal = \"SIGTERM\"\n  }\n  wait {\n    min = 2\n    max = \"5s\"\n  }\n}\n",
    ),
    (
        "command with commas",
        "template {\n  contents = \"x\"\n  destination = \"/x\"\n  command = \"sh -c 'echo a, b'\"\n}\n",
    ),
    (
        "labels that don't count",
        "template \"a\" {\n  contents = \"x\"\n  destination = \"/x\"\n}\ntemplate \"a\" \"b\" {\n  contents = \"x\"\n  destination = \"/x\"\n}\n",
    ),
    (
        "wait the wrong way round",
        "template {\n  contents = \"x\"\n  destination = \"/x\"\n  wait {\n    min = \"5s\"\n    max = \"2s\"\n  }\n}\n",
    ),
    (
        "odd numbers",
        "template_config {\n  lease_renewal_threshold = 1.5\n  max_connections_per_host = -1\n}\n",
    ),
    (
        "paths with too little or too much",
        "vault { address = \"https://v:8200/v1/\" }\nauto_auth {\n  method \"kubernetes\" {\n    mount_path = \"kubernetes\"\n    config { role = \"r\" }\n  }\n  sink \"file\" { config { path = \"/t\" } }\n}\n",
    ),
    (
        "setting of the method",
        "auto_auth {\n  method \"kubernetes\" { config {\n    role = \"r\"\n    tokenpath = \"/x\"\n  } }\n  sink \"file\" { config {\n    path = \"/t\"\n    mode = \"0600\"\n  } }\n  sinks { sink \"file\" { config { path = \"/u\" } } }\n}\n",
    ),
];

#[test]
fn odd_configurations_work_with_a_warning() {
    let explained: Vec<String> = ODD
        .iter()
        .map(|(name, text)| {
            let text =
                if text.contains("auto_auth {") { (*text).to_owned() } else { format!("{text}{LOGIN}") };
            format!("# {name}\n{}", said(&config(&text).warnings))
        })
        .collect();
    insta::assert_snapshot!(explained.join("\n"));
}

#[test]
fn all_configurations_of_the_injector_load() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/corpus/injector/configs");
    let mut refused = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        count += 1;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let raw = load::load(&[path]).unwrap_or_else(|problems| panic!("{name}: {}", said(&problems)));
        let method =
            raw.auto_auth.as_ref().and_then(|login| login.method.as_ref()?.kind.clone()).unwrap().value;
        match resolve(raw, Raw::default(), &Environment::default()) {
            Ok(config) => {
                assert!(["approle", "jwt", "kubernetes"].contains(&method.as_str()), "{name}");
                assert!(config.auto_auth.is_some_and(|login| !login.sinks.is_empty()), "{name}");
                assert!(config.warnings.iter().all(|warning| !warning.what.starts_with("unknown")), "{name}");
            }
            Err(problems) => {
                assert_eq!(problems.len(), 1, "{name}: {}", said(&problems));
                assert_eq!(problems[0].what, format!("the method `{method}` is not built in yet"));
                refused.push(method);
            }
        }
    }
    refused.sort();
    assert_eq!((count, refused), (60, ["aws", "kerberos"].map(str::to_owned).to_vec()));
}

#[test]
fn defaults_are_those_of_the_original() {
    let config = config(LOGIN);
    let login = config.auto_auth.unwrap();
    assert_eq!(config.vault.address, "https://127.0.0.1:8200");
    assert_eq!((config.vault.num_retries, config.vault.max_retries), (Some(12), None));
    assert_eq!(config.vault.client_timeout, Duration::from_secs(60));
    assert_eq!(login.method.mount_path, "auth/kubernetes");
    assert_eq!(
        login.method.kind,
        MethodKind::Kubernetes {
            role: "web".to_owned(),
            token_path: "/var/run/secrets/kubernetes.io/serviceaccount/token".into()
        }
    );
    assert_eq!(
        (login.method.min_backoff, login.method.max_backoff),
        (Duration::from_secs(1), Duration::from_secs(300))
    );
    assert_eq!((login.sinks[0].mode, login.sinks[0].uid), (0o640, None));
    assert_eq!(login.sinks[0].origin.to_string(), "agent.hcl:3:3");
    assert_eq!(config.template_config.static_secret_render_interval, Duration::from_secs(300));
    assert!(!config.template_config.static_interval_is_set && !config.template_config.exit_on_retry_failure);
    assert_eq!(
        (config.template_config.max_connections_per_host, config.template_config.lease_renewal_threshold),
        (10, 0.9)
    );
    assert_eq!(
        (config.log.level_text.as_str(), config.log.rotate_duration),
        ("", Duration::from_secs(86_400))
    );
    assert!(!config.exit_after_auth && !config.revoke_on_exit && config.init_deadline.is_none());
    assert_eq!((config.pid_file, config.warnings.len()), (None, 0));
}

#[test]
fn the_same_login_in_every_spelling() {
    let spellings = [
        "auto_auth {\n method \"Kubernetes\" {\n mount_path = \"auth/k8s/\"\n min_backoff = 2\n config = { role = \"web\" }\n }\n sink \"FILE\" { config { path = \"/t\" mode = 0600 } }\n}",
        "AUTO_AUTH = {\n Method = {\n type = \"kubernetes\"\n mount_path = \"/auth/k8s\"\n min_backoff = \"2s\"\n config { Role = \"web\" }\n }\n sinks { sink { type = \"file\" config { path = \"/t\" mode = 384 } } }\n}",
        r#"{"auto_auth": {"method": {"type": "kubernetes", "mount_path": "auth/k8s", "min_backoff": "2", "config": {"role": "web"}}, "sink": {"type": "file", "config": {"path": "/t", "mode": 384}}}}"#,
        r#"{"auto_auth": [{"method": [{"kubernetes": {"mount_path": "auth/k8s", "min_backoff": 2, "config": [{"role": "web"}]}}], "sinks": [{"sink": {"file": {"config": {"path": "/t", "mode": "0600"}}}}]}]}"#,
    ];
    for text in spellings {
        let login = config(text).auto_auth.unwrap();
        assert_eq!(login.method.mount_path, "auth/k8s", "{text}");
        assert_eq!(login.method.min_backoff, Duration::from_secs(2), "{text}");
        assert!(matches!(&login.method.kind, MethodKind::Kubernetes { role, .. } if role == "web"), "{text}");
        assert_eq!((login.sinks[0].path.to_str(), login.sinks[0].mode), (Some("/t"), 0o600), "{text}");
    }
}

#[test]
fn json_that_the_original_flattens_to_death_is_read() {
    let template = r#""template": {"contents": "x", "destination": "/x"}"#;
    let alone = format!(
        r#"{{"auto_auth": {{"method": {{"type": "kubernetes", "config": {{"role": "r"}}}}}}, {template}}}"#
    );
    assert!(config(&alone).auto_auth.unwrap().sinks.is_empty());
    let empty = r#"{"auto_auth": {"method": {"type": "token_file", "config": {"token_file_path": "/t"}}, "sink": [{"type": "file", "config": {"path": "/u"}}]}, "template": [], "listener": [], "vault": null}"#;
    assert!(config(empty).templates.is_empty());
    let persist = format!(
        r#"{{"cache": {{"persist": {{"kubernetes": {{"path": "/p"}}}}}}, "listener": {{"tcp": {{"address": "a"}}}}, {}"#,
        &alone[1..]
    );
    assert_eq!(config(&persist).warnings.len(), 2);
}

fn kind(text: &str) -> MethodKind {
    let sink = "sink \"file\" { config { path = \"/t\" } }";
    let config = config(&format!("auto_auth {{\n{text}\n{sink}\n}}"));
    assert!(config.warnings.is_empty(), "{}", said(&config.warnings));
    config.auto_auth.unwrap().method.kind
}

#[test]
fn methods_read_their_settings() {
    let jwt = |remove, remove_follows_links, read_period| MethodKind::Jwt {
        role: "r".into(),
        path: "/jwt".into(),
        remove,
        remove_follows_links,
        read_period,
    };
    assert_eq!(kind(r#"method "jwt" { config { path = "/jwt" role = "r" } }"#), jwt(true, false, None));
    let all = r#"method "jwt" { config { path = "/jwt" role = "r" remove_jwt_after_reading = false
        remove_jwt_follows_symlinks = "1" jwt_read_period = "2m" } }"#;
    assert_eq!(kind(all), jwt(false, true, Some(Duration::from_secs(120))));

    let approle = |secret: Option<&str>, remove_secret_id, wrapping: Option<&str>| MethodKind::AppRole {
        role_id_path: "/role".into(),
        secret_id_path: secret.map(Into::into),
        remove_secret_id,
        wrapping_path: wrapping.map(str::to_owned),
    };
    let alone = r#"method "approle" { config { role_id_file_path = "/role" secret_id_file_path = ""
        remove_secret_id_file_after_reading = "never read" } }"#;
    assert_eq!(kind(alone), approle(None, true, None));
    let all = r#"method "approle" { config { role_id_file_path = "/role" secret_id_file_path = "/s"
        remove_secret_id_file_after_reading = false secret_id_response_wrapping_path = "auth/a" } }"#;
    assert_eq!(kind(all), approle(Some("/s"), false, Some("auth/a")));

    assert_eq!(kind(r#"method "cert" {}"#), MethodKind::Cert { name: None, identity: None });
    let all = r#"method "cert" { config { name = "web" ca_cert = "/ca" client_cert = "/c" client_key = "/k"
        reload = true } }"#;
    let identity = CertIdentity { ca_cert: Some("/ca".into()), client: Some(("/c".into(), "/k".into())) };
    assert_eq!(kind(all), MethodKind::Cert { name: Some("web".into()), identity: Some(identity) });
}

#[test]
fn half_an_identity_is_none() {
    let config = config(
        "auto_auth {\n method \"cert\" { config { client_key = \"/k\" } }\n sink \"file\" { config { path = \"/t\" } }\n}",
    );
    assert_eq!(config.auto_auth.unwrap().method.kind, MethodKind::Cert { name: None, identity: None });
    assert!(
        said(&config.warnings).contains("`client_key` without `client_cert`"),
        "{}",
        said(&config.warnings)
    );
}

#[test]
fn sinks_may_wrap_and_encrypt() {
    let text = "auto_auth {\n method \"kubernetes\" { config { role = \"r\" } }\n sink \"file\" {\n wrap_ttl = \"5m\"\n dh_type = \"curve25519\"\n dh_path = \"/dh\"\n derive_key = true\n aad = \"text\"\n aad_env_var = \"AAD\"\n config { path = \"/t\" uid = 5 gid = 6 }\n }\n}";
    let encryption = |aad: &str| SinkEncryption { dh_path: "/dh".into(), derive_key: true, aad: aad.into() };
    let config = resolved(text, &Environment::from([("AAD", "from env")])).unwrap();
    let sink = &config.auto_auth.unwrap().sinks[0];
    assert_eq!((sink.wrap_ttl, sink.uid, sink.gid), (Duration::from_secs(300), Some(5), Some(6)));
    assert_eq!(sink.encryption, Some(encryption("from env")), "the variable beats the text");
    let config = resolved(text, &Environment::default()).unwrap();
    assert_eq!(config.auto_auth.as_ref().unwrap().sinks[0].encryption, Some(encryption("")));
    assert!(said(&config.warnings).contains("variable AAD"), "{}", said(&config.warnings));
}

#[test]
fn a_wrapped_login_has_nothing_for_templates() {
    let text = "auto_auth {\n method \"kubernetes\" {\n wrap_ttl = \"5m\"\n config { role = \"r\" }\n }\n sink \"file\" { config { path = \"/t\" } }\n}\ntemplate {\n contents = \"x\"\n destination = \"/x\"\n}";
    assert!(said(&config(text).warnings).contains("templates get no token"));
}

fn templates(text: &str) -> Vec<std::sync::Arc<crate::config::template::TemplateSpec>> {
    with_login(text).templates
}

#[test]
fn a_template_carries_all_its_keys() {
    let spec = &templates(
        r#"template {
  source = "/in"
  destination = "/out"
  create_dest_dirs = false
  error_on_missing_key = true
  error_fatal = false
  perms = "0400"
  user = "app"
  uid = 5
  gid = 7
  backup = "true"
  left_delimiter = "[["
  right_delimiter = "]]"
  sandbox_path = "/sandbox"
  wait { min = "2s" }
  function_denylist = ["env"]
  function_blacklist = ["write*"]
  static_secret_render_interval = "1m"
  exec {
    command = ["kill", "-HUP", "1"]
    timeout = "5s"
    env { custom = ["A=b=c"] }
  }
}"#,
    )[0];
    assert_eq!(spec.source, TemplateSource::File("/in".into()));
    assert_eq!((spec.origin.to_string().as_str(), spec.error_fatal), ("agent.hcl:5:1", false));
    assert_eq!(spec.on_missing_key, OnMissingKey::Error);
    assert_eq!(spec.delimiters, ("[[".to_owned(), "]]".to_owned()));
    let to = &spec.destination;
    assert_eq!((to.perms, to.user.as_deref(), to.group.as_deref()), (Some(0o400), Some("app"), Some("7")));
    assert_eq!((to.create_dest_dirs, to.backup), (false, true));
    assert_eq!(spec.wait, Some(Wait { min: Duration::from_secs(2), max: Duration::from_secs(8) }));
    assert_eq!(spec.function_denylist, ["env", "write*"]);
    assert_eq!(spec.sandbox_path.as_deref(), Some(Path::new("/sandbox")));
    assert_eq!(spec.static_secret_render_interval, Some(Duration::from_secs(60)));
    assert_eq!(
        spec.actions,
        [ActionSpec::Command {
            form: CommandForm::Argv(["kill", "-HUP", "1"].map(str::to_owned).to_vec()),
            timeout: Some(Duration::from_secs(5)),
            env: [("A".to_owned(), "b=c".to_owned())].into(),
        }]
    );
}

#[test]
fn permissions_are_octal_in_quotes_and_follow_their_base_as_numbers() {
    for (perms, expected) in [
        ("\"640\"", Some(0o640)),
        ("0640", Some(0o640)),
        ("384", Some(0o600)),
        ("\"\"", None),
        ("0", None),
        ("\"4755\"", Some(0o755)),
        ("640", Some(0o200)),
    ] {
        let text = format!("template {{\n contents = \"x\"\n destination = \"/x\"\n perms = {perms}\n}}");
        assert_eq!(templates(&text)[0].destination.perms, expected, "{perms}");
    }
}

/// The command of a template with these keys, and its time in seconds.
fn command(keys: &str) -> Option<(CommandForm, Option<u64>)> {
    let spec =
        templates(&format!("template {{\n contents = \"x\"\n destination = \"/x\"\n {keys}\n}}")).remove(0);
    let ActionSpec::Command { form, timeout, .. } = spec.actions.first().cloned()? else { return None };
    Some((form, timeout.map(|time| time.as_secs())))
}

#[test]
fn commands_take_the_form_that_the_original_gives_them() {
    let argv = |words: &[&str]| CommandForm::Argv(words.iter().map(|word| (*word).to_owned()).collect());
    let shell = |line: &str| CommandForm::Shell(line.to_owned());
    for (keys, form, seconds) in [
        ("command = \"reload\"", argv(&["reload"]), Some(30)),
        ("command = \"kill -HUP 1\"", shell("kill -HUP 1"), Some(30)),
        ("command = [\"kill -HUP 1\"]", shell("kill -HUP 1"), Some(30)),
        ("command = \"kill,-HUP,1\"", argv(&["kill", "-HUP", "1"]), Some(30)),
        ("command = [\"a b\", \"c\"]", argv(&["a b", "c"]), Some(30)),
        ("command = \"reload\"\n command_timeout = \"0s\"", argv(&["reload"]), None),
        (
            "command = \"old\"\n command_timeout = \"5s\"\n exec { command = [\"new\"] }",
            argv(&["new"]),
            Some(5),
        ),
        ("command = \"old\"\n exec { timeout = \"7s\" }", argv(&["old"]), Some(7)),
        ("exec { command = [\"a\"] }\n exec { command = [\"b\"] timeout = 0 }", argv(&["b"]), None),
    ] {
        assert_eq!(command(keys), Some((form, seconds)), "{keys}");
    }
    for none in [
        "",
        "command = \"\"",
        "command = []",
        "command = \" \"",
        "exec { command = [\"a\"] enabled = false }",
    ] {
        assert_eq!(command(none), None, "{none}");
    }
}

#[test]
fn waits_in_all_forms() {
    let wait = |keys: &str| {
        let text = format!("template {{\n contents = \"x\"\n destination = \"/x\"\n {keys}\n}}");
        templates(&text)[0].wait.map(|wait| (wait.min.as_secs(), wait.max.as_secs()))
    };
    assert_eq!(wait("wait = \"2s\""), Some((2, 8)));
    assert_eq!(wait("wait = \"2s:10s\""), Some((2, 10)));
    assert_eq!(wait("wait { min = \"1s\" max = \"3s\" }"), Some((1, 3)));
    assert_eq!(wait("wait = [{ min = \"1s\" }, { min = \"2s\" }]"), Some((2, 8)));
    assert_eq!(wait("wait { min = \"1s\" enabled = false }"), None);
    assert_eq!(wait("wait = \"\""), None);
}

#[test]
fn the_environment_counts_before_the_file_and_flags_before_both() {
    let text = format!(
        "vault {{\n address = \"http://file\"\n ca_cert = \"/file\"\n tls_skip_verify = true\n}}\n{LOGIN}"
    );
    let environment = Environment::from([("VAULT_ADDR", "http://env"), ("VAULT_SKIP_VERIFY", "false")]);
    let config = resolved(&text, &environment).unwrap();
    assert_eq!((config.vault.address.as_str(), config.vault.tls.skip_verify), ("http://env", false));
    assert_eq!(config.vault.address_origin.to_string(), "environment variable VAULT_ADDR");
    assert_eq!(config.vault.tls.ca_cert.as_deref(), Some(Path::new("/file")));
    let file = Path::new("agent.hcl").into();
    let raw = stanza::read(&hcl::parse(text.as_bytes()).unwrap(), &file);
    let mut flags = Raw::default();
    flags.vault.address =
        Some(crate::origin::Sourced::new("http://flag".to_owned(), Origin::Flag("-address".into())));
    assert_eq!(resolve(raw, flags, &environment).unwrap().vault.address, "http://flag");
    let empty = resolved(&text, &Environment::from([("VAULT_ADDR", "")])).unwrap();
    assert_eq!(
        empty.vault.address, "https://127.0.0.1:8200",
        "an empty variable takes it back to the default"
    );
}

#[test]
fn namespaces_of_login_and_requests() {
    let namespaces = |vault: &str, method: &str, environment: &Environment| {
        let text = format!(
            "vault {{\n namespace = \"{vault}\"\n}}\nauto_auth {{\n method \"kubernetes\" {{\n namespace = \"{method}\"\n config {{ role = \"r\" }}\n }}\n sink \"file\" {{ config {{ path = \"/t\" }} }}\n}}"
        );
        let config = resolved(&text, environment).unwrap();
        let text = |namespace: Option<crate::vault::path::Namespace>| {
            namespace.map_or(String::new(), |it| it.as_str().to_owned())
        };
        (text(config.vault.namespace), text(config.auto_auth.unwrap().method.namespace))
    };
    let none = Environment::default();
    let env = Environment::from([("VAULT_NAMESPACE", "/env/")]);
    let pair = |requests: &str, login: &str| (requests.to_owned(), login.to_owned());
    assert_eq!(namespaces("a", "b", &none), pair("a/", "b/"));
    assert_eq!(namespaces("a", "", &none), pair("a/", "a/"));
    assert_eq!(namespaces("", "b", &none), pair("b/", "b/"));
    assert_eq!(namespaces("a", "b", &env), pair("env/", "env/"));
}

#[test]
fn retries_timeouts_and_proxies() {
    let retries =
        |count: &str| with_login(&format!("vault {{ retry {{ num_retries = {count} }} }}")).vault.num_retries;
    assert_eq!([retries("0"), retries("-1"), retries("\"5\"")], [Some(12), None, Some(5)]);
    let environment = Environment::from([
        ("VAULT_CLIENT_TIMEOUT", "0"),
        ("https_proxy", "http://p"),
        ("VAULT_PROXY_ADDR", "http://all"),
    ]);
    let vault = resolved(LOGIN, &environment).unwrap().vault;
    assert_eq!(vault.client_timeout, Duration::from_secs(86_400));
    assert_eq!(
        (vault.proxy.all.as_deref(), vault.proxy.env["https_proxy"].as_str()),
        (Some("http://all"), "http://p")
    );
}

#[test]
fn own_settings_come_from_stanza_and_variable() {
    let text = format!("decant {{\n init_deadline = 90\n revoke_on_exit = true\n}}\n{LOGIN}");
    let config = resolved(&text, &Environment::from([("DECANT_INIT_DEADLINE", "2m")])).unwrap();
    assert_eq!((config.init_deadline, config.revoke_on_exit), (Some(Duration::from_secs(120)), true));
    assert_eq!(with_login("decant { init_deadline = \"0\" }").init_deadline, None);
}

#[test]
fn mistakes_in_variables_and_files_are_told_together() {
    let environment = Environment::from([("VAULT_MAX_RETRIES", "x")]);
    let problems = resolved(&format!("log_level = \"x\"\n{LOGIN}"), &environment).unwrap_err();
    assert_eq!(problems.len(), 2, "{}", said(&problems));
}

#[test]
fn a_template_has_a_dialect_by_its_file_or_by_word() {
    let of = |keys: &str| {
        let template = templates(&format!("template {{\n{keys}\ndestination = \"/x\"\n}}")).remove(0);
        (template.dialect, template.on_missing_key)
    };
    assert_eq!(of("source = \"/a.hbs\""), (Dialect::Handlebars, OnMissingKey::Error), "strict unless told");
    assert_eq!(of("source = \"/a.tmpl\""), (Dialect::Go, OnMissingKey::Zero));
    assert_eq!(of("source = \"/a.hbs\"\ndialect = \"go\""), (Dialect::Go, OnMissingKey::Zero));
    let lax = "contents = \"x\"\ndialect = \"Handlebars\"\nerror_on_missing_key = false";
    assert_eq!(of(lax), (Dialect::Handlebars, OnMissingKey::Zero));
    let odd = with_login("template {\nsource = \"/a.hbs\"\nleft_delimiter = \"[[\"\ndestination = \"/x\"\n}");
    assert!(
        said(&odd.warnings).contains("delimiters can't be changed in Handlebars"),
        "{}",
        said(&odd.warnings)
    );
    let odd = with_login("template {\nsource = \"/a.hbs\"\ndialect = \"go\"\ndestination = \"/x\"\n}");
    assert!(said(&odd.warnings).contains("/a.hbs is read as a Go template"), "{}", said(&odd.warnings));
}

#[test]
fn partials_come_from_the_template_else_from_the_setting_of_all() {
    let text = "decant { partials_path = \"/all\" }\ntemplate {\nsource = \"/a.hbs\"\ndestination = \"/a\"\n}\n\
                template {\nsource = \"/b.hbs\"\npartials_path = \"/own\"\ndestination = \"/b\"\n}";
    let paths: Vec<_> = templates(text).iter().map(|spec| spec.partials_path.clone().unwrap()).collect();
    assert_eq!(paths, [Path::new("/all"), Path::new("/own")]);
}

#[test]
fn a_format_writes_a_secret_and_needs_to_know_which() {
    let spec = &templates(
        "template {\nsecret = \"secret/data/app?version=2\"\nformat = \"dotenv\"\ndestination = \"/x\"\n}",
    )[0];
    let TemplateSource::Formatted { format, path, params } = &spec.source else { panic!("{spec:?}") };
    assert_eq!((*format, path.as_str(), params.len()), (Format::Dotenv, "secret/data/app", 1));
    let wrong = [
        "format = \"dotnev\"\nsecret = \"a\"",
        "format = \"json\"",
        "secret = \"a\"",
        "format = \"json\"\nsecret = \"../a\"",
        "format = \"json\"\nsource = \"/a\"",
        "dialect = \"handelbars\"\ncontents = \"x\"",
    ];
    let said: String = wrong
        .map(|keys| problems(&format!("{LOGIN}template {{\n{keys}\ndestination = \"/x\"\n}}")))
        .into_iter()
        .collect();
    insta::assert_snapshot!(said, @r#"
    Error: agent.hcl:6:1: `format` can't be "dotnev"
      expected: one of dotenv, json, yaml, properties, toml, shell, pem
      hint: did you mean dotenv?
    Error: agent.hcl:6:1: a `format` needs to know which secret it writes
      expected: secret = "PATH", for instance "secret/data/app"
    Error: agent.hcl:6:1: `secret` names what a `format` writes, and there is no `format`
      expected: format = one of dotenv, json, yaml, properties, toml, shell, pem
    Error: agent.hcl:7:1: the path of the secret can't be used: the path has a segment `..`
      expected: a path like secret/data/app
    Error: agent.hcl:6:1: a template has both a text and a `format`
      expected: only one of them; the text is at agent.hcl:7:1
      hint: in Handlebars the text can hold the format: {{json (secret "PATH")}}
    Error: agent.hcl:6:1: `dialect` can't be "handelbars"
      expected: one of go, handlebars
      hint: did you mean handlebars?
    "#);
}

#[test]
fn connections_that_are_not_kept_are_named_by_those_who_know_them() {
    let kept = |text: &str| with_login(text).vault.keeps_connections;
    assert!(kept("") && kept("disable_keep_alives = []\ndisable_idle_connections = [\"caching\", \"\"]\n"));
    for text in
        ["disable_idle_connections = [\"auto-auth\"]", "disable_keep_alives = [\"proxying\", \"templating\"]"]
    {
        assert!(!kept(text), "{text}");
    }
    let login = |text: &str, environment: &[(&str, &str)]| {
        let environment =
            Environment::new(environment.iter().map(|(name, value)| (name.into(), value.into())));
        resolved(&format!("{LOGIN}{text}"), &environment)
    };
    let replaced =
        login("disable_keep_alives = [\"templating\"]", &[("VAULT_AGENT_DISABLE_KEEP_ALIVES", "Caching")]);
    assert!(replaced.unwrap().vault.keeps_connections, "the environment replaces the list, in any case");
    let wrong = login("", &[("BAO_AGENT_DISABLE_IDLE_CONNECTIONS", "templates")]).unwrap_err();
    assert!(
        said(&wrong).contains("BAO_AGENT_DISABLE_IDLE_CONNECTIONS") && said(&wrong).contains("templating")
    );
    assert!(!kept("disable_keep_alives = [\"caching\", \" Templating\"]"), "the injector passes blanks on");
    let wrong = problems(&format!("{LOGIN}disable_keep_alives = [\"Template\"]"));
    assert!(wrong.contains("agent.hcl:5:") && wrong.contains("did you mean templating?"), "{wrong}");
}
