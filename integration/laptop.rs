//! `render` and `check` as people call them: the examples, what is printed and written, messages, exit codes.
#![expect(clippy::disallowed_methods, reason = "runs the program and lays out its files")]
#![expect(clippy::unwrap_used, reason = "a test says what broke by ending")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use super::harness::process::full_binary;

/// What a call printed, and its exit code.
struct Said {
    code: i32,
    out: String,
    err: String,
}

/// Calls the program in a folder, with nothing in its environment but `environment`.
fn call(folder: &Path, environment: &[(&str, &str)], args: &[&str]) -> Said {
    let mut command = Command::new(full_binary());
    command.args(args).current_dir(folder).env_clear().env("HOME", folder);
    let output = command.envs(environment.iter().copied()).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn examples() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/render")
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const FIXTURE: (&str, &str) = ("f.yaml", "kv/data/db: {user: app, password: hunter2-canary}\n");
const TEMPLATE: (&str, &str) = (
    "db.tmpl",
    "{{ with secret \"kv/data/db\" }}user={{ .Data.data.user }}\npassword={{ .Data.data.password }}\n{{ end }}",
);

#[test]
fn every_example_renders_and_checks() {
    let folder = examples();
    let render = |file: &str| call(&folder, &[], &["render", file, "--fixture", "secrets.yaml"]);
    let conf = render("app.conf.tmpl");
    assert_eq!((conf.code, conf.err.as_str()), (0, ""));
    assert_eq!(
        conf.out,
        "# Written for shop; do not edit.\ndb.url = postgres://shop:not-a-real-one@db:5432/shop\nknown = 1\nknown = 1\n"
    );
    let agent = render("agent.hcl");
    assert_eq!(agent.code, 0, "{}", agent.err);
    assert!(agent.out.starts_with("==> /run/shop/app.conf <==\n# Written"), "{}", agent.out);
    assert!(agent.out.contains("==> /run/shop/db.env <==\nDB_USER=v-shop-1\n"), "{}", agent.out);
    let pod = render("deployment.yaml");
    assert_eq!(pod.code, 0, "{}", pod.err);
    assert!(pod.out.contains("==> Deployment shop: /vault/secrets/db.env <==\nexport DB_USER=v-shop-1\n"));
    let check = call(&folder, &[], &["check", "app.conf.tmpl", "agent.hcl", "deployment.yaml"]);
    assert_eq!(check.code, 0, "{}", check.out);
    for path in
        ["secret/data/shop/db", "secret/data/shop/api", "database/creds/shop", "secret/metadata/shop/"]
    {
        assert!(check.out.contains(&format!("path \"{path}\" {{")), "{}", check.out);
    }
    assert_eq!(call(&folder, &[], &["check", "--strict", "deployment.yaml"]).code, 0);
}

#[test]
fn only_the_folder_is_written_to_and_no_command_runs() {
    let work = folder(&[
        FIXTURE,
        (
            "a.hcl",
            "template {\n  contents = \"{{ with secret \\\"kv/data/db\\\" }}{{ .Data.data.user | writeToFile \\\"/../up/e\\\" \\\"\\\" \\\"\\\" \\\"0644\\\" }}{{ end }}x\"\n  \
             destination = \"../../outside/x\"\n  command = \"touch ran\"\n}\n",
        ),
    ]);
    let said = call(work.path(), &[], &["render", "a.hcl", "--fixture", "f.yaml", "--out", "o"]);
    assert_eq!((said.code, said.out.as_str()), (0, "wrote o/outside/x\nwrote o/up/e\n"), "{}", said.err);
    assert_eq!(fs::read_to_string(work.path().join("o/up/e")).unwrap(), "app");
    assert!(!work.path().join("ran").exists() && !work.path().join("../outside").exists());
    let again = call(work.path(), &[], &["render", "a.hcl", "--fixture=f.yaml", "-out=o"]);
    assert_eq!(again.out, "same  o/outside/x\nsame  o/up/e\n");
}

#[test]
fn differences_are_those_to_the_folder_or_to_the_destination() {
    let work = folder(&[FIXTURE, TEMPLATE, ("db", "user=old\npassword=hunter2-canary\n")]);
    let diff = call(work.path(), &[], &["render", "db.tmpl", "--fixture", "f.yaml", "--diff"]);
    insta::assert_snapshot!(diff.out, @r"
    --- db (now)
    +++ db (rendered)
    @@ -1,2 +1,2 @@
    -user=old
    +user=app
     password=hunter2-canary
    ");
    let folder =
        call(work.path(), &[], &["render", "db.tmpl", "--fixture", "f.yaml", "--diff", "--out", "o"]);
    assert!(folder.out.starts_with("--- o/db (now)\n+++ o/db (rendered)\n@@ -0,0 +1,2 @@\n+user=app\n"));
    assert!(!work.path().join("o").exists());
}

#[test]
fn several_pods_get_a_folder_each() {
    let pod = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  annotations:\n    \
             vault.hashicorp.com/agent-inject-secret-db: kv/data/db\n    \
             vault.hashicorp.com/agent-inject-template-db: 'for {name}'\n---\n"
        )
    };
    let work = folder(&[FIXTURE, ("p.yaml", &(pod("a") + &pod("b") + &pod("a")))]);
    let said = call(work.path(), &[], &["render", "p.yaml", "--fixture", "f.yaml", "--out", "o"]);
    let files = ["pod-a", "pod-b", "pod-a-2"].map(|name| format!("wrote o/{name}/vault/secrets/db\n"));
    assert_eq!(said.out, files.concat(), "{}", said.err);
}

/// Folds what a call said into one text, without the paths of this machine.
fn golden(all: &mut String, title: &str, folder: &Path, said: &Said) {
    let text = format!("## {title}: exit {}\n{}{}\n", said.code, said.out, said.err);
    all.push_str(&text.replace(folder.to_str().unwrap(), "/home/me"));
}

#[test]
fn messages_of_render_say_what_where_and_what_to_do() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  annotations:\n    \
               vault.hashicorp.com/agent-inject-secret-a: kv/data/db\n    \
               vault.hashicorp.com/agent-inject-template-a: |\n      ok\n      {{ .Data.x. }}\n    \
               vault.hashicorp.com/error-on-missing-key-a: maybe\n";
    let work = folder(&[
        FIXTURE,
        TEMPLATE,
        ("missing.tmpl", "{{ secret \"kv/data/bd\" }}"),
        ("key.tmpl", "{{ with secret \"kv/data/db\" }}\n{{ .Data.data.pasword }}{{ end }}"),
        ("function.tmpl", "user={{ secrt \"kv/data/db\" }}"),
        ("open.tmpl", "{{ if true }}x"),
        ("program.tmpl", "{{ plugin \"id\" }}"),
        ("novalue.tmpl", "{{ with secret \"kv/data/db\" }}x={{ .Data.data.nope }}{{ end }}"),
        ("source.hcl", "template {\n  source = \"/nowhere/app.tmpl\"\n  destination = \"/x\"\n}\n"),
        ("typo.hcl", "template {\n  contents = \"x\"\n  destinaton = \"/x\"\n}\n"),
        ("pod.yaml", pod),
        ("service.yaml", "apiVersion: v1\nkind: Service\n"),
        ("broken.yaml", "apiVersion: v1\nkind: [Pod\n"),
        ("bad-fixture.yaml", "kv/data/db: hunter2-canary\n"),
        ("one.tmpl", "{{ secret \"kv/data/db\" }}"),
    ]);
    let mut all = String::new();
    for (title, args) in [
        ("nothing given", "render"),
        ("no such file", "render nowhere.tmpl --fixture f.yaml"),
        ("no such fixture", "render db.tmpl --fixture nowhere.yaml"),
        ("a fixture that is none", "render db.tmpl --fixture bad-fixture.yaml"),
        ("a path that the fixture doesn't have", "render missing.tmpl --fixture f.yaml"),
        ("a key that the secret doesn't have", "render key.tmpl --fixture f.yaml --error-on-missing-key"),
        ("a value that isn't there", "render novalue.tmpl --fixture f.yaml"),
        ("a function that doesn't exist", "render function.tmpl --fixture f.yaml"),
        ("a block without an end", "render open.tmpl --fixture f.yaml"),
        ("a program", "render program.tmpl --fixture f.yaml"),
        ("a template file that isn't here", "render source.hcl --fixture f.yaml"),
        ("a misspelt key", "render typo.hcl --fixture f.yaml"),
        ("a pod with two mistakes", "render pod.yaml --fixture f.yaml"),
        ("a manifest without pods", "render service.yaml --fixture f.yaml"),
        ("a manifest that is no YAML", "render broken.yaml --fixture f.yaml"),
        ("a flag that doesn't exist", "render db.tmpl --fixtur f.yaml"),
        ("no token", "render one.tmpl"),
        ("several, of which one fails", "render missing.tmpl db.tmpl --fixture f.yaml"),
    ] {
        let args: Vec<&str> = args.split(' ').collect();
        golden(&mut all, title, work.path(), &call(work.path(), &[], &args));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn messages_of_check_say_what_where_and_what_to_do() {
    let pod = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations:\n    \
               vault.hashicorp.com/role: web\nspec:\n  template:\n    metadata:\n      annotations:\n        \
               vault.hashicorp.com/agent-inject: true\n        \
               vault.hashicorp.com/agent-inject-sercet-db: kv/data/db\n        \
               vault.hashicorp.com/agent-inject-secret-a: secret/a\n";
    let login = "auto_auth {\n  method \"kubernetes\" {\n    config = { role = \"r\" }\n  }\n}\n";
    let two = format!(
        "{login}template {{\n  contents = \"a\"\n  destination = \"/x\"\n}}\ntemplate {{\n  contents = \"b\"\n  \
         destination = \"/x\"\n  comand = \"true\"\n}}\n"
    );
    let old = format!(
        "{login}template {{\n  contents = \"{{{{ secret (env \\\"P\\\") }}}}\"\n  destination = \"/x\"\n  command = \"true\"\n}}\n"
    );
    let work = folder(&[
        ("two.hcl", &two),
        ("old.hcl", &old),
        ("pod.yaml", pod),
        ("function.tmpl", "{{ with secret \"kv/data/a\" }}\n{{ .Data.data.a | base64Decod }}{{ end }}"),
        ("refused.tmpl", "{{ secret \"kv/data/../../sys/raw\" }}{{ secret \"pki/issue/x\" \"ttl 1h\" }}"),
        (
            "requests.tmpl",
            "{{ plugin \"/bin/tool\" \"x\" }}{{ secret \"secret/app\" }}{{ secrets \"secret/\" }}{{ pkiCert \"pki/issue/web\" \"ttl=1h\" }}",
        ),
        (
            "annotations",
            "vault.hashicorp.com/agent-inject-secret-x=\"kv/data/x\"\nvault.hashicorp.com/rol=\"r\"\n",
        ),
    ]);
    let mut all = String::new();
    for args in [
        "check two.hcl",
        "check --strict two.hcl",
        "check old.hcl",
        "check pod.yaml",
        "check function.tmpl",
        "check refused.tmpl",
        "check requests.tmpl",
        "check requests.tmpl --kv2 secret --format hcl",
        "check requests.tmpl --kv1 secret --format json",
        "check annotations",
        "check nowhere",
        "check requests.tmpl --format xml",
    ] {
        let words: Vec<&str> = args.split(' ').collect();
        golden(&mut all, args, work.path(), &call(work.path(), &[], &words));
    }
    insta::assert_snapshot!(all);
}

/// The dev server; it ends with its handle.
struct Dev {
    child: Child,
    address: String,
}

impl Dev {
    fn start() -> Self {
        let mut child = Command::new(full_binary())
            .args(["dev", "--listen", "127.0.0.1:0", "--root-token", "root"])
            .env_clear()
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("Address:").map(|rest| rest.trim().to_owned()))
            .unwrap();
        Self { child, address }
    }

    fn write(&self, path: &str, body: &str) {
        let host = self.address.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host.parse::<std::net::SocketAddr>().unwrap()).unwrap();
        let head = format!(
            "PUT /v1/{path} HTTP/1.1\r\nHost: {host}\r\nX-Vault-Token: root\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn secrets_come_from_a_server_with_the_token_at_hand() {
    let dev = Dev::start();
    dev.write("secret/data/db", r#"{"data":{"user":"app","password":"hunter2-canary"}}"#);
    let work = folder(&[
        ("db.tmpl", "{{ with secret \"secret/db\" }}user={{ .Data.data.user }}{{ end }}"),
        ("none.tmpl", "{{ secret \"secret/data/none\" }}"),
        ("plain.tmpl", "no secret"),
    ]);
    let env = [("VAULT_ADDR", dev.address.as_str()), ("VAULT_TOKEN", "root")];
    let said = call(work.path(), &env, &["render", "db.tmpl"]);
    assert_eq!((said.code, said.out.as_str()), (0, "user=app"), "{}", said.err);
    fs::write(work.path().join(".vault-token"), "root\n").unwrap();
    let said = call(work.path(), &env[..1], &["render", "db.tmpl"]);
    assert_eq!((said.code, said.out.as_str()), (0, "user=app"), "{}", said.err);
    let missing = call(work.path(), &env, &["render", "none.tmpl", "db.tmpl"]);
    assert_eq!(missing.code, 4, "{}", missing.err);
    assert!(missing.err.contains("secret/data/none") && missing.out.contains("user=app"), "{}", missing.err);
    let dead = call(work.path(), &[env[0], ("VAULT_TOKEN", "wrong")], &["render", "db.tmpl"]);
    assert_eq!(dead.code, 3, "{}", dead.err);
    let gone = [("VAULT_ADDR", "http://127.0.0.1:9"), env[1]];
    let away = call(work.path(), &gone, &["render", "db.tmpl"]);
    assert_eq!(away.code, 3, "{}", away.err);
    assert!(away.err.contains("127.0.0.1:9"), "{}", away.err);
    let plain = call(work.path(), &gone, &["render", "plain.tmpl"]);
    assert_eq!((plain.code, plain.out.as_str()), (0, "no secret"), "no secret needs no server");
    for said in [said, missing, dead, away] {
        assert!(!said.err.contains("hunter2-canary"), "{}", said.err);
    }
}

#[test]
fn a_save_renders_again() {
    let work = folder(&[FIXTURE, TEMPLATE]);
    let mut child = Command::new(full_binary())
        .args(["render", "db.tmpl", "--fixture", "f.yaml", "--watch"])
        .current_dir(work.path())
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert_eq!(lines.find(|line| line.starts_with("user=")).as_deref(), Some("user=app"));
    // The file as it was first is followed before it is read, so no moment is too early.
    fs::write(work.path().join("f.yaml"), "kv/data/db: {user: new, password: x}\n").unwrap();
    assert_eq!(lines.find(|line| line.starts_with("user=")).as_deref(), Some("user=new"));
    child.kill().unwrap();
    child.wait().unwrap();
}
