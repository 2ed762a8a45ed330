//! What `render` and `check` are to look at, and with which settings.

use std::path::PathBuf;

use super::{Usage, asked::Asked};
use crate::{
    config::{
        raw::Raw,
        template::{Dialect, Format},
    },
    laptop::{
        input::{Bare, Form, Given},
        policy::Mounts,
    },
};

/// Options of `render`.
#[derive(Clone, Debug)]
pub struct RenderOptions {
    /// What to render, at least one.
    pub given: Vec<Given>,
    /// Settings of bare template files.
    pub bare: Bare,
    /// File with secrets; `None`: from the server.
    pub fixture: Option<PathBuf>,
    /// Mounts of KV version 2 that the fixture doesn't give away.
    pub kv2: Vec<String>,
    /// Folder to write to; `None`: standard output.
    pub out: Option<PathBuf>,
    /// Show differences and write nothing.
    pub diff: bool,
    /// Render again on save.
    pub watch: bool,
    /// Show values on a terminal.
    pub reveal: bool,
    /// Settings from flags.
    pub flags: Box<Raw>,
}

/// Options of `check`.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// What to check, at least one.
    pub given: Vec<Given>,
    /// Settings of bare template files.
    pub bare: Bare,
    /// What is known of the server's mounts.
    pub mounts: Mounts,
    /// How to print.
    pub format: CheckFormat,
    /// Warnings count as errors.
    pub strict: bool,
    /// Settings from flags.
    pub flags: Box<Raw>,
}

/// How `check` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// The policy alone.
    Hcl,
}

/// Flags that say what a file is.
const FORMS: [(&str, Form); 4] = [
    ("template", Form::Template),
    ("config", Form::Config),
    ("manifest", Form::Manifest),
    ("annotations", Form::Annotations),
];

impl Asked {
    /// Options of `render`.
    pub(super) fn render(&self) -> Result<RenderOptions, Usage> {
        let (given, watch) = (self.given(self.secrets()?)?, self.is_set("watch")?);
        if watch && given.iter().any(|given| given.path.as_os_str() == "-") {
            return Err(self.wrong("standard input can't be watched: write it into a file and name that"));
        }
        Ok(RenderOptions {
            given,
            bare: self.bare()?,
            fixture: self.path("fixture", "a file with secrets")?,
            kv2: self.mounts("kv2"),
            out: self.path("out", "the folder to write to")?,
            diff: self.is_set("diff")?,
            watch,
            reveal: self.is_set("reveal")?,
            flags: Box::new(self.settings()?),
        })
    }

    /// A path, which an empty variable of a script is not.
    fn path(&self, flag: &str, names: &str) -> Result<Option<PathBuf>, Usage> {
        match self.text(flag) {
            Some("") => Err(self.wrong(&format!("-{flag} is empty: it names {names}"))),
            path => Ok(path.map(PathBuf::from)),
        }
    }

    /// Options of `check`.
    pub(super) fn check(&self) -> Result<CheckOptions, Usage> {
        let format = match self.text("format") {
            None | Some("text") => CheckFormat::Text,
            Some("json") => CheckFormat::Json,
            Some("hcl") => CheckFormat::Hcl,
            Some(other) => {
                return Err(self.wrong(&format!("{other:?} is no -format: expected text, json or hcl")));
            }
        };
        Ok(CheckOptions {
            given: self.given(Vec::new())?,
            bare: self.bare()?,
            mounts: Mounts {
                kv2: self.mounts("kv2").into_iter().collect(),
                other: self.mounts("kv1").into_iter().collect(),
            },
            format,
            strict: self.is_set("strict")?,
            flags: Box::new(self.settings()?),
        })
    }

    /// Secrets that are to be written in a format.
    fn secrets(&self) -> Result<Vec<Given>, Usage> {
        let format = match self.text("format") {
            None => Format::Json,
            Some(name) => Format::parse(name).ok_or_else(|| {
                let names = Format::ALL.map(Format::name).join(", ");
                self.wrong(&format!("{name:?} is no -format: expected one of {names}"))
            })?,
        };
        let paths = self.paths("secret");
        if paths.is_empty() && self.text("format").is_some() {
            return Err(self.wrong("-format needs to know which secret it writes: name it with -secret"));
        }
        Ok(paths.into_iter().map(|path| Given { path, form: Some(Form::Secret(format)) }).collect())
    }

    fn given(&self, secrets: Vec<Given>) -> Result<Vec<Given>, Usage> {
        let words = self.rest.iter().map(|word| Given { path: word.into(), form: None });
        let said = FORMS.iter().flat_map(|(flag, form)| {
            self.paths(flag).into_iter().map(|path| Given { path, form: Some(*form) })
        });
        let given: Vec<Given> = words.chain(said).chain(secrets).collect();
        if given.is_empty() {
            return Err(
                self.wrong("there is nothing to look at: name a template, a configuration or a manifest")
            );
        }
        Ok(given)
    }

    fn bare(&self) -> Result<Bare, Usage> {
        Ok(Bare {
            left: self.text("left-delimiter").map(str::to_owned),
            right: self.text("right-delimiter").map(str::to_owned),
            dialect: match self.text("dialect") {
                None => None,
                Some(name) => Some(Dialect::parse(name).ok_or_else(|| {
                    self.wrong(&format!("{name:?} is no -dialect: expected go or handlebars"))
                })?),
            },
            error_on_missing_key: match self.text("error-on-missing-key") {
                None => None,
                Some(_) => Some(self.is_set("error-on-missing-key")?),
            },
        })
    }

    fn mounts(&self, flag: &str) -> Vec<String> {
        let said = self.values(flag);
        said.flat_map(|list| list.split(','))
            .map(|mount| mount.trim().trim_matches('/').to_owned())
            .filter(|mount| !mount.is_empty())
            .collect()
    }
}
