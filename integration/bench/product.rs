//! The binary that is measured, and how large binaries are.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::table::Table;

/// `DECANT_BIN`, or else the build of the image, which is made now: what `cargo bench` builds by itself has the
/// features of the test dependencies in it and is not what pods get.
pub(crate) fn binary() -> Result<PathBuf, String> {
    if let Some(named) = env::var_os("DECANT_BIN").filter(|path| !path.is_empty()) {
        return Ok(PathBuf::from(named));
    }
    println!("building the release binary of the image …");
    let output = Command::new(env!("CARGO"))
        .args([
            "build",
            "--release",
            "--no-default-features",
            "--bin=decant",
            "--message-format=json-render-diagnostics",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .map_err(|trouble| format!("cargo: {trouble}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut built = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    built.next().ok_or_else(|| "the release binary can't be built".to_owned())
}

/// What serves everybody: `DECANT_FULL_BIN`, or else what `cargo bench` built, dev server included.
pub(crate) fn server() -> PathBuf {
    let named = env::var_os("DECANT_FULL_BIN").filter(|path| !path.is_empty());
    named.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_decant")), PathBuf::from)
}

/// Sizes of the binaries.
pub(crate) fn sizes(ours: &Path, peer: Option<&Path>) -> Result<Table, String> {
    let mut table = Table::new("binary", &["", "MB"]);
    for (name, path) in [("decant", Some(ours)), ("peer", peer)] {
        let Some(path) = path else { continue };
        let length = fs::metadata(path).map_err(|trouble| format!("{}: {trouble}", path.display()))?.len();
        table.row(&[name, &format!("{:.2}", length as f64 / f64::from(1 << 20))]);
    }
    Ok(table)
}
