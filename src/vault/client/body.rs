//! What a request sends.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use zeroize::Zeroizing;

/// A JSON body, wiped when the last request with it is gone. Never prints.
#[derive(Clone)]
pub struct Body(Bytes);

impl Body {
    /// Serialises a body, for instance a map of strings or a `serde_json::Value`.
    pub fn json(value: &impl Serialize) -> Self {
        // Room enough that no copy stays behind when the buffer grows; a JWT has one or two kilobytes.
        let mut text = Zeroizing::new(Vec::with_capacity(8 << 10));
        if serde_json::to_writer(&mut *text, value).is_err() {
            text.clear();
        }
        Self(Bytes::from_owner(text))
    }

    /// The bytes for the HTTP library; the same ones, not a copy.
    pub(super) fn shared(&self) -> Bytes {
        self.0.clone()
    }

    /// The bytes that are sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}
