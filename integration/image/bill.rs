//! The bill of materials: what is linked or copied into the image, all of it, and nothing else.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::harness::{
    container::{NEEDS, build_image, image},
    needing,
};

fn bill(name: &str, root: &std::path::Path) -> Value {
    let file = root.join(format!("usr/share/buildinfo/{name}.cdx.json"));
    serde_json::from_str(&fs::read_to_string(file).expect("a bill")).expect("JSON")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// Name, version and checksum of each package in Cargo.lock.
fn locked() -> BTreeSet<(String, String, String)> {
    let lock: toml::Table = toml::from_str(include_str!("../../Cargo.lock")).expect("TOML");
    let packages = lock["package"].as_array().expect("a list");
    let field = |package: &toml::Value, name: &str| {
        package.get(name).and_then(|text| text.as_str()).map(str::to_owned)
    };
    packages
        .iter()
        .filter_map(|package| {
            Some((field(package, "name")?, field(package, "version")?, field(package, "checksum")?))
        })
        .collect()
}

fn names(bill: &Value) -> BTreeSet<&str> {
    bill["components"].as_array().expect("a list").iter().map(|component| text(component, "name")).collect()
}

#[test]
fn every_crate_in_the_bill_is_as_cargo_locked_it_and_has_a_licence() {
    needing(NEEDS, || {
        let bill = bill("decant", &image("decant"));
        assert_eq!((text(&bill, "bomFormat"), text(&bill, "specVersion")), ("CycloneDX", "1.5"));
        assert_eq!(text(&bill["metadata"], "timestamp"), "2026-01-01T00:00:00Z");
        let locked = locked();
        let mut references = BTreeSet::from([text(&bill["metadata"]["component"], "bom-ref")]);
        for component in bill["components"].as_array().unwrap() {
            let (name, version) = (text(component, "name"), text(component, "version"));
            assert!(references.insert(text(component, "bom-ref")), "{name} {version} is there twice");
            assert!(component["licenses"][0]["expression"].is_string(), "{component}");
            if text(component, "purl").starts_with("pkg:cargo/") {
                let sum = text(&component["hashes"][0], "content");
                assert!(locked.contains(&(name.into(), version.into(), sum.into())), "{component}");
            }
        }
        // The graph stands on what is listed.
        for node in bill["dependencies"].as_array().unwrap() {
            let needs = node["dependsOn"].as_array().unwrap().iter().filter_map(Value::as_str);
            for reference in needs.chain([text(node, "ref")]) {
                assert!(references.contains(reference), "{reference} is needed and not listed");
            }
        }
    });
}

#[test]
fn each_image_has_the_bill_of_its_build() {
    needing(NEEDS, || {
        let full = tempfile::tempdir().unwrap();
        let root = full.path().join("root");
        build_image("decant-injector", &root, &[]).expect(0);
        let (default, bare) = (bill("decant", &image("decant")), bill("decant-bare", &image("decant-bare")));
        let full = bill("decant-injector", &root);
        for needed in ["tokio", "reqwest", "rustls", "ring", "libc6-dev"] {
            for bill in [&default, &bare, &full] {
                assert!(names(bill).contains(needed), "{needed}");
            }
        }
        // What only a test, a build script or a macro needs is in no program; the dev server's library in one.
        for stranger in ["proptest", "insta", "tempfile", "cc", "syn", "serde_derive"] {
            for bill in [&default, &bare, &full] {
                assert!(!names(bill).contains(stranger), "{stranger}");
            }
        }
        assert!(names(&full).contains("axum") && !names(&default).contains("axum"));
        assert!(names(&default).contains("busybox-static"));
        assert!(!names(&bare).contains("busybox-static") && !names(&full).contains("busybox-static"));
    });
}
