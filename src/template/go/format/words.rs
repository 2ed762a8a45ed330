//! Sprig's text shapes: abbreviations, line wrapping, camel and snake case, initials.

use super::{
    bytes::{chars, from_chars},
    letters::{lower, title, upper},
    unicode::{is_letter, is_lower, is_number, is_punctuation, is_upper},
};

/// Shortens to `width` bytes with `...` at the end, and at the start too when more than 4 bytes are left out there.
pub fn abbreviate(text: &[u8], left: i64, width: i64) -> Vec<u8> {
    let Ok(width) = usize::try_from(width) else { return text.to_vec() };
    if width < 4 || (left > 0 && width < 7) || text.len() <= width {
        return text.to_vec();
    }
    let length = text.len();
    let mut offset = left.min(length.try_into().unwrap_or(i64::MAX));
    if i64::try_from(length).unwrap_or(i64::MAX).saturating_sub(offset) < (width as i64 - 3) {
        offset = length as i64 - (width as i64 - 3);
    }
    if offset <= 4 {
        return [&text[..width - 3], b"..."].concat();
    }
    let offset = usize::try_from(offset).unwrap_or(0);
    if width < 7 {
        return Vec::new();
    }
    if offset + width - 3 < length {
        let rest = abbreviate(&text[offset..], 0, width as i64 - 3);
        return [b"...", rest.as_slice()].concat();
    }
    [b"...", &text[length - (width - 3)..]].concat()
}

/// Breaks at blanks so that lines have at most `width` bytes; longer words stay whole, or are cut with `cut_words`.
pub fn wrap(text: &[u8], width: i64, newline: &[u8], cut_words: bool) -> Vec<u8> {
    let width = usize::try_from(width.max(1)).unwrap_or(usize::MAX);
    let newline = if newline.is_empty() { b"\n" } else { newline };
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while rest.len() > width {
        if rest[0] == b' ' {
            rest = &rest[1..];
            continue;
        }
        let blank = rest[..=width].iter().rposition(|b| *b == b' ');
        let beyond = || rest[width..].iter().position(|b| *b == b' ').map(|at| at + width);
        let (end, next) = match blank {
            Some(at) => (at, at + 1),
            None if cut_words => (width, width),
            None => match beyond() {
                Some(at) => (at, at + 1),
                None => break,
            },
        };
        out.extend_from_slice(&rest[..end]);
        out.extend_from_slice(newline);
        rest = &rest[next..];
    }
    out.extend_from_slice(rest);
    out
}

/// The first byte of each word, as a character of Latin-1 (the original looks at bytes).
pub fn initials(text: &[u8]) -> Vec<u8> {
    let mut gap = true;
    from_chars(text.iter().filter_map(|byte| {
        let c = char::from(*byte);
        let first = gap && !c.is_whitespace();
        gap = c.is_whitespace();
        first.then_some(c)
    }))
}

/// Lower case for the first letter of each word.
pub fn untitle(text: &[u8]) -> Vec<u8> {
    let mut first = true;
    from_chars(chars(text).into_iter().map(|c| {
        if c.is_whitespace() {
            first = true;
            c
        } else if std::mem::take(&mut first) {
            lower(c)
        } else {
            c
        }
    }))
}

/// Upper case to lower case and back; lower case at the start of a word becomes title case.
pub fn swap_case(text: &[u8]) -> Vec<u8> {
    let mut blank = true;
    from_chars(chars(text).into_iter().map(|c| {
        if is_upper(c) || matches!(c, 'ǅ' | 'ǈ' | 'ǋ' | 'ǲ') {
            blank = false;
            lower(c)
        } else if is_lower(c) {
            if std::mem::take(&mut blank) { title(c) } else { upper(c) }
        } else {
            blank = c.is_whitespace();
            c
        }
    }))
}

fn is_connector(c: char) -> bool {
    c == '-' || c == '_' || c.is_whitespace()
}

/// Upper camel case. Connectors go away but for leading and repeated ones; a run of capitals at the start of a word
/// becomes lower case after its first letter.
pub fn camel(text: &[u8]) -> Vec<u8> {
    let letters = chars(text);
    let leading = letters.iter().take_while(|c| is_connector(**c)).count();
    if leading == letters.len() {
        // The original writes the last one twice.
        let last = letters.last().copied();
        return from_chars(letters.into_iter().chain(last));
    }
    let mut out = letters[..leading].to_vec();
    let mut capitals = is_upper(letters[leading]);
    let mut previous = upper(letters[leading]);
    for &c in &letters[leading + 1..] {
        let mut current = c;
        if is_connector(previous) {
            if is_connector(c) {
                out.push(previous);
                previous = c;
                continue;
            }
            capitals = is_upper(c);
            current = upper(c);
        } else {
            if capitals {
                if is_upper(c) {
                    current = lower(c);
                } else {
                    capitals = false;
                }
            }
            out.push(previous);
        }
        previous = current;
    }
    out.push(previous);
    from_chars(out)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Capitals,
    Letters,
    Connector,
    Punctuation,
    Other,
}

/// Lower case words with `connector` between them: `HTTPServer` becomes `http_server`, `Bld4Floor` `bld4_floor`.
pub fn snake(text: &[u8], connector: char) -> Vec<u8> {
    let letters = chars(text);
    let words = runs(&letters);
    let mut out = String::with_capacity(text.len() + 8);
    let kind = |index: usize| words.get(index).map(|(kind, _)| *kind);
    let joins = |kind: Option<Kind>| kind.is_some_and(|k| !matches!(k, Kind::Connector | Kind::Punctuation));
    let mut at = 0;
    while at + 1 < words.len() {
        let previous = words[at].0;
        push_word(&mut out, &words[at], connector);
        at += 1;
        let tail = |out: &mut String, mut at: usize| {
            while matches!(kind(at), Some(Kind::Letters | Kind::Number)) {
                push_word(out, &words[at], connector);
                at += 1;
            }
            if joins(kind(at)) {
                out.push(connector);
            }
            at
        };
        match previous {
            Kind::Number => at = tail(&mut out, at),
            Kind::Connector | Kind::Punctuation => {}
            _ if kind(at) != Some(Kind::Number) => {
                if joins(kind(at)) {
                    out.push(connector);
                }
            }
            _ if at + 1 == words.len() => {}
            _ if kind(at + 1) != Some(Kind::Letters) => {
                // The number belongs to the word before it.
                push_word(&mut out, &words[at], connector);
                at += 1;
                if joins(kind(at)) {
                    out.push(connector);
                }
            }
            _ => {
                out.push(connector);
                push_word(&mut out, &words[at], connector);
                at = tail(&mut out, at + 1);
            }
        }
    }
    if let Some(last) = words.get(at) {
        push_word(&mut out, last, connector);
    }
    out.into_bytes()
}

fn push_word(out: &mut String, (kind, letters): &(Kind, &[char]), connector: char) {
    match kind {
        Kind::Capitals => out.extend(letters.iter().map(|c| if is_upper(*c) { lower(*c) } else { *c })),
        Kind::Connector => out.extend(letters.iter().map(|_| connector)),
        _ => out.extend(letters.iter()),
    }
}

/// Letters, but for the common Chinese characters, which the original counts as neither letters nor anything else.
fn is_alphabet(c: char) -> bool {
    is_letter(c)
        && !matches!(c, '\u{4e00}'..='\u{9fcc}' | '\u{3400}'..='\u{4d85}' | '\u{20000}'..='\u{2b81d}')
}

fn kind_of(c: char) -> Kind {
    if is_connector(c) {
        Kind::Connector
    } else if is_punctuation(c) {
        Kind::Punctuation
    } else if is_upper(c) {
        Kind::Capitals
    } else if is_alphabet(c) {
        Kind::Letters
    } else if is_number(c) {
        Kind::Number
    } else {
        Kind::Other
    }
}

/// Words by kind: `HTTPServer2` is `HTTP`, `Server`, `2`.
fn runs(letters: &[char]) -> Vec<(Kind, &[char])> {
    let mut words = Vec::new();
    let mut rest = letters;
    while let Some(first) = rest.first() {
        let kind = kind_of(*first);
        // Some connectors are punctuation, too, and in the middle of others count as such.
        let belongs =
            |c: char, of: Kind| if of == Kind::Punctuation { is_punctuation(c) } else { kind_of(c) == of };
        let run = |from: usize, of: Kind| from + rest[from..].iter().take_while(|c| belongs(**c, of)).count();
        let mut end = run(1, kind);
        if kind == Kind::Capitals && rest.get(end).is_some_and(|c| kind_of(*c) == Kind::Letters) {
            // A capital before small letters begins the next word.
            end = if end == 1 { run(1, Kind::Letters) } else { end - 1 };
        }
        let (word, after) = rest.split_at(end);
        words.push((kind, word));
        rest = after;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn camel_case_follows_xstrings() {
        for (input, output) in [
            ("_complex__case_", "_Complex_Case_"),
            ("GOLANG_IS_GREAT", "GolangIsGreat"),
            ("HTTPServer", "Httpserver"),
            ("fooBar", "FooBar"),
            ("a", "A"),
            ("__", "___"),
            ("__a", "__A"),
            ("", ""),
            ("foo-bar baz", "FooBarBaz"),
        ] {
            assert_eq!(text(camel(input.as_bytes())), output, "{input}");
        }
    }

    #[test]
    fn snake_case_follows_xstrings() {
        for (input, output) in [
            ("FirstName", "first_name"),
            ("HTTPServer", "http_server"),
            ("NoHTTPS", "no_https"),
            ("GO PATH", "go_path"),
            ("http2xx", "http_2xx"),
            ("HTTP20xOK", "http_20x_ok"),
            ("Duration2m3s", "duration_2m3s"),
            ("Bld4Floor3rd", "bld4_floor_3rd"),
            ("userID2", "user_id2"),
            ("a.b-c_d", "a.b_c_d"),
            ("A", "a"),
            ("", ""),
        ] {
            assert_eq!(text(snake(input.as_bytes(), '_')), output, "{input}");
        }
    }

    #[test]
    fn wrapping_keeps_the_originals_blanks() {
        assert_eq!(
            text(wrap(b"a long  sentence with  spaces", 10, b"", false)),
            "a long \nsentence\nwith \nspaces"
        );
        assert_eq!(text(wrap(b"abcdefgh ij", 3, b"|", true)), "abc|def|gh|ij");
        assert_eq!(text(wrap(b"abcdefgh ij", 0, b"", false)), "abcdefgh\nij");
        assert_eq!(text(wrap(b"", 5, b"", false)), "");
    }

    #[test]
    fn abbreviations_never_leave_the_text() {
        assert_eq!(text(abbreviate(b"hello world", 0, 5)), "he...");
        assert_eq!(text(abbreviate(b"1234 5678 9123", 5, 10)), "...5678...");
        assert_eq!(text(abbreviate(b"hello world", 0, 3)), "hello world");
        for left in [-5, 0, 1, 4, 5, 9, 100, i64::MAX] {
            for width in [i64::MIN, -1, 3, 4, 6, 7, 10, 14, 15, i64::MAX] {
                assert!(abbreviate(b"1234 5678 9123", left, width).len() <= 14);
            }
        }
    }

    #[test]
    fn cases_of_words() {
        assert_eq!(text(swap_case(b"Hello World ab1C")), "hELLO wORLD AB1c");
        assert_eq!(text(untitle(b"Hello  World")), "hello  world");
        assert_eq!(text(initials(b"john  doe")), "jd");
    }
}
