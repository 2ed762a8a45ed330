use std::path::PathBuf;

use super::*;
use crate::{
    config::{env::Environment, raw::Raw},
    laptop::{
        input::{self, Bare, Given, How, Purpose},
        report,
    },
};

/// What `check` says about these files; the folder's own name is cut off.
fn checked(files: &[(&str, &str)]) -> Report {
    checked_with(files, Mounts::default())
}

fn checked_with(files: &[(&str, &str)], mounts: Mounts) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let given: Vec<Given> = files
        .iter()
        .map(|(name, text)| {
            let path: PathBuf = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Given { path, form: None }
        })
        .collect();
    let (bare, flags, environment) = (Bare::default(), Raw::default(), Environment::default());
    let how = How { purpose: Purpose::Check, bare: &bare, flags: &flags, environment: &environment };
    check(input::read(&given, how), mounts)
}

fn methods(report: &Report) -> Vec<String> {
    let requests = report.units.iter().flat_map(|unit| &unit.templates).flat_map(|one| &one.requests);
    requests.map(|one| format!("{} {}:{}", one.method, one.line, one.paths.len())).collect()
}

#[test]
fn every_request_is_listed_with_its_method() {
    let report = checked(&[(
        "a.tmpl",
        "{{ secret \"kv/data/a\" }}\n{{ if env \"X\" }}{{ secrets \"kv/metadata/\" }}{{ end }}\n\
         {{ pkiCert \"pki/issue/w\" \"ttl=1h\" }}{{ secret \"transit/sign/k\" \"input=x\" }}{{ secret (env \"P\") }}{{ secret \"secret/x\" }}",
    )]);
    assert_eq!(methods(&report), ["GET 1:1", "LIST 2:1", "PUT 3:1", "PUT 3:1", "GET 3:0", "GET 3:2"]);
    assert!(report.policy.contains("computed at run time") && report.policy.contains("secret (env \"P\")"));
}

#[test]
fn a_broken_template_does_not_hide_the_others() {
    let report = checked(&[("a.tmpl", "{{ secrt \"kv/a\" }}"), ("b.tmpl", "{{ secret \"kv/data/b\" }}")]);
    assert_eq!((report.count(Severity::Error), report.units.len()), (1, 2));
    let finding = &report.units[0].findings[0];
    assert!(
        finding.what.contains("\"secrt\" not defined")
            && finding.hint.as_deref().is_some_and(|hint| hint.contains("secret"))
    );
    assert!(matches!(&finding.place, Some(Origin::File { line: 1, column: 4, .. })), "{:?}", finding.place);
    assert!(report.policy.contains("kv/data/b"));
}

#[test]
fn a_mistake_in_a_configuration_does_not_hide_those_in_its_templates() {
    let config = "vault { address = \"ftp://x\" }\nauto_auth { method \"jwt\" { } }\n\
        template { destination = \"/a\" contents = \"{{ secrt 1 }}\" }\n\
        template { contents = \"no destination\" }\n\
        template { destination = \"/b\" contents = \"{{ secret `kv/data/b` }}\" }";
    let manifest = "apiVersion: v1\nkind: Pod\nmetadata:\n  annotations:\n    vault.hashicorp.com/agent-inject-secret-a: kv/data/c\n    \
        vault.hashicorp.com/agent-inject-template-a: '{{ secrt 1 }}'\n";
    let report = checked(&[("a.hcl", config), ("b.yaml", manifest)]);
    let found = |unit: usize, words: &str| {
        report.units[unit]
            .findings
            .iter()
            .any(|one| one.severity == Severity::Error && one.what.contains(words))
    };
    assert!(found(0, "role") && found(0, "no `destination`"));
    assert!(found(0, "\"secrt\" not defined"));
    assert!(found(1, "role") && found(1, "\"secrt\" not defined"));
    assert!(report.policy.contains("kv/data/b"));
    assert_eq!(report.units[0].templates.len(), 2);
}

#[test]
fn json_has_places_requests_and_the_policy() {
    let report = checked(&[("a.tmpl", "{{ secret \"kv/data/a\" }}{{ secret \"kv/../b\" }}")]);
    let json: serde_json::Value = serde_json::from_str(&report::json(&report)).unwrap();
    assert_eq!((&json["errors"], &json["warnings"]), (&1.into(), &0.into()));
    let unit = &json["units"][0];
    assert_eq!((&unit["findings"][0]["line"], &unit["findings"][0]["column"]), (&1.into(), &28.into()));
    let request = &unit["templates"][0]["requests"][0];
    assert_eq!(
        (&request["method"], &request["path"], &request["line"]),
        (&"GET".into(), &"kv/data/a".into(), &1.into())
    );
    assert!(json["policy"].as_str().unwrap().starts_with("path \"kv/data/a\""));
}

#[test]
fn the_default_form_of_a_kv2_secret_is_warned_of_as_render_does() {
    let pod = |path: &str, more: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: shop\n  annotations:\n    \
             vault.hashicorp.com/agent-inject: \"true\"\n    vault.hashicorp.com/role: shop\n    \
             vault.hashicorp.com/agent-inject-secret-db: {path}\n{more}"
        )
    };
    let warnings = |path: &str, more: &str, mounts: &Mounts| {
        let report = checked_with(&[("pod.yaml", &pod(path, more))], mounts.clone());
        let findings = report.units.into_iter().flat_map(|unit| unit.findings);
        findings.map(|finding| finding.shown).filter(|shown| shown.contains("map[")).collect::<Vec<_>>()
    };
    let unsaid = Mounts::default();
    let found = warnings("kv/data/db", "", &unsaid);
    assert_eq!(found.len(), 1, "{found:?}");
    for words in ["pod.yaml:8:5", "prints the key data as a whole mapping, map[…]", "decant/format-…"] {
        assert!(found[0].contains(words), "{words} is missing in {}", found[0]);
    }
    let said = Mounts { kv2: ["kv".to_owned()].into(), ..Mounts::default() };
    let other = Mounts { other: ["kv".to_owned()].into(), ..Mounts::default() };
    assert_eq!(warnings("kv/db", "", &said).len(), 1);
    for (path, mounts) in
        [("kv/db", &unsaid), ("kv/data/db", &other), ("database/creds/db", &said), ("kv/metadata/db", &said)]
    {
        assert_eq!(warnings(path, "", mounts), [""; 0], "{path}");
    }
    let json = "    vault.hashicorp.com/agent-inject-default-template: json\n";
    assert_eq!(warnings("kv/data/db", json, &unsaid), [""; 0]);
}
