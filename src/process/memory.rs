//! What lets a long-lived, mostly idle process give memory back: settings of the C library's allocator, and a moment
//! to do so.
//!
//! Measured with a proxied burst of 1 MiB bodies: 8 MB resident afterwards instead of 16 MB. One arena is enough
//! for one busy thread, and fixed thresholds keep the library from raising them after the first large block.

use std::ffi::c_void;

use nix::sys::mman::{MmapAdvise, madvise};

/// Applies the settings. To be called first thing in `main`, before there is a second thread.
pub fn tune() {
    #[cfg(target_env = "gnu")]
    glibc::tune();
}

/// Gives back free memory and the pages of the program that only its start needed. To be called when the start is
/// over and little is left to do: what runs again is mapped again, from the cache of the system.
pub fn settle() {
    #[cfg(target_env = "gnu")]
    glibc::settle();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    if let Some((start, length)) = code(&maps, settle as *const () as usize) {
        give_back(start, length);
    }
}

/// The mapping of program code that holds this address, as start and length.
fn code(maps: &str, address: usize) -> Option<(usize, usize)> {
    maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let start = usize::from_str_radix(start, 16).ok()?;
        let end = usize::from_str_radix(end, 16).ok()?;
        (rest.starts_with("r-xp") && (start..end).contains(&address)).then_some((start, end - start))
    })
}

#[expect(unsafe_code, reason = "madvise takes a pointer")]
fn give_back(start: usize, length: usize) {
    let Some(address) = std::ptr::NonNull::new(std::ptr::with_exposed_provenance_mut::<c_void>(start)) else {
        return;
    };
    // SAFETY: the range is one mapping of a file, readable and executable and never written to (a static program that
    // is independent of its position has no relocations in its code), so that each page comes back from the file.
    // Where the system refuses, memory stays as it was.
    let _ = unsafe { madvise(address, length, MmapAdvise::MADV_DONTNEED) };
}

#[cfg(target_env = "gnu")]
mod glibc {
    /// Free memory at the top of the heap, and block size, from which memory goes back to the system. In bytes.
    const THRESHOLD: libc::c_int = 128 * 1024;
    /// The same for the top of the heap while the start is under way: what is given back then is wanted again in the
    /// next moment, and each page costs anew.
    const START_THRESHOLD: libc::c_int = 1024 * 1024;
    /// By how much the heap grows at a time while the start is under way; later by the library's own figure.
    const START_STEP: libc::c_int = 512 * 1024;
    const STEP: libc::c_int = 128 * 1024;

    #[expect(
        unsafe_code,
        reason = "mallopt only takes integers; the crate that wraps system calls doesn't have it"
    )]
    pub(super) fn tune() {
        // SAFETY: no pointers are passed, and the calls are safe at any time; a refused setting is simply not made.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, 1);
            libc::mallopt(libc::M_TRIM_THRESHOLD, START_THRESHOLD);
            libc::mallopt(libc::M_TOP_PAD, START_STEP);
            libc::mallopt(libc::M_MMAP_THRESHOLD, THRESHOLD);
        }
    }

    #[expect(
        unsafe_code,
        reason = "malloc_trim takes an integer; the crate that wraps system calls doesn't have it"
    )]
    pub(super) fn settle() {
        // SAFETY: as above; and only memory that is free is given back.
        unsafe {
            libc::mallopt(libc::M_TRIM_THRESHOLD, THRESHOLD);
            libc::mallopt(libc::M_TOP_PAD, STEP);
            libc::malloc_trim(0);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn memory_in_use_and_code_survive() {
        let kept: Vec<Vec<u8>> = (0..64_u8).map(|n| vec![n; 8192]).collect();
        super::tune();
        drop(vec![1_u8; 4 << 20]);
        super::settle();
        assert!(kept.iter().zip(0..).all(|(block, n)| block.iter().all(|byte| *byte == n)));
    }

    #[test]
    fn only_code_is_found() {
        let maps = "1000-2000 r--p 0 00:00 1 /bin/decant\n2000-5000 r-xp 1000 00:00 1 /bin/decant\n\
                    5000-6000 rw-p 4000 00:00 1 /bin/decant\nnonsense\n";
        assert_eq!(super::code(maps, 0x2fff), Some((0x2000, 0x3000)));
        assert_eq!(super::code(maps, 0x5000), None);
        assert_eq!(super::code(maps, 0x1000), None);
        assert_eq!(super::code("", 0x1000), None);
    }
}
