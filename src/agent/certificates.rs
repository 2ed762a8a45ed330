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
    template::Template,
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
    let asking = || uses.iter().filter(|of| of.asked);
    // A template may find out late that it needs a certificate that another one has been given already. So what any
    // of them needs, all certificates must have.
    let (key, authority) = (asking().any(|of| of.key), asking().any(|of| of.authority));
    let places: BTreeMap<SecretRequest, Places> = issued
        .into_iter()
        .map(|request| {
            let users = plan.users(request);
            let files = users
                .filter_map(|index| Some((&templates.get(index)?.0.destination.path, uses.get(index)?)))
                .flat_map(|(destination, of)| std::iter::once(destination).chain(&of.files))
                .filter(|path| !path.as_os_str().is_empty());
            let files: BTreeSet<PathBuf> = files.cloned().collect();
            (request.clone(), Places { files, key, authority })
        })
        .collect();
    Wanted { requests, places, ..Wanted::default() }
}
