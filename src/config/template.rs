//! What one template is: its text, its file, and what follows a change.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use crate::{
    origin::Origin,
    vault::path::{Params, VaultPath},
};

/// One template, with all defaults filled in. Travels whole through every stage.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateSpec {
    /// Where it was said.
    pub origin: Origin,
    /// The text.
    pub source: TemplateSource,
    /// Left and right delimiter. Default `{{` and `}}`.
    pub delimiters: (String, String),
    /// The file to write.
    pub destination: Destination,
    /// What a missing key does.
    pub on_missing_key: OnMissingKey,
    /// A failing render is an error of the run (default), or is only logged.
    pub error_fatal: bool,
    /// What runs after a changed file.
    pub actions: Vec<ActionSpec>,
    /// Quiet time before a re-render; `None`: at once.
    pub wait: Option<Wait>,
    /// Functions that the template must not use (globs).
    pub function_denylist: Vec<String>,
    /// Folder that the function `file` must not leave.
    pub sandbox_path: Option<PathBuf>,
    /// Own refresh interval for secrets without a lease; `None`: the global one.
    pub static_secret_render_interval: Option<Duration>,
}

/// Where a template's text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateSource {
    /// Written in the configuration.
    Inline(Arc<str>),
    /// In a file.
    File(PathBuf),
    /// One of the injector's two default forms over one secret.
    Default {
        /// The form.
        form: DefaultForm,
        /// The secret as the annotation names it (may have a `?query`).
        path: VaultPath,
        /// Query parameters of the path.
        params: Params,
    },
}

/// The injector's default forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultForm {
    /// `key: value` lines.
    Map,
    /// One line of JSON.
    Json,
}

/// What a key does that the secret doesn't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMissingKey {
    /// Renders as `<no value>`.
    Zero,
    /// Is an error.
    Error,
}

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Path; `..` and links are followed as the original does.
    pub path: PathBuf,
    /// Mode; `None` keeps that of an existing file, else 0644.
    pub perms: Option<u32>,
    /// Owner, by name or number; `None` keeps that of an existing file.
    pub user: Option<String>,
    /// Group, by name or number; `None` keeps that of an existing file.
    pub group: Option<String>,
    /// Make missing folders (0755). Default true.
    pub create_dest_dirs: bool,
    /// Keep the previous file as `.bak`.
    pub backup: bool,
}

/// Quiet time before a re-render.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Wait at least this long after the last change.
    pub min: Duration,
    /// But no longer than this after the first.
    pub max: Duration,
}

/// Something that follows a changed file. Equal actions run once per batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ActionSpec {
    /// A command.
    Command {
        /// How it is started.
        form: CommandForm,
        /// Time it may take; `None`: started and not waited for. Default 30 s.
        timeout: Option<Duration>,
        /// Variables added to its environment.
        env: BTreeMap<String, String>,
    },
}

/// How a command is started.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CommandForm {
    /// Program and arguments, no shell.
    Argv(Vec<String>),
    /// One line for `sh -c`, in a process group of its own.
    Shell(String),
}
