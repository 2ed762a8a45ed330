use std::{fs, path::Path, time::Instant};

use super::*;

const LONG: Option<Duration> = Some(Duration::from_secs(120));

fn environment() -> Environment {
    Environment::from([("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())])
}

fn argv(parts: &[&str]) -> CommandForm {
    CommandForm::Argv(parts.iter().map(|part| (*part).to_owned()).collect())
}

fn shell(line: &str) -> CommandForm {
    CommandForm::Shell(line.into())
}

async fn outcome(form: &CommandForm) -> Result<(), CommandError> {
    run(form, LONG, &environment()).await
}

#[tokio::test]
async fn arguments_reach_the_program_without_a_shell() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a b;$HOME'\"");
    outcome(&argv(&["touch", file.to_str().unwrap()])).await.unwrap();
    assert!(file.exists());
}

#[tokio::test]
async fn a_line_goes_through_the_shell_in_a_group_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    // Field 5 of a process's stat is its group.
    let line = format!("read -r a b c d group rest < /proc/$$/stat; echo $$ $group > {}", out.display());
    outcome(&shell(&line)).await.unwrap();
    let text = fs::read_to_string(&out).unwrap();
    let (pid, group) = text.trim().split_once(' ').unwrap();
    assert_eq!(pid, group);
}

#[tokio::test]
async fn children_see_exactly_the_given_environment() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut environment = environment();
    environment.insert("VAULT_ADDR".into(), "http://127.0.0.1:8200".into());
    run(&shell(&format!("env > {}", out.display())), LONG, &environment).await.unwrap();
    let text = fs::read_to_string(&out).unwrap();
    let own = ["PWD", "SHLVL", "_", "OLDPWD"];
    let mut names: Vec<_> =
        text.lines().map(|line| line.split_once('=').unwrap().0).filter(|name| !own.contains(name)).collect();
    names.sort_unstable();
    assert_eq!(names, ["PATH", "VAULT_ADDR"]);
}

#[tokio::test]
async fn exit_codes_and_signals_are_told_apart() {
    let error = outcome(&shell("exit 3")).await.unwrap_err();
    assert!(matches!(error, CommandError::Exit { code: 3, by_shell: true }), "{error:?}");
    assert_eq!(error.to_string(), "exit code 3");
    let error = outcome(&shell("kill -USR1 $$")).await.unwrap_err();
    assert_eq!(error.to_string(), "ended by SIGUSR1");
    let error = outcome(&argv(&["false"])).await.unwrap_err();
    assert!(matches!(error, CommandError::Exit { code: 1, by_shell: false }), "{error:?}");
}

#[tokio::test]
async fn missing_programs_are_named_with_advice() {
    let error = outcome(&argv(&["no-such-program", "x"])).await.unwrap_err();
    assert_eq!(error.to_string(), "no-such-program was not found in PATH (/usr/local/bin:/usr/bin:/bin)");
    assert!(error.hint().unwrap().contains("image must hold the program"));
    let error = outcome(&argv(&["/no/such/program"])).await.unwrap_err();
    assert_eq!(error.to_string(), "/no/such/program was not found");
    let error = outcome(&shell("no-such-program")).await.unwrap_err();
    assert!(matches!(error, CommandError::Exit { code: 127, .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("not the application's"));
    let bare = Environment::from([("PATH".into(), "/nonexistent".into())]);
    let error = run(&shell("true"), LONG, &bare).await.unwrap_err();
    assert!(error.hint().unwrap().contains("no shell"), "{error:?}");
    let error = outcome(&argv(&["/etc/passwd"])).await.unwrap_err();
    assert!(matches!(error, CommandError::Start { .. }), "{error:?}");
    for empty in [argv(&[]), argv(&[""])] {
        assert!(matches!(outcome(&empty).await, Err(CommandError::Empty)));
    }
}

/// Waits for a condition that another process brings about.
async fn eventually(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "it never happened");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A zombie doesn't count: it runs nothing, and its parent may not have looked yet.
fn runs(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn pid_in(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.ends_with('\n').then(|| text.trim().to_owned())
}

#[tokio::test]
async fn time_up_kills_the_whole_group() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    // The grandchild ignores polite signals; the limit is long enough for it to be there on any machine that
    // reaches the assertion, because the shell waits for its pid to be written before it sleeps.
    let line = format!("(trap '' TERM; exec sleep 600) & echo $! > {}; sleep 600", file.display());
    let form = shell(&line);
    let limit = Duration::from_millis(700);
    let error = run(&form, Some(limit), &environment()).await.unwrap_err();
    assert!(matches!(error, CommandError::Timeout { after } if after == limit), "{error:?}");
    assert!(error.hint().unwrap().contains("exec.timeout"));
    if let Some(pid) = pid_in(&file) {
        eventually(|| !runs(&pid)).await;
    }
}

#[tokio::test]
async fn time_up_kills_a_program_without_a_shell() {
    let error =
        run(&argv(&["sleep", "600"]), Some(Duration::from_millis(20)), &environment()).await.unwrap_err();
    assert!(matches!(error, CommandError::Timeout { .. }), "{error:?}");
}

#[tokio::test]
async fn a_dropped_run_leaves_nothing_running() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let form = shell(&format!("sleep 600 & echo $! > {}; wait", file.display()));
    let environment = environment();
    let mut pid = String::new();
    tokio::select! {
        result = run(&form, LONG, &environment) => panic!("{result:?}"),
        () = eventually(|| pid_in(&file).map(|found| pid = found).is_some()) => {}
    }
    eventually(|| !runs(&pid)).await;
}

#[tokio::test]
async fn without_a_limit_it_is_started_left_alone_and_leaves_no_zombie() {
    let dir = tempfile::tempdir().unwrap();
    let (pid_file, go) = (dir.path().join("pid"), dir.path().join("go"));
    let line = format!(
        "echo $$ > {}; until [ -e {} ]; do sleep 0.01; done; exit 9",
        pid_file.display(),
        go.display()
    );
    run(&shell(&line), None, &environment()).await.unwrap();
    let mut pid = String::new();
    eventually(|| pid_in(&pid_file).map(|found| pid = found).is_some()).await;
    assert!(runs(&pid), "it goes on after the call");
    fs::File::create(&go).unwrap();
    let stat = format!("/proc/{pid}/stat");
    eventually(|| !Path::new(&stat).exists()).await;
}
