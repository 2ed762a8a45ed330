//! `dev`: the embedded server until somebody stops it.

use ring::rand::{SecureRandom, SystemRandom};
use secrecy::ExposeSecret;

use super::{
    DevOptions, runtime,
    start::{complain, say},
};
use crate::{
    agent::outcome::Outcome,
    dev::{DevConfig, Server},
    problem::chain,
    process::signals::{Request, Signals},
};

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
    let trust = if options.tls {
        format!(
            "\n\nClients must trust the certificate of this server's authority, which is new at each start:\n  \
             curl --insecure {base}/dev/v1/ca > ca.pem\n  export VAULT_CACERT=ca.pem"
        )
    } else {
        String::new()
    };
    say(&format!(
        "decant dev: a Vault-compatible server in memory, for development only\n\n\
         Address:    {base}\nRoot token: {root_token}\n\n\
         export VAULT_ADDR={base} VAULT_TOKEN={root_token}{trust}\n\n\
         KV version 2 is mounted at secret/. Everything is gone when this ends (Ctrl-C).",
    ));
    let stopped = async move { while signals.next().await == Request::Reload {} };
    server.run(stopped).await.map_err(|trouble| chain(&trouble))
}

/// A token that nobody can guess; the server prints it.
fn made_up() -> Result<String, &'static str> {
    let mut bytes = [0; 12];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "the system gives no random bytes for a root token")?;
    Ok(bytes.iter().fold("dev-".to_owned(), |token, byte| token + &format!("{byte:02x}")))
}

fn fail(message: &str) -> u8 {
    complain(message);
    1
}
