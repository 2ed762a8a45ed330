use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::UNIX_EPOCH,
};

use super::*;
use crate::vault::{path::VaultPath, secret::Secret, token::Token, value};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut self.0.lock().unwrap())).unwrap()
    }
}

/// Runs with a log of its own at 1970 and gives what was written and the level.
fn logged(format: LogFormat, level: LogLevel, run: impl FnOnce(&LevelHandle, &Lines)) {
    let (lines, handle) = (Lines::default(), LevelHandle::new(level));
    let outputs: Outputs = vec![Box::new(lines.clone())];
    let log = LineLog::new(format, handle.clone(), Clock::starting_at(UNIX_EPOCH), outputs);
    tracing::subscriber::with_default(log, || run(&handle, &lines));
}

fn message(line: &str) -> &str {
    line.split_once("Z ").unwrap().1
}

#[test]
fn events_become_lines_with_typed_fields() {
    logged(LogFormat::Json, LogLevel::Info, |_, lines| {
        let error = io::Error::other("refused");
        let cause: &(dyn std::error::Error + 'static) = &error;
        tracing::warn!(target: "agent.sink.file", path = "/a", tries = 3_u32, share = 0.5, ok = false, cause, "can't");
        let line: serde_json::Value = serde_json::from_str(&lines.take()).unwrap();
        assert_eq!(line["@module"], "agent.sink.file");
        assert_eq!(line["@level"], "warn");
        assert_eq!(line["@message"], "can't");
        assert_eq!((&line["tries"], &line["share"]), (&3.into(), &0.5.into()));
        assert_eq!(
            (&line["ok"], &line["cause"], &line["path"]),
            (&false.into(), &"refused".into(), &"/a".into())
        );
    });
    logged(LogFormat::Standard, LogLevel::Info, |_, lines| {
        let missing: Option<u32> = None;
        tracing::info!(r#type = %"kv", missing, what = ?Some(1), "rendered {}", 7);
        assert_eq!(message(&lines.take()), "[INFO]  agent: rendered 7: type=kv what=\"Some(1)\"\n");
    });
}

#[test]
fn lower_levels_and_libraries_are_silent_until_the_level_changes() {
    logged(LogFormat::Standard, LogLevel::Warn, |level, lines| {
        let talk = || {
            tracing::info!("quiet");
            tracing::error!(target: "hyper::proto", "a library's words");
            tracing::warn!("loud");
        };
        talk();
        assert_eq!(message(&lines.take()), "[WARN]  agent: loud\n");
        level.set(LogLevel::Trace);
        talk();
        let text = lines.take();
        assert!(text.contains("quiet") && !text.contains("library"), "{text}");
        level.set(LogLevel::Error);
        talk();
        assert_eq!(lines.take(), "");
    });
}

#[test]
fn a_panic_shows_its_place_and_not_its_payload() {
    logged(LogFormat::Standard, LogLevel::Info, |_, lines| {
        let (main, before) = (std::thread::current().id(), Arc::new(std::panic::take_hook()));
        let others = before.clone();
        // Other tests of this process keep their hook.
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().id() == main { report_panic(panic) } else { others(panic) }
        }));
        let result = std::panic::catch_unwind(|| panic!("hunter2-canary"));
        std::panic::set_hook(Box::new(move |panic| before(panic)));
        assert!(result.is_err());
        let text = lines.take();
        assert!(
            text.contains("[ERROR] agent: internal error") && text.contains("telemetry/tests.rs:"),
            "{text}"
        );
        assert!(!text.contains("canary"), "{text}");
    });
}

#[test]
fn a_log_file_that_cannot_be_used_stops_the_start() {
    let config = LogConfig {
        level: LogLevel::Info,
        level_text: String::new(),
        format: LogFormat::Standard,
        file: Some("/nonexistent/agent.log".into()),
        rotate_bytes: 0,
        rotate_duration: Duration::from_secs(86_400),
        rotate_max_files: 0,
    };
    let error = start(&config, Console::Stderr, Clock::system()).unwrap_err();
    assert!(matches!(error, StartError::File(_)), "{error:?}");
    assert!(error.to_string().contains("/nonexistent/agent.log"), "{error}");
}

#[test]
fn debug_of_what_holds_secrets_shows_none() {
    const CANARY: &str = "hunter2-canary";
    let params: crate::vault::path::Params = [("password".into(), CANARY.into())].into();
    let write = crate::secrets::request::SecretRequest {
        auth: Default::default(),
        namespace: None,
        verb: crate::secrets::request::Verb::Write(params),
        path: VaultPath::parse("database/rotate").unwrap().0,
        params: Default::default(),
    };
    let secret: Secret = serde_json::from_str(&format!(
        r#"{{"data":{{"k":"{CANARY}","list":["{CANARY}"],"in":{{"n":1}}}},"auth":{{"client_token":"{CANARY}"}},
            "wrap_info":{{"token":"{CANARY}"}}}}"#
    ))
    .unwrap();
    let effect = crate::template::host::FileEffect {
        path: "/vault/secrets/a".into(),
        user: String::new(),
        group: String::new(),
        mode: 0o600,
        append: false,
        contents: CANARY.as_bytes().to_vec().into(),
    };
    let answers = std::collections::HashMap::from([(
        write.clone(),
        crate::secrets::snapshot::Held {
            secret: Arc::new(secret.clone()),
            since: 1,
            life: Default::default(),
        },
    )]);
    let snapshot =
        crate::secrets::snapshot::Snapshot { generation: 1, answers: answers.into(), ..Default::default() };
    logged(LogFormat::Json, LogLevel::Trace, |_, lines| {
        tracing::trace!(token = ?Token::new(CANARY), ?secret, ?write, ?effect, ?snapshot, "everything");
        tracing::trace!(text = ?value::Text::from(CANARY), tree = ?value::Value::String(CANARY.into()), %write, "more");
        let text = lines.take();
        assert!(text.contains("everything") && text.contains("more"), "{text}");
        assert!(!text.contains("canary"), "{text}");
    });
}
