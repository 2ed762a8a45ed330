//! The file sinks: each gets every new token, at its own pace, in one visible step.

use std::{ffi::OsString, fs, path::Path, time::Duration};

use thiserror::Error;
use tokio::{sync::watch, time::sleep};

use crate::{
    auth::{Login, TokenState},
    chance::Chance,
    config::SinkConfig,
    output::{
        WriteError,
        atomic::{Attributes, Folder},
        owner::Ids,
    },
    problem::chain,
};

const FILE_SINK: &str = "agent.sink.file";
const SINK_SERVER: &str = "agent.sink.server";
/// Shortest and longest wait after a failed write, as the original.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3));

/// A sink that can't be written to.
#[derive(Debug, Error)]
#[error("sink {origin}")]
pub struct SinkError {
    /// Where the sink was configured.
    pub origin: crate::origin::Origin,
    /// What is wrong.
    #[source]
    pub source: Box<WriteError>,
}

/// All file sinks of one login.
#[derive(Debug)]
pub struct Sinks {
    sinks: Vec<SinkConfig>,
    umask: u32,
    chance: Chance,
    /// Generation of the token that each sink holds.
    written: watch::Sender<Vec<u64>>,
}

/// Tells when the sinks are done. Clones are the same.
#[derive(Clone, Debug)]
pub struct Written(watch::Receiver<Vec<u64>>);

impl Written {
    /// Waits until every sink holds the token of this generation or a later one; at once without sinks. When the
    /// sinks have ended it waits for ever: the task that ran them knows why.
    pub async fn all(&mut self, generation: u64) {
        if self.0.wait_for(|held| held.iter().all(|held| *held >= generation)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Sinks {
    /// Takes over the sinks and writes to each a file beside its token, with its mode and owner, and removes it
    /// again: what can't work is said at start.
    ///
    /// # Errors
    /// The first sink that can't be written to.
    pub fn open(sinks: Vec<SinkConfig>, umask: u32, chance: Chance) -> Result<(Self, Written), SinkError> {
        for sink in &sinks {
            try_out(sink, umask)
                .map_err(|source| SinkError { origin: sink.origin.clone(), source: Box::new(source) })?;
            tracing::info!(
                target: FILE_SINK,
                path = %sink.path.display(),
                mode = format!("{:04o}", sink.mode),
                "file sink configured"
            );
        }
        let (written, receiver) = watch::channel(vec![0; sinks.len()]);
        Ok((Self { sinks, umask, chance, written }, Written(receiver)))
    }

    /// Writes every new token to every sink, until it is dropped or auto-auth ends. A sink that fails tries again
    /// after 1–3 s and doesn't hold up the others.
    pub async fn run(self, tokens: watch::Receiver<TokenState>) {
        tracing::info!(target: SINK_SERVER, "starting sink server");
        let all = (0..self.sinks.len()).map(|index| self.serve(index, tokens.clone()));
        futures_util::future::join_all(all).await;
    }

    /// One sink.
    async fn serve(&self, index: usize, mut tokens: watch::Receiver<TokenState>) {
        let Some(sink) = self.sinks.get(index) else { return };
        let mut held = 0;
        loop {
            let login = tokens.borrow_and_update().login.clone();
            let due = login.filter(|login| login.generation > held);
            let Some(login) = due else {
                if tokens.changed().await.is_err() {
                    return;
                }
                continue;
            };
            match write(sink, &login, self.umask) {
                Ok(()) => {
                    held = login.generation;
                    tracing::info!(target: FILE_SINK, path = %sink.path.display(), "token written");
                    self.written.send_modify(|all| {
                        if let Some(slot) = all.get_mut(index) {
                            *slot = held;
                        }
                    });
                }
                Err(error) => {
                    let backoff = self.chance.between(RETRY.0, RETRY.1);
                    tracing::error!(
                        target: SINK_SERVER,
                        error = chain(&error),
                        hint = error.hint(),
                        ?backoff,
                        "error returned by sink function, retrying"
                    );
                    sleep(backoff).await;
                }
            }
        }
    }
}

fn write(sink: &SinkConfig, login: &Login, umask: u32) -> Result<(), WriteError> {
    let (folder, name) = place(&sink.path)?;
    folder.replace(&name, &login.sink_contents(), &attributes(sink, umask))
}

fn try_out(sink: &SinkConfig, umask: u32) -> Result<(), WriteError> {
    let (folder, mut name) = place(&sink.path)?;
    if sink.path.is_dir() {
        return Err(WriteError::NotAFile { path: sink.path.clone(), what: "a directory" });
    }
    name.push(".tmp.test");
    let path = sink.path.with_file_name(&name);
    folder.replace(&name, b"write test", &attributes(sink, umask))?;
    fs::remove_file(&path).map_err(|source| WriteError::Io { step: "remove", path, source })
}

/// The folder, opened, and the name in it.
fn place(path: &Path) -> Result<(Folder, OsString), WriteError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path
        .file_name()
        .ok_or_else(|| WriteError::NotAFile { path: path.to_owned(), what: "a directory" })?;
    let missing = || WriteError::FolderMissing { path: path.to_owned(), folder: folder.to_owned() };
    let opened = Folder::open(folder).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => missing(),
        _ => WriteError::Io { step: "open the folder of", path: path.to_owned(), source },
    })?;
    Ok((opened, name.to_owned()))
}

/// Mode as `open` would give it; the owner only where configured, whatever the file before had.
fn attributes(sink: &SinkConfig, umask: u32) -> Attributes {
    let owner = Ids { uid: sink.uid, gid: sink.gid };
    Attributes { mode: sink.mode & !umask, owner, keep: Ids::default() }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc};

    use super::*;
    use crate::{clock::Clock, origin::Origin, vault::token::Token};

    fn config(path: PathBuf) -> SinkConfig {
        SinkConfig { path, mode: 0o666, uid: None, gid: None, origin: Origin::Flag("-config".into()) }
    }

    fn login(token: &str, generation: u64) -> TokenState {
        let login = Login {
            token: Token::new(token),
            accessor: String::new(),
            generation,
            ttl: Duration::ZERO,
            expires: None,
            renewable: false,
            policies: Vec::new(),
            wrapped: None,
        };
        TokenState { login: Some(Arc::new(login)), ..TokenState::default() }
    }

    fn open(paths: &[PathBuf]) -> Result<(Sinks, Written), SinkError> {
        Sinks::open(paths.iter().cloned().map(config).collect(), 0o027, Chance::fixed(0.5))
    }

    #[tokio::test(start_paused = true)]
    async fn every_new_token_is_written_whole_with_its_mode_and_renewals_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let (sinks, mut written) = open(std::slice::from_ref(&path)).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the write test leaves nothing");
        let (publish, tokens) = watch::channel(TokenState::default());
        let story = async {
            publish.send(login("hvs.one", 1)).unwrap();
            written.all(1).await;
            assert_eq!(fs::read(&path).unwrap(), b"hvs.one");
            let before = fs::metadata(&path).unwrap();
            assert_eq!(before.permissions().mode() & 0o7777, 0o640, "0666 less the umask");
            fs::remove_file(&path).unwrap();
            publish.send(login("hvs.one", 1)).unwrap();
            tokio::task::yield_now().await;
            assert!(!path.exists(), "the same token again is no news");
            publish.send(login("hvs.two", 2)).unwrap();
            written.all(2).await;
            assert_eq!(fs::read(&path).unwrap(), b"hvs.two");
        };
        tokio::select! {
            () = sinks.run(tokens) => panic!("ended"),
            () = story => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sink_that_fails_retries_and_stalls_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (good, bad) = (folder.path().join("good"), folder.path().join("gone/bad"));
        fs::create_dir(folder.path().join("gone")).unwrap();
        let (sinks, mut written) = open(&[bad.clone(), good.clone()]).unwrap();
        fs::remove_dir(folder.path().join("gone")).unwrap();
        let (publish, tokens) = watch::channel(login("hvs.one", 1));
        let start = Clock::system().now();
        let story = async {
            sleep(Duration::from_millis(1)).await;
            assert_eq!(fs::read(&good).unwrap(), b"hvs.one");
            sleep(Duration::from_secs(3)).await;
            fs::create_dir(folder.path().join("gone")).unwrap();
            written.all(1).await;
            assert_eq!(fs::read(&bad).unwrap(), b"hvs.one");
            // Tries at 0, 2 and 4 s with these dice.
            assert_eq!(Clock::system().now().duration_since(start).as_secs(), 4);
        };
        tokio::select! {
            () = sinks.run(tokens) => panic!("ended"),
            () = story => {}
        }
        drop(publish);
    }

    #[tokio::test]
    async fn without_sinks_everything_is_written() {
        let (sinks, mut written) = open(&[]).unwrap();
        written.all(7).await;
        drop(sinks);
    }

    #[test]
    fn what_cant_work_is_said_at_start() {
        let folder = tempfile::tempdir().unwrap();
        let message = |path: PathBuf| chain(&open(&[path]).unwrap_err());
        let missing = message(folder.path().join("none/token"));
        assert!(
            missing.starts_with("sink flag -config: ") && missing.contains("does not exist"),
            "{missing}"
        );
        assert!(message(folder.path().to_owned()).contains("is a directory"));
    }
}
