//! `dev`: the embedded server until somebody stops it.

use std::{
    env,
    fs::{self, File},
    io::Write,
    net::SocketAddr,
    path::PathBuf,
};

use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};

use super::{
    Usage,
    asked::Asked,
    runtime,
    start::{complain, say},
};
use crate::{
    agent::outcome::Outcome,
    dev::{DevConfig, Server},
    problem::chain,
    process::signals::{Request, Signals},
};

/// Options of `dev`.
#[derive(Clone, Debug)]
pub struct DevOptions {
    /// Where to listen. Default 127.0.0.1:8200; whoever listens refuses other than loopback addresses.
    pub listen: SocketAddr,
    /// Token that may do everything; `None`: the server makes one.
    pub root_token: Option<SecretString>,
    /// Whether it serves HTTPS.
    pub tls: bool,
}

impl Asked {
    /// Options of `dev`.
    pub(super) fn dev(&self) -> Result<DevOptions, Usage> {
        self.no_words()?;
        let listen = self.text("listen").unwrap_or("127.0.0.1:8200");
        let listen = listen.parse().map_err(|_| {
            self.wrong(&format!("{listen:?} is no address for -listen: expected one like 127.0.0.1:8200"))
        })?;
        let root_token = self.text("root-token").map(SecretString::from);
        Ok(DevOptions { listen, root_token, tls: self.is_set("tls")? })
    }
}

/// Runs the server; returns the exit code.
pub(super) fn run(options: &DevOptions) -> u8 {
    let root_token = match &options.root_token {
        Some(token) => token.expose_secret().to_owned(),
        None => match made_up() {
            Ok(token) => token,
            Err(message) => return fail(message),
        },
    };
    let config = DevConfig { root_token, tls: options.tls, ..DevConfig::default() };
    let outcome = runtime::block_on(async {
        match serve(options, config).await {
            Ok(()) => Outcome::Stopped,
            Err(message) => Outcome::Internal(message),
        }
    });
    outcome.message().map_or(0, |message| fail(&message))
}

async fn serve(options: &DevOptions, config: DevConfig) -> Result<(), String> {
    let root_token = config.root_token.clone();
    let server = Server::bind(options.listen, config).await.map_err(|trouble| chain(&trouble))?;
    let mut signals = Signals::install().map_err(|trouble| format!("can't follow signals: {trouble}"))?;
    let base = format!("{}://{}", server.scheme(), server.address());
    let ca = options.tls.then(|| CaFile::write(&server.authority().pem())).transpose()?;
    let trust = ca.as_ref().map_or_else(String::new, |ca| format!(" VAULT_CACERT={}", ca.0.display()));
    say(&format!(
        "decant dev: a Vault-compatible server in memory, for development only\n\n\
         Address:    {base}\nRoot token: {root_token}\n\n\
         export VAULT_ADDR={base} VAULT_TOKEN={root_token}{trust}\n\n\
         KV version 2 is mounted at secret/. Everything is gone when this ends (Ctrl-C).",
    ));
    let stopped = async move { while signals.next().await == Request::Reload {} };
    let ended = server.run(stopped).await.map_err(|trouble| chain(&trouble));
    drop(ca);
    ended
}

/// The file with the certificate of the server's authority, for its clients; removed when dropped.
struct CaFile(PathBuf);

impl CaFile {
    fn write(pem: &str) -> Result<Self, String> {
        let path = env::temp_dir().join(format!("decant-dev-ca-{}.pem", random()?));
        let failed = |trouble: &dyn std::error::Error| {
            format!("can't write the authority's certificate to {}: {}", path.display(), chain(trouble))
        };
        // Fails if there is anything of that name, a link included.
        let mut file =
            File::options().write(true).create_new(true).open(&path).map_err(|trouble| failed(&trouble))?;
        file.write_all(pem.as_bytes()).map_err(|trouble| failed(&trouble))?;
        Ok(Self(path))
    }
}

impl Drop for CaFile {
    fn drop(&mut self) {
        // It holds no secret, and nobody trusts it any more.
        let _ = fs::remove_file(&self.0);
    }
}

/// A token that nobody can guess; the server prints it.
fn made_up() -> Result<String, &'static str> {
    random().map(|text| format!("dev-{text}"))
}

/// 24 random hexadecimal digits.
fn random() -> Result<String, &'static str> {
    let mut bytes = [0; 12];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "the system gives no random bytes")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn fail(message: &str) -> u8 {
    complain(message);
    1
}
