//! What templates render to, what is said about those that don't, and that hostile ones end.

mod hostile;
mod messages;

use std::path::Path;

use super::*;
use crate::{
    config::template::{Dialect, OnMissingKey, TemplateSource, TemplateSpec},
    secrets::request::SecretRequest,
    template::{
        Template,
        fixture::{Fixture, FixtureHost},
    },
};

const FIXTURE: &str = r#"{
  "secret": {
    "kv/data/app": {"Data": {"data": {"user": "app", "password": "it's $5", "port": {"$number": "5432"},
        "ratio": {"$number": "1.50"}, "big": {"$number": "12345678901234567890123"}, "on": true, "none": null,
        "hosts": ["h1", "h2"], "db": {"name": "shop", "pool": {"$number": "8"}}, "api-key": "k-1", "secret": "s",
        "html": "<a>&</a>", "json": "{\"a\": {\"b\": [1.50, 2]}}", "empty": "", "list": []},
      "metadata": {"version": {"$number": "3"}, "created_time": "2026-01-01T00:00:00Z"}}},
    "kv1/app": {"Data": {"user": "v1", "data": "plain"}},
    "database/creds/app": {"LeaseID": "database/creds/app/1", "LeaseDuration": {"$number": "3600"}, "Renewable": true,
      "Data": {"username": "v-app-1", "password": "pw-1"}},
    "auth/token/create": {"Auth": {"ClientToken": "hvs.X"}}
  },
  "secrets": {"kv/metadata/apps": ["b", "a"]},
  "pkiCert": {"pki/issue/web": {"Cert": "C", "Key": "K", "CA": "A", "CAChain": ["A", "B"]}},
  "env": {"APP": "app", "EMPTY": ""},
  "files": {"/etc/motd": "hello\n"}
}"#;

/// A template as an annotation brings it.
fn spec() -> TemplateSpec {
    TemplateSpec {
        dialect: Dialect::Handlebars,
        on_missing_key: OnMissingKey::Error,
        ..crate::template::tests::spec()
    }
}

fn lax() -> TemplateSpec {
    TemplateSpec { on_missing_key: OnMissingKey::Zero, ..spec() }
}

/// Compiles with partials by name.
fn compiled(spec: &TemplateSpec, text: &str, partials: &[(&str, &str)]) -> Result<Template, TemplateError> {
    Template::compile(spec, text, &mut |name| {
        let found = partials.iter().find(|(known, _)| *known == name);
        let (_, text) = found.ok_or_else(|| "no such file".to_owned())?;
        Ok(Partial { path: Path::new(&format!("/partials/{name}.hbs")).into(), text: (*text).to_owned() })
    })
}

fn render_with(spec: &TemplateSpec, text: &str, partials: &[(&str, &str)]) -> Result<Render, TemplateError> {
    let fixture = Fixture::parse(FIXTURE).unwrap();
    FixtureHost::new(&fixture).settle(&compiled(spec, text, partials)?, &Identity::default())
}

fn shown(spec: &TemplateSpec, text: &str, partials: &[(&str, &str)]) -> String {
    match render_with(spec, text, partials) {
        Ok(render) => String::from_utf8_lossy(&render.bytes).into_owned(),
        Err(error) => panic!("{error}"),
    }
}

fn rendered(text: &str) -> String {
    shown(&spec(), text, &[])
}

/// An expression inside of the secret `kv/data/app`.
fn of_app(inside: &str) -> String {
    rendered(&format!("{{{{#with (secret \"kv/data/app\")}}}}{inside}{{{{/with}}}}"))
}

fn paths<'r>(requests: impl IntoIterator<Item = &'r SecretRequest>) -> Vec<String> {
    requests.into_iter().map(ToString::to_string).collect()
}

#[test]
fn a_secret_is_its_data_whatever_engine_it_is_from() {
    assert_eq!(of_app("{{api-key}}{{lookup this \"api-key\"}}"), "k-1k-1");
    assert_eq!(
        of_app("{{user}}:{{port}}:{{db.name}}:{{[api-key]}}:{{hosts.[1]}}:{{on}}"),
        "app:5432:shop:k-1:h2:true"
    );
    assert_eq!(rendered("{{#with (secret \"kv1/app\")}}{{user}} {{data}}{{/with}}"), "v1 plain");
    assert_eq!(
        rendered("{{#with (secret \"database/creds/app\")}}{{username}}/{{password}}{{/with}}"),
        "v-app-1/pw-1"
    );
    assert_eq!(
        rendered(
            "{{#with (response \"database/creds/app\") as |r|}}{{r.lease_id}} {{r.lease_duration}} {{r.data.username}}{{/with}}"
        ),
        "database/creds/app/1 3600 v-app-1"
    );
    assert_eq!(rendered("{{#with (response \"kv/data/app\")}}{{data.metadata.version}}{{/with}}"), "3");
    assert_eq!(rendered("{{lookup (secret \"kv/data/app\") \"user\"}}"), "app");
}

#[test]
fn loops_have_index_key_and_names() {
    assert_eq!(
        of_app("{{#each hosts}}{{@index}}={{this}}{{#unless @last}},{{/unless}}{{/each}}"),
        "0=h1,1=h2"
    );
    assert_eq!(of_app("{{#each db as |value key|}}{{key}}:{{value}} {{/each}}"), "name:shop pool:8 ");
    assert_eq!(of_app("{{#each db}}{{@key}}{{#if @first}}!{{/if}}{{../user}}{{/each}}"), "name!apppoolapp");
    assert_eq!(of_app("{{#each list}}x{{else}}none{{/each}}"), "none");
    assert_eq!(rendered("{{#each (secrets \"kv/metadata/apps\")}}{{this}};{{/each}}"), "a;b;");
    assert_eq!(rendered("{{#each (range 3)}}{{this}}{{/each}}"), "012");
}

#[test]
fn writes_certificates_files_and_environment_go_through_the_host() {
    let render = render_with(
        &spec(),
        "{{#with (response \"auth/token/create\" ttl=\"1h\" \"x=y\")}}{{auth.client_token}}{{/with}} \
         {{#with (pkiCert \"pki/issue/web\" common_name=\"a\")}}{{certificate}}{{private_key}}{{join ca_chain \"+\"}}{{/with}} \
         {{env \"APP\"}}{{file \"/etc/motd\"}}",
        &[],
    )
    .unwrap();
    assert_eq!(String::from_utf8_lossy(&render.bytes), "hvs.X CKA+B apphello\n");
    assert_eq!(
        paths(&render.used),
        ["issue pki/issue/web", "write auth/token/create"]
            .map(str::to_owned)
            .iter()
            .rev()
            .cloned()
            .collect::<Vec<_>>()
    );
}

#[test]
fn numbers_keep_their_text() {
    assert_eq!(
        of_app("{{ratio}} {{big}} {{json ratio}} {{yaml ratio}}"),
        "1.50 12345678901234567890123 1.50 1.50"
    );
    assert_eq!(of_app("{{json (list ratio \"1.50\" big)}}"), r#"[1.50,"1.50",12345678901234567890123]"#);
    assert_eq!(
        of_app("{{#if ratio}}y{{/if}}{{#if (eq ratio 1.5)}}y{{/if}}{{#if (gt port 80)}}y{{/if}}"),
        "yyy"
    );
    assert_eq!(of_app("{{#with (parseJson json)}}{{a.b.[0]}}{{/with}}"), "1.50");
}

#[test]
fn nothing_is_escaped_unless_asked_for() {
    assert_eq!(of_app("{{html}}{{{html}}}"), "<a>&</a><a>&</a>");
    assert_eq!(rendered("{{html \"<a>\"}}"), "&lt;a&gt;");
}

#[test]
fn a_text_that_looks_like_a_printed_mapping_is_a_text() {
    let text = r#"{{concat "[obj" "ect]"}} {{list 1 (concat "[obj" "ect]")}} {{len (concat "[obj" "ect]")}}"#;
    assert_eq!(rendered(text), "[object] [1, [object]] 8");
}

#[test]
fn a_key_that_is_called_like_a_function_is_the_key() {
    assert_eq!(of_app("{{secret}}{{json}}"), "s{\"a\": {\"b\": [1.50, 2]}}");
}

#[test]
fn keys_that_are_called_like_anything_that_needs_no_arguments_are_keys_too() {
    let keys = "raw=\"r\" list=\"l\" dict=\"d\" if=\"i\" with=\"w\" each=\"e\" unless=\"u\"";
    let of = |inside: &str| rendered(&format!("{{{{#with (dict {keys})}}}}{inside}{{{{/with}}}}"));
    assert_eq!(of("{{raw}}{{{raw}}}{{&raw}}{{upper raw}}{{this.raw}}"), "rrrRr");
    assert_eq!(of("{{list}}{{dict}}{{if}}{{with}}{{each}}{{unless}}"), "ldiweu");
    assert_eq!(of("{{json (list)}}{{json (dict)}}{{#if (list)}}x{{/if}}"), "[]{}");
    assert_eq!(of("{{{{raw}}}}{{raw}} {{#if}}{{{{/raw}}}}"), "{{raw}} {{#if}}");
    for name in ["raw", "list", "dict", "if", "upper"] {
        for text in [format!("a{{{{{name}}}}}"), format!("a{{{{{{{name}}}}}}}"), format!("a{{{{&{name}}}}}")]
        {
            let error = render_with(&spec(), &text, &[]).err().unwrap();
            assert!(error.to_string().contains("template line 1, column "), "{error}");
            assert!(error.message().contains(name), "{error}");
            assert_eq!(shown(&lax(), &text, &[]), "a");
        }
    }
}

#[test]
fn a_path_that_leads_out_of_everything_finds_nothing() {
    for text in [
        "{{#with (dict a=1)}}{{../../a}}{{/with}}",
        "{{#with (dict a=1)}}{{../a}}{{/with}}",
        "{{#with (dict a=1)}}{{#each (list 1)}}{{../../../../../../../a}}{{/each}}{{/with}}",
        "{{#with (dict a=1)}}{{> p}}{{/with}}",
    ] {
        let partials = [("p", "{{../../../a}}")];
        let error = render_with(&spec(), text, &partials).err().unwrap();
        assert!(error.message().contains("there is no key \"a\""), "{error}");
        assert!(!error.to_string().contains("write ../"), "{error}");
        assert_eq!(shown(&lax(), text, &partials), "");
    }
    let error = render_with(&spec(), "{{#with (dict a=1)}}{{../a}}{{/with}}", &[]).err().unwrap();
    assert!(error.to_string().contains("it is inside of this block: write {{a}}"), "{error}");
    assert_eq!(rendered("{{#with (dict a=1)}}{{default ../../a 2}}{{/with}}"), "2");
    assert_eq!(rendered("{{#with (dict a=1)}}{{#each (list 1 2)}}{{../a}}{{/each}}{{/with}}"), "11");
    let far = format!("{{{{{}a}}}}", "../".repeat(101));
    assert!(compiled(&spec(), &far, &[]).is_err());
}

#[test]
fn formats_write_whole_secrets_and_single_values() {
    assert_eq!(rendered("{{dotenv (secret \"database/creds/app\")}}\n"), "password=pw-1\nusername=v-app-1\n");
    assert_eq!(
        of_app("P={{shell password}} {{dotenv password}} {{properties html}}"),
        "P='it'\\''s $5' \"it's \\$5\" <a>&</a>"
    );
    assert_eq!(of_app("{{yaml db}}"), "name: shop\npool: 8");
    assert_eq!(of_app("x:\n{{indent (yaml db) 2}}\n"), "x:\n  name: shop\n  pool: 8\n");
    assert_eq!(of_app("{{toml (dict a=port b=hosts)}}"), "a = 5432\nb = [\"h1\", \"h2\"]");
    assert_eq!(
        of_app("{{json db}} {{json db pretty=true}}"),
        "{\"name\":\"shop\",\"pool\":8} {\n  \"name\": \"shop\",\n  \"pool\": 8\n}"
    );
    assert_eq!(
        of_app("{{base64 user}} {{base64decode \"YXBw\"}} {{urlencode password}}"),
        "YXBw app it%27s%20%245"
    );
}

#[test]
fn functions_do_what_their_names_say() {
    for (text, wanted) in [
        ("{{default nope \"x\"}}{{default empty none \"y\"}}{{default user \"z\"}}", "xyapp"),
        ("{{default (env \"NOPE\") \"x\"}}{{default (lookup db \"nope\") 7}}", "x7"),
        ("{{and user on}}{{or none nope}}{{not nope}}", "truefalsetrue"),
        ("{{#if nope}}a{{else if user}}b{{else}}c{{/if}}{{#unless nope}}d{{/unless}}", "bd"),
        ("{{#eq user \"app\"}}same{{else}}other{{/eq}}{{ne user \"x\"}}", "sametrue"),
        (
            "{{eq port \"5432\"}}{{eq \"a\" \"A\"}}{{eq hosts hosts}}{{lt \"a\" \"b\"}}{{lte 2 2}}",
            "truefalsetruetruetrue",
        ),
        (
            "{{upper user}}{{lower \"É\"}}{{trim \" a \"}}{{trimPrefix \"ab\" \"a\"}}{{trimSuffix \"ab\" \"b\"}}",
            "APPéaba",
        ),
        (
            "{{replace \"a-b\" \"-\" \"_\"}}{{join (split \"a,b\" \",\") \";\"}}{{concat user \"-\" port}}",
            "a_ba;bapp-5432",
        ),
        (
            "{{startsWith user \"a\"}}{{endsWith user \"x\"}}{{substr \"abcd\" 1 2}}{{repeat \"ab\" 2}}",
            "truefalsebcabab",
        ),
        (
            "{{add 1 2 3}} {{sub 5 7}} {{mul 2 \"3\"}} {{div 6 4}} {{div 6 3}} {{mod -1 3}} {{add 0.5 1}}",
            "6 -2 6 1.5 2 2 1.5",
        ),
        ("{{min 3 1 2}}{{max 3 1 2}}{{round 2.5}}{{mul big 2}}", "13324691357802469135780246"),
        (
            "{{len hosts}}{{len user}}{{len db}} {{join (keys db) \",\"}} {{first hosts}}{{last hosts}}",
            "232 name,pool h1h2",
        ),
        ("{{contains hosts \"h1\"}}{{contains db \"name\"}}{{contains user \"pp\"}}", "truetruetrue"),
        (
            "{{json (sort (list 10 9 \"1\"))}}{{json (reverse hosts)}}{{json (values db)}}",
            "[\"1\",9,10][\"h2\",\"h1\"][\"shop\",8]",
        ),
        ("{{json (merge db (dict name=\"x\" more=1))}}", "{\"more\":1,\"name\":\"x\",\"pool\":8}"),
    ] {
        assert_eq!(of_app(text), wanted, "{text}");
    }
}

#[test]
fn partials_get_data_and_named_values() {
    let partials =
        [("db/url", "{{scheme}}://{{user}}@{{> host}}"), ("host", "{{#each hosts}}{{this}}{{/each}}\n")];
    let text = "{{#with (secret \"kv/data/app\")}}{{> db/url scheme=\"pg\"}}{{/with}}";
    assert_eq!(shown(&spec(), text, &partials), "pg://app@h1h2\n");
    let text = "{{#*inline \"line\"}}{{@key}}={{this}};{{/inline}}{{#each (secret \"database/creds/app\")}}{{> line}}{{/each}}";
    assert_eq!(shown(&spec(), text, &[]), "password=pw-1;username=v-app-1;");
    let text = "{{#with (secret \"kv/data/app\")}}\n  {{> lines}}\n{{/with}}";
    assert_eq!(shown(&spec(), text, &[("lines", "a: {{user}}\nb: {{port}}\n")]), "  a: app\n  b: 5432\n");
}

#[test]
fn a_first_pass_names_what_is_missing_and_a_later_one_renders() {
    let fixture = Fixture::parse(FIXTURE).unwrap();
    let mut host = FixtureHost::new(&fixture);
    let text = "{{#with (secret \"kv/data/app\")}}{{#with (secret (concat \"kv1/\" user))}}{{user}}{{/with}}{{/with}}\
                {{upper (lookup (secret \"database/creds/app\") \"username\")}}";
    let template = compiled(&spec(), text, &[]).unwrap();
    let first = template.render(&mut host, &Identity::default()).unwrap();
    assert!(!first.is_complete() && first.bytes.is_empty());
    assert_eq!(paths(&first.missing), ["read database/creds/app", "read kv/data/app"]);
    let last = host.settle(&template, &Identity::default()).unwrap();
    assert_eq!(&**last.bytes, b"v1V-APP-1");
}

#[test]
fn requests_that_every_render_makes_are_known_from_the_text() {
    let text = "{{#with (secret \"a\")}}{{#with (secret \"b\")}}x{{/with}}{{#if x}}{{secret \"no\"}}{{/if}}{{/with}}\
                {{#each (secrets \"/l/\")}}{{secret \"no2\"}}{{/each}}{{upper (json (secret \"c?version=2\"))}}\
                {{secret \"write\" k=\"v\"}}{{> p}}{{#*inline \"i\"}}{{secret \"no3\"}}{{/inline}}{{pkiCert \"pki/issue/x\"}}";
    let template = compiled(
        &spec(),
        text,
        &[("p", "{{json (secret \"d\")}}{{#if y}}{{> q}}{{/if}}"), ("q", "{{secret \"no4\"}}")],
    )
    .unwrap();
    let mut known = paths(&template.literal_requests(&Identity::default()));
    known.sort();
    assert_eq!(known, ["list l", "read a", "read b", "read c version 2", "read d"]);
}

#[test]
fn every_place_that_asks_is_listed() {
    let text = "{{#if x}}{{json (secret \"kv/a\")}}{{else}}{{#each (secrets \"kv/l\")}}{{secret (concat \"kv/data/\" this)}}{{/each}}{{/if}}\n\
                {{> p}}{{response \"auth/token/create\" ttl=1}}{{pkiCert \"pki/issue/web\"}}{{secret \"kv/../x\"}}";
    let template = compiled(&spec(), text, &[("p", "\n\n{{json (secret \"kv/p\")}}")]).unwrap();
    let calls: Vec<String> = template
        .calls()
        .into_iter()
        .map(|call| {
            format!("{}:{} {} {:?} {:?}", call.line, call.column, call.function, call.asks, call.path)
        })
        .collect();
    insta::assert_snapshot!(calls.join("\n"), @r#"
    1:18 secret Read Known(kv/a)
    1:51 secrets List Known(kv/l)
    1:70 secret Read Computed { source: "(concat \"kv/data/\" this)", start: "kv/data/" }
    2:1 secret Read Known(kv/p)
    2:10 response Write Known(auth/token/create)
    2:48 pkiCert Issue Known(pki/issue/web)
    2:75 secret Read Refused("vault.read: the path has a segment `..`")
    "#);
}

#[test]
fn certificates_are_known_by_what_is_mentioned() {
    let of = |text: &str| {
        let found = compiled(&spec(), text, &[]).unwrap().certificate_use();
        (found.asks(), found.key, found.authority)
    };
    assert_eq!(of("{{#with (pkiCert \"pki/issue/x\")}}{{certificate}}{{/with}}"), (true, false, false));
    assert_eq!(of("{{#with (pkiCert \"pki/issue/x\")}}{{this.private_key}}{{/with}}"), (true, true, false));
    assert_eq!(
        of("{{#with (pkiCert \"pki/issue/x\")}}{{#each ca_chain}}{{this}}{{/each}}{{/with}}"),
        (true, true, true)
    );
    assert_eq!(of("{{pem (pkiCert \"pki/issue/x\")}}"), (true, true, true));
    assert!(!of("{{json (secret \"a\")}}").0);
}

#[test]
fn without_strictness_names_that_are_not_there_are_nothing() {
    assert_eq!(
        shown(
            &lax(),
            "a{{nope}}{{#with (secret \"kv/data/app\")}}{{usr}}{{upper usr}}{{/with}}{{env \"NOPE\"}}b",
            &[]
        ),
        "ab"
    );
}

#[test]
fn a_shipped_text_is_what_the_format_writes() {
    use crate::{config::template::Format, vault::path::VaultPath};
    for (format, text) in [
        (Format::Dotenv, include_str!("../../../templates/format-dotenv.hbs")),
        (Format::Json, include_str!("../../../templates/format-json.hbs")),
        (Format::Yaml, include_str!("../../../templates/format-yaml.hbs")),
        (Format::Properties, include_str!("../../../templates/format-properties.hbs")),
        (Format::Toml, include_str!("../../../templates/format-toml.hbs")),
        (Format::Shell, include_str!("../../../templates/format-shell.hbs")),
    ] {
        let (path, params) = VaultPath::parse("database/creds/app").unwrap();
        let source = TemplateSource::Formatted { format, path, params };
        let ours = shown(&TemplateSpec { source, ..spec() }, "", &[]);
        assert_eq!(ours, rendered(&text.replace("PATH", "database/creds/app")), "{}", format.name());
    }
    let text = include_str!("../../../templates/format-pem.hbs").replace("PATH", "kv/data/app");
    let error = render_with(&spec(), &text, &[]).err().unwrap();
    assert!(error.message().contains("no key of the secret holds PEM text"), "{error}");
}
