//! Stanzas `listener`: those that may quit the agent are served, as far as that goes without TLS.

use super::{Findings, filled, value_or};
use crate::{
    config::raw::RawListener,
    listener::Endpoint,
    origin::{Origin, Sourced},
    problem::Problem,
};

/// The endpoints at which the agent can be asked to quit.
pub(super) fn resolve(raw: &[RawListener], findings: &mut Findings) -> Vec<Sourced<Endpoint>> {
    let quitting = raw.iter().filter(|listener| value_or(&listener.enable_quit, false));
    quitting.filter_map(|listener| endpoint(listener, findings)).collect()
}

fn endpoint(raw: &RawListener, findings: &mut Findings) -> Option<Sourced<Endpoint>> {
    // The original's metrics listeners answer nothing else.
    if filled(&raw.role) == Some("metrics_only") {
        return None;
    }
    let address = filled(&raw.address).unwrap_or("127.0.0.1:8200");
    let origin: &Origin = raw.address.as_ref().map_or(&raw.origin, |said| &said.origin);
    let endpoint = match filled(&raw.kind) {
        Some("unix") => Endpoint::Unix(address.into()),
        Some("tcp") if !value_or(&raw.tls_disable, false) => {
            let problem = Problem::warning("a `listener` with TLS is not served in this version");
            findings
                .warn(&raw.origin, problem.hint("with `tls_disable = true` it answers POST /agent/v1/quit"));
            return None;
        }
        Some("tcp") => {
            // Go's `:8200` means all addresses.
            let address =
                if address.starts_with(':') { format!("0.0.0.0{address}") } else { address.to_owned() };
            match address.parse::<Endpoint>() {
                Ok(endpoint) => endpoint,
                Err(expected) => {
                    let problem = Problem::warning(format!("{address:?} is not served in this version"));
                    findings.warn(origin, problem.expected(expected.to_string()));
                    return None;
                }
            }
        }
        _ => {
            let problem = Problem::error("a `listener` has no type that is known here");
            findings
                .error(&raw.origin, problem.expected("listener \"tcp\" { … } or listener \"unix\" { … }"));
            return None;
        }
    };
    Some(Sourced::new(endpoint, origin.clone()))
}
