//! PEM blocks in any text (RFC 7468), written again in one canonical form.

use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
/// Bytes of data in one line of 64 characters.
const LINE: usize = 48;

/// One block.
pub struct Block<'t> {
    /// What stands after `BEGIN`: `CERTIFICATE`, `EC PRIVATE KEY` …
    pub label: &'t str,
    /// The decoded bytes; wiped, as they may be a key.
    pub der: Zeroizing<Vec<u8>>,
}

impl Block<'_> {
    /// The block as Go writes it: lines of 64 characters and a newline at the end.
    pub fn text(&self) -> Vec<u8> {
        // Made in its final size, so that no copy of a key stays behind.
        let lines = self.der.len().div_ceil(LINE);
        let size = lines * 65 + 2 * (self.label.len() + BEGIN.len() + DASHES.len() + 1);
        let mut text = String::with_capacity(size);
        for part in [BEGIN, self.label, DASHES, "\n"] {
            text.push_str(part);
        }
        for line in self.der.chunks(LINE) {
            BASE64_STANDARD.encode_string(line, &mut text);
            text.push('\n');
        }
        for part in [END, self.label, DASHES, "\n"] {
            text.push_str(part);
        }
        text.into_bytes()
    }
}

/// All well-formed blocks of a text, in order. What stands between them, and blocks that are broken or carry headers
/// (encrypted keys), are passed over.
pub fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(BEGIN) {
        rest = &rest[start + BEGIN.len()..];
        if let Some((block, after)) = block(rest) {
            found.push(block);
            rest = after;
        }
    }
    found
}

/// The block whose label `text` starts with, and what follows it.
fn block(text: &str) -> Option<(Block<'_>, &str)> {
    let (label, body) = text.split_once(DASHES)?;
    if label.is_empty() || label.contains(['\n', '-']) {
        return None;
    }
    let (body, after) = body.split_once(END)?;
    let after = after.strip_prefix(label)?.strip_prefix(DASHES)?;
    let letters: Zeroizing<Vec<u8>> =
        Zeroizing::new(body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect());
    let der = Zeroizing::new(BASE64_STANDARD.decode(&*letters).ok()?);
    (!der.is_empty()).then_some((Block { label, der }, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "junk\n-----BEGIN A KEY-----\nAAECAwQF\n-----END A KEY----- more\n\
                       -----BEGIN B-----\r\n  AAEC\r\n  AwQF\r\n-----END B-----";

    #[test]
    fn blocks_are_found_between_junk_and_written_canonically() {
        let found = blocks(TWO);
        assert_eq!(found.iter().map(|block| block.label).collect::<Vec<_>>(), ["A KEY", "B"]);
        assert_eq!(found[1].text(), b"-----BEGIN B-----\nAAECAwQF\n-----END B-----\n");
    }

    #[test]
    fn long_blocks_have_lines_of_64_characters() {
        let block = Block { label: "X", der: Zeroizing::new(vec![7; 100]) };
        let text = String::from_utf8(block.text()).unwrap();
        assert_eq!(text.lines().map(str::len).collect::<Vec<_>>(), [17, 64, 64, 8, 15]);
        assert_eq!(*blocks(&text)[0].der, vec![7; 100]);
        assert!(block.text().capacity() <= text.len() + 65, "the size is known beforehand");
    }

    #[test]
    fn broken_blocks_hide_no_good_ones() {
        for broken in [
            "-----BEGIN X-----\nno base64 at all!\n-----END X-----\n",
            "-----BEGIN X-----\nAAEC\n-----END Y-----\n",
            "-----BEGIN X-----\nAAEC\n",
            "-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\n\nAAEC\n-----END X-----\n",
            "-----BEGIN -----\n-----BEGIN ",
            "-----BEGIN X-----\n-----END X-----\n",
        ] {
            let text = format!("{broken}{TWO}");
            let labels: Vec<_> = blocks(&text).into_iter().map(|block| block.label.to_owned()).collect();
            assert_eq!(labels, ["A KEY", "B"], "{broken}");
            assert!(blocks(broken).is_empty(), "{broken}");
        }
    }
}
