//! Lists of keys as Vault gives them: one level, folders with a slash.

use std::collections::BTreeSet;

/// The names directly below `folder` (without its slash; empty for the top).
pub(super) fn children<'a>(paths: impl IntoIterator<Item = &'a String>, folder: &str) -> Vec<String> {
    let prefix = match folder.trim_end_matches('/') {
        "" => String::new(),
        name => format!("{name}/"),
    };
    let names: BTreeSet<String> = paths
        .into_iter()
        .filter_map(|path| path.strip_prefix(&prefix))
        .filter(|rest| !rest.is_empty())
        .map(|rest| match rest.split_once('/') {
            Some((folder, _)) => format!("{folder}/"),
            None => rest.to_owned(),
        })
        .collect();
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_and_a_secret_of_one_name_are_both_listed() {
        let paths = ["app/db", "app/db/ro", "app/x/y/z", "other"].map(str::to_owned);
        assert_eq!(children(&paths, "app/"), ["db", "db/", "x/"]);
        assert_eq!(children(&paths, ""), ["app/", "other"]);
        assert!(children(&paths, "ap").is_empty());
    }
}
