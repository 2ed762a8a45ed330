//! `agent generate-config`: a configuration for the process supervisor, with a variable for each key of some secrets.

use std::{collections::BTreeSet, fmt::Write as _, path::PathBuf};

use thiserror::Error;

use super::{
    GenerateOptions,
    flags::{Flag, Set, Takes},
    runtime,
    start::{complain, say},
    token,
};
use crate::{
    agent::upstream,
    chance::Chance,
    clock::Clock,
    config::{Config, env::Environment, template::Destination},
    output,
    problem::{Problem, chain},
    vault::{
        client::{Call, Product},
        error::VaultError,
        gate::Gate,
        kv::{AskServer, Mount, Mounts, Verb},
        path::VaultPath,
        token::Token,
        value::Value,
    },
};

/// What `agent generate-config` has.
pub(super) static GENERATE: &[Flag] = &[
    Flag::new(
        "type",
        Takes::Value("TYPE"),
        Set::Command,
        "Kind of configuration: env-template is the only one",
    ),
    Flag::new(
        "path",
        Takes::Repeated("PATH"),
        Set::Command,
        "A secret, or with /* at the end a whole folder; may be given several times",
    ),
    Flag::new(
        "exec",
        Takes::Value("COMMAND"),
        Set::Command,
        "The command that gets the variables [default: env]",
    ),
];

/// Exit code when the server says no, as the original's.
const REFUSED: u8 = 2;
/// Exit code for a file that can't be written, as the original's.
const NO_FILE: u8 = 3;

/// Why there is nothing to generate from a path.
#[derive(Debug, Error)]
enum GenerateError {
    /// The server.
    #[error("could not read secret at {path:?}")]
    Server {
        /// The path.
        path: String,
        /// Why not.
        source: VaultError,
    },
    /// The path itself.
    #[error("the path {path:?} can't be used")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing there.
    #[error("could not read secret at {0:?}: secret not found")]
    Missing(String),
    /// A star that is no last element.
    #[error("the path {0:?} cannot contain '*' wildcard characters except as the last element of the path")]
    Wildcard(String),
}

/// One variable.
#[derive(Debug, PartialEq, Eq)]
struct Variable {
    name: String,
    contents: String,
}

/// Runs `agent generate-config`.
pub(super) fn run(options: GenerateOptions, environment: &Environment) -> u8 {
    let (config, token) = match token::ready(*options.flags, environment) {
        Ok(ready) => ready,
        Err(message) => {
            complain(&message);
            return REFUSED;
        }
    };
    let variables = upstream::gate(&config.vault, &config.template_config, Clock::system(), Chance::system())
        .map_err(|trouble| chain(&trouble))
        .and_then(|gate| runtime::wait_for(variables(&gate, &token, &config, &options.paths)))
        .and_then(|variables| variables.map_err(|trouble| chain(&trouble)));
    let variables = match variables {
        Ok(variables) => variables,
        Err(message) => {
            complain(&format!("Error: could not generate templates: {message}"));
            return REFUSED;
        }
    };
    let text = text(&config, &token_file(environment), &variables, &options.command);
    let destination = Destination {
        path: options.out.clone(),
        perms: None,
        user: None,
        group: None,
        create_dest_dirs: false,
        backup: false,
    };
    if let Err(trouble) = output::write(&destination, text.as_bytes()) {
        let problem: Problem = trouble.problem();
        complain(&format!("Could not create configuration file {:?}: {problem}", options.out.display()));
        return NO_FILE;
    }
    say(&format!("Successfully generated {:?} configuration file!", options.out.display()));
    complain(
        "Warning: the generated file uses 'token_file' authentication method, which is not suitable for production \
         environments.",
    );
    0
}

fn token_file(environment: &Environment) -> PathBuf {
    let said = environment.vault("TOKEN_PATH").map(|said| said.value).filter(|path| !path.is_empty());
    let home = || PathBuf::from(environment.get("HOME").unwrap_or("/home/vault")).join(".vault-token");
    said.map_or_else(home, PathBuf::from)
}

/// A variable for each key of the secrets, in the order of the paths.
async fn variables(
    gate: &Gate,
    token: &Token,
    config: &Config,
    paths: &[String],
) -> Result<Vec<Variable>, GenerateError> {
    let mounts = Mounts::default();
    let namespace = config.vault.namespace.as_ref();
    let mut variables = Vec::new();
    for asked in paths {
        let base = asked.strip_suffix("/*");
        let path = base.unwrap_or(asked).trim_matches('/');
        if path.contains('*') {
            return Err(GenerateError::Wildcard(asked.clone()));
        }
        let failed = |source| GenerateError::Server { path: asked.clone(), source };
        let server = AskServer { gate, token };
        let (parsed, _) = VaultPath::parse(path)
            .map_err(|trouble| GenerateError::Path { path: asked.clone(), source: Box::new(trouble) })?;
        let mount = mounts.find(&parsed, namespace, &server).await.map_err(failed)?;
        // Folders still to be listed, the next one last; a secret's name has no slash at its end.
        let mut open = vec![if base.is_some() { format!("{path}/") } else { path.to_owned() }];
        while let Some(path) = open.pop() {
            let Some(folder) = path.strip_suffix('/') else {
                let api = mount.api_path(&path, Verb::Read);
                let call = Call::read(&api, Product::Agent).namespace(namespace).token(token);
                let secret = gate.upstream().send(&call).await;
                variables.extend(of_secret(&api, &mount, keys(secret, &mount, &path)?));
                continue;
            };
            let api = mount.api_path(folder, Verb::List);
            let call = Call::list(&api, Product::Agent).namespace(namespace).token(token);
            let answer = match gate.upstream().send(&call).await {
                Err(VaultError::Missing(_)) | Ok(None) => return Err(GenerateError::Missing(asked.clone())),
                answer => answer.map_err(failed)?,
            };
            let names = answer.and_then(|secret| secret.data).map(|data| list(&data)).unwrap_or_default();
            open.extend(names.iter().rev().map(|name| format!("{folder}/{name}")));
        }
    }
    Ok(variables)
}

fn list(data: &Value) -> Vec<String> {
    let Some(Value::List(names)) = data.get("keys") else { return Vec::new() };
    let mut names: Vec<String> = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    names.sort();
    names
}

/// The keys of a secret, sorted.
fn keys(
    answer: Result<Option<crate::vault::secret::Secret>, VaultError>,
    mount: &Mount,
    path: &str,
) -> Result<BTreeSet<String>, GenerateError> {
    let missing = || GenerateError::Missing(path.to_owned());
    let secret = match answer {
        Err(VaultError::Missing(_)) => return Err(missing()),
        answer => answer.map_err(|source| GenerateError::Server { path: path.to_owned(), source })?,
    };
    let data = secret.and_then(|secret| secret.data).ok_or_else(missing)?;
    let fields = if mount.wraps_body() { data.get("data").cloned() } else { Some(data) };
    let fields = fields.ok_or_else(missing)?;
    Ok(fields.as_map().ok_or_else(missing)?.keys().map(|key| key.to_string()).collect())
}

fn of_secret(path: &str, mount: &Mount, keys: BTreeSet<String>) -> Vec<Variable> {
    let data = if mount.wraps_body() { ".Data.data" } else { ".Data" };
    let secret = path.rsplit('/').next().unwrap_or(path);
    let variable = |key: String| Variable {
        name: format!("{}_{}", words(secret), words(&key)),
        // The original writes `.key` whatever the key is, which doesn't parse for `db-user`.
        contents: if is_identifier(&key) {
            format!("{{{{ with secret {} }}}}{{{{ {data}.{key} }}}}{{{{ end }}}}", quoted(path))
        } else {
            format!(
                "{{{{ with secret {} }}}}{{{{ index {data} {} }}}}{{{{ end }}}}",
                quoted(path),
                quoted(&key)
            )
        },
    };
    keys.into_iter().map(variable).collect()
}

/// Letters and digits in upper case, everything else as underscores between them.
fn words(text: &str) -> String {
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_uppercase)
        .collect();
    words.join("_")
}

fn is_identifier(key: &str) -> bool {
    key.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// A text in quotes, as both HCL and the templates read it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

fn text(config: &Config, token_file: &std::path::Path, variables: &[Variable], command: &str) -> String {
    let mut text = format!(
        "\nauto_auth {{\n\n  method {{\n    type = \"token_file\"\n\n    config {{\n      token_file_path = {}\n    }}\n  \
         }}\n}}\n\ntemplate_config {{\n  static_secret_render_interval = \"5m\"\n  exit_on_retry_failure         = \
         true\n}}\n\nvault {{\n  address = {}\n}}\n\n",
        quoted(&token_file.display().to_string()),
        quoted(&config.vault.address)
    );
    for Variable { name, contents } in variables {
        let _ = write!(
            text,
            "env_template {} {{\n  contents             = {}\n  error_on_missing_key = true\n}}\n",
            quoted(name),
            quoted(contents)
        );
    }
    if !variables.is_empty() {
        text.push('\n');
    }
    let words: Vec<String> = command.split(' ').map(quoted).collect();
    let _ = write!(
        text,
        "exec {{\n  command                   = [{}]\n  restart_on_secret_changes = \"always\"\n  restart_stop_signal       \
         = \"SIGTERM\"\n}}\n",
        words.join(", ")
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_are_the_originals_but_for_keys_that_do_not_parse() {
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        let mount = Mount::Kv2("secret".into());
        let made = of_secret("secret/data/app-1/foo", &mount, keys(&["password", "db-user"]));
        assert_eq!(made[0].name, "FOO_DB_USER");
        assert_eq!(
            made[0].contents,
            "{{ with secret \"secret/data/app-1/foo\" }}{{ index .Data.data \"db-user\" }}{{ end }}"
        );
        assert_eq!(
            made[1].contents,
            "{{ with secret \"secret/data/app-1/foo\" }}{{ .Data.data.password }}{{ end }}"
        );
        let made = of_secret("kv1/a b", &Mount::Kv1, keys(&["k"]));
        assert_eq!((made[0].name.as_str(), made[0].contents.contains("{{ .Data.k }}")), ("A_B_K", true));
    }
}
