//! Annotations that set one thing each: where their values go in [`Raw`].

use std::time::Duration;

use super::{Note, Notes, method, table, value, value::Kind};
use crate::{
    config::{
        raw::{Raw, RawListener, RawMethod, Said},
        units,
    },
    origin::Sourced,
    problem::Problem,
};

/// Where a value goes, and with it how it is read.
#[derive(Clone, Copy)]
enum Into {
    /// A text; an empty one says nothing.
    Text(fn(&mut Raw, Sourced<String>)),
    /// A text that must not be empty: the injector refuses such pods with these words.
    Needed(&'static str, fn(&mut Raw, Sourced<String>)),
    /// A bool.
    Bool(fn(&mut Raw, Sourced<bool>)),
    /// A number; 0 says nothing.
    Int(fn(&mut Raw, Sourced<i64>)),
    /// A number that fits 32 bits, as the client reads `VAULT_MAX_RETRIES`.
    Count(fn(&mut Raw, Sourced<u32>)),
    /// A number; 0 says nothing.
    Float(fn(&mut Raw, Sourced<f64>)),
    /// Go's duration, unit and all.
    Duration(fn(&mut Raw, Sourced<Duration>)),
    /// Words between commas, blanks and all; an empty text says nothing.
    List(fn(&mut Raw, Sourced<Vec<String>>)),
    /// Seconds or a duration, as the agent reads it.
    Seconds(fn(&mut Raw, Sourced<Duration>)),
}

/// Suffix and place of every annotation that sets one thing.
const PLACES: &[(&str, Into)] = &[
    ("service", Into::Needed("no Vault address found", |raw, said| raw.vault.address = Some(said))),
    ("namespace", Into::Text(|raw, said| to_method(raw, said, |method| &mut method.namespace))),
    ("tls-skip-verify", Into::Bool(|raw, said| raw.vault.tls_skip_verify = Some(said))),
    ("tls-server-name", Into::Text(|raw, said| raw.vault.tls_server_name = Some(said))),
    ("ca-cert", Into::Text(|raw, said| raw.vault.ca_cert = Some(said))),
    // A folder of CAs, whatever the name says.
    ("ca-key", Into::Text(|raw, said| raw.vault.ca_path = Some(said))),
    ("client-cert", Into::Text(|raw, said| raw.vault.client_cert = Some(said))),
    ("client-key", Into::Text(|raw, said| raw.vault.client_key = Some(said))),
    ("client-timeout", Into::Seconds(|raw, said| raw.vault.client_timeout = Some(said))),
    ("client-max-retries", Into::Count(|raw, said| raw.vault.max_retries = Some(said))),
    ("proxy-address", Into::Text(|raw, said| raw.vault.https_proxy = Some(said))),
    ("agent-disable-idle-connections", Into::List(|raw, said| raw.disable_idle_connections = Some(said))),
    ("agent-disable-keep-alives", Into::List(|raw, said| raw.disable_keep_alives = Some(said))),
    ("log-level", Into::Text(|raw, said| raw.log.level = Some(said))),
    ("log-format", Into::Text(|raw, said| raw.log.format = Some(said))),
    (
        table::AUTH_TYPE,
        Into::Needed("no Vault Auth Type found", |raw, said| to_method(raw, said, |method| &mut method.kind)),
    ),
    (
        table::AUTH_PATH,
        Into::Needed("no Vault Auth Path found", |raw, said| {
            to_method(raw, said, |method| &mut method.mount_path)
        }),
    ),
    ("auth-min-backoff", Into::Duration(|raw, said| to_method(raw, said, |method| &mut method.min_backoff))),
    ("auth-max-backoff", Into::Duration(|raw, said| to_method(raw, said, |method| &mut method.max_backoff))),
    (
        "agent-auto-auth-exit-on-err",
        Into::Bool(|raw, said| to_method(raw, said, |method| &mut method.exit_on_err)),
    ),
    ("agent-revoke-on-shutdown", Into::Bool(|raw, said| raw.own.revoke_on_exit = Some(said))),
    (
        "agent-enable-quit",
        Into::Bool(|raw, said| to_listener(raw, said, |listener| &mut listener.enable_quit)),
    ),
    (
        "agent-cache-listener-port",
        Into::Text(|raw, said| {
            let address = Sourced::new(format!("127.0.0.1:{}", said.value), said.origin);
            to_listener(raw, address, |listener| &mut listener.address);
        }),
    ),
    (
        "template-config-exit-on-retry-failure",
        Into::Bool(|raw, said| raw.template_config.exit_on_retry_failure = Some(said)),
    ),
    (
        "template-static-secret-render-interval",
        Into::Seconds(|raw, said| raw.template_config.static_secret_render_interval = Some(said)),
    ),
    (
        "template-max-connections-per-host",
        Into::Int(|raw, said| raw.template_config.max_connections_per_host = Some(said)),
    ),
    (
        "template-lease-renewal-threshold",
        Into::Float(|raw, said| raw.template_config.lease_renewal_threshold = Some(said)),
    ),
];

fn to_method<T>(raw: &mut Raw, said: Sourced<T>, field: fn(&mut RawMethod) -> &mut Said<T>) {
    let origin = said.origin.clone();
    *field(method(raw, origin)) = Some(said);
}

/// To the one listener that annotations can ask for, made when nothing has been said about it yet. It only matters if
/// it may be asked to quit.
fn to_listener<T>(raw: &mut Raw, said: Sourced<T>, field: fn(&mut RawListener) -> &mut Said<T>) {
    let listeners = &mut raw.idle.listeners;
    if listeners.is_empty() {
        let origin = said.origin.clone();
        listeners.push(RawListener {
            kind: Some(Sourced::new("tcp".to_owned(), origin.clone())),
            address: None,
            role: None,
            tls_disable: Some(Sourced::new(true, origin.clone())),
            enable_quit: None,
            origin,
        });
    }
    *field(&mut listeners[0]) = Some(said);
}

/// Reads all of them, and the settings of the login method.
pub(super) fn read(notes: &mut Notes<'_>, raw: &mut Raw) {
    for (suffix, place) in PLACES {
        let Some(note) = notes.get(suffix) else { continue };
        if let Err(problem) = put(*place, note, raw) {
            notes.add(problem);
        }
    }
    method_config(notes, raw);
}

fn put(place: Into, note: Note<'_>, raw: &mut Raw) -> Result<(), Problem> {
    let text = note.value;
    let empty = text.is_empty();
    match place {
        Into::Text(_) | Into::List(_) | Into::Duration(_) | Into::Seconds(_) | Into::Count(_) if empty => {}
        Into::Needed(refusal, _) if empty => {
            return Err(Problem::error(refusal)
                .at(note.origin())
                .expected("a value that is not empty")
                .hint("leave the annotation out for the default"));
        }
        Into::Text(set) | Into::Needed(_, set) => set(raw, note.text()),
        Into::List(set) => {
            set(raw, Sourced::new(text.split(',').map(str::to_owned).collect(), note.origin()));
        }
        Into::Bool(set) => set(raw, judged(note, Kind::Bool, value::boolean(text))?),
        Into::Int(set) => {
            let said = judged(note, Kind::Int, value::int(text))?;
            if said.value != 0 {
                set(raw, said);
            }
        }
        Into::Count(set) => set(raw, judged(note, Kind::Uint, text.parse().ok())?),
        Into::Float(set) => {
            let said = judged(note, Kind::Float, value::float(text))?;
            if said.value != 0.0 {
                set(raw, said);
            }
        }
        Into::Duration(set) => set(raw, judged(note, Kind::Duration, units::go_duration(text).ok())?),
        Into::Seconds(set) => {
            let value = units::duration(text).map_err(|error| note.wrong(&error.to_string()))?;
            set(raw, Sourced::new(value, note.origin()));
        }
    }
    Ok(())
}

fn judged<T>(note: Note<'_>, kind: Kind, value: Option<T>) -> Result<Sourced<T>, Problem> {
    let value = value.ok_or_else(|| note.wrong(kind.expected()))?;
    Ok(Sourced::new(value, note.origin()))
}

/// `auth-config-<key>` with `-` for `_`, then `role`, which counts for more.
fn method_config(notes: &mut Notes<'_>, raw: &mut Raw) {
    let mut said: Vec<(String, Note<'_>)> = Vec::new();
    for (suffix, note) in &notes.by_suffix {
        if let Some(key) = suffix.strip_prefix(table::AUTH_CONFIG).filter(|key| !key.is_empty()) {
            said.push((key.replace('-', "_").to_lowercase(), *note));
        }
    }
    for (key, note) in said {
        let config = &mut method(raw, note.origin()).config;
        if let Some(before) = config.insert(key.clone(), note.text()) {
            notes.add(
                Problem::warning(format!("`{key}` is set twice, this spelling counts"))
                    .at(note.origin())
                    .hint(format!("remove {}", before.origin)),
            );
        }
    }
    let role: Said<String> =
        notes.get(table::ROLE).filter(|note| !note.value.is_empty()).map(|note| note.text());
    if let Some(role) = role {
        method(raw, role.origin.clone()).config.insert("role".to_owned(), role);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::table::{Group, Standalone, TABLE},
        *,
    };

    /// The one table says what acts and how it is read; the places here have to agree with it.
    #[test]
    fn every_acting_annotation_of_the_table_has_its_place() {
        let elsewhere = [Group::Switch, Group::Secrets];
        for entry in TABLE.iter().filter(|entry| entry.standalone == Standalone::Acts) {
            let place = PLACES.iter().find(|(suffix, _)| *suffix == entry.suffix);
            let special =
                elsewhere.contains(&entry.group) || [table::ROLE, table::AUTH_CONFIG].contains(&entry.suffix);
            assert_eq!(place.is_none(), special, "{}", entry.suffix);
            if let Some((_, place)) = place {
                let agrees = match place {
                    Into::Text(_) | Into::Needed(..) | Into::Seconds(_) | Into::Count(_) => {
                        entry.kind == Kind::Text
                    }
                    Into::List(_) => entry.kind == Kind::List,
                    Into::Bool(_) => entry.kind == Kind::Bool,
                    Into::Int(_) => entry.kind == Kind::Int,
                    Into::Float(_) => entry.kind == Kind::Float,
                    Into::Duration(_) => entry.kind == Kind::Duration,
                };
                assert!(agrees, "{}", entry.suffix);
            }
        }
        assert!(PLACES.iter().all(|(suffix, _)| table::find(suffix).is_some_and(|entry| !entry.family)));
    }
}
