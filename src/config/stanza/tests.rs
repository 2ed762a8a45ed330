//! Hostile trees, and what reading one file promises whatever is in it.

use proptest::prelude::*;

use super::*;
use crate::{
    config::{env::Environment, hcl, resolve},
    problem::Severity,
};

fn read_text(text: &str) -> Raw {
    read(&hcl::parse(text.as_bytes()).unwrap(), &Path::new("a.hcl").into())
}

fn problems(text: &str) -> Vec<Problem> {
    let raw = read_text(text);
    raw.warnings.into_iter().chain(raw.unreadable.problems).collect()
}

#[test]
fn what_is_wrong_comes_in_the_order_of_the_file_warnings_first() {
    let problems = problems("pid_file = []\nvault {\n  adress = 1\n}\nlog_rotate_bytes = \"x\"\nnope = 1\n");
    let places: Vec<String> =
        problems.iter().map(|problem| problem.origin.clone().unwrap().to_string()).collect();
    assert_eq!(places, ["a.hcl:3:3", "a.hcl:6:1", "a.hcl:1:12", "a.hcl:5:20"]);
    assert_eq!(problems[1].severity, Severity::Warning);
    assert_eq!(problems[2].severity, Severity::Error);
}

#[test]
fn long_names_and_values_are_cut_in_messages() {
    let long = "x".repeat(1 << 20);
    let text = format!("{long} = 1\nexit_after_auth = \"{long}\"\nauto_auth {{ method \"{long}\" {{}} }}");
    let said: String = problems(&text).iter().map(ToString::to_string).collect();
    assert!(said.len() < 1000, "{}", said.len());
}

#[test]
fn text_behind_the_object_of_a_json_file_is_named() {
    let raw = read_text("{\"pid_file\": \"/a\"}\n{\"log_level\": \"debug\"}");
    assert_eq!(raw.log.level, None);
    assert_eq!(
        raw.warnings[0].to_string(),
        "a.hcl:2:1: everything from here on is ignored\n  expected: the end of the file\n  hint: a JSON file holds one object"
    );
}

#[test]
fn a_label_counts_only_without_a_type_and_alone() {
    let kind = |method: &str| {
        let raw = read_text(&format!("auto_auth {{\n {method}\n}}"));
        raw.auto_auth.unwrap().method.unwrap().kind.map(|said| said.value)
    };
    assert_eq!(kind("method \"A\" {}").as_deref(), Some("a"));
    assert_eq!(kind("method \"A\" { type = \"B\" }").as_deref(), Some("B"));
    assert_eq!(kind("method \"A\" \"B\" {}"), None);
    assert_eq!(kind("method { config {} }"), None, "a key of the stanza is no label");
}

#[test]
fn method_settings_are_texts_by_key_in_lower_case() {
    let raw = read_text("auto_auth { method \"x\" { config { Role = \"r\" n = 5 b = true } } }");
    let config = raw.auto_auth.unwrap().method.unwrap().config;
    let texts: Vec<(&str, &str)> =
        config.iter().map(|(key, said)| (key.as_str(), said.value.as_str())).collect();
    assert_eq!(texts, [("b", "true"), ("n", "5"), ("role", "r")]);
}

/// Any value, with blocks that have keys of real stanzas.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("1".to_owned()),
        Just("-1".to_owned()),
        Just("0640".to_owned()),
        Just("1e309".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("true".to_owned()),
        "\"[a-z0-9:,. -]{0,8}\"",
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|values| format!("[{}]", values.join(", "))),
            prop::collection::vec((key(), inner), 0..6).prop_map(|items| {
                let items: String = items.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
                format!("{{\n{items}}}")
            }),
        ]
    })
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "vault",
        "auto_auth",
        "method",
        "sink",
        "sinks",
        "config",
        "type",
        "template",
        "exec",
        "command",
        "wait",
        "min",
        "max",
        "env",
        "custom",
        "perms",
        "mode",
        "uid",
        "retry",
        "num_retries",
        "cache",
        "persist",
        "api_proxy",
        "use_auto_auth_token",
        "listener",
        "env_template",
        "decant",
        "init_deadline",
        "template_config",
        "timeout",
        "lease_renewal_threshold",
        "min_backoff",
        "max_backoff",
        "log_level",
        "contents",
        "destination",
        "x",
    ])
}

proptest! {
    #[test]
    fn no_tree_makes_it_panic(items in prop::collection::vec((key(), value()), 0..8)) {
        let text: String = items.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        let _ = resolve::resolve(read_text(&text), Raw::default(), &Environment::default());
    }
}
