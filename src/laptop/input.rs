//! What was given on the command line, judged by name and contents, as templates with all their settings.

use std::{
    collections::BTreeSet,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    bare, deprecated,
    manifest::{self, Pod},
};
use crate::{
    config::{
        Config, annotation,
        downward::{self, Annotations},
        env::Environment,
        load, pod,
        raw::Raw,
        resolve::{self, Draft},
        template::{Dialect, Format, TemplateSpec},
    },
    origin::Origin,
    problem::{Problem, Severity, system_words},
};

/// Largest file that is read.
const MOST_BYTES: u64 = 16 << 20;
/// Endings of template files; what stands before them names the file that the template makes.
pub(super) const TEMPLATE_ENDINGS: [&str; 7] =
    ["tmpl", "ctmpl", "tpl", "gotmpl", "template", "hbs", "handlebars"];

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A template's text.
    Template,
    /// A configuration file, or a folder of them.
    Config,
    /// Kubernetes objects in YAML or JSON.
    Manifest,
    /// The downward-API file with a pod's annotations.
    Annotations,
    /// No file at all: the path of a secret, written in this format.
    Secret(Format),
}

/// One file or folder that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Where it is; `-` is standard input.
    pub path: PathBuf,
    /// What it is, when the user says so.
    pub form: Option<Form>,
}

/// What the inputs are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Only what templates need has to be right.
    Render,
    /// Everything is looked at.
    Check,
}

/// Settings of template files that are given by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bare {
    /// Left delimiter; `None`: `{{`.
    pub left: Option<String>,
    /// Right delimiter; `None`: `}}`.
    pub right: Option<String>,
    /// Dialect; `None`: what the file's name says.
    pub dialect: Option<Dialect>,
    /// Whether a missing key is an error; `None`: as the dialect has it.
    pub error_on_missing_key: Option<bool>,
}

/// Templates that belong together: those of a configuration, of a pod, or one by itself.
#[derive(Debug)]
pub struct Unit {
    /// What it is called in messages.
    pub name: String,
    /// The pod, where there is one.
    pub pod: Option<String>,
    /// Folder in which a template file is looked for that isn't at its path.
    pub beside: PathBuf,
    /// The server and the templates; `None`: nothing can be rendered.
    pub config: Option<Config>,
    /// What was found.
    pub problems: Vec<Problem>,
}

impl Unit {
    /// The templates.
    pub fn templates(&self) -> &[Arc<TemplateSpec>] {
        self.config.as_ref().map_or(&[], |config| &config.templates)
    }

    /// Whether something keeps it from being used.
    pub fn is_broken(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// Everything that was given.
#[derive(Debug, Default)]
pub struct Inputs {
    /// In the order of the command line; all configurations are one, where the first of them stands.
    pub units: Vec<Unit>,
    /// Files to watch.
    pub files: BTreeSet<PathBuf>,
}

/// How inputs are read.
#[derive(Clone, Copy, Debug)]
pub struct How<'a> {
    /// What for.
    pub purpose: Purpose,
    /// Settings of bare template files.
    pub bare: &'a Bare,
    /// Settings from flags.
    pub flags: &'a Raw,
    /// The environment; empty for a check, which must not depend on it.
    pub environment: &'a Environment,
}

/// Reads everything. What can't be read is a problem of its unit.
pub fn read(given: &[Given], how: How<'_>) -> Inputs {
    let mut inputs = Inputs::default();
    let mut configs: Option<(usize, Vec<PathBuf>)> = None;
    for one in given {
        if let Some(Form::Secret(format)) = one.form {
            inputs.units.push(bare::secret(&one.path, format, how));
            continue;
        }
        inputs.files.insert(one.path.clone());
        let text = if one.path.is_dir() { Ok(String::new()) } else { text(&one.path) };
        let text = match text {
            Ok(text) => text,
            Err(why) => {
                let problem = Problem::error(format!("can't be read: {why}")).at(whole(&one.path));
                inputs.units.push(unit(&one.path, Err(vec![problem])));
                continue;
            }
        };
        match one.form.unwrap_or_else(|| form_of(&one.path, &text)) {
            Form::Template => inputs.units.push(bare::template(&one.path, how)),
            Form::Annotations => inputs.units.push(annotations(&one.path, how)),
            Form::Manifest => inputs.units.extend(pods(&one.path, &text, how)),
            Form::Config | Form::Secret(_) => {
                configs.get_or_insert((inputs.units.len(), Vec::new())).1.push(one.path.clone())
            }
        }
    }
    if let Some((at, paths)) = configs {
        for folder in paths.iter().filter(|path| path.is_dir()) {
            let inside = std::fs::read_dir(folder).into_iter().flatten().flatten();
            inputs.files.extend(inside.map(|entry| entry.path()).filter(|path| path.is_file()));
        }
        inputs.units.insert(at, config(&paths, how));
    }
    if how.purpose == Purpose::Render {
        inputs.units.iter_mut().for_each(without_templates);
    }
    inputs
}

/// Nothing on the screen would look like success.
fn without_templates(unit: &mut Unit) {
    if !unit.is_broken() && unit.config.as_ref().is_some_and(|config| config.templates.is_empty()) {
        let problem = Problem::error(format!("there is nothing to render: {} has no template", unit.name));
        unit.problems
            .push(problem.expected("a `template { … }` stanza, or an annotation agent-inject-secret-NAME"));
    }
}

pub(super) fn whole(path: &Path) -> Origin {
    Origin::File { path: path.into(), line: 0, column: 0 }
}

pub(super) fn unit(path: &Path, found: Result<Config, Vec<Problem>>) -> Unit {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (config, problems) = match found {
        Ok(mut config) => {
            let problems = std::mem::take(&mut config.warnings);
            (Some(config), problems)
        }
        Err(problems) => (None, problems),
    };
    let beside = if path.is_dir() { path.to_owned() } else { folder.to_owned() };
    Unit { name: path.display().to_string(), pod: None, beside, config, problems }
}

/// The text of a file of moderate size.
///
/// # Errors
/// Words for the user.
pub fn text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(MOST_BYTES + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| system_words(&error))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("it is larger than {} MiB", MOST_BYTES >> 20));
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("it is not UTF-8 text (byte {} is not)", error.utf8_error().valid_up_to()))
}

/// What a file most likely is.
fn form_of(path: &Path, text: &str) -> Form {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if path.is_dir() || ending == "hcl" {
        return Form::Config;
    }
    if TEMPLATE_ENDINGS.contains(&ending) {
        return Form::Template;
    }
    if manifest::looks_like(text) {
        return Form::Manifest;
    }
    if is_downward(text) {
        return Form::Annotations;
    }
    if is_json_config(text) {
        return Form::Config;
    }
    match ending {
        "json" if !text.contains("{{") => Form::Config,
        "yaml" | "yml" if !text.contains("{{") => Form::Manifest,
        _ => Form::Template,
    }
}

/// Whether the first line has the form `name/part="value"`.
fn is_downward(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default();
    let Some((name, _)) = line.split_once("=\"") else { return false };
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte))
}

/// Whether it is JSON with stanzas of a configuration. Texts of templates in it make it no template.
fn is_json_config(text: &str) -> bool {
    /// Stanzas with contents of their own, which no file of an application has by chance.
    const STANZAS: [&str; 5] = ["auto_auth", "template", "template_config", "env_template", "vault"];
    if !text.trim_start().starts_with('{') {
        return false;
    }
    let Ok(serde_json::Value::Object(root)) = serde_json::from_str(text) else { return false };
    STANZAS.iter().any(|name| root.get(*name).is_some_and(|stanza| stanza.is_object() || stanza.is_array()))
}

/// All configuration files together, as the agent merges them.
fn config(paths: &[PathBuf], how: How<'_>) -> Unit {
    let files: Vec<PathBuf> = paths.to_vec();
    let found = load::load(&files).and_then(|raw| match how.purpose {
        Purpose::Render => resolve::for_templates(raw, how.flags.clone(), how.environment).usable(),
        Purpose::Check => Ok(checked(raw, paths, how)),
    });
    let mut unit = unit(&paths[0], found);
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    unit.name = names.join(" + ");
    if how.purpose == Purpose::Check {
        unit.problems.extend(deprecated::in_files(paths));
    }
    unit
}

/// A configuration that is looked at as far as it goes, so that mistakes in its templates are said along with its own.
fn checked(raw: Raw, paths: &[PathBuf], how: How<'_>) -> Config {
    let draft = if only_templates(&raw) {
        let mut draft = resolve::for_templates(raw, how.flags.clone(), how.environment);
        let what = "there is no `auto_auth`: an agent with this configuration alone doesn't start";
        draft.problems.push(
            Problem::warning(what)
                .at(whole(&paths[0]))
                .hint("check it together with the file that has the login, as -config names both"),
        );
        draft
    } else {
        resolve::draft(raw, how.flags.clone(), how.environment)
    };
    as_it_is(draft)
}

/// With what was found as its warnings, errors too.
fn as_it_is(draft: Draft) -> Config {
    Config { warnings: draft.problems, ..draft.config }
}

fn only_templates(raw: &Raw) -> bool {
    let idle = &raw.idle;
    raw.auto_auth.is_none() && !raw.templates.is_empty() && idle.cache.is_none() && idle.listeners.is_empty()
}

fn annotations(path: &Path, how: How<'_>) -> Unit {
    match downward::read(path) {
        Ok(found) => {
            let mut unit = unit(path, of_pod(&found, how));
            unit.problems.extend(found.oddity(path));
            unit
        }
        Err(error) => unit(path, Err(error.problems())),
    }
}

fn of_pod(annotations: &Annotations, how: How<'_>) -> Result<Config, Vec<Problem>> {
    if how.purpose == Purpose::Check {
        let draft = pod::draft(annotations, Raw::default(), how.flags.clone(), how.environment);
        return draft.map(as_it_is).ok_or_else(|| vec![switched_off()]);
    }
    let (asked, mut problems) = annotation::read(annotations);
    if asked.switched_off {
        problems.push(switched_off());
        return Err(problems);
    }
    let raw = annotation::over(Raw::default(), asked.raw);
    let Draft { config, problems: more } = resolve::for_templates(raw, how.flags.clone(), how.environment);
    problems.extend(more);
    Draft { config, problems }.usable()
}

fn switched_off() -> Problem {
    Problem::warning("the annotation agent-inject is false: nothing is rendered for this pod")
}

fn pods(path: &Path, text: &str, how: How<'_>) -> Vec<Unit> {
    let file: Arc<Path> = path.into();
    let pods = match manifest::pods(text, &file) {
        Ok(pods) => pods,
        Err(problem) => return vec![unit(path, Err(vec![problem]))],
    };
    let found_some = !pods.is_empty();
    let ours: Vec<Unit> = pods
        .into_iter()
        .filter(|pod| !pod.annotations.is_empty() || !pod.problems.is_empty())
        .map(|pod| of_manifest(path, &file, pod, how))
        .collect();
    if !ours.is_empty() {
        return ours;
    }
    let what =
        if found_some { "no pod has an annotation that decant reads" } else { "there is no pod in it" };
    let problem = Problem::error(what)
        .at(whole(path))
        .expected("a Pod, Deployment or the like, with names that begin with vault.hashicorp.com/")
        .hint("annotations belong to the pod: spec.template.metadata.annotations of a Deployment");
    vec![unit(path, Err(vec![problem]))]
}

fn of_manifest(path: &Path, file: &Arc<Path>, mut pod: Pod, how: How<'_>) -> Unit {
    let pairs = pod.annotations.iter().map(|(name, value, _)| (name.clone(), value.clone()));
    let found = if pod.annotations.is_empty() {
        Err(Vec::new())
    } else {
        of_pod(&pairs.collect::<Annotations>(), how)
    };
    let mut unit = unit(path, found);
    for problem in &mut unit.problems {
        if let Some(Origin::Annotation(name)) = problem.origin.clone()
            && let Some(place) = pod.place(&name, file)
        {
            problem.what = format!("annotation {name}: {}", problem.what);
            problem.origin = Some(place);
        }
    }
    if let Some(config) = &mut unit.config {
        for spec in &mut config.templates {
            if let Origin::Annotation(name) = &spec.origin
                && let Some(place) = pod.place(name, file)
            {
                *spec = Arc::new(TemplateSpec { origin: place, ..TemplateSpec::clone(spec) });
            }
        }
    }
    unit.problems.append(&mut pod.problems);
    unit.name = format!("{} ({})", path.display(), pod.name);
    unit.pod = Some(pod.name);
    unit
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests lay out the files they read")]
mod tests;
