//! Reads configuration files and folders; the only file of this module that touches the disk.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{hcl, merge, raw::Raw, stanza};
use crate::{
    origin::Origin,
    problem::{Problem, system_words},
};

/// Reads every file, and every `.hcl` and `.json` file of every folder (by name, not deeper), and merges them in this
/// order. Values that can't be read are in [`Raw::unreadable`].
///
/// # Errors
/// A file that can't be read as a whole; then everything wrong in any of them, warnings included, since a warning
/// often explains an error.
pub fn load(paths: &[PathBuf]) -> Result<Raw, Vec<Problem>> {
    let mut merged = Raw::default();
    let mut problems = Vec::new();
    let mut failed = false;
    for path in paths {
        let files = match files_of(path) {
            Ok(files) => files,
            Err(problem) => {
                problems.push(problem);
                failed = true;
                continue;
            }
        };
        if files.is_empty() {
            let what = "the folder has no file that ends in .hcl or .json";
            merged.warnings.push(Problem::warning(what).at(whole(path)));
        }
        for file in files {
            match load_file(&file) {
                Ok(raw) => {
                    problems.extend(raw.unreadable.problems.iter().cloned());
                    merged = merge::files(merged, raw);
                }
                Err(more) => {
                    problems.extend(more);
                    failed = true;
                }
            }
        }
    }
    if failed {
        let mut all = std::mem::take(&mut merged.warnings);
        all.extend(problems);
        return Err(all);
    }
    Ok(merged)
}

/// The path itself, or the files of a folder.
fn files_of(path: &Path) -> Result<Vec<PathBuf>, Problem> {
    let unreadable = |error: &io::Error| cannot_read(path, error);
    if !fs::metadata(path).map_err(|error| unreadable(&error))?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| unreadable(&error))? {
        let file = entry.map_err(|error| unreadable(&error))?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if counts(&name) && !file.is_dir() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a file of a folder is a configuration, and not what an editor left behind.
fn counts(name: &str) -> bool {
    let leftover = name.starts_with(".#") || (name.starts_with('#') && name.ends_with('#'));
    (name.ends_with(".hcl") || name.ends_with(".json")) && !leftover
}

fn load_file(path: &Path) -> Result<Raw, Vec<Problem>> {
    let file: Arc<Path> = path.into();
    let bytes = read(path).map_err(|error| vec![cannot_read(path, &error)])?;
    let body = hcl::parse(&bytes).map_err(|error| vec![error.problem(&file)])?;
    let mut raw = stanza::read(&body, &file);
    if body.items.is_empty() {
        raw.warnings.push(Problem::warning("the file says nothing").at(whole(path)));
    }
    Ok(raw)
}

/// The bytes of a file; of a file that is too large only as many as it takes to know.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(hcl::MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn cannot_read(path: &Path, error: &io::Error) -> Problem {
    let problem =
        Problem::error(format!("the configuration can't be read: {}", system_words(error))).at(whole(path));
    match error.kind() {
        io::ErrorKind::NotFound => {
            problem.hint("check the path after -config, and that the volume is mounted")
        }
        io::ErrorKind::PermissionDenied => {
            problem.hint("the user that runs this program must be allowed to read it")
        }
        _ => problem,
    }
}

fn whole(path: &Path) -> Origin {
    Origin::File { path: path.into(), line: 0, column: 0 }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, os::unix::fs::symlink};

    use super::*;

    fn put(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
        path
    }

    fn destinations(raw: &Raw) -> Vec<&str> {
        raw.templates
            .iter()
            .filter_map(|one| one.destination.as_ref())
            .map(|said| said.value.as_str())
            .collect()
    }

    fn template(destination: &str) -> String {
        format!("template {{\n  destination = \"{destination}\"\n}}\n")
    }

    #[test]
    fn a_folder_is_read_by_name_without_leftovers_and_not_deeper() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "b.hcl", &template("b"));
        put(folder.path(), "a.json", "{\"template\": [{\"destination\": \"a\"}]}");
        let linked = put(folder.path(), "linked.txt", &template("c"));
        symlink(linked, folder.path().join("c.hcl")).unwrap();
        for name in ["b.hcl~", ".#b.hcl", "#b.hcl#", "notes.txt"] {
            put(folder.path(), name, "not a configuration");
        }
        fs::create_dir(folder.path().join("d.hcl")).unwrap();
        let raw = load(&[folder.path().to_owned()]).unwrap();
        assert_eq!(destinations(&raw), ["a", "b", "c"]);
    }

    #[test]
    fn files_are_merged_as_they_are_named_whatever_their_extension() {
        let folder = tempfile::tempdir().unwrap();
        let one = put(folder.path(), "z.conf", &template("one"));
        let two = put(folder.path(), "a.conf", " \n{\"template\": {\"destination\": \"two\"}}");
        assert_eq!(destinations(&load(&[one, two]).unwrap()), ["one", "two"]);
    }

    #[test]
    fn everything_wrong_in_any_file_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let odd = put(folder.path(), "1.hcl", "adress = 1\n");
        let syntax = put(folder.path(), "2.hcl", "vault {\n");
        let values = put(folder.path(), "3.hcl", "exit_after_auth = \"maybe\"\npid_file = []\n");
        let missing = folder.path().join("4.hcl");
        let problems = load(&[odd, syntax, values, missing]).unwrap_err();
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 5, "{said:#?}");
        for (said, part) in said.iter().zip([
            "1.hcl:1:1: unknown key `adress`",
            "2.hcl:2:1: found the end",
            "3.hcl:1:19: `exit_after_auth` can't be \"maybe\"",
            "3.hcl:2:12: `pid_file` can't be a list",
            "4.hcl: the configuration can't be read: No such file or directory\n  hint: check the path",
        ]) {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn empty_and_huge_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let raw = load(&[put(folder.path(), "a.hcl", "# nothing\n")]).unwrap();
        assert!(raw.warnings[0].to_string().ends_with("a.hcl: the file says nothing"));
        let huge = folder.path().join("huge.hcl");
        fs::File::create(&huge).unwrap().set_len(1 << 40).unwrap();
        let said = load(&[huge]).unwrap_err()[0].to_string();
        assert!(said.contains("huge.hcl:1:1: the file is larger than 32 MiB"), "{said}");
        let empty = folder.path().join("empty");
        fs::create_dir(&empty).unwrap();
        assert!(load(&[empty]).unwrap().warnings[0].to_string().contains("no file that ends in .hcl"));
    }
}
