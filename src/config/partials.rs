//! The folder of Handlebars partials: `name` is the file `name.hbs` in it, and nothing outside of it.

use std::{
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use nix::fcntl::OFlag;

/// A partial may be this large.
const LARGEST: u64 = 1 << 20;

/// Reads the partial of this name.
///
/// # Errors
/// Words for the user.
pub fn read(folder: Option<&Path>, name: &str) -> Result<(PathBuf, String), String> {
    let Some(folder) = folder else {
        return Err(
            "no folder of partials is set: partials_path = \"FOLDER\" in the template or in decant {}".into(),
        );
    };
    let is_part =
        |part: &str| !part.is_empty() && !part.starts_with('.') && !part.chars().any(char::is_control);
    if !name.split('/').all(is_part) {
        return Err("its name is no path below the folder of partials".into());
    }
    let path = folder.join(format!("{name}.hbs"));
    let reason = |error: std::io::Error| format!("{}: {error}", path.display());
    // A mounted ConfigMap is all links; they may lead anywhere inside of the folder.
    let real = path.canonicalize().map_err(reason)?;
    let root = folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))?;
    if !real.starts_with(&root) {
        return Err(format!("{} leads out of the folder of partials", path.display()));
    }
    let mut options = std::fs::File::options();
    // A pipe without a writer would stop the one thread.
    let file = options.read(true).custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits());
    let file = file.open(&real).map_err(reason)?;
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(format!("{} is not a regular file", path.display()));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(reason)?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("{} is larger than {} MiB", path.display(), LARGEST >> 20));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8 text", path.display()))?;
    Ok((path, text))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test lays out the files it reads")]
    fn partials_are_read_inside_of_their_folder_only_whatever_links_say() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("partials");
        std::fs::create_dir_all(folder.join("..data/db")).unwrap();
        std::fs::write(folder.join("..data/db/user.hbs"), "fine").unwrap();
        symlink("..data/db", folder.join("db")).unwrap();
        std::fs::write(dir.path().join("out.hbs"), "canary").unwrap();
        symlink(dir.path().join("out.hbs"), folder.join("link.hbs")).unwrap();
        let text = |name: &str| read(Some(&folder), name).map(|(_, text)| text);
        assert_eq!(text("db/user").unwrap(), "fine", "links of a mounted ConfigMap are followed");
        for name in
            ["link", "../out", "db/../../out", "/etc/passwd", "", "db//user", "none", "..data/db/user", "db"]
        {
            let refused = text(name).unwrap_err();
            assert!(!refused.contains("canary"), "{refused}");
        }
        assert!(read(None, "x").unwrap_err().contains("partials_path"));
    }
}
