//! Hostile templates end with an error: no panic, no overflow, no endless run.

use super::*;
use crate::template::error::ErrorKind;

fn fails(text: &str) -> TemplateError {
    match render(&spec(), text) {
        Ok(render) => panic!("{} bytes from {}", render.bytes.len(), text.get(..60).unwrap_or(text)),
        Err(error) => error,
    }
}

#[test]
fn endless_recursion_ends() {
    for text in [
        "{{ define \"a\" }}{{ template \"a\" }}{{ end }}{{ template \"a\" }}",
        "{{ define \"a\" }}{{ if true }}{{ with 1 }}{{ template \"a\" . }}{{ end }}{{ end }}{{ end }}{{ template \"a\" }}",
        "{{ define \"a\" }}{{ range 1 }}{{ template \"a\" . }}{{ end }}{{ end }}{{ template \"a\" }}",
        "{{ executeTemplate \"\" }}",
        "{{ define \"a\" }}{{ executeTemplate \"a\" }}{{ end }}{{ template \"a\" }}",
        "{{ define \"a\" }}{{ len (printf \"%s\" (executeTemplate \"a\")) }}{{ end }}{{ template \"a\" }}",
    ] {
        let error = fails(text);
        assert!(matches!(error.kind(), ErrorKind::Limit | ErrorKind::Function), "{text}: {error}");
        assert!(error.message().len() < 100_000, "{text}");
    }
}

#[test]
fn loops_and_outputs_are_bounded() {
    assert_eq!(fails("{{ range loop 9000000000 }}{{ end }}").kind(), ErrorKind::Limit);
    assert_eq!(fails("{{ range 9000000000 }}x{{ end }}").kind(), ErrorKind::Limit);
    let doubling = "{{ $x := \"0123456789abcdef\" }}{{ range loop 40 }}{{ $x = print $x $x }}{{ end }}";
    assert_eq!(fails(doubling).kind(), ErrorKind::Limit);
    let writing = format!("{{{{ range loop 2000 }}}}{}{{{{ end }}}}", "x".repeat(10_000));
    assert_eq!(fails(&writing).kind(), ErrorKind::Limit);
    let wide = fails("{{ range loop 100 }}{{ printf \"%1000000d\" 1 }}{{ end }}");
    assert_eq!(wide.kind(), ErrorKind::Limit, "{wide}");
}

#[test]
fn work_that_grows_faster_than_its_result_is_bounded() {
    for text in [
        // Patterns: large, many, slow, growing.
        "{{ regexMatch \"(?:(?:a?){30}){30}b\" (sprig_repeat 1000000 \"a\") }}",
        "{{ regexReplaceAll \"(?s)a.*b|a\" \"x\" (sprig_repeat 1000000 \"a\") }}",
        "{{ len (sprig_regexFindAll \"(?s)a.*b|a\" (sprig_repeat 200000 \"a\") -1) }}",
        "{{ $x := sprig_repeat 100000 \"ab\" }}{{ regexReplaceAll \"a\" $x $x }}",
        "{{ range 1000000 }}{{ $x := regexMatch (printf \"(?:\\\\pL{%d}|b)\" (sprig_mod . 100)) \"a\" }}{{ end }}",
        // Searches.
        "{{ $l := sprig_until 300000 }}{{ range 1000000 }}{{ $x := in $l -1 }}{{ end }}",
        "{{ $l := sprig_until 100000 }}{{ range 1000000 }}{{ $x := sprig_has -1 $l }}{{ end }}",
        "{{ len (sprig_uniq (sprig_until 500000)) }}",
        "{{ $t := sprig_repeat 1000000 \"a\" }}{{ range 1000000 }}{{ $x := contains \"b\" $t }}{{ end }}",
        // Digests, keys, certificates.
        "{{ $t := sprig_repeat 10000000 \"a\" }}{{ range 100000 }}{{ $x := sha256Hex $t }}{{ end }}",
        "{{ range 1000000 }}{{ $x := sprig_genPrivateKey \"ecdsa\" }}{{ end }}",
        "{{ range 1000000 }}{{ $x := sprig_genCA \"a\" 365 }}{{ end }}",
        "{{ $t := sprig_repeat 1000000 \"a,\" }}{{ range 1000000 }}{{ $x := splitToMap \",\" \"a\" $t }}{{ end }}",
        "{{ $t := sprig_repeat 1000000 \"a,\" }}{{ range 1000000 }}{{ $x := sprig_shuffle $t }}{{ end }}",
        // Numbers of any length.
        "{{ range 1000000 }}{{ $x := printf \"%.60000g\" 1.1 }}{{ end }}",
        "{{ range 1000000 }}{{ $x := sprig_mulf 1e-300 1e-300 1e-300 }}{{ end }}",
        &format!("{{{{ sprig_mulf 1 {} }}}}", "1.23456789012345e-300 ".repeat(60_000)),
        &format!("{{{{ sprig_divf 1 {} }}}}", "1.23456789012345e-300 ".repeat(60_000)),
        // Values that take more than they say.
        "{{ $x := parseJSON (print \"[\" (sprig_repeat 1000000 \"[],\") \"1]\") }}",
        "{{ $x := parseYAML (sprig_repeat 1000000 \"- a\\n\") }}",
        "{{ range 1000000 }}{{ scratch.MapSet \"m\" (printf \"%d\" .) . }}{{ end }}",
        "{{ range 1000000 }}{{ \"x\" | writeToFile \"/x\" \"\" \"\" \"0644\" }}{{ end }}",
        "{{ $x := sprig_until 1000000 }}{{ $y := sprig_concat $x $x $x $x $x $x $x $x $x $x $x $x $x $x }}",
        "{{ $t := sprig_repeat 100000 \"1 || \" }}{{ range 100000 }}{{ $x := sprig_semverCompare (print $t \"1\") \"1.2.3\" }}{{ end }}",
        "{{ $p := sprig_repeat 100000 \"a\" }}{{ range 5000 }}{{ $x := secret (printf \"kv/%d/%s\" . $p) }}{{ end }}",
    ] {
        let error = fails(text);
        assert_eq!(error.kind(), ErrorKind::Limit, "{text}: {error}");
    }
    let words = fails(&format!("{{{{ print{} }}}}", " 1".repeat(300_000)));
    assert!(words.message().contains("250,000 words"), "{words}");
}

/// Eight times itself, thirty times: small in memory, endless to walk through.
#[test]
fn values_that_hold_one_value_many_times_are_bounded() {
    for (start, step) in [
        ("sprig_list 1 2 3 4 5 6 7 8", "sprig_list $d $d $d $d $d $d $d $d"),
        ("sprig_dict \"a\" 1", "sprig_dict \"a\" $d \"b\" $d \"c\" $d \"d\" $d \"e\" $d \"f\" $d \"g\" $d"),
    ] {
        for use_it in [
            "$d",
            "print $d | len",
            "printf \"%v\" $d | len",
            "printf \"%#v\" $d | len",
            "printf \"%d\" $d | len",
            "toJSON $d | len",
            "toJSONPretty $d | len",
            "toYAML $d | len",
            "toTOML (sprig_dict \"d\" $d) | len",
            "sprig_toJson $d | len",
            "sprig_deepEqual (sprig_list $d) (sprig_list $e)",
            "spew_sdump $d | len",
            "spew_sprintf \"%#v\" $d | len",
            "sprig_toString $d | len",
            "sprig_join \",\" $d | len",
            "eq $d $d",
            "html $d | len",
        ] {
            let grow = |name: &str| {
                let step = step.replace("$d", name);
                format!("{{{{ {name} := {start} }}}}{{{{ range 30 }}}}{{{{ {name} = {step} }}}}{{{{ end }}}}")
            };
            let error = fails(&format!("{}{}{{{{ {use_it} }}}}", grow("$d"), grow("$e")));
            assert!(
                error.message().contains("4,000,000 parts") || error.message().contains("16 MiB"),
                "{use_it}: {error}"
            );
            assert_eq!(error.kind(), ErrorKind::Limit, "{use_it}: {error}");
        }
    }
}

#[test]
fn requests_are_bounded() {
    let error = fails("{{ range loop 100000 }}{{ secret (printf \"kv/%d\" .) }}{{ end }}");
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    assert!(error.message().contains("5,000 different secrets"), "{error}");
}

#[test]
fn programs_are_bounded() {
    let fixture = Fixture::parse(r#"{"plugin": {"p": "x"}}"#).unwrap();
    let text = "{{ range loop 100000 }}{{ plugin \"p\" \"x\" }}{{ end }}";
    let template = Template::compile(&spec(), text, &mut no_partials).unwrap();
    let error = FixtureHost::new(&fixture).settle(&template, &Identity::default()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    assert!(error.message().contains("1,000 programs"), "{error}");
}

#[test]
fn deep_expressions_end() {
    for count in [100, 1_000, 20_000] {
        let parens = format!("{{{{ {}1{} }}}}", "(".repeat(count), ")".repeat(count));
        let blocks = format!("{}x{}", "{{ if 1 }}".repeat(count), "{{ end }}".repeat(count));
        for text in [parens, blocks] {
            if let Err(error) = render(&spec(), &text) {
                assert!(error.message().contains("deep") || error.message().contains("depth"), "{error}");
                assert!(count > 100, "{error}");
            }
        }
    }
}

#[test]
fn real_depths_are_far_below_the_limits() {
    let text = "{{ define \"a\" }}{{ if . }}{{ template \"a\" (slice . 1) }}{{ end }}x{{ end }}{{ template \"a\" \
                \"0123456789012345678901234567890123456789\" }}";
    assert_eq!(rendered(text).len(), 41);
}

/// Any text, in any order, ends: a small fuzz run with fixed seeds.
#[test]
fn no_text_makes_the_engine_panic() {
    const PIECES: &[&str] = &[
        "{{",
        "}}",
        "{{-",
        "-}}",
        " ",
        "\n",
        "(",
        ")",
        "|",
        ".",
        ".a",
        "$",
        "$x",
        ":=",
        "=",
        ",",
        "\"s\"",
        "`r`",
        "'c'",
        "1",
        "-2",
        "1.5",
        "0x",
        "1e9",
        "nil",
        "true",
        "if",
        "else",
        "end",
        "range",
        "with",
        "define",
        "template",
        "block",
        "break",
        "continue",
        "\"t\"",
        "printf",
        "index",
        "slice",
        "len",
        "and",
        "or",
        "eq",
        "lt",
        "loop",
        "secret",
        "\"kv2\"",
        "scratch.Set",
        "scratch",
        "executeTemplate",
        "é",
        "\u{0}",
        "/*",
        "*/",
        "\\",
        "%d",
        "text",
    ];
    let fixture = fixture();
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let mut parsed = 0;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..random(14) {
            let inside = random(3) > 0;
            if inside {
                text.push_str("{{ ");
            }
            for _ in 0..=random(4) {
                text.push_str(PIECES[random(PIECES.len())]);
                text.push(' ');
            }
            if inside {
                text.push_str("}}");
            }
        }
        if let Ok(template) = Template::compile(&spec(), &text, &mut no_partials) {
            parsed += 1;
            let _ = FixtureHost::new(&fixture).settle(&template, &Identity::default());
        }
    }
    assert!(parsed > 500, "only {parsed} texts were templates");
}
