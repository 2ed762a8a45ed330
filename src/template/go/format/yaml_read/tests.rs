use super::{super::yaml_write, *};

fn again(text: &str) -> String {
    let value = read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {}", error.go_text()));
    String::from_utf8(yaml_write::write(&value).unwrap()).unwrap()
}

fn fails(text: &str) -> String {
    read(text.as_bytes()).err().unwrap_or_else(|| panic!("{text}")).go_text().to_owned()
}

#[test]
fn scalars_and_tags() {
    for (text, out) in [
        ("a: 010", "a: 8\n"),
        ("a: '1'", "a: \"1\"\n"),
        ("a: !!str 1", "a: \"1\"\n"),
        ("a: !!int '5'", "a: 5\n"),
        ("a: !!bool y", "a: true\n"),
        ("a: !!binary aGk=", "a: hi\n"),
        ("a: !foo x", "a: x\n"),
        ("a:", "a: null\n"),
        ("a: 2024-01-02", "a: \"2024-01-02\"\n"),
        ("a: |\n  x\n  y\nb: >\n  x\n  y\nc: |-\n  z", "a: |\n  x\n  y\nb: |\n  x y\nc: z\n"),
        ("x", "x\n"),
        ("# only", "null\n"),
        ("--- a\n--- b", "a\n"),
        ("{1: a, 1.5: b, true: c, ~: d, x: e}", "true: c\n1: a\n1.5: b\nnull: d\nx: e\n"),
    ] {
        assert_eq!(again(text), out, "{text}");
    }
    assert!(matches!(read(b"a: !!float 1").unwrap(), Value::Map(map)
        if matches!(map.get_text("a"), Some(Value::Float(_)))));
}

#[test]
fn anchors_and_merge_keys() {
    assert_eq!(
        again("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\nf: {<<: [*x, {g: 3, b: 7}], h: 9}"),
        "a:\n  b: 1\nc:\n  b: 1\nd:\n  b: 1\n  e: 2\nf:\n  b: 1\n  g: 3\n  h: 9\n"
    );
    assert_eq!(fails("a: {<<: 5}"), "yaml: map merge requires map or sequence of maps as the value");
    assert!(fails("a: *x").contains("anchor"));
    assert!(fails("a: &x [*x]").contains("itself"));
}

#[test]
fn broken_text_is_an_error_with_a_line() {
    assert_eq!(fails("a: ["), "yaml: line 1: did not find expected node content");
    for text in ["a: b: c", "- a\n b: c", "a: 'x", "? [1,2]\n: x", "!!int x"] {
        assert!(fails(text).starts_with("yaml: "), "{}", fails(text));
    }
}

#[test]
fn bombs_and_towers_are_refused() {
    let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        text += &format!("a{level}: &a{level} [{}]\n", vec![alias; 10].join(","));
    }
    assert!(fails(&text).contains("aliasing"));
    assert!(read("[".repeat(5_000).as_bytes()).is_err());
    assert!(read("- ".repeat(5_000).as_bytes()).is_err());
}

#[test]
fn a_block_scalar_without_a_last_line_break_gets_none() {
    for (text, value) in [
        ("a: |\n  x\n  y", "x\ny"),
        ("a: |\n  x\n  y\n", "x\ny\n"),
        ("a: >\n  x\n  y", "x y"),
        ("a: >\n  x\n\n  y", "x\ny"),
        ("a: >\n  x\n   y", "x\n y"),
        ("a: |+\n  x", "x"),
        ("a: |+\n  x\n\n", "x\n\n"),
        ("a: |-\n  x", "x"),
        ("a: |\n  x\n# c", "x\n"),
        ("a: |\n  x\n  # c", "x\n# c"),
        ("a: |\n x\r", "x\n"),
        ("a: |\n  x\n ", "x\n"),
        ("a: |\n  x\n   ", "x\n "),
        ("a: |\n  x ", "x "),
        ("a: |+\n  x\n ", "x\n"),
        ("a: |\n  é\n  ü", "é\nü"),
        ("a: |\n  x\n...", "x\n"),
        ("a: |\n  x\n--- b", "x\n"),
        ("b: |\n  y\na: |\n  x\nc: d", "x\n"),
    ] {
        let Value::Map(map) = read(text.as_bytes()).unwrap() else { panic!("{text}") };
        let found = match map.get_text("a") {
            Some(Value::String(found)) => found.as_str().unwrap().to_owned(),
            _ => panic!("{text}"),
        };
        assert_eq!(found, value, "{text:?}");
    }
    assert_eq!(again("- |\n x"), "- x\n");
    assert_eq!(again("|\n  1"), "\"1\"\n");
}

#[test]
fn tabs_part_values_where_go_takes_them() {
    for (text, out) in [
        ("a:\tb", "a: b\n"),
        ("a: 'x\ty'\nb:\tc\nd:\t\te\nf: |\n  g:\th\n", "a: \"x\\ty\"\nb: c\nd: e\nf: \"g:\\th\\n\"\n"),
        ("{\"a\":\t1}", "a: 1\n"),
        ("{\n\t\"a\": [\n\t\t1,\n\t\t2.5\n\t],\n\t\"b\":\t\"x\\ty\"\n}\n", "a:\n- 1\n- 2.5\nb: \"x\\ty\"\n"),
    ] {
        assert_eq!(again(text), out, "{text:?}");
    }
    for text in ["a:\n\tb", "a:\tb: c"] {
        assert!(fails(text).starts_with("yaml: "), "{text:?}");
    }
    let many: String = (0..300).map(|n| format!("k{n}:\tv\n")).collect();
    assert_eq!(again(&many).lines().count(), 300);
}

#[test]
fn keys_are_on_one_line_and_are_something() {
    for (text, words) in [
        ("a:1\nb: 2", "line 2: mapping values are not allowed in this context"),
        ("a: 1\n: 2", "line 1: did not find expected key"),
        ("a: \u{1}", "control characters are not allowed"),
    ] {
        let error = read(text.as_bytes()).err().unwrap();
        assert_eq!(error.go_text(), format!("yaml: {words}"), "{text:?}");
    }
    for text in ["? a\n  b\n: c", "a\n---\n: b", "? \n: b", "a: b\u{85}c: d"] {
        assert!(read(text.as_bytes()).is_ok(), "{text:?}");
    }
}

#[test]
fn tabs_that_indent_or_follow_a_mark_begin_nothing() {
    for (text, place) in [("\ta: 1", ""), ("a:\n\tb", "line 2: "), ("-\ta", ""), ("a:\n- \tb", "line 2: ")] {
        let error = read(text.as_bytes()).err().unwrap();
        assert_eq!(
            error.go_text(),
            format!("yaml: {place}found character that cannot start any token"),
            "{text:?}"
        );
    }
    for text in [
        "a:\tb",
        "a: [1,\n\t2]",
        "{\n\t\"a\": 1,\n\t\"b\":\t[\n\t2\n\t]\n}",
        "a: b\t# c",
        "a: &x {\n\tb: c}",
        "a: \"b\n\tc\"\n",
    ] {
        assert!(read(text.as_bytes()).is_ok(), "{text:?}");
    }
}
