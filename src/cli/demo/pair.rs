//! A certificate with its key in the story: two files that change in one step.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

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

/// Step 9.
pub(super) async fn is_replaced(stage: &mut Stage) -> Result<(), Failure> {
    stage.screen.step("The certificate is due; it and its key change in one step, then a number grows");
    let seen = stage.child()?.count();
    let folder = stage.pod.secrets().join(FOLDER);
    let generation = || {
        fs::read_to_string(folder.join(".generation")).ok().and_then(|text| text.trim().parse::<u32>().ok())
    };
    let mut looks = 0_u32;
    let reading = async {
        loop {
            look(&folder)?;
            looks += 1;
            if generation().is_some_and(|number| number > 1) {
                return look(&folder);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let set = tokio::time::timeout(PATIENCE, reading).await.map_err(|_| {
        Failure::new("the next certificate", "a second generation of the pair", "still the first")
    })??;
    let said = stage.child()?.lines(seen);
    stage.screen.story(&said);
    stage.screen.line(&format!("secrets/tls/..data  -> {set}"));
    stage.screen.line(&format!("secrets/tls/.generation  {}", generation().unwrap_or_default()));
    stage.screen.verified(&format!("in {looks} looks a reader never met a certificate with another key"));
    Ok(())
}
