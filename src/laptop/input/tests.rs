use super::*;

fn given(files: &[(&str, &str)], purpose: Purpose) -> (tempfile::TempDir, Inputs) {
    let folder = tempfile::tempdir().unwrap();
    let mut given = Vec::new();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        given.push(Given { path, form: None });
    }
    let (bare, flags, environment) = (Bare::default(), Raw::default(), Environment::default());
    let inputs = read(&given, How { purpose, bare: &bare, flags: &flags, environment: &environment });
    (folder, inputs)
}

fn said(unit: &Unit) -> String {
    unit.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

const TEMPLATE: &str = "template {\n  contents = \"x\"\n  destination = \"/d\"\n}\n";
const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  annotations:\n    \
                   vault.hashicorp.com/agent-inject-secret-a: kv/a\n";

#[test]
fn files_are_judged_by_name_and_contents() {
    for (name, text, form) in [
        ("a.hcl", "x {{", Form::Config),
        ("a.tmpl", POD, Form::Template),
        ("a.yaml", POD, Form::Manifest),
        ("a.yaml", "x: {{ secret \"kv/a\" }}", Form::Template),
        ("a.yaml", "x: 1", Form::Manifest),
        ("a.json", "{\"template\":[]}", Form::Config),
        ("a.json", "{\"template\":{\"contents\":\"{{ env \\\"A\\\" }}\"}}", Form::Config),
        ("a.json", "{\"user\": \"{{ env `A` }}\", \"template\": \"x\"}", Form::Template),
        ("a.json", "{\"kind\":\"Pod\",\"apiVersion\":\"v1\"}", Form::Manifest),
        ("annotations", "vault.hashicorp.com/role=\"r\"\n", Form::Annotations),
        ("app.conf", "x = \"y\"\n", Form::Template),
    ] {
        assert_eq!(form_of(Path::new(name), text), form, "{name}: {text}");
    }
}

#[test]
fn configurations_are_one_unit_and_need_no_login_to_be_rendered() {
    let (_folder, inputs) =
        given(&[("a.hcl", TEMPLATE), ("app.conf.tmpl", "t"), ("b.hcl", TEMPLATE)], Purpose::Render);
    assert_eq!(inputs.units.len(), 2);
    assert_eq!(inputs.units[0].templates().len(), 2);
    assert!(said(&inputs.units[0]).contains("two templates write /d"));
    assert_eq!(inputs.units[1].templates()[0].destination.path, Path::new("app.conf"));
    assert_eq!(inputs.files.len(), 3);
}

#[test]
fn a_login_that_is_wrong_or_unknown_matters_to_check_alone() {
    let file = format!("auto_auth {{\n  method \"aws\" {{}}\n}}\n{TEMPLATE}");
    let (_folder, render) = given(&[("a.hcl", &file)], Purpose::Render);
    assert!(
        !render.units[0].is_broken() && render.units[0].templates().len() == 1,
        "{}",
        said(&render.units[0])
    );
    let (_folder, check) = given(&[("a.hcl", &file)], Purpose::Check);
    assert!(check.units[0].is_broken());
    let (_folder, alone) = given(&[("a.hcl", TEMPLATE)], Purpose::Check);
    assert!(said(&alone.units[0]).contains("there is no `auto_auth`") && !alone.units[0].is_broken());
}

#[test]
fn pods_need_a_role_for_a_check_only_and_problems_have_their_place_in_the_manifest() {
    let (_folder, render) = given(&[("p.yaml", POD)], Purpose::Render);
    let unit = &render.units[0];
    assert!(!unit.is_broken() && unit.pod.as_deref() == Some("Pod p"));
    assert_eq!(unit.templates()[0].destination.path, Path::new("/vault/secrets/a"));
    assert!(matches!(&unit.templates()[0].origin, Origin::File { line: 6, column: 5, .. }));
    let typo = POD.replace("inject-secret-a", "inject-sercet-a") + "    vault.hashicorp.com/role: r\n";
    let (_folder, check) = given(&[("p.yaml", &typo)], Purpose::Check);
    let text = said(&check.units[0]);
    assert!(
        text.contains("p.yaml:6:5: annotation vault.hashicorp.com/agent-inject-sercet-a: unknown"),
        "{text}"
    );
    assert!(text.contains("did you mean vault.hashicorp.com/agent-inject-secret-a?"), "{text}");
}

#[test]
fn what_is_missing_or_empty_is_told() {
    let missing = Given { path: "/nowhere/x.hcl".into(), form: None };
    let (bare, flags, environment) = (Bare::default(), Raw::default(), Environment::default());
    let how = How { purpose: Purpose::Render, bare: &bare, flags: &flags, environment: &environment };
    let inputs = read(&[missing], how);
    assert_eq!(said(&inputs.units[0]), "/nowhere/x.hcl: can't be read: No such file or directory");
    let (_folder, empty) = given(&[("a.yaml", "kind: Service\napiVersion: v1\n")], Purpose::Render);
    assert!(said(&empty.units[0]).contains("there is no pod in it"));
    let off = POD.replace("agent-inject-secret-a: kv/a", "agent-inject: \"false\"");
    let (_folder, off) = given(&[("a.yaml", &off)], Purpose::Render);
    assert!(said(&off.units[0]).contains("agent-inject is false") && !off.units[0].is_broken());
}
