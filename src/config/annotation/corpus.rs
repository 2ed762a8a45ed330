//! Pods and what HashiCorp's and OpenBao's injectors made of them: our reading of a pod's annotations has to say the
//! same as the configuration that the injector wrote, read by the front end for files.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;

use super::*;
use crate::{
    config::{
        hcl,
        raw::{RawTemplate, Said},
        stanza,
        template::{CommandForm, DefaultForm},
    },
    problem::list,
};

/// Cases that can't be compared, and why.
const EXCLUDED: &[(&str, &str)] = &[
    // The injector works from a ConfigMap and reads none of the annotations that we compare.
    ("configmap-full", "ConfigMap mode"),
    ("configmap-nothing-checked", "ConfigMap mode"),
    ("ob-configmap", "ConfigMap mode"),
    // No answer of the injector's to compare with.
    ("s8-85c-bad-json", "a broken admission request"),
    ("body-no-request", "a broken admission request"),
    ("start-bad-bool", "the injector does not start"),
    ("start-bad-backoff", "the injector does not start"),
    ("start-bad-connections", "the injector does not start"),
    // OpenBao's injector doesn't know this annotation; ours reads it for both.
    ("ob-threshold-unknown", "OpenBao's injector lacks the annotation"),
];

/// Pods that the injector refuses for reasons that do not exist without one.
const REFUSED_BY_INJECTORS_ONLY: &[(&str, &str)] = &[
    ("s8-64-same-user-none", "the user of the agent's container"),
    ("user-same-pod-level", "the user of the agent's container"),
    ("user-4", "the user of the agent's container; a warning here"),
    ("s8-78-no-token-mount", "the mount of the token, seen when the token is read"),
    ("token-in-init-only", "the mount of the token, seen when the token is read"),
    ("patch-unknown-op", "patches on containers"),
    ("patch-bad-index", "patches on containers"),
    ("patch-wrong-type", "patches on containers"),
    ("order-init-before-sidecar", "patches on containers"),
    ("order-quantity-before-patch", "resources of containers"),
    ("quantity-17", "resources of containers"),
    ("quantity-bad-unused", "resources of containers"),
    ("bad-agent-pre-populate", "which containers there are; a warning here"),
    ("bad-grace-5", "the preStop hook; a warning here"),
];

/// Settings of the injector that stand for absent annotations.
const SETTINGS: &[(&str, &str)] = &[
    ("VAULT_ADDR", "service"),
    ("VAULT_AUTH_TYPE", "auth-type"),
    ("VAULT_AUTH_PATH", "auth-path"),
    ("VAULT_NAMESPACE", "namespace"),
    ("AUTH_MIN_BACKOFF", "auth-min-backoff"),
    ("AUTH_MAX_BACKOFF", "auth-max-backoff"),
    ("DEFAULT_TEMPLATE", "agent-inject-default-template"),
    ("PROXY_ADDR", "proxy-address"),
    ("TEMPLATE_CONFIG_EXIT_ON_RETRY_FAILURE", "template-config-exit-on-retry-failure"),
    ("TEMPLATE_STATIC_SECRET_RENDER_INTERVAL", "template-static-secret-render-interval"),
    ("TEMPLATE_MAX_CONNECTIONS_PER_HOST", "template-max-connections-per-host"),
];

/// One line of a corpus file.
struct Case {
    name: String,
    /// Annotations, with the injector's settings where the pod has none.
    annotations: Annotations,
    answer: Value,
}

fn cases(file: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/corpus/injector").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| case(&serde_json::from_str(line).unwrap())).collect()
}

fn texts(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
}

fn case(line: &Value) -> Case {
    let mut said = texts(&line["pod"]["metadata"]["annotations"]);
    for (setting, value) in texts(&line["env"]) {
        let setting = setting.trim_start_matches("AGENT_INJECT_");
        let Some((_, suffix)) = SETTINGS.iter().find(|(name, _)| *name == setting) else { continue };
        if !said.contains_key(&format!("{OPENBAO}{suffix}")) {
            said.entry(format!("{VAULT}{suffix}")).or_insert(value);
        }
    }
    let name = line["name"].as_str().unwrap().to_owned();
    Case { name, annotations: said.into_iter().collect(), answer: line["answer"].clone() }
}

/// What both ways have to agree on, as texts, so that a difference can be read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Form {
    settings: BTreeMap<String, String>,
    sinks: BTreeSet<String>,
    templates: Vec<BTreeMap<&'static str, String>>,
}

impl Form {
    fn of(raw: &Raw) -> Self {
        let mut form = Self::default();
        let vault = &raw.vault;
        form.put("vault.address", &vault.address);
        form.put("vault.ca_cert", &vault.ca_cert);
        form.put("vault.ca_path", &vault.ca_path);
        form.put("vault.client_cert", &vault.client_cert);
        form.put("vault.client_key", &vault.client_key);
        form.put("vault.tls_server_name", &vault.tls_server_name);
        form.put("vault.tls_skip_verify", &vault.tls_skip_verify.clone().filter(|said| said.value));
        let all = &raw.template_config;
        form.put("exit_on_retry_failure", &all.exit_on_retry_failure);
        form.put("static_secret_render_interval", &all.static_secret_render_interval);
        form.put("max_connections_per_host", &all.max_connections_per_host);
        form.put("lease_renewal_threshold", &all.lease_renewal_threshold);
        form.login(raw);
        form.templates = raw.templates.iter().map(template).collect();
        form.templates.sort();
        form
    }

    fn put<T: std::fmt::Debug>(&mut self, key: &str, said: &Said<T>) {
        if let Some(said) = said {
            self.settings.insert(key.to_owned(), format!("{:?}", said.value));
        }
    }

    fn login(&mut self, raw: &Raw) {
        let login = raw.auto_auth.as_ref().unwrap();
        let method = login.method.as_ref().unwrap();
        self.put("method.type", &method.kind);
        self.put("method.mount_path", &method.mount_path);
        self.put("method.namespace", &method.namespace);
        self.put("method.min_backoff", &method.min_backoff);
        self.put("method.max_backoff", &method.max_backoff);
        self.put("method.exit_on_err", &method.exit_on_err.clone().filter(|said| said.value));
        for (key, said) in &method.config {
            self.settings.insert(format!("method.config.{key}"), said.value.clone());
        }
        // The token file in the agent's home is the injector's own way from init to sidecar.
        let sinks = login.sinks.iter().map(|sink| sink.path.as_ref().unwrap().value.clone());
        self.sinks = sinks.filter(|path| !path.starts_with("/home/")).collect();
    }
}

fn template(template: &RawTemplate) -> BTreeMap<&'static str, String> {
    let mut form = BTreeMap::new();
    let mut put = |key, text: String| {
        if !text.is_empty() {
            form.insert(key, text);
        }
    };
    let plain = |said: &Said<String>| said.as_ref().map(|said| said.value.clone()).unwrap_or_default();
    put("destination", plain(&template.destination));
    put("source", plain(&template.source));
    put("contents", plain(&template.contents));
    if let Some(default) = &template.default {
        put("contents", default_text(default.value.form, &default.value.path));
    }
    let delimiter = |said: &Said<String>, usual: &str| plain(said).replace(usual, "");
    put("left", delimiter(&template.left_delimiter, "{{"));
    put("right", delimiter(&template.right_delimiter, "}}"));
    put("perms", template.perms.as_ref().map(|said| format!("{:o}", said.value)).unwrap_or_default());
    put("command", template.command.as_ref().map(|said| command(&said.value)).unwrap_or_default());
    let strict = template.error_on_missing_key.as_ref().is_some_and(|said| said.value);
    put("error_on_missing_key", if strict { "true".to_owned() } else { String::new() });
    form
}

/// The text that the injector writes for a default form.
fn default_text(form: DefaultForm, path: &str) -> String {
    match form {
        DefaultForm::Map => format!(
            "{{{{ with secret \"{path}\" }}}}{{{{ range $k, $v := .Data }}}}{{{{ $k }}}}: {{{{ $v }}}}\n{{{{ end \
             }}}}{{{{ end }}}}"
        ),
        DefaultForm::Json => {
            format!("{{{{ with secret \"{path}\" }}}}{{{{ .Data | toJSON }}}}\n{{{{ end }}}}")
        }
    }
}

fn command(form: &CommandForm) -> String {
    match form {
        CommandForm::Shell(line) => line.clone(),
        CommandForm::Argv(words) => format!("{words:?}"),
    }
}

/// The injector's configuration, through the front end for files.
fn theirs(case: &Case, config: &Value) -> Form {
    let file: Arc<Path> = PathBuf::from("config.json").into();
    let body = hcl::parse(&serde_json::to_vec(config).unwrap()).unwrap();
    let mut form = Form::of(&stanza::read(&body, &file));
    // The injector always names the token file, from the pod's mounts; ours is the default of the method.
    if case.annotations.get(&format!("{VAULT}auth-config-token-path")).is_none() {
        form.settings.remove("method.config.token_path");
    }
    form
}

fn ours(case: &Case) -> Result<Form, String> {
    let (Asked { mut raw, .. }, problems) = read(&case.annotations);
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(list("refused", &problems));
    }
    complete(&mut raw).map_err(|problem| problem.to_string())?;
    Ok(Form::of(&raw))
}

/// Compares all cases of a file; returns how many were compared, and how many refusals agreed.
fn compare(file: &str) -> (usize, usize) {
    let (mut compared, mut refused) = (0, 0);
    for case in cases(file) {
        if EXCLUDED.iter().any(|(name, _)| *name == case.name) {
            continue;
        }
        let only_theirs = REFUSED_BY_INJECTORS_ONLY.iter().any(|(name, _)| *name == case.name);
        let ours = ours(&case);
        if case.answer["allowed"] == false {
            assert_eq!(ours.is_ok(), only_theirs, "{}: {ours:?}", case.name);
            refused += 1;
            continue;
        }
        let configs = case.answer["vault_config"].as_object().into_iter().flatten();
        for (container, config) in configs {
            assert_eq!(ours.as_ref(), Ok(&theirs(&case, config)), "{} {container}", case.name);
            compared += 1;
        }
    }
    (compared, refused)
}

#[test]
fn our_reading_is_what_hashicorps_injector_writes() {
    assert_eq!(compare("cases.jsonl"), (171, 23));
}

#[test]
fn our_reading_is_what_openbaos_injector_writes() {
    assert_eq!(compare("openbao.jsonl"), (8, 2));
}

#[test]
fn every_exclusion_names_a_case() {
    let names: BTreeSet<String> =
        [cases("cases.jsonl"), cases("openbao.jsonl")].into_iter().flatten().map(|case| case.name).collect();
    for (name, _) in EXCLUDED.iter().chain(REFUSED_BY_INJECTORS_ONLY) {
        assert!(names.contains(*name), "{name}");
    }
}
