//! The one server of a run, `decant dev`, with its secrets, and the configuration files that point at it.

use std::{
    fmt::Write as _,
    fs, io,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::json;
use tempfile::TempDir;

use crate::wire::Wire;

/// The role that everybody logs in with.
pub(crate) const ROLE: &str = "bench";

/// API path of a template's secret.
pub(crate) fn path(index: usize) -> String {
    format!("secret/data/bench-{index}")
}

/// Name of a template's file.
pub(crate) fn file(index: usize) -> String {
    format!("file-{index}")
}

/// What the file must hold.
pub(crate) fn contents(index: usize) -> String {
    format!("user-{index}:password-{index}")
}

/// The server and a folder for everything; both go with this.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// In memory where there is such a place, as a pod's volume for secrets is.
    files: TempDir,
    /// Where programs may be run.
    programs: TempDir,
}

impl Server {
    /// Starts it and puts so many secrets in.
    pub(crate) fn start(binary: &Path, secrets: usize) -> Result<Self, String> {
        let no_folder = |trouble: io::Error| format!("can't make a folder: {trouble}");
        let memory = folder(Path::new("/dev/shm"));
        let files = memory.or_else(|_| folder(&std::env::temp_dir())).map_err(no_folder)?;
        let programs = folder(&std::env::temp_dir()).map_err(no_folder)?;
        let mut child = Command::new(copy(binary, &programs, "server")?)
            .args(["dev", "--listen=127.0.0.1:0", "--root-token=root"])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|trouble| format!("decant dev: {trouble}"))?;
        let told = address(&mut child);
        let mut server = Self { child, address: ([127, 0, 0, 1], 0).into(), files, programs };
        server.address = told.ok_or("decant dev did not say where it listens")?;
        server.fill(secrets).map_err(|trouble| format!("decant dev can't be set up: {trouble}"))?;
        Ok(server)
    }

    /// A folder for the files of one run; the caller removes it.
    pub(crate) fn destination(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.files.path().join(name);
        fs::create_dir(&path).map_err(|trouble| format!("{}: {trouble}", path.display()))?;
        Ok(path)
    }

    /// A copy of a program that shares no memory with other runs of it.
    pub(crate) fn copy(&self, program: &Path, name: &str) -> Result<PathBuf, String> {
        copy(program, &self.programs, name)
    }

    /// The file with the service account's JWT.
    pub(crate) fn jwt(&self) -> PathBuf {
        self.files.path().join("jwt")
    }

    /// Writes the configuration file that all programs get.
    pub(crate) fn config(&self, destination: &Path, templates: usize, once: bool) -> Result<PathBuf, String> {
        let mut text = format!(
            "exit_after_auth = {once}\n\
             vault {{\n  address = \"http://{}\"\n}}\n\
             auto_auth {{\n  method \"kubernetes\" {{\n    mount_path = \"auth/kubernetes\"\n    config = {{\n      \
             role = \"{ROLE}\"\n      token_path = \"{}\"\n    }}\n  }}\n}}\n\
             template_config {{\n  exit_on_retry_failure = true\n}}\n",
            self.address,
            self.jwt().display()
        );
        for index in 0..templates {
            let path = path(index);
            let destination = destination.join(file(index));
            write!(
                text,
                "template {{\n  contents = \"{{{{ with secret \\\"{path}\\\" }}}}{{{{ .Data.data.user }}}}:\
                 {{{{ .Data.data.password }}}}{{{{ end }}}}\"\n  destination = \"{}\"\n}}\n",
                destination.display()
            )
            .expect("a text takes everything");
        }
        let config = destination.with_extension("hcl");
        fs::write(&config, text).map_err(|trouble| format!("{}: {trouble}", config.display()))?;
        Ok(config)
    }

    fn fill(&self, secrets: usize) -> io::Result<()> {
        let mut wire = Wire::connect(self.address, "root")?;
        let made = wire.get("/dev/v1/jwt")?;
        let key = &made["public_key"];
        wire.post("/v1/sys/auth/kubernetes", &json!({ "type": "kubernetes" }))?;
        wire.post(
            "/v1/auth/kubernetes/config",
            &json!({ "kubernetes_host": format!("http://{}", self.address), "kubernetes_ca_cert": key, "pem_keys": [key] }),
        )?;
        let policy = r#"path "secret/data/bench-*" { capabilities = ["read"] }"#;
        wire.post(&format!("/v1/sys/policies/acl/{ROLE}"), &json!({ "policy": policy }))?;
        wire.post(
            &format!("/v1/auth/kubernetes/role/{ROLE}"),
            &json!({
                "bound_service_account_names": [ROLE], "bound_service_account_namespaces": ["default"],
                "token_policies": [ROLE], "token_ttl": "1h",
            }),
        )?;
        for index in 0..secrets {
            let data = json!({ "user": format!("user-{index}"), "password": format!("password-{index}") });
            wire.post(&format!("/v1/{}", path(index)), &json!({ "data": data }))?;
        }
        let made = wire.post("/dev/v1/jwt", &json!({ "namespace": "default", "service_account": ROLE }))?;
        fs::write(self.jwt(), made["jwt"].as_str().unwrap_or_default())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder(parent: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("decant-figures-").tempdir_in(parent)
}

fn copy(program: &Path, folder: &TempDir, name: &str) -> Result<PathBuf, String> {
    let copy = folder.path().join(name);
    fs::copy(program, &copy).map_err(|trouble| format!("{}: {trouble}", program.display()))?;
    Ok(copy)
}

fn address(child: &mut Child) -> Option<SocketAddr> {
    let lines = BufReader::new(child.stdout.take()?).lines();
    let line = lines.map_while(Result::ok).find(|line| line.starts_with("Address:"))?;
    line.split("//").nth(1)?.trim().parse().ok()
}
