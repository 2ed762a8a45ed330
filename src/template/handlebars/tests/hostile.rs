//! Hostile templates end with an error: no panic, no overflow, no endless run, no endless memory.

use super::*;
use crate::template::error::ErrorKind;

fn fails_with(text: &str, partials: &[(&str, &str)]) -> TemplateError {
    match render_with(&spec(), text, partials) {
        Ok(render) => panic!("{} bytes from {}", render.bytes.len(), text.get(..60).unwrap_or(text)),
        Err(error) => error,
    }
}

fn fails(text: &str) -> TemplateError {
    fails_with(text, &[])
}

#[test]
fn partials_that_come_back_to_themselves_are_refused_before_they_run() {
    for (text, partials) in [
        ("{{> a}}", &[("a", "{{> a}}")][..]),
        ("{{> a}}", &[("a", "{{> b}}"), ("b", "{{#if x}}{{> c}}{{/if}}"), ("c", "{{> a}}")]),
        ("{{#*inline \"i\"}}{{> i}}{{/inline}}{{> i}}", &[]),
        ("{{#*inline \"i\"}}{{> a}}{{/inline}}{{> i}}", &[("a", "{{> i}}"), ("i", "")]),
        (
            "{{#*inline \"i\"}}{{> j}}{{/inline}}{{#*inline \"j\"}}{{#each x}}{{> i}}{{/each}}{{/inline}}{{> i}}",
            &[],
        ),
    ] {
        let error = match compiled(&spec(), text, partials) {
            Ok(_) => panic!("{text}"),
            Err(error) => error,
        };
        assert_eq!(error.kind(), ErrorKind::Limit, "{text}: {error}");
        assert!(error.message().contains("includes itself"), "{error}");
    }
}

#[test]
fn partials_that_multiply_are_bounded() {
    let texts: Vec<(String, String)> =
        (0..40).map(|at| (format!("p{at}"), format!("{{{{> p{}}}}}{{{{> p{}}}}}", at + 1, at + 1))).collect();
    let mut partials: Vec<(&str, &str)> =
        texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    partials.push(("p40", ""));
    assert_eq!(fails_with("{{> p0}}", &partials).kind(), ErrorKind::Limit);
    let inline: String = (0..40)
        .map(|at| {
            format!("{{{{#*inline \"q{at}\"}}}}{{{{> q{}}}}}{{{{> q{}}}}}{{{{/inline}}}}", at + 1, at + 1)
        })
        .collect();
    assert_eq!(
        fails(&format!("{inline}{{{{#*inline \"q40\"}}}}{{{{/inline}}}}{{{{> q0}}}}")).kind(),
        ErrorKind::Limit
    );
}

#[test]
fn a_long_chain_of_partials_ends_in_an_error_not_in_a_crash() {
    let texts: Vec<(String, String)> = (0..190)
        .map(|at| {
            (
                format!("p{at}"),
                format!("{}{{{{> p{}}}}}{}", "{{#if 1}}".repeat(90), at + 1, "{{/if}}".repeat(90)),
            )
        })
        .collect();
    let mut partials: Vec<(&str, &str)> =
        texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    partials.push(("p190", "x"));
    assert_eq!(fails_with("{{> p0}}", &partials).kind(), ErrorKind::Limit);
}

#[test]
fn loops_values_and_outputs_are_bounded() {
    for text in [
        "{{#each (range 9000000000)}}{{/each}}",
        "{{#each (range 1500) as |a|}}{{#each (range 1500)}}{{/each}}{{/each}}",
        "{{#each (range 100000)}}{{repeat \"0123456789\" 1000}}{{/each}}",
        "{{repeat \"x\" 99999999999}}",
        "{{replace (repeat \"a\" 1000000) \"a\" (repeat \"b\" 1000000)}}",
        "{{indent (repeat \"a\\n\" 1000000) 1000000}}",
        "{{#with (repeat \"x\" 1000000) as |x|}}{{#each (range 100)}}{{len (concat x x)}}{{/each}}{{/with}}",
    ] {
        assert_eq!(fails(text).kind(), ErrorKind::Limit, "{text}");
    }
    let writing = format!("{{{{#each (range 2000)}}}}{}{{{{/each}}}}", "x".repeat(10_000));
    assert_eq!(fails(&writing).kind(), ErrorKind::Limit);
    let empty = format!("{{{{#each (range 100000)}}}}{}{{{{/each}}}}", "{{../x}}".repeat(100));
    assert_eq!(render_with(&lax(), &empty, &[]).err().unwrap().kind(), ErrorKind::Limit);
}

#[test]
fn requests_are_bounded() {
    let error = fails("{{#each (range 100000)}}{{json (secret (concat \"kv/\" this))}}{{/each}}");
    assert!(error.message().contains("5,000 different secrets"), "{error}");
}

/// As the main thread has it.
fn on_a_stack_of_8_mib(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(work).unwrap();
    thread.join().unwrap();
}

/// Ways to nest: `count` levels.
fn nested(count: usize) -> [String; 12] {
    let wrap = |before: &str, open: &str, middle: &str, close: &str, after: &str| {
        format!("{before}{}{middle}{}{after}", open.repeat(count), close.repeat(count))
    };
    [
        wrap("{{#if ", "(not ", "true", ")", "}}x{{/if}}"),
        wrap("{{json ", "(concat \"a\" ", "1", ")", "}}"),
        wrap("{{json ", "(json x=", "1", ")", "}}"),
        wrap("{{", "(default a ", "1", ")", "}}"),
        wrap("{{> p ", "(not ", "1", ")", "}}"),
        wrap("{{json ", "[", "1", "]", "}}"),
        wrap("{{json ", "{\"a\":", "1", "}", " }}"),
        wrap("", "{{#if 1}}", "x", "{{/if}}", ""),
        wrap("", "{{#*inline \"a\"}}", "x", "{{/inline}}", ""),
        wrap("{{#if 0}}", "{{else if 0}}a", "", "", "{{/if}}"),
        wrap("", "{{~ # if 1}}", "", "", ""),
        wrap("{{", "(a ", "", "", ""),
    ]
}

#[test]
fn deep_texts_are_refused_before_the_parser_uses_up_the_stack() {
    on_a_stack_of_8_mib(|| {
        for count in [101, 150, 3_600, 12_000, 300_000] {
            for text in nested(count) {
                let error = compiled(&spec(), &text, &[("p", "")]).err().unwrap();
                assert_eq!(error.kind(), ErrorKind::Limit, "{count} {}: {error}", &text[..40]);
                let error = compiled(&spec(), "{{> p}}", &[("p", &text)]).err().unwrap();
                assert_eq!(error.kind(), ErrorKind::Limit, "{count} {}: {error}", &text[..40]);
            }
        }
    });
    let text = format!("a\n{{{{json \"(((\" {}", "(not ".repeat(101));
    let error = compiled(&spec(), &text, &[]).err().unwrap().to_string();
    assert!(
        error.contains("line 2, column 514: blocks and calls nest too deep: more than 100 levels"),
        "{error}"
    );
}

#[test]
fn what_only_looks_deep_for_the_parser_is_refused_too() {
    on_a_stack_of_8_mib(|| {
        let deep = "(not ".repeat(20_000);
        for start in [
            "{{json [\"] ",
            "{{json a.[\"] ",
            "{{json 1.[\"] ",
            "{{json [\"a\" \"]\"] \" \" ",
            "{{> [\"] ",
            "{{> 'a\\\\' \" ",
            "{{> a/[\"] ",
            "{{> 'a\\q' ",
            "{{! x }}{{json ",
            "\\\\{{json ",
            "{{{json ",
            "{{~{json ",
            "{{{{raw ",
            "{{{{raw}}}}{{{{/raw}}}}{{json ",
            "\\{{{{{{json ",
            "{{json '\"' ",
            "{{json \"'\" ",
            "{{json {\"a\": \"}}\"} ",
            "{{json {\"(\"\n:'\\\"'} ",
            "{{else if ",
        ] {
            for end in ["", "1}}", "\" ]}}", "]\"}}", "' }}"] {
                let text = format!("{start}{deep}{end}");
                // With its quote closed, some is one text. The others are refused; none ends the process.
                let read = compiled(&spec(), &text, &[("a/", "")]);
                assert!(read.is_err() || end.contains(['"', '\'']), "{start} {end}");
            }
        }
    });
}

#[test]
fn deep_but_not_too_deep_texts_are_read_and_what_is_no_nesting_counts_for_nothing() {
    for text in &nested(99)[..9] {
        if let Err(error) = compiled(&spec(), text, &[("p", "")]) {
            assert_ne!(error.kind(), ErrorKind::Limit, "{}: {error}", &text[..40]);
        }
    }
    let many = |piece: &str| piece.repeat(500);
    for text in [
        many("("),
        format!("{{{{concat \"{}\" '{}'}}}}", many("("), many("[\"{")),
        format!("{{{{! {} }}}}{{{{!-- {} }}}} --}}}}", many("("), many("{{#if 1}}")),
        format!("{{{{{{{{raw}}}}}}}}{}{{{{{{{{/raw}}}}}}}}", many("{{#if (not 1)}}")),
        many("\\{{#if 1}}"),
        format!("{{{{default [{}] 1}}}}{{{{default this.[{}] 1}}}}", many("("), many("(\"")),
        format!("{{{{len [{}1]}}}}", many("[\"(\", {\"[\": [\"[\"]}], ")),
        format!("{{{{concat {}}}}}", many("(upper \"a\") ")),
        many("{{#if 1}}{{#if 0}}{{else if 1}}{{else}}{{/if}}{{^}}{{/if}}"),
    ] {
        assert!(render_with(&spec(), &text, &[]).is_ok(), "{}", text.get(..40).unwrap_or(&text));
    }
}

#[test]
fn long_texts_are_bounded() {
    assert_eq!(fails(&"x".repeat((1 << 20) + 1)).kind(), ErrorKind::Limit);
    assert_eq!(fails(&"{{x}}".repeat(100_000)).kind(), ErrorKind::Limit);
    assert_eq!(fails("\u{fdd0}1").kind(), ErrorKind::Syntax);
}

/// Any text, in any order, ends: a small fuzz run with fixed seeds.
#[test]
fn no_text_makes_the_engine_panic() {
    const PIECES: &[&str] = &[
        "{{",
        "}}",
        "{{{",
        "}}}",
        "{{{{",
        "}}}}",
        "{{#",
        "{{/",
        "{{^",
        "{{>",
        "{{!",
        "{{!--",
        "--}}",
        "{{*",
        "{{#*",
        "{{#>",
        "~",
        " ",
        "\n",
        "(",
        ")",
        "[",
        "]",
        ".",
        "..",
        "/",
        "this",
        "@root",
        "@index",
        "@key",
        "|x|",
        "as",
        "as |a b|",
        "=",
        "a=1",
        "\"s\"",
        "'s'",
        "\"\\u00e9\"",
        "1",
        "-2",
        "1.5",
        "1e9",
        "null",
        "true",
        "{\"a\":1}",
        "[1,2]",
        "if",
        "else",
        "else if",
        "each",
        "with",
        "unless",
        "inline",
        "\"t\"",
        "lookup",
        "json",
        "eq",
        "and",
        "default",
        "secret",
        "\"kv1/app\"",
        "raw",
        "log",
        "range 3",
        "user",
        "é",
        "\u{0}",
        "\\",
        "\\{{",
        "text",
        "{{#if 1}}",
        "{{/if}}",
        "{{#with (secret \"kv1/app\")}}",
        "{{/with}}",
        "{{#each (range 3)}}",
        "{{/each}}",
        "{{else}}",
        "{{user}}",
        "{{> p}}",
        "{{{{raw}}}}",
        "{{{{/raw}}}}",
        "{{#*inline \"p\"}}",
        "{{/inline}}",
        "{{this.[a b]}}",
        "{{json (list 1 \"a\")}}",
    ];
    let fixture = Fixture::parse(FIXTURE).unwrap();
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let mut parsed = 0;
    for _ in 0..12_000 {
        let mut text = String::new();
        for _ in 0..random(10) {
            let inside = random(3) == 0;
            text.push_str(if inside { "{{" } else { "" });
            for _ in 0..=random(3) {
                text.push_str(PIECES[random(PIECES.len())]);
                text.push_str(if random(3) == 0 { "" } else { " " });
            }
            text.push_str(if inside { "}}" } else { "" });
        }
        if let Ok(template) = compiled(&spec(), &text, &[("p", "x{{user}}")]) {
            parsed += 1;
            let _ = FixtureHost::new(&fixture).settle(&template, &Identity::default());
        }
    }
    assert!(parsed > 300, "only {parsed} texts were templates");
}
