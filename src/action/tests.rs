use std::{collections::BTreeMap, fs, path::Path};

use super::*;

fn template(name: &str, actions: Vec<ActionSpec>) -> TemplateSpec {
    TemplateSpec {
        origin: Origin::Annotation(format!("agent-inject-command-{name}").into()),
        actions,
        ..TemplateSpec::sample(format!("/vault/secrets/{name}"))
    }
}

fn shell(line: &str) -> ActionSpec {
    ActionSpec::Command {
        form: CommandForm::Shell(line.into()),
        timeout: Some(Duration::from_secs(120)),
        env: BTreeMap::new(),
    }
}

fn append(word: &str, to: &Path) -> ActionSpec {
    shell(&format!("echo {word} >> {}", to.display()))
}

/// The failures of a batch after the first.
async fn failures(written: &[TemplateSpec], environment: &Environment) -> Vec<ActionError> {
    let done = run_batch(written, Moment::Later, environment).await;
    let failed = done.into_iter().filter_map(|done| match done {
        Done::Failed(failure) => Some(*failure),
        _ => None,
    });
    failed.collect()
}

fn environment() -> Environment {
    Environment::from([("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())])
}

#[tokio::test]
async fn equal_actions_run_once_in_the_order_of_the_templates() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let batch = [
        template("b", vec![append("one", &out)]),
        template("a", vec![append("two", &out), append("one", &out)]),
        template("c", vec![append("three", &out), append("two", &out)]),
    ];
    assert!(failures(&batch, &environment()).await.is_empty());
    assert_eq!(fs::read_to_string(&out).unwrap(), "one\ntwo\nthree\n");
    assert!(failures(&batch[..1], &environment()).await.is_empty());
    assert!(fs::read_to_string(&out).unwrap().ends_with("three\none\n"), "the next batch runs it again");
}

#[tokio::test]
async fn one_failure_is_told_with_its_place_and_the_rest_still_runs() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let batch = [
        template("bad", vec![shell("PASSWORD=canary; exit 7 # --password=canary")]),
        template("good", vec![append("ran", &out)]),
    ];
    let failures = failures(&batch, &environment()).await;
    assert_eq!(fs::read_to_string(&out).unwrap(), "ran\n");
    assert_eq!(failures.len(), 1);
    let text = failures[0].problem().to_string();
    assert_eq!(
        text,
        "annotation agent-inject-command-bad: template command of /vault/secrets/bad failed: sh -c exit…: exit code 7"
    );
    let debug = format!("{:?}", failures[0]);
    assert!(!debug.contains("canary"), "{debug}");
}

#[tokio::test]
async fn own_variables_are_added_to_the_given_ones() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let ActionSpec::Command { form, timeout, .. } = shell(&format!("echo $OWN $GIVEN > {}", out.display()))
    else {
        unreachable!()
    };
    let env = BTreeMap::from([("OWN".into(), "own".into()), ("GIVEN".into(), "changed".into())]);
    let mut environment = environment();
    environment.insert("GIVEN".into(), "given".into());
    let batch = [template("a", vec![ActionSpec::Command { form, timeout, env }])];
    assert!(failures(&batch, &environment).await.is_empty());
    assert_eq!(fs::read_to_string(&out).unwrap(), "own changed\n");
}

#[tokio::test]
async fn a_limit_of_zero_means_not_waiting() {
    let action = ActionSpec::Command {
        form: CommandForm::Shell("sleep 0.2; exit 1".into()),
        timeout: Some(Duration::ZERO),
        env: BTreeMap::new(),
    };
    let failures = failures(&[template("a", vec![action])], &environment()).await;
    assert!(failures.is_empty(), "its exit code is nobody's business");
}

fn signal(name: &str) -> ActionSpec {
    ActionSpec::Signal { signal: nix::sys::signal::Signal::SIGHUP, to: Receiver::Name(name.into()) }
}

fn http(url: &str) -> ActionSpec {
    ActionSpec::Http(HttpAction {
        method: local::Method::Post,
        url: local::LocalUrl::parse(url).unwrap(),
        headers: vec![("Authorization".into(), "canary".into())],
        body: "canary".into(),
        timeout: Duration::from_secs(20),
    })
}

#[tokio::test]
async fn nobody_to_tell_is_a_failure_only_after_the_first_render() {
    // Port 1 of loopback: nobody listens there.
    let batch = [template("a", vec![signal("no-such-process"), http("http://127.0.0.1:1/?canary")])];
    let done = run_batch(&batch, Moment::First, &environment()).await;
    assert!(matches!(done[..], [Done::Needless(Kind::Signal), Done::Needless(Kind::Http)]), "{done:?}");
    let failures = failures(&batch, &environment()).await;
    let texts: Vec<String> = failures.iter().map(|failure| failure.problem().to_string()).collect();
    let start = "annotation agent-inject-command-a: the action after a change of /vault/secrets/a failed: ";
    assert!(
        texts[0].starts_with(&format!("{start}SIGHUP to no-such-process: no process here is called")),
        "{texts:?}"
    );
    assert!(texts[0].contains("hint: containers see each other's processes only with shareProcessNamespace"));
    assert!(texts[1].starts_with(&format!("{start}POST http://127.0.0.1:1/: ")), "{texts:?}");
    assert!(!format!("{texts:?} {failures:?} {batch:?}").contains("canary"));
}

#[tokio::test]
async fn a_generation_file_is_counted_once_per_batch() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("generation");
    let touch = || vec![ActionSpec::Touch { path: path.clone() }];
    let batch = [template("a", touch()), template("b", touch())];
    for number in ["1\n", "2\n"] {
        assert!(failures(&batch, &environment()).await.is_empty());
        assert_eq!(fs::read_to_string(&path).unwrap(), number);
    }
}
