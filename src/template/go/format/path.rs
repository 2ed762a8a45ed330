//! Slash paths as Go's `path` package cuts and cleans them; purely by text.

/// The shortest path with the same meaning: no `.`, no doubled slashes, `..` resolved where possible.
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => {
                kept.pop();
            }
            ".." if rooted => {}
            other => kept.push(other),
        }
    }
    let joined = kept.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// The last element, without slashes behind it; `.` for nothing, `/` for the root.
pub fn base(path: &str) -> String {
    if path.is_empty() {
        return ".".to_owned();
    }
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit('/').next() {
        None | Some("") => "/".to_owned(),
        Some(last) => last.to_owned(),
    }
}

/// All but the last element, cleaned.
pub fn dir(path: &str) -> String {
    clean(path.rsplit_once('/').map_or("", |(dir, _)| if dir.is_empty() { "/" } else { dir }))
}

/// The last element from its last dot on; empty without a dot.
pub fn ext(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rfind('.').map_or_else(String::new, |at| name[at..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cut_as_go_cuts_them() {
        for (path, cleaned, last, parent, extension) in [
            ("", ".", ".", ".", ""),
            ("/", "/", "/", "/", ""),
            ("//", "/", "/", "/", ""),
            ("a", "a", "a", ".", ""),
            ("/a/b.c/", "/a/b.c", "b.c", "/a/b.c", ""),
            ("a/../../b.tar.gz", "../b.tar.gz", "b.tar.gz", "..", ".gz"),
            ("/../a", "/a", "a", "/", ""),
            ("a//./b", "a/b", "b", "a", ""),
            ("/.x", "/.x", ".x", "/", ".x"),
        ] {
            assert_eq!(clean(path), cleaned, "{path}");
            assert_eq!(base(path), last, "{path}");
            assert_eq!(dir(path), parent, "{path}");
            assert_eq!(ext(path), extension, "{path}");
        }
    }
}
