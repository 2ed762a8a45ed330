//! Letter case one character at a time, as Go's `unicode` maps it (Unicode's simple mappings).

use super::{
    bytes::{chars, from_chars},
    unicode::{is_digit, is_letter},
};

/// Lower case of one character.
pub fn lower(c: char) -> char {
    match c {
        // The full mapping is two characters.
        'İ' => 'i',
        _ => single(c.to_lowercase()).unwrap_or(c),
    }
}

/// Upper case of one character; `ß` stays.
pub fn upper(c: char) -> char {
    match single(c.to_uppercase()) {
        Some(mapped) => mapped,
        // Greek letters with iota below have a simple mapping where the full one is two characters.
        None => iota(c).unwrap_or(c),
    }
}

/// Title case of one character: upper case, but for the digraphs and for Georgian.
pub fn title(c: char) -> char {
    match c {
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        'ა'..='ჺ' | 'ჽ'..='ჿ' => c,
        _ => upper(c),
    }
}

fn single(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    let first = mapped.next();
    if mapped.next().is_some() { None } else { first }
}

fn iota(c: char) -> Option<char> {
    let code = u32::from(c);
    match code {
        0x1f80..=0x1faf => char::from_u32(code | 8),
        0x1fb3 | 0x1fc3 | 0x1ff3 => char::from_u32(code + 9),
        _ => None,
    }
}

/// All characters in upper case; bad bytes become replacement characters, as in Go.
pub fn to_upper(text: &[u8]) -> Vec<u8> {
    if text.is_ascii() { text.to_ascii_uppercase() } else { from_chars(chars(text).into_iter().map(upper)) }
}

/// All characters in lower case; bad bytes become replacement characters, as in Go.
pub fn to_lower(text: &[u8]) -> Vec<u8> {
    if text.is_ascii() { text.to_ascii_lowercase() } else { from_chars(chars(text).into_iter().map(lower)) }
}

/// Title case as Go's old `strings.Title`: every letter after something that is no letter, digit, `_` or apostrophe
/// of ASCII … an apostrophe starts a word too (`o'neil` becomes `O'Neil`).
pub fn old_title(text: &[u8]) -> Vec<u8> {
    let mut previous = ' ';
    let mapped = chars(text).into_iter().map(|c| {
        let mapped = if separates(previous) { title(c) } else { c };
        previous = c;
        mapped
    });
    from_chars(mapped)
}

fn separates(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_alphanumeric() && c != '_';
    }
    !is_letter(c) && !is_digit(c) && c.is_whitespace()
}

/// The first letter of each word in title case, the rest as it is. Words follow Unicode's text segmentation in what
/// matters here: apostrophes and dots between letters do not end a word. Bytes that are not UTF-8 stay.
pub fn words_title(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for piece in super::bytes::utf8_pieces(text) {
        match piece {
            Ok(valid) => title_piece(valid, &mut out),
            Err(byte) => out.push(byte),
        }
    }
    out
}

fn title_piece(text: &str, out: &mut Vec<u8>) {
    let letters: Vec<char> = text.chars().collect();
    let mut in_word = false;
    let mut titled = false;
    let mut buffer = [0; 4];
    for (index, &c) in letters.iter().enumerate() {
        let joins = matches!(c, '\'' | '.' | ':' | '·' | '’' | '‘' | '\u{2024}')
            && in_word
            && letters.get(index + 1).is_some_and(|next| next.is_alphabetic());
        let inside = c == '_' || c.is_alphanumeric() || joins || is_mark(c);
        if !inside {
            titled = false;
        }
        in_word = inside;
        if inside && !titled && c.is_alphabetic() {
            titled = true;
            for mapped in full_title(c).chars() {
                out.extend_from_slice(mapped.encode_utf8(&mut buffer).as_bytes());
            }
        } else {
            out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
        }
    }
}

/// Title case where one character may become several: `ß` becomes `Ss`.
fn full_title(c: char) -> String {
    let simple = title(c);
    if simple != c || c == 'ŉ' {
        return if c == 'ŉ' { "ʼN".to_owned() } else { simple.to_string() };
    }
    let mut upper = c.to_uppercase();
    if upper.len() == 1 {
        return c.to_string();
    }
    upper.next().into_iter().chain(upper.flat_map(char::to_lowercase)).collect()
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{ad}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_mappings_stay_one_character() {
        assert_eq!(to_upper("straße ŉ ǆ ᾳ éÿ".as_bytes()), "STRAßE ŉ Ǆ ᾼ ÉŸ".as_bytes());
        assert_eq!(to_lower("İÉ".as_bytes()), "ié".as_bytes());
        assert_eq!(to_upper(b"\xffa"), "\u{fffd}A".as_bytes());
        assert_eq!(title('ǆ'), 'ǅ');
    }

    #[test]
    fn title_rules_differ_at_apostrophes() {
        assert_eq!(old_title("ÿes o'neil foo_bar a-b".as_bytes()), "Ÿes O'Neil Foo_bar A-B".as_bytes());
        assert_eq!(words_title("it's foo-bar foo_bar a.b".as_bytes()), "It's Foo-Bar Foo_bar A.b".as_bytes());
        assert_eq!(words_title(b"\xffa"), b"\xffA");
    }
}
