//! Text and data in, text out: the two template dialects, pure, bounded, never waiting.

pub mod answer;
mod default;
pub mod error;
pub mod fixture;
pub mod format;
mod formatted;
pub mod go;
mod handlebars;
pub mod host;
pub mod oddity;
pub mod redact;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use zeroize::Zeroizing;

use self::{
    error::TemplateError,
    formatted::Formatted,
    go::{
        calls::{self, Asks, CalledPath, ProgramCall, SecretCall},
        certificate::{self, CertificateUse},
        ctx::{Ctx, Settings},
        exec,
        funcs::{Func, Registry},
        literal,
        parser::{self, Trees},
        value::Value,
    },
    handlebars::Compiled,
    host::{FileEffect, Host, Program},
    oddity::Oddity,
    redact::Redactor,
};
use crate::{
    config::template::{DefaultForm, Dialect, OnMissingKey, TemplateSource, TemplateSpec},
    origin::Origin,
    secrets::request::{AuthId, SecretRequest, Verb},
    vault::path::{Namespace, Params, VaultPath},
};

/// Whose requests a render makes.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// The login.
    pub auth: AuthId,
    /// The namespace; `None` is the root.
    pub namespace: Option<Namespace>,
}

/// A template that was read once and can be rendered any number of times.
pub struct Template {
    body: Body,
    origin: Origin,
    whole_file: bool,
    settings: Settings,
}

enum Body {
    Go { text: Arc<str>, trees: Arc<Trees> },
    Default { form: DefaultForm, path: VaultPath, params: Params },
    Formatted(Formatted),
    Handlebars(Box<Compiled>),
}

/// The text of a partial, and where it is.
#[derive(Clone, Debug)]
pub struct Partial {
    /// Its file.
    pub path: Arc<Path>,
    /// Its text.
    pub text: String,
}

impl From<(PathBuf, String)> for Partial {
    fn from((path, text): (PathBuf, String)) -> Self {
        Self { path: path.into(), text }
    }
}

/// Finds partials by name; an error has words for the user.
pub type LoadPartial<'l> = &'l mut dyn FnMut(&str) -> Result<Partial, String>;

/// What a render gives. While anything is missing, `bytes` and `effects` are not to be used.
#[derive(Default)]
pub struct Render {
    /// The text.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Files to write beside it, in the order of the calls.
    pub effects: Vec<FileEffect>,
    /// Every request that was made.
    pub used: BTreeSet<SecretRequest>,
    /// The requests without an answer yet.
    pub missing: BTreeSet<SecretRequest>,
    /// A program (`plugin`) whose output is not there yet. The pass ended there, so that nothing was asked for with
    /// an output that is none.
    pub program: Option<Program>,
    /// What the text holds that no application expects, the first place of each kind.
    pub oddities: Vec<Oddity>,
    /// Why this pass broke off, when that may be due to what is missing.
    pub blocked: Option<TemplateError>,
}

impl Render {
    /// Whether everything was there, so that the bytes can be used.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.program.is_none()
    }
}

/// For texts that include no partials.
///
/// # Errors
/// Always.
pub fn no_partials(_: &str) -> Result<Partial, String> {
    Err("there are no partials here".to_owned())
}

impl Template {
    /// Reads a template's text, once, and the partials that it includes. Default forms and output formats have none.
    ///
    /// # Errors
    /// The first mistake in the text or in a partial.
    pub fn compile(spec: &TemplateSpec, text: &str, load: LoadPartial<'_>) -> Result<Self, TemplateError> {
        Self::compile_with(spec, text, &[], load)
    }

    /// The same with functions that only a test of the engine has.
    ///
    /// # Errors
    /// As [`Template::compile`].
    pub fn compile_with(
        spec: &TemplateSpec,
        text: &str,
        extra: &'static [Func],
        load: LoadPartial<'_>,
    ) -> Result<Self, TemplateError> {
        let (origin, whole_file) = match &spec.source {
            TemplateSource::File(path) => {
                (Origin::File { path: path.as_path().into(), line: 0, column: 0 }, true)
            }
            _ => (spec.origin.clone(), false),
        };
        let body = match &spec.source {
            TemplateSource::Default { form, path, params } => {
                Body::Default { form: *form, path: path.clone(), params: params.clone() }
            }
            TemplateSource::Formatted { format, path, params } => {
                Body::Formatted(Formatted::new(*format, path, params))
            }
            _ if spec.dialect == Dialect::Handlebars => {
                let strict = spec.on_missing_key == OnMissingKey::Error;
                let how = (strict, spec.sandbox_path.clone());
                let place = (&origin, whole_file);
                Body::Handlebars(Box::new(Compiled::new(text, place, &spec.function_denylist, load, how)?))
            }
            _ => {
                let registry = Registry::new(&spec.function_denylist).with_extra(extra);
                let trees = parser::parse(text, (&spec.delimiters.0, &spec.delimiters.1), &registry)
                    .map_err(|fault| TemplateError::new(*fault, text, &origin, whole_file))?;
                Body::Go { text: text.into(), trees: Arc::new(trees) }
            }
        };
        let settings = Settings {
            auth: AuthId::default(),
            namespace: None,
            error_on_missing_key: spec.on_missing_key == OnMissingKey::Error,
            sandbox: spec.sandbox_path.clone(),
        };
        Ok(Self { body, origin, whole_file, settings })
    }

    /// Reads and listings that every render makes, known from the text alone, so that they can be fetched at once.
    /// Writes are not among them, nor what a condition may skip: a read can make credentials.
    pub fn literal_requests(&self, identity: &Identity) -> Vec<SecretRequest> {
        let request = |(verb, path, params)| SecretRequest {
            auth: identity.auth.clone(),
            namespace: identity.namespace.clone(),
            verb,
            path,
            params,
        };
        match &self.body {
            Body::Go { trees, .. } => literal::requests(trees).into_iter().map(request).collect(),
            Body::Default { path, params, .. } => vec![request((Verb::Read, path.clone(), params.clone()))],
            Body::Formatted(formatted) => formatted.literal_request().into_iter().map(request).collect(),
            Body::Handlebars(compiled) => compiled.literal_requests().into_iter().map(request).collect(),
        }
    }

    /// Every place of the text that asks the server for something, conditions or not.
    pub fn calls(&self) -> Vec<SecretCall> {
        match &self.body {
            Body::Go { text, trees } => calls::calls(trees, text),
            Body::Default { path, .. } => vec![SecretCall {
                function: "secret",
                asks: Asks::Read,
                path: CalledPath::Known(path.clone()),
                line: 1,
                column: 1,
            }],
            Body::Formatted(formatted) => vec![formatted.call()],
            Body::Handlebars(compiled) => compiled.calls(),
        }
    }

    /// Every place of the text that runs a program (`plugin`).
    pub fn programs(&self) -> Vec<ProgramCall> {
        match &self.body {
            Body::Go { text, trees } => calls::programs(trees, text),
            // The function is one of the Go dialect.
            Body::Default { .. } | Body::Formatted(_) | Body::Handlebars(_) => Vec::new(),
        }
    }

    /// What it does with certificates, known from the text alone.
    pub fn certificate_use(&self) -> CertificateUse {
        match &self.body {
            Body::Go { trees, .. } => certificate::of_trees(trees),
            Body::Default { .. } => CertificateUse::default(),
            Body::Formatted(formatted) => formatted.certificate_use(),
            Body::Handlebars(compiled) => compiled.certificate_use(),
        }
    }

    /// The text that it was read from; default forms and formats have none.
    pub fn text(&self) -> &str {
        match &self.body {
            Body::Go { text, .. } => text,
            Body::Default { .. } | Body::Formatted(_) => "",
            Body::Handlebars(compiled) => compiled.text(),
        }
    }

    /// Renders with what the host has now.
    ///
    /// # Errors
    /// A mistake that more data can't mend: nothing was missing when it happened.
    pub fn render(&self, host: &mut dyn Host, identity: &Identity) -> Result<Render, TemplateError> {
        match &self.body {
            Body::Go { text, trees } => self.render_go(host, identity, text, trees),
            Body::Default { form, path, params } => {
                let request = SecretRequest {
                    auth: identity.auth.clone(),
                    namespace: identity.namespace.clone(),
                    verb: Verb::Read,
                    path: path.clone(),
                    params: params.clone(),
                };
                Ok(default::render(*form, host, request))
            }
            Body::Formatted(formatted) => formatted.render(host, identity, &self.origin),
            Body::Handlebars(compiled) => compiled.render(host, identity),
        }
    }

    fn render_go(
        &self,
        host: &mut dyn Host,
        identity: &Identity,
        text: &Arc<str>,
        trees: &Arc<Trees>,
    ) -> Result<Render, TemplateError> {
        let settings = Settings {
            auth: identity.auth.clone(),
            namespace: identity.namespace.clone(),
            ..self.settings.clone()
        };
        let mut ctx = Ctx::for_template(host, settings, trees.clone(), text.clone());
        let result = exec::run(&mut ctx, "", Value::Nil);
        let mut render = Render {
            used: std::mem::take(&mut ctx.used),
            missing: std::mem::take(&mut ctx.missing),
            program: ctx.program.take(),
            ..Render::default()
        };
        match result {
            Ok(bytes) => {
                render.bytes = bytes;
                render.effects = std::mem::take(&mut ctx.effects);
                render.oddities = std::mem::take(&mut ctx.oddities);
            }
            Err(fault) => {
                let error = TemplateError::new(*fault, text, &self.origin, self.whole_file);
                let error =
                    error.hiding(&Redactor::new(ctx.host, &render.used, text).and(&ctx.printed, text));
                if render.is_complete() {
                    return Err(error);
                }
                render.blocked = Some(error);
            }
        }
        Ok(render)
    }
}

#[cfg(test)]
mod tests;
