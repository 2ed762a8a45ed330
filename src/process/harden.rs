//! What the process denies itself: core dumps and debuggers would show every secret it holds.

use std::io;

use nix::sys::prctl;

/// Makes the process undumpable: no core file, no attaching by others with the same user.
///
/// Commands that are started later are not affected; the flag ends at `exec`.
///
/// # Errors
/// As the system says (a kernel or sandbox that refuses the call); nothing depends on it.
pub fn deny_dumps() -> io::Result<()> {
    Ok(prctl::set_dumpable(false)?)
}

/// Value of the umask when the system doesn't tell.
const USUAL_UMASK: u32 = 0o022;

/// The umask of the process, for files whose mode is subject to it. Reads without changing it for a moment,
/// which other threads could see.
pub fn umask() -> u32 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| parse_umask(&status))
        .unwrap_or(USUAL_UMASK)
}

fn parse_umask(status: &str) -> Option<u32> {
    let text = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(text.trim(), 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dumps_are_denied() {
        deny_dumps().unwrap();
        assert!(!prctl::get_dumpable().unwrap());
    }

    #[test]
    fn the_umask_is_read_in_octal() {
        assert_eq!(parse_umask("Name:\tx\nUmask:\t0027\nState:\tR\n"), Some(0o027));
        assert_eq!(parse_umask("Name:\tx\n"), None);
        assert!(umask() <= 0o777);
    }
}
