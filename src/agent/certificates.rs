//! Where the templates of an issued certificate keep it, so that the store can look there before it asks.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use super::plan::Plan;
use crate::{
    config::template::TemplateSpec,
    secrets::{
        pki::Places,
        request::{SecretRequest, Verb, Wanted},
    },
    template::{
        Template,
        go::{certificate::CertificateUse, literal::Literal},
    },
};

/// The requests, with the files of the templates that use the certificates among them.
pub(super) fn wanted(
    requests: BTreeSet<SecretRequest>,
    plan: &Plan,
    templates: &[(Arc<TemplateSpec>, Template)],
) -> Wanted {
    let issued: Vec<&SecretRequest> =
        requests.iter().filter(|request| matches!(request.verb, Verb::Issue(_))).collect();
    if issued.is_empty() {
        return requests.into();
    }
    let uses: Vec<_> = templates.iter().map(|(_, template)| template.certificate_use()).collect();
    let known: Vec<(&SecretRequest, BTreeSet<usize>)> =
        issued.into_iter().map(|request| (request, users(request, plan, &uses))).collect();
    let late: Vec<&CertificateUse> = uses
        .iter()
        .enumerate()
        .filter(|(index, of)| {
            let of_it = known.iter().filter(|(_, users)| users.contains(index));
            may_ask_later(of, of_it.map(|(request, _)| *request))
        })
        .map(|(_, of)| of)
        .collect();
    let places = known.into_iter().map(|(request, users)| {
        let own = || users.iter().filter_map(|index| Some((&templates.get(*index)?.0, uses.get(*index)?)));
        let files = own()
            .flat_map(|(spec, of)| std::iter::once(&spec.destination.path).chain(&of.files))
            .filter(|path| !path.as_os_str().is_empty());
        let files: BTreeSet<PathBuf> = files.cloned().collect();
        let all = || own().map(|(_, of)| of).chain(late.iter().copied());
        let (key, authority) = (all().any(|of| of.key), all().any(|of| of.authority));
        (request.clone(), Places { files, key, authority })
    });
    let places: BTreeMap<SecretRequest, Places> = places.collect();
    Wanted { requests, places, ..Wanted::default() }
}

/// Templates that use this certificate by now, or surely will once they get there.
fn users(request: &SecretRequest, plan: &Plan, uses: &[CertificateUse]) -> BTreeSet<usize> {
    let will = uses.iter().enumerate().filter(|(_, of)| of.literal.iter().any(|one| is(request, one)));
    plan.users(request).chain(will.map(|(index, _)| index)).collect()
}

/// Whether the template may find out late that it needs a certificate, and nobody knows which: one that others have
/// been given already, perhaps. So what it needs, all certificates must have.
fn may_ask_later<'a>(of: &CertificateUse, known: impl Iterator<Item = &'a SecretRequest>) -> bool {
    let found = known.filter(|request| !of.literal.iter().any(|one| is(request, one))).count();
    of.repeated || of.computed > found
}

fn is(request: &SecretRequest, (verb, path, params): &Literal) -> bool {
    request.verb == *verb && request.path == *path && request.params == *params
}

#[cfg(test)]
mod tests;
