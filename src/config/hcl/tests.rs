//! The corpus with the original's answers, hostile texts, and what the messages say.

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::*;

/// The tree in the shape that `hashicorp/hcl` gives when it decodes into an untyped map: every block is a list of
/// maps, labels nest, the last of repeated scalars wins.
fn untyped(body: &Body) -> Json {
    let mut map = Map::new();
    for item in &body.items {
        let mut value = untyped_value(&item.value);
        for label in item.labels.iter().rev() {
            value = json!([{ label.text.as_str(): value }]);
        }
        match (map.get_mut(&item.key.text), value) {
            (Some(Json::Array(all)), Json::Array(more)) => all.extend(more),
            (_, value) => {
                map.insert(item.key.text.clone(), value);
            }
        }
    }
    Json::Object(map)
}

fn untyped_value(value: &Value) -> Json {
    match &value.kind {
        Kind::Text(text) => json!(text),
        Kind::Bool(value) => json!(value),
        Kind::Null => Json::Null,
        Kind::Number(text) => crate::config::units::int_with_base(text)
            .map_or_else(|_| json!(text.parse::<f64>().unwrap()), |number| json!(number)),
        Kind::List(values) => values
            .iter()
            .map(|value| match &value.kind {
                Kind::Block(body) => untyped(body),
                _ => untyped_value(value),
            })
            .collect(),
        Kind::Block(body) => json!([untyped(body)]),
    }
}

/// 1e3 and 1000 are the same number to us.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        _ => a == b,
    }
}

/// Cases in which we accept what the original refuses, and the tree that we give.
fn deliberately_lenient(case: &str) -> Option<Json> {
    match case {
        "09_heredoc_indent_zero_marker.hcl" => Some(json!({"template": [{"contents": "    a\n      b\n"}]})),
        _ => None,
    }
}

#[test]
fn every_case_of_the_corpus_gives_the_original_s_tree_or_an_error() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/corpus/hcl");
    let answers = std::fs::read_to_string(corpus.join("ref.txt")).unwrap();
    let mut count = 0;
    for line in answers.lines() {
        let (case, answer) = line.split_once('\t').unwrap();
        let ours = parse(&std::fs::read(corpus.join("cases").join(case)).unwrap());
        if answer.starts_with("ERR") {
            match deliberately_lenient(case) {
                Some(tree) => assert_eq!(untyped(&ours.unwrap()), tree, "{case}"),
                None => assert!(ours.is_err(), "{case}: {ours:?}"),
            }
        } else {
            let theirs: Json = serde_json::from_str(answer).unwrap();
            let ours = untyped(&ours.unwrap_or_else(|error| panic!("{case}: {error:?}")));
            assert!(same(&ours, &theirs), "{case}\n ours   {ours}\n theirs {theirs}");
        }
        count += 1;
    }
    assert_eq!(count, 46);
}

#[test]
fn commas_in_lists_may_stand_alone_as_in_the_original() {
    assert_eq!(untyped(&parse(b"a = [,]\nb = [ , 1, , 2,]").unwrap()), json!({"a": [], "b": [1, 2]}));
}

fn message(text: &[u8]) -> String {
    let file: Arc<Path> = Path::new("agent.hcl").into();
    parse(text).expect_err("a wrong text").problem(&file).to_string()
}

#[test]
fn messages_name_place_found_expected_and_the_way_out() {
    for (text, expected) in [
        (
            "vault {\n  address = http\n}",
            "agent.hcl:2:13: found the word `http` as the value of `address`\n  expected: a text in quotes, a number, \
             true, false, a list [ … ] or a block { … }\n  hint: put it in quotes: address = \"http\"",
        ),
        (
            "a = yes",
            "agent.hcl:1:5: found the word `yes` as the value of `a`\n  expected: a text in quotes, a number, true, \
             false, a list [ … ] or a block { … }\n  hint: write true",
        ),
        (
            "template {\n  source = \"a\"\n",
            "agent.hcl:3:1: found the end of the file\n  expected: `}` for the block that begins at line 1, column 10",
        ),
        (
            "a = 1\n}\n",
            "agent.hcl:2:1: found `}` without an open block\n  expected: a key, or the end of the file",
        ),
        (
            "timeout = 30s\n",
            "agent.hcl:1:13: found `s` directly behind a number\n  expected: a line break or a blank after the number\n  \
             hint: durations and sizes go in quotes, for instance \"30s\"",
        ),
        (
            "vault:\n  address: x\n",
            "agent.hcl:1:6: found the character `:`\n  expected: a key, a value, or one of { } [ ] = , #\n  hint: write \
             key = value; `key: value` is YAML",
        ),
        (
            "a = \"x\ny\"",
            "agent.hcl:1:5: the text that begins here is not closed on its line\n  expected: a closing `\"`\n  hint: \
             write \\n for a line break, or use a heredoc: key = <<EOF",
        ),
        (
            "a = <<EOF\nx\nEOF",
            "agent.hcl:1:5: the heredoc that begins here never ends\n  expected: a line break behind the closing `EOF`\n  \
             hint: end the file with a line break",
        ),
        (
            "a = <<EOF\nx\n",
            "agent.hcl:1:5: the heredoc that begins here never ends\n  expected: a line with only `EOF`, and a line \
             break behind it",
        ),
        (
            "a = [\"x\" \"y\"]",
            "agent.hcl:1:10: found a text in quotes in the list of `a`\n  expected: `,` or `]`",
        ),
        (
            "a \"b\" = 1",
            "agent.hcl:1:7: found `=` behind the key `a`\n  expected: a block: a \"b\" { … }\n  hint: is a quote or a \
             line break missing before it?",
        ),
        (
            "address\nnamespace = \"x\"",
            "agent.hcl:2:11: found `=` behind the key `address`\n  expected: a block: address \"namespace\" { … }\n  \
             hint: is a quote or a line break missing before it?",
        ),
        (
            "a = \"\\d\"",
            "agent.hcl:1:6: found `\\d` in a text\n  expected: one of \\n \\t \\r \\\" \\\\ \\uXXXX\n  hint: a backslash \
             itself is written \\\\; a heredoc (<<EOF) needs no escapes",
        ),
        (
            "{ \"mode\": 0640 }",
            "agent.hcl:1:11: found a number that begins with 0\n  expected: a JSON number without leading zeros\n  hint: \
             an octal mode goes in quotes here, for instance \"0640\"",
        ),
        (
            "{ a: 1 }",
            "agent.hcl:1:3: found `a`\n  expected: a key in double quotes\n  hint: this file is read as JSON, since it \
             begins with `{`",
        ),
        (
            "\u{feff}a = 1",
            "agent.hcl:1:1: the file begins with a byte order mark\n  hint: save it as UTF-8 without a byte order mark",
        ),
    ] {
        assert_eq!(message(text.as_bytes()), expected);
    }
    assert_eq!(
        message(b"\x7fELF\x02\x01\0\0\xff"),
        "agent.hcl:1:7: found a zero byte\n  expected: a text in UTF-8\n  hint: is this a configuration file in HCL or \
         JSON?"
    );
    assert_eq!(
        message(b"a = \"\xff\""),
        "agent.hcl:1:6: found a byte that is not UTF-8\n  expected: a text in UTF-8\n  hint: is this a configuration file \
         in HCL or JSON?"
    );
}

#[test]
fn an_error_never_repeats_a_text_in_quotes() {
    for text in [
        "a \"hvs.secret\" ]",
        "a = [ \"hvs.secret\" \"b\" ]",
        "a = \"hvs.secret",
        "{\"a\": \"hvs.secret\" 1}",
    ] {
        let said = format!("{:?}", parse(text.as_bytes()).unwrap_err().found);
        assert!(!said.contains("hvs"), "{said}");
    }
}

#[test]
fn json_keeps_order_places_and_escapes() {
    let body =
        parse(b" { \"a\": \"\\u00e9\\ud83d\\ude00\\n\\/\", \"b\": [1, -2.5e3, true, null, {}] }").unwrap();
    let Kind::Text(text) = &body.items[0].value.kind else { unreachable!() };
    assert_eq!(text, "é😀\n/");
    assert_eq!(body.items[1].key.pos, Pos { line: 1, column: 35 });
    assert_eq!(untyped(&body)["b"], json!([1, -2500.0, true, null, {}]));
    assert_eq!(untyped(&parse(b"{\"a\":\"\\ud83dx\"}").unwrap()), json!({"a": "\u{fffd}x"}));
}

#[test]
fn json_is_as_lenient_as_the_original_s() {
    assert_eq!(
        untyped(&parse(b"{\"a\":[1,],\"b\":{\"c\":2,},}").unwrap()),
        json!({"a": [1], "b": [{"c": 2}]})
    );
    assert_eq!(untyped(&parse(b"{\"a\":\"\\x41\\v\t\"}").unwrap()), json!({"a": "A\u{b}\t"}));
    let body = parse(b"{\"a\":1}\n}").unwrap();
    assert_eq!((body.items.len(), body.ignored_from), (1, Some(Pos { line: 2, column: 1 })));
}

#[test]
fn wrong_json_is_an_error() {
    for text in [
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":[1,,2]}",
        "{\"a\":tru}",
        "{\"a\":-}",
        "{\"a\":1e}",
        "{\"a\":30s}",
        "{\"a\":\"\\q\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"x\ny\"}",
        "{\"a\":'x'}",
        "{,}",
    ] {
        assert!(parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn nesting_is_bounded_and_size_too() {
    let deep =
        |open: &str, close: &str, depth: usize| format!("a = {}{}", open.repeat(depth), close.repeat(depth));
    assert!(parse(deep("[", "]", MAX_DEPTH).as_bytes()).is_ok());
    for text in [
        deep("[", "]", MAX_DEPTH + 1),
        deep("{a=", "1}", 100_000),
        "a {".repeat(100_000),
        deep("[", "", 100_000),
    ] {
        assert!(parse(text.as_bytes()).unwrap_err().found.contains("nested more than 100 deep"));
    }
    for text in ["{\"a\":".repeat(100_000), format!("{{\"a\":{}", "[".repeat(100_000))] {
        assert!(parse(text.as_bytes()).unwrap_err().found.contains("nested more than 100 deep"));
    }
    assert!(parse(&vec![b' '; MAX_BYTES + 1]).unwrap_err().found.contains("larger than 32 MiB"));
}

#[test]
fn two_mebibytes_are_no_trouble() {
    let mut text = String::new();
    while text.len() < 2 << 20 {
        text.push_str("template {\n  contents = \"{{ with secret \\\"kv/x\\\" }}{{ end }}\"\n  destination = \"/x\"\n}\n");
    }
    let last = parse(text.as_bytes()).unwrap().items.pop().unwrap();
    assert_eq!(last.key.pos.line as usize, text.lines().count() - 3);
    let json = format!("{{\"a\": \"{}\"}}", "x".repeat(2 << 20));
    assert!(parse(json.as_bytes()).is_ok());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[a-z0-9{}\\[\\]\"'=,:<>\\-EOF\\\\$#/*. \\n\\r\\tué]{0,60}") {
        let _ = parse(text.as_bytes());
        let _ = parse(format!("{{{text}").as_bytes());
        let _ = parse(format!("a = <<E\n{text}").as_bytes());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn any_text_survives_json(text in "\\PC{0,40}") {
        let body = parse(json!({ "a": text.as_str() }).to_string().as_bytes()).unwrap();
        prop_assert_eq!(&body.items[0].value.kind, &Kind::Text(text));
    }
}
