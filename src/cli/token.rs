//! `token revoke -self` and `token lookup`: what the injector's preStop hook calls, and its counterpart.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use super::{
    OutputFormat, runtime,
    start::{complain, say},
};
use crate::{
    agent::{outcome::Outcome, upstream},
    chance::Chance,
    clock::Clock,
    config::{Config, env::Environment, raw::Raw, resolve},
    problem::{self, chain},
    vault::{
        client::{Body, Call, Product},
        secret::Secret,
        token::Token,
        value::Value,
    },
};

/// Files in the home folder that hold the token: Vault's token helper, and OpenBao's injector.
const TOKEN_FILES: [&str; 2] = [".vault-token", ".openbao-token"];

/// Homes that the injectors' configurations write to. A user whom nobody knows, as OpenShift makes them up, has the home
/// `/`, where no token is.
const HOMES: [&str; 2] = ["/home/vault", "/home/openbao"];

/// Exit code when the server said no, as the original's.
const REFUSED: u8 = 2;

/// `token revoke -self`.
pub(super) fn revoke_self(flags: Raw, environment: &Environment) -> u8 {
    let (config, token) = match ready(flags, environment) {
        Ok(ready) => ready,
        Err(message) => return fail(1, &message),
    };
    let call = Call::write("auth/token/revoke-self", Body::json(&serde_json::json!({})), Product::Agent);
    match send(&config, call.namespace(config.vault.namespace.as_ref()).token(&token)) {
        Ok(_) => {
            say("Success! Revoked token (if it existed)");
            0
        }
        Err(message) => fail(REFUSED, &format!("Error revoking token: {message}")),
    }
}

/// `token lookup`.
pub(super) fn lookup(
    flags: Raw,
    about: Option<SecretString>,
    format: OutputFormat,
    environment: &Environment,
) -> u8 {
    let (config, token) = match ready(flags, environment) {
        Ok(ready) => ready,
        Err(message) => return fail(1, &message),
    };
    let body = |token: &SecretString| Body::json(&serde_json::json!({ "token": token.expose_secret() }));
    let call = match &about {
        None => Call::read("auth/token/lookup-self", Product::Agent),
        Some(about) => Call::write("auth/token/lookup", body(about), Product::Agent),
    };
    match send(&config, call.namespace(config.vault.namespace.as_ref()).token(&token)) {
        Ok(Some(Secret { data: Some(data), .. })) => {
            say(&show(&data, format));
            0
        }
        Ok(_) => fail(REFUSED, "Error looking up token: the answer holds no data"),
        Err(message) => fail(REFUSED, &format!("Error looking up token: {message}")),
    }
}

fn fail(code: u8, message: &str) -> u8 {
    complain(message);
    code
}

/// The configuration and the token: from the environment, else from the home folder.
pub(super) fn ready(flags: Raw, environment: &Environment) -> Result<(Config, Token), String> {
    let config = resolve::connection(flags, environment)
        .map_err(|problems| problem::list("the settings can't be used", &problems))?;
    Ok((config, find(environment)?))
}

/// The token from `VAULT_TOKEN`, or else from a file in the home folder, or else from one in an injector's.
pub(super) fn find(environment: &Environment) -> Result<Token, String> {
    if let Some(said) = environment.vault("TOKEN").filter(|said| !said.value.is_empty()) {
        return Ok(Token::new(said.value));
    }
    let own = environment.get("HOME").filter(|home| !home.is_empty());
    let homes = own.into_iter().chain(HOMES);
    for path in homes.flat_map(|home| TOKEN_FILES.map(|name| PathBuf::from(home).join(name))) {
        match std::fs::read_to_string(&path).map(zeroize::Zeroizing::new) {
            Ok(text) if !text.trim().is_empty() => return Ok(Token::new(&text)),
            Err(trouble) if trouble.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("can't read the token file {}: {trouble}", path.display()));
            }
            _ => {}
        }
    }
    Err(format!(
        "there is no token: VAULT_TOKEN is not set and {} has no {}\n  hint: log in first, or set HOME to the \
         folder that the agent's sink writes to",
        own.unwrap_or(HOMES[0]),
        TOKEN_FILES.join(" or ")
    ))
}

fn send(config: &Config, call: Call<'_>) -> Result<Option<Secret>, String> {
    let gate = upstream::gate(&config.vault, &config.template_config, Clock::system(), Chance::system())
        .map_err(|trouble| chain(&trouble))?;
    let mut answer = Ok(None);
    let outcome = runtime::block_on(async {
        answer = gate.upstream().send(&call).await.map_err(|trouble| match trouble.hint() {
            Some(hint) => format!("{}\n  hint: {hint}", chain(&trouble)),
            None => chain(&trouble),
        });
        Outcome::Stopped
    });
    match outcome.message() {
        Some(message) => Err(message),
        None => answer,
    }
}

/// The token itself is among the fields, as in the original: whoever asks holds it already.
fn show(data: &Value, format: OutputFormat) -> String {
    match (format, data.as_map()) {
        (OutputFormat::Table, Some(map)) => {
            let width = map.keys().map(|key| key.len()).max().unwrap_or(0).max(3);
            let mut lines = vec![format!("{:width$}    Value", "Key"), format!("{:width$}    -----", "---")];
            lines.extend(map.iter().map(|(key, value)| format!("{key:width$}    {}", plain(value))));
            lines.join("\n")
        }
        _ => format!("{{\"data\":{}}}", json(data)),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(text) | Value::String(text) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        Value::List(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" ")),
        Value::Map(map) => {
            let pairs: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}:{}", plain(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
    }
}

fn json(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(text) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        Value::String(text) => serde_json::Value::from(String::from_utf8_lossy(text.as_bytes())).to_string(),
        Value::List(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(",")),
        Value::Map(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}:{}", serde_json::Value::from(key.as_ref()), json(value)))
                .collect();
            format!("{{{}}}", pairs.join(","))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_shown_as_the_original_shows_them() {
        let data = Value::from_json(
            r#"{"ttl":3600,"policies":["a","b"],"meta":null,"renewable":true,"display_name":"k\"8s"}"#,
        )
        .unwrap();
        assert_eq!(
            show(&data, OutputFormat::Table),
            "Key             Value\n---             -----\ndisplay_name    k\"8s\nmeta            <nil>\n\
             policies        [a b]\nrenewable       true\nttl             3600"
        );
        let shown = show(&data, OutputFormat::Json);
        assert_eq!(Value::from_json(&shown).unwrap().get("data"), Some(&data), "{shown}");
    }
}
