use std::{
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Child, Command},
    time::UNIX_EPOCH,
};

use super::*;

/// Processes of a made-up `/proc`.
fn proc(processes: &[(i32, i32, &str, &str, &str)]) -> BTreeMap<i32, Process> {
    let dir = tempfile::tempdir().unwrap();
    for (pid, parent, comm, state, arguments) in processes {
        let folder = dir.path().join(pid.to_string());
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("stat"), format!("{pid} ({comm}) {state} {parent} 1 1 0 -1")).unwrap();
        fs::write(folder.join("cmdline"), arguments.replace(' ', "\0")).unwrap();
    }
    fs::create_dir(dir.path().join("sys")).unwrap();
    Process::all(dir.path())
}

#[test]
fn a_master_gets_the_signal_and_its_workers_do_not() {
    let processes = proc(&[
        (9001, 1, "nginx", "S", "nginx:\u{a0}master"),
        (9002, 9001, "nginx", "S", "nginx:\u{a0}worker"),
        (9003, 9001, "nginx", "S", "nginx:\u{a0}worker"),
        (9004, 1, "nginx", "Z", ""),
        (9005, 1, "sh", "S", "sh -c nginx"),
    ]);
    assert_eq!(named(&processes, "nginx"), [9001]);
    assert_eq!(named(&processes, "ngin"), [0; 0]);
}

#[test]
fn names_are_those_of_the_kernel_or_of_the_program_file() {
    let processes = proc(&[
        (9001, 1, "main", "S", "/usr/local/bin/envoy -c x"),
        (9002, 1, "my (odd) name", "R", ""),
        (9003, 1, "a-very-long-pro", "S", "/bin/a-very-long-program-name"),
        (9004, 1, "a-very-long-pro", "S", "/bin/a-very-long-program-other"),
        (9005, 1, "server.py", "S", "python3 /app/server.py"),
    ]);
    for (name, pids) in [
        ("envoy", &[9001][..]),
        ("main", &[9001]),
        ("my (odd) name", &[9002]),
        ("a-very-long-program-name", &[9003]),
        ("a-very-long-pro", &[9003, 9004]),
        ("server.py", &[9005]),
        ("python3", &[9005]),
        ("python", &[]),
    ] {
        assert_eq!(named(&processes, name), pids, "{name}");
    }
}

/// A child with a name that no other process has.
fn sleeper(name: &str) -> Child {
    Command::new("/bin/sleep").arg0(name).arg("600").spawn().unwrap()
}

fn ended_by(mut child: Child) -> Option<i32> {
    child.wait().unwrap().signal()
}

#[test]
fn a_process_is_found_by_its_name_and_by_its_pid_file() {
    let name = format!("decant-test-{}", std::process::id());
    let child = sleeper(&name);
    let pid = i32::try_from(child.id()).unwrap();
    // The name is there once the program has started.
    while fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap().split('\0').next()
        != Some(name.as_str())
    {
        std::thread::yield_now();
    }
    assert_eq!(send(Signal::SIGUSR1, &Receiver::Name(name.clone())).unwrap(), [pid]);
    assert_eq!(ended_by(child), Some(Signal::SIGUSR1 as i32));
    let error = send(Signal::SIGUSR1, &Receiver::Name(name.clone())).unwrap_err();
    assert!(error.is_absence() && error.hint().unwrap().contains("shareProcessNamespace"), "{error}");
    assert!(error.to_string().starts_with(&format!("no process here is called {name} (but ")), "{error}");

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("app.pid");
    let child = sleeper("x");
    let pid = i32::try_from(child.id()).unwrap();
    fs::write(&file, format!("{pid}\n")).unwrap();
    assert_eq!(send(Signal::SIGTERM, &Receiver::PidFile(file.clone())).unwrap(), [pid]);
    assert_eq!(ended_by(child), Some(Signal::SIGTERM as i32));
    let error = send(Signal::SIGTERM, &Receiver::PidFile(file)).unwrap_err();
    assert!(matches!(error, SignalError::Gone { .. }) && error.is_absence(), "{error}");
}

#[test]
fn a_pid_file_that_an_earlier_process_left_is_stale() {
    let (dir, now) = (tempfile::tempdir().unwrap(), UNIX_EPOCH + Duration::from_secs(1_000_000));
    let folder = dir.path().join("77");
    fs::create_dir(&folder).unwrap();
    fs::write(dir.path().join("uptime"), "5000.50 1.0\n").unwrap();
    // Began 1000 s ago.
    let rest = "S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 400000 1 1";
    fs::write(folder.join("stat"), format!("77 (a ) b) {rest}")).unwrap();
    let younger = |ago| is_younger(dir.path(), 77, Some(now - Duration::from_secs(ago)), now);
    assert!(younger(1100) && younger(500_000));
    assert!(!younger(1050), "clocks may differ a little");
    assert!(!younger(900) && !younger(0));
    assert!(!is_younger(dir.path(), 77, None, now) && !is_younger(dir.path(), 78, Some(UNIX_EPOCH), now));
    fs::write(dir.path().join("uptime"), "30.00 1.0").unwrap();
    assert!(!younger(1100), "an uptime that can't be true says nothing");

    let child = sleeper("stale");
    let (file, pid) = (dir.path().join("app.pid"), i32::try_from(child.id()).unwrap());
    fs::write(&file, pid.to_string()).unwrap();
    let long_ago = fs::File::options().write(true).open(&file).unwrap();
    long_ago.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
    let error = send(Signal::SIGTERM, &Receiver::PidFile(file.clone())).unwrap_err();
    assert!(matches!(error, SignalError::Stale { .. }) && error.is_absence(), "{error}");
    fs::write(&file, pid.to_string()).unwrap();
    assert_eq!(send(Signal::SIGTERM, &Receiver::PidFile(file)).unwrap(), [pid]);
    assert_eq!(ended_by(child), Some(Signal::SIGTERM as i32));
}

#[test]
fn a_pid_file_never_leads_to_groups_everybody_or_this_program() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    for text in ["0", "-1", "", "nginx", "12 13", "99999999999999"] {
        fs::write(&file, text).unwrap();
        let error = read_pid_file(&file).unwrap_err();
        assert!(matches!(error, SignalError::NotAPid { .. }), "{text:?}: {error}");
    }
    fs::write(&file, std::process::id().to_string()).unwrap();
    let error = send(Signal::SIGTERM, &Receiver::PidFile(file)).unwrap_err();
    assert!(error.to_string().ends_with("which is decant itself here"), "{error}");
    assert!(!error.is_absence() && error.hint().unwrap().contains("shareProcessNamespace"));
    let error = read_pid_file(&dir.path().join("none")).unwrap_err();
    assert!(matches!(error, SignalError::NoPidFile { .. }));
}

#[test]
fn a_refusal_names_both_users_and_the_setting() {
    let error = SignalError::Denied { pid: 17, name: "nginx".into(), theirs: Some(101), own: 100 };
    assert_eq!(
        error.to_string(),
        "process 17 (nginx) runs as user 101, this process as user 100, which may not signal it"
    );
    assert!(error.hint().unwrap().contains("agent-run-as-same-user"));
    assert_eq!(user_of(i32::try_from(std::process::id()).unwrap()), Some(nix::unistd::getuid().as_raw()));
}
