//! What each format looks like, and that others read back what was written: a shell, Java, and libraries.

use std::{collections::BTreeMap, path::Path, process::Command, sync::Arc};

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::*;
use crate::vault::value::Map;

const EXAMPLE: &str = r#"{
    "PORT": 5432, "RATIO": 1.50, "BIG": 123456789012345678901234567890, "ON": true,
    "PLAIN": "a/b.c", "EMPTY": "", "BLANK": "two words", "QUOTE": "it's $5", "DOUBLE": "say \"hi\"",
    "PEM": "-----BEGIN X-----\nabc\n-----END X-----\n", "MIXED": "é\ttab", "NESTED": {"a": [1, "x"]}
}"#;

fn value(json: &str) -> Value {
    Value::from_json(json).unwrap()
}

fn written(format: Format, json: &str) -> String {
    write(format, &value(json)).unwrap_or_else(|error| panic!("{format:?}: {error}")).to_string()
}

fn refused(format: Format, json: &str) -> String {
    let error = write(format, &value(json)).unwrap_err();
    format!("{error}{}", error.hint.as_ref().map_or_else(String::new, |hint| format!(" ({hint})")))
}

#[test]
fn dotenv_and_shell_quote_what_has_to_be_quoted() {
    insta::assert_snapshot!(written(Format::Dotenv, EXAMPLE), @r#"
    BIG=123456789012345678901234567890
    BLANK='two words'
    DOUBLE='say "hi"'
    EMPTY=''
    MIXED='é	tab'
    NESTED='{"a":[1,"x"]}'
    ON=true
    PEM='-----BEGIN X-----
    abc
    -----END X-----
    '
    PLAIN=a/b.c
    PORT=5432
    QUOTE="it's \$5"
    RATIO=1.50
    "#);
    insta::assert_snapshot!(
        written(Format::Dotenv, r#"{"DIR": "C:\\new\\", "PATTERN": "\\d+"}"#),
        @r#"
    DIR="C:\\new\\"
    PATTERN='\d+'
    "#
    );
    insta::assert_snapshot!(
        written(Format::Shell, r#"{"A": "it's", "B": 1.50, "C": ""}"#),
        @r#"
    export A='it'\''s'
    export B='1.50'
    export C=''
    "#
    );
}

#[test]
fn json_and_yaml_keep_types_and_digits() {
    let data = r#"{"b": 1.50, "a": [1, {"x": null}, []], "no": "no", "n": "5432", "pem": "-\nb\n", "e": 1e5, "t": "a: b"}"#;
    insta::assert_snapshot!(written(Format::Json, data), @r#"
    {
      "a": [
        1,
        {
          "x": null
        },
        []
      ],
      "b": 1.50,
      "e": 1e5,
      "n": "5432",
      "no": "no",
      "pem": "-\nb\n",
      "t": "a: b"
    }
    "#);
    insta::assert_snapshot!(written(Format::Yaml, data), @r#"
    a:
      - 1
      -
        x: null
      - []
    b: 1.50
    e: 1.0e+5
    "n": "5432"
    "no": "no"
    pem: |
      -
      b
    t: "a: b"
    "#);
}

#[test]
fn toml_has_values_before_tables_and_properties_flat_keys() {
    let data = r#"{"z": 1, "db": {"user": "a", "deep": {"x": 1.50}, "list": [1, {"k v": true}]}, "only": {"in": {}}}"#;
    insta::assert_snapshot!(written(Format::Toml, data), @r#"
    z = 1

    [db]
    list = [1, { "k v" = true }]
    user = "a"

    [db.deep]
    x = 1.50

    [only.in]
    "#);
    insta::assert_snapshot!(
        written(Format::Properties, r#"{"a b": " x ", "spring": {"url": "jdbc:x=y", "hosts": ["h1", "h2"]}, "é": "\u0000#!"}"#),
        @r#"
    a\ b=\ x 
    spring.hosts[0]=h1
    spring.hosts[1]=h2
    spring.url=jdbc:x=y
    \u00E9=\u0000#!
    "#
    );
}

#[test]
fn a_bundle_has_the_leaf_first_and_the_key_last() {
    let block =
        |label: &str, body: &str| format!("-----BEGIN {label}-----\\n{body}\\n-----END {label}-----\\n");
    let (leaf, root, mid, key) = (
        block("CERTIFICATE", "LEAF"),
        block("CERTIFICATE", "ROOT"),
        block("CERTIFICATE", "MID"),
        block("EC PRIVATE KEY", "KEY"),
    );
    let data = format!(
        r#"{{"private_key": "{key}", "issuing_ca": "{mid}", "ca_chain": ["{mid}", "{root}"], "certificate": "{leaf}",
            "serial_number": "1:2", "expiration": 5}}"#
    );
    let bundle = written(Format::Pem, &data);
    let bodies: Vec<&str> = bundle.lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(bodies, ["LEAF", "MID", "ROOT", "KEY"]);
    assert!(bundle.ends_with("-----END EC PRIVATE KEY-----\n"));
}

#[test]
fn what_a_format_cannot_hold_names_the_key_and_never_the_value() {
    let canary = "canary";
    let cases = [
        (Format::Dotenv, r#"{"A": "canary\u0000"}"#),
        (Format::Shell, r#"{"A": "canary\u0000"}"#),
        (Format::Dotenv, r#"{"api-key": "canary"}"#),
        (Format::Shell, r#"{"1A": "canary"}"#),
        (Format::Dotenv, r#"{"A": null}"#),
        (Format::Properties, r#"{"A": {"b": null}}"#),
        (Format::Properties, r#"{"a.b": "canary", "a": {"b": "canary"}}"#),
        (Format::Toml, r#"{"A": {"b": [1, null]}}"#),
        (Format::Toml, r#"{"A": 9223372036854775808}"#),
        (Format::Toml, r#"{"A": 1e400}"#),
        (Format::Pem, r#"{"A": "canary", "B": 1}"#),
        (Format::Pem, r#"{"A": "-----BEGIN X-----\ncanary"}"#),
    ];
    let said: Vec<String> =
        cases.iter().map(|(format, data)| format!("{}: {}", format.name(), refused(*format, data))).collect();
    assert!(!said.iter().any(|text| text.contains(canary)), "{said:?}");
    insta::assert_snapshot!(said.join("\n"), @r#"
    dotenv: the key "A" has a NUL byte in its value, which a dotenv file can't hold (store binary data as base64)
    shell: the key "A" has a NUL byte in its value, which a shell variable can't hold (store binary data as base64)
    dotenv: the key "api-key" is no name for a variable, so a dotenv file can't hold it (variables have letters, digits and `_`: rename the key in the secret, or write it with a template)
    shell: the key "1A" is no name for a variable, so a shell variable can't hold it (variables have letters, digits and `_`: rename the key in the secret, or write it with a template)
    dotenv: the key "A" is null, which a dotenv file can't hold (remove the key from the secret, or write it with a template)
    properties: the key "A.b" is null, which a properties file can't hold (remove the key from the secret, or write it with a template)
    properties: the key "a.b" is there twice, by itself and inside of another key
    toml: the key "A.b[1]" is null, which TOML can't hold (remove the key from the secret, or write it with a template)
    toml: the key "A" is a number that needs more than 64 bits, which TOML can't hold (store it as text)
    toml: the key "A" is a number that needs more than 64 bits, which TOML can't hold (store it as text)
    pem: no key of the secret holds PEM text (there are: A, B) (a PEM text begins with -----BEGIN)
    pem: the key "A" holds a PEM block without an end (compare its BEGIN with its END line)
    "#);
}

/// Data as people keep it, and the characters that break naive quoting.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[ -~]{0,12}",
        3 => "[\"'`$\\\\ \t\n\r#=:;!&|<>(){}\\[\\]*?~%-]{0,8}",
        2 => any::<String>().prop_map(|text| text.chars().take(12).collect()),
        1 => prop::sample::select(vec![
            "yes", "NO", "null", "~", "1e3", "0x10", "012", "1_000", "12:30:45", "2024-01-01", "=", "<<", "- a", "a: b",
            "a #b", "|", ">", "---", "...", "%", "@", "`", "!x", "&x", "*x", "\u{feff}", "\u{85}x", "a\u{2028}b",
            "line\nline\n", " lead\nline", "a\n\n", "a\n \nb", "\n", "trail \nx", "\r\n", "\u{7f}", "\u{81}", ".inf",
            "x\ty\nz", "${HOME}", "$(id)", "`id`", "\\u0041", "\\n", "a\\", "'", "\"", "''", "é😀", "true", "1.50",
        ])
        .prop_map(str::to_owned),
    ]
    .boxed()
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(|number| format!("{number:?}")),
        prop::sample::select(vec!["1.50", "-0", "1e5", "1E+2", "1.5e-3", "0.10"]).prop_map(str::to_owned),
    ]
}

fn text(text: String) -> Value {
    Value::String(text.into())
}

/// Texts and numbers by key; `keys` is a regular expression.
fn flat(keys: &'static str, values: impl Strategy<Value = String> + 'static) -> BoxedStrategy<Map> {
    let value = prop_oneof![
        4 => values.prop_map(text),
        1 => number().prop_map(|number| Value::Number(number.into())),
        1 => any::<bool>().prop_map(Value::Bool),
    ];
    prop::collection::btree_map(keys.prop_map(|key| Arc::from(key.as_str())), value, 1..8).boxed()
}

fn tree(nulls: bool) -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        4 => hostile().prop_map(text),
        1 => number().prop_map(|number| Value::Number(number.into())),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(if nulls { Value::Null } else { Value::Bool(false) }),
    ];
    let node = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| Value::List(Arc::new(items))),
            prop::collection::btree_map(hostile().prop_map(Arc::from), inner, 0..4)
                .prop_map(|map: BTreeMap<Arc<str>, Value>| Value::Map(Arc::new(map))),
        ]
    });
    prop::collection::btree_map(hostile().prop_map(Arc::from), node, 0..5)
        .prop_map(|map: BTreeMap<Arc<str>, Value>| Value::Map(Arc::new(map)))
        .boxed()
}

/// Many samples of a strategy, the same at every run.
fn samples<T: std::fmt::Debug>(strategy: &BoxedStrategy<T>, count: usize) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

fn as_variable(value: &Value) -> String {
    plain("", value, "").unwrap().to_string()
}

fn file(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    #[expect(clippy::disallowed_methods, reason = "the test lays out the files that others read")]
    std::fs::write(&path, text).unwrap();
    path
}

/// What a program prints.
fn output(program: &str, arguments: &[&str]) -> Vec<u8> {
    #[expect(clippy::disallowed_methods, reason = "others say what they read")]
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Whether a program can be started.
fn has(program: &str, argument: &str) -> bool {
    #[expect(clippy::disallowed_methods, reason = "what is not there can't be asked")]
    let output = Command::new(program).arg(argument).output();
    output.is_ok_and(|output| output.status.success())
}

/// Each file is sourced in a shell of its own inside of one process; `\x01` parts the files.
fn sourced(shell: &str, format: Format, maps: &[Map]) {
    let folder = tempfile::tempdir().unwrap();
    let mut script = String::new();
    for (at, map) in maps.iter().enumerate() {
        let text = write(format, &Value::Map(Arc::new(map.clone()))).unwrap();
        let path = file(folder.path(), &format!("{at}"), &text);
        script.push_str(&format!("( set -a; . {}; /usr/bin/env -0 ); printf '\\001'\n", path.display()));
    }
    let script = file(folder.path(), "script", &script);
    let out = output(shell, &[&script.display().to_string()]);
    let files: Vec<&[u8]> = out.split(|byte| *byte == 1).collect();
    assert_eq!(files.len(), maps.len() + 1);
    for (map, found) in maps.iter().zip(files) {
        let found: BTreeMap<&[u8], &[u8]> = found
            .split(|byte| *byte == 0)
            .filter_map(|line| {
                line.iter().position(|byte| *byte == b'=').map(|at| (&line[..at], &line[at + 1..]))
            })
            .collect();
        for (key, value) in map {
            let wanted = as_variable(value);
            assert_eq!(
                found.get(key.as_bytes()).map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
                Some(wanted),
                "{shell} {format:?} {key}"
            );
        }
    }
}

#[test]
fn a_shell_reads_back_what_dotenv_and_shell_write() {
    let values = hostile().prop_map(|text| text.replace(['\0', '\u{1}'], ""));
    let maps = samples(&flat("K_[A-Za-z0-9_]{0,6}", values), 250);
    for shell in ["/bin/sh", "/bin/bash", "/bin/dash", "/bin/busybox-sh", "/bin/zsh"] {
        if !has(shell, "-c:") && !Path::new(shell).exists() {
            continue;
        }
        sourced(shell, Format::Dotenv, &maps);
        sourced(shell, Format::Shell, &maps);
    }
}

fn java_text(map: &Map) -> String {
    write(Format::Properties, &Value::Map(Arc::new(map.clone()))).unwrap().to_string()
}

#[test]
fn a_library_with_the_rules_of_java_reads_back_properties() {
    // The library doesn't know surrogate pairs; Java below does.
    let values = hostile().prop_map(|text| text.replace(|c| u32::from(c) > 0xffff, ""));
    for map in samples(&flat("[ -~é]{1,8}", values), 500) {
        let found = java_properties::read(java_text(&map).as_bytes()).unwrap();
        let wanted: BTreeMap<String, String> =
            map.iter().map(|(key, value)| (key.to_string(), as_variable(value))).collect();
        assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), wanted);
    }
}

const JAVA: &str = r#"
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;

public class Read {
    static String hex(String text) {
        StringBuilder out = new StringBuilder();
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) out.append(String.format("%02x", b));
        return out.toString();
    }
    public static void main(String[] args) throws Exception {
        for (int at = 0; at < Integer.parseInt(args[1]); at++) {
            for (boolean utf8 : new boolean[] {false, true}) {
                Properties found = new Properties();
                InputStream file = Files.newInputStream(Paths.get(args[0], "" + at));
                if (utf8) found.load(new InputStreamReader(file, StandardCharsets.UTF_8));
                else found.load(file);
                TreeMap<String, String> sorted = new TreeMap<>();
                for (String key : found.stringPropertyNames()) sorted.put(hex(key), hex(found.getProperty(key)));
                System.out.println(sorted);
            }
        }
    }
}
"#;

#[test]
fn java_itself_reads_back_properties_as_latin_1_and_as_utf_8() {
    if !has("java", "-version") || !has("javac", "-version") {
        eprintln!("SKIPPED java_itself_reads_back_properties: there is no JDK (java, javac) on this machine");
        return;
    }
    let maps = samples(&flat("[ -~é]{1,8}", hostile()), 200);
    let folder = tempfile::tempdir().unwrap();
    let source = file(folder.path(), "Read.java", JAVA);
    for (at, map) in maps.iter().enumerate() {
        file(folder.path(), &at.to_string(), &java_text(map));
    }
    let out = output(
        "java",
        &[&source.display().to_string(), &folder.path().display().to_string(), &maps.len().to_string()],
    );
    let out = String::from_utf8(out).unwrap();
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    for (map, lines) in maps.iter().zip(out.lines().collect::<Vec<_>>().chunks(2)) {
        let wanted: BTreeMap<String, String> =
            map.iter().map(|(key, value)| (hex(key), hex(&as_variable(value)))).collect();
        let wanted: Vec<String> = wanted.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let wanted = format!("{{{}}}", wanted.join(", "));
        assert_eq!(lines, [wanted.as_str(), wanted.as_str()]);
    }
}

fn float(text: &crate::vault::value::Text) -> f64 {
    text.as_str().unwrap().parse().unwrap()
}

fn same_json(ours: &Value, theirs: &serde_json::Value) -> bool {
    use serde_json::Value as Json;
    match (ours, theirs) {
        (Value::Null, Json::Null) => true,
        (Value::Bool(a), Json::Bool(b)) => a == b,
        // This reader is off by one digit at times.
        (Value::Number(a), Json::Number(b)) => {
            b.as_f64().is_some_and(|b| (b - float(a)).abs() <= b.abs() * 1e-15)
        }
        (Value::String(a), Json::String(b)) => a.as_str() == Some(b),
        (Value::List(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_json(a, b))
        }
        (Value::Map(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(&**key).is_some_and(|b| same_json(a, b)))
        }
        _ => false,
    }
}

fn same_toml(ours: &Value, theirs: &::toml::Value) -> bool {
    use ::toml::Value as Toml;
    match (ours, theirs) {
        (Value::Bool(a), Toml::Boolean(b)) => a == b,
        (Value::Number(a), Toml::Integer(b)) => a.as_str().unwrap().parse() == Ok(*b),
        (Value::Number(a), Toml::Float(b)) => float(a) == *b,
        (Value::String(a), Toml::String(b)) => a.as_str() == Some(b),
        (Value::List(a), Toml::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_toml(a, b))
        }
        (Value::Map(a), Toml::Table(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(&**key).is_some_and(|b| same_toml(a, b)))
        }
        _ => false,
    }
}

fn same_yaml(ours: &Value, theirs: &saphyr::Yaml<'_>) -> bool {
    match ours {
        Value::Null => theirs.is_null(),
        Value::Bool(a) => theirs.as_bool() == Some(*a),
        Value::Number(a) => {
            let exact =
                theirs.as_integer().map(|b| b.to_string()) == a.as_str().map(|a| a.replace("-0", "0"));
            exact || theirs.as_floating_point() == Some(float(a)) || a.as_str() == Some("-0")
        }
        Value::String(a) => theirs.as_str() == a.as_str(),
        Value::List(a) => theirs
            .as_sequence()
            .is_some_and(|b| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_yaml(a, b))),
        Value::Map(a) => theirs.as_mapping().is_some_and(|b| {
            a.len() == b.len()
                && b.iter()
                    .all(|(key, b)| key.as_str().and_then(|key| a.get(key)).is_some_and(|a| same_yaml(a, b)))
        }),
    }
}

#[test]
fn messages_have_a_subject_and_pem_holds_no_nul() {
    let message =
        |format, data: &str| write(format, &Value::from_json(data).unwrap()).unwrap_err().to_string();
    for format in [Format::Dotenv, Format::Shell] {
        let said = message(format, r#"{"": "x"}"#);
        assert!(said.starts_with("the key \"\" is no name for a variable"), "{said}");
    }
    assert_eq!(message(Format::Pem, "{}"), "the secret is empty, without PEM text");
    assert_eq!(message(Format::Pem, "\"x\""), "the value is no PEM text");
    let said = message(Format::Pem, r#"{"a": "-----BEGIN X-----\n\u0000\n-----END X-----"}"#);
    assert!(said.starts_with("the key \"a\" has a NUL byte"), "{said}");
}

proptest! {
    #![proptest_config(Config { cases: 400, ..Config::default() })]

    #[test]
    fn libraries_read_back_json_toml_and_yaml(tree in tree(true), without_nulls in tree(false)) {
        for layout in [Layout::Compact, Layout::Pretty] {
            let mut out = Out::new(String::new());
            json(&tree, layout, &mut out).unwrap();
            prop_assert!(same_json(&tree, &serde_json::from_str(&out).unwrap()), "{}", *out);
            prop_assert_eq!(&Value::from_json(&out).unwrap(), &tree);
        }
        let toml = write(Format::Toml, &without_nulls).unwrap();
        let found: ::toml::Table = toml.parse().map_err(|error| TestCaseError::fail(format!("{error}\n{}", *toml)))?;
        prop_assert!(same_toml(&without_nulls, &::toml::Value::Table(found)), "{}", *toml);
        let yaml = write(Format::Yaml, &tree).unwrap();
        let found = <saphyr::Yaml as saphyr::LoadableYamlNode>::load_from_str(&yaml)
            .map_err(|error| TestCaseError::fail(format!("{error}\n{}", *yaml)))?;
        prop_assert!(same_yaml(&tree, &found[0]), "{}\n{found:?}", *yaml);
    }

    /// The rules of version 1.1, which most readers still have: text stays text.
    #[test]
    fn yaml_texts_are_texts_for_readers_of_version_1_1(tree in tree(true)) {
        let yaml = write(Format::Yaml, &tree).unwrap();
        let found = crate::template::go::format::yaml_read::read(yaml.as_bytes());
        let found = found.map_err(|error| TestCaseError::fail(format!("{}\n{}", error.shown(), *yaml)))?;
        prop_assert!(same_go(&tree, &found), "{}", *yaml);
    }
}

fn same_go(ours: &Value, theirs: &crate::template::go::value::Value) -> bool {
    use crate::template::go::value::Value as Go;
    match (ours, theirs) {
        (Value::String(a), Go::String(b)) => a == b,
        (Value::String(_), _) => false,
        (Value::List(a), Go::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.items()).all(|(a, b)| same_go(a, b))
        }
        (Value::Map(a), Go::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get_text(key).is_some_and(|b| same_go(a, &b)))
        }
        (_, other) => !matches!(other, Go::String(_)),
    }
}
