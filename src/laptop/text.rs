//! The text of a template: where its setting says, or, on a machine that isn't the pod, beside the file that says so.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::input;
use crate::{
    config::{
        partials,
        template::{TemplateSource, TemplateSpec},
    },
    problem::Problem,
    template::{Partial, Template, error::TemplateError},
};

/// A template that could be read.
pub struct Loaded {
    /// Its settings; the source is the file that was found.
    pub spec: Arc<TemplateSpec>,
    /// What its text means, or the first mistake in it.
    pub template: Result<Template, TemplateError>,
    /// What was odd.
    pub oddity: Option<Problem>,
    /// Files of partials that were read, or would have been.
    pub partials: BTreeSet<PathBuf>,
}

/// Reads and compiles a template.
///
/// # Errors
/// A file that can't be read.
pub fn load(spec: &Arc<TemplateSpec>, beside: &Path) -> Result<Loaded, Problem> {
    let (spec, text, oddity) = match &spec.source {
        TemplateSource::Inline(text) => (spec.clone(), text.to_string(), None),
        TemplateSource::Default { .. } | TemplateSource::Formatted { .. } => {
            (spec.clone(), String::new(), None)
        }
        TemplateSource::File(path) => find(spec, path, beside)?,
    };
    let mut partials = BTreeSet::new();
    let folder = folder(&spec, beside);
    let mut load = |name: &str| {
        let read = partials::read(folder.as_deref(), name);
        partials.extend(folder.iter().map(|folder| folder.join(format!("{name}.hbs"))));
        read.map(Partial::from)
    };
    let template = Template::compile(&spec, &text, &mut load);
    Ok(Loaded { template, spec, oddity, partials })
}

/// The folder of partials: where the setting says, or, on a machine that isn't the pod, one of its name beside the
/// file that says so.
fn folder(spec: &TemplateSpec, beside: &Path) -> Option<PathBuf> {
    let folder = spec.partials_path.as_deref()?;
    let near = folder.file_name().map(|name| beside.join(name)).filter(|near| near.is_dir());
    if folder.is_dir() { Some(folder.to_owned()) } else { near.or_else(|| Some(folder.to_owned())) }
}

type Found = (Arc<TemplateSpec>, String, Option<Problem>);

fn find(spec: &Arc<TemplateSpec>, path: &Path, beside: &Path) -> Result<Found, Problem> {
    let why = match input::text(path) {
        Ok(text) => return Ok((spec.clone(), text, None)),
        Err(why) => why,
    };
    let near = path.file_name().map(|name| beside.join(name)).filter(|near| near != path && near.is_file());
    let Some(near) = near else {
        let what = format!("the template file {} can't be read: {why}", path.display());
        let problem = Problem::error(what).at(spec.origin.clone());
        let folder =
            if beside == Path::new(".") { "this folder".to_owned() } else { beside.display().to_string() };
        return Err(problem.hint(format!("on a laptop, a file of this name in {folder} would do as well")));
    };
    let text = input::text(&near).map_err(|why| {
        let what = format!("the template file {} can't be read: {why}", near.display());
        Problem::error(what).at(spec.origin.clone())
    })?;
    let what = format!("{} isn't on this machine, {} stands in for it", path.display(), near.display());
    let found = TemplateSpec { source: TemplateSource::File(near), ..TemplateSpec::clone(spec) };
    Ok((Arc::new(found), text, Some(Problem::warning(what).at(spec.origin.clone()))))
}
