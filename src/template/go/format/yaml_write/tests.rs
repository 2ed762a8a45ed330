use super::*;

fn yaml(value: &Value) -> String {
    String::from_utf8(write(value).unwrap()).unwrap()
}

fn dict(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::dict(entries.into_iter().map(|(key, value)| (key.into(), value)))
}

fn list(items: impl IntoIterator<Item = &'static str>) -> Value {
    Value::strings(items)
}

#[test]
fn collections_nest_as_in_yaml_v2() {
    let value = dict([
        ("a", Value::anys(vec![dict([("x", Value::Int(1)), ("y", dict([("z", Value::anys(vec![]))]))])])),
        ("b", Value::anys(vec![list(["1", "q"]), Value::anys(vec![]), dict([])])),
        ("c", dict([("d", dict([]))])),
    ]);
    assert_eq!(
        yaml(&value),
        "a:\n- x: 1\n  \"y\":\n    z: []\nb:\n- - \"1\"\n  - q\n- []\n- {}\nc:\n  d: {}\n"
    );
    let nested = Value::anys(vec![Value::anys(vec![Value::anys(vec![Value::Int(1), Value::Int(2)])])]);
    assert_eq!(yaml(&nested), "- - - 1\n    - 2\n");
}

#[test]
fn quotes_follow_the_original() {
    let plain = [
        "-a", "?a", ":a", "a:b", "a#b", "a'b", "a[", "a,b", "=", "<<", "~a", "0x", "1:99", ".", "\\", "nUll",
    ];
    for text in plain {
        assert_eq!(yaml(&Value::text(text)), format!("{text}\n"));
    }
    for text in [
        "---", "--- a", "...", "- ", "-", "?", ":", "a: b", "a:", "a #b", "#", "&a", "*a", "|", "%", "@",
        "{", "!",
    ] {
        assert_eq!(yaml(&Value::text(text)), format!("'{text}'\n"));
    }
    for text in
        ["~", "null", "0o7", "09", "1_000", "1e3", "-.5", "190:20:30", "2024-1-2", "y", "on", "+1", ""]
    {
        assert_eq!(yaml(&Value::text(text)), format!("\"{text}\"\n"));
    }
    assert_eq!(yaml(&Value::text("'")), "''''\n");
    assert_eq!(yaml(&Value::text("a\tb\u{1}\u{85}💩\u{feff}")), "\"a\\tb\\x01\\N\\U0001F4A9\\uFEFF\"\n");
    assert_eq!(yaml(&Value::text("x\u{2028}y")), "'x\u{2028}  y'\n");
}

#[test]
fn texts_of_several_lines_become_blocks() {
    let value = dict([
        ("a", Value::text("l1\nl2\n")),
        ("b", Value::text("l1\nl2")),
        ("c", Value::text("l1\n\n")),
        ("d", Value::text(" l1\nl2")),
        ("e", Value::text("\nl1")),
        ("f", Value::text("l1 \nl2")),
    ]);
    assert_eq!(
        yaml(&value),
        "a: |\n  l1\n  l2\nb: |-\n  l1\n  l2\nc: |+\n  l1\n\nd: |2-\n   l1\n  l2\ne: |2-\n\n  l1\nf: \"l1 \\nl2\"\n"
    );
    let inside = Value::anys(vec![dict([("q", Value::text("a\nb")), ("z", list(["c\nd"]))])]);
    assert_eq!(yaml(&inside), "- q: |-\n    a\n    b\n  z:\n  - |-\n    c\n    d\n");
}

#[test]
fn long_lines_fold_at_blanks() {
    let folded = yaml(&dict([("k", Value::text("ab: cd ".repeat(30)))]));
    let lines: Vec<&str> = folded.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].ends_with("ab: cd ab:") && lines[1].starts_with("  cd ab:"), "{folded}");
    assert!(folded.ends_with("ab: cd '\n"));
    let tabs = yaml(&dict([("k", Value::text("ab\tcd  ".repeat(30)))]));
    assert!(tabs.contains("ab\\tcd\n  \\ ab\\tcd"), "{tabs}");
    assert_eq!(yaml(&Value::text("x".repeat(200))), "x".repeat(200) + "\n");
}

#[test]
fn long_and_broken_keys_stand_alone() {
    let key = "k".repeat(130);
    let value = Value::dict([(key.as_str().into(), Value::anys(vec![Value::Int(1), Value::Int(2)]))]);
    assert_eq!(yaml(&value), format!("? {key}\n: - 1\n  - 2\n"));
    assert_eq!(yaml(&dict([("a\nb", Value::Int(1))])), "? |-\n  a\n  b\n: 1\n");
}

#[test]
fn keys_are_in_natural_order() {
    let keys =
        ["a10", "a2", "B", "a", "1", "10", "9", "_x", "é", "", ".", "01", "A", "Z", "a-b", "a_b", "aB", "b1"];
    let text = yaml(&dict(keys.map(|key| (key, Value::Nil))));
    let order: Vec<&str> =
        text.lines().map(|line| line.trim_end_matches(": null").trim_matches(['"', '\''])).collect();
    assert_eq!(
        order,
        ["", ".", "_x", "1", "01", "9", "10", "A", "B", "Z", "a", "a-b", "a_b", "a2", "a10", "aB", "b1", "é"]
    );
}

#[test]
fn numbers_and_bytes() {
    for (value, text) in [
        (Value::Number("12345678901234567890".into()), "1.2345678901234567e+19"),
        (Value::Number("1.50".into()), "1.5"),
        (Value::Float(f64::NEG_INFINITY), "-.inf"),
        (Value::Float(1e6), "1e+06"),
        (Value::text(vec![0xff, 0, 0xfe]), "!!binary /wD+"),
    ] {
        assert_eq!(yaml(&value), format!("{text}\n"));
    }
    let mut bytes = vec![b'x'; 81];
    bytes[0] = 0xff;
    let text = yaml(&dict([("k", Value::text(bytes))]));
    assert!(text.starts_with("k: !!binary |\n  /3h4eHh4"), "{text}");
}

#[test]
fn endless_values_are_an_error() {
    let own = crate::template::go::value::Map::dict([]);
    own.insert(Key::String("self".into()), Value::Map(own.clone()));
    assert!(write(&Value::Map(own.clone())).unwrap_err().go_text().contains("deep"));
    own.remove(&Key::String("self".into()));
}
