use std::{ffi::OsString, fs, os::unix::fs::PermissionsExt, path::Path, time::Instant};

use super::*;

fn environment() -> Environment {
    Environment::from([("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())])
}

async fn shell(line: &str, limit: Duration) -> Result<String, ProgramError> {
    let args = ["-c", line].map(OsStr::new);
    let printed = output(OsStr::new("sh"), args, limit, &environment()).await?;
    Ok(String::from_utf8(printed.to_vec()).unwrap())
}

async fn fails(line: &str) -> String {
    shell(line, LIMIT).await.unwrap_err().to_string()
}

#[tokio::test]
async fn what_it_prints_comes_back_and_its_arguments_reach_it_without_a_shell() {
    let args = ["%s|", "a b", "$HOME", "'\""].map(OsStr::new);
    let printed = output(OsStr::new("printf"), args, LIMIT, &environment()).await.unwrap();
    assert_eq!(printed.as_slice(), b"a b|$HOME|'\"|");
    // Nothing to read, a group of its own, and no variable but the given ones.
    let own = "cat; read -r a b c d group rest < /proc/$$/stat; [ $group = $$ ] && env | grep -c ^VAULT_";
    let mut environment = environment();
    environment.insert("VAULT_ADDR".into(), OsString::from("http://127.0.0.1:8200"));
    let printed = output(OsStr::new("sh"), ["-c", own].map(OsStr::new), LIMIT, &environment).await.unwrap();
    assert_eq!(printed.as_slice(), b"1\n");
}

#[tokio::test]
async fn failures_are_told_in_the_words_of_the_original_and_without_what_was_printed() {
    assert_eq!(fails("echo canary; echo canary >&2; exit 3").await, "exit status 3");
    assert_eq!(fails("kill -USR1 $$").await, "signal: SIGUSR1");
    let missing = output(OsStr::new("no-such-program"), [], LIMIT, &environment()).await.unwrap_err();
    assert_eq!(missing.to_string(), "exec: \"no-such-program\": executable file not found in $PATH");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("program");
    for (mode, why) in [(None, "no such file or directory"), (Some(0o644), "permission denied")] {
        if let Some(mode) = mode {
            fs::write(&file, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        }
        let error = output(file.as_os_str(), [], LIMIT, &environment()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("fork/exec: {why}"));
    }
    assert!(!missing.hint().is_empty());
}

#[tokio::test]
async fn output_without_an_end_is_cut_off() {
    let start = Instant::now();
    assert_eq!(fails("yes").await, "printed more than 4 MiB");
    assert!(start.elapsed() < LIMIT, "it did not wait for the limit");
}

/// A child of the program that would run for a minute, and the file that holds its id.
fn with_child(dir: &Path) -> String {
    format!("sleep 60 & echo $! > {}; ", dir.join("pid").display())
}

/// The child is gone, or a zombie that its heir hasn't collected yet.
fn is_gone(dir: &Path) -> bool {
    let pid = fs::read_to_string(dir.join("pid")).unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    stat.map_or(true, |stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')))
}

async fn goes(dir: &Path) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_gone(dir) {
        assert!(Instant::now() < deadline, "its child still runs");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_program_whose_time_is_up_is_killed_with_all_it_has_started() {
    for end in ["wait", "exit 0"] {
        let dir = tempfile::tempdir().unwrap();
        // The second one ends, but its child keeps the output open.
        let line = with_child(dir.path()) + end;
        let error = shell(&line, Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(error.to_string(), "did not finish in 1s");
        goes(dir.path()).await;
    }
}

#[tokio::test]
async fn dropping_the_future_kills_it_with_all_it_has_started() {
    let dir = tempfile::tempdir().unwrap();
    let line = with_child(dir.path()) + "wait";
    let mut running = Box::pin(shell(&line, LIMIT));
    let deadline = Instant::now() + Duration::from_secs(30);
    while fs::read_to_string(dir.path().join("pid")).is_ok_and(|pid| !pid.ends_with('\n'))
        || !dir.path().join("pid").exists()
    {
        assert!(Instant::now() < deadline);
        tokio::select! {
            ended = &mut running => panic!("{ended:?}"),
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
    }
    drop(running);
    goes(dir.path()).await;
}
