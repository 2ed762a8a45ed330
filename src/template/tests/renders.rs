//! What a render gives besides its bytes.

use super::*;
use crate::{
    config::template::DefaultForm,
    secrets::request::{SecretRequest, Verb},
    template::go::quote,
    vault::path::VaultPath,
};

fn paths<'r>(requests: impl IntoIterator<Item = &'r SecretRequest>) -> Vec<String> {
    requests.into_iter().map(ToString::to_string).collect()
}

#[test]
fn a_first_pass_names_what_is_missing_and_gives_nothing_to_use() {
    let fixture = fixture();
    let mut host = FixtureHost::new(&fixture);
    let text = "{{ with secret \"kv/data/app\" }}{{ with secret \"kv1/app?version=2\" }}x{{ end }}{{ end }}";
    let template = Template::compile(&spec(), text, &mut no_partials).unwrap();
    let first = template.render(&mut host, &Identity::default()).unwrap();
    assert!(!first.is_complete());
    assert_eq!(paths(&first.missing), ["read kv/data/app"]);
    let last = host.settle(&template, &Identity::default()).unwrap();
    assert!(last.is_complete());
    assert_eq!(paths(&last.used), ["read kv/data/app", "read kv1/app version 2"]);
    assert_eq!(&**last.bytes, b"x");
}

#[test]
fn an_error_that_missing_data_may_explain_only_blocks_the_pass() {
    let fixture = fixture();
    let mut host = FixtureHost::new(&fixture);
    let template =
        Template::compile(&strict(), "{{ (secret \"kv1/app\").Data.user }}", &mut no_partials).unwrap();
    let first = template.render(&mut host, &Identity::default()).unwrap();
    assert!(first.blocked.is_some() && first.bytes.is_empty());
    let last = host.settle(&template, &Identity::default()).unwrap();
    assert_eq!(&**last.bytes, b"app1");
}

#[test]
fn literal_reads_are_known_from_the_text_but_no_write_and_nothing_conditional() {
    let text = "{{ with $s := secret \"a\" }}{{ with secret \"b?version=1\" }}{{ .Data }}{{ end }}{{ end }}\
                {{ (secret \"c\").Data.x }}{{ range secrets \"d/\" }}{{ secret . }}{{ secret \"dyn\" }}{{ end }}\
                {{ if (secret \"e\").Data.on }}{{ secret \"f\" }}{{ end }}{{ secret \"pki/issue/x\" \"a=b\" }}\
                {{ or (env \"X\") (secret \"g\") }}{{ define \"u\" }}{{ secret \"h\" }}{{ end }}";
    let template = Template::compile(&spec(), text, &mut no_partials).unwrap();
    assert_eq!(
        paths(&template.literal_requests(&Identity::default())),
        ["read a", "read b version 1", "read c", "list d", "read e"]
    );
}

#[test]
fn effects_come_once_from_the_last_pass_in_the_order_of_the_calls() {
    let text = "{{ \"first\" | writeToFile \"/c/a\" \"app\" \"\" \"0400\" }}{{ with secret \"kv1/app\" }}\
                {{ .Data.user | writeToFile \"/c/a\" \"\" \"\" \"644\" \"append,newline\" }}{{ end }}";
    let render = render(&spec(), text).unwrap();
    let effects: Vec<(&[u8], u32, bool)> = render
        .effects
        .iter()
        .map(|effect| (effect.contents.as_slice(), effect.mode, effect.append))
        .collect();
    assert_eq!(effects, [(b"first".as_slice(), 0o400, false), (b"app1\n".as_slice(), 0o644, true)]);
    assert!(render.bytes.is_empty());
}

#[test]
fn a_file_holds_what_the_template_wrote_to_it_before() {
    let write = |text: &str, more: &str| {
        format!("{{{{ \"{text}\" | writeToFile \"/c/a\" \"\" \"\" \"600\" {more} }}}}")
    };
    let read = "[{{ file \"/c/a\" }}]";
    let text =
        [read, &write("x", "\"append\""), read, &write("y", ""), &write("z", "\"append,newline\""), read]
            .concat();
    assert_eq!(&**render(&spec(), &text).unwrap().bytes, b"[][x][yz\n]");
}

#[test]
fn a_write_and_a_certificate_are_requests_with_their_arguments() {
    let text = "{{ with secret \"auth/token/create\" \"policies=p1\" \"ttl = 1h\" }}{{ .Auth.ClientToken }}{{ end }}\
                {{ with pkiCert \"pki/issue/web\" \"common_name=a\" }}{{ .Data.Cert }}{{ .CaChainContains \"B\" }}{{ end }}";
    let render = render(&spec(), text).unwrap();
    assert_eq!(&**render.bytes, b"hvs.XCtrue");
    let verbs: Vec<&Verb> = render.used.iter().map(|request| &request.verb).collect();
    let [Verb::Write(fields), Verb::Issue(certificate)] = verbs.as_slice() else {
        panic!("{:?}", render.used)
    };
    assert_eq!(fields.get("ttl").map(AsRef::as_ref), Some("1h"));
    assert_eq!(certificate.get("common_name").map(AsRef::as_ref), Some("a"));
}

#[test]
fn default_forms_print_what_the_default_templates_print() {
    let fixture = fixture();
    for (form, text) in [
        (DefaultForm::Map, include_str!("../../../templates/default-map.tmpl")),
        (DefaultForm::Json, include_str!("../../../templates/default-json.tmpl")),
    ] {
        for path in ["kv/data/app", "kv2", "kv1/app", "database/creds/app", "transit/keys/k", "aws/creds/app"]
        {
            let (vault_path, params) = VaultPath::parse(path).unwrap();
            let source = TemplateSource::Default { form, path: vault_path, params };
            let ours = Template::compile(&TemplateSpec { source, ..spec() }, "", &mut no_partials).unwrap();
            let ours = FixtureHost::new(&fixture).settle(&ours, &Identity::default()).unwrap();
            let text = text.replace("\"PATH\"", &quote::quote(path.as_bytes()));
            let theirs = render(&spec(), &text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(
                String::from_utf8_lossy(&ours.bytes),
                String::from_utf8_lossy(&theirs.bytes),
                "{path} {form:?}"
            );
            assert_eq!(ours.used, theirs.used);
        }
    }
}

#[test]
fn binary_data_passes_unchanged_and_lengths_are_bytes() {
    assert_eq!(rendered("{{ len \"é\" }}{{ index \"é\" 0 }}{{ slice \"abc\" 1 2 }}"), "2195b");
    let render = render(&spec(), "{{ \"\\xff\\x00\" }}").unwrap();
    assert_eq!(&**render.bytes, b"\xff\x00");
}

#[test]
fn one_render_sees_one_secret_however_often_it_asks() {
    let text = "{{ $a := secret \"kv1/app\" }}{{ $b := secret \"kv1/app\" }}{{ eq $a $b }}";
    assert_eq!(rendered(text), "true");
}

#[test]
fn a_program_ends_the_pass_until_its_output_is_there() {
    let fixture = Fixture::parse(
        r#"{"secret": {"kv/x": {"Data": {"v": "w"}}}, "plugin": {"which": " x \n", "tool a": "with a", "tool": "other"}}"#,
    );
    let fixture = fixture.unwrap();
    let text = "{{ $path := plugin \"which\" \"\" \" \" }}{{ with secret (print \"kv/\" $path) }}{{ .Data.v }}{{ end }} \
                {{ plugin \"tool\" \" a\" }} {{ plugin \"tool\" \"b\" }}{{ plugin \"\" \"never\" }}";
    let template = Template::compile(&spec(), text, &mut no_partials).unwrap();
    let mut host = FixtureHost::new(&fixture);
    let first = template.render(&mut host, &Identity::default()).unwrap();
    let program = first.program.as_ref().unwrap();
    assert_eq!(
        (program.name.as_str(), program.args.len()),
        (Some("which"), 0),
        "blank arguments are dropped"
    );
    assert!(
        !first.is_complete() && first.used.is_empty(),
        "nothing is asked for with an output that is none"
    );
    assert!(!format!("{program:?}").contains("which"), "arguments can hold secrets");
    let last = host.settle(&template, &Identity::default()).unwrap();
    assert_eq!(String::from_utf8_lossy(&last.bytes), "w with a other");
    let error = render(&spec(), "{{ plugin \"id\" \"x\" }}").err().unwrap();
    assert_eq!(error.message(), "error calling plugin: exec \"id\": `render` runs no programs");
}
