//! Handlebars and the output formats: from annotations, from configurations, on a laptop, and in the documentation.
#![expect(clippy::disallowed_methods, reason = "runs the program and lays out its files")]
#![expect(clippy::unwrap_used, reason = "a test says what broke by ending")]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;

use super::{
    harness::{Pod, canary, canary::remember, each_server, process::full_binary},
    pki,
};

const NAME: &str = "{{#with (secret \"secret/data/app\")}}{{user}}:{{password}}{{/with}}";

/// The program on a laptop: exit code, standard output, standard error.
fn call(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(full_binary());
    command.args(args).current_dir(folder).env_clear().env("HOME", folder).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn annotations_choose_dialect_and_format() {
    each_server(|server| {
        let (mut pod, password) = (Pod::at(server), canary("password"));
        server.put("app", &json!({"password": password, "user": "it's app", "port": 5432}));
        server.put_v1("app", &json!({"password": password, "user": "v1"}));
        pod.annotate("agent-inject-template-name", NAME)
            .annotate("decant/dialect-name", "handlebars")
            .annotate("agent-inject-secret-app.env", "secret/data/app")
            .annotate("decant/format-app.env", "dotenv")
            .annotate("agent-inject-secret-v1.json", "kv/app")
            .annotate("decant/format-v1.json", "json");
        pod.init().finish().expect(0);
        assert_eq!(pod.rendered("name").unwrap(), format!("it's app:{password}"));
        assert_eq!(
            pod.rendered("app.env").unwrap(),
            format!("password={password}\nport=5432\nuser=\"it's app\"\n")
        );
        assert_eq!(
            pod.rendered("v1.json").unwrap(),
            format!("{{\n  \"password\": \"{password}\",\n  \"user\": \"v1\"\n}}\n")
        );
    });
}

#[test]
fn a_sidecar_follows_changes_in_every_dialect() {
    each_server(|server| {
        let (mut pod, first) = (Pod::at(server), canary("first"));
        server.put("app", &json!({"password": first, "user": "a"}));
        pod.annotate("template-static-secret-render-interval", "1")
            .annotate("agent-inject-template-name", NAME)
            .annotate("decant/dialect-name", "handlebars")
            .annotate("agent-inject-secret-app.sh", "secret/data/app")
            .annotate("decant/format-app.sh", "shell");
        let sidecar = pod.sidecar().start();
        pod.becomes("name", &format!("a:{first}"));
        let second = canary("second");
        server.put("app", &json!({"password": second, "user": "b"}));
        pod.becomes("name", &format!("b:{second}"));
        pod.becomes("app.sh", &format!("export password='{second}'\nexport user='b'\n"));
        sidecar.stop().expect(0);
    });
}

#[test]
fn an_agent_reads_hbs_files_partials_and_formats() {
    each_server(|server| {
        let (pod, password) = (Pod::at(server), canary("password"));
        server.put("app", &json!({"password": password, "user": "app"}));
        fs::create_dir(pod.path("partials")).unwrap();
        fs::write(pod.path("partials/line.hbs"), "{{name}}={{value}}\n").unwrap();
        let text = "{{#each (secret \"secret/data/app\")}}\n{{> line name=@key value=this}}\n{{/each}}\n";
        let source = pod.write("app.conf.hbs", text);
        let config = format!(
            "exit_after_auth = true\ndecant {{ partials_path = \"{}\" }}\n{}\
             template {{\n  source = \"{source}\"\n  destination = \"{}\"\n}}\n\
             template {{\n  secret = \"secret/data/app\"\n  format = \"toml\"\n  destination = \"{}\"\n}}\n",
            pod.path("partials").display(),
            pod.login(server, "app"),
            pod.path("app.conf").display(),
            pod.path("app.toml").display(),
        );
        pod.agent(&config).finish().expect(0);
        let text = |name: &str| fs::read_to_string(pod.path(name)).unwrap();
        assert_eq!(text("app.conf"), format!("password={password}\nuser=app\n"));
        assert_eq!(text("app.toml"), format!("password = \"{password}\"\nuser = \"app\"\n"));
    });
}

#[test]
fn what_cannot_be_rendered_says_where_and_shows_no_value() {
    each_server(|server| {
        let (mut pod, password) = (Pod::at(server), canary("password"));
        server.put("app", &json!({"api-key": password, "user": "app"}));
        pod.annotate(
            "agent-inject-template-name",
            "{{#with (secret \"secret/data/app\")}}\n{{usr}}{{/with}}",
        )
        .annotate("decant/dialect-name", "handlebars");
        let said = pod.init().finish().expect(2).all();
        for words in ["template line 2, column 3: there is no key \"usr\" here", "did you mean user?"] {
            assert!(said.contains(words), "{said}");
        }
        let mut pod = Pod::at(server);
        pod.annotate("agent-inject-secret-app", "secret/data/app").annotate("decant/format-app", "dotenv");
        let said = pod.init().finish().expect(2).all();
        assert!(said.contains("the key \"api-key\" is no name for a variable"), "{said}");
        assert!(!said.contains(&password));
        let mut pod = Pod::at(server);
        pod.annotate("agent-inject-template-x", "{{#if a}}x").annotate("decant/dialect-x", "handlebars");
        let said = pod.init().finish().expect(2).all();
        assert!(said.contains("{{#if}} is never closed"), "{said}");
    });
}

#[test]
fn a_text_that_nests_without_end_is_refused_and_the_others_are_written() {
    each_server(|server| {
        let (mut pod, password) = (Pod::at(server), canary("password"));
        server.put("app", &json!({"password": password, "user": "app"}));
        pod.annotate("agent-inject-template-name", NAME).annotate("decant/dialect-name", "handlebars");
        for (name, open, close) in [("calls", "(not ", ")"), ("lists", "[", "]")] {
            let text = format!("{{{{json {}1{}}}}}", open.repeat(20_000), close.repeat(20_000));
            pod.annotate(&format!("agent-inject-template-{name}"), &text)
                .annotate(&format!("decant/dialect-{name}"), "handlebars");
        }
        pod.annotate("template-config-exit-on-retry-failure", "false");
        let sidecar = pod.sidecar().start();
        pod.becomes("name", &format!("app:{password}"));
        let said = sidecar.stop().expect(0).all();
        assert!(said.contains("column 508: blocks and calls nest too deep"), "{said}");
        assert!(said.contains("column 108: blocks and calls nest too deep"), "{said}");
    });
}

/// What a PEM file holds, block by block; the bodies of keys are looked for in all that is printed.
fn labels(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.len() == 64).for_each(remember);
    text.lines().filter_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----")).collect()
}

#[test]
fn a_bundle_is_issued_once_for_format_and_templates_and_found_again_on_disk() {
    each_server(|server| {
        let pod = Pod::at(server);
        pki::engine(server, &json!({}));
        let (bundle, leaf) = (pod.path("bundle.pem"), pod.path("leaf.pem"));
        let text =
            "{{#with (pkiCert \"pki/issue/web\" common_name=\"a.example.com\")}}{{certificate}}{{/with}}";
        let config = format!(
            "exit_after_auth = true\n{}\
             template {{\n  secret = \"pki/issue/web?common_name=a.example.com\"\n  format = \"pem\"\n  \
             destination = \"{}\"\n}}\n\
             template {{\n  contents = {text:?}\n  dialect = \"handlebars\"\n  destination = \"{}\"\n}}\n",
            pod.login(server, "pki"),
            bundle.display(),
            leaf.display(),
        );
        pod.agent(&config).finish().expect(0);
        let first = fs::read_to_string(&bundle).unwrap();
        let found = labels(&first);
        assert_eq!(found[..2], ["CERTIFICATE"; 2]);
        assert!(found.len() == 3 && found[2].ends_with("PRIVATE KEY"), "{found:?}");
        assert!(first.starts_with(fs::read_to_string(&leaf).unwrap().trim_end()), "one certificate for both");
        pod.agent(&config).finish().expect(0);
        assert_eq!(fs::read_to_string(&bundle).unwrap(), first, "a good certificate is not issued anew");
    });
}

#[test]
fn the_handlebars_example_renders_and_checks() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/render");
    let (code, out, err) = call(&folder, &["render", "redis.conf.hbs", "--fixture", "secrets.yaml"]);
    let note = "# API is at secret/data/shop/api\n# DB is at secret/data/shop/db\n";
    let wanted = format!("# Written for shop; do not edit.\nrequirepass \"not-a-real-one\"\n{note}");
    assert_eq!((code, out, err.as_str()), (0, wanted, ""));
    assert_eq!(call(&folder, &["check", "--strict", "redis.conf.hbs"]).0, 0);
}

#[test]
fn render_and_check_know_dialects_partials_and_formats() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("partials")).unwrap();
    for (name, text) in [
        ("f.yaml", "kv/data/db: {user: app, password: it's}\nkv/data/x: {a-b: 1}\n"),
        (
            "a.conf.hbs",
            "{{#with (secret \"kv/data/db\")}}\n{{> line}}\n{{/with}}\n{{json (secret (concat \"kv/data/\" \"x\"))}}\n",
        ),
        ("partials/line.hbs", "u={{user}} p={{shell password}}\n"),
        ("plain.txt", "{{lookup (secret \"kv/data/db\") \"user\"}}"),
        ("bad.hbs", "x\n{{#each (secrets \"kv/metadata/\")}}{{usr nme=1}}{{/each}}"),
        ("a.hcl", "template {\n  secret = \"kv/data/db\"\n  format = \"shell\"\n  destination = \"/x\"\n}\n"),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    let (code, out, err) = call(folder, &["render", "a.conf.hbs", "--fixture", "f.yaml"]);
    assert_eq!((code, out.as_str()), (0, "u=app p='it'\\''s'\n{\"a-b\":1}\n"), "{err}");
    let (code, out, err) = call(
        folder,
        &["render", "--template", "plain.txt", "--dialect", "handlebars", "--fixture", "f.yaml"],
    );
    assert_eq!((code, out.as_str()), (0, "app"), "{err}");
    let (code, out, err) =
        call(folder, &["render", "--secret", "kv/data/db", "--format", "properties", "--fixture", "f.yaml"]);
    assert_eq!((code, out.as_str()), (0, "password=it's\nuser=app\n"), "{err}");
    let (code, out, err) = call(folder, &["render", "a.hcl", "--fixture", "f.yaml"]);
    assert_eq!((code, out.as_str()), (0, "export password='it'\\''s'\nexport user='app'\n"), "{err}");
    let (code, _, err) =
        call(folder, &["render", "--secret", "kv/data/x", "--format", "dotenv", "--fixture", "f.yaml"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("kv/data/x can't be written as dotenv: the key \"a-b\" is no name for a variable"),
        "{err}"
    );
    assert_eq!(call(folder, &["render", "--format", "json", "plain.txt"]).0, 2);
    assert_eq!(call(folder, &["render", "--dialect", "jinja", "plain.txt"]).0, 2);

    let (code, out, _) = call(folder, &["check", "a.conf.hbs", "a.hcl"]);
    assert_eq!(code, 0, "{out}");
    for words in ["kv/data/db", "begins with kv/data/", "path \"kv/data/db\" {"] {
        assert!(out.contains(words), "{words} is not in {out}");
    }
    let (code, out, _) = call(folder, &["check", "bad.hbs"]);
    assert_eq!(code, 2);
    assert!(out.contains("bad.hbs:2:37: there is no function usr"), "{out}");
}

/// The blocks of a Markdown text: what stands behind the fence, and the lines.
fn blocks(text: &str) -> Vec<(&str, String)> {
    let mut found: Vec<(&str, String)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (inside, line.strip_prefix("```")) {
            (false, Some(kind)) => found.push((kind, String::new())),
            (true, Some(_)) => {}
            (true, None) => {
                if let Some((_, block)) = found.last_mut() {
                    block.push_str(line);
                    block.push('\n');
                }
                continue;
            }
            (false, None) => continue,
        }
        inside = !inside;
    }
    found
}

#[test]
fn every_example_of_the_documentation_renders_in_both_dialects_to_what_it_shows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/templates.md");
    let page = fs::read_to_string(path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut files = 0;
    for section in page.split("\n### ").skip(1) {
        let name = section.lines().next().unwrap();
        let of =
            |kind: &str| blocks(section).into_iter().find(|(found, _)| *found == kind).map(|(_, text)| text);
        let shown = of("text").unwrap_or_else(|| panic!("{name} shows no file"));
        for (kind, file) in [("gotmpl", "file.tmpl"), ("handlebars", "file.hbs")] {
            let text = of(kind).unwrap_or_else(|| panic!("{name} has no {kind}"));
            fs::write(folder.path().join(file), text).unwrap();
            let fixture = blocks(&page).into_iter().find(|(kind, _)| *kind == "yaml").unwrap().1;
            fs::write(folder.path().join("secrets.yaml"), fixture).unwrap();
            let (code, out, err) = call(folder.path(), &["render", file, "--fixture", "secrets.yaml"]);
            assert_eq!((code, out.as_str()), (0, shown.as_str()), "{name}, {kind}: {err}");
            let (code, out, _) = call(folder.path(), &["check", "--strict", file]);
            assert_eq!(code, 0, "{name}, {kind}: {out}");
        }
        files += 1;
    }
    assert_eq!(files, 10, "the ten most usual files");
}
