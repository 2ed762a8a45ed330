//! A folder that looks like a pod to the agent: JWT, downward-API annotations, secrets volume.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, lchown, symlink},
    path::{Path, PathBuf},
};

use serde_json::json;
use tempfile::TempDir;

use super::{Server, canary, eventually, process::Run};

/// The pod's folder, removed when dropped.
pub struct Pod {
    root: TempDir,
    annotations: BTreeMap<String, String>,
    rotation: u32,
}

impl Pod {
    /// A pod without annotations.
    pub fn new() -> Self {
        let root = TempDir::new().expect("a temporary folder");
        for name in ["podinfo", "serviceaccount", "secrets", "home"] {
            fs::create_dir(root.path().join(name)).expect("a folder");
        }
        Self { root, annotations: BTreeMap::new(), rotation: 0 }
    }

    /// A pod with the JWT of the service account `app`, and annotations that lead to this server as role `app`.
    pub fn at(server: &Server) -> Self {
        let mut pod = Self::new();
        pod.set_jwt(&server.jwt(&json!({})));
        let (jwt, secrets) = (pod.jwt_path(), pod.secrets().display().to_string());
        pod.annotate("service", &server.url())
            .annotate("role", "app")
            .annotate("auth-config-token-path", &jwt)
            .annotate("secret-volume-path", &secrets);
        pod
    }

    /// `decant init` with the pod's annotations.
    pub fn init(&self) -> Run {
        self.run("init")
    }

    /// `decant sidecar` with the pod's annotations.
    pub fn sidecar(&self) -> Run {
        self.run("sidecar")
    }

    fn run(&self, command: &str) -> Run {
        let run = Run::decant([command, "--annotations", &self.annotations_path()]);
        run.env("HOME", self.text("home"))
    }

    /// `decant agent` with this configuration.
    pub fn agent(&self, config: &str) -> Run {
        let file = self.write("agent.hcl", config);
        Run::decant(["agent".to_owned(), format!("-config={file}")])
    }

    /// The stanzas `vault` and `auto_auth` for this server and role, with a file sink `token`.
    pub fn login(&self, server: &Server, role: &str) -> String {
        format!(
            "vault {{ address = \"{}\" }}\nauto_auth {{\n  method \"kubernetes\" {{ config {{\n    role = \"{role}\"\n    \
             token_path = \"{}\"\n  }} }}\n  sink \"file\" {{ config {{ path = \"{}\" }} }}\n}}\n",
            server.url(),
            self.jwt_path(),
            self.text("token"),
        )
    }

    /// A `template` stanza that writes `name` into the secrets folder; `more`: further keys.
    pub fn template(&self, name: &str, contents: &str, more: &str) -> String {
        let quote = |text: &str| serde_json::Value::from(text).to_string();
        let destination = self.secrets().join(name).display().to_string();
        format!(
            "template {{\n  contents = {}\n  destination = {}\n  {more}\n}}\n",
            quote(contents),
            quote(&destination)
        )
    }

    /// A path inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The same as text.
    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// The folder for rendered files.
    pub fn secrets(&self) -> PathBuf {
        self.path("secrets")
    }

    /// The service account's JWT file.
    pub fn jwt_path(&self) -> String {
        self.text("serviceaccount/token")
    }

    /// Puts a JWT in place as the kubelet does: a new folder, then the `..data` link swapped.
    pub fn set_jwt(&mut self, jwt: &str) {
        self.swap("serviceaccount", "token", jwt);
    }

    /// Adds an annotation and writes the file anew. Names without a `/` get the injector's prefix.
    pub fn annotate(&mut self, name: &str, value: &str) -> &mut Self {
        let name = if name.contains('/') { name.to_owned() } else { format!("vault.hashicorp.com/{name}") };
        self.annotations.insert(name, value.to_owned());
        let lines: Vec<String> =
            self.annotations.iter().map(|(name, value)| format!("{name}={}", go_quoted(value))).collect();
        self.swap("podinfo", "annotations", &lines.join("\n"));
        self
    }

    /// Gives everything in the pod to this user, as `fsGroup` gives volumes to a group.
    pub fn belongs_to(&self, user: u32) {
        let mut all = vec![self.root.path().to_owned()];
        while let Some(path) = all.pop() {
            lchown(&path, Some(user), Some(user)).expect("rights of root");
            if path.is_dir() && !path.is_symlink() {
                all.extend(list(&path).iter().map(|name| path.join(name)));
            }
        }
    }

    /// The annotations file.
    pub fn annotations_path(&self) -> String {
        self.text("podinfo/annotations")
    }

    /// A file below the pod's folder.
    pub fn write(&self, name: &str, contents: &str) -> String {
        let path = self.path(name);
        plain_write(&path, contents);
        path.display().to_string()
    }

    /// Contents of a rendered file, when it is there.
    pub fn rendered(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.secrets().join(name)).ok()
    }

    /// Waits until the rendered file is just this.
    #[track_caller]
    pub fn becomes(&self, name: &str, contents: &str) {
        eventually(&format!("{name} to become {contents:?}, is {:?}", self.rendered(name)), || {
            (self.rendered(name).as_deref() == Some(contents)).then_some(())
        });
    }

    /// Waits until the rendered file is there and has a form; returns the contents.
    #[track_caller]
    pub fn shows(&self, name: &str, fits: impl Fn(&str) -> bool) -> String {
        let what = format!("{name} to fit, is {:?}", self.rendered(name));
        eventually(&what, || self.rendered(name).filter(|text| fits(text)))
    }

    /// Waits for a rendered file with a generated password alone, and takes care that it is never printed.
    #[track_caller]
    pub fn password(&self, name: &str, other_than: &str) -> String {
        let password = self.shows(name, |text| !text.is_empty() && text != other_than);
        canary::remember(&password);
        password
    }

    /// Mode bits of a rendered file.
    pub fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.secrets().join(name)).expect("the file").permissions().mode() & 0o7777
    }

    /// All names in the secrets folder, sorted.
    pub fn listing(&self) -> Vec<String> {
        list(&self.secrets())
    }

    fn swap(&mut self, folder: &str, file: &str, contents: &str) {
        self.rotation += 1;
        let folder = self.path(folder);
        let data = folder.join(format!("..2026_01_02_03_04_05.{:09}", self.rotation));
        fs::create_dir(&data).expect("a folder");
        plain_write(&data.join(file), contents);
        let old = fs::read_link(folder.join("..data")).ok();
        let (link, fresh) = (folder.join("..data"), folder.join("..data_tmp"));
        symlink(data.file_name().expect("a name"), &fresh).expect("a link");
        swap_link(&fresh, &link);
        if !folder.join(file).is_symlink() {
            symlink(Path::new("..data").join(file), folder.join(file)).expect("a link");
        }
        if let Some(old) = old {
            fs::remove_dir_all(folder.join(old)).expect("the old folder");
        }
    }
}

/// Names in a folder, sorted.
pub fn list(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[expect(clippy::disallowed_methods, reason = "tests play the kubelet")]
pub fn plain_write(path: &Path, contents: &str) {
    fs::write(path, contents).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

#[expect(clippy::disallowed_methods, reason = "tests play the kubelet")]
pub fn swap_link(fresh: &Path, link: &Path) {
    fs::rename(fresh, link).expect("a swap");
}

/// As the kubelet writes values: Go's `%q`.
pub fn go_quoted(value: &str) -> String {
    let mut quoted = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            '\0'..' ' | '\u{7f}' => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if is_printable(c) => quoted.push(c),
            c if u32::from(c) < 0x1_0000 => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}

/// As `strconv.IsPrint` says, for what texts usually hold: blanks but the ASCII one, controls, format characters,
/// private use and tags are not.
fn is_printable(c: char) -> bool {
    let invisible = matches!(
        c,
        '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{10ffff}'
    );
    !(invisible || c.is_control() || (c.is_whitespace() && c != ' '))
}
