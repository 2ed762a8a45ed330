use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::{
    config::{
        raw::{RawDefault, RawTemplate},
        template::{CommandForm, DefaultForm},
    },
    problem::{Severity, list},
};

/// Annotations under HashiCorp's prefix unless the name has one.
fn annotations(said: &[(&str, &str)]) -> Annotations {
    let full = |name: &str| if name.contains('/') { name.to_owned() } else { format!("{VAULT}{name}") };
    said.iter().map(|(name, value)| (full(name), *value)).collect()
}

fn raw(said: &[(&str, &str)]) -> Raw {
    let (asked, problems) = read(&annotations(said));
    assert!(problems.iter().all(|problem| problem.severity == Severity::Warning), "{problems:?}");
    asked.raw
}

fn refused(said: &[(&str, &str)]) -> String {
    let (_, problems) = read(&annotations(said));
    assert!(problems.iter().any(|problem| problem.severity == Severity::Error), "{problems:?}");
    list("the annotations can't be used", &problems)
}

fn warnings(said: &[(&str, &str)]) -> String {
    let (_, problems) = read(&annotations(said));
    assert!(problems.iter().all(|problem| problem.severity == Severity::Warning), "{problems:?}");
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn text(said: &Said<String>) -> &str {
    said.as_ref().map_or("", |said| said.value.as_str())
}

fn destinations(said: &[(&str, &str)]) -> Vec<String> {
    raw(said).templates.iter().map(|template| text(&template.destination).to_owned()).collect()
}

fn only(said: &[(&str, &str)]) -> RawTemplate {
    let templates = raw(said).templates;
    assert_eq!(templates.len(), 1);
    templates.into_iter().next().unwrap()
}

#[test]
fn a_secret_becomes_a_template_with_the_default_form() {
    let template = only(&[("agent-inject-secret-DB", "kv/db?version=3")]);
    let default = template.default.unwrap();
    assert_eq!(default.value, RawDefault { form: DefaultForm::Map, path: "kv/db?version=3".into() });
    assert_eq!(default.origin.to_string(), "annotation vault.hashicorp.com/agent-inject-secret-DB");
    assert_eq!(text(&template.destination), "/vault/secrets/db");
    assert_eq!((template.contents, template.source, template.perms), (None, None, None));
    let json = only(&[("agent-inject-secret-x", "p"), ("agent-inject-default-template", "jSoN")]);
    assert_eq!(json.default.unwrap().value.form, DefaultForm::Json);
}

#[test]
fn companions_are_found_by_the_name_as_spelt() {
    let template = only(&[
        ("agent-inject-template-Db", "T"),
        ("agent-inject-secret-Db", "unused"),
        ("agent-inject-perms-Db", "0400"),
        ("agent-inject-command-Db", "kill -HUP 1"),
        ("error-on-missing-key-Db", "T"),
        ("agent-template-left-delim-Db", "[["),
        ("agent-template-right-delim-Db", "]]"),
    ]);
    assert_eq!(text(&template.contents), "T");
    assert_eq!(template.default, None);
    assert_eq!(template.perms.unwrap().value, 0o400);
    assert_eq!(template.command.unwrap().value, CommandForm::Shell("kill -HUP 1".into()));
    assert!(template.error_on_missing_key.unwrap().value);
    assert_eq!((text(&template.left_delimiter), text(&template.right_delimiter)), ("[[", "]]"));
}

#[test]
fn the_text_counts_for_more_than_the_file_and_blanks_are_a_text() {
    let both = only(&[("agent-inject-template-x", "T"), ("agent-inject-template-file-x", "/t")]);
    assert_eq!((text(&both.contents), both.source), ("T", None));
    let file = only(&[("agent-inject-template-x", ""), ("agent-inject-template-file-x", "/t")]);
    assert_eq!((file.contents, text(&file.source)), (None, "/t"));
    let blanks = only(&[("agent-inject-secret-x", "p"), ("agent-inject-template-x", "   ")]);
    assert_eq!(text(&blanks.contents), "   ");
    assert!(raw(&[("agent-inject-secret-x", "  "), ("agent-inject-template-y", "\n")]).templates.is_empty());
}

#[test]
fn files_go_where_the_injector_puts_them() {
    let secret = ("agent-inject-secret-App", "p");
    assert_eq!(
        destinations(&[secret, ("agent-inject-file-App", "Sub/App.conf")]),
        ["/vault/secrets/Sub/App.conf"]
    );
    assert_eq!(destinations(&[secret, ("agent-inject-file-App", "../out")]), ["/vault/out"]);
    assert_eq!(destinations(&[secret, ("secret-volume-path-App", "/data/")]), ["/data//app"]);
    assert_eq!(destinations(&[secret, ("secret-volume-path", "/s")]), ["/s/app"]);
    assert_eq!(destinations(&[secret, ("preserve-secret-case", "true")]), ["/vault/secrets/App"]);
    let one = [secret, ("agent-inject-secret-B", "p"), ("preserve-secret-case-App", "1")];
    assert_eq!(destinations(&one), ["/vault/secrets/App", "/vault/secrets/b"]);
}

#[test]
fn templates_come_in_the_order_of_their_names() {
    let said = [
        ("agent-inject-secret-b", "p"),
        ("agent-inject-template-a", "T"),
        ("agent-inject-template-file-C", "/t"),
    ];
    assert_eq!(destinations(&said), ["/vault/secrets/c", "/vault/secrets/a", "/vault/secrets/b"]);
}

#[test]
fn openbao_wins_over_vault_on_the_same_suffix() {
    let said = [("role", "theirs"), ("openbao.org/role", "ours"), ("openbao.org/agent-inject-secret-x", "p")];
    let raw = raw(&said);
    let role = &raw.auto_auth.unwrap().method.unwrap().config["role"];
    assert_eq!(
        (role.value.as_str(), role.origin.to_string()),
        ("ours", "annotation openbao.org/role".into())
    );
    assert_eq!(raw.templates.len(), 1);
}

#[test]
fn the_login_is_described_by_its_annotations() {
    let raw = raw(&[
        ("role", "shop"),
        ("auth-config-role", "other"),
        ("auth-config-token-path", "/t"),
        ("auth-path", "auth/k8s"),
        ("auth-min-backoff", "2s"),
        ("auth-max-backoff", ""),
        ("agent-auto-auth-exit-on-err", "true"),
        ("namespace", "team"),
        ("agent-inject-token", "true"),
        ("secret-volume-path", "/s/"),
    ]);
    let login = raw.auto_auth.unwrap();
    assert_eq!(text(&login.sinks[0].path), "/s/token");
    let method = login.method.unwrap();
    assert_eq!(
        (method.config["role"].value.as_str(), method.config["token_path"].value.as_str()),
        ("shop", "/t")
    );
    assert_eq!((text(&method.mount_path), text(&method.namespace)), ("auth/k8s", "team"));
    assert_eq!(method.min_backoff.unwrap().value.as_secs(), 2);
    assert_eq!(method.max_backoff, None);
    assert!(method.exit_on_err.unwrap().value);
}

#[test]
fn the_connection_is_described_by_its_annotations() {
    let raw = raw(&[
        ("service", "https://v:8200"),
        ("tls-skip-verify", "1"),
        ("tls-server-name", "n"),
        ("ca-cert", "/ca"),
        ("ca-key", "/folder"),
        ("client-cert", "/c"),
        ("client-key", "/k"),
        ("client-timeout", "9"),
        ("client-max-retries", "4"),
        ("proxy-address", "http://p:1"),
        ("log-level", "debug"),
        ("log-format", ""),
    ]);
    let vault = raw.vault;
    assert_eq!(
        [&vault.address, &vault.ca_cert, &vault.ca_path].map(text),
        ["https://v:8200", "/ca", "/folder"]
    );
    assert_eq!(
        [&vault.client_cert, &vault.client_key, &vault.https_proxy].map(text),
        ["/c", "/k", "http://p:1"]
    );
    assert_eq!((vault.client_timeout.unwrap().value.as_secs(), vault.max_retries.unwrap().value), (9, 4));
    assert!(vault.tls_skip_verify.unwrap().value);
    assert_eq!((text(&raw.log.level), raw.log.format), ("debug", None));
}

#[test]
fn settings_of_our_own_are_read_and_win() {
    let own = raw(&[
        ("decant/init-deadline", "2m"),
        ("agent-revoke-on-shutdown", "true"),
        ("decant/revoke-on-exit", "false"),
    ])
    .own;
    assert_eq!(own.init_deadline.unwrap().value.as_secs(), 120);
    assert!(!own.revoke_on_exit.unwrap().value);
}

#[test]
fn the_switch_is_a_value_and_the_status_stops_nothing() {
    let off = |said: &[(&str, &str)]| read(&annotations(said)).0.switched_off;
    assert!(off(&[("agent-inject", "false")]) && off(&[("agent-inject", "")]));
    let status = [("agent-inject", "t"), ("agent-inject-status", "injected")];
    assert!(!off(&status) && warnings(&status).is_empty());
    assert!(!off(&[]));
}

#[test]
fn completing_adds_what_the_injector_takes_for_granted() {
    let mut said = raw(&[("role", "r"), ("agent-inject-secret-x", "p")]);
    complete(&mut said).unwrap();
    let method = said.auto_auth.unwrap().method.unwrap();
    assert_eq!((text(&method.kind), text(&method.mount_path)), ("kubernetes", "auth/kubernetes"));
    assert_eq!(said.template_config.exit_on_retry_failure, Some(Sourced::new(true, Origin::Default)));
    let mut approle = raw(&[("auth-type", "approle")]);
    complete(&mut approle).unwrap();
    assert_eq!(text(&approle.auto_auth.unwrap().method.unwrap().mount_path), "auth/kubernetes");
    let mut off = raw(&[("role", "r"), ("template-config-exit-on-retry-failure", "")]);
    complete(&mut off).unwrap();
    assert!(!off.template_config.exit_on_retry_failure.unwrap().value);
}

/// What a configuration file might say beside the annotations.
fn file() -> Raw {
    let origin = Origin::File { path: std::path::Path::new("/c.hcl").into(), line: 1, column: 1 };
    let said = |text: &str| Some(Sourced::new(text.to_owned(), origin.clone()));
    let mut raw = Raw::default();
    raw.vault.address = said("http://file");
    raw.vault.tls_server_name = said("file");
    raw.templates.push(RawTemplate::new(origin.clone()));
    let method = method(&mut raw, origin.clone());
    method.kind = said("kubernetes");
    method.config.insert("role".into(), said("file").unwrap());
    method.config.insert("token_path".into(), said("/file").unwrap());
    raw
}

#[test]
fn annotations_win_over_files_and_templates_are_appended() {
    let said =
        raw(&[("service", "http://annotation"), ("role", "annotation"), ("agent-inject-secret-x", "p")]);
    let mut both = over(file(), said);
    complete(&mut both).unwrap();
    assert_eq!((text(&both.vault.address), text(&both.vault.tls_server_name)), ("http://annotation", "file"));
    assert_eq!(both.templates.len(), 2);
    assert!(both.templates[0].default.is_none() && both.templates[1].default.is_some());
    let method = both.auto_auth.unwrap().method.unwrap();
    let config = ["role", "token_path"].map(|key| method.config[key].value.as_str());
    assert_eq!(config, ["annotation", "/file"]);
    assert_eq!(method.mount_path, None, "the method is the file's, and so is the default of its mount");
}

#[test]
fn another_login_type_drops_the_settings_of_the_files_method() {
    let both = over(file(), raw(&[("auth-type", "token_file"), ("auth-config-token-file-path", "/t")]));
    let method = both.auto_auth.unwrap().method.unwrap();
    assert_eq!(method.config.keys().collect::<Vec<_>>(), ["token_file_path"]);
}

#[test]
fn a_file_alone_can_give_the_role() {
    let mut both = over(file(), raw(&[("agent-inject-secret-x", "p")]));
    complete(&mut both).unwrap();
    assert_eq!(both.auto_auth.unwrap().method.unwrap().config["role"].value, "file");
}

// What the user reads. One test per kind of mistake, so that a changed word shows where it belongs.

#[test]
fn message_for_a_wrong_bool() {
    assert_snapshot!(refused(&[("tls-skip-verify", "yes")]), @r#"
    the annotations can't be used:
    - annotation vault.hashicorp.com/tls-skip-verify: the value "yes" is not right
        expected: true or false (also 1, t, T, TRUE, True, 0, f, F, FALSE, False), without blanks
    "#);
}

#[test]
fn message_for_a_wrong_switch() {
    assert_snapshot!(refused(&[("openbao.org/agent-inject", " true")]), @r#"
    the annotations can't be used:
    - annotation openbao.org/agent-inject: the value " true" is not right
        expected: true or false (also 1, t, T, TRUE, True, 0, f, F, FALSE, False), without blanks
    "#);
}

#[test]
fn message_for_a_wrong_number() {
    assert_snapshot!(refused(&[("template-max-connections-per-host", "0x10")]), @r#"
    the annotations can't be used:
    - annotation vault.hashicorp.com/template-max-connections-per-host: the value "0x10" is not right
        expected: a whole number, for instance 10
    "#);
}

#[test]
fn message_for_a_wrong_count() {
    assert_snapshot!(refused(&[("client-max-retries", "-1")]), @r#"
    the annotations can't be used:
    - annotation vault.hashicorp.com/client-max-retries: the value "-1" is not right
        expected: a whole number without sign or unit, for instance 5
    "#);
}

#[test]
fn message_for_a_wrong_decimal_number() {
    assert_snapshot!(refused(&[("template-lease-renewal-threshold", "")]), @r#"
    the annotations can't be used:
    - annotation vault.hashicorp.com/template-lease-renewal-threshold: the value "" is not right
        expected: a number, for instance 0.75
    "#);
}

#[test]
fn message_for_a_backoff_without_unit() {
    assert_snapshot!(refused(&[("auth-min-backoff", "5")]), @r#"
    the annotations can't be used:
    - annotation vault.hashicorp.com/auth-min-backoff: the value "5" is not right
        expected: a number with a unit, for instance 30s or 1m30s
    "#);
}

#[test]
fn message_for_a_wrong_interval() {
    assert_snapshot!(refused(&[("template-static-secret-render-interval", "5x")]), @r#"
    the annotations can't be used:
    - annotation vault.hashicorp.com/template-static-secret-render-interval: the value "5x" is not right
        expected: a duration, for instance "30s", "1h30m", "250ms", "2d", or a number of seconds
    "#);
}

#[test]
fn message_for_a_wrong_default_template() {
    assert_snapshot!(refused(&[("agent-inject-default-template", "yaml")]), @r"
    the annotations can't be used:
    - annotation vault.hashicorp.com/agent-inject-default-template: invalid default template type: yaml
        expected: map or json
    ");
}

#[test]
fn message_for_wrong_perms() {
    assert_snapshot!(refused(&[("agent-inject-secret-x", "p"), ("agent-inject-perms-x", "rw-r--r--")]), @r#"
    the annotations can't be used:
    - annotation vault.hashicorp.com/agent-inject-perms-x: the value "rw-r--r--" is not right
        expected: an octal file mode, for instance "0640"
    "#);
}

#[test]
fn message_for_an_empty_address() {
    assert_snapshot!(refused(&[("service", "")]), @r"
    the annotations can't be used:
    - annotation vault.hashicorp.com/service: no Vault address found
        expected: a value that is not empty
        hint: leave the annotation out for the default
    ");
}

#[test]
fn message_for_a_wrong_own_setting() {
    assert_snapshot!(refused(&[("decant/init-deadline", "soon")]), @r#"
    the annotations can't be used:
    - annotation decant/init-deadline: `init_deadline` can't be "soon"
        expected: a duration, for instance "30s", "1h30m", "250ms", "2d", or a number of seconds
    "#);
}

#[test]
fn message_for_many_mistakes_at_once() {
    assert_snapshot!(refused(&[
        ("agent-inject-secret-x", "p"),
        ("error-on-missing-key-x", "oops"),
        ("agent-inject-token", "on"),
        ("auth-path", ""),
        ("agent-inject-secrets-y", "p"),
    ]), @r#"
    the annotations can't be used, 3 problems:
    - annotation vault.hashicorp.com/auth-path: no Vault Auth Path found
        expected: a value that is not empty
        hint: leave the annotation out for the default
    - annotation vault.hashicorp.com/error-on-missing-key-x: the value "oops" is not right
        expected: true or false (also 1, t, T, TRUE, True, 0, f, F, FALSE, False), without blanks
    - annotation vault.hashicorp.com/agent-inject-token: the value "on" is not right
        expected: true or false (also 1, t, T, TRUE, True, 0, f, F, FALSE, False), without blanks
    - warning: annotation vault.hashicorp.com/agent-inject-secrets-y: unknown annotation, it does nothing
        hint: did you mean vault.hashicorp.com/agent-inject-secret-y?
    "#);
}

#[test]
fn message_for_a_missing_role() {
    let mut said = raw(&[("agent-inject-secret-x", "p"), ("auth-path", "auth/k8s-eu")]);
    assert_snapshot!(complete(&mut said).unwrap_err().to_string(), @r"
    no Vault role found
      expected: the annotation vault.hashicorp.com/role with the role to log in with
      hint: the role of the mount auth/k8s-eu, bound to the pod's service account
    ");
}

#[test]
fn warning_for_misspelt_names() {
    assert_snapshot!(warnings(&[
        ("agent-inject-secrets-db", "p"),
        ("agent-inject-template_db", "T"),
        ("openbao.org/rolle", "r"),
        ("agent-inject-error-on-missing-key-db", "true"),
        ("something-else-entirely", "x"),
        ("decant/init-dedline", "5s"),
    ]), @r"
    annotation decant/init-dedline: unknown annotation, it does nothing
      hint: did you mean decant/init-deadline?
    annotation vault.hashicorp.com/agent-inject-error-on-missing-key-db: unknown annotation, it does nothing
      hint: did you mean vault.hashicorp.com/error-on-missing-key-db?
    annotation vault.hashicorp.com/agent-inject-secrets-db: unknown annotation, it does nothing
      hint: did you mean vault.hashicorp.com/agent-inject-secret-db?
    annotation vault.hashicorp.com/agent-inject-template_db: unknown annotation, it does nothing
      hint: did you mean vault.hashicorp.com/agent-inject-template-db?
    annotation openbao.org/rolle: unknown annotation, it does nothing
      hint: did you mean openbao.org/role?
    annotation vault.hashicorp.com/something-else-entirely: unknown annotation, it does nothing
      hint: see docs/annotations.md for all names
    ");
}

#[test]
fn warning_for_names_that_declare_a_secret_by_accident() {
    assert_snapshot!(warnings(&[
        ("agent-inject-secret-volume-path", "/s"),
        ("agent-inject-secret-volume-path-db", "/s"),
        ("agent-inject-template-left-delim-db", "[["),
    ]), @r"
    annotation vault.hashicorp.com/agent-inject-template-left-delim-db: this declares a secret named `left-delim-db`
      hint: did you mean agent-template-left-delim-db?
    annotation vault.hashicorp.com/agent-inject-secret-volume-path: this declares a secret named `volume-path`
      hint: did you mean secret-volume-path?
    annotation vault.hashicorp.com/agent-inject-secret-volume-path-db: this declares a secret named `volume-path-db`
      hint: did you mean secret-volume-path-db?
    ");
}

#[test]
fn warning_for_a_secret_whose_name_begins_with_file() {
    let said = [("agent-inject-secret-file-x", "p"), ("agent-inject-template-file-x", "T")];
    assert_snapshot!(warnings(&said), @r"
    annotation vault.hashicorp.com/agent-inject-template-file-x: read twice: as the text of `file-x`, and as the template file of `x`
      hint: give the secret a name that doesn't begin with `file-`
    ");
    assert_eq!(destinations(&said), ["/vault/secrets/file-x", "/vault/secrets/x"]);
}

#[test]
fn warning_for_companions_without_a_secret() {
    assert_snapshot!(warnings(&[
        ("agent-inject-secret-database", "p"),
        ("agent-inject-perms-databse", "0400"),
        ("agent-inject-command-tls", "true"),
    ]), @r"
    annotation vault.hashicorp.com/agent-inject-command-tls: does nothing: there is no secret `tls`
      hint: declare it with agent-inject-secret-tls
    annotation vault.hashicorp.com/agent-inject-perms-databse: does nothing: there is no secret `databse`
      hint: did you mean agent-inject-perms-database?
    ");
}

#[test]
fn warning_for_what_only_an_injector_can_do() {
    assert_snapshot!(warnings(&[
        ("agent-pre-populate-only", "true"),
        ("agent-limits-cpu", "1"),
        ("agent-cache-enable", "true"),
        ("agent-telemetry-disable-hostname", "true"),
        ("agent-revoke-grace", "5"),
    ]), @r"
    ignored, because only the pod's own specification can do it: vault.hashicorp.com/agent-limits-cpu, vault.hashicorp.com/agent-pre-populate-only
      hint: without an injector write containers, volumes and limits into the pod
    accepted, but without effect in this version: vault.hashicorp.com/agent-cache-enable, vault.hashicorp.com/agent-telemetry-disable-hostname
    ");
}

#[test]
fn warning_for_odd_but_usable_values() {
    assert_snapshot!(warnings(&[
        ("agent-inject-secret-a", "p"),
        ("agent-inject-secret-b", "p"),
        ("preserve-secret-case", "maybe"),
        ("secret-volume-path", "secrets"),
        ("agent-template-left-delim-a", "[["),
        ("auth-config-a-b", "1"),
        ("auth-config-a_b", "2"),
    ]), @r#"
    annotation vault.hashicorp.com/auth-config-a_b: `a_b` is set twice, this spelling counts
      hint: remove annotation vault.hashicorp.com/auth-config-a-b
    annotation vault.hashicorp.com/secret-volume-path: "secrets" is no absolute path
      expected: the folder where the pod mounts the volume, for instance /vault/secrets
    annotation vault.hashicorp.com/preserve-secret-case: the value "maybe" is not right and counts as false
      expected: true or false (also 1, t, T, TRUE, True, 0, f, F, FALSE, False), without blanks
    annotation vault.hashicorp.com/agent-template-left-delim-a: delimiters without a template: the default form has its own, this one is ignored
    "#);
}

#[test]
fn warning_for_a_wrong_value_that_does_no_harm_here() {
    assert_snapshot!(warnings(&[("agent-run-as-user", "root"), ("agent-cache-enable", "on")]), @r#"
    annotation vault.hashicorp.com/agent-cache-enable: the value "on" is not right
      expected: true or false (also 1, t, T, TRUE, True, 0, f, F, FALSE, False), without blanks
    annotation vault.hashicorp.com/agent-run-as-user: the value "root" is not right
      expected: a whole number, for instance 10
    ignored, because only the pod's own specification can do it: vault.hashicorp.com/agent-run-as-user
      hint: without an injector write containers, volumes and limits into the pod
    accepted, but without effect in this version: vault.hashicorp.com/agent-cache-enable
    "#);
}

#[test]
fn no_message_shows_a_template_or_a_setting_of_the_login() {
    let said = [
        ("agent-inject-template-a", "canary-1"),
        ("agent-inject-template-file-b", "canary-2"),
        ("agent-inject-command-c", "canary-3"),
        ("auth-config-x-y", "canary-4"),
        ("auth-config-x_y", "canary-5"),
        ("agent-inject-templat-d", "canary-6"),
        ("decant/other", "canary-7"),
        ("agent-telemetry-circonus-api-token", "canary-8"),
        ("tls-skip-verify", "wrong"),
    ];
    let message = refused(&said);
    assert!(!message.contains("canary"), "{message}");
}

#[test]
fn a_setting_for_a_secret_that_nobody_declares_does_nothing() {
    assert_snapshot!(warnings(&[("agent-inject-secret-db", "kv/db"), ("decant/format-bd", "json"), ("decant/dialekt-db", "go")]), @r#"
    annotation decant/dialekt-db: unknown annotation, it does nothing
      hint: did you mean decant/dialect-db?
    annotation decant/format-bd: does nothing: there is no secret `bd`
      hint: did you mean decant/format-db?
    "#);
}

proptest! {
    #[test]
    fn no_name_and_no_value_make_it_panic(
        names in prop::collection::vec((0..TABLE.len(), "[-a-zA-Z_.é]{0,12}", any::<String>()), 0..6),
    ) {
        let said: Vec<(String, String)> = names
            .into_iter()
            .map(|(at, name, value)| (format!("{VAULT}{}{name}", TABLE[at].suffix), value))
            .collect();
        let (_, problems) = read(&said.into_iter().collect());
        prop_assert!(!list("x", &problems).is_empty());
    }
}
