//! What a function may use while a template runs: the host, and the limits.

use super::funcs::FuncError;
use crate::template::host::Host;

/// Bytes that the functions of one render may produce together. A Vault answer holds 1 MB at most.
const MAX_PRODUCED: usize = 48 << 20;

/// The state of one render, as functions see it.
pub struct Ctx<'a> {
    /// The world.
    pub host: &'a mut dyn Host,
    produced: usize,
}

impl<'a> Ctx<'a> {
    /// A fresh state over a host.
    pub fn new(host: &'a mut dyn Host) -> Self {
        Self { host, produced: 0 }
    }

    /// Takes `bytes` from what this render may still produce. The evaluator charges every result; a function calls
    /// this itself, before it allocates, when its result can be much larger than its arguments (`repeat`, `until`).
    ///
    /// # Errors
    /// The limit is reached.
    pub fn charge(&mut self, bytes: usize) -> Result<(), FuncError> {
        self.produced = self.produced.saturating_add(bytes);
        if self.produced > MAX_PRODUCED {
            return Err(FuncError::new("the template's values need more than 48 MiB"));
        }
        Ok(())
    }
}
