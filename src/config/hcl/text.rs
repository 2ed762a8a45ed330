//! What quoted texts and heredocs mean: escapes resolved, indentation taken off.

/// Takes the indentation of the closing word off every line, if every line has it.
pub(super) fn unindent(body: &str, indent: &str) -> String {
    let lines = || body.split_terminator('\n');
    if !lines().all(|line| line.starts_with(indent)) {
        return body.to_owned();
    }
    lines().flat_map(|line| [&line[indent.len()..], "\n"]).collect()
}

/// Resolves escapes outside `${…}`. `None`: the bytes written with `\x` are not UTF-8.
pub(super) fn unescape(raw: &str) -> Option<String> {
    if !raw.contains('\\') {
        return Some(raw.to_owned());
    }
    let mut out: Vec<u8> = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while !rest.is_empty() {
        if rest.starts_with("${") {
            let end = interpolation_end(rest);
            out.extend_from_slice(&rest.as_bytes()[..end]);
            rest = &rest[end..];
        } else {
            rest = unescape_one(rest, &mut out);
        }
    }
    String::from_utf8(out).ok()
}

/// Length of the `${…}` at the start of `text`.
fn interpolation_end(text: &str) -> usize {
    let mut braces = 0_usize;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '{' => braces += 1,
            '}' if braces == 1 => return at + 1,
            '}' => braces -= 1,
            _ => {}
        }
    }
    text.len()
}

/// Resolves one character or escape (already checked) and gives what follows.
fn unescape_one<'a>(text: &'a str, out: &mut Vec<u8>) -> &'a str {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return text };
    let second = if first == '\\' { chars.next() } else { None };
    let Some(escape) = second else {
        out.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
        return chars.as_str();
    };
    let (skip, digits, base) = match escape {
        'x' => (2, 2, 16),
        'u' => (2, 4, 16),
        'U' => (2, 8, 16),
        '0'..='7' => (1, 3, 8),
        _ => {
            out.push(simple_escape(escape));
            return chars.as_str();
        }
    };
    let number = text.get(skip..skip + digits).and_then(|digits| u32::from_str_radix(digits, base).ok());
    let number = number.unwrap_or(u32::from(char::REPLACEMENT_CHARACTER));
    if digits < 4 {
        out.push(u8::try_from(number).unwrap_or(b'?'));
    } else {
        let c = char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    text.get(skip + digits..).unwrap_or("")
}

const fn simple_escape(escape: char) -> u8 {
    match escape {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '"' => b'"',
        _ => b'\\',
    }
}
