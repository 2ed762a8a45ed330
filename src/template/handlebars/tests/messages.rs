//! Golden messages: read them as somebody who has never seen the engine.

use super::*;

/// Templates that fail, as people write them.
const MISTAKES: &[&str] = &[
    // The text is no template.
    "{{#with (secret \"kv/data/app\")}}\nuser={{user}}\n",
    "{{#if a}}x{{/with}}",
    "{{ with secret \"kv/data/app\" }}{{ .Data.data.user }}{{ end }}",
    "a {{user",
    "{{#if}}x{{/if}}",
    "line one\n{{json (secrt \"kv/data/app\")}}",
    "{{log \"x\"}}",
    "{{#user}}x{{/user}}",
    "{{#wit x}}y{{/wit}}",
    "{{upper \"a\" \"b\"}}",
    "{{json x prety=true}}",
    "{{if x}}",
    "{{> (concat \"a\" \"b\")}}",
    "{{> nosuch}}",
    "{{#> layout}}x{{/layout}}",
    "{{*deco x}}",
    "{{#*inline \"a\"}}{{> a}}{{/inline}}{{> a}}",
    // A key that isn't there.
    "{{#with (secret \"kv/data/app\")}}\n{{usr}}\n{{/with}}",
    "{{#with (secret \"kv/data/app\")}}{{db.nme}}{{/with}}",
    "{{#with (secret \"kv/data/app\")}}{{upper db.nme}}{{/with}}",
    "{{#with (secret \"kv/data/app\")}}{{data.user}}{{/with}}",
    "{{#with (secret \"kv/data/app\")}}{{user.name}}{{/with}}",
    "{{#with (secret \"kv/data/app\")}}{{hosts.first}}{{/with}}",
    "{{#with (secret \"kv/data/app\")}}{{#each db}}{{user}}{{/each}}{{/with}}",
    "{{#with (secret \"kv/data/app\")}}{{@index}}{{/with}}",
    "{{user}}",
    "{{lookup (secret \"kv/data/app\") \"usr\"}}",
    "{{env \"NOPE\"}}",
    "{{#with (secret \"kv/data/app\")}}{{#each nope}}x{{/each}}{{/with}}",
    "{{#with (secret \"kv/data/app\")}}{{#with none}}x{{/with}}{{/with}}",
    // Data of another type.
    "{{#with (secret \"kv/data/app\")}}{{db}}{{/with}}",
    "{{#with (secret \"kv/data/app\")}}{{#each user}}x{{/each}}{{/with}}",
    "{{#with (secret \"kv/data/app\")}}{{add user 1}}{{/with}}",
    "{{#with (secret \"kv/data/app\")}}{{gt hosts 1}}{{/with}}",
    "{{#with (secret \"kv/data/app\")}}{{dotenv this}}{{/with}}",
    "{{#with (secret \"kv/data/app\")}}{{base64decode user}}{{/with}}",
    "{{#with (secret \"kv/data/app\")}}{{parseJson user}}{{/with}}",
    "{{secret}}",
    "{{json (secret \"kv/../x\")}}",
    "{{json (secret \"a\" \"no pair\")}}",
    "{{div 1 0}}",
];

#[test]
fn every_message_says_what_where_and_what_to_do() {
    let mut book = String::new();
    for text in MISTAKES {
        let Err(error) = render_with(&spec(), text, &[]) else { panic!("{text} renders") };
        book.push_str(&format!("{error}\n\n"));
    }
    insta::assert_snapshot!(book);
}

#[test]
fn a_mistake_in_a_partial_has_its_place_there() {
    let of = |partial: &str| {
        let text = "x\n{{#with (secret \"kv/data/app\")}}{{> p}}{{/with}}";
        render_with(&spec(), text, &[("p", partial)]).err().unwrap().to_string()
    };
    assert!(
        of("a\nb {{usr}}").starts_with("/partials/p.hbs:2:5: there is no key \"usr\" here\n"),
        "{}",
        of("a\nb {{usr}}")
    );
    assert!(
        of("{{#if x}}\n{{#each hosts}}{{this.x}}{{/each}}{{/if}}{{uppr 1}}")
            .starts_with("/partials/p.hbs:2:")
    );
    assert!(of("{{#if x}}").contains("/partials/p.hbs:1:1: {{#if}} is never closed"), "{}", of("{{#if x}}"));
    assert!(of("\n{{> q}}").starts_with("/partials/p.hbs:2:5: the partial q can't be read: no such file"));
}

#[test]
fn mistakes_inside_of_a_tag_have_their_place() {
    for (text, place, words) in [
        ("a\n{{indent \"a\nb\" 2}}", "line 2, column 10", "an argument can't be read"),
        ("{{and nope (upper nope)}}", "line 1, column 19", "there is no key \"nope\""),
        ("{{and (upper \"a\") nope (concat (upper nope))}}", "line 1, column 39", "there is no key \"nope\""),
        ("{{parseJson \"{}\"}}", "line 1, column 3", "a mapping can't be printed"),
        ("{{merge (dict a=1)}}", "line 1, column 3", "a mapping can't be printed"),
        ("a\nab {{list 1 (dict a=1)}}", "line 2, column 4", "a mapping can't be printed"),
    ] {
        let error = render_with(&spec(), text, &[]).err().unwrap().to_string();
        assert!(error.contains(place) && error.contains(words), "{text}: {error}");
    }
    let error = render_with(&spec(), "{{indent \"a\nb\" 2}}", &[]).err().unwrap().to_string();
    assert!(error.contains("a line break is written \\n"), "{error}");
}

#[test]
fn functions_can_be_denied() {
    let spec = TemplateSpec { function_denylist: vec!["en*".to_owned()], ..spec() };
    let error = render_with(&spec, "{{#if a}}{{env \"X\"}}{{/if}}", &[]).err().unwrap();
    assert_eq!(error.message(), "`function_denylist` denies this function");
}

#[test]
fn files_stay_in_the_sandbox() {
    let spec = TemplateSpec { sandbox_path: Some("/etc/app".into()), ..spec() };
    let error = render_with(&spec, "{{file \"/etc/app/../passwd\"}}", &[]).err().unwrap();
    assert!(error.message().contains("outside of sandbox"), "{error}");
}

#[test]
fn no_message_shows_a_value_of_a_secret() {
    let values = ["app1", "it's", "5432", "1.50", "shop", "k-1", "v-app-1", "pw-1", "hvs.X", "<a>"];
    let uses = [
        "add user 1",
        "upper db",
        "parseJson user",
        "base64decode password",
        "lookup db user",
        "lookup hosts user",
        "join hosts 1 2",
        "join db user",
        "split user empty",
        "repeat user password",
        "repeat user 99999999",
        "indent user user",
        "secret user \"x\"",
        "secret \"x\" user",
        "file password",
        "env user",
        "toml none",
        "dotenv this",
        "properties none",
        "shell hosts",
        "gt user hosts",
        "user.x",
        "hosts.x",
        "db",
        "pem this",
        "range user",
        "sort list db",
        "mod ratio 2",
        "substr user user",
        "round user",
        "merge user",
        "first user",
        "keys user",
        "secrets user",
        "pkiCert user user",
        "json user.x",
    ];
    for used in uses {
        for text in [
            format!("{{{{#with (secret \"kv/data/app\")}}}}{{{{{used}}}}}{{{{/with}}}}"),
            format!(
                "{{{{#with (secret \"kv/data/app\")}}}}{{{{#with ({used})}}}}{{{{nope}}}}{{{{/with}}}}{{{{/with}}}}"
            ),
        ] {
            let Err(error) = render_with(&spec(), &text, &[]) else { continue };
            let shown = format!("{error} {error:?} {}", error.message());
            for value in values.iter().filter(|value| !text.contains(**value)) {
                assert!(!shown.contains(value), "{value} is in: {shown}");
            }
        }
    }
}
