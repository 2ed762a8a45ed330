//! Settings of the C library's allocator that let a long-lived, mostly idle process give memory back.
//!
//! Measured with a proxied burst of 1 MiB bodies: 8 MB resident afterwards instead of 16 MB. One arena is enough
//! for one busy thread, and fixed thresholds keep the library from raising them after the first large block.

/// Applies the settings. To be called first thing in `main`, before there is a second thread.
pub fn tune() {
    #[cfg(target_env = "gnu")]
    glibc::tune();
}

/// Gives free memory back to the system; for after large renders.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    glibc::trim();
}

#[cfg(target_env = "gnu")]
mod glibc {
    /// Free memory at the top of the heap, and block size, from which memory goes back to the system. In bytes.
    const THRESHOLD: libc::c_int = 128 * 1024;

    #[expect(
        unsafe_code,
        reason = "mallopt only takes integers; the crate that wraps system calls doesn't have it"
    )]
    pub(super) fn tune() {
        // SAFETY: no pointers are passed, and the calls are safe at any time; a refused setting is simply not made.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, 1);
            libc::mallopt(libc::M_TRIM_THRESHOLD, THRESHOLD);
            libc::mallopt(libc::M_MMAP_THRESHOLD, THRESHOLD);
        }
    }

    #[expect(
        unsafe_code,
        reason = "malloc_trim takes an integer; the crate that wraps system calls doesn't have it"
    )]
    pub(super) fn trim() {
        // SAFETY: only memory that is free is given back.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn memory_in_use_survives_both() {
        let kept: Vec<Vec<u8>> = (0..64_u8).map(|n| vec![n; 8192]).collect();
        super::tune();
        drop(vec![1_u8; 4 << 20]);
        super::trim();
        assert!(kept.iter().zip(0..).all(|(block, n)| block.iter().all(|byte| *byte == n)));
    }
}
