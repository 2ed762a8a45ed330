//! Walking over byte strings that are usually UTF-8, as Go walks over its strings.

use std::borrow::Cow;

/// Pieces of valid text, and between them each byte that belongs to none.
pub fn utf8_pieces(bytes: &[u8]) -> impl Iterator<Item = Result<&str, u8>> {
    bytes.utf8_chunks().flat_map(|chunk| {
        let valid = Some(chunk.valid()).filter(|text| !text.is_empty()).map(Ok);
        valid.into_iter().chain(chunk.invalid().iter().map(|byte| Err(*byte)))
    })
}

/// Characters; a byte that is not UTF-8 counts as one replacement character.
pub fn chars(bytes: &[u8]) -> Vec<char> {
    let mut out = Vec::with_capacity(bytes.len());
    for piece in utf8_pieces(bytes) {
        match piece {
            Ok(text) => out.extend(text.chars()),
            Err(_) => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
    out
}

/// As text; each byte that is not UTF-8 becomes one replacement character.
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => chars(bytes).into_iter().collect::<String>().into(),
    }
}

/// Byte string of characters.
pub fn from_chars(chars: impl IntoIterator<Item = char>) -> Vec<u8> {
    chars.into_iter().collect::<String>().into_bytes()
}

/// Where `needle` first stands in `haystack`; an empty needle stands at 0.
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

/// How many times `needle`, which is not empty, stands in `haystack`.
pub fn count(haystack: &[u8], needle: &[u8]) -> usize {
    memchr::memmem::find_iter(haystack, needle).count()
}

/// Pieces of `text` between separators; an empty separator separates characters.
/// `limit` is the highest number of pieces, `None` for all.
pub fn split<'t>(text: &'t [u8], separator: &[u8], limit: Option<usize>) -> Vec<&'t [u8]> {
    let limit = limit.unwrap_or(usize::MAX);
    if limit == 0 {
        return Vec::new();
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    if separator.is_empty() {
        while !rest.is_empty() {
            let end = if pieces.len() + 1 == limit { rest.len() } else { first_length(rest) };
            let (piece, after) = rest.split_at(end);
            pieces.push(piece);
            rest = after;
        }
        return pieces;
    }
    while pieces.len() + 1 < limit
        && let Some(at) = find(rest, separator)
    {
        pieces.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
    }
    pieces.push(rest);
    pieces
}

/// Length in bytes of the first character; a bad byte counts as a character.
fn first_length(bytes: &[u8]) -> usize {
    // No character is longer than four bytes: looking at more would make walks over long texts quadratic.
    match utf8_pieces(&bytes[..bytes.len().min(4)]).next() {
        Some(Ok(text)) => text.chars().next().map_or(0, char::len_utf8),
        Some(Err(_)) => 1,
        None => 0,
    }
}

/// All occurrences of `from` replaced; an empty `from` stands before each character and at the end.
pub fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    if from.is_empty() {
        out.extend_from_slice(to);
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(first_length(rest));
            out.extend_from_slice(piece);
            out.extend_from_slice(to);
            rest = after;
        }
        return out;
    }
    let mut last = 0;
    for at in memchr::memmem::find_iter(text, from) {
        out.extend_from_slice(&text[last..at]);
        out.extend_from_slice(to);
        last = at + from.len();
    }
    out.extend_from_slice(&text[last..]);
    out
}

/// Cuts Unicode white space off both ends; bytes that are not UTF-8 stop it.
pub fn trim_space(text: &[u8]) -> &[u8] {
    trim_matching(text, char::is_whitespace)
}

/// Cuts the characters of `set` off both ends.
pub fn trim_set<'t>(text: &'t [u8], set: &[u8]) -> &'t [u8] {
    let set = chars(set);
    trim_matching(text, |c| set.contains(&c))
}

fn trim_matching(mut text: &[u8], cut: impl Fn(char) -> bool) -> &[u8] {
    while !text.is_empty() {
        let length = first_length(text);
        let first = std::str::from_utf8(&text[..length]).ok().and_then(|s| s.chars().next());
        if !cut(first.unwrap_or(char::REPLACEMENT_CHARACTER)) {
            break;
        }
        text = &text[length..];
    }
    while !text.is_empty() {
        let start = (1..=text.len().min(4))
            .map(|back| text.len() - back)
            .find(|at| text.get(*at).is_some_and(|b| !(0x80..0xc0).contains(b)))
            .unwrap_or(text.len() - 1);
        let (start, last) = match std::str::from_utf8(&text[start..]) {
            Ok(tail) => (start, tail.chars().next_back().unwrap_or(char::REPLACEMENT_CHARACTER)),
            Err(_) => (text.len() - 1, char::REPLACEMENT_CHARACTER),
        };
        if !cut(last) {
            break;
        }
        text = &text[..start];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_byte_is_one_character() {
        assert_eq!(chars(b"a\xe2\x82\xffb"), ['a', '\u{fffd}', '\u{fffd}', '\u{fffd}', 'b']);
        assert_eq!(split(b"\xffa\xc3\xa9", b"", None), [&b"\xff"[..], b"a", "é".as_bytes()]);
    }

    #[test]
    fn splitting_and_replacing_follow_go() {
        assert_eq!(split(b"a,,b", b",", None), [&b"a"[..], b"", b"b"]);
        assert_eq!(split(b"", b",", None), [b""]);
        assert_eq!(split(b"a,b,c", b",", Some(2)), [&b"a"[..], b"b,c"]);
        assert_eq!(split(b"abc", b"", Some(2)), [&b"a"[..], b"bc"]);
        assert_eq!(replace("aé".as_bytes(), b"", b"-"), "-a-é-".as_bytes());
        assert_eq!(replace(b"aXbX", b"X", b""), b"ab");
    }

    #[test]
    fn trimming_stops_at_bad_bytes() {
        assert_eq!(trim_space("\u{a0}\t\u{2003}x \u{85}".as_bytes()), b"x");
        assert_eq!(trim_space(b" \xff \xff "), b"\xff \xff");
        assert_eq!(trim_set("éxéé".as_bytes(), "é".as_bytes()), b"x");
        assert_eq!(trim_set(b"aaa", b"a"), b"");
        assert_eq!(trim_space(b"x\x80"), b"x\x80");
    }
}
