//! Where the text goes: bytes that are wiped, and not too many of them.

use std::io::Error as IoError;

use handlebars::Output;
use zeroize::Zeroizing;

use super::{
    border::{self, MAPPING},
    pass::Refusal,
};
use crate::template::go::fault::Cause;

/// Bytes that one render may write, as in the Go dialect.
const MAX_OUTPUT: usize = 16 << 20;

/// Why a mapping isn't printed.
pub(super) fn mapping() -> Refusal {
    Refusal::new(Cause::WrongType, "a mapping can't be printed as it is")
        .hint("name one of its keys, loop over it with {{#each}}, or write it with {{json …}}, {{yaml …}}")
}

/// The text of a render.
pub(super) struct Text {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// Some text of the template is what the library prints for a mapping, so it can't be told apart.
    ambiguous: bool,
}

impl Text {
    pub(super) fn new(ambiguous: bool) -> Self {
        Self { bytes: Zeroizing::new(Vec::new()), ambiguous }
    }
}

impl Output for Text {
    fn write(&mut self, piece: &str) -> Result<(), IoError> {
        // A list is one piece, with what is in it.
        if piece.contains(MAPPING) && !self.ambiguous {
            return Err(IoError::other(mapping()));
        }
        let text = border::decode(piece);
        if self.bytes.len() + text.len() > MAX_OUTPUT {
            return Err(IoError::other(Refusal::new(Cause::Limit, "the output is larger than 16 MiB")));
        }
        self.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
