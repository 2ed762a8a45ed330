//! Every configuration that an injector writes, as init or sidecar, on each server; with the real agent beside ours when
//! `BAO_BIN` names one. Only addresses and the roots of paths are rewritten.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::harness::{
    Pod, Run, Server, canary, each_server, eventually,
    http::{self, call},
    process::Running,
    server::{self, unused_address},
};

/// What becomes of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All files are written: init ends with 0, a sidecar stays until it is stopped.
    Fine,
    /// Exit code 1, and this in the output.
    Fails(&'static str),
    /// As [`End::Fails`], and the real agent isn't asked: its method needs a service that is not here.
    Unknown(&'static str),
    /// The template command fails, which is no failure of the agent: exit code 0.
    CommandFails,
}

/// Those that don't simply work, and why.
const ODD: &[(&str, End)] = &[
    ("auth-aws-copy-mounts.sidecar", End::Fails("aws")),
    ("auth-kerberos.sidecar", End::Unknown("the method `kerberos` is not built in")),
    ("command-shell.init", End::CommandFails),
    ("default-path-0.init", End::Fails("bad character")),
    ("template-big.sidecar", End::Fails("key0")),
    // Paths that no mount can have.
    ("s8-37-own-path.init", End::Fails("permission denied")),
    ("s8-37-own-path.sidecar", End::Fails("permission denied")),
    ("s8-39-shared-path.init", End::Fails("permission denied")),
    ("s8-39-shared-path.sidecar", End::Fails("permission denied")),
    ("s8-44-default-JSON.init", End::Fails("permission denied")),
    ("s8-44-default-JSON.sidecar", End::Fails("permission denied")),
];

/// Configurations in which the real agent can't be asked for the same, and why.
const NOT_COMPARED: &[(&str, &str)] = &[
    ("name-collide-three.sidecar", "two templates share a file, and the last one to render wins by chance"),
    ("telemetry-stackdriver.sidecar", "the real agent wants Google's credentials, we send no telemetry"),
    ("tc-lists.sidecar", "OpenBao refuses names with blanks in disable_idle_connections, we warn"),
];

/// A file of the corpus.
struct Case {
    name: String,
    config: Value,
    end: End,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/corpus/injector/configs")
}

fn cases() -> Vec<Case> {
    let index = fs::read_to_string(folder().join("index.jsonl")).expect("the index");
    let files = index.lines().map(|line| {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        line["file"].as_str().expect("a file").to_owned()
    });
    files
        .map(|file| {
            let text = fs::read_to_string(folder().join(&file)).expect("a configuration");
            let name = file.trim_end_matches(".json").to_owned();
            let end = ODD.iter().find(|(odd, _)| *odd == name).map_or(End::Fine, |(_, end)| *end);
            Case { name, config: serde_json::from_str(&text).expect("JSON"), end }
        })
        .collect()
}

impl Case {
    fn is_init(&self) -> bool {
        self.config["exit_after_auth"] == true
    }

    /// The configuration below this pod's folder and at this server, as text.
    fn placed(&self, pod: &Pod, server: &Server, listener: &str) -> String {
        let root = pod.text("root");
        let mut config = self.config.clone();
        rewrite(&mut config, &root);
        config["vault"]["address"] = server.url().into();
        if !matches!(self.end, End::Fine | End::CommandFails) {
            // Nobody waits for twelve retries.
            config["vault"]["retry"] = json!({"num_retries": -1});
        }
        if let Some(persist) = config.pointer_mut("/cache/persist") {
            // Its default can't be rewritten otherwise.
            let file = format!("{root}/var/run/secrets/kubernetes.io/serviceaccount/token");
            persist["service_account_token_file"] = file.into();
        }
        if let Some(stanza) = config.pointer_mut("/listener/0") {
            stanza["address"] = listener.into();
        }
        config.to_string()
    }

    fn destinations(&self) -> Vec<String> {
        let templates = self.config["template"].as_array().cloned().unwrap_or_default();
        templates.iter().map(|one| one["destination"].as_str().expect("a path").to_owned()).collect()
    }

    /// Files below the pod's root that have to be there: rendered ones, and the token in its sinks.
    fn files(&self) -> Vec<String> {
        let sinks = self.config["auto_auth"]["sink"].as_array().cloned().unwrap_or_default();
        let sinks = sinks.iter().map(|sink| sink["config"]["path"].as_str().expect("a path").to_owned());
        self.destinations().into_iter().chain(sinks).collect()
    }
}

/// Puts every path below `root`: values of the keys that hold one, and those inside commands.
fn rewrite(value: &mut Value, root: &str) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let is_path =
                    key == "path" || key == "pid_file" || key == "destination" || key.ends_with("_path");
                match value {
                    Value::String(text) if is_path && key != "mount_path" && !text.starts_with("auth/") => {
                        *text = format!("{root}/{}", text.trim_start_matches('/'));
                    }
                    Value::String(text) if key == "command" => {
                        *text = text.replace("/vault/", &format!("{root}/vault/"));
                    }
                    other => rewrite(other, root),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, root)),
        _ => {}
    }
}

/// Roles, mounts and secrets that the configurations name. Returns the value that every secret holds.
fn set_up(server: &Server) -> String {
    let password = canary("password");
    for role in ["r", "a", "shop", "node-agent", "from-config"] {
        server.role(role, &json!({"token_ttl": "1h"}));
    }
    let cluster = server.ok("GET", "auth/kubernetes/config", &Value::Null)["data"].clone();
    let mut second = json!({});
    for key in ["kubernetes_host", "kubernetes_ca_cert", "pem_keys"] {
        second[key] = cluster[key].clone();
    }
    server.ok("POST", "sys/auth/k8s-eu", &json!({"type": "kubernetes"}));
    server.ok("POST", "auth/k8s-eu/config", &second);
    let role = json!({"bound_service_account_names": ["app"], "bound_service_account_namespaces": ["default"],
        "token_policies": ["app"]});
    server.ok("POST", "auth/k8s-eu/role/r", &role);
    server.ok("POST", "sys/auth/jwt-k8s", &json!({"type": "jwt"}));
    server.ok("POST", "auth/jwt-k8s/config", &json!({"jwt_validation_pubkeys": [server.signing_key()]}));
    let role =
        json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault", "token_policies": "app"});
    server.ok("POST", "auth/jwt-k8s/role/r", &role);
    server.ok("POST", "sys/auth/approle-ci", &json!({"type": "approle"}));
    let role = json!({"token_policies": "app", "bind_secret_id": false, "secret_id_bound_cidrs": [], "token_bound_cidrs": "127.0.0.1/32"});
    server.ok("POST", "auth/approle-ci/role/ci", &role);
    // Plain values stand for generated ones, so that both agents see the same.
    server.ok("POST", "sys/mounts/database", &json!({"type": "kv", "options": {"version": "1"}}));
    server.ok("POST", "database/creds/app", &json!({"username": "app", "password": password}));
    let data = json!({"password": password, "user": "app", "empty": "", "json <&>": "\"ü\""});
    for name in ["x", "y", "a", "1", "2", "3", "n", "db", "env", "blank", "data/node/key"] {
        server.put_v1(name, &data);
    }
    for number in 0..12 {
        server.put_v1(&format!("data/shop/key-{number:02}"), &data);
    }
    password
}

/// A pod with all that the injector mounts, below `root`.
fn pod(server: &Server) -> Pod {
    let pod = Pod::new();
    let mounts = [
        "home/vault",
        "vault/secrets",
        "vault/agent-cache",
        "vault/custom",
        "data",
        "run",
        "relative",
        "ü",
        "var/run/secrets/kubernetes.io/serviceaccount",
        "var/run/secrets/vault.hashicorp.com/serviceaccount/vault",
    ];
    for mount in mounts {
        fs::create_dir_all(pod.path("root").join(mount)).expect("a folder");
    }
    let jwt = server.jwt(&json!({}));
    for file in [
        "kubernetes.io/serviceaccount/token",
        "vault.hashicorp.com/serviceaccount/vault-token",
        "vault.hashicorp.com/serviceaccount/vault/jwt",
    ] {
        pod.write(&format!("root/var/run/secrets/{file}"), &jwt);
    }
    let role = server.ok("GET", "auth/approle-ci/role/ci/role-id", &Value::Null);
    pod.write("root/vault/custom/role-id", role["data"]["role_id"].as_str().expect("a role id"));
    pod
}

/// Runs an agent with a configuration and says how it ended and what it left.
fn run(case: &Case, pod: &Pod, agent: Run, listener: &str) -> Left {
    let root = pod.path("root");
    let agent = agent.env("HOME", root.join("home/vault").display().to_string()).env("POD_IP", "10.0.0.7");
    let agent = agent.env("NAMESPACE", "team").env("HOST_IP", "10.0.0.1");
    let mut running = agent.start();
    let there = |files: &[String]| {
        files
            .iter()
            .all(|file| root.join(file.trim_start_matches('/')).metadata().is_ok_and(|file| file.len() > 0))
    };
    if !case.is_init() && case.end == End::Fine {
        let files = case.files();
        eventually(&format!("all files of {}: {files:?}", case.name), || {
            (there(&files) || !running.is_running()).then_some(())
        });
        assert!(running.is_running(), "{} ended:\n{}", case.name, running.printed());
        quit(case, &mut running, listener);
    }
    let stays = !case.is_init() && case.end == End::Fine && !quits(case);
    let finished = if stays { running.stop() } else { running.wait() };
    Left { code: finished.code, printed: finished.all(), files: files(&root) }
}

fn quits(case: &Case) -> bool {
    case.config["listener"][0]["agent_api"]["enable_quit"] == true
}

/// A sidecar that may be asked to quit is: first wrongly, then rightly.
fn quit(case: &Case, running: &mut Running, listener: &str) {
    if !quits(case) {
        return;
    }
    let get = call(listener, "GET", "/agent/v1/quit", None, None).expect("an answer");
    assert_eq!(get.status, 405, "{}", case.name);
    assert!(running.is_running());
    // The real agent sometimes ends before its answer is out.
    if let Ok(post) = call(listener, "POST", "/agent/v1/quit", None, None) {
        assert_eq!((post.status, post.body.as_str()), (200, ""), "{}", case.name);
    }
}

/// What an agent left behind.
#[derive(Debug)]
struct Left {
    code: Option<i32>,
    printed: String,
    /// Path below the root, mode and contents of every file that wasn't there before.
    files: BTreeMap<String, (u32, Vec<u8>)>,
}

fn files(root: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("below it").display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if !name.starts_with("var/run/secrets") && !name.starts_with("vault/custom") {
                let mode = path.metadata().expect("a file").permissions().mode() & 0o7777;
                found.insert(name, (mode, fs::read(&path).expect("a file")));
            }
        }
    }
    found
}

/// What a default form or a template makes of the secrets here.
fn expected(template: &Value, password: &str) -> String {
    let contents = template["contents"].as_str().expect("contents");
    if contents.contains("range $k, $v") {
        return format!("empty: \njson <&>: \"ü\"\npassword: {password}\nuser: app\n");
    }
    if contents.contains("toJSON") {
        return format!(
            "{{\"empty\":\"\",\"json \\u003c\\u0026\\u003e\":\"\\\"ü\\\"\",\"password\":\"{password}\",\"user\":\"app\"}}\n"
        );
    }
    if contents.contains("database/creds/app") {
        return format!("[database]\nuser = \"app\"\npassword = '{password}'\n");
    }
    if contents.contains("POD_IP") {
        return "10.0.0.7 team 10.0.0.1".to_owned();
    }
    if contents == "||secret||" {
        // The function without an argument.
        return "<no value>".to_owned();
    }
    contents.to_owned()
}

/// Our agent's part of a case: exit code, files, modes, tokens.
fn check(case: &Case, left: &Left, server: &Server, password: &str) {
    let name = &case.name;
    match case.end {
        End::Fails(why) | End::Unknown(why) => {
            assert_eq!(left.code, Some(1), "{name}:\n{}", left.printed);
            assert!(left.printed.contains(why), "{name} does not say {why:?}:\n{}", left.printed);
            return;
        }
        End::Fine | End::CommandFails => assert_eq!(left.code, Some(0), "{name}:\n{}", left.printed),
    }
    let mut expected_files: Vec<String> = Vec::new();
    let mut last = BTreeMap::new();
    for template in case.config["template"].as_array().into_iter().flatten() {
        let path =
            template["destination"].as_str().expect("a path").trim_start_matches('/').replace("//", "/");
        last.insert(path, expected(template, password));
    }
    for (path, contents) in last {
        let (mode, found) =
            left.files.get(&path).unwrap_or_else(|| panic!("{name}: no {path}: {:?}", left.files.keys()));
        assert_eq!((*mode, String::from_utf8_lossy(found).as_ref()), (0o644, &*contents), "{name}: {path}");
        expected_files.push(path);
    }
    for sink in case.config["auto_auth"]["sink"].as_array().into_iter().flatten() {
        let path = sink["config"]["path"].as_str().expect("a path").trim_start_matches('/');
        let (mode, token) = left.files.get(path).unwrap_or_else(|| panic!("{name}: no token at {path}"));
        assert_eq!(*mode, 0o640, "{name}: {path}");
        let token = String::from_utf8(token.clone()).expect("a token");
        canary::remember(&token);
        assert_eq!(
            server.call("GET", "/v1/auth/token/lookup-self", Some(&token), None).status,
            200,
            "{name}"
        );
        expected_files.push(path.to_owned());
    }
    // The hand-over is ours, and the command's own file is the user's.
    let ours = |path: &&String| !path.starts_with("vault/agent-cache/") && *path != "vault/secrets/log";
    let mut found: Vec<String> = left.files.keys().filter(ours).cloned().collect();
    expected_files.sort();
    expected_files.dedup();
    found.sort();
    assert_eq!(found, expected_files, "{name}: nothing else is left, the pid file neither");
}

/// Both agents did the same, as far as a tester can see.
fn compare(case: &Case, ours: &Left, theirs: &Left) {
    let name = &case.name;
    assert_eq!(ours.code, theirs.code, "{name}: exit codes; the real agent printed:\n{}", theirs.printed);
    if !matches!(case.end, End::Fine | End::CommandFails) {
        return;
    }
    let shape = |left: &Left| {
        let mut shape = BTreeMap::new();
        for (path, (mode, contents)) in &left.files {
            // Tokens differ; the caches are each one's own; the command's file holds a date.
            if path.starts_with("vault/agent-cache/") || path == "vault/secrets/log" {
                continue;
            }
            let is_token = path.ends_with("token");
            let contents = if is_token { vec![contents.len() as u8] } else { contents.clone() };
            shape.insert(path.clone(), (*mode, contents));
        }
        shape
    };
    assert_eq!(shape(ours), shape(theirs), "{name}: files");
}

#[test]
fn every_configuration_that_an_injector_writes_works_as_with_the_real_agent() {
    let cases = cases();
    assert_eq!(cases.len(), 60, "a file of the corpus is missing");
    for (odd, _) in ODD {
        assert!(cases.iter().any(|case| case.name == *odd), "{odd} is not there");
    }
    let real = server::real_binaries();
    if real.is_empty() {
        server::say("not compared with a real agent: no binary is named by BAO_BIN or VAULT_BIN");
    }
    each_server(|server| {
        let password = set_up(server);
        for case in &cases {
            let listener = unused_address();
            let ours = {
                let pod = pod(server);
                let config = pod.write("config.json", &case.placed(&pod, server, &listener));
                let agent = Run::decant(["agent".to_owned(), format!("-config={config}")]);
                let left = run(case, &pod, agent.called("vault"), &listener);
                check(case, &left, server, &password);
                left
            };
            if let Some((_, why)) = NOT_COMPARED.iter().find(|(name, _)| *name == case.name) {
                server::say(&format!("{} is not compared with the real agent: {why}", case.name));
                continue;
            }
            if matches!(case.end, End::Unknown(_)) {
                continue;
            }
            for binary in &real {
                let pod = pod(server);
                let config = pod.write("config.json", &case.placed(&pod, server, &listener));
                let agent = Run::program(binary.clone(), ["agent".to_owned(), format!("-config={config}")]);
                let theirs = run(case, &pod, agent, &listener);
                compare(case, &ours, &theirs);
            }
        }
    });
}

#[test]
fn quit_is_off_by_default_and_all_else_is_refused_clearly() {
    each_server(|server| {
        set_up(server);
        let pod = pod(server);
        let all = cases();
        let case = |name: &str| all.iter().find(|case| case.name == name).expect("a case");
        let (open, closed) = (unused_address(), unused_address());
        let start = |name: &str, listener: &str| {
            let config = pod.write(&format!("{name}.json"), &case(name).placed(&pod, server, listener));
            let home = pod.path("root/home/vault").display().to_string();
            Run::decant(["agent".to_owned(), format!("-config={config}")]).env("HOME", home).start()
        };
        let mut sidecar = start("s8-58-cache-all.sidecar", &open);
        sidecar.prints("token written");
        let refused = call(&open, "GET", "/v1/secret/data/app", None, None).expect("an answer");
        assert_eq!(refused.status, 501);
        let why = refused.json()["errors"][0].as_str().expect("a reason").to_owned();
        assert!(why.contains("/agent/v1/quit") && why.contains(&server.url()), "{why}");
        assert_eq!(call(&open, "PUT", "/agent/v1/quit", None, None).expect("an answer").status, 405);
        assert!(sidecar.is_running());
        let many: Vec<_> = (0..4)
            .map(|_| {
                let open = open.clone();
                std::thread::spawn(move || call(&open, "POST", "/agent/v1/quit", None, None))
            })
            .collect();
        let answers: Vec<u16> = many
            .into_iter()
            .filter_map(|asked| asked.join().expect("no panic").ok())
            .map(|answer| answer.status)
            .collect();
        assert!(!answers.is_empty() && answers.iter().all(|status| *status == 200), "{answers:?}");
        let ended = sidecar.wait().expect(0);
        assert!(!pod.path("root/home/vault/.pid").exists());
        drop(ended);
        let mut sidecar = start("token-volume-cache.sidecar", &closed);
        sidecar.prints("token written");
        assert!(http::call(&closed, "POST", "/agent/v1/quit", None, None).is_err(), "nobody listens there");
        sidecar.stop().expect(0);
    });
}
