//! The settings that only decant has: one table for config key, annotation, variable, flag, default and words.

use super::{
    on_change,
    raw::{Raw, RawGroup, RawOwn, RawTemplate},
    template::ActionSpec,
    units,
};
use crate::{
    origin::{Origin, Sourced},
    problem::Problem,
};

/// One setting of ours.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Key in the stanza `decant {}`; the other names follow from it.
    pub key: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// What counts when nobody says anything, in words.
    pub default: &'static str,
    /// What it does, in one sentence.
    pub doc: &'static str,
    /// Stores a value.
    set: fn(&mut RawOwn, &str, Origin) -> Result<(), units::UnitError>,
}

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// `true` or `false`.
    Bool,
    /// A duration.
    Duration,
    /// The path of a folder.
    Folder,
    /// An address and port, or a unix socket.
    Endpoint,
    /// A file.
    Path,
}

/// All of them.
pub static SETTINGS: &[Setting] = &[
    Setting {
        key: "init_deadline",
        takes: Takes::Duration,
        default: "none",
        doc: "give up when the first render of everything takes longer than this",
        set: |own, text, origin| {
            own.init_deadline = Some(Sourced::new(units::duration(text)?, origin));
            Ok(())
        },
    },
    Setting {
        key: "revoke_on_exit",
        takes: Takes::Bool,
        default: "false",
        doc: "revoke the own token on stop and on a failed start",
        set: |own, text, origin| {
            own.revoke_on_exit = Some(Sourced::new(units::flexible_bool(text)?, origin));
            Ok(())
        },
    },
    Setting {
        key: "partials_path",
        takes: Takes::Folder,
        default: "none",
        doc: "folder of Handlebars partials, files NAME.hbs",
        set: |own, text, origin| {
            own.partials_path = Some(Sourced::new(text.to_owned(), origin));
            Ok(())
        },
    },
    Setting {
        key: "handover",
        takes: Takes::Folder,
        default: "/vault/agent-cache",
        doc: "folder for init to leave its token and leases in, or off",
        set: |own, text, origin| {
            own.handover = Some(Sourced::new(units::absolute_or_off(text)?, origin));
            Ok(())
        },
    },
    Setting {
        key: "status_listen",
        takes: Takes::Endpoint,
        default: "none",
        doc: "serve probes and metrics at this loopback address or unix socket",
        set: |own, text, origin| {
            own.status_listen = Some(Sourced::new(units::local_endpoint(text)?, origin));
            Ok(())
        },
    },
    Setting {
        key: "status_socket",
        takes: Takes::Path,
        default: "beside the pid file or in HOME; agent: none",
        doc: "socket for healthcheck, or off",
        set: |own, text, origin| {
            own.status_socket = Some(Sourced::new(text.to_owned(), origin));
            Ok(())
        },
    },
    Setting {
        key: "ready_file",
        takes: Takes::Path,
        default: "none",
        doc: "a file that is there while everything is rendered and valid",
        set: |own, text, origin| {
            own.ready_file = Some(Sourced::new(text.to_owned(), origin));
            Ok(())
        },
    },
];

/// A setting of ours for one secret or one group: a family of annotations, and a key in the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Full name of the annotation, which the name of the secret or the group continues.
    pub annotation: &'static str,
    /// The key that says the same in a configuration.
    pub key: &'static str,
    /// What it takes, in words.
    pub takes: &'static str,
    /// Whose name continues the annotation.
    pub of: &'static str,
    /// What it does, in one or two sentences.
    pub doc: &'static str,
    /// Where a value goes.
    pub(super) place: Place,
}

/// Where the value of a [`Family`] goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// Into the template of the secret.
    Template(fn(&mut RawTemplate, &str, Origin) -> Result<(), String>),
    /// Into the group.
    Group(fn(&mut RawGroup, &str, Origin) -> Result<(), String>),
    /// After a change of the secret's file, or of any file of the group.
    Change(fn(&str) -> Result<ActionSpec, String>),
}

/// All of them.
pub static FAMILIES: &[Family] = &[
    Family {
        annotation: "decant/format-",
        key: "template.format",
        takes: "`dotenv`, `json`, `yaml`, `properties`, `toml`, `shell` or `pem`",
        of: "secret",
        doc: "Write the whole secret in this format, without a template. The secret is that of \
              `agent-inject-secret-<name>`; in a stanza, of the key `secret`.",
        place: Place::Template(|template, text, origin| {
            template.format = Some(Sourced::new(text.to_owned(), origin));
            Ok(())
        }),
    },
    Family {
        annotation: "decant/dialect-",
        key: "template.dialect",
        takes: "`go` or `handlebars`",
        of: "secret",
        doc: "Language of the template. Default: `handlebars` for files that end in `.hbs`, else `go`.",
        place: Place::Template(|template, text, origin| {
            template.dialect = Some(Sourced::new(text.to_owned(), origin));
            Ok(())
        }),
    },
    Family {
        annotation: "decant/static-secret-render-interval-",
        key: "template.static_secret_render_interval",
        takes: "duration",
        of: "secret",
        doc: "How often a secret without a lifetime is read anew for this template. Where several templates use one \
              secret, the shortest counts.",
        place: Place::Template(|template, text, origin| {
            let value = units::duration(text).map_err(|error| error.to_string())?;
            template.static_secret_render_interval = Some(Sourced::new(value, origin));
            Ok(())
        }),
    },
    Family {
        annotation: "decant/lease-renewal-threshold-",
        key: "template.lease_renewal_threshold",
        takes: "number",
        of: "secret",
        doc: "Share of its lifetime after which a secret that can't be renewed is read anew for this template, and a \
              certificate issued anew. Where several templates use one secret, the lowest counts.",
        place: Place::Template(|template, text, origin| {
            let value = text.trim().parse().map_err(|_| "a number, for instance 0.75".to_owned())?;
            template.lease_renewal_threshold = Some(Sourced::new(value, origin));
            Ok(())
        }),
    },
    Family {
        annotation: "decant/group-",
        key: "template.change_group",
        takes: "text",
        of: "secret",
        doc: "Group whose files change together with this one, or not at all.",
        place: Place::Template(|template, text, origin| {
            if text.trim().is_empty() {
                return Err("the name of a group, for instance tls".to_owned());
            }
            template.change_group = Some(Sourced::new(text.to_owned(), origin));
            Ok(())
        }),
    },
    Family {
        annotation: "decant/atomic-",
        key: "decant.group.atomic",
        takes: "bool",
        of: "group",
        doc: "The files of the group become links into a folder that is swapped as a whole, as the kubelet does: \
              they must be in one folder.",
        place: Place::Group(|group, text, origin| {
            let value = units::flexible_bool(text).map_err(|error| error.to_string())?;
            group.atomic = Some(Sourced::new(value, origin));
            Ok(())
        }),
    },
    Family {
        annotation: "decant/on-change-signal-",
        key: "on_change.signal",
        takes: "`SIGNAL PROCESS` or `SIGNAL /PIDFILE`",
        of: "secret or group",
        doc: "Signal to send after a change, for instance `HUP nginx`.",
        place: Place::Change(on_change::signal),
    },
    Family {
        annotation: "decant/on-change-http-",
        key: "on_change.http",
        takes: "`[METHOD] URL`",
        of: "secret or group",
        doc: "Request to make after a change, for instance `POST http://127.0.0.1:9090/-/reload`; only to this \
              machine.",
        place: Place::Change(|text| on_change::http(text).map(ActionSpec::Http)),
    },
    Family {
        annotation: "decant/on-change-touch-",
        key: "on_change.touch",
        takes: "path",
        of: "secret or group",
        doc: "Generation file, whose number grows by one after a change.",
        place: Place::Change(on_change::touch),
    },
];

/// The family that an annotation with this full name belongs to, and the name that continues it.
pub fn family_of(annotation: &str) -> Option<(&'static Family, &str)> {
    FAMILIES
        .iter()
        .filter_map(|family| Some((family, annotation.strip_prefix(family.annotation)?)))
        .find(|(_, name)| !name.is_empty())
}

impl Setting {
    /// Full name of the annotation, for instance `decant/init-deadline`.
    pub fn annotation(&self) -> String {
        format!("decant/{}", self.key.replace('_', "-"))
    }

    /// Name of the variable, for instance `DECANT_INIT_DEADLINE`.
    pub fn variable(&self) -> String {
        format!("DECANT_{}", self.key.to_ascii_uppercase())
    }

    /// Name of the flag without dashes, for instance `init-deadline`.
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    /// Reads a text that somebody said for this setting into `raw`.
    ///
    /// # Errors
    /// A text that the setting doesn't take.
    pub fn read(&self, raw: &mut Raw, text: &str, origin: Origin) -> Result<(), Problem> {
        (self.set)(&mut raw.own, text, origin.clone()).map_err(|error| {
            Problem::error(format!("`{}` can't be {text:?}", self.key)).at(origin).expected(error.to_string())
        })
    }
}

/// The setting with this config key, in any case.
pub fn by_key(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key.eq_ignore_ascii_case(key))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_other_names_follow_from_the_key() {
        let setting = by_key("Init_Deadline").unwrap();
        assert_eq!(setting.annotation(), "decant/init-deadline");
        assert_eq!(setting.variable(), "DECANT_INIT_DEADLINE");
        assert_eq!(setting.flag(), "init-deadline");
    }

    #[test]
    fn a_value_lands_in_its_field_with_its_origin() {
        let mut raw = Raw::default();
        let origin = Origin::Env("DECANT_INIT_DEADLINE".into());
        by_key("init_deadline").unwrap().read(&mut raw, "2m", origin.clone()).unwrap();
        by_key("revoke_on_exit").unwrap().read(&mut raw, "true", Origin::Default).unwrap();
        assert_eq!(raw.own.init_deadline, Some(Sourced::new(Duration::from_secs(120), origin)));
        assert!(raw.own.revoke_on_exit.unwrap().value);
    }

    #[test]
    fn a_wrong_value_names_place_and_expectation() {
        let setting = by_key("init_deadline").unwrap();
        let problem = setting
            .read(&mut Raw::default(), "soon", Origin::Annotation(setting.annotation().into()))
            .unwrap_err();
        assert_eq!(
            problem.to_string(),
            "annotation decant/init-deadline: `init_deadline` can't be \"soon\"\n  expected: a duration, for instance \
             \"30s\", \"1h30m\", \"250ms\", \"2d\", or a number of seconds"
        );
    }

    #[test]
    fn keys_are_unique_and_documented() {
        for (at, setting) in SETTINGS.iter().enumerate() {
            assert!(SETTINGS[at + 1..].iter().all(|other| other.key != setting.key), "{}", setting.key);
            assert!(!setting.doc.is_empty() && !setting.default.is_empty(), "{}", setting.key);
        }
        for (at, family) in FAMILIES.iter().enumerate() {
            let others = FAMILIES[at + 1..].iter().map(|other| other.annotation);
            let clash = others
                .clone()
                .any(|other| other.starts_with(family.annotation) || family.annotation.starts_with(other));
            assert!(!clash && family.doc.ends_with('.'), "{}", family.annotation);
        }
    }
}
