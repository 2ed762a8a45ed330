use super::*;

fn message(pattern: &str) -> String {
    Regex::new(pattern.as_bytes()).unwrap_err().to_string()
}

fn matches(pattern: &str, text: &str) -> bool {
    Regex::new(pattern.as_bytes()).unwrap_or_else(|e| panic!("{pattern}: {e}")).is_match(text.as_bytes())
}

/// Minds no match.
fn all(_: usize, _: usize) -> Result<(), FuncError> {
    Ok(())
}

#[test]
fn refused_patterns_get_gos_words() {
    for (pattern, words) in [
        ("(", "missing closing ): `(`"),
        (")", "unexpected ): `)`"),
        ("a)b", "unexpected ): `a)b`"),
        ("[a", "missing closing ]: `[a`"),
        ("[a-", "missing closing ]: `[a-`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("a|*", "missing argument to repetition operator: `*`"),
        ("(*)", "missing argument to repetition operator: `*`"),
        ("(?i)*", "missing argument to repetition operator: `*`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a*+", "invalid nested repetition operator: `*+`"),
        ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{3,2}", "invalid repeat count: `{3,2}`"),
        ("a{99999999999}", "invalid repeat count: `{99999999999}`"),
        ("((a{100}){100}){100}", "invalid repeat count: `{100}`"),
        (r"\y", r"invalid escape sequence: `\y`"),
        (r"\1", r"invalid escape sequence: `\1`"),
        (r"\x4", r"invalid escape sequence: `\x4`"),
        (r"[\b]", r"invalid escape sequence: `\b`"),
        (r"[a-\d]", r"invalid escape sequence: `\d`"),
        (r"a\", "trailing backslash at end of expression: ``"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?P=n)", "invalid or unsupported Perl syntax: `(?P`"),
        ("(?x) a", "invalid or unsupported Perl syntax: `(?x`"),
        ("(?i", "invalid or unsupported Perl syntax: `(?i`"),
        ("(?-)", "invalid or unsupported Perl syntax: `(?-)`"),
        ("(?<=a)", "invalid named capture: `(?<=a)`"),
        ("(?P<n-a>a)", "invalid named capture: `(?P<n-a>`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
    ] {
        assert_eq!(message(pattern), format!("error parsing regexp: {words}"), "{pattern}");
    }
    assert!(Regex::new(b"\xff").is_err());
    assert!(Regex::new("(".repeat(10_000).as_bytes()).is_err());
}

#[test]
fn what_go_accepts_means_the_same() {
    for (pattern, text, expected) in [
        ("a{,2}", "a{,2}", true),
        ("x{2}y{", "xxy{", true),
        (r"\Qa.b\E.", "a.bx", true),
        (r"\Qa.b", "axb", false),
        ("[]a]", "]", true),
        ("[^]a]", "]", false),
        ("[a&&b]", "&", true),
        ("[a-z-9]", "-", true),
        ("[a-c-e]", "d", false),
        ("[[:alpha:]]", "q", true),
        ("[[:^alpha:]]", "q", false),
        (r"^[\s\d]+$", " 1", true),
        (r"^[^\W]$", "_", true),
        (r"^\S$", "\x0b", true),
        (r"\s", "\x0b", false),
        (r"\d", "٣", false),
        ("(?i)É", "é", true),
        ("(?i)^[à-é]$", "È", true),
        ("(?i)^[^a]$", "A", false),
        (r"(?i)\w", "ſ", true),
        (r"(?i)\W", "ſ", false),
        (r"(?i)[\W]", "s", false),
        (r"(?i)[\W]", "é", true),
        (r"(?i)[^\w]", "ſ", false),
        ("(?i)[a-z]", "ſ", true),
        ("(?i)[[:upper:]]", "\u{212a}", true),
        ("(?i)[[:^upper:]]", "\u{212a}", false),
        (r"(?i)\p{Lu}", "é", true),
        (r"(?i)[\P{Lu}]", "é", false),
        ("(?i)K", "\u{212a}", true),
        ("(?i)ask", "aſ\u{212a}", true),
        ("(?i)ſ", "S", true),
        ("(?i)ς", "σ", true),
        ("(?i)ß", "ẞ", true),
        ("(?i)İ", "i", false),
        ("(?i)[İ]", "i", false),
        ("(?i)ı", "I", false),
        ("K", "\u{212a}", false),
        ("(?s).(?-s:.)", "ab", true),
        ("(?i-s:a)", "A", true),
        ("(?i:a)b", "AB", false),
        (r"\x41\x{42}\103\08", "ABC\x008", true),
        ("^*", "a", true),
        ("()*", "a", true),
        ("(?P<n>a)(?P<n>b)", "ab", true),
        ("<a>#&~- ", "<a>#&~- ", true),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}

#[test]
fn replacements_expand_like_go() {
    let regex = Regex::new(b"a(x*)b(?P<n>y)?").unwrap();
    let out = regex.replace(b"axb ab", b"<$1|${n}|$$|$|$9|${|$1x|${1}x>", &mut all).unwrap();
    assert_eq!(String::from_utf8_lossy(&out), "<x||$|$||${||xx> <||$|$||${||x>");
    assert_eq!(regex.replace_literal(b"-ab-", b"${1}", &mut all).unwrap(), b"-${1}-");
    assert_eq!(Regex::new(b"").unwrap().replace(b"abc", b"-", &mut all).unwrap(), b"-a-b-c-");
    assert_eq!(Regex::new(b"a*").unwrap().replace(b"baac", b"-", &mut all).unwrap(), b"-b-c-");
}

#[test]
fn bytes_that_are_not_utf8_match_as_one_character_and_survive() {
    let dot = Regex::new(b".").unwrap();
    assert_eq!(dot.replace(b"\xffa", b"<$0>", &mut all).unwrap(), b"<\xff><a>");
    assert_eq!(dot.find("é\u{ff}".as_bytes(), None, &mut all).unwrap().len(), 2);
    assert_eq!(dot.find(b"\xff\xfea", Some(2), &mut all).unwrap(), [b"\xff", b"\xfe"]);
}

#[test]
fn splitting_follows_go() {
    let split = |pattern: &str, text: &'static str, count| {
        Regex::new(pattern.as_bytes()).unwrap().split(text.as_bytes(), count, &mut all).unwrap().map(
            |pieces| {
                pieces.iter().map(|piece| String::from_utf8_lossy(piece).into_owned()).collect::<Vec<_>>()
            },
        )
    };
    assert_eq!(split("a*", "baaac", -1).unwrap(), ["b", "c"]);
    assert_eq!(split(",", "a,b,c", 2).unwrap(), ["a", "b,c"]);
    assert_eq!(split(",", "a,", -1).unwrap(), ["a", ""]);
    assert_eq!(split(",", "", -1).unwrap(), [""]);
    assert_eq!(split(",", "a", 0), None);
    assert_eq!(quote_meta(b"1.2+3"), b"1\\.2\\+3");
}

#[test]
fn what_is_too_large_is_refused_before_it_takes_memory() {
    let many_groups = format!("(?:{}){{100}}", "(a)".repeat(500));
    let deep = format!("(?:{}){{10}}", "(?:a{100}){10}".repeat(10));
    for pattern in [many_groups, r"\pL".repeat(5_000), deep, format!("(?:{}){{1000}}", r"\pL".repeat(50))] {
        let error = Regex::new(pattern.as_bytes()).unwrap_err();
        assert!(!error.to_string().is_empty(), "{}", &pattern[..20]);
    }
    let sizes = ["a", "[a-z]+=.*", r"\pL+", "a{1000}"].map(|p| Regex::new(p.as_bytes()).unwrap().size());
    assert!(sizes.is_sorted() && sizes[1] <= 512 && sizes[3] <= 128 << 10, "{sizes:?}");
}
