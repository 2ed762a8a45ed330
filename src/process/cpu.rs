//! How long the processor has worked for this thread.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Processor time of this thread so far. Unlike any clock it stands still while others run, however little of a
/// machine a container may have.
pub fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time() {
        let begin = thread_time();
        let mut sum = 0u64;
        while thread_time() == begin {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(thread_time() > begin);
    }
}
