//! How far the walks through values of one render may go. Values are shared, so a small one can unfold to more than
//! any machine holds.
//!
//! Counted per thread: a render never leaves its thread, and hardly any code that walks has the render's state.

use std::cell::Cell;

use super::{funcs::FuncError, value::Value};

/// Parts of values that the walks of one render may visit together.
/// Unit tests reach it many times, unoptimised, so they count from nearer.
const MAX_VISITS: u64 = if cfg!(test) { 200_000 } else { 4_000_000 };

/// Bytes of a text that take as long as another part.
const BYTES_PER_VISIT: usize = 64;

/// How large one text of a walk may get, in bytes: what the output may hold.
pub const MAX_TEXT: usize = 16 << 20;

thread_local! {
    static VISITS: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Counts from its start to its end. Without one nothing is counted: what no template made shares nothing.
pub(super) struct Meter {
    outer: Option<u64>,
}

impl Meter {
    /// Starts at nothing.
    pub(super) fn start() -> Self {
        Self { outer: VISITS.replace(Some(0)) }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        VISITS.set(self.outer);
    }
}

/// Counts a part of a value, before it is written behind `written` bytes.
///
/// # Errors
/// A limit is reached.
pub fn visit(value: &Value, written: usize) -> Result<(), FuncError> {
    let bytes = value.as_text().map_or(0, |text| text.as_bytes().len());
    fits(written.saturating_add(bytes))?;
    read(bytes)
}

/// Counts a part that takes so many bytes to be read or worked out.
///
/// # Errors
/// The limit is reached.
pub fn read(bytes: usize) -> Result<(), FuncError> {
    let Some(before) = VISITS.get() else { return Ok(()) };
    let visits = before.saturating_add(1 + (bytes / BYTES_PER_VISIT) as u64);
    VISITS.set(Some(visits));
    if visits > MAX_VISITS {
        return Err(FuncError::limit("the template's values unfold to more than 4,000,000 parts"));
    }
    Ok(())
}

/// Whether a text of this many bytes may be made.
///
/// # Errors
/// It is too large.
pub fn fits(bytes: usize) -> Result<(), FuncError> {
    if bytes > MAX_TEXT {
        return Err(FuncError::limit("a text of the template is larger than 16 MiB"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_running_meter_counts_and_the_outer_one_goes_on() {
        let text = Value::text("x".repeat(640));
        visit(&text, 0).unwrap();
        assert_eq!(VISITS.get(), None);
        let outer = Meter::start();
        visit(&text, 0).unwrap();
        drop(Meter::start());
        assert_eq!(VISITS.get(), Some(11));
        assert!(visit(&text, MAX_TEXT).unwrap_err().is_limit());
        drop(outer);
        assert_eq!(VISITS.get(), None);
    }
}
