use std::path::Path;

use super::*;
use crate::{
    agent::{
        event::{Event, Rendered},
        plan::PlanConfig,
    },
    config::template::TemplateSource,
    secrets::request::AuthId,
    vault::path::VaultPath,
};

fn certificate(name: &str) -> SecretRequest {
    let fields = [("common_name".into(), name.into())].into();
    let (path, params) = VaultPath::parse("pki/issue/web").unwrap();
    SecretRequest { auth: AuthId::default(), namespace: None, verb: Verb::Issue(fields), path, params }
}

fn template(name: &str, text: &str) -> (Arc<TemplateSpec>, Template) {
    let spec = TemplateSpec { source: TemplateSource::Inline(text.into()), ..TemplateSpec::sample(name) };
    let template = Template::compile(&spec, text, &mut |_| Err(Default::default())).unwrap();
    (Arc::new(spec), template)
}

/// What must be on disk for the certificate of `a`, when the first template has asked for it, and the others for what
/// is named beside their texts.
fn needed(templates: &[(&str, Option<&str>)]) -> (Vec<String>, bool, bool) {
    let compiled: Vec<_> =
        templates.iter().zip(["one", "two"]).map(|((text, _), name)| template(name, text)).collect();
    let config =
        PlanConfig { once: true, complete: true, exit_on_failure: false, retries: None, sinks: false };
    let specs = compiled.iter().map(|(spec, _)| (spec.clone(), BTreeSet::new()));
    let mut plan = Plan::new(config, specs.collect());
    let now = crate::clock::Clock::system().now();
    for (index, (_, asked)) in templates.iter().enumerate() {
        let used = asked.iter().map(|name| certificate(name)).collect();
        plan.on(Event::Rendered(index, Rendered::Waiting { used, program: None }), now);
    }
    let requests = templates.iter().filter_map(|(_, asked)| asked.map(certificate)).collect();
    let mut wanted = wanted(requests, &plan, &compiled);
    let places = wanted.places.remove(&certificate("a")).unwrap();
    let files = places.files.iter().map(|path: &PathBuf| Path::display(path).to_string());
    (files.collect(), places.key, places.authority)
}

const WITH: &str = "{{ with pkiCert \"pki/issue/web\" \"common_name=a\" }}";

#[test]
fn each_certificate_must_have_what_its_own_templates_use() {
    let a = &format!("{WITH}{{{{ .Cert }}}}{{{{ end }}}}");
    let b = &format!("{WITH}{{{{ .Key }}}}{{{{ .CA }}}}{{{{ end }}}}").replace("=a", "=b");
    let computed = &b.replace("\"common_name=b\"", "(printf \"common_name=%s\" \"b\")");
    for other in [b, computed] {
        let found = needed(&[(a, Some("a")), (other, Some("b"))]);
        assert_eq!(found, (vec!["one".to_owned()], false, false), "{other}");
    }
}

#[test]
fn who_gets_there_late_counts_when_it_may_be_the_same_certificate() {
    let a = &format!("{WITH}{{{{ .Cert }}}}{{{{ end }}}}");
    let late =
        |text: &str| format!("{{{{ with secret \"kv/x\" }}}}{text}{{{{ .Key }}}}{{{{ end }}}}{{{{ end }}}}");
    let same = &late(WITH);
    assert_eq!(
        needed(&[(a, Some("a")), (same, None)]),
        (vec!["one".to_owned(), "two".to_owned()], true, false)
    );
    let another = &late(&WITH.replace("=a", "=b"));
    assert_eq!(needed(&[(a, Some("a")), (another, None)]), (vec!["one".to_owned()], false, false));
    // Nobody knows which one it will be.
    let computed = &late(&WITH.replace("\"common_name=a\"", ".Data.name"));
    assert_eq!(needed(&[(a, Some("a")), (computed, None)]), (vec!["one".to_owned()], true, false));
    let repeated = &format!("{{{{ range .names }}}}{computed}{{{{ end }}}}");
    assert_eq!(needed(&[(a, Some("a")), (repeated, Some("b"))]), (vec!["one".to_owned()], true, false));
}
