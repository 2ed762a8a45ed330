//! A day in minutes: 50 KV secrets read every second or so, 10 leases of two seconds, 3 certificates of a few seconds
//! and a token that lives for ten. What grows over such a run would grow over weeks in a pod.
//!
//! The bound for repeated requests (five a second) sets the pace: thousands of cycles take some ten minutes.

use std::{
    fs,
    io::Error,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    idle::{self, Look},
    measure,
    server::{self, ROLE, Server},
    table::Table,
    wire::Wire,
};

/// The word that asks for it.
pub(crate) const COMMAND: &str = "--soak";

const STATIC: usize = 50;
const LEASED: usize = 10;
const CERTIFICATES: usize = 3;
/// Caches and connections fill in this share of the time, before the first look.
const WARM_UP: f64 = 0.2;
/// Looks after that.
const LOOKS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs for that long and looks several times.
pub(crate) fn table(server: &Server, program: &Path, length: Duration) -> Result<Table, String> {
    prepare(server).map_err(|trouble| format!("the server can't be set up: {trouble}"))?;
    let folder = server.destination("soak")?;
    let run = Run::start(server, program, &folder)?;
    let start = Instant::now();
    while !(0..STATIC).all(|index| folder.join(server::file(index)).exists()) {
        if start.elapsed() > PATIENCE {
            return Err("the run has not rendered its files".to_owned());
        }
        sleep(Duration::from_millis(50));
    }
    let title = format!(
        "soak: {STATIC} KV, {LEASED} leases of 2 s, {CERTIFICATES} certificates, tokens of 10 s, over {} s",
        length.as_secs()
    );
    let columns = ["after", "RSS MB", "private MB", "threads", "files open", "requests", "requests/s"];
    let mut table = Table::new(&title, &columns);
    sleep(length.mul_f64(WARM_UP));
    let (mut last_requests, mut last) = (requests(server)?, Instant::now());
    table.row(&run.row(start, last_requests, None)?.each_ref().map(String::as_str));
    for _ in 0..LOOKS {
        sleep(length.mul_f64((1.0 - WARM_UP) / f64::from(LOOKS)));
        let now = requests(server)?;
        let rate = (now - last_requests) as f64 / last.elapsed().as_secs_f64();
        (last_requests, last) = (now, Instant::now());
        table.row(&run.row(start, now, Some(rate))?.each_ref().map(String::as_str));
    }
    Ok(table)
}

struct Run {
    child: Child,
}

impl Run {
    fn start(server: &Server, program: &Path, folder: &Path) -> Result<Self, String> {
        let config = server.config(folder, STATIC, false)?;
        let failed = |trouble: Error| format!("{}: {trouble}", config.display());
        let text = fs::read_to_string(&config).map_err(failed)?;
        let every_second = "template_config {\n  static_secret_render_interval = \"1s\"\n";
        let mut text = text.replace("template_config {\n", every_second);
        for index in 0..LEASED {
            text += &template(
                folder,
                "lease",
                index,
                &format!("secret \\\"database/creds/r{index}\\\""),
                ".Data.password",
            );
        }
        for index in 0..CERTIFICATES {
            let call = format!("pkiCert \\\"pki/issue/web\\\" \\\"common_name=c{index}.example.com\\\"");
            text += &template(folder, "certificate", index, &call, ".Cert");
        }
        fs::write(&config, text).map_err(failed)?;
        let child = Command::new(server.copy(program, "soak.bin")?)
            .arg("agent")
            .arg(format!("-config={}", config.display()))
            .env_clear()
            .envs(measure::ENVIRONMENT)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|trouble| format!("{}: {trouble}", program.display()))?;
        Ok(Self { child })
    }

    fn row(&self, start: Instant, requests: u64, rate: Option<f64>) -> Result<[String; 7], String> {
        let Look { resident, private, threads, .. } = idle::look(self.child.id(), "decant")?;
        let files = fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        let files = files.map_err(|trouble| format!("the run is over: {trouble}"))?.count();
        let mega = f64::from(1 << 10);
        Ok([
            format!("{:.0} s", start.elapsed().as_secs_f64()),
            format!("{:.2}", resident / mega),
            format!("{:.2}", private / mega),
            threads.to_string(),
            files.to_string(),
            requests.to_string(),
            rate.map_or_else(String::new, |rate| format!("{rate:.1}")),
        ])
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn template(folder: &Path, kind: &str, index: usize, call: &str, shown: &str) -> String {
    let destination = folder.join(format!("{kind}-{index}"));
    format!(
        "template {{\n  contents = \"{{{{ with {call} }}}}{{{{ {shown} }}}}{{{{ end }}}}\"\n  destination = \"{}\"\n}}\n",
        destination.display()
    )
}

/// All that the server was asked so far.
fn requests(server: &Server) -> Result<u64, String> {
    let count = || Wire::connect(server.address, "")?.get("/dev/v1/journal?at_least=0&method=NONE");
    let answer = count().map_err(|trouble| format!("the server's journal: {trouble}"))?;
    answer["last"].as_u64().ok_or_else(|| "the server's journal has no end".to_owned())
}

fn prepare(server: &Server) -> Result<(), Error> {
    let mut wire = Wire::connect(server.address, "root")?;
    let policy = "path \"secret/data/bench-*\" { capabilities = [\"read\"] }\n\
                  path \"database/creds/*\" { capabilities = [\"read\"] }\n\
                  path \"pki/issue/*\" { capabilities = [\"update\"] }";
    wire.post(&format!("/v1/sys/policies/acl/{ROLE}"), &json!({ "policy": policy }))?;
    let role = json!({ "token_policies": [ROLE], "token_ttl": "10s", "token_max_ttl": "30s" });
    wire.post(&format!("/v1/auth/approle/role/{ROLE}"), &role)?;
    wire.post("/v1/sys/mounts/database", &json!({ "type": "database" }))?;
    wire.post("/v1/database/config/db", &json!({ "plugin_name": "mock", "allowed_roles": "*" }))?;
    for index in 0..LEASED {
        let role =
            json!({ "db_name": "db", "default_ttl": "2s", "max_ttl": "8s", "creation_statements": ["-"] });
        wire.post(&format!("/v1/database/roles/r{index}"), &role)?;
    }
    wire.post("/v1/sys/mounts/pki", &json!({ "type": "pki" }))?;
    let root = json!({ "common_name": "Root", "ttl": "24h", "key_type": "ec" });
    wire.post("/v1/pki/root/generate/internal", &root)?;
    let web = json!({ "allow_any_name": true, "key_type": "ec", "ttl": "6s", "not_before_duration": "0s" });
    wire.post("/v1/pki/roles/web", &web)?;
    Ok(())
}
