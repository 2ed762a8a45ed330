//! Go string literals in both directions: `strconv.Quote` and `strconv.Unquote`.

use super::format::unicode;

/// A character as it goes through Go's UTF-8 decoder: an invalid byte counts as one character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rune {
    /// A character.
    Char(char),
    /// A byte that is not UTF-8.
    Invalid(u8),
}

/// The characters of a byte string, with the number of bytes of each.
pub fn runes(bytes: &[u8]) -> impl Iterator<Item = (Rune, usize)> + '_ {
    bytes.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid().chars().map(|character| (Rune::Char(character), character.len_utf8()));
        valid.chain(chunk.invalid().iter().map(|byte| (Rune::Invalid(*byte), 1)))
    })
}

/// Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols, and the ASCII blank.
pub fn is_print(character: char) -> bool {
    if character.is_ascii() { matches!(character, ' '..='~') } else { unicode::is_visible(character) }
}

/// A double-quoted Go literal (`%q`).
pub fn quote(bytes: &[u8]) -> String {
    quote_with(bytes, '"', false)
}

/// A Go literal between `quote`; with `ascii` everything above ASCII is escaped (`%+q`).
pub fn quote_with(bytes: &[u8], quote: char, ascii: bool) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push(quote);
    for (rune, _) in runes(bytes) {
        match rune {
            Rune::Invalid(byte) => out.push_str(&format!("\\x{byte:02x}")),
            Rune::Char(character) => push_escaped(&mut out, character, quote, ascii),
        }
    }
    out.push(quote);
    out
}

fn push_escaped(out: &mut String, character: char, quote: char, ascii: bool) {
    if character == quote || character == '\\' {
        out.push('\\');
        out.push(character);
        return;
    }
    if is_print(character) && (!ascii || character.is_ascii()) {
        out.push(character);
        return;
    }
    match character {
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        '\u{0}'..='\u{1f}' | '\u{7f}' => out.push_str(&format!("\\x{:02x}", u32::from(character))),
        '\u{80}'..='\u{ffff}' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
        _ => out.push_str(&format!("\\U{:08x}", u32::from(character))),
    }
}

/// A text as the messages of Go's `time` package quote it: everything but ASCII as bytes.
pub fn quote_time(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=b'\x7f' => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

/// Whether a text can stand between back quotes unchanged.
pub fn can_backquote(bytes: &[u8]) -> bool {
    runes(bytes).all(|(rune, _)| match rune {
        Rune::Invalid(_) => false,
        Rune::Char('\t') => true,
        Rune::Char(character) => !matches!(character, '\0'..='\u{1f}' | '`' | '\u{7f}' | '\u{feff}'),
    })
}

/// A text as the messages of Go's `regexp` package quote it: between back quotes where that is possible.
pub fn quote_pattern(bytes: &[u8]) -> String {
    if can_backquote(bytes) { format!("`{}`", String::from_utf8_lossy(bytes)) } else { quote(bytes) }
}

/// The value of a quoted or back-quoted literal; `None` when it is not one.
pub fn unquote(literal: &str) -> Option<Vec<u8>> {
    let inner = literal.get(1..literal.len().checked_sub(1)?)?;
    match literal.as_bytes().first()? {
        b'`' => Some(inner.bytes().filter(|byte| *byte != b'\r').collect()),
        b'"' => {
            let mut out = Vec::with_capacity(inner.len());
            let mut rest = inner;
            while !rest.is_empty() {
                rest = unquote_char(rest, '"', &mut out)?.1;
            }
            Some(out)
        }
        _ => None,
    }
}

/// The code of a character constant such as `'a'` or `'\n'`.
pub fn unquote_rune(literal: &str) -> Option<i64> {
    let mut sink = Vec::new();
    let (code, tail) = unquote_char(literal.get(1..)?, '\'', &mut sink)?;
    (tail == "'").then_some(i64::from(code))
}

/// Takes one character or escape off the front: its code, and what is left.
fn unquote_char<'t>(text: &'t str, quote: char, out: &mut Vec<u8>) -> Option<(u32, &'t str)> {
    let mut chars = text.chars();
    let first = chars.next()?;
    if first == quote {
        return None;
    }
    if first != '\\' {
        out.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
        return Some((u32::from(first), chars.as_str()));
    }
    let escape = chars.next()?;
    let rest = chars.as_str();
    let simple = |code: u8, out: &mut Vec<u8>| {
        out.push(code);
        Some((u32::from(code), rest))
    };
    match escape {
        'a' => simple(7, out),
        'b' => simple(8, out),
        'f' => simple(12, out),
        'n' => simple(b'\n', out),
        'r' => simple(b'\r', out),
        't' => simple(b'\t', out),
        'v' => simple(11, out),
        '\\' => simple(b'\\', out),
        '\'' | '"' if escape == quote => simple(escape as u8, out),
        'x' => byte_escape(rest, 2, 16, out),
        '0'..='7' => byte_escape(&text[1..], 3, 8, out),
        'u' => code_escape(rest, 4, out),
        'U' => code_escape(rest, 8, out),
        _ => None,
    }
}

fn byte_escape<'t>(text: &'t str, digits: usize, radix: u32, out: &mut Vec<u8>) -> Option<(u32, &'t str)> {
    let code = digits_value(text, digits, radix)?;
    out.push(u8::try_from(code).ok()?);
    Some((code, &text[digits..]))
}

fn code_escape<'t>(text: &'t str, digits: usize, out: &mut Vec<u8>) -> Option<(u32, &'t str)> {
    let code = digits_value(text, digits, 16)?;
    let character = char::from_u32(code)?;
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some((code, &text[digits..]))
}

fn digits_value(text: &str, digits: usize, radix: u32) -> Option<u32> {
    let text = text.get(..digits)?;
    text.chars().all(|digit| digit.is_digit(radix)).then(|| u32::from_str_radix(text, radix).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_escapes_what_go_escapes() {
        assert_eq!(quote(b"a\"\\\n\t\x00\x7f\xff"), r#""a\"\\\n\t\x00\x7f\xff""#);
        assert_eq!(quote("é\u{200b}\u{a0}\u{feff}💩".as_bytes()), "\"é\\u200b\\u00a0\\ufeff💩\"");
        assert_eq!(quote("e\u{301}".as_bytes()), "\"e\u{301}\"");
        assert_eq!(quote_with("é💩".as_bytes(), '"', true), r#""\u00e9\U0001f4a9""#);
    }

    #[test]
    fn literals_give_bytes_and_bad_escapes_give_nothing() {
        assert_eq!(unquote(r#""a\tb\x41\u00e9\101\xff""#).unwrap(), b"a\tbA\xc3\xa9A\xff");
        assert_eq!(unquote("`a\\n\r\n`").unwrap(), b"a\\n\n");
        for bad in [r#""\q""#, r#""\'""#, r#""\x4""#, r#""\400""#, r#""\ud800""#, "\"", ""] {
            assert_eq!(unquote(bad), None, "{bad}");
        }
    }

    #[test]
    fn character_constants_are_numbers() {
        assert_eq!(unquote_rune("'a'"), Some(97));
        assert_eq!(unquote_rune(r"'\''"), Some(39));
        assert_eq!(unquote_rune("'é'"), Some(233));
        assert_eq!(unquote_rune("'ab'"), None);
        assert_eq!(unquote_rune("''"), None);
    }
}
