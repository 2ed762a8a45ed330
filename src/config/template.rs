//! What one template is: its text, its file, and what follows a change.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use nix::sys::signal::Signal;

use crate::{
    http::local::{LocalUrl, Method},
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
    /// The language of the text.
    pub dialect: Dialect,
    /// Folder of the partials that a Handlebars template may include.
    pub partials_path: Option<PathBuf>,
    /// Left and right delimiter of the Go dialect. Default `{{` and `}}`.
    pub delimiters: (String, String),
    /// The file to write.
    pub destination: Destination,
    /// What a missing key does.
    pub on_missing_key: OnMissingKey,
    /// A failing render is an error of the run (default), or is only logged.
    pub error_fatal: bool,
    /// What runs after a changed file.
    pub actions: Vec<ActionSpec>,
    /// Files that change together with this one; `None`: it changes by itself.
    pub group: Option<Arc<GroupSpec>>,
    /// Quiet time before a re-render; `None`: at once.
    pub wait: Option<Wait>,
    /// Functions that the template must not use (globs).
    pub function_denylist: Vec<String>,
    /// Folder that the function `file` must not leave.
    pub sandbox_path: Option<PathBuf>,
    /// Own refresh interval for secrets without a lease; `None`: the global one.
    pub static_secret_render_interval: Option<Duration>,
    /// Own share of a lease after which secrets that can't be renewed are read anew; `None`: the global one.
    pub lease_renewal_threshold: Option<f64>,
}

#[cfg(test)]
impl TemplateSpec {
    /// An empty text for this file, as lax as the original.
    pub(crate) fn sample(path: impl Into<PathBuf>) -> Self {
        Self {
            origin: Origin::Default,
            source: TemplateSource::Inline("".into()),
            dialect: Dialect::default(),
            partials_path: None,
            delimiters: ("{{".to_owned(), "}}".to_owned()),
            destination: Destination {
                path: path.into(),
                perms: None,
                user: None,
                group: None,
                create_dest_dirs: true,
                backup: false,
            },
            on_missing_key: OnMissingKey::Zero,
            error_fatal: true,
            actions: Vec::new(),
            group: None,
            wait: None,
            function_denylist: Vec::new(),
            sandbox_path: None,
            static_secret_render_interval: None,
            lease_renewal_threshold: None,
        }
    }
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
    /// A whole secret in one of the output formats.
    Formatted {
        /// The format.
        format: Format,
        /// The secret (may have a `?query`).
        path: VaultPath,
        /// Query parameters of the path.
        params: Params,
    },
}

/// The language of a template's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Go's text/template with the functions of consul-template.
    #[default]
    Go,
    /// Handlebars.
    Handlebars,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Go, Self::Handlebars];

    /// Its name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Handlebars => "handlebars",
        }
    }

    /// The dialect of this name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name().eq_ignore_ascii_case(name))
    }

    /// What the name of a file says, when no setting does: `.hbs` is Handlebars.
    pub fn of_file(path: &Path) -> Self {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("hbs" | "handlebars") => Self::Handlebars,
            _ => Self::Go,
        }
    }
}

/// How a whole secret is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// `KEY=value` lines, quoted for a shell; dotenv libraries read all but rare values alike.
    Dotenv,
    /// A JSON object.
    Json,
    /// A YAML mapping.
    Yaml,
    /// Java properties.
    Properties,
    /// A TOML document.
    Toml,
    /// `export KEY='value'` lines for a POSIX shell.
    Shell,
    /// Certificates and keys, one PEM block after the other.
    Pem,
}

impl Format {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 7] =
        [Self::Dotenv, Self::Json, Self::Yaml, Self::Properties, Self::Toml, Self::Shell, Self::Pem];

    /// Its name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dotenv => "dotenv",
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Properties => "properties",
            Self::Toml => "toml",
            Self::Shell => "shell",
            Self::Pem => "pem",
        }
    }

    /// The format of this name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(name))
    }
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

/// Files that change together, or not at all. What follows is among the actions of each member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSpec {
    /// Its name, which only it has.
    pub name: String,
    /// The whole set changes in one step, by a link that is swapped. Else the files change one right after the other.
    pub atomic: bool,
}

impl GroupSpec {
    /// In the folder of an atomic group: the link to the folder that counts. The kubelet's name, which watchers of
    /// such folders know.
    pub const DATA: &str = "..data";
    /// Names of these folders start like this; readers of a folder pass over names with two dots before them.
    pub const SET_PREFIX: &str = "..decant-";
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
    /// A signal to another process.
    Signal {
        /// Which.
        signal: Signal,
        /// To whom.
        to: Receiver,
    },
    /// A request to a neighbour on this machine.
    Http(HttpAction),
    /// The number in this file becomes one larger; without the file it is 1.
    Touch {
        /// The generation file.
        path: PathBuf,
    },
}

/// Who gets a signal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Receiver {
    /// Processes with this name; of a process and its children with the same name only the first.
    Name(String),
    /// The process whose number is in this file.
    PidFile(PathBuf),
}

/// A request that follows a changed file. A status from 200 to 299 is a success; redirects are not followed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HttpAction {
    /// Default `POST`.
    pub method: Method,
    /// Loopback or a Unix socket.
    pub url: LocalUrl,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Default empty.
    pub body: String,
    /// Time for connection and answer. Default 10 s.
    pub timeout: Duration,
}

/// Headers and body may be credentials.
impl std::fmt::Debug for HttpAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HttpAction({} {})", self.method.name(), self.url)
    }
}

/// How a command is started.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CommandForm {
    /// Program and arguments, no shell.
    Argv(Vec<String>),
    /// One line for `sh -c`, in a process group of its own.
    Shell(String),
}
