//! Who hears whether everything is ready: the log, a file, the service manager.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::{
    clock::Clock,
    config::{StatusConfig, template::Destination},
    output,
    process::service_manager::{ServiceManager, State},
    status::{Awaited, Report},
};

/// Wall and monotonic clock don't agree to the millisecond.
const SLACK: Duration = Duration::from_millis(10);
/// Mode of the ready file: its existence is no secret.
const MODE: u32 = 0o644;

/// The last readiness that was told.
#[derive(Debug)]
pub struct Readiness {
    clock: Clock,
    service_manager: Arc<ServiceManager>,
    /// The file that is there while everything is ready.
    file: Option<PathBuf>,
    /// The service manager hears `READY=1` with the first readiness (else the start told it).
    announce: bool,
    ready: bool,
    /// The file is not as it should be.
    stale: bool,
    until: Option<Instant>,
}

impl Readiness {
    /// Not ready yet. A file of an earlier run is removed; a service manager that waits for the start alone hears
    /// that it is over.
    pub fn start(clock: Clock, service_manager: Arc<ServiceManager>, config: &StatusConfig) -> Self {
        let (file, announce) = (config.ready_file.clone(), config.announce_ready);
        if let Some(file) = &file {
            remove(file);
        }
        if !announce {
            service_manager.notify(State::Ready);
        }
        Self { clock, service_manager, file, announce, ready: false, stale: false, until: None }
    }

    /// When it has to be looked at again though nothing happened, because something ends then.
    pub const fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Takes the readiness of now, and when it ends by itself. Whether there is something to tell.
    pub fn set(&mut self, ready: bool, until: Option<SystemTime>) -> bool {
        let wall = self.clock.wall();
        let left = until.map(|until| until.duration_since(wall).unwrap_or_default() + SLACK);
        self.until = left.and_then(|left| self.clock.now().checked_add(left)).filter(|_| ready);
        let news = ready != self.ready;
        self.ready = ready;
        news || self.stale
    }

    /// Tells everybody; a report is made only when somebody hears of it.
    pub fn tell(&mut self, report: impl Fn() -> Report) {
        if self.ready {
            if !self.stale {
                info!(target: "agent", "ready");
            }
            if std::mem::take(&mut self.announce) {
                self.service_manager.notify(State::Ready);
            }
        } else if !self.stale {
            for awaited in causes(&report()) {
                warn!(target: "agent", "not ready any more: {awaited}");
            }
        }
        if self.service_manager.listens() {
            self.status(&report());
        }
        self.stale = self.put_file().is_err();
    }

    /// Tells the service manager what is awaited.
    pub fn status(&self, report: &Report) {
        let text = match causes(report).as_slice() {
            [] => format!("ready, {} template(s)", report.templates.len()),
            [first] => format!("waiting for {first}"),
            [first, rest @ ..] => format!("waiting for {first}, and {} more", rest.len()),
        };
        self.service_manager.status(&text);
    }

    fn put_file(&self) -> Result<(), ()> {
        let Some(file) = &self.file else { return Ok(()) };
        if !self.ready {
            remove(file);
            return Ok(());
        }
        let destination = Destination {
            path: file.clone(),
            perms: Some(MODE),
            user: None,
            group: None,
            create_dest_dirs: true,
            backup: false,
        };
        match output::write(&destination, b"ready\n") {
            Ok(_) => Ok(()),
            Err(trouble) => {
                // Said once; it is tried again whenever something happens.
                if !self.stale {
                    error!(target: "agent", "the ready file: {}", trouble.problem());
                }
                Err(())
            }
        }
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            remove(file);
        }
    }
}

fn remove(file: &Path) {
    match fs::remove_file(file) {
        Ok(()) => debug!(target: "agent", path = %file.display(), "removed the ready file"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            warn!(target: "agent", path = %file.display(), %error, "can't remove the ready file");
        }
    }
}

/// What is awaited, without the files that only wait for it.
pub fn causes(report: &Report) -> Vec<&Awaited> {
    let causes: Vec<&Awaited> = report.awaited.iter().filter(|awaited| awaited.is_cause).collect();
    if causes.is_empty() { report.awaited.iter().collect() } else { causes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{AwaitedKind, testing};

    fn readiness(file: Option<&Path>) -> Readiness {
        let clock = Clock::starting_at(testing::at(1_700_000_000));
        let config = StatusConfig { ready_file: file.map(Path::to_owned), ..StatusConfig::default() };
        Readiness::start(clock, Arc::default(), &config)
    }

    fn ready() -> Report {
        Report { awaited: Vec::new(), ..testing::report() }
    }

    #[tokio::test(start_paused = true)]
    async fn the_file_is_there_while_everything_is_ready_and_never_longer() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sub/ready");
        fs::create_dir(dir.path().join("sub")).unwrap();
        fs::File::create(&file).unwrap();
        let mut readiness = readiness(Some(&file));
        assert!(!file.exists(), "it is from an earlier run");
        assert!(!readiness.set(false, None));
        assert!(readiness.set(true, None));
        readiness.tell(ready);
        assert_eq!(fs::read_to_string(&file).unwrap(), "ready\n");
        assert!(!readiness.set(true, None));
        assert!(readiness.set(false, None));
        readiness.tell(testing::report);
        assert!(!file.exists());
        readiness.set(true, None);
        readiness.tell(ready);
        drop(readiness);
        assert!(!file.exists());
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_cannot_be_written_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("folder");
        fs::File::create(&folder).unwrap();
        let mut readiness = readiness(Some(&folder.join("ready")));
        readiness.set(true, None);
        readiness.tell(ready);
        assert!(readiness.set(true, None), "still to be told");
        fs::remove_file(&folder).unwrap();
        readiness.tell(ready);
        assert!(!readiness.set(true, None));
        assert!(folder.join("ready").exists());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_looked_at_again_when_something_ends() {
        let mut readiness = readiness(None);
        readiness.set(true, Some(testing::at(1_700_000_060)));
        let now = readiness.clock.now();
        assert_eq!(readiness.until(), Some(now + Duration::from_secs(60) + SLACK));
        readiness.set(false, Some(testing::at(1_700_000_060)));
        assert_eq!(readiness.until(), None, "what is not ready is looked at when something happens");
    }

    #[test]
    fn causes_come_without_the_files_that_wait_for_them() {
        let mut report = testing::report();
        let waits = Awaited::new(AwaitedKind::Template, "/x", String::new());
        report.awaited.push(Awaited { is_cause: false, ..waits });
        assert_eq!(causes(&report).len(), 1);
        report.awaited.push(Awaited::new(AwaitedKind::Template, "/y", "can't be rendered".into()));
        assert_eq!(causes(&report).len(), 2, "a template with a trouble of its own");
        report.awaited.pop();
        report.awaited.remove(0);
        assert_eq!(causes(&report)[0].kind, AwaitedKind::Template);
    }
}
