//! Several sources to one: files after files, and a stronger source over a weaker one.

use super::raw::{Raw, RawIdle, RawLog, RawOwn, RawTemplateConfig, RawVault, Said, Unreadable};

/// What two files say together, by the rules of the original: a later stanza replaces an earlier one as a whole,
/// lists grow, `exit_after_auth` stays true once it is, later texts that are not empty win.
#[must_use]
pub fn files(earlier: Raw, later: Raw) -> Raw {
    let is_true = |said: &Said<bool>| said.as_ref().is_some_and(|said| said.value);
    let exit_after_auth = match (earlier.exit_after_auth, later.exit_after_auth) {
        (first, second) if is_true(&first) && !is_true(&second) => first,
        (first, second) => second.or(first),
    };
    let template_config = match later.template_config.stanza {
        Some(_) => later.template_config,
        None => earlier.template_config,
    };
    Raw {
        vault: if later.vault.stanza.is_some() { later.vault } else { earlier.vault },
        auto_auth: later.auto_auth.or(earlier.auto_auth),
        templates: joined(earlier.templates, later.templates),
        template_config,
        exit_after_auth,
        pid_file: text(earlier.pid_file, later.pid_file),
        log: log(earlier.log, later.log),
        own: own(earlier.own, later.own),
        groups: joined(earlier.groups, later.groups),
        idle: idle(earlier.idle, later.idle),
        disable_idle_connections: union(earlier.disable_idle_connections, later.disable_idle_connections),
        disable_keep_alives: union(earlier.disable_keep_alives, later.disable_keep_alives),
        warnings: joined(earlier.warnings, later.warnings),
        unreadable: unreadable(earlier.unreadable, later.unreadable),
    }
}

/// What holds when `stronger` (environment, flags, annotations) is heard before `weaker`: value by value.
#[must_use]
pub fn overlay(weaker: Raw, stronger: Raw) -> Raw {
    Raw {
        vault: vault(weaker.vault, stronger.vault),
        auto_auth: stronger.auto_auth.or(weaker.auto_auth),
        templates: joined(weaker.templates, stronger.templates),
        template_config: template_config(weaker.template_config, stronger.template_config),
        exit_after_auth: stronger.exit_after_auth.or(weaker.exit_after_auth),
        pid_file: text(weaker.pid_file, stronger.pid_file),
        log: log(weaker.log, stronger.log),
        own: own(weaker.own, stronger.own),
        groups: joined(weaker.groups, stronger.groups),
        idle: idle(weaker.idle, stronger.idle),
        disable_idle_connections: stronger.disable_idle_connections.or(weaker.disable_idle_connections),
        disable_keep_alives: stronger.disable_keep_alives.or(weaker.disable_keep_alives),
        warnings: joined(weaker.warnings, stronger.warnings),
        unreadable: unreadable(weaker.unreadable, stronger.unreadable),
    }
}

/// What either of two files says.
fn union(earlier: Said<Vec<String>>, later: Said<Vec<String>>) -> Said<Vec<String>> {
    match (earlier, later) {
        (Some(mut earlier), Some(later)) => {
            earlier.value.extend(later.value);
            Some(earlier)
        }
        (earlier, later) => later.or(earlier),
    }
}

fn joined<T>(mut first: Vec<T>, second: Vec<T>) -> Vec<T> {
    first.extend(second);
    first
}

fn unreadable(first: Unreadable, second: Unreadable) -> Unreadable {
    Unreadable {
        problems: joined(first.problems, second.problems),
        stanzas: joined(first.stanzas, second.stanzas),
    }
}

/// The later text, unless it is empty.
fn text(earlier: Said<String>, later: Said<String>) -> Said<String> {
    match later {
        Some(later) if !later.value.is_empty() || earlier.is_none() => Some(later),
        _ => earlier,
    }
}

fn log(earlier: RawLog, later: RawLog) -> RawLog {
    RawLog {
        level: text(earlier.level, later.level),
        format: text(earlier.format, later.format),
        file: text(earlier.file, later.file),
        rotate_bytes: later.rotate_bytes.or(earlier.rotate_bytes),
        rotate_duration: later.rotate_duration.or(earlier.rotate_duration),
        rotate_max_files: later.rotate_max_files.or(earlier.rotate_max_files),
    }
}

fn own(earlier: RawOwn, later: RawOwn) -> RawOwn {
    RawOwn {
        init_deadline: later.init_deadline.or(earlier.init_deadline),
        revoke_on_exit: later.revoke_on_exit.or(earlier.revoke_on_exit),
        partials_path: text(earlier.partials_path, later.partials_path),
        handover: later.handover.or(earlier.handover),
        status_listen: later.status_listen.or(earlier.status_listen),
        status_socket: later.status_socket.or(earlier.status_socket),
        ready_file: later.ready_file.or(earlier.ready_file),
    }
}

fn idle(earlier: RawIdle, later: RawIdle) -> RawIdle {
    RawIdle {
        // The whole stanza is replaced, and with it what is in it.
        persist: if later.cache.is_some() { later.persist } else { earlier.persist },
        cache: later.cache.or(earlier.cache),
        api_proxy: later.api_proxy.or(earlier.api_proxy),
        listeners: joined(earlier.listeners, later.listeners),
        env_templates: joined(earlier.env_templates, later.env_templates),
        exec: later.exec.or(earlier.exec),
    }
}

/// An empty text in the stronger source counts: it takes a setting back to its default.
fn vault(weaker: RawVault, stronger: RawVault) -> RawVault {
    RawVault {
        stanza: weaker.stanza.or(stronger.stanza),
        address: stronger.address.or(weaker.address),
        namespace: stronger.namespace.or(weaker.namespace),
        ca_cert: stronger.ca_cert.or(weaker.ca_cert),
        ca_cert_bytes: stronger.ca_cert_bytes.or(weaker.ca_cert_bytes),
        ca_path: stronger.ca_path.or(weaker.ca_path),
        client_cert: stronger.client_cert.or(weaker.client_cert),
        client_key: stronger.client_key.or(weaker.client_key),
        client_cert_bytes: stronger.client_cert_bytes.or(weaker.client_cert_bytes),
        client_key_bytes: stronger.client_key_bytes.or(weaker.client_key_bytes),
        tls_server_name: stronger.tls_server_name.or(weaker.tls_server_name),
        tls_skip_verify: stronger.tls_skip_verify.or(weaker.tls_skip_verify),
        num_retries: stronger.num_retries.or(weaker.num_retries),
        client_timeout: stronger.client_timeout.or(weaker.client_timeout),
        max_retries: stronger.max_retries.or(weaker.max_retries),
        rate_limit: stronger.rate_limit.or(weaker.rate_limit),
        proxy: stronger.proxy.or(weaker.proxy),
        https_proxy: stronger.https_proxy.or(weaker.https_proxy),
    }
}

fn template_config(weaker: RawTemplateConfig, stronger: RawTemplateConfig) -> RawTemplateConfig {
    let interval = stronger.static_secret_render_interval.or(weaker.static_secret_render_interval);
    RawTemplateConfig {
        stanza: weaker.stanza.or(stronger.stanza),
        exit_on_retry_failure: stronger.exit_on_retry_failure.or(weaker.exit_on_retry_failure),
        static_secret_render_interval: interval,
        max_connections_per_host: stronger.max_connections_per_host.or(weaker.max_connections_per_host),
        lease_renewal_threshold: stronger.lease_renewal_threshold.or(weaker.lease_renewal_threshold),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        config::{hcl, stanza},
        origin::{Origin, Sourced},
    };

    fn raw(text: &str) -> Raw {
        stanza::read(&hcl::parse(text.as_bytes()).unwrap(), &Path::new("a.hcl").into())
    }

    fn value<T>(said: Said<T>) -> Option<T> {
        said.map(|said| said.value)
    }

    #[test]
    fn a_later_stanza_replaces_the_earlier_one_whole() {
        let merged = files(
            raw(
                "vault {\n address = \"http://a\"\n ca_cert = \"/ca\"\n}\ntemplate_config {\n exit_on_retry_failure = true\n}",
            ),
            raw("vault {\n address = \"http://b\"\n}"),
        );
        assert_eq!(value(merged.vault.address).unwrap(), "http://b");
        assert_eq!(merged.vault.ca_cert, None);
        assert_eq!(value(merged.template_config.exit_on_retry_failure), Some(true));
    }

    #[test]
    fn templates_and_listeners_grow_in_order() {
        let merged = files(
            raw("template {\n destination = \"1\"\n}\nlistener \"tcp\" {}"),
            raw("template {\n destination = \"2\"\n}\nlistener \"unix\" {}"),
        );
        let order: Vec<String> =
            merged.templates.into_iter().filter_map(|one| value(one.destination)).collect();
        assert_eq!(order, ["1", "2"]);
        assert_eq!(merged.idle.listeners.len(), 2);
    }

    #[test]
    fn exit_after_auth_stays_true_across_files_but_a_flag_decides() {
        let merged = files(raw("exit_after_auth = true"), raw("exit_after_auth = false"));
        assert_eq!(value(merged.exit_after_auth.clone()), Some(true));
        let flag = Some(Sourced::new(false, Origin::Flag("-exit-after-auth".into())));
        let merged = overlay(merged, Raw { exit_after_auth: flag, ..Raw::default() });
        assert_eq!(value(merged.exit_after_auth), Some(false));
    }

    #[test]
    fn later_texts_win_unless_empty_and_numbers_always() {
        let merged = files(
            raw("pid_file = \"/a\"\nlog_level = \"warn\"\nlog_rotate_bytes = 5"),
            raw("pid_file = \"\"\nlog_level = \"debug\"\nlog_rotate_bytes = 0"),
        );
        assert_eq!(value(merged.pid_file).unwrap(), "/a");
        assert_eq!(value(merged.log.level).unwrap(), "debug");
        assert_eq!(value(merged.log.rotate_bytes), Some(0));
    }

    #[test]
    fn an_empty_address_of_the_environment_hides_that_of_the_file() {
        let file = raw("vault {\n address = \"http://a\"\n ca_cert = \"/ca\"\n}");
        let mut environment = Raw::default();
        environment.vault.address = Some(Sourced::new(String::new(), Origin::Env("VAULT_ADDR".into())));
        let merged = overlay(file, environment);
        assert_eq!(value(merged.vault.address).unwrap(), "");
        assert_eq!(value(merged.vault.ca_cert).unwrap(), "/ca");
    }

    proptest! {
        #[test]
        fn it_does_not_matter_which_neighbours_are_merged_first(
            a in sample(), b in sample(), c in sample()
        ) {
            let (a, b, c) = (raw(a), raw(b), raw(c));
            let left = files(files(a.clone(), b.clone()), c.clone());
            prop_assert_eq!(left, files(a, files(b, c)));
        }
    }

    fn sample() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "",
            "exit_after_auth = true\npid_file = \"\"",
            "exit_after_auth = false\npid_file = \"/a\"\nlog_level = \"warn\"",
            "vault {}\ntemplate_config {}\nlog_rotate_bytes = 0",
            "vault { address = \"http://a\" }\nlisteners = 1\nlog_rotate_bytes = 5",
            "auto_auth { method \"a\" {} }\ntemplate { destination = \"/a\" }\ncache {}",
            "auto_auth { method \"b\" {} }\nlistener \"tcp\" {}\ndecant { init_deadline = 1 }",
        ])
    }
}
