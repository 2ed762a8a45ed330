//! Every function in every form: with its documented arguments, with too few and too many, and with each kind of value
//! in each place; and the templates of `forms.txt`, which go through the language, the methods and the formats.
//!
//! All of it is some 97,000 cases: `ORACLE_FORMS=all cargo test --test oracle functions`. Otherwise every 60th.

use std::env;

use serde_json::{Map, Value, json};

use crate::generator::functions::{FUNCTIONS, name};

/// Templates, one a line; `⏎` is a line break.
const TEMPLATES: &str = include_str!("forms.txt");

/// One in so many of the swept cases is usually compared.
const USUALLY: usize = 60;

/// Values of every kind that a template can meet.
const KINDS: &[&str] = &[
    "nil",
    ".",
    "\"\"",
    "\"a\"",
    "\"5\"",
    "\"a b\\nc\"",
    "\"\\xff\"",
    "0",
    "3",
    "-1",
    "2.5",
    "2.0",
    "1e400",
    "'a'",
    "9223372036854775808",
    "1i",
    "true",
    "false",
    "(parseJSON \"2\")",
    "(parseJSON \"2.5\")",
    "(parseJSON \"null\")",
    "(parseInt \"3\")",
    "(parseUint \"3\")",
    "(index \"abc\" 1)",
    "(secret \"kv1\").Data.n",
    "(secret \"kv2\").Data.data.f",
    "(secret \"kv2\").Data.data.user",
    "(secret \"kv2\").Data.data.b",
    "(secret \"kv2\").Data.data.nil",
    "(secret \"kv2\").Data.data.missing",
    "(secret \"kv2\").Data.data.list",
    "(secret \"kv2\").Data.data",
    "(secret \"kv2\")",
    "(secret \"none\")",
    "(secret \"nilsecret\")",
    "(secret \"kv2\").Auth",
    "(secret \"kv2\").Warnings",
    "(secret \"auth/token/create\").Auth",
    "(secret \"auth/token/create\").Auth.Policies",
    "(secret \"auth/token/create\").Auth.Metadata",
    "(pkiCert \"p\")",
    "(sprig_list)",
    "(sprig_list 1 \"a\" nil)",
    "(sprig_list \"b\" \"a\")",
    "(sprig_list 3 1 2)",
    "(split \",\" \"b,a,b\")",
    "(secrets \"none\")",
    "(sprig_until 3)",
    "(sprig_chunk 2 (sprig_list 1 2 3))",
    "pairs",
    "(sprig_dict)",
    "(sprig_dict \"a\" 1 \"b\" nil)",
    "(parseYAML \"a: 1\")",
    "(parseYAML \"[1, a, {b: 2}]\")",
    "mapSS",
    "nilmap",
    "(pairs | byKey)",
    "(loop 2)",
    "scratch",
    "(sprig_toDate \"2006-01-02\" \"2024-02-29\")",
    "(sprig_semver \"1.2.3-a+b\")",
    "(\"x\" | printf \"%v\")",
    "$",
    "$.x",
    ".x.y",
    "printf",
    "timestamp",
];

/// Whether an answer depends on more than the template (the clock, chance, the machine), or differs for a known reason:
/// how much room Go keeps behind a list, what lies inside a struct of Go's, what bytes that are no text become in
/// functions about words, dates and URLs, and what `render` does not do.
fn is_open(function: &str, changed: &[&str]) -> bool {
    let has = |part: &str| changed.iter().any(|argument| argument.contains(part));
    let texts = |arguments: &[&str]| arguments.iter().any(|text| text.contains(['"', 's']));
    match function {
        "plugin" | "sprig_shuffle" => texts(changed),
        "sockaddr" => changed.is_empty() || texts(changed),
        "sprig_keys" | "sprig_values" => has("\"b\" nil"),
        "sprig_ago" | "sprig_durationRound" | "sprig_randInt" => true,
        "writeToFile" => {
            has("\\xff") || changed.iter().skip(1).take(2).any(|name| *name != "\"\"" && texts(&[name]))
        }
        "spew_sprintf" => changed.len() != 2 || changed[0] != "\"%v\"" || !changed[1].starts_with(['1', '"']),
        "spew_sdump" => has("sprig_until") || has("list"),
        "sprig_deepCopy" | "sprig_mustDeepCopy" => has("semver"),
        "secret" | "secrets" => has("\\nc"),
        "timestamp" | "executeTemplate" => has("\\xff"),
        _ => {
            has("scratch")
                || has("\\xff") && (has("2006") || function.contains("Format") || is_wordy(function))
        }
    }
}

fn is_wordy(function: &str) -> bool {
    const WORDY: &[&str] = &["sprig_kebabcase", "sprig_snakecase", "sprig_urlParse", "sprig_mustToDate"];
    WORDY.contains(&function) || function.contains("ate_modify") || function.ends_with("DateModify")
}

/// Functions that the random templates leave out, as their names give no single answer, or cost much: name and arguments.
const OTHERS: &[(&str, &[&str])] = &[
    ("secret", &["\"kv2\""]),
    ("secret", &["\"kv2\"", "\"a=b\""]),
    ("secret", &["\"kv2\"", "\"a=b\"", "\"c = d\""]),
    ("secrets", &["\"l\""]),
    ("pkiCert", &["\"p\""]),
    ("pkiCert", &["\"p\"", "\"common_name=a\""]),
    ("file", &["\"/etc/x\""]),
    ("writeToFile", &["\"/c/x\"", "\"\"", "\"\"", "\"0644\"", "\"text\""]),
    ("writeToFile", &["\"/c/x\"", "\"root\"", "\"0\"", "\"644\"", "\"append,newline\"", "\"text\""]),
    ("writeToFile", &["\"/c/x\"", "\"\"", "\"\"", "\"9\"", "\"\"", "\"a\"", "\"text\""]),
    ("executeTemplate", &["\"t\""]),
    ("executeTemplate", &["\"t\"", "1"]),
    ("spew_dump", &["1", "\"a\""]),
    ("spew_printf", &["\"%v\"", "1"]),
    ("spew_sprintf", &["\"%v\"", "1"]),
    ("spew_sdump", &["1", "\"a\""]),
    ("sockaddr", &["\"GetAllInterfaces\""]),
    ("plugin", &["\"\""]),
    ("scratch.Key", &["\"a\""]),
    ("scratch.Get", &["\"a\""]),
    ("scratch.Set", &["\"a\"", "1"]),
    ("scratch.SetX", &["\"a\"", "1"]),
    ("scratch.MapSet", &["\"a\"", "\"b\"", "1"]),
    ("scratch.MapSetX", &["\"a\"", "\"b\"", "1"]),
    ("scratch.MapValues", &["\"a\""]),
    ("sprig_keys", &["(sprig_dict \"a\" 1)"]),
    ("sprig_keys", &["(sprig_dict \"a\" 1)", "(sprig_dict)"]),
    ("sprig_values", &["(sprig_dict \"a\" 1)"]),
    ("sprig_ago", &["\"x\""]),
    ("sprig_shuffle", &["\"aaa\""]),
    ("sprig_randInt", &["3", "4"]),
    ("sprig_encryptAES", &["\"pw\"", "\"\""]),
    ("sprig_decryptAES", &["\"pw\"", "\"\""]),
    ("sprig_htpasswd", &["\"a:b\"", "\"pw\""]),
    ("sprig_genPrivateKey", &["\"nope\""]),
    ("sprig_buildCustomCert", &["\"x\"", "\"x\""]),
    ("sprig_genSignedCert", &["\"cn\"", "nil", "nil", "365", "nil"]),
    ("sprig_genSignedCertWithKey", &["\"cn\"", "nil", "nil", "365", "nil", "\"x\""]),
    ("sprig_genSelfSignedCertWithKey", &["\"cn\"", "nil", "nil", "365", "\"x\""]),
    ("sprig_genCAWithKey", &["\"cn\"", "365", "\"x\""]),
    ("(secret \"kv1\").Data.n.Int64", &[]),
    ("(secret \"kv1\").Data.n.Float64", &[]),
    ("(secret \"kv2\").Data.data.f.Int64", &[]),
    ("(secret \"kv2\").Data.data.f.String", &[]),
    ("(pkiCert \"p\").CaChainContains", &["\"x\""]),
    ("(pkiCert \"p\").Equals", &["(pkiCert \"p\")"]),
    ("(sprig_semver \"1.2.3\").Compare", &["(sprig_semver \"1.2.4\")"]),
    ("(sprig_semver \"1.2.3\").LessThan", &["(sprig_semver \"1.2.4\")"]),
    ("(sprig_semver \"1.2.3\").Equal", &["(sprig_semver \"1.2.3\")"]),
    ("(sprig_semver \"1.2.3\").IncMajor", &[]),
    ("(sprig_toDate \"2006-01-02\" \"2024-02-29\").Format", &["\"Jan _2 2006\""]),
    ("(sprig_toDate \"2006-01-02\" \"2024-02-29\").AddDate", &["1", "0", "0"]),
    ("(sprig_toDate \"2006-01-02\" \"2024-02-29\").After", &["(sprig_toDate \"2006-01-02\" \"2024-02-28\")"]),
];

/// Arguments as they are meant, for each letter of the table of functions: two of each, of which all rows try both.
fn meant(letter: char, second: bool) -> &'static str {
    let (first, other) = match letter {
        'c' => ("\",\"", "\"b\""),
        'x' => ("\"[a-c]+\"", "\"(\""),
        'r' => ("\"<$0>\"", "\"\""),
        'y' => ("\"a: [1, x]\"", "\"- a\\n- b: c\""),
        'j' => ("`{\"a\":[1,\"x\",null]}`", "\"[1,2]\""),
        'h' => ("\"2006-01-02\"", "\"15:04 MST\""),
        'e' => ("\"2024-02-29\"", "\"x\""),
        'D' => ("\"1h30m\"", "\"-5m\""),
        'u' => ("\"https://u:p@h:8/p?q=1#f\"", "\"/p\""),
        'v' => ("\"1.2.3\"", "\"v2.0.0-rc.1\""),
        'V' => ("\"^1.2\"", "\">=1 <3 || 5\""),
        'B' => ("\"aGVsbG8=\"", "\"!\""),
        'p' => ("\"/etc/x\"", "\"a/../b.tar.gz\""),
        'q' => ("\"string\"", "\"slice\""),
        'k' => ("\"a\"", "\"zz\""),
        'N' => ("\"42\"", "\"x\""),
        'F' => ("\"%v|%s\"", "\"%d %q\""),
        'E' => ("\"APP\"", "\"NOPE_X\""),
        'i' => ("2", "0"),
        'f' => ("1.5", "0.0"),
        'n' | '#' => ("7", "2.5"),
        'b' => ("true", "false"),
        'l' | 'L' | 'R' => ("(sprig_list \"b\" \"a\" \"b\")", "(sprig_list)"),
        't' => ("(split \",\" \"b,a\")", "(secrets \"none\")"),
        'm' => ("(sprig_dict \"a\" 1 \"b\" \"x\")", "(secret \"kv2\").Data.data"),
        'M' => ("(sprig_dict \"a\" 1)", "mapSS"),
        'z' => ("(sprig_toDate \"2006-01-02\" \"2024-02-29\")", "(sprig_toDate \"2006-01-02\" \"x\")"),
        'P' => ("pairs", "pairs"),
        's' => ("\"Hello, wOrld_a b\"", "\"\""),
        _ => ("\"x\"", "1"),
    };
    if second { other } else { first }
}

/// A function with its arguments, shown as text and with its type; the last argument may come through a pipe.
fn shown(function: &str, arguments: &[&str], piped: bool) -> String {
    let call = match arguments.split_last() {
        Some((last, before)) if piped => format!("{last} | {function} {}", before.join(" ")),
        _ => format!("{function} {}", arguments.join(" ")),
    };
    format!("{{{{ $x := {} }}}}{{{{ $x }}}}|{{{{ printf \"%T\" $x }}}}", call.trim_end())
}

/// All forms of one function.
fn sweep(function: &str, arguments: &[&str], texts: &mut Vec<String>) {
    let mut add = |arguments: &[&str]| {
        if !is_open(function, arguments) {
            texts.push(shown(function, arguments, false));
            texts.push(shown(function, arguments, true));
        }
    };
    for count in 0..=arguments.len() {
        add(&arguments[..count]);
    }
    for more in [&["\"y\""][..], &["1", "\"y\""]] {
        add(&[arguments, more].concat());
    }
    for kind in KINDS {
        for at in 0..arguments.len() {
            let mut changed = arguments.to_vec();
            changed[at] = kind;
            add(&changed);
        }
        add(&vec![*kind; arguments.len().max(1)]);
    }
}

/// Every form of every function.
fn swept() -> Vec<String> {
    let mut texts = Vec::new();
    for (at, (_, letters, _)) in FUNCTIONS.iter().enumerate() {
        let letters: Vec<char> = letters.chars().filter(|letter| *letter != '*').collect();
        for second in [false, true] {
            let arguments: Vec<&str> = letters.iter().map(|letter| meant(*letter, second)).collect();
            if second {
                texts.push(shown(&name(at), &arguments, false));
            } else {
                sweep(&name(at), &arguments, &mut texts);
            }
        }
    }
    for (function, arguments) in OTHERS {
        sweep(function, arguments, &mut texts);
    }
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// The cases of a run.
pub(crate) fn cases() -> Vec<Map<String, Value>> {
    let every = if env::var("ORACLE_FORMS").is_ok_and(|all| all == "all") { 1 } else { USUALLY };
    let case = |text: &str, key: &str| {
        let mut case = Map::from_iter([("tmpl".to_owned(), json!(text))]);
        if key == "error" {
            case.insert("missingkey".to_owned(), json!(key));
        }
        case
    };
    let fixed = TEMPLATES.lines().filter(|line| !line.is_empty()).map(|line| line.replace('⏎', "\n"));
    let fixed = fixed.flat_map(|text| [case(&text, "zero"), case(&text, "error")]);
    fixed.chain(swept().iter().step_by(every).map(|text| case(text, "zero"))).collect()
}
