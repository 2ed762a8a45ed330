//! Slash paths as Go's `path` package cuts and cleans them; purely by text.

/// The shortest path with the same meaning: no `.`, no doubled slashes, `..` resolved where possible.
pub fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut kept: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if kept.last().is_some_and(|last| *last != b"..") => {
                kept.pop();
            }
            b".." if rooted => {}
            other => kept.push(other),
        }
    }
    let joined = kept.join(&b"/"[..]);
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

/// The last element, without slashes behind it; `.` for nothing, `/` for the root.
pub fn base(path: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        return b".".to_vec();
    }
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    match last(&path[..end]) {
        b"" => b"/".to_vec(),
        last => last.to_vec(),
    }
}

fn last(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// All but the last element, cleaned.
pub fn dir(path: &[u8]) -> Vec<u8> {
    clean(path.iter().rposition(|byte| *byte == b'/').map_or(&[], |at| &path[..at.max(1)]))
}

/// The last element from its last dot on; empty without a dot.
pub fn ext(path: &[u8]) -> Vec<u8> {
    let name = last(path);
    name.iter().rposition(|byte| *byte == b'.').map_or_else(Vec::new, |at| name[at..].to_vec())
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
            assert_eq!(clean(path.as_bytes()), cleaned.as_bytes(), "{path}");
            assert_eq!(base(path.as_bytes()), last.as_bytes(), "{path}");
            assert_eq!(dir(path.as_bytes()), parent.as_bytes(), "{path}");
            assert_eq!(ext(path.as_bytes()), extension.as_bytes(), "{path}");
        }
    }
}
