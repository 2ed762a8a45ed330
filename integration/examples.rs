//! Every file in `examples/` does what its comments say: manifests run as they are, on a node that the test plays.

use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt, path::Path};

use serde_json::{Value, json};

use crate::{
    harness::{
        Pod, Run, Server, canary,
        container::NEEDS,
        each_server, eventually,
        kubelet::{Kubelet, read},
        needing, on_dev,
        process::full_binary,
    },
    pki::{engine, pair},
};

const SERVICE: &str = "vault.hashicorp.com/service";
const INTERVAL: &str = "vault.hashicorp.com/template-static-secret-render-interval";

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the manifests' comments ask of a server: the role `shop` for the service account `shop` with the audience
/// `vault`, its rights, the secret, and an issuer. Returns the secret's password.
fn shop(server: &Server) -> String {
    engine(server, &json!({}));
    server.ok("POST", "pki/roles/shop", &json!({"allow_any_name": true, "key_type": "ec", "ttl": "1h"}));
    let policy = "path \"secret/data/shop/*\" { capabilities = [\"read\"] }\n\
                  path \"pki/issue/shop\" { capabilities = [\"update\"] }";
    server.ok("PUT", "sys/policies/acl/shop", &json!({"policy": policy}));
    let role =
        json!({"bound_service_account_names": ["shop"], "audience": "vault", "token_policies": ["shop"]});
    server.role("shop", &role);
    put(server)
}

fn put(server: &Server) -> String {
    let password = canary("password");
    server.put("shop/db", &json!({"user": "shop", "password": password}));
    password
}

fn line(password: &str) -> String {
    format!("postgres://shop:{password}@db:5432/shop\n")
}

#[test]
fn the_init_container_writes_for_the_application_alone_and_waits_for_a_token_that_is_good() {
    needing(NEEDS, || {
        each_server(|server| {
            let password = shop(server);
            let pod = Kubelet::admit(server, &example("pods/init.yaml"), &[(SERVICE, &server.url())]);
            // A node that was asleep: the kubelet is late with the next token.
            pod.put_token(&json!({"lifetime": -60}));
            let mut init = pod.start("decant");
            init.prints("expired");
            pod.put_token(&json!({}));
            let ended = init.wait();
            assert_eq!(ended.code, Some(0), "{}", ended.all());
            assert!(!pod.stays("decant"));

            let file = pod.volume("secrets").join("db");
            assert_eq!(fs::read_to_string(&file).unwrap(), line(&password));
            let meta = fs::metadata(&file).unwrap();
            assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (10002, 10001, 0o440));
            // The application, which is another user, reads it by its group.
            let app = pod.start("shop");
            app.runs(&["sleep", "3600"]);
            assert_eq!(app.exec(&["touch", "/vault/secrets/db"]).code, Some(1), "and can't change it");
        });
    });
}

#[test]
fn the_sidecar_is_probed_keeps_files_fresh_and_ends_last() {
    needing(NEEDS, || {
        each_server(|server| {
            let password = shop(server);
            let changed = [(SERVICE, server.url()), (INTERVAL, "1s".to_owned())];
            let changed = changed.each_ref().map(|(name, value)| (*name, value.as_str()));
            let pod = Kubelet::admit(server, &example("pods/sidecar.yaml"), &changed);
            assert!(pod.stays("decant"));
            let sidecar = pod.start("decant");
            pod.started("decant", &sidecar);

            let folder = pod.volume("secrets");
            assert_eq!(
                fs::read_to_string(folder.join("db")).unwrap(),
                line(&password),
                "all is there by then"
            );
            let text = |name: &str| fs::read_to_string(folder.join("tls").join(name)).unwrap();
            assert!(pair(&text("tls.crt"), &text("tls.key")).is_some(), "a pair");
            assert_eq!(text(".generation"), "1\n");
            let link = fs::read_link(folder.join("tls/tls.key")).unwrap();
            assert_eq!(link, Path::new("..data/tls.key"));
            let app = pod.start("shop");
            app.runs(&["sleep", "3600"]);

            pod.put_token(&json!({}));
            let password = put(server);
            eventually("the new password", || {
                (fs::read_to_string(folder.join("db")).ok()? == line(&password)).then_some(())
            });
            let ended = sidecar.stop();
            assert_eq!(ended.code, Some(0), "{}", ended.all());

            // The container starts anew in the same pod: no login, nothing written.
            let before = fs::metadata(folder.join("db")).unwrap().ino();
            let sidecar = pod.start("decant");
            pod.started("decant", &sidecar);
            assert_eq!(fs::metadata(folder.join("db")).unwrap().ino(), before);
            assert_eq!(text(".generation"), "1\n");
            assert_eq!(sidecar.stop().code, Some(0));
        });
    });
}

#[test]
fn the_job_s_sidecar_ends_with_it_and_its_token_too() {
    needing(NEEDS, || {
        on_dev("counts requests", |server| {
            shop(server);
            let pod = Kubelet::admit(server, &example("pods/job.yaml"), &[(SERVICE, &server.url())]);
            assert!(pod.stays("decant"));
            let sidecar = pod.start("decant");
            pod.started("decant", &sidecar);
            let import = pod.start("import").wait();
            assert_eq!(import.code, Some(0), "{}", import.all());
            let ended = sidecar.stop();
            assert_eq!(ended.code, Some(0), "{}", ended.all());
            assert_eq!(server.asked("PUT", "/v1/auth/token/revoke-self").count(), 1);
        });
    });
}

/// The charts' values and the one annotation name our image; what pods of such an injector do is in `image/injected.rs`.
#[test]
fn the_values_of_the_charts_name_an_image_that_an_injector_can_start() {
    for (file, keys) in [
        ("injector/vault-helm.yaml", &["repository", "tag"][..]),
        ("injector/openbao-helm.yaml", &["registry", "repository", "tag"]),
    ] {
        let values = read(&example(file));
        let image = values["injector"]["agentImage"].as_object().expect("an image");
        assert_eq!(image.keys().map(String::as_str).collect::<BTreeSet<_>>(), keys.iter().copied().collect());
        assert!(image.values().all(Value::is_string), "{file}: a tag is a text, or 1.10 becomes 1.1");
        assert!(!image["repository"].as_str().unwrap().contains("bare"), "{file}: it has no shell");
        assert_eq!(image["tag"], env!("CARGO_PKG_VERSION"), "{file}");
    }
}

#[test]
fn manifests_pass_the_check_and_name_this_version() {
    for file in ["injector/pod.yaml", "pods/init.yaml", "pods/sidecar.yaml", "pods/job.yaml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(file);
        let ended =
            Run::program(full_binary(), ["check".to_owned(), path.display().to_string()]).finish().expect(0);
        assert!(ended.all().contains("secret/data/shop/db"), "{file}: {}", ended.all());
        let version = concat!("registry.example/decant:", env!("CARGO_PKG_VERSION"));
        assert!(example(file).contains(version), "{file}");
    }
    let pod = read(&example("injector/pod.yaml"));
    let annotations = &pod["metadata"]["annotations"];
    assert_eq!(annotations["vault.hashicorp.com/agent-inject"], "true");
    assert!(annotations["vault.hashicorp.com/agent-image"].as_str().unwrap().contains("/decant:"));
}

#[test]
fn the_agent_configuration_runs() {
    each_server(|server| {
        let pod = Pod::new();
        let password = canary("password");
        server.put("app", &json!({"user": "app", "password": password}));
        let token = server.ok("POST", "auth/token/create", &json!({"policies": ["app"]}));
        let token = token["auth"]["client_token"].as_str().expect("a token");
        crate::harness::canary::remember(token);
        pod.write("token", token);
        let config = example("agent.hcl").replace("/tmp/decant-example", &pod.text(""));
        let config = config.replace("http://127.0.0.1:8200", &server.url());
        pod.agent(&config).finish().expect(0);
        let env = fs::read_to_string(pod.path("app.env")).unwrap();
        assert_eq!(env, format!("DB_USER=app\nDB_PASSWORD={password}\n"));
        assert!(fs::read_to_string(pod.path("app.json")).unwrap().contains(&password));
    });
}

/// What people copy from the README is part of what runs above.
#[test]
fn the_readme_shows_parts_of_the_examples() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, section) =
        readme.split_once("## You have no injector\n```yaml\n").expect("it begins with a manifest");
    let (manifest, _) = section.split_once("```").expect("an end");
    let example = example("pods/sidecar.yaml");
    let lines: BTreeSet<&str> = example.lines().map(str::trim).collect();
    for line in manifest.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        assert!(lines.contains(line), "README.md shows a line that pods/sidecar.yaml doesn't have: {line}");
    }
    for file in ["injector/vault-helm.yaml", "injector/openbao-helm.yaml"] {
        assert!(readme.contains(&format!("-f examples/{file}\n")), "{file}");
    }
}

/// A new file in the folder has to find its test here.
#[test]
fn no_example_is_without_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut files = BTreeSet::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            // What cargo builds is run by the tests of what it shows; `laptop.rs` runs the folder `render`.
            if path.is_dir() {
                folders.push(path);
            } else if !name.ends_with(".rs") && !name.starts_with("render/") {
                files.insert(name);
            }
        }
    }
    let tests = include_str!("examples.rs");
    for file in files {
        assert!(tests.contains(&format!("\"{file}\"")), "examples/{file} is run by no test");
    }
}

/// The kubelet writes annotations as Go's `%q` does.
#[test]
fn every_character_of_an_annotation_arrives() {
    let text = "a\"b\\c\td\re\u{7}\u{8}\u{b}\u{c}\u{1}\u{7f}é\u{a0}\u{ad}\u{200b}\u{2028}\u{feff}日\u{1f600}\u{e0041}%s{}$'";
    on_dev("the file alone is looked at", |server| {
        let mut pod = Pod::at(server);
        pod.annotate("agent-inject-template-x", text);
        let file = fs::read_to_string(pod.annotations_path()).unwrap();
        let quoted = r#"a\"b\\c\td\re\a\b\v\f\x01\x7fé\u00a0\u00ad\u200b\u2028\ufeff日😀\U000e0041%s{}$'"#;
        assert!(file.contains(quoted), "{file}");
        pod.init().finish().expect(0);
        assert_eq!(pod.rendered("x").as_deref(), Some(text));
    });
}
