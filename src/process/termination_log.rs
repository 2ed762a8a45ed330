//! The reason of a failed start, where the kubelet looks for it (`/dev/termination-log`).
//!
//! Source: <https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/>.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::Path,
};

/// Where the kubelet mounts the file by default.
pub const TERMINATION_LOG: &str = "/dev/termination-log";

/// The kubelet shows this many bytes and drops the rest.
const MOST: usize = 4096;

/// Writes the reason, cut to what the kubelet shows, when the file exists; whether it does is the answer.
/// The caller takes care that the reason holds no secret.
///
/// # Errors
/// The file is there and can't be written.
pub fn write(path: &Path, reason: &str) -> io::Result<bool> {
    let mut file = match OpenOptions::new().write(true).truncate(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    let end = reason.floor_char_boundary(MOST);
    file.write_all(&reason.as_bytes()[..end])?;
    Ok(true)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests lay out the files they look at")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn replaces_what_an_existing_file_says() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("termination-log");
        assert!(!write(&path, "reason").unwrap(), "the file is the kubelet's to make");
        assert!(!path.exists());
        fs::write(&path, "an older and longer reason").unwrap();
        assert!(write(&path, "reason").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "reason");
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("termination-log");
        fs::write(&path, "").unwrap();
        write(&path, &format!("x{}", "ä".repeat(4000))).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().len(), MOST - 1);
    }
}
