//! A server of a run, `decant dev` or a real one, with its secrets, and the configuration files that point at it.

use std::{
    fmt::Write as _,
    fs, io,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::json;
use tempfile::TempDir;

use crate::wire::Wire;

/// The role that everybody logs in with.
pub(crate) const ROLE: &str = "bench";

/// Time for a server to start.
const PATIENCE: Duration = Duration::from_secs(30);

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
    /// `decant dev` of this binary, with so many secrets in it.
    pub(crate) fn dev(binary: &Path, secrets: usize) -> Result<Self, String> {
        let args = ["dev", "--listen=127.0.0.1:0", "--root-token=root"];
        let mut server = Self::start(binary, &args)?;
        server.address = told(&mut server.child).ok_or("decant dev did not say where it listens")?;
        server.fill(secrets).map_err(|trouble| format!("decant dev can't be set up: {trouble}"))?;
        Ok(server)
    }

    /// The development mode of Vault or OpenBao, with so many secrets in it.
    pub(crate) fn real(binary: &Path, secrets: usize) -> Result<Self, String> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.map_err(|trouble| format!("no free port: {trouble}"))?;
        let listen = format!("-dev-listen-address={address}");
        let args = ["server", "-dev", "-dev-root-token-id=root", "-dev-no-store-token", &listen];
        let mut server = Self::start(binary, &args)?;
        server.address = address;
        let start = Instant::now();
        while !Wire::connect(address, "").is_ok_and(|mut wire| wire.get("/v1/sys/health").is_ok()) {
            if start.elapsed() > PATIENCE {
                return Err(format!("{} does not start as a dev server", binary.display()));
            }
            sleep(Duration::from_millis(100));
        }
        server.fill(secrets).map_err(|trouble| format!("{} can't be set up: {trouble}", binary.display()))?;
        Ok(server)
    }

    fn start(binary: &Path, args: &[&str]) -> Result<Self, String> {
        let no_folder = |trouble: io::Error| format!("can't make a folder: {trouble}");
        let memory = folder(Path::new("/dev/shm"));
        let files = memory.or_else(|_| folder(&std::env::temp_dir())).map_err(no_folder)?;
        let programs = folder(&std::env::temp_dir()).map_err(no_folder)?;
        let child = Command::new(copy(binary, &programs, "server")?)
            .args(args)
            .env_clear()
            .env("HOME", programs.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|trouble| format!("{}: {trouble}", binary.display()))?;
        Ok(Self { child, address: ([127, 0, 0, 1], 0).into(), files, programs })
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

    /// The file with the role ID.
    pub(crate) fn role_id(&self) -> PathBuf {
        self.files.path().join("role-id")
    }

    /// The file with the secret ID.
    pub(crate) fn secret_id(&self) -> PathBuf {
        self.files.path().join("secret-id")
    }

    /// Writes the configuration file that all programs get.
    pub(crate) fn config(&self, destination: &Path, templates: usize, once: bool) -> Result<PathBuf, String> {
        let mut text = format!(
            "exit_after_auth = {once}\n\
             vault {{\n  address = \"http://{}\"\n}}\n\
             auto_auth {{\n  method \"approle\" {{\n    config = {{\n      role_id_file_path = \"{}\"\n      \
             secret_id_file_path = \"{}\"\n      remove_secret_id_file_after_reading = false\n    }}\n  }}\n}}\n\
             template_config {{\n  exit_on_retry_failure = true\n}}\n",
            self.address,
            self.role_id().display(),
            self.secret_id().display()
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
        wire.post("/v1/sys/auth/approle", &json!({ "type": "approle" }))?;
        let policy = r#"path "secret/data/bench-*" { capabilities = ["read"] }"#;
        wire.post(&format!("/v1/sys/policies/acl/{ROLE}"), &json!({ "policy": policy }))?;
        let role = format!("/v1/auth/approle/role/{ROLE}");
        wire.post(&role, &json!({ "token_policies": [ROLE], "token_ttl": "1h" }))?;
        for index in 0..secrets {
            let data = json!({ "user": format!("user-{index}"), "password": format!("password-{index}") });
            wire.post(&format!("/v1/{}", path(index)), &json!({ "data": data }))?;
        }
        let role_id = wire.get(&format!("{role}/role-id"))?;
        fs::write(self.role_id(), role_id["data"]["role_id"].as_str().unwrap_or_default())?;
        let secret_id = wire.post(&format!("{role}/secret-id"), &json!({}))?;
        fs::write(self.secret_id(), secret_id["data"]["secret_id"].as_str().unwrap_or_default())
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

fn told(child: &mut Child) -> Option<SocketAddr> {
    let lines = BufReader::new(child.stdout.take()?).lines();
    let line = lines.map_while(Result::ok).find(|line| line.starts_with("Address:"))?;
    line.split("//").nth(1)?.trim().parse().ok()
}
