//! The house law that a compiler can't check: who may import whom, how long files and functions get, names.

mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use self::source::{Source, module_of};

/// The ground floor, from the bottom up: each may import those before it, everybody above may import all of them.
const GROUND_FLOOR: &[&str] = &[
    "origin",
    "chance",
    "clock",
    "backoff",
    "problem",
    "telemetry",
    "watch",
    "http",
    "jwt",
    "process",
    "listener",
];

/// The wire types of Vault's API, without the client that speaks it.
const WIRE: &[&str] = &["vault::path", "vault::secret", "vault::token", "vault::value"];

/// Module, and what it may import besides the ground floor. A part of a module stands for that part alone.
const LAYERS: &[(&str, &[&[&str]])] = &[
    ("vault", &[]),
    ("config", &[&["vault::path"]]),
    ("output", &[&["config"]]),
    // A generation file is an output like others.
    ("action", &[&["config", "output"]]),
    // What it keeps lies in a file, and that is replaced as every other.
    ("cache", &[&["config", "output"], WIRE]),
    ("auth", &[&["config", "vault", "cache"]]),
    ("secrets", &[&["config", "vault", "cache", "auth"]]),
    ("template", &[&["config", "secrets::request", "secrets::snapshot"], WIRE]),
    ("sink", &[&["config", "auth", "output", "vault::error"], WIRE]),
    // Sees others through what `agent` tells it.
    ("status", &[]),
    (
        "agent",
        &[&["vault", "config", "cache", "auth", "secrets", "template", "output", "action", "sink", "status"]],
    ),
    ("laptop", &[&["vault", "config", "auth", "secrets", "template", "output"]]),
    ("dev", &[WIRE]),
    (
        "cli",
        &[&[
            "vault", "config", "cache", "auth", "secrets", "template", "output", "action", "sink", "status",
            "agent", "laptop", "dev",
        ]],
    ),
];

/// Libraries that have one home each, so that they can be replaced; `vault` and `http` share the client's.
const HOMES: &[(&str, &[&str])] = &[
    ("reqwest", &["http", "vault"]),
    ("hickory_resolver", &["http"]),
    ("handlebars", &["template"]),
    ("notify", &["watch"]),
    ("jsonwebtoken", &["jwt", "auth", "dev"]),
    ("axum", &["dev"]),
    ("hyper", &["listener"]),
    ("hyper_util", &["listener"]),
    ("http_body_util", &["listener"]),
    ("clap", &["cli"]),
    ("libc", &["process"]),
];

/// What only some builds have: Cargo feature, its modules, its libraries. No other module may need any of them.
const OPTIONAL: &[(&str, &[&str], &[&str])] = &[
    ("dev", &["dev", "cli::dev", "cli::demo"], &["axum", "tokio_rustls"]),
    ("laptop", &["laptop", "cli::render", "cli::check", "cli::inputs"], &[]),
    ("injector", &[], &[]),
];

/// Libraries that a pure module must not know.
const PURE: &[(&str, &[&str])] =
    &[("config", &["tokio", "reqwest"]), ("template", &["tokio", "reqwest", "tokio_util"])];

/// Names that say nothing about what a module is for.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "manager", "types", "misc"];

/// Most lines of a file, tests apart.
const MOST_FILE_LINES: usize = 400;

/// Most lines of a function.
const MOST_FUNCTION_LINES: usize = 70;

/// Files and functions (`file.rs::function`) that may be longer, each with its reason.
const WAIVERS: &[(&str, &str)] = &[];

/// Everything that breaks the law, one sentence each.
fn findings(sources: &BTreeMap<PathBuf, Source>, waivers: &[(&str, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    let mut used = BTreeSet::new();
    for (file, source) in sources {
        let name = file.display().to_string();
        let module = module_of(file);
        found.extend(imports(&name, module.first().map(String::as_str), source));
        found.extend(optional_imports(&name, &module, source));
        for module in module.iter().chain(&source.modules) {
            if EMPTY_NAMES.contains(&module.as_str()) {
                found.push(format!("{name}: the name {module} says nothing; name it after what it is for"));
            }
        }
        if !source.has_purpose {
            found.push(format!("{name}: say in one sentence (//!) what the file is for"));
        }
        let mut too_long = Vec::new();
        if source.lines > MOST_FILE_LINES {
            let text = format!("{name}: {} lines without tests, more than {MOST_FILE_LINES}", source.lines);
            too_long.push((name.clone(), text));
        }
        for (function, line, length) in &source.functions {
            if *length > MOST_FUNCTION_LINES {
                let text =
                    format!("{name}:{line}: {function} has {length} lines, more than {MOST_FUNCTION_LINES}");
                too_long.push((format!("{name}::{function}"), text));
            }
        }
        for (key, text) in too_long {
            if waivers.iter().any(|(waived, reason)| *waived == key && !reason.is_empty()) {
                used.insert(key);
            } else {
                found.push(text);
            }
        }
    }
    let unused = waivers.iter().filter(|(waived, _)| !used.contains(*waived));
    found.extend(unused.map(|(waived, _)| format!("the waiver for {waived} is not needed or has no reason")));
    found
}

fn imports(file: &str, own: Option<&str>, source: &Source) -> Vec<String> {
    // The roots only list modules and start the command line.
    let Some(own) = own else { return Vec::new() };
    let mut found = Vec::new();
    for import in &source.imports {
        let top = import[0].as_str();
        if top != own && !may_import(own, import) {
            found.push(format!("{file}: {own} must not import {}", import.join("::")));
        }
    }
    for name in &source.crates {
        let homes = HOMES.iter().find(|(library, _)| library == name);
        if homes.is_some_and(|(_, homes)| !homes.contains(&own)) {
            found.push(format!(
                "{file}: the library {name} belongs to {}",
                homes.map_or("", |(_, homes)| homes[0])
            ));
        }
        if PURE.iter().any(|(pure, banned)| *pure == own && banned.contains(&name.as_str())) {
            found.push(format!("{file}: {own} is pure and must not know {name}"));
        }
    }
    found
}

/// Imports of what a build may lack by a file that every build has.
fn optional_imports(file: &str, module: &[String], source: &Source) -> Vec<String> {
    let below = |modules: &[&str], path: &[String]| {
        modules.iter().any(|module| {
            let parts: Vec<&str> = module.split("::").collect();
            path.len() >= parts.len() && path.iter().zip(&parts).all(|(a, b)| a == b)
        })
    };
    let mut found = Vec::new();
    for (feature, modules, libraries) in OPTIONAL {
        if below(modules, module) {
            continue;
        }
        for import in &source.in_every_build {
            if below(modules, import) || libraries.contains(&import[0].as_str()) {
                let import = import.join("::");
                found.push(format!("{file}: {import} is only there with the feature {feature}"));
            }
        }
    }
    found
}

fn may_import(own: &str, import: &[String]) -> bool {
    let top = import[0].as_str();
    let floor = |name: &str| GROUND_FLOOR.iter().position(|module| *module == name);
    match (floor(own), floor(top)) {
        (Some(own), Some(top)) => top < own,
        (Some(_), None) => false,
        (None, Some(_)) => true,
        (None, None) => {
            let allowed =
                LAYERS.iter().find(|(module, _)| *module == own).map_or(&[][..], |(_, allowed)| allowed);
            allowed.iter().copied().flatten().any(|allowed| {
                let parts: Vec<&str> = allowed.split("::").collect();
                // `use vault::{self}` names the module; only its parts may be limited.
                import.iter().zip(&parts).all(|(a, b)| a == b) && import.len() >= parts.len()
            })
        }
    }
}

/// Modules at the crate's root that no table names.
fn strangers(sources: &BTreeMap<PathBuf, Source>) -> Vec<String> {
    let known = |name: &String| {
        GROUND_FLOOR.contains(&name.as_str()) || LAYERS.iter().any(|(module, _)| module == name)
    };
    let mut tops: BTreeSet<String> =
        sources.keys().filter_map(|file| module_of(file).into_iter().next()).collect();
    tops.retain(|name| !known(name));
    tops.into_iter()
        .map(|name| format!("module {name} is in no layer: add it to integration/layers.rs"))
        .collect()
}

/// Reads all files below a folder that aren't for tests only.
fn read_tree(root: &Path) -> io::Result<BTreeMap<PathBuf, Source>> {
    let mut sources = BTreeMap::new();
    let (mut tests, mut test_files) = (Vec::new(), Vec::new());
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let file = path.strip_prefix(root).unwrap_or(&path).to_owned();
                let module = module_of(&file);
                let source = Source::parse(&fs::read_to_string(&path)?, &module)
                    .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
                let folder = file.parent().unwrap_or(Path::new(""));
                test_files.extend(source.test_files.iter().map(|name| folder.join(name)));
                tests.extend(
                    source.test_modules.iter().map(|name| [module.clone(), vec![name.clone()]].concat()),
                );
                sources.insert(file, source);
            }
        }
    }
    let is_test = |file: &PathBuf| {
        test_files.contains(file) || tests.iter().any(|test: &Vec<String>| module_of(file).starts_with(test))
    };
    sources.retain(|file, _| !is_test(file));
    Ok(sources)
}

#[test]
fn the_tree_keeps_the_house_law() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources = read_tree(&root).unwrap();
    assert!(sources.len() > 20, "only {} files were found", sources.len());
    let mut found = findings(&sources, WAIVERS);
    found.extend(strangers(&sources));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn tree(files: &[(&str, &str)]) -> BTreeMap<PathBuf, Source> {
    let parse = |(file, text): &(&str, &str)| {
        let path = PathBuf::from(file);
        let source = Source::parse(&format!("//! For a test.\n{text}"), &module_of(&path)).ok()?;
        Some((path, source))
    };
    files.iter().filter_map(parse).collect()
}

fn found(files: &[(&str, &str)]) -> Vec<String> {
    findings(&tree(files), &[])
}

#[test]
fn imports_against_the_line_are_found() {
    for (file, text) in [
        ("output/mod.rs", "use crate::template::host::FileEffect;"),
        ("config/mod.rs", "use crate::vault::secret::Secret;"),
        ("vault/path.rs", "fn f() { crate::config::parse() }"),
        ("clock.rs", "use crate::http::Client;"),
        ("origin.rs", "use crate::clock::Clock;"),
        ("watch.rs", "use crate::config::Config;"),
        ("dev/mod.rs", "use crate::agent::Agent;"),
        ("dev/mod.rs", "use crate::vault::client::Client;"),
        ("agent/mod.rs", "#[cfg(feature = \"dev\")] use crate::dev::Server;"),
        ("sink.rs", "use crate::vault::client::Client;"),
        ("auth/mod.rs", "use super::agent::Agent;"),
        ("template/x.rs", "use crate::secrets::store::Store;"),
    ] {
        assert_eq!(found(&[(file, text)]).len(), 1, "{file}: {text}");
    }
}

#[test]
fn imports_along_the_line_are_fine() {
    let tree = [
        (
            "template/host.rs",
            "use crate::{secrets::request::SecretRequest, vault::value::Text, clock::Clock};",
        ),
        ("http/mod.rs", "use crate::{clock::Clock, telemetry::LogConfig}; use reqwest::Client;"),
        (
            "config/mod.rs",
            "use crate::vault::path; use self::template::X; mod template { use super::super::http::Y; }",
        ),
        ("agent/mod.rs", "use crate::{output::write, action, vault::client::Client};"),
        ("output/mod.rs", "#[cfg(test)] mod tests { use crate::agent::Agent; }"),
    ];
    assert_eq!(found(&tree), [""; 0]);
}

#[test]
fn libraries_stay_at_home_and_pure_modules_pure() {
    assert_eq!(found(&[("auth/mod.rs", "fn f() { reqwest::get() }")]).len(), 1);
    assert_eq!(found(&[("template/go/eval.rs", "use tokio::time::sleep;")]).len(), 1);
    assert_eq!(found(&[("watch.rs", "use notify::Watcher;")]), [""; 0]);
}

#[test]
fn nothing_that_every_build_has_needs_an_optional_part() {
    for (file, text) in [
        ("cli/start.rs", "fn f() { super::dev::run() }"),
        ("cli/token.rs", "use crate::laptop::input;"),
        ("cli/render.rs", "use crate::dev::Server;"),
    ] {
        assert_eq!(found(&[(file, text)]).len(), 1, "{file}: {text}");
    }
    // Where the library belongs and which build has it are two laws.
    assert_eq!(found(&[("http/mod.rs", "use axum::Router;")]).len(), 2);
    for (file, text) in [
        ("cli/start.rs", "#[cfg(feature = \"dev\")] fn f() { super::dev::run() }"),
        ("cli/demo/stage.rs", "use crate::dev::Server;"),
        ("dev/http.rs", "use axum::Router;"),
    ] {
        assert_eq!(found(&[(file, text)]), [""; 0], "{file}: {text}");
    }
}

#[test]
fn the_manifest_and_the_law_name_the_same_optional_parts() {
    let manifest: toml::Table = toml::from_str(include_str!("../Cargo.toml")).unwrap();
    let mut features: Vec<&str> = OPTIONAL.iter().map(|(feature, ..)| *feature).collect();
    let default = manifest["features"]["default"].as_array().unwrap();
    assert_eq!(default.iter().filter_map(|name| name.as_str()).collect::<Vec<_>>(), features);
    features.push("default");
    features.sort_unstable();
    assert_eq!(manifest["features"].as_table().unwrap().keys().collect::<Vec<_>>(), features);
    for (feature, _, libraries) in OPTIONAL {
        let brought = manifest["features"][*feature].as_array().unwrap().iter();
        let brought: Vec<String> = brought
            .filter_map(|name| name.as_str()?.strip_prefix("dep:").map(|name| name.replace('-', "_")))
            .collect();
        assert_eq!(brought, *libraries, "{feature}");
    }
}

#[test]
fn long_files_long_functions_and_empty_names_are_found() {
    let long_file = "// line\n".repeat(MOST_FILE_LINES);
    let long_function = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(MOST_FUNCTION_LINES - 1));
    assert_eq!(found(&[("auth/a.rs", &long_file)]).len(), 1);
    assert_eq!(found(&[("auth/a.rs", &"// line\n".repeat(MOST_FILE_LINES - 1))]), [""; 0]);
    assert_eq!(found(&[("auth/a.rs", &long_function)]).len(), 1);
    assert_eq!(found(&[("auth/helpers.rs", "")]).len(), 1);
    assert_eq!(found(&[("auth/a.rs", "mod utils {}")]).len(), 1);
}

#[test]
fn a_file_without_a_purpose_is_found() {
    let source = Source::parse("fn f() {}", &["auth".to_owned()]).unwrap();
    assert_eq!(findings(&BTreeMap::from([("auth.rs".into(), source)]), &[]).len(), 1);
}

#[test]
fn a_waiver_needs_a_reason_and_a_use() {
    let text = "// line\n".repeat(MOST_FILE_LINES);
    let tree = tree(&[("auth/a.rs", &text)]);
    assert_eq!(findings(&tree, &[("auth/a.rs", "a table")]), [""; 0]);
    assert_eq!(findings(&tree, &[("auth/a.rs", "")]).len(), 2);
    assert_eq!(findings(&tree, &[("auth/a.rs", "a table"), ("auth/b.rs", "gone")]).len(), 1);
}

#[test]
fn a_module_in_no_layer_is_found() {
    assert_eq!(strangers(&tree(&[("novel/mod.rs", ""), ("vault/mod.rs", ""), ("lib.rs", "")])).len(), 1);
}
