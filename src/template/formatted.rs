//! A template without a text: one secret, written in an output format.

use super::{
    Identity, Render, answer,
    error::TemplateError,
    format,
    go::{
        calls::{Asks, CalledPath, SecretCall},
        certificate::CertificateUse,
        fault::{Cause, Fault, Place},
        literal::Literal,
    },
    host::Host,
};
use crate::{
    config::template::Format,
    origin::Origin,
    secrets::request::{SecretRequest, Verb},
    vault::path::{Params, VaultPath},
};

/// The secret and its format.
pub(super) struct Formatted {
    format: Format,
    verb: Verb,
    path: VaultPath,
    params: Params,
}

impl Formatted {
    /// For a PEM bundle from the PKI engine, the path's query holds the fields of the certificate to issue.
    pub(super) fn new(format: Format, path: &VaultPath, params: &Params) -> Self {
        let issues = format == Format::Pem && path.as_str().rsplit('/').nth(1) == Some("issue");
        let (verb, params) =
            if issues { (Verb::Issue(params.clone()), Params::new()) } else { (Verb::Read, params.clone()) };
        Self { format, verb, path: path.clone(), params }
    }

    /// The request, when it can be made before anything else is known: an issued certificate may be on disk.
    pub(super) fn literal_request(&self) -> Option<Literal> {
        (self.verb == Verb::Read).then(|| (Verb::Read, self.path.clone(), self.params.clone()))
    }

    pub(super) fn call(&self) -> SecretCall {
        let (function, asks) = match self.verb {
            Verb::Issue(_) => ("pkiCert", Asks::Issue),
            _ => ("secret", Asks::Read),
        };
        SecretCall { function, asks, path: CalledPath::Known(self.path.clone()), line: 1, column: 1 }
    }

    pub(super) fn certificate_use(&self) -> CertificateUse {
        if !matches!(self.verb, Verb::Issue(_)) {
            return CertificateUse::default();
        }
        let literal = vec![(self.verb.clone(), self.path.clone(), self.params.clone())];
        CertificateUse { literal, key: true, authority: true, ..CertificateUse::default() }
    }

    /// Renders with what the host has now.
    ///
    /// # Errors
    /// A secret without data, or with something that the format can't hold.
    pub(super) fn render(
        &self,
        host: &mut dyn Host,
        identity: &Identity,
        origin: &Origin,
    ) -> Result<Render, TemplateError> {
        let request = SecretRequest {
            auth: identity.auth.clone(),
            namespace: identity.namespace.clone(),
            verb: self.verb.clone(),
            path: self.path.clone(),
            params: self.params.clone(),
        };
        let mut render = Render::default();
        match host.secret(&request) {
            None => {
                render.missing.insert(request.clone());
            }
            Some(secret) => {
                let certificate;
                let data = match self.verb {
                    Verb::Issue(_) => {
                        certificate = answer::certificate(&secret);
                        Some(&certificate)
                    }
                    _ => answer::data(&secret),
                };
                let Some(data) = data else {
                    let what = format!("the secret {} has no data to write", self.path);
                    return Err(error(what, Some("it may be deleted".to_owned()), origin));
                };
                let text = format::write(self.format, data).map_err(|failed| {
                    let what = format!("{} can't be written as {}: {failed}", self.path, self.format.name());
                    error(what, failed.hint, origin)
                })?;
                render.bytes.extend_from_slice(text.as_bytes());
            }
        }
        render.used.insert(request);
        Ok(render)
    }
}

fn error(what: String, hint: Option<String>, origin: &Origin) -> TemplateError {
    let place = Place::Exec { template: "".into(), node: None };
    let mut fault = Fault::new(Cause::WrongType, 0, what, place);
    fault.hint = hint;
    TemplateError::new(fault, "", origin, false)
}
