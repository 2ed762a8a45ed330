//! The environment as a value, and the table of the variables that configure us.

use std::{collections::BTreeMap, ffi::OsString, ops::Bound, time::Duration};

use super::{own, raw::Raw, units};
use crate::{
    origin::{Origin, Sourced},
    problem::Problem,
};

/// The variables the program was started with. Values that are not UTF-8 are kept with replacement characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    bao_first: bool,
}

impl Environment {
    /// Takes the variables, as `std::env::vars_os` gives them.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let text = |text: OsString| text.to_string_lossy().into_owned();
        let variables = variables.into_iter().map(|(name, value)| (text(name), text(value))).collect();
        Self { variables, bao_first: false }
    }

    /// Looks for `BAO_X` before `VAULT_X`, as the program does when it is called as `bao`.
    #[must_use]
    pub const fn bao_first(mut self) -> Self {
        self.bao_first = true;
        self
    }

    /// The value of exactly this variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// All variables.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The variable `VAULT_<name>` or `BAO_<name>`, whichever exists; when both do, the one that belongs to the name
    /// the program was called by. An empty one exists.
    pub fn vault(&self, name: &str) -> Option<Sourced<&str>> {
        let prefixes = if self.bao_first { ["BAO_", "VAULT_"] } else { ["VAULT_", "BAO_"] };
        prefixes.iter().find_map(|prefix| {
            let mut family = self
                .variables
                .range::<str, _>((Bound::Included(*prefix), Bound::Unbounded))
                .take_while(|(full, _)| full.starts_with(prefix));
            let (full, value) = family.find(|(full, _)| &full[prefix.len()..] == name)?;
            Some(Sourced::new(value.as_str(), Origin::Env(full.as_str().into())))
        })
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        Self::new(variables.map(|(name, value)| (name.into(), value.into())))
    }
}

/// One variable of the `VAULT_`/`BAO_` family.
struct Variable {
    /// Name without the prefix.
    name: &'static str,
    /// What an empty value means.
    empty: Empty,
    /// Stores the value.
    set: fn(&mut Raw, &str, Origin) -> Result<(), Wrong>,
}

/// What an empty value means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Empty {
    /// It overrides what the file says (back to the default).
    Counts,
    /// As if the variable were not there.
    IsAbsent,
}

/// What would have been right.
struct Wrong(String);

impl From<units::UnitError> for Wrong {
    fn from(error: units::UnitError) -> Self {
        Self(error.to_string())
    }
}

/// Makes the function that stores a value that was read by another.
macro_rules! store {
    ($($field:ident).+, $read:expr) => {
        |raw, text, origin| {
            raw.$($field).+ = Some(Sourced::new($read(text)?, origin));
            Ok(())
        }
    };
}

static VARIABLES: &[Variable] = &[
    Variable { name: "ADDR", empty: Empty::Counts, set: store!(vault.address, text) },
    Variable { name: "CACERT", empty: Empty::Counts, set: store!(vault.ca_cert, text) },
    Variable { name: "CACERT_BYTES", empty: Empty::IsAbsent, set: store!(vault.ca_cert_bytes, text) },
    Variable { name: "CAPATH", empty: Empty::Counts, set: store!(vault.ca_path, text) },
    Variable { name: "CLIENT_CERT", empty: Empty::Counts, set: store!(vault.client_cert, text) },
    Variable { name: "CLIENT_KEY", empty: Empty::Counts, set: store!(vault.client_key, text) },
    Variable {
        name: "CLIENT_CERT_BYTES",
        empty: Empty::IsAbsent,
        set: store!(vault.client_cert_bytes, text),
    },
    Variable { name: "CLIENT_KEY_BYTES", empty: Empty::IsAbsent, set: store!(vault.client_key_bytes, text) },
    Variable { name: "TLS_SERVER_NAME", empty: Empty::Counts, set: store!(vault.tls_server_name, text) },
    Variable {
        name: "SKIP_VERIFY",
        empty: Empty::Counts,
        set: store!(vault.tls_skip_verify, units::flexible_bool),
    },
    Variable { name: "NAMESPACE", empty: Empty::IsAbsent, set: store!(vault.namespace, text) },
    Variable { name: "CLIENT_TIMEOUT", empty: Empty::IsAbsent, set: store!(vault.client_timeout, timeout) },
    Variable { name: "MAX_RETRIES", empty: Empty::IsAbsent, set: store!(vault.max_retries, retries) },
    Variable { name: "RATE_LIMIT", empty: Empty::IsAbsent, set: store!(vault.rate_limit, rate_limit) },
    // The second of the two wins.
    Variable { name: "HTTP_PROXY", empty: Empty::IsAbsent, set: store!(vault.proxy, text) },
    Variable { name: "PROXY_ADDR", empty: Empty::IsAbsent, set: store!(vault.proxy, text) },
    Variable { name: "LOG_LEVEL", empty: Empty::IsAbsent, set: store!(log.level, text) },
    Variable { name: "LOG_FORMAT", empty: Empty::IsAbsent, set: store!(log.format, text) },
    Variable { name: "SRV_LOOKUP", empty: Empty::IsAbsent, set: not_yet },
    Variable {
        name: "AGENT_DISABLE_IDLE_CONNECTIONS",
        empty: Empty::IsAbsent,
        set: store!(disable_idle_connections, words),
    },
    Variable {
        name: "AGENT_DISABLE_KEEP_ALIVES",
        empty: Empty::IsAbsent,
        set: store!(disable_keep_alives, words),
    },
];

/// Reads all variables that configure us.
///
/// # Errors
/// Every variable with a value that can't be read.
pub fn read(environment: &Environment) -> Result<Raw, Vec<Problem>> {
    let mut raw = Raw::default();
    let mut problems = Vec::new();
    for variable in VARIABLES {
        let Some(Sourced { value, origin }) = environment.vault(variable.name) else { continue };
        if value.is_empty() && variable.empty == Empty::IsAbsent {
            continue;
        }
        if let Err(Wrong(expected)) = (variable.set)(&mut raw, value, origin.clone()) {
            problems.push(Problem::error("the value can't be read").at(origin).expected(expected));
        }
    }
    for setting in own::SETTINGS {
        let name = setting.variable();
        let Some(value) = environment.get(&name).filter(|value| !value.is_empty()) else { continue };
        if let Err(problem) = setting.read(&mut raw, value, Origin::Env(name.as_str().into())) {
            problems.push(problem);
        }
    }
    if problems.is_empty() { Ok(raw) } else { Err(problems) }
}

/// The usual proxy variables, in either case, that are set.
pub fn proxy_variables(environment: &Environment) -> BTreeMap<String, String> {
    ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"]
        .iter()
        .flat_map(|name| [(*name).to_owned(), name.to_lowercase()])
        .filter_map(|name| environment.get(&name).map(|value| (name.clone(), value.to_owned())))
        .collect()
}

#[expect(clippy::unnecessary_wraps, reason = "has the shape of the other readers")]
fn text(text: &str) -> Result<String, Wrong> {
    Ok(text.to_owned())
}

fn timeout(text: &str) -> Result<Duration, Wrong> {
    Ok(units::duration(text)?)
}

fn retries(text: &str) -> Result<u32, Wrong> {
    text.trim().parse().map_err(|_| Wrong("a whole number, 0 or more".to_owned()))
}

/// `rate` or `rate:burst`; without a burst it is the rate's whole part.
fn rate_limit(text: &str) -> Result<(f64, u32), Wrong> {
    let wrong = || Wrong("requests per second and perhaps a burst, for instance 10 or 10:20".to_owned());
    let (rate, burst) = text.split_once(':').map_or((text, None), |(rate, burst)| (rate, Some(burst)));
    let rate: f64 = rate.trim().parse().map_err(|_| wrong())?;
    if !rate.is_finite() || rate < 0.0 {
        return Err(wrong());
    }
    let burst = match burst {
        Some(burst) => burst.trim().parse().map_err(|_| wrong())?,
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates, which is meant"
        )]
        None => rate as u32,
    };
    Ok((rate, burst))
}

#[expect(clippy::unnecessary_wraps, reason = "has the shape of the other setters")]
/// Words between commas, in any case.
fn words(text: &str) -> Result<Vec<String>, Wrong> {
    Ok(text.to_lowercase().split(',').map(|word| word.trim().to_owned()).collect())
}

fn not_yet(raw: &mut Raw, _: &str, origin: Origin) -> Result<(), Wrong> {
    raw.warnings.push(Problem::warning("this variable has no effect in this version").at(origin));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::raw::Said;

    fn said<T>(said: Said<T>) -> (T, String) {
        said.map(|said| (said.value, said.origin.to_string())).unwrap()
    }

    #[test]
    fn both_families_count_and_the_name_we_are_called_by_decides() {
        let both =
            Environment::from([("VAULT_ADDR", "http://v"), ("BAO_ADDR", "http://b"), ("BAO_CACERT", "/ca")]);
        let raw = read(&both).unwrap();
        assert_eq!(
            said(raw.vault.address),
            ("http://v".to_owned(), "environment variable VAULT_ADDR".to_owned())
        );
        assert_eq!(said(raw.vault.ca_cert).0, "/ca");
        let raw = read(&both.bao_first()).unwrap();
        assert_eq!(
            said(raw.vault.address),
            ("http://b".to_owned(), "environment variable BAO_ADDR".to_owned())
        );
    }

    #[test]
    fn an_empty_bao_variable_hides_the_vault_one_when_called_as_bao() {
        let environment = Environment::from([("VAULT_ADDR", "http://v"), ("BAO_ADDR", "")]).bao_first();
        assert_eq!(said(read(&environment).unwrap().vault.address).0, "");
    }

    #[test]
    fn empty_counts_for_addresses_and_files_only() {
        let raw = read(&Environment::from([
            ("VAULT_ADDR", ""),
            ("VAULT_SKIP_VERIFY", ""),
            ("VAULT_NAMESPACE", ""),
            ("VAULT_MAX_RETRIES", ""),
            ("VAULT_LOG_LEVEL", ""),
            ("DECANT_REVOKE_ON_EXIT", ""),
        ]))
        .unwrap();
        assert_eq!(said(raw.vault.address).0, "");
        assert!(!said(raw.vault.tls_skip_verify).0);
        assert_eq!((raw.vault.namespace, raw.vault.max_retries, raw.log.level), (None, None, None));
        assert_eq!(raw.own.revoke_on_exit, None);
    }

    #[test]
    fn skip_verify_is_a_real_boolean() {
        let skip = |text| {
            read(&Environment::from([("VAULT_SKIP_VERIFY", text)]))
                .map(|raw| said(raw.vault.tls_skip_verify).0)
        };
        assert_eq!(skip("false"), Ok(false));
        assert_eq!(skip("0"), Ok(false));
        assert_eq!(skip("TRUE"), Ok(true));
        assert_eq!(
            skip("maybe").unwrap_err()[0].to_string(),
            "environment variable VAULT_SKIP_VERIFY: the value can't be read\n  expected: true or false (also 1, 0, t, f)"
        );
    }

    #[test]
    fn client_settings_are_read_and_all_mistakes_are_reported() {
        let raw = read(&Environment::from([
            ("VAULT_CLIENT_TIMEOUT", "90"),
            ("VAULT_MAX_RETRIES", "5"),
            ("VAULT_RATE_LIMIT", "10.5:20"),
            ("VAULT_HTTP_PROXY", "http://one"),
            ("VAULT_PROXY_ADDR", "http://two"),
            ("DECANT_INIT_DEADLINE", "3m"),
        ]))
        .unwrap();
        assert_eq!(said(raw.vault.client_timeout).0, Duration::from_secs(90));
        assert_eq!(said(raw.vault.max_retries).0, 5);
        assert_eq!(said(raw.vault.rate_limit).0, (10.5, 20));
        assert_eq!(said(raw.vault.proxy).0, "http://two");
        assert_eq!(said(raw.own.init_deadline).0, Duration::from_secs(180));
        let wrong = read(&Environment::from([
            ("VAULT_CLIENT_TIMEOUT", "long"),
            ("VAULT_MAX_RETRIES", "-1"),
            ("VAULT_RATE_LIMIT", "fast"),
            ("DECANT_REVOKE_ON_EXIT", "perhaps"),
        ]));
        assert_eq!(wrong.unwrap_err().len(), 4);
    }

    #[test]
    fn a_rate_without_burst_has_its_whole_part_as_burst() {
        let rate = |text| {
            read(&Environment::from([("BAO_RATE_LIMIT", text)])).map(|raw| said(raw.vault.rate_limit).0).ok()
        };
        assert_eq!(rate("7.9"), Some((7.9, 7)));
        assert_eq!((rate("NaN"), rate("-1"), rate("1:x")), (None, None, None));
    }

    #[test]
    fn variables_without_effect_are_named() {
        let raw = read(&Environment::from([("VAULT_SRV_LOOKUP", "true")])).unwrap();
        assert_eq!(
            raw.warnings[0].to_string(),
            "environment variable VAULT_SRV_LOOKUP: this variable has no effect in this version"
        );
    }

    #[test]
    fn proxy_variables_are_captured_in_either_case() {
        let found = proxy_variables(&Environment::from([
            ("https_proxy", "http://p"),
            ("NO_PROXY", "*"),
            ("PATH", "/"),
        ]));
        assert_eq!(found.keys().collect::<Vec<_>>(), ["NO_PROXY", "https_proxy"]);
    }
}
