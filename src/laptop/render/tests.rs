use super::*;
use crate::{
    clock::Clock,
    config::{env::Environment, raw::Raw},
    laptop::{
        fixture::Fixture,
        input::{self, Bare, Given, How, Purpose},
    },
};

/// Renders these template files with this fixture.
#[expect(clippy::disallowed_methods, reason = "tests lay out the files they render")]
fn rendered(templates: &[&str], fixture: &str) -> Vec<Done> {
    let folder = tempfile::tempdir().unwrap();
    let given: Vec<Given> = templates
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let path = folder.path().join(format!("{at}.tmpl"));
            std::fs::write(&path, text).unwrap();
            Given { path, form: None }
        })
        .collect();
    let (bare, flags, environment) = (Bare::default(), Raw::default(), Environment::default());
    let how = How { purpose: Purpose::Render, bare: &bare, flags: &flags, environment: &environment };
    let inputs = input::read(&given, how);
    let fixture = Fixture::parse(fixture, Path::new("f.yaml"), &[]).unwrap();
    let (env, files, programs) = (fixture.env.clone(), fixture.files.clone(), fixture.programs.clone());
    let world = World { env, files, programs, clock: Clock::system() };
    let mut source = Source::Fixture(Arc::new(fixture));
    let mut answers = Answers::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let units = inputs.units.iter();
    units.flat_map(|unit| runtime.block_on(render(unit, &mut source, &mut answers, &world))).collect()
}

fn text(done: &Done) -> String {
    match &done.result {
        Ok(output) => String::from_utf8(output.bytes.to_vec()).unwrap(),
        Err(Failed::Template(message)) => message.clone(),
        Err(Failed::Refused(all)) => all.iter().map(|one| one.message.clone()).collect::<Vec<_>>().join("\n"),
    }
}

#[test]
fn secrets_that_depend_on_secrets_are_found_one_after_the_other() {
    let done = rendered(
        &[
            "{{ with secret \"kv/data/a\" }}{{ with secret (print \"kv/data/\" .Data.data.next) }}{{ .Data.data.v }}{{ end }}{{ end }}",
        ],
        "kv/data/a: {next: b}\nkv/data/b: {v: end}",
    );
    assert_eq!(text(&done[0]), "end");
    assert_eq!(done[0].used.len(), 2);
}

#[test]
fn one_failing_template_does_not_hide_the_others() {
    let done = rendered(
        &[
            "{{ secret \"kv/data/x\" }}{{ secret \"kv/data/y\" }}",
            "{{ fail }}",
            "ok",
            "{{ index (env \"A\") \"b\" }}",
        ],
        "kv/data/a: {k: v}",
    );
    let codes: Vec<u8> = done.iter().map(|done| done.result.as_ref().err().map_or(0, Failed::code)).collect();
    assert_eq!(codes, [4, 2, 0, 2]);
    assert_eq!(
        text(&done[0]),
        "the fixture f.yaml has no secret kv/data/x\nthe fixture f.yaml has no secret kv/data/y"
    );
}

#[test]
fn files_and_effects_are_told_and_nothing_runs() {
    let done = rendered(
        &[
            "{{ file \"/f\" }}{{ \"x\" | writeToFile \"/e\" \"u\" \"g\" \"0640\" }}",
            "{{ plugin \"touch\" \"/never\" }}",
        ],
        "files: {/f: text}",
    );
    assert_eq!(text(&done[0]), "text");
    let Ok(output) = &done[0].result else { panic!() };
    assert_eq!((output.effects[0].path.as_path(), output.effects[0].mode), (Path::new("/e"), 0o640));
    assert!(done[1].result.is_err());
}

#[test]
fn texts_that_surely_are_mistakes_get_one_warning() {
    let done = rendered(
        &["a\n{{ with secret \"kv/data/a\" }}{{ .Data.data }}{{ end }}", "map[ is text"],
        "kv/data/a: {k: v}",
    );
    assert_eq!(done[0].warnings.len(), 1);
    assert!(
        done[0].warnings[0]
            .to_string()
            .contains("line 2 of the template prints a whole mapping, map[…]: {{ .Data.data }}"),
        "{}",
        done[0].warnings[0]
    );
    assert!(done[1].warnings.is_empty());
}
