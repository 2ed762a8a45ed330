//! Where a run leaves token and leases for the next one: our own setting, else stanza `cache.persist`, else the
//! injector's folder.

use std::path::PathBuf;

use super::{Findings, auto_auth::is_wrapped, filled, method::SERVICE_ACCOUNT_TOKEN};
use crate::{
    config::{
        HandoverConfig,
        raw::{Raw, RawMethod},
        units::OFF,
    },
    origin::Origin,
    problem::Problem,
};

/// The injector mounts a folder that init container and sidecar share there, when the pod wants a cache.
const INJECTOR_FOLDER: &str = "/vault/agent-cache";

pub(super) fn resolve(raw: &Raw, findings: &mut Findings) -> Option<HandoverConfig> {
    let method = raw.auto_auth.as_ref().and_then(|login| login.method.as_ref())?;
    let persist = raw.idle.persist.as_ref();
    let said = raw.own.handover.as_ref().or_else(|| persist.and_then(|persist| persist.path.as_ref()));
    let said = said.filter(|said| !said.value.is_empty());
    if said.is_some_and(|said| said.value == OFF) {
        return None;
    }
    if is_wrapped(Some(method)).is_some() {
        if let Some(said) = said {
            let problem = Problem::warning("with `auto_auth.method.wrap_ttl` nothing is handed over");
            findings.warn(&said.origin, problem.hint("wrap the token in the `sink` instead"));
        }
        return None;
    }
    let (folder, origin) = match said {
        Some(said) => (said.value.clone(), said.origin.clone()),
        None => (INJECTOR_FOLDER.to_owned(), Origin::Default),
    };
    let jwt = persist.and_then(|persist| filled(&persist.service_account_token_file));
    Some(HandoverConfig {
        folder: folder.into(),
        jwt: jwt.map_or_else(|| method_jwt(method), PathBuf::from),
        origin,
    })
}

/// The JWT that the pod logs in with; injectors name it for every method.
fn method_jwt(method: &RawMethod) -> PathBuf {
    let named = method.config.get("token_path").map(|said| said.value.as_str());
    named.filter(|path| !path.is_empty()).unwrap_or(SERVICE_ACCOUNT_TOKEN).into()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, env::Environment, hcl, resolve::resolve as all, stanza};

    fn of<const N: usize>(more: &str, method: &str, environment: [(&str, &str); N]) -> Config {
        let text = format!(
            "auto_auth {{ method \"kubernetes\" {{ {method} config {{ role = \"r\" token_path = \"/jwt\" }} }}\n\
             sink \"file\" {{ config {{ path = \"/t\" }} }} }}\n{more}"
        );
        let raw = stanza::read(&hcl::parse(text.as_bytes()).unwrap(), &Path::new("/c.hcl").into());
        all(raw, Raw::default(), &Environment::from(environment)).unwrap()
    }

    fn place(config: &Config) -> Option<(&str, &str)> {
        let handover = config.handover.as_ref()?;
        Some((handover.folder.to_str()?, handover.jwt.to_str()?))
    }

    const PERSIST: &str = "listener \"tcp\" { address = \"127.0.0.1:8200\" tls_disable = true }\n\
                           cache { persist \"kubernetes\" { path = \"/cache\" } }";

    #[test]
    fn the_injectors_folder_is_the_default_and_nobody_named_it() {
        let config = of("", "", []);
        assert_eq!(place(&config), Some(("/vault/agent-cache", "/jwt")));
        assert_eq!(config.handover.unwrap().origin, Origin::Default);
    }

    #[test]
    fn our_setting_counts_before_the_stanza_persist() {
        assert_eq!(place(&of(PERSIST, "", [])), Some(("/cache", "/jwt")));
        assert_eq!(place(&of(PERSIST, "", [("DECANT_HANDOVER", "/own")])), Some(("/own", "/jwt")));
        assert_eq!(place(&of(PERSIST, "", [("DECANT_HANDOVER", "off")])), None);
        assert_eq!(place(&of("decant { handover = \"/x\" }", "", [])), Some(("/x", "/jwt")));
        let other = PERSIST.replace("path =", "service_account_token_file = \"/other\"\n path =");
        assert_eq!(place(&of(&other, "", [])), Some(("/cache", "/other")));
    }

    #[test]
    fn a_wrapped_login_is_not_handed_over() {
        assert_eq!(place(&of("", "wrap_ttl = \"60s\"", [])), None);
        let config = of("decant { handover = \"/x\" }", "wrap_ttl = \"60s\"", []);
        assert_eq!(place(&config), None);
        assert!(config.warnings.iter().any(|warning| warning.to_string().contains("handed over")));
    }
}
