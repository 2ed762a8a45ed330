//! The text of a template: where its setting says, or, on a machine that isn't the pod, beside the file that says so.

use std::{path::Path, sync::Arc};

use super::input;
use crate::{
    config::template::{TemplateSource, TemplateSpec},
    problem::Problem,
    template::{Template, error::TemplateError},
};

/// A template that could be read.
pub struct Loaded {
    /// Its settings; the source is the file that was found.
    pub spec: Arc<TemplateSpec>,
    /// What its text means, or the first mistake in it.
    pub template: Result<Template, TemplateError>,
    /// The text.
    pub text: String,
    /// What was odd.
    pub oddity: Option<Problem>,
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
    Ok(Loaded { template: Template::compile(&spec, &text), spec, text, oddity })
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
        return Err(problem.hint(format!("here it may also lie in {}", beside.display())));
    };
    let text = input::text(&near).map_err(|why| {
        let what = format!("the template file {} can't be read: {why}", near.display());
        Problem::error(what).at(spec.origin.clone())
    })?;
    let what = format!("{} isn't on this machine, {} stands in for it", path.display(), near.display());
    let found = TemplateSpec { source: TemplateSource::File(near), ..TemplateSpec::clone(spec) };
    Ok((Arc::new(found), text, Some(Problem::warning(what).at(spec.origin.clone()))))
}
