//! A certificate with its key in the story: two files that change in one step.

use std::{collections::BTreeSet, convert::Infallible, fs, path::Path, time::Duration};

use tokio::{sync::watch, task::JoinSet};

use super::{
    opening::HOST,
    stage::{Failure, PATIENCE, Stage},
};
use crate::secrets::{kept, pki::Places};

/// The folder of the pair, below that of all files.
const FOLDER: &str = "tls";
/// No certificate has to be replaced before it ends, and at the beginning of 1970 none has ended.
const WHOLE_LIFETIME: f64 = 1.0;
const LONG_AGO: u64 = 0;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(1);

/// Fails unless the pair is there, complete.
pub(super) fn is_there(stage: &Stage) -> Result<(), Failure> {
    let folder = stage.pod.secrets().join(FOLDER);
    let link = |name: &str| fs::read_link(folder.join(name)).unwrap_or_default().display().to_string();
    for name in ["tls.crt", "tls.key"] {
        stage.screen.line(&format!("secrets/tls/{name} -> {}", link(name)));
    }
    stage.screen.line(&format!("secrets/tls/..data  -> {}", link("..data")));
    look(&folder).map(drop)
}

/// Reads both files of the set that counts now; fails unless the key is the certificate's.
fn look(folder: &Path) -> Result<String, Failure> {
    let failed = |got: String| Failure::new("a look at the pair", "a certificate with its own key", got);
    // Followed once, so that both files are of one set.
    let set = fs::canonicalize(folder.join("..data")).map_err(|trouble| failed(trouble.to_string()))?;
    let files: BTreeSet<_> = ["tls.crt", "tls.key"].iter().map(|name| set.join(name)).collect();
    let places = Places { files, key: true, authority: false };
    let name = [("common_name".to_owned(), HOST.to_owned())];
    let name = name.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
    // Whether it is still good is another matter: only that it is a pair counts here.
    kept::certificate(&places, &name, WHOLE_LIFETIME, LONG_AGO)
        .ok_or_else(|| failed(format!("something else in {}", set.display())))?;
    Ok(set.file_name().unwrap_or_default().to_string_lossy().into_owned())
}

/// Reads the pair again and again, beside the story, as an application would that has no other way to know.
pub(super) struct Reader {
    looks: watch::Receiver<Looks>,
    task: JoinSet<Result<Infallible, Failure>>,
}

/// What a reader has seen.
#[derive(Default)]
struct Looks {
    count: u32,
    sets: BTreeSet<String>,
}

impl Reader {
    /// Looks for the first time at once.
    pub(super) fn start(stage: &Stage) -> Result<Self, Failure> {
        let folder = stage.pod.secrets().join(FOLDER);
        let (told, looks) = watch::channel(Looks { count: 1, sets: [look(&folder)?].into() });
        let mut task = JoinSet::new();
        task.spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let set = look(&folder)?;
                told.send_modify(|looks| {
                    looks.count += 1;
                    looks.sets.insert(set);
                });
            }
        });
        Ok(Self { looks, task })
    }

    /// Reads on until it has seen two sets, and their number says so, too.
    async fn sees_a_change(&mut self, number: impl Fn() -> u32) -> Result<(), Failure> {
        let seen = self.looks.wait_for(|looks| looks.sets.len() > 1 && number() > 1);
        let seen = async { tokio::time::timeout(PATIENCE, seen).await.is_ok_and(|seen| seen.is_ok()) };
        tokio::select! {
            biased;
            Some(Ok(Err(failure))) = self.task.join_next() => Err(failure),
            seen = seen => seen.then_some(()).ok_or_else(|| {
                Failure::new("the next certificate", "a second set of the pair", "still the first")
            }),
        }
    }
}

/// Step 9.
pub(super) async fn is_replaced(stage: &mut Stage, mut reader: Reader) -> Result<(), Failure> {
    stage.screen.step("The certificate is due; it and its key change in one step, then a number grows");
    let seen = stage.child()?.count();
    let folder = stage.pod.secrets().join(FOLDER);
    let generation = || {
        let text = fs::read_to_string(folder.join(".generation")).unwrap_or_default();
        text.trim().parse().unwrap_or_default()
    };
    reader.sees_a_change(generation).await?;
    let said = stage.child()?.lines(seen);
    stage.screen.story(&said);
    stage.screen.line(&format!("secrets/tls/..data  -> {}", look(&folder)?));
    stage.screen.line(&format!("secrets/tls/.generation  {}", generation()));
    let looks = reader.looks.borrow();
    stage.screen.verified(&format!(
        "in {} looks since step 4 a reader met {} pairs, and never a certificate with another key",
        looks.count,
        looks.sets.len()
    ));
    Ok(())
}
