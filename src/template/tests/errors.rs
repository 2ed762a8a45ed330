//! Golden messages: read them as somebody who has never seen the engine.

use super::*;

/// Templates that fail, as people write them; `true` means that missing keys are errors.
const MISTAKES: &[(&str, bool)] = &[
    // The text is no template.
    ("{{ with secret \"kv/data/app\" }}\nuser={{ .Data.data.user }}\n", false),
    ("{{ with secret \"kv/data/app\" }}{{ .Data.data.api-key }}{{ end }}", false),
    ("{{ .Data.data.user | quote }}", false),
    ("line one\n{{ secrt \"kv/data/app\" }}", false),
    ("{{ fail \"no\" }}", false),
    ("{{/* a comment */ }}", false),
    ("{{ if eq 1 1 }}a{{ else }}b{{ else }}c{{ end }}", false),
    ("{{ $user := \"a\" }}{{ $usr }}", false),
    ("{{ define \"a\" }}{{ $x }}{{ end }}{{ $x := 1 }}", false),
    ("{{ 1 + 2 }}", false),
    ("{{ printf \"%s }}", false),
    ("{{ with secret \"a\" }}{{ .Data.x }", false),
    ("{{ end }}", false),
    ("{{ range $a, $b, $c := .x }}{{ end }}", false),
    ("{{ template name }}", false),
    // A key that isn't there.
    ("{{ with secret \"kv1/app\" }}{{ .Data.usr }}{{ end }}", true),
    ("{{ with secret \"kv1/app\" }}{{ .Data.data.user }}{{ end }}", true),
    ("{{ with secret \"kv1/app\" }}{{ .Data.data.user }}{{ end }}", false),
    ("{{ with secret \"kv/data/app\" }}{{ .Data.user }}{{ end }}", true),
    ("{{ with secret \"kv/data/app\" }}{{ .data.user }}{{ end }}", false),
    ("{{ with secret \"kv/data/app\" }}{{ .user }}{{ end }}", false),
    ("{{ with secret \"kv/data/app\" }}{{ .Data.metadata.custom_metadata.team }}{{ end }}", false),
    ("{{ with secret \"kv1/app\" }}{{ .Auth.ClientToken }}{{ end }}", false),
    ("{{ with pkiCert \"pki/issue/web\" \"common_name=a\" }}{{ .Data.certificate }}{{ end }}", false),
    ("{{ (secret \"none\").Data.x }}", true),
    // Data of another type.
    ("{{ with secret \"kv/data/app\" }}{{ .Data.data.port | toUpper }}{{ end }}", false),
    ("{{ with secret \"kv/data/app\" }}{{ if eq .Data.data.port 5432 }}x{{ end }}{{ end }}", false),
    ("{{ with secret \"kv/data/app\" }}{{ range .Data.data.user }}{{ end }}{{ end }}", false),
    ("{{ with secret \"kv/data/app\" }}{{ .Data.data.nothing | base64Decode }}{{ end }}", false),
    ("{{ indent \"2\" \"x\" }}", false),
    ("{{ loop 3 }}", false),
    // A function that refuses.
    ("{{ toUpper \"a\" \"b\" }}", false),
    ("{{ mustEnv \"NOPE_X\" }}", false),
    ("{{ secret \"pki/issue/web\" \"common_name=a\" \"s3cr3t\" }}", false),
    ("{{ index (split \",\" \"a,b\") 7 }}", false),
    ("{{ define \"part\" }}{{ len 3 }}{{ end }}\n\n{{ template \"part\" }}", false),
    ("{{ template \"nosuch\" }}", false),
    ("{{ define \"a\" }}{{ template \"a\" }}{{ end }}{{ template \"a\" }}", false),
    ("{{ $x = 1 }}", false),
    ("{{ \"x\" | writeToFile \"/a\" \"\" \"\" \"rw\" }}", false),
    // More that people write.
    ("{{ with secret \"kv/data/app\" }}{{ .Data.data.user | default \"x\" }}{{ end }}", false),
    ("{{ with secret \"kv/data/app\" }}{{ .Data.data.b64 | b64dec }}{{ end }}", false),
    ("{{ if true }}a{{ else if }}b{{ end }}", false),
    ("{{ if }}a{{ end }}", false),
    ("{{ range $k $v := .x }}{{ end }}", false),
    ("{{ with secret \"kv1/app\" }}{{ .Data.user }}{{ end }}{{ end }}", false),
    ("{{ if true }}{{ define \"x\" }}{{ end }}{{ end }}", false),
    ("{{ define \"x\" }}a{{ end }}{{ define \"x\" }}b{{ end }}", false),
    ("{{ break }}", false),
    ("{{!-- a comment of another language --}}", false),
    ("{{ 'ab' }}", false),
    ("{{ \"a\\q\" }}", false),
    ("{{ print \"a\"\"b\" }}", false),
    ("{{ print (1 }}", false),
    ("{{ print 1) }}", false),
    ("{{ .Data. }}", false),
    ("{{ $x.y }}", false),
    ("{{ secret }}{{ (secret).Data }}", true),
    ("{{ with secret \"kv/data/app\" }}{{ add 1 .Data.data.port }}{{ end }}", false),
    ("{{ with secret \"kv/data/app\" }}{{ .Data.data.port | parseInt }}{{ end }}", false),
    ("{{ with secret \"kv/data/app\" }}{{ .Data.data.user | parseInt }}{{ end }}", false),
    ("{{ with secret \"kv/data/app\" }}{{ .Data.data.user | parseJSON }}{{ end }}", false),
    ("{{ with secret \"kv/data/app\" }}{{ .Data.data.hosts | base64Decode }}{{ end }}", false),
    ("{{ with secret \"kv/data/app\" }}{{ .Data.data.tls | toUpper }}{{ end }}", false),
    ("{{ with secret \"kv/data/app\" }}{{ join \",\" .Data.data.hosts }}{{ end }}", false),
    ("{{ with secret \"pki/issue/web\" }}{{ join \",\" .Data.ca_chain }}{{ end }}", false),
    ("{{ regexMatch \"[a-\" \"x\" }}", false),
    ("{{ regexReplaceAll \"(?=x)\" \"\" \"x\" }}", false),
    ("{{ divide 0 1 }}", false),
    ("{{ key \"app/config\" }}", false),
    ("{{ parseYAML \"a: [1\" }}", false),
    ("{{ sprig_fromJson }}", false),
    ("{{ sprig_semver \"one\" }}", false),
    ("{{ sprig_fail \"this template needs APP\" }}", false),
    ("{{ range loop 9000000000 }}{{ end }}", false),
];

#[test]
fn every_message_says_what_where_and_what_to_do() {
    let mut book = String::new();
    for (text, missing_is_error) in MISTAKES {
        let spec = if *missing_is_error { strict() } else { spec() };
        let Err(error) = render(&spec, text) else { panic!("{text} renders") };
        book.push_str(&format!("{error}\n\n"));
    }
    assert!(MISTAKES.len() >= 60, "only {} messages", MISTAKES.len());
    insta::assert_snapshot!(book);
}

#[test]
fn no_message_shows_a_value_of_a_secret() {
    let values =
        ["app1", "s3<&'", "k-1", "5432", "jdbc:x", "h1,h2", "s3cr3t", "v-app-1", "pw-1", "hvs.X", "aGVsbG8K"];
    let uses = [
        "range .Data.data.user",
        "printf .Data.data.port",
        "index .Data.data.user \"x\"",
        "eq .Data.data .Data.data",
        "eq .Data.data.port 1.5",
        "indent .Data.data.user \"x\"",
        "parseInt .Data.data.user",
        "parseBool .Data.data.pass",
        "parseJSON .Data.data.user",
        "parseYAML .Data.data.b64",
        "base64Decode .Data.data.hosts",
        "add 1 .Data.data.port",
        "loop .Data.data.user",
        "secret \"x\" .Data.data.user",
        "executeTemplate .Data.data.user",
        "mustEnv \"NOPE\"",
        "sockaddr .Data.data.user",
        "regexMatch \"(\" .Data.data.user",
        "index .Data.data.hosts 99",
        "slice .Data.data.user 99",
        ".Data.data.port.Nope",
        ".Data.data.user.Nope",
        "toTOML .Data.data.user",
        "writeToFile \"/a\" \"\" \"\" .Data.data.user \"x\"",
        "explodeMap .Data.data.user",
        "mergeMap .Data.data .Data.data.user",
        "len .Data.data.tls",
        "call .Data.data.user",
    ];
    for path in ["kv/data/app", "kv1/app"] {
        for used in uses {
            for text in [
                format!("{{{{ with secret \"{path}\" }}}}{{{{ {used} }}}}{{{{ end }}}}"),
                format!(
                    "{{{{ with secret \"{path}\" }}}}{{{{ with {used} }}}}{{{{ . }}}}{{{{ end }}}}{{{{ end }}}}"
                ),
            ] {
                let Err(error) = render(&strict(), &text) else { continue };
                let shown = format!("{error} {error:?} {}", error.message());
                for value in values {
                    assert!(!shown.contains(value), "{value} is in: {shown}");
                }
            }
        }
    }
}

#[test]
fn a_template_in_a_file_is_named_by_its_own_lines() {
    let source = TemplateSource::File("/etc/templates/app.ctmpl".into());
    let error = render(&TemplateSpec { source, ..strict() }, "é\n\té {{ .x }}").err().unwrap();
    assert_eq!((error.line(), error.column()), (2, 7));
    assert!(
        error.to_string().starts_with("/etc/templates/app.ctmpl:2:7: nil data; no entry for key \"x\"\n"),
        "{error}"
    );
    assert_eq!(error.go_text(), "template: :2:7: executing \"\" at <.x>: nil data; no entry for key \"x\"");
}

#[test]
fn a_value_is_hidden_in_whatever_message_a_function_puts_it() {
    let fixture = Fixture::parse(
        r#"{"secret": {"kv/a": {"Data": {"p": "TOPSECRETpw'1", "n": {"l": ["two\nlines \"x\""]}, "s": "abc"}}}}"#,
    )
    .unwrap();
    for (handlebars, uses) in [
        (false, "\"x\" | writeToFile \"/tmp/x\" \"\" \"\" .Data.p"),
        (false, "mustEnv .Data.p"),
        (false, "mustEnv (toUpper .Data.p)"),
        (false, "executeTemplate .Data.p"),
        (false, "plugin .Data.p"),
        (false, "sprig_fail .Data.p"),
        (false, "sprig_fail (print \"a\" .Data.p \"b\" .Data.p)"),
        (false, "sprig_fail (index .Data.n.l 0)"),
        (false, "sprig_fail (printf \"%q\" (index .Data.n.l 0))"),
        (true, "{{#with (secret \"kv/a\")}}{{ file p }}{{/with}}"),
    ] {
        let (spec, text) = match handlebars {
            false => (spec(), format!("{{{{ with secret \"kv/a\" }}}}{{{{ {uses} }}}}{{{{ end }}}}")),
            true => (
                TemplateSpec {
                    dialect: crate::config::template::Dialect::Handlebars,
                    sandbox_path: Some("/nowhere".into()),
                    ..strict()
                },
                uses.to_owned(),
            ),
        };
        let template = Template::compile(&spec, &text, &mut no_partials).unwrap();
        let Err(error) = FixtureHost::new(&fixture).settle(&template, &Identity::default()) else {
            panic!("{uses} renders");
        };
        let said = error.to_string().to_lowercase();
        assert!(
            !said.contains("topsecret") && !said.contains("two") && !said.contains("lines"),
            "{uses}: {said}"
        );
    }
    let template = "{{ with secret \"kv/a\" }}{{ mustEnv (print .Data.p \" and \" .Data.s) }}{{ end }}";
    let template = Template::compile(&spec(), template, &mut no_partials).unwrap();
    let error = FixtureHost::new(&fixture).settle(&template, &Identity::default()).err().unwrap();
    assert!(error.message().contains("[hidden] and abc"), "{error}");
}
