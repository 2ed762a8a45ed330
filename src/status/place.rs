//! Where the status socket is when nobody says anything. The agent and `healthcheck` look at the same places.

use std::path::{Path, PathBuf};

/// Home folder when the environment names none, as in the images.
const HOME: &str = "/home/vault";
/// Name in the home folder.
const IN_HOME: &str = ".decant.sock";

/// The usual places, the best first: beside the pid file, else in the home folder, else in `/tmp`.
pub fn usual(pid_file: Option<&Path>, home: Option<&str>) -> Vec<PathBuf> {
    if let Some(pid_file) = pid_file {
        return vec![beside(pid_file)];
    }
    let home = home.filter(|home| home.starts_with('/') && *home != "/").unwrap_or(HOME);
    vec![Path::new(home).join(IN_HOME), Path::new("/tmp").join(IN_HOME)]
}

/// `agent.pid` has `agent.sock` beside it, `.pid` has `.pid.sock`.
fn beside(pid_file: &Path) -> PathBuf {
    if pid_file.extension().is_some_and(|extension| extension == "pid") {
        return pid_file.with_extension("sock");
    }
    let mut name = pid_file.as_os_str().to_owned();
    name.push(".sock");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_file_decides_then_the_home_folder() {
        let usual = |pid_file: Option<&str>, home| {
            let places = usual(pid_file.map(Path::new), home);
            places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(usual(Some("/run/agent.pid"), Some("/root")), ["/run/agent.sock"]);
        assert_eq!(usual(Some("/home/vault/.pid"), None), ["/home/vault/.pid.sock"]);
        assert_eq!(usual(None, Some("/root")), ["/root/.decant.sock", "/tmp/.decant.sock"]);
        for home in [None, Some(""), Some("/")] {
            assert_eq!(usual(None, home)[0], "/home/vault/.decant.sock");
        }
    }
}
