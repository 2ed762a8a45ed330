//! The keys that each stanza knows: those that act, and those that are accepted and only warned about.

/// The keys of one stanza, in lower case.
pub(super) struct Schema {
    /// The stanza's path, for instance `auto_auth.method`; empty for the file itself.
    pub(super) name: &'static str,
    /// Keys that mean something to us.
    pub(super) acts: &'static [&'static str],
    /// Keys of the original that we accept and don't act on.
    pub(super) idle: &'static [&'static str],
}

impl Schema {
    /// Whether the original or we have this key.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.keys().any(|known| known.eq_ignore_ascii_case(key))
    }

    /// Whether the key is accepted without effect.
    pub(super) fn is_idle(&self, key: &str) -> bool {
        self.idle.iter().any(|known| known.eq_ignore_ascii_case(key))
    }

    /// Whether the key has no effect on an agent in the original either.
    pub(super) fn is_inert(&self, key: &str) -> bool {
        const SERVER: [&str; 7] = [
            "disable_mlock",
            "default_max_request_duration",
            "seal",
            "kms",
            "hsm",
            "user_lockout",
            "templates",
        ];
        self.name == "template.exec" || SERVER.iter().any(|known| known.eq_ignore_ascii_case(key))
    }

    /// Whether a label names its type or its variable.
    pub(super) fn takes_label(&self) -> bool {
        matches!(
            self.name,
            "auto_auth.method"
                | "auto_auth.sink"
                | "listener"
                | "cache.persist"
                | "env_template"
                | "decant.group"
        )
    }

    /// All keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.acts.iter().chain(self.idle).copied()
    }
}

/// Where a key belongs that was found in the wrong stanza.
pub(super) fn home_of(key: &str) -> Option<&'static Schema> {
    ALL.iter().copied().find(|schema| schema.acts.iter().any(|known| known.eq_ignore_ascii_case(key)))
}

static ALL: &[&Schema] = &[
    &FILE,
    &VAULT,
    &RETRY,
    &AUTO_AUTH,
    &METHOD,
    &SINK,
    &SINK_CONFIG,
    &TEMPLATE_CONFIG,
    &TEMPLATE,
    &COMMAND,
    &WAIT,
    &GROUP,
    &ON_CHANGE,
    &HTTP,
];

pub(super) static FILE: Schema = Schema {
    name: "",
    acts: &[
        "vault",
        "auto_auth",
        "template",
        "template_config",
        "decant",
        "listener",
        "disable_idle_connections",
        "disable_keep_alives",
        "exit_after_auth",
        "pid_file",
        "log_level",
        "log_format",
        "log_file",
        "log_rotate_bytes",
        "log_rotate_duration",
        "log_rotate_max_files",
        "cache",
    ],
    idle: &[
        "api_proxy",
        "env_template",
        "exec",
        "telemetry",
        "cluster_name",
        "disable_mlock",
        "default_max_request_duration",
        "seal",
        "kms",
        "hsm",
        "user_lockout",
        "templates",
    ],
};

pub(super) static VAULT: Schema = Schema {
    name: "vault",
    acts: &[
        "address",
        "ca_cert",
        "ca_path",
        "client_cert",
        "client_key",
        "tls_server_name",
        "tls_skip_verify",
        "namespace",
        "retry",
    ],
    idle: &[],
};

pub(super) static RETRY: Schema = Schema { name: "vault.retry", acts: &["num_retries"], idle: &[] };

pub(super) static AUTO_AUTH: Schema = Schema {
    name: "auto_auth",
    acts: &["method", "sink", "sinks", "enable_reauth_on_new_credentials"],
    idle: &[],
};

pub(super) static METHOD: Schema = Schema {
    name: "auto_auth.method",
    acts: &[
        "type",
        "mount_path",
        "namespace",
        "wrap_ttl",
        "min_backoff",
        "max_backoff",
        "exit_on_err",
        "config",
    ],
    idle: &[],
};

/// What a method's settings are is the method's matter.
pub(super) static METHOD_CONFIG: Schema = Schema { name: "auto_auth.method.config", acts: &[], idle: &[] };

/// The keys come from the table of our own settings.
pub(super) static OWN: Schema = Schema { name: "decant", acts: &[], idle: &[] };

pub(super) static GROUP: Schema =
    Schema { name: "decant.group", acts: &["members", "atomic", "on_change"], idle: &[] };

pub(super) static ON_CHANGE: Schema =
    Schema { name: "on_change", acts: &["signal", "http", "touch"], idle: &[] };

pub(super) static HTTP: Schema =
    Schema { name: "on_change.http", acts: &["url", "method", "headers", "body", "timeout"], idle: &[] };

/// Any name of a header.
pub(super) static HEADERS: Schema = Schema { name: "on_change.http.headers", acts: &[], idle: &[] };

pub(super) static SINKS: Schema = Schema { name: "auto_auth.sinks", acts: &["sink"], idle: &[] };

pub(super) static SINK: Schema = Schema {
    name: "auto_auth.sink",
    acts: &["type", "wrap_ttl", "dh_type", "dh_path", "derive_key", "aad", "aad_env_var", "config"],
    idle: &[],
};

pub(super) static SINK_CONFIG: Schema =
    Schema { name: "auto_auth.sink.config", acts: &["path", "mode", "uid", "gid"], idle: &[] };

pub(super) static TEMPLATE_CONFIG: Schema = Schema {
    name: "template_config",
    acts: &[
        "exit_on_retry_failure",
        "static_secret_render_interval",
        "max_connections_per_host",
        "lease_renewal_threshold",
    ],
    idle: &[],
};

pub(super) static TEMPLATE: Schema = Schema {
    name: "template",
    acts: &[
        "source",
        "contents",
        "secret",
        "format",
        "dialect",
        "partials_path",
        "destination",
        "create_dest_dirs",
        "command",
        "command_timeout",
        "exec",
        "error_on_missing_key",
        "error_fatal",
        "perms",
        "user",
        "group",
        "uid",
        "gid",
        "backup",
        "left_delimiter",
        "right_delimiter",
        "sandbox_path",
        "lease_renewal_threshold",
        "wait",
        "function_denylist",
        "function_blacklist",
        "static_secret_render_interval",
        // The next two are our own; the original refuses a stanza that has them.
        "change_group",
        "on_change",
    ],
    idle: &[],
};

/// What is idle here has no effect on a template's command in the original either.
pub(super) static COMMAND: Schema = Schema {
    name: "template.exec",
    acts: &["command", "timeout", "enabled", "env"],
    idle: &["kill_signal", "kill_timeout", "reload_signal", "splay"],
};

pub(super) static COMMAND_ENV: Schema =
    Schema { name: "template.exec.env", acts: &["custom"], idle: &["pristine", "allowlist", "denylist"] };

pub(super) static WAIT: Schema =
    Schema { name: "template.wait", acts: &["min", "max", "enabled"], idle: &[] };

pub(super) static CACHE: Schema = Schema {
    name: "cache",
    acts: &["use_auto_auth_token", "enforce_consistency", "when_inconsistent", "persist"],
    idle: &[
        "cache_static_secrets",
        "disable_caching_dynamic_secrets",
        "static_secret_token_capability_refresh_interval",
        "static_secret_token_capability_refresh_behavior",
    ],
};

pub(super) static PERSIST: Schema = Schema {
    name: "cache.persist",
    acts: &["type", "path", "keep_after_import", "exit_on_err", "service_account_token_file"],
    idle: &[],
};

pub(super) static API_PROXY: Schema = Schema {
    name: "api_proxy",
    acts: &["use_auto_auth_token", "enforce_consistency", "when_inconsistent"],
    idle: &["prepend_configured_namespace"],
};

pub(super) static EXEC: Schema = Schema {
    name: "exec",
    acts: &["command", "restart_on_secret_changes", "restart_stop_signal"],
    idle: &["child_process_stdout", "child_process_stderr"],
};

pub(super) static ENV_TEMPLATE: Schema = Schema {
    name: "env_template",
    acts: &[
        "contents",
        "source",
        "error_on_missing_key",
        "error_fatal",
        "left_delimiter",
        "right_delimiter",
        "function_denylist",
        "function_blacklist",
    ],
    idle: &[],
};

pub(super) static LISTENER: Schema = Schema {
    name: "listener",
    acts: &[
        "type",
        "address",
        "role",
        "require_request_header",
        "agent_api",
        "tls_disable",
        "tls_cert_file",
        "tls_key_file",
        "tls_min_version",
        "tls_max_version",
        "tls_cipher_suites",
        "tls_require_and_verify_client_cert",
        "tls_client_ca_file",
        "tls_disable_client_certs",
        "socket_mode",
        "socket_user",
        "socket_group",
        "tls_auto_reload",
        "tls_auto_reload_interval",
        "tls_key_exchange_preferences",
    ],
    idle: &[
        "cluster_address",
        "proxy_api",
        "proxy_protocol_behavior",
        "proxy_protocol_authorized_addrs",
        "x_forwarded_for_authorized_addrs",
        "x_forwarded_for_hop_skips",
        "x_forwarded_for_reject_not_authorized",
        "x_forwarded_for_reject_not_present",
        "http_read_timeout",
        "http_read_header_timeout",
        "http_write_timeout",
        "http_idle_timeout",
        "max_request_size",
        "max_request_duration",
        "cors_enabled",
        "cors_allowed_origins",
        "cors_allowed_headers",
        "telemetry",
        "profiling",
        "inflight_requests_logging",
        "custom_response_headers",
        "tls_prefer_server_cipher_suites",
        "chroot_namespace",
        "disable_request_limiter",
    ],
};

pub(super) static AGENT_API: Schema =
    Schema { name: "listener.agent_api", acts: &["enable_quit"], idle: &[] };

pub(super) static TELEMETRY: Schema = Schema {
    name: "telemetry",
    acts: &[
        "statsite_address",
        "statsd_address",
        "disable_hostname",
        "enable_hostname_label",
        "metrics_prefix",
        "usage_gauge_period",
        "maximum_gauge_cardinality",
        "dogstatsd_addr",
        "dogstatsd_tags",
        "prometheus_retention_time",
        "filter_default",
        "prefix_filter",
        "stackdriver_project_id",
        "stackdriver_location",
        "stackdriver_namespace",
        "stackdriver_debug_logs",
        "circonus_api_token",
        "circonus_api_app",
        "circonus_api_url",
        "circonus_submission_interval",
        "circonus_submission_url",
        "circonus_check_id",
        "circonus_check_force_metric_activation",
        "circonus_check_instance_id",
        "circonus_check_search_tag",
        "circonus_check_tags",
        "circonus_check_display_name",
        "circonus_broker_id",
        "circonus_broker_select_tag",
        "lease_metrics_epsilon",
        "num_lease_metrics_buckets",
        "add_lease_metrics_namespace_labels",
    ],
    idle: &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_lower_case_and_said_once() {
        let more = [
            &SINKS,
            &COMMAND_ENV,
            &CACHE,
            &PERSIST,
            &API_PROXY,
            &EXEC,
            &ENV_TEMPLATE,
            &LISTENER,
            &AGENT_API,
            &TELEMETRY,
        ];
        for schema in ALL.iter().copied().chain(more) {
            let mut keys: Vec<&str> = schema.keys().collect();
            let all = keys.len();
            assert!(keys.iter().all(|key| *key == key.to_lowercase()), "{}", schema.name);
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), all, "{}", schema.name);
        }
    }

    #[test]
    fn a_key_in_the_wrong_stanza_has_a_home() {
        assert_eq!(home_of("Num_Retries").unwrap().name, "vault.retry");
        assert_eq!(home_of("min_backoff").unwrap().name, "auto_auth.method");
        assert!(home_of("nonsense").is_none());
    }
}
